//! Somebody who is named by a number alone, and described elsewhere in the document (C-CDA, author participation: an id without a
//! person refers to the one who is described under it).

use std::collections::{HashMap, HashSet};

use crate::{
    doc::Doc,
    xml::{N, attr, child, children, elements, text},
};

/// A number: its issuer, and the number itself, which is empty where the issuer is all of it.
type Number<'d> = (&'d str, &'d str);

/// The roles with a name by the numbers that they have; none where several names have one number.
type People<'d> = HashMap<Number<'d>, Option<N<'d>>>;

/// Who is described under which number.
pub(crate) struct Described<'d> {
    people: People<'d>,
    houses: HashSet<Number<'d>>,
}

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

/// Whether what plays a role is a person by its class, or by a name that has the parts of a person's.
pub(super) fn is_person(entity: N<'_>) -> bool {
    let parts = ["given", "family"];
    let has_parts =
        |name: N<'_>| elements(name).any(|part| parts.contains(&part.tag_name().name()));
    attr(entity, "classCode") == Some("PSN") || children(entity, "name").any(has_parts)
}

/// Whether it is said of somebody that nobody knows who it is.
pub(super) fn is_unknown(person: N<'_>) -> bool {
    let is_null = |node: N<'_>| attr(node, "nullFlavor").is_some();
    let mut names = children(person, "name");
    names.all(|name| text(name).is_none())
        && (is_null(person) || children(person, "name").any(is_null))
}

/// The name of whoever plays a role. What plays one otherwise than as a person may be a house or a thing.
fn name(role: N<'_>) -> Option<String> {
    let one = person(role)?;
    let is_somebody = one.tag_name().name() != "playingEntity" || is_person(one);
    child(one, "name")
        .filter(|_| is_somebody)
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

/// Everybody of a document who has a name and a number, and the numbers of its houses.
pub(crate) fn all<'d>(root: N<'d>) -> Described<'d> {
    let mut people: People<'d> = HashMap::new();
    let mut houses = HashSet::new();
    for role in root
        .descendants()
        .filter(|role| children(*role, "id").next().is_some())
    {
        if role.tag_name().name().ends_with("Organization") {
            houses.extend(numbers(role));
        }
        let Some(own) = name(role) else { continue };
        for number in numbers(role) {
            people
                .entry(number)
                .and_modify(|known| {
                    let is_same = known.is_some_and(|known| name(known).as_ref() == Some(&own));
                    if !is_same {
                        *known = None;
                    }
                })
                .or_insert(Some(role));
        }
    }
    Described { people, houses }
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
    let known = &doc.described().people;
    numbers(role)
        .filter(|(_, number)| is_nines(number))
        .find_map(|number| known.get(&number).copied().flatten())
}

/// Whoever is described under a number of a role, where that is one person alone.
pub(super) fn under_number<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<N<'d>> {
    if !super::same::is_numbered(role) {
        return None;
    }
    numbers(role).find_map(|number| doc.described().people.get(&number).copied().flatten())
}

/// Whether a number of a role is that of somebody with a name.
pub(super) fn is_somebodys<'d>(doc: &Doc<'d>, role: N<'d>) -> bool {
    numbers(role).any(|number| doc.described().people.contains_key(&number))
}

/// Whether a number of a role is that of a house of the document.
pub(super) fn is_a_houses<'d>(doc: &Doc<'d>, role: N<'d>) -> bool {
    numbers(role).any(|number| doc.described().houses.contains(&number))
}
