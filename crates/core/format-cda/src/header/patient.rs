//! The patient of the record: `Patient` with US Core's race and ethnicity.

use medibloc_record::json::{Map, Value};

use super::tongue::tag;
use crate::{
    codes,
    doc::{Doc, key_of, reference},
    json::json,
    people,
    resource::Resource,
    value::{self, code, list, name, put, quantity, time},
    xml::{N, attr, child, children, flag, path, sdtc, sdtcs},
};

const US_CORE: &str = "http://hl7.org/fhir/us/core/StructureDefinition";
const CORE: &str = "http://hl7.org/fhir/StructureDefinition";
const ROLES: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleCode";

/// The patient, always one, even if the source says nothing of her.
pub(crate) fn patient<'d>(doc: &Doc<'d>) {
    let target = child(doc.root, "recordTarget");
    let url = match target.and_then(|target| child(target, "patientRole")) {
        Some(role) => one(doc, role),
        None => Resource::plain("Patient", None).join(doc, None),
    };
    doc.set_patient(url);
    settle(doc, target, &doc.patient());
}

/// The other persons of whose records the document is a part (CDA R2, section 4.2.2.11), beside the first.
pub(crate) fn others<'d>(doc: &Doc<'d>) -> Vec<String> {
    let mut targets = children(doc.root, "recordTarget");
    let mut known = vec![
        targets
            .next()
            .and_then(|first| child(first, "patientRole"))
            .and_then(key_of),
    ];
    let mut all = Vec::new();
    for target in targets {
        let Some(role) = child(target, "patientRole") else {
            continue;
        };
        let key = key_of(role);
        // Somebody may stand twice.
        if key.is_some() && known.contains(&key) {
            continue;
        }
        known.push(key);
        let url = one(doc, role);
        settle(doc, Some(target), &url);
        all.push(url);
    }
    all
}

fn settle<'d>(doc: &Doc<'d>, target: Option<N<'d>>, url: &str) {
    if let Some(target) = target {
        doc.account.take(target);
    }
    doc.change(url, "", |_| {});
}

fn one<'d>(doc: &Doc<'d>, role: N<'d>) -> String {
    let mut out = Resource::plain("Patient", Some(role));
    let person = child(role, "patient");
    let mut more = Vec::new();
    if let Some(person) = person {
        more.extend(category(doc, person, "raceCode", "race"));
        more.extend(category(doc, person, "ethnicGroupCode", "ethnicity"));
        let faith =
            child(person, "religiousAffiliationCode").and_then(|code| code::concept(doc, code));
        more.extend(faith.map(|faith| json!({"url": format!("{CORE}/patient-religion"), "valueCodeableConcept": faith})));
        let born =
            path(person, &["birthplace", "place", "addr"]).and_then(|at| name::address(doc, at));
        more.extend(
            born.map(|at| json!({"url": format!("{CORE}/patient-birthPlace"), "valueAddress": at})),
        );
    }
    let unknown = person.and_then(|person| child(person, "administrativeGenderCode"));
    out.put(doc, "extension", list(more));
    out.put(doc, "identifier", value::identifiers(doc, role));
    if let Some(person) = person {
        out.put(doc, "name", name::person_names(doc, person));
    }
    out.put(doc, "telecom", name::telecoms(doc, role));
    out.put(
        doc,
        "gender",
        unknown.and_then(|node| code::mapped(doc, node, codes::gender)),
    );
    out.put(doc, "_gender", value::said_beside(doc, unknown));
    if let Some(person) = person {
        let born = child(person, "birthTime").and_then(|born| time::time(doc, born));
        if let Some(mut born) = born {
            if born.at.contains('T') {
                out.body.insert(
                    "_birthDate".into(),
                    json!({"extension": [{"url": format!("{CORE}/patient-birthTime"), "valueDateTime": born.at.clone()}]}),
                );
            }
            // Where the whole moment is known, it stands beside the day.
            born.at = time::day(&born.at).to_owned();
            time::put_day(&mut out, doc, "birthDate", Some(born));
        }
        dead(doc, person, &mut out);
    }
    out.put(doc, "address", name::addresses(doc, role));
    if let Some(person) = person {
        let state = child(person, "maritalStatusCode").and_then(|code| code::concept(doc, code));
        out.put(doc, "maritalStatus", state);
        let order =
            sdtc(person, "multipleBirthOrderNumber").and_then(|one| quantity::whole(doc, one));
        if !out.put(doc, "multipleBirthInteger", order) {
            let many = sdtc(person, "multipleBirthInd").and_then(|one| truth(doc, one));
            out.put(doc, "multipleBirthBoolean", many);
        }
        out.put(doc, "contact", guardians(doc, person));
        out.put(doc, "communication", languages(doc, person));
    }
    let house =
        child(role, "providerOrganization").and_then(|house| people::organization(doc, house));
    out.put(
        doc,
        "managingOrganization",
        house.map(|url| reference(&url)),
    );
    out.join(doc, None)
}

fn truth(doc: &Doc<'_>, node: N<'_>) -> Option<bool> {
    let truth = flag(node, "value")?;
    doc.account.take(node);
    Some(truth)
}

fn dead<'d>(doc: &Doc<'d>, person: N<'d>, out: &mut Resource<'d>) {
    let at = sdtc(person, "deceasedTime").and_then(|at| time::time(doc, at));
    let ind = sdtc(person, "deceasedInd");
    if at.is_some() {
        if let Some(ind) = ind.filter(|ind| flag(*ind, "value") == Some(true)) {
            doc.account.take(ind);
        }
        time::put_at(out, doc, "deceasedDateTime", at);
        return;
    }
    out.put(doc, "deceasedBoolean", ind.and_then(|ind| truth(doc, ind)));
}

/// Race and ethnicity as US Core has them: the categories of the office of management and budget, the finer codes, and the words.
fn category(doc: &Doc<'_>, person: N<'_>, element: &'static str, what: &str) -> Option<Value> {
    const BROAD: &[&str] = &[
        "1002-5", "2028-9", "2054-5", "2076-8", "2106-3", "2135-2", "2186-5",
    ];
    let (mut parts, mut said, mut broad) = (Vec::new(), Vec::new(), 0);
    for node in children(person, element).chain(sdtcs(person, element)) {
        let unknown =
            attr(node, "nullFlavor").is_some_and(|flavor| flavor == "UNK" || flavor == "ASKU");
        if let Some(coding) = code::coding(doc, node) {
            let code = attr(node, "code").unwrap_or_default();
            let words = code::said(doc, node);
            said.extend(words.or_else(|| attr(node, "displayName").map(str::to_owned)));
            let is_broad = BROAD.contains(&code) && (what == "race" && broad < 5 || broad < 1);
            broad += usize::from(is_broad);
            let url = if is_broad { "ombCategory" } else { "detailed" };
            let part = json!({"url": url, "valueCoding": coding});
            if !parts.contains(&part) {
                parts.push(part);
            }
        } else if let Some(words) = code::said(doc, node) {
            said.push(words);
        } else if unknown && parts.is_empty() {
            let flavor = attr(node, "nullFlavor").unwrap_or_default();
            parts.push(json!({"url": "ombCategory", "valueCoding": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": flavor.to_owned()}}));
            said.push(
                if flavor == "UNK" {
                    "unknown"
                } else {
                    "asked but unknown"
                }
                .to_owned(),
            );
        }
        for one in children(node, "translation") {
            let coding = code::coding(doc, one);
            parts.extend(coding.map(|coding| json!({"url": "detailed", "valueCoding": coding})));
        }
    }
    if parts.is_empty() && said.is_empty() {
        return None;
    }
    if said.is_empty() {
        let codes = parts
            .iter()
            .filter_map(|part| part["valueCoding"]["code"].as_str());
        said.extend(codes.map(str::to_owned));
    }
    parts.push(json!({"url": "text", "valueString": said.join(", ")}));
    Some(json!({"url": format!("{US_CORE}/us-core-{what}"), "extension": parts}))
}

fn guardians<'d>(doc: &Doc<'d>, person: N<'d>) -> Option<Value> {
    let mut all = Vec::new();
    for node in children(person, "guardian") {
        let mut out = Map::new();
        let mut kin =
            vec![json!({"coding": [{"system": ROLES, "code": "GUARD", "display": "guardian"}]})];
        kin.extend(child(node, "code").and_then(|code| code::concept(doc, code)));
        out.insert("relationship".into(), kin.into());
        if let Some(body) = child(node, "guardianPerson") {
            let first = name::only_name(doc, body);
            put(&mut out, "name", first);
        }
        put(&mut out, "telecom", name::telecoms(doc, node));
        put(
            &mut out,
            "address",
            child(node, "addr").and_then(|at| name::address(doc, at)),
        );
        let house = child(node, "guardianOrganization");
        let mark = doc.account.put();
        let url = house.and_then(|house| people::organization(doc, house));
        doc.account.take_again(mark);
        put(&mut out, "organization", url.map(|url| reference(&url)));
        // `pat-1`: a contact has details or an organization.
        if out.len() > 1 {
            all.push(Value::Object(out));
        }
    }
    list(all)
}

fn languages(doc: &Doc<'_>, person: N<'_>) -> Option<Value> {
    let mut all: Vec<Value> = Vec::new();
    for node in children(person, "languageCommunication") {
        let Some(tongue) = child(node, "languageCode") else {
            continue;
        };
        let Some(code) = attr(tongue, "code") else {
            continue;
        };
        doc.account.take(tongue);
        let mut out = Map::new();
        let mode = child(node, "modeCode").and_then(|one| code::coding(doc, one));
        let level = child(node, "proficiencyLevelCode").and_then(|one| code::coding(doc, one));
        let mut parts = Vec::new();
        parts.extend(level.map(|one| json!({"url": "level", "valueCoding": one})));
        parts.extend(mode.map(|one| json!({"url": "type", "valueCoding": one})));
        if !parts.is_empty() {
            let how = json!([{"url": format!("{CORE}/patient-proficiency"), "extension": parts}]);
            out.insert("extension".into(), how);
        }
        out.insert("language".into(), code::coded("urn:ietf:bcp:47", tag(code)));
        let best = child(node, "preferenceInd").and_then(|one| truth(doc, one));
        put(&mut out, "preferred", best);
        let one = Value::Object(out);
        if !all.contains(&one) {
            all.push(one);
        }
    }
    list(all)
}
