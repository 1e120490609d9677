//! The header: the patient, everyone who takes part in the document, and what it belongs to.

mod event;
mod part;
mod patient;
mod tongue;

use medibloc_record::json::{Map, Value};

use part::{how, part, plays};
pub(crate) use patient::{others, patient};
pub(crate) use tongue::tag;

use crate::{
    doc::{Doc, reference},
    json::json,
    language, people,
    resource::Resource,
    value::{self, absent, code, list, name, put, time},
    xml::{N, attr, child, children, path, text},
};

/// When an author of a document wrote.
const AUTHORED: &str = "https://medibloc.org/fhir/StructureDefinition/authored-on";
const CLASSES: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";

/// The document's language, if it is a simple BCP 47 tag.
pub(crate) fn language(doc: &Doc<'_>) -> Option<String> {
    let found = language::of(doc.root)?;
    doc.account.take(child(doc.root, "languageCode")?);
    Some(found)
}

/// Everyone who wrote the document, at least one: references with when.
pub(crate) fn authors(doc: &Doc<'_>) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let each = |node| {
        people::authors(doc, node)
            .into_iter()
            .map(move |url| (node, url))
    };
    for (node, url) in children(doc.root, "author").flat_map(each) {
        if all.iter().any(|one| one["reference"] == url.as_str()) {
            continue;
        }
        let mut one = Map::new();
        let at = child(node, "time").and_then(|at| time::start(doc, at));
        if let Some(at) = at {
            let mut when = Map::new();
            when.insert("url".into(), AUTHORED.into());
            time::put_in(&mut when, "valueDateTime", Some(at));
            one.insert("extension".into(), json!([when]));
        }
        one.insert("reference".into(), url.into());
        all.push(Value::Object(one));
    }
    if all.is_empty() {
        let mut out = Resource::plain("Organization", None);
        out.body.insert("_name".into(), absent(None));
        all.push(reference(&out.join(doc, None)));
    }
    all
}

pub(crate) fn custodian(doc: &Doc<'_>) -> Option<String> {
    let node = child(doc.root, "custodian")?;
    let house = path(
        node,
        &["assignedCustodian", "representedCustodianOrganization"],
    )?;
    let url = people::organization(doc, house)?;
    doc.account.take(node);
    Some(url)
}

/// Identity of the document, for ids.
pub(crate) fn seed(root: N<'_>) -> Option<String> {
    let id = child(root, "id").filter(|id| !crate::codes::is_dummy(*id))?;
    Some(format!(
        "{}|{}",
        attr(id, "root")?,
        attr(id, "extension").unwrap_or_default()
    ))
}

/// Confidentiality, if it is one of the v3 codes.
pub(crate) fn confidentiality(doc: &Doc<'_>) -> Option<&'static str> {
    let node = child(doc.root, "confidentialityCode")?;
    let code = ["U", "L", "M", "N", "R", "V"]
        .into_iter()
        .find(|code| attr(node, "code") == Some(code))?;
    doc.account.take(node);
    Some(code)
}

/// The bundle's identifier: the document's, or a hash of its bytes.
pub(crate) fn bundle_identifier(doc: &Doc<'_>, digest: impl Fn() -> String) -> Value {
    child(doc.root, "id")
        .and_then(|id| value::identifier(doc, id))
        .filter(|id| id.get("system").is_some() && id.get("value").is_some())
        .unwrap_or_else(|| {
            doc.account.let_go();
            let digest = digest();
            json!({"system": "urn:ietf:rfc:3986", "value": format!("ni:///sha-256;{digest}")})
        })
}

/// Everyone else of the header, and what the document belongs to, put into the composition.
pub(crate) fn rest<'d>(doc: &Doc<'d>, out: &mut Resource<'d>) {
    let root = doc.root;
    let mut referrers: Vec<String> = Vec::new();
    attesters(doc, out);
    for node in children(root, "dataEnterer") {
        let url = people::entity(doc, node);
        out.push(doc, "extension", url.map(|url| part("DataEnterer", &url)));
    }
    for node in children(root, "informant") {
        let url = people::informant(doc, node);
        out.push(doc, "extension", url.map(|url| part("Informant", &url)));
    }
    for node in children(root, "informationRecipient") {
        let url = child(node, "intendedRecipient").and_then(|role| people::recipient(doc, role));
        let taken = url.map(|url| {
            doc.account.take(node);
            plays(doc, "InformationRecipient", &url, node, "PRCP")
        });
        out.push(doc, "extension", taken);
    }
    for node in children(root, "participant") {
        let Some(role) = child(node, "associatedEntity") else {
            continue;
        };
        let class = attr(role, "classCode").unwrap_or("ASSIGNED");
        if [
            "PRS",
            "ECON",
            "NOK",
            "CAREGIVER",
            "GUARD",
            "AGNT",
            "GUAR",
            "CON",
        ]
        .contains(&class)
        {
            let Some(one) = contact(doc, node, role, class) else {
                continue;
            };
            doc.change(&doc.patient(), "contact", |patient| {
                let list = patient.entry("contact").or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    list.push(one);
                }
            });
        } else if let Some(url) = taking_part(doc, node, role, class) {
            doc.account.take(node);
            let one = plays(doc, "Participant", &url, node, "");
            out.push(doc, "extension", Some(one));
            if matches!(attr(node, "typeCode"), Some("REF" | "REFB")) && !referrers.contains(&url) {
                referrers.push(url.clone());
            }
            event::general(doc, node, &url);
        }
    }
    let ordered = orders(doc);
    // Who referred the patient asked for the one thing that was ordered.
    if let ([(_, order)], [by]) = (&*ordered, &*referrers) {
        doc.change(order, "requester", |order| {
            order.insert("requester".into(), reference(by));
        });
    }
    let ordered = ordered.into_iter().map(|(part, _)| part);
    out.push_all(doc, "extension", ordered.collect());
    out.push_all(doc, "extension", consents(doc));
    event::all(doc, out);
    relations(doc, out);
}

/// Who takes part: whose insurance it is, or whom it covers, treats nobody (C-CDA on FHIR, participations).
fn taking_part<'d>(doc: &Doc<'d>, node: N<'d>, role: N<'d>, class: &str) -> Option<String> {
    const INSURED: &[&str] = &["POLHOLD", "COVPTY", "SUBSCR", "DEPEN", "INSBJ", "SPONSOR"];
    let person = child(role, "associatedPerson");
    let is_insured =
        INSURED.contains(&class) || matches!(attr(node, "typeCode"), Some("HLD" | "COV"));
    if !is_insured || person.is_none() {
        people::anybody(doc, role)
    } else if people::is_patient(doc, role) {
        Some(doc.patient())
    } else {
        people::related_person(doc, role, person)
    }
}

fn attesters<'d>(doc: &Doc<'d>, out: &mut Resource<'d>) {
    for (name, mode) in [
        ("legalAuthenticator", "legal"),
        ("authenticator", "professional"),
    ] {
        for node in children(doc.root, name) {
            let party = people::entity(doc, node);
            let signed = child(node, "signatureCode").and_then(|code| code::code(doc, code));
            // An intended or required signature is none.
            if signed.is_some_and(|code| code != "S") {
                doc.account.let_go();
                continue;
            }
            let mut one = Map::new();
            // Who signs of their own record does so as a person.
            let is_own = party.as_ref() == Some(&doc.patient());
            let mode = if is_own { "personal" } else { mode };
            one.insert("mode".into(), mode.into());
            time::put_in(
                &mut one,
                "time",
                child(node, "time").and_then(|at| time::start(doc, at)),
            );
            put(&mut one, "party", party.map(|url| reference(&url)));
            out.push(doc, "attester", Some(Value::Object(one)));
        }
    }
}

/// Whom to call: next of kin, care givers, guardians.
fn contact<'d>(doc: &Doc<'d>, node: N<'d>, role: N<'d>, class: &str) -> Option<Value> {
    let mut one = Map::new();
    let mut kin: Vec<Value> = child(role, "code")
        .and_then(|code| code::concept(doc, code))
        .into_iter()
        .collect();
    if class != "PRS" {
        kin.push(json!({"coding": [{"system": CLASSES, "code": class.to_owned()}]}));
    }
    put(&mut one, "relationship", list(kin));
    if let Some(person) = child(role, "associatedPerson") {
        let first = name::only_name(doc, person);
        put(&mut one, "name", first);
    }
    put(&mut one, "telecom", name::telecoms(doc, role));
    put(
        &mut one,
        "address",
        child(role, "addr").and_then(|at| name::address(doc, at)),
    );
    if let Some(house) = child(role, "scopingOrganization") {
        let mark = doc.account.put();
        let url = people::organization(doc, house);
        doc.account.take_again(mark);
        put(&mut one, "organization", url.map(|url| reference(&url)));
    }
    put(
        &mut one,
        "period",
        child(node, "time").and_then(|at| time::period(doc, at)),
    );
    let details = ["name", "telecom", "address", "organization"];
    if !details.iter().any(|part| one.contains_key(part)) {
        doc.account.let_go();
        return None;
    }
    if let Some(how) = how(doc, node, "IND") {
        one.insert("extension".into(), json!([how]));
    }
    doc.account.take(node);
    Some(Value::Object(one))
}

/// Orders that the document fulfils, each with its full URL.
fn orders(doc: &Doc<'_>) -> Vec<(Value, String)> {
    let mut all = Vec::new();
    for order in children(doc.root, "inFulfillmentOf").filter_map(|node| child(node, "order")) {
        let mut out = Resource::plain("ServiceRequest", Some(order));
        out.put(doc, "identifier", value::identifiers(doc, order));
        out.body.insert("status".into(), "unknown".into());
        out.body.insert("intent".into(), "order".into());
        out.put(
            doc,
            "code",
            child(order, "code").and_then(|code| code::concept(doc, code)),
        );
        let haste = child(order, "priorityCode").and_then(|code| {
            code::mapped(doc, code, |code| match code {
                "R" => Some("routine"),
                "UR" => Some("urgent"),
                "A" => Some("asap"),
                "S" | "STAT" => Some("stat"),
                _ => None,
            })
        });
        out.put(doc, "priority", haste);
        if !out.has("identifier") && !out.has("code") {
            continue;
        }
        out.body.insert("subject".into(), reference(&doc.patient()));
        let url = out.join(doc, None);
        all.push((part("Order", &url), url));
    }
    all
}

/// Consents that the document names: to a treatment, not to a use of data.
fn consents(doc: &Doc<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for consent in children(doc.root, "authorization").filter_map(|node| child(node, "consent")) {
        let mut out = Resource::plain("Consent", Some(consent));
        out.put(doc, "identifier", value::identifiers(doc, consent));
        let state = child(consent, "statusCode").and_then(|code| {
            doc.account.take(code);
            code::state(code)
        });
        let state = if state == Some("completed") {
            "active"
        } else {
            "proposed"
        };
        out.put(doc, "status", Some(state));
        out.body.insert("scope".into(), absent(None));
        let kind = child(consent, "code").and_then(|code| code::concept(doc, code));
        let said = kind.is_some() || out.has("identifier");
        out.put(
            doc,
            "category",
            Some(json!([
                kind.unwrap_or_else(|| absent(child(consent, "code")))
            ])),
        );
        if !said {
            continue;
        }
        out.body.insert("patient".into(), reference(&doc.patient()));
        out.body.insert("policyRule".into(), absent(None));
        all.push(part("Authorization", &out.join(doc, None)));
    }
    all
}

/// Documents that this one replaces, adds to or was made of.
fn relations<'d>(doc: &Doc<'d>, out: &mut Resource<'d>) {
    for node in children(doc.root, "relatedDocument") {
        let Some(parent) = child(node, "parentDocument") else {
            continue;
        };
        let kind = match attr(node, "typeCode") {
            Some("RPLC") => "replaces",
            Some("APND") => "appends",
            Some("XFRM") => "transforms",
            _ => continue,
        };
        let Some(id) = children(parent, "id").find_map(|id| value::identifier(doc, id)) else {
            continue;
        };
        out.push(
            doc,
            "relatesTo",
            Some(json!({"code": kind, "targetIdentifier": id})),
        );
    }
}

/// The name of the whole, and its kind.
pub(crate) fn title(doc: &Doc<'_>) -> Option<String> {
    let node = child(doc.root, "title")?;
    let words = text(node)?;
    doc.account.take(node);
    Some(words)
}
