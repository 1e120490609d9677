//! Why something was done or is wanted, and what came of it.

use medibloc_record::json::Value;

use super::{Inside, add, extend};
use crate::{doc::Doc, json::json, resource::NOT_DONE, statement::immunization};

/// FHIR's own extension for a goal that something is done or wanted for: what a goal addresses is an issue and no deed.
const FOR_GOAL: &str = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal";

/// Kinds of what is done or wanted for a goal.
const WITH_A_GOAL: &[&str] = &[
    "Procedure",
    "ServiceRequest",
    "MedicationRequest",
    "MedicationStatement",
    "MedicationAdministration",
    "MedicationDispense",
    "Immunization",
    "DeviceRequest",
    "DeviceUseStatement",
    "Observation",
    "Encounter",
];

/// What came of a goal (HL7 v3, `GEVL`: the source evaluates the target), whichever of both names the other.
pub(super) fn evaluates(doc: &Doc<'_>, around: &str, one: &Inside<'_>) {
    let (goal, found) = match one.kind {
        "Goal" => (&*one.url, around),
        _ => (around, &*one.url),
    };
    if is_outcome(doc, found) {
        add(doc, goal, "outcomeReference", found);
    } else {
        // What is wanted has no outcome yet: it is for that goal.
        is_for(doc, found, goal);
    }
}

/// Whether one of both is a vaccine and the other, which stands elsewhere, says why it was refused.
pub(super) fn refuses(doc: &Doc<'_>, around: &str, one: &Inside<'_>) -> bool {
    const VACCINE: &str = "Immunization";
    let (vaccine, reason) = match (one.kind, one.is_inverted) {
        (VACCINE, true) => (&*one.url, around),
        _ => (around, &*one.url),
    };
    let is_one = |node| immunization::is_refusal(Some(&one.relation), node);
    let refuses =
        one.is_named && doc.is_of(vaccine, &[VACCINE]) && doc.source(reason).is_some_and(is_one);
    if refuses {
        let taken = doc.account.put();
        immunization::refuse(doc, vaccine);
        doc.account.take_again(taken);
        if is_not_done(doc, vaccine) {
            why_not(doc, vaccine, reason);
        }
    }
    refuses
}

/// Why something was done, or was not.
pub(super) fn why(doc: &Doc<'_>, around: &str, one: &Inside<'_>) {
    const DOINGS: &[&str] = &[
        "Procedure",
        "ServiceRequest",
        "MedicationRequest",
        "MedicationStatement",
        "Immunization",
    ];
    if one.kind == "Goal" {
        is_for(doc, around, &one.url);
    } else if is_not_done(doc, around) {
        why_not(doc, around, &one.url);
    } else if doc.is_of(around, DOINGS) && ["Condition", "Observation"].contains(&one.kind) {
        add(doc, around, "reasonReference", &one.url);
    }
}

fn is_for(doc: &Doc<'_>, deed: &str, goal: &str) {
    if doc.is_of(deed, WITH_A_GOAL) && !is_not_done(doc, deed) {
        extend(doc, deed, FOR_GOAL, goal);
    }
}

/// Whether it happened, so that something can have come of it: no plan, and nothing that was given up or taken back.
fn is_outcome(doc: &Doc<'_>, url: &str) -> bool {
    const WANTED: &[&str] = &[
        "ServiceRequest",
        "MedicationRequest",
        "DeviceRequest",
        "SupplyRequest",
        "NutritionOrder",
        "Goal",
        "Coverage",
    ];
    const NOTHING: &[&str] = &[
        "planned",
        "preparation",
        "intended",
        "cancelled",
        "stopped",
        "abandoned",
        "entered-in-error",
    ];
    let status = doc.element(url, "status");
    let status = status.as_ref().and_then(Value::as_str);
    !doc.is_of(url, WANTED)
        && !doc.is_refuted(url)
        && !status.is_some_and(|status| NOTHING.contains(&status) || NOT_DONE.contains(&status))
}

/// Whether a resource says that something was not done, or shall not be.
fn is_not_done(doc: &Doc<'_>, url: &str) -> bool {
    let status = doc.element(url, "status");
    let status = status.as_ref().and_then(Value::as_str);
    status.is_some_and(|status| NOT_DONE.contains(&status)) || doc.has(url, "doNotPerform")
}

/// The reason of what was not done is none for which it was done: it is told by its code, if there is no other.
fn why_not(doc: &Doc<'_>, around: &str, reason: &str) {
    const LISTS: &[&str] = &["MedicationStatement", "MedicationAdministration"];
    const SINGLE: &[&str] = &["Immunization", "Procedure", "MedicationRequest"];
    let is_list = doc.is_of(around, LISTS);
    let said = doc.element(reason, "valueCodeableConcept");
    let Some(said) = said.or_else(|| doc.element(reason, "code")) else {
        return;
    };
    if is_list || doc.is_of(around, SINGLE) {
        doc.change(around, "statusReason", |resource| {
            let said = if is_list { json!([said]) } else { said };
            resource.entry("statusReason").or_insert(said);
        });
    }
}
