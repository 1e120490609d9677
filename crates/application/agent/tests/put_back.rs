//! A node that was put back from an older copy lacks what it was given since: homes give it again.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::collections::BTreeMap;

use medibloc_dag::Cid;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
use medibloc_store::{OwnStore as _, Store as _};
use serde_json::json;
use two::{Two, say, try_say};

/// The objects of all consents that a home gave.
fn objects(party: &Party) -> Vec<Cid> {
    let given = party.grants().unwrap().into_iter();
    let digests = given.map(|(_, given)| given.artefact.grant.unwrap().terms.digest);
    digests
        .map(|digest| Cid::from_dag_cbor_digest(digest.to_bytes()))
        .collect()
}

/// The patient approves what the clinic asked for, and the node loses it before the clinic has taken it.
async fn lost(world: &World, two: &Two) -> String {
    let record = two.accepted().await;
    let ask = ["request", "create", &two.owner, "--reason", "opinion"];
    say(&two.clinic, &ask).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "clinic", "--record", &record];
    say(&two.patient, &approve).await;
    world.store.remove(&objects(&two.patient)).await.unwrap();
    say(&two.clinic, &["sync"]).await;
    assert!(try_say(&two.clinic, &["read", &record]).await.is_err());
    record
}

#[tokio::test]
async fn a_consent_that_a_node_lost_is_given_again_by_the_owners_sync() {
    let world = World::new(501);
    let two = Two::new(&world).await;
    let record = lost(&world, &two).await;
    let told = try_say(&two.patient, &["doctor"]).await.unwrap_err();
    assert!(told.message.contains("FAIL consents"), "{told}");
    assert!(told.message.contains("record store --all"), "{told}");
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    let again = "given to the node again, which had lost it: 1 object of a consent";
    assert!(synced.text.contains(again), "{}", synced.text);
    // Once is enough.
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    assert!(
        !synced.text.contains("given to the node again"),
        "{}",
        synced.text
    );
    world.pass(86_400);
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &["read", &record]).await;
    // What has ended is kept no longer, and given to nobody again.
    let gone = objects(&two.patient);
    let consent = two.patient.grants().unwrap()[0].0.to_string();
    say(&two.patient, &["grant", "revoke", &consent]).await;
    say(&two.patient, &["sync"]).await;
    assert_eq!(two.patient.ports().vault.blob(&gone[0]).unwrap(), None);
    world.store.remove(&gone).await.unwrap();
    say(&two.patient, &["sync"]).await;
    assert_eq!(world.store.has(&gone).await.unwrap(), [false]);
}

#[tokio::test]
async fn a_command_gives_all_that_a_node_lost_again() {
    let world = World::new(502);
    let two = Two::new(&world).await;
    let record = lost(&world, &two).await;
    let stored = say(&two.patient, &["record", "store", "--all"]).await;
    assert_eq!(stored["consents"]["given"], json!(1));
    assert_eq!(stored["consents"]["gone"], json!([]));
    world.pass(86_400);
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &["read", &record]).await;
}

/// A home that was restored has no object of before: it takes them from the node while that has them.
#[tokio::test]
async fn a_restored_home_keeps_the_objects_of_its_consents() {
    let world = World::new(503);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--record", &record],
    )
    .await;
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let restored = Party::restore(&phrase, Role::Person, world.ports()).await;
    let (home, report) = restored.unwrap();
    assert_eq!(report.open(), 0, "{report:?}");
    world.store.remove(&objects(&home)).await.unwrap();
    let found = home.lost_consents(10).await.unwrap();
    assert_eq!((found.lost.len(), found.gone.len()), (1, 0));
    let stored = say(&home, &["record", "store", "--all"]).await;
    assert_eq!(stored["consents"]["given"], json!(1));
    world.pass(86_400);
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &["read", &record]).await;
}

/// Of what nobody has any more the owner is told what to do.
#[tokio::test]
async fn a_consent_whose_object_nobody_has_is_named() {
    let world = World::new(504);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--record", &record],
    )
    .await;
    let vault = &two.patient.ports().vault;
    for (key, _) in vault.list("given-objects").unwrap() {
        let table = "given-objects";
        let gone = medibloc_journey::Change::Delete { table, key };
        vault.apply(vec![gone]).unwrap();
    }
    world.store.remove(&objects(&two.patient)).await.unwrap();
    let consent = two.patient.grants().unwrap()[0].0.to_string();
    let told = try_say(&two.patient, &["doctor"]).await.unwrap_err();
    let asked = format!("nobody has that of {consent}: end it");
    assert!(told.message.contains(&asked), "{told}");
    let stored = say(&two.patient, &["record", "store", "--all"]).await;
    assert_eq!(stored["consents"]["gone"], json!([consent]));
}

/// A home that owes the node nothing did not notice that its notes were gone.
#[tokio::test]
async fn notes_that_a_node_lost_are_given_again() {
    let world = World::new(505);
    let two = Two::new(&world).await;
    say(&two.clinic, &["contact", "label", &two.owner, "Mrs Kim"]).await;
    say(&two.clinic, &["sync"]).await;
    let restored = async || {
        let phrase = Phrase::generate(&mut SeededEntropy::new(2), Language::English);
        let restored = Party::restore(&phrase, Role::Provider, world.ports()).await;
        restored.unwrap().1.noted.labels
    };
    for step in ["doctor", "store", "sync"] {
        world.set_notes(BTreeMap::new());
        match step {
            "doctor" => {
                let told = try_say(&two.clinic, &["doctor"]).await.unwrap_err();
                assert!(told.message.contains("FAIL notes"), "{told}");
                assert_eq!(restored().await, 0);
                continue;
            }
            "store" => {
                let stored = say(&two.clinic, &["record", "store", "--all"]).await;
                assert_eq!(stored["notes"]["failed"], json!([]));
            }
            _ => {
                world.pass(86_400);
                let synced = try_say(&two.clinic, &["sync"]).await.unwrap();
                let told = "the node gave older notes";
                assert_eq!(synced.text.matches(told).count(), 1, "{}", synced.text);
            }
        }
        assert_eq!(restored().await, 1, "{step}");
    }
}

/// A request that waited at the node is lost with it; nobody but its sender has it.
#[tokio::test]
async fn letters_that_a_node_lost_are_sent_again_and_taken_once() {
    let world = World::new(506);
    let two = Two::new(&world).await;
    let ask = ["request", "create", &two.owner, "--reason", "opinion"];
    say(&two.clinic, &ask).await;
    assert_eq!(world.lose_letters(), 1);
    say(&two.patient, &["sync"]).await;
    assert!(two.patient.requests().unwrap().is_empty());
    for _ in 0..2 {
        let stored = say(&two.clinic, &["record", "store", "--all"]).await;
        assert_eq!(stored["letters"]["failed"], json!([]));
        say(&two.patient, &["sync"]).await;
        assert_eq!(two.patient.requests().unwrap().len(), 1);
    }
}
