//! A request cannot be exchanged for another between the list and the answer.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say};

/// Asks as the clinic, once for each reason.
async fn ask(two: &Two, reasons: impl Iterator<Item = String>) {
    for reason in reasons {
        let ask = ["request", "create", &two.owner, "--reason", &reason];
        say(&two.clinic, &ask).await;
    }
    say(&two.patient, &["sync"]).await;
}

async fn list(two: &Two) -> Vec<Value> {
    let list = say(&two.patient, &["request", "list"]).await;
    list.as_array().unwrap().clone()
}

/// Its sender chose the letter's id, so nothing that names it here may come of that alone.
#[tokio::test]
async fn a_name_that_was_shown_never_comes_to_mean_another_request() {
    let world = World::new(271);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let say_name = ["request", "create", &two.owner, "--reason", "little"];
    say(&two.clinic, &say_name).await;
    let sent: Vec<String> = world
        .letters()
        .iter()
        .map(|letter| hex::encode(letter.id))
        .collect();
    say(&two.patient, &["sync"]).await;
    let first = text(&list(&two).await[0], "/id");
    assert!(!sent.is_empty() && !sent.contains(&first), "{first}");

    ask(&two, (0..16).map(|number| format!("much {number}"))).await;
    let waiting = list(&two).await;
    assert_eq!(waiting.len(), 16);
    for name in [&first[..], &first[..8], &first[..6]] {
        for answer in [["--all", "--yes"], ["--record", record.as_str()]] {
            let approve = [["request", "approve", name].as_slice(), &answer].concat();
            let why = refused(&two.patient, &approve, code::UNKNOWN).await;
            assert!(why.contains("dropped unanswered"), "{why}");
        }
        let why = refused(&two.patient, &["request", "deny", name], code::UNKNOWN).await;
        assert!(why.contains("dropped unanswered"), "{why}");
    }
    let given = say(&two.patient, &["grant", "list"]).await;
    assert_eq!(given["given"], json!([]), "{given}");

    // The sender's own ids name nothing, whole or begun.
    for letter in &sent {
        refused(&two.patient, &["request", "deny", letter], code::UNKNOWN).await;
        refused(
            &two.patient,
            &["request", "deny", &letter[..8]],
            code::UNKNOWN,
        )
        .await;
    }
    // One that was denied is told as that.
    let other = text(&waiting[0], "/id");
    try_say(&two.patient, &["request", "deny", &other])
        .await
        .unwrap();
    let why = refused(
        &two.patient,
        &["request", "deny", &other[..8]],
        code::UNKNOWN,
    )
    .await;
    assert!(why.contains("was denied"), "{why}");
    println!(
        "ATTACK sixth-5: 0 of 6 answers to a dropped request taken for another, 0 requests named by their sender"
    );
}

/// What comes through the door in the home is read as strictly as what is typed.
#[test]
fn a_day_that_is_none_is_no_command() {
    let ask = |day: &str| json!({"create": {"owner": "aa", "purpose": "treatment", "reason": "", "since": day, "days": 7}});
    let read = |day: &str| serde_json::from_value::<medibloc_agent::command::Request>(ask(day));
    read("2026-11-01").unwrap();
    for day in [" 2026-11-01", "\u{200b}2026-11-01", "2026-11-31", "2026-11"] {
        let error = read(day).unwrap_err().to_string();
        assert!(error.contains("like 2026-01-31"), "{error}");
    }
}
