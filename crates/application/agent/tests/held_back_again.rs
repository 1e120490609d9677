//! What was decided is asked about again before it leaves: did the author take the record back, is the contact still called what the
//! person confirmed. And taking back all of a contact looks at the chain again before it is called done.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/busy.rs"]
mod busy;
#[path = "support/devices.rs"]
mod devices;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use devices::{DAY, Devices, READER, standing};
use medibloc_journey::memory::World;
use medibloc_journey::{Pace, Party};
use medibloc_ledger::{LedgerError, Outcome, Relay, SignedCall};
use medibloc_record::Role;
use two::{Two, say, try_say, with_ports};

/// A patient at the calm pace who has a record of the clinic's, and a reader.
async fn calm(seed: u64) -> (Arc<World>, Two, Party, Party, String) {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    let record = two.written(&[]).await;
    let _ = try_say(&two.patient, &["record", "confirm", &record]).await;
    say(&two.patient, &["sync"]).await;
    let mut ports = two.patient.ports().clone();
    ports.pace = Pace::PERSON;
    let calm = with_ports(ports, 1, Role::Person);
    (world, two, reader, calm, record)
}

async fn syncs(world: &World, party: &Party) -> String {
    let mut told = String::new();
    for _ in 0..16 {
        world.pass(DAY / 4);
        told += &try_say(party, &["sync"]).await.unwrap().text;
        told.push('\n');
    }
    told
}

#[tokio::test]
async fn what_its_author_took_back_meanwhile_is_not_given_but_by_word() {
    let (world, two, reader, calm, record) = calm(13_001).await;
    let give = [
        "grant", "create", "--to", "reader", "--record", &record, "--days", "60",
    ];
    say(&calm, &give).await;
    say(&two.clinic, &["record", "retract", &record, "--yes"]).await;
    let before = standing(&world).await;
    let told = syncs(&world, &calm).await;
    assert_eq!(standing(&world).await, before, "{told}");
    assert_eq!(
        told.matches("was taken back by its author and is not to be relied on")
            .count(),
        1,
        "{told}"
    );
    // Whoever says that it is meant gives it.
    say(&calm, &[&give[..], &["--retracted"]].concat()).await;
    let told = syncs(&world, &calm).await;
    assert_eq!(standing(&world).await, before + 1, "{told}");
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &record, "--retracted"]).await;
}

/// The clinic has another credential, and says so in a request.
async fn rename(world: &Arc<World>, two: &Two, calm: &Party) {
    world.pass(60);
    let path = two.folder.path().join("newer");
    let jwt = world.accredit(two.clinic.account().id(), "Sunny Insurance");
    std::fs::write(&path, jwt).unwrap();
    say(
        &two.clinic,
        &["account", "credential", path.to_str().unwrap()],
    )
    .await;
    let ask = [
        "request", "create", &two.owner, "--reason", "a claim", "--now",
    ];
    say(&two.clinic, &ask).await;
    say(calm, &["sync"]).await;
}

#[tokio::test]
async fn a_contact_that_is_called_otherwise_now_is_given_nothing_before_that_is_confirmed() {
    let (world, two, _, calm, record) = calm(13_010).await;
    say(
        &calm,
        &[
            "grant", "create", "--to", "clinic", "--record", &record, "--days", "60",
        ],
    )
    .await;
    rename(&world, &two, &calm).await;
    let before = standing(&world).await;
    let told = syncs(&world, &calm).await;
    assert_eq!(standing(&world).await, before, "{told}");
    assert!(told.contains("is not confirmed yet"), "{told}");
    say(&calm, &["contact", "confirm", "sunny insurance"]).await;
    let told = syncs(&world, &calm).await;
    assert_eq!(standing(&world).await, before + 1, "{told}");
}

#[tokio::test]
async fn later_records_do_not_go_to_a_contact_that_is_called_otherwise_now() {
    let world = World::new(13_020);
    let two = Two::new(&world).await;
    let first = two.accepted().await;
    let _ = try_say(&two.patient, &["record", "confirm", &first]).await;
    let person = [
        "account",
        "person",
        "--name",
        "Eve Betterhalf",
        "--born",
        "1975-05-01",
    ];
    say(&two.patient, &person).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--all", "--yes"],
    )
    .await;
    rename(&world, &two, &two.patient).await;
    let later = two.accepted().await;
    let told = try_say(&two.patient, &["sync"]).await.unwrap();
    assert!(told.text.contains("is not confirmed yet"), "{}", told.text);
    say(&two.clinic, &["sync"]).await;
    assert!(try_say(&two.clinic, &["read", &later]).await.is_err());
    say(&two.patient, &["contact", "confirm", "sunny insurance"]).await;
    say(&two.patient, &["sync"]).await;
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &["read", &later]).await;
}

/// Of a decision for all addresses one consent has gone and another is put off: the phone takes the first back by its id.
#[tokio::test]
async fn what_is_put_off_of_a_decision_does_not_leave_after_one_of_it_was_taken_back() {
    for (seed, limits) in [
        (13_010, ["--days", "60"].as_slice()),
        (13_011, &["--days", "60", "--up-to", "very-restricted"]),
    ] {
        let story = Devices::new(seed, Pace::PERSON).await;
        let before = standing(&story.world).await;
        let all = ["grant", "create", "--to", "reader", "--all", "--yes"];
        say(&story.laptop, &[all.as_slice(), limits].concat()).await;
        while standing(&story.world).await == before {
            story.world.pass(DAY / 4);
            say(&story.laptop, &["sync"]).await;
        }
        assert_eq!(standing(&story.world).await, before + 1, "{limits:?}");
        assert!(
            !say(&story.laptop, &["status"]).await["planned"]
                .as_array()
                .unwrap()
                .is_empty()
        );
        say(&story.phone, &["sync"]).await;
        let list = say(&story.phone, &["grant", "list"]).await;
        let live = list["given"].as_array().unwrap().iter();
        let live: Vec<_> = live.filter(|given| given["state"] == "live").collect();
        assert_eq!(live.len(), 1, "{list}");
        say(
            &story.phone,
            &["grant", "revoke", live[0]["id"].as_str().unwrap()],
        )
        .await;
        assert_eq!(standing(&story.world).await, before, "{limits:?}");
        // The hour of the others has come before the laptop looks at the chain.
        story.world.pass(10 * DAY);
        let told = syncs(&story.world, &story.laptop).await;
        assert_eq!(standing(&story.world).await, before, "{limits:?}: {told}");
    }
}

/// A relay by which another device gives a consent just before the first call goes.
struct Meanwhile {
    relay: Arc<dyn Relay>,
    laptop: Party,
    record: String,
    is_done: AtomicBool,
}

#[async_trait]
impl Relay for Meanwhile {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        if !self.is_done.swap(true, Ordering::SeqCst) {
            let give = [
                "grant",
                "create",
                "--to",
                "reader",
                "--record",
                &self.record,
            ];
            say(&self.laptop, &give).await;
        }
        self.relay.relay(call).await
    }
}

#[tokio::test]
async fn what_another_device_gives_at_the_same_moment_is_said_to_stand() {
    let story = Devices::new(13_030, Pace::NOW).await;
    say(&story.laptop, &story.give()).await;
    let record = story.two.accepted().await;
    say(&story.phone, &["sync"]).await;
    let mut ports = story.phone.ports().clone();
    ports.relay = Arc::new(Meanwhile {
        relay: ports.relay,
        laptop: story.laptop,
        record,
        is_done: AtomicBool::new(false),
    });
    let phone = with_ports(ports, 1, Role::Person);
    let answer = try_say(&phone, READER).await.unwrap();
    assert_eq!(standing(&story.world).await, 1);
    assert_eq!(answer.code, 9, "{}", answer.text);
    assert!(
        answer.text.contains("1 consent still stands"),
        "{}",
        answer.text
    );
    let again = try_say(&phone, READER).await.unwrap();
    assert_eq!(
        (again.code, standing(&story.world).await),
        (0, 0),
        "{}",
        again.text
    );
}
