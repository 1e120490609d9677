//! What stands inside a statement, twice, or where a guide does not expect it.

use serde_json::json;

use super::document::{all, one, read, whole};
use medibloc_format_cda::Cda;
use medibloc_record::Format as _;

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn medicine(id: &str, code: &str) -> String {
    format!(
        r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><id root="1.9" extension="{id}"/><statusCode code="completed"/><consumable><manufacturedProduct><manufacturedMaterial><code code="{code}" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
    )
}

#[test]
fn what_was_done_against_a_reaction_is_kept() {
    for (flags, many) in [("", 1), (r#"negationInd="true""#, 0)] {
        let treatment = medicine("m", "1");
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/><value xsi:type="CD" code="419199007" {SCT}/><entryRelationship typeCode="MFST" inversionInd="true"><observation classCode="OBS" moodCode="EVN" {flags}><templateId root="2.16.840.1.113883.10.20.22.4.9"/><value xsi:type="CD" code="39579001" {SCT}/><entryRelationship typeCode="RSON">{treatment}</entryRelationship><entryRelationship typeCode="RSON"><procedure classCode="PROC" moodCode="EVN"><code code="112798008" {SCT}/><statusCode code="completed"/></procedure></entryRelationship></observation></entryRelationship></observation>"#
        );
        let draft = read("48765-2", "", &entry);
        assert_eq!(all(&draft, "MedicationStatement").len(), many, "{flags}");
        assert_eq!(all(&draft, "Procedure").len(), many, "{flags}");
        let allergy = one(&draft, "AllergyIntolerance");
        assert_eq!(allergy.get("reaction").is_some(), many == 1);
    }
}

/// That nobody of the family is ill is a finding of the patient's; an illness there is of nobody in particular.
#[test]
fn that_the_family_is_well_is_kept() {
    for (value, is_kept) in [
        (
            format!(
                r#"<value xsi:type="CD" code="160266009" {SCT} displayName="No family history of clinical finding"/>"#
            ),
            true,
        ),
        (
            format!(r#"<value xsi:type="CD" code="160266009" {SCT}/>"#),
            true,
        ),
        (
            format!(r#"<value xsi:type="CD" code="22298006" {SCT} displayName="Infarct"/>"#),
            false,
        ),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.46"/><code code="64572001" {SCT}/><statusCode code="completed"/>{value}</observation>"#
        );
        let draft = read("10157-6", "", &entry);
        let seen = all(&draft, "Observation");
        assert_eq!(seen.len(), usize::from(is_kept), "{value}");
        for seen in seen {
            let said = &seen["valueCodeableConcept"]["coding"][0]["code"];
            assert_eq!(said, "160266009");
        }
        assert!(all(&draft, "Condition").is_empty());
        assert!(all(&draft, "FamilyMemberHistory").is_empty());
    }
}

#[test]
fn a_comment_is_known_by_its_code() {
    for (code, is_one) in [("48767-8", true), ("1-8", false)] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="55607006" {SCT}/><value xsi:type="CD" code="1" {SCT}/><entryRelationship typeCode="SUBJ" inversionInd="true"><act classCode="ACT" moodCode="EVN"><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><text>by phone</text></act></entryRelationship></observation>"#
        );
        let problem = one(&read("11450-4", "", &entry), "Condition");
        let note = problem.get("note").cloned();
        assert_eq!(
            note,
            is_one.then(|| json!([{"text": "by phone"}])),
            "{code}"
        );
    }
}

/// One number names one thing; a number of another thing does not make it the same.
#[test]
fn an_entry_that_stands_twice_is_one() {
    let (first, other) = (medicine("m", "1"), medicine("m", "2"));
    for (entries, many) in [
        ([first.clone(), first.clone()], 1),
        ([first.clone(), other], 2),
        (
            [
                medicine("", "1").replace(r#"<id root="1.9" extension=""/>"#, ""),
                medicine("", "1").replace(r#"<id root="1.9" extension=""/>"#, ""),
            ],
            2,
        ),
    ] {
        let entries = entries.map(|one| format!("<entry>{one}</entry>")).concat();
        let xml = whole("", "10160-0", "", &entries);
        let draft = Cda.read(xml.as_bytes()).unwrap();
        let found = all(&draft, "MedicationStatement");
        assert_eq!(found.len(), many, "{entries}");
        let section = &one(&draft, "Composition")["section"][0]["entry"];
        assert_eq!(section.as_array().unwrap().len(), many);
    }
}

/// A report says something itself, by its name or what was examined, or holds something that does.
#[test]
fn a_report_of_nothing_is_none() {
    let coded = format!(r#"<code code="1" {SCT}/>"#);
    let link = r##"<text><reference value="#words"/></text>"##;
    let empty = r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.2"/></observation>"#;
    let inner = format!(r#"<organizer><component>{empty}</component></organizer>"#);
    let full = r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="INT" value="4"/></observation>"#;
    for (said, inside, many) in [
        ("", &*inner, 0),
        ("", empty, 0),
        (
            r#"<id root="1.9" extension="r"/><statusCode code="completed"/><effectiveTime value="2020"/>"#,
            empty,
            0,
        ),
        (&coded, empty, 1),
        (link, empty, 1),
        ("", full, 1),
    ] {
        let entry = format!(
            r#"<organizer classCode="BATTERY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.1"/>{said}<component>{inside}</component></organizer>"#
        );
        let draft = read("30954-2", r#"<content ID="words">x</content>"#, &entry);
        assert_eq!(
            all(&draft, "DiagnosticReport").len(),
            many,
            "{said} {inside}"
        );
    }
}
