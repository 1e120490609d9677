//! A document is as sensitive as the most sensitive label in it, and its form says so.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::whole;
use medibloc_format_cda::Cda;
use medibloc_record::{Format as _, Sensitivity};
use serde_json::Value;

const ACT: &str = r#"codeSystem="2.16.840.1.113883.5.4""#;
const V3: &str = r#"codeSystem="2.16.840.1.113883.5.25""#;

fn label(inner: &str) -> String {
    format!("<confidentialityCode {inner}")
}

#[test]
fn header_sections_and_entries_say_it() {
    use Sensitivity::{Normal, Restricted, VeryRestricted};
    let normal = label(&format!(r#"code="N" {V3}/>"#));
    let restricted = label(&format!(r#"code="R" {V3}/>"#));
    let very = label(&format!(r#"code="V" {V3}/>"#));
    let entry = |inner: &str| {
        format!(
            r#"<entry><observation classCode="OBS" moodCode="EVN">{inner}</observation></entry>"#
        )
    };
    let category = r#"<code code="SECCATOBS"/><value xsi:type="CE" code="HIV" codeSystem="2.16.840.1.113883.5.4"/>"#;
    let class = format!(r#"<code code="SECCLASSOBS"/><value xsi:type="CE" code="V" {V3}/>"#);
    let translated = |own: &str, code: &str| {
        label(&format!(
            r#"{own}><translation code="{code}" {V3}/></confidentialityCode>"#
        ))
    };
    let in_words = |flavor: &str| {
        label(&format!(
            r#"nullFlavor="{flavor}"><originalText>very restricted</originalText></confidentialityCode>"#
        ))
    };
    let local = r#"code="7" codeSystem="1.2.3""#;
    for (header, entries, most, of_form) in [
        (String::new(), String::new(), Normal, None),
        (normal.clone(), String::new(), Normal, None),
        // Its place in the form is the composition.
        (restricted.clone(), String::new(), Restricted, None),
        (very.clone(), restricted.clone(), VeryRestricted, None),
        (normal.clone(), restricted.clone(), Restricted, Some("R")),
        (restricted, very.clone(), VeryRestricted, Some("V")),
        (normal.clone(), entry(&very), VeryRestricted, Some("V")),
        (normal.clone(), entry(category), Restricted, Some("R")),
        (normal, entry(&class), VeryRestricted, Some("V")),
        (
            label(&format!(r#"code="r" {V3}/>"#)),
            String::new(),
            Restricted,
            Some("R"),
        ),
        (label(r#"code="V"/>"#), String::new(), VeryRestricted, None),
        (
            translated(r#"nullFlavor="OTH""#, "V"),
            String::new(),
            VeryRestricted,
            Some("V"),
        ),
        (translated(local, "R"), String::new(), Restricted, Some("R")),
        (translated(local, "N"), String::new(), Normal, None),
        (
            label(&format!("{local}/>")),
            String::new(),
            Restricted,
            Some("R"),
        ),
        (
            label(&format!(r#"code="SECRET" {V3}/>"#)),
            String::new(),
            Restricted,
            Some("R"),
        ),
        (
            label(r#"nullFlavor="MSK"/>"#),
            String::new(),
            Restricted,
            Some("R"),
        ),
        (
            label(r#"nullFlavor="OTH"/>"#),
            String::new(),
            Restricted,
            Some("R"),
        ),
        (
            label(r#"displayName="Restricted"/>"#),
            String::new(),
            Restricted,
            Some("R"),
        ),
        // In words, whatever the reason that there is no code.
        (in_words("UNC"), String::new(), Restricted, Some("R")),
        (in_words("NA"), String::new(), Restricted, Some("R")),
        (
            label(r#"nullFlavor="UNK" displayName="very restricted"/>"#),
            String::new(),
            Restricted,
            Some("R"),
        ),
        (
            label(&format!(
                r#"code="N" {V3}><translation nullFlavor="MSK"/></confidentialityCode>"#
            )),
            String::new(),
            Restricted,
            Some("R"),
        ),
        (
            String::new(),
            entry(
                r#"<code code="SECCLASSOBS"/><value xsi:type="CD" code="V" codeSystemName="Confidentiality"/>"#,
            ),
            VeryRestricted,
            Some("V"),
        ),
        (
            String::new(),
            entry(
                r#"<code code="SECCLASSOBS"/><value xsi:type="CD" nullFlavor="UNC"><originalText>V</originalText></value>"#,
            ),
            Restricted,
            Some("R"),
        ),
        (
            String::new(),
            entry(&format!(
                r#"<code code="SECCONOBS"/><value xsi:type="CE" code="NODSCLCDS" {ACT}/>"#
            )),
            Restricted,
            Some("R"),
        ),
        (
            String::new(),
            entry(&format!(r#"<code code="42CFRPart2" {ACT}/>"#)),
            Restricted,
            Some("R"),
        ),
        // What for says nothing of it, nor do the other codes of the system.
        (
            String::new(),
            entry(
                r#"<code code="SECCONOBS"/><value xsi:type="CE" code="TREAT" codeSystem="2.16.840.1.113883.5.8"/>"#,
            ),
            Normal,
            None,
        ),
        (
            String::new(),
            entry(&format!(r#"<code code="ASSERTION" {ACT}/>"#)),
            Normal,
            None,
        ),
        // Nobody says anything.
        (
            label(
                r#"nullFlavor="UNK"><originalText> </originalText><translation nullFlavor="UNK"/></confidentialityCode>"#,
            ),
            String::new(),
            Normal,
            None,
        ),
        (label(r#"nullFlavor="UNK"/>"#), String::new(), Normal, None),
        (label("/>"), String::new(), Normal, None),
    ] {
        let xml = whole(&header, "30954-2", "", &entries);
        let draft = Cda.read(xml.as_bytes()).unwrap();
        assert_eq!(draft.sensitivity, most, "{xml}");
        assert_eq!(draft.labelled.is_some(), most != Normal, "{xml}");
        let form = Value::from(draft.fhir.clone());
        let told = form
            .pointer("/meta/security/0/code")
            .and_then(Value::as_str);
        assert_eq!(told, of_form, "{xml}");
    }
}
