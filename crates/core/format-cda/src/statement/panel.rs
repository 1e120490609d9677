//! Organizers: reports of results, panels of vital signs, and groups of anything else.

use medibloc_record::json::Value;

use crate::{
    account::Because,
    codes::status,
    context::{Statement, Subject},
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{Made, RESULTS, VITALS, common, imaging, inside, relation, sort, specimen, vitals},
    value::{code, list, time},
    xml::{attr, child, has_template},
};

const RESULT: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.1",
    "2.16.840.1.113883.10.20.1.32",
];
pub(crate) const SIGNS: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.26",
    "2.16.840.1.113883.10.20.1.35",
    "1.3.6.1.4.1.19376.1.5.3.1.4.13.1",
];
const NOTHING: Because = "nothing that it holds is in a resource, and it says nothing itself";

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
        vitals::join(doc, of);
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
        let category = if is_report {
            sort::of_report(doc, of)
        } else {
            let found = || results.then(|| sort::of_group(doc, of)?.of_observation())?;
            let found = if signs { Some("vital-signs") } else { found() };
            found.map(|sort| {
                json!([code::coded(
                    "http://terminology.hl7.org/CodeSystem/observation-category",
                    sort
                )])
            })
        };
        out.put(doc, "category", category);
        out.put(
            doc,
            "code",
            Some(
                vitals::named(doc, of)
                    .unwrap_or_else(|| code::concept_or_absent(doc, child(of.node, "code"))),
            ),
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
    let joined: Vec<Value> = doc.joined();
    // The visit is that of what became one of several, too.
    let of_joined = joined.iter().filter_map(|one| one["reference"].as_str());
    let inner = members.iter().map(|one| one.url.as_str());
    let inner: Vec<String> = of_joined.chain(inner).map(str::to_owned).collect();
    let seen: Vec<Value> = joined.into_iter().chain(seen).collect();
    let examined = links(&["Specimen"]);
    if is_report {
        out.push_all(doc, "specimen", examined);
        out.put(doc, "result", list(seen));
        let is_named = out.body.get("code").is_some_and(|code| {
            ["coding", "text"]
                .iter()
                .any(|part| code.get(part).is_some())
        });
        // A result, what was examined, or words of the narrative.
        let says = ["result", "specimen", "extension"];
        if first.is_none() && !is_named && !says.iter().any(|part| out.has(part)) {
            return Err(NOTHING);
        }
        let url = out.add(doc)?;
        of_visit(doc, of, Some(&url), inner, &members);
        return Ok(Some(("DiagnosticReport", url)));
    }
    // A group of nothing that was seen, or without a code, is no panel.
    let is_named = vitals::is_panel(of)
        || child(of.node, "code").is_some_and(|code| {
            attr(code, "code").is_some() || child(code, "originalText").is_some()
        });
    if seen.is_empty() || !is_named {
        directives(doc, of, &members);
        devices(doc, of, &members);
        of_visit(doc, of, None, inner, &members);
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
    let url = out.add(doc)?;
    of_visit(doc, of, Some(&url), inner, &members);
    Ok(Some(("Observation", url)))
}

/// The visit that a group names is that of the group and of what stands in it.
fn of_visit<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    group: Option<&str>,
    inner: Vec<String>,
    members: &[super::Inside<'d>],
) {
    let urls: Vec<String> = group.map(str::to_owned).into_iter().chain(inner).collect();
    relation::visit::of_each(doc, of, &urls, members);
}

/// What an organizer of devices says of them, and since when, is a note of each: no element is for a group of them.
fn devices<'d>(doc: &Doc<'d>, of: &Statement<'d>, members: &[super::Inside<'d>]) {
    const GROUP: &[&str] = &["2.16.840.1.113883.10.20.22.4.135"];
    const NOTED: &[&str] = &["DeviceUseStatement", "DeviceRequest", "Procedure"];
    let all = || members.iter().filter(|one| NOTED.contains(&one.kind));
    if !of.has(GROUP) || all().next().is_none() {
        return;
    }
    doc.account.let_go();
    let named = child(of.node, "code").and_then(|code| code::words(doc, code));
    let span = child(of.node, "effectiveTime");
    let end =
        |name: &str, at: Option<time::Stamp>| at.map(|at| [name, &time::in_words(at)].join(" "));
    let began = end("from", span.and_then(|when| time::start(doc, when)));
    let ended = end("until", span.and_then(|when| time::end(doc, when)));
    let words: Vec<String> = [named, began, ended].into_iter().flatten().collect();
    if words.is_empty() {
        return;
    }
    doc.account.take(of.node);
    if let Some(state) = child(of.node, "statusCode") {
        doc.account.take(state);
    }
    let taken = doc.account.put();
    for one in all() {
        doc.account.take_again(taken.clone());
        doc.change(&one.url, "note", |device| {
            if let Value::Array(list) = device.entry("note").or_insert_with(|| json!([])) {
                list.push(json!({"text": words.join(", ")}));
            }
        });
    }
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
