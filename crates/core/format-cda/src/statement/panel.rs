//! Organizers: reports of results, panels of vital signs, and groups of anything else.

use serde_json::Value;

use crate::{
    account::{Because, Facet, Fate},
    codes::status,
    context::{Statement, Subject},
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{Made, RESULTS, VITALS, common, imaging, inside, observation, specimen},
    value::{code, list, time},
    xml::{attr, child, children, has_template},
};

const RESULT: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.1",
    "2.16.840.1.113883.10.20.1.32",
];
const SIGNS: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.26",
    "2.16.840.1.113883.10.20.1.35",
    "1.3.6.1.4.1.19376.1.5.3.1.4.13.1",
];
const LOINC: &str = "http://loinc.org";

/// Whether a report is of pictures: by its own code, or all that stands in it.
fn is_imaging(doc: &Doc<'_>, of: &Statement<'_>) -> bool {
    let mut inner = of.related().map(|(_, inner)| inner).peekable();
    imaging::SECTIONS.contains(&of.context.section)
        || imaging::is_named(doc, of.node)
        || inner.peek().is_some() && inner.all(|inner| imaging::is_of_picture(doc, &inner))
}

/// Whether the group around it is a report.
fn is_in_report(of: &Statement<'_>) -> bool {
    let around = of
        .node
        .parent_element()
        .and_then(|link| link.parent_element());
    around.is_some_and(|around| {
        around.tag_name().name() == "organizer"
            && (has_template(around, RESULT) || RESULTS.contains(&of.context.section))
    })
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let signs = of.has(SIGNS) || VITALS.contains(&of.context.section);
    let results = !signs
        && (of.has(RESULT)
            || [RESULTS, imaging::SECTIONS]
                .iter()
                .any(|all| all.contains(&of.context.section)));
    // A report has no place for another than the patient whom it is about, nor for a report that is part of it.
    let is_report = results
        && !is_in_report(of)
        && of.mood() == crate::context::Mood::Event
        && matches!(of.subject(), Subject::Patient);
    if !is_report && of.related().next().is_none() {
        return Err("it is a group of nothing");
    }
    if signs {
        pressure(doc, of);
    }
    let mut out = if is_report {
        Some(Resource::of("DiagnosticReport", of, doc)?)
    } else if of.mood() == crate::context::Mood::Event {
        Some(Resource::of("Observation", of, doc)?)
    } else {
        None
    };
    if let Some(out) = &mut out {
        common(doc, of, out);
        let state = status::observation(super::status(doc, of));
        out.put(doc, "status", Some(state));
        let sort = if signs { "vital-signs" } else { "laboratory" };
        if signs || results && !is_report {
            out.put(
                doc,
                "category",
                Some(json!([code::coded(
                    "http://terminology.hl7.org/CodeSystem/observation-category",
                    sort
                )])),
            );
        } else if results {
            out.put(
                doc,
                "category",
                Some(json!([code::coded(
                    "http://terminology.hl7.org/CodeSystem/v2-0074",
                    if is_imaging(doc, of) { "RAD" } else { "LAB" }
                )])),
            );
        }
        out.put(
            doc,
            "code",
            Some(code::concept_or_absent(doc, child(of.node, "code"))),
        );
        time::put_time(out, doc, "effectiveDateTime", "effectivePeriod", of.when());
        let doers = people::performers(doc, of.node)
            .into_iter()
            .map(|(url, _)| url)
            .collect::<Vec<_>>();
        let doers = doers
            .into_iter()
            .chain(super::own_author(doc, of.node))
            // A report is no patient's.
            .filter(|url| !is_report || *url != doc.patient())
            .collect::<Vec<_>>();
        out.put(doc, "performer", people::references(doers));
        let specimen = specimen::of(doc, of.node).map(|url| reference(&url));
        if is_report {
            out.put(doc, "specimen", specimen.map(|one| json!([one])));
        } else {
            out.put(doc, "specimen", specimen);
        }
    }
    let members = inside(doc, of, None);
    let first = members.first().map(|one| (one.kind, one.url.clone()));
    let Some(mut out) = out else { return Ok(first) };
    let links = |kinds: &[&str]| -> Vec<Value> {
        members
            .iter()
            .filter(|one| kinds.contains(&one.kind))
            .map(|one| reference(&one.url))
            .collect()
    };
    let seen = links(&["Observation"]);
    let pressures: Vec<Value> = doc.pressures();
    let seen: Vec<Value> = pressures.into_iter().chain(seen).collect();
    let examined = links(&["Specimen"]);
    if is_report {
        out.push_all(doc, "specimen", examined);
        out.put(doc, "result", list(seen));
        return Ok(Some(("DiagnosticReport", out.add(doc)?)));
    }
    // A group of nothing that was seen, or without a code, is no panel.
    let is_named = child(of.node, "code")
        .is_some_and(|code| attr(code, "code").is_some() || child(code, "originalText").is_some());
    if seen.is_empty() || !is_named {
        directives(doc, of, &members);
        // What stands in a nameless group stands in the one around it.
        if let Some((kind, first)) = &first {
            let alike = members.iter().filter(|one| one.kind == *kind);
            doc.concerns(
                first,
                alike.map(|one| (one.url.clone(), one.node)).collect(),
            );
        }
        return Ok(first);
    }
    if !out.has("specimen") {
        out.put(doc, "specimen", examined.into_iter().next());
    }
    out.put(doc, "hasMember", list(seen));
    Ok(Some(("Observation", out.add(doc)?)))
}

/// What an organizer of advance directives says is what sort of directives they are: a living will, say.
fn directives<'d>(doc: &Doc<'d>, of: &Statement<'d>, members: &[super::Inside<'d>]) {
    let all = || members.iter().filter(|one| one.kind == "Consent");
    if all().next().is_none() {
        return;
    }
    doc.account.let_go();
    let Some(sort) = child(of.node, "code").and_then(|code| code::concept(doc, code)) else {
        return;
    };
    doc.account.take(of.node);
    if let Some(state) = child(of.node, "statusCode") {
        doc.account.take(state);
    }
    let taken = doc.account.put();
    for one in all() {
        doc.account.take_again(taken.clone());
        doc.change(&one.url, "category", |consent| {
            let list = consent.entry("category").or_insert_with(|| json!([]));
            if let Value::Array(list) = list
                && !list.contains(&sort)
            {
                list.push(sort.clone());
            }
        });
    }
}

/// Systolic and diastolic pressure of one panel and one time are one observation with two components (FHIR R4, blood pressure
/// profile).
fn pressure<'d>(doc: &Doc<'d>, of: &Statement<'d>) {
    let code_is = |one: &Statement<'d>, wanted: &str| {
        one.name() == "observation"
            && child(one.node, "code").is_some_and(|code| {
                core::iter::once(code)
                    .chain(children(code, "translation"))
                    .any(|code| attr(code, "code") == Some(wanted))
            })
    };
    let all: Vec<Statement<'d>> = of.related().map(|(_, inner)| inner).collect();
    let of_code = |wanted: &str| {
        all.iter()
            .filter(|one| code_is(one, wanted))
            .copied()
            .collect::<Vec<_>>()
    };
    let (over, under) = (of_code("8480-6"), of_code("8462-4"));
    for high in over {
        let same = |low: &&Statement<'d>| {
            let time = |one: &Statement<'d>| {
                one.when().map(|when| {
                    (
                        attr(when, "value"),
                        child(when, "low").and_then(|low| attr(low, "value")),
                    )
                })
            };
            let state =
                |one: &Statement<'d>| one.child("statusCode").and_then(|code| attr(code, "code"));
            let fresh = !matches!(
                doc.account.fate(low.node, Facet::Itself),
                Some(Fate::Carried { .. })
            );
            fresh
                && time(low) == time(&high)
                && state(low) == state(&high)
                && !low.is_denied()
                && !high.is_denied()
        };
        let Some(low) = under.iter().find(same) else {
            continue;
        };
        let both = [high, *low];
        let (Ok(high), Ok(low)) = (observation::build(doc, &high), observation::build(doc, low))
        else {
            continue;
        };
        let is_number = |one: &Resource<'d>| one.has("valueQuantity");
        if !is_number(&high) || !is_number(&low) {
            continue;
        }
        let url = join(doc, high, low);
        for one in &both {
            observation::members(doc, one, &url);
        }
        doc.add_pressure(&url);
    }
}

fn join<'d>(doc: &Doc<'d>, high: Resource<'d>, low: Resource<'d>) -> String {
    const OF_PART: &[&str] = &[
        "code",
        "valueQuantity",
        "interpretation",
        "referenceRange",
        "dataAbsentReason",
    ];
    let mut whole = Resource::plain("Observation", high.source());
    let mut parts = Vec::new();
    for one in [high, low] {
        let (body, taken) = one.parts();
        let mut part = serde_json::Map::new();
        for (key, value) in body {
            if OF_PART.contains(&key.as_str()) {
                part.insert(key, value);
            } else {
                whole.join_element(&key, value);
            }
        }
        whole.take_over(taken.into_iter().map(|(one, element)| {
            let element = if OF_PART.contains(&element) {
                "component"
            } else {
                element
            };
            (one, element)
        }));
        parts.push(Value::Object(part));
    }
    whole.body.insert(
        "code".into(),
        code::named(
            LOINC,
            "85354-9",
            "Blood pressure panel with all children optional",
        ),
    );
    whole.body.insert("component".into(), parts.into());
    whole.join(doc, None)
}
