//! What was handed out (`MedicationDispense`, `SupplyDelivery`), what shall be (`MedicationRequest`, `SupplyRequest`), and devices.

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Fate},
    codes::status,
    context::{Mood, Statement},
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{
        Made, common, device, dosage, inside, instructions,
        medication::{self, Product},
        own_author, recorded,
    },
    value::{absent, code, list, put, quantity, time},
    xml::{N, child, children},
};

const DISPENSE: &[&str] = &["2.16.840.1.113883.10.20.22.4.18"];
const ORDER: &[&str] = &["2.16.840.1.113883.10.20.22.4.17"];

/// When a device was supplied, where the source says until when.
const SUPPLIED: &str = "https://medibloc.org/fhir/StructureDefinition/supplied";
/// How many of a device were supplied.
const QUANTITY: &str = "https://medibloc.org/fhir/StructureDefinition/quantity";

/// A supply by itself.
pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    medication::none::refuse(doc, of)?;
    let is_medicine = of.has(DISPENSE) || of.has(ORDER);
    let product = medication::product(doc, of.node);
    if is_medicine || product.is_some() && !is_thing(of) {
        let held = doc.account.put();
        let product = product.unwrap_or_else(|| Product::named(absent(child(of.node, "product"))));
        return medicine(doc, of, &product, None, held);
    }
    let held = doc.account.put();
    thing(doc, of, product.map(|product| product.concept), held)
}

fn is_thing(of: &Statement<'_>) -> bool {
    const THING: &[&str] = &[
        "2.16.840.1.113883.10.20.22.4.50",
        "2.16.840.1.113883.10.20.22.4.43",
    ];
    of.has(THING) || of.context.section == device::EQUIPMENT
}

/// A supply inside a medicine: of that medicine, if it names none itself.
pub(crate) fn of_medicine<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    around: &Product,
    from: (&'static str, &str),
) -> Result<Made, Because> {
    let own = medication::product(doc, of.node);
    let held = doc.account.put();
    let product = own.unwrap_or_else(|| around.clone());
    let made = medicine(doc, of, &product, Some(from), held);
    if let Err(because) = &made {
        doc.account.because(of.node, Fate::Lost(because));
    }
    made
}

/// Puts how a prescription shall be supplied into it (C-CDA on FHIR, medications, "Supply Order"): what is told inside of an order is
/// no second one, and its status is that of the supply. One of another product, or a second one, stands for itself.
pub(crate) fn is_of_order<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    around: &Product,
    (kind, url): (&'static str, &str),
) -> bool {
    let is_one = kind == "MedicationRequest"
        && of.mood() != Mood::Event
        && !crate::context::denies(of.node)
        && !doc.has(url, "dispenseRequest");
    if !is_one {
        return false;
    }
    let mark = doc.account.put();
    let own = medication::product(doc, of.node);
    if own.as_ref().is_some_and(|own| !own.is_that(around)) {
        doc.account.let_go();
        doc.account.take_again(mark);
        return false;
    }
    doc.account.let_go();
    let (ask, doer) = request(doc, of);
    super::take_shell(doc, of.node);
    doc.change(url, "dispenseRequest", |order| {
        if !ask.is_empty() {
            order.insert("dispenseRequest".into(), Value::Object(ask));
        }
    });
    let ids = crate::value::identifiers(doc, of.node);
    let ids = ids
        .and_then(|ids| ids.as_array().cloned())
        .unwrap_or_default();
    doc.change(url, "identifier", |order| {
        if let Value::Array(all) = order.entry("identifier").or_insert_with(|| json!([])) {
            let fresh: Vec<Value> = ids.into_iter().filter(|id| !all.contains(id)).collect();
            all.extend(fresh);
            if all.is_empty() {
                order.remove("identifier");
            }
        }
    });
    let how = directions(doc, of.node);
    let put = |name: &'static str, value: Option<Value>| match value {
        Some(value) if !doc.has(url, name) => doc.change(url, name, |order| {
            order.insert(name.into(), value);
        }),
        _ => doc.account.let_go(),
    };
    put("dosageInstruction", how);
    put("performer", doer.map(|url| reference(&url)));
    put(
        "requester",
        own_author(doc, of.node).map(|url| reference(&url)),
    );
    match recorded(doc, of.node) {
        Some(at) if !doc.has(url, "authoredOn") => doc.change(url, "authoredOn", |order| {
            time::put_in(order, "authoredOn", Some(at));
        }),
        _ => doc.account.let_go(),
    }
    doc.account.take_again(mark);
    let _ = inside(doc, of, Some(url));
    true
}

fn medicine<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    product: &Product,
    from: Option<(&'static str, &str)>,
    held: Vec<crate::account::Taken>,
) -> Result<Made, Because> {
    let node = of.node;
    let kind = if of.mood() == Mood::Event {
        "MedicationDispense"
    } else {
        "MedicationRequest"
    };
    let mut out = Resource::of(kind, of, doc)?;
    doc.account.take_again(held);
    product.clone().put(doc, &mut out);
    common(doc, of, &mut out);
    let state = super::status(doc, of);
    if kind == "MedicationDispense" {
        out.put_status(doc, status::dispense(state), "declined");
        out.put(
            doc,
            "quantity",
            child(node, "quantity").and_then(|many| quantity::quantity(doc, many)),
        );
        let handed = child(node, "effectiveTime")
            .and_then(|when| time::moment(doc, when).or_else(|| time::start(doc, when)));
        time::put_at(&mut out, doc, "whenHandedOver", handed);
        let doers = people::performers(doc, node)
            .into_iter()
            .map(|(url, _)| json!({"actor": reference(&url)}));
        out.put(doc, "performer", list(doers.collect()));
        match from {
            Some(("MedicationRequest", url)) => out
                .body
                .insert("authorizingPrescription".into(), json!([reference(url)])),
            Some((_, url)) => out
                .body
                .insert("supportingInformation".into(), json!([reference(url)])),
            None => None,
        };
        let url = out.add(doc)?;
        let _ = inside(doc, of, Some(&url));
        if let Some(which) = child(node, "repeatNumber") {
            doc.account.because(
                which,
                Fate::Lost("a dispense has no place for which of several it is"),
            );
        }
        return Ok(Some((kind, url)));
    }
    out.put(doc, "status", Some(status::order(state)));
    out.body.insert("intent".into(), "order".into());
    if out.is_denied() {
        out.denied(doc, "doNotPerform", true);
    }
    let (ask, doer) = request(doc, of);
    out.put(
        doc,
        "dispenseRequest",
        (!ask.is_empty()).then_some(Value::Object(ask)),
    );
    if let Some(url) = doer {
        out.body.insert("performer".into(), reference(&url));
    }
    let at = recorded(doc, node);
    time::put_at(&mut out, doc, "authoredOn", at);
    out.put(
        doc,
        "requester",
        own_author(doc, node).map(|url| reference(&url)),
    );
    out.put(doc, "dosageInstruction", directions(doc, node));
    match from {
        Some(("MedicationRequest", url)) => {
            out.body.insert("basedOn".into(), json!([reference(url)]))
        }
        // What is taken says what it was ordered for, and not that it was taken by that order.
        Some((_, url)) => out
            .body
            .insert("supportingInformation".into(), json!([reference(url)])),
        None => None,
    };
    let url = out.add(doc)?;
    let _ = inside(doc, of, Some(&url));
    Ok(Some((kind, url)))
}

/// How a medicine is to be taken, as an order says it: in its own words, and to the patient.
fn directions<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<Value> {
    let own = dosage::own_directions(doc, node);
    let mut out = Map::new();
    put(&mut out, "text", own);
    put(&mut out, "patientInstruction", instructions(doc, node));
    (!out.is_empty()).then(|| json!([out]))
}

/// What an order says of how it shall be supplied, and the person who shall do it.
fn request<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> (Map, Option<String>) {
    let node = of.node;
    let mut ask = Map::new();
    let span = child(node, "effectiveTime");
    let valid = span.and_then(|when| time::period_within(doc, when));
    put(&mut ask, "validityPeriod", valid);
    let more = child(node, "repeatNumber")
        .map(|one| child(one, "high").unwrap_or(one))
        .and_then(|one| quantity::whole(doc, one));
    // The source counts all fills, FHIR those after the first.
    let more = more.map(|fills| fills.saturating_sub(1));
    put(&mut ask, "numberOfRepeatsAllowed", more);
    put(
        &mut ask,
        "quantity",
        child(node, "quantity").and_then(|many| quantity::quantity(doc, many)),
    );
    let doer = people::performers(doc, node)
        .into_iter()
        .next()
        .map(|(url, _)| url);
    let house = doer
        .as_ref()
        .is_some_and(|url| doc.is_of(url, &["Organization"]));
    put(
        &mut ask,
        "performer",
        doer.as_ref().filter(|_| house).map(|url| reference(url)),
    );
    (ask, doer.filter(|_| !house))
}

/// A device or another thing that is no medicine.
fn thing<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    named: Option<Value>,
    held: Vec<crate::account::Taken>,
) -> Result<Made, Because> {
    let node = of.node;
    if of.is_denied() {
        return Err("the source denies it, and FHIR has no form for that here");
    }
    let tool = children(node, "participant").find_map(|part| device::of_participant(doc, of, part));
    let of_tool = doc.account.put();
    let code = named.or_else(|| child(node, "code").and_then(|code| code::concept(doc, code)));
    let named = [held, doc.account.put()].concat();
    // Of what sort a thing is that has a device is said of the device, which may say it itself.
    let more = match (&tool, &code) {
        (Some(tool), Some(code)) => {
            device::is_of_sort(doc, tool, code, named);
            of_tool
        }
        _ => [of_tool, named].concat(),
    };
    if tool.is_none() && code.is_none() {
        return Err("it does not say what was supplied");
    }
    let state = super::status(doc, of);
    if of.mood() == Mood::Event {
        if let Some(tool) = tool {
            let mut out = Resource::of("DeviceUseStatement", of, doc)?;
            doc.account.take_again(more);
            out.put(doc, "device", Some(reference(&tool)));
            common(doc, of, &mut out);
            let span = child(node, "effectiveTime");
            // That the supply is completed says that the thing was handed over, and not that it is no longer used.
            let state = match state {
                Some("nullified") => "entered-in-error",
                Some("aborted" | "cancelled") => "stopped",
                Some("suspended" | "held") => "on-hold",
                _ => "active",
            };
            out.put(doc, "status", Some(state));
            // When it was supplied: the patient has it since then. When the supply ended says nothing of the use.
            let since =
                span.and_then(|when| time::start(doc, when).or_else(|| time::moment(doc, when)));
            out.put(doc, "timingPeriod", since.map(time::from));
            let supplied = span
                .filter(|when| time::has_end(*when))
                .and_then(|when| time::period(doc, when));
            let supplied = supplied.map(|span| json!({"url": SUPPLIED, "valuePeriod": span}));
            out.push(doc, "extension", supplied);
            let many = child(node, "quantity").and_then(|many| quantity::quantity(doc, many));
            let many = many.map(|many| json!({"url": QUANTITY, "valueQuantity": many}));
            out.push(doc, "extension", many);
            let at = recorded(doc, node);
            time::put_at(&mut out, doc, "recordedOn", at);
            let url = out.add(doc)?;
            let _ = inside(doc, of, Some(&url));
            return Ok(Some(("DeviceUseStatement", url)));
        }
        let mut out = Resource::of("SupplyDelivery", of, doc)?;
        out.body.remove("subject");
        out.body.insert("patient".into(), reference(&doc.patient()));
        doc.account.take_again(more);
        let mut item = Map::new();
        put(
            &mut item,
            "quantity",
            child(node, "quantity").and_then(|many| quantity::quantity(doc, many)),
        );
        put(&mut item, "itemCodeableConcept", code);
        out.put(doc, "suppliedItem", Some(Value::Object(item)));
        out.put(doc, "identifier", crate::value::identifiers(doc, node));
        let state = match state {
            Some("completed") => "completed",
            Some("nullified") => "entered-in-error",
            Some("aborted" | "cancelled") => "abandoned",
            _ => "in-progress",
        };
        out.put(doc, "status", Some(state));
        time::put_time(
            &mut out,
            doc,
            "occurrenceDateTime",
            "occurrencePeriod",
            child(node, "effectiveTime"),
        );
        let url = out.add(doc)?;
        let _ = inside(doc, of, Some(&url));
        return Ok(Some(("SupplyDelivery", url)));
    }
    let mut out = Resource::of("DeviceRequest", of, doc)?;
    doc.account.take_again(more);
    match (tool, code) {
        (Some(tool), _) => out.put(doc, "codeReference", Some(reference(&tool))),
        (None, code) => out.put(doc, "codeCodeableConcept", code),
    };
    common(doc, of, &mut out);
    out.put(doc, "status", Some(status::request(state)));
    out.body.insert("intent".into(), of.mood().intent().into());
    time::put_time(
        &mut out,
        doc,
        "occurrenceDateTime",
        "occurrencePeriod",
        child(node, "effectiveTime"),
    );
    let many = child(node, "quantity").and_then(|many| quantity::quantity(doc, many));
    let many = many.map(|many| json!([{"code": {"text": "quantity"}, "valueQuantity": many}]));
    out.put(doc, "parameter", many);
    let at = recorded(doc, node);
    time::put_at(&mut out, doc, "authoredOn", at);
    out.put(
        doc,
        "requester",
        own_author(doc, node).map(|url| reference(&url)),
    );
    let url = out.add(doc)?;
    let _ = inside(doc, of, Some(&url));
    Ok(Some(("DeviceRequest", url)))
}
