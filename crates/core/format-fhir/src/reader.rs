//! The port: bytes to a draft.

use std::borrow::Cow;

use crate::definition::{Definitions, Release};
use crate::note::Note;
use crate::report::report;
use crate::{about, budget::over, labels, r5, release, twice::twice};
use medibloc_record::{Category as About, Draft, Format, FormatError, FormatProblem};
use serde_json::{Value, error::Category, json};

const MAX_BYTES: usize = 64 << 20;

/// Reads FHIR JSON, of R4 or R5: a bundle, a single resource, or resources a line each.
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
        let text = head(bytes);
        let text = text.trim_start_matches('\u{feff}').trim_ascii_start();
        // Its type may stand behind anything: what begins as an object is read as one if nothing else is found in it.
        text.starts_with('{') && (text.contains("\"resourceType\"") || bytes.len() > HEAD)
    }

    fn read(&self, bytes: &[u8]) -> Result<Draft, FormatError> {
        let source = Source {
            format: "FHIR JSON",
            media_type: "application/fhir+json",
        };
        source.must_be_small(bytes)?;
        let text = decode(bytes, source.format)?;
        within_memory(&text)?;
        Ok(source.draft(bytes, bundle(&text)?, Vec::new()))
    }
}

/// What a document came as.
pub(crate) struct Source {
    pub(crate) format: &'static str,
    pub(crate) media_type: &'static str,
}

impl Source {
    pub(crate) fn must_be_small(&self, bytes: &[u8]) -> Result<(), FormatError> {
        if bytes.len() <= MAX_BYTES {
            return Ok(());
        }
        let what = format!("{} bytes, at most {MAX_BYTES}", bytes.len());
        Err(FormatError {
            format: self.format,
            problem: FormatProblem::TooLarge(what),
            at: format!("byte {MAX_BYTES}"),
            hint: "split the bundle",
        })
    }

    /// The draft of a bundle: in R4, with what is told of it.
    pub(crate) fn draft(&self, bytes: &[u8], mut tree: Value, mut notes: Vec<Note>) -> Draft {
        let is_r5 = release::release_of(&tree) == Release::R5;
        if is_r5 {
            notes.extend(r5::to_r4(&mut tree));
        }
        let is_of_r5 = |of: &str, name: &str| {
            let r5 = is_r5.then(|| Definitions::of(Release::R5));
            r5.is_some_and(|r5| r5.element(of, name).is_some())
        };
        for strange in release::misfits(Definitions::of(Release::R4), &tree) {
            let because = match is_of_r5(strange.of, strange.name) {
                true => "FHIR R4 has no such element, or not in this form; it stays as R5 wrote it",
                false if is_r5 => "neither FHIR R5 nor R4 has such an element; it stays as it is",
                _ => "FHIR R4 has no such element, or not in this form; it stays as it is",
            };
            notes.push(Note::lost(strange.entry, strange.of, strange.name, because));
        }
        let loss = report(&tree, bytes.len(), &notes);
        let main = tree.pointer("/entry/0/resource").unwrap_or(&tree);
        let text_of = |key: &str| main.get(key).and_then(Value::as_str).map(str::to_owned);
        let (title, language) = (about::title(&tree), text_of("language"));
        let written = about::written(&tree);
        let (labels, category) = (labels::of(&tree), About::of_bundle(&tree));
        let mut draft = Draft::new(self.media_type, bytes.to_vec(), tree, loss);
        draft.sensitivity = labels.sensitivity();
        draft.labelled = labels.why().map(str::to_owned);
        draft.category = category;
        draft.title = title;
        draft.language = language;
        draft.written = written;
        draft
    }
}

/// Bytes that a guess looks at.
const HEAD: usize = 8192;

/// The begin of a text. It may end inside of a sign: what is whole of it says enough.
pub(crate) fn head(bytes: &[u8]) -> String {
    match bytes.get(..HEAD).unwrap_or(bytes) {
        [0xff, 0xfe, rest @ ..] => String::from_utf16_lossy(&units(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => String::from_utf16_lossy(&units(rest, u16::from_be_bytes)),
        head => String::from_utf8_lossy(head).into_owned(),
    }
}

/// Whether R4 or R5 has a resource of this type.
pub(crate) fn is_kind(kind: &str) -> bool {
    let has = |release| Definitions::of(release).is_resource(kind);
    has(Release::R4) || has(Release::R5)
}

/// Refuses a text that takes far more memory as a tree than its bytes.
fn within_memory(text: &str) -> Result<(), FormatError> {
    match over(text) {
        None => Ok(()),
        Some((takes, most)) => Err(error(
            FormatProblem::TooLarge(format!(
                "{takes} bytes of memory for {} bytes, at most {most}",
                text.len()
            )),
            "the whole document".to_owned(),
            "it is almost all empty lists and objects, which no document is: get it again from its source",
        )),
    }
}

fn units(bytes: &[u8], join: fn([u8; 2]) -> u16) -> Vec<u16> {
    let pairs = bytes.chunks_exact(2);
    pairs.map(|pair| join([pair[0], pair[1]])).collect()
}

/// UTF-8, with a mark or without, and UTF-16 with one: as editors save it, though JSON between systems is UTF-8 without (RFC 8259,
/// section 8.1, lets a reader pass over the mark).
pub(crate) fn decode<'b>(
    bytes: &'b [u8],
    format: &'static str,
) -> Result<Cow<'b, str>, FormatError> {
    let bad = |at: usize| FormatError {
        format,
        problem: FormatProblem::Encoding,
        at: format!("byte {at}"),
        hint: "save the document as UTF-8",
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

/// The bundle of a text: itself, or one around the resources that it is.
fn bundle(text: &str) -> Result<Value, FormatError> {
    let whole = match parse(text, 0) {
        Ok(tree) => tree,
        // Another value follows: a resource a line.
        Err(bad)
            if lines(text).count() > 1 && lines(text).all(|(_, line)| line.starts_with('{')) =>
        {
            let all = lines(text).map(|(number, line)| resource(parse(line, number)?, number));
            let all: Result<Vec<Value>, FormatError> = all.collect();
            // What is one value over many lines is told by its own fault.
            return all.map(around).map_err(|of_line| {
                if text.trim_end().ends_with('}') {
                    of_line
                } else {
                    bad
                }
            });
        }
        Err(bad) => return Err(bad),
    };
    let whole = resource(whole, 0)?;
    Ok(if whole["resourceType"] == "Bundle" {
        whole
    } else {
        around(vec![whole])
    })
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let all = text.lines().enumerate().map(|(at, line)| (at, line.trim()));
    all.filter(|(_, line)| !line.is_empty())
}

/// One value, of which no object has two members of one name.
fn parse(text: &str, lines_before: usize) -> Result<Value, FormatError> {
    // serde_json stops at 128 levels, so that depth is bounded.
    let tree = serde_json::from_str(text).map_err(|bad| {
        let at = format!(
            "line {}, column {}",
            bad.line() + lines_before,
            bad.column()
        );
        match bad.classify() {
            Category::Eof => error(FormatProblem::Truncated, at, "get the whole document again"),
            _ => error(
                FormatProblem::Malformed("not JSON, or nested deeper than 127".to_owned()),
                at,
                "mend the JSON there, or get the document again from its source",
            ),
        }
    })?;
    if let Some(byte) = twice(text) {
        let before = text.get(..byte).unwrap_or_default();
        let line = before.matches('\n').count() + 1 + lines_before;
        return Err(error(
            FormatProblem::Malformed("an object has two members of one name".to_owned()),
            format!("line {line}, byte {byte}"),
            "programs disagree about which of them counts: get the document again from its source",
        ));
    }
    Ok(tree)
}

/// A resource of a type that FHIR has.
fn resource(tree: Value, lines_before: usize) -> Result<Value, FormatError> {
    let at = format!("the resourceType of the value in line {}", lines_before + 1);
    match tree.get("resourceType").and_then(Value::as_str) {
        Some(kind) if is_kind(kind) => Ok(tree),
        Some(_) => Err(error(
            FormatProblem::Foreign,
            at,
            "neither FHIR R4 nor R5 has a resource of this type",
        )),
        None => Err(error(
            FormatProblem::Foreign,
            at,
            "a FHIR resource has a resourceType; try another format",
        )),
    }
}

/// A bundle around resources that came without one.
pub(crate) fn around(resources: Vec<Value>) -> Value {
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|one| json!({"resource": one}))
        .collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries})
}

#[cfg(test)]
mod tests {
    use medibloc_record::EntryOutcome;

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
    fn single_resources_and_lines_of_them_become_a_bundle() {
        let patient = r#"{"id":"p","resourceType":"Patient","birthDate":"1980"}"#;
        let seen = r#"{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.50}}"#;
        let draft = FhirJson.read(patient.as_bytes()).unwrap();
        assert_eq!(draft.fhir["type"], "collection");
        assert_eq!(draft.fhir["entry"][0]["resource"].to_string(), patient);
        assert_eq!(draft.original, patient.as_bytes());
        let text = format!("{patient}\n\n{seen}\r\n");
        let draft = FhirJson.read(text.as_bytes()).unwrap();
        assert_eq!(draft.fhir["entry"][1]["resource"].to_string(), seen);
        assert_eq!(draft.loss.resources, ["Patient/p", "Observation/o"]);
        // One bad line is told by its number, and nothing is half read.
        let bad = FhirJson
            .read(format!("{patient}\n{{\"a\":1}}\n").as_bytes())
            .unwrap_err();
        assert_eq!(bad.problem, FormatProblem::Foreign);
        assert!(bad.at.contains("line 2"), "{}", bad.at);
        let bad = FhirJson
            .read(format!("{patient}\n{{\"a\":}}\n").as_bytes())
            .unwrap_err();
        assert!(bad.at.starts_with("line 2,"), "{}", bad.at);
    }

    #[test]
    fn members_of_one_name_are_refused() {
        let bad = FhirJson
            .read(b"{\"resourceType\":\"Patient\",\n\"gender\":\"male\",\"gender\":\"female\"}")
            .unwrap_err();
        assert!(matches!(bad.problem, FormatProblem::Malformed(_)));
        assert!(bad.at.starts_with("line 2"), "{}", bad.at);
    }

    #[test]
    fn entries_that_no_program_will_read_are_told() {
        let input = r#"{"resourceType":"Bundle","entry":[{},{"resource":{"resourceType":"Foo"}},{"resource":{"id":"1"}},{"request":{"method":"GET"}},{"resource":{"resourceType":"Patient"}}]}"#;
        let draft = FhirJson.read(input.as_bytes()).unwrap();
        let told: Vec<_> = draft
            .loss
            .entries
            .iter()
            .map(|line| (line.outcome, line.because.as_deref()))
            .collect();
        assert_eq!(
            told[0],
            (EntryOutcome::Lost, Some("the entry holds no resource"))
        );
        assert_eq!(
            told[1],
            (
                EntryOutcome::Lost,
                Some("FHIR R4 has no resource of this type")
            )
        );
        assert_eq!(
            told[2],
            (
                EntryOutcome::Lost,
                Some("the entry's resource does not say its type")
            )
        );
        assert_eq!(told[3], (EntryOutcome::Converted, None));
        assert_eq!(told[4], (EntryOutcome::Converted, None));
        assert_eq!(draft.fhir.to_string(), input);
    }

    #[test]
    fn other_inputs_are_refused_with_the_reason() {
        assert_eq!(problem(r#"{"a":1}"#), FormatProblem::Foreign);
        assert_eq!(problem("[]"), FormatProblem::Foreign);
        for kind in ["Foo", ""] {
            let input = format!(r#"{{"resourceType":"{kind}"}}"#);
            assert_eq!(problem(&input), FormatProblem::Foreign);
        }
        assert_eq!(problem(r#"{"resourceType":"#), FormatProblem::Truncated);
        assert!(matches!(problem("<a/>"), FormatProblem::Malformed(_)));
        assert!(matches!(
            problem(&"[".repeat(10_000)),
            FormatProblem::Malformed(_)
        ));
        assert!(matches!(
            problem(&"[".repeat(1_000_000)),
            FormatProblem::TooLarge(_)
        ));
        assert!(FhirJson.read(b"{\"\xC3\x28\":1}").is_err());
    }
}
