//! The processes of the demo.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::KEEPERS;
use super::certificate::Files;
use crate::run::Run;

/// Opens the homes of the demo; searched for afterwards where it must not be.
pub(super) const PASSPHRASE: &str = "correct horse of the demo";

/// How long a process may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

struct Process {
    name: String,
    child: Child,
    at: String,
}

/// One chain, one node, seven keepers, and the agents.
pub(super) struct World {
    folder: PathBuf,
    node: PathBuf,
    agent: PathBuf,
    processes: Vec<Process>,
    kept: bool,
    tls: Option<Files>,
}

impl World {
    pub(super) fn new(run: &Run, folder: &Path, tls: bool) -> Result<Self> {
        fs::create_dir_all(folder.join("operators"))?;
        let tls = tls.then(|| Files::make(folder)).transpose()?;
        let binaries = run.target()?.join("debug");
        Ok(Self {
            folder: folder.to_path_buf(),
            node: binaries.join("medibloc-node"),
            agent: binaries.join("medibloc"),
            processes: Vec::new(),
            kept: false,
            tls,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything that chain, node, keepers and their logs hold.
    pub(super) fn operators(&self) -> PathBuf {
        self.folder.join("operators")
    }

    fn path(&self, name: &str) -> String {
        self.operators().join(name).to_string_lossy().into_owned()
    }

    /// Runs one command of `medibloc-node` and gives its answer.
    fn operate(&self, args: &[&str]) -> Result<Value> {
        answer(Command::new(&self.node).args(args))
    }

    /// Starts a process that listens at `at`, its output in a log.
    fn spawn(&mut self, name: &str, program: &Path, args: &[&str], at: &str) -> Result<()> {
        let log = File::create(self.operators().join(format!("{name}.log")))?;
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        self.processes.push(Process {
            name: name.to_owned(),
            child,
            at: at.to_owned(),
        });
        Ok(())
    }

    /// Waits until the last `count` processes listen.
    fn wait(&mut self, count: usize) -> Result<()> {
        let from = self.processes.len() - count;
        for process in &mut self.processes[from..] {
            let begin = Instant::now();
            while TcpStream::connect(&process.at).is_err() {
                if let Some(status) = process.child.try_wait()? {
                    bail!("{} ended ({status}); see its log", process.name);
                }
                ensure!(
                    begin.elapsed() < PATIENCE,
                    "{} does not listen on {}",
                    process.name,
                    process.at
                );
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    /// Chain, contracts, node, keepers.
    pub(super) fn start(&mut self) -> Result<()> {
        let node = self.node.clone();
        let ports = free_ports(2 + usize::from(KEEPERS))?;
        let (chain, gateway) = (ports[0].clone(), ports[1].clone());
        let mut wallets = Vec::new();
        for wallet in ["deployer", "authority", "relay"] {
            let file = self.path(&format!("{wallet}.json"));
            let made = self.operate(&["keys", "wallet", "--out", &file])?;
            let address = made["address"].as_str().context("no address")?.to_owned();
            wallets.push((file, address));
        }
        let data = self.path("chain");
        let fund = wallets[0].1.clone();
        let tls = self.tls.clone();
        let served = tls.as_ref().map(Files::served).unwrap_or_default();
        let serve = [
            "chain",
            "serve",
            "--data-dir",
            &data,
            "--listen",
            &chain,
            "--fund",
            &fund,
        ];
        let served: Vec<&str> = served.iter().map(String::as_str).collect();
        self.spawn(
            "chain",
            &node,
            &[serve.as_slice(), &served].concat(),
            &chain,
        )?;
        self.wait(1)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (rpc, url) = (
            format!("{scheme}://{chain}"),
            format!("{scheme}://{gateway}"),
        );
        let mut deploy: Vec<String> = [
            "chain",
            "deploy",
            "--rpc",
            &rpc,
            "--deployer",
            &wallets[0].0,
        ]
        .map(str::to_owned)
        .to_vec();
        fs::create_dir_all(self.path("keepers"))?;
        for (index, at) in (1..=KEEPERS).zip(&ports[2..]) {
            let file = self.path(&format!("keepers/keeper-{index}.json"));
            let public = self.path(&format!("keeper-{index}.public.json"));
            let number = index.to_string();
            self.operate(&["keys", "keeper", "--index", &number, "--out", &file])?;
            self.operate(&["keys", "public", &file, "--out", &public])?;
            deploy.extend(["--keeper".to_owned(), format!("{public}={scheme}://{at}")]);
        }
        let deployment = self.path("deployment.json");
        let configs = self.path("keepers");
        let rest = [
            "--authority",
            &wallets[1].1,
            "--node",
            &url,
            "--fund",
            &wallets[2].1,
            "--out",
            &deployment,
            "--keeper-configs",
            &configs,
        ];
        deploy.extend(rest.map(str::to_owned));
        deploy.extend(tls.iter().flat_map(Files::deployed));
        let args: Vec<&str> = deploy.iter().map(String::as_str).collect();
        self.operate(&args)?;
        let config = self.path("node.toml");
        fs::write(
            &config,
            format!(
                "deployment = \"deployment.json\"\ndata_dir = \"node\"\nlisten = \"{gateway}\"\nurl = \"{url}\"\n\n{}[gateway]\nrelay_key = \"relay.json\"\n",
                tls.as_ref().map(Files::section).unwrap_or_default()
            ),
        )?;
        self.spawn("node", &node, &["gateway", "--config", &config], &gateway)?;
        for (index, at) in (1..=KEEPERS).zip(&ports[2..]) {
            let config = format!("{configs}/keeper-{index}.toml");
            self.spawn(
                &format!("keeper-{index}"),
                &node,
                &["keeper", "--config", &config],
                at,
            )?;
        }
        self.wait(1 + usize::from(KEEPERS))
    }

    /// The authority accredits an account; the node keeps its credential for it.
    pub(super) fn accredit(&self, account: &str, name: &str) -> Result<()> {
        let (deployment, wallet) = (self.path("deployment.json"), self.path("authority.json"));
        let node = self.path("node");
        self.operate(&[
            "authority",
            "accredit",
            "--deployment",
            &deployment,
            "--key",
            &wallet,
            "--account",
            account,
            "--name",
            name,
            "--profession",
            "hospital",
            "--jurisdiction",
            "KR",
            "--keep",
            &node,
        ])?;
        Ok(())
    }

    /// A new agent with its own home, serving.
    pub(super) fn agent(&mut self, key: &str, role: &str) -> Result<Agent> {
        let mut agent = self.prepare(key)?;
        let deployment = self.deployment_for(key)?;
        let made = agent.say(&[
            "init",
            "--deployment",
            &deployment,
            "--role",
            role,
            "--pace",
            "now",
        ])?;
        agent.phrase = made["phrase"].as_str().context("no phrase")?.to_owned();
        self.serve(&agent)?;
        Ok(agent)
    }

    /// An agent with a new home from a phrase, serving.
    pub(super) fn restore(&mut self, key: &str, role: &str, phrase: &str) -> Result<Agent> {
        let mut agent = self.prepare(key)?;
        agent.phrase = phrase.to_owned();
        let deployment = self.deployment_for(key)?;
        let file = self.folder.join(format!("{key}.phrase"));
        fs::write(&file, phrase)?;
        let file = file.to_string_lossy().into_owned();
        agent.say(&[
            "restore",
            "--deployment",
            &deployment,
            "--role",
            role,
            "--phrase-file",
            &file,
            "--pace",
            "now",
        ])?;
        self.serve(&agent)?;
        Ok(agent)
    }

    /// What somebody who has the operator's file and no home says of a proof file.
    pub(super) fn verify_without_home(&self, proof: &str) -> Result<Value> {
        let (nowhere, deployment) = (self.folder.join("nowhere"), self.path("deployment.json"));
        let mut command = Command::new(&self.agent);
        command.arg("--json").arg("--home").arg(&nowhere);
        command.args(["verify", proof, "--deployment"]);
        let said = answer(command.arg(deployment))?;
        ensure!(!nowhere.exists(), "checking a proof made a home");
        Ok(said)
    }

    fn prepare(&self, key: &str) -> Result<Agent> {
        let passphrase = self.folder.join(format!("{key}.passphrase"));
        fs::write(&passphrase, PASSPHRASE)?;
        Ok(Agent {
            key: key.to_owned(),
            program: self.agent.clone(),
            home: self.folder.join(key),
            passphrase,
            phrase: String::new(),
        })
    }

    /// Each agent gets a copy: they share no file.
    fn deployment_for(&self, key: &str) -> Result<String> {
        let copy = self.folder.join(format!("{key}.deployment.json"));
        fs::copy(self.path("deployment.json"), &copy)?;
        Ok(copy.to_string_lossy().into_owned())
    }

    fn serve(&mut self, agent: &Agent) -> Result<()> {
        let (home, passphrase) = (
            agent.home.to_string_lossy(),
            agent.passphrase.to_string_lossy(),
        );
        let args = [
            "--home",
            &home,
            "--passphrase-file",
            &passphrase,
            "serve",
            "--every",
            "2",
        ];
        let (name, program) = (agent.key.clone(), self.agent.clone());
        self.spawn(&name, &program, &args, "")?;
        let begin = Instant::now();
        let door = agent.home.join("daemon.json");
        while !door.exists() {
            if let Some(process) = self.processes.last_mut()
                && let Some(status) = process.child.try_wait()?
            {
                bail!("{name} ended ({status}); see its log");
            }
            ensure!(begin.elapsed() < PATIENCE, "{name} does not serve");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The agent's disk is gone.
    pub(super) fn lose(&mut self, agent: &Agent) -> Result<()> {
        let at = self
            .processes
            .iter()
            .position(|process| process.name == agent.key)
            .context("the agent does not run")?;
        let mut process = self.processes.remove(at);
        process.child.kill()?;
        process.child.wait()?;
        fs::remove_dir_all(&agent.home)?;
        Ok(())
    }

    /// All process ids, for `kill`.
    pub(super) fn processes(&self) -> String {
        let ids: Vec<String> = self
            .processes
            .iter()
            .map(|process| process.child.id().to_string())
            .collect();
        ids.join(" ")
    }

    /// Leaves all processes running when this ends.
    pub(super) fn leave(&mut self) {
        self.kept = true;
    }
}

impl core::fmt::Display for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "      data in {}", self.folder.display())?;
        for process in &self.processes {
            let at = if process.at.is_empty() {
                "loopback socket in its home"
            } else {
                &process.at
            };
            write!(
                f,
                "\n      {:<10} process {:<7} {at}",
                process.name,
                process.child.id()
            )?;
        }
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for process in &mut self.processes {
            let _ = process.child.kill();
        }
        for process in &mut self.processes {
            let _ = process.child.wait();
        }
    }
}

/// One agent, spoken to by its command line.
pub(super) struct Agent {
    key: String,
    program: PathBuf,
    home: PathBuf,
    passphrase: PathBuf,
    phrase: String,
}

impl Agent {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--json")
            .arg("--home")
            .arg(&self.home)
            .arg("--passphrase-file")
            .arg(&self.passphrase)
            .args(args);
        command
    }

    pub(super) fn phrase(&self) -> &str {
        &self.phrase
    }

    /// Runs a command that must succeed.
    pub(super) fn say(&self, args: &[&str]) -> Result<Value> {
        answer(&mut self.command(args)).with_context(|| self.key.clone())
    }

    /// Runs a command that must be refused by a rule; gives what it says.
    pub(super) fn refused(&self, args: &[&str]) -> Result<String> {
        let output = self.command(args).stdin(Stdio::null()).output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        let said: Value = serde_json::from_str(told.trim()).unwrap_or_default();
        // 4: refused by a rule, 7: not known here: the right answers to somebody without consent. 10: erased.
        ensure!(
            matches!(output.status.code(), Some(4 | 7 | 10)),
            "{} {}: exit {:?} where a refusal was due: {told}",
            self.key,
            args.join(" "),
            output.status.code()
        );
        Ok(said["error"]["message"]
            .as_str()
            .unwrap_or(&told)
            .to_owned())
    }
}

fn answer(command: &mut Command) -> Result<Value> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let out = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} failed: {told}{out}");
    }
    let line = out.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{command:?} said {line}"))
}

/// Addresses on loopback that nobody listens on now.
fn free_ports(count: usize) -> Result<Vec<String>> {
    let sockets: Result<Vec<TcpListener>, _> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect();
    sockets?
        .iter()
        .map(|socket| Ok(socket.local_addr()?.to_string()))
        .collect()
}
