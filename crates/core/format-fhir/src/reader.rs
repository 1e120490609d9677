//! The port: bytes to a draft.

use crate::about;
use medibloc_record::{
    Draft, EntryOutcome, Format, FormatError, FormatProblem, LossEntry, LossReport,
};
use serde_json::{Value, error::Category};

const MAX_BYTES: usize = 64 << 20;

/// Reads FHIR R4 JSON: a bundle.
#[derive(Clone, Copy, Debug, Default)]
pub struct FhirJson;

fn error(problem: FormatProblem, at: String, hint: &'static str) -> FormatError {
    FormatError {
        format: "FHIR JSON",
        problem,
        at,
        hint,
    }
}

impl Format for FhirJson {
    fn name(&self) -> &'static str {
        "FHIR JSON"
    }

    fn sniff(&self, bytes: &[u8]) -> bool {
        let head = bytes.get(..4096).unwrap_or(bytes);
        let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
        first == Some(&b'{') && head.windows(14).any(|window| window == b"\"resourceType\"")
    }

    fn read(&self, bytes: &[u8]) -> Result<Draft, FormatError> {
        if bytes.len() > MAX_BYTES {
            let problem =
                FormatProblem::TooLarge(format!("{} bytes, at most {MAX_BYTES}", bytes.len()));
            return Err(error(
                problem,
                format!("byte {MAX_BYTES}"),
                "split the bundle",
            ));
        }
        let text = core::str::from_utf8(bytes).map_err(|bad| {
            let at = format!("byte {}", bad.valid_up_to());
            error(FormatProblem::Encoding, at, "save the document as UTF-8")
        })?;
        // serde_json stops at 128 levels, so that depth is bounded.
        let tree: Value = serde_json::from_str(text).map_err(|bad| {
            let at = format!("line {}, column {}", bad.line(), bad.column());
            match bad.classify() {
                Category::Eof => {
                    error(FormatProblem::Truncated, at, "get the whole document again")
                }
                _ => error(
                    FormatProblem::Malformed("not JSON, or nested deeper than 127".to_owned()),
                    at,
                    "mend the JSON there, or get the document again from its source",
                ),
            }
        })?;
        let Some(kind) = tree.get("resourceType").and_then(Value::as_str) else {
            return Err(error(
                FormatProblem::Foreign,
                "the root".to_owned(),
                "a FHIR resource has a resourceType; try another format",
            ));
        };
        if kind != "Bundle" {
            return Err(error(
                FormatProblem::Foreign,
                "the root's resourceType".to_owned(),
                "of FHIR, a Bundle is read: put the resource into one as its `entry`, or get the whole document from its source",
            ));
        }
        let loss = report(&tree, bytes.len());
        let main = tree.pointer("/entry/0/resource").unwrap_or(&tree);
        let text_of = |key: &str| main.get(key).and_then(Value::as_str).map(str::to_owned);
        let (title, language, written) = (text_of("title"), text_of("language"), text_of("date"));
        let title = title.or_else(|| about::title(&tree));
        let written = written.or_else(|| about::written(&tree));
        let mut draft = Draft::new("application/fhir+json", bytes.to_vec(), tree, loss);
        draft.title = title;
        draft.language = language;
        draft.written = written;
        Ok(draft)
    }
}

/// Everything is kept: one line per resource.
fn report(tree: &Value, length: usize) -> LossReport {
    let whole = (0, length as u64);
    let line = |path: String, resource: &Value| {
        let kind = resource.get("resourceType").and_then(Value::as_str);
        let id = resource
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        LossEntry {
            outcome: EntryOutcome::Converted,
            section: String::new(),
            path,
            span: whole,
            resources: kind
                .map(|kind| format!("{kind}/{id}"))
                .into_iter()
                .collect(),
            because: None,
        }
    };
    let entries = match tree.get("entry").and_then(Value::as_array) {
        Some(all) => all
            .iter()
            .enumerate()
            .map(|(at, entry)| line(format!("Bundle.entry[{at}]"), &entry["resource"]))
            .collect(),
        None => Vec::new(),
    };
    LossReport { entries }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(input: &str) -> FormatProblem {
        let error = FhirJson.read(input.as_bytes()).unwrap_err();
        assert!(!error.at.is_empty() && !error.hint.is_empty());
        error.problem
    }

    #[test]
    fn a_bundle_is_kept_with_its_decimals_and_order() {
        let input = r#"{"resourceType":"Bundle","type":"document","entry":[{"resource":{"title":"T","resourceType":"Composition","id":"a","x":1.500}}]}"#;
        let draft = FhirJson.read(input.as_bytes()).unwrap();
        assert_eq!(draft.fhir.to_string(), input);
        assert_eq!(draft.title.as_deref(), Some("T"));
        assert_eq!(draft.loss.entries[0].resources, ["Composition/a"]);
        assert!(FhirJson.sniff(input.as_bytes()));
    }

    #[test]
    fn other_inputs_are_refused_with_the_reason() {
        assert_eq!(problem(r#"{"a":1}"#), FormatProblem::Foreign);
        assert_eq!(problem("[]"), FormatProblem::Foreign);
        for kind in ["Patient", "Foo", ""] {
            let input = format!(r#"{{"resourceType":"{kind}"}}"#);
            assert_eq!(problem(&input), FormatProblem::Foreign);
        }
        assert_eq!(problem(r#"{"resourceType":"#), FormatProblem::Truncated);
        assert!(matches!(problem("<a/>"), FormatProblem::Malformed(_)));
        assert!(matches!(
            problem(&"[".repeat(1_000_000)),
            FormatProblem::Malformed(_)
        ));
        assert!(FhirJson.read(b"{\"\xC3\x28\":1}").is_err());
    }
}
