//! The labels of a form are read whatever its size and shape, or are not known: normal is said of no form that was not read.

use medibloc_journey::{Labelled, Unread};
use medibloc_record::Sensitivity;
use serde_json::{Value, json};

const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

fn labelled(sensitivity: Sensitivity, why: Option<&str>) -> Labelled {
    Labelled::As {
        sensitivity,
        why: why.map(str::to_owned),
    }
}

/// Of a form of any size a label behind everything else is read; what needs more room than there is is not known.
#[test]
fn a_label_at_the_end_of_a_large_form_is_read() {
    let scan = "QUJD".repeat(9 << 20);
    let short = vec![r#""x""#; 9 << 20].join(",");
    let very = format!(
        r#"{{"resource":{{"meta":{{"security":[{{"code":"V","system":"{V3}"}}]}},"resourceType":"Observation"}}}}"#
    );
    let very_restricted = labelled(
        Sensitivity::VeryRestricted,
        Some("Observation.meta.security is V"),
    );
    for (more, read) in [
        (
            format!(r#"{{"resource":{{"data":"{scan}"}}}}"#),
            very_restricted,
        ),
        (format!("[{short}]"), Labelled::Unread(Unread::TooLarge)),
    ] {
        let form = format!(r#"{{"entry":[{more},{very}]}}"#);
        assert_eq!(Labelled::read(form.as_bytes()), read);
    }
}

/// Wherever a label may stand, in whichever order its members are; what only looks like one is none.
#[test]
fn a_label_is_read_where_fhir_has_it() {
    use Sensitivity::{Normal, Restricted, VeryRestricted};
    let coding = |code: &str| json!({"system": V3, "code": code});
    let masked = json!([{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]);
    let inline =
        "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label";
    for (form, sensitivity, why) in [
        (json!({"entry": []}), Normal, None),
        (
            json!({"meta": {"security": coding("R")}}),
            Restricted,
            Some("Bundle.meta.security is R"),
        ),
        (
            json!({"meta": {"security": [coding("N"), coding("R")]}}),
            Restricted,
            Some("Bundle.meta.security is R"),
        ),
        (
            json!({"meta": {"security": [7]}}),
            Restricted,
            Some("Bundle.meta.security has a code that is not known"),
        ),
        (
            json!({"entry": [{"resource": {"confidentiality": "V", "resourceType": "Composition"}}]}),
            VeryRestricted,
            Some("Composition.confidentiality is V"),
        ),
        (
            json!({"resourceType": "Composition", "_confidentiality": {"extension": masked}}),
            Restricted,
            Some("Composition.confidentiality is masked"),
        ),
        (
            json!({"resourceType": "Consent", "confidentiality": "V", "provision": {"securityLabel": [coding("V")]}}),
            Normal,
            None,
        ),
        (
            json!({"securityLabel": [{"coding": [coding("N"), {"system": "urn:house", "code": "7"}]}], "resourceType": "DocumentReference"}),
            Normal,
            None,
        ),
        (
            json!({"securityLabel": [{"text": "for few"}], "resourceType": "DocumentReference"}),
            Restricted,
            Some("DocumentReference.securityLabel has a code that is not known"),
        ),
        (
            json!({"resourceType": "Patient", "name": [{"extension": [{"valueCoding": coding("R"), "url": inline}]}]}),
            Restricted,
            Some("Patient, inside of it, is R"),
        ),
        (
            json!({"resourceType": "Patient", "name": [{"extension": [{"valueCoding": coding("R"), "url": "urn:x"}]}]}),
            Normal,
            None,
        ),
        (
            json!({"resourceType": "Call 555 0100", "meta": {"security": coding("R")}}),
            Restricted,
            Some("Bundle.meta.security is R"),
        ),
    ] {
        let read = Labelled::read(form.to_string().as_bytes());
        assert_eq!(read, labelled(sensitivity, why), "{form}");
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    for form in ["", "{", "{} {}", &deep] {
        let read = Labelled::read(form.as_bytes());
        assert_eq!(read, Labelled::Unread(Unread::Unreadable), "{form}");
        assert_eq!(read.sensitivity(), Restricted);
    }
    let null = Labelled::read(Value::Null.to_string().as_bytes());
    assert_eq!(null, labelled(Normal, None));
}
