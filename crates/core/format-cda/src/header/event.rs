//! What was done of which the document tells, and who did it.

use medibloc_record::json::{Map, Value};

use super::part::{coding, plays};
use crate::{
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    value::{code, list, object, put, time},
    xml::{N, attr, child, children, text},
};

pub(super) fn all<'d>(doc: &Doc<'d>, out: &mut Resource<'d>) {
    let events = children(doc.root, "documentationOf");
    for event in events.filter_map(|node| child(node, "serviceEvent")) {
        // Who cares for the patient is a team of theirs; who did one thing is none.
        let team = if attr(event, "classCode") == Some("PCPR") {
            team(doc, event)
        } else {
            performers(doc, event, out);
            None
        };
        let mut one = Map::new();
        let kind = child(event, "code").and_then(|code| code::concept(doc, code));
        put(&mut one, "code", kind.map(|kind| json!([kind])));
        put(
            &mut one,
            "period",
            child(event, "effectiveTime").and_then(|at| time::period_within(doc, at)),
        );
        put(&mut one, "detail", team.map(|url| json!([reference(&url)])));
        out.push(doc, "event", object(one));
    }
}

fn performers<'d>(doc: &Doc<'d>, event: N<'d>, out: &mut Resource<'d>) {
    for node in children(event, "performer") {
        let Some(url) = people::entity(doc, node) else {
            continue;
        };
        let one = plays(doc, "Performer", &url, node, "PRF");
        out.push(doc, "extension", Some(one));
    }
}

/// Who cares for the patient, with the part that each has.
fn team<'d>(doc: &Doc<'d>, event: N<'d>) -> Option<String> {
    let mut members = Vec::new();
    for node in children(event, "performer") {
        let Some(url) = people::entity(doc, node) else {
            continue;
        };
        doc.account.aside(|| general(doc, node, &url));
        let mut one = Map::new();
        let function = child(node, "functionCode").and_then(|code| code::concept(doc, code));
        // Who cares first, and who does second.
        let rank = attr(node, "typeCode").filter(|kind| ["PPRF", "SPRF"].contains(kind));
        let rank = rank.map(|kind| json!({"coding": [coding(kind)]}));
        put(
            &mut one,
            "role",
            list(function.into_iter().chain(rank).collect()),
        );
        one.insert("member".into(), reference(&url));
        put(
            &mut one,
            "period",
            child(node, "time").and_then(|at| time::period_from(doc, at)),
        );
        members.push(Value::Object(one));
    }
    (!members.is_empty()).then(|| {
        let mut team = Resource::plain("CareTeam", None);
        team.body
            .insert("subject".into(), reference(&doc.patient()));
        team.put(doc, "participant", list(members));
        team.join(doc, None)
    })
}

/// Whoever takes part as the patient's own physician, in their care or in the document, and in no other event.
pub(super) fn general<'d>(doc: &Doc<'d>, node: N<'d>, url: &str) {
    const KINDS: &[&str] = &["Practitioner", "PractitionerRole", "Organization"];
    if !child(node, "functionCode").is_some_and(is_own) || !doc.is_of(url, KINDS) {
        return;
    }
    doc.change(&doc.patient(), "generalPractitioner", |patient| {
        let list = patient
            .entry("generalPractitioner")
            .or_insert_with(|| json!([]));
        let one = reference(url);
        if let Value::Array(list) = list
            && !list.contains(&one)
        {
            list.push(one);
        }
    });
}

/// Whether a function is that of the patient's own physician (HL7 v3, `PCP`). Who did most of something (HL7 v2 table 0443, `PP`) is,
/// if the words or else the name of the code say so, or if no words do and nothing says what was done.
fn is_own(function: N<'_>) -> bool {
    const WORDS: &[&str] = &["primary care", "pcp", "general pract", "family"];
    let says_so = |words: &str| {
        let words = words.to_lowercase();
        WORDS.iter().any(|own| words.contains(own))
    };
    match attr(function, "code") {
        Some("PCP") => true,
        Some("PP") => match child(function, "originalText").and_then(text) {
            Some(words) => says_so(&words),
            None if attr(function, "displayName").is_some_and(says_so) => true,
            None => {
                let event = function
                    .parent_element()
                    .and_then(|one| one.parent_element());
                let code = event.and_then(|event| child(event, "code"));
                code.is_none_or(|code| attr(code, "code").is_none())
            }
        },
        _ => false,
    }
}
