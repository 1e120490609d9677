//! What can be told in two ways, and is told in the one that says no more than the source does.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read};
use serde_json::{Value, json};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;
const DONE: &str = r#"<statusCode code="completed"/>"#;

fn seen(template: &str, parts: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="{template}"/>{parts}</observation>"#
    )
}

/// FHIR demands a status of an allergy: one of whose status nothing is said is to be heeded, and says that this was assumed. No element
/// has a code and the reason why there is none.
#[test]
fn an_allergy_without_a_status_says_that_its_own_was_assumed() {
    const ASSUMED: &str = "https://medibloc.org/fhir/StructureDefinition/assumed";
    let is_assumed = |one: &Value| {
        let all = one["extension"].as_array().cloned().unwrap_or_default();
        all.contains(&json!({"url": ASSUMED, "valueCode": "clinicalStatus"}))
    };
    let agent = r#"<participant typeCode="CSM"><participantRole><playingEntity><code code="1" codeSystem="2.16.840.1.113883.6.88"/></playingEntity></participantRole></participant>"#;
    let parts = format!(
        r#"<code code="ASSERTION"/>{DONE}<value xsi:type="CD" code="419199007" {SCT}/>{agent}"#
    );
    let entry = seen("2.16.840.1.113883.10.20.22.4.7", &parts);
    let made = one(&read("48765-2", "", &entry), "AllergyIntolerance");
    assert_eq!(made["clinicalStatus"]["coding"][0]["code"], "active");
    assert_eq!(made["clinicalStatus"].get("extension"), None);
    assert!(is_assumed(&made));
    let act = format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.30"/><code code="CONC"/><statusCode code="active"/><entryRelationship typeCode="SUBJ">{entry}</entryRelationship></act>"#
    );
    let made = one(&read("48765-2", "", &act), "AllergyIntolerance");
    assert_eq!(made["clinicalStatus"]["coding"][0]["code"], "active");
    assert!(!is_assumed(&made));
}

/// What ends before it begins has both ends in the words of the source, whatever elements they are for.
#[test]
fn an_end_before_the_beginning_is_no_date() {
    let when = r#"<effectiveTime><low value="20200502"/><high value="20200501"/></effectiveTime>"#;
    let words = |one: &Value| one["extension"][0]["valueString"].clone();
    let parts = format!(
        r#"<code code="55607006" {SCT}/>{DONE}{when}<value xsi:type="CD" code="1" {SCT}/>"#
    );
    let made = one(
        &read(
            "11450-4",
            "",
            &seen("2.16.840.1.113883.10.20.22.4.4", &parts),
        ),
        "Condition",
    );
    assert_eq!(made.get("onsetDateTime"), None);
    assert_eq!(words(&made["_onsetDateTime"]), "20200502");
    assert_eq!(words(&made["_abatementDateTime"]), "20200501");
    let goal = format!(
        r#"<observation classCode="OBS" moodCode="GOL"><code code="1" {SCT}/>{DONE}{when}</observation>"#
    );
    let made = one(&read("61146-7", "", &goal), "Goal");
    assert_eq!(words(&made["_startDate"]), "20200502");
    assert_eq!(words(&made["target"][0]["_dueDate"]), "20200501");
}

/// A survey is what is asked with an instrument; what else was seen of how somebody does is none.
#[test]
fn a_finding_without_an_instrument_is_no_survey() {
    let parts = format!(r#"<code code="1" {SCT}/>{DONE}<value xsi:type="ST">x</value>"#);
    for (template, is_survey) in [
        ("2.16.840.1.113883.10.20.22.4.69", true),
        ("2.16.840.1.113883.10.20.22.4.86", true),
        ("2.16.840.1.113883.10.20.22.4.67", false),
        ("2.16.840.1.113883.10.20.22.4.128", false),
    ] {
        for section in ["47420-5", "10190-7", "51848-0"] {
            let made = one(&read(section, "", &seen(template, &parts)), "Observation");
            let sort = made["category"][0]["coding"][0]["code"].as_str();
            assert_eq!(sort == Some("survey"), is_survey, "{template} {section}");
        }
    }
}

/// What something was done with is used, and not the patient's; what was put in is theirs.
#[test]
fn an_instrument_is_used_and_stays_with_nobody() {
    let udi = r#"<id root="2.16.840.1.113883.3.3719" extension="(01)00643169007222(21)BLC2"/>"#;
    let plain = r#"<id root="1.2.3" extension="scope"/>"#;
    let unknown = r#"<id root="2.16.840.1.113883.3.3719" nullFlavor="NI"/>"#;
    for (section, kind, id, element) in [
        ("47519-4", "DEV", plain, "usedReference"),
        // Some name the instrument where a place belongs.
        ("47519-4", "LOC", plain, "usedReference"),
        ("47519-4", "DEV", udi, "focalDevice"),
        ("47519-4", "LOC", udi, "focalDevice"),
        ("47519-4", "PRD", plain, "focalDevice"),
        // What stands among the implants is one, whether or not its number is known.
        ("46264-8", "DEV", plain, "focalDevice"),
        ("46264-8", "DEV", unknown, "focalDevice"),
    ] {
        let entry = format!(
            r#"<procedure classCode="PROC" moodCode="EVN"><code code="73761001" {SCT}/>{DONE}<participant typeCode="{kind}"><participantRole classCode="MANU"><templateId root="2.16.840.1.113883.10.20.22.4.37"/>{id}<playingDevice><code code="90412006" {SCT}/></playingDevice></participantRole></participant></procedure>"#
        );
        let draft = read(section, "", &entry);
        let done = one(&draft, "Procedure");
        let tool = one(&draft, "Device");
        let url = json!({"reference": format!("urn:uuid:{}", tool["id"].as_str().unwrap())});
        let wanted = match element {
            "focalDevice" => json!([{"manipulated": url}]),
            _ => json!([url]),
        };
        assert_eq!(done[element], wanted, "{kind}");
        assert_eq!(
            tool.get("patient").is_some(),
            element == "focalDevice",
            "{kind}"
        );
        assert!(all(&draft, "Location").is_empty(), "{kind}");
        let others = ["usedReference", "focalDevice"].iter();
        let many = others.filter(|name| done.get(**name).is_some()).count();
        assert_eq!(many, 1, "{kind}");
    }
}

/// The sex at birth is told of the patient, too, if the observation of it holds and is of the patient.
#[test]
fn the_sex_at_birth_is_the_patients() {
    const BIRTH: &str = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex";
    let template = "2.16.840.1.113883.10.20.22.4.200";
    let of = |state: &str, denied: &str, subject: &str, code: &str| {
        let parts = format!(
            r#"<code code="76689-9" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="{state}"/><effectiveTime value="2020"/><value xsi:type="CD" code="{code}" codeSystem="2.16.840.1.113883.5.1"/>{subject}"#
        );
        seen(template, &parts).replace("<observation ", &format!("<observation {denied} "))
    };
    let child = r#"<subject><relatedSubject classCode="PRS"><code code="NCHILD" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject>"#;
    for (entry, wanted) in [
        (of("completed", "", "", "F"), Some("F")),
        (of("completed", "", "", "X"), None),
        (of("nullified", "", "", "F"), None),
        (of("completed", r#"negationInd="true""#, "", "F"), None),
        (of("completed", "", child, "F"), None),
    ] {
        let draft = read("29762-2", "", &entry);
        let patient = one(&draft, "Patient");
        let told = patient["extension"].as_array().cloned().unwrap_or_default();
        let told = told.iter().find(|one| one["url"] == BIRTH);
        let code = told.map(|one| one["valueCode"].as_str().unwrap());
        assert_eq!(code, wanted, "{entry}");
        let is_denied = entry.contains("negationInd");
        assert_eq!(
            all(&draft, "Observation").len(),
            usize::from(!is_denied),
            "{entry}"
        );
    }
}

/// What is to be done may be told by a statement inside that has its number, and says that it was done.
#[test]
fn what_tells_of_a_plan_by_its_number_is_no_deed() {
    let plan = |number: &str, code: &str| {
        format!(
            r#"<procedure classCode="PROC" moodCode="RQO"><templateId root="2.16.840.1.113883.10.20.22.4.41"/><id root="1.2.840.7" extension="1"/>{code}<entryRelationship typeCode="REFR"><procedure classCode="PROC" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.14"/><id root="1.2.840.7" extension="{number}"/><code code="168731009" {SCT}/><statusCode code="active"/><effectiveTime><low value="20240130"/></effectiveTime></procedure></entryRelationship></procedure>"#
        )
    };
    let named = format!(r#"<code code="399208008" {SCT}/>"#);
    for (number, code, orders, deeds) in [
        ("1", "", 1, 0),
        // It is another one.
        ("2", "", 0, 1),
        ("1", &*named, 1, 1),
    ] {
        let draft = read("18776-5", "", &plan(number, code));
        let found = all(&draft, "ServiceRequest");
        assert_eq!(found.len(), orders, "{number} {code}");
        assert_eq!(all(&draft, "Procedure").len(), deeds, "{number} {code}");
        if deeds == 0 {
            assert_eq!(found[0]["status"], "active");
            assert_eq!(found[0]["intent"], "order");
            assert_eq!(found[0]["code"]["coding"][0]["code"], "168731009");
        }
    }
}
