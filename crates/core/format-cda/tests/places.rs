//! Places, houses, people and numbers: which are one, and which are the patient's own.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read, whole, why_lost, with_header};
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const ADA: &str = r#"<recordTarget><patientRole><id root="1.2.3.5" extension="p1"/><patient><name><given>Ada</given><family>Doe</family></name></patient></patientRole></recordTarget>"#;

fn patient(draft: &Draft) -> Value {
    let id = one(draft, "Patient")["id"].as_str().unwrap().to_owned();
    json!(format!("urn:uuid:{id}"))
}

fn several(section: &str, entries: &[String]) -> Draft {
    let entries: String = entries
        .iter()
        .map(|one| format!("<entry>{one}</entry>"))
        .collect();
    Cda.read(whole("", section, "", &entries).as_bytes())
        .unwrap()
}

const OREGON: &str =
    r#"<addr><streetAddressLine>1 A St</streetAddressLine><city>Beaverton</city></addr>"#;
const BOSTON: &str =
    r#"<addr><streetAddressLine>9 Z St</streetAddressLine><city>Boston</city></addr>"#;
const PHONE: &str = r#"<telecom value="tel:+1555"/>"#;
const OTHER_PHONE: &str = r#"<telecom value="tel:+1999"/>"#;

/// Two of one name are one if they are reached at the same place, or have one number.
#[test]
fn a_name_alone_makes_no_two_places_one() {
    let visit = |place: &String| {
        format!(
            r#"<encounter classCode="ENC" moodCode="EVN"><code code="99213" codeSystem="2.16.840.1.113883.6.12"/><effectiveTime value="20200101"/><participant typeCode="LOC"><participantRole classCode="SDLOC">{place}<playingEntity classCode="PLC"><name>Clinic</name></playingEntity></participantRole></participant></encounter>"#
        )
    };
    let deed = |house: &String| {
        format!(
            r#"<procedure classCode="PROC" moodCode="EVN"><code code="1" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><performer><assignedEntity><id nullFlavor="UNK"/><representedOrganization>{house}</representedOrganization></assignedEntity></performer></procedure>"#
        )
    };
    let numbered = |at: &str| format!(r#"<id root="1.2.3" extension="L"/>{at}"#);
    for (places, many) in [
        ([OREGON.to_owned(), BOSTON.to_owned()], 2),
        ([OREGON.to_owned(), OREGON.to_owned()], 1),
        (
            [[OREGON, PHONE].concat(), [OREGON, OTHER_PHONE].concat()],
            2,
        ),
        ([[OREGON, PHONE].concat(), OREGON.to_owned()], 2),
        ([OREGON.to_owned(), String::new()], 2),
        ([String::new(), String::new()], 1),
        ([numbered(OREGON), numbered("")], 1),
    ] {
        let draft = several("46240-8", &places.each_ref().map(visit));
        assert_eq!(all(&draft, "Location").len(), many, "{places:?}");
        let named = |house: &String| deed(&format!("{house}<name>City Hospital</name>"));
        let draft = several("47519-4", &places.each_ref().map(named));
        let houses = all(&draft, "Organization");
        let houses = houses.iter().filter(|one| one["name"] == "City Hospital");
        assert_eq!(houses.count(), many, "{places:?}");
    }
}

/// In whatever role the patient stands, they are the patient and no practitioner.
#[test]
fn the_patient_is_nobody_else_in_any_role() {
    let own = r#"<id root="1.2.3.5" extension="p1"/>"#;
    let code =
        r#"<id nullFlavor="NI"/><code code="ONESELF" codeSystem="2.16.840.1.113883.5.111"/>"#;
    let bare = r#"<id nullFlavor="NI"/><code code="SELF" codeSystem="2.16.840.1.113883.5.111"/>"#;
    for who in [own, code, bare] {
        let signed = |name: &str| {
            format!(
                r#"<{name}><time value="20250101"/><signatureCode code="S"/><assignedEntity>{who}</assignedEntity></{name}>"#
            )
        };
        for name in ["authenticator", "legalAuthenticator"] {
            let draft = with_header(&[ADA, &signed(name)].concat());
            assert_eq!(all(&draft, "Practitioner").len(), 0, "{name} {who}");
            let attester = &one(&draft, "Composition")["attester"][0];
            assert_eq!(attester["mode"], "personal");
            assert_eq!(attester["party"]["reference"], patient(&draft));
        }
        for header in [
            format!("<dataEnterer><assignedEntity>{who}</assignedEntity></dataEnterer>"),
            format!(
                "<informationRecipient><intendedRecipient>{who}</intendedRecipient></informationRecipient>"
            ),
            format!(
                r#"<participant typeCode="REF"><associatedEntity classCode="PROV">{who}</associatedEntity></participant>"#
            ),
        ] {
            let draft = with_header(&[ADA, &header].concat());
            assert_eq!(all(&draft, "Practitioner").len(), 0, "{header}");
        }
        for (kind, inside) in [
            (
                "performer",
                format!("<performer><assignedEntity>{who}</assignedEntity></performer>"),
            ),
            (
                "agent",
                format!(
                    r#"<participant typeCode="VRF"><participantRole>{who}</participantRole></participant>"#
                ),
            ),
        ] {
            let deed = format!(
                r#"<entry><procedure classCode="PROC" moodCode="EVN"><code code="1" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>{inside}</procedure></entry>"#
            );
            let xml = whole(ADA, "47519-4", "", &deed);
            let draft = Cda.read(xml.as_bytes()).unwrap();
            assert_eq!(all(&draft, "Practitioner").len(), 0, "{kind} {who}");
            let told = format!("{}{}", one(&draft, "Procedure"), one(&draft, "Provenance"));
            assert_eq!(
                told.matches(patient(&draft).as_str().unwrap()).count(),
                2,
                "{kind} {who}"
            );
        }
    }
    // Who has another name is somebody else, whatever number or code stands there.
    let other = format!(
        r#"<authenticator><time value="20250101"/><signatureCode code="S"/><assignedEntity>{own}<assignedPerson><name>Bo Li</name></assignedPerson></assignedEntity></authenticator>"#
    );
    let draft = with_header(&[ADA, &other].concat());
    assert_eq!(
        one(&draft, "Composition")["attester"][0]["mode"],
        "professional"
    );
}

/// A number that is filled in where there is none is that of nobody.
#[test]
fn a_number_of_nobody_joins_nobody() {
    let author = |number: &str, name: &str| {
        format!(
            r#"<author><time value="20250101"/><assignedAuthor><id root="2.16.840.1.113883.4.6" {number}/>{name}</assignedAuthor></author>"#
        )
    };
    let name = |name: &str| format!("<assignedPerson><name>{name}</name></assignedPerson>");
    for (number, many) in [
        (r#"extension="0000000000""#, 2),
        (r#"extension="999-99-9999""#, 2),
        (r#"nullFlavor="MSK" extension="***""#, 2),
        (r#"nullFlavor="UNK""#, 2),
        (r#"extension="1234567893""#, 2),
    ] {
        let draft = with_header(
            &[
                author(number, &name("Bo Li")),
                author(number, &name("Cy Ray")),
            ]
            .concat(),
        );
        assert_eq!(all(&draft, "Practitioner").len(), many, "{number}");
    }
    // Whoever has such a number alone is nobody who has a name.
    let deed = |number: &str| {
        let header = author(number, &name("Bo Li"));
        let entry = format!(
            r#"<entry><procedure classCode="PROC" moodCode="EVN"><code code="1" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><performer><assignedEntity><id root="2.16.840.1.113883.4.6" {number}/></assignedEntity></performer></procedure></entry>"#
        );
        let draft = Cda
            .read(whole(&header, "47519-4", "", &entry).as_bytes())
            .unwrap();
        assert_eq!(
            one(&draft, "Procedure")["performer"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        all(&draft, "Practitioner").len()
    };
    assert_eq!(deed(r#"extension="1234567893""#), 1);
    assert_eq!(deed(r#"extension="0000000000""#), 2);
    assert_eq!(deed(r#"nullFlavor="MSK" extension="***-4321""#), 2);
}

/// What stands in the place of a number that is masked is shown, and is no number.
#[test]
fn a_masked_number_is_none() {
    let header = r#"<recordTarget><patientRole><id root="2.16.840.1.113883.4.1" nullFlavor="MSK" extension="***-**-1234"/><patient><name>Ada</name></patient></patientRole></recordTarget>"#;
    let id = one(&with_header(header), "Patient")["identifier"][0].clone();
    assert_eq!(id["system"], "http://hl7.org/fhir/sid/us-ssn");
    assert_eq!(id.get("value"), None);
    let shown = &id["_value"]["extension"];
    assert_eq!(shown[0]["valueCode"], "masked");
    assert_eq!(
        shown[1],
        json!({"url": "http://hl7.org/fhir/StructureDefinition/rendered-value", "valueString": "***-**-1234"})
    );
}

/// What stands in a report of pictures is imaging, however deep.
#[test]
fn a_finding_in_a_report_of_pictures_is_imaging() {
    let seen = |inside: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.2"/><code code="249674001" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><value xsi:type="ST">x</value>{inside}</observation>"#
        )
    };
    let nested = seen(&format!(
        r#"<entryRelationship typeCode="COMP">{}</entryRelationship>"#,
        seen("").replace("249674001", "2")
    ));
    for (code, wanted) in [("71020", "imaging"), ("80053", "laboratory")] {
        let entry = format!(
            r#"<organizer classCode="BATTERY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.1"/><code code="{code}" codeSystem="2.16.840.1.113883.6.12"/><statusCode code="completed"/><component>{nested}</component></organizer>"#
        );
        let found = all(&read("30954-2", "", &entry), "Observation");
        assert_eq!(found.len(), 2);
        for one in found {
            assert_eq!(one["category"][0]["coding"][0]["code"], wanted);
        }
    }
}

/// When a history of the family was written down is not when an illness began.
#[test]
fn the_date_of_a_family_history_is_when_it_was_written() {
    let author = r#"<author><time value="20250102"/><assignedAuthor><id root="1.2.9" extension="w"/></assignedAuthor></author>"#;
    for (author, wanted) in [("", Value::Null), (author, json!("2025-01-02"))] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.46"/><code code="64572001" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><effectiveTime value="1970"/><value xsi:type="CD" code="22298006" codeSystem="2.16.840.1.113883.6.96"/>{author}<subject><relatedSubject classCode="PRS"><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject></observation>"#
        );
        let told = one(&read("10157-6", "", &entry), "FamilyMemberHistory");
        assert_eq!(told["date"], wanted);
        assert_eq!(told["condition"][0]["onsetString"], "1970");
    }
}

/// A number says who somebody is before their role does: a role code makes nobody the patient whose number or name is another's.
#[test]
fn a_role_alone_makes_nobody_the_patient() {
    let nurse =
        r#"<assignedPerson><name><given>Flo</given><family>Gale</family></name></assignedPerson>"#;
    let author = format!(
        r#"<author><time value="2025"/><assignedAuthor><id root="20cf14fb-b65c-4c8c-a54d-b0cca834c18c"/><id root="1.2.3.9" extension="n"/>{nurse}</assignedAuthor></author>"#
    );
    let theirs = r#"<id root="20cf14fb-b65c-4c8c-a54d-b0cca834c18c"/>"#;
    let by_extension = r#"<id root="1.2.3.9" extension="n"/>"#;
    let nobodys = r#"<id root="1.2.3.10" extension="x"/>"#;
    let named = "<name><given>Bob</given><family>Ash</family></name>";
    for code in ["SELF", "ONESELF"] {
        let code = format!(r#"<code code="{code}" codeSystem="2.16.840.1.113883.5.111"/>"#);
        for (id, name, is_patient) in [
            (theirs, "", false),
            (by_extension, "", false),
            (nobodys, named, false),
            (nobodys, "", true),
            ("", "", true),
        ] {
            let person = |what: &str| match name {
                "" => String::new(),
                name => format!("<{what}>{name}</{what}>"),
            };
            let signed = format!(
                r#"<authenticator><time value="20250101"/><signatureCode code="S"/><assignedEntity>{id}{code}{}</assignedEntity></authenticator>"#,
                person("assignedPerson")
            );
            let takes_part = format!(
                r#"<participant typeCode="VRF"><associatedEntity classCode="ASSIGNED">{id}{code}{}</associatedEntity></participant>"#,
                person("associatedPerson")
            );
            let told = format!(
                r#"<informant><relatedEntity classCode="PRS">{id}{code}{}</relatedEntity></informant>"#,
                person("relatedPerson")
            );
            for header in [signed, takes_part, told] {
                let draft = with_header(&[ADA, &author, &header].concat());
                let made = one(&draft, "Composition").to_string();
                // The subject of the document names the patient, and nobody else does who is another.
                let many = made.matches(patient(&draft).as_str().unwrap()).count();
                assert_eq!(many, if is_patient { 2 } else { 1 }, "{header}");
                for role in all(&draft, "PractitionerRole") {
                    assert!(!role.to_string().contains("SELF"), "{header}");
                }
            }
        }
    }
}

/// Who is called the patient and bears another name is neither the patient nor of a house, and who that is nobody knows.
#[test]
fn who_is_called_the_patient_by_another_name_is_nobody_known() {
    let code = r#"<code code="ONESELF" codeSystem="2.16.840.1.113883.5.111"/>"#;
    let bob = "<name><given>Bob</given><family>Ash</family></name>";
    let own = r#"<id root="1.2.3.10" extension="x"/>"#;
    let assigned = format!(
        "<assignedEntity>{own}{code}<assignedPerson>{bob}</assignedPerson></assignedEntity>"
    );
    for part in [
        format!("<informant>{assigned}</informant>"),
        format!(
            r#"<authenticator><time value="20250101"/><signatureCode code="S"/>{assigned}</authenticator>"#
        ),
        format!("<dataEnterer>{assigned}</dataEnterer>"),
    ] {
        let draft = with_header(&[ADA, &part].concat());
        for kind in ["Practitioner", "PractitionerRole", "RelatedPerson"] {
            assert!(all(&draft, kind).is_empty(), "{kind} {part}");
        }
        let patients = all(&draft, "Patient");
        assert!(!Value::from(patients).to_string().contains("Bob"), "{part}");
        let why =
            "it says that somebody is the patient who bears another name: nobody knows who that is";
        assert!(
            why_lost(&draft, "given").contains(&why.to_owned()),
            "{part}"
        );
    }
    // Somebody of that number has another role elsewhere; and a relative is one, if of no known kin.
    let doctor = format!(
        r#"<author><time value="2025"/><assignedAuthor>{own}<assignedPerson>{bob}</assignedPerson></assignedAuthor></author>"#
    );
    let draft = with_header(&format!("{ADA}{doctor}<informant>{assigned}</informant>"));
    assert_eq!(all(&draft, "Practitioner").len(), 1);
    let related = format!(
        r#"<informant><relatedEntity classCode="PRS">{code}<relatedPerson>{bob}</relatedPerson></relatedEntity></informant>"#
    );
    let relative = one(&with_header(&[ADA, &related].concat()), "RelatedPerson");
    assert!(relative.get("relationship").is_none());
}
