//! Houses that wrote, did or shall get something, and nobody in them who is named.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read, whole, with_header};
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const ROLE: &str = r#"<id root="1.2.3.8" extension="r"/><code code="282N00000X" codeSystem="2.16.840.1.113883.6.101"/><addr><city>Bonn</city></addr><telecom value="tel:+1555"/>"#;

fn of_house(name: &str) -> String {
    format!(r#"{ROLE}<{name}><id root="1.2.3.9" extension="h"/><name>City Lab</name></{name}>"#)
}

/// The resource that a reference points to.
fn at(draft: &Draft, reference: &Value) -> Value {
    let bundle = Value::from(draft.fhir.clone());
    let entries = bundle["entry"].as_array().unwrap();
    let found = entries
        .iter()
        .find(|entry| entry["fullUrl"] == reference["reference"]);
    found.unwrap()["resource"].clone()
}

fn is_the_house(draft: &Draft, reference: &Value, what: &str) {
    let house = at(draft, reference);
    assert_eq!(house["resourceType"], "Organization", "{what}");
    assert_eq!(house["name"], "City Lab", "{what}");
    assert_eq!(house["identifier"].as_array().unwrap().len(), 1, "{what}");
}

/// What is known of the role is told of some role in the house, and nobody is made.
fn is_told_of_a_role(draft: &Draft, what: &str) {
    assert_eq!(all(draft, "Practitioner"), Vec::<Value>::new(), "{what}");
    let roles = all(draft, "PractitionerRole");
    let role = roles.iter().find(|role| role.get("identifier").is_some());
    let role = role.unwrap();
    assert_eq!(role["identifier"][0]["value"], "r", "{what}");
    assert_eq!(role["code"][0]["coding"][0]["code"], "282N00000X", "{what}");
    assert_eq!(role["telecom"][0]["value"], "+1555", "{what}");
    is_the_house(draft, &role["organization"], what);
    let place = at(draft, &role["location"][0]);
    assert_eq!(place["address"]["city"], "Bonn", "{what}");
}

/// Where nobody is named but a house, the house did it; where an element has no place for a house, somebody of that house did.
#[test]
fn a_house_without_a_person_is_a_house() {
    let performer = format!(
        "<performer><assignedEntity>{}</assignedEntity></performer>",
        of_house("representedOrganization")
    );
    let code = r#"<code code="1" codeSystem="2.16.840.1.113883.6.96"/>"#;
    let done = r#"<statusCode code="completed"/>"#;
    let drug = r#"<consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>"#;
    let seen = r#"<value xsi:type="PQ" value="1" unit="g"/>"#;
    for (section, entry, kind, element, is_house) in [
        (
            "30954-2",
            format!(
                r#"<observation classCode="OBS" moodCode="EVN">{code}{done}{seen}{performer}</observation>"#
            ),
            "Observation",
            "/performer/0",
            true,
        ),
        (
            "47519-4",
            format!(
                r#"<procedure classCode="PROC" moodCode="EVN">{code}{done}{performer}</procedure>"#
            ),
            "Procedure",
            "/performer/0/actor",
            true,
        ),
        (
            "18776-5",
            format!(r#"<procedure classCode="PROC" moodCode="INT">{code}{performer}</procedure>"#),
            "ServiceRequest",
            "/performer/0",
            true,
        ),
        (
            "46240-8",
            format!(
                r#"<encounter classCode="ENC" moodCode="EVN"><id root="1.2.7" extension="e"/>{code}{performer}</encounter>"#
            ),
            "Encounter",
            "/participant/0/individual",
            false,
        ),
        (
            "29549-3",
            format!(
                r#"<substanceAdministration classCode="SBADM" moodCode="EVN">{done}<effectiveTime value="20200101"/>{drug}{performer}</substanceAdministration>"#
            ),
            "MedicationAdministration",
            "/performer/0/actor",
            false,
        ),
    ] {
        let draft = read(section, "", &entry);
        let who = one(&draft, kind).pointer(element).unwrap().clone();
        if is_house {
            is_the_house(&draft, &who, kind);
        } else {
            let role = at(&draft, &who);
            assert_eq!(role["resourceType"], "PractitionerRole", "{kind}");
            assert_eq!(role.get("practitioner"), None, "{kind}");
            is_the_house(&draft, &role["organization"], kind);
        }
        is_told_of_a_role(&draft, kind);
    }
}

/// The same holds in a header.
#[test]
fn a_house_in_a_header_is_a_house() {
    let received = of_house("receivedOrganization");
    let represented = of_house("representedOrganization");
    let scoping = of_house("scopingOrganization");
    let got = format!(
        "<informationRecipient><intendedRecipient>{received}</intendedRecipient></informationRecipient>"
    );
    let wrote = format!(
        r#"<author><time value="2020"/><assignedAuthor>{represented}</assignedAuthor></author>"#
    );
    let referred = format!(
        r#"<participant typeCode="REFT"><associatedEntity classCode="PROV">{scoping}</associatedEntity></participant>"#
    );
    for (header, element) in [
        (got, "/extension/0/valueReference"),
        (wrote, "/author/0"),
        (referred, "/extension/0/valueReference"),
    ] {
        let draft = with_header(&header);
        let who = one(&draft, "Composition").pointer(element).unwrap().clone();
        is_the_house(&draft, &who, &header);
        is_told_of_a_role(&draft, &header);
    }
}

/// A number that is that of somebody with a name says who it is, and so does a person without a name.
#[test]
fn a_person_of_a_house_is_a_person() {
    let person = "<assignedPerson><name><given>Ada</given></name></assignedPerson>";
    let author = |who: &str| {
        format!(
            r#"<author><time value="2020"/><assignedAuthor>{}{who}</assignedAuthor></author>"#,
            of_house("representedOrganization")
        )
    };
    let performer = format!(
        "<performer><assignedEntity>{}</assignedEntity></performer>",
        of_house("representedOrganization")
    );
    let entry = format!(
        r#"<entry><procedure classCode="PROC" moodCode="EVN"><code code="1" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>{performer}</procedure></entry>"#
    );
    let xml = whole(&author(person), "47519-4", "", &entry);
    let draft = Cda.read(xml.as_bytes()).unwrap();
    let who = &one(&draft, "Procedure")["performer"][0]["actor"];
    assert_eq!(at(&draft, who)["name"][0]["given"], json!(["Ada"]));
    let draft = with_header(&author("<assignedPerson><name/></assignedPerson>"));
    let who = &one(&draft, "Composition")["author"][0];
    assert_eq!(at(&draft, who)["resourceType"], "Practitioner");
}
