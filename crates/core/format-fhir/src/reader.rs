//! The port: bytes to a draft.

use std::borrow::Cow;

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
        let head = bytes.get(..8192).unwrap_or(bytes);
        // The head may end inside of a sign: what is whole of it says enough.
        let text = match head {
            [0xff, 0xfe, rest @ ..] => String::from_utf16_lossy(&units(rest, u16::from_le_bytes)),
            [0xfe, 0xff, rest @ ..] => String::from_utf16_lossy(&units(rest, u16::from_be_bytes)),
            _ => String::from_utf8_lossy(head).into_owned(),
        };
        let text = text.trim_start_matches('\u{feff}').trim_ascii_start();
        text.starts_with('{') && text.contains("\"resourceType\"")
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
        let text = decode(bytes)?;
        // serde_json stops at 128 levels, so that depth is bounded.
        let tree: Value = serde_json::from_str(&text).map_err(|bad| {
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

fn units(bytes: &[u8], join: fn([u8; 2]) -> u16) -> Vec<u16> {
    let pairs = bytes.chunks_exact(2);
    pairs.map(|pair| join([pair[0], pair[1]])).collect()
}

/// UTF-8, with a mark or without, and UTF-16 with one: as editors save it, though JSON between systems is UTF-8 without (RFC 8259,
/// section 8.1, lets a reader pass over the mark).
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, FormatError> {
    let bad = |at: usize| {
        let at = format!("byte {at}");
        error(FormatProblem::Encoding, at, "save the document as UTF-8")
    };
    let wide = |rest: &[u8], join| match rest.len() % 2 {
        0 => String::from_utf16(&units(rest, join)).map_err(|_| bad(2)),
        _ => Err(bad(bytes.len())),
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes).map(Cow::Owned),
        _ => {
            let body = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let skipped = bytes.len() - body.len();
            let text = core::str::from_utf8(body);
            text.map(Cow::Borrowed)
                .map_err(|problem| bad(skipped + problem.valid_up_to()))
        }
    }
}

/// Everything is kept: one line per resource.
fn report(tree: &Value, length: usize) -> LossReport {
    let mut report = LossReport {
        sections: vec![String::new()],
        ..LossReport::default()
    };
    let entries = tree.get("entry").and_then(Value::as_array);
    for (at, entry) in entries.into_iter().flatten().enumerate() {
        let resource = &entry["resource"];
        let text = |key: &str| resource.get(key).and_then(Value::as_str);
        let place = u32::try_from(at).unwrap_or(u32::MAX);
        report.names.push(format!("Bundle.entry[{at}]"));
        report.resources.push(format!(
            "{}/{}",
            text("resourceType").unwrap_or_default(),
            text("id").unwrap_or_default()
        ));
        report.entries.push(LossEntry {
            outcome: EntryOutcome::Converted,
            section: 0,
            name: place,
            within: None,
            span: (0, length as u64),
            resource: text("resourceType").map(|_| place),
            element: "".into(),
            because: None,
        });
    }
    report
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
        assert_eq!(draft.loss.resources, ["Composition/a"]);
        assert!(FhirJson.sniff(input.as_bytes()));
    }

    #[test]
    fn a_bundle_is_read_as_editors_save_it_and_its_bytes_stay() {
        let text = r#"{"resourceType":"Bundle","type":"document","language":"ko","id":"요"}"#;
        let plain = FhirJson.read(text.as_bytes()).unwrap();
        let wide = |order: fn(u16) -> [u8; 2]| {
            let marked = ['\u{feff}']
                .into_iter()
                .chain(text.chars())
                .collect::<String>();
            marked.encode_utf16().flat_map(order).collect::<Vec<u8>>()
        };
        for bytes in [
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            wide(u16::to_le_bytes),
            wide(u16::to_be_bytes),
        ] {
            assert!(FhirJson.sniff(&bytes));
            let draft = FhirJson.read(&bytes).unwrap();
            assert_eq!(
                (draft.fhir, draft.original),
                (plain.fhir.clone(), bytes.clone())
            );
            let cut = &bytes[..bytes.len() - 2];
            assert_eq!(
                FhirJson.read(cut).unwrap_err().problem,
                FormatProblem::Truncated
            );
        }
        let odd = FhirJson.read(&[0xff, 0xfe, 0x7b]).unwrap_err();
        assert_eq!(
            (odd.problem, odd.at.as_str()),
            (FormatProblem::Encoding, "byte 3")
        );
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
