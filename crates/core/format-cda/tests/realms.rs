//! Documents of other countries, small and about nobody: what they say, and nothing that they do not.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::all;
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

fn read(name: &str) -> Draft {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../testdata/cda/realm");
    let bytes = std::fs::read(format!("{folder}/{name}.xml")).unwrap();
    Cda.read(&bytes).unwrap()
}

/// How sure a diagnosis is qualifies its code: confirmed, suspected, excluded, or a state after it.
#[test]
fn an_excluded_german_diagnosis_is_refuted_and_a_suspected_one_is_provisional() {
    let draft = read("de");
    assert_eq!(
        (draft.title.as_deref(), draft.language.as_deref()),
        (Some("Arztbrief"), Some("de-DE"))
    );
    let patient = all(&draft, "Patient").remove(0);
    assert_eq!(
        patient["name"],
        json!([{"family": "Müßig", "given": ["Jürgen"], "prefix": ["Dr."], "_prefix": [{"extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-qualifier",
            "valueCode": "AC",
        }]}]}])
    );
    assert_eq!(patient["address"][0]["line"], json!(["Musterstraße 7a"]));
    let code =
        |of: &Value, element: &str| of[element]["coding"][0]["code"].as_str().map(str::to_owned);
    let found: Vec<_> = all(&draft, "Condition")
        .iter()
        .map(|one| {
            ["code", "verificationStatus", "clinicalStatus"].map(|element| code(one, element))
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        found,
        [
            [some("I10.90"), some("confirmed"), None],
            [some("G47.31"), some("provisional"), None],
            [some("I21.9"), some("refuted"), None],
            [some("J18.9"), None, some("inactive")],
        ]
    );
}

#[test]
fn a_korean_referral_keeps_names_times_and_digits() {
    let draft = read("kr");
    assert_eq!(draft.title.as_deref(), Some("진료의뢰서"));
    let patient = all(&draft, "Patient").remove(0);
    assert_eq!(patient["name"], json!([{"text": "김예시"}]));
    assert_eq!(patient["birthDate"], "1973-10-01");
    let seen = all(&draft, "Observation");
    let temperature = seen
        .iter()
        .find(|one| one["code"]["text"] == "체온")
        .unwrap();
    assert_eq!(temperature["valueQuantity"]["value"].to_string(), "36.50");
    assert_eq!(
        temperature["effectiveDateTime"],
        "2026-02-03T09:30:00+09:00"
    );
}

/// In Chinese documents a flag says whether there are allergies: that there are none is not one of something unknown.
#[test]
fn a_flag_that_there_are_no_allergies_is_no_allergy() {
    let draft = read("cn");
    assert_eq!(draft.title.as_deref(), Some("门(急)诊病历"));
    assert_eq!(all(&draft, "AllergyIntolerance"), Vec::<Value>::new());
    let seen = all(&draft, "Observation");
    assert_eq!(seen[0]["code"]["text"], "过敏史标志");
    assert_eq!(seen[0]["valueBoolean"], false);
    assert_eq!(seen[1]["valueString"], "咳嗽三天");
}

/// Swiss documents name their own templates and those of IHE, and leave the code of a section out: the numbers say what it is.
#[test]
fn a_swiss_prescription_is_told_by_the_numbers_of_its_templates() {
    let draft = read("ch");
    let code = |of: &Value, element: &str| of[element]["coding"][0]["code"].clone();
    let order = all(&draft, "MedicationRequest").remove(0);
    assert_eq!(
        order["medicationCodeableConcept"]["text"],
        "Ramipril 2.5 mg"
    );
    assert_eq!(
        (&order["intent"], &order["status"]),
        (&json!("order"), &json!("active"))
    );
    let allergies = all(&draft, "AllergyIntolerance");
    assert_eq!(allergies.len(), 1);
    let allergy = &allergies[0];
    assert_eq!(code(allergy, "code"), "294505008");
    assert_eq!(allergy["category"], json!(["medication"]));
    assert_eq!(code(allergy, "clinicalStatus"), "active");
    assert_eq!(
        allergy["reaction"][0]["manifestation"][0]["text"],
        "Hautausschlag"
    );
    assert_eq!(allergy["reaction"][0]["severity"], "moderate");
    let problems: Vec<_> = all(&draft, "Condition")
        .iter()
        .map(|one| {
            ["code", "clinicalStatus", "verificationStatus"].map(|element| code(one, element))
        })
        .collect();
    assert_eq!(
        problems,
        [
            [json!("I10"), json!("active"), Value::Null],
            [json!("E14"), Value::Null, json!("refuted")],
        ]
    );
    let vaccine = all(&draft, "Immunization").remove(0);
    assert_eq!(vaccine["vaccineCode"]["text"], "FSME-Impfstoff");
    assert_eq!(
        (&vaccine["status"], &vaccine["lotNumber"]),
        (&json!("completed"), &json!("L77"))
    );
    assert!(all(&draft, "Observation").is_empty());
}

/// German letters name their sections by the numbers of HL7 Germany's templates.
#[test]
fn a_german_section_is_told_by_the_number_of_its_template() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../testdata/cda/realm");
    let whole = std::fs::read_to_string(format!("{folder}/de.xml")).unwrap();
    let code =
        r#"<code code="29548-5" codeSystem="2.16.840.1.113883.6.1" displayName="Diagnosis"/>"#;
    let own = r#"<templateId root="2.16.840.1.113883.10.20.22.4.4"/>"#;
    let kind = r#"<code code="282291009" codeSystem="2.16.840.1.113883.6.96"/>"#;
    assert!(whole.contains(code) && whole.contains(own) && whole.contains(kind));
    for section in [code, r#"<templateId root="1.2.276.0.76.10.3027"/>"#] {
        let bare = whole
            .replace(code, section)
            .replace(own, "")
            .replace(kind, "");
        let draft = Cda.read(bare.as_bytes()).unwrap();
        assert_eq!(all(&draft, "Condition").len(), 4, "{section}");
        assert!(all(&draft, "Observation").is_empty());
    }
}
