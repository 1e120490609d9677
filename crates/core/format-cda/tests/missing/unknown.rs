//! Statements that say of nothing what it is.

use super::document::{all, read, why_lost};

const RESULTS: &str = "30954-2";
const UNKNOWN: &str = r#"<id nullFlavor="UNK"/><code nullFlavor="UNK"/><statusCode code="completed"/><effectiveTime><low nullFlavor="UNK"/></effectiveTime>"#;

fn observation(template: &str, parts: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.{template}"/>{parts}</observation>"#
    )
}

fn act(parts: &str) -> String {
    format!(r#"<act classCode="ACT" moodCode="EVN">{parts}</act>"#)
}

fn battery(parts: &str) -> String {
    format!(
        r#"<organizer classCode="BATTERY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.1"/>{UNKNOWN}<component>{}</component></organizer>"#,
        observation("2", parts)
    )
}

/// Each kind of statement, with more in it or not.
#[test]
fn nothing_comes_of_what_nobody_knows() {
    const TIME: &str = r#"<effectiveTime value="20240102"/>"#;
    let unknown = r##"<code code="UNK" codeSystem="2.16.840.1.113883.6.1"/><text><reference value="#none"/></text><statusCode code="completed"/><value xsi:type="PQ" nullFlavor="UNK" unit="UNK"/>"##;
    let known = unknown.replace("nullFlavor=\"UNK\" unit", "value=\"7\" unit");
    let in_words = unknown.replace("#none", "#row");
    let timed = [UNKNOWN, TIME].concat();
    let named = r#"<code nullFlavor="OTH"><originalText>will</originalText></code>"#;
    for (section, kind, entry, is_made) in [
        ("42348-3", "Consent", observation("48", UNKNOWN), false),
        ("42348-3", "Consent", observation("48", named), true),
        ("42348-3", "Consent", observation("48", &timed), true),
        ("48768-6", "Coverage", act(UNKNOWN), false),
        (RESULTS, "DiagnosticReport", battery(unknown), false),
        (RESULTS, "DiagnosticReport", battery(&known), true),
        (RESULTS, "DiagnosticReport", battery(&in_words), true),
        (RESULTS, "Observation", observation("2", unknown), false),
        (RESULTS, "Observation", observation("2", &known), true),
    ] {
        let draft = read(section, r#"<paragraph ID="row">words</paragraph>"#, &entry);
        assert_eq!(all(&draft, kind).len(), usize::from(is_made), "{entry}");
        let why = "the source says only that it has no information";
        let is_told = why_lost(&draft, "").iter().any(|told| told == why);
        assert_eq!(is_told, !is_made, "{entry}");
        if !is_made {
            assert!(all(&draft, "Observation").is_empty(), "{entry}");
        }
    }
}

fn procedure(attributes: &str, parts: &str) -> String {
    format!(
        r#"<procedure classCode="PROC" {attributes}><templateId root="2.16.840.1.113883.10.20.22.4.14"/><id root="1.2.9" extension="0"/>{parts}<statusCode code="active"/></procedure>"#
    )
}

/// A deed, an order or a medicine without a name, a code and words of its own is none, whenever it was and whoever did it.
#[test]
fn what_nobody_names_was_not_done() {
    const NAMELESS: &str = r#"<code nullFlavor="UNK"/>"#;
    const TEXT: &str = r##"<text><reference value="#row"/></text>"##;
    const WHEN: &str = r#"<effectiveTime value="20240102"/>"#;
    const WHO: &str = r#"<performer><assignedEntity><id root="1.2.8" extension="d"/></assignedEntity></performer>"#;
    const SITE: &str = r#"<targetSiteCode code="40983000" codeSystem="2.16.840.1.113883.6.96"/>"#;
    let words = |id: &str| {
        format!(
            r##"<code nullFlavor="UNK"><originalText><reference value="#{id}"/></originalText></code>"##
        )
    };
    let timed = [NAMELESS, WHEN, WHO].concat();
    let sited = [NAMELESS, SITE].concat();
    let texted = [NAMELESS, TEXT].concat();
    let medicine = |id: &str| {
        format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="INT">{}<statusCode code="completed"/><consumable><manufacturedProduct><manufacturedMaterial>{}<name/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#,
            TEXT.replace("row", id),
            words(id)
        )
    };
    let event = |parts: &str| procedure(r#"moodCode="EVN""#, parts);
    let order = |parts: &str| procedure(r#"moodCode="RQO""#, parts);
    let denied = |parts: &str| procedure(r#"moodCode="EVN" negationInd="true""#, parts);
    for (kind, entry, is_made) in [
        ("Procedure", event(NAMELESS), false),
        ("Procedure", event(&timed), false),
        ("Procedure", event(&words("none")), false),
        ("Procedure", event(&words("nothing")), false),
        ("Procedure", event(&words("row")), true),
        ("Procedure", event(&texted), true),
        ("Procedure", event(&sited), true),
        // That nothing was done is said without a name.
        ("Procedure", denied(NAMELESS), true),
        ("ServiceRequest", order(&timed), false),
        ("ServiceRequest", order(&words("row")), true),
        ("MedicationRequest", medicine("nothing"), false),
        ("MedicationRequest", medicine("row"), true),
    ] {
        let text = r#"<paragraph ID="row">words</paragraph><paragraph ID="nothing">Procedures not documented</paragraph>"#;
        let draft = read("47519-4", text, &entry);
        assert_eq!(all(&draft, kind).len(), usize::from(is_made), "{entry}");
        let wholly = ["procedure", "substanceAdministration"];
        let lost = wholly.iter().any(|end| !why_lost(&draft, end).is_empty());
        assert_eq!(lost, !is_made, "{entry}");
    }
}
