//! When a problem began and ended, and when somebody stated it.

use super::{AGE, OBSERVATION};
use crate::{
    context::Statement,
    doc::Doc,
    json::json,
    resource::Resource,
    statement::{shape, take_shell},
    value::{self, quantity, time},
    xml::{attr, child, related_by},
};

const DIAGNOSED: &[&str] = &["2.16.840.1.113883.10.20.22.4.502"];
const ASSERTED: &str = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate";
/// Diagnosis: established, its interpretation, principal, on admission, at discharge (SNOMED CT, LOINC, HL7 v3 `ActCode`).
const STATED: &[&str] = &[
    "14657009",
    "439401001",
    "282291009",
    "8319008",
    "52870002",
    "89100005",
    "29308-4",
    "46241-6",
    "11535-2",
    "DX",
    "ADMDX",
    "DISDX",
    "INTDX",
];
/// Assessment, and assessment with plan (LOINC).
const ASSESSMENTS: &[&str] = &["51848-0", "51847-2"];

/// Whether it ended at a time that nobody knows. Formats before C-CDA have such an end in each problem.
pub(super) fn is_over_since_unknown(of: &Statement<'_>) -> bool {
    const WITH_ENDS: &[&str] = &["2.16.840.1.113883.10.20.22.4.4"];
    of.has(WITH_ENDS) && of.child("effectiveTime").is_some_and(time::has_unknown_end)
}

/// Whether the one time that a statement has is when somebody stated the diagnosis, and not when it began: its code says that it is
/// one, or it stands in an assessment. Of a problem by template a lone time is the onset (C-CDA on FHIR, problems), but there.
fn is_stated_then(of: &Statement<'_>) -> bool {
    let lone = of.child("effectiveTime").is_some_and(|when| {
        let has = |name| child(when, name).is_some();
        !has("low")
            && !has("high")
            && !has("width")
            && (attr(when, "value").is_some() || has("center"))
    });
    let is_diagnosis = !of.has(OBSERVATION) && shape::is_coded(of.node, STATED);
    lone && (is_diagnosis || ASSESSMENTS.contains(&of.context.section))
}

pub(super) fn put<'d>(doc: &Doc<'d>, of: &Statement<'d>, out: &mut Resource<'d>) {
    let node = of.node;
    let span = child(node, "effectiveTime");
    let is_stated_then = is_stated_then(of);
    let began = span
        .filter(|_| !is_stated_then)
        .and_then(|when| time::start(doc, when));
    let known = time::put_at(out, doc, "onsetDateTime", began);
    let age = related_by(node, AGE).find_map(|inner| {
        let age = child(inner, "value").and_then(|value| quantity::duration(doc, value))?;
        take_shell(doc, inner);
        Some(age)
    });
    if known {
        doc.account.let_go();
    } else {
        out.put(doc, "onsetAge", age);
    }
    let refuted = out
        .body
        .get("verificationStatus")
        .is_some_and(|status| status["coding"][0]["code"] == "refuted");
    if refuted {
        // `con-4`: what is not there cannot be over, so its end is told in words.
        let ended = span.and_then(|when| time::end(doc, when));
        let words = ended.map(|at| format!("The source denies it until: {}", time::in_words(at)));
        out.push(doc, "note", words.map(|words| json!({"text": words})));
    } else {
        let ended = span.and_then(|when| time::end(doc, when));
        // `con-4`: what has an end is over; words that name no year need not be an end.
        let is_end = span.is_some_and(time::has_end);
        if let Some(words) = ended.as_ref().filter(|_| !is_end).and_then(time::unsure) {
            out.push(doc, "extension", Some(words));
        }
        let ended = ended.filter(|_| is_end);
        let is_dated = time::put_at(out, doc, "abatementDateTime", ended);
        let is_resolved = out
            .body
            .get("clinicalStatus")
            .is_some_and(|status| status["coding"][0]["code"] == "resolved");
        if !is_dated && is_resolved && is_over_since_unknown(of) {
            let high = span.and_then(|when| child(when, "high"));
            out.body
                .insert("_abatementDateTime".into(), value::absent(high));
        }
    }
    let diagnosed = related_by(node, DIAGNOSED).find_map(|inner| {
        let at = child(inner, "effectiveTime").and_then(|when| time::start(doc, when))?;
        take_shell(doc, inner);
        Some(at)
    });
    let stated = span
        .filter(|_| is_stated_then && diagnosed.is_none())
        .and_then(|when| time::moment(doc, when));
    let asserted = diagnosed.or(stated);
    out.push(
        doc,
        "extension",
        asserted.map(|at| time::extension(ASSERTED, at)),
    );
}
