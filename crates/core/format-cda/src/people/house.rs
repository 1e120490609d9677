//! Houses, and roles in them of which no person is told.

use super::{described, is_self, not_at_home, once, same::join, words_of};
use crate::{
    account::Fate,
    doc::{Doc, reference},
    json::json,
    resource::Resource,
    value::{self, code, name},
    xml::{N, attr, child, elements, path},
};

/// An organization; none if the source says nothing of it.
pub(crate) fn organization<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<String> {
    once(doc, "Organization", node, || organization_aside(doc, node))
}

fn organization_aside<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<String> {
    let mut out = Resource::plain("Organization", Some(node));
    out.put(doc, "identifier", value::identifiers(doc, node));
    let described = || child(node, "desc").and_then(|said| value::text::words(doc, said));
    let called = name::words(doc, node).or_else(described);
    out.put(doc, "name", called);
    out.put(doc, "telecom", name::telecoms(doc, node).map(not_at_home));
    out.put(doc, "address", name::addresses(doc, node).map(not_at_home));
    let kind = child(node, "standardIndustryClassCode").and_then(|code| code::concept(doc, code));
    out.put(doc, "type", kind.map(|kind| json!([kind])));
    if let Some(above) = path(node, &["asOrganizationPartOf", "wholeOrganization"]) {
        let whole = organization(doc, above);
        out.put(doc, "partOf", whole.map(|url| reference(&url)));
    }
    if out.body.is_empty() {
        return None;
    }
    // `org-1`: an organization has a name or an identifier.
    if !out.has("name") && !out.has("identifier") {
        out.body
            .insert("_name".into(), value::absent(child(node, "name")));
    }
    Some(join(doc, out, node, words_of(Some(node))))
}

/// The organization behind a role, whatever the role is called.
pub(super) fn behind<'d>(role: N<'d>) -> Option<N<'d>> {
    elements(role).find(|part| {
        matches!(
            part.tag_name().name(),
            "representedOrganization"
                | "scopingOrganization"
                | "receivedOrganization"
                | "representedCustodianOrganization"
                | "providerOrganization"
        )
    })
}

/// The house that plays a role itself: one by its class, or because its number is that of a house. Of what says neither, and has no
/// person's name, nobody knows whether it is somebody.
pub(super) fn played<'d>(doc: &Doc<'d>, role: N<'d>, entity: N<'d>) -> Option<String> {
    const HOUSES: &[&str] = &["ORG", "PUB", "STATE", "NAT"];
    const NEITHER: &str = "it says neither that it is a person nor that it is a house";
    let is_house = attr(entity, "classCode").is_some_and(|class| HOUSES.contains(&class));
    if !is_house && !described::is_a_houses(doc, role) {
        doc.account.because(role, Fate::Lost(NEITHER));
        return None;
    }
    once(doc, "Organization", role, || {
        let mut out = Resource::plain("Organization", Some(role));
        out.put(doc, "identifier", value::identifiers(doc, role));
        out.put(doc, "name", name::words(doc, entity));
        out.put(doc, "telecom", name::telecoms(doc, role).map(not_at_home));
        out.put(doc, "address", name::addresses(doc, role).map(not_at_home));
        let kind = child(role, "code").and_then(|code| code::concept(doc, code));
        out.put(doc, "type", kind.map(|kind| json!([kind])));
        Some(join(doc, out, role, words_of(Some(entity))))
    })
}

/// The house of a role that nobody is named in. What is known of the role itself (its number, what it does, where it is reached) is
/// no more than that of some role in that house.
pub(super) fn of_nobody<'d>(doc: &Doc<'d>, role: N<'d>, house: N<'d>) -> Option<String> {
    let url = organization(doc, house)?;
    let mut out = Resource::plain("PractitionerRole", None);
    let numbers = value::identifiers(doc, role);
    if numbers.is_some() && numbers == value::identifiers(doc, house) {
        // It is the house's number, and of no role in it.
        doc.change(&url, "identifier", |_| {});
    } else {
        out.put(doc, "identifier", numbers);
    }
    let does = child(role, "code").filter(|code| !is_self(doc, *code));
    let does = does.and_then(|does| code::concept(doc, does));
    out.put(doc, "code", does.map(|does| json!([does])));
    out.put(doc, "telecom", name::telecoms(doc, role));
    let place = stands_at(doc, role);
    out.put(doc, "location", place.map(|url| json!([reference(&url)])));
    if !out.body.is_empty() {
        out.body.insert("organization".into(), reference(&url));
        let key = format!("{:?}", out.body);
        let _ = out.join(doc, Some(key));
    }
    Some(url)
}

/// Somebody of a house, where an element has no place for the house itself.
pub(crate) fn in_person(doc: &Doc<'_>, url: String) -> String {
    if !doc.is_of(&url, &["Organization"]) {
        return url;
    }
    let mut out = Resource::plain("PractitionerRole", None);
    out.body.insert("organization".into(), reference(&url));
    out.join(doc, Some(format!("somebody of|{url}")))
}

/// The place of an address that is no element of what is there.
pub(super) fn stands_at<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<String> {
    let at = child(role, "addr")?;
    let taken = doc.account.put();
    let place = name::address(doc, at).map(|at| {
        let mut place = Resource::plain("Location", None);
        let key = at.to_string();
        place.put(doc, "address", Some(at));
        place.join(doc, Some(format!("device|{key}")))
    });
    doc.account.take_again(taken);
    place
}
