//! Measurements, in a release tree of their own: one table of figures and ratios with their targets.
//!
//! Every measuring program is an example of the crate that it measures. It prints one row a line, three fields between tabs:
//! name, figure, target (`≥ 0.8`, `≤ 64`, or nothing), and `SKIPPED name: reason` for what it lacks.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::ledger::Ledger;
use crate::peers;
use crate::run::Run;

/// Package, example, arguments, and arguments of the short run.
type Bench = (&'static str, &'static str, &'static str, &'static str);

/// The benchmarks, in the order of the table.
const BENCHES: [Bench; 6] = [
    ("medibloc-seal", "throughput", "512", "32"),
    ("medibloc-store-ipfs", "pipeline", "1024", "64"),
    ("medibloc-store-ipfs", "store_throughput", "500", "50"),
    ("medibloc-format-cda", "cda_speed", "", ""),
    ("medibloc-ledger-evm", "anchors", "500", "50"),
    ("medibloc-client", "read_latency", "200", "20"),
];

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    name: String,
    figure: f64,
    target: String,
}

impl Row {
    /// The row in a line, if it is one.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (name, figure, target) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self {
            name: name.to_owned(),
            figure: figure.parse().ok()?,
            target: target.to_owned(),
        })
    }

    /// Whether it reaches its target; none if it has none.
    fn is_met(&self) -> Result<Option<bool>> {
        let mut words = self.target.split(' ');
        let (Some(sign), Some(number)) = (words.next(), words.next()) else {
            return Ok(None);
        };
        let number: f64 = number
            .parse()
            .with_context(|| format!("row `{}` has the target `{}`", self.name, self.target))?;
        Ok(Some(match sign {
            "≥" => self.figure >= number,
            "≤" => self.figure <= number,
            _ => bail!("row `{}` has the target `{}`", self.name, self.target),
        }))
    }
}

struct Table(Vec<(Row, &'static str)>);

impl Table {
    fn of(rows: Vec<Row>) -> Result<Self> {
        let judged = rows.into_iter().map(|row| {
            let verdict = match row.is_met()? {
                None => "",
                Some(true) => "met",
                Some(false) => "NOT met",
            };
            Ok((row, verdict))
        });
        judged.collect::<Result<_>>().map(Self)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| What | Figure | Target | |\n|---|--:|--:|---|")?;
        for (row, verdict) in &self.0 {
            let Row {
                name,
                figure,
                target,
            } = row;
            writeln!(f, "| {name} | {figure} | {target} | {verdict} |")?;
        }
        Ok(())
    }
}

/// Runs all measurements, or the named ones; `--short` takes little data, to see that they run.
pub fn bench(mut run: Run, arguments: &[String]) -> Result<()> {
    let short = arguments.iter().any(|argument| argument == "--short");
    let names: Vec<_> = arguments.iter().filter(|name| *name != "--short").collect();
    if let Some(unknown) = names.iter().find(|name| {
        !BENCHES
            .iter()
            .any(|(_, example, ..)| name.as_str() == *example)
    }) {
        let known = BENCHES.map(|(_, example, ..)| example).join(", ");
        bail!("there is no measurement `{unknown}`; there are {known}");
    }
    let chosen: Vec<_> = BENCHES
        .iter()
        .filter(|(_, example, ..)| {
            names.is_empty() || names.iter().any(|name| name.as_str() == *example)
        })
        .collect();
    let mut ledger = Ledger::default();
    peers::crypt4gh(&mut run, &mut ledger)?;
    peers::optional(&mut run, &mut ledger)?;
    let mut build = vec!["build", "--release"];
    for (package, example, ..) in &chosen {
        build.extend(["-p", package, "--example", example]);
    }
    run.cargo(build)?;
    let examples = run.target()?.join("release/examples");
    let mut rows = Vec::new();
    for (_, example, long, few) in chosen {
        println!("── {example}");
        let words = if short { few } else { long };
        let words = words.split(' ').filter(|word| !word.is_empty());
        let done = run.lines(examples.join(example), words, ".", |line| {
            println!("{}", line.replace('\t', "  "));
            ledger.line(line);
            rows.extend(Row::parse(line));
        })?;
        if !done {
            bail!("measurement {example} failed; its last lines above say why");
        }
    }
    let table = Table::of(rows)?;
    let machine = machine();
    println!("\n{machine}\n\n{table}\n{ledger}");
    write(&run.target()?.join("bench.json"), &machine, &table)
}

fn write(path: &Path, machine: &str, table: &Table) -> Result<()> {
    let rows: Vec<_> = table
        .0
        .iter()
        .map(|(row, verdict)| {
            json!({"name": row.name, "figure": row.figure, "target": row.target, "verdict": verdict})
        })
        .collect();
    let text = serde_json::to_string_pretty(&json!({"machine": machine, "rows": rows}))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Processor, cores and compiler.
fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rustc = std::process::Command::new("rustc")
        .arg("--version")
        .output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!("{model}, {cores} cores, {}", rustc.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_judged_by_their_targets() {
        let lines =
            "a ratio\t0.81\t≥ 0.8\nmemory, MiB\t70\t≤ 64\na figure\t3\t\nnot a row\nSKIPPED x: y";
        let rows: Vec<Row> = lines.lines().filter_map(Row::parse).collect();
        assert_eq!(rows.len(), 3);
        let text = Table::of(rows).unwrap().to_string();
        assert!(text.contains("| a ratio | 0.81 | ≥ 0.8 | met |"), "{text}");
        assert!(
            text.contains("| memory, MiB | 70 | ≤ 64 | NOT met |"),
            "{text}"
        );
        assert!(text.contains("| a figure | 3 |  |  |"), "{text}");
    }

    #[test]
    fn a_target_that_says_nothing_is_an_error() {
        for target in ["> 3", "≥ many", "about 3"] {
            let row = Row::parse(&format!("x\t1\t{target}")).unwrap();
            assert!(row.is_met().is_err(), "{target}");
        }
    }
}
