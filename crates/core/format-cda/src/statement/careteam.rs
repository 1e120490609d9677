//! Who cares for the patient: `CareTeam`.

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Fate},
    context::Statement,
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{Made, common, inside},
    value::{code, list, put, time},
    xml::{N, attr, child, children, sdtc},
};

const TEAM: &[&str] = &["2.16.840.1.113883.10.20.22.4.500"];
const PARTS: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
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
    let mut all: Vec<Member> = Vec::new();
    for (_, inner) in of.related().filter(|(_, inner)| inner.has(MEMBER)) {
        for part in children(inner.node, "performer") {
            member(doc, inner.node, part, &mut all);
        }
    }
    for part in children(node, "participant") {
        lead(doc, part, &mut all);
    }
    let all = all.into_iter().map(|one| {
        let mut out = Map::new();
        put(&mut out, "role", list(one.roles));
        out.insert("member".into(), reference(&one.url));
        put(&mut out, "period", one.period);
        Value::Object(out)
    });
    let all = all.collect();
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

/// One who belongs to the team: once, whatever roles they have in it at one time.
struct Member {
    url: String,
    roles: Vec<Value>,
    period: Option<Value>,
    ids: Vec<String>,
}

fn member<'d>(doc: &Doc<'d>, act: N<'d>, part: N<'d>, all: &mut Vec<Member>) {
    let Some(url) = people::entity(doc, part) else {
        return;
    };
    let function = sdtc(part, "functionCode").or_else(|| child(part, "functionCode"));
    let role = function.and_then(|code| code::concept(doc, code));
    let period = child(act, "effectiveTime").and_then(|when| time::period(doc, when));
    doc.account.take(act);
    for name in ["statusCode", "code"] {
        if let Some(part) = child(act, name) {
            doc.account.take(part);
        }
    }
    let entity = child(part, "assignedEntity");
    let ids = [Some(act), entity].into_iter().flatten().flat_map(numbers);
    let known = all
        .iter()
        .position(|one| one.url == url && one.period == period);
    let at = known.unwrap_or_else(|| {
        all.push(Member {
            url,
            roles: Vec::new(),
            period,
            ids: Vec::new(),
        });
        all.len() - 1
    });
    all[at].ids.extend(ids);
    if let Some(role) = role.filter(|role| !all[at].roles.contains(role)) {
        all[at].roles.push(role);
    }
}

/// Who leads the team is one of its members, by number (C-CDA, care team organizer).
fn lead<'d>(doc: &Doc<'d>, part: N<'d>, all: &mut [Member]) {
    if attr(part, "typeCode") != Some("PPRF") {
        return;
    }
    let Some(role) = child(part, "participantRole") else {
        return;
    };
    let own: Vec<String> = numbers(role).collect();
    let found = all
        .iter_mut()
        .find(|one| own.iter().any(|id| one.ids.contains(id)));
    if let Some(found) = found {
        found.roles.push(code::coded(PARTS, "PPRF"));
        doc.account.take(part);
        for id in children(role, "id") {
            doc.account.take(id);
        }
    }
}

fn numbers<'d>(node: N<'d>) -> impl Iterator<Item = String> {
    children(node, "id").filter_map(|id| {
        let root = attr(id, "root")?;
        Some([root, "|", attr(id, "extension").unwrap_or_default()].concat())
    })
}
