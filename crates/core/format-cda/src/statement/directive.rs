//! Advance directives: `Consent` of the scope `adr`.

use medibloc_record::json::{Map, Value};

use crate::{
    account::Because,
    context::Statement,
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{Made, inside, recorded},
    value::{self, absent, code, list, put, time},
    xml::{attr, child, children},
};

const OBSERVATION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.48",
    "2.16.840.1.113883.10.20.1.17",
];
const SECTION: &str = "42348-3";

pub(crate) fn is_directive(of: &Statement<'_>) -> bool {
    of.has(OBSERVATION)
        || !of.context.is_inside && of.context.section == SECTION && of.name() == "observation"
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("Consent", of, doc)?;
    let node = of.node;
    out.put(doc, "identifier", value::identifiers(doc, node));
    if out.is_denied() {
        return Err("the source denies it, and FHIR has no form for that here");
    }
    let state = match super::status(doc, of) {
        Some("completed" | "active") => "active",
        Some("nullified") => "entered-in-error",
        Some("aborted" | "cancelled") => "inactive",
        _ => "active",
    };
    out.put(doc, "status", Some(state));
    out.body.insert(
        "scope".into(),
        code::coded("http://terminology.hl7.org/CodeSystem/consentscope", "adr"),
    );
    let kind = child(node, "code").and_then(|code| code::concept(doc, code));
    out.put(
        doc,
        "category",
        Some(json!([kind.unwrap_or_else(|| absent(child(node, "code")))])),
    );
    let at = recorded(doc, node)
        .or_else(|| child(node, "effectiveTime").and_then(|when| time::start(doc, when)));
    time::put_at(&mut out, doc, "dateTime", at);
    out.body.insert("policyRule".into(), absent(None));
    let mut checks = Vec::new();
    for part in children(node, "participant").filter(|part| attr(*part, "typeCode") == Some("VRF"))
    {
        let mut one = Map::new();
        one.insert("verified".into(), true.into());
        let at = child(part, "time").and_then(|at| time::start(doc, at));
        time::put_in(&mut one, "verificationDate", at);
        checks.push(Value::Object(one));
    }
    out.put(doc, "verification", list(checks));
    let mut rule = Map::new();
    let span = child(node, "effectiveTime").and_then(|when| time::period(doc, when));
    put(&mut rule, "period", span);
    let said: Vec<Value> = children(node, "value")
        .filter_map(|value| code::concept(doc, value))
        .collect();
    put(&mut rule, "code", list(said));
    // Whom it was verified with can only be the patient or a relative in FHIR: others took part in it.
    let mut actors: Vec<Value> = Vec::new();
    for part in children(node, "participant") {
        let Some(code) = attr(part, "typeCode").filter(|code| ["CST", "VRF"].contains(code)) else {
            continue;
        };
        let role = child(part, "participantRole");
        let Some(url) = role.and_then(|role| people::role(doc, part, role)) else {
            continue;
        };
        let kind = role.and_then(|role| child(role, "code"));
        let kind = kind
            .and_then(|kind| code::concept(doc, kind))
            .filter(|_| code == "CST");
        let kind = kind.unwrap_or_else(|| {
            code::coded(
                "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                code.to_owned(),
            )
        });
        actors.push(json!({"role": kind, "reference": reference(&url)}));
    }
    put(&mut rule, "actor", list(actors));
    out.put(
        doc,
        "provision",
        (!rule.is_empty()).then_some(Value::Object(rule)),
    );
    let url = out.add(doc)?;
    let _ = inside(doc, of, Some(&url));
    Ok(Some(("Consent", url)))
}
