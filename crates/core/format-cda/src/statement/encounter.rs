//! Visits and stays: `Encounter`, and the one that the header says that the document belongs to.

mod same;

use medibloc_record::json::{Map, Value};

use crate::{
    account::Because,
    codes::status,
    context::{Mood, Statement},
    doc::{Doc, key_of, reference},
    json::json,
    people,
    resource::Resource,
    statement::{Made, diagnosis, inside, reasons},
    value::{self, absent, code, list, put, time},
    xml::{N, attr, child, children, path, sdtc},
};

const CLASS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const ACT_CODE: &str = "2.16.840.1.113883.5.4";

/// The class that the code of a kind of visit implies: SNOMED CT, and CPT as C-CDA on FHIR (encounters) has it.
fn of_system(code: N<'_>) -> Option<&'static str> {
    const SNOMED: &str = "2.16.840.1.113883.6.96";
    const CPT: &str = "2.16.840.1.113883.6.12";
    let said = attr(code, "code")?;
    match attr(code, "codeSystem")? {
        SNOMED => match said {
            "4525004" => Some("EMER"),
            "32485007" => Some("IMP"),
            _ => None,
        },
        CPT => match said.parse::<u32>().ok()? {
            99_201..=99_205 | 99_211..=99_215 => Some("AMB"),
            99_221..=99_223 => Some("IMP"),
            99_281..=99_285 => Some("EMER"),
            _ => None,
        },
        _ => None,
    }
}

/// The class: a code of the v3 vocabulary, of the code itself or of a translation.
fn class(doc: &Doc<'_>, code: N<'_>) -> Option<Value> {
    const CLASSES: &[&str] = &[
        "AMB", "EMER", "IMP", "ACUTE", "NONAC", "HH", "VR", "SS", "OBSENC", "PRENC", "FLD",
    ];
    let all = core::iter::once(code).chain(children(code, "translation"));
    let found = all
        .filter(|one| attr(*one, "codeSystem") == Some(ACT_CODE))
        .find_map(|one| {
            let found = *CLASSES
                .iter()
                .find(|class| attr(one, "code") == Some(class))?;
            doc.account.take(one);
            Some(json!({"system": CLASS, "code": found}))
        });
    // Kinds of visit whose code says their class (CPT: office, hospital, emergency).
    found.or_else(|| {
        let all = core::iter::once(code).chain(children(code, "translation"));
        let found = all.filter_map(|one| Some((one, of_system(one)?))).next();
        found.map(|(one, class)| {
            doc.account.take(one);
            json!({"system": CLASS, "code": class})
        })
    })
}

/// Whether it ended before the document was written, by its times (C-CDA on FHIR, encounters): a single moment, or an end.
pub(super) fn is_over(doc: &Doc<'_>, node: N<'_>) -> bool {
    let Some(when) = child(node, "effectiveTime") else {
        return false;
    };
    let at = |raw: &str| time::stamp(raw);
    let ended = crate::xml::sure(when).and_then(at);
    let ended = ended.or_else(|| time::known_end(when));
    let written = child(doc.root, "effectiveTime").and_then(|at| attr(at, "value"));
    match (ended, written.and_then(at)) {
        (Some(ended), Some(written)) => {
            let (ended, written) = (ended.at, written.at);
            let same = ended.len().min(written.len()).min(10);
            ended[..same] <= written[..same]
        }
        (Some(_), None) => true,
        _ => false,
    }
}

/// What sort of visit it is: all that its code says but the class (C-CDA on FHIR, encounters).
fn sort(doc: &Doc<'_>, code: N<'_>, class: Option<&Value>) -> Option<Value> {
    let Some(Value::Object(mut sort)) = code::concept(doc, code) else {
        return None;
    };
    let is_class = |one: &Value| {
        class.is_some_and(|class| {
            ["system", "code"]
                .iter()
                .all(|part| one.get(part) == class.get(part))
        })
    };
    let all = sort.get("coding").and_then(Value::as_array);
    let all = all.cloned().unwrap_or_default();
    let left: Vec<Value> = all.iter().filter(|one| !is_class(one)).cloned().collect();
    if left.len() < all.len() {
        // The name of the class is no name of the sort.
        if code::said(doc, code).is_none() {
            sort.remove("text");
            let name = left.iter().find_map(|one| one.get("display").cloned());
            put(&mut sort, "text", name);
        }
        sort.remove("coding");
        put(&mut sort, "coding", list(left));
    }
    value::object(sort).map(|sort| json!([sort]))
}

/// Puts what sort of visit it is, and of which class.
fn put_sort<'d>(doc: &Doc<'d>, out: &mut Resource<'d>, node: N<'d>) {
    let code = child(node, "code");
    let class = code.and_then(|code| class(doc, code));
    let of_class = doc.account.put();
    let sort = code.and_then(|code| sort(doc, code, class.as_ref()));
    out.put(doc, "type", sort);
    doc.account.take_again(of_class);
    out.put(doc, "class", class);
}

fn span(doc: &Doc<'_>, when: N<'_>) -> Option<Value> {
    let mark = doc.account.mark();
    if let Some(at) = time::moment(doc, when) {
        let mut out = Map::new();
        let end = child(when, "high").is_some().then(|| at.clone());
        time::put_in(&mut out, "start", Some(at));
        time::put_in(&mut out, "end", end);
        return Some(Value::Object(out));
    }
    doc.account.drop_to(mark);
    time::period(doc, when)
}

/// When somebody took part.
fn taken_part(doc: &Doc<'_>, part: N<'_>) -> Option<Value> {
    child(part, "time").and_then(|at| time::period_within(doc, at))
}

/// Where it was, each place with when that was.
fn places<'d>(doc: &Doc<'d>, node: N<'d>) -> Vec<Value> {
    let parts = children(node, "participant").filter_map(|part| {
        let role = people::place_in(part)?;
        let url = people::place(doc, role)?;
        doc.account.take(part);
        let mut one = Map::new();
        one.insert("location".into(), reference(&url));
        put(&mut one, "period", taken_part(doc, part));
        Some(Value::Object(one))
    });
    parts.collect()
}

fn finish<'d>(doc: &Doc<'d>, mut out: Resource<'d>, key: Option<String>) -> String {
    let known = key
        .as_ref()
        .is_some_and(|key| doc.is_known("Encounter", key));
    if !out.has("class") && !known {
        out.body.insert("class".into(), absent(None));
    }
    out.join(doc, key)
}

/// The encounter of the header.
pub(crate) fn encompassing<'d>(doc: &Doc<'d>, composition: &mut Resource<'d>) {
    let Some(node) = path(doc.root, &["componentOf", "encompassingEncounter"]) else {
        return;
    };
    let mut out = Resource::plain("Encounter", Some(node));
    out.put(doc, "identifier", value::identifiers(doc, node));
    let when = child(node, "effectiveTime");
    out.body.insert(
        "status".into(),
        if is_over(doc, node) {
            "finished"
        } else {
            "unknown"
        }
        .into(),
    );
    put_sort(doc, &mut out, node);
    out.body.insert("subject".into(), reference(&doc.patient()));
    let mut parts = Vec::new();
    for part in children(node, "encounterParticipant") {
        let Some(url) = people::other_entity(doc, part) else {
            continue;
        };
        let mut one = Map::new();
        let kind = attr(part, "typeCode").map(|code| {
            json!([code::coded(
                "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                code.to_owned()
            )])
        });
        put(&mut one, "type", kind);
        put(&mut one, "period", taken_part(doc, part));
        let url = people::in_person(doc, url);
        one.insert("individual".into(), reference(&url));
        parts.push(Value::Object(one));
    }
    for part in children(node, "responsibleParty") {
        if let Some(url) = people::other_entity(doc, part) {
            let kind = code::coded(
                "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
                "RESP",
            );
            let url = people::in_person(doc, url);
            parts.push(json!({"type": [kind], "individual": reference(&url)}));
        }
    }
    out.put(doc, "participant", list(parts));
    out.put(doc, "period", when.and_then(|when| span(doc, when)));
    let home = path(node, &["location", "healthCareFacility"]);
    let url = home.and_then(|home| people::place(doc, home));
    out.put(
        doc,
        "location",
        url.map(|url| json!([{"location": reference(&url)}])),
    );
    let gone = child(node, "dischargeDispositionCode").and_then(|code| code::concept(doc, code));
    out.put(
        doc,
        "hospitalization",
        gone.map(|gone| json!({"dischargeDisposition": gone})),
    );
    let key = key_of(node);
    let url = finish(doc, out, key);
    doc.set_stay(&url);
    composition.body.insert("encounter".into(), reference(&url));
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("Encounter", of, doc)?;
    let node = of.node;
    out.put(doc, "identifier", value::identifiers(doc, node));
    let state = super::status(doc, of);
    let state = match (of.mood(), state) {
        (Mood::Event, None | Some("active" | "completed")) if is_over(doc, node) => "finished",
        (Mood::Event, state) => status::encounter(state),
        (_, Some("nullified")) => "entered-in-error",
        (_, Some("cancelled" | "aborted")) => "cancelled",
        _ => "planned",
    };
    // One that is denied did not take place: `Resource::add` would refuse it, and it must not be joined to another.
    if out.is_denied() {
        return Err("the source denies it, and FHIR has no form for that here");
    }
    out.put(doc, "status", Some(state));
    put_sort(doc, &mut out, node);
    let haste = child(node, "priorityCode").and_then(|code| code::concept(doc, code));
    out.put(doc, "priority", haste);
    let doers = children(node, "performer").filter_map(|part| {
        let url = people::in_person(doc, people::other_entity(doc, part)?);
        let function = sdtc(part, "functionCode").or_else(|| child(part, "functionCode"));
        let function = function.and_then(|code| code::concept(doc, code));
        let mut one = Map::new();
        put(&mut one, "type", function.map(|function| json!([function])));
        put(&mut one, "period", taken_part(doc, part));
        one.insert("individual".into(), reference(&url));
        Some(Value::Object(one))
    });
    out.put(doc, "participant", list(doers.collect()));
    out.put(
        doc,
        "period",
        of.child("effectiveTime").and_then(|when| span(doc, when)),
    );
    out.put(doc, "location", list(places(doc, node)));
    out.put(doc, "reasonCode", reasons(doc, of));
    let gone =
        sdtc(node, "dischargeDispositionCode").or_else(|| child(node, "dischargeDispositionCode"));
    let gone = gone.and_then(|code| code::concept(doc, code));
    out.put(
        doc,
        "hospitalization",
        gone.map(|gone| json!({"dischargeDisposition": gone})),
    );
    let key = same::of(doc, of);
    let url = finish(doc, out, key.as_ref().map(|key| key.joins.clone()));
    if let Some(key) = &key {
        same::made(doc, node, key, &url);
    }
    diagnosis::take_ranks(doc, of, &url);
    let inside = inside(doc, of, Some(&url));
    diagnosis::of_visit(doc, &url, &inside);
    Ok(Some(("Encounter", url)))
}
