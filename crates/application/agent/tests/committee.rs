//! A committee that is formed while a record is on its way: what was sealed for the one before is dealt anew, and what came to the
//! chain in its former form all the same is told.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, an attack tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use std::sync::{Arc, Mutex};

use medibloc_agent::answer::code;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_ledger::{LedgerError, Outcome, Relay, SignedCall};
use medibloc_record::{Role, Threshold};
use two::{Two, refused, say, text, try_say, with_ports};

/// A relay that takes what it is given, does nothing with it, and says that it is away.
#[derive(Default)]
struct Holding(Mutex<Vec<SignedCall>>);

#[async_trait::async_trait]
impl Relay for Holding {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        self.0.lock().unwrap().push(call.clone());
        Err(LedgerError::Unreachable {
            from: "the node".into(),
            why: "no answer".into(),
        })
    }
}

/// A patient and a hospital that may write for it, whose documents wait for a relay.
struct Story {
    world: Arc<World>,
    two: Two,
    hospital: Party,
    owner: String,
    /// The hospital's document and the patient's own.
    files: [String; 2],
    held: Arc<Holding>,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        let held = Arc::new(Holding::default());
        let hospital = two.reader(&world, 3).await;
        say(
            &two.patient,
            &["grant", "create", "--to", "reader", "--write"],
        )
        .await;
        say(&hospital, &["sync"]).await;
        let owner = text(
            &say(&hospital, &["contact", "list"]).await,
            "/owners/0/owner",
        );
        two.accepted().await;
        let files = [two.document(), two.document()];
        let story = Self {
            world,
            two,
            hospital,
            owner,
            files,
            held,
        };
        for (party, words) in story.imports() {
            let mut ports = party.ports().clone();
            ports.relay = Arc::clone(&story.held) as Arc<dyn Relay>;
            let (seed, role) = match words.len() {
                3 => (1, Role::Person),
                _ => (3, Role::Provider),
            };
            refused(&with_ports(ports, seed, role), &words, code::PARTIAL).await;
        }
        story
    }

    fn imports(&self) -> [(&Party, Vec<&str>); 2] {
        let [written, own] = &self.files;
        let import = ["record", "import", written, "--for", &self.owner, "--yes"];
        let own = vec!["record", "import", own];
        [(&self.hospital, import.to_vec()), (&self.two.patient, own)]
    }

    /// What both are told by two syncs of each.
    async fn told(&self) -> String {
        let mut told = String::new();
        for _ in 0..2 {
            for party in [&self.hospital, &self.two.patient] {
                told += &try_say(party, &["sync"]).await.unwrap().text;
            }
            self.world.pass(3_600);
        }
        told
    }

    async fn accepted(&self) -> usize {
        let list = say(&self.two.patient, &["record", "list"]).await;
        let list = list.as_array().unwrap().iter();
        list.filter(|it| it["state"] == "accepted").count()
    }
}

const ANOTHER: (u8, u8) = (5, 3);

fn form(world: &World) {
    let (n, t) = ANOTHER;
    world.form_committee(Threshold::new(n, t).unwrap());
}

#[tokio::test]
async fn what_waits_for_its_anchor_is_dealt_to_the_committee_that_is_formed_meanwhile() {
    let story = Story::new(10_011).await;
    form(&story.world);
    let told = story.told().await;
    let accepted = story.accepted().await;
    println!("ATTACK tenth-8: {accepted} of 3 records accepted");
    assert_eq!(accepted, 3, "{told}");
    let list = say(&story.two.patient, &["record", "list"]).await;
    for record in list.as_array().unwrap() {
        let id = record["record"].as_str().unwrap();
        let verified = say(&story.two.patient, &["record", "verify", id]).await;
        assert_eq!(verified["verified"], true, "{verified}");
    }
}

/// Whoever carries calls can hold one for some minutes: it was signed, and it counts.
#[tokio::test]
async fn what_came_to_the_chain_too_late_is_told_and_written_again() {
    let story = Story::new(10_012).await;
    form(&story.world);
    let relay = Arc::clone(&story.hospital.ports().relay);
    let held = std::mem::take(&mut *story.held.0.lock().unwrap());
    assert!(held.len() >= 2, "{}", held.len());
    for call in held {
        relay.relay(&call).await.unwrap();
    }
    let told = story.told().await;
    assert_eq!(story.accepted().await, 1, "{told}");
    let says =
        "another one had followed by then: its owner cannot take it; import the document again";
    assert!(told.matches(says).count() >= 2, "{told}");
    for (party, words) in story.imports() {
        say(party, &words).await;
    }
    let told = story.told().await;
    assert!(!told.contains(says), "{told}");
    let accepted = story.accepted().await;
    println!(
        "ATTACK tenth-8: both are told, {accepted} of 3 records accepted once they are written again"
    );
    assert_eq!(accepted, 3, "{told}");
}
