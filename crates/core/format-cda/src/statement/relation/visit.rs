//! The visit that something belongs to.

use medibloc_record::json::Value;

use super::{OF_VISITS, push};
use crate::{
    context::{Mood, Statement},
    doc::Doc,
    json::json,
    statement::is_empty,
    xml::child,
};

/// The visit that a note belongs to.
pub(super) fn of_note(doc: &Doc<'_>, note: &str, visit: &str) {
    doc.change(note, "context", |resource| {
        let context = resource.entry("context").or_insert_with(|| json!({}));
        if let Value::Object(context) = context {
            push(context, "encounter", visit);
        }
    });
}

/// A visit of which nothing is told but its number, here and elsewhere in the document: a reference can have that.
pub(super) fn by_number(doc: &Doc<'_>, around: &str, of: &Statement<'_>) -> bool {
    let is_note = doc.is_of(around, &["DocumentReference"]);
    let is_one = of.name() == "encounter"
        && is_empty(of.node)
        && of.mood() == Mood::Event
        && !of.is_denied();
    if !is_one || !is_note && !doc.is_of(around, OF_VISITS) && !doc.is_of(around, &["Condition"]) {
        return false;
    }
    let number = child(of.node, "id").and_then(|id| crate::value::identifier(doc, id));
    let Some(visit) = number.map(|id| json!({"identifier": id})) else {
        return false;
    };
    doc.account.take(of.node);
    if is_note {
        doc.change(around, "context", |note| {
            note.entry("context").or_insert_with(|| json!({}))["encounter"] = json!([visit]);
        });
    } else {
        doc.change(around, "encounter", |resource| {
            resource.entry("encounter").or_insert(visit);
        });
    }
    true
}
