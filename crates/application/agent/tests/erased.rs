//! An erased record ends with one exit code, whoever asks and in whatever way, and a read that is refused for good is told as
//! that, however many keepers are silent.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use two::{Two, refused, say};

/// A clinic that may write.
async fn writing(seed: u64) -> (Arc<World>, Two) {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    (world, two)
}

#[tokio::test]
async fn an_erased_record_ends_with_one_exit_code() {
    let (world, two) = writing(920).await;
    let reader = two.reader(&world, 3).await;
    let record = two.written(&[]).await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &record]).await;
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    // The author has not synced: the chain says it.
    let retract = ["record", "retract", &record, "--yes"];
    refused(&two.clinic, &retract, code::ERASED).await;
    for party in [&two.clinic, &reader] {
        say(party, &["sync"]).await;
    }
    let (file, out) = (two.document(), two.folder.path().join("out"));
    let out = out.to_str().unwrap();
    let amend = ["record", "import", &file, "--amends", &record];
    let amend_for = [&amend[..], &["--for", &two.owner, "--yes"]].concat();
    let short = &record[..14];
    for words in [
        ["record", "show", short].as_slice(),
        &["record", "show", &record],
        &["record", "export", &record, "--out", out],
        &["record", "verify", &record],
        &["record", "store", &record],
        &["record", "confirm", &record],
        &["record", "retract", &record, "--yes"],
        &["record", "erase", &record, "--yes"],
        &["read", &record],
        &["read", short],
        &["read", &record, "--kept"],
        &["read", &record, "--out", out],
        &["read", &record, "--retracted"],
    ] {
        for party in [&two.clinic, &reader] {
            refused(party, words, code::ERASED).await;
        }
    }
    refused(&two.clinic, &amend_for, code::ERASED).await;
    let give = ["grant", "create", "--to", "reader", "--record", &record];
    for words in [
        ["record", "export", &record, "--out", out].as_slice(),
        &["record", "store", &record],
        &["record", "confirm", &record],
        &amend,
        &give,
    ] {
        refused(&two.patient, words, code::ERASED).await;
    }
}

/// One keeper said «revoked», the others nothing: that read as if asking again could help.
#[tokio::test]
async fn a_read_that_is_refused_for_good_says_so_beside_silent_keepers() {
    for (seed, what) in (930..).zip(["revoked", "suspended"]) {
        let (world, two) = writing(seed).await;
        let reader = two.reader(&world, 3).await;
        let record = two.accepted().await;
        two.give(&record).await;
        say(&reader, &["sync"]).await;
        // A receipt that was not used.
        (1..=7).for_each(|keeper| world.set_down(keeper, true));
        refused(&reader, &["read", &record], code::UNREACHABLE).await;
        if what == "revoked" {
            let revoke = ["grant", "revoke", "--contact", "reader"];
            say(&two.patient, &revoke).await;
        } else {
            world.ledger.suspend(reader.account().id());
        }
        world.set_down(1, false);
        let told = refused(&reader, &["read", &record], code::REFUSED).await;
        assert!(told.contains(what), "{what}: {told}");
    }
    // Where nothing ended it, whoever asks again may be answered.
    let (world, two) = writing(940).await;
    let reader = two.reader(&world, 3).await;
    let record = two.accepted().await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    (2..=7).for_each(|keeper| world.set_down(keeper, true));
    refused(&reader, &["read", &record], code::UNREACHABLE).await;
}
