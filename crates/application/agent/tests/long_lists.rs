//! An owner that really anchors thousands of records and gives a reader keys of all of them spends its own room at the reader's,
//! nobody else's: no row grows with its lists, and a sync does not read what it has taken before. All work is counted.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an attack tells its figure"
)]

#[path = "support/counted.rs"]
mod counted;
#[path = "support/lists.rs"]
mod lists;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use counted::Counted;
use lists::Liar;
use medibloc_consent::AnchorFields;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_record::{AccountId, ClassId, Digest, Kind, Nonce, RecordId, Role, keccak256};
use two::{Two, say, text, try_say};

/// What a home keeps of one owner, and keys in a list.
const MOST: usize = 5_000;
const LIST: usize = 1_000;

/// The owner's own records of which nothing is stored.
fn anchor(owner: AccountId, number: usize) -> AnchorFields {
    AnchorFields {
        nonce: Nonce::new(keccak256(&number.to_be_bytes())),
        author: owner,
        owner,
        package: Digest::new([1; 32]),
        key_set: Digest::new([2; 32]),
        capsule: Digest::new([3; 32]),
        attestation: Digest::new([4; 32]),
        kind: Kind::Own,
        class: ClassId(0),
        amends: None,
    }
}

/// Another person that the clinic writes for and the reader reads of.
async fn honest(world: &Arc<World>, two: &Two, reader: &Party) -> (Party, String) {
    let other = two::party(world, 9, Role::Person);
    let mut owners = Vec::new();
    for provider in [&two.clinic, reader] {
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
    (other, record)
}

#[tokio::test]
async fn an_owner_gives_keys_of_more_records_than_a_home_keeps() {
    let world = World::new(810);
    let two = Two::new(&world).await;
    let counted = Counted::over(&world);
    let reader = two::with_ports(counted.ports(&world), 5, Role::Provider);
    two.know(&world, &reader).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    let all = ["grant", "create", "--to", "reader", "--all", "--yes"];
    say(&two.patient, &all).await;
    say(&reader, &["sync"]).await;
    let (other, good) = honest(&world, &two, &reader).await;
    say(&reader, &["sync"]).await;
    counted.reset();
    say(&reader, &["sync"]).await;
    let quiet = counted.reset();

    // Six full lists stand on the chain before the key of a record that the clinic wrote.
    let owner = two.owner.parse().unwrap();
    let liar = Liar::new(&world, &two.patient, owner, "Reader").await;
    let records: Vec<AnchorFields> = (0..MOST + LIST)
        .map(|n| anchor(liar.grant.owner, n))
        .collect();
    for (number, list) in (1_001_u32..).zip(records.chunks(LIST)) {
        liar.deliver(&world, number, list).await;
    }
    let real = two.written(&[]).await;
    let _ = try_say(&two.patient, &["record", "confirm", &real]).await;
    say(&two.patient, &["sync"]).await;
    liar.anchor(&world, &records).await;
    let one = [
        "grant", "create", "--to", "reader", "--record", &good, "--yes",
    ];
    say(&other, &one).await;

    counted.reset();
    let synced = try_say(&reader, &["sync"]).await.unwrap();
    let taken = counted.reset();
    assert_eq!(synced.value["keys"], MOST, "{}", synced.text);
    assert_eq!(
        synced.text.matches("more than 5000 records").count(),
        1,
        "{}",
        synced.text
    );
    // A question and a few rows for each key that is kept, and none for what is not.
    assert!(taken.asked <= MOST + 10, "{taken:?}");
    assert!(
        taken.rows <= 8 * MOST + quiet.rows + 500,
        "{taken:?} {quiet:?}"
    );
    assert!(taken.longest < 32 << 10, "{taken:?}");
    // The other one's consent came in the same sync.
    try_say(&reader, &["read", &good]).await.unwrap();

    // What was taken costs the next sync nothing.
    say(&reader, &["sync"]).await;
    counted.reset();
    let again = say(&reader, &["sync"]).await;
    let later = counted.reset();
    assert_eq!(again["keys"], 0);
    println!(
        "ATTACK seventh-5: {} of {} keys kept, {} rows read by a sync after that, {} before",
        MOST,
        records.len(),
        later.rows,
        quiet.rows
    );
    assert!(later.asked <= quiet.asked, "{later:?} {quiet:?}");
    assert!(later.rows <= quiet.rows + 50, "{later:?} {quiet:?}");
    assert!(
        later.bytes <= 2 * quiet.bytes + (16 << 10),
        "{later:?} {quiet:?}"
    );

    // One that there was no room for is found by whoever asks for it, and kept from then on.
    let listed = try_say(&reader, &["grant", "list"]).await.unwrap();
    assert!(listed.text.contains("more records than"), "{}", listed.text);
    try_say(&reader, &["read", &real]).await.unwrap();
    counted.reset();
    try_say(&reader, &["read", &real]).await.unwrap();
    assert_eq!(counted.reset().asked, 0);

    // The end of the other one's consent looks at none of them.
    let (id, _) = other.grants().unwrap().remove(0);
    other.revoke(id).await.unwrap();
    counted.reset();
    let synced = say(&reader, &["sync"]).await;
    let ended = counted.reset();
    assert_eq!(
        synced["ended"].as_array().map(Vec::len),
        Some(1),
        "{synced}"
    );
    assert!(ended.rows <= quiet.rows + 500, "{ended:?} {quiet:?}");
    say(&other, &one).await;
    say(&reader, &["sync"]).await;

    // The end of the consent takes all of it, and nothing of the other owner's.
    let real: RecordId = real.parse().unwrap();
    liar.end(&world, liar.grant.clone()).await;
    say(&reader, &["sync"]).await;
    assert_eq!(reader.read_before(real).unwrap().map(|_| ()), None);
    let kept = reader.held().unwrap();
    let of = |held| reader.records_of(held).unwrap().len();
    assert_eq!(kept.iter().map(of).sum::<usize>(), 1);
    let named = kept.iter().map(|held| held.artefact.records.len()).max();
    assert!(named.unwrap() <= LIST + 1, "{named:?}");
    try_say(&reader, &["read", &good]).await.unwrap();
}
