//! Two own addresses of a person never grant to one reader address, whichever devices give: the chain would say that both are one
//! person's, to everybody.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, an attack tells its figure"
)]

#[path = "support/busy.rs"]
mod busy;
#[path = "support/lacking.rs"]
mod lacking;
#[path = "support/two.rs"]
mod two;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use medibloc_consent::Grant;
use medibloc_journey::memory::World;
use medibloc_journey::{Pace, Party};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::Event;
use medibloc_record::Role;
use two::{Two, say, text, try_say, with_ports};

async fn consents(world: &Arc<World>) -> Vec<Grant> {
    let blocks = world.ports().events.events(0, 10_000).await.unwrap();
    let events = blocks.into_iter().flat_map(|block| block.events);
    events
        .filter_map(|event| match event {
            Event::Granted(grant) => Some(grant),
            _ => None,
        })
        .collect()
}

/// What anybody sees: how many reader addresses link own addresses, of how many that the reader's consents name.
async fn linked(world: &Arc<World>) -> (usize, usize) {
    let mut by = BTreeMap::<_, BTreeSet<_>>::new();
    for grant in consents(world).await {
        by.entry(grant.reader).or_default().insert(grant.owner);
    }
    let linking = by.values().filter(|owners| owners.len() > 1).count();
    (linking, by.len())
}

struct Story {
    world: Arc<World>,
    two: Two,
    phone: Party,
    /// Records of two own addresses.
    records: [String; 2],
}

/// A person with two devices, two own addresses with a record each, and a contact that may read neither; so many own addresses are
/// between the two.
async fn story(seed: u64, between: usize) -> Story {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    two.reader(&world, 3).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let by_clinic = two.written(&["--again"]).await;
    // It may be confirmed by itself.
    let _ = try_say(&two.patient, &["record", "confirm", &by_clinic]).await;
    for _ in 0..between {
        say(&two.patient, &["contact", "invite"]).await;
    }
    let by_other = of_another(&world, &two).await;
    let phone = restored(&world).await;
    let records = [by_other, by_clinic];
    Story {
        world,
        two,
        phone,
        records,
    }
}

/// A record of another provider, under an own address that comes now.
async fn of_another(world: &Arc<World>, two: &Two) -> String {
    let other = two::party(world, 70, Role::Provider);
    say(&other, &["account", "register"]).await;
    let path = two.folder.path().join("other");
    std::fs::write(&path, world.accredit(other.account().id(), "Other")).unwrap();
    say(&other, &["account", "credential", path.to_str().unwrap()]).await;
    let invited = say(&two.patient, &["contact", "invite"]).await;
    let invitation = text(&invited, "/invitation");
    let owner = text(
        &say(&other, &["contact", "accept", &invitation]).await,
        "/owner",
    );
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["contact", "confirm", "other"]).await;
    let write = ["grant", "create", "--to", "other", "--write"];
    say(&two.patient, &write).await;
    let file = two.document();
    let import = [
        "record", "import", &file, "--for", &owner, "--yes", "--again",
    ];
    let record = text(&say(&other, &import).await, "/record");
    say(&two.patient, &["sync"]).await;
    let _ = try_say(&two.patient, &["record", "confirm", &record]).await;
    say(&two.patient, &["sync"]).await;
    record
}

async fn restored(world: &Arc<World>) -> Party {
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let (party, _) = Party::restore(&phrase, Role::Person, world.ports())
        .await
        .unwrap();
    party
}

async fn give(party: &Party, record: &str) {
    let words = ["grant", "create", "--to", "reader", "--record", record];
    say(party, &words).await;
}

#[tokio::test]
async fn two_devices_give_and_neither_syncs_between() {
    // The contact offered four: for one of these numbers both own addresses have the same place among them.
    for between in 0..4 {
        let story = story(9001, between).await;
        give(&story.two.patient, &story.records[0]).await;
        give(&story.phone, &story.records[1]).await;
        assert_eq!(linked(&story.world).await, (0, 2), "{between}");
    }
    println!(
        "ATTACK ninth-2: 0 of 4 persons linked by the reader addresses that two devices granted to"
    );
}

#[tokio::test]
async fn what_another_device_planned_takes_a_reader_address_of_its_own() {
    let story = story(9002, 0).await;
    let paced = |party: &Party| {
        let mut ports = party.ports().clone();
        ports.pace = Pace::PERSON;
        with_ports(ports, 1, Role::Person)
    };
    let (laptop, phone) = (paced(&story.two.patient), paced(&story.phone));
    give(&laptop, &story.records[0]).await;
    say(&laptop, &["sync"]).await;
    say(&phone, &["sync"]).await;
    give(&phone, &story.records[1]).await;
    for _ in 0..12 {
        story.world.pass(21_600);
        say(&laptop, &["sync"]).await;
        say(&phone, &["sync"]).await;
    }
    assert_eq!(linked(&story.world).await, (0, 2));
}

/// A consent that waits for its day is not signed if another device gave to its reader address meanwhile.
#[tokio::test]
async fn what_waits_is_held_back_if_another_device_was_faster() {
    let mut held_back = 0;
    for between in 0..4 {
        let story = story(9003, between).await;
        let mut ports = story.two.patient.ports().clone();
        ports.pace = Pace::PERSON;
        let laptop = with_ports(ports, 1, Role::Person);
        give(&laptop, &story.records[0]).await;
        // It knows nothing of the plan, and waits for nothing.
        give(&story.phone, &story.records[1]).await;
        let mut told = String::new();
        for _ in 0..12 {
            story.world.pass(21_600);
            told += &try_say(&laptop, &["sync"]).await.unwrap().text;
        }
        let (linking, readers) = linked(&story.world).await;
        assert_eq!(linking, 0, "{between}: {told}");
        let is_told = told.contains("would show that they are yours");
        assert_eq!(is_told, readers == 1, "{between}: {told}");
        held_back += usize::from(is_told);
    }
    assert_eq!(held_back, 1, "one of the four has the place of the other");
}

/// A consent that a busy node kept, put off by nobody, is not sent either, whether it was signed or not.
#[tokio::test]
async fn what_a_busy_node_kept_is_held_back_if_another_device_was_faster() {
    let (mut linking, mut held_back) = (0, 0);
    for between in 0..4 {
        for is_signed in [false, true] {
            let story = story(9003, between).await;
            let node = busy::Busy::default();
            let ports = node.ports(story.two.patient.ports().clone());
            let laptop = with_ports(ports, 1, Role::Person);
            let busy = match is_signed {
                true => &node.relay,
                false => &node.storage,
            };
            node.set(busy, true);
            let words = ["grant", "create", "--to", "reader", "--record"];
            let words = [words.as_slice(), &[&story.records[0]]].concat();
            assert!(try_say(&laptop, &words).await.is_err());
            story.world.pass(3_600);
            give(&story.phone, &story.records[1]).await;
            node.set(busy, false);
            let mut told = String::new();
            for _ in 0..2 {
                story.world.pass(3_600);
                told += &try_say(&laptop, &["sync"]).await.unwrap().text;
            }
            let (links, readers) = linked(&story.world).await;
            linking += links;
            let is_told = told.contains("would show that they are yours");
            assert_eq!(is_told, readers == 1, "{between} {is_signed}: {told}");
            held_back += usize::from(is_told);
        }
    }
    println!(
        "ATTACK eleventh-p4: {linking} of 8 persons linked by a consent that a busy node kept"
    );
    assert_eq!((linking, held_back), (0, 2));
}

/// The own node withholds, at a restore, the object of one consent and the notes since it: the chain still says which reader address
/// it was given to.
#[tokio::test]
async fn a_consent_that_the_own_node_withholds_keeps_its_reader_address() {
    for between in 0..4 {
        let story = story(9004, between).await;
        let before = story.world.notes();
        give(&story.two.patient, &story.records[0]).await;
        say(&story.two.patient, &["sync"]).await;
        let digest = consents(&story.world).await[0].terms.digest;
        let cid = medibloc_dag::Cid::from_dag_cbor_digest(digest.to_bytes());
        story.world.set_notes(before);
        let mut ports = story.world.ports();
        ports.network = Arc::new(lacking::Without(ports.network, cid));
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let (home, _) = Party::restore(&phrase, Role::Person, ports).await.unwrap();
        // Not whole: it says so.
        let _ = try_say(&home, &["sync"]).await;
        give(&home, &story.records[1]).await;
        assert_eq!(linked(&story.world).await, (0, 2), "{between}");
    }
}
