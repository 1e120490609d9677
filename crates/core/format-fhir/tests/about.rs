//! What a document is said to be beside its content: how carefully it must be shared, and what it is about.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "about/kept.rs"]
mod kept;
#[path = "about/times.rs"]
mod times;
#[path = "about/whole.rs"]
mod whole;

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
    let with_result = |mut report: Value, reference: &str| {
        report["result"] = json!([{"reference": reference}]);
        report
    };
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
            vec![
                with_result(report("LAB"), "Observation/a"),
                json!({"resourceType": "Observation", "id": "a"}),
                one("Specimen"),
            ],
            Category::Laboratory,
        ),
        (
            vec![report("LAB"), one("Observation"), one("Specimen")],
            Category::Documents,
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
