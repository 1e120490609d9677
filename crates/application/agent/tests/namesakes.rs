//! Contacts of one name are told apart, and named by the begin of their account.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_record::Role;
use two::{Two, party, refused, say, text, try_say};

#[tokio::test]
async fn contacts_of_one_name_are_told_apart_by_their_accounts() {
    let world = World::new(231);
    let two = Two::new(&world).await;
    let other = party(&world, 3, Role::Provider);
    say(&other, &["account", "register"]).await;
    let path = two.folder.path().join("other");
    std::fs::write(&path, world.accredit(other.account().id(), "Clinic")).unwrap();
    say(&other, &["account", "credential", path.to_str().unwrap()]).await;
    let invitation = text(
        &say(&two.patient, &["contact", "invite"]).await,
        "/invitation",
    );
    say(&other, &["contact", "accept", &invitation]).await;
    say(&two.patient, &["sync"]).await;

    let confirm = ["contact", "confirm", "clinic"];
    let told = refused(&two.patient, &confirm, code::UNKNOWN).await;
    assert!(told.contains("give the begin of its address"), "{told}");
    let account = other.account().id().to_string();
    let list = try_say(&two.patient, &["contact", "list"]).await.unwrap();
    for account in [&account, &two.clinic.account().id().to_string()] {
        assert!(list.text.contains(account.as_str()), "{}", list.text);
    }
    let confirm = ["contact", "confirm", &account[..12]];
    let done = try_say(&two.patient, &confirm).await.unwrap();
    assert!(done.text.contains(&account[..12]), "{}", done.text);
    let give = ["grant", "create", "--to", &account[..12], "--write"];
    say(&two.patient, &give).await;
}
