//! Allergies and intolerances: `AllergyIntolerance`. Traps: denial ("no known"), status, reactions and severity stand inside.

mod kind;
mod words;

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Fate},
    codes::status,
    context::{Mood, Statement},
    doc::{Doc, key_of, reference},
    json::json,
    resource::Resource,
    statement::{
        ALLERGIES, Made, common,
        concern::{self, About, Concern},
        focus, inside, medication, shape,
    },
    value::{absent, code, code::coded, list, put, text, time},
    xml::{N, attr, child, children, elements, path, related_as},
};

pub(crate) const OBSERVATION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.7",
    "2.16.840.1.113883.10.20.1.18",
    "2.16.840.1.113883.10.20.24.3.90",
    "1.3.6.1.4.1.19376.1.5.3.1.4.6",
];
const ACT: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.30",
    "1.3.6.1.4.1.19376.1.5.3.1.4.5.3",
];
const STATUS: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.28",
    "2.16.840.1.113883.10.20.1.39",
    "1.3.6.1.4.1.19376.1.5.3.1.4.1.1",
];
pub(crate) const REACTION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.9",
    "2.16.840.1.113883.10.20.1.54",
];
const SEVERITY: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.8",
    "2.16.840.1.113883.10.20.1.55",
    "1.3.6.1.4.1.19376.1.5.3.1.4.1",
];
const CRITICALITY: &[&str] = &["2.16.840.1.113883.10.20.22.4.145"];
const ABOUT: About = About {
    kind: "AllergyIntolerance",
    nothing: "the concern holds no allergy",
    who_treats: "an allergy has no place for who treats it",
    how_long: "an allergy has no place for how long somebody was concerned about it",
};
/// How severe a reaction was, in the code of the source, where FHIR's three words tell less.
const STATED: &str = "https://medibloc.org/fhir/StructureDefinition/stated-severity";
/// When a reaction ended.
const ENDED: &str = "https://medibloc.org/fhir/StructureDefinition/reaction-end";
const ABATEMENT: &str = "http://hl7.org/fhir/StructureDefinition/allergyintolerance-abatement";
const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical";
/// C-CDA's, of which an end of unknown time is one.
const WITH_ENDS: &[&str] = &["2.16.840.1.113883.10.20.22.4.7"];
/// An element that FHIR demands, and of which the source says nothing.
const ASSUMED: &str = "https://medibloc.org/fhir/StructureDefinition/assumed";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const SCT: &str = "http://snomed.info/sct";

/// FHIR's word, and the code of the source where that says more.
type Severity = (&'static str, Option<Value>);

pub(crate) fn is_allergy(of: &Statement<'_>) -> bool {
    if of.has(OBSERVATION) || of.has(ACT) {
        return true;
    }
    match of.name() {
        "act" => of.mood() == Mood::Event && of.related().any(|(_, inner)| is_one(of, &inner)),
        _ => shape::is_allergy(of),
    }
}

/// Whether what stands in a concern is an allergy.
fn is_one(concern: &Statement<'_>, of: &Statement<'_>) -> bool {
    if of.name() != "observation" || of.has(STATUS) || of.has(SEVERITY) || of.has(REACTION) {
        return false;
    }
    if shape::is_foreign(concern.node) {
        return of.has(OBSERVATION) && ALLERGIES.contains(&concern.context.section)
            || shape::is_allergy(of);
    }
    let is_placed = concern.has(ACT) || ALLERGIES.contains(&concern.context.section);
    of.has(OBSERVATION)
        || is_placed && (of.child("value").is_some() || of.child("participant").is_some())
}

/// The allergy that a finding is a reaction to.
pub(crate) fn manifested<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<Statement<'d>> {
    shape::manifested(of, |node| known(doc, node).is_some())
}

/// Full URL of the allergy that has the number of a statement.
fn known<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<String> {
    let (kind, url) = doc.of_id(&key_of(node)?)?;
    (kind == ABOUT.kind).then_some(url)
}

/// A finding as the reaction to an allergy that stands inside it, or to one that was told before.
pub(crate) fn caused<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    cause: &Statement<'d>,
) -> Result<Made, Because> {
    let url = match known(doc, cause.node) {
        Some(url) => {
            let again = Fate::Lost("the same statement stands elsewhere in the document");
            for part in elements(cause.node) {
                doc.account.because(part, again);
            }
            doc.account.take(cause.node);
            url
        }
        None => each(doc, None, cause)?.swap_remove(0),
    };
    let shown = reaction(doc, of);
    doc.change(&url, "reaction", |allergy| {
        let all = allergy.entry("reaction").or_insert_with(|| json!([]));
        if let (Value::Array(all), Some(shown)) = (all, shown) {
            all.push(shown);
        }
    });
    let _ = inside(doc, of, Some(&url));
    Ok(Some((ABOUT.kind, url)))
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    if of.name() == "observation" {
        return concern::several(doc, of, &ABOUT, each(doc, None, of)?);
    }
    let all = of.related().map(|(_, inner)| inner);
    let allergies: Vec<_> = all.filter(|inner| is_one(of, inner)).collect();
    concern::convert(doc, of, &ABOUT, &allergies, each)
}

/// What it is against: the first that is named, and whatever else is consumed (`CSM`).
fn agents<'d>(of: &Statement<'d>) -> Vec<Option<N<'d>>> {
    let entity = |part: &N<'d>| path(*part, &["participantRole", "playingEntity"]);
    let mut all: Vec<Option<N<'d>>> = Vec::new();
    for part in children(of.node, "participant").filter(|part| entity(part).is_some()) {
        let code = |part: N<'d>| child(entity(&part)?, "code").and_then(code::known);
        let is_new =
            || code(part).is_some() && all.iter().all(|one| one.and_then(code) != code(part));
        if all.is_empty() || attr(part, "typeCode") == Some("CSM") && is_new() {
            all.push(Some(part));
        }
    }
    if all.is_empty() {
        all.push(None);
    }
    all
}

/// An allergy for each thing that an observation is against.
fn each<'d>(
    doc: &Doc<'d>,
    concern: Option<Concern<'d>>,
    of: &Statement<'d>,
) -> Result<Vec<String>, Because> {
    let all = agents(of);
    let mut urls = Vec::new();
    for part in &all {
        urls.push(one(doc, concern, of, *part)?.add(doc)?);
    }
    // What stands inside one that states several is of none of them alone.
    let alone = urls.first().filter(|_| all.len() == 1);
    let alone = alone.map(String::as_str);
    for one in inside(doc, of, alone) {
        // How severe it is, is said of each of them.
        if alone.is_none() && is_severity(one.node) {
            focus(doc, &one.url, &urls);
        }
    }
    // A reaction is an element of the allergy; what was done against it, or seen then, is of its own.
    for (_, shown) in of
        .related()
        .filter(|(link, inner)| is_reaction(*link, inner))
    {
        let _ = inside(doc, &shown, alone);
    }
    Ok(urls)
}

fn one<'d>(
    doc: &Doc<'d>,
    concern: Option<Concern<'d>>,
    of: &Statement<'d>,
    agent_part: Option<N<'d>>,
) -> Result<Resource<'d>, Because> {
    let mut out = Resource::of("AllergyIntolerance", of, doc)?;
    let node = of.node;
    common(doc, of, &mut out);
    if let Some(concern) = concern {
        concern.put(doc, &mut out);
    }
    let agent = agent_part.and_then(|part| path(part, &["participantRole", "playingEntity"]));
    let value = child(node, "value");
    let known = |node: Option<N<'d>>| {
        node.and_then(|node| attr(node, "code"))
            .and_then(status::no_known)
    };
    // "Not: an allergy against anything of this kind" has codes of its own; whatever else is denied is refuted.
    let agent_code = agent.and_then(|agent| child(agent, "code"));
    let none =
        out.is_denied().then(
            || match agent_code.filter(|code| code::known(*code).is_some()) {
                Some(code) => known(Some(code)),
                None => known(value),
            },
        );
    let none = none.flatten();
    let says_none = |node: Option<N<'d>>| {
        node.and_then(code::known)
            .is_some_and(status::is_none_known)
    };
    let is_none = none.is_some() || says_none(agent_code) || says_none(value);
    statuses(doc, concern, of, &mut out, is_none);

    kind::put(doc, of, agent_part.is_some(), &mut out);
    let severe = related_as(node, CRITICALITY, shape::CRITICALITY).find_map(|inner| {
        let found = child(inner, "value")
            .and_then(|value| code::mapped(doc, value, status::criticality))?;
        super::take_shell(doc, inner);
        Some(found)
    });
    out.put(doc, "criticality", severe);

    let substance = words::concept(doc, of, agent_code, || medication::concept(doc, agent?));
    if substance.is_some()
        && let Some(part) = agent_part
    {
        doc.account.take(part);
    }
    match none {
        Some((code, name)) => {
            if let Some(value) = value {
                doc.account.take(value);
            }
            out.denied(doc, "code", code::named(SCT, code, name));
        }
        None => {
            let named = value.or_else(|| child(node, "code").filter(|_| agent_part.is_none()));
            let shown = || words::concept(doc, of, named, || code::concept(doc, named?));
            let shown = substance.or_else(shown);
            let shown = shown.or_else(|| Some(json!({"text": text::text_of(doc, node)?})));
            out.put(
                doc,
                "code",
                Some(shown.unwrap_or_else(|| absent(agent_code.or(value)))),
            );
        }
    }
    let span = child(node, "effectiveTime");
    let began = span.and_then(|when| time::start(doc, when));
    time::put_at(&mut out, doc, "onsetDateTime", began);
    let ended = span.and_then(|when| time::end(doc, when));
    let ended = ended.map(|at| time::extension(ABATEMENT, at));
    out.push(doc, "extension", ended);
    let at = concern::written(doc, of, concern);
    time::put_at(&mut out, doc, "recordedDate", at);
    let who = concern::writer(doc, of, concern);
    out.put(doc, "recorder", who.map(|url| reference(&url)));
    let teller = super::teller(doc, node);
    out.put(doc, "asserter", teller.map(|url| reference(&url)));
    reactions(doc, of, &mut out);
    Ok(out)
}

fn statuses<'d>(
    doc: &Doc<'d>,
    concern: Option<Concern<'d>>,
    of: &Statement<'d>,
    out: &mut Resource<'d>,
    is_none: bool,
) {
    let node = of.node;
    let stated = related_as(node, STATUS, shape::STATUS).find_map(|inner| {
        let value = child(inner, "value")?;
        let found = code::mapped_or_said(doc, value, status::allergy)?;
        super::take_shell(doc, inner);
        Some(found)
    });
    out.says(doc, child(node, "statusCode"));
    let own = child(node, "statusCode").and_then(code::state);
    let about = concern
        .and_then(|concern| child(concern.act.node, "statusCode"))
        .and_then(code::state);
    let put_concern = |out: &mut Resource<'d>, is_said: &dyn Fn(&str) -> bool| {
        if let Some(concern) = concern {
            concern.put_state(doc, out, is_said);
        }
    };
    let when = child(node, "effectiveTime");
    let ended = when.is_some_and(time::has_end)
        || !is_none && of.has(WITH_ENDS) && when.is_some_and(time::has_unknown_end);
    if own == Some("nullified") || about == Some("nullified") {
        put_concern(out, &|state| state == "nullified");
        if out.is_denied() {
            out.denied(
                doc,
                "verificationStatus",
                coded(VERIFICATION, "entered-in-error"),
            );
        } else {
            out.put(
                doc,
                "verificationStatus",
                Some(coded(VERIFICATION, "entered-in-error")),
            );
        }
        return;
    }
    let refuted = out.is_denied() && !is_none;
    let stated = stated
        // That it was reassessed and is no longer there, nothing but a status says.
        .or_else(|| ended.then_some("inactive"))
        .or_else(|| {
            let said = concern.and_then(|concern| concern.clinical());
            // That nobody is concerned any more makes no allergy of which none was known.
            said.filter(|said| !is_none || *said == "active")
        });
    // FHIR demands a code: where the source is silent, the allergy is to be heeded, and the resource says that this was assumed.
    let code = if refuted {
        "inactive"
    } else {
        stated.unwrap_or("active")
    };
    let is_assumed = stated.is_none() && !refuted;
    put_concern(out, &|state| {
        !refuted && status::concern(state) == Some(code)
    });
    let clinical = coded(CLINICAL, code);
    out.put(doc, "clinicalStatus", Some(clinical));
    let assumed = json!({"url": ASSUMED, "valueCode": "clinicalStatus"});
    out.push(doc, "extension", is_assumed.then_some(assumed));
    if refuted {
        out.denied(doc, "verificationStatus", coded(VERIFICATION, "refuted"));
    } else if of.is_suspected() {
        let unsure = coded(VERIFICATION, "unconfirmed");
        out.put(doc, "verificationStatus", Some(unsure));
    }
}

fn push_extension(out: &mut Map, extension: Value) {
    if let Value::Array(all) = out.entry("extension").or_insert_with(|| json!([])) {
        all.push(extension);
    }
}

/// Puts how severe a reaction was, and beside it what FHIR's three words do not tell.
fn put_severity(out: &mut Map, severity: Option<Severity>) {
    let Some((word, stated)) = severity else {
        return;
    };
    out.insert("severity".into(), word.into());
    if let Some(stated) = stated {
        let stated = json!({"url": STATED, "valueCodeableConcept": stated});
        push_extension(out, stated);
    }
}

fn is_severity(node: N<'_>) -> bool {
    crate::xml::has_template(node, SEVERITY) || shape::is_coded(node, shape::SEVERITY)
}

fn severity<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<Severity> {
    related_as(node, SEVERITY, shape::SEVERITY).find_map(|inner| {
        let value = child(inner, "value")?;
        let (found, is_all) = code::mapped(doc, value, status::severity).or_else(|| {
            let words = attr(value, "displayName")
                .map(str::to_owned)
                .or_else(|| code::said(doc, value))
                .or_else(|| text::words(doc, value))
                .or_else(|| text::text_of(doc, inner));
            let found = status::severity(&words?)?;
            doc.account.take(value);
            Some(found)
        })?;
        super::take_shell(doc, inner);
        let stated = (!is_all).then(|| code::concept(doc, value)).flatten();
        Some((found, stated))
    })
}

fn reactions<'d>(doc: &Doc<'d>, of: &Statement<'d>, out: &mut Resource<'d>) {
    let mut all: Vec<Value> = Vec::new();
    for (link, inner) in of.related() {
        if is_reaction(link, &inner) {
            all.extend(reaction(doc, &inner));
        }
    }
    // Severity of the whole: of each reaction that has none of its own. Where each has one, it is something else that is said of the
    // allergy, and stands for itself.
    let is_wanted = all.is_empty() || all.iter().any(|one| one.get("severity").is_none());
    if let Some(whole) = is_wanted.then(|| severity(doc, of.node)).flatten() {
        if all.is_empty() {
            all.push(json!({"manifestation": [absent(None)]}));
        }
        for one in &mut all {
            if let Value::Object(one) = one
                && !one.contains_key("severity")
            {
                put_severity(one, Some(whole.clone()));
            }
        }
    }
    out.put(doc, "reaction", list(all));
}

/// Whether it tells a reaction to the allergy around it.
fn is_reaction(link: N<'_>, of: &Statement<'_>) -> bool {
    let is_one =
        of.has(REACTION) || attr(link, "typeCode") == Some("MFST") && of.name() == "observation";
    is_one && !crate::context::denies(of.node)
}

/// Whether a code is a finding itself, and does not only say that the value is one.
fn names_finding(code: N<'_>) -> bool {
    attr(code, "codeSystem") == Some("2.16.840.1.113883.6.96") && code::known(code).is_some()
}

fn ended<'d>(doc: &Doc<'d>, node: N<'d>, out: &mut Map) {
    let Some(when) = child(node, "effectiveTime") else {
        return;
    };
    let high = child(when, "high").filter(|_| time::has_unknown_end(when));
    match time::end(doc, when) {
        Some(at) => push_extension(out, time::extension(ENDED, at)),
        // It ended, and nobody knows when (C-CDA 2.1).
        None if high.is_some() => {
            push_extension(out, json!({"url": ENDED, "_valueDateTime": absent(high)}));
        }
        None => {}
    }
}

fn reaction<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<Value> {
    let node = of.node;
    let mut out = Map::new();
    let mut shown: Vec<Value> = children(node, "value")
        .filter_map(|value| {
            code::concept(doc, value).or_else(|| Some(json!({"text": text::words(doc, value)?})))
        })
        .collect();
    // A finding may be named by its code alone.
    if child(node, "value").is_none()
        && let Some(named) = child(node, "code").filter(|code| names_finding(*code))
    {
        shown.extend(code::concept(doc, named));
    }
    let words = text::text_of(doc, node);
    if shown.is_empty() {
        shown.push(match words {
            Some(words) => json!({"text": words}),
            None => absent(child(node, "value")),
        });
    } else {
        put(&mut out, "description", words);
    }
    out.insert("manifestation".into(), shown.into());
    let began = child(node, "effectiveTime").and_then(|when| time::start(doc, when));
    time::put_in(&mut out, "onset", began);
    put_severity(&mut out, severity(doc, node));
    ended(doc, node, &mut out);
    put(&mut out, "note", super::notes(doc, of, false));
    super::take_shell(doc, node);
    Some(Value::Object(out))
}
