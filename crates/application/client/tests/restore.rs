//! A restore of many records over HTTP, with the limits that a node has by default. `MEDIBLOC_ATTACK=full` takes a
//! thousand records.
#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "world/http.rs"]
#[allow(dead_code, reason = "other tests stop and start keepers")]
mod http;

use std::time::Instant;

use http::World;
use medibloc_journey::Party;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{Draft, LossReport, Role};

const DAY: u64 = 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(number: usize) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = format!("<ClinicalDocument>{number}</ClinicalDocument>").into_bytes();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

/// Before: a restore of 1,000 records fetched 142, said 850 times that the store is full, and exited with 0.
#[tokio::test]
async fn a_restore_of_many_records_finishes_within_the_default_limits() {
    let count = match std::env::var("MEDIBLOC_ATTACK") {
        Ok(how) if how == "full" => 1_000,
        _ => 200,
    };
    let world = World::new(1).await;
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    for number in 0..count {
        patient.write_own(draft(number)).await.unwrap();
        if number % 40 == 39 {
            patient.sync().await.unwrap();
            // As over the days that it took: each has its own limits.
            world.pass(DAY);
        }
    }
    world.pass(DAY);
    patient.sync().await.unwrap();
    let all = patient.records().unwrap();
    let accepted = all.iter().filter(|kept| kept.is_accepted()).count();
    assert_eq!(accepted, count);
    drop(patient);
    world.pass(DAY);

    let begin = Instant::now();
    let restored = Party::restore(&phrase(1), Role::Person, world.ports()).await;
    let (restored, report) = restored.unwrap();
    let took = begin.elapsed();
    let accepted = report.sync.accepted.len();
    println!(
        "ATTACK newcomer-3: {accepted} of {count} records restored in {:.1} s, {} things left",
        took.as_secs_f64(),
        report.open()
    );
    assert_eq!(accepted, count, "{:?}", report.sync.later);
    assert_eq!(report.advice(), None);
    let export = restored.export_record(all[count / 2].record()).unwrap();
    assert!(!export.parts.is_empty());
}
