//! Small documents around what a test is about, and what came out of them.
#![allow(dead_code, reason = "no story asks for all of it")]

use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::Value;

pub(crate) const HEAD: &str = r#"xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc""#;

/// A document with this header and one section.
pub(crate) fn whole(header: &str, section: &str, text: &str, entries: &str) -> String {
    format!(
        r#"<ClinicalDocument {HEAD}><id root="1.2.3.4"/><effectiveTime value="20250101"/>{header}<component><structuredBody><component><section>
        <code code="{section}" codeSystem="2.16.840.1.113883.6.1"/><text>{text}</text>{entries}
        </section></component></structuredBody></component></ClinicalDocument>"#
    )
}

/// What a document with one entry becomes.
pub(crate) fn read(section: &str, text: &str, entry: &str) -> Draft {
    let xml = whole("", section, text, &format!("<entry>{entry}</entry>"));
    Cda.read(xml.as_bytes()).unwrap()
}

/// What a document becomes that has a header alone.
pub(crate) fn with_header(header: &str) -> Draft {
    Cda.read(whole(header, "30954-2", "", "").as_bytes())
        .unwrap()
}

/// All resources of a kind.
pub(crate) fn all(draft: &Draft, kind: &str) -> Vec<Value> {
    let bundle = Value::from(draft.fhir.clone());
    let entries = bundle["entry"].as_array().unwrap();
    let resources = entries.iter().map(|entry| entry["resource"].clone());
    resources
        .filter(|one| one["resourceType"] == kind)
        .collect()
}

/// The one resource of a kind.
pub(crate) fn one(draft: &Draft, kind: &str) -> Value {
    let mut all = all(draft, kind);
    assert_eq!(all.len(), 1, "{kind}");
    all.remove(0)
}

/// Why what stands at a path that ends so is in no resource.
pub(crate) fn why_lost(draft: &Draft, end: &str) -> Vec<String> {
    let lines = draft.loss.entries.iter();
    let lines = lines.filter(|line| draft.loss.path(line).ends_with(end));
    lines
        .filter_map(|line| Some(line.because.as_deref()?.to_owned()))
        .collect()
}
