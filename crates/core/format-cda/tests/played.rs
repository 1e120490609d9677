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

/// Somebody whose name is said not to be known is nobody beside a house that is named: the house did it, told it and wrote it, and
/// its number is nobody's in it.
#[test]
fn a_house_beside_a_person_of_no_known_name_is_a_house() {
    const UNKNOWN: &str = r#"<assignedPerson><name nullFlavor="UNK"/></assignedPerson>"#;
    const NO_ONE: &str = r#"<assignedPerson nullFlavor="NI"/>"#;
    const HOUSE: &str = r#"<representedOrganization><id root="1.2.9" extension="2"/><name>City Lab</name></representedOrganization>"#;
    const BARE: &str =
        r#"<representedOrganization><id root="1.2.9" extension="2"/></representedOrganization>"#;
    for (part, role) in [
        ("performer", "assignedEntity"),
        ("informant", "assignedEntity"),
        ("author", "assignedAuthor"),
    ] {
        for (id, person, house, persons, roles) in [
            ("7", UNKNOWN, HOUSE, 0, 1),
            ("7", NO_ONE, HOUSE, 0, 1),
            ("2", UNKNOWN, HOUSE, 0, 0),
            ("7", UNKNOWN, "", 1, 0),
            ("7", UNKNOWN, BARE, 1, 1),
            ("7", "<assignedPerson><name/></assignedPerson>", HOUSE, 1, 1),
        ] {
            let entry = format!(
                r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="ST">x</value><{part}><{role}><id root="1.2.9" extension="{id}"/>{person}{house}</{role}></{part}></observation>"#
            );
            let draft = read("30954-2", "", &entry);
            let what = format!("{part} {id} {person} {house}");
            assert_eq!(all(&draft, "Practitioner").len(), persons, "{what}");
            assert_eq!(all(&draft, "PractitionerRole").len(), roles, "{what}");
            // The custodian of the document is one, too, of which nothing is told.
            let houses = all(&draft, "Organization").into_iter();
            let houses = houses.filter(|one| one.get("identifier").is_some()).count();
            assert_eq!(houses, usize::from(!house.is_empty()), "{what}");
        }
    }
}
