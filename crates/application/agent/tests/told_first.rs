//! What a command shows, or needs, is said before it does anything.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
use two::{Two, party, refused, say};

#[tokio::test]
async fn a_person_is_told_what_a_public_account_shows_before_it_is_registered() {
    let world = World::new(1030);
    let person = party(&world, 8, Role::Person);
    let id = person.account().id();
    let register = ["account", "register"];
    let told = refused(&person, &register, code::USAGE).await;
    for part in [
        &*id.to_string(),
        "for ever",
        "Nothing was registered",
        "`--yes`",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(world.ports().facts.account(id).await.unwrap().is_none());
    say(&person, &["account", "register", "--yes"]).await;
    assert!(world.ports().facts.account(id).await.unwrap().is_some());
    // It stands: there is nothing left to ask.
    say(&person, &register).await;
    let clinic = party(&world, 9, Role::Provider);
    say(&clinic, &register).await;
}

/// A second device was told to have the contact ask, although a sync would have brought what it needs.
#[tokio::test]
async fn without_a_reader_address_a_sync_is_said_first() {
    let world = World::new(1031);
    let before = world.notes();
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let give = ["grant", "create", "--to", "clinic", "--record", &record];
    say(&two.patient, &give).await;
    world.set_notes(before);
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let restored = Party::restore(&phrase, Role::Person, world.ports()).await;
    let phone = restored.unwrap().0;
    let told = refused(&phone, &give, code::FAILED).await;
    for part in ["no unused reader address", "Run `medibloc sync` first"] {
        assert!(told.contains(part), "{told}");
    }
}
