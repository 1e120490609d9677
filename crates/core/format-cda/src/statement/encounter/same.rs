//! Which statements of visits are of one: programs give all visits of a document one number, so a number alone makes none the same.

use super::{Doc, N, Statement, attr, child, children, key_of, time};
use crate::{context::Mood, statement::relation::is_bare};

/// What a visit is known by: its number with what sort it is and when it began; or its number alone, if it joins the one that has it.
pub(super) struct Key {
    number: String,
    own: String,
    pub(super) joins: String,
}

/// What tells a visit of the body apart.
pub(super) fn of<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<Key> {
    let number = key_of(of.node)?;
    let key = |node| {
        let (mood, sort) = (of.mood(), sort(node));
        format!(
            "{number}|{mood:?}|{sort}|{}",
            began(node).unwrap_or_default()
        )
    };
    let own = key(of.node);
    // What stands in a visit of the same number, and is as much to come as that, tells of it.
    let around = outer(of.node).filter(|outer| {
        key_of(*outer).as_ref() == Some(&number)
            && is_of_one_sort(*outer, of.node)
            && may_be_at_once(*outer, of.node)
    });
    let around = around.map(key).filter(|key| doc.is_known("Encounter", key));
    let first = doc.known("Encounter", &number);
    let is_first = |first: N<'d>| {
        let is_stay = first.tag_name().name() == "encompassingEncounter";
        let is_told = doc.is_known("Encounter", &told(&number));
        let is_event = of.mood() == Mood::Event;
        let is_open = is_bare(of.node) || !is_told && (is_stay || is_bare(first));
        is_event
            && is_open
            && (is_stay || is_of_one_sort(first, of.node))
            && may_be_at_once(first, of.node)
    };
    let is_known = doc.is_known("Encounter", &own);
    let joins = !is_known && first.and_then(|url| doc.source(&url)).is_some_and(is_first);
    let joins = match around {
        Some(around) => around,
        None if joins => number.clone(),
        None => own.clone(),
    };
    Some(Key { number, own, joins })
}

/// The visit that another one stands in.
fn outer(node: N<'_>) -> Option<N<'_>> {
    let outer = node.parent_element()?.parent_element()?;
    (outer.tag_name().name() == "encounter").then_some(outer)
}

/// The visit of the body that has this key is made.
pub(super) fn made<'d>(doc: &Doc<'d>, node: N<'d>, key: &Key, url: &str) {
    doc.also_known("Encounter", &key.own, url);
    doc.also_known("Encounter", &key.number, url);
    let is_first = doc.known("Encounter", &key.number).as_deref() == Some(url);
    if is_first && !is_bare(node) {
        doc.also_known("Encounter", &told(&key.number), url);
    }
}

/// Key of the visit of a number of which a statement of the body told more than the number.
fn told(number: &str) -> String {
    [number, "|told"].concat()
}

/// What its code says: the code and its system, or its words where it has none.
fn sort(node: N<'_>) -> String {
    let Some(code) = child(node, "code") else {
        return String::new();
    };
    let part = |name| attr(code, name).unwrap_or_default().to_owned();
    if attr(code, "code").is_some() {
        return [part("code"), part("codeSystem")].join("#");
    }
    let more = children(code, "translation").filter_map(|one| attr(one, "code"));
    let words = crate::xml::text(code).unwrap_or_default();
    let all = [part("displayName"), words].into_iter();
    all.chain(more.map(str::to_owned))
        .collect::<Vec<_>>()
        .join("#")
}

fn is_of_one_sort(a: N<'_>, b: N<'_>) -> bool {
    let (a_sort, b_sort) = (sort(a), sort(b));
    a_sort == b_sort || child(a, "code").is_none() || child(b, "code").is_none()
}

/// The first time that is stated of it, as it is printed.
fn began(node: N<'_>) -> Option<&str> {
    let when = child(node, "effectiveTime")?;
    attr(when, "value").or_else(|| {
        ["low", "center", "high"]
            .iter()
            .find_map(|name| attr(child(when, name)?, "value"))
    })
}

/// Whether two began on one day.
fn began_at_once(a: N<'_>, b: N<'_>) -> bool {
    let day = |node| Some(time::day(&time::stamp(began(node)?)?.at).to_owned());
    matches!((day(a), day(b)), (Some(a), Some(b)) if a == b)
}

/// Whether the times of two have a day in common, as far as they are known. Two that began on one day have, whatever their ends say.
fn may_be_at_once(a: N<'_>, b: N<'_>) -> bool {
    if began_at_once(a, b) {
        return true;
    }
    let ends = |node| {
        let when = child(node, "effectiveTime");
        let point = when.and_then(crate::xml::sure);
        ["low", "high"].map(|name| {
            let end = when.and_then(|when| crate::xml::sure(child(when, name)?));
            point.or(end).and_then(time::stamp)
        })
    };
    let ([a_low, a_high], [b_low, b_high]) = (ends(a), ends(b));
    let is_after = |low: &Option<time::Stamp>, high: &Option<time::Stamp>| {
        let (Some(low), Some(high)) = (low, high) else {
            return false;
        };
        let (low, high) = (time::day(&low.at), time::day(&high.at));
        let common = low.len().min(high.len());
        low[..common] > high[..common]
    };
    !is_after(&a_low, &b_high) && !is_after(&b_low, &a_high)
}
