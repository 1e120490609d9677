//! The word of an author that does not look at labels, or lies, is not taken for how sensitive a record is.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Change, Labelled, Party};
use medibloc_record::{Draft, LossReport, RecordId, Sensitivity};
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say};

const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const ALL: [&str; 5] = ["grant", "create", "--to", "reader", "--all"];

fn coded(code: &str) -> Value {
    json!([{"system": V3, "code": code}])
}

/// A record of the clinic that it calls normal, whatever stands in it.
async fn called_normal(two: &Two, resources: Value) -> String {
    let entry = resources.as_array().unwrap().clone().into_iter();
    let entry: Vec<Value> = entry.map(|one| json!({"resource": one})).collect();
    let tree = json!({"resourceType": "Bundle", "type": "collection", "entry": entry});
    let original = tree.to_string().into_bytes();
    let draft = Draft::new(
        "application/fhir+json",
        original,
        tree,
        LossReport::default(),
    );
    assert_eq!(draft.sensitivity, Sensitivity::Normal);
    let owner = two.owner.parse().unwrap();
    let written = two.clinic.write_for(owner, draft).await.unwrap();
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    let told = "alone: its author called it normal, and its labels ";
    let is_told = synced.text.contains(told);
    let record = written.record.to_string();
    let shown = say(&two.patient, &["record", "show", &record]).await;
    assert_eq!(is_told, shown["sensitivity"] != "normal", "{}", synced.text);
    record
}

async fn known(seed: u64) -> (Two, Party) {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    (two, reader)
}

/// Kept as a program kept it that believed its author, or did not look.
fn kept_as(patient: &Party, record: &str, labelled: Labelled) {
    let id: RecordId = record.parse().unwrap();
    let mut kept = patient.record(id).unwrap();
    kept.labelled = labelled;
    let row = Change::Put {
        table: "records",
        key: id.as_bytes().to_vec(),
        value: medibloc_dag::cbor::to_vec(&kept),
    };
    patient.ports().vault.apply(vec![row]).unwrap();
}

const fn believed() -> Labelled {
    Labelled::As {
        sensitivity: Sensitivity::Normal,
        why: None,
    }
}

#[tokio::test]
async fn what_its_labels_say_holds_whatever_its_author_says() {
    let (two, reader) = known(1200).await;
    say(&two.patient, &ALL).await;
    let security = |code: &str| json!({"security": coded(code)});
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!({"extension": [deep]});
    }
    let cases = [
        (
            json!([{"resourceType": "Observation", "meta": security("R")}]),
            "restricted",
            "its labels say more (Observation.meta.security is R)",
        ),
        (
            json!([{"confidentiality": "V", "resourceType": "Composition"}]),
            "very-restricted",
            "its labels say more (Composition.confidentiality is V)",
        ),
        (
            json!([{"resourceType": "List", "contained": [
                {"securityLabel": [{"coding": coded("R")}], "resourceType": "DocumentReference"}]}]),
            "restricted",
            "its labels say more (DocumentReference.securityLabel is R)",
        ),
        (
            json!([{"resourceType": "Basic", "extension": [deep]}]),
            "restricted",
            "its labels could not be read, so that it may be anything",
        ),
    ];
    let mut hidden = Vec::new();
    for (resources, sensitivity, why) in cases {
        let record = called_normal(&two, resources).await;
        let shown = try_say(&two.patient, &["record", "show", &record]).await;
        let shown = shown.unwrap();
        assert_eq!(shown.value["sensitivity"], sensitivity, "{why}");
        assert_eq!(shown.value["sensitivityByAuthor"], "normal");
        for part in ["its author called it normal, and", why, "left out of"] {
            assert!(shown.text.contains(part), "{part}: {}", shown.text);
        }
        hidden.push(record);
    }
    let usual = json!([{"resourceType": "Observation", "meta": security("N")}]);
    let usual = called_normal(&two, usual).await;
    let listed = try_say(&two.patient, &["record", "list"]).await.unwrap();
    for record in &hidden {
        let mut lines = listed.text.lines();
        let line = lines.find(|line| line.starts_with(&record[..12])).unwrap();
        assert!(line.contains("restricted"), "{line}");
    }
    // Neither what was given before they came nor what is given now has them.
    let again = [ALL.as_slice(), &["--days", "9"]].concat();
    let given = say(&two.patient, &again).await;
    assert_eq!(given["leftOut"].as_array().unwrap().len(), hidden.len());
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &usual]).await;
    for record in &hidden {
        refused(&reader, &["read", record], code::UNKNOWN).await;
    }
    println!(
        "ATTACK eleventh-m2: 0 of {} records that their author calls normal against their labels go out under a consent to what is usual",
        hidden.len()
    );
}

/// It stays in the list that the chain holds, which is told once, and stands where consents are listed.
#[tokio::test]
async fn what_was_given_as_its_author_called_it_is_told() {
    let (two, _) = known(1201).await;
    let restricted = json!([{"resourceType": "Observation", "meta": {"security": coded("R")}}]);
    let record = called_normal(&two, restricted).await;
    kept_as(&two.patient, &record, believed());
    let consent = text(&say(&two.patient, &ALL).await, "/grants/0");
    let list = say(&two.patient, &["grant", "list"]).await;
    let has = |list: &Value| {
        let given = list["given"].as_array().unwrap().iter();
        let mut has = given.filter(|one| one["records"] == json!([record]));
        has.next().unwrap().clone()
    };
    assert_eq!(has(&list)["givenBeforeItsLabelsWereRead"], json!([]));
    assert!(text(&has(&list), "/id").len() == consent.len());

    kept_as(&two.patient, &record, Labelled::default());
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    for part in [
        &record[..12],
        "more sensitive than its author said",
        "Observation.meta.security is R",
        "Reader has it already",
        "grant revoke",
    ] {
        assert!(synced.text.contains(part), "{part}: {}", synced.text);
    }
    let again = try_say(&two.patient, &["sync"]).await.unwrap();
    assert!(!again.text.contains(&record[..12]), "{}", again.text);
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    let line = format!("it has record {} all the same, restricted", &record[..12]);
    assert!(list.text.contains(&line), "{}", list.text);
    let value = has(&list.value);
    assert_eq!(value["givenBeforeItsLabelsWereRead"][0]["record"], *record);
    assert_eq!(value["leftOut"], json!([]));

    // Later lists leave it out.
    let clinic = ["grant", "create", "--to", "clinic", "--all"];
    let given = say(&two.patient, &clinic).await;
    assert_eq!(text(&given, "/leftOut/0/record"), record);
}

/// Before its labels were read it is given to nobody; giving reads them.
#[tokio::test]
async fn what_nobody_looked_at_is_looked_at_before_it_is_given() {
    let (two, reader) = known(1202).await;
    let usual = called_normal(&two, json!([{"resourceType": "Observation"}])).await;
    let restricted = json!([{"resourceType": "Observation", "meta": {"security": coded("R")}}]);
    let restricted = called_normal(&two, restricted).await;
    for record in [&usual, &restricted] {
        kept_as(&two.patient, record, Labelled::default());
    }
    let shown = try_say(&two.patient, &["record", "show", &usual]).await;
    let shown = shown.unwrap();
    assert_eq!(shown.value["sensitivityByLabels"], Value::Null);
    let told = "its labels were not read yet, so that it may be anything";
    assert!(shown.text.contains(told), "{}", shown.text);
    let given = say(&two.patient, &ALL).await;
    assert_eq!(given["leftOut"].as_array().unwrap().len(), 1);
    assert_eq!(text(&given, "/leftOut/0/record"), restricted);
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &usual]).await;
    refused(&reader, &["read", &restricted], code::UNKNOWN).await;
}
