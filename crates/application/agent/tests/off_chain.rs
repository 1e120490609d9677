//! What stood on a chain that was left for an older copy, and what its owner and its author do about it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_evil::owner::call;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Call, Event, Events as _, Facts as _, Mark, MemoryLedger};
use two::{Two, say, text, try_say};

/// Everybody goes on from an older copy of the chain.
async fn set_back(world: &Arc<World>, older: &MemoryLedger) {
    world.ledger.replace_by(older);
    let head = world.ledger.head().await.unwrap();
    let read = Mark {
        number: head.number,
        hash: head.hash,
    };
    for keeper in 1..=4 {
        world.has_read(Some(keeper), read);
    }
}

/// A record of the chain that was left was in a dead end: it could be neither erased, nor written again, nor taken back.
#[tokio::test]
async fn a_record_of_the_chain_that_was_left_is_erased_and_written_again() {
    let world = World::new(9210);
    let two = Two::new(&world).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    say(&two.clinic, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
    let older = world.ledger.copy();
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let written = text(&say(&two.clinic, &import).await, "/record");
    let own = two.accepted().await;
    say(&two.clinic, &["sync"]).await;
    set_back(&world, &older).await;
    for party in [&two.patient, &two.clinic] {
        say(party, &["chain", "accept"]).await;
        say(party, &["sync"]).await;
    }
    let list = say(&two.patient, &["record", "list"]).await;
    for record in list.as_array().unwrap() {
        assert_eq!(record["state"], "not on this chain", "{record}");
    }
    // It asks nobody for shares that cannot be.
    let again = try_say(&two.patient, &["record", "store", "--all"])
        .await
        .unwrap();
    assert_eq!(
        (again.code, &again.value["asked"]),
        (0, &0.into()),
        "{}",
        again.text
    );

    let taken_back = try_say(&two.clinic, &["record", "retract", &written, "--yes"])
        .await
        .unwrap_err();
    assert!(
        taken_back
            .message
            .contains("nothing to take back; import the document again"),
        "{taken_back}"
    );
    for record in [&written, &own] {
        let erased = try_say(&two.patient, &["record", "erase", record, "--yes"])
            .await
            .unwrap();
        assert_eq!(erased.code, 0, "{}", erased.text);
        assert!(
            erased
                .text
                .contains("The chain as it stands does not have it"),
            "{}",
            erased.text
        );
        let shown = try_say(&two.patient, &["record", "export", record, "--out", "-"])
            .await
            .unwrap_err();
        assert_eq!(shown.code, code::ERASED, "{shown}");
    }
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    assert_eq!(synced.code, 0, "{}", synced.text);

    let anew = text(&say(&two.clinic, &import).await, "/record");
    assert_ne!(anew, written);
    say(&two.patient, &["sync"]).await;
    let list = say(&two.patient, &["record", "list"]).await;
    let accepted = list.as_array().unwrap().iter();
    assert_eq!(
        accepted.filter(|it| it["state"] == "accepted").count(),
        1,
        "{list}"
    );
}

/// A list of the chain that was left opens nothing on this one: its records are given by another.
#[tokio::test]
async fn what_a_limited_consent_delivered_on_the_chain_that_was_left_is_delivered_again() {
    let world = World::new(9214);
    let two = Two::new(&world).await;
    let own = two.accepted().await;
    let all = ["grant", "create", "--to", "clinic", "--all"];
    say(&two.patient, &all).await;
    say(&two.clinic, &["sync"]).await;
    let older = world.ledger.copy();
    say(&two.patient, &["record", "confirm", &own]).await;
    say(&two.patient, &["sync"]).await;
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &["read", &own]).await;
    set_back(&world, &older).await;
    for party in [&two.patient, &two.clinic] {
        say(party, &["chain", "accept"]).await;
        say(party, &["sync"]).await;
    }
    say(&two.clinic, &["read", &own]).await;
}

/// What its author signed can come to the chain as it stands: the owner erased it.
#[tokio::test]
async fn a_record_that_was_erased_and_comes_to_this_chain_is_erased_there() {
    let world = World::new(9211);
    let two = Two::new(&world).await;
    // The address of own records is registered on both.
    two.accepted().await;
    let older = world.ledger.copy();
    let own = two.accepted().await;
    let newest = world.ledger.copy();
    set_back(&world, &older).await;
    say(&two.patient, &["chain", "accept"]).await;
    say(&two.patient, &["record", "erase", &own, "--yes"]).await;
    let here = world.ledger.copy();
    world.ledger.replace_by(&newest);
    let blocks = world.ledger.events(0, 10_000).await.unwrap();
    world.ledger.replace_by(&here);
    let mut events = blocks.into_iter().flat_map(|block| block.events);
    let anchor = events.find_map(|event| match event {
        Event::Anchored(anchor) if anchor.record_id().to_string() == own => Some(anchor),
        _ => None,
    });
    let anchor = anchor.unwrap();
    let mut addresses = two.patient.addresses().unwrap().into_iter();
    let address = addresses.find(|it| it.id() == anchor.author).unwrap();
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let key = phrase.seed().relationship_key(address.index.unwrap());
    let anchors = Call::Anchor(anchor);
    call(&world.ports(), &key, &anchors).await.unwrap();
    say(&two.patient, &["sync"]).await;
    let facts = world
        .ports()
        .facts
        .record(anchor.record_id())
        .await
        .unwrap();
    assert!(facts.unwrap().erased);
}

/// A permission that had ended before the copy was made is on both chains.
#[tokio::test]
async fn a_permission_that_ended_on_both_chains_is_not_told_as_lost() {
    let world = World::new(9212);
    let two = Two::new(&world).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    say(&two.patient, &["sync"]).await;
    let id = two.patient.write_grants().unwrap().remove(0).0;
    say(&two.patient, &["grant", "revoke", &id.to_string()]).await;
    say(&two.patient, &["sync"]).await;
    let older = world.ledger.copy();
    two.accepted().await;
    set_back(&world, &older).await;
    say(&two.patient, &["chain", "accept"]).await;
    for _ in 0..2 {
        let list = say(&two.patient, &["grant", "list"]).await;
        let given = list["given"].as_array().unwrap();
        assert_eq!(given.len(), 1, "{list}");
        assert_eq!(given[0]["state"], "revoked", "{list}");
        say(&two.patient, &["sync"]).await;
    }
}
