//! In which part people stand in a header, and what that makes of them.

use medibloc_record::Draft;
use serde_json::{Value, json};

use super::document::{all, one, with_header};

const PARTS: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

fn person(name: &str, tag: &str) -> String {
    format!(
        r#"<id root="1.2.9" extension="{name}"/><{tag}><name><family>{name}</family></name></{tag}>"#
    )
}

fn participant(kind: &str, class: &str, name: &str, parts: &str) -> String {
    format!(
        r#"<participant typeCode="{kind}">{parts}<associatedEntity classCode="{class}">{}</associatedEntity></participant>"#,
        person(name, "associatedPerson")
    )
}

/// The references of the composition's extensions of that name, with the parts of how they take part.
fn parts(draft: &Draft, what: &str) -> Vec<(Value, Value)> {
    let url = format!("http://hl7.org/fhir/us/ccda/StructureDefinition/{what}Extension");
    let composition = one(draft, "Composition");
    let all = composition["extension"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let found = all.into_iter().filter(|one| one["url"] == url);
    found
        .map(|one| {
            let to = &one["valueReference"];
            (
                to["reference"].clone(),
                to["extension"][0]["extension"].clone(),
            )
        })
        .collect()
}

fn coded(code: &str) -> Value {
    json!({"url": "type", "valueCoding": {"system": PARTS, "code": code}})
}

#[test]
fn in_which_way_somebody_takes_part_is_said() {
    let time = r#"<time value="20050329"/>"#;
    for kind in [
        "CALLBCK", "REF", "REFB", "REFT", "CON", "VRF", "IND", "DIST",
    ] {
        let draft = with_header(&participant(kind, "ASSIGNED", "Oak", time));
        let found = parts(&draft, "Participant");
        let period = json!({"start": "2005-03-29", "end": "2005-03-29"});
        let said = json!([coded(kind), {"url": "period", "valuePeriod": period}]);
        assert_eq!(found[0].1, said, "{kind}");
    }
    let draft = with_header(&participant("XYZ", "ASSIGNED", "Oak", ""));
    let said = &parts(&draft, "Participant")[0].1;
    assert_eq!(
        *said,
        json!([{"url": "type", "valueCoding": {"code": "XYZ"}}])
    );
    // A contact is one for this and that, and whoever is merely concerned (`IND`) is so by being one.
    for (kind, said) in [("IND", Value::Null), ("CALLBCK", json!([coded("CALLBCK")]))] {
        let draft = with_header(&participant(kind, "NOK", "Elm", ""));
        let contact = &one(&draft, "Patient")["contact"][0];
        assert_eq!(contact["extension"][0]["extension"], said, "{kind}");
    }
}

#[test]
fn who_referred_the_patient_asked_for_the_one_order() {
    let order = |number: &str| {
        format!(
            r#"<inFulfillmentOf><order><id root="1.4" extension="{number}"/></order></inFulfillmentOf>"#
        )
    };
    let asked = |header: &[String]| {
        let draft = with_header(&header.concat());
        let found = all(&draft, "ServiceRequest");
        let by = found.iter().filter_map(|one| one.get("requester"));
        (by.count(), parts(&draft, "Participant").len())
    };
    let by = |kind: &str, name: &str| participant(kind, "PROV", name, "");
    assert_eq!(asked(&[by("REF", "Oak"), order("1")]), (1, 1));
    assert_eq!(asked(&[by("REFB", "Oak"), order("1")]), (1, 1));
    assert_eq!(asked(&[by("REFT", "Oak"), order("1")]), (0, 1));
    assert_eq!(asked(&[by("CALLBCK", "Oak"), order("1")]), (0, 1));
    // Nobody says which of two.
    assert_eq!(
        asked(&[by("REF", "Oak"), by("REF", "Elm"), order("1")]),
        (0, 2)
    );
    assert_eq!(asked(&[by("REF", "Oak"), order("1"), order("2")]), (0, 1));
}

fn event(class: &str, kind: &str, function: &str) -> Draft {
    with_header(&format!(
        r#"<documentationOf><serviceEvent classCode="{class}"><effectiveTime value="2020"/><performer typeCode="{kind}"><functionCode code="{function}" codeSystem="2.16.840.1.113883.5.88"/><assignedEntity>{}</assignedEntity></performer></serviceEvent></documentationOf>"#,
        person("Oak", "assignedPerson")
    ))
}

#[test]
fn who_did_one_thing_is_no_team_of_the_patients() {
    for class in ["PROC", "ACT", "ENC"] {
        let draft = event(class, "PPRF", "PCP");
        assert!(all(&draft, "CareTeam").is_empty(), "{class}");
        assert_eq!(one(&draft, "Patient").get("generalPractitioner"), None);
        let (to, how) = parts(&draft, "Performer").remove(0);
        assert!(to.is_string());
        assert_eq!(how[0], coded("PPRF"));
        assert_eq!(how[1]["valueCodeableConcept"]["coding"][0]["code"], "PCP");
    }
    for (kind, roles) in [
        ("PRF", vec![json!("PCP")]),
        ("PPRF", vec![json!("PCP"), json!("PPRF")]),
        ("SPRF", vec![json!("PCP"), json!("SPRF")]),
    ] {
        let draft = event("PCPR", kind, "PCP");
        let team = one(&draft, "CareTeam");
        let said = team["participant"][0]["role"].as_array().unwrap().iter();
        let said: Vec<Value> = said.map(|role| role["coding"][0]["code"].clone()).collect();
        assert_eq!(said, roles);
        assert!(parts(&draft, "Performer").is_empty());
        assert!(one(&draft, "Patient")["generalPractitioner"][0].is_object());
    }
}

/// A provider's role of HL7 v2 (`PP`) is that of whoever did most of it, whatever it was.
#[test]
fn who_did_an_operation_is_not_the_patients_own_physician() {
    const CPT: &str = r#"<code code="19301" codeSystem="2.16.840.1.113883.6.12"/>"#;
    let said = |words: &str| format!("<originalText>{words}</originalText>");
    let (surgeon, own) = (said("Surgeon"), said("Primary Care Provider"));
    for (code, function, words, is_own) in [
        ("", "PP", "", true),
        ("", "PP", &*own, true),
        (r#"<code nullFlavor="NI"/>"#, "PP", &*own, true),
        ("", "PP", &*surgeon, false),
        ("", "PCP", &*surgeon, true),
        (CPT, "PP", &*surgeon, false),
        (CPT, "PP", &*own, true),
        (CPT, "PP", "", false),
        (CPT, "PCP", "", true),
    ] {
        let draft = with_header(&format!(
            r#"<documentationOf><serviceEvent classCode="PCPR">{code}<performer typeCode="PPRF"><functionCode code="{function}" codeSystem="2.16.840.1.113883.12.443" displayName="Primary Performer">{words}</functionCode><assignedEntity>{}</assignedEntity></performer></serviceEvent></documentationOf>"#,
            person("Oak", "assignedPerson")
        ));
        let patient = one(&draft, "Patient");
        let found = patient.get("generalPractitioner").is_some();
        assert_eq!(found, is_own, "{code} {function} {words}");
        assert_eq!(all(&draft, "CareTeam").len(), 1);
    }
}

/// A participant of the header may be the patient's own physician, too.
#[test]
fn the_patients_own_physician_may_stand_among_the_participants() {
    let function = r#"<functionCode code="PCP" codeSystem="2.16.840.1.113883.5.88"/>"#;
    let draft = with_header(&participant("IND", "PROV", "Oak", function));
    assert!(one(&draft, "Patient")["generalPractitioner"][0].is_object());
    let draft = with_header(&participant("IND", "PROV", "Oak", ""));
    assert_eq!(one(&draft, "Patient").get("generalPractitioner"), None);
}

/// What a code is called says who somebody is where no other words do, whatever was done.
#[test]
fn a_primary_care_provider_by_name_is_the_patients_own_physician() {
    let said = "<originalText>Surgeon</originalText>";
    for (name, words, is_own) in [
        ("Primary Care Provider", "", true),
        ("Primary CareProvider", "", true),
        ("Primary Performer", "", false),
        ("Primary Care Provider", said, false),
    ] {
        let draft = with_header(&format!(
            r#"<documentationOf><serviceEvent classCode="PCPR"><code code="19301" codeSystem="2.16.840.1.113883.6.12"/><performer typeCode="PRF"><functionCode code="PP" codeSystem="2.16.840.1.113883.12.443" displayName="{name}">{words}</functionCode><assignedEntity>{}</assignedEntity></performer></serviceEvent></documentationOf>"#,
            person("Oak", "assignedPerson")
        ));
        let patient = one(&draft, "Patient");
        let found = patient.get("generalPractitioner").is_some();
        assert_eq!(found, is_own, "{name} {words}");
    }
}
