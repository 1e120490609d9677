//! Bytes from outside against every parser: a seeded mutator on stable, and libFuzzer where it is installed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::ledger::Ledger;
use crate::peers;
use crate::preflight::find;
use crate::run::{Run, cargo};

/// Seconds that libFuzzer gets for one target.
const SECONDS: u32 = 20;

/// Seeds, inputs that once failed, and mutations of both, on stable.
pub fn mutate(run: &mut Run, ledger: &mut Ledger) -> Result<()> {
    let args = ["test", "--quiet", "--no-default-features"];
    let passed = run.lines(cargo(), args, "fuzz", |line| {
        ledger.line(line);
        if !line.trim().is_empty() {
            println!("{line}");
        }
    })?;
    ensure!(passed, "a fuzz target broke; the line above has its input");
    Ok(())
}

/// libFuzzer on every target, if nightly and cargo-fuzz are there.
pub fn libfuzzer(run: &mut Run, ledger: &mut Ledger) -> Result<()> {
    let cache = peers::cache()?;
    let kept = cache.join("fuzz-tool/bin/cargo-fuzz");
    let Some(tool) = find("cargo-fuzz").or_else(|| kept.is_file().then_some(kept)) else {
        return skip(ledger, "no cargo-fuzz; cargo install cargo-fuzz");
    };
    let nightly = run.step("rustup", ["run", "nightly", "rustc", "--version"], ".");
    if nightly.is_err() {
        return skip(ledger, "no nightly; rustup toolchain install nightly");
    }
    run.step(
        cargo(),
        [
            "run",
            "--quiet",
            "--no-default-features",
            "--example",
            "seeds",
        ],
        "fuzz",
    )?;
    for target in targets(run.root())? {
        println!("── libfuzzer {target}");
        let time = format!("-max_total_time={SECONDS}");
        let words: [OsString; 10] = [
            "run".into(),
            "nightly".into(),
            tool.clone().into(),
            "run".into(),
            "--target-dir".into(),
            cache.join("fuzz").into(),
            target.clone().into(),
            "--".into(),
            time.into(),
            "-verbosity=0".into(),
        ];
        run.step("rustup", words, "fuzz").with_context(|| {
            format!("fuzz target {target}: put the input into fuzz/regressions/{target}")
        })?;
    }
    Ok(())
}

fn skip(ledger: &mut Ledger, reason: &str) -> Result<()> {
    println!("SKIPPED libfuzzer: {reason}");
    ledger.skip("libfuzzer", reason);
    Ok(())
}

/// The targets' names, in order.
fn targets(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    let stems = paths.iter().filter_map(|path| path.file_stem());
    Ok(stems
        .map(|stem| stem.to_string_lossy().into_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_of_the_journey_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let found = targets(root).unwrap();
        for name in [
            "cda",
            "fhir",
            "crypt4gh_header",
            "crypt4gh_body",
            "package",
            "car_unixfs",
            "jsonrpc",
            "keeper_request",
            "grant",
        ] {
            assert!(found.iter().any(|target| target == name), "{name}");
        }
    }
}
