//! Medicines: taken or given (`MedicationStatement`, `MedicationAdministration`) and ordered (`MedicationRequest`), by the mood.

pub(crate) mod none;
mod state;

use medibloc_record::json::{Map, Value};

use crate::{
    account::Because,
    codes::status,
    context::{Mood, Statement},
    doc::{Doc, key_of, reference},
    json::json,
    people,
    resource::Resource,
    statement::{Made, common, dosage, inside, own_author, reasons, recorded, supply, why_not},
    value::{self, absent, code, list, name, put, quantity, schedule, time},
    xml::{N, attr, child, children},
};

/// Medicines given during a stay, not taken at home.
const GIVEN: &[&str] = &["29549-3"];

/// The product: code or name, and a `Medication` where more than that is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) concept: Value,
    pub(crate) url: Option<String>,
    /// Its numbers, if it is no resource that could have them.
    ids: Option<Value>,
}

/// Numbers of a product of which nothing else is known than what it is.
const PRODUCT_ID: &str = "https://medibloc.org/fhir/StructureDefinition/product-identifier";

/// What a product is called beside its code.
const PRODUCT_NAME: &str = "https://medibloc.org/fhir/StructureDefinition/product-name";

impl Product {
    /// One of which the source says at most what it is.
    pub(crate) fn named(concept: Value) -> Self {
        Self {
            concept,
            url: None,
            ids: None,
        }
    }

    /// Whether another one can be the same: by its code, or by its name where one has no code.
    pub(crate) fn is_that(&self, other: &Self) -> bool {
        let codes = |one: &Self| {
            one.concept["coding"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        };
        let (own, others) = (codes(self), codes(other));
        let same = |a: &Value, b: &Value| a["code"] == b["code"] && a["system"] == b["system"];
        if own.is_empty() || others.is_empty() {
            return self.concept["text"] == other.concept["text"];
        }
        own.iter().any(|a| others.iter().any(|b| same(a, b)))
    }

    /// Puts it under `medication[x]`.
    pub(crate) fn put<'d>(self, doc: &Doc<'d>, out: &mut Resource<'d>) {
        match self.url {
            Some(url) => out.put(doc, "medicationReference", Some(reference(&url))),
            None => out.put(doc, "medicationCodeableConcept", Some(self.concept)),
        };
        let Some(Value::Array(ids)) = self.ids else {
            return;
        };
        for id in ids {
            let id = json!({"url": PRODUCT_ID, "valueIdentifier": id});
            out.push(doc, "extension", Some(id));
        }
    }
}

/// The product of a statement; none if the source names none.
pub(crate) fn product<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<Product> {
    let part = child(node, "consumable").or_else(|| child(node, "product"))?;
    let made = child(part, "manufacturedProduct")?;
    let thing =
        child(made, "manufacturedMaterial").or_else(|| child(made, "manufacturedLabeledDrug"));
    let concept = thing.and_then(|thing| concept(doc, thing));
    let concept = match concept {
        Some(concept) => concept,
        // Some say what it is by a code of the whole statement or in words alone.
        None => json!({"text": super::text::text_of(doc, made)?}),
    };
    let named = doc.account.put();
    let lot = thing
        .and_then(|thing| child(thing, "lotNumberText"))
        .and_then(|lot| {
            let words = crate::xml::text(lot)?;
            doc.account.take(lot);
            Some(words)
        });
    let of_lot = doc.account.put();
    let maker =
        child(made, "manufacturerOrganization").and_then(|maker| people::organization(doc, maker));
    let ids = value::identifiers(doc, made);
    let numbered = doc.account.put();
    // The form, where it is not what a number without unit counts (C-CDA on FHIR, medications).
    let form = child(node, "administrationUnitCode").filter(|_| !dosage::counts_units(node));
    // Some say it of the product itself (IHE's pharmacy documents).
    let form = form.or_else(|| child(thing?, "formCode"));
    let form = form.and_then(|form| code::concept(doc, form));
    let formed = doc.account.put();
    let vehicles = list(vehicles(doc, node));
    if lot.is_none() && maker.is_none() && form.is_none() && vehicles.is_none() {
        doc.account.take_again([named, numbered].concat());
        return Some(Product {
            concept,
            url: None,
            ids,
        });
    }
    let in_it = doc.account.put();
    let mut out = Resource::plain("Medication", Some(made));
    doc.account.take_again(numbered);
    out.put(doc, "identifier", ids);
    doc.account.take_again(named);
    out.put(doc, "code", Some(concept.clone()));
    out.put(doc, "manufacturer", maker.map(|url| reference(&url)));
    doc.account.take_again(formed);
    out.put(doc, "form", form);
    doc.account.take_again(in_it);
    out.put(doc, "ingredient", vehicles);
    doc.account.take_again(of_lot);
    out.put(doc, "batch", lot.map(|lot| json!({"lotNumber": lot})));
    let [batch, form, vehicle] = ["batch", "form", "ingredient"].map(|key| out.body.get(key));
    let key = format!(
        "{:?}|{concept}|{batch:?}|{form:?}|{vehicle:?}",
        key_of(made)
    );
    let url = out.join(doc, Some(key));
    Some(Product {
        concept,
        url: Some(url),
        ids: None,
    })
}

/// Code of a material, its translations, and its name.
pub(crate) fn concept(doc: &Doc<'_>, thing: N<'_>) -> Option<Value> {
    let coded = child(thing, "code");
    let code = coded.and_then(|code| code::concept(doc, code));
    let words = name::words(doc, thing);
    // Words for a code that is not known say that it is not known; the name says what it is.
    let is_unknown = coded.is_some_and(|code| attr(code, "nullFlavor").is_some());
    match (code, words) {
        (Some(Value::Object(mut code)), words) => {
            if !code.contains_key("text") || is_unknown && words.is_some() {
                put(&mut code, "text", words);
            } else if let Some(words) = words.filter(|words| !is_name_of(&code, words)) {
                // What it is sold as, beside what it is.
                let named = json!({"url": PRODUCT_NAME, "valueString": words});
                push_extension(&mut code, named);
            }
            Some(Value::Object(code))
        }
        (_, Some(words)) => Some(json!({"text": words})),
        _ => None,
    }
}

/// Whether a code has this name already.
fn is_name_of(code: &Map, words: &str) -> bool {
    let is_it = |name: Option<&Value>| {
        let name = name.and_then(Value::as_str).map(str::to_lowercase);
        name.is_some_and(|name| name == words.to_lowercase())
    };
    let codings = code.get("coding").and_then(Value::as_array);
    let mut codings = codings.into_iter().flatten();
    is_it(code.get("text")) || codings.any(|one| is_it(one.get("display")))
}

fn push_extension(code: &mut Map, extension: Value) {
    if let Value::Array(all) = code.entry("extension").or_insert_with(|| json!([])) {
        all.push(extension);
    }
}

/// What a medicine is called in the row of a table that tells of it, and not when it was taken.
fn in_table<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<String> {
    const HEADINGS: &[&str] = &[
        "medication",
        "medications",
        "medication name",
        "medicine",
        "drug",
        "drug name",
        "medikament",
        "arzneimittel",
        "wirkstoff",
    ];
    let own = of.child("text")?;
    let name = super::text::cell(doc, own, HEADINGS)?;
    doc.account.take(own);
    if let Some(pointer) = child(own, "reference") {
        doc.account.take(pointer);
    }
    Some(name)
}

fn product_or_absent<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Product {
    product(doc, of.node).unwrap_or_else(|| {
        let words = in_table(doc, of).or_else(|| super::text::text_of(doc, of.node));
        let words = words.filter(|words| !words.is_empty());
        let words = words.map(|words| json!({"text": words}));
        Product::named(words.unwrap_or_else(|| absent(child(of.node, "consumable"))))
    })
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    none::refuse(doc, of)?;
    let kind = match of.mood() {
        Mood::Event if GIVEN.contains(&of.context.section) => "MedicationAdministration",
        Mood::Event => "MedicationStatement",
        _ => "MedicationRequest",
    };
    let product = product_or_absent(doc, of);
    let taken = doc.account.put();
    let mut out = Resource::of(kind, of, doc)?;
    doc.account.take_again(taken);
    product.clone().put(doc, &mut out);
    common(doc, of, &mut out);
    // That it is medicine or a vaccine is what the kind of the resource says.
    out.says(doc, child(of.node, "code"));
    let state = super::status(doc, of);
    match kind {
        "MedicationAdministration" => given(doc, of, state, &mut out),
        "MedicationStatement" => taken_by(doc, of, state, &mut out),
        _ => ordered(doc, of, state, &mut out),
    }
    let url = out.add(doc)?;
    for part in children(of.node, "performer") {
        doc.account.because(part, crate::account::Fate::Lost("what is said of a medicine has no place for further people who prescribe or give it"));
    }
    for (_, inner) in of.related() {
        if inner.name() == "supply" && !supply::is_of_order(doc, &inner, &product, (kind, &url)) {
            let _ = supply::of_medicine(doc, &inner, &product, (kind, &url));
        }
    }
    let _ = inside(doc, of, Some(&url));
    Ok(Some((kind, url)))
}

fn taken_by<'d>(doc: &Doc<'d>, of: &Statement<'d>, state: Option<&str>, out: &mut Resource<'d>) {
    let node = of.node;
    let status_taken = doc.account.put();
    let schedule = schedule::schedule(doc, node);
    let taken = doc.account.put();
    doc.account.take_again(status_taken);
    let is_denied = out.is_denied();
    let may_be_said = !is_denied && state::may_be_said(state);
    let said = may_be_said.then(|| state::said(doc, node)).flatten();
    let said = said.unwrap_or(status::statement(state));
    out.put_status(doc, said, "not-taken");
    if is_denied && out.is_not_done() {
        out.put(
            doc,
            "statusReason",
            why_not(doc, of).map(|why| json!([why])),
        );
    }
    doc.account.take_again(taken);
    match (&schedule.at, &schedule.bounds) {
        (Some(at), None) if schedule.repeat.is_empty() => {
            time::put_at(out, doc, "effectiveDateTime", Some(at.clone()));
        }
        (_, Some(bounds)) => {
            out.put(doc, "effectivePeriod", Some(bounds.clone()));
        }
        (Some(at), None) => {
            out.put(doc, "effectivePeriod", Some(schedule.span(at)));
        }
        _ => {}
    }
    let times_taken = doc.account.put();
    let told = recorded(doc, node);
    time::put_at(out, doc, "dateAsserted", told);
    // Whoever wrote it down need not be who told it: the author is in its provenance (C-CDA on FHIR, medications).
    let teller = children(node, "informant").find_map(|one| people::informant(doc, one));
    out.put(doc, "informationSource", teller.map(|url| reference(&url)));
    out.put(doc, "reasonCode", reasons(doc, of));
    let how = dosage::dosage(doc, of, false);
    let mut how = how
        .and_then(|how| how.as_object().cloned())
        .unwrap_or_default();
    let times = schedule::Schedule {
        bounds: None,
        at: None,
        ends: false,
        repeat: schedule.repeat,
        code: schedule.code,
        rest: false,
    };
    put(&mut how, "timing", times.timing());
    doc.account.take_again(times_taken);
    out.put(doc, "dosage", (!how.is_empty()).then(|| json!([how])));
}

fn given<'d>(doc: &Doc<'d>, of: &Statement<'d>, state: Option<&str>, out: &mut Resource<'d>) {
    let node = of.node;
    let is_denied = out.is_denied();
    out.put_status(doc, status::dispense(state), "not-done");
    if is_denied && out.is_not_done() {
        out.put(
            doc,
            "statusReason",
            why_not(doc, of).map(|why| json!([why])),
        );
    }
    // One moment or one span; the times of a plan that was followed stay in words.
    let first = child(node, "effectiveTime");
    if !time::put_time(out, doc, "effectiveDateTime", "effectivePeriod", first) {
        out.body.insert("_effectiveDateTime".into(), absent(first));
    }
    let doers = people::performers(doc, node)
        .into_iter()
        .map(|(url, _)| json!({"actor": reference(&people::in_person(doc, url))}));
    out.put(doc, "performer", list(doers.collect()));
    out.put(doc, "reasonCode", reasons(doc, of));
    let Some(Value::Object(mut how)) = dosage::dosage(doc, of, false) else {
        return;
    };
    let mut one = Map::new();
    for key in ["extension", "text", "site", "route", "method"] {
        if let Some(value) = how.remove(key) {
            one.insert(key.into(), value);
        }
    }
    let amount = how
        .get("doseAndRate")
        .and_then(|all| all.as_array()?.first())
        .cloned()
        .unwrap_or_default();
    put(&mut one, "dose", amount.get("doseQuantity").cloned());
    put(
        &mut one,
        "rateQuantity",
        amount.get("rateQuantity").cloned(),
    );
    // `mad-1`: a dosage has a dose or a rate.
    let has_amount = one.contains_key("dose") || one.contains_key("rateQuantity");
    if !has_amount && !one.is_empty() {
        one.insert("dose".into(), absent(child(node, "doseQuantity")));
    }
    out.put(
        doc,
        "dosage",
        (!one.is_empty()).then_some(Value::Object(one)),
    );
}

fn ordered<'d>(doc: &Doc<'d>, of: &Statement<'d>, state: Option<&str>, out: &mut Resource<'d>) {
    let node = of.node;
    let may_be_said = !out.is_denied() && state::may_be_said(state);
    let said = may_be_said.then(|| state::said(doc, node)).flatten();
    out.put(doc, "status", Some(said.unwrap_or(status::order(state))));
    out.body.insert("intent".into(), intent(of).into());
    if out.is_denied() {
        out.denied(doc, "doNotPerform", true);
        out.put(doc, "statusReason", why_not(doc, of));
    }
    let haste = child(node, "priorityCode").and_then(|code| {
        code::mapped(doc, code, |code| match code {
            "R" => Some("routine"),
            "UR" => Some("urgent"),
            "A" => Some("asap"),
            "S" | "STAT" => Some("stat"),
            _ => None,
        })
    });
    out.put(doc, "priority", haste);
    let at = recorded(doc, node);
    time::put_at(out, doc, "authoredOn", at);
    out.put(
        doc,
        "requester",
        own_author(doc, node).map(|url| reference(&url)),
    );
    let doer = people::performers(doc, node).into_iter().next();
    out.put(doc, "performer", doer.map(|(url, _)| reference(&url)));
    out.put(doc, "reasonCode", reasons(doc, of));
    let mut how = dosage::dosage(doc, of, true);
    // How often it is to be taken in all (C-CDA 2.1, Medication Activity); how often it is to be handed out is the supply's.
    let many = child(node, "repeatNumber").map(|one| child(one, "high").unwrap_or(one));
    if let Some(many) = many
        .and_then(|one| quantity::whole(doc, one))
        .filter(|many| *many > 0)
    {
        let how = how.get_or_insert_with(|| json!({}));
        how["timing"]["repeat"]["count"] = many.into();
    }
    out.put(doc, "dosageInstruction", how.map(|how| json!([how])));
}

/// What an order of that mood is: a medication activity that somebody means to happen is prescribed (C-CDA on FHIR,
/// `CF-MedActivityMood`); one that stands in a plan is planned.
fn intent(of: &Statement<'_>) -> &'static str {
    const PLANNED: &[&str] = &[
        "2.16.840.1.113883.10.20.22.4.42",
        "2.16.840.1.113883.10.20.22.4.120",
    ];
    const PLANS: &[&str] = &["18776-5", "61146-7"];
    let is_plan = of.has(PLANNED) || PLANS.contains(&of.context.section);
    match of.mood() {
        Mood::Order => "order",
        Mood::Intent if !is_plan => "order",
        Mood::Proposal => "proposal",
        _ => "plan",
    }
}

/// What it is dissolved in (`CSM` of the vehicle): an ingredient that does not act (C-CDA on FHIR, medications).
fn vehicles<'d>(doc: &Doc<'d>, node: N<'d>) -> Vec<Value> {
    const VEHICLE: &[&str] = &["2.16.840.1.113883.10.20.22.4.24"];
    let mut all = Vec::new();
    for part in children(node, "participant") {
        let role =
            child(part, "participantRole").filter(|role| crate::xml::has_template(*role, VEHICLE));
        let Some((role, entity)) =
            role.and_then(|role| Some((role, child(role, "playingEntity")?)))
        else {
            continue;
        };
        let Some(what) = concept(doc, entity) else {
            continue;
        };
        doc.account.take(part);
        if let Some(code) = child(role, "code") {
            doc.account.take(code);
        }
        all.push(json!({"itemCodeableConcept": what, "isActive": false}));
    }
    all
}
