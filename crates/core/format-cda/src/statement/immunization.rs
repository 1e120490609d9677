//! Vaccines given or refused (`Immunization`), and wanted (`MedicationRequest`).

use medibloc_record::json::Value;

use crate::{
    account::Because,
    codes::status,
    context::{Mood, Statement},
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{
        IMMUNIZATIONS, Made, allergy::REACTION, common, dosage, inside, medication, reasons,
        recorded,
    },
    value::{absent, code, list, quantity, time},
    xml::{N, attr, child},
};

const TEMPLATES: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.52",
    "2.16.840.1.113883.10.20.22.4.120",
    "1.3.6.1.4.1.19376.1.5.3.1.4.12",
];
const SERIES: &[&str] = &["2.16.840.1.113883.10.20.22.4.118"];
/// The number of a dose (CCD R1, "medication series number").
const DOSE: &[&str] = &["2.16.840.1.113883.10.20.1.46"];
const REFUSAL: &[&str] = &["2.16.840.1.113883.10.20.22.4.53"];

/// FHIR's word for a vaccine that was given.
const GIVEN: &str = "completed";

pub(crate) fn is_immunization(of: &Statement<'_>, section: &str) -> bool {
    of.has(TEMPLATES)
        || !of.context.is_inside && IMMUNIZATIONS.contains(&section)
        || super::shape::is_vaccine(of)
}

fn is_dose(node: N<'_>) -> bool {
    node.tag_name().name() == "observation"
        && (crate::xml::has_template(node, DOSE) || super::shape::is_coded(node, &["30973-2"]))
}

/// Which dose it is, as the source says it: a number, words (a booster), or that it is not known.
fn dose_number<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<(&'static str, Value)> {
    let mut all = crate::xml::related(node).map(|(_, inner)| inner);
    all.find_map(|inner| {
        let value = child(inner, "value").filter(|_| is_dose(inner))?;
        let number = quantity::whole(doc, value).filter(|number| *number > 0);
        let number = number.map(|number| ("doseNumberPositiveInt", Value::from(number)));
        let found = number.or_else(|| {
            let words = super::text::words(doc, value)?;
            Some(("doseNumberString", words.into()))
        });
        let is_unknown = !super::shape::is_said(value);
        let unknown = || is_unknown.then(|| ("_doseNumberPositiveInt", absent(Some(value))));
        let found = found.or_else(unknown)?;
        super::take_shell(doc, inner);
        Some(found)
    })
}

/// Whether a statement that is related so says why a vaccine was refused, or could not be given.
pub(super) fn is_refusal(relation: Option<&str>, node: N<'_>) -> bool {
    // HL7 v3, `ActNoImmunizationReason`: the code system, and the value set that some name in its place.
    const SYSTEMS: &[&str] = &["2.16.840.1.113883.5.8", "2.16.840.1.113883.11.19725"];
    const REASONS: &[&str] = &[
        "IMMUNE", "MEDPREC", "OSTOCK", "PATOBJ", "PHILISOP", "RELIG", "VACEFF", "VACSAF",
    ];
    let is = |name: &str, all: &[&str]| {
        let code = child(node, "code").and_then(|code| attr(code, name));
        code.is_some_and(|code| all.contains(&code))
    };
    let is_reason = || relation == Some("RSON") && is("codeSystem", SYSTEMS) && is("code", REASONS);
    !crate::context::denies(node) && (crate::xml::has_template(node, REFUSAL) || is_reason())
}

/// Whether the code of a vaccine says that none was given (CVX 998).
fn is_none(thing: N<'_>) -> bool {
    const CVX: &[&str] = &["2.16.840.1.113883.12.292", "2.16.840.1.113883.6.59"];
    let code = child(thing, "code").filter(|code| code::known(*code) == Some("998"));
    let system = code.and_then(|code| attr(code, "codeSystem"));
    system.is_some_and(|system| CVX.contains(&system))
}

/// The status that the source states, of a vaccine that it says was refused, too.
fn contradicted(state: &str) -> Value {
    json!({"extension": [{"url": status::STATED, "valueCode": state.to_owned()}]})
}

/// A vaccine whose refusal is told elsewhere was not given, whatever its own status.
pub(super) fn refuse(doc: &Doc<'_>, vaccine: &str) {
    let state = doc.element(vaccine, "status");
    if state.as_ref().and_then(Value::as_str) != Some(GIVEN) {
        return;
    }
    doc.change(vaccine, "status", |resource| {
        resource.insert("status".into(), "not-done".into());
        resource.insert("_status".into(), contradicted(GIVEN));
    });
}

/// Why it was refused, or could not be given.
fn refused<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<Value> {
    crate::xml::related(node).find_map(|(link, inner)| {
        is_refusal(attr(link, "typeCode"), inner).then_some(())?;
        let why = child(inner, "code").and_then(|code| code::concept(doc, code))?;
        if let Some(state) = child(inner, "statusCode") {
            doc.account.take(state);
        }
        doc.account.take(inner);
        Some(why)
    })
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    if of.mood() != Mood::Event {
        return medication::convert(doc, of);
    }
    let mut out = Resource::of("Immunization", of, doc)?;
    let node = of.node;
    common(doc, of, &mut out);
    out.says(doc, child(node, "code"));
    let state = status::immunization(super::status(doc, of));
    let of_state = doc.account.put();
    let refused = refused(doc, node);
    let of_refusal = doc.account.put();
    doc.account.take_again(of_state);
    let made = child(node, "consumable").and_then(|part| child(part, "manufacturedProduct"));
    let thing = made.and_then(|made| child(made, "manufacturedMaterial"));
    let is_not_given = refused.is_some() || thing.is_some_and(is_none);
    if is_not_given && state == GIVEN && !out.is_denied() {
        // Both cannot be so. Who believes that it was given would not give it.
        out.put(doc, "status", Some("not-done"));
        out.put_beside(doc, "status", contradicted(state));
    } else {
        out.put_status(doc, state, "not-done");
    }
    doc.account.take_again(of_refusal);
    let why = refused.or_else(|| of.is_denied().then(|| super::why_not(doc, of)).flatten());
    out.put(doc, "statusReason", why);
    let vaccine = thing.and_then(|thing| medication::concept(doc, thing));
    let vaccine = vaccine.unwrap_or_else(|| absent(thing.and_then(|thing| child(thing, "code"))));
    out.put(doc, "vaccineCode", Some(vaccine));
    let when = child(node, "effectiveTime");
    let given = when.and_then(|when| time::moment(doc, when).or_else(|| time::start(doc, when)));
    if !time::put_at(&mut out, doc, "occurrenceDateTime", given) {
        out.body.insert("_occurrenceDateTime".into(), absent(when));
    }
    // CDA has no word for whether it is told by who gave it.
    out.body.insert("_primarySource".into(), absent(None));
    let at = recorded(doc, node);
    time::put_at(&mut out, doc, "recorded", at);
    let maker = made.and_then(|made| child(made, "manufacturerOrganization"));
    let maker = maker.and_then(|maker| people::organization(doc, maker));
    out.put(doc, "manufacturer", maker.map(|url| reference(&url)));
    let lot = thing
        .and_then(|thing| child(thing, "lotNumberText"))
        .and_then(|lot| {
            let words = crate::xml::text(lot)?;
            doc.account.take(lot);
            Some(words)
        });
    out.put(doc, "lotNumber", lot);
    let mut sites = dosage::sites(doc, node);
    out.put(doc, "site", sites.next());
    out.push_all(doc, "extension", sites.map(dosage::further_site).collect());
    out.put(
        doc,
        "route",
        child(node, "routeCode").and_then(|route| code::concept(doc, route)),
    );
    let dose = child(node, "doseQuantity").and_then(|dose| quantity::quantity(doc, dose));
    out.put(doc, "doseQuantity", dose);
    // Whoever wrote it down is in the provenance, and did not give it.
    let doers: Vec<Value> = people::performers(doc, node)
        .into_iter()
        // FHIR has no place for who gave it to themselves.
        .filter(|(url, _)| *url != doc.patient())
        .map(|(url, function)| {
            let function = function.unwrap_or_else(|| {
                code::coded("http://terminology.hl7.org/CodeSystem/v2-0443", "AP")
            });
            json!({"function": function, "actor": reference(&url)})
        })
        .collect();
    out.put(doc, "performer", list(doers));
    out.put(doc, "reasonCode", reasons(doc, of));
    let place = super::place(doc, node);
    out.put(doc, "location", place.map(|url| reference(&url)));
    let which = child(node, "repeatNumber")
        .and_then(|which| quantity::whole(doc, child(which, "low").unwrap_or(which)));
    let which = which.filter(|which| *which > 0).or_else(|| {
        // "Substance administered act": which one of a series it is, as its place in it.
        let mut all = crate::xml::related(node);
        all.find_map(|(link, inner)| {
            crate::xml::has_template(inner, SERIES).then_some(())?;
            let place = child(link, "sequenceNumber").or_else(|| child(inner, "sequenceNumber"));
            let which = quantity::whole(doc, place?).filter(|which| *which > 0)?;
            super::take_shell(doc, inner);
            Some(which)
        })
    });
    let which = which.map(|which| ("doseNumberPositiveInt", Value::from(which)));
    let which = which.or_else(|| dose_number(doc, node));
    out.put(
        doc,
        "protocolApplied",
        which.map(|(kind, which)| json!([{kind: which}])),
    );
    let url = out.add(doc)?;
    let mut events = Vec::new();
    for (_, inner) in of.related().filter(|(_, inner)| inner.has(REACTION)) {
        let at = child(inner.node, "effectiveTime").and_then(|when| time::start(doc, when));
        let held = doc.account.put();
        if let Ok(seen) = super::observation::one(doc, &inner) {
            let mut one = medibloc_record::json::Map::new();
            time::put_in(&mut one, "date", at);
            one.insert("detail".into(), reference(&seen));
            events.push(Value::Object(one));
        }
        drop(held);
    }
    if !events.is_empty() {
        doc.change(&url, "reaction", |resource| {
            resource.insert("reaction".into(), events.into());
        });
    }
    let _ = inside(doc, of, Some(&url));
    Ok(Some(("Immunization", url)))
}
