//! How a medicine is taken: `Dosage`.

use medibloc_record::json::{Map, Value};

use crate::{
    context::Statement,
    doc::Doc,
    json::json,
    statement::{INSTRUCTION, instructions, shape, take_shell, unknown},
    value::{code, list, put, quantity, schedule, text},
    xml::{N, attr, child, has_template, related_by, squeeze},
};

const FREE_TEXT: &[&str] = &["2.16.840.1.113883.10.20.22.4.147"];
/// LOINC: instructions for a medicine.
const DIRECTIONS: &[&str] = &["76662-6"];

/// Whether it says in words how a medicine is taken, and names none itself: it is no medicine.
pub(crate) fn is_sig(node: N<'_>) -> bool {
    node.tag_name().name() == "substanceAdministration"
        && (has_template(node, FREE_TEXT) || shape::is_coded(node, DIRECTIONS))
        && !child(node, "consumable").is_some_and(shape::is_said)
}

/// One `Dosage`, or none if the source says nothing of how it is taken. Whether the times are told by it is the second.
pub(crate) fn dosage<'d>(doc: &Doc<'d>, of: &Statement<'d>, with_times: bool) -> Option<Value> {
    let node = of.node;
    let mut out = Map::new();
    put(&mut out, "sequence", step(doc, node));
    let sigs = crate::xml::related(node).map(|(_, inner)| inner);
    let words = sigs.filter(|inner| is_sig(*inner)).find_map(|inner| {
        let words = text::text_of(doc, inner)?;
        doc.account.take(inner);
        if let Some(code) = child(inner, "code") {
            doc.account.take(code);
        }
        Some(words)
    });
    // The narrative's words may be all that is said of a medicine; those of the entry are directions, and those of a column for them.
    let words = words.or_else(|| {
        let own = child(node, "text")?;
        own_directions(doc, node).or_else(|| in_table(doc, own))
    });
    put(&mut out, "text", words);
    let spoken = related_by(node, INSTRUCTION).filter(|inner| !unknown::is_mute(doc, *inner));
    let coded = spoken.filter_map(|inner| {
        let code = child(inner, "code").filter(|code| code::known(*code).is_some())?;
        let shown = code::concept(doc, code)?;
        take_shell(doc, inner);
        Some(shown)
    });
    let coded = coded.collect();
    put(&mut out, "additionalInstruction", list(coded));
    put(&mut out, "patientInstruction", instructions(doc, node));
    if with_times {
        put(&mut out, "timing", schedule::schedule(doc, node).timing());
    }
    if let Some(need) = child(node, "precondition") {
        as_needed(doc, need, &mut out);
    }
    let prn = child(node, "priorityCode").filter(|code| attr(*code, "code") == Some("PRN"));
    if let Some(prn) = prn {
        doc.account.take(prn);
        if !out.contains_key("asNeededCodeableConcept") {
            out.insert("asNeededBoolean".into(), true.into());
        }
    }
    let mut sites = sites(doc, node);
    put(&mut out, "site", sites.next());
    put(
        &mut out,
        "extension",
        list(sites.map(further_site).collect()),
    );
    put(
        &mut out,
        "route",
        child(node, "routeCode").and_then(|route| code::concept(doc, route)),
    );
    put(
        &mut out,
        "method",
        child(node, "methodCode").and_then(|way| code::concept(doc, way)),
    );
    let mut amount = Map::new();
    if let Some(dose) = child(node, "doseQuantity") {
        put_amount(doc, dose, "doseQuantity", "doseRange", &mut amount);
        // What is counted where no unit is printed.
        if let Some(Value::Object(dose)) = amount.get_mut("doseQuantity")
            && counts_units(node)
            && let Some(form) = child(node, "administrationUnitCode")
            && let Some(name) = attr(form, "displayName")
        {
            doc.account.take(form);
            dose.insert("unit".into(), name.to_owned().into());
            if let (Some(code), Some(system)) = (
                attr(form, "code"),
                attr(form, "codeSystem").and_then(crate::codes::system),
            ) {
                dose.insert("system".into(), system.into());
                dose.insert("code".into(), code.to_owned().into());
            }
        }
    }
    if let Some(rate) = child(node, "rateQuantity") {
        put_amount(doc, rate, "rateQuantity", "rateRange", &mut amount);
    }
    if !amount.is_empty() {
        out.insert("doseAndRate".into(), json!([amount]));
    }
    if let Some(most) = child(node, "maxDoseQuantity") {
        match quantity::ratio(doc, most) {
            Some(ratio) => put(&mut out, "maxDosePerPeriod", Some(ratio)),
            None => put(
                &mut out,
                "maxDosePerAdministration",
                quantity::quantity(doc, most),
            ),
        }
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

/// Directions in the words of a statement itself: words that are the name of the medicine, or its beginning, are none.
pub(crate) fn own_directions<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<String> {
    let mark = doc.account.mark();
    let words = text::own_words(doc, child(node, "text")?)?;
    if !is_name(doc, node, &words) {
        return Some(words);
    }
    doc.account.drop_to(mark);
    None
}

/// Whether words are a name of the product of a statement, or of the one around it, or the beginning of one.
fn is_name(doc: &Doc<'_>, node: N<'_>, words: &str) -> bool {
    let words = words.to_lowercase();
    let product = |one| child(one, "consumable").or_else(|| child(one, "product"));
    let Some(product) = node.ancestors().find_map(product) else {
        return false;
    };
    let is_it = |name: String| {
        let name = name.to_lowercase();
        let rest = name.strip_prefix(&*words);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    product.descendants().filter(N::is_element).any(|one| {
        let pointed = || doc.words_at(attr(one, "value")?);
        match one.tag_name().name() {
            "code" | "translation" => attr(one, "displayName").map(squeeze).is_some_and(is_it),
            "name" | "originalText" => crate::xml::text(one).is_some_and(is_it),
            "reference" => pointed().is_some_and(|name| is_it(name.to_string())),
            _ => false,
        }
    })
}

/// Directions in the cell for them of the table that tells of a medicine.
fn in_table<'d>(doc: &Doc<'d>, own: N<'d>) -> Option<String> {
    const HEADINGS: &[&str] = &["directions", "directions for use", "instructions", "sig"];
    let words = text::own_cell(doc, own, HEADINGS)?;
    doc.account.take(own);
    if let Some(pointer) = child(own, "reference") {
        doc.account.take(pointer);
    }
    Some(words)
}

/// Which step of the regimen around it this is.
fn step(doc: &Doc<'_>, node: N<'_>) -> Option<u32> {
    let link = node.parent_element()?;
    let around = link.parent_element()?;
    let is_step = attr(link, "typeCode") == Some("COMP")
        && around.tag_name().name() == "substanceAdministration";
    quantity::whole(doc, child(link, "sequenceNumber").filter(|_| is_step)?)
}

/// Where it was given or is to be given; FHIR has a place for one.
pub(crate) fn sites<'d>(doc: &Doc<'d>, node: N<'d>) -> impl Iterator<Item = Value> {
    let all = code::concepts(doc, node, "approachSiteCode");
    let all = all.and_then(|all| all.as_array().cloned());
    all.unwrap_or_default().into_iter()
}

/// One more place where it was given or is to be given.
pub(crate) fn further_site(site: Value) -> Value {
    json!({
        "url": "https://medibloc.org/fhir/StructureDefinition/further-site",
        "valueCodeableConcept": site,
    })
}

/// Whether the dose is a number of what `administrationUnitCode` says.
pub(crate) fn counts_units(node: N<'_>) -> bool {
    child(node, "doseQuantity").is_some_and(|dose| {
        attr(dose, "value").is_some() && attr(dose, "unit").is_none_or(|unit| unit == "1")
    })
}

fn put_amount(doc: &Doc<'_>, node: N<'_>, exact: &'static str, range: &'static str, out: &mut Map) {
    if quantity::is_range(node) {
        put(out, range, quantity::range(doc, node));
    } else {
        // A dose has no comparator: one end alone is a range with one end.
        let center = || quantity::quantity(doc, child(node, "center")?);
        match quantity::quantity(doc, node).or_else(center) {
            Some(amount) => put(out, exact, Some(amount)),
            None => put(out, range, quantity::range(doc, node)),
        }
    }
}

/// "As needed", and for what.
fn as_needed(doc: &Doc<'_>, node: N<'_>, out: &mut Map) {
    let Some(need) = child(node, "criterion") else {
        return;
    };
    let said = child(need, "value").and_then(|value| code::concept(doc, value));
    let said = said.or_else(|| {
        let words = child(need, "text").and_then(|text| text::words(doc, text))?;
        Some(json!({"text": words}))
    });
    let code = child(need, "code").filter(|code| attr(*code, "code") != Some("ASSERTION"));
    let said = said.or_else(|| code.and_then(|code| code::concept(doc, code)));
    match said {
        Some(said) => {
            if let Some(code) = child(need, "code") {
                doc.account.take(code);
            }
            out.insert("asNeededCodeableConcept".into(), said);
        }
        None => {
            out.insert("asNeededBoolean".into(), true.into());
        }
    }
}
