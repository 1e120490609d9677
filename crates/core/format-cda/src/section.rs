//! Sections: narrative, coded entries, who wrote them, and from which bytes each came.

mod provenance;

use std::collections::HashSet;

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Fate, is_denied},
    context::Context,
    doc::{Doc, reference},
    json::json,
    language, narrative, people,
    resource::Resource,
    statement,
    value::{absent, code, list, put, text},
    xml::{N, SDTC, attr, child, children, elements, is_statement},
};

pub(crate) type Span<'s> = dyn Fn(N<'_>) -> (u64, u64) + 's;

/// What every section needs of the document.
pub(crate) struct Whole<'s> {
    pub(crate) author: String,
    pub(crate) written: Option<String>,
    pub(crate) span: &'s Span<'s>,
}

/// The composition's sections; a body that is not XML becomes one.
pub(crate) fn all<'d>(doc: &Doc<'d>, whole: &Whole<'_>) -> Vec<Value> {
    let context = Context::of_document(doc.root);
    let mut out = Vec::new();
    for component in children(doc.root, "component") {
        out.extend(below(doc, component, context, whole));
    }
    out
}

/// The sections below, in order, whatever stands between.
fn below<'d>(doc: &Doc<'d>, node: N<'d>, context: Context<'d>, whole: &Whole<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    for part in elements(node).filter(|part| part.tag_name().namespace() != Some(SDTC)) {
        match part.tag_name().name() {
            "section" => out.push(one(doc, part, context.of_section(part), whole)),
            "component" => out.extend(below(doc, part, context, whole)),
            "structuredBody" => out.extend(below(doc, part, context.of_body(part), whole)),
            "nonXMLBody" => out.extend(unstructured(doc, part)),
            _ => {}
        }
    }
    out
}

/// The statements of a section, each with the entry that it alone stands in, or else with itself.
fn stated<'d>(section: N<'d>) -> impl Iterator<Item = (N<'d>, N<'d>)> {
    let inner = |entry: N<'d>| {
        elements(entry).flat_map(|one| {
            // Some have the relation itself as an entry, without what it would be related to.
            let is_link = one.tag_name().name() == "entryRelationship" && !is_denied(one);
            let below = elements(one).filter(move |_| is_link);
            core::iter::once(one)
                .chain(below)
                .filter(|one| is_statement(*one))
        })
    };
    elements(section).flat_map(move |part| {
        let is_entry = part.tag_name().name() == "entry";
        let is_alone = is_entry && inner(part).take(2).count() == 1;
        let own = is_statement(part).then_some((part, part));
        let all = inner(part).filter(move |_| is_entry);
        let all = all.map(move |one| (if is_alone { part } else { one }, one));
        own.into_iter().chain(all)
    })
}

fn one<'d>(doc: &Doc<'d>, node: N<'d>, context: Context<'d>, whole: &Whole<'_>) -> Value {
    let text = child(node, "text").and_then(|text| narrative::narrative(doc, text));
    let (mut links, mut linked) = (Vec::new(), HashSet::new());
    let mut link = |url: &str| {
        if linked.insert(url.to_owned()) {
            links.push(reference(url));
        }
    };
    let _ = (doc.made(), doc.houses());
    for (entry, stated) in stated(node) {
        let statement = context.enter(stated);
        let stated_again = match statement::convert(doc, &statement) {
            Ok(known) => known.map(|(_, url)| url),
            Err(because) => {
                doc.account.because(stated, Fate::Lost(because));
                None
            }
        };
        let made = doc.made();
        let stated_here = |kind: &str| {
            !matches!(
                kind,
                "Practitioner" | "PractitionerRole" | "Organization" | "Location" | "RelatedPerson"
            )
        };
        let own = made.iter().filter(|(kind, _)| stated_here(kind));
        let own: Vec<&str> = own.map(|(_, url)| url.as_str()).collect();
        if own.is_empty() {
            // It was told before.
            stated_again.as_deref().into_iter().for_each(&mut link);
            continue;
        }
        let targets: Vec<Value> = own.iter().map(|url| reference(url)).collect();
        provenance::provenance(doc, entry, &targets, &statement, whole);
        own.into_iter().for_each(&mut link);
    }
    let mut out = Map::new();
    let title = child(node, "title").and_then(|title| {
        let words = crate::xml::text(title)?;
        doc.account.take(title);
        Some(words)
    });
    put(&mut out, "title", title);
    put(
        &mut out,
        "code",
        child(node, "code").and_then(|code| code::concept(doc, code)),
    );
    // It is the language of the text and of what stands in it.
    if language::of(node).is_some()
        && let Some(code) = child(node, "languageCode")
    {
        doc.account.take(code);
    }
    let authors = children(node, "author").flat_map(|author| people::authors(doc, author));
    put(
        &mut out,
        "author",
        people::references(authors.collect::<Vec<_>>()),
    );
    let inner = below(doc, node, context, whole);
    let bare = text.is_none() && links.is_empty() && inner.is_empty();
    put(
        &mut out,
        "text",
        text.or_else(|| bare.then(narrative::empty)),
    );
    // `cmp-2`: what has no entries may say why, also in words.
    if links.is_empty() && inner.is_empty() {
        put(
            &mut out,
            "emptyReason",
            attr(node, "nullFlavor").and_then(empty_reason),
        );
    }
    put(&mut out, "entry", list(links));
    put(&mut out, "section", list(inner));
    doc.in_composition("section");
    Value::Object(out)
}

/// Why a section is empty (`list-empty-reason`).
fn empty_reason(flavor: &str) -> Option<Value> {
    let code = match flavor {
        "NI" | "UNK" | "NAV" => "unavailable",
        "NASK" => "notasked",
        "MSK" => "withheld",
        _ => return None,
    };
    Some(code::coded(
        "http://terminology.hl7.org/CodeSystem/list-empty-reason",
        code,
    ))
}

/// The section of a body that is not XML.
fn unstructured<'d>(doc: &Doc<'d>, body: N<'d>) -> Option<Value> {
    let content = child(body, "text")?;
    let mut out = Resource::plain("DocumentReference", None);
    out.body.insert("status".into(), "current".into());
    out.body.insert(
        "type".into(),
        code::concept_or_absent(doc, child(doc.root, "code")),
    );
    doc.account.let_go();
    out.body.insert("subject".into(), reference(&doc.patient()));
    let attached = text::attachment(doc, content);
    let attached = attached.unwrap_or_else(|| absent(Some(content)));
    out.put(doc, "content", Some(json!([{"attachment": attached}])));
    let url = out.join(doc, None);
    let plain = Some(content).filter(|node| attr(*node, "representation").is_none());
    let mut section = Map::new();
    put(
        &mut section,
        "title",
        child(doc.root, "title").and_then(crate::xml::text),
    );
    put(
        &mut section,
        "text",
        plain.and_then(|text| narrative::narrative(doc, text)),
    );
    section.insert("entry".into(), json!([reference(&url)]));
    Some(Value::Object(section))
}
