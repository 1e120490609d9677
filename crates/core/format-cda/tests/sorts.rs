//! Of which sort a result is: what its code, its report or its section says, and none where nobody says one.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{one, read};
use serde_json::{Value, json};

const LOINC: &str = "2.16.840.1.113883.6.1";
const SNOMED: &str = "2.16.840.1.113883.6.96";
const CPT: &str = "2.16.840.1.113883.6.12";
const PCS: &str = "2.16.840.1.113883.6.4";
const OWN: &str = "1.2.9.1";

fn code(code: &str, system: &str, name: &str) -> String {
    format!(r#"<code code="{code}" codeSystem="{system}" displayName="{name}"/>"#)
}

fn seen(code: &str, more: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.2"/>{code}<statusCode code="completed"/><value xsi:type="ST">x</value>{more}</observation>"#
    )
}

fn report(code: &str, more: &str, inner: &str) -> String {
    format!(
        r#"<organizer classCode="BATTERY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.1"/>{code}<statusCode code="completed"/>{more}<component>{inner}</component></organizer>"#
    )
}

/// The sorts of the observation and of its report.
fn sorts(section: &str, entry: &str) -> (Value, Value) {
    let draft = read(section, "", entry);
    let sort = |kind: &str| one(&draft, kind)["category"][0]["coding"][0]["code"].clone();
    (sort("Observation"), sort("DiagnosticReport"))
}

#[test]
fn a_result_is_of_the_sort_that_its_code_or_name_says() {
    for (id, system, name, observation, group) in [
        ("718-7", LOINC, "Hemoglobin", "laboratory", "LAB"),
        ("80053", CPT, "Metabolic panel", "laboratory", "LAB"),
        ("36643-5", LOINC, "XR Chest 2 Views", "imaging", "RAD"),
        (
            "34552-0",
            LOINC,
            "2D echocardiogram panel",
            "imaging",
            "CUS",
        ),
        ("93306", CPT, "TTE complete", "imaging", "CUS"),
        ("18089-3", LOINC, "AV Orifice Area US", "imaging", "RAD"),
        (
            "18844-1",
            LOINC,
            "EKG impression Narrative",
            "procedure",
            "EC",
        ),
        ("8634-8", LOINC, "Q-T interval", "procedure", "EC"),
        ("93000", CPT, "Routine tracing", "procedure", "EC"),
        (
            "29303009",
            SNOMED,
            "Electrocardiographic procedure",
            "procedure",
            "EC",
        ),
        ("20150-9", LOINC, "FEV1", "procedure", "PF"),
        ("94010", CPT, "Breathing capacity test", "procedure", "PF"),
        ("7", OWN, "Pulmonary Function Test", "procedure", "PF"),
        ("11523-8", LOINC, "EEG study", "procedure", "EN"),
        (
            "93458",
            CPT,
            "L hrt artery/ventricle angio",
            "procedure",
            "CTH",
        ),
        ("45378", CPT, "Diagnostic exam of colon", "procedure", "OTH"),
        (
            "0DJD8ZZ",
            PCS,
            "Inspection of lower tract",
            "procedure",
            "OTH",
        ),
        ("18746-8", LOINC, "Colonoscopy study", "procedure", "OTH"),
    ] {
        let code = code(id, system, name);
        assert_eq!(
            sorts("30954-2", &report(&code, "", &seen(&code, ""))),
            (json!(observation), json!(group)),
            "{name}"
        );
    }
}

#[test]
fn what_nobody_says_the_sort_of_has_none() {
    let own = code("7", OWN, "Something");
    for name in [
        own.clone(),
        code("99213", CPT, "Office visit"),
        code("10230-1", LOINC, "Left ventricular Ejection fraction"),
        r#"<code nullFlavor="UNK"/>"#.to_owned(),
    ] {
        assert_eq!(
            sorts("30954-2", &report(&name, "", &seen(&name, ""))),
            (Value::Null, Value::Null),
            "{name}"
        );
    }
    // What was examined, a section of a laboratory, and words are enough.
    let specimen = r#"<specimen><specimenRole><id root="1.2.9" extension="s"/><specimenPlayingEntity><code code="119297000" codeSystem="2.16.840.1.113883.6.96"/></specimenPlayingEntity></specimenRole></specimen>"#;
    let lab = (json!("laboratory"), json!("LAB"));
    assert_eq!(
        sorts("30954-2", &report(&own, specimen, &seen(&own, ""))),
        lab
    );
    assert_eq!(sorts("18719-5", &report(&own, "", &seen(&own, ""))), lab);
    let words = code("7", OWN, "Lab report");
    assert_eq!(sorts("30954-2", &report(&words, "", &seen(&own, ""))), lab);
    // A report is of the sort of all that stands in it.
    let inner = seen(&code("8634-8", LOINC, "Q-T interval"), "");
    assert_eq!(
        sorts("30954-2", &report(&own, "", &inner)),
        (json!("procedure"), json!("EC"))
    );
}

/// What was seen at an examination is no laboratory's for the template of a result.
#[test]
fn a_result_in_an_examination_was_seen_there() {
    let draft = read("29545-1", "", &seen(&code("1-8", LOINC, "Gait"), ""));
    let found = one(&draft, "Observation");
    assert_eq!(found["category"][0]["coding"][0]["code"], "exam");
}

/// The group says its sort itself, in the element that C-CDA has for it.
#[test]
fn a_group_that_states_its_sort_is_of_that() {
    let plain = code("1-8", LOINC, "Thing");
    for (stated, observation) in [
        ("RAD", json!("imaging")),
        ("PF", json!("procedure")),
        ("HM", json!("laboratory")),
        ("PHY", Value::Null),
    ] {
        let sort =
            format!(r#"<sdtc:category code="{stated}" codeSystem="2.16.840.1.113883.12.74"/>"#);
        let entry = report(&plain, &sort, &seen(&plain, ""));
        let wanted = (observation, json!(stated));
        assert_eq!(sorts("30954-2", &entry), wanted);
        assert_eq!(
            one(&read("30954-2", "", &entry), "DiagnosticReport")["category"][0]["coding"][0]["system"],
            "http://terminology.hl7.org/CodeSystem/v2-0074"
        );
    }
}

/// LOINC has codes for all that is asked and seen: only where results are told do they say that a laboratory found it.
#[test]
fn a_code_of_loinc_says_nothing_of_a_laboratory_elsewhere() {
    let walk = code("57251-1", LOINC, "Ambulation");
    let care = code("d5", "2.16.840.1.113883.6.254", "Self-Care");
    let entry = report(&care, "", &seen(&walk, ""));
    for section in ["47420-5", "10190-7", "11535-2"] {
        assert_eq!(
            sorts(section, &entry),
            (Value::Null, Value::Null),
            "{section}"
        );
    }
    for section in ["30954-2", "11493-4"] {
        assert_eq!(sorts(section, &entry), (json!("laboratory"), json!("LAB")));
    }
    // What the statement is by its template, it is in any section.
    let of_status = seen(&walk, "").replace(
        "<code",
        r#"<templateId root="2.16.840.1.113883.10.20.22.4.67"/><code"#,
    );
    let entry = report(&care, "", &of_status);
    assert_eq!(sorts("30954-2", &entry), (Value::Null, Value::Null));
    // A specimen says it anywhere.
    let specimen = r#"<specimen><specimenRole><specimenPlayingEntity><code code="119297000"/></specimenPlayingEntity></specimenRole></specimen>"#;
    let entry = report(&care, "", &seen(&walk, specimen));
    assert_eq!(sorts("47420-5", &entry).0, "laboratory");
}
