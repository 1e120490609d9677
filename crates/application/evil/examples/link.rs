//! `cargo xtask attack link`: prints the tables of docs/unlinkability.md and writes them as JSON.
//!
//! `link [--seeds N] [--first SEED] [--out FILE] [--acts quiet,several,room,everything,erases] [--people 10,40,160] [--delays before,0,3600]
//! [--days N] [--clocks SECONDS]`:
//! `--first` gives other lives than those of the page, for which nothing was chosen;
//! without acts, people and delays, what the page shows. `--clocks` is how far a device's clock is off at most, five minutes without it.
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

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("link: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One part of the tables: these acts, with so many people, at these delays.
struct Part {
    acts: &'static [Mix],
    people: &'static [usize],
    delays: &'static [Option<u64>],
}

/// What docs/unlinkability.md shows, in its order.
const DOCUMENTED: &[Part] = &[
    Part {
        acts: &Mix::ALL,
        people: &[40],
        delays: &[None, Some(DAY)],
    },
    Part {
        acts: &[Mix::Quiet],
        people: &[10, 40],
        delays: &[Some(0), Some(600), Some(HOUR), Some(6 * HOUR), Some(DAY)],
    },
    Part {
        acts: &[Mix::Quiet, Mix::Several],
        people: &[160],
        delays: &[Some(DAY)],
    },
];

/// The value after a flag, split at commas.
fn list<'a>(args: &'a [String], flag: &str) -> Option<Vec<&'a str>> {
    let place = args.iter().position(|arg| arg == flag)?;
    Some(args.get(place + 1)?.split(',').collect())
}

/// One list of delays, in seconds; `before` is the agent that had no pace.
fn delay(text: &str) -> Result<Option<u64>, std::num::ParseIntError> {
    match text {
        "before" => Ok(None),
        seconds => seconds.parse().map(Some),
    }
}

fn settings(args: &[String]) -> Result<Vec<Setting>, Box<dyn std::error::Error>> {
    // Lives to learn from, and as many others to guess about.
    let number = |flag: &str, otherwise: u64| match list(args, flag) {
        Some(text) => text.join(",").parse(),
        None => Ok(otherwise),
    };
    let (seeds, first) = (number("--seeds", 3)?, number("--first", 1)?);
    let (days, clocks) = (number("--days", 60)?, number("--clocks", 300)?);
    let setting = |people, mix, delay| Setting {
        people,
        hospitals: 6,
        days,
        mix,
        delay,
        clocks,
        train: (first..first + seeds).collect(),
        test: (first + 100..first + 100 + seeds).collect(),
    };
    let wanted = |flag: &str| list(args, flag);
    let (acts, people, delays) = (wanted("--acts"), wanted("--people"), wanted("--delays"));
    let mut settings: Vec<Setting> = Vec::new();
    if acts.is_none() && people.is_none() && delays.is_none() {
        for part in DOCUMENTED {
            for mix in part.acts {
                for people in part.people {
                    for delay in part.delays {
                        let mut next = setting(*people, *mix, *delay);
                        if *people > 40 {
                            // Minutes each; a crowd is less moved by chance.
                            next.train.truncate(1);
                            next.test.truncate(1);
                        }
                        if !settings.contains(&next) {
                            settings.push(next);
                        }
                    }
                }
            }
        }
        return Ok(settings);
    }
    for mix in Mix::ALL {
        if acts
            .as_ref()
            .is_some_and(|acts| !acts.contains(&mix.flag()))
        {
            continue;
        }
        for people in people.as_deref().unwrap_or(&["40"]) {
            for text in delays.as_deref().unwrap_or(&["86400"]) {
                settings.push(setting(people.parse()?, mix, delay(text)?));
            }
        }
    }
    Ok(settings)
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let out = list(&args, "--out").map(|path| path.join(","));
    println!("{HEADER}");
    let mut rows = Vec::new();
    let begin = Instant::now();
    for setting in settings(&args)? {
        let began = Instant::now();
        for figure in measure(&setting)? {
            println!("{}", line(&setting, &figure));
            let mut row = figure.json();
            row["acts"] = setting.mix.name().into();
            row["people"] = setting.people.into();
            row["delaySeconds"] = json!(setting.delay);
            row["days"] = setting.days.into();
            row["clockSeconds"] = setting.clocks.into();
            row["seeds"] = json!([setting.train, setting.test]);
            rows.push(row);
        }
        eprintln!("  {:.0} s", began.elapsed().as_secs_f64());
        if let Some(path) = &out {
            std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
        }
    }
    eprintln!("  {:.0} s in all", begin.elapsed().as_secs_f64());
    Ok(())
}
