//! The visit that something belongs to: that which it stands in, or the one that it names alone.

use std::collections::{HashMap, HashSet};

use medibloc_record::json::Value;

use super::{Inside, points_elsewhere, push, relate};
use crate::{
    context::{Mood, Statement},
    doc::{Doc, key_of, reference},
    json::json,
    statement::is_empty,
    xml::{N, attr, child, related},
};

/// The element in which a resource names the visit that it belongs to, if its kind has one.
fn element(doc: &Doc<'_>, url: &str) -> Option<&'static str> {
    const ENCOUNTER: &[&str] = &[
        "Observation",
        "Condition",
        "Procedure",
        "ServiceRequest",
        "MedicationRequest",
        "Immunization",
        "AllergyIntolerance",
        "DiagnosticReport",
        "DeviceRequest",
    ];
    const CONTEXT: &[&str] = &[
        "MedicationStatement",
        "MedicationAdministration",
        "MedicationDispense",
    ];
    if doc.is_of(url, ENCOUNTER) {
        Some("encounter")
    } else {
        doc.is_of(url, CONTEXT).then_some("context")
    }
}

/// Says to which visit something belongs; what is said of another one stays.
fn put(doc: &Doc<'_>, url: &str, visit: Value) -> bool {
    let Some(element) = element(doc, url) else {
        return false;
    };
    let known = doc.element(url, element);
    if known.is_some_and(|known| known != visit) {
        return false;
    }
    doc.change(url, element, |resource| {
        resource.insert(element.into(), visit);
    });
    true
}

/// Whether no other visit stands beside this one: of two nobody knows which one it was.
fn is_alone(visit: N<'_>) -> bool {
    let around = visit
        .parent_element()
        .and_then(|link| link.parent_element());
    let is_visit = |node: &N<'_>| {
        node.tag_name().name() == "encounter"
            && matches!(attr(*node, "moodCode"), None | Some("EVN"))
    };
    let visits = around.into_iter().flat_map(related).map(|(_, node)| node);
    let which: HashSet<String> = visits
        .filter(is_visit)
        .map(|node| key_of(node).unwrap_or_else(|| format!("{:?}", node.id())))
        .collect();
    which.len() < 2
}

/// What names a visit, in it or in the document, belongs to that.
pub(super) fn of_named(doc: &Doc<'_>, around: &str, visit: &Inside<'_>) {
    if is_alone(visit.node) {
        put(doc, around, reference(&visit.url));
    }
}

/// What stands in a visit belongs to it.
pub(super) fn of_inner(doc: &Doc<'_>, visit: &str, inner: &str) {
    put(doc, inner, reference(visit));
}

/// The visit that a note belongs to.
pub(super) fn of_note(doc: &Doc<'_>, note: &str, visit: &str) {
    doc.change(note, "context", |resource| {
        let context = resource.entry("context").or_insert_with(|| json!({}));
        if let Value::Object(context) = context {
            push(context, "encounter", visit);
        }
    });
}

/// A visit that a group or a concern names is that of all that it is about.
pub(crate) fn of_each<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    urls: &[String],
    inside: &[Inside<'d>],
) {
    for (link, inner) in of
        .related()
        .filter(|(_, inner)| inner.name() == "encounter")
    {
        let found = inside.iter().find(|one| one.node == inner.node);
        for url in urls.iter().filter(|url| element(doc, url).is_some()) {
            if points_elsewhere(doc, &inner) {
                let relation = attr(link, "typeCode").unwrap_or("COMP");
                doc.point(url, relation, inner.node);
            } else if let Some(one) = found {
                doc.account.aside(|| relate(doc, url, one));
            } else {
                doc.account.aside(|| by_number(doc, url, &inner));
            }
        }
    }
}

/// What several visits name, each as its own: it belongs to none of them.
pub(super) fn shared(doc: &Doc<'_>, named: &[(String, String)]) -> HashSet<String> {
    let mut by: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (visit, url) in named {
        if doc.is_of(visit, &["Encounter"]) {
            by.entry(url).or_default().insert(visit);
        }
    }
    let several = by.into_iter().filter(|(_, visits)| visits.len() > 1);
    several.map(|(url, _)| url.to_owned()).collect()
}

/// A visit of which no statement tells more than its number: that of the header, or one that is not in the document, which a
/// reference can name by that.
pub(super) fn by_number(doc: &Doc<'_>, around: &str, of: &Statement<'_>) -> bool {
    let is_note = doc.is_of(around, &["DocumentReference"]);
    let is_one = of.name() == "encounter"
        && is_empty(of.node)
        && of.mood() == Mood::Event
        && !of.is_denied();
    if !is_one || !is_note && (element(doc, around).is_none() || !is_alone(of.node)) {
        return false;
    }
    // The stay that the header tells of is no statement, and yet in the output.
    let stay = key_of(of.node).and_then(|key| doc.known("Encounter", &key));
    let number = child(of.node, "id").and_then(|id| crate::value::identifier(doc, id));
    let number = || number.map(|id| json!({"identifier": id}));
    let Some(visit) = stay.map(|url| reference(&url)).or_else(number) else {
        return false;
    };
    doc.account.take(of.node);
    if is_note {
        doc.change(around, "context", |note| {
            note.entry("context").or_insert_with(|| json!({}))["encounter"] = json!([visit]);
        });
        return true;
    }
    put(doc, around, visit)
}
