//! Pictures: the studies that a document of imaging refers to (`ImagingStudy`).

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Fate},
    context::{Mood, Statement},
    doc::{Doc, key_of, reference},
    json::json,
    resource::Resource,
    statement::{Made, shape, take_shell},
    value::{absent, code, list, put, quantity, time},
    xml::{N, attr, child, related},
};

/// Studies of pictures: LOINC, and what DICOM's reports have for what was found and what it means.
pub(crate) const SECTIONS: &[&str] = &["18748-4", "18726-0", "18782-3", "121070", "121072"];
/// DICOM: study, series, modality.
const STUDY: &[&str] = &["113014"];
const SERIES: &[&str] = &["113015"];
const MODALITY: &[&str] = &["121139"];
const STUDY_ACT: &[&str] = &["2.16.840.1.113883.10.20.6.2.6"];
const DCM: &str = "1.2.840.10008.2.16.4";
/// Where a picture can be fetched, as the source says it.
const LOCATION: &str = "https://medibloc.org/fhir/StructureDefinition/instance-location";

/// When a picture was made.
const CREATED: &str = "https://medibloc.org/fhir/StructureDefinition/instance-created";
/// Which picture of a study something is derived from.
const PICTURE: &str = "https://medibloc.org/fhir/StructureDefinition/derived-from-picture";

pub(crate) fn is_study(of: &Statement<'_>) -> bool {
    of.mood() == Mood::Event
        && (of.has(STUDY_ACT)
            || shape::is_coded(of.node, STUDY)
                && of.child("code").and_then(|code| attr(code, "codeSystem")) == Some(DCM))
}

/// A uid of DICOM (PS3.5, section 9.1): an OID.
fn uid<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<&'d str> {
    let id = child(node, "id")?;
    let uid = attr(id, "root").filter(|root| {
        root.len() <= 64
            && root.bytes().all(|one| one.is_ascii_digit() || one == b'.')
            && attr(id, "extension").is_none()
    })?;
    doc.account.take(id);
    Some(uid)
}

/// A study with the series and pictures that the document refers to: how many it has beyond them is not known.
pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let node = of.node;
    let mut out = Resource::of("ImagingStudy", of, doc)?;
    let study = uid(doc, node).ok_or("the source does not say which study it is")?;
    let number = json!([{"system": "urn:dicom:uid", "value": format!("urn:oid:{study}")}]);
    out.put(doc, "identifier", Some(number));
    let state = match super::status(doc, of) {
        Some("nullified") => "entered-in-error",
        Some("cancelled" | "aborted") => "cancelled",
        _ => "unknown",
    };
    out.put(doc, "status", Some(state));
    out.says(doc, child(node, "code"));
    let began = child(node, "effectiveTime").and_then(|when| time::start(doc, when));
    time::put_at(&mut out, doc, "started", began);
    out.heeded()?;
    let mut all: Vec<Value> = Vec::new();
    let mut pictures = Vec::new();
    let inner = of.related().map(|(_, inner)| inner);
    for inner in inner.filter(|inner| shape::is_coded(inner.node, SERIES) && !inner.is_denied()) {
        all.extend(series(doc, inner.node, &mut pictures));
    }
    let mut sorts: Vec<Value> = Vec::new();
    for one in &all {
        let sort = &one["modality"];
        if sort.get("code").is_some() && !sorts.contains(sort) {
            sorts.push(sort.clone());
        }
    }
    out.put(doc, "series", list(all));
    out.put(doc, "modality", list(sorts));
    let url = out.add(doc)?;
    for key in pictures {
        doc.also_known("ImagingStudy", &key, &url);
    }
    let _ = super::inside(doc, of, Some(&url));
    Ok(Some(("ImagingStudy", url)))
}

fn series<'d>(doc: &Doc<'d>, node: N<'d>, pictures: &mut Vec<String>) -> Option<Value> {
    let mut out = Map::new();
    out.insert("uid".into(), uid(doc, node)?.to_owned().into());
    let named = child(node, "code")?;
    let modality = code::qualifier(named, MODALITY);
    let modality = modality.and_then(|modality| code::coding(doc, modality));
    out.insert("modality".into(), modality.unwrap_or_else(|| absent(None)));
    let began = child(node, "effectiveTime").and_then(|when| time::start(doc, when));
    time::put_in(&mut out, "started", began);
    let all = related(node)
        .map(|(_, inner)| inner)
        .filter(|inner| inner.tag_name().name() == "observation")
        .filter_map(|inner| instance(doc, inner, pictures))
        .collect();
    put(&mut out, "instance", list(all));
    doc.account.take(node);
    doc.account.take(named);
    Some(Value::Object(out))
}

fn instance<'d>(doc: &Doc<'d>, node: N<'d>, pictures: &mut Vec<String>) -> Option<Value> {
    let named = child(node, "code")?;
    let class = code::known(named)?;
    let mut out = Map::new();
    out.insert("uid".into(), uid(doc, node)?.to_owned().into());
    let class = json!({"system": "urn:ietf:rfc:3986", "code": format!("urn:oid:{class}")});
    out.insert("sopClass".into(), class);
    let text = child(node, "text");
    let pointer = text.and_then(|text| child(text, "reference"));
    if let (Some(text), Some(pointer)) = (text, pointer)
        && let Some(url) = attr(pointer, "value").filter(|url| !url.contains(char::is_whitespace))
    {
        doc.account.take(text);
        doc.account.take(pointer);
        put(
            &mut out,
            "extension",
            Some(json!([{"url": LOCATION, "valueUrl": url.to_owned()}])),
        );
    }
    let made = child(node, "effectiveTime").and_then(|when| time::moment(doc, when));
    if let Some(made) = made {
        let made = time::extension(CREATED, made);
        match out.get_mut("extension") {
            Some(Value::Array(all)) => all.push(made),
            _ => put(&mut out, "extension", Some(json!([made]))),
        }
    }
    doc.account.take(node);
    doc.account.take(named);
    pictures.extend(key_of(node));
    Some(Value::Object(out))
}

/// What was seen on a picture of a study that is listed is derived from that study: the picture is no finding.
pub(crate) fn derived<'d>(doc: &Doc<'d>, picture: &Statement<'d>, around: &str) -> bool {
    let is_picture = attr(picture.node, "classCode") == Some("DGIMG")
        && !picture.is_denied()
        && doc.is_of(around, &["Observation"]);
    let study = key_of(picture.node)
        .filter(|_| is_picture)
        .and_then(|key| doc.known("ImagingStudy", &key));
    let Some(study) = study else { return false };
    doc.account.aside(|| {
        let mut parts = Vec::new();
        if let Some(uid) = uid(doc, picture.node) {
            parts.push(json!({"url": "uid", "valueOid": format!("urn:oid:{uid}")}));
        }
        take_shell(doc, picture.node);
        for (link, inner) in picture.related() {
            if attr(link, "typeCode") == Some("RSON") {
                let why = inner.child("value").and_then(|why| code::concept(doc, why));
                parts.extend(why.map(|why| json!({"url": "purpose", "valueCodeableConcept": why})));
                take_shell(doc, inner.node);
            } else if attr(inner.node, "classCode") == Some("ROIBND") {
                take_shell(doc, inner.node);
                for (_, frame) in inner.related() {
                    let number = frame.child("value");
                    let number = number.and_then(|number| quantity::whole(doc, number));
                    parts.extend(number.map(|one| json!({"url": "frame", "valueInteger": one})));
                    take_shell(doc, frame.node);
                }
            }
        }
        let mut from = reference(&study);
        from["extension"] = json!([{"url": PICTURE, "extension": parts}]);
        doc.change(around, "derivedFrom", |seen| {
            let list = seen.entry("derivedFrom").or_insert_with(|| json!([]));
            if let Value::Array(list) = list
                && !list.contains(&from)
            {
                list.push(from);
            }
        });
    });
    let why = "it is told by the study that the picture is of";
    doc.account.because(picture.node, Fate::Lost(why));
    true
}
