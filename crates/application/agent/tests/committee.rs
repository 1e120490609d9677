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

/// A record of seven keepers, of which two have no share yet; then a committee of five is formed, and those two go.
async fn smaller(seed: u64) -> (Arc<World>, Two, String) {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    for index in [6, 7] {
        world.set_down(index, true);
    }
    let import = ["record", "import", &two.document()];
    // Five of seven take their share at once.
    let _ = try_say(&two.patient, &import).await;
    let record = text(&say(&two.patient, &["record", "list"]).await, "/0/record");
    form(&world);
    for index in [6, 7] {
        world.set_down(index, false);
        world.dismiss(index);
    }
    world.pass(86_401);
    (world, two, record)
}

/// Before: what those keepers do not do any more was owed by every sync for ever, and ended it with 9.
#[tokio::test]
async fn what_keepers_that_are_gone_do_not_do_is_told_once_and_owed_no_more() {
    let (world, two, record) = smaller(11_304).await;
    let first = try_say(&two.patient, &["sync"]).await.unwrap();
    assert_eq!(first.code, 0, "{}", first.text);
    let gone = "keepers 6, 7 are no longer in service";
    assert_eq!(first.text.matches(gone).count(), 1, "{}", first.text);
    let holds = "all 5 keepers hold a share";
    assert!(first.text.contains(holds), "{}", first.text);
    let doctor = try_say(&two.patient, &["doctor"]).await;
    let doctor = doctor.map_or_else(|told| told.message, |answer| answer.text);
    let shares = doctor.lines().find(|line| line.contains(" shares: "));
    let shares = shares.unwrap();
    assert!(shares.starts_with("ok"), "{shares}");
    assert!(shares.contains(gone), "{shares}");
    say(&two.patient, &["record", "store", "--all"]).await;
    // Four of five say that theirs is destroyed: of seven, that makes it final.
    world.set_down(5, true);
    let erased = try_say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    assert_eq!(erased.unwrap().code, 0);
    world.set_down(5, false);
    for _ in 0..2 {
        world.pass(86_401);
        let synced = try_say(&two.patient, &["sync"]).await.unwrap();
        assert_eq!(synced.code, 0, "{}", synced.text);
        assert!(!synced.text.contains("no longer in service"));
    }
}

/// Before: three of seven were called enough, for a committee of five was in force by then.
#[tokio::test]
async fn an_erasure_is_final_by_the_records_own_committee() {
    let (world, two, record) = smaller(11_303).await;
    say(&two.patient, &["sync"]).await;
    for index in [4, 5] {
        world.set_down(index, true);
    }
    let erased = try_say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    let erased = erased.unwrap();
    let called = usize::from(erased.code == 0);
    println!("ATTACK eleventh-q3: {called} of 1 erasures called final that 3 of 4 keepers signed");
    assert_eq!(erased.code, code::PARTIAL, "{}", erased.text);
    assert_eq!(erased.value["needed"], 4, "{}", erased.text);
    assert!(erased.text.contains("(4 make it final)"), "{}", erased.text);
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    let owed = format!("erasure of record {record}: 3 of 7 keepers signed");
    assert!(synced.text.contains(&owed), "{}", synced.text);
}
