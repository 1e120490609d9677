//! What a statement says of the one around it stays said of that one, and of nobody in particular never.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read};
use medibloc_record::Draft;
use serde_json::{Value, json};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

/// The reference to a resource.
fn to(draft: &Draft, resource: &Value) -> Value {
    let entries = draft.fhir["entry"].as_array().unwrap();
    let mut found = entries
        .iter()
        .filter(|entry| entry["resource"] == *resource);
    json!({"reference": found.next().unwrap()["fullUrl"]})
}

/// How severe an allergy is, is not lost because its reaction has a severity of its own.
#[test]
fn an_allergy_keeps_its_severity_beside_that_of_its_reaction() {
    let severity = |code: &str| {
        format!(
            r#"<entryRelationship typeCode="SUBJ" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.8"/><code code="SEV" codeSystem="2.16.840.1.113883.5.4"/><value xsi:type="CD" code="{code}" {SCT}/></observation></entryRelationship>"#
        )
    };
    let agent = |code: &str| {
        format!(
            r#"<participant typeCode="CSM"><participantRole><playingEntity><code code="{code}" codeSystem="2.16.840.1.113883.6.88"/></playingEntity></participantRole></participant>"#
        )
    };
    let allergy = |agents: &str, reaction: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/><value xsi:type="CD" code="419199007" {SCT}/>{agents}{}
            <entryRelationship typeCode="MFST" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.9"/><code code="ASSERTION"/><value xsi:type="CD" code="247472004" {SCT}/>{reaction}</observation></entryRelationship></observation>"#,
            severity("24484000")
        )
    };
    for agents in [agent("1"), [agent("1"), agent("2")].concat()] {
        let draft = read("48765-2", "", &allergy(&agents, &severity("255604002")));
        let made = all(&draft, "AllergyIntolerance");
        for one in &made {
            assert_eq!(one["reaction"][0]["severity"], "mild");
        }
        let seen = one(&draft, "Observation");
        assert_eq!(
            seen["valueCodeableConcept"]["coding"][0]["code"],
            "24484000"
        );
        let about: Vec<Value> = made.iter().map(|one| to(&draft, one)).collect();
        assert_eq!(seen["focus"], json!(about));
        // It is that of a reaction that has none.
        let draft = read("48765-2", "", &allergy(&agents, ""));
        assert!(all(&draft, "Observation").is_empty());
        let made = all(&draft, "AllergyIntolerance").remove(0);
        assert_eq!(made["reaction"][0]["severity"], "severe");
    }
}
