//! Words that stand for a code of an allergy and are those of its reaction: they name nothing that it is against.

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Fate},
    context::Statement,
    doc::Doc,
    value::{code, text::plain},
    xml::{N, attr, child, children, squeeze},
};

const OF_REACTION: Because =
    "its words are those of the reaction, and not of what the allergy is against";

/// A code by its names in place of words that are those of a reaction.
pub(super) fn concept<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    coded: Option<N<'d>>,
    build: impl Fn() -> Option<Value>,
) -> Option<Value> {
    let Some(said) = coded.and_then(|coded| of_reaction(doc, of, coded)) else {
        return build();
    };
    let mut shown = build()?;
    let names = shown["coding"].as_array().into_iter().flatten();
    let name = names.filter_map(|one| one.get("display").cloned()).next();
    if let (Some(shown), Some(name)) = (shown.as_object_mut(), name) {
        put_name(shown, name);
    }
    let_go(doc, Some(said));
    Some(shown)
}

/// Says why such words are in no element.
pub(super) fn let_go<'d>(doc: &Doc<'d>, said: Option<N<'d>>) {
    if let Some(said) = said {
        doc.account.instead(said, Fate::Lost(OF_REACTION));
    }
}

fn put_name(shown: &mut Map, name: Value) {
    shown.insert("text".into(), name);
    shown.remove("_text");
}

/// The words of a code that has another name, where they stand or point where those of a reaction do.
pub(super) fn of_reaction<'d>(doc: &Doc<'d>, of: &Statement<'d>, coded: N<'d>) -> Option<N<'d>> {
    let said = child(coded, "originalText")?;
    let words = plain(doc, said)?.to_lowercase();
    let translations = children(coded, "translation");
    let all = core::iter::once(coded).chain(translations);
    let mut names = all
        .filter(|one| code::known(*one).is_some())
        .filter_map(|one| attr(one, "displayName"))
        .map(|name| squeeze(name).to_lowercase())
        .peekable();
    names.peek()?;
    // A row that names the thing, too, is no conflict.
    if names.any(|name| words.contains(&name)) {
        return None;
    }
    let reactions = of
        .related()
        .filter(|(link, inner)| super::is_reaction(*link, inner));
    let is_told = |one: N<'d>| {
        let name = attr(one, "displayName").map(squeeze);
        let told = child(one, "originalText").and_then(|said| plain(doc, said));
        let own = plain(doc, one);
        [name, told, own]
            .into_iter()
            .flatten()
            .any(|told| told.to_lowercase() == words)
    };
    reactions
        .flat_map(|(_, inner)| children(inner.node, "value").chain(children(inner.node, "text")))
        .any(is_told)
        .then_some(said)
}
