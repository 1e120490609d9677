//! That nothing is wrong, told in the place of a problem: an `Observation` that says so, and no `Condition`.

use crate::{
    account::Because,
    codes::status,
    context::Statement,
    doc::Doc,
    json::json,
    resource::Resource,
    statement::{Made, common, inside, status as state},
    value::{code, text, time},
    xml::N,
};

/// Whether the words for a problem that is not denied say that there is none (SNOMED CT 66557003 says so by its code).
pub(super) fn is_one<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> bool {
    const NO_IMPAIRMENT: &str = "66557003";
    if of.is_denied() {
        return false;
    }
    let known = of.child("value").and_then(code::known);
    known == Some(NO_IMPAIRMENT)
        || known.is_none() && words(doc, of).is_some_and(|words| deny(&words))
}

/// What the value says, or else the statement.
fn words<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<String> {
    let said = |node: N<'d>| code::words(doc, node).or_else(|| text::words(doc, node));
    doc.account.aside(|| {
        let words = of.child("value").and_then(said);
        let words = words.or_else(|| text::text_of(doc, of.node));
        doc.account.let_go();
        words
    })
}

/// Whether words say of some trouble that there is none, and nothing else. What begins with *no* may be a trouble itself (*no reflow*,
/// *no light perception*): only what ends with a word for any trouble is none.
fn deny(words: &str) -> bool {
    const BEFORE: &[&str] = &["patient", "has", "there", "is", "are"];
    const TROUBLES: &[&str] = &[
        "impairment",
        "impairments",
        "disability",
        "disabilities",
        "limitation",
        "limitations",
        "deficit",
        "deficits",
        "difficulty",
        "difficulties",
        "abnormality",
        "abnormalities",
        "problem",
        "problems",
        "complaint",
        "complaints",
        "symptom",
        "symptoms",
    ];
    const AFTER: &[&str] = &["noted", "found", "identified", "reported", "known"];
    const BUT: &[&str] = &["but", "and", "except", "than", "with", "despite"];
    let words = words.trim_end_matches('.').to_lowercase();
    let is_plain = |sign: char| sign.is_alphabetic() || sign == ' ';
    let words: Vec<&str> = words
        .split_whitespace()
        .skip_while(|word| BEFORE.contains(word))
        .collect();
    let mut last = words.iter().rev().skip_while(|word| AFTER.contains(word));
    words.first() == Some(&"no")
        && last.next().is_some_and(|word| TROUBLES.contains(word))
        && words
            .iter()
            .all(|word| word.chars().all(is_plain) && !BUT.contains(word))
}

pub(super) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("Observation", of, doc)?;
    common(doc, of, &mut out);
    let state = status::observation(state(doc, of));
    out.put(doc, "status", Some(state));
    let named = code::concept_or_absent(doc, of.child("code"));
    out.put(doc, "code", Some(named));
    let value = of.child("value");
    let said = value.and_then(|value| code::concept(doc, value));
    let said = said.or_else(|| Some(json!({"text": text::words(doc, value?)?})));
    let said = said.or_else(|| Some(json!({"text": text::text_of(doc, of.node)?})));
    out.put(doc, "valueCodeableConcept", said);
    time::put_time(
        &mut out,
        doc,
        "effectiveDateTime",
        "effectivePeriod",
        of.when(),
    );
    let url = out.add(doc)?;
    let _ = inside(doc, of, Some(&url));
    Ok(Some(("Observation", url)))
}
