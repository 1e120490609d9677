//! Notes and unstructured bodies: `DocumentReference`.

use roxmltree::Node;
use serde_json::{Map, Value, json};

use crate::{
    build::{Builder, reference},
    entry::Because,
    narrative,
    value::{absent, concept, concept_or_absent, identifiers, pointed_text, put},
    xml::{attr, child, has_template, text},
};

pub(crate) fn is_note(node: Node<'_, '_>) -> bool {
    has_template(node, &["2.16.840.1.113883.10.20.22.4.202"])
}

/// Base64 of UTF-8 text (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in bytes.chunks(3) {
        let mut word = [0_u8; 3];
        word[..part.len()].copy_from_slice(part);
        let all = u32::from(word[0]) << 16 | u32::from(word[1]) << 8 | u32::from(word[2]);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            if at <= part.len() {
                out.push(char::from(SIGNS[(all >> shift & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// The content of an `ED`: base64 as it is, text encoded, or a reason.
fn attachment(node: Option<Node<'_, '_>>, build: &Builder<'_, '_>) -> Value {
    let Some(node) = node else {
        return absent(None);
    };
    let kind = attr(node, "mediaType").filter(|kind| kind.contains('/') && !kind.contains(' '));
    let mut out = Map::new();
    if attr(node, "representation") == Some("B64") {
        let data: String = node
            .descendants()
            .filter(Node::is_text)
            .filter_map(|part| part.text())
            .flat_map(str::chars)
            .filter(|letter| !letter.is_whitespace())
            .collect();
        let sound = data.len().is_multiple_of(4)
            && !data.is_empty()
            && data
                .trim_end_matches('=')
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b));
        put(&mut out, "contentType", kind.map(Value::from));
        put(&mut out, "data", sound.then_some(data).map(Value::String));
    } else if let Some(words) = pointed_text(node, build) {
        out.insert("contentType".into(), kind.unwrap_or("text/plain").into());
        out.insert("data".into(), base64(words.as_bytes()).into());
    }
    if out.contains_key("data") {
        Value::Object(out)
    } else {
        absent(Some(node))
    }
}

pub(crate) fn convert(node: Node<'_, '_>, build: &mut Builder<'_, '_>) -> Result<(), Because> {
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    let state = child(node, "statusCode").and_then(|code| attr(code, "code"));
    match state {
        Some("nullified") => out.insert("status".into(), "entered-in-error".into()),
        _ => out.insert("status".into(), "current".into()),
    };
    let kind = child(node, "code").and_then(|code| concept(code, build));
    put(&mut out, "type", kind);
    out.insert("subject".into(), reference(&build.patient));
    let content = attachment(child(node, "text"), build);
    out.insert("content".into(), json!([{"attachment": content}]));
    build.add("DocumentReference", Some(node), out);
    Ok(())
}

/// The section for a body that is not XML.
pub(crate) fn unstructured(
    root: Node<'_, '_>,
    body: Node<'_, '_>,
    build: &mut Builder<'_, '_>,
) -> Value {
    let content = child(body, "text");
    let mut out = Map::new();
    out.insert("status".into(), "current".into());
    out.insert("type".into(), concept_or_absent(child(root, "code"), build));
    out.insert("subject".into(), reference(&build.patient));
    let attached = attachment(content, build);
    out.insert("content".into(), json!([{"attachment": attached}]));
    let url = build.add("DocumentReference", None, out);
    let plain = content.filter(|node| attr(*node, "representation") != Some("B64"));
    let mut section = Map::new();
    put(
        &mut section,
        "title",
        child(root, "title").and_then(text).map(Value::String),
    );
    put(&mut section, "text", plain.and_then(narrative::narrative));
    section.insert("entry".into(), json!([reference(&url)]));
    Value::Object(section)
}
