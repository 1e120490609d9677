//! Diagnoses of visits: each of them, in which role, and in which order.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;
#[path = "visits/which.rs"]
mod which;

use document::all;
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const CCDA: &str = "2.16.840.1.113883.10.20.22.4.";

fn read(header: &str, section: &str, entry: &str) -> Draft {
    let xml = format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc"><id root="1.2.3.4"/><effectiveTime value="20250101"/>{header}<component><structuredBody><component><section>
        <code code="{section}" codeSystem="2.16.840.1.113883.6.1"/><text/><entry>{entry}</entry>
        </section></component></structuredBody></component></ClinicalDocument>"#
    );
    Cda.read(xml.as_bytes()).unwrap()
}

/// Each diagnosis of the only visit: what it is, its use and its rank.
fn diagnoses(draft: &Draft) -> Vec<(Value, Value, Value)> {
    let visits = all(draft, "Encounter");
    assert_eq!(visits.len(), 1);
    let bundle = Value::from(draft.fhir.clone());
    let entries = bundle["entry"].as_array().unwrap();
    let found = visits[0]["diagnosis"].as_array().cloned();
    found
        .unwrap_or_default()
        .iter()
        .map(|one| {
            let target = &one["condition"]["reference"];
            let target = entries.iter().find(|entry| entry["fullUrl"] == *target);
            let name = target.unwrap()["resource"]["code"]["text"].clone();
            let role = &one["use"]["coding"][0]["code"];
            (name, role.clone(), one["rank"].clone())
        })
        .collect()
}

fn problem(name: &str, more: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="{CCDA}4"/><code code="29308-4" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CD" nullFlavor="OTH"><originalText>{name}</originalText></value>{more}</observation>"#
    )
}

fn act(template: &str, code: &str, problems: &[(&str, String)]) -> String {
    let problems: String = problems
        .iter()
        .map(|(more, problem)| {
            format!(r#"<entryRelationship typeCode="SUBJ">{more}{problem}</entryRelationship>"#)
        })
        .collect();
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="{CCDA}{template}"/><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/>{problems}</act>"#
    )
}

fn visit(inner: &[String]) -> String {
    let inner: String = inner
        .iter()
        .map(|one| format!(r#"<entryRelationship typeCode="COMP">{one}</entryRelationship>"#))
        .collect();
    format!(
        r#"<encounter classCode="ENC" moodCode="EVN"><templateId root="{CCDA}49"/><id root="1.2.3.5"/><code nullFlavor="UNK"/>{inner}</encounter>"#
    )
}

const NONE: Value = Value::Null;

#[test]
fn each_diagnosis_of_an_act_is_one_of_the_visit() {
    let both = act(
        "80",
        "29308-4",
        &[("", problem("gout", "")), ("", problem("asthma", ""))],
    );
    let third = act("80", "29308-4", &[("", problem("anemia", ""))]);
    let draft = read("", "46240-8", &visit(&[both, third]));
    let wanted = ["gout", "asthma", "anemia"].map(|name| (json!(name), NONE, NONE));
    assert_eq!(diagnoses(&draft), wanted);
    let visit = all(&draft, "Encounter").remove(0);
    let id = visit["id"].as_str().unwrap();
    for one in all(&draft, "Condition") {
        assert_eq!(
            one["encounter"]["reference"],
            format!("urn:uuid:{id}"),
            "{}",
            one["code"]
        );
        assert_eq!(
            one["category"][0]["coding"][0]["code"],
            "encounter-diagnosis"
        );
    }
}

#[test]
fn a_diagnosis_of_a_visit_has_its_role() {
    for (template, code, wanted) in [
        ("80", "29308-4", NONE),
        ("34", "46241-6", json!("AD")),
        ("33", "11535-2", json!("DD")),
        ("65", "10219-4", json!("pre-op")),
        ("51", "59769-0", json!("post-op")),
        // Without a template, the code of the act says it.
        ("1.99", "46241-6", json!("AD")),
        ("1.99", "11535-2", json!("DD")),
    ] {
        let one = act(template, code, &[("", problem("gout", ""))]);
        let draft = read("", "46240-8", &visit(&[one]));
        assert_eq!(
            diagnoses(&draft),
            [(json!("gout"), wanted, NONE)],
            "{template} {code}"
        );
    }
}

#[test]
fn a_diagnosis_of_a_visit_has_its_rank() {
    let rank = r#"<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.24.3.166"/><code code="263486008" codeSystem="2.16.840.1.113883.6.96"/><value xsi:type="INT" value="3"/></observation></entryRelationship>"#;
    let principal = problem("gout", "").replace(
        r#"code="29308-4" codeSystem="2.16.840.1.113883.6.1""#,
        r#"code="8319008" codeSystem="2.16.840.1.113883.6.96""#,
    );
    for (more, problem, wanted) in [
        (
            r#"<sequenceNumber value="2"/>"#,
            problem("gout", ""),
            json!(2),
        ),
        (
            r#"<sdtc:priorityNumber value="1"/>"#,
            problem("gout", ""),
            json!(1),
        ),
        ("", problem("gout", rank), json!(3)),
        ("", principal, json!(1)),
        // FHIR counts from one.
        (r#"<sequenceNumber value="0"/>"#, problem("gout", ""), NONE),
        (
            r#"<sequenceNumber nullFlavor="UNK"/>"#,
            problem("gout", ""),
            NONE,
        ),
    ] {
        let draft = read(
            "",
            "46240-8",
            &visit(&[act("80", "29308-4", &[(more, problem)])]),
        );
        assert_eq!(diagnoses(&draft), [(json!("gout"), NONE, wanted)], "{more}");
        assert_eq!(all(&draft, "Observation"), Vec::<Value>::new(), "{more}");
    }
}

/// A document of a stay says why it began and how it ended in sections of their own.
#[test]
fn diagnoses_at_admission_and_discharge_are_those_of_the_stay() {
    let stay = r#"<componentOf><encompassingEncounter><id root="1.2.3.6"/><effectiveTime><low value="20250101"/></effectiveTime></encompassingEncounter></componentOf>"#;
    for (section, template, code, wanted) in [
        ("46241-6", "34", "46241-6", vec!["AD"]),
        ("11535-2", "33", "11535-2", vec!["DD"]),
        ("11450-4", "3", "CONC", vec![]),
    ] {
        let entry = act(
            template,
            code,
            &[("", problem("gout", "")), ("", problem("asthma", ""))],
        );
        let found = diagnoses(&read(stay, section, &entry));
        let wanted: Vec<_> = wanted
            .into_iter()
            .flat_map(|role| ["gout", "asthma"].map(|name| (json!(name), json!(role), NONE)))
            .collect();
        assert_eq!(found, wanted, "{section}");
        assert_eq!(
            all(&read("", section, &entry), "Encounter"),
            Vec::<Value>::new()
        );
    }
    // What is denied is no diagnosis of a visit.
    let denied = act("34", "46241-6", &[("", problem("gout", ""))]).replace(
        r#"EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4""#,
        r#"EVN" negationInd="true"><templateId root="2.16.840.1.113883.10.20.22.4.4""#,
    );
    assert_eq!(diagnoses(&read(stay, "46241-6", &denied)), []);
    let visit = visit(&[denied]);
    assert_eq!(diagnoses(&read("", "46240-8", &visit)), []);
}

/// The class of a visit is its class alone (C-CDA on FHIR, encounters): the sort of it is what else its code says.
#[test]
fn the_class_of_a_visit_is_no_sort_of_it() {
    const ACT: &str = r#"codeSystem="2.16.840.1.113883.5.4""#;
    let cpt = r#"code="99213" codeSystem="2.16.840.1.113883.6.12" displayName="Visit""#;
    let sort = json!([{"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": "99213", "display": "Visit"}], "text": "Visit"}]);
    for (code, wanted) in [
        (
            format!(r#"<code code="AMB" {ACT} displayName="ambulatory"/>"#),
            None,
        ),
        (
            format!(
                r#"<code code="AMB" {ACT} displayName="ambulatory"><originalText>at home</originalText></code>"#
            ),
            Some(json!([{"text": "at home"}])),
        ),
        (
            format!(r#"<code {cpt}><translation code="AMB" {ACT}/></code>"#),
            Some(sort.clone()),
        ),
        (
            format!(
                r#"<code code="AMB" {ACT} displayName="ambulatory"><translation {cpt}/></code>"#
            ),
            Some(sort.clone()),
        ),
        (format!("<code {cpt}/>"), Some(sort)),
    ] {
        let when = r#"<effectiveTime value="2024"/>"#;
        let entry =
            format!(r#"<encounter classCode="ENC" moodCode="EVN">{code}{when}</encounter>"#);
        let header = format!(
            "<componentOf><encompassingEncounter>{code}{when}</encompassingEncounter></componentOf>"
        );
        for draft in [read("", "46240-8", &entry), read(&header, "30954-2", "")] {
            let visits = all(&draft, "Encounter");
            assert_eq!(visits.len(), 1, "{code}");
            assert_eq!(visits[0]["class"]["code"], "AMB", "{code}");
            assert_eq!(visits[0].get("type").cloned(), wanted, "{code}");
        }
    }
}

#[test]
fn each_place_of_a_visit_says_when_it_was_there() {
    let place = |id: &str, time: &str| {
        format!(
            r#"<participant typeCode="LOC">{time}<participantRole classCode="SDLOC"><id root="1.2.7" extension="{id}"/><code code="1117-1" codeSystem="2.16.840.1.113883.6.259"/></participantRole></participant>"#
        )
    };
    let entry = format!(
        r#"<encounter classCode="ENC" moodCode="EVN"><code code="99213" codeSystem="2.16.840.1.113883.6.12"/>{}{}</encounter>"#,
        place(
            "a",
            r#"<time><low value="20240101"/><high value="20240103"/></time>"#
        ),
        place("b", "")
    );
    let visits = all(&read("", "46240-8", &entry), "Encounter");
    let places = visits[0]["location"].as_array().unwrap();
    assert_eq!(places.len(), 2);
    assert_ne!(places[0]["location"], places[1]["location"]);
    let when = json!({"start": "2024-01-01", "end": "2024-01-03"});
    assert_eq!(places[0]["period"], when);
    assert!(places[1].get("period").is_none());
}
