//! Allergies to `AllergyIntolerance`. Traps: negation ("no known"), status and reaction nested inside.

use roxmltree::Node;
use serde_json::{Map, Value, json};

use crate::{
    build::{Builder, reference},
    codes,
    entry::{ALLERGIES, Because},
    value::{absent, any_time, coded, concept, identifiers, list, put},
    xml::{attr, child, children, has_template, negated, path, related},
};

const OBSERVATION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.7",
    "2.16.840.1.113883.10.20.1.18",
];
const ACT: &[&str] = &["2.16.840.1.113883.10.20.22.4.30"];
const STATUS: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.28",
    "2.16.840.1.113883.10.20.1.39",
];
const REACTION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.9",
    "2.16.840.1.113883.10.20.1.54",
];
const SEVERITY: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.8",
    "2.16.840.1.113883.10.20.1.55",
];
const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";

pub(crate) fn is_allergy(node: Node<'_, '_>, section: &str) -> bool {
    has_template(node, OBSERVATION)
        || has_template(node, ACT)
        || (ALLERGIES.contains(&section)
            && (node.tag_name().name() == "observation"
                || related(node, "observation").next().is_some()))
}

pub(crate) fn convert(node: Node<'_, '_>, build: &mut Builder<'_, '_>) -> Result<(), Because> {
    if node.tag_name().name() == "observation" {
        one(node, node, build);
        return Ok(());
    }
    let mut found = false;
    for observation in related(node, "observation") {
        one(node, observation, build);
        found = true;
    }
    if found {
        Ok(())
    } else {
        Err("the concern holds no allergy observation")
    }
}

fn one(act: Node<'_, '_>, node: Node<'_, '_>, build: &mut Builder<'_, '_>) {
    let agent = path(node, &["participant", "participantRole", "playingEntity"]);
    let substance = agent.and_then(|agent| {
        child(agent, "code")
            .and_then(|code| concept(code, build))
            .or_else(|| {
                let name = child(agent, "name").and_then(crate::xml::text)?;
                Some(json!({ "text": name }))
            })
    });
    let kind = child(node, "value").and_then(|value| concept(value, build));
    let status = related(node, "observation")
        .filter(|inner| has_template(*inner, STATUS))
        .find_map(|inner| codes::clinical_status(attr(child(inner, "value")?, "code")?))
        .or_else(|| {
            let concern = child(act, "statusCode").filter(|_| act != node);
            concern
                .and_then(|code| attr(code, "code"))
                .filter(|code| *code == "active")
        });
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    // `ait-1` demands a code; where the source is silent the code carries that it is unknown.
    let mut clinical = coded(CLINICAL, status.unwrap_or("active"));
    if status.is_none() {
        clinical["extension"] = absent(None)["extension"].take();
    }
    out.insert("clinicalStatus".into(), clinical);
    if negated(node) {
        out.insert("verificationStatus".into(), coded(VERIFICATION, "refuted"));
    }
    if let Some(code) = child(node, "value").and_then(|value| attr(value, "code")) {
        let category = match code {
            "416098002" | "59037007" | "419511003" => Some("medication"),
            "414285001" | "235719002" | "418471000" => Some("food"),
            "426232007" => Some("environment"),
            _ => None,
        };
        put(
            &mut out,
            "category",
            category.map(|category| json!([category])),
        );
    }
    let code = substance
        .or(kind)
        .unwrap_or_else(|| absent(agent.or(Some(node))));
    out.insert("code".into(), code);
    out.insert("patient".into(), reference(&build.patient));
    let onset = child(node, "effectiveTime").and_then(any_time);
    put(&mut out, "onsetDateTime", onset.map(Value::String));
    let reactions: Vec<Value> = related(node, "observation")
        .filter(|inner| has_template(*inner, REACTION))
        .filter_map(|inner| reaction(inner, build))
        .collect();
    put(&mut out, "reaction", list(reactions));
    build.add("AllergyIntolerance", Some(node), out);
}

fn reaction(node: Node<'_, '_>, build: &Builder<'_, '_>) -> Option<Value> {
    let shown = children(node, "value").find_map(|value| concept(value, build))?;
    let mut out = Map::new();
    out.insert("manifestation".into(), json!([shown]));
    let severity = related(node, "observation")
        .filter(|inner| has_template(*inner, SEVERITY))
        .find_map(|inner| match attr(child(inner, "value")?, "code")? {
            "255604002" => Some("mild"),
            "6736007" | "371923003" => Some("moderate"),
            "24484000" | "371924009" => Some("severe"),
            _ => None,
        });
    put(&mut out, "severity", severity.map(Value::from));
    Some(Value::Object(out))
}
