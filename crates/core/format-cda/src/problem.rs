//! Problems to `Condition`. Traps: negation, abatement against status, a status observation inside.

use roxmltree::Node;
use serde_json::{Map, Value, json};

use crate::{
    build::{Builder, reference},
    codes,
    entry::{Because, PROBLEMS},
    value::{any_time, coded, concept_or_absent, identifiers, put, time},
    xml::{attr, child, has_template, negated, path, related},
};

const ACT: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.3",
    "2.16.840.1.113883.10.20.22.4.80",
    "2.16.840.1.113883.10.20.1.27",
];
const OBSERVATION: &[&str] = &["2.16.840.1.113883.10.20.22.4.4"];
const STATUS: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.6",
    "2.16.840.1.113883.10.20.1.50",
];
const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/condition-category";

pub(crate) fn is_problem(node: Node<'_, '_>, section: &str) -> bool {
    has_template(node, ACT)
        || has_template(node, OBSERVATION)
        || (PROBLEMS.contains(&section)
            && attr(node, "moodCode").is_none_or(|mood| mood == "EVN")
            && (node.tag_name().name() == "observation"
                || related(node, "observation").next().is_some()))
}

/// Converts a concern act or a bare problem observation.
pub(crate) fn convert(
    node: Node<'_, '_>,
    section: &str,
    build: &mut Builder<'_, '_>,
) -> Result<(), Because> {
    let category = if section == "46240-8" || has_template(node, &[ACT[1]]) {
        "encounter-diagnosis"
    } else {
        "problem-list-item"
    };
    if node.tag_name().name() == "observation" {
        one(node, node, category, build);
        return Ok(());
    }
    let mut found = false;
    for observation in related(node, "observation") {
        one(node, observation, category, build);
        found = true;
    }
    if found {
        Ok(())
    } else {
        Err("the concern holds no problem observation")
    }
}

fn one(act: Node<'_, '_>, node: Node<'_, '_>, category: &str, build: &mut Builder<'_, '_>) {
    let when = child(node, "effectiveTime");
    let low = when.and_then(|when| child(when, "low").and_then(time).or_else(|| time(when)));
    let high = when.and_then(|when| child(when, "high")).and_then(time);
    let status = related(node, "observation")
        .filter(|inner| has_template(*inner, STATUS))
        .find_map(|inner| codes::clinical_status(attr(child(inner, "value")?, "code")?));
    let concern = path(act, &["statusCode"]).filter(|_| act != node);
    let status = match (&high, status) {
        (Some(_), None | Some("active")) => Some("resolved"),
        (None, None) => concern
            .and_then(|code| attr(code, "code"))
            .filter(|code| *code == "active")
            .map(|_| "active"),
        (_, given) => given,
    };
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    put(
        &mut out,
        "clinicalStatus",
        status.map(|code| coded(CLINICAL, code)),
    );
    if negated(node) {
        out.insert("verificationStatus".into(), coded(VERIFICATION, "refuted"));
    }
    out.insert("category".into(), json!([coded(CATEGORY, category)]));
    out.insert(
        "code".into(),
        concept_or_absent(child(node, "value"), build),
    );
    out.insert("subject".into(), reference(&build.patient));
    put(&mut out, "onsetDateTime", low.map(Value::String));
    if high.is_some() {
        put(&mut out, "abatementDateTime", high.map(Value::String));
    }
    let recorded = child(node, "author").and_then(|author| child(author, "time"));
    put(
        &mut out,
        "recordedDate",
        recorded.and_then(any_time).map(Value::String),
    );
    build.add("Condition", Some(node), out);
}
