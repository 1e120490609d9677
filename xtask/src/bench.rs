//! Measurements, in a release tree of their own.

use crate::run::Run;
use anyhow::{Result, bail};

/// The benchmarks: package and bench target. Each prints its rows of the table.
const BENCHES: &[(&str, &str)] = &[];

/// Runs all benchmarks, or the named ones.
pub fn bench(run: &Run, names: &[String]) -> Result<()> {
    let chosen: Vec<_> = BENCHES
        .iter()
        .filter(|(_, target)| names.is_empty() || names.iter().any(|name| name == target))
        .collect();
    if chosen.is_empty() {
        let known: Vec<_> = BENCHES.iter().map(|(_, target)| *target).collect();
        bail!(
            "nothing to measure; the benchmarks are: [{}]",
            known.join(", ")
        );
    }
    for (package, target) in chosen {
        run.cargo(["bench", "-p", package, "--bench", target])?;
    }
    Ok(())
}
