//! Words that a code points to and that name another statement: copied pointers, whose words are no name of the code.

use std::collections::{HashMap, HashSet};

use medibloc_record::json::Value;

use super::{known, translations};
use crate::{
    doc::Doc,
    json::json,
    xml::{N, attr, child, is_statement, own_text},
};

/// The words that are in conflict with the code whose name is the text beside them.
const CONFLICT: &str = "https://medibloc.org/fhir/StructureDefinition/conflicting-words";
/// How many of those that point to the same words are looked at: a whole section may point to its table.
const LOOKED_AT: usize = 64;

/// Statements by the ids of the narrative that they point to.
pub(crate) type Quoting<'d> = HashMap<&'d str, Vec<N<'d>>>;

/// All statements of a document that point to words of the narrative.
pub(crate) fn quoting<'d>(root: N<'d>) -> Quoting<'d> {
    let mut all: Quoting<'d> = HashMap::new();
    for pointer in root
        .descendants()
        .filter(|one| one.tag_name().name() == "reference")
    {
        let around = pointer.ancestors().find(|one| is_statement(*one));
        if let (Some(id), Some(around)) = (attr(pointer, "value"), around) {
            let known = all.entry(id.trim_start_matches('#')).or_default();
            if known.len() < LOOKED_AT && known.last() != Some(&around) {
                known.push(around);
            }
        }
    }
    all
}

/// The words in conflict with a code, as an extension beside its name.
pub(super) fn beside(words: &str) -> Value {
    json!({"url": CONFLICT, "valueString": words.to_owned()})
}

/// Whether the words that the code of a statement points to have nothing of its names, and name another statement with another code,
/// or one that has no other name.
pub(super) fn is_one(doc: &Doc<'_>, node: N<'_>, words: &str) -> bool {
    let Some(of) = node.parent_element() else {
        return false;
    };
    let is_product = of.tag_name().name() == MATERIAL;
    if !is_product && !is_statement(of) {
        return false;
    }
    let said = child(node, "originalText").filter(|said| own_text(*said).is_none());
    let pointer = said.and_then(|said| attr(child(said, "reference")?, "value"));
    let Some(pointer) = pointer.filter(|_| known(node).is_some()) else {
        return false;
    };
    if is_product {
        return is_another_product(doc, of, words);
    }
    let mut own = all(node).filter_map(|one| attr(one, "displayName"));
    if attr(node, "displayName").is_none() || own.any(|name| share(name, words)) {
        return false;
    }
    let others = doc.quoting().get(pointer.trim_start_matches('#'));
    let mut others = others.into_iter().flatten().filter(|other| **other != of);
    others.any(|other| names(*other, node, words))
}

/// What a medicine or vaccine is made of.
const MATERIAL: &str = "manufacturedMaterial";

/// Whether words begin with the name of another product of the document, and have nothing of what the names of this one begin with:
/// forms, ways and strengths, which follow, are those of many.
fn is_another_product(doc: &Doc<'_>, material: N<'_>, words: &str) -> bool {
    let mut own = begins(material).peekable();
    if own.peek().is_none() || own.any(|begin| has(words, &begin)) {
        return false;
    }
    begin(words).is_some_and(|said| doc.products().contains(&said))
}

/// What the names of all products of a document begin with.
pub(crate) fn products(root: N<'_>) -> HashSet<String> {
    let all = root.descendants();
    let all = all.filter(|one| one.tag_name().name() == MATERIAL);
    all.flat_map(begins).collect()
}

/// What the names of a product begin with.
fn begins<'d>(material: N<'d>) -> impl Iterator<Item = String> {
    let code = child(material, "code");
    let codes = code.into_iter().flat_map(all);
    let shown = codes.filter_map(|one| attr(one, "displayName").and_then(begin));
    let named = child(material, "name").and_then(own_text);
    shown.chain(named.and_then(|name| begin(&name)))
}

/// The first word of a name that is one.
fn begin(name: &str) -> Option<String> {
    let mut words = name.split(|sign: char| !sign.is_alphanumeric());
    words
        .find(|word| word.chars().filter(|sign| sign.is_alphabetic()).count() > 2)
        .map(str::to_lowercase)
}

/// Whether words have one that begins so.
fn has(words: &str, begin: &str) -> bool {
    let words = words.to_lowercase();
    let mut words = words.split(|sign: char| !sign.is_alphanumeric());
    words.any(|word| {
        !word.is_empty() && (word.starts_with(begin) || begin.starts_with(word) && word.len() > 3)
    })
}

/// A code and its translations.
fn all<'d>(node: N<'d>) -> impl Iterator<Item = N<'d>> {
    core::iter::once(node).chain(translations(node))
}

/// Whether words are the name of a statement that has another code than this one.
fn names(other: N<'_>, node: N<'_>, words: &str) -> bool {
    const NAMED: &[&str] = &[
        "encounter",
        "observation",
        "procedure",
        "substanceAdministration",
    ];
    let codes = ["code", "value"]
        .into_iter()
        .filter_map(|part| child(other, part));
    let codes: Vec<N<'_>> = codes
        .flat_map(all)
        .filter(|one| known(*one).is_some())
        .collect();
    let is_own = |code: N<'_>| all(node).any(|own| known(own) == known(code));
    if codes.is_empty() {
        return NAMED.contains(&other.tag_name().name());
    }
    let is_name = |code: &N<'_>| attr(*code, "displayName").is_some_and(|name| share(name, words));
    !codes.iter().any(|code| is_own(*code)) && codes.iter().any(is_name)
}

/// Whether two names share a word, or the beginning of one.
fn share(one: &str, other: &str) -> bool {
    let parts = |name: &str| -> Vec<String> {
        let name = name.to_lowercase();
        let parts = name.split(|sign: char| !sign.is_alphanumeric());
        parts
            .filter(|part| part.chars().count() > 2)
            .map(str::to_owned)
            .collect()
    };
    let (one, other) = (parts(one), parts(other));
    let is_same = |a: &String| {
        other
            .iter()
            .any(|b| a.starts_with(b.as_str()) || b.starts_with(a.as_str()))
    };
    one.is_empty() || other.is_empty() || one.iter().any(is_same)
}
