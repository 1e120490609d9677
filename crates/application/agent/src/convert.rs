//! `medibloc convert` and `medibloc inspect`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, EntryOutcome, Format};

/// Converts one document.
#[derive(Args)]
pub(crate) struct Convert {
    /// The document.
    input: PathBuf,
    /// Into what.
    #[arg(long, value_enum)]
    to: Target,
    /// Also writes what became of every entry (FHIR OperationOutcome).
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Into what a document can be converted.
#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// A FHIR R4 document bundle.
    Fhir,
}

impl Convert {
    pub(crate) fn run(&self) -> Result<()> {
        let Target::Fhir = self.to;
        let draft = read(&self.input)?;
        if let Some(report) = &self.report {
            let text = serde_json::to_string_pretty(&draft.loss.to_operation_outcome())?;
            std::fs::write(report, text).with_context(|| {
                format!(
                    "cannot write the report to {}; choose another file",
                    report.display()
                )
            })?;
        }
        let bundle = serde_json::to_string_pretty(&draft.fhir)?;
        writeln!(std::io::stdout(), "{bundle}").context("cannot write to standard output")
    }
}

/// Looks at one document.
#[derive(Args)]
pub(crate) struct Inspect {
    /// The document.
    input: PathBuf,
}

impl Inspect {
    pub(crate) fn run(&self, json: bool) -> Result<()> {
        let draft = read(&self.input)?;
        let count = |outcome| draft.loss.count(outcome);
        let (converted, kept, lost) = (
            count(EntryOutcome::Converted),
            count(EntryOutcome::KeptAsNarrative),
            count(EntryOutcome::Lost),
        );
        let mut out = std::io::stdout();
        if json {
            let value = serde_json::json!({
                "mediaType": draft.media_type, "bytes": draft.original.len(), "language": draft.language,
                "entries": {"converted": converted, "keptAsNarrative": kept, "lost": lost},
            });
            writeln!(out, "{value}")?;
        } else {
            writeln!(out, "{} · {} bytes", draft.media_type, draft.original.len())?;
            writeln!(
                out,
                "entries: {converted} converted, {kept} kept as narrative, {lost} lost"
            )?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Draft> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("cannot read {}; check the path", path.display()))?;
    Ok(Cda.read(&bytes)?)
}
