//! Who takes part, and of whose record a document is a part.

use medibloc_format_cda::Cda;
use medibloc_record::Format as _;
use serde_json::{Value, json};

use super::document::{HEAD, all, one, whole, with_header};

/// A register names nobody in it.
#[test]
fn a_register_is_no_number_of_somebody() {
    let unknown = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]});
    let header = |id: &str| {
        format!(
            r#"<recordTarget><patientRole><id root="2.16.840.1.113883.4.6" {id}/><patient><name>Ada</name></patient></patientRole></recordTarget>"#
        )
    };
    let patient = one(&with_header(&header(r#"nullFlavor="UNK""#)), "Patient");
    assert_eq!(
        patient["identifier"],
        json!([{"system": "http://hl7.org/fhir/sid/us-npi", "_value": unknown}])
    );
    let patient = one(
        &with_header(&header(r#"extension="1234567893""#)),
        "Patient",
    );
    assert_eq!(patient["identifier"][0]["value"], "1234567893");
    // Nor is an issuer the number that it gave, nor what tells two people apart.
    let none = r#"<recordTarget><patientRole><id root="1.2.3.4.5.6" nullFlavor="UNK"/></patientRole></recordTarget>"#;
    let draft = with_header(&[none, none].concat());
    let patients = all(&draft, "Patient");
    assert_eq!(patients.len(), 2);
    for one in patients {
        let number = json!([{"system": "urn:oid:1.2.3.4.5.6", "_value": unknown}]);
        assert_eq!(one["identifier"], number);
    }
    // A number of its own kind is one.
    let own = r#"<recordTarget><patientRole><id root="1.2.3.4.5.6"/></patientRole></recordTarget>"#;
    let patient = one(&with_header(own), "Patient");
    assert_eq!(patient["identifier"][0]["value"], "urn:oid:1.2.3.4.5.6");
}

/// Whose insurance it is treats nobody (C-CDA on FHIR, participations).
#[test]
fn a_policy_holder_is_no_practitioner() {
    let part = |kind: &str, class: &str| {
        format!(
            r#"<participant typeCode="{kind}"><associatedEntity classCode="{class}"><id root="1.5" extension="h"/><associatedPerson><name><family>Icy</family></name></associatedPerson></associatedEntity></participant>"#
        )
    };
    for (kind, class, wanted) in [
        ("HLD", "POLHOLD", "RelatedPerson"),
        ("COV", "COVPTY", "RelatedPerson"),
        ("REF", "PROV", "Practitioner"),
    ] {
        let draft = with_header(&part(kind, class));
        assert_eq!(one(&draft, wanted)["name"][0]["family"], "Icy", "{class}");
        let told = one(&draft, "Composition");
        let url = "http://hl7.org/fhir/us/ccda/StructureDefinition/ParticipantExtension";
        let told = told["extension"].as_array().unwrap();
        assert!(told.iter().any(|one| one["url"] == url), "{class}");
    }
}

/// A document of two persons names both.
#[test]
fn a_second_patient_is_not_lost() {
    let target = |number: u32, name: &str| {
        format!(
            r#"<recordTarget><patientRole><id root="1.5" extension="{number}"/><patient><name><given>{name}</given></name></patient></patientRole></recordTarget>"#
        )
    };
    let draft = with_header(&[target(1, "Orla"), target(2, "Zed")].concat());
    let patients = all(&draft, "Patient");
    let names: Vec<&Value> = patients
        .iter()
        .map(|one| &one["name"][0]["given"][0])
        .collect();
    assert_eq!(names, ["Orla", "Zed"]);
    let told = one(&draft, "Composition");
    let first = told["subject"]["reference"].as_str().unwrap();
    assert!(first.ends_with(patients[0]["id"].as_str().unwrap()));
    let second = told["extension"][0]["valueReference"]["reference"]
        .as_str()
        .unwrap();
    assert!(second.ends_with(patients[1]["id"].as_str().unwrap()));
    // One person who stands twice is one.
    let draft = with_header(&[target(1, "Orla"), target(1, "Orla")].concat());
    assert_eq!(all(&draft, "Patient").len(), 1);
}

/// What is called alike in another vocabulary is no CDA.
#[test]
fn another_vocabulary_is_refused() {
    let xml = whole("", "30954-2", "", "");
    assert!(Cda.read(xml.as_bytes()).is_ok());
    let other = xml.replace(HEAD, r#"xmlns="urn:example:other""#);
    assert!(Cda.read(other.as_bytes()).is_err());
}
