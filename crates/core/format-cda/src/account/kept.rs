//! Whether the words of a fact stand in the narrative of its section, which is kept whole: only then is it kept there.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::{
    doc::Anchors,
    narrative,
    xml::{N, attr, child, is_statement, is_within_struck, text},
};

/// How many places of a word are looked at: what stands in no more of them is not found, and said to be lost.
const PLACES: usize = 64;
/// Fewer signs than these stand in any text.
const FEWEST: usize = 3;

/// The narrative of one section, read when somebody asks for it.
#[derive(Debug, Default)]
pub(super) struct Kept<'d> {
    section: Option<N<'d>>,
    words: OnceCell<Words>,
}

/// Words, and where each of them stands.
#[derive(Debug)]
struct Words {
    words: Vec<String>,
    places: HashMap<String, Vec<usize>>,
}

impl<'d> Kept<'d> {
    pub(super) fn of(section: N<'d>) -> Self {
        Self {
            section: Some(section),
            words: OnceCell::new(),
        }
    }

    /// Whether the words of a fact, or the words that it points to, are kept.
    pub(super) fn has(&self, node: N<'_>, told: &Told<'_>) -> bool {
        let Some(section) = self.section else {
            return false;
        };
        let words = || self.words.get_or_init(|| Words::of(section));
        said(node).iter().any(|said| words().say(said)) || told.by(node)
    }
}

impl Words {
    fn of(section: N<'_>) -> Self {
        let whole = child(section, "text").and_then(text).unwrap_or_default();
        let words = parts(&whole);
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, word) in words.iter().enumerate() {
            let all = places.entry(word.clone()).or_default();
            if all.len() < PLACES {
                all.push(at);
            }
        }
        Self { words, places }
    }

    fn say(&self, words: &str) -> bool {
        let wanted = parts(words);
        if wanted.iter().map(String::len).sum::<usize>() < FEWEST {
            return false;
        }
        let rarest = |(_, word): &(usize, &String)| self.places.get(*word).map_or(0, Vec::len);
        let Some((offset, word)) = wanted.iter().enumerate().min_by_key(rarest) else {
            return false;
        };
        let places = self.places.get(word).into_iter().flatten();
        let mut starts = places.filter_map(|at| at.checked_sub(offset));
        starts.any(|start| self.words[start..].starts_with(&wanted))
    }
}

/// Words and numbers in small letters: `250mg` is both.
fn parts(words: &str) -> Vec<String> {
    let mut all = Vec::new();
    for run in words.split(|sign: char| !sign.is_alphanumeric()) {
        let mut rest = run;
        while let Some(first) = rest.chars().next() {
            let is_number = first.is_numeric();
            let end = rest.find(|sign: char| sign.is_numeric() != is_number);
            let (one, left) = rest.split_at(end.unwrap_or(rest.len()));
            all.push(one.to_lowercase());
            rest = left;
        }
    }
    all
}

/// What a fact says in words. A code is none, and a statement or a participation says what its name is.
fn said(node: N<'_>) -> Vec<String> {
    let own = |node: N<'_>| {
        let amount = attr(node, "value").map(|value| match attr(node, "unit") {
            Some(unit) => [value, " ", unit].concat(),
            None => value.to_owned(),
        });
        let named = ["displayName", "extension"].map(|name| attr(node, name).map(str::to_owned));
        let mut all: Vec<String> = named.into_iter().chain([amount]).flatten().collect();
        all.extend(crate::xml::own_text(node));
        all.extend(child(node, "originalText").and_then(text));
        all
    };
    let name = node.tag_name().name();
    if is_statement(node) {
        let named = ["value", "code"].iter().find_map(|name| child(node, name));
        named.map(own).unwrap_or_default()
    } else if super::PARTS.contains(&name) {
        let mut below = node.descendants();
        let name = below.find(|one| one.tag_name().name() == "name");
        name.and_then(text).into_iter().collect()
    } else {
        own(node)
    }
}

/// The elements that facts point to, and whether their words are kept in the narrative: each is looked at once.
#[derive(Debug)]
pub(super) struct Told<'d> {
    anchors: Rc<Anchors<'d>>,
    known: RefCell<HashMap<u32, bool>>,
}

impl<'d> Told<'d> {
    pub(super) fn new(anchors: Rc<Anchors<'d>>) -> Self {
        Self {
            anchors,
            known: RefCell::default(),
        }
    }

    /// Whether a fact, or its own `text` or `originalText`, points to words that are kept.
    fn by(&self, node: N<'_>) -> bool {
        let own = (node.tag_name().name() == "reference").then_some(node);
        let inner = ["text", "originalText"];
        let inner = inner.iter().filter_map(|name| child(node, name));
        let below = inner
            .chain([node])
            .filter_map(|one| child(one, "reference"));
        own.into_iter().chain(below).any(|pointer| {
            let id = attr(pointer, "value").map(|id| id.trim_start_matches('#'));
            let target = id.and_then(|id| self.anchors.get(id));
            target.is_some_and(|target| self.has_words(*target))
        })
    }

    fn has_words(&self, target: N<'d>) -> bool {
        let mut known = self.known.borrow_mut();
        *known.entry(target.id().get()).or_insert_with(|| {
            narrative::is_written(target) && !is_within_struck(target) && text(target).is_some()
        })
    }
}
