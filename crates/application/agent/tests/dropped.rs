//! A consent that was planned and dropped is found where consents are listed: as one that never was.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_journey::Pace;
use medibloc_journey::memory::World;
use medibloc_record::Role;
use serde_json::json;
use two::{Two, say, text, try_say, with_ports};

#[tokio::test]
async fn a_dropped_consent_is_listed_as_dropped() {
    let world = World::new(1220);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let mut ports = two.patient.ports().clone();
    ports.pace = Pace::PERSON;
    let calm = with_ports(ports, 1, Role::Person);
    let give = ["grant", "create", "--to", "clinic", "--record", &record];
    let grant = text(&say(&calm, &give).await, "/grant");
    let list = say(&calm, &["grant", "list"]).await;
    assert_eq!(text(&list, "/given/0/state"), "pending");
    assert_eq!(list["dropped"], json!([]));
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&calm, &write).await;

    say(&calm, &["grant", "revoke", &grant]).await;
    say(&calm, &["grant", "revoke", "--contact", "clinic"]).await;
    let list = try_say(&calm, &["grant", "list"]).await.unwrap();
    assert_eq!(list.value["given"], json!([]), "{}", list.text);
    let dropped = list.value["dropped"].as_array().unwrap();
    let scopes: Vec<String> = dropped.iter().map(|one| text(one, "/scope")).collect();
    assert_eq!(scopes.len(), 2, "{}", list.text);
    for scope in ["one", "write"] {
        assert!(scopes.iter().any(|one| one == scope), "{scopes:?}");
    }
    assert!(dropped.iter().any(|one| one["id"] == *grant));
    let line = list
        .text
        .lines()
        .find(|line| line.starts_with(&grant[..12]));
    let line = line.unwrap();
    for part in [
        "Clinic",
        "was to read one record",
        "it was never on the chain",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    // Nor does a sync bring it back.
    say(&calm, &["sync"]).await;
    let list = say(&calm, &["grant", "list"]).await;
    assert_eq!(list["given"], json!([]));
    assert_eq!(list["dropped"].as_array().unwrap().len(), 2);
}
