//! Who wrote, told, did and took part: people, organizations, devices and places, each once.

mod described;
mod house;
mod same;

use medibloc_record::json::Value;

pub(crate) use described::{Described, all as described};
pub(crate) use house::{in_person, organization};
pub(crate) use same::{bears_another_name, is_patient};
use same::{join, reached_at};

use crate::{
    account::{Because, Fate},
    doc::{Doc, key_of, reference},
    json::json,
    resource::Resource,
    value::{self, code, list, name, time},
    xml::{N, attr, child, children, elements, sdtc, text},
};

const NOBODY_KNOWN: Because =
    "it says that somebody is the patient who bears another name: nobody knows who that is";

/// What tells a person or organization apart: number and name. With one number and no name it is whoever had that number first.
fn key(node: N<'_>, name: Option<String>) -> Option<String> {
    let id = key_of(node);
    let name = name.map(|name| name.to_lowercase());
    match (id, name) {
        (None, None) => None,
        (id, name) => Some([id.unwrap_or_default(), name.unwrap_or_default()].join("|")),
    }
}

/// Converts somebody or something with an empty hand. Statements inherit the document's authors and informants: what was converted
/// before, and gave no new resource even then, is what it was.
fn once<'d>(
    doc: &Doc<'d>,
    what: &'static str,
    node: N<'d>,
    convert: impl FnOnce() -> Option<String>,
) -> Option<String> {
    if let Some(url) = doc.same(what, node) {
        return url;
    }
    doc.account.aside(|| {
        let before = doc.many();
        let url = convert();
        if doc.many() == before && doc.account.mark() == 0 {
            doc.stays(what, node, url.clone());
        }
        url
    })
}

/// Somebody in a role, who may be the patient.
pub(crate) fn anybody<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<String> {
    if is_patient(doc, role) {
        Some(doc.patient())
    } else if same::is_nobody_known(doc, role) {
        doc.account.because(role, Fate::Lost(NOBODY_KNOWN));
        None
    } else {
        assigned(doc, role)
    }
}

/// Who shall get it. Whoever bears the patient's name and has no number may be the patient, or a namesake.
pub(crate) fn recipient<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<String> {
    const NAMESAKE: Because =
        "it bears the patient's name, and no number says whether it is the patient";
    let is_namesake = |one: N<'_>| words_of(Some(one)).is_some() && !bears_another_name(doc, one);
    if !is_patient(doc, role)
        && !same::is_numbered(role)
        && names_patient(doc)
        && described::person(role).is_some_and(is_namesake)
    {
        doc.account.because(role, Fate::Lost(NAMESAKE));
        return None;
    }
    anybody(doc, role)
}

/// Whether the document names its patient.
fn names_patient(doc: &Doc<'_>) -> bool {
    let patient = crate::xml::path(doc.root, &["recordTarget", "patientRole", "patient"]);
    words_of(patient).is_some()
}

fn words_of(node: Option<N<'_>>) -> Option<String> {
    child(node?, "name").and_then(text)
}

/// Somebody in a role: `assignedAuthor`, `assignedEntity`, `intendedRecipient`.
pub(crate) fn assigned<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<String> {
    once(doc, "Practitioner", role, || assigned_aside(doc, role))
}

fn assigned_aside<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<String> {
    let person = elements(role).find(|part| {
        matches!(
            part.tag_name().name(),
            "assignedPerson" | "informationRecipient" | "relatedPerson" | "associatedPerson"
        )
    });
    let device = child(role, "assignedAuthoringDevice").or_else(|| child(role, "assignedDevice"));
    let house = house::behind(role);
    if let Some(device) = device.filter(|_| words_of(person).is_none()) {
        return Some(authoring_device(doc, role, device));
    }
    // A house did it, unless the number is that of somebody who has a name elsewhere (C-CDA on FHIR, participations).
    let is_no_one = |house| {
        person.is_none_or(|one| described::is_unknown(one) && words_of(Some(house)).is_some())
    };
    if let Some(house) = house.filter(|one| is_no_one(*one) && !described::is_somebodys(doc, role))
        && let Some(url) = house::of_nobody(doc, role, house)
    {
        return Some(url);
    }
    let named = words_of(person);
    if named.is_none()
        && let Some(other) = described::elsewhere(doc, role)
        && let Some(url) = assigned(doc, other)
    {
        let ids = value::identifiers(doc, role);
        doc.change(&url, "identifier", |_| {});
        return ids.map(|_| url);
    }
    let has_id = key_of(role).is_some() || children(role, "id").any(crate::codes::is_dummy);
    if named.is_none() && !has_id {
        // Nobody in particular: the house is all that is known.
        return house.and_then(|house| organization(doc, house));
    }
    let mut out = Resource::plain("Practitioner", Some(role));
    out.put(doc, "identifier", value::identifiers(doc, role));
    if let Some(person) = person {
        out.put(doc, "name", name::person_names(doc, person));
    }
    out.put(doc, "telecom", name::telecoms(doc, role));
    out.put(doc, "address", name::addresses(doc, role));
    let url = join(doc, out, role, named);
    let house = house.and_then(|house| organization(doc, house));
    let does = child(role, "code").filter(|code| !is_self(doc, *code));
    if house.is_some() || does.is_some_and(|does| attr(does, "code").is_some()) {
        let mut out = Resource::plain("PractitionerRole", None);
        out.body.insert("practitioner".into(), reference(&url));
        let organization = house.clone().unwrap_or_default();
        out.put(doc, "organization", house.map(|url| reference(&url)));
        let does = does.and_then(|does| code::concept(doc, does));
        let code = does.as_ref().map(Value::to_string).unwrap_or_default();
        out.put(doc, "code", does.map(|does| json!([does])));
        let _ = out.join(doc, Some(format!("{url}|{organization}|{code}")));
    }
    Some(url)
}

/// Whether a code says that somebody is the patient, who is another by number or name: it is none of what they do.
fn is_self(doc: &Doc<'_>, code: N<'_>) -> bool {
    let is_one = same::is_self(code);
    if is_one {
        let why = "it says that somebody is the patient whose number or name is another's";
        doc.account.because(code, Fate::Lost(why));
    }
    is_one
}

/// The device of a role. Where a person plays that role, too, its number and where it is reached are the person's.
fn authoring_device<'d>(doc: &Doc<'d>, role: N<'d>, device: N<'d>) -> String {
    let is_beside = words_of(described::person(role)).is_some();
    let own = Some(role).filter(|_| !is_beside);
    let mut out = Resource::plain("Device", own);
    out.put(
        doc,
        "identifier",
        own.and_then(|role| value::identifiers(doc, role)),
    );
    let words = |name| {
        let node = child(device, name)?;
        let words = text(node).or_else(|| attr(node, "displayName").map(str::to_owned))?;
        doc.account.take(node);
        Some(words)
    };
    let software = words("softwareName");
    let model = words("manufacturerModelName");
    let shown = software.clone().or_else(|| model.clone());
    let shown = shown.map(|name| json!([{"name": name, "type": "user-friendly-name"}]));
    let label = format!(
        "{}|{}",
        software.unwrap_or_default(),
        model.clone().unwrap_or_default()
    );
    out.put(doc, "deviceName", shown);
    out.put(doc, "modelNumber", model);
    let kind = child(device, "code").and_then(|code| code::concept(doc, code));
    out.put(doc, "type", kind);
    if let Some(house) = house::behind(role) {
        let house = organization(doc, house);
        out.put(doc, "owner", house.map(|url| reference(&url)));
    }
    let contact = own.and_then(|role| name::telecoms(doc, role));
    out.put(doc, "contact", contact);
    // A device has no address of its own: it stands somewhere.
    let place = own.and_then(|role| house::stands_at(doc, role));
    out.put(doc, "location", place.map(|url| reference(&url)));
    let label = Some(label);
    let key = match own.map_or_else(|| label.clone(), |role| key(role, label.clone())) {
        // A program of one name runs in many houses.
        Some(key) if own.and_then(key_of).is_none() => {
            let where_it_is = ["owner", "contact", "location"].map(|part| out.body.get(part));
            Some(format!("{key}|{where_it_is:?}"))
        }
        key => key,
    };
    out.join(doc, key)
}

/// Who wrote it.
pub(crate) fn author<'d>(doc: &Doc<'d>, author: N<'d>) -> Option<String> {
    let Some(writer) = child(author, "assignedAuthor") else {
        return role(doc, author, child(author, "participantRole")?);
    };
    let url = anybody(doc, writer)?;
    doc.account.take(author);
    Some(url)
}

/// All who wrote it: a person, and the device that is named beside them.
pub(crate) fn authors<'d>(doc: &Doc<'d>, part: N<'d>) -> Vec<String> {
    let device = || {
        let role = child(part, "assignedAuthor")?;
        words_of(described::person(role))?;
        let device = child(role, "assignedAuthoringDevice")?;
        once(doc, "Device", role, || {
            Some(authoring_device(doc, role, device))
        })
    };
    let first = author(doc, part);
    first.into_iter().chain(device()).collect()
}

/// Who did it (`performer`), confirmed it, entered it or answers for it.
pub(crate) fn entity<'d>(doc: &Doc<'d>, part: N<'d>) -> Option<String> {
    let url = anybody(doc, child(part, "assignedEntity")?)?;
    doc.account.take(part);
    Some(url)
}

/// Who did it, where FHIR has no place for the patient: that they did it themselves is in no resource.
pub(crate) fn other_entity<'d>(doc: &Doc<'d>, part: N<'d>) -> Option<String> {
    let role = child(part, "assignedEntity")?;
    (!is_patient(doc, role)).then(|| entity(doc, part))?
}

/// Who told it: the patient, a relative, or somebody of a house.
pub(crate) fn informant<'d>(doc: &Doc<'d>, part: N<'d>) -> Option<String> {
    if let Some(one) = child(part, "assignedEntity") {
        let url = anybody(doc, one)?;
        doc.account.take(part);
        return Some(url);
    }
    let one = child(part, "relatedEntity")?;
    if is_patient(doc, one) {
        doc.account.take(part);
        return Some(doc.patient());
    }
    let url = related_person(doc, one, child(one, "relatedPerson"))?;
    doc.account.take(part);
    Some(url)
}

/// A relative or friend.
pub(crate) fn related_person<'d>(
    doc: &Doc<'d>,
    role: N<'d>,
    person: Option<N<'d>>,
) -> Option<String> {
    once(doc, "RelatedPerson", role, || {
        related_aside(doc, role, person)
    })
}

fn related_aside<'d>(doc: &Doc<'d>, role: N<'d>, person: Option<N<'d>>) -> Option<String> {
    let mut out = Resource::plain("RelatedPerson", Some(role));
    out.put(doc, "identifier", value::identifiers(doc, role));
    let code = child(role, "code");
    // That somebody answers for the bill is no kinship: the account says it.
    let kin = code.filter(|code| attr(*code, "code") != Some("GUAR") && !is_self(doc, *code));
    let kin = kin.and_then(|code| code::concept(doc, code));
    out.put(doc, "relationship", kin.map(|kin| json!([kin])));
    if let Some(person) = person {
        out.put(doc, "name", name::person_names(doc, person));
        let sex = child(person, "administrativeGenderCode")
            .and_then(|code| code::mapped(doc, code, crate::codes::gender));
        out.put(doc, "gender", sex);
        let born = child(person, "birthTime").and_then(|born| time::time(doc, born));
        time::put_day(&mut out, doc, "birthDate", born);
    }
    out.put(doc, "telecom", name::telecoms(doc, role));
    out.put(doc, "address", name::addresses(doc, role));
    if out.body.is_empty() {
        return None;
    }
    out.body.insert("patient".into(), reference(&doc.patient()));
    // Father and son of one name are two.
    let name = match (words_of(person), code.and_then(|code| attr(code, "code"))) {
        (Some(name), Some(kin)) if key_of(role).is_none() => Some([&name, kin].join("|")),
        (name, kin) => name.or(kin.map(str::to_owned)),
    };
    Some(out.join(doc, key(role, name)))
}

/// Somebody or something else than the patient, whom a finding is about.
pub(crate) fn other<'d>(subject: N<'d>, doc: &Doc<'d>) -> String {
    let url = doc.account.aside(|| other_aside(subject, doc));
    doc.account.take(subject);
    url
}

fn other_aside<'d>(subject: N<'d>, doc: &Doc<'d>) -> String {
    let role = child(subject, "relatedSubject");
    let mut out = Resource::plain("RelatedPerson", None);
    out.body.insert("patient".into(), reference(&doc.patient()));
    let mut apart = String::new();
    if let Some(role) = role {
        let kin = child(role, "code").and_then(|code| code::concept(doc, code));
        apart = kin.as_ref().map(Value::to_string).unwrap_or_default();
        out.put(doc, "relationship", kin.map(|kin| json!([kin])));
        out.put(doc, "telecom", name::telecoms(doc, role));
        out.put(doc, "address", name::addresses(doc, role));
        if let Some(person) = child(role, "subject") {
            let names = name::person_names(doc, person);
            apart.push_str(&names.as_ref().map(Value::to_string).unwrap_or_default());
            out.put(doc, "name", names);
            let sex = child(person, "administrativeGenderCode")
                .and_then(|code| code::mapped(doc, code, crate::codes::gender));
            out.put(doc, "gender", sex);
            let born = child(person, "birthTime").and_then(|born| time::time(doc, born));
            time::put_day(&mut out, doc, "birthDate", born);
            out.put(
                doc,
                "identifier",
                sdtc(person, "id")
                    .and_then(|id| value::identifier(doc, id))
                    .map(|id| json!([id])),
            );
        }
    }
    out.join(doc, Some(format!("other|{apart}")))
}

/// The role of a place in a participation, if it is one.
pub(crate) fn place_in(part: N<'_>) -> Option<N<'_>> {
    child(part, "participantRole").filter(|role| match attr(*role, "classCode") {
        Some("SDLOC") => true,
        // A thing is no place, wherever it is named.
        Some("MANU") => false,
        _ => attr(part, "typeCode") == Some("LOC") && child(*role, "playingDevice").is_none(),
    })
}

/// A place where something was done (`SDLOC`).
pub(crate) fn place<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<String> {
    once(doc, "Location", role, || place_aside(doc, role))
}

fn place_aside<'d>(doc: &Doc<'d>, role: N<'d>) -> Option<String> {
    let mut out = Resource::plain("Location", Some(role));
    let entity = child(role, "playingEntity").or_else(|| child(role, "location"));
    out.put(doc, "identifier", value::identifiers(doc, role));
    out.put(
        doc,
        "name",
        entity.and_then(|entity| name::words(doc, entity)),
    );
    let kind = child(role, "code").and_then(|code| code::concept(doc, code));
    out.put(doc, "type", kind.map(|kind| json!([kind])));
    out.put(doc, "telecom", name::telecoms(doc, role));
    let at = child(role, "addr").or_else(|| child(entity?, "addr"));
    out.put(doc, "address", at.and_then(|at| name::address(doc, at)));
    let house = child(role, "serviceProviderOrganization").or_else(|| child(role, "scopingEntity"));
    let house = house.and_then(|house| organization(doc, house));
    out.put(
        doc,
        "managingOrganization",
        house.map(|url| reference(&url)),
    );
    if out.body.is_empty() {
        return None;
    }
    let name = words_of(entity).or_else(|| attr(child(role, "code")?, "code").map(str::to_owned));
    let key = match key(role, name) {
        Some(key) if key_of(role).is_none() => Some([key, reached_at(&out)].join("|")),
        key => key,
    };
    Some(out.join(doc, key))
}

/// All who did it, as references with their function.
pub(crate) fn performers<'d>(doc: &Doc<'d>, node: N<'d>) -> Vec<(String, Option<Value>)> {
    let mut all = Vec::new();
    for part in children(node, "performer") {
        let Some(url) = entity(doc, part) else {
            continue;
        };
        let function = sdtc(part, "functionCode").or_else(|| child(part, "functionCode"));
        all.push((url, function.and_then(|code| code::concept(doc, code))));
    }
    all
}

/// References to a list of people.
pub(crate) fn references(urls: impl IntoIterator<Item = String>) -> Option<Value> {
    let mut all: Vec<Value> = Vec::new();
    for url in urls {
        let one = reference(&url);
        if !all.contains(&one) {
            all.push(one);
        }
    }
    list(all)
}

/// Whether a role is that of somebody who cares for the patient at home or is next of kin: no practitioner.
pub(crate) fn is_near(role: N<'_>) -> bool {
    matches!(attr(role, "classCode"), Some("CAREGIVER" | "NOK" | "PRS"))
}

/// Somebody in a `participantRole`.
pub(crate) fn role<'d>(doc: &Doc<'d>, part: N<'d>, role: N<'d>) -> Option<String> {
    let entity = child(role, "playingEntity");
    if is_patient(doc, role) {
        doc.account.take(part);
        return Some(doc.patient());
    }
    if is_near(role) {
        let url = related_person(doc, role, entity)?;
        doc.account.take(part);
        return Some(url);
    }
    if let Some(entity) = entity.filter(|one| words_of(Some(*one)).is_some())
        && !described::is_person(entity)
        && !described::is_somebodys(doc, role)
    {
        let url = house::played(doc, role, entity)?;
        doc.account.take(part);
        return Some(url);
    }
    let scope = child(role, "scopingEntity").filter(|_| entity.is_none());
    let scope = scope.filter(|_| !described::is_somebodys(doc, role));
    let url = doc.account.aside(|| {
        let named = entity
            .and_then(|entity| child(entity, "name"))
            .and_then(text);
        if let Some(url) = scope.and_then(|scope| house::of_nobody(doc, role, scope)) {
            return Some(url);
        }
        if named.is_none() && key_of(role).is_none() {
            return None;
        }
        let mut out = Resource::plain("Practitioner", Some(role));
        out.put(doc, "identifier", value::identifiers(doc, role));
        out.put(
            doc,
            "name",
            entity.and_then(|entity| name::person_names(doc, entity)),
        );
        out.put(doc, "telecom", name::telecoms(doc, role));
        out.put(doc, "address", name::addresses(doc, role));
        let url = join(doc, out, role, named);
        let does = child(role, "code").filter(|code| !is_self(doc, *code));
        if let Some(does) = does.and_then(|does| code::concept(doc, does)) {
            let mut out = Resource::plain("PractitionerRole", None);
            out.body.insert("practitioner".into(), reference(&url));
            let key = format!("{url}||{does}");
            out.put(doc, "code", Some(json!([does])));
            let _ = out.join(doc, Some(key));
        }
        Some(url)
    })?;
    doc.account.take(part);
    Some(url)
}

/// `org-2` and `org-3`: no house is at home; that word of the source is left out.
pub(crate) fn not_at_home(mut all: Value) -> Value {
    for one in all.as_array_mut().into_iter().flatten() {
        if one.get("use").and_then(Value::as_str) == Some("home")
            && let Some(map) = one.as_object_mut()
        {
            map.remove("use");
        }
    }
    all
}
