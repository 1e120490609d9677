//! As what somebody was registered at birth: of the patient, beside the observation of it (C-CDA on FHIR, social history).

use crate::{
    context::{Statement, Subject},
    doc::Doc,
    json::json,
    statement::shape,
    value::code,
};

use medibloc_record::json::Value;

const TEMPLATE: &[&str] = &["2.16.840.1.113883.10.20.22.4.200"];
const SEX: &str = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex";

/// Says of the patient which sex they were registered with at birth, if an observation says so that holds.
pub(crate) fn sex<'d>(doc: &Doc<'d>, of: &Statement<'d>, url: &str) {
    let is_one = of.has(TEMPLATE) || shape::is_coded(of.node, &["76689-9"]);
    let holds = doc.element(url, "status") == Some(Value::from("final"));
    if !is_one || !holds || of.is_denied() || !matches!(of.subject(), Subject::Patient) {
        return;
    }
    let code = of.child("value").and_then(code::known);
    let Some(code) = ["M", "F", "UNK", "OTH", "ASKU"]
        .into_iter()
        .find(|one| code == Some(*one))
    else {
        return;
    };
    doc.change(&doc.patient(), "extension", |patient| {
        let all = patient.entry("extension").or_insert_with(|| json!([]));
        if let Value::Array(all) = all
            && !all.iter().any(|one| one["url"] == SEX)
        {
            all.push(json!({"url": SEX, "valueCode": code}));
        }
    });
}
