//! One institution's processes: a chain, a gateway, a keeper.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_medibloc-node"));
    command.args(arguments).current_dir(folder);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    program(folder, arguments).output().unwrap()
}

pub(crate) fn done(folder: &Path, arguments: &[&str]) -> Value {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(!output.status.success(), "{arguments:?} must fail");
    String::from_utf8(output.stderr).unwrap()
}

/// A keeper's keys in a folder, keeper-N.json, and what its operator gives away, keeper-N.public.json. Gives its signer.
pub(crate) fn keeper_keys(at: &Path, folder: &str, index: &str) -> String {
    std::fs::create_dir_all(at.join(folder)).unwrap();
    let file = format!("{folder}/keeper-{index}.json");
    let public = format!("{folder}/keeper-{index}.public.json");
    done(at, &["keys", "keeper", "--index", index, "--out", &file]);
    let made = done(at, &["keys", "public", &file, "--out", &public]);
    made["address"].as_str().unwrap().to_owned()
}

/// A process that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = program(folder, arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Ends it as a power cut would, at once.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Tells it to end; gives what it logged.
    pub(crate) fn end(mut self) -> String {
        let id = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(told.success());
        let mut log = String::new();
        self.0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        assert!(self.0.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Asks until it answers well.
pub(crate) async fn ready(url: &str) {
    medibloc_transport::install_provider();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if let Ok(response) = reqwest::get(format!("{url}/readyz")).await
            && response.status().is_success()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{url} is not ready");
}

/// A chain with the contracts, and everything to start a gateway and its keeper.
pub(crate) struct Institution {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) node: String,
    pub(crate) keeper: String,
    /// The operator's own address of the gateway.
    pub(crate) operator: String,
    pub(crate) relay: String,
    pub(crate) authority: String,
    _chain: Running,
}

impl Institution {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let wallet = |name: &str| {
            let made = done(at, &["keys", "wallet", "--out", name]);
            made["address"].as_str().unwrap().to_owned()
        };
        let deployer = wallet("deployer.json");
        let (relay, authority) = (wallet("relay.json"), wallet("authority.json"));
        keeper_keys(at, "keepers", "1");
        let serve = [
            "chain",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--fund",
            &deployer,
        ];
        let mut chain = Running::start(at, &serve);
        let mut line = String::new();
        BufReader::new(chain.0.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let rpc = said["serving"].as_str().unwrap();
        let (node, keeper, operator) = (free_url(), free_url(), free_url());
        let keeper_file = format!("keepers/keeper-1.public.json={keeper}");
        let deploy = [
            "chain",
            "deploy",
            "--rpc",
            rpc,
            "--deployer",
            "deployer.json",
            "--authority",
            &authority,
            "--keeper",
            &keeper_file,
            "--threshold",
            "1",
            "--node",
            &node,
            "--fund",
            &relay,
            "--keeper-configs",
            "keepers",
        ];
        done(at, &deploy);

        let config = format!(
            "deployment = \"deployment.json\"\ndata_dir = \"node\"\nlisten = \"{}\"\nurl = \"{node}\"\n\
         [gateway]\nrelay_key = \"relay.json\"\n[limits]\nrequests = 1000000\n\
         [metrics]\nlisten = \"{}\"\n",
            node.strip_prefix("http://").unwrap(),
            operator.strip_prefix("http://").unwrap()
        );
        std::fs::write(at.join("node.toml"), config).unwrap();
        Self {
            folder,
            node,
            keeper,
            operator,
            relay,
            authority,
            _chain: chain,
        }
    }

    pub(crate) fn start_gateway(&self) -> Running {
        Running::start(self.folder.path(), &["gateway", "--config", "node.toml"])
    }

    pub(crate) fn start_keeper(&self) -> Running {
        let config = "keepers/keeper-1.toml";
        Running::start(self.folder.path(), &["keeper", "--config", config])
    }
}
