//! What a begin of an id or of a name may do: it is judged by everything that the lists show, it is never empty, and what
//! nobody can undo needs a long one.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use two::{Two, refused, say, text, try_say};

/// A begin that fits a record that is accepted and one that is only sent names neither of them.
#[tokio::test]
async fn a_begin_is_judged_by_everything_that_the_list_shows() {
    let world = World::new(201);
    let two = Two::new(&world).await;
    let accepted = two.accepted().await;
    let begin = &accepted[..3];
    let mut alike = two.sent().await;
    while !alike.starts_with(begin) {
        alike = two.sent().await;
    }
    let out = two.folder.path().join("out").to_str().unwrap().to_owned();
    for words in [
        ["record", "erase", begin, "--yes"].as_slice(),
        &["record", "show", begin],
        &["record", "verify", begin],
        &["record", "store", begin],
        &["record", "export", begin, "--out", &out],
        &["grant", "create", "--to", "clinic", "--record", begin],
        &["read", begin],
        &["verify", begin],
    ] {
        let told = refused(&two.patient, words, code::UNKNOWN).await;
        for id in [&accepted, &alike] {
            assert!(told.contains(&id[..12]), "{words:?}: {told}");
        }
        assert!(told.contains("fits 2 of them"), "{words:?}: {told}");
    }
    assert_eq!(
        text(
            &say(&two.patient, &["record", "show", &accepted]).await,
            "/state"
        ),
        "accepted"
    );

    // The same for what was erased, what was refused, and what is somebody else's.
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["record", "erase", &alike, "--yes"]).await;
    let words = ["record", "erase", begin, "--yes"];
    let told = refused(&two.patient, &words, code::UNKNOWN).await;
    assert!(told.contains("erased"), "{told}");
    println!("ATTACK newcomer-begin: a begin that fits a sent record, too, erases 0 records");
}

/// Held records and those that were written for others are judged, too.
#[tokio::test]
async fn a_begin_of_what_is_held_or_written_for_others_is_no_own_record() {
    let world = World::new(202);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let grant = ["grant", "create", "--to", "clinic", "--record", &record];
    let given = text(&say(&two.patient, &grant).await, "/grant");
    say(&two.clinic, &["sync"]).await;
    let erase = ["record", "erase", &record[..10], "--yes"];
    let told = refused(&two.clinic, &erase, code::UNKNOWN).await;
    assert!(told.contains("is somebody else's"), "{told}");
    let revoke = ["grant", "revoke", &given[..10]];
    let told = refused(&two.clinic, &revoke, code::UNKNOWN).await;
    assert!(told.contains("was given to you"), "{told}");

    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let written = text(&say(&two.clinic, &import).await, "/record");
    let erase = ["record", "erase", &written[..10], "--yes"];
    let told = refused(&two.clinic, &erase, code::UNKNOWN).await;
    assert!(told.contains("written here for somebody else"), "{told}");
}

/// The only record there is was erased by `''`, by `0x` and by a blank.
#[tokio::test]
async fn an_empty_begin_names_nothing() {
    let world = World::new(203);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let create = ["request", "create", &two.owner];
    say(&two.clinic, &create).await;
    say(&two.patient, &["sync"]).await;
    let grant = ["grant", "create", "--to", "clinic", "--record", &record];
    say(&two.patient, &grant).await;
    say(&two.clinic, &["sync"]).await;
    let file = two.document();
    let out = two.folder.path().join("out").to_str().unwrap().to_owned();
    for empty in ["", "0x", "0X", " ", " 0x ", "\t"] {
        for words in [
            ["record", "erase", empty, "--yes"].as_slice(),
            &["record", "show", empty],
            &["record", "verify", empty],
            &["record", "store", empty],
            &["record", "export", empty, "--out", &out],
            &["record", "import", &file, "--amends", empty],
            &["grant", "create", "--to", "clinic", "--record", empty],
            &["grant", "create", "--to", empty, "--write"],
            &["grant", "revoke", empty],
            &["grant", "revoke", "--contact", empty],
            &["request", "approve", empty, "--record", &record],
            &["request", "deny", empty],
            &["contact", "confirm", empty],
            &["account", "rotate", empty],
            &["verify", empty],
        ] {
            let told = refused(&two.patient, words, code::USAGE).await;
            assert!(told.contains("give its id"), "{words:?}: {told}");
        }
        for words in [
            ["read", empty].as_slice(),
            &["request", "create", empty],
            &["record", "import", &file, "--for", empty, "--yes"],
        ] {
            let told = refused(&two.clinic, words, code::USAGE).await;
            assert!(told.contains("give its id"), "{words:?}: {told}");
        }
    }
    assert_eq!(
        text(&say(&two.patient, &["record", "list"]).await, "/0/state"),
        "accepted"
    );
    println!("ATTACK begin-2: an empty begin erases 0 records");
}

/// Five digits show a record and do nothing to it; six do.
#[tokio::test]
async fn what_nobody_can_undo_needs_six_digits_and_says_what_it_was() {
    let world = World::new(204);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let record = text(&say(&two.clinic, &import).await, "/record");
    say(&two.patient, &["sync"]).await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let request = text(&say(&two.patient, &["request", "list"]).await, "/0/id");
    let given = text(&say(&two.patient, &["grant", "list"]).await, "/given/0/id");
    let (short, five) = (&record[..7], &given[..7]);
    say(&two.patient, &["record", "show", short]).await;
    for words in [
        ["record", "erase", short, "--yes"].as_slice(),
        &["record", "erase", &record[2..7], "--yes"],
        &["record", "store", short],
        &["record", "import", &file, "--amends", short],
        &["grant", "create", "--to", "clinic", "--record", short],
        &["grant", "create", "--to", "c", "--record", &record],
        &["grant", "revoke", five],
        &["grant", "revoke", "--contact", "cl"],
        &["request", "approve", &request[..5], "--record", &record],
        &["request", "deny", &request[..5]],
        &["account", "rotate", &two.owner[..7]],
    ] {
        let told = refused(&two.patient, words, code::USAGE).await;
        assert!(told.contains("too short to act"), "{words:?}: {told}");
    }
    let create = ["request", "create", &two.owner[..7]];
    let told = refused(&two.clinic, &create, code::USAGE).await;
    assert!(told.contains("too short to act"), "{told}");

    let title = text(
        &say(&two.patient, &["record", "show", &record]).await,
        "/title",
    );
    let grant = ["grant", "create", "--to", "cli", "--record", &record[..8]];
    let granted = try_say(&two.patient, &grant).await.unwrap();
    let ask = try_say(&two.patient, &["record", "erase", &record[..8]])
        .await
        .unwrap_err();
    let erase = ["record", "erase", &record[2..8], "--yes"];
    let erased = try_say(&two.patient, &erase).await.unwrap();
    for told in [granted.text, ask.message, erased.text] {
        for part in [record.as_str(), &title, "by Clinic", "20"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}
