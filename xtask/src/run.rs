//! Starting other programs from the workspace's root.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

/// The workspace, and what its programs find in their environment.
#[derive(Debug)]
pub struct Run {
    root: PathBuf,
    envs: Vec<(String, PathBuf)>,
}

impl Run {
    /// The workspace whose `cargo xtask` this is.
    pub fn here() -> Result<Self> {
        // cargo says it at run time too, which is right even if clones share a target folder
        let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = xtask
            .parent()
            .context("xtask has no parent folder")?
            .to_path_buf();
        Ok(Self {
            root,
            envs: Vec::new(),
        })
    }

    /// The workspace's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo puts what it builds.
    pub fn target(&self) -> Result<PathBuf> {
        let out = self
            .command(
                cargo(),
                ["metadata", "--no-deps", "--format-version", "1"],
                ".",
            )
            .output()
            .context("cannot start cargo metadata")?;
        let metadata: serde_json::Value = serde_json::from_slice(&out.stdout)?;
        let folder = metadata["target_directory"].as_str();
        Ok(PathBuf::from(
            folder.context("cargo metadata names no target folder")?,
        ))
    }

    /// Sets a variable for every program started from now on.
    pub fn set_env(&mut self, name: &str, value: impl Into<PathBuf>) {
        self.envs.push((name.to_owned(), value.into()));
    }

    /// Runs cargo with these arguments; its output is seen as it comes.
    pub fn cargo<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Result<()> {
        self.step(cargo(), args, ".")
    }

    /// Runs a program in a folder of the workspace; a failure is an error that names it.
    pub fn step<S: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = S>,
        folder: impl AsRef<Path>,
    ) -> Result<()> {
        let mut command = self.command(program, args, folder);
        let status = command
            .status()
            .with_context(|| format!("cannot start {}", shown(&command)))?;
        if !status.success() {
            bail!("`{}` failed ({status})", shown(&command));
        }
        Ok(())
    }

    /// Runs a program and gives each line of its output to `line` as it comes; true if it succeeded.
    pub fn lines<S: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = S>,
        folder: impl AsRef<Path>,
        mut line: impl FnMut(&str),
    ) -> Result<bool> {
        let mut command = self.command(program, args, folder);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", shown(&command)))?;
        let (sender, receiver) = mpsc::channel();
        let out = child
            .stdout
            .take()
            .context("the child has no standard output")?;
        let err = child
            .stderr
            .take()
            .context("the child has no standard error")?;
        std::thread::scope(|scope| {
            let other = sender.clone();
            scope.spawn(move || forward(out, &sender));
            scope.spawn(move || forward(err, &other));
            for text in receiver {
                line(&text);
            }
        });
        Ok(child.wait()?.success())
    }

    fn command<S: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = S>,
        folder: impl AsRef<Path>,
    ) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.root.join(folder))
            .envs(self.envs.iter().cloned());
        command
    }
}

/// The cargo that started this program.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn forward(stream: impl Read, sender: &mpsc::Sender<String>) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(n) if n > 0) {
        let text = String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\n', '\r'])
            .to_owned();
        if sender.send(text).is_err() {
            return;
        }
        bytes.clear();
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
