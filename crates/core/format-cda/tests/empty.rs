//! What says nothing: orders without content, and words in the place of codes.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read, why_lost};

/// An instruction that has no words becomes nothing, and the report says so.
#[test]
fn an_instruction_without_words_is_no_order() {
    const SORT: &str = r#"codeSystem="1.3.6.1.4.1.19376.1.5.3.2""#;
    for (code, text, many) in [
        ("PINSTRUCT", r##"<reference value="#empty"/>"##, 0),
        ("FINSTRUCT", r##"<reference value="#nowhere"/>"##, 0),
        ("PINSTRUCT", "", 0),
        ("PINSTRUCT", r##"<reference value="#full"/>"##, 1),
        ("PINSTRUCT", "Rest", 1),
    ] {
        let act = format!(
            r#"<act classCode="ACT" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.1.49"/><templateId root="1.3.6.1.4.1.19376.1.5.3.1.4.3"/><code code="{code}" {SORT}/><text>{text}</text><statusCode code="completed"/></act>"#
        );
        let drug = format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><statusCode code="active"/><consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable><entryRelationship typeCode="SUBJ" inversionInd="true">{act}</entryRelationship></substanceAdministration>"#
        );
        let cells = r#"<table><tbody><tr><td ID="empty"> </td><td ID="full">Rest</td></tr></tbody></table>"#;
        for (entry, end) in [(drug, "/act"), (act, "act")] {
            let draft = read("10160-0", cells, &entry);
            let found = all(&draft, "ServiceRequest");
            let said = found
                .iter()
                .chain(&all(&draft, "MedicationStatement"))
                .any(|one| one.to_string().contains("Rest"));
            assert_eq!(said, many == 1, "{code} {text} {end}");
            assert!(found.len() <= many, "{code} {text} {end}");
            let is_told = !why_lost(&draft, end).is_empty();
            assert_eq!(is_told, many == 0, "{code} {text} {end}");
        }
    }
}

/// A word that says that there is no code is no code of a system whose codes have a form, and its name is text if it says something.
#[test]
fn a_word_for_no_code_is_no_code() {
    for (system, code, name, said, coded, text) in [
        (
            "6.96",
            "UNKNOWN",
            "Urinalysis",
            "",
            None,
            Some("Urinalysis"),
        ),
        ("6.88", "Unknown", "Unknown", "", None, None),
        (
            "6.88",
            "Unknown",
            "unknown",
            "Aspirin",
            None,
            Some("Aspirin"),
        ),
        ("4.9", "None", "Latex", "", None, Some("Latex")),
        ("6.1", "NI", "Ketone", "", None, Some("Ketone")),
        ("6.1", "n/a", "Ketone", "", None, Some("Ketone")),
        (
            "6.96",
            "261665006",
            "Unknown",
            "",
            Some("261665006"),
            Some("Unknown"),
        ),
        (
            "5.4",
            "UNKNOWN",
            "Unknown",
            "",
            Some("UNKNOWN"),
            Some("Unknown"),
        ),
    ] {
        let original = match said {
            "" => String::new(),
            said => format!("<originalText>{said}</originalText>"),
        };
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CD" code="{code}" codeSystem="2.16.840.1.113883.{system}" displayName="{name}">{original}</value></observation>"#
        );
        let seen = one(&read("30954-2", "", &entry), "Observation");
        let value = &seen["valueCodeableConcept"];
        assert_eq!(value["coding"][0]["code"].as_str(), coded, "{code} {name}");
        assert_eq!(value["text"].as_str(), text, "{code} {name}");
        let is_absent = coded.is_none() && text.is_none();
        assert_eq!(seen.get("dataAbsentReason").is_some(), is_absent, "{name}");
    }
}

/// A report and a result whose only words are a range of "No data" were final.
#[test]
fn a_range_alone_is_no_result() {
    const VALUE: &str = r#"<value xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CD" nullFlavor="NI"/>"#;
    let group = |code: &str| {
        format!(
            r#"<organizer classCode="BATTERY" moodCode="EVN" nullFlavor="NI"><templateId root="2.16.840.1.113883.10.20.22.4.1"/><id nullFlavor="NI"/><code nullFlavor="NI"/><statusCode code="completed"/><component><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.2"/><id root="107c2dc0-67a5-11db-bd13-0800200c9a66"/><code {code}/><statusCode code="completed"/><effectiveTime nullFlavor="NI"/>{VALUE}<interpretationCode nullFlavor="NI"/><referenceRange><observationRange><text>No data</text></observationRange></referenceRange></observation></component></organizer>"#
        )
    };
    let cells = "<table><tbody><tr><td>No data</td></tr></tbody></table>";
    for (code, many) in [
        (r#"nullFlavor="NI""#, 0),
        (r#"code="2345-7" codeSystem="2.16.840.1.113883.6.1""#, 1),
    ] {
        let draft = read("30954-2", cells, &group(code));
        assert_eq!(all(&draft, "Observation").len(), many, "{code}");
        assert!(all(&draft, "DiagnosticReport").len() <= many, "{code}");
    }
}
