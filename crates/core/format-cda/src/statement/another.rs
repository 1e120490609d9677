//! What is said of another than the patient. FHIR says of an `Observation` alone that it is about another (`focus`), so that what
//! was done, given or found there is one.

use crate::{
    account::Because,
    context::{Statement, Subject},
    doc::Doc,
    resource::Resource,
    statement::{self, Made, allergy, immunization, medication, observation, problem, procedure},
    value::{self, code, time},
    xml::{N, attr, child, children, path},
};

const LOINC: &str = "http://loinc.org";

/// What the observation says, by its code (the history that LOINC has a name for) and its value.
struct Said<'d> {
    code: (&'static str, &'static str),
    /// Its code instead, where the source has one.
    kind: Option<N<'d>>,
    value: Option<N<'d>>,
}

/// Whether it says what somebody is allergic to.
pub(crate) fn is_allergy(of: &Statement<'_>) -> bool {
    of.name() == "observation" && (of.has(allergy::OBSERVATION) || substance(of).is_some())
}

/// What it is against.
pub(crate) fn substance<'d>(of: &Statement<'d>) -> Option<N<'d>> {
    children(of.node, "participant")
        .filter(|part| attr(*part, "typeCode") == Some("CSM"))
        .find_map(|part| path(part, &["participantRole", "playingEntity"]))
}

/// What it is, if it is of another and no observation already.
fn said<'d>(of: &Statement<'d>) -> Option<Said<'d>> {
    let product = || {
        let made = path(of.node, &["consumable", "manufacturedProduct"])?;
        child(made, "manufacturedMaterial").or_else(|| child(made, "manufacturedLabeledDrug"))
    };
    let code = of.child("code");
    Some(match of.name() {
        "observation" if is_allergy(of) => Said {
            code: ("48765-2", "Allergies"),
            kind: of.child("value").filter(|_| substance(of).is_some()),
            value: substance(of).or_else(|| of.child("value")),
        },
        "substanceAdministration" if immunization::is_immunization(of, of.context.section) => {
            Said {
                code: ("11369-6", "Immunizations"),
                kind: None,
                value: product(),
            }
        }
        "substanceAdministration" => Said {
            code: ("10160-0", "Medications"),
            kind: None,
            value: product(),
        },
        "procedure" => Said {
            code: ("47519-4", "Procedures"),
            kind: None,
            value: code,
        },
        "act" if procedure::is_act(of) => Said {
            code: ("47519-4", "Procedures"),
            kind: None,
            value: code,
        },
        _ => return None,
    })
}

/// Whether it is of another, and of a kind that is made an observation here.
pub(crate) fn is_kept(of: &Statement<'_>) -> bool {
    let is_problem = of.name() == "observation" && problem::is_problem(of);
    !matches!(of.subject(), Subject::Patient) && (is_problem || said(of).is_some())
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let Some(said) = said(of) else {
        return observation::convert(doc, of);
    };
    let mut out = Resource::of("Observation", of, doc)?;
    // What was denied of another is kept as text: an observation without its denial would say the contrary.
    out.heeded()?;
    let node = of.node;
    out.put(doc, "identifier", value::identifiers(doc, node));
    let state = match statement::status(doc, of) {
        Some("completed") => "final",
        Some("nullified" | "obsolete") => "entered-in-error",
        Some("cancelled" | "aborted") => "cancelled",
        _ => "unknown",
    };
    out.put(doc, "status", Some(state));
    let named = |node: N<'d>| match child(node, "code").or_else(|| child(node, "name")) {
        // A substance or product has its code inside.
        Some(_) => medication::concept(doc, node),
        None => code::concept(doc, node),
    };
    let kind = said.kind.and_then(|kind| code::concept(doc, kind));
    let (history, name) = said.code;
    let kind = kind.unwrap_or_else(|| code::named(LOINC, history, name));
    out.put(doc, "code", Some(kind));
    let what = said.value.and_then(named);
    if what.is_none() {
        return Err("it is of another than the patient, and does not say what in a code or a name");
    }
    out.put(doc, "valueCodeableConcept", what);
    if let Some(part) = substance(of).and_then(|entity| entity.ancestors().nth(2)) {
        out.says(doc, Some(part));
    }
    time::put_time(
        &mut out,
        doc,
        "effectiveDateTime",
        "effectivePeriod",
        child(node, "effectiveTime"),
    );
    Ok(Some(("Observation", out.add(doc)?)))
}
