//! Which people, houses and places are one, and who is the patient.

use super::{described, house::behind, key, words_of};
use crate::{
    doc::Doc,
    resource::Resource,
    xml::{N, attr, child, children, elements, path, text},
};

/// The number that tells somebody apart: none if it is not known, or if it names a register and nobody in it.
fn number(node: N<'_>) -> Option<String> {
    let is_one = |id: &N<'_>| {
        attr(*id, "nullFlavor").is_none()
            && !crate::codes::is_dummy(*id)
            && attr(*id, "root").is_some_and(|root| {
                attr(*id, "extension").is_some() || !crate::codes::is_register(root)
            })
    };
    let id = children(node, "id").find(is_one)?;
    let extension = attr(id, "extension").unwrap_or_default();
    Some(format!("{}|{extension}", attr(id, "root")?))
}

/// Whether somebody has a number that tells them apart.
pub(super) fn is_numbered(node: N<'_>) -> bool {
    number(node).is_some()
}

/// What tells two houses or places of one name apart that have no number. One of which no address is told need not be the one of
/// which it is.
pub(super) fn reached_at(out: &Resource<'_>) -> String {
    let [telecom, address] = ["telecom", "address"].map(|part| out.body.get(part));
    format!("{telecom:?}|{address:?}")
}

/// What tells two people of one name apart who have no number: where they are reached, and their house. Of whom nothing but a name
/// is known is nobody else.
fn whereabouts(out: &Resource<'_>, node: N<'_>) -> String {
    let house = behind(node).and_then(|house| key(house, words_of(Some(house))));
    let reached = ["telecom", "address"].map(|part| out.body.get(part));
    if house.is_none() && reached.iter().all(Option::is_none) {
        return node.id().get().to_string();
    }
    let [telecom, address] = reached;
    format!("{house:?}|{telecom:?}|{address:?}")
}

/// Adds somebody, or what is new of them to the one of that number and name. A number alone is whoever had it first, and a name is
/// that of the nameless one who has the number.
pub(super) fn join<'d>(
    doc: &Doc<'d>,
    out: Resource<'d>,
    node: N<'d>,
    name: Option<String>,
) -> String {
    let kind = out.kind();
    let name = name.map(|name| name.to_lowercase());
    let (id, name) = match (number(node), name) {
        // Somebody of whom nothing is known but a number that tells nobody apart.
        (None, None) => return out.join(doc, Some(format!("node|{}", node.id().get()))),
        (None, name) => {
            let key = name.map(|name| match kind {
                "Practitioner" => format!("|{name}|{}", whereabouts(&out, node)),
                _ => format!("|{name}|{}", reached_at(&out)),
            });
            return out.join(doc, key);
        }
        (Some(id), None) => return out.join(doc, Some(format!("{id}|"))),
        (Some(id), Some(name)) => (id, name),
    };
    let (bare, named) = (format!("{id}|"), format!("{id}|{name}"));
    let any = format!("{id}|any name");
    let nameless = doc.is_known(kind, &bare) && !doc.is_known(kind, &any);
    let url = out.join(doc, Some(if nameless { &bare } else { &named }.clone()));
    for key in [bare, named, any] {
        doc.also_known(kind, &key, &url);
    }
    url
}

/// Whether a code says that somebody is the patient.
pub(super) fn is_self(code: N<'_>) -> bool {
    matches!(attr(code, "code"), Some("ONESELF" | "SELF"))
}

/// Whether somebody is called the patient and bears another name, and nobody else is described under their number.
pub(super) fn is_nobody_known<'d>(doc: &Doc<'d>, role: N<'d>) -> bool {
    let says_self = |role: N<'d>| child(role, "code").is_some_and(is_self);
    let is_other = |person: N<'_>| bears_another_name(doc, person);
    says_self(role)
        && described::person(role).is_some_and(is_other)
        && described::under_number(doc, role).is_none_or(says_self)
}

/// Whether somebody in a role is the patient: said so, or with the patient's number, and in both cases with no other name. A number
/// says who it is before the role does: what is said of somebody whose number is that of another is not said of the patient.
pub(crate) fn is_patient<'d>(doc: &Doc<'d>, role: N<'d>) -> bool {
    let is_named = described::person(role).is_some_and(|one| words_of(Some(one)).is_some());
    let is_device = child(role, "assignedAuthoringDevice").is_some() && !is_named;
    let Some(patient) = path(doc.root, &["recordTarget", "patientRole"]).filter(|_| !is_device)
    else {
        return false;
    };
    let is_self =
        child(role, "code").is_some_and(is_self) || attr(role, "classCode") == Some("PAT");
    let plain = |node: N<'_>| text(node).map(|name| name.to_lowercase());
    let person = described::person(role);
    let named = person
        .and_then(|person| child(person, "name"))
        .and_then(plain);
    let names = child(patient, "patient").into_iter();
    let mut names = names
        .flat_map(|one| children(one, "name"))
        .filter_map(plain);
    let same_name = named.is_some() && names.any(|name| Some(name) == named);
    let theirs = children(patient, "id").filter(|id| attr(*id, "nullFlavor").is_none());
    let same_number = theirs.into_iter().any(|id| {
        children(role, "id").any(|own| {
            attr(own, "root").is_some()
                && attr(own, "root") == attr(id, "root")
                && attr(own, "extension") == attr(id, "extension")
                && !crate::codes::is_dummy(id)
                && (attr(own, "extension").is_some() || same_name)
        })
    });
    let is_other = |person: N<'_>| bears_another_name(doc, person);
    let is_numbered_as_another = || {
        let known = described::under_number(doc, role).and_then(described::person);
        !same_number && known.is_some_and(is_other)
    };
    same_number && (named.is_none() || same_name)
        || is_self && !person.is_some_and(is_other) && !is_numbered_as_another()
}

/// Whether somebody bears another name than the patient; nobody does of whom no name is told.
pub(crate) fn bears_another_name(doc: &Doc<'_>, person: N<'_>) -> bool {
    let names = |of: N<'_>| -> Vec<Vec<String>> {
        let all = children(of, "name").map(|name| {
            let borne = ["given", "family"];
            let parts = elements(name)
                .filter(|part| borne.contains(&part.tag_name().name()))
                .filter_map(text)
                .collect::<Vec<_>>()
                .join(" ");
            let whole = text(name).filter(|_| parts.is_empty());
            let words = whole.unwrap_or(parts).to_lowercase();
            words.split_whitespace().map(str::to_owned).collect()
        });
        all.filter(|words: &Vec<String>| !words.is_empty())
            .collect()
    };
    let patient = path(doc.root, &["recordTarget", "patientRole", "patient"]);
    let theirs = patient.map(names).unwrap_or_default();
    let said = names(person);
    // One with fewer names is the same.
    let is_same = |a: &Vec<String>, b: &Vec<String>| {
        a.iter().all(|word| b.contains(word)) || b.iter().all(|word| a.contains(word))
    };
    !theirs.is_empty()
        && !said.is_empty()
        && !said
            .iter()
            .any(|one| theirs.iter().any(|other| is_same(one, other)))
}
