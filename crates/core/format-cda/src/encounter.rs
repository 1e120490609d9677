//! Encounters and their diagnoses.

use roxmltree::Node;
use serde_json::{Map, json};

use crate::{
    build::{Builder, reference},
    entry::Because,
    problem,
    value::{absent, concept, identifiers, period, put, time},
    xml::{attr, child, children, related},
};

const CLASS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

pub(crate) fn convert(
    node: Node<'_, '_>,
    mood: &str,
    build: &mut Builder<'_, '_>,
) -> Result<(), Because> {
    let state = child(node, "statusCode").and_then(|code| attr(code, "code"));
    let state = match (mood, state) {
        (_, Some("nullified")) => "entered-in-error",
        (_, Some("cancelled" | "aborted")) => "cancelled",
        ("EVN", Some("completed")) => "finished",
        ("EVN", Some("active")) => "in-progress",
        ("EVN", _) => "unknown",
        _ => "planned",
    };
    let code = child(node, "code");
    let class = code
        .into_iter()
        .flat_map(|code| core::iter::once(code).chain(children(code, "translation")));
    let class = class
        .filter(|code| attr(*code, "codeSystem") == Some("2.16.840.1.113883.5.4"))
        .filter_map(|code| attr(code, "code"))
        .find(|code| {
            [
                "AMB", "EMER", "IMP", "ACUTE", "NONAC", "HH", "VR", "SS", "OBSENC", "PRENC", "FLD",
            ]
            .contains(code)
        });
    for act in related(node, "act").filter(|act| problem::is_problem(*act, "46240-8")) {
        problem::convert(act, "46240-8", build)?;
    }
    let diagnoses: Vec<_> = build
        .made
        .iter()
        .filter(|(name, _)| name.starts_with("Condition/"))
        .map(|(_, url)| json!({"condition": reference(url)}))
        .collect();
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    out.insert("status".into(), state.into());
    let class = class.map_or_else(
        || absent(None),
        |code| json!({"system": CLASS, "code": code}),
    );
    out.insert("class".into(), class);
    put(
        &mut out,
        "type",
        code.and_then(|code| concept(code, build))
            .map(|code| json!([code])),
    );
    out.insert("subject".into(), reference(&build.patient));
    let when = child(node, "effectiveTime");
    let span = when.and_then(|when| {
        period(when).or_else(|| time(when).map(|at| json!({"start": at.clone(), "end": at})))
    });
    put(&mut out, "period", span);
    put(&mut out, "diagnosis", crate::value::list(diagnoses));
    build.add("Encounter", Some(node), out);
    Ok(())
}
