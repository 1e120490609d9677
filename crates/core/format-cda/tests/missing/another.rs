//! What is said of another than the patient.

use serde_json::Value;

use super::document::{all, one, read, why_lost};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn subject(kin: &str) -> String {
    format!(
        r#"<subject><relatedSubject classCode="PRS"><code code="{kin}" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject>"#
    )
}

/// The illness of a problem entry, whose subject stands at the observation.
fn illness(kin: &str, flags: &str) -> String {
    let subject = subject(kin);
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><code code="CONC"/><statusCode code="active"/><entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN" {flags}><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="55607006" {SCT}/><statusCode code="completed"/><value xsi:type="CD" code="387712008" {SCT}/>{subject}<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.6"/><code code="33999-4" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="CD" code="55561003" {SCT}/></observation></entryRelationship></observation></entryRelationship></act>"#
    )
}

#[test]
fn an_illness_of_another_is_kept_and_never_the_patients() {
    let draft = read("11450-4", "", &illness("SONC", ""));
    let history = one(&draft, "FamilyMemberHistory");
    let ill = history["condition"].as_array().unwrap();
    assert_eq!(ill.len(), 1, "what is said of an illness is none");
    assert_eq!(ill[0]["code"]["coding"][0]["code"], "387712008");
    assert!(all(&draft, "Condition").is_empty());

    let draft = read("11450-4", "", &illness("NBOR", ""));
    let seen = all(&draft, "Observation");
    let found = |one: &&Value| one["valueCodeableConcept"]["coding"][0]["code"] == "387712008";
    assert!(seen.iter().find(found).unwrap().get("focus").is_some());
    assert!(all(&draft, "Condition").is_empty());

    let draft = read("11450-4", "", &illness("NBOR", r#"negationInd="true""#));
    assert!(all(&draft, "Condition").is_empty());
    assert!(
        why_lost(&draft, "")
            .iter()
            .any(|why| why.contains("denies"))
    );
}

#[test]
fn a_panel_of_another_keeps_its_results() {
    let inner = r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.2"/><code code="11820-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="PQ" value="30" unit="cm"/></observation>"#;
    for group in [
        inner.to_owned(),
        format!(
            r#"<organizer classCode="CLUSTER" moodCode="EVN"><statusCode code="completed"/><component>{inner}</component></organizer>"#
        ),
    ] {
        let entry = format!(
            r#"<organizer classCode="BATTERY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.1"/><code code="24357-6" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>{}<component>{group}</component></organizer>"#,
            subject("FETUS")
        );
        let draft = read("30954-2", "", &entry);
        assert!(all(&draft, "DiagnosticReport").is_empty());
        let seen = all(&draft, "Observation");
        assert!(seen.iter().all(|one| one.get("focus").is_some()));
        assert!(seen.iter().any(|one| one["valueQuantity"]["value"] == 30));
        let panel = seen.iter().find(|one| one.get("hasMember").is_some());
        assert_eq!(panel.unwrap()["code"]["coding"][0]["code"], "24357-6");
    }
}

/// FHIR says of an Observation alone that it is about another.
#[test]
fn what_was_done_or_given_to_another_is_an_observation_about_that_one() {
    let product = |system: &str| {
        format!(
            r#"<consumable><manufacturedProduct><manufacturedMaterial><code code="8" codeSystem="{system}" displayName="thing"/></manufacturedMaterial></manufacturedProduct></consumable>"#
        )
    };
    let given = |template: &str, system: &str| {
        format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN" FLAGS><templateId root="2.16.840.1.113883.10.20.22.4.{template}"/><statusCode code="completed"/><effectiveTime value="20241001"/>{}SUBJECT</substanceAdministration>"#,
            product(system)
        )
    };
    let allergy = format!(
        r#"<observation classCode="OBS" moodCode="EVN" FLAGS><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/><statusCode code="completed"/><effectiveTime value="20241001"/><value xsi:type="CD" code="419199007" {SCT}/>SUBJECT<participant typeCode="CSM"><participantRole classCode="MANU"><playingEntity><code code="8" codeSystem="2.16.840.1.113883.6.88" displayName="thing"/></playingEntity></participantRole></participant></observation>"#
    );
    let concern = format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.30"/><statusCode code="active"/><entryRelationship typeCode="SUBJ">{allergy}</entryRelationship></act>"#
    );
    for (section, entry, kind, code) in [
        (
            "47519-4",
            format!(
                r#"<procedure classCode="PROC" moodCode="EVN" FLAGS><code code="8" {SCT} displayName="thing"/><statusCode code="completed"/><effectiveTime value="20241001"/>SUBJECT</procedure>"#
            ),
            "Procedure",
            "47519-4",
        ),
        (
            "11369-6",
            given("52", "2.16.840.1.113883.12.292"),
            "Immunization",
            "11369-6",
        ),
        (
            "10160-0",
            given("16", "2.16.840.1.113883.6.88"),
            "MedicationStatement",
            "10160-0",
        ),
        (
            "48765-2",
            allergy.clone(),
            "AllergyIntolerance",
            "419199007",
        ),
        ("48765-2", concern, "AllergyIntolerance", "419199007"),
    ] {
        for kin in ["NCHILD", "BRO", "SPS"] {
            let entry = entry.replace("SUBJECT", &subject(kin));
            let draft = read(section, "", &entry.replace("FLAGS", ""));
            assert!(all(&draft, kind).is_empty(), "{kind} of {kin}");
            let seen = one(&draft, "Observation");
            assert!(seen.get("focus").is_some(), "{kind} of {kin}");
            assert_eq!(seen["code"]["coding"][0]["code"], code, "{kind} of {kin}");
            assert_eq!(seen["valueCodeableConcept"]["coding"][0]["code"], "8");
            assert_eq!(seen["effectiveDateTime"], "2024-10-01");
            assert_eq!(seen["status"], "final");

            for (state, wanted) in [("COMPLETED", "final"), ("NULLIFIED", "entered-in-error")] {
                let entry = entry.replace("FLAGS", "").replace("completed", state);
                let seen = one(&read(section, "", &entry), "Observation");
                assert_eq!(seen["status"], wanted, "{kind} of {kin}");
            }

            let denied = entry.replace("FLAGS", r#"negationInd="true""#);
            let draft = read(section, "", &denied);
            for kind in [kind, "Observation", "FamilyMemberHistory"] {
                assert!(all(&draft, kind).is_empty(), "{kind} of {kin}");
            }
            let why = why_lost(&draft, "");
            assert!(why.iter().any(|why| why.contains("denies")), "{why:?}");
        }
    }
}
