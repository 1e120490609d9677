//! What was seen: the values of an observation, or why there is none.

use medibloc_record::json::Value;

use crate::{
    codes,
    doc::Doc,
    json::json,
    resource::Resource,
    statement::{allergy::REACTION, shape},
    value::{self, code::coded, text},
    xml::{N, attr, child, children, declared, own_text},
};

/// The whole of a number that is a value.
const IDENTIFIER: &str = "https://medibloc.org/fhir/StructureDefinition/value-identifier";
const FILE: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value";
const ABSENT: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";

/// The value; further ones are components that say the same in words.
pub(in crate::statement) fn values<'d>(doc: &Doc<'d>, node: N<'d>, out: &mut Resource<'d>) {
    let given: Vec<N<'d>> = children(node, "value").collect();
    let mut first = true;
    for one in &given {
        let Some((key, value)) = super::value(doc, *one) else {
            doc.account.let_go();
            continue;
        };
        let whole = number(doc, *one);
        if first {
            out.put(doc, key, Some(value));
            if let Some(whole) = whole {
                out.put_beside(doc, key, whole);
            }
            first = false;
        } else {
            // `obs-7`: a component beside a value has another code, so what it is stands there in words.
            let code = out.body.get("code").cloned().unwrap_or_default();
            let words = code
                .get("text")
                .or_else(|| code["coding"][0].get("display"));
            let words = words.or_else(|| code["coding"][0].get("code")).cloned();
            let code = words.map_or_else(|| value::absent(None), |words| json!({"text": words}));
            let mut part = json!({"code": code, key: value});
            if let (Some(whole), Value::Object(part)) = (whole, &mut part) {
                part.insert(format!("_{key}").into(), whole);
            }
            out.push(doc, "component", Some(part));
        }
    }
    // A file, or what stands elsewhere: FHIR R4 has no such value, and R5's extension for it (C-CDA on FHIR, results).
    let files = given.iter().filter(|one| declared(**one) == "ED");
    let files: Vec<Value> = files
        .filter_map(|one| text::attachment(doc, *one))
        .map(|file| json!({"url": FILE, "valueAttachment": file}))
        .collect();
    if first && !files.is_empty() {
        out.push_all(doc, "extension", files);
    } else if first && let Some(one) = given.first() {
        let flavor = attr(*one, "nullFlavor");
        // What is there and cannot be read is not unknown: it is told in words alone.
        let code = if flavor.is_none() && shape::is_said(*one) && has_words(doc, *one) {
            "as-text"
        } else {
            codes::absent(flavor)
        };
        // A reaction that is named needs no value: what happened is its name.
        let is_named = out
            .body
            .get("code")
            .is_some_and(|code| code.get("text").is_some() || code.get("coding").is_some());
        let is_finding =
            is_named && !is_assertion_code(node) && crate::xml::has_template(node, REACTION);
        if !is_finding || code == "as-text" {
            out.put(doc, "dataAbsentReason", Some(coded(ABSENT, code)));
        }
    }
}

/// What stands beside a number as a value: FHIR has no identifiers as values, and the number alone does not say whose it is.
fn number(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let is_more = attr(node, "extension").is_some() && attr(node, "root").is_some()
        || attr(node, "assigningAuthorityName").is_some();
    if declared(node) != "II" || !is_more {
        return None;
    }
    let whole = value::identifier(doc, node)?;
    Some(json!({"extension": [{"url": IDENTIFIER, "valueIdentifier": whole}]}))
}

/// Whether it says anything but where words should stand that the document does not have.
fn has_words(doc: &Doc<'_>, node: N<'_>) -> bool {
    let mut parts = node.descendants().filter(N::is_element);
    parts.any(|part| match attr(part, "value") {
        Some(target) if part.tag_name().name() == "reference" => {
            !target.trim().starts_with('#') || doc.anchor(target).is_some()
        }
        said => {
            said.is_some()
                || attr(part, "code").is_some()
                || attr(part, "displayName").is_some()
                || own_text(part).is_some()
        }
    })
}

fn is_assertion_code(node: N<'_>) -> bool {
    child(node, "code").is_some_and(|code| attr(code, "code") == Some("ASSERTION"))
}
