//! What a document is said to be beside its content: how carefully it must be shared, and what it is about.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use medibloc_format_fhir::{FhirJson, FhirXml, to_xml};
use medibloc_record::{Category, Draft, Format as _, Sensitivity};
use serde_json::{Value, json};

const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

fn read(tree: &Value) -> Draft {
    FhirJson.read(tree.to_string().as_bytes()).unwrap()
}

/// Both ways in give the same.
fn read_both(tree: &Value) -> Draft {
    let draft = read(tree);
    let xml = FhirXml.read(to_xml(tree).unwrap().as_bytes()).unwrap();
    assert_eq!(
        (xml.sensitivity, &xml.labelled, xml.category),
        (draft.sensitivity, &draft.labelled, draft.category),
        "{tree}"
    );
    draft
}

fn document(resources: &[Value]) -> Value {
    let entry = resources
        .iter()
        .map(|resource| json!({"resource": resource}));
    json!({"resourceType": "Bundle", "type": "document", "entry": entry.collect::<Vec<_>>()})
}

fn labelled(mut resource: Value, system: &str, code: &str) -> Value {
    resource["meta"] = json!({"security": [{"system": system, "code": code}]});
    resource
}

#[test]
fn a_document_is_as_sensitive_as_the_most_sensitive_label_in_it() {
    use Sensitivity::{Normal, Restricted, VeryRestricted};
    let composition = json!({"resourceType": "Composition", "title": "Letter"});
    let condition = json!({"resourceType": "Condition", "id": "c"});
    let with = |name: &str, value: Value| {
        let mut composition = composition.clone();
        composition[name] = value;
        document(&[composition, condition.clone()])
    };
    let inside =
        json!({"resourceType": "Observation", "contained": [labelled(condition.clone(), V3, "R")]});
    let nested = document(&[document(&[labelled(condition.clone(), V3, "V")])]);
    let masked = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]});
    let words = json!({"extension": [{"url": "urn:house", "valueString": "very restricted"}]});
    let unknown = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]});
    let as_text = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "as-text"}]});
    let purpose = json!({"resourceType": "DocumentReference", "securityLabel": [{"coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}, {"system": "urn:house", "code": "7"}]}]});
    let inline = json!({"resourceType": "Condition", "code": {"text": "x", "extension": [{
        "url": "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label",
        "valueCoding": {"system": ACT, "code": "HIV"}}]}});
    let reference = |code: &str| {
        json!({"resourceType": "DocumentReference", "securityLabel": [{"coding": [
            {"system": "urn:house", "code": "7"}, {"system": V3, "code": code}]}]})
    };
    let consent = json!({"resourceType": "Consent", "provision": {"securityLabel": [{"system": V3, "code": "R"}]}});
    for (tree, most, why) in [
        (
            document(&[composition.clone(), condition.clone()]),
            Normal,
            None,
        ),
        (with("confidentiality", "N".into()), Normal, None),
        (
            with("confidentiality", "R".into()),
            Restricted,
            Some("Composition.confidentiality is R"),
        ),
        (
            with("confidentiality", "V".into()),
            VeryRestricted,
            Some("Composition.confidentiality is V"),
        ),
        (
            with("confidentiality", "v".into()),
            VeryRestricted,
            Some("Composition.confidentiality is V"),
        ),
        (
            with("confidentiality", "secret".into()),
            Restricted,
            Some("Composition.confidentiality has a code that is not known"),
        ),
        (
            with("_confidentiality", masked),
            Restricted,
            Some("Composition.confidentiality is masked"),
        ),
        (
            with("_confidentiality", words),
            Restricted,
            Some("Composition.confidentiality has a code that is not known"),
        ),
        (
            with("_confidentiality", as_text),
            Restricted,
            Some("Composition.confidentiality has a code that is not known"),
        ),
        (with("_confidentiality", unknown), Normal, None),
        (
            document(&[labelled(composition.clone(), V3, "V"), condition.clone()]),
            VeryRestricted,
            Some("Composition.meta.security is V"),
        ),
        (
            labelled(document(std::slice::from_ref(&condition)), V3, "R"),
            Restricted,
            Some("Bundle.meta.security is R"),
        ),
        (
            document(&[
                labelled(composition.clone(), V3, "N"),
                labelled(condition.clone(), V3, "R"),
            ]),
            Restricted,
            Some("Condition.meta.security is R"),
        ),
        (
            labelled(condition.clone(), ACT, "PSY"),
            Restricted,
            Some("Condition.meta.security names a sensitivity or a privacy rule"),
        ),
        (
            document(&[inside]),
            Restricted,
            Some("Condition.meta.security is R"),
        ),
        (nested, VeryRestricted, Some("Condition.meta.security is V")),
        (
            document(&[inline]),
            Restricted,
            Some("Condition, inside of it, names a sensitivity or a privacy rule"),
        ),
        (document(&[reference("N")]), Normal, None),
        (
            document(&[reference("R")]),
            Restricted,
            Some("DocumentReference.securityLabel is R"),
        ),
        (
            document(&[purpose]),
            Restricted,
            Some("DocumentReference.securityLabel is of a system that is not known"),
        ),
        // What a consent is about is not what it is.
        (document(&[consent]), Normal, None),
    ] {
        let draft = read_both(&tree);
        assert_eq!(
            (draft.sensitivity, draft.labelled.as_deref()),
            (most, why),
            "{tree}"
        );
    }
    // A list where one stands.
    let mut listed = condition.clone();
    listed["meta"] = json!([{"security": [{"system": V3, "code": "V"}]}]);
    assert_eq!(read(&listed).sensitivity, VeryRestricted);
    for system in ["HIV", "ETH", "SUD", "SEX", "SDV", "GDIS", "BH"] {
        let draft = read(&labelled(condition.clone(), ACT, system));
        assert_eq!(draft.sensitivity, Restricted, "{system}");
    }
    let lines = format!("{condition}\n{}\n", labelled(condition.clone(), V3, "R"));
    let draft = FhirJson.read(lines.as_bytes()).unwrap();
    assert_eq!(draft.sensitivity, Restricted);
}

#[test]
fn what_is_raised_stays_so_when_its_form_is_read_again() {
    let plain = document(&[json!({"resourceType": "Condition"})]);
    let mut draft = read(&plain);
    assert!(!draft.raise(Sensitivity::Normal, "no"));
    assert!(draft.raise(Sensitivity::VeryRestricted, "its owner said so"));
    assert!(!draft.raise(Sensitivity::Restricted, "less"));
    assert_eq!(draft.labelled.as_deref(), Some("its owner said so"));
    assert_eq!(draft.original, plain.to_string().as_bytes());
    let again = read_both(&(&draft.fhir).into());
    assert_eq!(again.sensitivity, Sensitivity::VeryRestricted);
}

#[test]
fn a_document_is_of_the_category_that_its_content_has() {
    let of = |kind: &str, system: &str, code: &str| json!({"resourceType": kind, "category": [{"coding": [{"system": system, "code": code}]}]});
    let seen = |code: &str| {
        of(
            "Observation",
            "http://terminology.hl7.org/CodeSystem/observation-category",
            code,
        )
    };
    let report = |code: &str| {
        of(
            "DiagnosticReport",
            "http://terminology.hl7.org/CodeSystem/v2-0074",
            code,
        )
    };
    let one = |kind: &str| json!({"resourceType": kind});
    let composition = |code: &str| json!({"resourceType": "Composition", "type": {"coding": [{"system": "http://loinc.org", "code": code}]}});
    for (resources, category) in [
        (
            vec![composition("11502-2"), seen("laboratory")],
            Category::Laboratory,
        ),
        (
            vec![composition("11502-2"), one("Condition")],
            Category::Documents,
        ),
        (
            vec![composition("18842-5"), seen("laboratory")],
            Category::EncountersAndNotes,
        ),
        (
            vec![composition("11369-6"), one("Immunization")],
            Category::Immunisations,
        ),
        (
            vec![composition("1-1"), one("Patient"), one("Immunization")],
            Category::Documents,
        ),
        (vec![seen("laboratory")], Category::Laboratory),
        (
            vec![seen("vital-signs"), seen("vital-signs")],
            Category::Vitals,
        ),
        (
            vec![one("Encounter"), one("Patient"), seen("laboratory")],
            Category::Laboratory,
        ),
        (
            vec![report("LAB"), one("Observation"), one("Specimen")],
            Category::Laboratory,
        ),
        (vec![report("RAD"), one("ImagingStudy")], Category::Imaging),
        (
            vec![of("DiagnosticReport", "http://loinc.org", "LP29684-5")],
            Category::Imaging,
        ),
        (vec![one("Immunization")], Category::Immunisations),
        (
            vec![one("MedicationRequest"), one("Medication")],
            Category::Medications,
        ),
        (vec![one("AllergyIntolerance")], Category::Allergies),
        (vec![one("Condition")], Category::Problems),
        (vec![one("Encounter")], Category::EncountersAndNotes),
        (vec![one("Coverage")], Category::ClaimsAndCoverage),
        // Of several, or of none that is known: no consent to one of them has the others, too.
        (
            vec![seen("laboratory"), one("Condition")],
            Category::Documents,
        ),
        (
            vec![report("LAB"), seen("social-history")],
            Category::Documents,
        ),
        (
            vec![seen("laboratory"), one("Observation")],
            Category::Documents,
        ),
        (vec![one("Observation")], Category::Documents),
        (
            vec![of("Observation", "urn:house", "laboratory")],
            Category::Documents,
        ),
        (vec![one("Patient")], Category::Documents),
        (vec![one("Basic")], Category::Documents),
    ] {
        let tree = document(&resources);
        assert_eq!(read_both(&tree).category, category, "{tree}");
        // A resource by itself, and resources a line each.
        if resources
            .iter()
            .all(|resource| resource["resourceType"] != "Composition")
        {
            let lines = resources
                .iter()
                .map(Value::to_string)
                .collect::<Vec<_>>()
                .join("\n");
            let draft = FhirJson.read(lines.as_bytes()).unwrap();
            assert_eq!(draft.category, category, "{lines}");
        }
    }
}

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
        (vec![letter("1-1"), lab()], Laboratory),
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
