//! What stands inside a statement: resources of their own, linked to that of the statement by the element that FHIR has for it.

mod progress;
mod purpose;
pub(crate) mod visit;

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Facet, Fate},
    context::Statement,
    doc::{Doc, key_of, reference},
    json::json,
    statement::convert,
    xml::{N, attr, child, children},
};

const ELSEWHERE: Because = "it names a statement that stands elsewhere in the document";
const OUTSIDE: Because = "it names a statement that the document does not have";

/// A problem that stands in what was done, and is not called the reason for it: FHIR has no other element for it.
const PROBLEM: &str = "https://medibloc.org/fhir/StructureDefinition/related-problem";

/// Stands for the resource around what a health concern names: it has none of its own.
pub(crate) const HEALTH_CONCERN: &str = "health-concern";

pub(crate) const US_CORE: &str = "http://hl7.org/fhir/us/core/CodeSystem/condition-category";

/// What stood inside a statement and became a resource of its own.
#[derive(Debug)]
pub(crate) struct Inside<'d> {
    /// `typeCode` of the relation.
    pub(crate) relation: String,
    pub(crate) kind: &'static str,
    pub(crate) url: String,
    /// The statement itself, behind a concern about it.
    pub(crate) node: N<'d>,
    /// Whether it stands elsewhere in the document and is only named here.
    is_named: bool,
    /// Whether the relation is told from its other end.
    is_inverted: bool,
}

fn is_inverted(link: N<'_>) -> bool {
    crate::xml::flag(link, "inversionInd") == Some(true)
}

/// Whether a statement supports the one around it.
pub(crate) fn is_support(node: N<'_>) -> bool {
    let link = node.parent_element();
    link.is_some_and(|link| attr(link, "typeCode") == Some("SPRT") && !is_inverted(link))
}

/// Converts what stands inside a statement and no mapping took, and links it to the resource around it.
pub(crate) fn inside<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    around: Option<&str>,
) -> Vec<Inside<'d>> {
    let mut all = Vec::new();
    for (link, inner) in of.related() {
        if matches!(
            doc.account.fate(inner.node, Facet::Itself),
            Some(Fate::Carried { .. })
        ) {
            continue;
        }
        let relation = attr(link, "typeCode").unwrap_or("COMP");
        if points_elsewhere(doc, &inner) {
            if let Some(around) = around {
                doc.point(around, relation, inner.node);
            }
            // A concern that is about something itself is one about what it names, too.
            if of.has(super::HEALTH_CONCERN) && around != Some(HEALTH_CONCERN) {
                doc.point(HEALTH_CONCERN, relation, inner.node);
            }
            let is_here = key_of(inner.node).is_some_and(|key| doc.is_told(&key));
            let why = if is_here { ELSEWHERE } else { OUTSIDE };
            doc.account.because(inner.node, Fate::Lost(why));
            continue;
        }
        if let Some(around) = around
            && super::imaging::derived(doc, &inner, around)
        {
            continue;
        }
        if let Some(around) = around
            && doc.account.aside(|| visit::by_number(doc, around, &inner))
        {
            continue;
        }
        match convert(doc, &inner) {
            Ok(Some((kind, url))) => {
                // A concern may be about several things.
                let every = doc
                    .concerned(&url)
                    .unwrap_or_else(|| vec![(url, inner.node)]);
                for (url, node) in every
                    .into_iter()
                    .filter(|(url, _)| Some(url.as_str()) != around)
                {
                    let one = Inside {
                        relation: relation.to_owned(),
                        kind,
                        url,
                        node,
                        is_named: false,
                        is_inverted: is_inverted(link),
                    };
                    if let Some(around) = around {
                        doc.account.aside(|| relate(doc, around, &one));
                    }
                    all.push(one);
                }
            }
            Ok(None) => {}
            Err(because) => doc.account.because(inner.node, Fate::Lost(because)),
        }
    }
    all
}

/// Whether a statement only names another one of the document.
fn points_elsewhere(doc: &Doc<'_>, of: &Statement<'_>) -> bool {
    const POINTER: &[&str] = &["2.16.840.1.113883.10.20.22.4.122"];
    of.has(POINTER) || is_bare(of.node) && key_of(of.node).is_some_and(|key| doc.is_told(&key))
}

/// Whether a statement says nothing but which one it is.
pub(crate) fn is_bare(node: N<'_>) -> bool {
    let says = [
        "value",
        "effectiveTime",
        "consumable",
        "text",
        "entryRelationship",
        "participant",
        "component",
        "product",
        "performer",
    ];
    says.iter().all(|name| child(node, name).is_none())
}

/// Links the statements that name others, after all became resources.
pub(crate) fn pointers(doc: &Doc<'_>) {
    let pointers = doc.pointers();
    let named = |node| key_of(node).map(|key| doc.named(&key)).unwrap_or_default();
    let pairs = pointers.iter().flat_map(|(around, _, node)| {
        let all = named(*node).into_iter();
        all.map(move |(_, url)| (around.clone(), url))
    });
    let shared = visit::shared(doc, &pairs.collect::<Vec<_>>());
    for (around, relation, node) in pointers {
        let is_shared = |url: &str| shared.contains(url) && doc.is_of(&around, &["Encounter"]);
        let all = named(node).into_iter();
        for (kind, url) in all.filter(|(_, url)| *url != around && !is_shared(url)) {
            doc.account.let_go();
            doc.account.take(node);
            for name in ["id", "code", "statusCode"] {
                for part in children(node, name) {
                    doc.account.take(part);
                }
            }
            if around == HEALTH_CONCERN {
                health_concern(doc, kind, &url, node);
            } else {
                let one = Inside {
                    relation: relation.clone(),
                    kind,
                    url,
                    node,
                    is_named: true,
                    is_inverted: node.parent_element().is_some_and(is_inverted),
                };
                relate(doc, &around, &one);
            }
            doc.account.let_go();
        }
    }
    progress::settle(doc);
}

/// A condition that a health concern names has that as a category (C-CDA on FHIR, `CF-ProblemCategory`).
fn health_concern<'d>(doc: &Doc<'d>, kind: &str, url: &str, node: N<'d>) {
    if kind != "Condition" {
        return;
    }
    let act = node.parent_element().and_then(|link| link.parent_element());
    for act in act.into_iter() {
        doc.account.take(act);
        for name in ["code", "statusCode"] {
            for part in children(act, name) {
                doc.account.take(part);
            }
        }
    }
    let sort = crate::value::code::coded(US_CORE, HEALTH_CONCERN);
    doc.change(url, "category", |condition| {
        let list = condition.entry("category").or_insert_with(|| json!([]));
        if let Value::Array(list) = list
            && !list.contains(&sort)
        {
            list.push(sort);
        }
    });
}

/// Kinds that tell how a medicine is taken, in steps that stand inside (C-CDA: components with a `sequenceNumber`).
const REGIMENS: &[&str] = &["MedicationStatement", "MedicationRequest"];

/// Kinds that have no element of their own for what somebody would rather have.
const PREFERRED: &[&str] = &[
    "Goal",
    "DeviceRequest",
    "Coverage",
    "Condition",
    "AllergyIntolerance",
    "Observation",
];

const TAKEN: &[&str] = &["MedicationStatement", "MedicationAdministration"];

/// FHIR R4's extensions for what comes after what, and for conditions that belong together.
const SEQUEL: &str = "http://hl7.org/fhir/StructureDefinition/observation-sequelTo";
const FOLLOWS: &str = "http://hl7.org/fhir/StructureDefinition/condition-occurredFollowing";
const RELATED: &str = "http://hl7.org/fhir/StructureDefinition/condition-related";

/// Links a resource with the one around it. What no element can say is not said: the order of the document tells it alone.
fn relate(doc: &Doc<'_>, around: &str, one: &Inside<'_>) {
    let outer = |kinds: &[&str]| doc.is_of(around, kinds);
    let inner = one.kind;
    let add = |holder: &str, element: &'static str, target: &str| add(doc, holder, element, target);
    // Nothing was said or done during a visit that has yet to come.
    let is_to_come = |url: &str| doc.is_planned(url);
    if one.is_named && (follows(doc, around, one) || purpose::refuses(doc, around, one)) {
        return;
    }
    progress::note(doc, around, one);
    if one.relation == "GEVL" && (inner == "Goal" || outer(&["Goal"])) {
        purpose::evaluates(doc, around, one);
        return;
    }
    if inner == "Observation"
        && !one.is_named
        && (outer(&["Consent"])
            || is_preference(one.node) && (outer(PREFERRED) || is_to_come(around)))
    {
        // What is said of a directive, or what somebody would rather have.
        add(&one.url, "focus", around);
    } else if inner == "Encounter" {
        if outer(&["DocumentReference"]) {
            visit::of_note(doc, around, &one.url);
        } else if !is_to_come(&one.url) {
            visit::of_named(doc, around, one);
        }
    } else if outer(&["Encounter"]) {
        if inner == "DocumentReference" {
            visit::of_note(doc, &one.url, around);
        } else if !is_to_come(around) {
            visit::of_inner(doc, around, &one.url);
        }
    } else if one.is_named
        && outer(&["Goal"])
        && ["Condition", "Observation", "ServiceRequest"].contains(&inner)
    {
        add(around, "addresses", &one.url);
    } else if one.relation == "RSON" {
        purpose::why(doc, around, one);
    } else if one.relation == "SPRT" && inner == "Observation" && outer(&["Observation"]) {
        // The source of such a relation has its support in the target.
        let (shown, by) = match one.is_inverted {
            true => (&*one.url, around),
            false => (around, &*one.url),
        };
        add(shown, "derivedFrom", by);
    } else if inner == "Observation" {
        // What is only named is no part of what names it.
        let is_part = !one.is_named;
        if is_part
            && outer(&[
                "Procedure",
                "Immunization",
                "MedicationStatement",
                "MedicationAdministration",
                "MedicationDispense",
            ])
        {
            add(&one.url, "partOf", around);
        } else if outer(&["ServiceRequest"]) {
            add(around, "supportingInfo", &one.url);
        } else if outer(&["MedicationRequest"]) {
            add(around, "supportingInformation", &one.url);
        } else if is_part
            && (outer(&["AllergyIntolerance"]) || outer(&["Condition"]) && one.relation != "SPRT")
        {
            // What is said of an allergy or of a problem.
            add(&one.url, "focus", around);
        }
    } else if inner == "DocumentReference" && is_outside(doc, &one.url) {
        // What it is to the statement is not said, only that it is related.
        doc.change(&one.url, "context", |paper| {
            if let Value::Object(context) = paper.entry("context").or_insert_with(|| json!({})) {
                push(context, "related", around);
            }
        });
    } else if inner == "Specimen" && outer(&["Observation"]) {
        doc.change(around, "specimen", |resource| {
            resource
                .entry("specimen")
                .or_insert_with(|| reference(&one.url));
        });
    } else if inner == "DocumentReference" && outer(&["Observation"]) && one.relation == "SPRT" {
        // What was seen is supported by the picture of it.
        add(around, "derivedFrom", &one.url);
    } else if inner == "Procedure" && outer(&["ServiceRequest"]) {
        // What was done for what is planned: whom it was handed to, say.
        add(around, "supportingInfo", &one.url);
    } else if inner == "Procedure" && outer(&["Procedure"]) && !one.is_named {
        add(&one.url, "partOf", around);
    } else if one.relation == "COMP"
        && REGIMENS.contains(&inner)
        && outer(&[inner])
        && !one.is_named
    {
        // A step of a regimen; an order has no other element for what it carries out in part.
        let element = match inner {
            "MedicationRequest" => "basedOn",
            _ => "partOf",
        };
        add(&one.url, element, around);
    } else if inner == "Coverage"
        && outer(&["ServiceRequest", "MedicationRequest", "DeviceRequest"])
    {
        add(around, "insurance", &one.url);
    } else if inner == "MedicationDispense" && outer(&["MedicationRequest"]) {
        add(&one.url, "authorizingPrescription", around);
    } else if inner == "MedicationRequest" && outer(&["MedicationDispense"]) {
        // The order that was carried out by handing it out.
        add(around, "authorizingPrescription", &one.url);
    } else if inner == "MedicationDispense" && outer(TAKEN) {
        add(&one.url, "supportingInformation", around);
    } else if inner == "DeviceUseStatement"
        && outer(&["Observation", "Procedure", "ServiceRequest"])
    {
        add(&one.url, "derivedFrom", around);
    } else if inner == "DeviceRequest" && !outer(&["DeviceRequest"]) {
        add(&one.url, "supportingInfo", around);
    } else if inner == "Condition" && outer(&["ServiceRequest"]) {
        // That it is the reason is said by a relation of its own.
        add(around, "supportingInfo", &one.url);
    } else if inner == "Condition" && outer(&["MedicationRequest"]) {
        add(around, "supportingInformation", &one.url);
    } else if inner == "Condition" && outer(&["Procedure"]) {
        extend(doc, around, PROBLEM, &one.url);
    } else if inner == "Condition" && outer(&["Condition"]) && one.is_named {
        extend(doc, around, RELATED, &one.url);
    } else if inner == "ServiceRequest" {
        add(&one.url, "supportingInfo", around);
    } else if inner == "MedicationRequest" && !outer(&["MedicationRequest"]) {
        add(&one.url, "supportingInformation", around);
    } else if inner == "Goal" && outer(&["Condition", "Observation", "ServiceRequest"]) {
        add(&one.url, "addresses", around);
    }
}

/// Whether a document is one that is somewhere else.
fn is_outside(doc: &Doc<'_>, paper: &str) -> bool {
    let source = doc.source(paper);
    source.is_some_and(|source| source.tag_name().name() == "externalDocument")
}

/// Says that something came after what it names (`SAS`): another observation, or a problem.
fn follows(doc: &Doc<'_>, around: &str, one: &Inside<'_>) -> bool {
    if one.relation != "SAS" {
        return false;
    }
    if one.kind == "Observation" && doc.is_of(around, &["Observation"]) {
        extend(doc, around, SEQUEL, &one.url);
        return true;
    }
    // An observation of which episode it is says so of the problem that it is about.
    let focus = doc.element(around, "focus");
    let focus = focus.as_ref().and_then(|all| all[0]["reference"].as_str());
    let about = focus.unwrap_or(around);
    let is_problem = one.kind == "Condition" && doc.is_of(about, &["Condition"]);
    if is_problem {
        extend(doc, about, FOLLOWS, &one.url);
    }
    is_problem
}

fn add(doc: &Doc<'_>, holder: &str, element: &'static str, target: &str) {
    doc.change(holder, element, |resource| push(resource, element, target));
}

fn extend(doc: &Doc<'_>, url: &str, extension: &'static str, target: &str) {
    let link = json!({"url": extension, "valueReference": reference(target)});
    doc.change(url, "extension", |resource| {
        if let Value::Array(all) = resource.entry("extension").or_insert_with(|| json!([]))
            && !all.contains(&link)
        {
            all.push(link);
        }
    });
}

/// Whether it says how much somebody wants something (C-CDA, "priority preference").
pub(crate) fn is_preference(node: N<'_>) -> bool {
    crate::xml::has_template(node, &["2.16.840.1.113883.10.20.22.4.143"])
}

/// Says whom or what an observation is about.
pub(crate) fn focus(doc: &Doc<'_>, observation: &str, of: &[String]) {
    doc.change(observation, "focus", |resource| {
        for url in of {
            push(resource, "focus", url);
        }
    });
}

fn push(resource: &mut Map, element: &'static str, target: &str) {
    let list = resource.entry(element).or_insert_with(|| json!([]));
    let target = reference(target);
    if let Value::Array(list) = list
        && !list.contains(&target)
    {
        list.push(target);
    }
}

/// What stood inside, as members or as what it is about, is linked where the resource has an element for it.
pub(crate) fn link<'d>(
    doc: &Doc<'d>,
    url: &str,
    element: &'static str,
    inside: &[Inside<'d>],
    wrap: impl Fn(Value) -> Value,
    which: impl Fn(&Inside<'d>) -> bool,
) {
    let all: Vec<Value> = inside
        .iter()
        .filter(|one| which(one))
        .map(|one| wrap(reference(&one.url)))
        .collect();
    if all.is_empty() {
        return;
    }
    doc.change(url, element, |resource| {
        let list = resource.entry(element).or_insert_with(|| json!([]));
        if let Value::Array(list) = list {
            for one in all {
                if !list.contains(&one) {
                    list.push(one);
                }
            }
        }
    });
}
