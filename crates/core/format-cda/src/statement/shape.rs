//! What a statement is whose templates this reader does not know, by its section, class, codes and shape. What is not certain is no
//! more than an observation.

use crate::{
    codes::status,
    context::{Mood, Statement, Subject, has_context},
    statement::{ALLERGIES, IMMUNIZATIONS, PROBLEMS, RESULTS, VITALS, family},
    value::code::known,
    xml::{N, attr, child, children, declared, elements, own_text, squeeze},
};

/// Roots of the templates that say what a statement is: C-CDA, CCD and C32, and IHE PCC.
const ROOTS: &[&str] = &[
    "2.16.840.1.113883.10.20.",
    "2.16.840.1.113883.3.88.",
    "1.3.6.1.4.1.19376.",
];
/// Codes that ask nothing: the value is what is said.
const ASSERTION: &str = "ASSERTION";
/// Problem, condition, diagnosis (interpretation, principal, on admission, at discharge): SNOMED CT, LOINC, HL7 v3 `ActCode`.
pub(crate) const DIAGNOSES: &[&str] = &[
    "55607006",
    "64572001",
    "439401001",
    "282291009",
    "14657009",
    "8319008",
    "52870002",
    "89100005",
    "29308-4",
    "75326-9",
    "75323-6",
    "46241-6",
    "11535-2",
    "DX",
    "ADMDX",
    "DISDX",
    "INTDX",
];
/// Severity, status, age at onset, general health: what is said of a problem.
pub(crate) const SEVERITY: &[&str] = &["SEV", "246112005"];
pub(crate) const STATUS: &[&str] = &["33999-4"];
pub(crate) const CRITICALITY: &[&str] = &["82606-5"];
const BESIDE: &[&str] = &["445518008", "11323-3"];
/// SNOMED CT and HL7 v2: yes and no.
const YES_OR_NO: &[&str] = &["373066001", "373067005", "Y", "N", "LA33-6", "LA32-8"];

/// Whether no template of a statement says what it is.
pub(crate) fn is_foreign(node: N<'_>) -> bool {
    let is_known = |root: &str| ROOTS.iter().any(|known| root.starts_with(known));
    !children(node, "templateId").any(|id| attr(id, "root").is_some_and(is_known))
}

/// Whether what stands in a statement is what its section is about: a group says nothing more.
pub(crate) fn is_group(of: &Statement<'_>) -> bool {
    matches!(of.name(), "organizer" | "act")
        && is_foreign(of.node)
        && [PROBLEMS, ALLERGIES, IMMUNIZATIONS]
            .iter()
            .any(|all| all.contains(&of.context.section))
        || of.name() == "act" && is_foreign(of.node) && of.child("code").and_then(known).is_none()
}

/// Whether the code of a statement, or a translation of it, is one of these.
pub(crate) fn is_coded(node: N<'_>, codes: &[&str]) -> bool {
    child(node, "code").is_some_and(|code| is_any(code, codes))
}

/// Whether a code, or a translation of it, is one of these.
pub(crate) fn is_any(code: N<'_>, codes: &[&str]) -> bool {
    core::iter::once(code)
        .chain(children(code, "translation"))
        .any(|one| known(one).is_some_and(|code| codes.contains(&code)))
}

/// Whether anything stands in a statement but of which kind it is, in which state, when and by whom: some of it is always filled in.
pub(crate) fn says_something(node: N<'_>) -> bool {
    const CIRCUMSTANCES: &[&str] = &[
        "templateId",
        "id",
        "realmCode",
        "typeId",
        "statusCode",
        "effectiveTime",
        "author",
        "informant",
        "performer",
    ];
    const ASK_NOTHING: &[&str] = &[ASSERTION, "CONC", "48765-2", "419199007", "55607006"];
    elements(node).any(|part| match part.tag_name().name() {
        name if CIRCUMSTANCES.contains(&name) => false,
        "text" => own_text(part).is_some(),
        "code" if known(part).is_some_and(|code| ASK_NOTHING.contains(&code)) => false,
        _ => is_said(part),
    })
}

/// Whether an element has a value of its own, or words, or something stands in it that has.
pub(crate) fn is_said(node: N<'_>) -> bool {
    const VALUES: &[&str] = &["code", "value", "displayName"];
    VALUES.iter().any(|name| attr(node, name).is_some())
        || own_text(node).is_some()
        || says_something(node)
}

/// Whether a value names something, and is no number, no yes and no no.
pub(crate) fn names_something(value: N<'_>) -> bool {
    let is_coded = matches!(
        declared(value).as_str(),
        "" | "CD" | "CE" | "CV" | "CO" | "CS"
    );
    let says = known(value).is_some()
        || child(value, "originalText").is_some()
        || children(value, "translation").any(|one| known(one).is_some());
    is_coded && says && !known(value).is_some_and(|code| YES_OR_NO.contains(&code))
}

/// The values of a statement that states several things; none where one of them has a context of its own, which is not that of the
/// others.
pub(crate) fn several<'d>(of: &Statement<'d>) -> Vec<N<'d>> {
    let values = children(of.node, "value").filter(|value| names_something(*value));
    let all: Vec<_> = values.collect();
    let is_one = all.len() < 2 || all.iter().any(|value| has_context(*value));
    if is_one { Vec::new() } else { all }
}

/// Whether a code is the name of an illness or finding, and not only of what sort of statement it is of: it is of SNOMED CT or of one
/// of the ICDs, and none of the sorts of problem.
pub(crate) fn names_problem(code: N<'_>) -> bool {
    const NAMES: &[&str] = &[
        "2.16.840.1.113883.6.96",
        "2.16.840.1.113883.6.90",
        "2.16.840.1.113883.6.3",
        "2.16.840.1.113883.6.103",
        "2.16.840.1.113883.6.42",
    ];
    // Finding, symptom, complaint, finding of function, of cognition, disorder (value set "problem type").
    const SORTS: &[&str] = &[
        "404684003",
        "418799008",
        "409586006",
        "248536006",
        "373930000",
        "64572001",
    ];
    attr(code, "codeSystem").is_some_and(|system| NAMES.contains(&system))
        && known(code).is_some_and(|code| !SORTS.contains(&code) && !DIAGNOSES.contains(&code))
}

/// Names of a code and its translations, in small letters.
fn names(code: N<'_>) -> impl Iterator<Item = String> {
    let own = child(code, "originalText").and_then(own_text);
    core::iter::once(code)
        .chain(children(code, "translation"))
        .filter_map(|one| attr(one, "displayName").map(squeeze))
        .chain(own)
        .map(|name| name.to_lowercase())
}

/// Whether a name of a code begins so, in small letters.
pub(crate) fn begins(code: N<'_>, words: &[&str]) -> bool {
    names(code).any(|name| words.iter().any(|words| name.starts_with(words)))
}

/// Whether a code names an allergy, or that there is none: by the kind that it is, or by its name.
fn names_allergy(code: N<'_>) -> bool {
    const BEGINS: &[&str] = &[
        "allergy to ",
        "allergic to ",
        "hypersensitivity to ",
        "intolerance to ",
        "adverse reaction to ",
        "no known allerg",
        "no known drug allerg",
        "no known food allerg",
        "allergie gegen ",
    ];
    const ENDS: &[&str] = &[" allergy", " intolerance", " hypersensitivity", "allergie"];
    const ABOUT: &[&str] = &["history", "suspected", "risk", "family", "screening"];
    let is_kind = known(code).is_some_and(|code| status::allergy_kind(code).is_some());
    is_kind
        || names(code).any(|name| {
            (BEGINS.iter().any(|words| name.starts_with(words))
                || ENDS.iter().any(|words| name.ends_with(words)))
                && !ABOUT.iter().any(|word| name.contains(word))
        })
}

/// Whether the code of a statement leaves it to the value to say what is so.
pub(crate) fn asks_nothing(of: &Statement<'_>) -> bool {
    of.child("code").is_none_or(|code| match known(code) {
        None => names(code).next().is_none(),
        Some(ASSERTION) => true,
        Some(code) if ALLERGIES.contains(&code) => true,
        Some(_) => names_allergy(code),
    })
}

/// Whether it was observed of the patient: what was of another is an observation about that one, and no allergy or problem here.
fn is_own(of: &Statement<'_>) -> bool {
    of.name() == "observation"
        && of.mood() == Mood::Event
        && matches!(of.subject(), Subject::Patient)
}

/// Whether an observation is an allergy. What it is against, and a code of a kind of allergy, say so anywhere.
pub(crate) fn is_allergy(of: &Statement<'_>) -> bool {
    if !is_own(of) {
        return false;
    }
    let (value, code) = (of.child("value"), of.child("code"));
    let against = children(of.node, "participant").any(|part| {
        crate::xml::path(part, &["participantRole", "playingEntity"]).is_some()
            && attr(part, "typeCode").is_none_or(|kind| kind == "CSM")
    });
    let kinds = [value, code].into_iter().flatten();
    let is_kind = kinds
        .filter_map(known)
        .any(|code| status::allergy_kind(code).is_some());
    if against && is_kind {
        return true;
    }
    !of.context.is_inside
        && ALLERGIES.contains(&of.context.section)
        && match value {
            _ if against => true,
            Some(value) => names_something(value) && asks_nothing(of),
            None => code.is_some_and(names_allergy),
        }
}

/// The allergy that a finding is a manifestation of: the source of such a relation manifests its target (HL7 v3, `MFST`), if nobody
/// turned it round. `is_known` tells allergies by their number.
pub(crate) fn manifested<'d>(
    of: &Statement<'d>,
    is_known: impl Fn(N<'d>) -> bool,
) -> Option<Statement<'d>> {
    let is_placed = !of.context.is_inside
        && ALLERGIES.contains(&of.context.section)
        && of.mood() == Mood::Event
        && is_foreign(of.node)
        && !is_allergy(of);
    is_placed.then_some(())?;
    of.related().find_map(|(link, inner)| {
        let is_cause = attr(link, "typeCode") == Some("MFST")
            && crate::xml::flag(link, "inversionInd") != Some(true)
            && inner.name() == "observation"
            && inner.mood() == Mood::Event
            && !inner.is_denied()
            && is_foreign(inner.node);
        let named = ["value", "code"].iter().find_map(|name| inner.child(name));
        (is_cause && (named.is_some_and(names_allergy) || is_known(inner.node))).then_some(inner)
    })
}

/// Whether an observation is a problem: by its class, as a diagnosis, or as what a section of problems names.
pub(crate) fn is_problem(of: &Statement<'_>) -> bool {
    let node = of.node;
    let section = of.context.section;
    // What stands in a history of the family without saying of whom is nobody's.
    let is_nobodys = family::SECTIONS.contains(&section);
    if !is_own(of) || !is_foreign(node) || is_nobodys {
        return false;
    }
    if attr(node, "classCode") == Some("COND") {
        return problem(of).is_some();
    }
    let is_beside = [SEVERITY, STATUS, BESIDE]
        .iter()
        .any(|codes| is_coded(node, codes));
    let is_placed = PROBLEMS.contains(&section) && !is_beside;
    let is_diagnosis = is_coded(node, DIAGNOSES)
        && ![RESULTS, VITALS, ALLERGIES]
            .iter()
            .any(|all| all.contains(&section));
    !of.context.is_inside
        && (is_placed || is_diagnosis)
        && of.child("value").is_some_and(names_something)
}

/// What names the problem: the value, or the code of a statement whose class says that it is one.
pub(crate) fn problem<'d>(of: &Statement<'d>) -> Option<N<'d>> {
    let named = of.child("code").filter(|code| {
        (known(*code).is_some() || child(*code, "originalText").is_some())
            && known(*code) != Some(ASSERTION)
    });
    match of.child("value") {
        Some(value) => names_something(value).then_some(value),
        None => named.filter(|_| attr(of.node, "classCode") == Some("COND")),
    }
}

/// Whether an observation in a history of the family says by its own name that it is of the family. What does not, and names nobody,
/// is of nobody in particular.
pub(crate) fn is_of_family(of: &Statement<'_>) -> bool {
    ["code", "value"]
        .into_iter()
        .filter_map(|name| of.child(name))
        .flat_map(names)
        .any(|name| name.contains("family") || name.contains("familien") || name.starts_with("fh"))
}

/// What an observation answers, if that is a yes or a no.
pub(crate) fn answer(of: &Statement<'_>) -> Option<bool> {
    let value = of.child("value")?;
    if declared(value) == "BL" {
        return crate::xml::flag(value, "value");
    }
    match known(value)? {
        "373066001" | "Y" | "LA33-6" => Some(true),
        "373067005" | "N" | "LA32-8" => Some(false),
        _ => None,
    }
}

/// Whether the value is a number, a time, or a range of them.
pub(crate) fn is_measured(of: &Statement<'_>) -> bool {
    const KINDS: &[&str] = &["PQ", "INT", "REAL", "TS", "MO", "RTO", "IVL", "PIVL"];
    of.child("value").is_some_and(|value| {
        let declared = declared(value);
        KINDS.contains(&declared.split('_').next().unwrap_or_default())
    })
}

/// Whether what was given is a vaccine, by a code of a system that has no others (CVX).
pub(crate) fn is_vaccine(of: &Statement<'_>) -> bool {
    const CVX: &[&str] = &["2.16.840.1.113883.12.292", "2.16.840.1.113883.6.59"];
    let names = [
        "consumable",
        "manufacturedProduct",
        "manufacturedMaterial",
        "code",
    ];
    is_foreign(of.node)
        && crate::xml::path(of.node, &names).is_some_and(|code| {
            core::iter::once(code)
                .chain(children(code, "translation"))
                .any(|one| {
                    known(one).is_some()
                        && attr(one, "codeSystem").is_some_and(|system| CVX.contains(&system))
                })
        })
}

/// Whether an observation is a vital sign, by the codes that FHIR R4's profile of vital signs names, and by being a number.
pub(crate) fn is_sign(of: &Statement<'_>) -> bool {
    const SIGNS: &[&str] = &[
        "85353-1", "9279-1", "8867-4", "2708-6", "59408-5", "8310-5", "8302-2", "9843-4",
        "29463-7", "39156-5", "85354-9", "8480-6", "8462-4", "8306-3", "8287-5", "3141-9",
    ];
    let is_number = |value: N<'_>| declared(value) == "PQ" && attr(value, "value").is_some();
    is_coded(of.node, SIGNS) && of.child("value").is_some_and(is_number)
}
