//! What something is called: by the words of the statement, and by those that are its own.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read, whole, with_header};
use medibloc_format_cda::Cda;
use medibloc_record::Format as _;
use serde_json::json;

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn within(kind: &str, inner: &str) -> String {
    format!(r#"<entryRelationship typeCode="{kind}">{inner}</entryRelationship>"#)
}

fn problem(code: &str, value: &str) -> String {
    format!(
        r##"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/>{code}<text><reference value="#p"/></text><statusCode code="completed"/>{value}</observation>"##
    )
}

/// A code without a name has the words that the statement points to, if they are no row of a table.
#[test]
fn a_problem_without_a_name_has_the_words_of_its_statement() {
    let bare = r#"<value xsi:type="CD"><translation code="250.80" codeSystem="2.16.840.1.113883.6.103"/></value>"#;
    let named = r#"<value xsi:type="CD"><translation code="250.80" codeSystem="2.16.840.1.113883.6.103" displayName="Diabetes"/></value>"#;
    let cell =
        r#"<table><tbody><tr><td ID="p">Foot ulcer</td><td>Active</td></tr></tbody></table>"#;
    let row = r#"<table><tbody><tr ID="p"><td>Foot ulcer</td><td>Active</td></tr></tbody></table>"#;
    for (text, value, wanted) in [
        (cell, bare, json!("Foot ulcer")),
        (row, bare, json!(null)),
        (cell, named, json!(null)),
    ] {
        let made = one(&read("11450-4", text, &problem("", value)), "Condition");
        assert_eq!(made["code"]["text"], wanted, "{text} {value}");
        assert_eq!(made["code"]["coding"][0]["code"], "250.80");
    }
}

/// That something is asserted is no sort of problem.
#[test]
fn an_assertion_is_no_category() {
    let value = format!(r#"<value xsi:type="CD" code="1" {SCT}/>"#);
    let sorts = |code: &str| {
        one(&read("11450-4", "", &problem(code, &value)), "Condition")["category"].clone()
    };
    let asserted = sorts(r#"<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>"#);
    assert_eq!(asserted.as_array().unwrap().len(), 1);
    assert_eq!(asserted[0]["coding"][0]["code"], "problem-list-item");
    let named = sorts(&format!(r#"<code code="404684003" {SCT}/>"#));
    assert_eq!(named[1]["coding"][0]["code"], "404684003");
}

fn vaccine(inner: &str) -> String {
    format!(
        r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.52"/><effectiveTime value="2020"/><consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.12.292"/></manufacturedMaterial></manufacturedProduct></consumable>{inner}</substanceAdministration>"#
    )
}

/// Which dose it was is told of the vaccine, also that it is not known, and nothing was observed.
#[test]
fn a_dose_is_a_dose_of_the_vaccine() {
    let unknown = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]});
    for (value, wanted) in [
        (
            r#"<value xsi:type="INT" value="2"/>"#,
            json!([{"doseNumberPositiveInt": 2}]),
        ),
        (
            r#"<value xsi:type="ST">Booster</value>"#,
            json!([{"doseNumberString": "Booster"}]),
        ),
        (
            r#"<value xsi:type="INT" nullFlavor="UNK"/>"#,
            json!([{"_doseNumberPositiveInt": unknown}]),
        ),
    ] {
        let dose = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.46"/><code code="30973-2" codeSystem="2.16.840.1.113883.6.1" displayName="Dose Number"/><statusCode code="completed"/>{value}</observation>"#
        );
        let draft = read("11369-6", "", &vaccine(&within("SUBJ", &dose)));
        assert_eq!(one(&draft, "Immunization")["protocolApplied"], wanted);
        assert!(all(&draft, "Observation").is_empty(), "{value}");
    }
}

/// A reaction that is told by its name alone happened, and is not unknown.
#[test]
fn a_reaction_by_its_name_is_a_finding() {
    let reaction = |template: &str, text: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="{template}"/><code nullFlavor="UNK"/>{text}<statusCode code="completed"/><value xsi:type="CD" nullFlavor="UNK"/></observation>"#
        )
    };
    let pointer = r##"<text><reference value="#r"/></text>"##;
    let cell = r#"<content ID="r">FEVER</content>"#;
    let draft = read(
        "11369-6",
        cell,
        &vaccine(&within(
            "CAUS",
            &reaction("2.16.840.1.113883.10.20.1.54", pointer),
        )),
    );
    let seen = one(&draft, "Observation");
    assert_eq!(seen["code"]["text"], "FEVER");
    assert!(seen.get("dataAbsentReason").is_none());
    assert!(one(&draft, "Immunization")["reaction"][0]["detail"].is_object());
    // What was asked and is not known is unknown.
    let draft = read(
        "30954-2",
        cell,
        &reaction("2.16.840.1.113883.10.20.22.4.2", pointer),
    );
    assert!(one(&draft, "Observation")["dataAbsentReason"].is_object());
}

/// A name alone makes nobody the same; a name and a house, or a telephone, does.
#[test]
fn a_name_alone_joins_nobody() {
    let author = |more: &str| {
        format!(
            r#"<author><time value="2020"/><assignedAuthor>{more}<assignedPerson><name><family>Ash</family></name></assignedPerson></assignedAuthor></author>"#
        )
    };
    let people = |parts: &[&str]| {
        let header: String = parts.iter().map(|part| author(part)).collect();
        all(&with_header(&header), "Practitioner").len()
    };
    let (phone, other) = (r#"<telecom value="tel:1"/>"#, r#"<telecom value="tel:2"/>"#);
    let number = r#"<id root="1.2.9" extension="a"/>"#;
    assert_eq!(people(&["", ""]), 2);
    assert_eq!(people(&[phone, phone]), 1);
    assert_eq!(people(&[phone, other]), 2);
    assert_eq!(people(&[phone, ""]), 2);
    assert_eq!(people(&[number, number]), 1);
    let house = |name: &str| {
        let author = author("");
        let role = format!(
            "<representedOrganization><name>{name}</name></representedOrganization></assignedAuthor>"
        );
        author.replace("</assignedAuthor>", &role)
    };
    let at = |one: &str, other: &str| {
        let draft = with_header(&[house(one), house(other)].concat());
        all(&draft, "Practitioner").len()
    };
    assert_eq!((at("Elm", "Elm"), at("Elm", "Fir")), (1, 2));
    // One who stands once is one, however many statements are hers.
    let seen = r#"<entry><observation classCode="OBS" moodCode="EVN"><code code="1"/><value xsi:type="ST">x</value></observation></entry>"#;
    let xml = whole(&author(""), "30954-2", "", &[seen, seen].concat());
    assert_eq!(
        all(&Cda.read(xml.as_bytes()).unwrap(), "Practitioner").len(),
        1
    );
}

/// An instruction is told in its own words, and not with those of the medicine that it points to.
#[test]
fn an_instruction_has_its_own_words() {
    let order = |text: &str| {
        let act = format!(
            r#"<act classCode="ACT" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.20"/><code code="423564006" codeSystem="2.16.840.1.113883.6.96" displayName="Provider instructions"/><text>{text}</text><statusCode code="completed"/></act>"#
        );
        let entry = vaccine(&within("SUBJ", &act)).replace("22.4.52", "22.4.16");
        let made = one(
            &read("10160-0", r#"<content ID="m">Aspirin</content>"#, &entry),
            "MedicationStatement",
        );
        made["dosage"][0]["patientInstruction"].clone()
    };
    let pointer = r##"<reference value="#m"/>"##;
    assert_eq!(
        order(&format!("{pointer}Take it with water")),
        "Take it with water"
    );
    assert_eq!(order(pointer), "Aspirin");
    // Words that are not there are none, and the name of the code says of which sort they would be.
    for empty in ["", r##"<reference value="#none"/>"##] {
        assert_eq!(order(empty), serde_json::Value::Null, "{empty}");
    }
}

/// A section that says by its null flavor that it has nothing says why, beside its words.
#[test]
fn an_empty_section_says_why() {
    let reason = |flavor: &str, entries: &str| {
        let xml = whole("", "11450-4", "None known", entries);
        let xml = xml.replace("<section>", &format!("<section {flavor}>"));
        let draft = Cda.read(xml.as_bytes()).unwrap();
        one(&draft, "Composition")["section"][0]["emptyReason"]["coding"][0]["code"].clone()
    };
    let entry = format!(
        "<entry>{}</entry>",
        problem("", &format!(r#"<value xsi:type="CD" code="1" {SCT}/>"#))
    );
    assert_eq!(reason(r#"nullFlavor="NI""#, ""), "unavailable");
    assert!(reason("", "").is_null());
    assert!(reason(r#"nullFlavor="NI""#, &entry).is_null());
}

/// A root that is no system for the validator of FHIR (an OID of few letters, say) is whose number it is, or the number itself.
#[test]
fn no_number_is_lost_by_its_root() {
    let numbers = |id: &str| {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN">{id}<code code="1"/><value xsi:type="ST">x</value></observation>"#
        );
        one(&read("30954-2", "", &entry), "Observation")["identifier"].clone()
    };
    let uri = "urn:ietf:rfc:3986";
    for (id, wanted) in [
        (
            r#"<id root="1.2.4" extension="a"/>"#,
            json!([{"value": "a", "assigner": {"identifier": {"value": "1.2.4"}}}]),
        ),
        (r#"<id root="2.999"/>"#, json!([{"value": "2.999"}])),
        (
            r#"<id root="our lab" extension="a"/>"#,
            json!([{"value": "a", "assigner": {"identifier": {"value": "our lab"}}}]),
        ),
        (r#"<id root="MyId"/>"#, json!([{"value": "MyId"}])),
        (
            r#"<id root="http://x.example/a" extension="b"/>"#,
            json!([{"system": "http://x.example/a", "value": "b"}]),
        ),
        (
            r#"<id root="urn:x:y"/>"#,
            json!([{"system": uri, "value": "urn:x:y"}]),
        ),
        (r#"<id root="MyId" nullFlavor="UNK"/>"#, json!(null)),
    ] {
        assert_eq!(numbers(id), wanted, "{id}");
    }
}

/// What a group of devices is called, and since when there are some, is told of each.
#[test]
fn a_group_of_devices_is_named() {
    let supply = format!(
        r#"<supply classCode="SPLY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.50"/><participant typeCode="PRD"><participantRole classCode="MANU"><templateId root="2.16.840.1.113883.10.20.22.4.37"/><playingDevice><code code="1" {SCT}/></playingDevice></participantRole></participant></supply>"#
    );
    let entry = format!(
        r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.135"/><code code="40388003" {SCT} displayName="Implant"/><statusCode code="completed"/><effectiveTime><low value="20070103"/></effectiveTime><component>{supply}</component></organizer>"#
    );
    let draft = read("46264-8", "", &entry);
    let made = one(&draft, "DeviceUseStatement");
    assert_eq!(made["note"], json!([{"text": "Implant, from 2007-01-03"}]));
}

/// Who took part in a visit, and when.
#[test]
fn a_performer_of_a_visit_has_a_time() {
    let entry = r#"<encounter classCode="ENC" moodCode="EVN"><code code="1"/><performer><time value="20200102"/><assignedEntity><id root="1.2.9" extension="a"/></assignedEntity></performer></encounter>"#;
    let made = one(&read("46240-8", "", entry), "Encounter");
    let day = "2020-01-02";
    assert_eq!(
        made["participant"][0]["period"],
        json!({"start": day, "end": day})
    );
}

/// What a medicine is sold as is kept beside what it is.
#[test]
fn a_brand_is_kept_beside_a_code() {
    let brand = |name: &str| {
        let entry = vaccine("").replace("22.4.52", "22.4.16").replace(
            r#"<code code="1" codeSystem="2.16.840.1.113883.12.292"/>"#,
            &format!(r#"<code code="1" codeSystem="2.16.840.1.113883.6.88" displayName="Albuterol"/>{name}"#),
        );
        let made = one(&read("10160-0", "", &entry), "MedicationStatement");
        let code = &made["medicationCodeableConcept"];
        assert_eq!(code["text"], "Albuterol");
        code.get("extension").cloned()
    };
    let url = "https://medibloc.org/fhir/StructureDefinition/product-name";
    let named = json!([{"url": url, "valueString": "Proventil"}]);
    assert_eq!(brand("<name>Proventil</name>"), Some(named));
    assert_eq!(brand("<name>albuterol</name>"), None);
    assert_eq!(brand(""), None);
}

/// An instruction that stands by itself is told in the words that it points to.
#[test]
fn an_instruction_that_points_to_its_words_has_them() {
    let act = r##"<act classCode="ACT" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.20"/><code code="171044003" codeSystem="2.16.840.1.113883.6.96"/><text><reference value="#i"/></text><statusCode code="completed"/></act>"##;
    let text = r#"<content ID="i">You may have a fever.</content>"#;
    let draft = read("11369-6", text, &vaccine(&within("SUBJ", act)));
    assert_eq!(
        one(&draft, "ServiceRequest")["patientInstruction"],
        "You may have a fever."
    );
}

/// A name makes two relatives the same only if they are the patient's in the same way.
#[test]
fn a_father_is_no_son() {
    let told = |kin: &str| {
        format!(
            r#"<informant><relatedEntity classCode="PRS"><code code="{kin}" codeSystem="2.16.840.1.113883.5.111"/><relatedPerson><name><family>Ash</family></name></relatedPerson></relatedEntity></informant>"#
        )
    };
    let people = |one: &str, other: &str| {
        let header = [told(one), told(other)].concat();
        all(&with_header(&header), "RelatedPerson").len()
    };
    assert_eq!((people("FTH", "SON"), people("FTH", "FTH")), (2, 1));
}

/// What the source says of a part of a name stands at that part, and what a name is for is what the source says: a name to search by is
/// no maiden name.
#[test]
fn the_parts_of_a_name_keep_what_is_said_of_them() {
    let mark = |code: &str| json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-qualifier", "valueCode": code}]});
    let names = |all: &str| {
        let header = format!(
            "<recordTarget><patientRole><patient>{all}</patient></patientRole></recordTarget>"
        );
        one(&with_header(&header), "Patient")["name"].clone()
    };
    let born = r#"<given>Eve</given><family qualifier="BR">Wu</family>"#;
    let changed =
        r#"<given qualifier="BR">Eva</given><given>Jo</given><family qualifier="BR">Wu</family>"#;
    let now = r#"<name use="L"><given>Eve</given><family>Ash</family></name>"#;
    let searched = names(&format!(r#"{now}<name use="SRCH">{born}</name>"#));
    let for_search = json!([{"url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-use", "valueCode": "SRCH"}]);
    assert_eq!(
        searched[1],
        json!({"extension": for_search, "family": "Wu", "_family": mark("BR"), "given": ["Eve"]})
    );
    for (usage, parts, beside, wanted) in [
        ("", born, true, json!("maiden")),
        ("", born, false, json!("maiden")),
        ("", changed, true, json!("old")),
        ("", changed, false, json!(null)),
        (r#"use="L""#, born, true, json!("usual")),
        (r#"use="C""#, born, true, json!("official")),
    ] {
        let all = format!(
            "<name {usage}>{parts}</name>{}",
            if beside { now } else { "" }
        );
        let told = names(&all);
        assert_eq!(told[0]["use"], wanted, "{all}");
        assert_eq!(told[0]["_family"], mark("BR"), "{all}");
        assert_eq!(
            told.as_array().unwrap().len(),
            1 + usize::from(beside),
            "{all}"
        );
        if parts == changed {
            assert_eq!(told[0]["_given"], json!([mark("BR"), null]), "{all}");
        }
    }
    let told = names(
        r#"<name><prefix qualifier="AC">Dr.</prefix><prefix>Mrs.</prefix><given qualifier="IN">E</given><family qualifier="SP">Ash</family><suffix qualifier="AC LS">MD</suffix></name>"#,
    );
    assert_eq!(told[0]["_prefix"], json!([mark("AC"), null]));
    assert_eq!(told[0]["_given"], json!([mark("IN")]));
    assert_eq!(told[0]["_family"], mark("SP"));
    assert_eq!(
        told[0]["_suffix"][0]["extension"].as_array().unwrap().len(),
        2
    );
    // Of one part of a family name it is not said of the whole.
    let told = names(
        r#"<name><given>E</given><family qualifier="SP">Ash</family><family>Wu</family></name>"#,
    );
    assert_eq!(told[0]["family"], "Ash Wu");
    assert_eq!(told[0].get("_family"), None);
}
