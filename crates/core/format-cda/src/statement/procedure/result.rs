//! What was seen by what was done: the `Observation` beside a `Procedure`, which cannot say it.

use crate::{
    codes::status,
    context::Statement,
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{observation, own_author, shape, status as state},
    value::{self, code, list, time},
    xml::children,
};

/// Says what the value of an observation is that is told as a procedure (C-CDA on FHIR, procedures, "Procedure Activity Observation").
pub(super) fn of<'d>(doc: &Doc<'d>, of: &Statement<'d>, procedure: &str) {
    let node = of.node;
    if !children(node, "value").any(shape::is_said) {
        return;
    }
    let Ok(mut out) = Resource::of("Observation", of, doc) else {
        return;
    };
    out.put(doc, "identifier", value::identifiers(doc, node));
    out.body
        .insert("partOf".into(), json!([reference(procedure)]));
    out.put(doc, "status", Some(status::observation(state(doc, of))));
    out.put(doc, "category", observation::category(doc, of));
    out.put(doc, "code", Some(super::name(doc, of)));
    let when = of.when();
    time::put_time(&mut out, doc, "effectiveDateTime", "effectivePeriod", when);
    let doers = people::performers(doc, node)
        .into_iter()
        .map(|(url, _)| url);
    let doers = doers.chain(own_author(doc, node)).collect::<Vec<_>>();
    out.put(doc, "performer", people::references(doers));
    observation::values(doc, node, &mut out);
    let meaning = code::concepts(doc, node, "interpretationCode");
    out.put(doc, "interpretation", meaning);
    let ranges = children(node, "referenceRange")
        .filter_map(|range| observation::reference_range(doc, range))
        .collect();
    out.put(doc, "referenceRange", list(ranges));
    // That nothing is denied was asked before: it is a result of what was done.
    let _ = out.add(doc);
}
