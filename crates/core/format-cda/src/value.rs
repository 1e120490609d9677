//! HL7 v3 data types to FHIR ones. A value that is not surely representable gives none, never a guess; what a conversion used is
//! taken in the account.

pub(crate) mod code;
pub(crate) mod name;
pub(crate) mod quantity;
pub(crate) mod schedule;
pub(crate) mod text;
pub(crate) mod time;

use medibloc_record::json::{Map, Value};

use crate::{
    codes,
    doc::Doc,
    json::json,
    xml::{N, attr, children},
};

/// Words of the source for what FHIR has a code for (FHIR R4, `originalText`).
const SAID: &str = "http://hl7.org/fhir/StructureDefinition/originalText";
/// What is shown of a value (FHIR R4, `rendered-value`).
const RENDERED: &str = "http://hl7.org/fhir/StructureDefinition/rendered-value";
const DAR: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

pub(crate) fn put(map: &mut Map, key: &'static str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(key.into(), value.into());
    }
}

pub(crate) fn list(values: Vec<Value>) -> Option<Value> {
    (!values.is_empty()).then_some(Value::Array(values))
}

pub(crate) fn object(map: Map) -> Option<Value> {
    (!map.is_empty()).then_some(Value::Object(map))
}

/// What is kept beside an element that is a mere code: the words that the source has for it.
pub(crate) fn said_beside(doc: &Doc<'_>, node: Option<N<'_>>) -> Option<Value> {
    let words = code::said(doc, node?)?;
    Some(json!({"extension": [{"url": SAID, "valueString": words}]}))
}

/// An element that only says why it is absent.
pub(crate) fn absent(node: Option<N<'_>>) -> Value {
    let flavor = node.and_then(|node| attr(node, "nullFlavor"));
    json!({"extension": [{"url": DAR, "valueCode": codes::absent(flavor)}]})
}

/// An `II`.
pub(crate) fn identifier(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let root = attr(node, "root");
    let number = attr(node, "extension");
    // A number beside a null flavor is none, if nothing says of which register it is.
    if root.is_none() && (number.is_none() || attr(node, "nullFlavor").is_some()) {
        return None;
    }
    let mut out = Map::new();
    if root == Some(codes::URI)
        && !codes::is_masked(node)
        && let Some((system, value)) = number.and_then(codes::part_uri)
    {
        out.insert("system".into(), system.to_owned().into());
        out.insert("value".into(), value.to_owned().into());
        doc.account.take(node);
        return Some(Value::Object(out));
    }
    // What is a URI already is one.
    let system = root.and_then(|root| {
        let is_uri = root.contains(':') && !root.contains(char::is_whitespace);
        codes::identifier_system(root).or_else(|| is_uri.then(|| root.to_owned()))
    });
    let root = root.unwrap_or_default();
    match (system, attr(node, "extension")) {
        // What stands in the place of a number that is not shown is no number.
        (system, Some(shown)) if codes::is_masked(node) || codes::is_word_for_none(shown) => {
            put(&mut out, "system", system);
            let mut why = absent(Some(node));
            if let Some(Value::Array(all)) = why.get_mut("extension") {
                all.push(json!({"url": RENDERED, "valueString": shown.to_owned()}));
            }
            out.insert("_value".into(), why);
        }
        (Some(system), Some(extension)) => {
            out.insert("system".into(), system.into());
            out.insert("value".into(), extension.to_owned().into());
        }
        // A register is nobody in it, and an issuer no number that it gave: the number is not known (C-CDA on FHIR, mapping guidance,
        // "CDA id").
        (Some(system), None)
            if codes::is_register(root)
                || !system.starts_with("urn:") && !root.contains(':')
                || attr(node, "nullFlavor").is_some() =>
        {
            out.insert("system".into(), system.into());
            out.insert("_value".into(), absent(Some(node)));
        }
        (Some(_), None) => {
            out.insert("system".into(), "urn:ietf:rfc:3986".into());
            let uri = codes::as_uri(root).unwrap_or_else(|| root.to_owned());
            out.insert("value".into(), uri.into());
        }
        // A root that is no OID and no UUID is no system; the number is one all the same, and the root is whose it is.
        (None, Some(extension)) => {
            out.insert("value".into(), extension.to_owned().into());
        }
        // It is what the source has as a number.
        (None, None) if attr(node, "nullFlavor").is_none() => {
            out.insert("value".into(), root.to_owned().into());
        }
        (None, None) => return None,
    }
    let mut assigner = Map::new();
    if !root.is_empty() && !out.contains_key("system") && number.is_some() {
        assigner.insert("identifier".into(), json!({"value": root.to_owned()}));
    }
    let authority = attr(node, "assigningAuthorityName");
    put(&mut assigner, "display", authority.map(str::to_owned));
    put(&mut out, "assigner", object(assigner));
    doc.account.take(node);
    Some(Value::Object(out))
}

pub(crate) fn identifiers(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let mut all = Vec::new();
    for one in children(node, "id").filter_map(|id| identifier(doc, id)) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    list(all)
}
