//! Who cares for the patient: `CareTeam`.

use serde_json::{Map, Value};

use crate::{
    account::{Because, Fate},
    context::Statement,
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{Made, common, inside},
    value::{code, list, put, time},
    xml::{child, children, sdtc},
};

const TEAM: &[&str] = &["2.16.840.1.113883.10.20.22.4.500"];
const MEMBER: &[&str] = &["2.16.840.1.113883.10.20.22.4.500.1"];

pub(crate) fn is_team(of: &Statement<'_>) -> bool {
    of.has(TEAM)
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("CareTeam", of, doc)?;
    let node = of.node;
    common(doc, of, &mut out);
    let state = match super::status(doc, of) {
        Some("active") => Some("active"),
        Some("completed") => Some("inactive"),
        Some("suspended" | "held") => Some("suspended"),
        Some("nullified") => Some("entered-in-error"),
        Some("new") => Some("proposed"),
        _ => None,
    };
    out.put(doc, "status", state);
    let kind = child(node, "code").and_then(|code| code::concept(doc, code));
    let name = kind.as_ref().and_then(|kind| kind.get("text")).cloned();
    out.put(doc, "category", kind.map(|kind| json!([kind])));
    if let Some(name) = name {
        out.body.insert("name".into(), name);
    }
    out.put(
        doc,
        "period",
        child(node, "effectiveTime").and_then(|when| time::period(doc, when)),
    );
    let mut all = Vec::new();
    for (_, inner) in of.related().filter(|(_, inner)| inner.has(MEMBER)) {
        for part in children(inner.node, "performer") {
            let Some(url) = people::entity(doc, part) else {
                continue;
            };
            let mut one = Map::new();
            let function = sdtc(part, "functionCode").or_else(|| child(part, "functionCode"));
            put(
                &mut one,
                "role",
                function
                    .and_then(|code| code::concept(doc, code))
                    .map(|code| json!([code])),
            );
            one.insert("member".into(), reference(&url));
            let span = child(inner.node, "effectiveTime").and_then(|when| time::period(doc, when));
            put(&mut one, "period", span);
            doc.account.take(inner.node);
            if let Some(state) = child(inner.node, "statusCode") {
                doc.account.take(state);
            }
            if let Some(code) = child(inner.node, "code") {
                doc.account.take(code);
            }
            all.push(Value::Object(one));
        }
    }
    out.put(doc, "participant", list(all));
    let url = out.add(doc)?;
    let _ = inside(doc, of, Some(&url));
    for part in children(node, "participant") {
        doc.account.because(
            part,
            Fate::Lost("a care team has no place for this participant"),
        );
    }
    Ok(Some(("CareTeam", url)))
}
