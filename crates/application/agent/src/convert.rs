//! `medibloc convert` and `medibloc inspect`: no account, no network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use medibloc_format_cda::Cda;
use medibloc_format_fhir::FhirJson;
use medibloc_record::{Draft, EntryOutcome, Format, FormatError};
use serde_json::json;

use crate::answer::code;
use crate::command::is_standard_output;
use crate::{Answer, Problem};

/// The formats that are known; the first one that finds its mark in the bytes reads them.
const FORMATS: [&dyn Format; 2] = [&FhirJson, &Cda];

/// Largest document.
const LIMIT: u64 = 256 << 20;

/// Converts one document.
#[derive(Debug, Args)]
pub struct Convert {
    /// The document.
    input: PathBuf,
    /// Into what.
    #[arg(long, value_enum)]
    to: Target,
    /// Also writes what became of every fact (FHIR OperationOutcome).
    #[arg(long)]
    report: Option<PathBuf>,
}

/// Into what a document can be converted.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    /// A FHIR R4 document bundle.
    Fhir,
}

impl Convert {
    /// The bundle.
    ///
    /// # Errors
    /// If the document cannot be read, or the report not be written.
    pub fn run(&self) -> Result<Answer, Problem> {
        let Target::Fhir = self.to;
        if self.report.as_deref().is_some_and(is_standard_output) {
            return Err(Problem::new(
                code::USAGE,
                "standard output takes the converted document; give the report a file",
            ));
        }
        let draft = read(&self.input)?;
        if let Some(report) = &self.report {
            let text = pretty(&draft.loss.to_whole_outcome());
            std::fs::write(report, text).map_err(|error| {
                Problem::new(
                    code::FAILED,
                    format!(
                        "cannot write the report to {}: {error}; choose another file",
                        report.display()
                    ),
                )
            })?;
        }
        let text = pretty(&draft.fhir);
        Ok(Answer::new(draft.fhir, text))
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
    /// The document.
    input: PathBuf,
}

impl Inspect {
    /// What the file is and what a conversion would keep.
    ///
    /// # Errors
    /// If the document cannot be read.
    pub fn run(&self) -> Result<Answer, Problem> {
        let draft = read(&self.input)?;
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
        let value = json!({
            "mediaType": draft.media_type, "bytes": draft.original.len(), "language": draft.language,
            "title": draft.title, "written": draft.written,
            "facts": {"converted": converted, "keptAsNarrative": kept, "lost": lost},
            "sections": by_section,
        });
        let mut text = format!(
            "{} · {} bytes\nfacts: {converted} converted, {kept} kept as narrative, {lost} lost",
            draft.media_type,
            draft.original.len()
        );
        for (code, row) in &sections {
            let [converted, kept, lost] = row.counts;
            let name = if code.is_empty() {
                "header".to_owned()
            } else {
                format!("section {code}")
            };
            text.push_str(&format!(
                "\n  {name}: {converted} converted, {kept} kept as narrative, {lost} lost"
            ));
            for (why, many) in &row.reasons {
                text.push_str(&format!("\n    {many}: {why}"));
            }
        }
        Ok(Answer::new(value, text))
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}")
}

/// The draft of a file in any known format.
pub(crate) fn read(path: &Path) -> Result<Draft, Problem> {
    let unreadable = |why: String| {
        Problem::new(
            code::INPUT,
            format!("cannot read {}: {why}", path.display()),
        )
    };
    let there =
        std::fs::metadata(path).map_err(|error| unreadable(format!("{error}; check the path")))?;
    if !there.is_file() {
        return Err(unreadable("it is no file; give one document".into()));
    }
    let length = there.len();
    if length > LIMIT {
        return Err(unreadable(format!(
            "{length} bytes, at most {LIMIT} are read; split it"
        )));
    }
    let bytes =
        std::fs::read(path).map_err(|error| unreadable(format!("{error}; check the path")))?;
    if let Some(other) = other_kind(&bytes) {
        return Err(unreadable(format!(
            "it is {other}; C-CDA (XML) and FHIR R4 (JSON) are read: get the document in one of them from its source"
        )));
    }
    if is_wide(&bytes) {
        return Err(unreadable(
            "it is UTF-16 without the mark that says so; save it as UTF-8".into(),
        ));
    }
    // Whatever is broken of it, JSON is no XML: its own reader says what.
    let format: &dyn Format = match first_of(&bytes) {
        Some(b'{' | b'[') => &FhirJson,
        _ => FORMATS
            .into_iter()
            .find(|format| format.sniff(&bytes))
            .unwrap_or(&Cda),
    };
    format.read(&bytes).map_err(|error: FormatError| {
        Problem::new(code::INPUT, format!("{}: {error}", path.display()))
    })
}

/// The first byte of a text that is no blank, no byte order mark and no half of a wide sign.
fn first_of(bytes: &[u8]) -> Option<u8> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let is_sign = |byte: &&u8| **byte != 0 && !byte.is_ascii_whitespace();
        return bytes[2..].iter().find(is_sign).copied();
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    text.trim_ascii_start().first().copied()
}

/// Whether it begins as XML or JSON does in UTF-16, two bytes a sign, and has no mark: each second byte is zero.
fn is_wide(bytes: &[u8]) -> bool {
    let begins = |even: usize| {
        let sign = bytes.get(even).copied();
        let zero = bytes.get(1 - even).copied();
        matches!(sign, Some(b'<' | b'{' | b'[' | b' ' | b'\r' | b'\n')) && zero == Some(0)
    };
    begins(0) || begins(1)
}

/// What else a file is, by its mark: advice for a broken document would mislead whoever gave another kind of file.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    let begins = |mark: &[u8]| bytes.starts_with(mark);
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = text.trim_ascii_start();
    if first.is_empty() {
        Some("empty")
    } else if bytes.get(128..132) == Some(b"DICM") {
        Some("a DICOM image")
    } else if first.starts_with(b"MSH|") || first.starts_with(b"\x0bMSH|") {
        Some("an HL7 v2 message")
    } else if begins(b"%PDF") {
        Some("a PDF")
    } else if begins(b"PK\x03\x04") {
        Some("a ZIP archive (or an office document)")
    } else if begins(b"\xff\xd8\xff") || begins(b"\x89PNG") || begins(b"GIF8") {
        Some("a picture")
    } else {
        None
    }
}
