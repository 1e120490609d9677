//! Medicines, supplies and immunisations; the mood decides between statement and request.

use roxmltree::Node;
use serde_json::{Map, Value, json};

use crate::{
    build::{Builder, reference},
    codes,
    entry::{Because, IMMUNIZATIONS},
    value::{
        absent, any_time, concept, decimal, identifiers, period, pointed_text, put, put_time,
        quantity, range,
    },
    xml::{attr, child, children, has_template, negated, path, related, text},
};

const IMMUNIZATION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.52",
    "2.16.840.1.113883.10.20.22.4.120",
];

pub(crate) fn is_immunization(node: Node<'_, '_>, section: &str) -> bool {
    has_template(node, IMMUNIZATION) || IMMUNIZATIONS.contains(&section)
}

/// The medicine: code of the product, or its name.
fn product(node: Node<'_, '_>, build: &Builder<'_, '_>) -> Value {
    let made = child(node, "consumable").or_else(|| child(node, "product"));
    let made = made.and_then(|made| child(made, "manufacturedProduct"));
    let thing = made.and_then(|made| {
        child(made, "manufacturedMaterial").or_else(|| child(made, "manufacturedLabeledDrug"))
    });
    let code = thing.and_then(|thing| child(thing, "code"));
    code.and_then(|code| concept(code, build))
        .or_else(|| {
            let name = thing
                .and_then(|thing| child(thing, "name"))
                .and_then(text)?;
            Some(json!({ "text": name }))
        })
        .unwrap_or_else(|| absent(code))
}

fn status<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    child(node, "statusCode").and_then(|code| attr(code, "code"))
}

fn dosage(node: Node<'_, '_>, build: &Builder<'_, '_>) -> Option<Value> {
    let mut out = Map::new();
    let words = child(node, "text").and_then(|text| pointed_text(text, build));
    put(&mut out, "text", words.map(Value::String));
    let repeat = children(node, "effectiveTime").find_map(|when| child(when, "period"));
    let every = repeat.and_then(|every| {
        let value = decimal(attr(every, "value")?)?;
        let unit = attr(every, "unit")?;
        let known = ["s", "min", "h", "d", "wk", "mo", "a"].contains(&unit);
        known.then(|| json!({"repeat": {"period": value, "periodUnit": unit}}))
    });
    put(&mut out, "timing", every);
    if let Some(need) = child(node, "precondition") {
        let why = path(need, &["criterion", "value"]).and_then(|value| concept(value, build));
        match why {
            Some(why) => out.insert("asNeededCodeableConcept".into(), why),
            None => out.insert("asNeededBoolean".into(), true.into()),
        };
    }
    let route = child(node, "routeCode").and_then(|code| concept(code, build));
    put(&mut out, "route", route);
    let dose = child(node, "doseQuantity");
    let amount = dose
        .and_then(quantity)
        .map(|amount| json!([{"doseQuantity": amount}]));
    let amount = amount.or_else(|| Some(json!([{"doseRange": dose.and_then(range)?}])));
    put(&mut out, "doseAndRate", amount);
    (!out.is_empty()).then_some(Value::Object(out))
}

/// `MedicationStatement`, or `MedicationRequest` for what is intended.
pub(crate) fn convert(
    node: Node<'_, '_>,
    mood: &str,
    build: &mut Builder<'_, '_>,
) -> Result<(), Because> {
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    let state = codes::medication_status(status(node));
    let dose = dosage(node, build).map(|dose| json!([dose]));
    out.insert("medicationCodeableConcept".into(), product(node, build));
    out.insert("subject".into(), reference(&build.patient));
    if mood == "EVN" {
        let state = if negated(node) { "not-taken" } else { state };
        out.insert("status".into(), state.into());
        let when = children(node, "effectiveTime")
            .find(|when| period(*when).is_some() || attr(*when, "value").is_some());
        put_time(&mut out, "effective", when);
        put(&mut out, "dosage", dose);
        build.add("MedicationStatement", Some(node), out);
    } else {
        out.insert("status".into(), state.into());
        out.insert("intent".into(), codes::intent(mood).into());
        if negated(node) {
            out.insert("doNotPerform".into(), true.into());
        }
        let written = child(node, "author").and_then(|author| child(author, "time"));
        put(
            &mut out,
            "authoredOn",
            written.and_then(any_time).map(Value::String),
        );
        put(&mut out, "dosageInstruction", dose);
        build.add("MedicationRequest", Some(node), out);
    }
    for inner in related(node, "supply") {
        let mood = attr(inner, "moodCode").unwrap_or("EVN");
        if child(inner, "product").is_some() {
            supply(inner, mood, build)?;
        }
    }
    Ok(())
}

/// `MedicationDispense` or `MedicationRequest`; other supplies are equipment.
pub(crate) fn supply(
    node: Node<'_, '_>,
    mood: &str,
    build: &mut Builder<'_, '_>,
) -> Result<(), Because> {
    if path(node, &["product", "manufacturedProduct"]).is_none() {
        return Err("supplies of equipment are not converted yet");
    }
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    out.insert("medicationCodeableConcept".into(), product(node, build));
    out.insert("subject".into(), reference(&build.patient));
    let state = codes::medication_status(status(node));
    let amount = child(node, "quantity").and_then(quantity);
    if mood == "EVN" {
        let state = if state == "active" {
            "in-progress"
        } else {
            state
        };
        out.insert("status".into(), state.into());
        put(&mut out, "quantity", amount);
        let when = child(node, "effectiveTime").and_then(any_time);
        put(&mut out, "whenHandedOver", when.map(Value::String));
        build.add("MedicationDispense", Some(node), out);
    } else {
        out.insert("status".into(), state.into());
        out.insert("intent".into(), codes::intent(mood).into());
        put(
            &mut out,
            "dispenseRequest",
            amount.map(|amount| json!({"quantity": amount})),
        );
        build.add("MedicationRequest", Some(node), out);
    }
    Ok(())
}

/// `Immunization`; negated ones were not given.
pub(crate) fn immunization(node: Node<'_, '_>, build: &mut Builder<'_, '_>) -> Result<(), Because> {
    let mut out = Map::new();
    put(&mut out, "identifier", identifiers(node));
    match (negated(node), status(node)) {
        (true, _) => out.insert("status".into(), "not-done".into()),
        (_, Some("nullified")) => out.insert("status".into(), "entered-in-error".into()),
        (_, Some("aborted" | "cancelled")) => out.insert("status".into(), "not-done".into()),
        // Event mood says that it was given.
        _ => out.insert("status".into(), "completed".into()),
    };
    let refusal = related(node, "observation")
        .filter(|inner| has_template(*inner, &["2.16.840.1.113883.10.20.22.4.53"]))
        .find_map(|inner| concept(child(inner, "code")?, build));
    put(&mut out, "statusReason", refusal.filter(|_| negated(node)));
    out.insert("vaccineCode".into(), product(node, build));
    out.insert("patient".into(), reference(&build.patient));
    let when = child(node, "effectiveTime");
    match when.and_then(any_time) {
        Some(at) => out.insert("occurrenceDateTime".into(), at.into()),
        None => out.insert("_occurrenceDateTime".into(), absent(when)),
    };
    let lot = path(
        node,
        &["consumable", "manufacturedProduct", "manufacturedMaterial"],
    )
    .and_then(|made| child(made, "lotNumberText"))
    .and_then(text);
    put(&mut out, "lotNumber", lot.map(Value::String));
    put(
        &mut out,
        "route",
        child(node, "routeCode").and_then(|code| concept(code, build)),
    );
    let sites = children(node, "approachSiteCode").find_map(|code| concept(code, build));
    put(&mut out, "site", sites);
    put(
        &mut out,
        "doseQuantity",
        child(node, "doseQuantity").and_then(quantity),
    );
    build.add("Immunization", Some(node), out);
    Ok(())
}
