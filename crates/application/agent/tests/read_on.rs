//! What was read goes with the consent that it was read on, whatever else opens the record, and what it is read for is said.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Pace, Party};
use medibloc_record::Role;
use serde_json::{Value, json};
use two::{Two, party, refused, say, text, try_say, with_ports};

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

/// Attacker: a file that was moved away was forgotten once the next one was written to its path.
#[tokio::test]
async fn a_file_that_was_moved_is_not_forgotten_for_the_next_at_its_path() {
    let world = World::new(1413);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let out = two.folder.path().join("document.xml");
    let out = out.to_str().unwrap();
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        let record = two.accepted().await;
        ids.push(given(&two, "reader", &record, &[]).await);
        say(&reader, &["sync"]).await;
        // The second is read twice.
        for copy in 0..ids.len() {
            say(&reader, &["read", &record, "--out", out]).await;
            let filed = two.folder.path().join(format!("{name}{copy}"));
            std::fs::rename(out, filed).unwrap();
        }
    }
    let mut unknown = 0;
    for id in &ids {
        revoked(&two, id, &reader).await;
        let told = listed(&two.patient, "given", id).await;
        unknown += usize::from(told["files_unknown"] == true);
        let own = listed(&reader, "held", id).await;
        assert_eq!(own["files_unknown"], true, "{own}");
    }
    println!(
        "ATTACK fifteenth-1: {} of 2 consents are told as purged whose file was moved away",
        2 - unknown
    );
    assert_eq!(unknown, 2);
}

/// Attacker: a planned read was on whichever consent lasted longest when its hour came.
#[tokio::test]
async fn a_planned_read_is_on_the_consent_that_was_meant_last() {
    let world = World::new(1414);
    let two = Two::new(&world).await;
    let mut ports = world.ports();
    ports.pace = Pace::PERSON;
    let reader = with_ports(ports, 3, Role::Provider);
    two.know(&world, &reader).await;
    let record = two.accepted().await;
    let treat = given(&two, "reader", &record, &["--days", "20"]).await;
    say(&reader, &["sync"]).await;
    let later = ["read", &record, "--later"];
    assert_eq!(say(&reader, &later).await["planned"], true);
    // A longer one for something else is not meant by that.
    let pay = ["--purpose", "payment", "--days", "90"];
    let pay = given(&two, "reader", &record, &pay).await;
    say(&reader, &["sync"]).await;
    let status = try_say(&reader, &["status"]).await.unwrap().text;
    assert!(status.contains(&treat), "{status}");
    let pass = async || {
        for _ in 0..8 {
            world.pass(8 * 3_600);
            say(&reader, &["sync"]).await;
        }
    };
    pass().await;
    let kept = say(&reader, &["read", &record, "--kept"]).await;
    assert_eq!(kept["grant"], treat);
    // A copy of another consent is no read on this one; and what is said last counts.
    for on in [&pay, &treat, &pay] {
        let planned = say(&reader, &["read", &record, "--later", "--on", on]).await;
        assert_eq!(planned["planned"], *on == pay, "{planned}");
    }
    pass().await;
    let kept = say(&reader, &["read", &record, "--kept"]).await;
    assert_eq!(kept["grant"], pay);
    // Once it has ended, nothing is read for something else.
    let other = two.accepted().await;
    let id = given(&two, "reader", &other, &["--days", "20"]).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &other, "--later"]).await;
    let pay = ["--purpose", "payment", "--days", "90"];
    given(&two, "reader", &other, &pay).await;
    revoked(&two, &id, &reader).await;
    pass().await;
    refused(&reader, &["read", &other, "--kept"], code::UNKNOWN).await;
}

/// Patient advocate: "no" to what had not left was refused, and the consent went.
#[tokio::test]
async fn what_has_not_left_is_not_given_once_it_is_denied() {
    let world = World::new(1415);
    let mut ports = world.ports();
    ports.pace = Pace::PERSON;
    let two = Two::at(&world, ports).await;
    let reader = party(&world, 3, Role::Provider);
    two.know(&world, &reader).await;
    let record = two.accepted().await;
    for _ in 0..4 {
        world.pass(86_400);
        say(&two.patient, &["sync"]).await;
    }
    let owner = text(&say(&reader, &["contact", "list"]).await, "/owners/0/owner");
    say(&reader, &["request", "create", &owner]).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "reader", "--record", &record];
    say(&two.patient, &approve).await;
    let denied = say(&two.patient, &["request", "deny", "reader"]).await;
    assert_eq!(denied["dropped"].as_array().unwrap().len(), 1, "{denied}");
    for _ in 0..12 {
        world.pass(8 * 3_600);
        say(&two.patient, &["sync"]).await;
    }
    say(&reader, &["sync"]).await;
    refused(&reader, &["read", &record], code::UNKNOWN).await;
}
