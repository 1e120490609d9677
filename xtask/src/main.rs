//! `cargo xtask`: see the library for what each verb does.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command-line tool

use anyhow::{Result, bail};
use std::process::ExitCode;
use xtask::run::Run;
use xtask::{attack, bench, demo, preflight, test, tidy};

const USAGE: &str = "\
cargo xtask VERB

  demo [--once] [--keep] [--tls]
                             walk a real record's whole journey, over TLS too
  test [STAGE …]             everything that must pass, or the named stages
  ci [--build-peers]         test, then the slow suites
  attack [FINDING …]         try every hole that was found again: before and now
  attack link [--fast]       guess which addresses belong together, against chance
  fix                        format, and apply what clippy can mend
  codegen                    build the contracts and their committed artifacts
  tidy                       the rules of the architecture, and figures
  bench [NAME …]             measure, beside the peers";

fn main() -> ExitCode {
    match verb() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn verb() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let verb = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    if ![
        "demo", "test", "ci", "attack", "fix", "codegen", "tidy", "bench",
    ]
    .contains(&verb.as_str())
    {
        println!("{USAGE}");
        if ["", "help", "--help", "-h"].contains(&verb.as_str()) {
            return Ok(());
        }
        bail!("there is no verb `{verb}`");
    }
    preflight::check()?;
    let run = Run::here()?;
    match verb.as_str() {
        "demo" => demo::demo(&run, &rest),
        "test" => test::test(run, &rest),
        "ci" => test::ci(run, &rest),
        "attack" => attack::attack(run, &rest),
        "fix" => {
            run.cargo([
                "clippy",
                "--workspace",
                "--all-targets",
                "--fix",
                "--allow-dirty",
            ])?;
            run.cargo(["fmt", "--all"])
        }
        "codegen" => {
            test::node_modules(&run, "contracts")?;
            run.step("npm", ["run", "build"], "contracts")
        }
        "tidy" => {
            let root = run.root();
            let report = tidy::check(root)?;
            print!("{report}");
            report.into_result()
        }
        _ => bench::bench(run, &rest),
    }
}
