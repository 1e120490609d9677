//! `cargo xtask attack link`: the tables of docs/unlinkability.md, and `attack-link.json` in the target folder.

use anyhow::Result;

use crate::run::Run;

/// Runs the linking attack of `medibloc-evil`; a program of its own, so that this one stays small.
pub(super) fn link(run: &Run, args: &[String]) -> Result<()> {
    let out = run.target()?.join("attack-link.json");
    let out = out.to_string_lossy().into_owned();
    let fixed = "run --release -p medibloc-evil --example link -- --out";
    let args = args.iter().map(String::as_str);
    run.cargo(fixed.split(' ').chain([out.as_str()]).chain(args))?;
    println!("figures in {out}");
    Ok(())
}
