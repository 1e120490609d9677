//! An accredited account is called as its authority calls it, also where its credential came late.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Invitation, Party};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
use two::{Two, party, refused, say, text, try_say};

async fn invitation(patient: &Party) -> String {
    text(&say(patient, &["contact", "invite"]).await, "/invitation")
}

/// A restored home paired without a word, and its hospital was a private person from then on.
#[tokio::test]
async fn an_accredited_account_pairs_with_its_credential_alone() {
    let world = World::new(241);
    let two = Two::new(&world).await;
    let hospital = party(&world, 5, Role::Provider);
    say(&hospital, &["account", "register"]).await;
    let jwt = world.accredit(hospital.account().id(), "Hana");
    let words = ["contact", "accept", &invitation(&two.patient).await];
    let why = refused(&hospital, &words, code::UNKNOWN).await;
    for part in ["private person", "medibloc account credential"] {
        assert!(why.contains(part), "{why}");
    }

    let phrase = Phrase::generate(&mut SeededEntropy::new(5), Language::English);
    let restored = Party::restore(&phrase, Role::Provider, world.ports()).await;
    let (restored, report) = restored.unwrap();
    let why = report.no_credential.unwrap();
    assert!(why.contains("medibloc account credential"), "{why}");
    let path = two.folder.path().join("hana");
    std::fs::write(&path, &jwt).unwrap();
    let keep = ["account", "credential", path.to_str().unwrap()];
    say(&restored, &keep).await;
    say(&restored, &words).await;
    say(&two.patient, &["sync"]).await;
    let list = say(&two.patient, &["contact", "list"]).await;
    assert!(list.to_string().contains("\"Hana\""), "{list}");
}

/// A person's account has no credential, and nobody asks it for one.
#[tokio::test]
async fn who_was_never_accredited_pairs_as_a_private_person() {
    let world = World::new(242);
    let two = Two::new(&world).await;
    let person = party(&world, 6, Role::Person);
    say(&person, &["account", "register", "--yes"]).await;
    let words = ["contact", "accept", &invitation(&two.patient).await];
    say(&person, &words).await;
    say(&two.patient, &["sync"]).await;
    let list = say(&two.patient, &["contact", "list"]).await;
    assert!(list.to_string().contains("private person"), "{list}");
}

/// The name stayed that of a private person in records and consents after a second pairing with the credential.
#[tokio::test]
async fn a_pairing_with_the_credential_corrects_the_name_everywhere() {
    let world = World::new(243);
    let two = Two::new(&world).await;
    let hospital = party(&world, 7, Role::Provider);
    say(&hospital, &["account", "register"]).await;
    let jwt = world.accredit(hospital.account().id(), "Hana");
    let first = Invitation::parse(&invitation(&two.patient).await).unwrap();
    // As an older program did.
    hospital.answer(&first, None).await.unwrap();
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["contact", "confirm", "private"]).await;
    let record = two.accepted().await;
    let give = ["grant", "create", "--to", "private", "--record", &record];
    say(&two.patient, &give).await;
    say(&hospital, &["sync"]).await;
    say(&hospital, &["read", &record]).await;

    let path = two.folder.path().join("hana");
    std::fs::write(&path, &jwt).unwrap();
    let keep = ["account", "credential", path.to_str().unwrap()];
    say(&hospital, &keep).await;
    let accept = ["contact", "accept", &invitation(&two.patient).await];
    let owner = text(&say(&hospital, &accept).await, "/owner");
    say(&two.patient, &["sync"]).await;
    // The person has not read the new name yet.
    let list = say(&two.patient, &["grant", "list"]).await;
    assert!(list.to_string().contains("private person"), "{list}");
    let contacts = say(&two.patient, &["contact", "list"]).await;
    let contacts = contacts["contacts"].as_array().unwrap();
    let new = contacts.iter().find(|contact| contact["name"] == "Hana");
    let own = text(new.unwrap(), "/own");
    say(&two.patient, &["contact", "confirm", &own]).await;
    let write = ["grant", "create", "--to", &own, "--write"];
    say(&two.patient, &write).await;
    say(&hospital, &["sync"]).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &owner, "--yes"];
    let written = text(&say(&hospital, &import).await, "/record");
    say(&two.patient, &["sync"]).await;
    for words in [
        ["contact", "list"].as_slice(),
        &["grant", "list"],
        &["record", "show", &written],
        &["record", "list"],
        &["audit"],
    ] {
        let told = try_say(&two.patient, words).await.unwrap();
        assert_eq!(
            told.text.contains("Hana"),
            words != ["record", "list"],
            "{}",
            told.text
        );
        for told in [told.text, told.value.to_string()] {
            assert!(!told.contains("private person"), "{words:?}: {told}");
        }
    }
    let erase = ["record", "erase", &record, "--yes"];
    let told = try_say(&two.patient, &erase).await.unwrap();
    assert!(told.text.contains("Hana"), "{}", told.text);
    assert!(!told.text.contains("private person"), "{}", told.text);
}
