//! What a statement refers to outside of the document, and regions of pictures.

use crate::json::json;
use medibloc_record::json::Value;

use crate::{
    account::{Because, Facet, Fate},
    context::{Mood, Statement},
    doc::{Doc, reference},
    resource::Resource,
    statement::{Made, inside, take_shell},
    value::{self, absent, code, text},
    xml::{N, attr, child, children, elements, sdtc, sdtcs},
};

/// An act, observation or procedure that stands in no document that is at hand.
const REFERS_TO: &str = "https://medibloc.org/fhir/StructureDefinition/refers-to";
/// Part of a picture: its shape, and the numbers that draw it.
const REGION: &str = "https://medibloc.org/fhir/StructureDefinition/region";

/// What names the order that it carries out.
const CARRIES_OUT: &[&str] = &[
    "DiagnosticReport",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "ServiceRequest",
];

/// The orders that a statement carries out, by their numbers (`sdtc:inFulfillmentOf1`).
fn orders<'d>(doc: &Doc<'d>, node: N<'d>, url: &str) {
    let all = sdtcs(node, "inFulfillmentOf1").filter_map(|link| sdtc(link, "actReference"));
    for order in all.filter(|_| doc.is_of(url, CARRIES_OUT)) {
        let number = sdtcs(order, "id").find_map(|id| value::identifier(doc, id));
        let Some(number) = number else { continue };
        doc.account.take(order);
        doc.change(url, "basedOn", |resource| {
            let list = resource.entry("basedOn").or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                list.push(json!({"identifier": number}));
            }
        });
    }
}

/// Keeps what the statement of a resource refers to, and the orders that it carries out.
pub(crate) fn of_resource<'d>(doc: &Doc<'d>, node: N<'d>, url: &str) {
    orders(doc, node, url);
    keep(doc, node, &[url.to_owned()]);
}

/// Keeps what a statement refers to, with all resources that became of what stands in it. An act outside of the document is related to
/// one thing alone.
pub(crate) fn keep<'d>(doc: &Doc<'d>, node: N<'d>, urls: &[String]) {
    let Some(first) = urls.first() else {
        return;
    };
    for link in children(node, "reference") {
        let Some(target) = elements(link).find(|one| one.tag_name().name().starts_with("external"))
        else {
            continue;
        };
        let is_kept = matches!(
            doc.account.fate(target, Facet::Itself),
            Some(Fate::Carried { .. })
        );
        if is_kept {
            continue;
        }
        if target.tag_name().name() == "externalDocument" {
            let paper = doc.account.aside(|| document(doc, target, urls));
            // The document of a directive is what it stands on.
            if doc.is_of(first, &["Consent"]) {
                doc.change(first, "sourceReference", |consent| {
                    let source = consent.entry("sourceReference");
                    source.or_insert_with(|| reference(&paper));
                });
            }
        } else if urls.len() == 1 {
            doc.account.aside(|| other(doc, link, target, first));
        }
    }
}

/// The document that an act names, of which nothing else comes.
pub(crate) fn alone<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<String> {
    let is_so = of.mood() == Mood::Event && !of.is_denied();
    let links = children(of.node, "reference").filter(|_| is_so);
    let mut papers = links.filter_map(|link| child(link, "externalDocument"));
    let paper = doc
        .account
        .aside(|| Some(document(doc, papers.next()?, &[])))?;
    // What the act is called is what sort of document it names.
    doc.account.let_go();
    let sort = of.child("code").and_then(|code| code::concept(doc, code));
    doc.account.take(of.node);
    doc.change(&paper, "category", |paper| {
        if let Some(sort) = sort {
            paper.insert("category".into(), json!([sort]));
        }
    });
    Some(paper)
}

/// A document that is somewhere else: what it is to the statement is not said, only that it is related.
fn document<'d>(doc: &Doc<'d>, node: N<'d>, urls: &[String]) -> String {
    let mut out = Resource::plain("DocumentReference", Some(node));
    let mut ids = children(node, "id").filter_map(|id| value::identifier(doc, id));
    let first = ids.next();
    out.put(doc, "masterIdentifier", first);
    // The number of all its versions.
    let all = child(node, "setId").and_then(|id| value::identifier(doc, id));
    out.push_all(doc, "identifier", ids.chain(all).collect());
    out.body.insert("status".into(), "current".into());
    let kind = child(node, "code").and_then(|code| code::concept(doc, code));
    out.put(doc, "type", kind);
    let content = child(node, "text").and_then(|text| text::attachment(doc, text));
    let content = content.unwrap_or_else(|| absent(child(node, "text")));
    doc.account.take(node);
    out.put(doc, "content", Some(json!([{"attachment": content}])));
    out.body.insert("subject".into(), reference(&doc.patient()));
    let related: Vec<Value> = urls.iter().map(|url| reference(url)).collect();
    if !related.is_empty() {
        out.body
            .insert("context".into(), json!({"related": related}));
    }
    if !out.has("identifier") {
        out.body.remove("identifier");
    }
    out.join(doc, None)
}

fn other<'d>(doc: &Doc<'d>, link: N<'d>, node: N<'d>, url: &str) {
    let mut parts = Vec::new();
    if let Some(relation) = attr(link, "typeCode") {
        parts.push(json!({"url": "relation", "valueCode": relation.to_owned()}));
    }
    parts.push(json!({"url": "kind", "valueCode": node.tag_name().name().to_owned()}));
    let ids = children(node, "id").filter_map(|id| value::identifier(doc, id));
    parts.extend(ids.map(|id| json!({"url": "identifier", "valueIdentifier": id})));
    let named = child(node, "code").and_then(|code| code::concept(doc, code));
    parts.extend(named.map(|named| json!({"url": "code", "valueCodeableConcept": named})));
    let said = child(node, "text").and_then(|text| text::words(doc, text));
    parts.extend(said.map(|said| json!({"url": "text", "valueString": said})));
    doc.account.take(node);
    push(doc, url, json!({"url": REFERS_TO, "extension": parts}));
}

/// Adds an extension to a resource.
fn push(doc: &Doc<'_>, url: &str, extension: Value) {
    doc.change(url, "extension", |resource| {
        let list = resource.entry("extension").or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            list.push(extension);
        }
    });
}

/// A region of a picture: the picture, with where in it.
pub(crate) fn region<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let inside = inside(doc, of, None);
    let picture = inside
        .into_iter()
        .find(|one| one.kind == "DocumentReference");
    let picture = picture.ok_or("it is a region of a picture that the document does not have")?;
    let mut parts = Vec::new();
    let shape = of.child("code").and_then(|code| code::known(code));
    parts.extend(shape.map(|shape| json!({"url": "shape", "valueCode": shape.to_owned()})));
    let points: Vec<&str> = children(of.node, "value")
        .filter_map(|point| {
            doc.account.take(point);
            attr(point, "value")
        })
        .collect();
    if !points.is_empty() {
        parts.push(json!({"url": "points", "valueString": points.join(" ")}));
    }
    take_shell(doc, of.node);
    push(
        doc,
        &picture.url,
        json!({"url": REGION, "extension": parts}),
    );
    Ok(Some((picture.kind, picture.url)))
}
