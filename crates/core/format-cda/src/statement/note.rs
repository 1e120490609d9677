//! Notes and pictures: `DocumentReference`.

use crate::{
    account::Because,
    context::Statement,
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{Made, inside, own_author, recorded},
    value::{self, absent, code, text, time},
    xml::{child, children},
};

const NOTE: &[&str] = &["2.16.840.1.113883.10.20.22.4.202"];

pub(crate) fn is_note(of: &Statement<'_>) -> bool {
    of.has(NOTE)
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("DocumentReference", of, doc)?;
    let node = of.node;
    out.put(doc, "identifier", value::identifiers(doc, node));
    let state = super::status(doc, of);
    let current = if state == Some("nullified") {
        "entered-in-error"
    } else {
        "current"
    };
    out.put(doc, "status", Some(current));
    let draft = match state {
        Some("active" | "new") => Some("preliminary"),
        Some("completed") => Some("final"),
        _ => None,
    };
    out.put(doc, "docStatus", draft);
    out.put(
        doc,
        "type",
        child(node, "code").and_then(|code| code::concept(doc, code)),
    );
    out.body.insert(
        "category".into(),
        json!([code::coded(
            "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
            "clinical-note"
        )]),
    );
    time::put_instant(&mut out, doc, "date", "_date", recorded(doc, node));
    out.put(
        doc,
        "author",
        own_author(doc, node).map(|url| json!([reference(&url)])),
    );
    let content = child(node, "text").and_then(|text| text::attachment(doc, text));
    out.put(
        doc,
        "content",
        Some(json!([{"attachment": content.unwrap_or_else(|| absent(child(node, "text")))}])),
    );
    let when = child(node, "effectiveTime");
    let span = when.and_then(|when| time::period_within(doc, when));
    out.put(doc, "context", span.map(|span| json!({"period": span})));
    let signer = children(node, "participant").find_map(|part| {
        let role = child(part, "participantRole")?;
        // FHIR has no place for a patient who signs a note.
        people::role(doc, part, role).filter(|url| *url != doc.patient())
    });
    out.put(doc, "authenticator", signer.map(|url| reference(&url)));
    let url = out.add(doc)?;
    let _ = inside(doc, of, Some(&url));
    Ok(Some(("DocumentReference", url)))
}

/// A picture or a recording.
pub(crate) fn media<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let content = child(of.node, "value").and_then(|value| text::attachment(doc, value));
    let taken = doc.account.put();
    let Some(content) = content else {
        return Err("it holds no picture, and points to none outside");
    };
    let mut out = Resource::of("DocumentReference", of, doc)?;
    doc.account.take_again(taken);
    out.put(doc, "content", Some(json!([{"attachment": content}])));
    out.put(doc, "identifier", value::identifiers(doc, of.node));
    out.body.insert("status".into(), "current".into());
    Ok(Some(("DocumentReference", out.add(doc)?)))
}
