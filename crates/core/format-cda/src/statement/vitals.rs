//! Vital signs that FHIR's profiles have as one observation: a blood pressure, and a saturation with the oxygen that was given.

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Facet, Fate},
    context::{Mood, Statement},
    doc::Doc,
    json::json,
    resource::Resource,
    statement::{VITALS, observation, panel::SIGNS, shape},
    value::code,
    xml::{attr, child},
};

const LOINC: &str = "http://loinc.org";
/// Saturation of oxygen by pulse, and in the blood of arteries: the profile wants both.
const SATURATION: &[&str] = &["59408-5", "2708-6"];
/// How much oxygen was breathed in: its part, and how fast it flew.
const OXYGEN: &[&str] = &["3150-0", "3151-8"];
/// What a part of a joined observation has of its own.
const OF_PART: &[&str] = &[
    "code",
    "valueQuantity",
    "interpretation",
    "referenceRange",
    "dataAbsentReason",
];

/// Whether it is a panel of vital signs that has no other code than that.
pub(crate) fn is_panel(of: &Statement<'_>) -> bool {
    const PANELS: &[&str] = &["46680005", "74728-7", "85353-1"];
    of.has(SIGNS)
        && of.mood() == Mood::Event
        && of
            .child("code")
            .and_then(code::known)
            .is_none_or(|code| PANELS.contains(&code))
}

/// The code of a panel of vital signs (C-CDA on FHIR), before that of the source.
pub(crate) fn named<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<Value> {
    const NAME: &str =
        "Vital signs, weight, height, head circumference, oxygen saturation and BMI panel";
    is_panel(of).then_some(())?;
    let own = of.child("code").and_then(|code| code::concept(doc, code));
    let mut named = own.unwrap_or_else(|| json!({}));
    add(&mut named, "85353-1", NAME, 0);
    Some(named)
}

fn add(named: &mut Value, code: &'static str, name: &'static str, at: usize) {
    let codings = named["coding"].as_array().cloned();
    let mut codings = codings.unwrap_or_default();
    if codings.iter().all(|one| one["code"] != code) {
        let one = json!({"system": LOINC, "code": code, "display": name});
        codings.insert(at.min(codings.len()), one);
    }
    named["coding"] = codings.into();
}

/// Adds the other code of a saturation that is a vital sign.
pub(crate) fn both_codes(of: &Statement<'_>, named: &mut Value) {
    const NAMES: &[(&str, &str)] = &[
        (
            "59408-5",
            "Oxygen saturation in Arterial blood by Pulse oximetry",
        ),
        ("2708-6", "Oxygen saturation in Arterial blood"),
    ];
    const SIGN: &[&str] = &["2.16.840.1.113883.10.20.22.4.27"];
    let is_sign = of.has(SIGN) || VITALS.contains(&of.context.section);
    if is_sign && shape::is_coded(of.node, SATURATION) {
        for (code, name) in NAMES {
            add(named, code, name, usize::MAX);
        }
    }
}

/// Joins what is one observation; the rest of the panel is left to whoever reads it next.
pub(crate) fn join<'d>(doc: &Doc<'d>, of: &Statement<'d>) {
    let all: Vec<Statement<'d>> = of
        .related()
        .map(|(_, inner)| inner)
        .filter(|inner| inner.name() == "observation")
        .collect();
    let coded = |codes: &[&str]| -> Vec<Statement<'d>> {
        let found = all.iter().filter(|one| shape::is_coded(one.node, codes));
        found.copied().collect()
    };
    pressures(doc, &coded(&["8480-6"]), &coded(&["8462-4"]));
    saturations(doc, &coded(SATURATION), &coded(OXYGEN));
}

/// Whether two are of one time and state, neither is denied, and the second was not told yet.
fn is_with<'d>(doc: &Doc<'d>, one: &Statement<'d>, other: &Statement<'d>) -> bool {
    let time = |one: &Statement<'d>| {
        one.when().map(|when| {
            let low = child(when, "low");
            (attr(when, "value"), low.and_then(|low| attr(low, "value")))
        })
    };
    let state = |one: &Statement<'d>| one.child("statusCode").and_then(code::state);
    let is_told = matches!(
        doc.account.fate(other.node, Facet::Itself),
        Some(Fate::Carried { .. })
    );
    !is_told
        && time(other) == time(one)
        && state(other) == state(one)
        && !other.is_denied()
        && !one.is_denied()
}

/// Systolic and diastolic pressure of one panel and one time are one observation with two components (FHIR R4, blood pressure
/// profile).
fn pressures<'d>(doc: &Doc<'d>, over: &[Statement<'d>], under: &[Statement<'d>]) {
    for high in over {
        let Some(low) = under.iter().find(|low| is_with(doc, high, low)) else {
            continue;
        };
        let both = [high, low];
        let (Ok(high), Ok(low)) = (observation::build(doc, high), observation::build(doc, low))
        else {
            continue;
        };
        if !high.has("valueQuantity") || !low.has("valueQuantity") {
            continue;
        }
        let url = pressure_of(doc, high, low);
        for one in both {
            observation::members(doc, one, &url);
        }
        doc.add_joined(&url);
    }
}

/// The oxygen that was breathed in is part of the saturation that was measured then, if it was measured once (C-CDA on FHIR).
fn saturations<'d>(doc: &Doc<'d>, all: &[Statement<'d>], oxygen: &[Statement<'d>]) {
    for one in all {
        let is_alone = all.iter().filter(|other| is_with(doc, one, other)).count() == 1;
        let given = oxygen
            .iter()
            .filter(|given| is_alone && is_with(doc, one, given));
        let given: Vec<_> = given
            .filter_map(|given| Some((given, observation::build(doc, given).ok()?)))
            .filter(|(_, built)| built.has("valueQuantity"))
            .collect();
        if given.is_empty() {
            continue;
        }
        let Ok(mut whole) = observation::build(doc, one) else {
            continue;
        };
        if !whole.has("valueQuantity") {
            continue;
        }
        let mut told = vec![one];
        for (statement, built) in given {
            told.push(statement);
            let part = part_of(&mut whole, built);
            whole.push(doc, "component", Some(part));
        }
        let Ok(url) = whole.add(doc) else { continue };
        for one in told {
            observation::members(doc, one, &url);
        }
        doc.add_joined(&url);
    }
}

/// An observation as a component of another, which takes over what a component has no place for.
fn part_of<'d>(whole: &mut Resource<'d>, one: Resource<'d>) -> Value {
    let (body, taken) = one.parts();
    let mut part = Map::new();
    let mut untold = Vec::new();
    for (key, value) in body {
        if OF_PART.contains(&key.as_ref()) {
            part.insert(key, value);
        } else if !whole.join_element(key.clone(), value) {
            untold.push(key);
        }
    }
    // What the whole says otherwise is not told of this part.
    let told = taken.into_iter();
    let told = told.filter(|(_, element)| !untold.iter().any(|key| **key == **element));
    whole.take_over(told.map(|(one, element)| {
        let element = if OF_PART.contains(&element) {
            "component"
        } else {
            element
        };
        (one, element)
    }));
    Value::Object(part)
}

fn pressure_of<'d>(doc: &Doc<'d>, high: Resource<'d>, low: Resource<'d>) -> String {
    const NAME: &str = "Blood pressure panel with all children optional";
    let mut whole = Resource::plain("Observation", high.source());
    let parts = [high, low].map(|one| part_of(&mut whole, one));
    let named = code::named(LOINC, "85354-9", NAME);
    whole.body.insert("code".into(), named);
    whole.body.insert("component".into(), parts.to_vec().into());
    whole.join(doc, None)
}
