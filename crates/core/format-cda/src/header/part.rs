//! Who takes part in a document in a way for which a composition has no element, and in which way.

use medibloc_record::json::Value;

use crate::{
    doc::{Doc, reference},
    json::json,
    value::{code, time},
    xml::{N, attr, child, sdtc},
};

const PARTS: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
/// In which way, as what, and when somebody takes part.
const PARTICIPATION: &str = "https://medibloc.org/fhir/StructureDefinition/participation";

/// What C-CDA on FHIR calls the participants that a composition has no element for.
pub(super) fn part(what: &str, url: &str) -> Value {
    json!({
        "url": format!("http://hl7.org/fhir/us/ccda/StructureDefinition/{what}Extension"),
        "valueReference": reference(url),
    })
}

/// The same, with the way in which somebody takes part beside the reference to them, unless that is the usual one.
pub(super) fn plays<'d>(doc: &Doc<'d>, what: &str, url: &str, node: N<'d>, usual: &str) -> Value {
    let mut one = part(what, url);
    if let Some(how) = how(doc, node, usual) {
        one["valueReference"]["extension"] = json!([how]);
    }
    one
}

/// In which way somebody takes part: by the code of HL7 v3, the function, and the time.
pub(super) fn how<'d>(doc: &Doc<'d>, node: N<'d>, usual: &str) -> Option<Value> {
    let mut parts = Vec::new();
    let kind = attr(node, "typeCode").filter(|kind| *kind != usual);
    parts.extend(kind.map(|kind| json!({"url": "type", "valueCoding": coding(kind)})));
    let function = child(node, "functionCode").or_else(|| sdtc(node, "functionCode"));
    let function = function.and_then(|code| code::concept(doc, code));
    parts.extend(
        function.map(|function| json!({"url": "function", "valueCodeableConcept": function})),
    );
    // The time of a contact is its own element.
    if usual != "IND" {
        let when = child(node, "time").and_then(|at| time::period_within(doc, at));
        parts.extend(when.map(|when| json!({"url": "period", "valuePeriod": when})));
    }
    (!parts.is_empty()).then(|| json!({"url": PARTICIPATION, "extension": parts}))
}

/// A code of a participation; one that HL7 does not have is of no system.
pub(super) fn coding(kind: &str) -> Value {
    const KNOWN: &[&str] = &[
        "ADM", "ATND", "AUT", "AUTHEN", "CALLBCK", "CON", "COV", "CSM", "CST", "DEV", "DIS", "DIR",
        "DIST", "DON", "DST", "ELOC", "ENT", "ESC", "EXLOC", "HLD", "IND", "INF", "IRCP", "LA",
        "LOC", "NOT", "NRD", "ORG", "PPRF", "PRCP", "PRD", "PRF", "PRM", "RCT", "RCV", "RDV",
        "REF", "REFB", "REFT", "RESP", "RML", "SBJ", "SPC", "SPRF", "TPA", "TRANS", "TRC", "VIA",
        "VRF", "WIT",
    ];
    if KNOWN.contains(&kind) {
        json!({"system": PARTS, "code": kind.to_owned()})
    } else {
        json!({"code": kind.to_owned()})
    }
}
