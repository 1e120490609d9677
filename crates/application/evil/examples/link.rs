//! `cargo xtask attack link`: prints the tables of docs/unlinkability.md and writes them as JSON.
//!
//! `link [--fast] [--seeds N] [--out FILE] [--only main|delays] [--people 10,40,160] [--acts quiet|several]`
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool"
)]

#[allow(
    unreachable_pub,
    reason = "the modules are those of the test and of the program"
)]
#[path = "link/attack.rs"]
mod attack;

use std::process::ExitCode;
use std::time::Instant;

use attack::life::Mix;
use attack::tables::{HEADER, Setting, line, measure};
use serde_json::json;

const DAY: u64 = 86_400;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("link: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let place = args.iter().position(|arg| arg == name)?;
        args.get(place + 1).cloned()
    };
    let fast = args.iter().any(|arg| arg == "--fast");
    let only = value("--only").unwrap_or_default();
    // Lives to learn from, and as many others to guess about.
    let seeds = match value("--seeds") {
        Some(text) => text.parse()?,
        None if fast => 1,
        None => 3,
    };
    let setting = |people, mix, delay| Setting {
        people,
        hospitals: 6,
        days: if fast { 30 } else { 60 },
        mix,
        delay,
        train: (1..=seeds).collect(),
        test: (101..=100 + seeds).collect(),
    };
    let mut settings = Vec::new();
    if only != "delays" {
        for mix in Mix::ALL {
            for delay in [None, Some(DAY)] {
                settings.push(setting(40, mix, delay));
            }
        }
    }
    if only != "main" {
        let people = value("--people").unwrap_or_else(|| "10,40,160".into());
        let people: Vec<usize> = people
            .split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let mixes = match value("--acts").as_deref() {
            Some("quiet") => vec![Mix::Quiet],
            Some("several") => vec![Mix::Several],
            _ => vec![Mix::Quiet, Mix::Several],
        };
        for mix in mixes {
            for people in people.iter().copied() {
                for delay in [0, 600, 3_600, 6 * 3_600, DAY] {
                    let big = people == 160;
                    let mut setting = setting(people, mix, Some(delay));
                    if big {
                        setting.train.truncate(1);
                        setting.test.truncate(1);
                    }
                    settings.push(setting);
                }
            }
        }
    }
    println!("{HEADER}");
    let mut rows = Vec::new();
    for setting in settings {
        let began = Instant::now();
        for figure in measure(&setting)? {
            println!("{}", line(&setting, &figure));
            let mut row = figure.json();
            row["acts"] = setting.mix.name().into();
            row["people"] = setting.people.into();
            row["delaySeconds"] = json!(setting.delay);
            row["days"] = setting.days.into();
            row["seeds"] = json!([setting.train, setting.test]);
            rows.push(row);
        }
        eprintln!("  {:.0} s", began.elapsed().as_secs_f64());
        if let Some(path) = value("--out") {
            std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
        }
    }
    Ok(())
}
