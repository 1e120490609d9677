//! A home whose records all name somebody else than its owner said to be: said once, with what to do.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_journey::memory::World;
use two::{Two, say, try_say};

const TOLD: &str = "none of your records names you";

#[tokio::test]
async fn a_parent_who_keeps_a_child_s_records_is_told_once_and_what_to_say() {
    let world = World::new(270);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let parent = ["account", "person", "--name", "Pat Parent"];
    let before = try_say(&two.patient, &parent).await.unwrap();
    assert!(!before.text.contains(TOLD), "{}", before.text);
    let reader = two.reader(&world, 3).await;
    let all = ["grant", "create", "--to", "reader", "--all"];
    say(&two.patient, &all).await;
    two.written(&[]).await;
    let record = two.written(&["--again"]).await;

    for words in [["sync"].as_slice(), &["status"], &parent] {
        let answer = try_say(&two.patient, words).await.unwrap();
        assert_eq!(
            answer.text.matches(TOLD).count(),
            1,
            "{words:?}: {}",
            answer.text
        );
        for told in [
            "«Pat Parent»",
            "2 records name another person",
            "«Eve Betterhalf»",
            "account person",
        ] {
            assert!(
                answer.text.contains(told),
                "{words:?} {told}: {}",
                answer.text
            );
        }
        if words != parent {
            assert!(answer.value["isThisYou"].is_string(), "{}", answer.value);
        }
    }
    say(&reader, &["sync"]).await;
    assert!(
        reader
            .held()
            .unwrap()
            .iter()
            .all(|held| reader.records_of(held).unwrap().is_empty())
    );

    let child = ["account", "person", "--name", "EVE Better\u{ad}half"];
    for words in [child.as_slice(), &["sync"], &["status"]] {
        let answer = try_say(&two.patient, words).await.unwrap();
        assert!(!answer.text.contains(TOLD), "{words:?}: {}", answer.text);
    }
    say(&reader, &["sync"]).await;
    assert!(
        reader
            .held()
            .unwrap()
            .iter()
            .any(|held| reader.records_of(held).unwrap().len() == 2)
    );

    // One that names its owner among them is the list's to mark.
    say(&two.patient, &parent).await;
    say(&two.patient, &["record", "confirm", &record]).await;
    let status = try_say(&two.patient, &["status"]).await.unwrap();
    assert!(!status.text.contains(TOLD), "{}", status.text);
}

#[tokio::test]
async fn the_first_documents_of_one_person_ask_whether_that_is_the_owner() {
    let world = World::new(271);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    two.written(&[]).await;
    two.written(&["--again"]).await;
    for words in [["sync"], ["status"]] {
        let answer = try_say(&two.patient, &words).await.unwrap();
        for told in ["names «Eve Betterhalf»", "is this you?", "account person"] {
            assert!(
                answer.text.contains(told),
                "{words:?} {told}: {}",
                answer.text
            );
        }
    }
}
