//! What ended at a time that nobody knows is not active.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{one, read};
use serde_json::Value;

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;
const UNKNOWN: &str =
    r#"<effectiveTime><low value="2010"/><high nullFlavor="UNK"/></effectiveTime>"#;
const OPEN: &str = r#"<effectiveTime><low value="2010"/></effectiveTime>"#;
const SILENT: &str = r#"<effectiveTime><low value="2010"/><high nullFlavor="NI"/></effectiveTime>"#;

/// A concern of C-CDA about an allergy or a problem, each with its time, and what is stated of the status.
fn concern(kind: &str, state: &str, around: &str, own: &str, stated: bool) -> String {
    let (act, observation, code) = match kind {
        "AllergyIntolerance" => ("30", "7", "419199007"),
        _ => ("3", "4", "38341003"),
    };
    let status = match kind {
        "AllergyIntolerance" => "28",
        _ => "6",
    };
    let said = format!(
        r#"<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.{status}"/><code code="33999-4" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CE" code="55561003" {SCT}/></observation></entryRelationship>"#
    );
    let said = if stated { said } else { String::new() };
    let state = match state {
        "" => String::new(),
        state => format!(r#"<statusCode code="{state}"/>"#),
    };
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.{act}"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/>{state}{around}<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.{observation}"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/>{own}<value xsi:type="CD" code="{code}" {SCT}/>{said}</observation></entryRelationship></act>"#
    )
}

#[test]
fn an_end_that_nobody_knows_is_one() {
    for (kind, section) in [("AllergyIntolerance", "48765-2"), ("Condition", "11450-4")] {
        // That somebody looked again and found none, an end of an allergy does not say.
        let over = match kind {
            "AllergyIntolerance" => "inactive",
            _ => "resolved",
        };
        for (state, around, own, stated, wanted) in [
            ("active", OPEN, OPEN, false, "active"),
            ("active", SILENT, SILENT, false, "active"),
            ("active", OPEN, UNKNOWN, false, over),
            ("completed", OPEN, UNKNOWN, false, over),
            ("active", UNKNOWN, OPEN, false, "inactive"),
            ("", UNKNOWN, OPEN, false, "inactive"),
            ("completed", UNKNOWN, OPEN, false, "inactive"),
            // What is stated of the status beats the dates.
            ("active", UNKNOWN, UNKNOWN, true, "active"),
        ] {
            let entry = concern(kind, state, around, own, stated);
            let made = one(&read(section, "", &entry), kind);
            let status = &made["clinicalStatus"]["coding"][0]["code"];
            assert_eq!(*status, wanted, "{entry}");
        }
    }
}

/// A status that is told in words is one, by a reference, too; where none is told that can be read, the concern says that it is over.
#[test]
fn a_status_in_words_is_one() {
    const ENDED: &str = r#"<effectiveTime><low value="2010"/><high value="2012"/></effectiveTime>"#;
    let coded = format!(r#"<value xsi:type="CE" code="55561003" {SCT}/>"#);
    for (value, own, allergy, problem) in [
        (
            r##"<value xsi:type="ED"><reference value="#in"/></value>"##,
            ENDED,
            "inactive",
            "inactive",
        ),
        (
            r##"<value xsi:type="ED"><reference value="#in"/></value>"##,
            OPEN,
            "inactive",
            "inactive",
        ),
        (
            r#"<value xsi:type="ST">Resolved</value>"#,
            OPEN,
            "resolved",
            "resolved",
        ),
        (
            r#"<value xsi:type="ST">Active</value>"#,
            OPEN,
            "active",
            "active",
        ),
        // No word that is known exactly.
        (
            r##"<value xsi:type="ED"><reference value="#not"/></value>"##,
            OPEN,
            "inactive",
            "inactive",
        ),
        (
            r#"<value xsi:type="ED" nullFlavor="ASKU"/>"#,
            ENDED,
            "inactive",
            "resolved",
        ),
        (
            r#"<value xsi:type="ED" nullFlavor="ASKU"/>"#,
            OPEN,
            "inactive",
            "inactive",
        ),
    ] {
        for (kind, section, wanted) in [
            ("AllergyIntolerance", "48765-2", allergy),
            ("Condition", "11450-4", problem),
        ] {
            let entry = concern(kind, "completed", OPEN, own, true).replace(&coded, value);
            assert!(entry.contains(value));
            let text = r#"<content ID="in">Inactive</content><content ID="not">Not active, as far as we know</content>"#;
            let made = one(&read(section, text, &entry), kind);
            let status = &made["clinicalStatus"]["coding"][0]["code"];
            assert_eq!(*status, wanted, "{entry}");
        }
    }
}

/// That none is known holds as of when it was said: the end of the concern is none of that.
#[test]
fn that_none_is_known_does_not_end_with_the_concern() {
    let said = |code: &str| format!(r#"<value xsi:type="CD" code="{code}" {SCT}/>"#);
    let denied = |entry: String| {
        let plain = r#"SUBJ"><observation classCode="OBS" moodCode="EVN""#;
        let denied = format!(r#"{plain} negationInd="true""#);
        assert!(entry.contains(plain));
        entry.replacen(plain, &denied, 1)
    };
    for (state, own, stated) in [
        ("completed", OPEN, false),
        ("completed", UNKNOWN, false),
        ("active", UNKNOWN, false),
        ("active", OPEN, true),
    ] {
        let allergy = concern("AllergyIntolerance", state, UNKNOWN, own, stated);
        let kind = said("419199007");
        for entry in [
            denied(allergy.clone()),
            denied(allergy.replace(&kind, &said("416098002"))),
            allergy.replace(&kind, &said("409137002")),
            allergy.replace(&kind, &said("716186003")),
        ] {
            let made = one(&read("48765-2", "", &entry), "AllergyIntolerance");
            let status = &made["clinicalStatus"]["coding"][0]["code"];
            assert_eq!(*status, "active", "{entry}");
            assert!(made.get("verificationStatus").is_none(), "{entry}");
            // FHIR demands a status, and nobody states one.
            let assumed = made["extension"].to_string().contains("clinicalStatus");
            assert_eq!(assumed, !stated, "{entry}");
        }
        let problem = concern("Condition", state, UNKNOWN, own, false);
        let entry = problem.replace(&said("38341003"), &said("160245001"));
        let made = one(&read("11450-4", "", &entry), "Condition");
        assert!(made.get("clinicalStatus").is_none(), "{entry}");
    }
    // What is denied of one thing is refuted as before.
    let agent = format!(
        r#"<participant typeCode="CSM"><participantRole><playingEntity><code code="1" {SCT}/></playingEntity></participantRole></participant></observation></entryRelationship></act>"#
    );
    let entry = denied(concern(
        "AllergyIntolerance",
        "completed",
        OPEN,
        OPEN,
        false,
    ));
    let entry = entry.replace("</observation></entryRelationship></act>", &agent);
    let made = one(&read("48765-2", "", &entry), "AllergyIntolerance");
    assert_eq!(made["clinicalStatus"]["coding"][0]["code"], "inactive");
    assert_eq!(made["verificationStatus"]["coding"][0]["code"], "refuted");
}

/// FHIR allows no active problem with an end (`con-4`): what is stated stands beside the status that follows from the end.
#[test]
fn what_is_stated_against_an_end_is_told_beside_it() {
    const STATED: &str = "https://medibloc.org/fhir/StructureDefinition/stated-status";
    let coded = format!(r#"<value xsi:type="CE" code="55561003" {SCT}/>"#);
    let chronic = format!(r#"<value xsi:type="CD" code="90734009" {SCT} displayName="Chronic"/>"#);
    for (value, end, status, key, wanted) in [
        (&*coded, "2012", "resolved", "/coding/0/code", "55561003"),
        (&chronic, "2012", "resolved", "/text", "Chronic"),
        (
            r#"<value xsi:type="ST">Active</value>"#,
            "2012",
            "resolved",
            "/text",
            "Active",
        ),
        // Here nothing stands against it.
        (&*coded, "", "active", "", ""),
        (
            r#"<value xsi:type="ST">Inactive</value>"#,
            "2012",
            "inactive",
            "",
            "",
        ),
    ] {
        let high = format!(r#"<high value="{end}"/></effectiveTime>"#);
        let own = match end {
            "" => OPEN.to_owned(),
            _ => OPEN.replace("</effectiveTime>", &high),
        };
        let entry = concern("Condition", "active", OPEN, &own, true).replace(&coded, value);
        let made = one(&read("11450-4", "", &entry), "Condition");
        let told = &made["clinicalStatus"];
        assert_eq!(told["coding"][0]["code"], status, "{entry}");
        assert_eq!(made["abatementDateTime"].as_str().unwrap_or_default(), end);
        let beside = &told["extension"][0];
        if wanted.is_empty() {
            assert_eq!(*beside, Value::Null, "{entry}");
        } else {
            assert_eq!(beside["url"], STATED);
            let concept = &beside["valueCodeableConcept"];
            assert_eq!(concept.pointer(key).unwrap(), wanted, "{entry}");
        }
    }
}

/// An interval of which nothing is known says no end.
#[test]
fn an_interval_of_nulls_has_no_end() {
    for span in [
        r#"<effectiveTime nullFlavor="UNK"><low nullFlavor="UNK"/><high nullFlavor="UNK"/></effectiveTime>"#,
        r#"<effectiveTime><low nullFlavor="UNK"/><high nullFlavor="UNK"/></effectiveTime>"#,
        r#"<effectiveTime><low nullFlavor="NI"/><high nullFlavor="UNK"/></effectiveTime>"#,
        r#"<effectiveTime nullFlavor="UNK"/>"#,
    ] {
        for (kind, section) in [("AllergyIntolerance", "48765-2"), ("Condition", "11450-4")] {
            for (around, own) in [(span, OPEN), (OPEN, span)] {
                let entry = concern(kind, "active", around, own, false);
                let made = one(&read(section, "", &entry), kind);
                let status = &made["clinicalStatus"]["coding"][0]["code"];
                assert_eq!(*status, "active", "{entry}");
            }
        }
        let entry = concern("AllergyIntolerance", "active", OPEN, OPEN, false);
        let shown = format!(
            r#"<entryRelationship typeCode="MFST"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.9"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>{span}<value xsi:type="CD" code="39579001" {SCT}/></observation></entryRelationship></observation></entryRelationship></act>"#
        );
        let entry = entry.replace("</observation></entryRelationship></act>", &shown);
        let made = one(&read("48765-2", "", &entry), "AllergyIntolerance");
        let reaction = &made["reaction"][0];
        assert_eq!(
            reaction["manifestation"][0]["coding"][0]["code"],
            "39579001"
        );
        assert!(reaction.get("extension").is_none(), "{reaction}");
    }
}

/// Of a concern that goes on a single time is the beginning alone.
#[test]
fn an_active_concern_of_one_time_has_no_end() {
    const AT: &str = r#"<effectiveTime value="20240105"/>"#;
    for (kind, section) in [("AllergyIntolerance", "48765-2"), ("Condition", "11450-4")] {
        for (state, end) in [("active", Value::Null), ("completed", "2024-01-05".into())] {
            let entry = concern(kind, state, AT, OPEN, false);
            let made = one(&read(section, "", &entry), kind);
            let all = made["extension"].as_array().unwrap();
            let period = all.iter().find(|one| one.get("valuePeriod").is_some());
            let period = &period.unwrap()["valuePeriod"];
            assert_eq!(period["start"], "2024-01-05");
            assert_eq!(period["end"], end, "{entry}");
        }
    }
}
