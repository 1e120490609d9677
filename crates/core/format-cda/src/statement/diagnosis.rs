//! Diagnoses of a visit: in which role each was made, and which comes first (`Encounter.diagnosis`).

use medibloc_record::json::{Map, Value};

use crate::{
    context::{Mood, Statement},
    doc::{Doc, reference},
    json::json,
    statement::{Inside, problem, shape},
    value::{code, put, quantity},
    xml::{N, child, related, sdtc},
};

const ROLES: &str = "http://terminology.hl7.org/CodeSystem/diagnosis-role";
/// Roles by templates of C-CDA and by codes (LOINC, SNOMED CT, HL7 v3 `ActCode`).
const KNOWN: &[(&str, &[&str], &[&str])] = &[
    (
        "AD",
        &["2.16.840.1.113883.10.20.22.4.34"],
        &["46241-6", "52870002", "ADMDX"],
    ),
    (
        "DD",
        &["2.16.840.1.113883.10.20.22.4.33"],
        &["11535-2", "78375-3", "89100005", "DISDX"],
    ),
    ("pre-op", &["2.16.840.1.113883.10.20.22.4.65"], &["10219-4"]),
    (
        "post-op",
        &["2.16.840.1.113883.10.20.22.4.51"],
        &["10218-6", "59769-0"],
    ),
];
/// SNOMED CT: rank.
const RANK: &[&str] = &["263486008"];
/// SNOMED CT: principal diagnosis.
const PRINCIPAL: &[&str] = &["8319008"];

fn role(node: N<'_>) -> Option<&'static str> {
    let found = KNOWN.iter().find(|(_, templates, codes)| {
        crate::xml::has_template(node, templates) || shape::is_coded(node, codes)
    });
    found.map(|(role, ..)| *role)
}

/// The concern around a problem.
fn act_around<'d>(node: N<'d>) -> Option<N<'d>> {
    let act = node.parent_element()?.parent_element()?;
    (act.tag_name().name() == "act").then_some(act)
}

fn rank_inside<'d>(node: N<'d>) -> impl Iterator<Item = N<'d>> {
    related(node)
        .map(|(_, inner)| inner)
        .filter(|inner| shape::is_coded(*inner, RANK))
}

/// Says that what ranks the diagnoses inside a visit is told by the visit, and no observation.
pub(crate) fn take_ranks<'d>(doc: &Doc<'d>, of: &Statement<'d>, visit: &str) {
    for (_, act) in of.related().filter(|(_, act)| problem::is_problem(act)) {
        for (_, one) in related(act.node) {
            for rank in rank_inside(one).filter(|rank| whole(*rank).is_some()) {
                super::take_shell(doc, rank);
                doc.account.take(child(rank, "value").unwrap_or(rank));
            }
        }
    }
    doc.change(visit, "diagnosis", |_| ());
}

fn whole(rank: N<'_>) -> Option<u32> {
    let value = child(rank, "value")?;
    let rank: u32 = crate::xml::attr(value, "value")?.parse().ok()?;
    (rank > 0).then_some(rank)
}

/// Which one it is in order: as its place or priority in the concern, as a statement about it, or as the principal one.
fn rank(doc: &Doc<'_>, node: N<'_>) -> Option<u64> {
    let link = node.parent_element()?;
    let told = child(link, "sequenceNumber").or_else(|| sdtc(link, "priorityNumber"));
    let told = told.and_then(|told| quantity::whole(doc, told));
    let told = told.map(u64::from).filter(|rank| *rank > 0);
    told.or_else(|| rank_inside(node).find_map(whole).map(u64::from))
        .or_else(|| shape::is_coded(node, PRINCIPAL).then_some(1))
}

/// Adds diagnoses to a visit. What is denied is none.
fn add<'d>(doc: &Doc<'d>, visit: &str, all: impl Iterator<Item = (String, N<'d>)>) {
    for (url, node) in all {
        if doc.is_refuted(&url) {
            continue;
        }
        let around = act_around(node);
        let role = around.and_then(role).or_else(|| role(node));
        let mut one = Map::new();
        let about = reference(&url);
        one.insert("condition".into(), about.clone());
        put(&mut one, "use", role.map(|role| code::coded(ROLES, role)));
        put(&mut one, "rank", rank(doc, node));
        doc.change(visit, "diagnosis", |visit| {
            let list = visit.entry("diagnosis").or_insert_with(|| json!([]));
            if let Value::Array(list) = list
                && !list.iter().any(|old| old["condition"] == about)
            {
                list.push(Value::Object(one));
            }
        });
    }
}

/// The diagnoses that stand inside a visit.
pub(crate) fn of_visit<'d>(doc: &Doc<'d>, visit: &str, inside: &[Inside<'d>]) {
    let all = inside.iter().filter(|one| one.kind == "Condition");
    add(doc, visit, all.map(|one| (one.url.clone(), one.node)));
}

/// The diagnoses at the beginning and at the end of the stay that the header tells of.
pub(crate) fn of_stay<'d>(doc: &Doc<'d>, act: &Statement<'d>, first: &str) {
    let is_of_stay = !act.context.is_inside
        && act.mood() == Mood::Event
        && matches!(role(act.node), Some("AD" | "DD"));
    if let (true, Some(stay), Some(all)) = (is_of_stay, doc.stay(), doc.concerned(first)) {
        doc.account.aside(|| add(doc, &stay, all.into_iter()));
    }
}
