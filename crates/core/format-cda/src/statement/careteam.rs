//! Who cares for the patient: `CareTeam`.

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Fate},
    context::{Mood, Statement},
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{Made, common, inside},
    value::{absent, code, list, put, time},
    xml::{N, attr, child, children, path, sdtc},
};

const TEAM: &[&str] = &["2.16.840.1.113883.10.20.22.4.500"];
const PARTS: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const MEMBER: &[&str] = &["2.16.840.1.113883.10.20.22.4.500.1"];

pub(crate) fn is_team(of: &Statement<'_>) -> bool {
    of.has(TEAM)
}

/// Whether it says that somebody is not a member of a team, or was withdrawn.
pub(crate) fn is_no_member(of: &Statement<'_>) -> bool {
    let state = of.child("statusCode").and_then(code::state);
    of.has(MEMBER)
        && (of.is_denied()
            || of.mood() != Mood::Event
            || matches!(state, Some("nullified" | "obsolete")))
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("CareTeam", of, doc)?;
    let node = of.node;
    common(doc, of, &mut out);
    let state = match super::status(doc, of) {
        Some("active" | "normal") => Some("active"),
        Some("completed" | "aborted" | "cancelled") => Some("inactive"),
        Some("suspended" | "held") => Some("suspended"),
        Some("nullified" | "obsolete") => Some("entered-in-error"),
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
    let members = of.related().map(|(_, inner)| inner);
    let members = members.filter(|inner| inner.has(MEMBER) && !is_no_member(inner));
    let (now, other): (Vec<_>, Vec<_>) = members.partition(is_member);
    for inner in now {
        for part in children(inner.node, "performer") {
            member(doc, &inner, part, &mut all);
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
    for inner in other {
        for part in children(inner.node, "performer") {
            let told = in_words(doc, &inner, part);
            out.push(doc, "note", told.map(|words| json!({"text": words})));
        }
    }
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

/// Codes of a membership that is, or was.
const ENDED: &[&str] = &["completed", "aborted"];

fn is_member(act: &Statement<'_>) -> bool {
    let state = act.child("statusCode").and_then(code::state);
    state.is_none_or(|state| ["active", "normal"].contains(&state) || ENDED.contains(&state))
}

/// A member who is none yet, or not at present: FHIR has no status of one, so it is told in words.
fn in_words<'d>(doc: &Doc<'d>, act: &Statement<'d>, part: N<'d>) -> Option<String> {
    let status = act.child("statusCode")?;
    let entity = child(part, "assignedEntity")?;
    let who = ["assignedPerson", "representedOrganization"];
    let name = who.iter().find_map(|who| path(entity, &[who, "name"]))?;
    let mut words = crate::xml::text(name)?;
    let function = sdtc(part, "functionCode").or_else(|| child(part, "functionCode"));
    if let Some(role) = function.and_then(|code| code::words(doc, code)) {
        words = format!("{words}, {role}");
    }
    for one in [act.node, part, status, name] {
        doc.account.take(one);
    }
    name.children().for_each(|one| doc.account.take(one));
    let state = code::state(status)?;
    Some(format!("Not a member at present ({state}): {words}"))
}

fn member<'d>(doc: &Doc<'d>, of: &Statement<'d>, part: N<'d>, all: &mut Vec<Member>) {
    let act = of.node;
    let Some(url) = people::entity(doc, part) else {
        return;
    };
    let function = sdtc(part, "functionCode").or_else(|| child(part, "functionCode"));
    let role = function.and_then(|code| code::concept(doc, code));
    // How long somebody is a member, or else how long they take part.
    let spans = [child(act, "effectiveTime"), child(part, "time")];
    let state = child(act, "statusCode").and_then(code::state);
    // Who is a member at present did not cease to be one at the single time that is told.
    let is_present = state == Some("active");
    let period = spans.into_iter().flatten().find_map(|when| {
        if is_present {
            time::period_from(doc, when)
        } else {
            time::period_within(doc, when)
        }
    });
    // That somebody is a member at present is what a period without an end says; the status itself is in no element.
    let ended = child(act, "statusCode")
        .filter(|code| code::state(*code).is_some_and(|state| ENDED.contains(&state)));
    let period = match ended {
        Some(code) => {
            doc.account.take(code);
            let mut period = period.unwrap_or_else(|| json!({}));
            if period.get("end").is_none() && period.get("_end").is_none() {
                period["_end"] = absent(None);
            }
            Some(period)
        }
        None => period,
    };
    doc.account.take(act);
    if let Some(code) = child(act, "code") {
        doc.account.take(code);
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
    let known = children(node, "id").filter(|id| !crate::codes::is_dummy(*id));
    known.filter_map(|id| {
        let root = attr(id, "root")?;
        Some([root, "|", attr(id, "extension").unwrap_or_default()].concat())
    })
}
