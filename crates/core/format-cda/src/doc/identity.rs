//! What tells resources apart, and how one is joined to another.

use medibloc_record::json::{Map, Text, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    json::json,
    xml::{N, attr, children},
};

/// Whether an element says all that another says.
fn says(more: &Value, less: &Value) -> bool {
    match (more, less) {
        (Value::Object(more), Value::Object(less)) => {
            less.iter().all(|(key, value)| more.get(key) == Some(value))
        }
        (more, less) => more == less,
    }
}

/// Adds a value to a resource; whether it has the value now.
pub(super) fn join(resource: &mut Map, name: Text, value: Value) -> bool {
    match (resource.get_mut(&name), value) {
        (Some(Value::Array(old)), Value::Array(new)) => {
            for one in new {
                // What says less than another is told with it.
                if let Some(at) = old.iter().position(|old| says(&one, old)) {
                    old[at] = one;
                } else if !old.iter().any(|old| says(old, &one)) {
                    old.push(one);
                }
            }
            true
        }
        // What is known beats that nothing is.
        (Some(old), value) if name == "status" && *old == "unknown" => {
            *old = value;
            true
        }
        (Some(old), value) if is_absent(old) => {
            *old = value;
            true
        }
        // Of a time one may say when it began, and another when it ended.
        (Some(Value::Object(old)), Value::Object(new))
            if name == "period" && new.iter().all(|(key, end)| may_be(old, key, end)) =>
        {
            for (key, end) in new {
                old.remove(&["_", &key].concat());
                old.insert(key, end);
            }
            true
        }
        (Some(old), value) => *old == value,
        (None, value) => {
            resource.insert(name, value);
            true
        }
    }
}

/// Whether an end of a period can be that of another: the same, of the day that it has in words, or where nothing is known of it.
fn may_be(known: &Map, key: &str, end: &Value) -> bool {
    let Some(words) = known.get(&["_", key].concat()) else {
        return known.get(key).is_none_or(|known| known == end);
    };
    let days = [&words["extension"][0]["valueString"], end].map(|at| {
        let signs = at.as_str().unwrap_or_default().bytes();
        signs.filter(u8::is_ascii_digit).take(8).collect::<Vec<_>>()
    });
    is_absent(words) || days[0] == days[1]
}

/// Whether an element says no more than that it has no value.
fn is_absent(value: &Value) -> bool {
    const REASON: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
    value
        .as_object()
        .is_some_and(|parts| parts.len() == 1 && value["extension"][0]["url"] == REASON)
}

/// What tells it apart: its first id.
pub(crate) fn key_of(node: N<'_>) -> Option<String> {
    children(node, "id").find_map(|id| {
        let root = attr(id, "root")?;
        let extension = attr(id, "extension");
        // Where the number itself is not known, its issuer tells nothing apart.
        let is_whole = attr(id, "nullFlavor").is_none() && !crate::codes::is_register(root);
        let is_known = !crate::codes::is_dummy(id) && (extension.is_some() || is_whole);
        is_known.then(|| [root, "|", extension.unwrap_or_default()].concat())
    })
}

pub(super) fn resource(kind: &'static str, id: String, url: String, mut resource: Map) -> Value {
    resource.insert_first("id".into(), id.into());
    resource.insert_first("resourceType".into(), kind.into());
    json!({"fullUrl": url, "resource": resource})
}

/// A uuid (version 8) from a SHA-256 of these words with bars between them.
pub(super) fn uuid(words: &[&str]) -> String {
    let mut hash: [u8; 32] = Sha256::digest(words.join("|").as_bytes()).into();
    hash[6] = (hash[6] & 0x0f) | 0x80;
    hash[8] = (hash[8] & 0x3f) | 0x80;
    let hex = hex::encode(&hash[..16]);
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

pub(crate) fn reference(url: &str) -> Value {
    json!({ "reference": url.to_owned() })
}

/// Whether it can be an `id` of XHTML and the end of a URL.
pub(crate) fn is_name(id: &str) -> bool {
    id.len() <= 64
        && id.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && id
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter))
}
