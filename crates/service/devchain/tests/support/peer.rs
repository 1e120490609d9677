//! JSON-RPC by hand, and the other chains to compare with.

use std::{
    io::Read as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// What a chain refused with.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: i64,
    pub(crate) message: String,
    pub(crate) data: Value,
}

/// A chain behind a URL.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    client: reqwest::Client,
}

impl Peer {
    pub(crate) fn new(name: &'static str, url: String) -> Self {
        Self {
            name,
            url,
            client: client(),
        }
    }

    pub(crate) async fn ask(&self, method: &str, params: Value) -> Result<Value, Refusal> {
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut answer = self.post(&question).await;
        if answer["error"].is_null() {
            return Ok(answer["result"].take());
        }
        Err(Refusal {
            code: answer["error"]["code"].as_i64().unwrap(),
            message: answer["error"]["message"].as_str().unwrap().to_owned(),
            data: answer["error"]["data"].take(),
        })
    }

    pub(crate) async fn get(&self, method: &str, params: Value) -> Value {
        let answer = self.ask(method, params.clone()).await;
        answer.unwrap_or_else(|refusal| panic!("{}: {method} {params}: {refusal:?}", self.name))
    }

    pub(crate) async fn post(&self, body: &Value) -> Value {
        let text = serde_json::to_string(body).unwrap();
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json");
        let answer = request
            .body(text)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        serde_json::from_slice(&answer).unwrap()
    }

    async fn answers(&self) -> bool {
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []});
        let request = self
            .client
            .post(&self.url)
            .header("content-type", "application/json");
        request.body(question.to_string()).send().await.is_ok()
    }
}

/// A chain in a process of its own, which ends with this value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    _folder: Option<tempfile::TempDir>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Anvil on a free port, if `npm ci` was run in `contracts`.
pub(crate) async fn anvil(genesis_time: u64) -> Option<(Process, Peer)> {
    let binary = foundry("anvil")?;
    let port = free_port().to_string();
    let child = Command::new(binary)
        .args([
            "--hardfork",
            "cancun",
            "--port",
            &port,
            "--silent",
            "--no-request-size-limit",
        ])
        .args([
            "--timestamp",
            &genesis_time.to_string(),
            "--disable-default-create2-deployer",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Some(ready("anvil", child, port, None).await)
}

/// The geth that MEDIBLOC_GETH names, as a development chain with our first block.
pub(crate) async fn geth(genesis: &Value) -> Option<(Process, Peer)> {
    let binary = std::env::var_os("MEDIBLOC_GETH").map(PathBuf::from)?;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("genesis.json");
    std::fs::write(&file, genesis.to_string()).unwrap();
    let made = Command::new(&binary)
        .arg("init")
        .arg("--datadir")
        .arg(folder.path())
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let port = free_port().to_string();
    let child = Command::new(&binary)
        .args([
            "--dev",
            "--http",
            "--http.port",
            &port,
            "--miner.gaslimit",
            "30000000",
        ])
        .args([
            "--ipcdisable",
            "--authrpc.port",
            "0",
            "--port",
            "0",
            "--verbosity",
            "1",
        ])
        .args([
            "--rpc.txfeecap",
            "0",
            "--rpc.gascap",
            "30000000",
            "--datadir",
        ])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Some(ready("geth", child, port, Some(folder)).await)
}

async fn ready(
    name: &'static str,
    child: Child,
    port: String,
    folder: Option<tempfile::TempDir>,
) -> (Process, Peer) {
    let mut process = Process {
        child,
        _folder: folder,
    };
    let peer = Peer::new(name, format!("http://127.0.0.1:{port}"));
    let begin = Instant::now();
    while !peer.answers().await {
        let ended = process.child.try_wait().unwrap();
        if ended.is_some() || begin.elapsed() > Duration::from_secs(60) {
            let mut said = String::new();
            let _ = process.child.kill();
            let _ = process
                .child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut said);
            panic!("{name} does not answer: {ended:?} {said}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (process, peer)
}

/// The program of Foundry's that npm installed.
pub(crate) fn foundry(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(3)
        .unwrap();
    let packages = std::fs::read_dir(root.join("contracts/node_modules/@foundry-rs")).ok()?;
    let mut names = packages
        .flatten()
        .map(|entry| entry.path().join("bin").join(name));
    names.find(|path| path.is_file())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn client() -> reqwest::Client {
    medibloc_transport::install_provider();
    reqwest::Client::new()
}
