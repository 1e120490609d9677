//! What became of the facts of documents named as arguments: by section, and the most frequent elements that are in no resource.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "an example talks"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use medibloc_format_cda::Cda;
use medibloc_record::{EntryOutcome, Format as _};

fn main() {
    let mut sections: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let mut missed: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    let (mut read, mut bytes_in, mut bytes_out) = (0_usize, 0, 0);
    let bare = std::env::var_os("BARE").is_some();
    let begin = Instant::now();
    for path in std::env::args().skip(1) {
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        if !Cda.sniff(&bytes) {
            continue;
        }
        let draft = match Cda.read(&bytes) {
            Ok(draft) => draft,
            Err(error) => {
                eprintln!("{path}: {error}");
                continue;
            }
        };
        read += 1;
        bytes_in += bytes.len();
        if bare {
            continue;
        }
        if std::env::var_os("SIZES").is_some() {
            let out = draft.fhir.to_string().len();
            bytes_out += out;
            if out > 8 * bytes.len() {
                eprintln!("{path}: {out} of {}", bytes.len());
            }
        }
        for line in &draft.loss.entries {
            let section = draft.loss.section(line).to_owned();
            let carried = line.outcome == EntryOutcome::Converted;
            sections.entry(section.clone()).or_default()[usize::from(!carried)] += 1;
            if !carried {
                if let Some(show) = std::env::var("SHOW").ok()
                    && format!("{section} {}", draft.loss.path(line)) == show
                {
                    let words = String::from_utf8_lossy(
                        &bytes[line.span.0 as usize..(line.span.1 as usize).min(bytes.len())],
                    )
                    .into_owned();
                    println!(
                        "SHOW {path} {}: {}",
                        line.span.0,
                        words
                            .split_whitespace()
                            .collect::<Vec<_>>()
                            .join(" ")
                            .chars()
                            .take(300)
                            .collect::<String>()
                    );
                }
                let why = line.because.clone().unwrap_or_default().into_owned();
                *missed
                    .entry((section, draft.loss.path(line), why))
                    .or_default() += 1;
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{read} documents, {bytes_in} bytes in, {bytes_out} out, {seconds:.2} s");
    let mut all = [0; 2];
    for (section, [carried, not]) in &sections {
        all[0] += carried;
        all[1] += not;
        println!(
            "{section:10} {carried:6} {not:6} {:5.1} %",
            100.0 * *carried as f64 / (carried + not) as f64
        );
    }
    println!(
        "all {} {} {:.2} %",
        all[0],
        all[1],
        100.0 * all[0] as f64 / (all[0] + all[1]) as f64
    );
    let mut missed: Vec<_> = missed.into_iter().collect();
    missed.sort_by_key(|(_, many)| core::cmp::Reverse(*many));
    for ((section, path, why), many) in missed.into_iter().take(
        std::env::var("TOP")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(60),
    ) {
        println!("{many:5} {section:9} {path}  [{why}]");
    }
}
