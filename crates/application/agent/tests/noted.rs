//! What a home knew and nobody else did comes back with the phrase: its own notes, which its node keeps and cannot read.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, an attack tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use std::collections::BTreeMap;
use std::sync::Arc;

use medibloc_journey::memory::World;
use medibloc_journey::{Change, Party, RestoreReport};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{AccountId, Role};
use serde_json::Value;
use two::{Two, say, text, try_say};

async fn restored(world: &Arc<World>, seed: u64, role: Role) -> (Party, RestoreReport) {
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    Party::restore(&phrase, role, world.ports()).await.unwrap()
}

/// The clinic reads a record of the patient on a consent that ends, and calls its owner Mrs Kim.
async fn read_and_ended(two: &Two) -> (String, Value) {
    say(&two.clinic, &["contact", "label", &two.owner, "Mrs Kim"]).await;
    let record = two.accepted().await;
    let ask = [
        "request",
        "create",
        &two.owner,
        "--reason",
        "second opinion",
    ];
    say(&two.clinic, &ask).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "clinic", "--record", &record];
    say(&two.patient, &approve).await;
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &["read", &record]).await;
    let read = say(&two.clinic, &["audit"]).await["ownReads"][0].clone();
    let consent = text(&read, "/grant");
    say(&two.patient, &["grant", "revoke", &consent]).await;
    say(&two.clinic, &["sync"]).await;
    (record, read)
}

async fn proofs(two: &Two, party: &Party, name: &str) -> Value {
    let folder = two.folder.path().join(name);
    say(party, &["audit", "--proofs", folder.to_str().unwrap()]).await
}

/// A home that burnt could prove no read any more whose consent had ended, and had addresses for names.
#[tokio::test]
async fn a_hospital_proves_its_reads_and_knows_its_patients_after_a_restore() {
    let world = World::new(401);
    let two = Two::new(&world).await;
    let (record, before) = read_and_ended(&two).await;
    let (home, report) = restored(&world, 2, Role::Provider).await;
    assert_eq!((report.noted.labels, report.noted.consents), (1, 1));
    assert!(report.noted.faults.is_empty(), "{report:?}");
    assert!(report.noted.last.is_some());
    assert_eq!(report.unknown_reads, 0);
    assert_eq!(report.open(), 0, "{report:?}");

    let audit = proofs(&two, &home, "restored").await;
    let mut read = audit["ownReads"][0].clone();
    assert_eq!(read["opened"], Value::Null, "another home opened it");
    read["opened"] = before["opened"].clone();
    // Titles of what it read went with the copy.
    read["title"] = before["title"].clone();
    assert_eq!(read, before);
    assert_eq!(text(&read, "/label"), "Mrs Kim");
    assert_eq!(text(&read, "/record"), record);
    let file = text(&audit, "/proofs/0");
    let verified = say(&home, &["verify", &file]).await;
    assert_eq!(
        (&verified["verified"], &verified["chainAgrees"]),
        (&true.into(), &true.into())
    );
    // Once more from the phrase: what was restored was not lost again.
    let (_, report) = restored(&world, 2, Role::Provider).await;
    assert_eq!((report.noted.labels, report.noted.consents), (1, 1));
}

/// What a node withholds is not known; it is never something else.
#[tokio::test]
async fn what_a_node_withholds_is_told_as_not_known() {
    let world = World::new(402);
    let two = Two::new(&world).await;
    read_and_ended(&two).await;
    let all = world.notes();
    world.set_notes(BTreeMap::new());
    let (home, report) = restored(&world, 2, Role::Provider).await;
    assert_eq!(report.noted, medibloc_journey::Noted::default());
    assert_eq!(report.unknown_reads, 1);
    let audit = proofs(&two, &home, "withheld").await;
    let read = &audit["ownReads"][0];
    for unknown in ["purpose", "reason", "until", "label"] {
        assert_eq!(read[unknown], Value::Null, "{unknown}");
    }
    assert!(text(read, "/receipt").starts_with("0x"));
    assert_eq!(audit["proofs"], serde_json::json!([]));

    // The home that lives sees it, and gives what it knows again.
    say(&two.clinic, &["contact", "label", &two.owner, "Mrs Lee"]).await;
    let synced = try_say(&two.clinic, &["sync"]).await.unwrap();
    let told = "the node gave older notes";
    assert!(synced.text.contains(told), "{}", synced.text);
    let (_, report) = restored(&world, 2, Role::Provider).await;
    assert_eq!(report.noted.labels, 1);

    // An older one is what was said then, no more.
    let newest = world.notes();
    world.set_notes(all);
    let (home, report) = restored(&world, 2, Role::Provider).await;
    assert_eq!(report.noted.labels, 1);
    let list = say(&home, &["audit"]).await;
    assert_eq!(text(&list, "/ownReads/0/label"), "Mrs Kim");
    let newest_at = report.noted.last.unwrap();
    world.set_notes(newest);
    let (_, report) = restored(&world, 2, Role::Provider).await;
    assert!(report.noted.last.unwrap() >= newest_at);
}

/// The sealing keys are public: whoever keeps the notes could seal to them. What it cannot is make one of these, move one to
/// another account or place, or stop the others with it.
#[tokio::test]
async fn notes_that_a_node_makes_moves_or_changes_are_each_their_own_fault() {
    let world = World::new(403);
    let two = Two::new(&world).await;
    read_and_ended(&two).await;
    let account = two.clinic.account().id();
    let good = world.notes();
    // The account has the label and, elsewhere most often, the credential of its consents.
    let mut with_label = None;
    for (place, sealed) in &good[&account] {
        let mut notes = good.clone();
        notes.get_mut(&account).unwrap().remove(place);
        world.set_notes(notes);
        let (_, report) = restored(&world, 2, Role::Provider).await;
        if report.noted.labels == 0 {
            with_label = Some((place, sealed));
        }
    }
    let (place, sealed) = with_label.unwrap();
    let free = |of: &AccountId| {
        let is_free = |place: &u8| good.get(of).is_none_or(|of| !of.contains_key(place));
        (0..16).find(is_free).unwrap()
    };
    let other = free(&account);
    let reader = two.clinic.held().unwrap()[0].own;
    let mut changed = sealed.clone();
    changed[100] ^= 1;
    for (what, of, at, bytes) in [
        ("moved to another place", account, other, sealed.clone()),
        ("of another account", reader, free(&reader), sealed.clone()),
        ("changed", account, *place, changed),
        ("nothing at all", account, other, vec![0; 4096]),
        ("cut", account, other, vec![7]),
        ("empty", account, other, vec![]),
    ] {
        let mut notes = good.clone();
        notes.entry(of).or_default().insert(at, bytes);
        world.set_notes(notes);
        let (home, report) = restored(&world, 2, Role::Provider).await;
        assert_eq!(report.noted.faults.len(), 1, "{what}: {report:?}");
        let told = &report.noted.faults[0];
        assert!(told.contains("nothing was taken of note"), "{what}: {told}");
        assert_eq!(report.noted.consents, 1, "{what}: the others are good");
        match what {
            // The label, or the pairing, whichever stood there.
            "changed" => assert_eq!(report.noted.labels + report.noted.pairings, 1),
            _ => assert_eq!(report.noted.labels, 1, "{what}"),
        }
        // What is nobody's is written over when something is noted there.
        let synced = say(&home, &["sync"]).await;
        assert_eq!(synced["later"], serde_json::json!([]), "{what}");
    }
}

/// A person said once who the owner is, and which record is hers though it names somebody else.
#[tokio::test]
async fn a_person_who_restores_is_who_she_said_and_has_what_she_confirmed() {
    let world = World::new(404);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let person = ["account", "person", "--name", "Eve Betterhalf"];
    say(&two.patient, &person).await;
    say(&two.patient, &["record", "confirm", &record]).await;
    // Nothing waits for it: it is said at once, and noted by the next sync.
    let before = world.notes();
    let (_, report) = restored(&world, 1, Role::Person).await;
    assert!(!report.noted.person);
    world.set_notes(before);
    say(&two.patient, &["sync"]).await;
    let (home, report) = restored(&world, 1, Role::Person).await;
    assert_eq!((report.noted.person, report.noted.confirmed), (true, 1));
    let name = home.owner_said().unwrap().unwrap().name;
    assert_eq!(name.as_deref(), Some("Eve Betterhalf"));
    let id = record.parse().unwrap();
    assert!(home.record(id).unwrap().confirmed);
    assert!(home.is_owner_known().unwrap());

    // What was erased is confirmed no more, there either.
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    say(&two.patient, &["sync"]).await;
    let (_, report) = restored(&world, 1, Role::Person).await;
    assert_eq!((report.noted.person, report.noted.confirmed), (true, 0));
}

/// The owner could not say any more to whom a consent that had ended had been given, and what for.
#[tokio::test]
async fn an_owner_who_restores_knows_whom_a_consent_was_given_that_has_ended() {
    let world = World::new(405);
    let two = Two::new(&world).await;
    read_and_ended(&two).await;
    say(&two.patient, &["sync"]).await;
    let before = say(&two.patient, &["audit"]).await["reads"][0].clone();
    let (home, report) = restored(&world, 1, Role::Person).await;
    assert_eq!(report.noted.consents, 1, "{report:?}");
    let after = say(&home, &["audit"]).await["reads"][0].clone();
    for part in ["name", "purpose", "reason", "until", "grant"] {
        assert_eq!(after[part], before[part], "{part}");
    }
    assert_eq!(text(&after, "/reason"), "second opinion");
}

/// Two devices of one phrase write at the same place: neither takes back what the other noted.
#[tokio::test]
async fn two_devices_keep_each_others_notes() {
    let world = World::new(406);
    let two = Two::new(&world).await;
    let (phone, _) = restored(&world, 2, Role::Provider).await;
    let owners: Vec<String> = (1..=40).map(|n| format!("0x{n:040x}")).collect();
    for (n, owner) in owners.iter().enumerate() {
        let by = if n % 2 == 0 { &two.clinic } else { &phone };
        by.set_label(owner.parse().unwrap(), &format!("Patient {n}"))
            .unwrap();
        if n % 4 == 3 {
            say(&two.clinic, &["sync"]).await;
            say(&phone, &["sync"]).await;
        }
    }
    let (home, report) = restored(&world, 2, Role::Provider).await;
    assert_eq!(report.noted.labels, 40);
    for (n, owner) in owners.iter().enumerate() {
        let label = home.label(owner.parse().unwrap()).unwrap();
        assert_eq!(label, Some(format!("Patient {n}")));
    }
    // What was taken away stays away.
    home.set_label(owners[0].parse().unwrap(), "").unwrap();
    say(&home, &["sync"]).await;
    let (home, report) = restored(&world, 2, Role::Provider).await;
    assert_eq!(report.noted.labels, 39);
    assert_eq!(home.label(owners[0].parse().unwrap()).unwrap(), None);
}

/// What belongs to no address is noted under the first that is registered; another one became that, and what was written to the
/// former left it out.
#[tokio::test]
async fn what_belongs_to_no_address_is_noted_anew_where_its_notes_move_to() {
    let world = World::new(411);
    let two = Two::new(&world).await;
    let mother = two::party(&world, 50, Role::Person);
    let invitation = text(&say(&mother, &["contact", "invite"]).await, "/invitation");
    let accepted = say(&two.patient, &["contact", "accept", &invitation]).await;
    let owner = text(&accepted, "/owner");
    say(&two.patient, &["contact", "label", &owner, "Mother"]).await;
    say(
        &two.patient,
        &["account", "person", "--name", "Eve Betterhalf"],
    )
    .await;
    say(&two.patient, &["sync"]).await;
    let noted = |report: &RestoreReport| {
        let noted = &report.noted;
        (noted.labels, noted.person, noted.pairings)
    };
    let before = restored(&world, 1, Role::Person).await.1;
    assert_eq!(noted(&before), (1, true, 2));
    // Another device that restored before is not behind it.
    let (phone, _) = restored(&world, 1, Role::Person).await;
    // The address of the first own record is before all others.
    two.accepted().await;
    say(&two.patient, &["sync"]).await;
    // Consents are noted where the notes of no address were before.
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let record = two.written(&["--again"]).await;
    say(&two.patient, &["record", "confirm", &record]).await;
    let consent = ["grant", "create", "--to", "clinic", "--record", &record];
    for days in 1..=40 {
        let days = days.to_string();
        let terms = ["--days", &days, "--yes"];
        say(&two.patient, &[&consent[..], &terms].concat()).await;
    }
    say(&two.patient, &["sync"]).await;
    say(&phone, &["sync"]).await;
    let after = restored(&world, 1, Role::Person).await.1;
    assert_eq!(noted(&after), noted(&before));
    println!(
        "ATTACK ninth-4: {} of 1 label, person {}, {} of 2 pairings come back after the notes moved",
        after.noted.labels, after.noted.person, after.noted.pairings
    );
}

/// A home that was there before there were notes notes what it knows with its next sync.
#[tokio::test]
async fn a_home_of_before_notes_what_it_knows() {
    let world = World::new(408);
    let two = Two::new(&world).await;
    read_and_ended(&two).await;
    let vault = &two.clinic.ports().vault;
    let mut gone = Vec::new();
    for table in ["notes", "note-turns"] {
        let rows = vault.list(table).unwrap().into_iter();
        gone.extend(rows.map(|(key, _)| Change::Delete { table, key }));
    }
    gone.push(Change::Delete {
        table: "cursor",
        key: b"noted".to_vec(),
    });
    vault.apply(gone).unwrap();
    world.set_notes(BTreeMap::new());
    say(&two.clinic, &["sync"]).await;
    let (_, report) = restored(&world, 2, Role::Provider).await;
    assert_eq!((report.noted.labels, report.noted.consents), (1, 1));
    assert_eq!(report.unknown_reads, 0);
}

/// What the node keeps shows neither names nor words, and of one thing as much as of ten.
#[tokio::test]
async fn what_a_node_keeps_says_little() {
    let world = World::new(407);
    let two = Two::new(&world).await;
    read_and_ended(&two).await;
    for (account, notes) in world.notes() {
        for (place, sealed) in notes {
            assert!(place < 16);
            assert!([4096, 16384].contains(&sealed.len()), "{account}");
            for word in ["Mrs Kim", "second opinion", "Clinic", "TREAT"] {
                let found = sealed.windows(word.len()).any(|at| at == word.as_bytes());
                assert!(!found, "{word} in a note of {account}");
            }
        }
    }
}

/// A pairing without a consent was gone with the home, and the other side had to be asked for a new one.
#[tokio::test]
async fn whoever_was_paired_is_known_after_a_restore_of_either_side() {
    for (seed, lost) in [(409, Role::Person), (410, Role::Provider)] {
        let world = World::new(seed);
        let mut two = Two::new(&world).await;
        say(&two.patient, &["sync"]).await;
        say(&two.clinic, &["sync"]).await;
        let number = if lost == Role::Person { 1 } else { 2 };
        let (home, report) = restored(&world, number, lost).await;
        assert_eq!(report.noted.pairings, 1, "{report:?}");
        match lost {
            Role::Person => two.patient = home,
            _ => two.clinic = home,
        }
        if lost != Role::Person {
            let path = two.folder.path().join("credential");
            let words = ["account", "credential", path.to_str().unwrap()];
            say(&two.clinic, &words).await;
        }
        // Neither side does anything for it: a permission to write, a record, a request and a consent.
        say(
            &two.patient,
            &["grant", "create", "--to", "clinic", "--write"],
        )
        .await;
        say(&two.clinic, &["sync"]).await;
        let record = two.written(&[]).await;
        let ask = ["request", "create", &two.owner, "--reason", "opinion"];
        say(&two.clinic, &ask).await;
        say(&two.patient, &["sync"]).await;
        let approve = ["request", "approve", "clinic", "--record", &record];
        say(&two.patient, &approve).await;
        say(&two.clinic, &["sync"]).await;
        say(&two.clinic, &["read", &record]).await;
    }
}

/// Two devices note what they know of one contact, and come to say the same.
#[tokio::test]
async fn two_devices_agree_on_a_contact() {
    let world = World::new(411);
    let two = Two::new(&world).await;
    say(&two.patient, &["sync"]).await;
    let (phone, _) = restored(&world, 1, Role::Person).await;
    for _ in 0..3 {
        say(&phone, &["sync"]).await;
        say(&two.patient, &["sync"]).await;
    }
    let before = world.notes();
    say(&phone, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
    assert_eq!(world.notes(), before, "nothing is written any more");
    let contact = |party: &Party| party.contacts().unwrap()[0].clone();
    let (one, other) = (contact(&phone), contact(&two.patient));
    assert_eq!((one.confirmed, one.name), (other.confirmed, other.name));
    assert_eq!(one.unused, other.unused);
}
