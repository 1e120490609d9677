//! What an answer gives beyond its request is told before it is given.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use serde_json::json;
use two::{Two, refused, say, text, try_say};

/// Asks as the clinic, and gives the request as the patient's list shows it.
async fn ask(two: &Two, more: &[&str]) -> serde_json::Value {
    let ask = [&["request", "create", &two.owner], more].concat();
    say(&two.clinic, &ask).await;
    say(&two.patient, &["sync"]).await;
    let list = say(&two.patient, &["request", "list"]).await;
    list[0].clone()
}

async fn given(two: &Two) -> Vec<serde_json::Value> {
    let list = say(&two.patient, &["grant", "list"]).await;
    let given = list["given"].as_array().unwrap().iter();
    given
        .filter(|grant| grant["scope"] != "write")
        .cloned()
        .collect()
}

/// Asked for one day, given seven.
#[tokio::test]
async fn an_answer_ends_when_it_was_asked_to_end() {
    for days in ["1", "2", "5", "30"] {
        let world = World::new(231);
        let two = Two::new(&world).await;
        let record = two.accepted().await;
        let asked = ask(&two, &["--days", days, "--purpose", "payment"]).await;
        let approve = ["request", "approve", "clinic", "--record", &record];
        say(&two.patient, &approve).await;
        let given = given(&two).await;
        assert_eq!(given[0]["until"], asked["until"], "{days}: {given:?}");
        assert_eq!(given[0]["purpose"], "payment", "{given:?}");
    }
}

#[tokio::test]
async fn what_is_beyond_the_request_is_told_and_needs_a_word() {
    for (more, scope_days, told) in [
        (["--days", "2"].as_slice(), Some("3"), "asked for until"),
        (&["--category", "medications"], None, "only medications"),
        (&["--before", "1990-01-01"], None, "before 1990-01-01"),
    ] {
        let world = World::new(232);
        let two = Two::new(&world).await;
        let record = two.accepted().await;
        ask(&two, more).await;
        let mut approve = vec!["request", "approve", "clinic", "--record", &record];
        if let Some(days) = scope_days {
            approve.extend(["--days", days]);
        }
        let why = refused(&two.patient, &approve, code::USAGE).await;
        for part in ["more than asked", told, "Nothing was given", "--yes"] {
            assert!(why.contains(part), "{approve:?}: {why}");
        }
        assert_eq!(given(&two).await, Vec::<serde_json::Value>::new());

        approve.push("--yes");
        let done = try_say(&two.patient, &approve).await.unwrap();
        assert!(done.text.contains("more than asked"), "{}", done.text);
        let more = text(&done.value, "/moreThanAsked/0");
        assert!(more.contains(told), "{more}");
        assert_eq!(given(&two).await.len(), 1);
    }
}

/// All that was asked for, and said to be that.
#[tokio::test]
async fn all_is_all_that_was_asked_for() {
    let world = World::new(233);
    let two = Two::new(&world).await;
    two.accepted().await;
    let asks = [
        "--category",
        "medications",
        "--before",
        "2026-01-01",
        "--days",
        "2",
    ];
    let asked = ask(&two, &asks).await;
    let approve = ["request", "approve", "clinic", "--all"];
    let done = try_say(&two.patient, &approve).await.unwrap();
    assert!(
        done.text.contains("only medications  before 2026-01-01"),
        "{}",
        done.text
    );
    let given = given(&two).await;
    for consent in &given {
        assert_eq!(consent["records"], json!([]), "{given:?}");
        assert!(
            consent["until"].as_str() <= asked["until"].as_str(),
            "{given:?}"
        );
    }
}

/// What was asked for a time that is over is answered with a time of its own alone.
#[tokio::test]
async fn a_request_whose_end_is_over_is_answered_with_days() {
    let world = World::new(234);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    ask(&two, &["--days", "1"]).await;
    world.pass(2 * 86_400);
    let approve = ["request", "approve", "clinic", "--record", &record];
    let why = refused(&two.patient, &approve, code::USAGE).await;
    assert!(why.contains("is over already"), "{why}");
    assert!(why.contains("--days"), "{why}");
}

/// It said "asked", and nobody was asked: the chain had made no block since, so it was the request of before.
#[tokio::test]
async fn a_request_that_was_sent_before_is_said_to_be_the_same() {
    let world = World::new(235);
    let two = Two::new(&world).await;
    let create = ["request", "create", &two.owner];
    let first = try_say(&two.clinic, &create).await.unwrap();
    assert_eq!(first.value["already"], false, "{}", first.text);
    assert!(first.text.contains("the person decides"), "{}", first.text);
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["request", "deny", "clinic"]).await;
    let again = try_say(&two.clinic, &create).await.unwrap();
    assert_eq!(again.value["already"], true, "{}", again.text);
    assert!(again.text.contains("sent already"), "{}", again.text);
    assert!(!again.text.contains("the person decides"), "{}", again.text);
    // What it advises asks.
    let other = [create.as_slice(), &["--reason", "once more"]].concat();
    let other = say(&two.clinic, &other).await;
    assert_eq!(other["already"], false, "{other}");
    say(&two.patient, &["sync"]).await;
    let waiting = say(&two.patient, &["request", "list"]).await;
    assert_eq!(waiting.as_array().unwrap().len(), 1, "{waiting}");
}
