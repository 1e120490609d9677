//! Problems and diagnoses: `Condition`.

mod nothing;
mod when;

use medibloc_record::json::Value;

use crate::{
    account::Because,
    codes::status::{self, Problem},
    context::{Mood, Statement, finding_context},
    doc::{Doc, reference},
    json::json,
    resource::Resource,
    statement::{
        Made, PROBLEMS, common,
        concern::{self, About, Concern},
        diagnosis, family, inside, link, shape,
    },
    value::{self, code, code::coded, list, time},
    xml::{N, attr, child, children, declared, related_as},
};

const OBSERVATION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.4",
    "2.16.840.1.113883.10.20.1.28",
    "2.16.840.1.113883.10.20.24.3.136",
];
/// Functional and cognitive problems: what one has is an observation, and that one has it not only a condition can say.
const FUNCTION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.68",
    "2.16.840.1.113883.10.20.22.4.73",
];
const ACT: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.3",
    "2.16.840.1.113883.10.20.22.4.80",
    "2.16.840.1.113883.10.20.22.4.33",
    "2.16.840.1.113883.10.20.22.4.34",
    "2.16.840.1.113883.10.20.22.4.51",
    "2.16.840.1.113883.10.20.22.4.65",
    "2.16.840.1.113883.10.20.1.27",
    "1.3.6.1.4.1.19376.1.5.3.1.4.5.2",
];
const VISIT: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.80",
    "2.16.840.1.113883.10.20.22.4.33",
    "2.16.840.1.113883.10.20.22.4.34",
    "2.16.840.1.113883.10.20.22.4.51",
    "2.16.840.1.113883.10.20.22.4.65",
];
const STATUS: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.6",
    "2.16.840.1.113883.10.20.1.50",
    // of a functional status (CCD R1)
    "2.16.840.1.113883.10.20.1.44",
    "1.3.6.1.4.1.19376.1.5.3.1.4.1.1",
];
const SEVERITY: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.8",
    "2.16.840.1.113883.10.20.1.55",
    "1.3.6.1.4.1.19376.1.5.3.1.4.1",
];
/// How somebody is doing, which is no illness.
const HEALTH: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.5",
    "2.16.840.1.113883.10.20.1.51",
    "1.3.6.1.4.1.19376.1.5.3.1.4.1.2",
];
pub(crate) const AGE: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.31",
    "2.16.840.1.113883.10.20.1.38",
];
const ABOUT: About = About {
    kind: "Condition",
    nothing: "the concern holds no problem",
    who_treats: "a condition has no place for who treats it",
    how_long: "a condition has no place for how long somebody was concerned about it",
};
const CLINICAL: &str = "http://terminology.hl7.org/CodeSystem/condition-clinical";
const VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
const SCT: &str = "http://snomed.info/sct";

pub(crate) fn is_problem(of: &Statement<'_>) -> bool {
    // Some give the template of a problem to what is said of one, too.
    if is_beside(of) {
        return false;
    }
    if of.has(OBSERVATION)
        || is_entry(of)
        || of.has(FUNCTION) && of.is_denied() && of.child("value").is_some()
    {
        return of.mood() == Mood::Event;
    }
    let holds = || {
        of.related()
            .any(|(_, inner)| inner.name() == "observation" && !inner.has(super::INDICATION))
    };
    // A health concern by its template is one in any section.
    if of.has(super::HEALTH_CONCERN) {
        let is_one = |inner: &Statement<'_>| inner.has(OBSERVATION) && !inner.is_risk();
        return of.name() == "act"
            && of.mood() == Mood::Event
            && of.related().any(|(_, inner)| is_one(&inner));
    }
    if of.has(ACT) {
        return of.name() == "act"
            && holds()
            && of.mood() == Mood::Event
            && !super::ALLERGIES.contains(&of.context.section);
    }
    if shape::is_foreign(of.node) {
        return match of.name() {
            "act" => {
                of.mood() == Mood::Event
                    && of.related().any(|(_, inner)| {
                        inner.has(OBSERVATION) && is_placed(of) || shape::is_problem(&inner)
                    })
            }
            _ => shape::is_problem(of),
        };
    }
    is_placed(of)
        && of.mood() == Mood::Event
        && match of.name() {
            "observation" => of.child("value").is_some(),
            _ => of.related().any(|(_, inner)| inner.has(OBSERVATION)),
        }
}

/// Whether it says how severe a problem is, how it stands with it, or how well the patient is.
pub(crate) fn is_beside(of: &Statement<'_>) -> bool {
    of.has(STATUS) || of.has(SEVERITY) || of.has(HEALTH)
}

/// IHE's problem entry: reactions and effects have that template, too.
fn is_entry(of: &Statement<'_>) -> bool {
    const ENTRY: &[&str] = &["1.3.6.1.4.1.19376.1.5.3.1.4.5"];
    let link = of
        .node
        .parent_element()
        .and_then(|link| attr(link, "typeCode"));
    of.has(ENTRY) && of.name() == "observation" && !matches!(link, Some("MFST" | "CAUS" | "RSON"))
}

fn is_placed(of: &Statement<'_>) -> bool {
    !of.context.is_inside && PROBLEMS.contains(&of.context.section)
}

/// A concern about problems, or a problem by itself.
pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    if of.name() == "observation" {
        if nothing::is_one(doc, of) {
            return nothing::convert(doc, of);
        }
        return concern::several(doc, of, &ABOUT, each(doc, None, of)?);
    }
    let problems: Vec<Statement<'d>> = of
        .related()
        .map(|(_, inner)| inner)
        .filter(|inner| {
            inner.name() == "observation"
                && (inner.has(OBSERVATION)
                    || is_entry(inner)
                    || inner.child("value").is_some() && !shape::is_foreign(of.node)
                    || shape::is_problem(inner))
        })
        .filter(|inner| !is_beside(inner) && inner.mood() == Mood::Event)
        .collect();
    // Where some say by their template that they are problems, the others are something else.
    let named = problems.iter().any(|inner| inner.has(OBSERVATION));
    let problems: Vec<_> = problems
        .into_iter()
        .filter(|inner| !named || inner.has(OBSERVATION))
        .collect();
    // That nothing is wrong is no problem, and nobody is concerned about it.
    let (none, problems): (Vec<_>, Vec<_>) = problems
        .into_iter()
        .partition(|inner| nothing::is_one(doc, inner));
    if problems.is_empty() && !none.is_empty() {
        return super::shell(doc, of);
    }
    let made = concern::convert(doc, of, &ABOUT, &problems, each)?;
    // What is of another is no Condition, and no diagnosis of the patient's stay.
    if let Some(("Condition", first)) = &made {
        diagnosis::of_stay(doc, of, first);
    }
    Ok(made)
}

/// What names each problem: a second value is another statement, and no other code for the first.
fn named<'d>(of: &Statement<'d>) -> Vec<Option<N<'d>>> {
    let several = shape::several(of);
    if !several.is_empty() {
        return several.into_iter().map(Some).collect();
    }
    let by_code = || {
        let code = of.child("code")?;
        (of.has(OBSERVATION) && shape::names_problem(code)).then_some(code)
    };
    let one = of.child("value").or_else(|| shape::problem(of));
    vec![one.or_else(by_code)]
}

/// A condition for each problem that an observation states.
fn each<'d>(
    doc: &Doc<'d>,
    concern: Option<Concern<'d>>,
    of: &Statement<'d>,
) -> Result<Vec<String>, Because> {
    let all = named(of);
    let mut urls = Vec::new();
    for said in &all {
        urls.push(one(doc, concern, of, *said)?.add(doc)?);
    }
    // What stands inside one that states several is of none of them alone.
    let alone = urls.first().filter(|_| all.len() == 1);
    let inside = inside(doc, of, alone.map(String::as_str));
    if let Some(url) = alone {
        link(
            doc,
            url,
            "evidence",
            &inside,
            |one| json!({"detail": [one]}),
            |one| one.kind == "Observation" && one.relation == "SPRT",
        );
    }
    Ok(urls)
}

fn one<'d>(
    doc: &Doc<'d>,
    concern: Option<Concern<'d>>,
    of: &Statement<'d>,
    said: Option<N<'d>>,
) -> Result<Resource<'d>, Because> {
    let mut out = Resource::of("Condition", of, doc)?;
    let node = of.node;
    common(doc, of, &mut out);
    if let Some(concern) = concern {
        concern.put(doc, &mut out);
    }
    statuses(doc, concern, of, said, &mut out);

    // A problem of a list, a diagnosis of a visit, or neither (C-CDA on FHIR, `CF-ProblemCategory`).
    let visit = concern.is_some_and(|concern| concern.act.has(VISIT));
    let sort = match of.context.section {
        _ if visit => Some("encounter-diagnosis"),
        _ if concern.is_some_and(|concern| concern.act.has(super::HEALTH_CONCERN)) => {
            Some("health-concern")
        }
        // What supports a concern is none itself.
        "75310-3" if concern.is_none() && of.context.is_inside => None,
        "11450-4" | "11348-0" => Some("problem-list-item"),
        "75310-3" => Some("health-concern"),
        "46240-8" | "46241-6" | "11535-2" | "10219-4" | "10218-6" => Some("encounter-diagnosis"),
        _ => None,
    };
    let system = if sort == Some("health-concern") {
        "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
    } else {
        CATEGORY
    };
    out.push(doc, "category", sort.map(|sort| coded(system, sort)));
    let kind = child(node, "code").filter(|code| Some(*code) != said);
    if kind.is_some_and(|code| attr(code, "code") == Some("ASSERTION")) {
        // That it is asserted, a condition says by being one; it is no sort of problem.
        out.says(doc, kind);
    } else {
        let kind = kind.and_then(|code| code::concept(doc, code));
        out.push(doc, "category", kind);
    }

    if out.is_denied() && said.and_then(|value| attr(value, "code")) == Some("55607006") {
        // "Not: a problem" is that none is known (C-CDA on FHIR, problems).
        let none = code::named(SCT, "160245001", "No current problems or disability");
        if let Some(value) = said {
            doc.account.take(value);
        }
        out.denied(doc, "code", none);
    } else {
        let severity = said.and_then(|value| code::qualifier(value, &["246112005"]));
        out.put(
            doc,
            "severity",
            severity.and_then(|code| code::concept(doc, code)),
        );
        let shown = said.and_then(|value| code::concept(doc, value));
        let shown = shown.map(|shown| code::in_words(doc, node, shown));
        let words = || said.filter(|said| ["ST", "SC", "ED"].contains(&declared(*said).as_str()));
        let shown = shown.or_else(|| Some(json!({"text": super::text::words(doc, words()?)?})));
        let shown = shown.or_else(|| Some(json!({"text": super::text::text_of(doc, node)?})));
        let (shown, words) = match shown {
            Some(shown) if of.is_denied() => by_name(shown),
            shown => (shown, None),
        };
        match shown {
            Some(shown) => out.put(doc, "code", Some(shown)),
            None if said.is_none_or(|said| attr(said, "nullFlavor").is_none()) => {
                return Err("it does not say which problem");
            }
            None => out.put(doc, "code", Some(value::absent(said))),
        };
        let words = words.map(|words| json!({"text": format!("In the source's words: {words}")}));
        out.push(doc, "note", words);
    }
    if let Some(inner) = related_as(node, SEVERITY, shape::SEVERITY).next() {
        let severity = child(inner, "value").and_then(|value| code::concept(doc, value));
        if severity.is_some() {
            super::take_shell(doc, inner);
        }
        if !out.has("severity") {
            out.put(doc, "severity", severity);
        } else {
            doc.account.let_go();
        }
    }
    let mut sites: Vec<Value> = Vec::new();
    sites.extend(
        code::concepts(doc, node, "targetSiteCode")
            .and_then(|all| all.as_array().cloned())
            .unwrap_or_default(),
    );
    let found = said.and_then(|value| code::qualifier(value, &["363698007"]));
    sites.extend(found.and_then(|code| code::concept(doc, code)));
    out.put(doc, "bodySite", list(sites));
    when::put(doc, of, &mut out);

    let at = concern::written(doc, of, concern);
    time::put_at(&mut out, doc, "recordedDate", at);
    let who = concern::writer(doc, of, concern);
    out.put(doc, "recorder", who.map(|url| reference(&url)));
    let teller = super::teller(doc, node);
    out.put(doc, "asserter", teller.map(|url| reference(&url)));
    Ok(out)
}

/// What is denied, by the name of its code where the words deny it already, and these words: that *no diabetes* is refuted would say that
/// there is one.
fn by_name(mut shown: Value) -> (Option<Value>, Option<String>) {
    let words = shown.get("text").and_then(Value::as_str);
    let words = words
        .filter(|words| family::is_none(words))
        .map(str::to_owned);
    let codings = shown.get("coding").and_then(Value::as_array);
    let name = codings.and_then(|all| all.iter().find_map(|one| one.get("display").cloned()));
    let (Some(words), Some(name)) = (words, name) else {
        return (Some(shown), None);
    };
    shown["text"] = name;
    (Some(shown), Some(words))
}

/// How sure a German diagnosis is, which qualifies its code (`ICD-Diagnosesicherheit`, as in § 295 SGB V): one that is excluded or
/// suspected is not a fact about the patient, and one that the patient is in the state after is no present one.
fn certainty<'d>(doc: &Doc<'d>, of: &Statement<'d>, said: Option<N<'d>>) -> Option<Problem> {
    if let Some(sure) = finding_context(of.node) {
        return Some(Problem::Verified(sure));
    }
    if of.is_suspected() {
        return Some(Problem::Verified("provisional"));
    }
    const SYSTEM: &str = "1.2.276.0.76.3.1.1.5.1.21";
    let qualifiers = children(said?, "qualifier");
    let mut sure = qualifiers
        .filter_map(|one| child(one, "value"))
        .filter(|value| attr(*value, "codeSystem") == Some(SYSTEM));
    let value = sure.next()?;
    let found = match attr(value, "code")? {
        "A" => Problem::Verified("refuted"),
        "V" => Problem::Verified("provisional"),
        "G" => Problem::Verified("confirmed"),
        "Z" => Problem::Clinical("inactive"),
        _ => return None,
    };
    doc.account.take(value);
    Some(found)
}

/// Clinical and verification status: the table of docs/format/cda-mapping.md.
fn statuses<'d>(
    doc: &Doc<'d>,
    concern: Option<Concern<'d>>,
    of: &Statement<'d>,
    said: Option<N<'d>>,
    out: &mut Resource<'d>,
) {
    let node = of.node;
    let stated = related_as(node, STATUS, shape::STATUS).find_map(|inner| {
        let value = child(inner, "value")?;
        let found = code::mapped_or_said(doc, value, status::problem)?;
        super::take_shell(doc, inner);
        let source =
            code::concept(doc, value).or_else(|| Some(json!({"text": code::words(doc, value)?})));
        Some((found, code::said(doc, value), source))
    });
    let (stated, words, source) = stated.map_or((None, None, None), |(found, words, source)| {
        (Some(found), words, source)
    });
    let shown = |system, code| {
        let mut shown = coded(system, code);
        if let Some(words) = &words {
            shown["text"] = words.clone().into();
        }
        shown
    };
    // That it was observed to the end is what a condition says by being one.
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
    let dated = child(node, "effectiveTime").is_some_and(time::has_end);
    // That nobody is concerned any more makes no problem where none was known.
    let is_none = said
        .and_then(code::known)
        .is_some_and(status::is_none_known);
    let ended = dated || stated.is_none() && !is_none && when::is_over_since_unknown(of);
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
    let (mut clinical, mut verified) = (None, None);
    match stated {
        Some(Problem::Clinical(code)) => clinical = Some(code),
        Some(Problem::Verified(code)) => verified = Some(code),
        None => {}
    }
    match certainty(doc, of, said) {
        Some(Problem::Clinical(code)) => clinical = clinical.or(Some(code)),
        Some(Problem::Verified(code)) => verified = verified.or(Some(code)),
        None => {}
    }
    if out.is_denied() {
        put_concern(out, &|_| false);
        if said.and_then(|value| attr(value, "code")) != Some("55607006") {
            out.denied(doc, "verificationStatus", coded(VERIFICATION, "refuted"));
        }
        return;
    }
    // What has an end is over, whatever else is said; `con-4` has it so.
    let stated = clinical;
    let clinical = match clinical {
        Some("active" | "recurrence" | "relapse") | None
            if ended && verified != Some("refuted") =>
        {
            Some("resolved")
        }
        None if verified.is_none() => {
            let said = concern.and_then(|concern| concern.clinical());
            said.filter(|said| !is_none || *said == "active")
        }
        known => known,
    };
    let is_stated = stated.is_some() && stated == clinical;
    // What the source states beside that, nothing else would tell.
    let source = source.filter(|_| stated.is_some() && !is_stated);
    if verified.is_some() {
        out.put(
            doc,
            "verificationStatus",
            verified.map(|code| shown(VERIFICATION, code)),
        );
    }
    put_concern(out, &|state| {
        clinical.is_some() && status::concern(state) == clinical
    });
    out.put(
        doc,
        "clinicalStatus",
        clinical.map(|code| {
            if is_stated {
                return shown(CLINICAL, code);
            }
            let mut code = coded(CLINICAL, code);
            if let Some(source) = source {
                code["extension"] =
                    json!([{"url": status::STATED, "valueCodeableConcept": source}]);
            }
            code
        }),
    );
}
