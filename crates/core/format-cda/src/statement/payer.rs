//! Who pays: `Coverage`.

use medibloc_record::json::{Map, Value};

use crate::{
    account::Because,
    context::Statement,
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::Made,
    value::{self, absent, code, list, name, put, time},
    xml::{N, attr, child, children, has_template, related},
};

const ACT: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.60",
    "2.16.840.1.113883.10.20.1.20",
];
const POLICY: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.61",
    "2.16.840.1.113883.10.20.1.26",
];
const PAYER: &[&str] = &["2.16.840.1.113883.10.20.22.4.87"];
const GUARANTOR: &[&str] = &["2.16.840.1.113883.10.20.22.4.88"];
const AUTHORIZATION: &[&str] = &["2.16.840.1.113883.10.20.1.19"];
/// A promise of the insurer to pay for a service.
const PROMISE: &str = "https://medibloc.org/fhir/StructureDefinition/authorization";
const SECTION: &str = "48768-6";
const OTHER_NAME: Because =
    "the covered party has another name than the patient, whom the coverage is of";

pub(crate) fn is_coverage(of: &Statement<'_>) -> bool {
    let is_named = |code: N<'_>| attr(code, "code") == Some(SECTION);
    let is_one = of.name() == "act" && of.child("code").is_some_and(is_named);
    of.has(ACT)
        || of.has(POLICY)
        || is_one
        || !of.context.is_inside && of.context.section == SECTION
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    if of.has(POLICY) {
        return one(doc, None, of);
    }
    let policies: Vec<(N<'d>, Statement<'d>)> = of
        .related()
        .filter(|(_, inner)| {
            inner.has(POLICY)
                || inner.name() == "act"
                    && (inner.child("performer").is_some()
                        || inner.mood() != crate::context::Mood::Event)
        })
        .collect();
    let mut first = None;
    for (link, inner) in &policies {
        let made = one(doc, Some((of, *link)), inner)?;
        // That it is about who pays, the kind of the resource says.
        if let Some((_, url)) = &made {
            doc.account.let_go();
            doc.account.take(of.node);
            for name in ["code", "statusCode"] {
                for part in children(of.node, name) {
                    doc.account.take(part);
                }
            }
            doc.change(url, "", |_| {});
        }
        first = first.or(made);
    }
    if policies.is_empty() {
        return one(doc, None, of);
    }
    Ok(first)
}

fn one<'d>(
    doc: &Doc<'d>,
    act: Option<(&Statement<'d>, N<'d>)>,
    of: &Statement<'d>,
) -> Result<Made, Because> {
    let mut out = Resource::of("Coverage", of, doc)?;
    let node = of.node;
    if let Some((act, _)) = act {
        doc.account.take(act.node);
        let mut all = value::identifiers(doc, node)
            .and_then(|all| all.as_array().cloned())
            .unwrap_or_default();
        all.extend(
            value::identifiers(doc, act.node)
                .and_then(|all| all.as_array().cloned())
                .unwrap_or_default(),
        );
        out.push_all(doc, "identifier", all);
    } else {
        out.put(doc, "identifier", value::identifiers(doc, node));
    }
    if out.is_denied() {
        return Err("the source denies it, and FHIR has no form for that here");
    }
    let state = match super::status(doc, of) {
        Some("nullified") => "entered-in-error",
        Some("cancelled" | "aborted") => "cancelled",
        Some("new") => "draft",
        // What is planned is in force only later.
        _ if of.mood() != crate::context::Mood::Event => "draft",
        _ => "active",
    };
    out.put(doc, "status", Some(state));
    out.put(
        doc,
        "type",
        child(node, "code").and_then(|code| code::concept(doc, code)),
    );
    let covered = children(node, "participant").find(|part| attr(*part, "typeCode") == Some("COV"));
    let holder = children(node, "participant").find(|part| attr(*part, "typeCode") == Some("HLD"));
    let role = |part: Option<N<'d>>| part.and_then(|part| child(part, "participantRole"));
    let number = role(covered)
        .or_else(|| role(holder))
        .and_then(|role| member_number(doc, role));
    if number.is_some()
        && let Some(part) = covered
    {
        doc.account.take(part);
    }
    out.put(doc, "subscriberId", number);
    // Another name than the patient's contradicts that it is the patient herself: no side is taken.
    let doubtful = [covered, holder]
        .into_iter()
        .any(|part| role(part).is_some_and(|role| is_another(doc, role)));
    let kin = role(covered).and_then(|role| child(role, "code")).and_then(|kin| {
        let known = code::mapped(doc, kin, |code| match code {
            "SELF" => Some("self"),
            "SPS" | "HUSB" | "WIFE" | "SPOUSE" => Some("spouse"),
            "CHILD" | "NCHILD" | "SON" | "DAU" | "DEPEN" | "NATCHILD" => Some("child"),
            "PRN" | "FTH" | "MTH" => Some("parent"),
            _ => None,
        });
        let mut shown = code::concept(doc, kin)?;
        if let Some(known) = known.filter(|known| *known != "self" || !doubtful)
            && let Some(list) = shown.get_mut("coding").and_then(Value::as_array_mut)
        {
            list.insert(0, json!({"system": "http://terminology.hl7.org/CodeSystem/subscriber-relationship", "code": known}));
        }
        Some(shown)
    });
    let own = kin
        .as_ref()
        .is_some_and(|kin| kin["coding"][0]["code"] == "self");
    out.put(doc, "relationship", kin);
    let span = covered
        .and_then(|part| child(part, "time"))
        .and_then(|at| time::period(doc, at));
    let span = span.or_else(|| child(node, "effectiveTime").and_then(|at| time::period(doc, at)));
    out.put(doc, "period", span);
    // Name and address of the insured as the insurer has them: the patient's, under her number there.
    if let Some(role) = role(covered) {
        let why = if own {
            Some("the insurer's copy of the patient's name, address and birth date")
        } else {
            is_another(doc, role).then_some(OTHER_NAME)
        };
        if let Some((entity, why)) = child(role, "playingEntity").zip(why) {
            doc.account.because(entity, crate::account::Fate::Lost(why));
        }
    }
    let subscriber = match role(holder) {
        _ if own => {
            doc.account.take(node);
            Some(doc.patient())
        }
        Some(role) => {
            let entity = child(role, "playingEntity");
            let url = people::related_person(doc, role, entity);
            if url.is_some()
                && let Some(part) = holder
            {
                doc.account.take(part);
            }
            url
        }
        None => None,
    };
    out.put(doc, "subscriber", subscriber.map(|url| reference(&url)));
    let payers: Vec<N<'d>> = children(node, "performer").collect();
    let mut houses = Vec::new();
    for part in &payers {
        let Some(entity) = child(*part, "assignedEntity") else {
            continue;
        };
        let kind = child(entity, "code").and_then(|code| attr(code, "code"));
        if has_template(*part, GUARANTOR) || kind == Some("GUAR") {
            continue;
        }
        let is_payer = has_template(*part, PAYER) || kind == Some("PAYOR") || payers.len() == 1;
        if let Some(url) = payer(doc, entity).filter(|_| is_payer) {
            doc.account.take(*part);
            houses.push(url);
        }
    }
    let payor = people::references(houses);
    out.put(
        doc,
        "payor",
        Some(payor.unwrap_or_else(|| json!([absent(None)]))),
    );
    if let Some((_, link)) = act
        && let Some(order) = child(link, "sequenceNumber")
            .and_then(|one| value::quantity::whole(doc, one))
            .filter(|order| *order > 0)
    {
        out.put(doc, "order", Some(order));
    }
    out.put(doc, "class", plans(doc, node));
    out.push_all(doc, "extension", authorizations(doc, node));
    let url = out.add(doc)?;
    guarantors(doc, node, &url);
    Ok(Some(("Coverage", url)))
}

/// The number of a member: one without an extension is its root (C-CDA, "Covered Party Participant").
fn member_number<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<String> {
    let known = || children(role, "id").filter(|id| attr(*id, "nullFlavor").is_none());
    let of = |name: &str| known().find_map(|id| Some((id, attr(id, name)?)));
    let (id, number) = of("extension").or_else(|| of("root"))?;
    doc.account.take(id);
    Some(number.to_owned())
}

/// Whether a role is of somebody who bears another name than the patient.
fn is_another(doc: &Doc<'_>, role: N<'_>) -> bool {
    child(role, "playingEntity").is_some_and(|one| people::bears_another_name(doc, one))
}

/// Services that the insurer promised to pay, with the number of the promise: no plan of treatment.
fn authorizations<'d>(doc: &Doc<'d>, node: N<'d>) -> Vec<Value> {
    let mut all = Vec::new();
    for (_, inner) in related(node).filter(|(_, inner)| has_template(*inner, AUTHORIZATION)) {
        let mut parts: Vec<Value> = Vec::new();
        let ids = children(inner, "id").filter_map(|id| value::identifier(doc, id));
        parts.extend(ids.map(|id| json!({"url": "identifier", "valueIdentifier": id})));
        for (_, service) in related(inner) {
            let Some(code) = child(service, "code").and_then(|code| code::concept(doc, code))
            else {
                continue;
            };
            doc.account.take(service);
            parts.push(json!({"url": "service", "valueCodeableConcept": code}));
        }
        if parts.is_empty() {
            continue;
        }
        super::take_shell(doc, inner);
        all.push(json!({"url": PROMISE, "extension": parts}));
    }
    all
}

/// Who answers for the bill: the guarantor of an account with that coverage.
fn guarantors<'d>(doc: &Doc<'d>, node: N<'d>, coverage: &str) {
    for part in children(node, "performer") {
        let Some(entity) = child(part, "assignedEntity") else {
            continue;
        };
        let kind = child(entity, "code").and_then(|code| attr(code, "code"));
        if !has_template(part, GUARANTOR) && kind != Some("GUAR") {
            continue;
        }
        let person = child(entity, "assignedPerson");
        let url = if person.is_some() {
            people::related_person(doc, entity, person)
        } else {
            child(entity, "representedOrganization")
                .and_then(|house| people::organization(doc, house))
        };
        let Some(url) = url else { continue };
        doc.account.let_go();
        doc.account.take(part);
        if let Some(code) = child(entity, "code") {
            doc.account.take(code);
        }
        let mut out = Resource::plain("Account", None);
        // FHIR demands a status, and the source has none.
        out.body.insert("status".into(), "unknown".into());
        out.body
            .insert("subject".into(), json!([reference(&doc.patient())]));
        out.body.insert(
            "coverage".into(),
            json!([{"coverage": reference(coverage)}]),
        );
        let mut one = Map::new();
        one.insert("party".into(), reference(&url));
        let span = child(part, "time").and_then(|at| time::period(doc, at));
        put(&mut one, "period", span);
        out.put(doc, "guarantor", Some(json!([one])));
        let _ = out.join(doc, None);
    }
}

/// The insurer: an organization with the numbers that the role gives it.
fn payer<'d>(doc: &Doc<'d>, entity: N<'d>) -> Option<String> {
    doc.account.aside(|| {
        let house = child(entity, "representedOrganization");
        let mut out = Resource::plain("Organization", Some(entity));
        let mut ids = value::identifiers(doc, entity)
            .and_then(|ids| ids.as_array().cloned())
            .unwrap_or_default();
        if let Some(house) = house {
            ids.extend(
                value::identifiers(doc, house)
                    .and_then(|ids| ids.as_array().cloned())
                    .unwrap_or_default(),
            );
        }
        out.push_all(doc, "identifier", ids);
        let kind = child(entity, "code").and_then(|code| code::concept(doc, code));
        out.put(doc, "type", kind.map(|kind| json!([kind])));
        if let Some(house) = house {
            out.put(doc, "name", name::words(doc, house));
        }
        for node in [Some(entity), house].into_iter().flatten() {
            let more = name::telecoms(doc, node)
                .map(people::not_at_home)
                .and_then(|more| more.as_array().cloned())
                .unwrap_or_default();
            out.push_all(doc, "telecom", more);
            let more = name::addresses(doc, node)
                .map(people::not_at_home)
                .and_then(|more| more.as_array().cloned())
                .unwrap_or_default();
            out.push_all(doc, "address", more);
        }
        if !out.has("name") && !out.has("identifier") {
            return None;
        }
        let key = format!(
            "payer|{:?}|{:?}",
            out.body.get("identifier"),
            out.body.get("name")
        );
        Some(out.join(doc, Some(key)))
    })
}

/// Plans that the policy refers to.
fn plans<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<Value> {
    let mut all = Vec::new();
    for (link, inner) in related(node) {
        if attr(link, "typeCode") != Some("REFR")
            || attr(inner, "classCode") != Some("ACT")
            || attr(inner, "moodCode") != Some("DEF")
        {
            continue;
        }
        let mut one = Map::new();
        let number = children(inner, "id").find_map(|id| {
            let number = attr(id, "extension").or_else(|| attr(id, "root"))?;
            doc.account.take(id);
            Some(number.to_owned())
        });
        let words = super::text::text_of(doc, inner);
        let Some(shown) = number.or_else(|| words.clone()) else {
            continue;
        };
        one.insert(
            "type".into(),
            code::coded(
                "http://terminology.hl7.org/CodeSystem/coverage-class",
                "plan",
            ),
        );
        one.insert("value".into(), shown.into());
        put(&mut one, "name", words);
        doc.account.take(inner);
        all.push(Value::Object(one));
    }
    list(all)
}
