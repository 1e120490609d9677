//! Visits and stays: `Encounter`, and the one that the header says that the document belongs to.

use serde_json::{Map, Value, json};

use crate::{
    account::Because,
    codes::status,
    context::{Mood, Statement},
    doc::{Doc, key_of, reference},
    people,
    resource::Resource,
    statement::{Made, inside, link, place, reasons},
    value::{self, absent, code, list, put, time},
    xml::{N, attr, child, children, path, sdtc},
};

const CLASS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const ACT_CODE: &str = "2.16.840.1.113883.5.4";

/// The class: a code of the v3 vocabulary, of the code itself or of a translation.
fn class(doc: &Doc<'_>, code: N<'_>) -> Option<Value> {
    const CLASSES: &[&str] = &[
        "AMB", "EMER", "IMP", "ACUTE", "NONAC", "HH", "VR", "SS", "OBSENC", "PRENC", "FLD",
    ];
    let all = core::iter::once(code).chain(children(code, "translation"));
    let found = all
        .filter(|one| attr(*one, "codeSystem") == Some(ACT_CODE))
        .find_map(|one| {
            let found = CLASSES
                .iter()
                .find(|class| attr(one, "code") == Some(class))?;
            doc.account.take(one);
            Some(json!({"system": CLASS, "code": found}))
        });
    // Kinds of visit whose code says their class (CPT: office, hospital, emergency).
    found.or_else(|| {
        code::mapped(doc, code, |code| match code {
            "4525004" => Some("EMER"),
            "32485007" => Some("IMP"),
            _ => None,
        })
        .map(|class| json!({"system": CLASS, "code": class}))
    })
}

fn sort(doc: &Doc<'_>, code: N<'_>) -> Option<Value> {
    code::concept(doc, code).map(|code| json!([code]))
}

fn span(doc: &Doc<'_>, when: N<'_>) -> Option<Value> {
    let mark = doc.account.mark();
    if let Some(at) = time::moment(doc, when) {
        let mut out = Map::new();
        let end = child(when, "high").is_some().then(|| at.clone());
        time::put_in(&mut out, "start", Some(at));
        time::put_in(&mut out, "end", end);
        return Some(Value::Object(out));
    }
    doc.account.drop_to(mark);
    time::period(doc, when)
}

fn finish<'d>(doc: &Doc<'d>, mut out: Resource<'d>, key: Option<String>) -> String {
    let known = key
        .as_ref()
        .is_some_and(|key| doc.is_known("Encounter", key));
    if !out.has("class") && !known {
        out.body.insert("class".into(), absent(None));
    }
    out.join(doc, key)
}

/// The encounter of the header.
pub(crate) fn encompassing<'d>(doc: &Doc<'d>, composition: &mut Resource<'d>) {
    let Some(node) = path(doc.root, &["componentOf", "encompassingEncounter"]) else {
        return;
    };
    let mut out = Resource::plain("Encounter", Some(node));
    out.put(doc, "identifier", value::identifiers(doc, node));
    let when = child(node, "effectiveTime");
    let ended = when
        .and_then(|when| child(when, "high"))
        .is_some_and(|high| attr(high, "value").is_some());
    out.body.insert(
        "status".into(),
        if ended { "finished" } else { "unknown" }.into(),
    );
    let code = child(node, "code");
    out.put(doc, "class", code.and_then(|code| class(doc, code)));
    out.put(doc, "type", code.and_then(|code| sort(doc, code)));
    out.body.insert("subject".into(), reference(&doc.patient()));
    let mut parts = Vec::new();
    for part in children(node, "encounterParticipant") {
        let Some(url) = people::entity(doc, part) else {
            continue;
        };
        let mut one = Map::new();
        let kind = attr(part, "typeCode").map(|code| {
            json!([code::coded(
                "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                code
            )])
        });
        put(&mut one, "type", kind);
        put(
            &mut one,
            "period",
            child(part, "time").and_then(|at| time::period(doc, at)),
        );
        one.insert("individual".into(), reference(&url));
        parts.push(Value::Object(one));
    }
    for part in children(node, "responsibleParty") {
        if let Some(url) = people::entity(doc, part) {
            let kind = code::coded(
                "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                "RESP",
            );
            parts.push(json!({"type": [kind], "individual": reference(&url)}));
        }
    }
    out.put(doc, "participant", list(parts));
    out.put(doc, "period", when.and_then(|when| span(doc, when)));
    let home = path(node, &["location", "healthCareFacility"]);
    let url = home.and_then(|home| people::place(doc, home));
    out.put(
        doc,
        "location",
        url.map(|url| json!([{"location": reference(&url)}])),
    );
    let gone = child(node, "dischargeDispositionCode").and_then(|code| code::concept(doc, code));
    out.put(
        doc,
        "hospitalization",
        gone.map(|gone| json!({"dischargeDisposition": gone})),
    );
    let key = key_of(node);
    let url = finish(doc, out, key);
    composition.body.insert("encounter".into(), reference(&url));
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("Encounter", of, doc)?;
    let node = of.node;
    out.put(doc, "identifier", value::identifiers(doc, node));
    let state = super::status(doc, of);
    let state = match (of.mood(), state) {
        (Mood::Event, state) => status::encounter(state),
        (_, Some("nullified")) => "entered-in-error",
        (_, Some("cancelled" | "aborted")) => "cancelled",
        _ => "planned",
    };
    // One that is denied did not take place: `Resource::add` would refuse it, and it must not be joined to another.
    if out.is_denied() {
        return Err("the source denies it, and FHIR has no form for that here");
    }
    out.put(doc, "status", Some(state));
    let code = child(node, "code");
    out.put(doc, "class", code.and_then(|code| class(doc, code)));
    out.put(doc, "type", code.and_then(|code| sort(doc, code)));
    let haste = child(node, "priorityCode").and_then(|code| code::concept(doc, code));
    out.put(doc, "priority", haste);
    let doers = people::performers(doc, node).into_iter();
    let doers = doers.map(|(url, function)| match function {
        Some(function) => json!({"type": [function], "individual": reference(&url)}),
        None => json!({"individual": reference(&url)}),
    });
    out.put(doc, "participant", list(doers.collect()));
    out.put(
        doc,
        "period",
        of.child("effectiveTime").and_then(|when| span(doc, when)),
    );
    out.put(
        doc,
        "location",
        place(doc, node).map(|url| json!([{"location": reference(&url)}])),
    );
    out.put(doc, "reasonCode", reasons(doc, of));
    let gone =
        sdtc(node, "dischargeDispositionCode").or_else(|| child(node, "dischargeDispositionCode"));
    let gone = gone.and_then(|code| code::concept(doc, code));
    out.put(
        doc,
        "hospitalization",
        gone.map(|gone| json!({"dischargeDisposition": gone})),
    );
    let url = finish(doc, out, key_of(node));
    let inside = inside(doc, of, Some(&url));
    link(
        doc,
        &url,
        "diagnosis",
        &inside,
        |one| json!({"condition": one}),
        |one| one.kind == "Condition",
    );
    Ok(Some(("Encounter", url)))
}
