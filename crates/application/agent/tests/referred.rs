//! A document that only refers to its patient names whom the reference says, or it is not known; nobody is never said of it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use medibloc_journey::Party;
use medibloc_journey::memory::World;
use serde_json::{Value, json};
use two::{Two, say, text, try_say};

fn observation(subject: Value) -> Value {
    json!({"resourceType": "Observation", "status": "final", "code": {"text": "Potassium"}, "subject": subject})
}

/// How many records a reader holds of an owner's consent to all, whichever address of the owner gave it.
async fn passed_on(reader: &Party) -> usize {
    say(reader, &["sync"]).await;
    let held = say(reader, &["grant", "list"]).await;
    let held = held["held"].as_array().unwrap().clone();
    let all = held.iter().filter(|held| held["consent"]["scope"] == "all");
    let records = all.map(|held| held["records"].as_array().unwrap().len());
    records.sum()
}

/// Documents that name somebody by what is no name, or beside the owner, and the one of the owner.
#[tokio::test]
async fn what_may_be_about_somebody_else_is_held_back() {
    let world = World::new(1141);
    let two = Two::new(&world).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    // Of the birth the owner says nothing.
    say(
        &two.patient,
        &["account", "person", "--name", "Eve Betterhalf"],
    )
    .await;
    let reader = two.reader(&world, 3).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "reader", "--all"],
    )
    .await;
    let eve = json!({"resourceType": "Patient", "id": "p", "name": [{"text": "Eve Betterhalf"}], "birthDate": "1980-01-01"});
    let child = |more: Value| {
        let mut child = json!({"resourceType": "Patient", "id": "q", "birthDate": "2015-05-05"});
        child["name"] = more;
        child
    };
    let bundle = |resources: &[Value]| {
        let entry = resources.iter().map(|one| {
            let (kind, id) = (
                one["resourceType"].as_str().unwrap(),
                one["id"].as_str().unwrap_or("1"),
            );
            json!({"fullUrl": format!("http://e.org/fhir/{kind}/{id}"), "resource": one})
        });
        json!({"resourceType": "Bundle", "type": "collection", "entry": entry.collect::<Vec<_>>()})
    };
    let beside = |words: Value| bundle(&[eve.clone(), observation(words)]);
    let number = json!({"identifier": {"value": "998877"}});
    let assigned = json!({"type": "Patient", "identifier": {"value": "998877", "assigner": {"display": "Other clinic"}}});
    let inside = json!({"resourceType": "Parameters", "parameter": [{"name": "x", "resource": child(json!([{"text": "Bob Roe"}]))}]});
    let others = [
        observation(number.clone()),
        observation(assigned),
        observation(json!({"type": "Patient"})),
        beside(number),
        beside(json!({"reference": "http://other.org/fhir/Patient/p"})),
        beside(json!({"reference": "Patient/p", "display": "Bob Roe"})),
        bundle(&[eve.clone(), inside]),
        bundle(&[
            child(Value::Null),
            observation(json!({"reference": "Patient/q"})),
        ]),
    ];
    let many = others.len();
    let own = beside(json!({"reference": "Patient/p", "display": "Eve Betterhalf"}));
    for (n, tree) in others.into_iter().chain([own]).enumerate() {
        let path = two.folder.path().join(format!("{n}.json"));
        std::fs::write(&path, tree.to_string()).unwrap();
        let words = [
            "record",
            "import",
            path.to_str().unwrap(),
            "--for",
            &two.owner,
            "--yes",
            "--other-person",
        ];
        say(&two.clinic, &words).await;
    }
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    assert_eq!(
        synced.text.matches("held back").count(),
        many,
        "{}",
        synced.text
    );
    let given = passed_on(&reader).await;
    println!(
        "ATTACK fourteenth-b2: {} of {many} documents that name somebody otherwise are passed on",
        given - 1
    );
    assert_eq!(given, 1);
    // The other way round: of the name the owner says nothing.
    say(&two.patient, &["account", "person", "--born", "1980-01-01"]).await;
    let path = two.folder.path().join("name.json");
    let bob = json!({"resourceType": "Patient", "name": [{"text": "Bob Roe"}]});
    std::fs::write(&path, bundle(&[bob]).to_string()).unwrap();
    let words = [
        "record",
        "import",
        path.to_str().unwrap(),
        "--for",
        &two.owner,
        "--yes",
        "--other-person",
    ];
    say(&two.clinic, &words).await;
    say(&two.patient, &["sync"]).await;
    assert_eq!(passed_on(&reader).await, 1);
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
    // Eve's own alone.
    assert_eq!(passed_on(&reader).await, 1);
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
    assert_eq!(passed_on(&reader).await, 2);
    println!(
        "ATTACK eleventh-m3: 0 of 3 documents that refer to another patient, or to one that is not known, are passed on"
    );
}
