//! The header: the patient, everyone who takes part in the document, and what it belongs to.

use serde_json::{Map, Value, json};

use crate::{
    codes,
    doc::{Doc, reference},
    people,
    resource::Resource,
    value::{self, absent, code, list, name, object, put, quantity, time},
    xml::{N, attr, child, children, flag, path, sdtc, sdtcs, text},
};

const US_CORE: &str = "http://hl7.org/fhir/us/core/StructureDefinition";
const CORE: &str = "http://hl7.org/fhir/StructureDefinition";
const ROLES: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleCode";
const CLASSES: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleClass";

/// The patient, always one, even if the source says nothing of her.
pub(crate) fn patient<'d>(doc: &Doc<'d>) {
    let target = child(doc.root, "recordTarget");
    let role = target.and_then(|target| child(target, "patientRole"));
    let mut out = Resource::plain("Patient", role);
    let Some(role) = role else {
        doc.set_patient(out.join(doc, None));
        return;
    };
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
    if let Some(person) = person {
        let born = child(person, "birthTime").and_then(|born| time::time(doc, born));
        if let Some(born) = born {
            if born.at.contains('T') {
                out.body.insert(
                    "_birthDate".into(),
                    json!({"extension": [{"url": format!("{CORE}/patient-birthTime"), "valueDateTime": born.at}]}),
                );
            }
            out.put(doc, "birthDate", Some(time::day(&born.at)));
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
    doc.set_patient(out.join(doc, None));
    if let Some(target) = target {
        doc.account.take(target);
    }
    doc.change(&doc.patient(), "", |_| {});
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
            said.extend(attr(node, "displayName").map(str::to_owned));
            let is_broad = BROAD.contains(&code) && (what == "race" && broad < 5 || broad < 1);
            broad += usize::from(is_broad);
            let url = if is_broad { "ombCategory" } else { "detailed" };
            let part = json!({"url": url, "valueCoding": coding});
            if !parts.contains(&part) {
                parts.push(part);
            }
        } else if let Some(words) = code::said(doc, node) {
            said.push(words);
        } else if unknown && what == "race" && parts.is_empty() {
            let flavor = attr(node, "nullFlavor").unwrap_or_default();
            parts.push(json!({"url": "ombCategory", "valueCoding": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": flavor}}));
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
            let names = name::person_names(doc, body);
            put(
                &mut out,
                "name",
                names.and_then(|names| names.get(0).cloned()),
            );
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
        out.insert("language".into(), spoken(&tag(code)));
        let best = child(node, "preferenceInd").and_then(|one| truth(doc, one));
        put(&mut out, "preferred", best);
        let one = Value::Object(out);
        if !all.contains(&one) {
            all.push(one);
        }
    }
    list(all)
}

/// A language with its region where that is one that FHIR lists; else the language, and the whole in words.
fn spoken(tag: &str) -> Value {
    const LISTED: &[&str] = &[
        "de-AT", "de-CH", "de-DE", "en-AU", "en-CA", "en-GB", "en-IN", "en-NZ", "en-SG", "en-US",
        "es-AR", "es-ES", "es-UY", "fr-BE", "fr-CH", "fr-FR", "fy-NL", "it-CH", "it-IT", "nl-BE",
        "nl-NL", "no-NO", "pt-BR", "ru-RU", "sr-RS", "sv-SE", "zh-CN", "zh-HK", "zh-SG", "zh-TW",
    ];
    let short = tag.split('-').next().unwrap_or(tag);
    if LISTED.contains(&tag) || short == tag {
        return json!({"coding": [{"system": "urn:ietf:bcp:47", "code": tag}]});
    }
    json!({"coding": [{"system": "urn:ietf:bcp:47", "code": short}], "text": tag})
}

/// A language as BCP 47 has it: `eng` is `en`, `EN-us` is `en-US`.
fn tag(code: &str) -> String {
    const SHORT: &[(&str, &str)] = &[
        ("eng", "en"),
        ("spa", "es"),
        ("fra", "fr"),
        ("fre", "fr"),
        ("deu", "de"),
        ("ger", "de"),
        ("zho", "zh"),
        ("chi", "zh"),
        ("kor", "ko"),
        ("jpn", "ja"),
        ("ita", "it"),
        ("por", "pt"),
        ("rus", "ru"),
        ("vie", "vi"),
        ("ara", "ar"),
        ("hin", "hi"),
    ];
    let (tongue, region) = code.split_once(['-', '_']).unwrap_or((code, ""));
    let tongue = tongue.to_ascii_lowercase();
    let tongue = SHORT
        .iter()
        .find(|(long, _)| *long == tongue)
        .map_or(tongue, |(_, short)| (*short).to_owned());
    match region.len() {
        0 => tongue,
        2 => format!("{tongue}-{}", region.to_ascii_uppercase()),
        _ => format!("{tongue}-{region}"),
    }
}

/// The document's language, if it is a simple BCP 47 tag.
pub(crate) fn language(doc: &Doc<'_>) -> Option<String> {
    let node = child(doc.root, "languageCode")?;
    let code = tag(attr(node, "code")?);
    let (tongue, region) = code.split_once('-').unwrap_or((&code, ""));
    let lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    let upper = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let sound = tongue.len() == 2 && lower(tongue) && (region.is_empty() || upper(region));
    sound.then(|| {
        doc.account.take(node);
        code.clone()
    })
}

/// Everyone who wrote the document, at least one.
pub(crate) fn authors(doc: &Doc<'_>) -> Vec<String> {
    let mut urls: Vec<String> = children(doc.root, "author")
        .filter_map(|one| people::author(doc, one))
        .collect();
    if urls.is_empty() {
        let mut out = Resource::plain("Organization", None);
        out.body.insert("_name".into(), absent(None));
        urls.push(out.join(doc, None));
    }
    urls.dedup();
    urls
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
    let id = child(root, "id")?;
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
pub(crate) fn bundle_identifier(doc: &Doc<'_>, digest: &str) -> Value {
    child(doc.root, "id")
        .and_then(|id| value::identifier(doc, id))
        .filter(|id| id.get("system").is_some())
        .unwrap_or_else(
            || json!({"system": "urn:ietf:rfc:3986", "value": format!("ni:///sha-256;{digest}")}),
        )
}

/// What C-CDA on FHIR calls the participants that a composition has no element for.
fn part(what: &str, url: &str) -> Value {
    json!({
        "url": format!("http://hl7.org/fhir/us/ccda/StructureDefinition/{what}Extension"),
        "valueReference": reference(url),
    })
}

/// Everyone else of the header, and what the document belongs to, put into the composition.
pub(crate) fn rest<'d>(doc: &Doc<'d>, out: &mut Resource<'d>) {
    let mut more: Vec<Value> = Vec::new();
    let root = doc.root;
    attesters(doc, out);
    for node in children(root, "dataEnterer") {
        more.extend(people::entity(doc, node).map(|url| part("DataEnterer", &url)));
    }
    for node in children(root, "informant") {
        more.extend(people::informant(doc, node).map(|url| part("Informant", &url)));
    }
    for node in children(root, "informationRecipient") {
        let url = child(node, "intendedRecipient").and_then(|role| people::assigned(doc, role));
        more.extend(url.map(|url| {
            doc.account.take(node);
            part("InformationRecipient", &url)
        }));
    }
    let mut contacts = Vec::new();
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
            contacts.extend(contact(doc, node, role, class));
        } else if let Some(url) = people::assigned(doc, role) {
            doc.account.take(node);
            more.push(part("Participant", &url));
        }
    }
    more.extend(orders(doc));
    more.extend(consents(doc));
    out.push_all(doc, "extension", more);
    if !contacts.is_empty() {
        doc.change(&doc.patient(), "contact", |patient| {
            let list = patient.entry("contact").or_insert_with(|| json!([]));
            if let Value::Array(list) = list {
                list.extend(contacts);
            }
        });
    }
    events(doc, out);
    relations(doc, out);
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
                let _ = doc.account.put();
                continue;
            }
            let mut one = Map::new();
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
        kin.push(json!({"coding": [{"system": CLASSES, "code": class}]}));
    }
    put(&mut one, "relationship", list(kin));
    if let Some(person) = child(role, "associatedPerson") {
        let names = name::person_names(doc, person);
        put(
            &mut one,
            "name",
            names.and_then(|names| names.get(0).cloned()),
        );
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
    if !details.iter().any(|part| one.contains_key(*part)) {
        let _ = doc.account.put();
        return None;
    }
    doc.account.take(node);
    Some(Value::Object(one))
}

/// Orders that the document fulfils.
fn orders(doc: &Doc<'_>) -> Vec<Value> {
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
        all.push(part("Order", &out.join(doc, None)));
    }
    all
}

/// Consents that the document names: to a treatment, not to a use of data.
fn consents(doc: &Doc<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for consent in children(doc.root, "authorization").filter_map(|node| child(node, "consent")) {
        let mut out = Resource::plain("Consent", Some(consent));
        out.put(doc, "identifier", value::identifiers(doc, consent));
        let state = child(consent, "statusCode").and_then(|code| code::code(doc, code));
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

/// What was done of which the document tells, and who did it.
fn events<'d>(doc: &Doc<'d>, out: &mut Resource<'d>) {
    for event in
        children(doc.root, "documentationOf").filter_map(|node| child(node, "serviceEvent"))
    {
        let mut members = Vec::new();
        let mut first = Vec::new();
        let mark = doc.account.put();
        for node in children(event, "performer") {
            let Some(url) = people::entity(doc, node) else {
                continue;
            };
            let mut one = Map::new();
            let function = child(node, "functionCode").and_then(|code| code::concept(doc, code));
            let is_own = child(node, "functionCode")
                .and_then(|code| attr(code, "code"))
                .is_some_and(|code| code == "PCP" || code == "PP");
            if is_own {
                first.push(reference(&url));
            }
            put(&mut one, "role", function.map(|function| json!([function])));
            one.insert("member".into(), reference(&url));
            put(
                &mut one,
                "period",
                child(node, "time").and_then(|at| time::period(doc, at)),
            );
            members.push(Value::Object(one));
        }
        let team = (!members.is_empty()).then(|| {
            let mut team = Resource::plain("CareTeam", None);
            team.body
                .insert("subject".into(), reference(&doc.patient()));
            team.put(doc, "participant", list(members));
            team.join(doc, None)
        });
        if !first.is_empty() {
            doc.change(&doc.patient(), "generalPractitioner", |patient| {
                let list = patient
                    .entry("generalPractitioner")
                    .or_insert_with(|| json!([]));
                if let Value::Array(list) = list {
                    for one in first {
                        if !list.contains(&one) {
                            list.push(one);
                        }
                    }
                }
            });
        }
        doc.account.take_again(mark);
        let mut one = Map::new();
        let kind = child(event, "code").and_then(|code| code::concept(doc, code));
        put(&mut one, "code", kind.map(|kind| json!([kind])));
        put(
            &mut one,
            "period",
            child(event, "effectiveTime").and_then(|at| {
                time::period(doc, at).or_else(|| {
                    time::moment(doc, at).map(|at| json!({"start": at.at.clone(), "end": at.at}))
                })
            }),
        );
        put(&mut one, "detail", team.map(|url| json!([reference(&url)])));
        out.push(doc, "event", object(one));
    }
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
