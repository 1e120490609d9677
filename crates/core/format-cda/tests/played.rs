//! Who or what plays a role in a statement: a person, a house, or nobody knows which.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, read, why_lost};
use medibloc_record::Draft;
use serde_json::Value;

/// An observation with somebody who answers for it, and a performer of a house.
fn answered_for(id: &str, entity: &str) -> Draft {
    let house = r#"<performer><assignedEntity><id nullFlavor="NI"/><representedOrganization><id root="1.2.9" extension="2"/><name>City Lab</name></representedOrganization></assignedEntity></performer>"#;
    let part = format!(
        r#"<participant typeCode="RESP"><participantRole><id root="1.2.9" extension="{id}"/><addr><city>Ulm</city></addr>{entity}</participantRole></participant>"#
    );
    let entry = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="ST">x</value>{house}{part}</observation>"#
    );
    read("30954-2", "", &entry)
}

/// Whoever takes part without a person's name is a house only if the class or the number says so.
#[test]
fn a_house_that_takes_part_is_no_person() {
    let parts = "<given>Ada</given><family>Ash</family>";
    for (id, class, name, kind) in [
        ("2", "", "City Lab", Some("Organization")),
        ("3", r#" classCode="ORG""#, "East Lab", Some("Organization")),
        ("3", r#" classCode="PSN""#, "Ada Ash", Some("Practitioner")),
        ("3", "", parts, Some("Practitioner")),
        ("3", "", "East Lab", None),
    ] {
        let entity = format!("<playingEntity{class}><name>{name}</name></playingEntity>");
        let draft = answered_for(id, &entity);
        let found: Vec<Value> = ["Organization", "Practitioner"]
            .iter()
            .flat_map(|kind| all(&draft, kind))
            .filter(|one| one["identifier"][0]["value"] == id)
            .collect();
        let kinds: Vec<&str> = found
            .iter()
            .map(|one| one["resourceType"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, Vec::from_iter(kind), "{id} {class} {name}");
        let why = why_lost(&draft, "observation/participant");
        assert_eq!(why.is_empty(), kind.is_some(), "{name}");
        let is_agent = all(&draft, "Provenance").iter().any(|told| {
            let agents = told["agent"].as_array().unwrap();
            agents
                .iter()
                .any(|one| one["type"]["coding"][0]["code"] == "RESP")
        });
        assert_eq!(is_agent, kind.is_some(), "{name}");
    }
}
