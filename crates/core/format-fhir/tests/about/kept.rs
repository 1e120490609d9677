//! What leaves a document in its category: sections that are known to be of it, and what a report names.

use medibloc_record::Category;
use serde_json::{Value, json};

use super::{document, read};

const LOINC: &str = "http://loinc.org";
const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";

fn coded(codes: &[(&str, &str)]) -> Value {
    let coding = codes
        .iter()
        .map(|(system, code)| json!({"system": system, "code": code}));
    json!({"coding": coding.collect::<Vec<_>>()})
}

fn section(codes: &[(&str, &str)]) -> Value {
    json!({"title": "x", "code": coded(codes), "text": {"status": "generated",
        "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">HIV infection since 2009</div>"}})
}

fn without(mut section: Value, names: &[&str]) -> Value {
    for name in names {
        section.as_object_mut().unwrap().remove(*name);
    }
    section
}

/// A section keeps a document in its category only if its code is known to be of it.
#[test]
fn a_section_that_is_not_known_to_be_of_its_documents_category_makes_it_a_document() {
    use Category::{Documents, Imaging, Immunisations, Laboratory, Medications, Procedures};
    let loinc = |code: &'static str| section(&[(LOINC, code)]);
    let around = |inner: Value| json!({"section": [inner]});
    for (kind, sections, category) in [
        ("11369-6", vec![], Immunisations),
        ("11369-6", vec![loinc("11369-6")], Immunisations),
        // History of past illness, of present illness, diagnosis, admission and discharge diagnosis, pregnancies, directives, pathology, plan.
        (
            "11369-6",
            vec![loinc("11369-6"), loinc("11348-0")],
            Documents,
        ),
        ("11369-6", vec![loinc("10164-2")], Documents),
        ("11369-6", vec![loinc("29308-4")], Documents),
        ("11369-6", vec![loinc("46241-6")], Documents),
        ("11369-6", vec![loinc("11535-2")], Documents),
        ("11369-6", vec![loinc("10162-6")], Documents),
        ("11369-6", vec![loinc("42348-3")], Documents),
        ("11369-6", vec![loinc("75310-3")], Documents),
        ("11369-6", vec![loinc("18776-5")], Documents),
        ("11369-6", vec![loinc("48767-8")], Documents),
        (
            "11502-2",
            vec![loinc("18719-5"), loinc("48767-8")],
            Laboratory,
        ),
        ("11502-2", vec![loinc("11348-0")], Documents),
        ("57833-6", vec![loinc("57828-6")], Medications),
        ("57833-6", vec![loinc("29308-4")], Documents),
        (
            "18748-4",
            vec![
                section(&[(DCM, "121070")]),
                section(&[("urn:oid:1.2.840.10008.2.16.4", "121072")]),
            ],
            Imaging,
        ),
        ("18748-4", vec![section(&[(DCM, "121109")])], Documents),
        (
            "28570-0",
            vec![loinc("29554-3"), loinc("59776-5")],
            Procedures,
        ),
        ("28570-0", vec![loinc("59768-2")], Documents),
        // A house's own code beside one that is known; two that say different things; a house's own alone.
        (
            "11502-2",
            vec![section(&[("urn:house", "7"), (LOINC, "30954-2")])],
            Laboratory,
        ),
        (
            "11502-2",
            vec![section(&[(LOINC, "30954-2"), (LOINC, "11348-0")])],
            Documents,
        ),
        ("11502-2", vec![section(&[("urn:house", "7")])], Documents),
        ("11502-2", vec![section(&[])], Documents),
        // Without a code, what says something in words may say anything; what only holds others does not.
        ("11502-2", vec![without(loinc("1-1"), &["code"])], Documents),
        (
            "11502-2",
            vec![without(loinc("1-1"), &["code", "title"])],
            Documents,
        ),
        (
            "11502-2",
            vec![without(loinc("1-1"), &["code", "text"])],
            Documents,
        ),
        (
            "11502-2",
            vec![json!({"title": "Report", "entry": []})],
            Laboratory,
        ),
        ("11502-2", vec![around(loinc("30954-2"))], Laboratory),
        ("11502-2", vec![around(loinc("11348-0"))], Documents),
    ] {
        let composition = json!({"resourceType": "Composition", "title": "Report", "type": coded(&[(LOINC, kind)]), "section": sections});
        let tree = document(&[composition]);
        assert_eq!(read(&tree).category, category, "{tree}");
    }
}

fn entry(url: Option<&str>, resource: Value) -> Value {
    let mut entry = json!({"resource": resource});
    if let Some(url) = url {
        entry["fullUrl"] = url.into();
    }
    entry
}

/// What has no category is a report's only if the report names that very resource.
#[test]
fn a_result_is_what_its_report_names_and_nothing_else_of_the_same_number() {
    use Category::{Documents, Laboratory, Vitals};
    let seen = |id: &str| json!({"resourceType": "Observation", "id": id, "code": {"text": "PHQ-9 total"}});
    let category = |code: &str| json!([{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": code}]}]);
    let lab = |id: &str| {
        let mut lab = seen(id);
        lab["category"] = category("laboratory");
        lab
    };
    let naming = |mut resource: Value, name: &str, of: &str| {
        resource[name] = json!([{"reference": of}]);
        resource
    };
    let report = |of: &str| {
        let report = json!({"resourceType": "DiagnosticReport", "id": "r", "category": category("laboratory")});
        naming(report, "result", of)
    };
    let mut vital = seen("v");
    vital["category"] = category("vital-signs");
    let mut holding = report("#1");
    holding["contained"] = json!([seen("1")]);
    let also_holding = json!({"resourceType": "Encounter", "contained": [seen("1")]});
    const HERE: &str = "http://lab.org/fhir/Observation/17";
    const THERE: &str = "http://psych.org/fhir/Observation/17";
    const OWN: Option<&str> = Some("http://lab.org/fhir/DiagnosticReport/r");
    const URN: &str = "urn:uuid:0b7e2d4c-0000-4000-8000-000000000017";
    for (entries, category) in [
        (
            vec![
                entry(None, report("Observation/17")),
                entry(None, seen("17")),
            ],
            Laboratory,
        ),
        (
            vec![entry(None, report(HERE)), entry(Some(HERE), seen("17"))],
            Laboratory,
        ),
        (
            vec![entry(None, report(URN)), entry(Some(URN), seen("17"))],
            Laboratory,
        ),
        (
            vec![
                entry(OWN, report("Observation/17")),
                entry(Some(HERE), seen("17")),
            ],
            Laboratory,
        ),
        (
            vec![
                entry(OWN, report("Observation/17/_history/1")),
                entry(Some(HERE), seen("17")),
            ],
            Laboratory,
        ),
        (
            vec![
                entry(None, report("Observation/17")),
                entry(Some(URN), seen("17")),
            ],
            Laboratory,
        ),
        (vec![entry(None, holding.clone())], Laboratory),
        // Of another server, another type, another version's number, in another resource, in another bundle.
        (
            vec![
                entry(None, report(HERE)),
                entry(Some(HERE), lab("17")),
                entry(Some(THERE), seen("17")),
            ],
            Documents,
        ),
        (
            vec![
                entry(OWN, report("Observation/17")),
                entry(Some(THERE), seen("17")),
            ],
            Documents,
        ),
        (
            vec![entry(None, report("Specimen/17")), entry(None, seen("17"))],
            Documents,
        ),
        (
            vec![
                entry(None, report("Observation/17/_history/1")),
                entry(None, lab("17")),
                entry(None, seen("1")),
            ],
            Documents,
        ),
        (
            vec![entry(None, holding), entry(None, also_holding)],
            Documents,
        ),
        (
            vec![entry(None, report("#17")), entry(None, seen("17"))],
            Documents,
        ),
        (
            vec![
                entry(None, report("Observation/17")),
                entry(None, document(&[seen("17")])),
            ],
            Documents,
        ),
        // Two of one name: nobody knows which.
        (
            vec![
                entry(None, report("Observation/17")),
                entry(None, seen("17")),
                entry(None, seen("17")),
            ],
            Documents,
        ),
        // Members of what a report names, and of what none names.
        (
            vec![
                entry(None, report("Observation/a")),
                entry(None, naming(seen("a"), "hasMember", "Observation/b")),
                entry(None, naming(seen("b"), "hasMember", "Observation/a")),
            ],
            Laboratory,
        ),
        (
            vec![
                entry(None, naming(vital.clone(), "hasMember", "Observation/q")),
                entry(None, seen("q")),
            ],
            Documents,
        ),
        (vec![entry(None, vital)], Vitals),
    ] {
        let tree = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
        assert_eq!(read(&tree).category, category, "{tree}");
    }
}

/// The procedure that a composition documents is the one that it names.
#[test]
fn a_documented_procedure_is_the_one_that_is_named() {
    let composition = json!({"resourceType": "Composition", "id": "c", "type": coded(&[(LOINC, "18748-4")]),
        "event": [{"detail": [{"reference": "Procedure/1"}]}]});
    let procedure = json!({"resourceType": "Procedure", "id": "1"});
    for (url, category) in [
        ("http://here.org/fhir/Procedure/1", Category::Imaging),
        ("http://there.org/fhir/Procedure/1", Category::Documents),
    ] {
        let tree = json!({"resourceType": "Bundle", "type": "document", "entry": [
            entry(Some("http://here.org/fhir/Composition/c"), composition.clone()), entry(Some(url), procedure.clone())]});
        assert_eq!(read(&tree).category, category, "{tree}");
    }
}
