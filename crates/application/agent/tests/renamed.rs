//! An account that its authority calls otherwise now: nobody confirms the old name, and what ends says all its names.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use two::{Two, refused, say, text, try_say};

/// The authority replaces the clinic's credential; the clinic has the new one.
async fn renamed(world: &Arc<World>, two: &Two, name: &str) {
    // The chain has a time a block.
    world.pass(60);
    let path = two.folder.path().join("newer");
    std::fs::write(&path, world.accredit(two.clinic.account().id(), name)).unwrap();
    let words = ["account", "credential", path.to_str().unwrap()];
    say(&two.clinic, &words).await;
}

/// Pairs the clinic once more; it waits to be confirmed.
async fn paired(two: &Two) {
    let invitation = text(
        &say(&two.patient, &["contact", "invite"]).await,
        "/invitation",
    );
    say(&two.clinic, &["contact", "accept", &invitation]).await;
    say(&two.patient, &["sync"]).await;
}

/// Newcomer: the replaced name was confirmed, and one account stood under two names without a word.
#[tokio::test]
async fn a_replaced_credential_is_not_confirmed_and_one_account_of_two_names_is_told() {
    let world = World::new(831);
    let two = Two::new(&world).await;
    renamed(&world, &two, "Praxis").await;
    paired(&two).await;
    renamed(&world, &two, "Ambulanz").await;
    let told = refused(
        &two.patient,
        &["contact", "confirm", "praxis"],
        code::REFUSED,
    )
    .await;
    for part in [
        "Praxis",
        "was replaced",
        "Nothing was confirmed",
        "contact invite",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    paired(&two).await;
    say(&two.patient, &["contact", "confirm", "ambulanz"]).await;

    let list = try_say(&two.patient, &["contact", "list"]).await.unwrap();
    for (name, replaced) in [("Clinic", true), ("Praxis", true), ("Ambulanz", false)] {
        let line = list.text.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name}: {}", list.text));
        assert_eq!(line.contains("REPLACED"), replaced, "{line}");
        assert!(line.contains("too"), "{line}");
    }
    let told = try_say(&two.patient, &["grant", "revoke", "--contact", "ambulanz"]).await;
    let told = told.unwrap().text;
    for name in ["Ambulanz", "«Clinic»", "«Praxis»"] {
        assert!(told.contains(name), "{name}: {told}");
    }
}

/// Records manager: `audit` showed the name of the time, and `audit --of` it ended with 7.
#[tokio::test]
async fn an_audit_is_asked_for_by_the_name_of_the_time_too() {
    let world = World::new(832);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let give = ["grant", "create", "--to", "clinic", "--record", &record];
    say(&two.patient, &give).await;
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &["read", &record]).await;
    renamed(&world, &two, "Praxis").await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let list = say(&two.patient, &["contact", "list"]).await;
    assert_eq!(text(&list, "/contacts/0/name"), "Praxis");
    for of in ["Praxis", "Clinic"] {
        let audit = say(&two.patient, &["audit", "--of", of]).await;
        assert_eq!(text(&audit, "/reads/0/name"), "Clinic", "{of}");
    }
    refused(&two.patient, &["audit", "--of", "Clin"], code::UNKNOWN).await;
}
