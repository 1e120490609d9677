//! The main job, on real documents.

use crate::run::Run;
use anyhow::{Result, bail};

/// Builds and runs the demo; `--once` ends with 0 only if every step held, `--keep` leaves all running.
pub fn demo(run: &Run, args: &[String]) -> Result<()> {
    if let Some(unknown) = args
        .iter()
        .find(|arg| !["--once", "--keep"].contains(&arg.as_str()))
    {
        bail!("demo knows --once and --keep, not `{unknown}`");
    }
    let command = [
        "run",
        "-q",
        "-p",
        "medibloc-agent",
        "--example",
        "walk",
        "--",
    ];
    run.cargo(command.into_iter().chain(args.iter().map(String::as_str)))
}
