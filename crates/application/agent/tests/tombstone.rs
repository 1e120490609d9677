//! What is said of an erased record: the same in every list, also of readers whose consent had ended before, and of an erasure
//! that too few keepers have signed.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_dag::Cid;
use medibloc_journey::memory::World;
use medibloc_store::Store as _;
use two::{Two, refused, say, text, try_say};

/// A record that the clinic may read, and its consent.
async fn shared(two: &Two) -> (String, String) {
    let record = two.accepted().await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "clinic", "--record", &record];
    let grant = text(&say(&two.patient, &approve).await, "/grant");
    say(&two.clinic, &["sync"]).await;
    (record, grant)
}

#[tokio::test]
async fn who_purged_before_the_erasure_is_told_with_what_it_keeps() {
    let world = World::new(221);
    let two = Two::new(&world).await;
    let (record, grant) = shared(&two).await;
    let out = two.folder.path().join("kept.xml");
    let out = out.to_str().unwrap();
    say(&two.clinic, &["read", &record, "--out", out, "--keep"]).await;
    say(&two.patient, &["grant", "revoke", &grant]).await;
    // The letter, the purge, and what it says.
    say(&two.patient, &["sync"]).await;
    say(&two.clinic, &["sync"]).await;
    let told = say(&two.patient, &["sync"]).await["told"].to_string();
    assert!(told.contains("keeps 1 file"), "{told}");

    let erase = ["record", "erase", &record, "--yes"];
    let erased = try_say(&two.patient, &erase).await.unwrap();
    let shown = try_say(&two.patient, &["record", "show", &record]).await;
    for answer in [&erased, &shown.unwrap()] {
        let told = &answer.text;
        assert!(told.contains("it says that it purged its copy, "), "{told}");
        assert!(told.contains("keeps 1 file"), "{told}");
        assert!(!told.contains("has not been told"), "{told}");
        let reader = &answer.value["readers"][0];
        assert_eq!(
            (&reader["hasPurged"], &reader["filesKept"]),
            (&true.into(), &1.into())
        );
        assert!(reader["purged"].is_string(), "{reader}");
    }
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    assert_eq!(list.value["given"][0]["files_kept"], 1, "{}", list.text);

    // A new consent would open nothing: that it was erased comes before that its own had ended.
    for words in [
        ["read", &record].as_slice(),
        &["read", &record, "--kept"],
        &["read", &record, "--retracted"],
    ] {
        let told = refused(&two.clinic, words, code::ERASED).await;
        assert!(!told.contains("ask the owner for a new one"), "{told}");
    }
}

#[tokio::test]
async fn who_purges_for_the_erasure_is_told_by_the_list_of_consents_too() {
    let world = World::new(222);
    let two = Two::new(&world).await;
    let (record, _) = shared(&two).await;
    say(&two.clinic, &["read", &record]).await;
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    let list = say(&two.patient, &["grant", "list"]).await;
    assert_eq!(list["given"][0]["purged"], false, "{list}");
    say(&two.clinic, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
    let show = say(&two.patient, &["record", "show", &record]).await;
    assert_eq!(show["readers"][0]["hasPurged"], true, "{show}");
    let list = say(&two.patient, &["grant", "list"]).await;
    assert_eq!(list["given"][0]["purged"], true, "{list}");
}

/// Before: "purged its copy of the erased record", of whoever had its key and never asked to read it.
#[tokio::test]
async fn who_never_read_it_is_not_said_to_have_purged_a_copy() {
    for reads in [false, true] {
        let world = World::new(226 + u64::from(reads));
        let two = Two::new(&world).await;
        let (record, grant) = shared(&two).await;
        if reads {
            say(&two.clinic, &["read", &record]).await;
        }
        say(&two.patient, &["record", "erase", &record, "--yes"]).await;
        say(&two.clinic, &["sync"]).await;
        let told = say(&two.patient, &["sync"]).await["told"].to_string();
        let purged = format!("purged its copy of the erased record {record}");
        assert_eq!(told.contains(&purged), reads, "{told}");
        let dropped = format!(
            "dropped the key of the erased record {record} that consent {} gave; it never read it by that",
            &grant[..12]
        );
        assert_eq!(told.contains(&dropped), !reads, "{told}");
    }
}

#[tokio::test]
async fn an_erasure_that_too_few_keepers_signed_is_said_to_be_not_final() {
    let world = World::new(223);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    for index in 1..=4 {
        world.set_down(index, true);
    }
    let erase = ["record", "erase", &record, "--yes"];
    let erased = try_say(&two.patient, &erase).await.unwrap();
    assert_eq!(erased.code, code::PARTIAL, "{}", erased.text);
    let show = try_say(&two.patient, &["record", "show", &record]).await;
    let show = show.unwrap().text;
    for part in [
        "3 keepers signed",
        "4 make it final",
        "not final yet",
        "`medibloc sync`",
    ] {
        assert!(show.contains(part), "{show}");
    }
    // What a node does when it sees an erasure: the one of this world does not follow the chain.
    let anchor = two.patient.record(record.parse().unwrap()).unwrap().anchor;
    let objects = [
        anchor.package,
        anchor.key_set,
        anchor.capsule,
        anchor.attestation,
    ];
    let objects = objects.map(|digest| Cid::from_dag_cbor_digest(digest.to_bytes()));
    world.store.erase(&objects).await.unwrap();
    let verified = try_say(&two.patient, &["record", "verify", &record]).await;
    let verified = verified.unwrap();
    assert_eq!(verified.code, code::UNREACHABLE, "{}", verified.text);
    assert_eq!(verified.value["final"], false);
    assert!(verified.text.contains("not final"), "{}", verified.text);
    for index in 1..=4 {
        world.set_down(index, false);
    }
    say(&two.patient, &["sync"]).await;
    let show = try_say(&two.patient, &["record", "show", &record]).await;
    assert!(!show.unwrap().text.contains("not final"));
}

/// What its owner erased cannot be taken back any more: that is over, and no later sync does it.
#[tokio::test]
async fn a_retraction_that_the_erasure_overtook_is_given_up() {
    let world = World::new(224);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let record = two.written(&[]).await;
    let cut_off = two::with_ports(
        {
            let mut ports = two.clinic.ports().clone();
            ports.relay = two.cut_off.ports().relay.clone();
            ports
        },
        2,
        medibloc_record::Role::Provider,
    );
    refused(
        &cut_off,
        &["record", "retract", &record, "--yes"],
        code::PARTIAL,
    )
    .await;
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    let report = two.clinic.sync().await.unwrap();
    assert_eq!(report.later, Vec::<String>::new(), "{report:?}");
    assert_eq!(report.given_up.len(), 1, "{report:?}");
    let report = two.clinic.sync().await.unwrap();
    assert_eq!(report.given_up, Vec::<String>::new(), "told once");
}

/// Before: "erased record …, whose content is not here", and 0.
#[tokio::test]
async fn what_was_erased_before_is_called_so() {
    let world = World::new(11_307);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let erase = ["record", "erase", &record, "--yes"];
    let first = try_say(&two.patient, &erase).await.unwrap();
    assert_eq!(first.code, 0, "{}", first.text);
    assert!(first.text.starts_with("erased record"), "{}", first.text);
    let again = try_say(&two.patient, &erase).await.unwrap();
    assert_eq!(again.code, code::ERASED, "{}", again.text);
    let told = format!("record {record} was erased before; 7 keepers signed");
    assert!(again.text.starts_with(&told), "{}", again.text);
}
