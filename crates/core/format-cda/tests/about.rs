//! A diagnosis that stands in an order or in what was done, and is not called the reason for it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{one, read};
use serde_json::Value;

/// It is linked, and is a reason only where the source says so.
#[test]
fn a_diagnosis_in_a_deed_is_told_with_it() {
    const PROCEDURE: (&str, &str) = ("procedure", "PROC");
    const DRUG: (&str, &str) = ("substanceAdministration", "SBADM");
    for ((name, class), mood, kind, element) in [
        (PROCEDURE, "INT", "ServiceRequest", "/supportingInfo/0"),
        (PROCEDURE, "RQO", "ServiceRequest", "/supportingInfo/0"),
        (DRUG, "INT", "MedicationRequest", "/supportingInformation/0"),
        (PROCEDURE, "EVN", "Procedure", "/extension/0/valueReference"),
    ] {
        for relation in ["SUBJ", "REFR", "RSON"] {
            let entry = format!(
                r#"<{name} classCode="{class}" moodCode="{mood}"><code code="77477000" codeSystem="2.16.840.1.113883.6.96" displayName="CT"/><statusCode code="active"/><consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable><entryRelationship typeCode="{relation}"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="282291009" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><value xsi:type="CD" code="37796009" codeSystem="2.16.840.1.113883.6.96" displayName="Migraine"/></observation></entryRelationship></{name}>"#
            );
            let draft = read("18776-5", "", &entry);
            let deed = one(&draft, kind);
            let is_reason = relation == "RSON";
            let reasons = ["reasonCode", "reasonReference"];
            let reasons = reasons.iter().any(|reason| deed.get(*reason).is_some());
            assert_eq!(reasons, is_reason, "{kind} {relation}");
            let link = deed.pointer(element);
            assert_eq!(link.is_some(), !is_reason, "{kind} {relation}");
            if let Some(link) = link {
                let problem: Value = one(&draft, "Condition");
                let url = format!("urn:uuid:{}", problem["id"].as_str().unwrap());
                assert_eq!(link["reference"], url, "{kind} {relation}");
            }
        }
    }
}
