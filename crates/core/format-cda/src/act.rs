//! Procedures done (`Procedure`) and planned (`ServiceRequest`), in any of their three classes.

use roxmltree::Node;
use serde_json::Map;

use crate::{
    build::{Builder, reference},
    codes,
    entry::{self, Because, PROCEDURES},
    value::{concept, concept_or_absent, identifiers, list, put, put_time},
    xml::{attr, child, children, has_template, negated},
};

const PROCEDURE: &[&str] = &["2.16.840.1.113883.10.20.22.4.12"];

/// An act that is neither problem, allergy nor note.
pub(crate) fn act(
    node: Node<'_, '_>,
    section: &str,
    mood: &str,
    build: &mut Builder<'_, '_>,
) -> Result<(), Because> {
    if mood != "EVN" || PROCEDURES.contains(&section) || has_template(node, PROCEDURE) {
        return procedure(node, mood, build);
    }
    for link in children(node, "entryRelationship") {
        if let Some(inner) = link.children().find(Node::is_element) {
            let _kept = entry::statement(inner, section, build);
        }
    }
    if build.made.is_empty() {
        Err("this kind of act is not converted yet")
    } else {
        Ok(())
    }
}

pub(crate) fn procedure(
    node: Node<'_, '_>,
    mood: &str,
    build: &mut Builder<'_, '_>,
) -> Result<(), Because> {
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    let state = child(node, "statusCode").and_then(|code| attr(code, "code"));
    out.insert("code".into(), concept_or_absent(child(node, "code"), build));
    out.insert("subject".into(), reference(&build.patient));
    let sites = children(node, "targetSiteCode")
        .filter_map(|code| concept(code, build))
        .collect();
    put(&mut out, "bodySite", list(sites));
    let when = child(node, "effectiveTime");
    if mood == "EVN" {
        let state = if negated(node) {
            "not-done"
        } else {
            codes::procedure_status(state)
        };
        out.insert("status".into(), state.into());
        put_time(&mut out, "performed", when);
        build.add("Procedure", Some(node), out);
    } else {
        out.insert("status".into(), codes::request_status(state).into());
        out.insert("intent".into(), codes::intent(mood).into());
        if negated(node) {
            out.insert("doNotPerform".into(), true.into());
        }
        put_time(&mut out, "occurrence", when);
        build.add("ServiceRequest", Some(node), out);
    }
    Ok(())
}
