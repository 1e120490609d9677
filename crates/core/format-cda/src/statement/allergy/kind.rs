//! What kind of reaction it is, and against what kind of thing: said by the value, by the code, or by both.

use crate::{
    codes::status,
    context::Statement,
    doc::Doc,
    json::json,
    resource::Resource,
    statement::ALLERGIES,
    value::code,
    xml::{N, attr},
};

use super::words;

/// What kind it is, in the words and codes of the source.
const KIND: &str = "https://medibloc.org/fhir/StructureDefinition/allergy-kind";

fn is_kind(code: &N<'_>) -> bool {
    attr(*code, "code").and_then(status::allergy_kind).is_some()
}

/// Puts type and category by the value or, as C32 has it, by the code, and beside them what they do not tell. Where nothing else names
/// what it is against, the value does, or else the code.
pub(super) fn put<'d>(doc: &Doc<'d>, of: &Statement<'d>, is_named: bool, out: &mut Resource<'d>) {
    let (value, code) = (of.child("value"), of.child("code"));
    let both = || [value, code].into_iter().flatten();
    let kind = both().find(is_kind).or(value);
    let known = kind.and_then(|kind| code::mapped(doc, kind, status::allergy_kind));
    let (sort, category) = known.unwrap_or_default();
    out.put(doc, "type", sort);
    if let Some(kind) = kind {
        doc.account.take(kind);
    }
    out.put(doc, "category", category.map(|category| json!([category])));

    let name = value.or(code).filter(|_| !is_named);
    for one in both().filter(|one| Some(*one) != name) {
        let is_same = kind.is_some_and(|kind| attr(kind, "code") == attr(one, "code"));
        let theirs = words::of_reaction(doc, of, one);
        let is_said = || theirs.is_none() && code::said(doc, one).is_some();
        let is_told = is_same && is_kind(&one) && !is_said();
        // That it is an assertion, and of an allergy, is what the kind of the resource says.
        let is_plain = |code| code == "ASSERTION" || ALLERGIES.contains(&code);
        if is_told || code::known(one).is_some_and(is_plain) {
            out.says(doc, Some(one));
            words::let_go(doc, theirs);
        } else {
            let kind = words::concept(doc, of, Some(one), || code::concept(doc, one));
            let kind = kind.map(|kind| json!({"url": KIND, "valueCodeableConcept": kind}));
            out.push(doc, "extension", kind);
        }
    }
}
