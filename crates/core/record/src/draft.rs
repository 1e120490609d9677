//! What an importer gives: the untouched original, its FHIR R4 form and an account of every entry.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Category, Sensitivity};

/// What became of one entry of the source document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryOutcome {
    /// It is a coded resource now.
    Converted,
    /// Its text is in the narrative; the codes are only in the original.
    KeptAsNarrative,
    /// It is only in the original; `because` says why.
    Lost,
}

/// One line of the loss report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossEntry {
    /// What became of it.
    pub outcome: EntryOutcome,
    /// Code of its section (LOINC), or empty.
    pub section: String,
    /// Path of the entry in the source, for people (`section[3]/entry[1]`).
    pub path: String,
    /// First and last byte + 1 in the source.
    pub span: (u64, u64),
    /// The resources that it became, as `Type/id`.
    pub resources: Vec<String>,
    /// Why, if it was not converted. Never a value from the document.
    pub because: Option<String>,
}

/// The account of every entry: nothing is lost silently (design 07).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossReport {
    /// One line per entry, in document order.
    pub entries: Vec<LossEntry>,
}

impl LossReport {
    /// How many entries had this outcome.
    pub fn count(&self, outcome: EntryOutcome) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.outcome == outcome)
            .count()
    }

    /// The report as a FHIR R4 `OperationOutcome`.
    pub fn to_operation_outcome(&self) -> Value {
        let issues: Vec<Value> = self
            .entries
            .iter()
            .map(|entry| {
                let (severity, code, text) = match entry.outcome {
                    EntryOutcome::Converted => ("information", "informational", "converted"),
                    EntryOutcome::KeptAsNarrative => {
                        ("information", "incomplete", "kept as narrative")
                    }
                    EntryOutcome::Lost => ("warning", "not-supported", "lost"),
                };
                let mut diagnostics = format!(
                    "bytes {}..{} of section {}",
                    entry.span.0, entry.span.1, entry.section
                );
                if !entry.resources.is_empty() {
                    diagnostics.push_str(" → ");
                    diagnostics.push_str(&entry.resources.join(", "));
                }
                let text = entry.because.as_ref().map_or_else(
                    || text.to_owned(),
                    |because| format!("{text}, because {because}"),
                );
                serde_json::json!({
                    "severity": severity, "code": code, "details": {"text": text},
                    "diagnostics": diagnostics, "expression": [entry.path],
                })
            })
            .collect();
        let issues = if issues.is_empty() {
            vec![serde_json::json!({
                "severity": "information", "code": "informational",
                "details": {"text": "the document has no entries"},
            })]
        } else {
            issues
        };
        serde_json::json!({"resourceType": "OperationOutcome", "issue": issues})
    }
}

/// What an importer produced, before it is normalised.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Draft {
    /// Media type of the original (`application/cda+xml`, `application/fhir+json`, …).
    pub media_type: String,
    /// The original, byte for byte.
    pub original: Vec<u8>,
    /// The FHIR R4 document bundle.
    pub fhir: Value,
    /// What became of every entry.
    pub loss: LossReport,
    /// Title for people, or none if the source has none.
    pub title: Option<String>,
    /// Language of the text (BCP 47), or none.
    pub language: Option<String>,
    /// What it is about.
    pub category: Category,
    /// How carefully it must be shared.
    pub sensitivity: Sensitivity,
    /// When the document was written, as the source says it (FHIR dateTime), or none.
    pub written: Option<String>,
}

impl Draft {
    /// A draft with what every importer has; set the rest by field.
    pub fn new(media_type: &str, original: Vec<u8>, fhir: Value, loss: LossReport) -> Self {
        Self {
            media_type: media_type.to_owned(),
            original,
            fhir,
            loss,
            title: None,
            language: None,
            category: Category::Documents,
            sensitivity: Sensitivity::Normal,
            written: None,
        }
    }
}

impl core::fmt::Debug for Draft {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Draft")
            .field("media_type", &self.media_type)
            .field("original_len", &self.original.len())
            .field("entries", &self.loss.entries.len())
            .finish_non_exhaustive()
    }
}
