//! Illnesses of relatives: `FamilyMemberHistory`. They are never the patient's.

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Fate},
    codes,
    context::{Statement, Subject},
    doc::Doc,
    json::json,
    resource::Resource,
    statement::{
        Made, another, common, inside,
        problem::{self, AGE},
        recorded, shape,
    },
    value::{self, absent, code, name, put, quantity, time},
    xml::{N, attr, child, children, flag, related_by, sdtc},
};

pub(crate) const ORGANIZER: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.45",
    "2.16.840.1.113883.10.20.1.23",
    "1.3.6.1.4.1.19376.1.5.3.1.4.15",
];
/// When an illness of a relative began, beside the age at which it did.
const BEGAN: &str = "https://medibloc.org/fhir/StructureDefinition/onset-date";
const OBSERVATION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.46",
    "2.16.840.1.113883.10.20.1.22",
    "1.3.6.1.4.1.19376.1.5.3.1.4.13.3",
];
const DEATH: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.47",
    "2.16.840.1.113883.10.20.1.42",
];
/// Templates that are of a relative by what they are, wherever they stand.
const OF_A_RELATIVE: &[&[&str]] = &[ORGANIZER, OBSERVATION, DEATH];
/// Family history, and the code that older documents give it.
pub(crate) const SECTIONS: &[&str] = &["10157-6", "10157-2"];
/// SNOMED CT: dead.
const DEAD: &[&str] = &["419099009", "419620001", "397709008", "399347008"];

/// Whether a statement says that somebody is dead, by its value or, if it has none, by its code.
fn is_death(node: N<'_>) -> bool {
    let said = child(node, "value").or_else(|| child(node, "code"));
    said.and_then(code::known)
        .is_some_and(|code| DEAD.contains(&code))
}

/// Whether it is of a relative, as an illness that runs in the family: by section, by template, or by who is its subject.
pub(crate) fn is_family(of: &Statement<'_>) -> bool {
    let placed = is_of_a_relative(of);
    match of.subject() {
        Subject::Relative(_) => {
            placed || is_placed(of) && !shape::is_measured(of) || is_illness(of)
        }
        // What stands in that section without saying of whom is of nobody in particular.
        _ => {
            placed && !is_well(of)
                || is_placed(of)
                    && of.child("subject").is_none()
                    && match of.name() {
                        "organizer" => true,
                        // At what age somebody fell ill is no measure of the patient's.
                        "observation" => !is_well(of) && (!shape::is_measured(of) || of.has(AGE)),
                        _ => false,
                    }
        }
    }
}

/// Whether it is of a relative by its template.
pub(crate) fn is_of_a_relative(of: &Statement<'_>) -> bool {
    OF_A_RELATIVE.iter().any(|all| of.has(all))
}

/// Whether it says of nobody in particular, but of the family by its own name, what there is or is not: that is a finding of the
/// patient's.
fn is_well(of: &Statement<'_>) -> bool {
    // SNOMED CT: no family history of clinical finding.
    const NONE: &str = "160266009";
    of.name() == "observation"
        && (shape::is_of_family(of) || of.child("value").and_then(code::known) == Some(NONE))
}

/// Whether it stands in a history of the family.
pub(crate) fn is_placed(of: &Statement<'_>) -> bool {
    SECTIONS.contains(&of.context.section)
}

/// A diagnosis, and no measurement, nor what is said of a diagnosis.
fn is_illness(of: &Statement<'_>) -> bool {
    let is_one = |of: &Statement<'_>| {
        children(of.node, "value").any(|value| attr(value, "code").is_some())
            && of.name() == "observation"
            && !problem::is_beside(of)
            && !another::is_allergy(of)
    };
    match of.name() {
        "observation" => is_one(of),
        "organizer" | "act" => of.related().any(|(_, inner)| is_one(&inner)),
        _ => false,
    }
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let Subject::Relative(subject) = of.subject() else {
        return Err("it is of a relative, and the source does not say of which");
    };
    let mut out = Resource::of("FamilyMemberHistory", of, doc)?;
    let node = of.node;
    common(doc, of, &mut out);
    let state = match super::status(doc, of) {
        Some("nullified") => "entered-in-error",
        Some("active" | "new" | "held" | "suspended") => "partial",
        _ => "completed",
    };
    out.put(doc, "status", Some(state));
    // When it was written down, which is not when an illness began.
    let at = recorded(doc, node);
    time::put_at(&mut out, doc, "date", at);
    relative(doc, subject, &mut out);
    let illnesses: Vec<Statement<'d>> = if of.name() == "observation" {
        vec![*of]
    } else {
        of.related()
            .map(|(_, inner)| inner)
            .filter(|inner| inner.name() == "observation" && !shape::is_measured(inner))
            .collect()
    };
    let mut denied = None;
    for inner in &illnesses {
        if let Some(words) = no_illness(doc, inner) {
            take_named(doc, inner.node, by_code(inner));
            if inner.is_denied() {
                doc.account.take_denial(inner.node);
                denied = Some(());
            }
            out.push(doc, "note", Some(json!({"text": words})));
        } else if inner.is_denied() {
            let why = "the source denies it, and does not say what in words";
            doc.account.because(inner.node, Fate::Lost(why));
        } else if is_death(inner.node) {
            died(doc, inner.node, &mut out);
        } else {
            let several: Vec<_> = shape::several(inner).into_iter().map(Some).collect();
            let first = vec![inner.child("value")];
            for value in if several.is_empty() { first } else { several } {
                let one = illness(doc, inner, value, &mut out);
                out.push(doc, "condition", one);
            }
        }
    }
    // That a group is denied is told of each that stands in it.
    if out.is_denied() && denied.is_some() {
        let notes = out.body.get("note").cloned();
        out.denied(doc, "note", notes.unwrap_or_default());
    }
    let url = out.add(doc)?;
    if of.name() != "observation" {
        let _ = inside(doc, of, Some(&url));
    }
    for inner in &illnesses {
        if inner.node != node {
            let _ = inside(doc, inner, Some(&url));
        }
    }
    Ok(Some(("FamilyMemberHistory", url)))
}

/// What a relative does not have, in words: it is denied, or says itself that there is none.
fn no_illness<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<String> {
    let answer = shape::answer(of);
    let value = of.child("value").filter(|_| answer.is_none());
    let named = value.or_else(|| by_code(of))?;
    let words = code::words(doc, named).or_else(|| super::text::text_of(doc, of.node));
    let says = value.and_then(|value| code::words(doc, value));
    let says_none = says.is_some_and(|words| is_none(&words));
    let is_no = of.is_denied() || answer == Some(false) || says_none;
    if !is_no {
        doc.account.let_go();
        return None;
    }
    let words = words?;
    Some(if of.is_denied() || !says_none {
        format!("The source denies: {words}")
    } else {
        words
    })
}

/// Whether words say that there is nothing, or that nothing is known.
pub(super) fn is_none(words: &str) -> bool {
    const WHOLE: &[&str] = &[
        "no",
        "none",
        "nil",
        "negative",
        "unknown",
        "not known",
        "denies",
        "denied",
        "n/a",
    ];
    let words = words.to_lowercase();
    WHOLE.contains(&words.as_str())
        || words.starts_with("no ")
        || words.starts_with("negative for ")
        || words.starts_with("fh: no ")
        || words.contains("family history unknown")
        || words.contains("family history not known")
}

/// The code of a finding, if that names the illness: where a value does, or it is asserted, the code says what sort of finding it is.
fn by_code<'d>(of: &Statement<'d>) -> Option<N<'d>> {
    let value = of.child("value").filter(|_| shape::answer(of).is_none());
    of.child("code").filter(|_| value.is_none())
}

/// A finding of a relative. That it is asserted is what the resource says by telling it; another code that does not name it is in no
/// element.
fn take_named<'d>(doc: &Doc<'d>, node: N<'d>, name: Option<N<'d>>) {
    const SORT: Because =
        "what sort of finding it is: an illness of a relative has no place for it";
    super::take_nameless(doc, node);
    for code in children(node, "code") {
        if name == Some(code) || attr(code, "code") == Some("ASSERTION") {
            doc.account.take(code);
        } else {
            doc.account.because(code, Fate::Lost(SORT));
        }
    }
}

fn relative<'d>(doc: &Doc<'d>, subject: N<'d>, out: &mut Resource<'d>) {
    doc.account.take(subject);
    let role = child(subject, "relatedSubject");
    let kin = role.and_then(|role| child(role, "code"));
    out.put(doc, "relationship", Some(code::concept_or_absent(doc, kin)));
    let Some(person) = role.and_then(|role| child(role, "subject")) else {
        return;
    };
    let first = child(person, "name").and_then(|one| name::person_name(doc, one));
    let spoken = first.map(|first| {
        let words = |key: &str| {
            first.get(key).and_then(Value::as_array).map(|all| {
                all.iter()
                    .filter_map(Value::as_str)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
        };
        let family = first
            .get("family")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let whole = first.get("text").and_then(Value::as_str).map(str::to_owned);
        whole.unwrap_or_else(|| {
            [words("prefix"), words("given"), family, words("suffix")]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" ")
        })
    });
    out.put(doc, "name", spoken);
    let sex = child(person, "administrativeGenderCode");
    let sex = sex.and_then(|sex| {
        let code = code::mapped(doc, sex, codes::gender)?;
        Some(json!({"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": code}]}))
    });
    out.put(doc, "sex", sex);
    let born = child(person, "birthTime").and_then(|born| time::time(doc, born));
    time::put_day(out, doc, "bornDate", born);
    let at = sdtc(person, "deceasedTime").and_then(|at| time::time(doc, at));
    let ind = sdtc(person, "deceasedInd");
    if let Some(at) = at {
        if let Some(ind) = ind.filter(|ind| flag(*ind, "value") == Some(true)) {
            doc.account.take(ind);
        }
        time::put_day(out, doc, "deceasedDate", Some(at));
    } else {
        let dead = ind.and_then(|ind| {
            let dead = flag(ind, "value")?;
            doc.account.take(ind);
            Some(dead)
        });
        out.put(doc, "deceasedBoolean", dead);
    }
    let ids = sdtc(person, "id").and_then(|id| value::identifier(doc, id));
    out.push(doc, "identifier", ids);
}

/// That the relative is dead, and at what age or when.
fn died<'d>(doc: &Doc<'d>, node: N<'d>, out: &mut Resource<'d>) {
    let value = child(node, "value");
    take_named(doc, node, child(node, "code").filter(|_| value.is_none()));
    children(node, "value").for_each(|value| doc.account.take(value));
    if is_dated(out) || out.has("deceasedAge") {
        // That they are dead is told, and when.
        out.says(doc, Some(node));
        return;
    }
    if let Some(age) = age(doc, node) {
        out.body.remove("deceasedBoolean");
        out.put(doc, "deceasedAge", Some(age));
        return;
    }
    let when = child(node, "effectiveTime");
    let at = when.and_then(|when| time::moment(doc, when).or_else(|| time::start(doc, when)));
    if at.is_some() {
        out.body.remove("deceasedBoolean");
        time::put_day(out, doc, "deceasedDate", at);
    } else {
        out.put(doc, "deceasedBoolean", Some(true));
    }
}

/// Whether it is said when the relative died, be it in words.
fn is_dated(out: &Resource<'_>) -> bool {
    out.has("deceasedDate") || out.has("_deceasedDate")
}

fn age<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<Value> {
    related_by(node, AGE).filter(|inner| !crate::context::denies(*inner)).find_map(|inner| {
        let age = child(inner, "value").and_then(|value| {
            quantity::duration(doc, value).or_else(|| {
                // An age is in years where nothing else is said (C-CDA: INT).
                let number = attr(value, "value").filter(|_| attr(value, "unit").is_none())?;
                doc.account.take(value);
                Some(json!({"value": quantity::decimal(number)?, "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"}))
            })
        })?;
        super::take_shell(doc, inner);
        Some(age)
    })
}

fn illness<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    value: Option<N<'d>>,
    out: &mut Resource<'d>,
) -> Option<Value> {
    let node = of.node;
    let death = related_by(node, DEATH).next().or_else(|| {
        crate::xml::related(node)
            .find(|(link, _)| attr(*link, "typeCode") == Some("CAUS"))
            .map(|(_, inner)| inner)
    });
    let killed = death.filter(|inner| is_death(*inner) && !crate::context::denies(*inner));
    let mut one = Map::new();
    // Some name the illness by the code alone, or ask for it.
    let value = value.filter(|_| shape::answer(of).is_none());
    let named = value.or_else(|| by_code(of));
    let shown = named.and_then(|named| code::concept(doc, named));
    let said = || Some(json!({"text": super::text::words(doc, value?)?}));
    let shown = shown.or_else(said);
    let shown = shown.or_else(|| Some(json!({"text": super::text::text_of(doc, node)?})));
    let age = age(doc, node);
    let began = child(node, "effectiveTime").and_then(|when| time::start(doc, when));
    take_named(doc, node, by_code(of));
    one.insert("code".into(), shown.unwrap_or_else(|| absent(value)));
    if killed.is_some() {
        one.insert("contributedToDeath".into(), true.into());
    }
    match (age, began) {
        (Some(age), began) => {
            put(&mut one, "onsetAge", Some(age));
            // The onset is one of both: the date stands beside it.
            let began = began.map(|at| json!([time::extension(BEGAN, at)]));
            put(&mut one, "extension", began);
        }
        (None, Some(at)) => put(&mut one, "onsetString", Some(time::in_words(at))),
        _ => {}
    }
    if let Some(inner) = killed {
        let held = doc.account.put();
        died(doc, inner, out);
        doc.account.take_again(held);
    }
    Some(Value::Object(one))
}
