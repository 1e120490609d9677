//! Several things in one statement, and things that stand in another place or form than the guide has.

use serde_json::{Value, json};

use super::document::{all, one, read, why_lost};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn codes(all: &[Value]) -> Vec<&Value> {
    all.iter()
        .map(|one| &one["code"]["coding"][0]["code"])
        .collect()
}

fn problem(code: &str, values: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><id root="1.9" extension="p"/>{code}<statusCode code="completed"/>{values}</observation>"#
    )
}

fn concern(inner: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><statusCode code="active"/><entryRelationship typeCode="SUBJ">{inner}</entryRelationship></act>"#
    )
}

#[test]
fn each_value_is_a_problem_and_each_substance_an_allergy() {
    let kind = format!(r#"<code code="55607006" {SCT}/>"#);
    let value = |code: &str| format!(r#"<value xsi:type="CD" code="{code}" {SCT}/>"#);
    let two = problem(&kind, &[value("1"), value("2")].concat());
    for entry in [concern(&two), two] {
        let found = all(&read("11450-4", "", &entry), "Condition");
        assert_eq!(codes(&found), ["1", "2"], "{entry}");
        assert_ne!(found[0]["id"], found[1]["id"]);
    }
    let part = |kind: &str, code: &str| {
        format!(
            r#"<participant typeCode="{kind}"><participantRole><playingEntity><code code="{code}" codeSystem="2.16.840.1.113883.6.88"/></playingEntity></participantRole></participant>"#
        )
    };
    for (second, wanted) in [
        (part("CSM", "2"), vec!["1", "2"]),
        (part("CSM", "1"), vec!["1"]),
        (part("IND", "2"), vec!["1"]),
    ] {
        let first = part("CSM", "1");
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/><value xsi:type="CD" code="419199007" {SCT}/>{first}{second}</observation>"#
        );
        let found = all(&read("48765-2", "", &entry), "AllergyIntolerance");
        assert_eq!(codes(&found), wanted);
    }
}

/// What is said of one value alone, that it is known to be absent or another's, is not said of the values beside it.
#[test]
fn what_is_said_of_one_value_is_said_of_no_other() {
    let kind = format!(r#"<code code="55607006" {SCT}/>"#);
    let plain = |code: &str| format!(r#"<value xsi:type="CD" code="{code}" {SCT}/>"#);
    let about = |code: &str, name: &str, what: &str| {
        format!(
            r#"<value xsi:type="CD" code="{code}" {SCT}><qualifier><name code="{name}" {SCT}/><value code="{what}" {SCT}/></qualifier></value>"#
        )
    };
    for (values, sound) in [
        ([plain("1"), about("2", "408729009", "410516002")], "1"),
        ([about("2", "408729009", "410516002"), plain("1")], "2"),
        ([plain("1"), about("2", "408729009", "415684004")], "1"),
        ([plain("1"), about("2", "408732007", "444148008")], "1"),
    ] {
        let entry = concern(&problem(&kind, &values.concat()));
        let draft = read("11450-4", "", &entry);
        let found = all(&draft, "Condition");
        assert_eq!(codes(&found), [sound], "{entry}");
        let state = found[0].get("verificationStatus");
        let is_refuted = state.is_some_and(|state| state["coding"][0]["code"] == "refuted");
        assert_eq!(is_refuted, sound == "2", "{entry}");
        let why = why_lost(&draft, "observation/value");
        assert!(why.iter().any(|why| why.contains("no mapping")), "{entry}");

        let kin = r#"<subject><relatedSubject classCode="PRS"><code code="MTH" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject>"#;
        let entry = problem(&kind, &[values.concat(), kin.to_owned()].concat());
        let draft = read("10157-6", "", &entry);
        let history = all(&draft, "FamilyMemberHistory");
        let ill = history.iter().filter_map(|one| one["condition"].as_array());
        let ill: Vec<Value> = ill.flatten().cloned().collect();
        let wanted = if sound == "1" { vec!["1"] } else { vec![] };
        assert_eq!(codes(&ill), wanted, "{entry}");
    }
}

#[test]
fn a_second_site_stands_beside_the_first() {
    let site = |code: &str| format!(r#"<approachSiteCode code="{code}" {SCT}/>"#);
    let sites = [site("1"), site("2")].concat();
    for (section, kind, path) in [
        ("10160-0", "MedicationStatement", "/dosage/0"),
        ("11369-6", "Immunization", ""),
    ] {
        let entry = format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><statusCode code="completed"/>{sites}<consumable><manufacturedProduct><manufacturedMaterial><code code="8" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
        );
        let found = one(&read(section, "", &entry), kind);
        let place = found.pointer(path).unwrap();
        assert_eq!(place["site"]["coding"][0]["code"], "1");
        let more = &place["extension"][0];
        let url = "https://medibloc.org/fhir/StructureDefinition/further-site";
        assert_eq!(more["url"], url);
        assert_eq!(more["valueCodeableConcept"]["coding"][0]["code"], "2");
    }
}

/// A problem in words, or named by the code alone; a code that only says what sort of statement it is names none.
#[test]
fn a_problem_is_one_however_it_is_named() {
    let kind = format!(r#"<code code="55607006" {SCT}/>"#);
    let code = |code: &str, system: &str| format!(r#"<code code="{code}" codeSystem="{system}"/>"#);
    let (sct, icd, loinc) = (
        "2.16.840.1.113883.6.96",
        "2.16.840.1.113883.6.90",
        "2.16.840.1.113883.6.1",
    );
    for (entry, wanted) in [
        (
            problem(&kind, r#"<value xsi:type="ST">Bad foot</value>"#),
            Some(json!({"text": "Bad foot"})),
        ),
        (
            problem(&code("44054006", sct), ""),
            Some(json!({"coding": [{"system": "http://snomed.info/sct", "code": "44054006"}]})),
        ),
        (
            problem(&code("E11", icd), ""),
            Some(
                json!({"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E11"}]}),
            ),
        ),
        (problem(&kind, ""), None),
        (problem(&code("404684003", sct), ""), None),
        (problem(&code("75323-6", loinc), ""), None),
    ] {
        for entry in [concern(&entry), entry] {
            let found = all(&read("11450-4", "", &entry), "Condition");
            let found: Vec<&Value> = found.iter().map(|one| &one["code"]).collect();
            assert_eq!(found, Vec::from_iter(wanted.as_ref()), "{entry}");
        }
    }
}
