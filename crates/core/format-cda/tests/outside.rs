//! What stands in odd places of a document, or outside of it: sections, several statements of an entry, references, regions of pictures.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::all;
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const OWN: &str = "https://medibloc.org/fhir/StructureDefinition/";

fn document(body: &str) -> Draft {
    let xml = format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2.3.4"/><effectiveTime value="20250101"/>{body}</ClinicalDocument>"#
    );
    Cda.read(xml.as_bytes()).unwrap()
}

fn seen(code: &str, more: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><id root="1.2.7" extension="{code}"/><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="ST">x</value>{more}</observation>"#
    )
}

fn section(code: &str, inner: &str) -> String {
    format!(
        r#"<section><code code="30954-2" codeSystem="2.16.840.1.113883.6.1"/><title>{code}</title><text>{code}</text><entry>{}</entry>{inner}</section>"#,
        seen(code, "")
    )
}

fn titles(section: &Value, out: &mut Vec<Value>) {
    for one in section["section"].as_array().into_iter().flatten() {
        out.push(one["title"].clone());
        titles(one, out);
    }
}

#[test]
fn a_section_is_read_wherever_it_stands() {
    let (one, two) = (section("1", ""), section("2", ""));
    let body =
        |inner: &str| format!("<component><structuredBody>{inner}</structuredBody></component>");
    let in_one = |inner: &str| format!("<component>{inner}</component>");
    for whole in [
        body(&[in_one(&one), in_one(&two)].concat()),
        body(&in_one(&[one.clone(), two.clone()].concat())),
        body(&[one.clone(), two.clone()].concat()),
        body(&in_one(&in_one(&[one.clone(), two.clone()].concat()))),
        body(&in_one(&format!(
            "<structuredBody>{}{}</structuredBody>",
            in_one(&one),
            in_one(&two)
        ))),
        in_one(&[one.clone(), two.clone()].concat()),
        [body(&in_one(&one)), body(&in_one(&two))].concat(),
        format!(
            "<component><structuredBody>{}</structuredBody><structuredBody>{}</structuredBody></component>",
            in_one(&one),
            in_one(&two)
        ),
        body(&in_one(&section("1", &two))),
        body(&in_one(&section("1", &in_one(&two)))),
    ] {
        let draft = document(&whole);
        let mut found = Vec::new();
        titles(&all(&draft, "Composition")[0], &mut found);
        assert_eq!(found, ["1", "2"], "{whole}");
        assert_eq!(all(&draft, "Observation").len(), 2, "{whole}");
    }
}

#[test]
fn each_statement_of_an_entry_or_relation_is_read() {
    let body = |inner: &str| {
        let text = r#"<code code="30954-2" codeSystem="2.16.840.1.113883.6.1"/><text/>"#;
        document(&format!(
            "<component><structuredBody><component><section>{text}{inner}</section></component></structuredBody></component>"
        ))
    };
    let both = [seen("1", ""), seen("2", "")].concat();
    let inside = seen(
        "0",
        &format!(r#"<entryRelationship typeCode="COMP">{both}</entryRelationship>"#),
    );
    for (inner, wanted) in [
        (format!("<entry>{both}</entry>"), 2),
        (both.clone(), 2),
        (format!("<entry>{inside}</entry>"), 3),
    ] {
        let draft = body(&inner);
        assert_eq!(all(&draft, "Observation").len(), wanted, "{inner}");
        let lost = draft.loss.entries.iter().any(|line| line.because.is_some());
        assert!(!lost, "{inner}");
    }
}

fn with(more: &str) -> Draft {
    document(&format!(
        r#"<component><structuredBody><component><section><code code="30954-2" codeSystem="2.16.840.1.113883.6.1"/><text/><entry>{}</entry></section></component></structuredBody></component>"#,
        seen("1", more)
    ))
}

#[test]
fn what_a_statement_refers_to_outside_is_kept() {
    for kind in ["externalAct", "externalObservation", "externalProcedure"] {
        let draft = with(&format!(
            r#"<reference typeCode="XCRPT"><{kind} classCode="ACT"><id root="1.2.8" extension="e"/><code code="56350004" codeSystem="2.16.840.1.113883.6.96" displayName="Chest X-ray"/></{kind}></reference>"#
        ));
        let seen = all(&draft, "Observation").remove(0);
        let found = seen["extension"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["url"] == format!("{OWN}refers-to"));
        let parts = &found.unwrap()["extension"];
        assert_eq!(parts[0], json!({"url": "relation", "valueCode": "XCRPT"}));
        assert_eq!(parts[1], json!({"url": "kind", "valueCode": kind}));
        assert_eq!(parts[2]["valueIdentifier"]["value"], "e");
        assert_eq!(parts[3]["valueCodeableConcept"]["text"], "Chest X-ray");
        let lost = draft.loss.entries.iter().any(|line| line.because.is_some());
        assert!(!lost, "{kind}");
    }
    let draft = with(
        r#"<reference typeCode="SPRT"><externalDocument><id root="1.2.8" extension="d"/><code code="34133-9" codeSystem="2.16.840.1.113883.6.1"/><text mediaType="application/pdf"><reference value="htn.pdf"/></text><setId root="1.2.9"/><versionNumber value="1"/></externalDocument></reference>"#,
    );
    let paper = all(&draft, "DocumentReference").remove(0);
    assert_eq!(paper["status"], "current");
    assert_eq!(paper["masterIdentifier"]["value"], "d");
    assert_eq!(paper["type"]["coding"][0]["code"], "34133-9");
    assert_eq!(
        paper["content"][0]["attachment"],
        json!({"contentType": "application/pdf", "url": "htn.pdf"})
    );
    let seen = all(&draft, "Observation").remove(0);
    let url = format!("urn:uuid:{}", seen["id"].as_str().unwrap());
    assert_eq!(paper["context"]["related"], json!([{"reference": url}]));
}

/// A region of a picture keeps the picture and the region.
#[test]
fn a_region_of_a_picture_keeps_the_picture() {
    let draft = with(
        r#"<entryRelationship typeCode="SPRT"><regionOfInterest classCode="ROIOVL" moodCode="EVN" ID="MM1"><id root="1.2.9"/><code code="ELLIPSE"/><value value="3"/><value value="1"/><entryRelationship typeCode="SUBJ"><observationMedia classCode="OBS" moodCode="EVN"><id root="1.2.10"/><value mediaType="image/gif"><reference value="lefthand.gif"/></value></observationMedia></entryRelationship></regionOfInterest></entryRelationship>"#,
    );
    let picture = all(&draft, "DocumentReference").remove(0);
    assert_eq!(picture["content"][0]["attachment"]["url"], "lefthand.gif");
    let region = &picture["extension"][0];
    assert_eq!(region["url"], format!("{OWN}region"));
    assert_eq!(
        region["extension"],
        json!([{"url": "shape", "valueCode": "ELLIPSE"}, {"url": "points", "valueString": "3 1"}])
    );
    let seen = all(&draft, "Observation").remove(0);
    let url = format!("urn:uuid:{}", picture["id"].as_str().unwrap());
    assert_eq!(seen["derivedFrom"], json!([{"reference": url}]));
}

/// The document of an advance directive is what it stands on, with its kind and number, and no second paper.
#[test]
fn a_directive_is_told_with_its_document_once() {
    let draft = document(
        r#"<component><structuredBody><component><section><code code="42348-3" codeSystem="2.16.840.1.113883.6.1"/><text/><entry><observation classCode="OBS" moodCode="EVN"><code code="304251008" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><reference typeCode="REFR"><externalDocument><id root="1.2.8.1"/><code code="64298-3" codeSystem="2.16.840.1.113883.6.1"/><text mediaType="application/pdf"><reference value="will.pdf"/></text></externalDocument></reference></observation></entry></section></component></structuredBody></component>"#,
    );
    let papers = all(&draft, "DocumentReference");
    assert_eq!(papers.len(), 1);
    let paper = &papers[0];
    assert_eq!(paper["content"][0]["attachment"]["url"], "will.pdf");
    assert_eq!(paper["masterIdentifier"]["value"], "urn:oid:1.2.8.1");
    assert_eq!(paper["type"]["coding"][0]["code"], "64298-3");
    let url = format!("urn:uuid:{}", paper["id"].as_str().unwrap());
    let consent = all(&draft, "Consent").remove(0);
    assert_eq!(consent["sourceReference"], json!({"reference": url}));
    assert!(consent.get("sourceAttachment").is_none());
}
