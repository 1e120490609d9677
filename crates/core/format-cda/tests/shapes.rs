//! Statements without template ids: section, class, mood, codes and shape say what they are, and what is not certain stays an
//! observation.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::all;
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const SNOMED: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn read(section: &str, entries: &[&str]) -> Draft {
    let entries: String = entries
        .iter()
        .map(|entry| format!("<entry>{entry}</entry>"))
        .collect();
    let xml = format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2.3.4"/><effectiveTime value="20250101"/><component><structuredBody><component><section>
        <code code="{section}" codeSystem="2.16.840.1.113883.6.1"/><text/>{entries}
        </section></component></structuredBody></component></ClinicalDocument>"#
    );
    Cda.read(xml.as_bytes()).unwrap()
}

fn name(of: &Value) -> Value {
    let coding = &of["coding"][0];
    coding
        .get("display")
        .or_else(|| of.get("text"))
        .cloned()
        .unwrap_or_default()
}

/// The kinds that statements became, each with the name of what it is.
fn became(draft: &Draft) -> Vec<(String, Value)> {
    const NAMED: &[(&str, &str)] = &[
        ("AllergyIntolerance", "code"),
        ("Condition", "code"),
        ("Observation", "code"),
        ("Procedure", "code"),
        ("FamilyMemberHistory", "relationship"),
        ("Immunization", "vaccineCode"),
        ("MedicationStatement", "medicationCodeableConcept"),
        ("DiagnosticReport", "code"),
    ];
    let mut out = Vec::new();
    for (kind, element) in NAMED {
        for one in all(draft, kind) {
            out.push(((*kind).to_owned(), name(&one[*element])));
        }
    }
    out
}

fn check(section: &str, entry: &str, wanted: &[(&str, &str)]) {
    let wanted: Vec<(String, Value)> = wanted
        .iter()
        .map(|(kind, name)| ((*kind).to_owned(), json!(name)))
        .collect();
    assert_eq!(
        became(&read(section, &[entry])),
        wanted,
        "{section} {entry}"
    );
}

fn code(element: &str, code: &str, name: &str) -> String {
    format!(r#"<{element} code="{code}" {SNOMED} displayName="{name}"/>"#)
}

fn value(of: &str, name: &str) -> String {
    format!(r#"<value xsi:type="CD" code="{of}" {SNOMED} displayName="{name}"/>"#)
}

fn seen(parts: &[&str]) -> String {
    let parts = parts.concat();
    format!(r#"<observation classCode="OBS" moodCode="EVN">{parts}</observation>"#)
}

fn condition(parts: &[&str]) -> String {
    let parts = parts.concat();
    format!(r#"<observation classCode="COND" moodCode="EVN">{parts}</observation>"#)
}

fn act(inner: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><code nullFlavor="NA"/><entryRelationship typeCode="SUBJ">{inner}</entryRelationship></act>"#
    )
}

fn organizer(inner: &str) -> String {
    format!(
        r#"<organizer classCode="CLUSTER" moodCode="EVN"><statusCode code="completed"/><component>{inner}</component></organizer>"#
    )
}

fn substance(name: &str) -> String {
    format!(
        r#"<participant typeCode="CSM"><participantRole classCode="MANU"><playingEntity classCode="MMAT"><name>{name}</name></playingEntity></participantRole></participant>"#
    )
}

const ASSERTION: &str = r#"<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>"#;
const SEVERITY: &str = r#"<observation classCode="OBS" moodCode="EVN"><code code="SEV" codeSystem="2.16.840.1.113883.5.4"/><value xsi:type="CD" code="24484000" codeSystem="2.16.840.1.113883.6.96" displayName="Severe"/></observation>"#;

#[test]
fn an_allergy_is_told_by_its_section_and_shape() {
    let kind = value("416098002", "Allergy to drug");
    let whole = seen(&[ASSERTION, &kind, &substance("Penicillin")]);
    let by_name = seen(&[&code("code", "91936005", "Allergy to penicillin")]);
    let by_value = seen(&[ASSERTION, &value("91936005", "Allergy to penicillin")]);
    let plain = seen(&[ASSERTION, &substance("Penicillin")]);
    for section in ["48765-2", "10155-0"] {
        for entry in [&whole, &plain] {
            check(section, entry, &[("AllergyIntolerance", "Penicillin")]);
            check(
                section,
                &act(entry),
                &[("AllergyIntolerance", "Penicillin")],
            );
            check(
                section,
                &organizer(entry),
                &[("AllergyIntolerance", "Penicillin")],
            );
        }
        for entry in [&by_name, &by_value] {
            let wanted = [("AllergyIntolerance", "Allergy to penicillin")];
            check(section, entry, &wanted);
            check(section, &act(entry), &wanted);
        }
    }
    // Its own code and what it is against say it anywhere.
    for section in ["11450-4", "29762-2", "99999-9"] {
        check(section, &whole, &[("AllergyIntolerance", "Penicillin")]);
        check(
            section,
            &act(&whole),
            &[("AllergyIntolerance", "Penicillin")],
        );
    }
    // Without it, it is no more than is said.
    let draft = read("29762-2", &[&plain]);
    assert_eq!(all(&draft, "AllergyIntolerance"), Vec::<Value>::new());
}

#[test]
fn what_answers_another_question_is_no_allergy() {
    for (section, entry, wanted) in [
        (
            "48765-2",
            seen(&[
                &code("code", "1", "Allergies reviewed"),
                r#"<value xsi:type="BL" value="true"/>"#,
            ]),
            ("Observation", "Allergies reviewed"),
        ),
        (
            "48765-2",
            seen(&[&code("code", "1", "Allergies reviewed")]),
            ("Observation", "Allergies reviewed"),
        ),
        (
            "48765-2",
            seen(&[
                &code("code", "1", "Reviewed by"),
                r#"<value xsi:type="ST">Nurse</value>"#,
            ]),
            ("Observation", "Reviewed by"),
        ),
        (
            "48765-2",
            seen(&[
                &code("code", "1", "IgE"),
                r#"<value xsi:type="PQ" value="3" unit="kU/L"/>"#,
            ]),
            ("Observation", "IgE"),
        ),
        (
            "48765-2",
            seen(&[
                &code("code", "1", "Allergy status"),
                &value("373067005", "No"),
            ]),
            ("Observation", "Allergy status"),
        ),
    ] {
        check(section, &entry, &[wanted]);
    }
}

/// What is said of an allergy is told by its code where no template tells it.
#[test]
fn an_allergy_without_templates_has_its_severity_status_and_reactions() {
    let related = |kind: &str, inner: &str| {
        format!(
            r#"<entryRelationship typeCode="{kind}" inversionInd="true">{inner}</entryRelationship>"#
        )
    };
    let reaction = seen(&[
        ASSERTION,
        &value("247472004", "Hives"),
        &related("SUBJ", SEVERITY),
    ]);
    let status = seen(&[
        r#"<code code="33999-4" codeSystem="2.16.840.1.113883.6.1"/>"#,
        &value("73425007", "Inactive"),
    ]);
    let critical = seen(&[
        r#"<code code="82606-5" codeSystem="2.16.840.1.113883.6.1"/>"#,
        r#"<value xsi:type="CD" code="CRITH" codeSystem="2.16.840.1.113883.5.1063"/>"#,
    ]);
    let entry = seen(&[
        ASSERTION,
        &value("416098002", "Allergy to drug"),
        &substance("Penicillin"),
        &related("MFST", &reaction),
        &related("REFR", &status),
        &related("SUBJ", &critical),
    ]);
    let draft = read("48765-2", &[&entry]);
    assert_eq!(
        became(&draft),
        [("AllergyIntolerance".to_owned(), json!("Penicillin"))]
    );
    let one = all(&draft, "AllergyIntolerance").remove(0);
    assert_eq!(one["clinicalStatus"]["coding"][0]["code"], "inactive");
    assert_eq!(one["criticality"], "high");
    assert_eq!(one["reaction"][0]["severity"], "severe");
    assert_eq!(name(&one["reaction"][0]["manifestation"][0]), "Hives");
}

/// CDA R2: the source of `MFST` is a manifestation of its target. Two reactions that name one allergy are of one allergy.
#[test]
fn a_finding_that_manifests_an_allergy_is_its_reaction() {
    let caused = |finding: (&str, &str), inner: &str| {
        seen(&[
            &code("code", finding.0, finding.1),
            &format!(r#"<entryRelationship typeCode="MFST">{inner}</entryRelationship>"#),
        ])
    };
    let id = r#"<id root="1.2.3.9" extension="a"/>"#;
    let cause = r#"<code code="62014003" codeSystem="2.16.840.1.113883.6.96" displayName="Adverse reaction to drug"><qualifier><name code="246075003" codeSystem="2.16.840.1.113883.6.96"/><value code="1476002" codeSystem="2.16.840.1.113883.6.96" displayName="codeine"/></qualifier></code>"#;
    let draft = read(
        "10155-0",
        &[
            &caused(
                ("247472004", "Hives"),
                &seen(&[&code("code", "91936005", "Allergy to penicillin")]),
            ),
            &caused(("32738000", "Pruritis"), &seen(&[id, cause])),
            &caused(
                ("73879007", "Nausea"),
                &seen(&[id, &code("code", "84100007", "History taking")]),
            ),
        ],
    );
    let found: Vec<_> = all(&draft, "AllergyIntolerance")
        .iter()
        .map(|one| {
            let reactions = one["reaction"].as_array().unwrap();
            let reactions: Vec<_> = reactions
                .iter()
                .map(|one| name(&one["manifestation"][0]))
                .collect();
            (name(&one["code"]), reactions)
        })
        .collect();
    assert_eq!(
        found,
        [
            (json!("Allergy to penicillin"), vec![json!("Hives")]),
            (
                json!("Adverse reaction to drug"),
                vec![json!("Pruritis"), json!("Nausea")]
            ),
        ]
    );
    assert_eq!(all(&draft, "Observation"), Vec::<Value>::new());
}

#[test]
fn a_problem_is_told_by_its_class_section_and_code() {
    let diagnosis = code("code", "282291009", "Diagnosis interpretation");
    let asthma = value("195967001", "Asthma");
    let wanted = [("Condition", "Asthma")];
    for section in ["11450-4", "10153-2", "11348-0"] {
        for entry in [seen(&[ASSERTION, &asthma]), seen(&[&diagnosis, &asthma])] {
            check(section, &entry, &wanted);
            check(section, &act(&entry), &wanted);
            check(section, &organizer(&entry), &wanted);
        }
    }
    // Class and code say it anywhere.
    for section in ["11496-7", "51848-0", "99999-9"] {
        check(
            section,
            &condition(&[&code("code", "195967001", "Asthma")]),
            &wanted,
        );
        check(
            section,
            &condition(&[&code("code", "14657009", "Established diagnosis"), &asthma]),
            &wanted,
        );
        check(section, &seen(&[&diagnosis, &asthma]), &wanted);
        check(section, &act(&seen(&[&diagnosis, &asthma])), &wanted);
    }
    // A number, a yes or a no, and what is said beside a problem are none.
    let age = seen(&[
        &code("code", "1", "Age at onset"),
        r#"<value xsi:type="PQ" value="57" unit="a"/>"#,
    ]);
    check("11450-4", &age, &[("Observation", "Age at onset")]);
    let no = seen(&[&code("code", "1", "Diabetes?"), &value("373067005", "No")]);
    check("11450-4", &no, &[("Observation", "Diabetes?")]);
    check(
        "29545-1",
        &seen(&[&code("code", "271807003", "Rash")]),
        &[("Observation", "Rash")],
    );
}

#[test]
fn a_denied_condition_by_class_is_refuted() {
    let entry = condition(&[&code("code", "195967001", "Asthma")])
        .replace("EVN\"", "EVN\" negationInd=\"true\"");
    let draft = read("11496-7", &[&entry]);
    let one = all(&draft, "Condition").remove(0);
    assert_eq!(one["verificationStatus"]["coding"][0]["code"], "refuted");
}

/// Nobody's illness in a history of the family is not the patient's.
#[test]
fn an_illness_in_the_family_is_never_the_patients() {
    let asthma = value("195967001", "Asthma");
    for entry in [
        seen(&[ASSERTION, &asthma]),
        condition(&[&code("code", "195967001", "Asthma")]),
        seen(&[
            &code("code", "282291009", "Diagnosis interpretation"),
            &asthma,
        ]),
    ] {
        for section in ["10157-6", "10157-2"] {
            for entry in [entry.clone(), act(&entry), organizer(&entry)] {
                assert_eq!(became(&read(section, &[&entry])), [], "{section} {entry}");
            }
        }
    }
    // What says by its own name that it is of the family is a fact about the patient.
    let known = seen(&[&code("code", "275937001", "Family history of cancer")]);
    check(
        "10157-6",
        &known,
        &[("Observation", "Family history of cancer")],
    );
}

#[test]
fn a_vaccine_is_told_by_its_section_or_its_code_system() {
    let given = |system: &str, name: &str| {
        format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><consumable><manufacturedProduct><manufacturedMaterial><code code="88" codeSystem="{system}" displayName="{name}"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
        )
    };
    let (cvx, rx) = ("2.16.840.1.113883.12.292", "2.16.840.1.113883.6.88");
    let wanted = [("Immunization", "influenza")];
    for entry in [
        given(cvx, "influenza"),
        act(&given(cvx, "influenza")),
        organizer(&given(cvx, "influenza")),
    ] {
        check("11369-6", &entry, &wanted);
        check("99999-9", &entry, &wanted);
    }
    for entry in [given(rx, "influenza"), organizer(&given(rx, "influenza"))] {
        check("11369-6", &entry, &wanted);
    }
    check(
        "10160-0",
        &given(rx, "Lisinopril"),
        &[("MedicationStatement", "Lisinopril")],
    );
    check(
        "10160-0",
        &organizer(&given(rx, "Lisinopril")),
        &[("MedicationStatement", "Lisinopril")],
    );
}

fn categories(draft: &Draft) -> Vec<Value> {
    let seen = all(draft, "Observation");
    seen.iter()
        .map(|one| one["category"][0]["coding"][0]["code"].clone())
        .collect()
}

/// Sections of IHE's laboratory reports, and signs by the codes that FHIR's profile of vital signs names.
#[test]
fn results_and_signs_are_told_by_section_or_code() {
    let loinc = |code: &str, value: &str| {
        seen(&[&format!(
            r#"<code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>{value}"#
        )])
    };
    let amount = r#"<value xsi:type="PQ" value="3" unit="1"/>"#;
    for section in ["30954-2", "18719-5", "18723-7", "26436-6"] {
        assert_eq!(
            categories(&read(section, &[&loinc("718-7", amount)])),
            [json!("laboratory")],
            "{section}"
        );
    }
    for (section, code, wanted) in [
        ("99999-9", "8867-4", json!("vital-signs")),
        ("99999-9", "29463-7", json!("vital-signs")),
        ("99999-9", "718-7", json!(null)),
    ] {
        assert_eq!(
            categories(&read(section, &[&loinc(code, amount)])),
            [wanted],
            "{code}"
        );
    }
}

/// What is of a newborn beside the patient stays an observation about the newborn.
#[test]
fn what_is_of_another_is_no_problem_of_the_patient() {
    let newborn = r#"<subject><relatedSubject classCode="PRS"><code code="NBOR" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject>"#;
    for (section, entry) in [
        (
            "11496-7",
            condition(&[&code("code", "387712008", "Neonatal jaundice"), newborn]),
        ),
        (
            "48765-2",
            seen(&[&code("code", "91936005", "Allergy to penicillin"), newborn]),
        ),
    ] {
        let draft = read(section, &[&entry]);
        assert!(
            all(&draft, "Condition").is_empty() && all(&draft, "AllergyIntolerance").is_empty()
        );
        assert!(
            all(&draft, "Observation")[0]["focus"].is_array(),
            "{section}"
        );
    }
}
