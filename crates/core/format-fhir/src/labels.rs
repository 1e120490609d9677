//! How carefully a document must be shared: the security labels of everything in it.

use medibloc_record::Labels;
use serde_json::{Map, Value};

use crate::reader;

/// The labels of a bundle: of itself, of its resources and of what they contain, wherever that stands.
pub(crate) fn of(tree: &Value) -> Labels {
    let mut labels = Labels::default();
    walk(tree, "Bundle", &mut labels);
    labels
}

fn walk<'t>(value: &'t Value, of: &'t str, labels: &mut Labels) {
    match value {
        Value::Array(list) => list.iter().for_each(|item| walk(item, of, labels)),
        Value::Object(object) => {
            let kind = object.get("resourceType").and_then(Value::as_str);
            // Told in words: only what FHIR has.
            let of = kind.filter(|kind| reader::is_kind(kind)).unwrap_or(of);
            look(object, of, labels);
            object.values().for_each(|value| walk(value, of, labels));
        }
        _ => {}
    }
}

/// The labels of one object.
fn look(object: &Map<String, Value>, of: &str, labels: &mut Labels) {
    let security = object.get("meta").and_then(|meta| meta.get("security"));
    for label in security.into_iter().flat_map(each) {
        concept(label, &format!("{of}.meta.security"), labels);
    }
    match of {
        "Composition" => {
            let at = "Composition.confidentiality";
            if let Some(level) = object.get("confidentiality") {
                concept(level, at, labels);
            }
            if object.get("_confidentiality").is_some_and(is_masked) {
                labels.add_masked(at);
            }
        }
        "DocumentReference" => {
            for label in object.get("securityLabel").into_iter().flat_map(each) {
                concept(label, "DocumentReference.securityLabel", labels);
            }
        }
        _ => {}
    }
    // A label inside of a resource (HL7's segmentation of data for privacy).
    let url = object.get("url").and_then(Value::as_str);
    if url.is_some_and(|url| url.ends_with("/extension-inline-sec-label")) {
        for label in ["valueCoding", "valueCodeableConcept"] {
            for label in object.get(label).into_iter().flat_map(each) {
                concept(label, &format!("{of}, inside of it,"), labels);
            }
        }
    }
}

/// The items of a list, or what stands where a list should.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value.as_array();
    let one = list.is_none().then_some(value);
    let all = list.into_iter().flatten().chain(one);
    all.filter(|value| !value.is_null())
}

/// A code, a Coding or a CodeableConcept.
fn concept(label: &Value, at: &str, labels: &mut Labels) {
    if is_masked(label) || label.get("_code").is_some_and(is_masked) {
        labels.add_masked(at);
    }
    let codings = match label.get("coding") {
        Some(codings) => each(codings).collect(),
        None => vec![label],
    };
    if codings.is_empty() {
        // Words alone.
        labels.add(at, None, None);
    }
    let codes = codings.into_iter().map(|coding| {
        let code = coding.get("code").unwrap_or(coding);
        (coding.get("system").and_then(Value::as_str), code.as_str())
    });
    labels.add_one(at, codes);
}

/// Whether a value is withheld, as FHIR says it.
fn is_masked(value: &Value) -> bool {
    let extensions = value.get("extension").into_iter().flat_map(each);
    extensions.into_iter().any(|extension| {
        let url = extension.get("url").and_then(Value::as_str);
        url.is_some_and(|url| url.ends_with("/data-absent-reason"))
            && extension
                .get("valueCode")
                .is_some_and(|code| code == "masked")
    })
}
