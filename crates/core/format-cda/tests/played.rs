//! Who or what plays a role in a statement: a person, a house, or nobody knows which.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read, whole, why_lost};
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
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

/// Who takes part in a statement as its author (`AUT`) wrote it, where no `author` of its own says who did.
#[test]
fn a_participant_who_wrote_it_is_the_author() {
    let someone = |name: &str| format!("<given>A</given><family>{name}</family>");
    let header = format!(
        r#"<author><time value="2020"/><assignedAuthor><id root="1.2.9" extension="1"/><assignedPerson><name>{}</name></assignedPerson></assignedAuthor></author>"#,
        someone("Head")
    );
    let wrote = header.replace("Head", "Own").replace(r#""1""#, r#""2""#);
    let part = format!(
        r#"<participant typeCode="AUT"><time value="20240102"/><participantRole><id root="1.2.9" extension="3"/><playingEntity><name>{}</name></playingEntity></participantRole></participant>"#,
        someone("Part")
    );
    let order = |parts: &str| {
        format!(
            r#"<entry><observation classCode="OBS" moodCode="RQO"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/>{parts}</observation></entry>"#
        )
    };
    let group = |parts: &str| {
        format!(
            r#"<entry><organizer classCode="BATTERY" moodCode="EVN"><code code="2-6" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>{parts}<component><observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="ST">x</value></observation></component></organizer></entry>"#
        )
    };
    for (parts, name, requester) in [
        (String::new(), "Head", None),
        (part.clone(), "Part", Some("Part")),
        (format!("{wrote}{part}"), "Own", Some("Own")),
    ] {
        let both = [order(&parts), group(&parts)].concat();
        let xml = whole(&header, "30954-2", "", &both);
        let draft = Cda.read(xml.as_bytes()).unwrap();
        let people = all(&draft, "Practitioner");
        let named = |reference: &Value| {
            let reference = reference["reference"].as_str().unwrap().to_owned();
            let is_one = |one: &&Value| reference.ends_with(one["id"].as_str().unwrap());
            let found = people.iter().find(is_one);
            found.map(|one| one["name"][0]["family"].as_str().unwrap().to_owned())
        };
        for told in all(&draft, "Provenance") {
            let agents = told["agent"].as_array().unwrap();
            let wrote = agents.iter().filter(|one| one.get("type").is_none());
            let wrote: Vec<_> = wrote.filter_map(|one| named(&one["who"])).collect();
            assert_eq!(wrote, [name], "{parts}");
        }
        let order = one(&draft, "ServiceRequest");
        assert_eq!(order.get("requester").and_then(named).as_deref(), requester);
    }
}

/// Nobody knows who a recipient is who bears the patient's name and has no number: the patient, or a namesake.
#[test]
fn a_recipient_with_the_name_of_the_patient_is_nobody_known() {
    let patient = r#"<recordTarget><patientRole><id root="1.2.9" extension="1"/><patient><name><given>Henry</given><family>Seven</family></name></patient></patientRole></recordTarget>"#;
    for (number, family, persons) in [
        ("", "Seven", 0),
        ("", "Eight", 1),
        (r#"<id root="1.2.8.3" extension="7"/>"#, "Seven", 1),
    ] {
        let recipient = format!(
            "<informationRecipient><intendedRecipient>{number}<informationRecipient><name><given>Henry</given><family>{family}</family></name></informationRecipient></intendedRecipient></informationRecipient>"
        );
        let draft = document::with_header(&[patient, &recipient].concat());
        assert_eq!(
            all(&draft, "Practitioner").len(),
            persons,
            "{number} {family}"
        );
        let why = why_lost(&draft, "family");
        assert_eq!(why.is_empty(), persons == 1, "{number} {family}");
    }
}
