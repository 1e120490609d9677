//! What is to be reached: `Goal`.

use medibloc_record::json::Map;

use crate::{
    account::Because,
    context::Statement,
    doc::{Doc, reference},
    json::json,
    resource::Resource,
    statement::{Made, common, inside, link, observation, own_writer, relation},
    value::{code, put, time},
    xml::{attr, child, related_by},
};

const PRIORITY: &[&str] = &["2.16.840.1.113883.10.20.22.4.143"];

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("Goal", of, doc)?;
    let node = of.node;
    common(doc, of, &mut out);
    let state = match super::status(doc, of) {
        Some("active" | "normal") => "active",
        Some("new") => "proposed",
        Some("completed") => "completed",
        Some("aborted" | "cancelled") => "cancelled",
        Some("suspended" | "held") => "on-hold",
        Some("nullified" | "obsolete") => "entered-in-error",
        // FHIR demands one; that it is a goal is all that is said.
        _ => "proposed",
    };
    out.put(doc, "lifecycleStatus", Some(state));
    let haste = related_by(node, PRIORITY).find_map(|inner| {
        let value = child(inner, "value").and_then(|value| code::concept(doc, value))?;
        // One that says when, or who would have it so, stands for itself, too: a mere code has no time and no author.
        if child(inner, "effectiveTime").is_none() && child(inner, "author").is_none() {
            doc.account.take(inner);
        }
        Some(value)
    });
    out.put(doc, "priority", haste);
    let measured = child(node, "code").and_then(|code| code::concept(doc, code));
    let named = doc.account.put();
    let value = child(node, "value");
    let mut target = Map::new();
    let mut words = None;
    match value.and_then(|value| observation::value(doc, value)) {
        Some(("valueQuantity", amount)) => put(&mut target, "detailQuantity", Some(amount)),
        Some(("valueRange", span)) => put(&mut target, "detailRange", Some(span)),
        Some(("valueCodeableConcept", code)) => {
            put(&mut target, "detailCodeableConcept", Some(code))
        }
        Some(("valueInteger", number)) => put(&mut target, "detailInteger", Some(number)),
        Some(("valueBoolean", truth)) => put(&mut target, "detailBoolean", Some(truth)),
        Some(("valueRatio", ratio)) => put(&mut target, "detailRatio", Some(ratio)),
        Some(("valueString", said)) => {
            words = said.as_str().map(str::to_owned);
            put(&mut target, "detailString", Some(said));
        }
        _ => {}
    }
    let valued = doc.account.put();
    let when = child(node, "effectiveTime");
    let due = when.and_then(|when| time::end(doc, when));
    // The time of a goal is when it shall be so (HL7 v3, mood `GOL`); one that is over by now is when it was set.
    let written = child(doc.root, "effectiveTime").and_then(|at| time::stamp(attr(at, "value")?));
    let is_to_come = |at: &time::Stamp| {
        written
            .as_ref()
            .is_some_and(|now| time::day(&at.at) > time::day(&now.at))
    };
    let lone = when.filter(|when| {
        let at = crate::xml::sure(*when).and_then(time::stamp);
        at.as_ref().is_some_and(is_to_come)
    });
    let moment = lone.and_then(|when| time::moment(doc, when));
    let is_due_then = moment.is_some();
    let due = due.or(moment);
    let details = target.len();
    time::put_day_in(&mut target, "dueDate", due);
    let aimed = doc.account.put();
    // A row of a table says more than the goal: its number, its state, its date.
    let is_row = child(node, "text").is_some_and(|text| super::text::is_row(doc, text));
    let row = || {
        measured
            .is_none()
            .then(|| super::text::text_of(doc, node))?
    };
    let said = if is_row {
        words.or_else(row)
    } else {
        super::text::text_of(doc, node).or(words)
    };
    let description = match (&measured, said) {
        // The words are the source's, and the code what it calls the goal.
        (Some(measured), Some(said)) if details == 0 => {
            let mut whole = measured.clone();
            whole["text"] = said.into();
            Some(whole)
        }
        (_, Some(said)) => Some(json!({"text": said})),
        (Some(measured), None) => Some(measured.clone()),
        (None, None) => None,
    };
    let Some(description) = description else {
        return Err("it does not say what is to be reached");
    };
    if details > 0 {
        put(&mut target, "measure", measured);
    }
    let is_measured = target.contains_key("measure");
    // What stands in both is told of the target, which says what it is.
    let (in_words, in_target) = if is_measured {
        (Vec::new(), [named, valued].concat())
    } else {
        ([named, valued].concat(), Vec::new())
    };
    doc.account.take_again(in_words);
    out.put(doc, "description", Some(description));
    // `gol-1`: a detail needs a measure.
    if !is_measured {
        target.retain(|key, _| key == "dueDate" || key == "_dueDate");
    }
    doc.account.take_again([in_target, aimed].concat());
    out.put(doc, "target", (!target.is_empty()).then(|| json!([target])));
    let began = when
        .filter(|_| !is_due_then)
        .and_then(|when| time::start(doc, when));
    time::put_day(&mut out, doc, "startDate", began);
    out.put(
        doc,
        "expressedBy",
        own_writer(doc, node).map(|url| reference(&url)),
    );
    let url = out.add(doc)?;
    let inside = inside(doc, of, Some(&url));
    link(
        doc,
        &url,
        "addresses",
        &inside,
        |one| one,
        // What came of it, and how much somebody wants it, is nothing that it addresses.
        |one| {
            matches!(one.kind, "Condition" | "Observation" | "ServiceRequest")
                && one.relation != "GEVL"
                && !relation::is_preference(one.node)
        },
    );
    Ok(Some(("Goal", url)))
}
