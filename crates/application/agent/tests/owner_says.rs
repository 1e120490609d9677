//! What an owner says of records in key lists and consents, who holds valid keys and skips all local checks: a reader takes of it
//! what the chain says, too.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an attack tells its figure"
)]

#[path = "support/lists.rs"]
mod lists;
#[path = "support/two.rs"]
mod two;

use lists::Liar;
use medibloc_consent::AnchorFields;
use medibloc_journey::memory::World;
use medibloc_record::{Nonce, RecordId, Role};
use two::{Two, say, text, try_say};

#[tokio::test]
async fn an_owner_says_that_a_record_corrects_another_one() {
    let world = World::new(720);
    let two = Two::new(&world).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    // Both of one author. The owner does not want the newer one believed.
    let older = two.written(&["--again"]).await;
    let newer = two.written(&["--again"]).await;
    for record in [&older, &newer] {
        let _ = try_say(&two.patient, &["record", "confirm", record]).await;
    }
    let reader = two.reader(&world, 5).await;
    let all = ["grant", "create", "--to", "reader", "--all", "--yes"];
    say(&two.patient, &all).await;
    say(&two.patient, &["sync"]).await;
    say(&reader, &["sync"]).await;

    let owner = two.owner.parse().unwrap();
    let liar = Liar::new(&world, &two.patient, owner, "Reader").await;
    let id: RecordId = newer.parse().unwrap();
    let (real, _) = world.ledger.anchor(older.parse().unwrap()).unwrap();
    let changed = AnchorFields {
        amends: Some(id),
        ..real
    };
    assert_eq!(changed.record_id(), real.record_id());
    let invented = AnchorFields {
        nonce: Nonce::new([9; 32]),
        ..changed
    };
    liar.deliver(&world, 1_001, &[changed, invented]).await;
    let synced = say(&reader, &["sync"]).await;
    assert_eq!(synced["keys"], 0, "{synced}");

    let read = try_say(&reader, &["read", &newer]).await.unwrap();
    assert!(!read.text.contains("CORRECTED"), "{}", read.text);
    let known = reader.corrections(id).unwrap();
    let now = reader.all_corrections_now().await.unwrap().of(id);
    println!(
        "ATTACK seventh-1: {} corrections taken that the author never wrote",
        known.len() + now.len()
    );
    assert_eq!((known, now), (vec![], vec![]));
    // Nor does the one that is held say so itself.
    assert_eq!(reader.amends(real.record_id()).unwrap(), None);
    assert_eq!(reader.amends(invented.record_id()).unwrap(), None);
    // The one that is given already opens as before.
    try_say(&reader, &["read", &older]).await.unwrap();
}

#[tokio::test]
async fn an_owner_names_the_record_of_another_owner() {
    let world = World::new(730);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 5).await;
    let liars = reader.patrons().unwrap()[0].owner.to_string();
    let all = ["grant", "create", "--to", "reader", "--all", "--yes"];
    say(&two.patient, &all).await;
    // Another person, of whom the reader reads what the clinic wrote.
    let other = two::party(&world, 9, Role::Person);
    let mut owners = Vec::new();
    for provider in [&two.clinic, &reader] {
        let invitation = text(&say(&other, &["contact", "invite"]).await, "/invitation");
        let accepted = say(provider, &["contact", "accept", &invitation]).await;
        owners.push(text(&accepted, "/owner"));
        say(&other, &["sync"]).await;
    }
    say(&other, &["contact", "confirm", "clinic"]).await;
    say(&other, &["contact", "confirm", "reader"]).await;
    say(&other, &["grant", "create", "--to", "clinic", "--write"]).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &owners[0], "--yes"];
    let record = text(&say(&two.clinic, &import).await, "/record");
    say(&other, &["sync"]).await;
    let _ = try_say(&other, &["record", "confirm", &record]).await;
    let one = [
        "grant", "create", "--to", "reader", "--record", &record, "--yes",
    ];
    say(&other, &one).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["contact", "label", &liars, "Adam"]).await;
    say(&reader, &["contact", "label", &owners[1], "Berta"]).await;
    let out = two.folder.path().join("out.xml");
    let read = ["read", &record, "--out", out.to_str().unwrap()];
    try_say(&reader, &read).await.unwrap();

    let owner = two.owner.parse().unwrap();
    let liar = Liar::new(&world, &two.patient, owner, "Reader").await;
    let named = liar.name(&world, &[record.parse().unwrap()]).await;
    say(&reader, &["sync"]).await;
    let retract = ["record", "retract", &record, "--yes"];
    say(&two.clinic, &retract).await;
    let synced = try_say(&reader, &["sync"]).await.unwrap();
    println!(
        "ATTACK seventh-2: {} labels of another person at what was taken back",
        synced.text.matches("Adam").count()
    );
    assert!(synced.text.contains("Berta"), "{}", synced.text);
    assert!(!synced.text.contains("Adam"), "{}", synced.text);

    // Nor is the file of it counted among what the liar's consent left.
    let id = named.id.to_string();
    liar.end(&world, named).await;
    say(&reader, &["sync"]).await;
    let list = try_say(&reader, &["grant", "list"]).await.unwrap();
    let mut lines = list.text.lines();
    let line = lines.find(|line| line.starts_with(&id[..12])).unwrap();
    assert!(line.contains("revoked"), "{line}");
    assert!(!line.contains("file"), "{line}");
    assert!(out.exists());
}

#[tokio::test]
async fn an_owner_lists_keys_of_records_that_are_none() {
    let world = World::new(740);
    let two = Two::new(&world).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    let record = two.written(&[]).await;
    let _ = try_say(&two.patient, &["record", "confirm", &record]).await;
    let reader = two.reader(&world, 5).await;
    let all = ["grant", "create", "--to", "reader", "--all", "--yes"];
    say(&two.patient, &all).await;
    say(&reader, &["sync"]).await;
    let before = reader.held().unwrap();

    let owner = two.owner.parse().unwrap();
    let liar = Liar::new(&world, &two.patient, owner, "Reader").await;
    let (real, _) = world.ledger.anchor(record.parse().unwrap()).unwrap();
    let mut taken = 0;
    for number in 1_001_u32..1_005 {
        let invented = |at: u32| AnchorFields {
            nonce: Nonce::new(medibloc_record::keccak256(
                &[number.to_be_bytes(), at.to_be_bytes()].concat(),
            )),
            ..real
        };
        // The one that there is comes again and again, too.
        let list: Vec<AnchorFields> = (0..400).flat_map(|at| [real, invented(at)]).collect();
        liar.deliver(&world, number, &list).await;
        let synced = say(&reader, &["sync"]).await;
        taken += synced["keys"].as_u64().unwrap();
    }
    println!("ATTACK seventh-5: {taken} of 1,600 keys of records that are none taken");
    assert_eq!(reader.held().unwrap(), before);
}
