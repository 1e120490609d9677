//! Sections: narrative, coded entries, provenance and the account of every entry.

use medibloc_record::{EntryOutcome, LossEntry, LossReport};
use roxmltree::Node;
use serde_json::{Map, Value, json};

use crate::{
    build::{Builder, reference},
    entry, narrative, note,
    value::{absent, concept, list, put},
    xml::{attr, child, children, text},
};

pub(crate) type Span<'s> = dyn Fn(Node<'_, '_>) -> (u64, u64) + 's;

/// What every section needs of the document.
pub(crate) struct Context<'s> {
    pub(crate) author: String,
    pub(crate) written: Option<String>,
    pub(crate) span: &'s Span<'s>,
}

/// The composition's sections; an unstructured body becomes one.
pub(crate) fn all(
    root: Node<'_, '_>,
    context: &Context<'_>,
    build: &mut Builder<'_, '_>,
    loss: &mut LossReport,
) -> Vec<Value> {
    let mut out = Vec::new();
    for body in children(root, "component") {
        if let Some(body) = child(body, "structuredBody") {
            out.extend(below(body, "", context, build, loss));
        }
        if let Some(body) = child(body, "nonXMLBody") {
            out.push(note::unstructured(root, body, build));
        }
    }
    out
}

fn below(
    node: Node<'_, '_>,
    at: &str,
    context: &Context<'_>,
    build: &mut Builder<'_, '_>,
    loss: &mut LossReport,
) -> Vec<Value> {
    children(node, "component")
        .filter_map(|component| child(component, "section"))
        .enumerate()
        .map(|(index, node)| {
            let at = if at.is_empty() {
                String::new()
            } else {
                format!("{at}/")
            };
            one(
                node,
                &format!("{at}section[{}]", index + 1),
                context,
                build,
                loss,
            )
        })
        .collect()
}

fn one(
    node: Node<'_, '_>,
    at: &str,
    context: &Context<'_>,
    build: &mut Builder<'_, '_>,
    loss: &mut LossReport,
) -> Value {
    let code = child(node, "code")
        .and_then(|code| attr(code, "code"))
        .unwrap_or_default();
    let text_of = child(node, "text").and_then(narrative::narrative);
    let mut links = Vec::new();
    for (index, entry) in children(node, "entry").enumerate() {
        build.made.clear();
        let result = entry::convert(entry, code, build);
        let mut line = LossEntry {
            outcome: EntryOutcome::Converted,
            section: code.to_owned(),
            path: format!("{at}/entry[{}]", index + 1),
            span: (context.span)(entry),
            resources: build.made.iter().map(|(name, _)| name.clone()).collect(),
            because: None,
        };
        if build.made.is_empty() {
            let because = result
                .err()
                .unwrap_or("it states nothing that a resource can hold");
            line.because = Some(because.to_owned());
            line.outcome = if text_of.is_some() {
                EntryOutcome::KeptAsNarrative
            } else {
                EntryOutcome::Lost
            };
        } else {
            links.extend(build.made.iter().map(|(_, url)| reference(url)));
            provenance(line.span, context, build);
        }
        loss.entries.push(line);
    }
    let inner = below(node, at, context, build, loss);
    let mut out = Map::new();
    put(
        &mut out,
        "title",
        child(node, "title").and_then(text).map(Value::String),
    );
    put(
        &mut out,
        "code",
        child(node, "code").and_then(|code| concept(code, build)),
    );
    let bare = text_of.is_none() && links.is_empty() && inner.is_empty();
    put(
        &mut out,
        "text",
        text_of.or_else(|| bare.then(narrative::empty)),
    );
    put(&mut out, "entry", list(links));
    put(&mut out, "section", list(inner));
    Value::Object(out)
}

/// Says from which bytes of the original the last resources came.
fn provenance(span: (u64, u64), context: &Context<'_>, build: &mut Builder<'_, '_>) {
    let targets = build.made.iter().map(|(_, url)| reference(url)).collect();
    let mut out = Map::new();
    put(&mut out, "target", list(targets));
    match context.written.as_deref().filter(|at| at.contains('T')) {
        Some(at) => out.insert("recorded".into(), at.into()),
        None => out.insert("_recorded".into(), absent(None)),
    };
    out.insert("agent".into(), json!([{"who": reference(&context.author)}]));
    let words = format!("bytes {}..{} of the original document", span.0, span.1);
    out.insert(
        "entity".into(),
        json!([{"role": "source", "what": {"display": words}}]),
    );
    build.add("Provenance", None, out);
}
