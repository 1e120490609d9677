//! Key lists that two devices of one phrase give under one consent, neither having seen the other's.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::collections::BTreeSet;

use medibloc_journey::memory::World;
use medibloc_journey::{Pace, Party};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Event, Events as _};
use medibloc_record::Role;
use two::{Two, say, try_say, with_ports};

/// The laptop planned a list of one record, the phone one of two. By one number, each took the other's for its own: what only the
/// other gave was not known to be given.
#[tokio::test]
async fn lists_of_two_devices_are_two() {
    let world = World::new(9410);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let all = ["grant", "create", "--to", "reader", "--all", "--yes"];
    say(&two.patient, &all).await;
    say(&reader, &["sync"]).await;
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let mut own = world.ports();
    own.pace = Pace::PERSON;
    let phone = Party::restore(&phrase, Role::Person, own).await.unwrap().0;
    say(&phone, &["sync"]).await;
    let mut ports = two.patient.ports().clone();
    ports.pace = Pace::PERSON;
    let laptop = with_ports(ports, 1, Role::Person);

    // Held back until the owner says who the owner is; then the laptop plans its list.
    let first = two.accepted().await;
    let person = [
        "account",
        "person",
        "--name",
        "Eve Betterhalf",
        "--born",
        "1975-05-01",
    ];
    say(&laptop, &person).await;
    say(&laptop, &["sync"]).await;
    let second = two.accepted().await;
    say(&phone, &["sync"]).await;
    say(&phone, &person).await;
    say(&phone, &["contact", "confirm", "reader"]).await;
    say(&phone, &["sync"]).await;
    world.pass(2 * 86_400);
    say(&laptop, &["sync"]).await;
    say(&phone, &["sync"]).await;

    let blocks = world.ledger.events(0, 10_000).await.unwrap();
    let events = blocks.iter().flat_map(|block| &block.events);
    let lists: BTreeSet<u32> = events
        .filter_map(|event| match event {
            Event::Delivered { number, .. } => Some(*number),
            _ => None,
        })
        .collect();
    assert_eq!(lists.len(), 2, "each device gave a list of its own");
    say(&reader, &["sync"]).await;
    for record in [&first, &second] {
        let read = ["read", record, "--out", "-", "--now", "--yes"];
        assert!(try_say(&reader, &read).await.is_ok(), "{record}");
    }
    for device in [&laptop, &phone] {
        let told = try_say(device, &["sync"]).await.unwrap().text;
        assert!(!told.contains("did not give it"), "{told}");
    }
}
