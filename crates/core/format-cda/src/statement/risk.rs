//! What the patient is at risk of, or is looked at for: an `Observation` that says so, and no illness of anybody.

use crate::{
    account::Because,
    codes::status,
    context::{Mood, Statement, names_risk},
    doc::Doc,
    resource::Resource,
    statement::{
        self, Made, allergy, another, common, concern, inside, medication, problem, shape,
    },
    value::{code, time},
    xml::{N, child},
};

/// Whether it would be an illness of the patient, were it not for the risk that it is told as.
pub(crate) fn is_one(of: &Statement<'_>) -> bool {
    of.is_risk()
        && of.mood() == Mood::Event
        && match of.name() {
            "act" => problem::is_problem(of) || allergy::is_allergy(of),
            "observation" => {
                let names = of.child("value").is_some_and(shape::names_something);
                let says_what =
                    shape::asks_nothing(of) || shape::is_coded(of.node, shape::DIAGNOSES);
                problem::is_problem(of) || allergy::is_allergy(of) || names && says_what
            }
            _ => false,
        }
}

/// The act around it, which may say what sort of risk it is.
fn around<'d>(of: &Statement<'d>) -> Option<N<'d>> {
    let act = of.node.parent_element()?.parent_element()?;
    (act.tag_name().name() == "act").then_some(act)
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    if of.name() == "act" {
        return statement::shell(doc, of);
    }
    let mut out = Resource::of("Observation", of, doc)?;
    // That somebody is not at risk has no form here.
    out.heeded()?;
    common(doc, of, &mut out);
    let state = status::observation(statement::status(doc, of));
    out.put(doc, "status", Some(state));
    let own = of.child("code").filter(|code| names_risk(*code));
    let told = own.or_else(|| child(around(of)?, "code").filter(|code| names_risk(*code)));
    let told = told.and_then(|code| code::concept(doc, code));
    let told =
        told.unwrap_or_else(|| code::named("http://snomed.info/sct", "281694009", "At risk for"));
    out.put(doc, "code", Some(told));
    if let Some(act) = around(of) {
        out.says(doc, Some(act));
        out.says(doc, child(act, "code"));
        out.push(doc, "extension", concern::span(doc, act));
        out.push(doc, "extension", concern::state(doc, act));
    }
    // The value of an allergy is only of which kind it would be.
    let against = another::substance(of);
    let said = match against {
        Some(against) => medication::concept(doc, against),
        None => of
            .child("value")
            .and_then(|value| code::concept(doc, value)),
    };
    out.put(doc, "valueCodeableConcept", said);
    if !out.has("valueCodeableConcept") {
        return Err("it does not say of what the patient is at risk");
    }
    time::put_time(
        &mut out,
        doc,
        "effectiveDateTime",
        "effectivePeriod",
        of.when(),
    );
    let url = out.add(doc)?;
    let _ = inside(doc, of, Some(&url));
    Ok(Some(("Observation", url)))
}
