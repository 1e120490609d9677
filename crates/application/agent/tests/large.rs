//! A large document is judged by whom it names like any other, and where that cannot be read this is said, never "nobody".
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Change, Named, Party, Subject};
use medibloc_record::RecordId;
use two::{Two, refused, say, text, try_say};

/// More than the largest FHIR form that is read whole.
const LARGE: usize = 33 << 20;

/// The patient is Eve and has said so; the clinic may write.
async fn eve(seed: u64) -> (std::sync::Arc<World>, Two) {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let person = ["account", "person", "--name", "Eve Betterhalf"];
    say(&two.patient, &person).await;
    (world, two)
}

/// A bundle about somebody, with a resource more.
fn bundle(two: &Two, patient: &str, more: &str) -> String {
    let path = two.folder.path().join("large.json");
    let text = format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{more},{{"resource":{patient}}}]}}"#
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What a standing consent to everything has of the reader's.
async fn passed_on(reader: &Party) -> serde_json::Value {
    say(reader, &["sync"]).await;
    let held = say(reader, &["grant", "list"]).await;
    let held = held["held"].as_array().unwrap().clone();
    let all = |held: &&serde_json::Value| held["consent"]["scope"] == "all";
    held.iter().find(all).unwrap()["records"].clone()
}

/// An older program read otherwise whom it names, and knew nothing of what is done once.
fn kept_by_an_older_program(patient: &Party, record: &str, named: Named) {
    let id: RecordId = record.parse().unwrap();
    let mut kept = patient.record(id).unwrap();
    kept.named = named;
    let row = Change::Put {
        table: "records",
        key: id.as_bytes().to_vec(),
        value: medibloc_dag::cbor::to_vec(&kept),
    };
    let done = Change::Delete {
        table: "cursor",
        key: b"others-read".to_vec(),
    };
    patient.ports().vault.apply(vec![row, done]).unwrap();
}

#[tokio::test]
async fn a_large_document_of_another_person_is_marked_and_held_back() {
    let (world, two) = eve(1001).await;
    let reader = two.reader(&world, 3).await;
    let all = ["grant", "create", "--to", "reader", "--all"];
    say(&two.patient, &all).await;
    let adam = r#"{"resourceType":"Patient","name":[{"text":"Adam Otherhalf"}]}"#;
    let scan = format!(
        r#"{{"resource":{{"resourceType":"Binary","contentType":"application/pdf","data":"{}"}}}}"#,
        "QUJD".repeat(LARGE / 4)
    );
    let file = bundle(&two, adam, &scan);
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let record = text(&say(&two.clinic, &import).await, "/record");
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    assert!(synced.text.contains("held back"), "{}", synced.text);

    let shown = say(&two.patient, &["record", "show", &record]).await;
    assert_eq!(shown["patient"]["name"], "Adam Otherhalf", "{shown}");
    assert_eq!(shown["otherPerson"], true, "{shown}");
    assert_eq!(passed_on(&reader).await, serde_json::json!([]));
    let give = ["grant", "create", "--to", "reader", "--record", &record];
    let told = refused(&two.patient, &give, code::REFUSED).await;
    assert!(told.contains("Otherhalf"), "{told}");
    for named in [
        Named::Nobody,
        Subject::said(Some("Eve Betterhalf"), None).into(),
    ] {
        kept_by_an_older_program(&two.patient, &record, named);
        let shown = say(&two.patient, &["record", "show", &record]).await;
        assert_eq!(shown["otherPerson"], false, "{shown}");
        say(&two.patient, &["sync"]).await;
        let shown = say(&two.patient, &["record", "show", &record]).await;
        assert_eq!(shown["otherPerson"], true, "{shown}");
    }
    assert_eq!(passed_on(&reader).await, serde_json::json!([]));
    let meant = [give.as_slice(), &["--other-person"]].concat();
    say(&two.patient, &meant).await;
    say(&reader, &["sync"]).await;
    let read = try_say(&reader, &["read", &record]).await.unwrap();
    assert!(read.text.contains("Otherhalf"), "{}", read.text);
    println!(
        "ATTACK tenth-n1: 0 consents pass on a document of {LARGE} bytes that names another person"
    );
}

#[tokio::test]
async fn what_is_too_large_to_be_read_is_not_known_and_held_back() {
    let (world, two) = eve(1002).await;
    let reader = two.reader(&world, 3).await;
    let all = ["grant", "create", "--to", "reader", "--all"];
    let all = [all.as_slice(), &["--up-to", "restricted"]].concat();
    say(&two.patient, &all).await;
    let adam = r#"{"resourceType":"Patient","name":[{"text":"Adam Otherhalf"}]}"#;
    let note = format!(
        r#"{{"url":"urn:n","valueString":"{}"}}"#,
        "long ".repeat(700)
    );
    let notes = vec![note; LARGE / 3_500 + 1].join(",");
    let basic = format!(
        r#"{{"resource":{{"resourceType":"Basic","code":{{"text":"x"}},"extension":[{notes}]}}}}"#
    );
    let file = bundle(&two, adam, &basic);
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let record = text(&say(&two.clinic, &import).await, "/record");
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    for part in [
        "whom it names could not be read",
        "its labels could not be read (too large)",
    ] {
        assert!(synced.text.contains(part), "{part}: {}", synced.text);
    }

    let shown = try_say(&two.patient, &["record", "show", &record])
        .await
        .unwrap();
    assert_eq!(shown.value["otherPerson"], serde_json::Value::Null);
    assert_eq!(shown.value["patientUnread"], "too large");
    let unread = "whom it names could not be read";
    assert!(shown.text.contains(unread), "{}", shown.text);
    let listed = try_say(&two.patient, &["record", "list"]).await.unwrap();
    assert!(listed.text.contains(unread), "{}", listed.text);
    assert_eq!(passed_on(&reader).await, serde_json::json!([]));
    let give = ["grant", "create", "--to", "reader", "--record", &record];
    let told = refused(&two.patient, &give, code::REFUSED).await;
    for part in ["could not be read", "--other-person", "record confirm"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let file = two.folder.path().join("out.json");
    let export = ["record", "export", &record, "--out", file.to_str().unwrap()];
    let told = refused(&two.patient, &export, code::USAGE).await;
    assert!(told.contains(unread), "{told}");

    // Its owner looks at it, and says that it is about the owner.
    let confirm = ["record", "confirm", &record];
    let told = try_say(&two.patient, &confirm).await.unwrap();
    assert!(told.text.contains("could not be read"), "{}", told.text);
    say(&two.patient, &["sync"]).await;
    assert_eq!(passed_on(&reader).await, serde_json::json!([record]));
    let read = try_say(&reader, &["read", &record]).await.unwrap();
    assert!(!read.text.contains("names nobody"), "{}", read.text);
    assert!(read.text.contains("could not be read"), "{}", read.text);
    assert_eq!(read.value["patientUnread"], "too large");
    println!("ATTACK tenth-n1: whom it names is told as not known, and 0 consents pass it on");
}
