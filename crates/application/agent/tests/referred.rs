//! A document that only refers to its patient names whom the reference says, or it is not known; nobody is never said of it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use medibloc_journey::memory::World;
use serde_json::{Value, json};
use two::{Two, say, text, try_say};

fn observation(subject: Value) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"text": "Potassium"}, "subject": subject})
}

#[tokio::test]
async fn what_refers_to_another_patient_is_held_back() {
    let world = World::new(1110);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let person = ["account", "person", "--name", "Eve Betterhalf"];
    say(&two.patient, &person).await;
    let reader = two.reader(&world, 3).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "reader", "--all"],
    )
    .await;
    let mut of = Vec::new();
    for (n, (subject, told)) in [
        (
            json!({"reference": "Patient/E-1", "display": "Eve Betterhalf"}),
            "it names «Eve Betterhalf»",
        ),
        (
            json!({"reference": "Patient/C-301", "display": "Dae Kim"}),
            "it names «Dae Kim»",
        ),
        (
            json!({"identifier": {"system": "urn:mrn", "value": "C-301"}}),
            "identifier C-301 (urn:mrn)",
        ),
        (
            json!({"reference": "Patient/C-301"}),
            "whom it is about is not known",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let path = two.folder.path().join(format!("{n}.json"));
        std::fs::write(&path, observation(subject).to_string()).unwrap();
        let file = path.to_str().unwrap();
        let words = [
            "record",
            "import",
            file,
            "--for",
            &two.owner,
            "--yes",
            "--other-person",
        ];
        let written = try_say(&two.clinic, &words).await.unwrap();
        of.push((text(&written.value, "/record"), told));
        if told.starts_with("whom") {
            assert!(
                written.text.contains("whom it is about is not known"),
                "{}",
                written.text
            );
        }
    }
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    assert_eq!(
        synced.text.matches("held back").count(),
        3,
        "{}",
        synced.text
    );
    let passed_on = || async {
        say(&reader, &["sync"]).await;
        let held = say(&reader, &["grant", "list"]).await;
        let held = held["held"].as_array().unwrap().clone();
        // One consent for each address of the owner.
        let all = held.iter().filter(|held| held["consent"]["scope"] == "all");
        let records = all.map(|held| held["records"].as_array().unwrap().len());
        records.sum::<usize>()
    };
    // Eve's own alone.
    assert_eq!(passed_on().await, 1);
    for (record, told) in &of {
        let shown = try_say(&two.patient, &["record", "show", record])
            .await
            .unwrap();
        assert!(shown.text.contains(told), "{told}: {}", shown.text);
        assert!(!shown.text.contains("names nobody"), "{}", shown.text);
    }
    let last = &of[3].0;
    say(&two.patient, &["record", "confirm", last]).await;
    say(&two.patient, &["sync"]).await;
    assert_eq!(passed_on().await, 2);
    println!(
        "ATTACK eleventh-m3: 0 of 3 documents that refer to another patient, or to one that is not known, are passed on"
    );
}
