//! Somebody who is named by a number alone, and described elsewhere in the document (C-CDA, author participation: an id without a
//! person refers to the one who is described under it).

use std::collections::HashMap;

use crate::{
    doc::Doc,
    xml::{N, attr, child, children, elements, text},
};

/// The roles with a name by the numbers that they have; none where several names have one number.
pub(crate) type Described<'d> = HashMap<(&'d str, &'d str), Option<N<'d>>>;

/// Elements that hold whoever plays a role.
const PERSONS: &[&str] = &[
    "assignedPerson",
    "informationRecipient",
    "relatedPerson",
    "associatedPerson",
    "playingEntity",
];

/// Whoever plays a role.
pub(super) fn person(role: N<'_>) -> Option<N<'_>> {
    elements(role).find(|part| PERSONS.contains(&part.tag_name().name()))
}

/// The name of whoever plays a role.
fn name(role: N<'_>) -> Option<String> {
    child(person(role)?, "name")
        .and_then(text)
        .map(|name| name.to_lowercase())
}

/// Numbers that are known, be they filled in where there is none; a root may be the whole number.
fn numbers<'d>(role: N<'d>) -> impl Iterator<Item = (&'d str, &'d str)> {
    let known = children(role, "id").filter(|id| attr(*id, "nullFlavor").is_none());
    let is_word = |id: &N<'d>| attr(*id, "extension").is_some_and(crate::codes::is_word_for_none);
    known.filter(move |id| !is_word(id)).filter_map(|id| {
        let root = attr(id, "root")?;
        let is_whole = !crate::codes::is_register(root);
        Some((root, attr(id, "extension").or(is_whole.then_some(""))?))
    })
}

/// Everybody of a document who has a name and a number.
pub(crate) fn all<'d>(root: N<'d>) -> Described<'d> {
    let mut all: Described<'d> = HashMap::new();
    for role in root
        .descendants()
        .filter(|role| children(*role, "id").next().is_some())
    {
        let Some(own) = name(role) else { continue };
        for number in numbers(role) {
            all.entry(number)
                .and_modify(|known| {
                    let is_same = known.is_some_and(|known| name(known).as_ref() == Some(&own));
                    if !is_same {
                        *known = None;
                    }
                })
                .or_insert(Some(role));
        }
    }
    all
}

/// The role of the one person who is described under the number of an author without a name, where that is one of nines alone, as
/// examples have it: such a number joins nobody else.
pub(super) fn elsewhere<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<N<'d>> {
    if role.tag_name().name() != "assignedAuthor" || super::same::is_numbered(role) {
        return None;
    }
    let is_nines = |number: &str| {
        number.contains('9') && number.bytes().all(|sign| sign == b'9' || sign == b'-')
    };
    let known = doc.described();
    numbers(role)
        .filter(|(_, number)| is_nines(number))
        .find_map(|number| known.get(&number).copied().flatten())
}

/// Whoever is described under a number of a role, where that is one person alone.
pub(super) fn under_number<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<N<'d>> {
    if !super::same::is_numbered(role) {
        return None;
    }
    numbers(role).find_map(|number| doc.described().get(&number).copied().flatten())
}

/// Whether a number of a role is that of somebody with a name.
pub(super) fn is_somebodys<'d>(doc: &Doc<'d>, role: N<'d>) -> bool {
    numbers(role).any(|number| doc.described().contains_key(&number))
}
