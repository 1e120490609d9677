//! Figures that are watched, not judged.

use super::model::Model;

/// Length of the source files and the share of documentation in them.
pub(super) fn figures(model: &Model) -> String {
    let mut lengths: Vec<usize> = model
        .sources
        .values()
        .map(|text| text.lines().count())
        .collect();
    lengths.sort_unstable();
    let at = |share: usize| {
        lengths
            .get(lengths.len().saturating_sub(1) * share / 100)
            .unwrap_or(&0)
    };
    let long: Vec<String> = model
        .sources
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, length)| *length > 500)
        .map(|(path, length)| format!("\n  {path}: {length} lines"))
        .collect();
    let lines = || {
        model
            .sources
            .values()
            .flat_map(|text| text.lines())
            .map(str::trim)
    };
    let filled = lines().filter(|line| !line.is_empty()).count();
    let docs = lines()
        .filter(|line| line.starts_with("///") || line.starts_with("//!"))
        .count();
    format!(
        "{} crates, {} files: median {} lines, p90 {}, over 500: {}{}\ndoc comments: {} % of {} lines",
        model.crates.len(),
        lengths.len(),
        at(50),
        at(90),
        long.len(),
        long.concat(),
        (docs * 100).checked_div(filled).unwrap_or(0),
        filled,
    )
}
