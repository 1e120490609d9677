//! Languages: that of the document, and that of a part of it where it is another.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::all;
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

fn read(document: &str, section: &str, statement: &str, words: &str) -> Draft {
    let code = |of: &str| {
        if of.is_empty() {
            String::new()
        } else {
            format!(r#"<languageCode code="{of}"/>"#)
        }
    };
    let xml = format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2.3.4"/><effectiveTime value="20250101"/>{}<component><structuredBody><component><section><code code="30954-2"/><text>mots</text>{}
        <entry><observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"><originalText{words}>mots</originalText></code>{}<value xsi:type="ST">x</value>
        <entryRelationship typeCode="COMP"><observation classCode="OBS" moodCode="EVN"><code code="2"/><value xsi:type="ST">x</value></observation></entryRelationship></observation></entry></section></component></structuredBody></component></ClinicalDocument>"#,
        code(document),
        code(section),
        code(statement)
    );
    Cda.read(xml.as_bytes()).unwrap()
}

/// A language code is inherited (CDA R2, section 4.4): each resource whose language is not that of the document says which it is.
#[test]
fn a_part_in_another_language_says_so() {
    const NONE: Value = Value::Null;
    for (document, section, statement, wanted, lang) in [
        ("en-US", "", "", NONE, None),
        ("en-US", "en-US", "", NONE, None),
        ("en-US", "fr-FR", "", json!("fr-FR"), Some("fr-FR")),
        ("en-US", "", "de-CH", json!("de-CH"), None),
        ("en-US", "fr-FR", "en-US", NONE, Some("fr-FR")),
        ("en-US", "fr-FR", "de", json!("de"), Some("fr-FR")),
        ("", "fr", "", json!("fr"), Some("fr")),
        // What is no tag is no language.
        ("en-US", "français", "", NONE, None),
    ] {
        let draft = read(document, section, statement, "");
        let seen = all(&draft, "Observation");
        assert_eq!(seen.len(), 2);
        for one in seen {
            assert_eq!(one["language"], wanted, "{document} {section} {statement}");
        }
        let composition = all(&draft, "Composition").remove(0);
        let div = composition["section"][0]["text"]["div"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(lang.is_some(), div.contains(" lang="), "{section}");
        if let Some(lang) = lang {
            assert!(
                div.contains(&format!(r#" lang="{lang}" xml:lang="{lang}""#)),
                "{div}"
            );
        }
        let mut lost = draft
            .loss
            .entries
            .iter()
            .filter(|line| line.because.is_some());
        assert!(
            lost.all(
                |line| !draft.loss.path(line).ends_with("languageCode") || section == "français"
            )
        );
    }
}

/// Words of another language than the resource's say so (FHIR R4, extension `language`).
#[test]
fn words_of_another_language_say_so() {
    let told = |document: &str, section: &str, words: &str| {
        let draft = read(document, section, "", words);
        all(&draft, "Observation")
            .into_iter()
            .find_map(|one| one["code"].get("_text").cloned())
            .unwrap_or_default()
    };
    let french = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/language", "valueCode": "fr-FR"}]});
    let mark = r#" language="fr-FR""#;
    assert_eq!(told("en-US", "", mark), french);
    assert_eq!(told("en-US", "fr-FR", mark), Value::Null);
    assert_eq!(told("fr-FR", "", mark), Value::Null);
    assert_eq!(told("fr-FR", "en-US", mark), french);
    assert_eq!(told("en-US", "", ""), Value::Null);
}
