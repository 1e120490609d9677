//! Contacts of one name are told apart, and named by the begin of their account.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, an attack tells its figure"
)]

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
    assert!(told.contains("give the begin of its account"), "{told}");
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

/// Every line that names a contact, of two that share a name however it is typed.
#[tokio::test]
async fn every_line_that_names_a_contact_tells_namesakes_apart() {
    let world = World::new(232);
    let two = Two::new(&world).await;
    let other = party(&world, 3, Role::Provider);
    say(&other, &["account", "register"]).await;
    let path = two.folder.path().join("other");
    let namesake = "CLI\u{ad}NIC";
    std::fs::write(&path, world.accredit(other.account().id(), namesake)).unwrap();
    say(&other, &["account", "credential", path.to_str().unwrap()]).await;
    let invited = say(&two.patient, &["contact", "invite"]).await;
    let invitation = text(&invited, "/invitation");
    let owner = text(
        &say(&other, &["contact", "accept", &invitation]).await,
        "/owner",
    );
    say(&two.patient, &["sync"]).await;
    let account = other.account().id().to_string();
    say(&two.patient, &["contact", "confirm", &account]).await;
    let record = two.accepted().await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&other, &["request", "create", &owner]).await;
    say(&two.patient, &["sync"]).await;

    let mut texts = Vec::new();
    let requests = say(&two.patient, &["request", "list"]).await;
    for request in requests.as_array().unwrap() {
        let id = text(request, "/id");
        let approve = ["request", "approve", &id, "--record", &record];
        texts.push(try_say(&two.patient, &approve).await.unwrap().text);
    }
    for (own, author) in [(&two.owner, &two.clinic), (&owner, &other)] {
        let write = ["grant", "create", "--to", own, "--write"];
        texts.push(try_say(&two.patient, &write).await.unwrap().text);
        let all = ["grant", "create", "--to", own, "--all", "--other-person"];
        texts.push(try_say(&two.patient, &all).await.unwrap().text);
        say(author, &["sync"]).await;
        say(author, &["read", &record]).await;
    }
    for words in [
        ["sync"].as_slice(),
        &["status"],
        &["audit"],
        &["grant", "list"],
        &["record", "show", &record],
    ] {
        texts.push(try_say(&two.patient, words).await.unwrap().text);
    }
    for party in [&two.clinic, &other] {
        world.ledger.suspend(party.account().id());
    }
    texts.push(try_say(&two.patient, &["sync"]).await.unwrap().text);
    let given = say(&two.patient, &["grant", "list"]).await;
    let first = text(&given, "/given/0/id");
    texts.push(
        try_say(&two.patient, &["grant", "revoke", &first])
            .await
            .unwrap()
            .text,
    );
    for own in [&two.owner, &owner] {
        let revoke = ["grant", "revoke", "--contact", own];
        texts.push(try_say(&two.patient, &revoke).await.unwrap().text);
    }
    texts.push(
        try_say(&two.patient, &["record", "erase", &record, "--yes"])
            .await
            .unwrap()
            .text,
    );
    texts.push(
        try_say(&two.patient, &["record", "show", &record])
            .await
            .unwrap()
            .text,
    );
    let lines = texts.iter().flat_map(|text| text.lines());
    let named: Vec<&str> = lines
        .filter(|line| line.to_lowercase().contains("clinic"))
        .collect();
    assert!(named.len() > 25, "{named:#?}");
    for line in named {
        assert!(!line.contains('\u{ad}'), "{line}");
        let marks = line.matches("(contact 0x").count();
        let names = line.to_lowercase().matches("clinic").count();
        assert_eq!(names, marks, "{line}");
    }
}

/// Newcomer: `Ann Lee` was no name any more beside `Ann Lee 1990`, and two owners had one label without a word.
#[tokio::test]
async fn a_whole_label_is_no_begin_of_a_longer_one_and_two_of_one_label_are_told() {
    let world = World::new(239);
    let two = Two::new(&world).await;
    let invited = say(&two.patient, &["contact", "invite"]).await;
    let accept = ["contact", "accept", &text(&invited, "/invitation")];
    let other = text(&say(&two.clinic, &accept).await, "/owner");
    let label = async |owner: &str, label: &str| {
        let words = ["contact", "label", owner, label];
        try_say(&two.clinic, &words).await.unwrap()
    };
    for (owner, name) in [(&two.owner, "Ann Lee 1990"), (&other, "Ann Lee")] {
        let told = label(owner, name).await.text;
        assert!(!told.contains("WARNING"), "{told}");
    }
    let ask = ["request", "create", "ann lee"];
    assert_eq!(say(&two.clinic, &ask).await["owner"], other.as_str());
    let told = label(&two.owner, "ANN LEE").await;
    assert!(
        told.text.contains(&format!("WARNING: so is {other}")),
        "{}",
        told.text
    );
    let told = refused(&two.clinic, &ask, code::UNKNOWN).await;
    assert!(told.contains("fits 2 of them"), "{told}");
}

/// Newcomer: the label that tells two owners of one name apart kept nobody from being asked about the other one's document.
#[tokio::test]
async fn a_birth_in_a_label_that_a_document_contradicts_is_asked_about() {
    let world = World::new(240);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner];
    let mut unasked = 0;
    for label in ["Eve Betterhalf 1960", "Betterhalf, Eve (*2.5.1975)"] {
        say(&two.clinic, &["contact", "label", &two.owner, label]).await;
        unasked += usize::from(try_say(&two.clinic, &import).await.is_ok());
        let told = refused(&two.clinic, &import, code::USAGE).await;
        for part in ["born 1975-05-01", "Nothing was written", "--yes", label] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    println!(
        "ATTACK twelfth-m3: {unasked} of 2 documents written without a question for an owner whose label has another birth"
    );
    let label = ["contact", "label", &two.owner, "Eve Betterhalf 1975"];
    say(&two.clinic, &label).await;
    say(&two.clinic, &import).await;
}

/// Whoever else has exactly this name and day of birth is named.
#[tokio::test]
async fn another_owner_of_exactly_the_name_and_day_of_a_document_is_a_reason_to_ask() {
    let world = World::new(241);
    let two = Two::new(&world).await;
    let invited = say(&two.patient, &["contact", "invite"]).await;
    let accept = ["contact", "accept", &text(&invited, "/invitation")];
    let other = text(&say(&two.clinic, &accept).await, "/owner");
    let label = ["contact", "label", &other, "Eve Betterhalf"];
    say(&two.clinic, &label).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    two.written(&[]).await;

    let file = two.document();
    let import = |owner| ["record", "import", &file, "--for", owner];
    let told = refused(&two.clinic, &import(&other), code::USAGE).await;
    for part in ["of exactly this name and day of birth is", &two.owner] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // Of whom there is such a record here already.
    say(&two.clinic, &import(&two.owner)).await;
}
