//! A consent that is limited to a category or a time gives no document that has something of another in it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say};

/// An own record, accepted and confirmed.
async fn written(two: &Two, name: &str, tree: &Value) -> String {
    let path = two.folder.path().join(name);
    std::fs::write(&path, tree.to_string()).unwrap();
    let told = say(&two.patient, &["record", "import", path.to_str().unwrap()]).await;
    let record = text(&told, "/record");
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["record", "confirm", &record]).await;
    record
}

/// The reader asks for so much and is given it, of all records.
async fn asked(two: &Two, reader: &Party, limits: &[&str]) {
    let owner = text(&say(reader, &["contact", "list"]).await, "/owners/0/owner");
    say(reader, &[&["request", "create", &owner], limits].concat()).await;
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["request", "approve", "reader", "--all"]).await;
    say(reader, &["sync"]).await;
}

/// How many of these the reader was given.
async fn given(reader: &Party, records: &[String]) -> usize {
    let mut many = 0;
    for record in records {
        match try_say(reader, &["read", record]).await {
            Ok(_) => many += 1,
            Err(_) => drop(refused(reader, &["read", record], code::UNKNOWN).await),
        }
    }
    many
}

fn bundle(kind: &str, resources: &[Value]) -> Value {
    let entry = resources.iter().map(|one| json!({"resource": one}));
    json!({"resourceType": "Bundle", "type": kind, "entry": entry.collect::<Vec<_>>()})
}

fn seen(category: &str, at: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "effectiveDateTime": at, "code": {"text": "x"},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category}]}]})
}

fn composition(loinc: &str, date: &str) -> Value {
    json!({"resourceType": "Composition", "status": "final", "date": date, "title": loinc,
        "type": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "section": [{"title": "x", "text": {"status": "generated",
            "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Recurrent depression</div>"}}]})
}

const NOW: &str = "2025-03-01";

#[tokio::test]
async fn a_consent_to_laboratory_and_vitals_gives_nothing_else_that_stands_with_them() {
    let world = World::new(1210);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let (lab, vital) = (seen("laboratory", NOW), seen("vital-signs", NOW));
    let report = composition("11502-2", NOW);
    let condition =
        json!({"resourceType": "Condition", "code": {"text": "x"}, "recordedDate": NOW});
    let mut contains = vital.clone();
    contains["contained"] = json!([condition]);
    let visit =
        json!({"resourceType": "Encounter", "status": "finished", "reasonCode": [{"text": "x"}]});
    let psychiatric = composition("11488-4", NOW);
    let mut others = Vec::new();
    for (at, tree) in [
        bundle("searchset", &[report.clone(), lab.clone(), psychiatric]),
        bundle("document", &[composition("34108-1", NOW), vital.clone()]),
        bundle("collection", &[contains]),
        bundle("collection", &[visit, vital.clone()]),
        bundle("document", &[report.clone(), lab.clone(), condition]),
    ]
    .iter()
    .enumerate()
    {
        others.push(written(&two, &format!("other{at}.json"), tree).await);
    }
    let mut own = Vec::new();
    for (at, tree) in [
        bundle("document", &[report, lab]),
        bundle("collection", &[vital]),
    ]
    .iter()
    .enumerate()
    {
        own.push(written(&two, &format!("own{at}.json"), tree).await);
    }
    let limits = ["--category", "laboratory", "--category", "vitals"];
    asked(&two, &reader, &limits).await;
    let many = given(&reader, &others).await;
    println!(
        "ATTACK twelfth-1: {many} of {} documents of several kinds go out under a consent to laboratory and vitals",
        others.len()
    );
    assert_eq!((many, given(&reader, &own).await), (0, own.len()));
}

#[tokio::test]
async fn a_consent_to_some_time_gives_nothing_of_another() {
    let world = World::new(1211);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let (new, old) = (seen("laboratory", NOW), seen("laboratory", "2010-05-05"));
    let report = json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}, "issued": NOW});
    let mut others = Vec::new();
    for (at, tree) in [
        bundle("collection", &[new.clone(), old.clone()]),
        bundle("collection", &[old.clone(), new.clone()]),
        bundle("collection", &[report, old.clone()]),
        bundle("searchset", &[composition("11502-2", NOW), old]),
    ]
    .iter()
    .enumerate()
    {
        others.push(written(&two, &format!("other{at}.json"), tree).await);
    }
    let later = seen("laboratory", "2025-06-01");
    let own = written(&two, "own.json", &bundle("collection", &[new, later])).await;
    asked(&two, &reader, &["--since", "2024-01-01"]).await;
    let many = given(&reader, &others).await;
    println!(
        "ATTACK twelfth-m2: {many} of {} documents with a result of 2010 go out under a consent to what is since 2024",
        others.len()
    );
    assert_eq!((many, given(&reader, &[own]).await), (0, 1));
}
