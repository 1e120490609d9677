//! The rules of the architecture, checked on `cargo metadata` and the sources.
//!
//! A rule is a function from the [`Model`] of a workspace to the lines that break it, so that a
//! small workspace that breaks one rule is its test (`fixtures/`).

mod fields;
mod figures;
mod layers;
mod model;
mod names;

use anyhow::{Result, bail};
pub use model::Model;
use std::fmt;
use std::path::Path;

/// What `tidy` found.
#[derive(Debug)]
pub struct Report {
    /// One line for each place that breaks a rule, beginning with the rule's name.
    pub broken: Vec<String>,
    figures: String,
}

/// Checks the workspace at this root.
pub fn check(root: &Path) -> Result<Report> {
    let model = Model::read(root)?;
    let mut broken = layers::check(&model);
    broken.extend(fields::check(root)?);
    broken.extend(names::check(&model));
    Ok(Report {
        broken,
        figures: figures::figures(&model),
    })
}

impl Report {
    /// An error if a rule is broken.
    pub fn into_result(self) -> Result<()> {
        if !self.broken.is_empty() {
            bail!(
                "{} of the architecture's rules broken, listed above",
                self.broken.len()
            );
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.broken {
            writeln!(f, "{line}")?;
        }
        writeln!(f, "{}", self.figures)
    }
}
