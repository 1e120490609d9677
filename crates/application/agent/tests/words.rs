//! What is said twice, shows nothing or comes too late is told as that, and changes nothing.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_ledger::{Event, Events as _};
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say};

/// Names of which nobody sees anything.
const UNSEEN: [&str; 5] = [
    " ",
    "\u{200b}\u{ad}",
    "\u{2800}",
    "\u{202e}\u{3164}",
    "\u{301}",
];

async fn writing(world: &std::sync::Arc<World>) -> Two {
    let two = Two::new(world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    two
}

#[tokio::test]
async fn a_record_is_taken_back_once() {
    let world = World::new(950);
    let two = writing(&world).await;
    let record = two.written(&[]).await;
    let retract = ["record", "retract", &record, "--yes"];
    let first = say(&two.clinic, &retract).await;
    assert_eq!(first["already"], false, "{first}");
    let blocks = async || world.ledger.events(0, u32::MAX).await.unwrap();
    let before = blocks().await;
    // Before and after a sync, and without the word that it is meant.
    for sync in [false, true] {
        if sync {
            say(&two.clinic, &["sync"]).await;
        }
        for words in [retract.as_slice(), &retract[..3]] {
            let again = try_say(&two.clinic, words).await.unwrap();
            assert_eq!(again.value["already"], true, "{}", again.text);
            assert_eq!(again.code, 0);
            assert!(
                again.text.contains("taken back already at "),
                "{}",
                again.text
            );
        }
    }
    assert_eq!(blocks().await.len(), before.len(), "nothing was sent");
    let events = before.iter().flat_map(|block| &block.events);
    let retracted = events.filter(|event| matches!(event, Event::Retracted { .. }));
    assert_eq!(retracted.count(), 1);
}

#[tokio::test]
async fn a_name_that_shows_nothing_is_none() {
    let world = World::new(951);
    let two = Two::new(&world).await;
    say(&two.clinic, &["contact", "label", &two.owner, "Bed 7"]).await;
    for name in UNSEEN {
        let label = ["contact", "label", &two.owner, name];
        let told = refused(&two.clinic, &label, code::INPUT).await;
        assert!(told.contains("shows nothing"), "{told}");
        for born in [None, Some("1980-02-03")] {
            let mut person = vec!["account", "person", "--name", name];
            person.extend(born.iter().flat_map(|born| ["--born", born]));
            let told = refused(&two.patient, &person, code::USAGE).await;
            assert!(told.contains("shows nothing"), "{told}");
        }
    }
    let born = ["account", "person", "--name", "", "--born", "1980-02-03"];
    refused(&two.patient, &born, code::USAGE).await;
    let said = say(&two.patient, &["account", "person"]).await;
    assert_eq!(said["patient"], Value::Null);
    let list = say(&two.clinic, &["contact", "list"]).await;
    assert_eq!(text(&list, "/owners/0/label"), "Bed 7");
    // An empty one takes it away, as before.
    say(&two.clinic, &["contact", "label", &two.owner, ""]).await;
    let list = say(&two.clinic, &["contact", "list"]).await;
    assert_eq!(list["owners"][0]["label"], Value::Null);
}

#[tokio::test]
async fn nobody_is_born_in_the_future() {
    let world = World::new(952);
    let two = Two::new(&world).await;
    let person = ["account", "person", "--born", "9999-01-01"];
    let told = refused(&two.patient, &person, code::USAGE).await;
    assert!(told.contains("in the future"), "{told}");
    let said = say(&two.patient, &["account", "person"]).await;
    assert_eq!(said["patient"], Value::Null);
    say(&two.patient, &["account", "person", "--born", "1980-02-03"]).await;
}

/// It said how what was taken back is given all the same.
#[tokio::test]
async fn what_was_taken_back_is_confirmed_by_nobody() {
    for synced in [false, true] {
        let world = World::new(953);
        let two = writing(&world).await;
        let record = two.written(&[]).await;
        say(&two.clinic, &["record", "retract", &record, "--yes"]).await;
        if synced {
            say(&two.patient, &["sync"]).await;
        }
        let confirm = ["record", "confirm", &record];
        let told = refused(&two.patient, &confirm, code::REFUSED).await;
        for part in [
            "was taken back by its author at ",
            "nothing was confirmed",
            "medibloc account person",
            "medibloc record erase",
        ] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains("--retracted"), "{told}");
        let shown = say(&two.patient, &["record", "show", &record]).await;
        assert_eq!(shown["confirmed"], false, "{shown}");
    }
}

#[tokio::test]
async fn a_contacts_name_names_its_only_open_request() {
    let world = World::new(954);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    for reason in ["a", "b", "c", "d"] {
        let ask = ["request", "create", &two.owner, "--reason", reason];
        say(&two.clinic, &ask).await;
    }
    say(&two.patient, &["sync"]).await;
    let requests = say(&two.patient, &["request", "list"]).await;
    let ids: Vec<String> = (0..4)
        .map(|at| text(&requests, &format!("/{at}/id")))
        .collect();
    let approve = ["request", "approve", "Clinic", "--record", &record];
    let told = refused(&two.patient, &approve, code::UNKNOWN).await;
    for id in &ids {
        assert!(told.contains(&id[..12]), "{told}");
    }
    assert!(told.contains("give the begin of its id"), "{told}");
    for id in &ids[1..] {
        say(&two.patient, &["request", "deny", id]).await;
    }
    say(&two.patient, &approve).await;
    let given = say(&two.patient, &["grant", "list"]).await;
    assert_eq!(given["given"][0]["records"], json!([record]));
}

/// Nothing is sent for a time in which there is no day.
#[tokio::test]
async fn days_between_which_there_is_none_are_asked_for_by_nobody() {
    let world = World::new(955);
    let two = Two::new(&world).await;
    let letters = world.letters().len();
    let blocks = world.ledger.events(0, u32::MAX).await.unwrap().len();
    for (since, before) in [("2026-02-01", "2026-02-01"), ("2026-02-02", "2026-02-01")] {
        let ask = [
            "request", "create", &two.owner, "--since", since, "--before", before,
        ];
        let told = refused(&two.clinic, &ask, code::USAGE).await;
        assert!(told.contains("say an earlier first day"), "{told}");
    }
    say(&two.clinic, &["sync"]).await;
    assert_eq!(world.letters().len(), letters);
    let after = world.ledger.events(0, u32::MAX).await.unwrap();
    assert_eq!(after.len(), blocks);
}
