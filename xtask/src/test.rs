//! Everything that must pass, stage by stage, with its time.

use crate::ledger::Ledger;
use crate::run::{Run, cargo};
use crate::{demo, fuzz, peers, preflight, tidy};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

type Stage = fn(&mut Run, &mut Ledger) -> Result<()>;

/// Name, what to do when it fails, and the stage, in the order they run.
const STAGES: [(&str, &str, Stage); 9] = [
    ("fmt", "run `cargo xtask fix`", |run, _| {
        run.cargo(["fmt", "--all", "--check"])
    }),
    (
        "clippy",
        "run `cargo xtask fix`, mend the rest by hand",
        |run, _| {
            run.cargo([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])
        },
    ),
    (
        "peers",
        "see the message above; npm needs its registry",
        interop_peers,
    ),
    (
        "rust",
        "read the failures above; `cargo test -p CRATE NAME` repeats one",
        rust,
    ),
    (
        "fuzz",
        "keep the input in fuzz/regressions, mend the parser",
        fuzz::mutate,
    ),
    (
        "tidy",
        "each line above names the rule and the place",
        |run, _| {
            let report = tidy::check(run.root())?;
            print!("{report}");
            report.into_result()
        },
    ),
    (
        "contracts",
        "in contracts/: npm test; after a change of sources `cargo xtask codegen`",
        contracts,
    ),
    ("demo", "run `cargo xtask demo --once` alone", |run, _| {
        demo::demo(run, &["--once".to_owned()])
    }),
    (
        "demo-tls",
        "run `cargo xtask demo --once --tls` alone",
        |run, _| demo::demo(run, &["--once".to_owned(), "--tls".to_owned()]),
    ),
];

/// Runs all stages, or the named ones, and stops at the first that fails.
pub fn test(run: Run, names: &[String]) -> Result<()> {
    stages(run, names, Ledger::default())
}

/// `test` with the suites at full length and every real peer that is there.
pub fn ci(mut run: Run, args: &[String]) -> Result<()> {
    match args {
        [] => {}
        [flag] if flag == "--build-peers" => peers::build(&run)?,
        _ => bail!("ci knows only --build-peers"),
    }
    let mut ledger = Ledger::default();
    faults()?;
    run.set_env("MEDIBLOC_ATTACK", "timed");
    run.set_env("MEDIBLOC_CRASH_ROUNDS", "1000");
    run.set_env("MEDIBLOC_FUZZ_ROUNDS", "10000");
    peers::optional(&mut run, &mut ledger)?;
    licences(&run, &mut ledger)?;
    fuzz::libfuzzer(&mut run, &mut ledger)?;
    stages(run, &[], ledger)
}

/// Every call of the journey disturbed in every way, and every byte of a vault changed. Some 15,000 walks: compiled as for
/// release they take a third of the time of a build for debugging.
fn faults() -> Result<()> {
    println!("── faults");
    let mut run = Run::here()?;
    run.set_env("MEDIBLOC_FAULTS", "all");
    for (package, test) in [("medibloc-journey", "faults"), ("medibloc-vault", "damage")] {
        run.cargo(["test", "--release", "-p", package, "--test", test])?;
    }
    Ok(())
}

/// Licences, sources and banned crates of the whole dependency tree.
fn licences(run: &Run, ledger: &mut Ledger) -> Result<()> {
    let kept = peers::cache()?.join("deny-tool/bin/cargo-deny");
    let found = preflight::find("cargo-deny");
    let Some(tool) = found.or_else(|| kept.is_file().then_some(kept)) else {
        let reason = "not installed; cargo install cargo-deny";
        println!("SKIPPED cargo-deny: {reason}");
        ledger.skip("cargo-deny", reason);
        return Ok(());
    };
    run.step(tool, ["check", "licenses", "bans", "sources"], ".")
}

fn stages(mut run: Run, names: &[String], mut ledger: Ledger) -> Result<()> {
    let known = STAGES.map(|(name, ..)| name);
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!(
            "there is no stage `{unknown}`; the stages are {}",
            known.join(", ")
        );
    }
    corpus(env::var_os("MEDIBLOC_CORPUS").map(PathBuf::from).as_deref())?;
    preflight::room(&run.target()?)?;
    let mut times = Vec::new();
    for (name, advice, stage) in STAGES {
        if !names.is_empty() && !names.iter().any(|chosen| chosen == name) {
            continue;
        }
        println!("── {name}");
        let start = Instant::now();
        let outcome = stage(&mut run, &mut ledger);
        times.push(format!("{name} {:.1} s", start.elapsed().as_secs_f64()));
        if let Err(error) = outcome {
            println!("\n{}\n{ledger}", times.join(" · "));
            return Err(error.context(format!("stage {name} failed; {advice}")));
        }
    }
    println!("\n{}\n{ledger}", times.join(" · "));
    if env::var("CI").is_ok_and(|value| value == "true") {
        let list = run.root().join("ci/allowed-skips.txt");
        let list =
            fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        ledger.allow_only(&list)?;
    }
    Ok(())
}

/// The corpus is optional, but a wrong path to it is not.
fn corpus(path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    ensure!(
        path.is_absolute(),
        "MEDIBLOC_CORPUS must be absolute, not {}",
        path.display()
    );
    ensure!(
        path.is_dir(),
        "MEDIBLOC_CORPUS names no folder: {}",
        path.display()
    );
    Ok(())
}

/// The Python tool and the JavaScript peers that Rust tests compare against.
fn interop_peers(run: &mut Run, ledger: &mut Ledger) -> Result<()> {
    peers::crypt4gh(run, ledger)?;
    node_modules(run, "contracts")?; // anvil and forge
    let interop = run.root().join("testdata/interop");
    let Ok(folders) = fs::read_dir(&interop) else {
        return Ok(());
    };
    for folder in folders {
        let folder = folder?.path();
        if folder.join("package.json").is_file() {
            node_modules(run, &folder)?;
        }
    }
    Ok(())
}

/// Every Rust test, with the skips that they tell of.
fn rust(run: &mut Run, ledger: &mut Ledger) -> Result<()> {
    let skips = peers::cache()?.join(format!("skips-{}.txt", std::process::id()));
    fs::create_dir_all(skips.parent().context("the cache has no parent folder")?)?;
    fs::write(&skips, "")?;
    run.set_env("MEDIBLOC_SKIP_LEDGER", &skips);
    let mut filter = Filter::default();
    let args = [
        "test",
        "--workspace",
        "--no-fail-fast",
        "--",
        "--show-output",
    ];
    let passed = run.lines(cargo(), args, ".", |line| {
        ledger.line(line);
        if filter.shows(line) {
            println!("{line}");
        }
    });
    fs::read_to_string(&skips)?
        .lines()
        .for_each(|line| ledger.line(line));
    fs::remove_file(&skips)?;
    ensure!(passed?, "a Rust test failed or did not compile");
    Ok(())
}

/// Leaves out what tests that passed print: it was asked for only to see their skips.
#[derive(Default)]
struct Filter {
    in_successes: bool,
}

impl Filter {
    fn shows(&mut self, line: &str) -> bool {
        self.in_successes = match line {
            "successes:" => true,
            "failures:" => false,
            _ => self.in_successes && !line.starts_with("test result:"),
        };
        let is_dull = line.ends_with("... ok") || line.trim().is_empty();
        line.starts_with("SKIPPED ") || !self.in_successes && !is_dull
    }
}

/// Solidity tests, fresh artifacts, gas ceilings, and the list of fields.
fn contracts(run: &mut Run, ledger: &mut Ledger) -> Result<()> {
    node_modules(run, "contracts")?;
    let passed = run.lines("npm", ["test"], "contracts", |line| {
        ledger.line(line);
        println!("{line}");
    })?;
    ensure!(passed, "a contract test failed");
    for script in ["check", "gas", "fields"] {
        if has_script(run.root(), script)? {
            run.step("npm", ["run", script], "contracts")?;
        }
    }
    Ok(())
}

/// `npm ci` in this folder, unless it was done.
pub fn node_modules(run: &Run, folder: impl AsRef<Path>) -> Result<()> {
    if run.root().join(&folder).join("node_modules").is_dir() {
        return Ok(());
    }
    run.step("npm", ["ci", "--no-audit", "--no-fund"], folder)
}

fn has_script(root: &Path, name: &str) -> Result<bool> {
    let text = fs::read_to_string(root.join("contracts/package.json"))?;
    let package: serde_json::Value = serde_json::from_str(&text)?;
    Ok(package["scripts"][name].is_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_output_of_failed_tests_is_shown_and_every_skip() {
        let lines = [
            "running 2 tests",
            "test a ... ok",
            "test b ... FAILED",
            "successes:",
            "---- a stdout ----",
            "SKIPPED kubo/a: absent",
            "much text",
            "failures:",
            "---- b stdout ----",
            "panicked",
            "test result: FAILED. 1 passed; 1 failed",
        ];
        let mut filter = Filter::default();
        let shown: Vec<&str> = lines
            .into_iter()
            .filter(|line| filter.shows(line))
            .collect();
        assert_eq!(
            shown,
            [&lines[..1], &lines[2..3], &lines[5..6], &lines[7..]].concat()
        );
    }

    #[test]
    fn a_wrong_corpus_fails_and_none_does_not() {
        assert!(corpus(None).is_ok());
        assert!(corpus(Some(Path::new(env!("CARGO_MANIFEST_DIR")))).is_ok());
        let error = |path| corpus(Some(Path::new(path))).unwrap_err().to_string();
        assert!(error("../corpus").contains("must be absolute"));
        assert!(error("/no/such/corpus").contains("names no folder"));
    }
}
