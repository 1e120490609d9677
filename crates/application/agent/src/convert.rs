//! `medibloc convert` and `medibloc inspect`: no account, no network, no runtime.

mod about;
mod inside;
mod many;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use medibloc_format_fhir::to_xml;
use medibloc_record::{Draft, EntryOutcome, on_one_line};
use serde_json::json;

use crate::answer::code;
use crate::command::is_standard_output;
use crate::new_file::{must_be_new, write_new};
use crate::{Answer, Problem};

pub(crate) use about::About;
pub(crate) use source::read;

/// Converts documents: one to standard output, or many into a folder.
#[derive(Debug, Args)]
pub struct Convert {
    /// Documents, folders of them, or `-` for standard input.
    #[arg(required = true)]
    input: Vec<PathBuf>,
    /// Into what.
    #[arg(long, value_enum)]
    to: Target,
    /// The folder for what comes out, a file for each document: `NAME.fhir.json` or `NAME.fhir.xml`. Its subfolders are those of a
    /// folder that was given. None of these files may exist.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Also writes what became of every fact (FHIR OperationOutcome): into this file, or with `--out` into this folder. It
    /// must not exist.
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Into what a document can be converted.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    /// A FHIR R4 bundle as JSON.
    Fhir,
    /// A FHIR R4 bundle as XML.
    FhirXml,
}

impl Target {
    /// The bundle as text.
    fn text(self, draft: &Draft) -> Result<String, Problem> {
        match self {
            Self::Fhir => Ok(pretty(&draft.fhir)),
            Self::FhirXml => to_xml(&(&draft.fhir).into())
                .map(|xml| xml.trim_end().to_owned())
                .map_err(|error| Problem::new(code::INPUT, error.to_string())),
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Fhir => "fhir.json",
            Self::FhirXml => "fhir.xml",
        }
    }
}

impl Convert {
    /// Whether the answer is a list of files and no document.
    pub fn writes_files(&self) -> bool {
        self.out.is_some()
    }

    /// The bundle, or what became of each document.
    ///
    /// # Errors
    /// If the one document cannot be read, or a report or the folder not be written. Of many, one that cannot be read is told in the
    /// answer, with exit code 3.
    pub fn run(&self) -> Result<Answer, Problem> {
        let usage = |told: &str| Err(Problem::new(code::USAGE, told));
        if self.report.as_deref().is_some_and(is_standard_output) {
            return usage("standard output takes the converted document; give the report a file");
        }
        if let Some(out) = &self.out {
            return many::run(&self.input, self.to, out, self.report.as_deref());
        }
        let input = match self.input.as_slice() {
            [one] if !one.is_dir() => one,
            _ => {
                return usage(
                    "standard output takes one document; give a folder for many: --out DIR",
                );
            }
        };
        self.report.as_deref().map_or(Ok(()), must_be_new)?;
        let draft = source::read_or_input(input)?;
        let text = self.to.text(&draft)?;
        if let Some(report) = &self.report {
            write_new(report, pretty(&draft.loss.to_whole_outcome()).as_bytes())?;
        }
        let value = match self.to {
            Target::Fhir => draft.fhir.into(),
            Target::FhirXml => json!({"fhirXml": text}),
        };
        Ok(Answer::new(value, text))
    }
}

/// What became of the facts of one section, and why so many are in no resource.
#[derive(Default)]
struct Row<'r> {
    counts: [usize; 3],
    reasons: BTreeMap<&'r str, usize>,
}

/// Looks at one document.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The document, or `-` for standard input.
    input: PathBuf,
}

impl Inspect {
    /// What the file is and what a conversion would keep.
    ///
    /// # Errors
    /// If the document cannot be read.
    pub fn run(&self) -> Result<Answer, Problem> {
        let draft = source::read_or_input(&self.input)?;
        let count = |outcome| draft.loss.count(outcome);
        let (converted, kept, lost) = (
            count(EntryOutcome::Converted),
            count(EntryOutcome::KeptAsNarrative),
            count(EntryOutcome::Lost),
        );
        let sums = draft.loss.sums();
        let mut sections: BTreeMap<&str, Row<'_>> = BTreeMap::new();
        for (sum, many) in &sums {
            let row = sections.entry(sum.section).or_default();
            let column = match sum.outcome {
                EntryOutcome::Converted => 0,
                EntryOutcome::KeptAsNarrative => 1,
                EntryOutcome::Lost => 2,
            };
            row.counts[column] += many;
            if !sum.because.is_empty() {
                *row.reasons.entry(sum.because).or_default() += many;
            }
        }
        let by_section: BTreeMap<_, _> = sections
            .iter()
            .map(|(code, row)| {
                let [converted, kept, lost] = row.counts;
                let reasons = &row.reasons;
                let row = json!({"converted": converted, "keptAsNarrative": kept, "lost": lost, "because": reasons});
                (*code, row)
            })
            .collect();
        let mut value = json!({
            "mediaType": draft.media_type, "bytes": draft.original.len(), "language": draft.language,
            "title": draft.title, "written": draft.written,
            "facts": {"converted": converted, "keptAsNarrative": kept, "lost": lost},
            "sections": by_section,
        });
        let about = About::of(&draft);
        about.note(&mut value);
        let mut text = format!(
            "{} · {} bytes\n{}\nfacts: {converted} converted, {kept} kept as narrative, {lost} lost",
            on_one_line(&draft.media_type),
            draft.original.len(),
            about.told()
        );
        for (code, row) in &sections {
            let [converted, kept, lost] = row.counts;
            // A document's own words, as all that is told here but the counts.
            let name = match on_one_line(code) {
                code if code.is_empty() => "header".to_owned(),
                code => format!("section {code}"),
            };
            text.push_str(&format!(
                "\n  {name}: {converted} converted, {kept} kept as narrative, {lost} lost"
            ));
            for (why, many) in &row.reasons {
                text.push_str(&format!("\n    {many}: {}", on_one_line(why)));
            }
        }
        Ok(Answer::new(value, text))
    }
}

fn pretty(value: &impl core::fmt::Display) -> String {
    format!("{value:#}")
}
