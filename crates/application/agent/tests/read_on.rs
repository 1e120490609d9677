//! What was read goes with the consent that it was read on, whatever else opens the record, and what it is read for is said.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say};

/// The consent that it gives one record by.
async fn given(two: &Two, to: &str, record: &str, more: &[&str]) -> String {
    let give = ["grant", "create", "--to", to, "--record", record];
    text(
        &say(&two.patient, &[&give[..], more].concat()).await,
        "/grant",
    )
}

/// A consent in a list.
async fn listed(party: &Party, side: &str, id: &str) -> Value {
    let list = say(party, &["grant", "list"]).await;
    let all = list[side].as_array().unwrap().iter();
    let mut all = all.map(|one| one.get("consent").unwrap_or(one));
    all.find(|one| one["id"] == *id).unwrap().clone()
}

async fn revoked(two: &Two, id: &str, reader: &Party) {
    say(&two.patient, &["grant", "revoke", id]).await;
    say(reader, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
}

/// Data protection officer: "copies purged" was told of a consent whose readings stayed, because another one opened the record.
#[tokio::test]
async fn what_was_read_on_a_consent_goes_with_it_though_another_one_stands() {
    let world = World::new(1410);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let record = two.accepted().await;
    let first = given(&two, "reader", &record, &["--days", "5"]).await;
    say(&reader, &["sync"]).await;
    let file = two.folder.path().join("first.xml");
    let file = file.to_str().unwrap();
    say(&reader, &["read", &record, "--out", file, "--keep"]).await;
    for _ in 0..2 {
        say(&reader, &["read", &record, "--out", "-"]).await;
    }
    let second = given(&two, "reader", &record, &["--days", "30"]).await;
    say(&reader, &["sync"]).await;
    revoked(&two, &first, &reader).await;

    let kept = ["read", &record, "--kept"];
    let told = listed(&two.patient, "given", &first).await;
    let left = json!([told["purged"], told["files_kept"], told["outputs"]["times"]]);
    let is_open = try_say(&reader, &kept).await.is_ok();
    println!(
        "ATTACK fourteenth-d1: {} of 3 readings of an ended consent are told as purged and are there",
        u8::from(is_open) + u8::from(left[1] == 0) + u8::from(left[2].is_null())
    );
    refused(&reader, &kept, code::UNKNOWN).await;
    assert_eq!(left, json!([true, 1, 2]), "{told}");
    let own = listed(&reader, "held", &first).await;
    assert_eq!(own["files_kept"], 1, "{own}");

    // The other one stands: it is read again on that, and goes with that.
    let read = say(&reader, &["read", &record]).await;
    assert_eq!(read["grant"], second);
    say(&reader, &kept).await;
    revoked(&two, &second, &reader).await;
    refused(&reader, &kept, code::REFUSED).await;
    let told = listed(&two.patient, "given", &second).await;
    let left = json!([told["purged"], told["files_kept"], told["outputs"]]);
    assert_eq!(left, json!([true, 0, null]), "{told}");
}

/// The same of what the reader wrote itself: what was written is the author's, what was read on a consent is not.
#[tokio::test]
async fn an_author_s_reading_goes_with_its_consent() {
    let world = World::new(1411);
    let two = Two::new(&world).await;
    let allow = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &allow).await;
    say(&two.clinic, &["sync"]).await;
    let record = two.written(&[]).await;
    let id = given(&two, "clinic", &record, &[]).await;
    say(&two.clinic, &["sync"]).await;
    let file = two.folder.path().join("kept.xml");
    let file = file.to_str().unwrap();
    say(&two.clinic, &["read", &record, "--out", file, "--keep"]).await;
    revoked(&two, &id, &two.clinic).await;

    refused(&two.clinic, &["read", &record, "--kept"], code::REFUSED).await;
    let told = listed(&two.patient, "given", &id).await;
    let left = json!([told["purged"], told["files_kept"]]);
    assert_eq!(left, json!([true, 1]), "{told}");
    // An erasure after it does not forget what stays.
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    say(&two.clinic, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
    let shown = try_say(&two.patient, &["record", "show", &record])
        .await
        .unwrap();
    let stays = "it still keeps 1 file that it wrote out";
    assert!(shown.text.contains(stays), "{}", shown.text);
}

/// Which consent a read was on was the program's choice, and its purpose stood on the chain.
#[tokio::test]
async fn consents_for_different_purposes_are_chosen_by_whoever_reads() {
    let world = World::new(1412);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let record = two.accepted().await;
    let treat = given(&two, "reader", &record, &["--days", "5"]).await;
    let pay = ["--purpose", "payment", "--days", "30"];
    let pay = given(&two, "reader", &record, &pay).await;
    say(&reader, &["sync"]).await;
    let told = refused(&reader, &["read", &record], code::USAGE).await;
    for part in [&treat[..12], &pay[..12], "TREAT", "HPAYMT", "--on CONSENT"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    refused(&reader, &["read", &record, "--on", "0x12"], code::UNKNOWN).await;
    for (id, purpose) in [(&treat, "TREAT"), (&pay, "HPAYMT")] {
        let read = say(&reader, &["read", &record, "--on", &id[..12]]).await;
        assert_eq!(
            (&read["grant"], &read["purpose"]),
            (&json!(id), &json!(purpose))
        );
    }
    say(&two.patient, &["sync"]).await;
    let audit = say(&two.patient, &["audit"]).await;
    let lines = audit["reads"].as_array().unwrap();
    let purposes: Vec<&Value> = lines.iter().map(|line| &line["purpose"]).collect();
    assert_eq!(purposes, ["TREAT", "HPAYMT"]);
    // Once one of them is left there is nothing to choose.
    revoked(&two, &pay, &reader).await;
    assert_eq!(say(&reader, &["read", &record]).await["purpose"], "TREAT");
}
