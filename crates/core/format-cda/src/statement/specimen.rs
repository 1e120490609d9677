//! What was examined: `Specimen`.

use medibloc_record::json::{Map, Value};

use crate::{
    account::Because,
    context::{Mood, Statement, Subject},
    doc::{Doc, key_of, reference},
    json::json,
    people,
    resource::Resource,
    statement::{Made, inside, shape, status, take_shell},
    value::{self, code, name, put, quantity, text, time},
    xml::{N, attr, child, children},
};

const COLLECTION: &[&str] = &["2.16.840.1.113883.10.20.22.4.415"];
/// SNOMED CT: specimen collection.
const COLLECTED: &[&str] = &["17636008"];

/// The specimen that a statement names.
pub(crate) fn of<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<String> {
    children(node, "specimen").find_map(|part| {
        let role = child(part, "specimenRole")?;
        let url = made(doc, role, child(role, "specimenPlayingEntity"))?;
        doc.account.take(part);
        Some(url)
    })
}

fn made<'d>(doc: &Doc<'d>, role: N<'d>, entity: Option<N<'d>>) -> Option<String> {
    doc.account.aside(|| {
        let mut out = Resource::plain("Specimen", Some(role));
        out.put(doc, "identifier", value::identifiers(doc, role));
        let part = |name| entity.and_then(|entity| child(entity, name));
        let kind = part("code").and_then(|code| code::concept(doc, code));
        let kind = kind.or_else(|| Some(json!({"text": name::words(doc, entity?)?})));
        out.put(doc, "type", kind);
        let notes = part("desc").and_then(|desc| text::words(doc, desc));
        out.put(doc, "note", notes.map(|words| json!([{"text": words}])));
        let many = part("quantity").and_then(|many| quantity::quantity(doc, many));
        out.put(
            doc,
            "collection",
            many.map(|many| json!({"quantity": many})),
        );
        if out.body.is_empty() {
            return None;
        }
        out.body.insert("subject".into(), reference(&doc.patient()));
        let kind = out.body.get("type").map(Value::to_string);
        let apart = format!("{:?}|{}", key_of(role), kind.unwrap_or_default());
        Some(out.join(doc, Some(apart)))
    })
}

/// What the procedure took (`PRD`): the participation and its role.
fn taken<'d>(of: &Statement<'d>) -> Option<(N<'d>, N<'d>)> {
    let mut parts = children(of.node, "participant");
    parts.find_map(|part| {
        let role = child(part, "participantRole")?;
        let is_one =
            attr(part, "typeCode") == Some("PRD") && attr(role, "classCode") == Some("SPEC");
        is_one.then_some((part, role))
    })
}

/// Whether it tells how a specimen was taken from the patient, and which.
pub(crate) fn is_collection(of: &Statement<'_>) -> bool {
    (of.has(COLLECTION) || shape::is_coded(of.node, COLLECTED))
        && of.mood() == Mood::Event
        && matches!(of.subject(), Subject::Patient)
        && !of.is_denied()
        && taken(of).is_some()
}

/// A procedure that took a specimen as the collection of that (C-CDA on FHIR, results).
pub(crate) fn collection<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    const NOTHING: Because = "it does not say which specimen was taken";
    let node = of.node;
    let (part, role) = taken(of).ok_or(NOTHING)?;
    let url = made(doc, role, child(role, "playingEntity")).ok_or(NOTHING)?;
    let mut how = Map::new();
    let when = child(node, "effectiveTime");
    match when.and_then(|when| time::moment(doc, when)) {
        Some(at) => time::put_in(&mut how, "collectedDateTime", Some(at)),
        None => {
            let span = when.and_then(|when| time::period(doc, when));
            put(&mut how, "collectedPeriod", span);
        }
    }
    let mut sites = children(node, "targetSiteCode");
    let site = sites.find_map(|site| code::concept(doc, site));
    put(&mut how, "bodySite", site);
    let mut ways = children(node, "methodCode");
    put(
        &mut how,
        "method",
        ways.find_map(|way| code::concept(doc, way)),
    );
    let held = doc.account.put();
    let mut doers = people::performers(doc, node).into_iter();
    let doer = doers.find(|(url, _)| *url != doc.patient());
    put(
        &mut how,
        "collector",
        doer.map(|(url, _)| reference(&people::in_person(doc, url))),
    );
    doc.account.take_again(held);
    doc.account.take(part);
    take_shell(doc, node);
    let is_void = status(doc, of) == Some("nullified");
    doc.change(&url, "collection", |specimen| {
        let known = specimen.entry("collection").or_insert_with(|| json!({}));
        if let Value::Object(known) = known {
            known.extend(how);
        }
        if is_void {
            specimen.insert("status".into(), "entered-in-error".into());
        }
    });
    let _ = inside(doc, of, None);
    Ok(Some(("Specimen", url)))
}
