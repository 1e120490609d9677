//! Which people, houses and places are one, and who is the patient.

use super::{behind, key, words_of};
use crate::{
    doc::Doc,
    resource::Resource,
    xml::{N, attr, child, children, path, text},
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

/// Whether somebody in a role is the patient: said so, or with the patient's number and no other name.
pub(crate) fn is_patient(doc: &Doc<'_>, role: N<'_>) -> bool {
    let is_device = child(role, "assignedAuthoringDevice").is_some();
    let Some(patient) = path(doc.root, &["recordTarget", "patientRole"]).filter(|_| !is_device)
    else {
        return false;
    };
    let code = child(role, "code").and_then(|code| attr(code, "code"));
    if code == Some("ONESELF") {
        return true;
    }
    let plain = |node: N<'_>| text(node).map(|name| name.to_lowercase());
    let named = [
        "assignedPerson",
        "associatedPerson",
        "playingEntity",
        "informationRecipient",
    ]
    .iter()
    .find_map(|person| path(role, &[person, "name"]));
    let named = named.and_then(plain);
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
    (same_number || code == Some("SELF")) && (named.is_none() || same_name)
}
