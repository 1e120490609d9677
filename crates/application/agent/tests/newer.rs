//! A home whose `deployment.json` is older than the authority of who writes to it: it is told what to do, and loses nothing.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Authorities, EarlierAuthority, Ports};
use medibloc_keys::SigningKey;
use medibloc_record::{Role, Timestamp};
use two::{party, say, text, try_say, with_ports};

#[tokio::test]
async fn a_pairing_under_the_next_authority_is_told_and_taken_with_the_newest_file() {
    let world = World::new(271);
    let now = world.ports();
    let before = SigningKey::from_bytes(&[0xb1; 32]).unwrap().address();
    let old = Ports {
        authority: before.into(),
        ..now.clone()
    };
    let patient = with_ports(old, 1, Role::Person);
    let clinic = party(&world, 2, Role::Provider);
    say(&clinic, &["account", "register"]).await;
    let folder = tempfile::tempdir().unwrap();
    let credential = folder.path().join("credential");
    let jwt = world.accredit(clinic.account().id(), "Clinic");
    std::fs::write(&credential, jwt).unwrap();
    let keep = ["account", "credential", credential.to_str().unwrap()];
    say(&clinic, &keep).await;
    let invitation = text(&say(&patient, &["contact", "invite"]).await, "/invitation");
    say(&clinic, &["contact", "accept", &invitation]).await;

    let synced = try_say(&patient, &["sync"]).await.unwrap();
    let status = try_say(&patient, &["status"]).await.unwrap();
    assert_eq!(synced.code, code::PARTIAL, "{}", synced.text);
    let begin = "waits for a newer deployment.json: the contact card";
    assert!(synced.text.contains(begin), "{}", synced.text);
    assert_eq!(synced.value["waiting"].as_array().unwrap().len(), 1);
    for told in [&synced.text, &status.text] {
        for part in ["get the newest deployment.json", "then run `medibloc sync`"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    let earlier = vec![EarlierAuthority {
        address: before,
        until: Timestamp(1),
    }];
    let authority = Authorities {
        earlier,
        ..now.authority.clone()
    };
    let amended = Ports { authority, ..now };
    let patient = with_ports(amended, 1, Role::Person);
    let synced = try_say(&patient, &["sync"]).await.unwrap();
    assert_eq!(synced.code, 0, "{}", synced.text);
    say(&patient, &["contact", "confirm", "clinic"]).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&patient, &write).await;
}
