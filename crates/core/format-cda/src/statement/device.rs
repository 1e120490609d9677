//! Devices and implants with their UDI: `Device`.

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Fate, Taken},
    context::{Mood, Statement, Subject},
    doc::{Doc, key_of, reference},
    json::json,
    resource::Resource,
    value::{self, code, name, put, text},
    xml::{N, attr, child, children, has_template},
};

const PRODUCT: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.37",
    "2.16.840.1.113883.10.20.1.52",
];
const DENIED: Because = "the source denies that the device was used";
/// Medical equipment: implants and what the patient depends on (LOINC).
pub(crate) const EQUIPMENT: &str = "46264-8";
/// The agency that gives UDIs: the food and drug administration.
const FDA: &str = "2.16.840.1.113883.3.3719";

/// The device of a participation in a statement, if it is one. What is denied makes none, and what is planned none of the patient's.
pub(crate) fn of_participant<'d>(doc: &Doc<'d>, of: &Statement<'d>, part: N<'d>) -> Option<String> {
    let role = role_in(part)?;
    if of.is_denied() {
        doc.account.because(part, Fate::Lost(DENIED));
        return None;
    }
    let is_own = of.mood() == Mood::Event
        && matches!(of.subject(), Subject::Patient)
        && !is_instrument(of, part);
    let url = doc.account.aside(|| device(doc, role, is_own))?;
    doc.account.take(part);
    Some(url)
}

/// Whether a device is what something was done with, and not what was put in, handed out or taken out (HL7 v3, `PRD`), in whatever
/// way it took part. One with a number of its own as a device (UDI) is told as what stays with the patient, and so is one in a section of what the patient has.
pub(crate) fn is_instrument(of: &Statement<'_>, part: N<'_>) -> bool {
    let mut ids = role_in(part)
        .into_iter()
        .flat_map(|role| children(role, "id"));
    let is_udi = |id: N<'_>| attr(id, "root") == Some(FDA) && attr(id, "extension").is_some();
    attr(part, "typeCode") != Some("PRD") && of.context.section != EQUIPMENT && !ids.any(is_udi)
}

/// The role of a device in a participation, if it is one.
fn role_in<'d>(part: N<'d>) -> Option<N<'d>> {
    let role = child(part, "participantRole")?;
    let is_one = has_template(role, PRODUCT)
        || child(role, "playingDevice").is_some()
        || attr(role, "classCode") == Some("MANU")
            && matches!(attr(part, "typeCode"), Some("DEV" | "PRD"));
    is_one.then_some(role)
}

/// Whether a participation says what sort of device it is of.
pub(crate) fn has_sort(part: N<'_>) -> bool {
    let tool = role_in(part).and_then(|role| child(role, "playingDevice"));
    tool.is_some_and(|tool| {
        child(tool, "code").is_some_and(|code| code::known(code).is_some())
            || child(tool, "manufacturerModelName")
                .and_then(crate::xml::text)
                .is_some()
    })
}

/// What sort of device a participation is of, where there is no device: one that was not put in, say.
pub(crate) fn sort_of<'d>(doc: &Doc<'d>, part: N<'d>) -> Option<Value> {
    let tool = child(role_in(part)?, "playingDevice")?;
    let code = child(tool, "code").and_then(|code| code::concept(doc, code));
    let model = || {
        let model = child(tool, "manufacturerModelName")?;
        let words = crate::xml::text(model)?;
        doc.account.take(model);
        Some(json!({"text": words}))
    };
    let sort = code.or_else(model)?;
    doc.account.take(part);
    Some(sort)
}

/// Says of which sort a device is, if nothing else is said of that: it has one sort alone.
pub(crate) fn is_of_sort(doc: &Doc<'_>, device: &str, sort: &Value, taken: Vec<Taken>) {
    const ONE_SORT: Because = "a device has one sort, and the source says it of the device itself";
    let own = doc.element(device, "type");
    let code = |sort: &Value| sort["coding"][0]["code"].clone();
    if own
        .as_ref()
        .is_none_or(|own| code(own) == code(sort) && !code(own).is_null())
    {
        doc.account.take_again(taken);
        doc.change(device, "type", |device| {
            device.entry("type").or_insert_with(|| sort.clone());
        });
    } else {
        let lost = taken.into_iter().map(|one| (one, Fate::Lost(ONE_SORT)));
        doc.account.settle(lost);
    }
}

fn device<'d>(doc: &Doc<'d>, role: N<'d>, is_own: bool) -> Option<String> {
    let mut out = Resource::plain("Device", Some(role));
    let tool = child(role, "playingDevice");
    let udi = children(role, "id")
        .find(|id| attr(*id, "root") == Some(FDA))
        .and_then(|id| Some((id, attr(id, "extension")?)));
    if let Some((id, carrier)) = udi {
        doc.account.take(id);
        out.put(doc, "udiCarrier", Some(json!([udi_parts(carrier)])));
        let parts = udi_fields(carrier);
        let date = |raw: &str| {
            Some(format!(
                "20{}-{}-{}",
                raw.get(..2)?,
                raw.get(2..4)?,
                raw.get(4..6)?
            ))
        };
        for (field, value) in parts {
            match field {
                "10" => out.body.insert("lotNumber".into(), value.into()),
                "21" => out.body.insert("serialNumber".into(), value.into()),
                "11" => {
                    date(&value).and_then(|at| out.body.insert("manufactureDate".into(), at.into()))
                }
                "17" => {
                    date(&value).and_then(|at| out.body.insert("expirationDate".into(), at.into()))
                }
                _ => None,
            };
        }
    }
    let ids = children(role, "id").filter(|id| attr(*id, "root") != Some(FDA) || udi.is_none());
    let ids: Vec<Value> = ids.filter_map(|id| value::identifier(doc, id)).collect();
    out.put(doc, "identifier", value::list(ids));
    let kind = tool
        .and_then(|tool| child(tool, "code"))
        .and_then(|code| code::concept(doc, code));
    out.put(doc, "type", kind);
    let model = tool
        .and_then(|tool| child(tool, "manufacturerModelName"))
        .and_then(|node| {
            let words =
                crate::xml::text(node).or_else(|| attr(node, "displayName").map(str::to_owned))?;
            doc.account.take(node);
            Some(words)
        });
    out.put(doc, "modelNumber", model);
    let maker = child(role, "scopingEntity");
    let maker = maker.and_then(|maker| {
        child(maker, "desc")
            .and_then(|desc| text::words(doc, desc))
            .or_else(|| name::words(doc, maker))
    });
    out.put(doc, "manufacturer", maker);
    if out.body.is_empty() {
        return None;
    }
    if is_own {
        out.body.insert("patient".into(), reference(&doc.patient()));
    }
    let Some(id) = key_of(role) else {
        return Some(out.join(doc, None));
    };
    // One number and two kinds are two things; a number without a kind is the thing that has this number.
    let (typed, bare) = (
        out.body.get("type").map(|kind| format!("{id}|{kind}")),
        format!("{id}|"),
    );
    let Some(typed) = typed else {
        return Some(out.join(doc, Some(bare)));
    };
    let unsorted = doc.is_known("Device", &bare) && !doc.is_known("Device", &format!("{id}|typed"));
    let key = if unsorted { &bare } else { &typed };
    let url = out.join(doc, Some(key.clone()));
    for key in [typed, format!("{id}|typed"), bare] {
        doc.also_known("Device", &key, &url);
    }
    Some(url)
}

fn udi_parts(carrier: &str) -> Value {
    let identifier = udi_fields(carrier)
        .into_iter()
        .find(|(field, _)| *field == "01")
        .map(|(_, value)| value);
    let mut out = Map::new();
    // A device identifier is inside the carrier; where it cannot be read for certain the whole is the carrier alone.
    put(&mut out, "deviceIdentifier", identifier);
    if carrier.starts_with("(01)") {
        out.insert(
            "issuer".into(),
            "http://hl7.org/fhir/NamingSystem/gs1-di".into(),
        );
    }
    out.insert("carrierHRF".into(), carrier.to_owned().into());
    Value::Object(out)
}

/// Fields of a GS1 carrier as people read it: `(01)…(17)…`.
fn udi_fields(carrier: &str) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for part in carrier.split('(').skip(1) {
        let Some((field, value)) = part.split_once(')') else {
            continue;
        };
        let field = ["01", "10", "11", "17", "21"]
            .into_iter()
            .find(|known| *known == field);
        if let Some(field) = field
            && !value.is_empty()
        {
            all.push((field, value.to_owned()));
        }
    }
    all
}
