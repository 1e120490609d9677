//! A resource is of all the times that say when what it holds was, wherever they stand in it.

use serde_json::{Value, json};

use super::{document, read};

fn with(kind: &str, more: Value) -> Value {
    let mut resource = json!({"resourceType": kind});
    let more = more.as_object().unwrap().clone();
    resource.as_object_mut().unwrap().extend(more);
    resource
}

#[test]
fn a_resource_is_of_all_its_times() {
    const OLD: &str = "2010-02-01";
    const NEW: &str = "2025-06-01";
    let old = || json!({"start": OLD, "end": OLD});
    for (kind, more, written) in [
        // What was indexed, claimed, ordered, recorded or issued is of when it was, if that is said.
        ("DocumentReference", json!({"date": NEW}), Some(NEW)),
        (
            "DocumentReference",
            json!({"date": NEW, "context": {"period": old()}}),
            Some(OLD),
        ),
        (
            "DocumentReference",
            json!({"date": NEW, "content": [{"attachment": {"creation": OLD}}]}),
            Some(OLD),
        ),
        (
            "DocumentReference",
            json!({"date": NEW, "content": [{"attachment": {"creation": NEW}}, {"attachment": {"creation": OLD}}]}),
            None,
        ),
        (
            "Claim",
            json!({"created": NEW, "item": [{"sequence": 1}]}),
            Some(NEW),
        ),
        (
            "Claim",
            json!({"created": NEW, "item": [{"servicedDate": OLD}]}),
            Some(OLD),
        ),
        (
            "ExplanationOfBenefit",
            json!({"created": NEW, "item": [{"servicedPeriod": old()}]}),
            Some(OLD),
        ),
        (
            "ExplanationOfBenefit",
            json!({"created": NEW, "addItem": [{"servicedDate": OLD}]}),
            Some(OLD),
        ),
        (
            "Claim",
            json!({"billablePeriod": {"start": NEW}, "item": [{"servicedDate": OLD}]}),
            None,
        ),
        (
            "Claim",
            json!({"created": NEW, "item": [{"servicedDate": OLD}, {"servicedDate": "2010-02-20"}]}),
            Some("2010-02"),
        ),
        (
            "Claim",
            json!({"created": NEW, "procedure": [{"date": OLD}]}),
            Some(OLD),
        ),
        (
            "Claim",
            json!({"created": NEW, "supportingInfo": [{"timingPeriod": old()}]}),
            Some(OLD),
        ),
        (
            "Condition",
            json!({"recordedDate": NEW, "onsetDateTime": OLD}),
            Some(OLD),
        ),
        (
            "Condition",
            json!({"recordedDate": NEW, "abatementDateTime": OLD}),
            Some(OLD),
        ),
        (
            "Condition",
            json!({"onsetDateTime": NEW, "abatementDateTime": OLD}),
            None,
        ),
        (
            "Observation",
            json!({"effectiveDateTime": OLD, "issued": NEW}),
            Some(OLD),
        ),
        (
            "Media",
            json!({"issued": NEW, "createdDateTime": OLD}),
            Some(OLD),
        ),
        (
            "DiagnosticReport",
            json!({"effectiveDateTime": NEW, "presentedForm": [{"creation": OLD}]}),
            None,
        ),
        (
            "ImagingStudy",
            json!({"started": NEW, "series": [{"started": OLD}]}),
            None,
        ),
        (
            "MedicationDispense",
            json!({"whenPrepared": OLD, "whenHandedOver": NEW}),
            None,
        ),
        ("MedicationRequest", json!({"authoredOn": NEW}), Some(NEW)),
        (
            "AllergyIntolerance",
            json!({"recordedDate": NEW, "lastOccurrence": OLD}),
            Some(OLD),
        ),
    ] {
        let mut tree = document(&[with(kind, more)]);
        tree["type"] = "collection".into();
        assert_eq!(read(&tree).written.as_deref(), written, "{tree}");
    }
}
