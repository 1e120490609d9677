//! Whose a record is and who read it is said by what tells persons apart, not by a name alone.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_journey::memory::World;
use medibloc_record::Role;
use two::{Two, party, say, text, try_say};

#[tokio::test]
async fn two_contacts_of_one_name_are_told_apart() {
    let world = World::new(290);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let record = two.written(&[]).await;
    let mut contacts = Vec::new();
    for seed in [3, 4] {
        let reader = party(&world, seed, Role::Provider);
        say(&reader, &["account", "register"]).await;
        let path = two.folder.path().join("credential");
        std::fs::write(&path, world.accredit(reader.account().id(), "Bit\nClinic")).unwrap();
        say(&reader, &["account", "credential", path.to_str().unwrap()]).await;
        let invitation = text(
            &say(&two.patient, &["contact", "invite"]).await,
            "/invitation",
        );
        let paired = say(&reader, &["contact", "accept", &invitation]).await;
        let contact = text(&paired, "/owner");
        say(&two.patient, &["sync"]).await;
        say(&two.patient, &["contact", "confirm", &contact]).await;
        say(&reader, &["request", "create", &contact]).await;
        say(&two.patient, &["sync"]).await;
        contacts.push((contact, reader));
    }
    let requests = try_say(&two.patient, &["request", "list"]).await.unwrap();
    for (contact, reader) in &contacts {
        let named = format!("Bit Clinic (contact {})", &contact[..12]);
        assert!(requests.text.contains(&named), "{}", requests.text);
        let give = ["grant", "create", "--to", contact, "--record", &record];
        say(&two.patient, &give).await;
        say(reader, &["sync"]).await;
        say(reader, &["read", &record]).await;
        say(&two.patient, &["sync"]).await;
        for list in [["grant", "list"].as_slice(), &["audit"]] {
            let told = try_say(&two.patient, list).await.unwrap();
            assert!(told.text.contains(&named), "{}", told.text);
        }
    }
    let audit = say(&two.patient, &["audit"]).await;
    let mut of: Vec<String> = (0..2)
        .map(|n| text(&audit, &format!("/reads/{n}/contact")))
        .collect();
    let mut are: Vec<String> = contacts.into_iter().map(|(contact, _)| contact).collect();
    of.sort();
    are.sort();
    assert_eq!(of, are);
}

/// A record lies under the address that its author got; whoever reads it knows the owner by another.
#[tokio::test]
async fn a_reader_is_told_whose_record_it_read_by_the_name_that_it_knows() {
    let world = World::new(291);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let reader = two.reader(&world, 3).await;
    let record = two.written(&[]).await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    let paired = reader.patrons().unwrap()[0].owner.to_string();
    assert_ne!(paired, two.owner);
    for (label, is_warned) in [("Eve Betterhalf, ward 3", false), ("Adam Otherhalf", true)] {
        say(&reader, &["contact", "label", &paired, label]).await;
        let read = try_say(&reader, &["read", &record]).await.unwrap();
        let warned = read.text.contains("WARNING: this home calls its owner");
        assert_eq!(warned, is_warned, "{}", read.text);
        for list in [["grant", "list"].as_slice(), &["audit"]] {
            let told = try_say(&reader, list).await.unwrap();
            let owner = format!("{paired} «{label}»");
            assert!(told.text.contains(&owner), "{}", told.text);
        }
        let audit = say(&reader, &["audit"]).await;
        assert_eq!(text(&audit, "/ownReads/0/paired"), paired);
        assert_eq!(text(&audit, "/ownReads/0/label"), label);
    }
}
