//! The header: patient, authors, custodian and the encounter's place in time.

use roxmltree::Node;
use serde_json::{Map, Value, json};

use crate::{
    build::Builder,
    codes,
    value::{addresses, identifiers, names, put, telecoms, time},
    xml::{attr, child, children, path, sdtc, text},
};

/// The patient, always one, even if the source says nothing of her.
pub(crate) fn patient(root: Node<'_, '_>, build: &mut Builder<'_, '_>) -> String {
    let role = path(root, &["recordTarget", "patientRole"]);
    let mut out = Map::new();
    if let Some(role) = role {
        put(&mut out, "identifier", identifiers(role));
        if let Some(person) = child(role, "patient") {
            put(&mut out, "name", names(person));
            let gender = child(person, "administrativeGenderCode");
            let gender = gender.and_then(|node| match attr(node, "code")? {
                "M" => Some("male"),
                "F" => Some("female"),
                "UN" => Some("other"),
                _ => None,
            });
            put(&mut out, "gender", gender.map(Value::from));
            let born = child(person, "birthTime").and_then(time);
            put(
                &mut out,
                "birthDate",
                born.map(|at| at[..at.len().min(10)].into()),
            );
            let dead = sdtc(person, "deceasedTime")
                .and_then(time)
                .map(Value::String);
            if dead.is_some() {
                put(&mut out, "deceasedDateTime", dead);
            } else {
                let flag = sdtc(person, "deceasedInd").and_then(|node| attr(node, "value"));
                let flag = flag.and_then(|flag| flag.parse::<bool>().ok());
                put(&mut out, "deceasedBoolean", flag.map(Value::Bool));
            }
        }
        put(&mut out, "telecom", telecoms(role));
        put(&mut out, "address", addresses(role));
    }
    build.add("Patient", role, out)
}

fn organization(node: Node<'_, '_>, build: &mut Builder<'_, '_>) -> String {
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    put(
        &mut out,
        "name",
        child(node, "name").and_then(text).map(Value::String),
    );
    put(&mut out, "telecom", telecoms(node));
    put(&mut out, "address", addresses(node));
    named(&mut out);
    build.add("Organization", Some(node), out)
}

/// `org-1`: an organization has a name or an identifier.
fn named(out: &mut Map<String, Value>) {
    if !out.contains_key("name") && !out.contains_key("identifier") {
        out.insert("_name".into(), crate::value::absent(None));
    }
}

/// Everyone who wrote the document, at least one.
pub(crate) fn authors(root: Node<'_, '_>, build: &mut Builder<'_, '_>) -> Vec<String> {
    let mut urls = Vec::new();
    for role in children(root, "author").filter_map(|author| child(author, "assignedAuthor")) {
        let mut out = Map::new();
        put(&mut out, "identifier", identifiers(role));
        if let Some(person) = child(role, "assignedPerson") {
            put(&mut out, "name", names(person));
            put(&mut out, "telecom", telecoms(role));
            put(&mut out, "address", addresses(role));
            urls.push(build.add("Practitioner", Some(role), out));
        } else if let Some(device) = child(role, "assignedAuthoringDevice") {
            let name = child(device, "softwareName")
                .or_else(|| child(device, "manufacturerModelName"))
                .and_then(|node| text(node).or_else(|| attr(node, "displayName").map(Into::into)));
            put(
                &mut out,
                "deviceName",
                name.map(|name| json!([{"name": name, "type": "user-friendly-name"}])),
            );
            urls.push(build.add("Device", Some(role), out));
        }
        if let Some(place) = child(role, "representedOrganization") {
            urls.push(organization(place, build));
        }
    }
    if urls.is_empty() {
        let mut out = Map::new();
        named(&mut out);
        urls.push(build.add("Organization", None, out));
    }
    urls
}

pub(crate) fn custodian(root: Node<'_, '_>, build: &mut Builder<'_, '_>) -> Option<String> {
    path(
        root,
        &[
            "custodian",
            "assignedCustodian",
            "representedCustodianOrganization",
        ],
    )
    .map(|node| organization(node, build))
}

/// The document's language, if it is a simple BCP 47 tag.
pub(crate) fn language(root: Node<'_, '_>) -> Option<String> {
    let code = child(root, "languageCode").and_then(|node| attr(node, "code"))?;
    let (tongue, region) = code.split_once('-').unwrap_or((code, ""));
    let letters = |text: &str, upper: bool| {
        text.len() == 2
            && text.bytes().all(|b| {
                if upper {
                    b.is_ascii_uppercase()
                } else {
                    b.is_ascii_lowercase()
                }
            })
    };
    (letters(tongue, false) && (region.is_empty() || letters(region, true)))
        .then(|| code.to_owned())
}

/// Identity of the document, for ids.
pub(crate) fn seed(root: Node<'_, '_>) -> Option<String> {
    let id = child(root, "id")?;
    Some(format!(
        "{}|{}",
        attr(id, "root")?,
        attr(id, "extension").unwrap_or_default()
    ))
}

/// Confidentiality, if it is one of the v3 codes.
pub(crate) fn confidentiality(root: Node<'_, '_>) -> Option<&'static str> {
    match child(root, "confidentialityCode").and_then(|node| attr(node, "code"))? {
        "U" => Some("U"),
        "L" => Some("L"),
        "M" => Some("M"),
        "N" => Some("N"),
        "R" => Some("R"),
        "V" => Some("V"),
        _ => None,
    }
}

/// The bundle's identifier: the document's, or a hash of its bytes.
pub(crate) fn bundle_identifier(root: Node<'_, '_>, digest: &str) -> Value {
    child(root, "id")
        .and_then(|id| {
            let root = codes::identifier_system(attr(id, "root")?)?;
            Some(match attr(id, "extension") {
                Some(extension) => json!({"system": root, "value": extension}),
                None => json!({"system": "urn:ietf:rfc:3986", "value": root}),
            })
        })
        .unwrap_or_else(
            || json!({"system": "urn:ietf:rfc:3986", "value": format!("ni:///sha-256;{digest}")}),
        )
}
