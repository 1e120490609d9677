//! Results and vital signs: `Observation` and `DiagnosticReport`.

use roxmltree::Node;
use serde_json::{Map, Value, json};

use crate::{
    build::{Builder, reference},
    codes,
    entry::{self, Because, RESULTS, VITALS},
    value::{
        coded, concept, concept_or_absent, date_time, identifiers, list, period, pointed_text, put,
        put_time, quantity, range,
    },
    xml::{attr, child, children, has_template, negated, related},
};

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

fn status(node: Node<'_, '_>) -> &'static str {
    codes::observation_status(child(node, "statusCode").and_then(|code| attr(code, "code")))
}

/// One observation; gives its full URL.
pub(crate) fn convert(
    node: Node<'_, '_>,
    section: &str,
    build: &mut Builder<'_, '_>,
) -> Result<String, Because> {
    if negated(node) {
        return Err("FHIR has no form for a negated observation");
    }
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    out.insert("status".into(), status(node).into());
    put(&mut out, "category", category(section));
    out.insert("code".into(), concept_or_absent(child(node, "code"), build));
    out.insert("subject".into(), reference(&build.patient));
    put_time(&mut out, "effective", child(node, "effectiveTime"));
    let given = child(node, "value");
    match given.and_then(|given| value(given, build)) {
        Some((key, value)) => {
            out.insert(key.into(), value);
        }
        None => put(
            &mut out,
            "dataAbsentReason",
            given.map(|given| {
                let code = codes::absent(attr(given, "nullFlavor"));
                coded(
                    "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                    code,
                )
            }),
        ),
    }
    let signs = children(node, "interpretationCode").filter_map(|code| concept(code, build));
    put(&mut out, "interpretation", list(signs.collect()));
    let sites = children(node, "targetSiteCode").find_map(|code| concept(code, build));
    put(&mut out, "bodySite", sites);
    put(
        &mut out,
        "method",
        child(node, "methodCode").and_then(|code| concept(code, build)),
    );
    let ranges = children(node, "referenceRange").filter_map(|range| reference_range(range, build));
    put(&mut out, "referenceRange", list(ranges.collect()));
    let members: Vec<Value> = related(node, "observation")
        .filter(|inner| child(*inner, "code").is_some() && child(*inner, "value").is_some())
        .filter(|inner| attr(*inner, "moodCode").is_none_or(|mood| mood == "EVN"))
        .filter_map(|inner| convert(inner, section, build).ok())
        .map(|url| reference(&url))
        .collect();
    put(&mut out, "hasMember", list(members));
    Ok(build.add("Observation", Some(node), out))
}

fn category(section: &str) -> Option<Value> {
    let code = match section {
        _ if RESULTS.contains(&section) => "laboratory",
        _ if VITALS.contains(&section) => "vital-signs",
        "29762-2" => "social-history",
        _ => return None,
    };
    Some(json!([coded(CATEGORY, code)]))
}

/// `value[x]` by the type that the source declares.
fn value(node: Node<'_, '_>, build: &Builder<'_, '_>) -> Option<(&'static str, Value)> {
    let declared = node.attribute((XSI, "type")).unwrap_or_default();
    let words = || pointed_text(node, build).map(|text| ("valueString", text.into()));
    match declared.rsplit(':').next().unwrap_or_default() {
        "PQ" | "REAL" => match quantity(node) {
            Some(amount) => Some(("valueQuantity", amount)),
            None => attr(node, "value")
                .map(|raw| ("valueString", raw.into()))
                .or_else(words),
        },
        "INT" => match attr(node, "value")?.parse::<i32>() {
            Ok(number) => Some(("valueInteger", number.into())),
            Err(_) => attr(node, "value").map(|raw| ("valueString", raw.into())),
        },
        "BL" => Some((
            "valueBoolean",
            attr(node, "value")?.parse::<bool>().ok()?.into(),
        )),
        "TS" => attr(node, "value")
            .and_then(date_time)
            .map(|at| ("valueDateTime", at.into())),
        "IVL_TS" => period(node).map(|span| ("valuePeriod", span)),
        "IVL_PQ" => range(node).map(|span| ("valueRange", span.into())),
        "RTO" | "RTO_PQ_PQ" => {
            let top = child(node, "numerator").and_then(quantity)?;
            let bottom = child(node, "denominator").and_then(quantity)?;
            Some((
                "valueRatio",
                json!({"numerator": top, "denominator": bottom}),
            ))
        }
        "ST" | "ED" => words(),
        _ => concept(node, build)
            .map(|concept| ("valueCodeableConcept", concept))
            .or_else(|| quantity(node).map(|amount| ("valueQuantity", amount)))
            .or_else(words),
    }
}

fn reference_range(node: Node<'_, '_>, build: &Builder<'_, '_>) -> Option<Value> {
    let node = child(node, "observationRange")?;
    let mut out = child(node, "value").and_then(range).unwrap_or_default();
    let words = child(node, "text").and_then(|text| pointed_text(text, build));
    put(&mut out, "text", words.map(Value::String));
    (!out.is_empty()).then_some(Value::Object(out))
}

/// A report of results, a panel of vital signs, or just what it holds.
pub(crate) fn organizer(
    node: Node<'_, '_>,
    section: &str,
    build: &mut Builder<'_, '_>,
) -> Result<(), Because> {
    let vital =
        VITALS.contains(&section) || has_template(node, &["2.16.840.1.113883.10.20.22.4.26"]);
    let result =
        RESULTS.contains(&section) || has_template(node, &["2.16.840.1.113883.10.20.22.4.1"]);
    let mut members = Vec::new();
    let mut because = "the organizer holds no statement that is converted yet";
    for component in children(node, "component") {
        let Some(inner) = component.children().find(Node::is_element) else {
            continue;
        };
        let within = if vital { VITALS[0] } else { section };
        if inner.tag_name().name() == "observation" && (vital || result) {
            match convert(inner, within, build) {
                Ok(url) => members.push(reference(&url)),
                Err(reason) => because = reason,
            }
        } else if let Err(reason) = entry::statement(inner, section, build) {
            because = reason;
        }
    }
    if !(vital || result) {
        return if build.made.is_empty() {
            Err(because)
        } else {
            Ok(())
        };
    }
    if vital && members.is_empty() {
        return Err(because);
    }
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    out.insert("status".into(), status(node).into());
    out.insert("code".into(), concept_or_absent(child(node, "code"), build));
    out.insert("subject".into(), reference(&build.patient));
    put_time(&mut out, "effective", child(node, "effectiveTime"));
    if vital {
        put(&mut out, "category", category(VITALS[0]));
        put(&mut out, "hasMember", list(members));
        build.add("Observation", Some(node), out);
    } else {
        put(&mut out, "result", list(members));
        build.add("DiagnosticReport", Some(node), out);
    }
    Ok(())
}
