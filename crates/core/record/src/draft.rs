//! What an importer gives: the untouched original, its FHIR R4 form and an account of every entry.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Category, Sensitivity, json};

/// What became of one fact of the source document.
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

/// One line of the loss report: one node of the source that can carry a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossEntry {
    /// What became of it.
    pub outcome: EntryOutcome,
    /// Its section: place in [`LossReport::sections`].
    pub section: u32,
    /// Its element, or `@` and its attribute: place in [`LossReport::names`].
    pub name: u32,
    /// The line of the statement that it stands in.
    pub within: Option<u32>,
    /// First and last byte + 1 in the source.
    pub span: (u64, u64),
    /// The resource that has it: place in [`LossReport::resources`].
    pub resource: Option<u32>,
    /// The element of that resource, or empty.
    pub element: Cow<'static, str>,
    /// Why, if it was not converted. Never a value from the document.
    pub because: Option<Cow<'static, str>>,
}

/// The account of every fact: nothing is lost silently (design 07).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossReport {
    /// Codes of sections (LOINC); what is in none has the empty one.
    pub sections: Vec<String>,
    /// Names of elements.
    pub names: Vec<String>,
    /// The resources that were made, as `Type/id`.
    pub resources: Vec<String>,
    /// One line per fact, in document order.
    pub entries: Vec<LossEntry>,
}

/// Lines of the source with the same outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum<'r> {
    /// Code of the section.
    pub section: &'r str,
    /// What became of them.
    pub outcome: EntryOutcome,
    /// Why, or empty.
    pub because: &'r str,
}

impl LossReport {
    /// How many facts had this outcome.
    pub fn count(&self, outcome: EntryOutcome) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.outcome == outcome)
            .count()
    }

    /// The place of a name, which is added if it is new.
    pub fn name(&mut self, name: &str) -> u32 {
        let at = self.names.iter().position(|one| one == name);
        let at = at.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Code of a line's section, or empty.
    pub fn section(&self, entry: &LossEntry) -> &str {
        self.sections
            .get(entry.section as usize)
            .map_or("", String::as_str)
    }

    /// The resource that has a line, as `Type/id`.
    pub fn resource(&self, entry: &LossEntry) -> Option<&str> {
        let at = entry.resource? as usize;
        self.resources.get(at).map(String::as_str)
    }

    /// Where a line stands, for people: `act/observation/value`.
    pub fn path(&self, entry: &LossEntry) -> String {
        let name = |at: u32| self.names.get(at as usize).map_or("", String::as_str);
        let mut parts = vec![name(entry.name)];
        let mut above = entry.within;
        while let Some(line) = above.and_then(|at| self.entries.get(at as usize)) {
            parts.push(name(line.name));
            above = line.within;
        }
        parts.reverse();
        parts.join("/")
    }

    /// How many facts of each section had which outcome, and why.
    pub fn sums(&self) -> BTreeMap<Sum<'_>, usize> {
        let mut sums = BTreeMap::new();
        for entry in &self.entries {
            let sum = Sum {
                section: self.section(entry),
                outcome: entry.outcome,
                because: entry.because.as_deref().unwrap_or_default(),
            };
            *sums.entry(sum).or_default() += 1;
        }
        sums
    }

    /// The report as a FHIR R4 `OperationOutcome`: each fact that is in no resource, and how many of each section are.
    pub fn to_operation_outcome(&self) -> Value {
        let carried = self
            .sums()
            .into_iter()
            .filter(|(sum, _)| sum.outcome == EntryOutcome::Converted);
        let carried = carried.map(|(sum, many)| {
            let of = if sum.section.is_empty() {
                "of the header".to_owned()
            } else {
                format!("of section {}", sum.section)
            };
            serde_json::json!({
                "severity": "information", "code": "informational",
                "details": {"text": format!("{many} facts {of} are in coded elements")},
            })
        });
        let others = self
            .entries
            .iter()
            .filter(|entry| entry.outcome != EntryOutcome::Converted);
        let issues: Vec<Value> = carried
            .chain(others.map(|entry| self.issue(entry)))
            .collect();
        outcome(issues)
    }

    /// The whole account, with a line for every fact.
    pub fn to_whole_outcome(&self) -> Value {
        outcome(self.entries.iter().map(|entry| self.issue(entry)).collect())
    }

    fn issue(&self, entry: &LossEntry) -> Value {
        let (severity, code, text) = match entry.outcome {
            EntryOutcome::Converted => ("information", "informational", "converted"),
            EntryOutcome::KeptAsNarrative => ("information", "incomplete", "kept as narrative"),
            EntryOutcome::Lost => ("warning", "not-supported", "lost"),
        };
        let (from, to) = entry.span;
        let mut diagnostics = format!("bytes {from}..{to} of section {}", self.section(entry));
        if let Some(resource) = self.resource(entry) {
            diagnostics.push_str(" → ");
            diagnostics.push_str(resource);
            if !entry.element.is_empty() {
                diagnostics.push('.');
                diagnostics.push_str(&entry.element);
            }
        }
        let text = entry.because.as_ref().map_or_else(
            || text.to_owned(),
            |because| format!("{text}, because {because}"),
        );
        serde_json::json!({
            "severity": severity, "code": code, "details": {"text": text},
            "diagnostics": diagnostics, "expression": [self.path(entry)],
        })
    }
}

fn outcome(issues: Vec<Value>) -> Value {
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

/// What an importer produced, before it is normalised.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Draft {
    /// Media type of the original (`application/cda+xml`, `application/fhir+json`, …).
    pub media_type: String,
    /// The original, byte for byte.
    pub original: Vec<u8>,
    /// The FHIR R4 document bundle.
    pub fhir: json::Value,
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
    /// Why it is more sensitive than the usual, in words without anything of its content; none if it is not.
    pub labelled: Option<String>,
    /// When the document was written, as the source says it (FHIR dateTime), or none.
    pub written: Option<String>,
}

impl Draft {
    /// A draft with what every importer has; set the rest by field.
    pub fn new(
        media_type: &str,
        original: Vec<u8>,
        fhir: impl Into<json::Value>,
        loss: LossReport,
    ) -> Self {
        Self {
            media_type: media_type.to_owned(),
            original,
            fhir: fhir.into(),
            loss,
            title: None,
            language: None,
            category: Category::Documents,
            sensitivity: Sensitivity::Normal,
            labelled: None,
            written: None,
        }
    }

    /// Makes it at least as sensitive as this, and says so in a label of its FHIR form, which would not tell it otherwise.
    /// Gives whether that was more than it was.
    pub fn raise(&mut self, to: Sensitivity, why: &str) -> bool {
        let code = match to {
            _ if to <= self.sensitivity => return false,
            Sensitivity::Normal => return false,
            Sensitivity::Restricted => "R",
            Sensitivity::VeryRestricted => "V",
        };
        let mut labels = match self.fhir["meta"]["security"].as_array() {
            Some(labels) => labels.clone(),
            None => Vec::new(),
        };
        labels.push(
            serde_json::json!({"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": code}).into(),
        );
        self.fhir["meta"]["security"] = json::Value::Array(labels);
        self.sensitivity = to;
        self.labelled = Some(why.to_owned());
        true
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
