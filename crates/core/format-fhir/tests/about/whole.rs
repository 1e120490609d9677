//! A document is of one category, and of one time, only if all of it is.

use medibloc_record::Category;
use serde_json::{Value, json};

use super::{document, read};

fn of_category(kind: &str, code: &str) -> Value {
    json!({"resourceType": kind, "category": [{"coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": code}]}]})
}

fn composition(types: &[&str]) -> Value {
    let coding = types
        .iter()
        .map(|code| json!({"system": "http://loinc.org", "code": code}));
    json!({"resourceType": "Composition", "type": {"coding": coding.collect::<Vec<_>>()}})
}

fn with(mut resource: Value, name: &str, value: Value) -> Value {
    resource[name] = value;
    resource
}

const TABLE_0074: &str = "http://terminology.hl7.org/CodeSystem/v2-0074";
const US_CORE: &str = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category";

/// A consent to one category never gives what is also of another, wherever that stands in the document.
#[test]
fn a_document_is_of_one_category_only_if_all_of_it_is() {
    use Category::{Documents, EncountersAndNotes, Imaging, Laboratory, Problems, Vitals};
    let lab = || of_category("Observation", "laboratory");
    let vital = || of_category("Observation", "vital-signs");
    let one = |kind: &str| json!({"resourceType": kind});
    let why = || with(one("Encounter"), "reasonCode", json!([{"text": "x"}]));
    let section = |code: &str| {
        json!([{"section": [{"code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}]}])
    };
    let letter = |code: &str| with(composition(&["11502-2"]), "section", section(code));
    let lab_report = || of_category("DiagnosticReport", "laboratory");
    let also = |mut resource: Value, system: &str, code: &str| {
        let more = json!({"coding": [{"system": system, "code": code}]});
        resource["category"].as_array_mut().unwrap().push(more);
        resource
    };
    let parameters = |inner: Value| json!({"resourceType": "Parameters", "parameter": [{"name": "a", "resource": inner}]});
    for (resources, category) in [
        // Several compositions: all say the same, or nobody does.
        (
            vec![composition(&["11502-2"]), composition(&["11502-2"]), lab()],
            Laboratory,
        ),
        (
            vec![composition(&["11502-2"]), lab(), composition(&["11488-4"])],
            Documents,
        ),
        (
            vec![composition(&["11488-4"]), lab(), composition(&["11502-2"])],
            Documents,
        ),
        (
            vec![composition(&["11502-2"]), composition(&["34108-1"]), lab()],
            Documents,
        ),
        (
            vec![composition(&["11488-4"]), composition(&["18842-5"]), lab()],
            EncountersAndNotes,
        ),
        (vec![composition(&["11502-2", "11488-4"]), lab()], Documents),
        (vec![composition(&["11502-2", "1-1"]), lab()], Laboratory),
        // A type that is not known may hold anything.
        (vec![composition(&["34108-1"]), vital()], Documents),
        (vec![composition(&[]), vital()], Documents),
        (vec![vital()], Vitals),
        // What a document of one category has beside.
        (
            vec![composition(&["11502-2"]), one("Observation"), lab()],
            Laboratory,
        ),
        (vec![composition(&["11502-2"]), vital()], Documents),
        (vec![letter("30954-2"), lab()], Laboratory),
        (vec![letter("18719-5"), lab()], Laboratory),
        (vec![letter("11502-2"), lab()], Laboratory),
        (vec![letter("11450-4"), lab()], Documents),
        (
            vec![composition(&["18748-4"]), one("ImagingStudy")],
            Imaging,
        ),
        (
            vec![composition(&["18748-4"]), one("ImagingStudy"), one("Basic")],
            Documents,
        ),
        // What is contained, and what is in a bundle within it.
        (
            vec![with(vital(), "contained", json!([one("Condition")]))],
            Documents,
        ),
        (
            vec![with(vital(), "contained", json!([vital(), one("Device")]))],
            Vitals,
        ),
        (
            vec![with(vital(), "contained", json!([{"code": {"text": "x"}}]))],
            Documents,
        ),
        (
            vec![with(vital(), "contained", one("Condition"))],
            Documents,
        ),
        (
            vec![
                with(one("Device"), "contained", json!([one("Condition")])),
                vital(),
            ],
            Documents,
        ),
        (vec![document(&[lab(), one("Condition")]), lab()], Documents),
        (
            vec![
                document(&[composition(&["11488-4"])]),
                composition(&["11502-2"]),
                lab(),
            ],
            Documents,
        ),
        (vec![document(&[lab()]), lab()], Laboratory),
        (vec![parameters(one("Condition")), lab()], Documents),
        (
            vec![
                json!({"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="}),
                lab(),
            ],
            Documents,
        ),
        // An observation of several categories, or of one that is not known, is not the report's beside it.
        (vec![lab_report(), lab()], Laboratory),
        (vec![lab_report(), also(lab(), TABLE_0074, "GE")], Documents),
        (
            vec![
                lab_report(),
                also(
                    of_category("Observation", "social-history"),
                    US_CORE,
                    "sdoh",
                ),
            ],
            Documents,
        ),
        (
            vec![
                with(
                    of_category("Observation", "survey"),
                    "category",
                    json!([{"text": "Psychiatry"}]),
                ),
                lab_report(),
            ],
            Documents,
        ),
        (vec![lab(), also(lab(), "urn:house", "Lab")], Laboratory),
        (vec![also(lab_report(), TABLE_0074, "GE")], Documents),
        (
            vec![with(
                lab_report(),
                "code",
                json!({"coding": [{"system": "http://loinc.org", "code": "18748-4"}]}),
            )],
            Documents,
        ),
        // Who cares for somebody, and what somebody wears, may say why.
        (vec![one("CareTeam"), one("Device"), lab()], Laboratory),
        (
            vec![
                with(one("CareTeam"), "reasonCode", json!([{"text": "x"}])),
                lab(),
            ],
            Documents,
        ),
        (
            vec![
                with(one("Device"), "patient", json!({"reference": "Patient/a"})),
                lab(),
            ],
            Documents,
        ),
        // What a document of a known type documents, and an order of which nothing but its number is told.
        (
            vec![
                with(
                    composition(&["18748-4"]),
                    "event",
                    json!([{"detail": [{"reference": "Procedure/a"}]}]),
                ),
                with(one("Procedure"), "id", "a".into()),
                one("ServiceRequest"),
            ],
            Imaging,
        ),
        (
            vec![
                composition(&["18748-4"]),
                with(one("Procedure"), "id", "a".into()),
            ],
            Documents,
        ),
        (
            vec![
                composition(&["18748-4"]),
                with(one("ServiceRequest"), "code", json!({"text": "x"})),
            ],
            Documents,
        ),
        // A visit that says why.
        (vec![why(), vital()], Documents),
        (
            vec![
                with(
                    one("Encounter"),
                    "diagnosis",
                    json!([{"condition": {"display": "x"}}]),
                ),
                vital(),
            ],
            Documents,
        ),
        (
            vec![
                with(
                    one("Encounter"),
                    "reasonReference",
                    json!([{"display": "x"}]),
                ),
                vital(),
            ],
            Documents,
        ),
        (vec![one("Encounter"), vital()], Vitals),
        (vec![why()], EncountersAndNotes),
        (vec![one("Condition"), one("Encounter")], Problems),
    ] {
        let tree = document(&resources);
        assert_eq!(read(&tree).category, category, "{tree}");
    }
}

/// A bundle is of the time of all that is in it, and no composition's title hides another.
#[test]
fn a_bundle_is_of_the_time_of_all_that_is_in_it() {
    let lab = |at: &str| {
        with(
            of_category("Observation", "laboratory"),
            "effectiveDateTime",
            at.into(),
        )
    };
    let issued = json!({"resourceType": "DiagnosticReport", "issued": "2025-03-02T00:00:00Z"});
    let letter = |title: &str, date: &str| json!({"resourceType": "Composition", "title": title, "date": date});
    let patient = json!({"resourceType": "Patient", "birthDate": "1980-01-01"});
    let condition = json!({"resourceType": "Condition", "recordedDate": "2010-05-05"});
    let period = with(
        of_category("Observation", "laboratory"),
        "effectivePeriod",
        json!({"start": "2010-05-05", "end": "2025-03-01"}),
    );
    for (kind, resources, written) in [
        (
            "collection",
            vec![patient.clone(), lab("2025-03-01")],
            Some("2025-03-01"),
        ),
        (
            "collection",
            vec![lab("2025-03-01"), lab("2010-05-05")],
            None,
        ),
        (
            "collection",
            vec![lab("2010-05-05"), lab("2025-03-01")],
            None,
        ),
        (
            "collection",
            vec![lab("2025-03-01T08:00:00Z"), lab("2025-03-01T09:00:00Z")],
            Some("2025-03-01"),
        ),
        (
            "collection",
            vec![lab("2025-03-01"), lab("2025-03-31")],
            Some("2025-03"),
        ),
        (
            "collection",
            vec![lab("2025-03-01"), lab("2025-04-01")],
            Some("2025"),
        ),
        (
            "collection",
            vec![lab("2025"), lab("2025-04-01")],
            Some("2025"),
        ),
        ("collection", vec![period], None),
        ("collection", vec![issued.clone(), lab("2010-05-05")], None),
        (
            "collection",
            vec![issued.clone(), lab("2025-03-01")],
            Some("2025-03"),
        ),
        (
            "collection",
            vec![issued, json!({"resourceType": "Observation"})],
            Some("2025-03-02T00:00:00Z"),
        ),
        (
            "collection",
            vec![lab("2025-03-01"), of_category("Observation", "laboratory")],
            None,
        ),
        (
            "collection",
            vec![lab("2025-03-01"), condition.clone()],
            None,
        ),
        (
            "collection",
            vec![with(lab("2025-03-01"), "contained", json!([condition]))],
            None,
        ),
        (
            "collection",
            vec![lab("2025-03-01"), document(&[lab("2010-05-05")])],
            None,
        ),
        // A document is of the day on which it was written; a composition among others is one of them.
        (
            "document",
            vec![letter("A", "2025-03-01"), lab("2010-05-05")],
            Some("2025-03-01"),
        ),
        (
            "document",
            vec![letter("A", "2025-03-01"), letter("B", "2012-01-01")],
            None,
        ),
        (
            "searchset",
            vec![letter("A", "2025-03-01"), lab("2010-05-05")],
            None,
        ),
    ] {
        let tree = with(document(&resources), "type", kind.into());
        assert_eq!(read(&tree).written.as_deref(), written, "{tree}");
    }
    let long = "x".repeat(300);
    for (titles, title) in [
        (vec!["Laboratory report"], "Laboratory report"),
        (
            vec!["Laboratory report", "Psychiatric consult"],
            "Laboratory report, Psychiatric consult",
        ),
        (vec!["A", "B", "C", "D", "E"], "A, B, C and 2 more"),
        (vec!["A", " "], "A and 1 more"),
    ] {
        let all: Vec<Value> = titles.iter().map(|title| letter(title, "2025")).collect();
        assert_eq!(read(&document(&all)).title.as_deref(), Some(title));
    }
    let hidden = read(&document(&[
        letter(&long, "2025"),
        letter("Psychiatric consult", "2025"),
    ]))
    .title;
    assert!(hidden.is_some_and(|title| title.ends_with(", Psychiatric consult")));
}
