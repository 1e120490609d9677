//! What takes back on a home whose restore is not finished: the chain says what stands, not what this home has taken of it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/gone.rs"]
mod gone;
#[path = "support/two.rs"]
mod two;
#[path = "support/withheld.rs"]
mod withheld;

use std::sync::Arc;

use gone::NoStore;
use medibloc_consent::Grant;
use medibloc_dag::{Cid, cbor};
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Change, Network, Ports};
use medibloc_ledger::{Event, Events as _, Facts as _};
use medibloc_record::Role;
use two::{Two, say, text, try_say, with_ports};
use withheld::Withheld;

const EVERYTHING: [&str; 3] = ["grant", "revoke", "--everything"];

/// A person whose clinic may write and whose reader may read one record.
struct Story {
    world: Arc<World>,
    two: Two,
    record: String,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        two.reader(&world, 3).await;
        let record = two.accepted().await;
        Self { world, two, record }
    }

    /// The only consent to read that stands.
    fn grant(&self) -> Grant {
        let given = self.two.patient.grants().unwrap();
        let mut stands = given.into_iter().filter(|(_, given)| !given.revoked);
        let grant = stands.next().unwrap().1.artefact.grant.unwrap();
        assert!(stands.next().is_none());
        grant
    }

    /// Ports of a new home over this vault, at a node that is worse than the own one.
    fn ports(&self, vault: &Arc<MemoryVault>, worse: impl Network + 'static) -> Ports {
        Ports {
            network: Arc::new(worse),
            ..self.world.ports_with(vault.clone())
        }
    }

    async fn is_revoked(&self, grant: &Grant) -> bool {
        let facts = self.world.ledger.grant(grant).await.unwrap();
        assert!(facts.granted);
        facts.revoked
    }

    async fn ends(&self) -> usize {
        let blocks = self.world.ledger.events(0, u32::MAX).await.unwrap();
        let events = blocks.iter().flat_map(|block| &block.events);
        events
            .filter(|event| matches!(event, Event::AllRevoked { .. }))
            .count()
    }
}

fn cid(grant: &Grant) -> Cid {
    Cid::from_dag_cbor_digest(grant.terms.digest.to_bytes())
}

/// Attacker: exit 0 and "every consent is taken back", while no order was kept and the reader went on reading.
#[tokio::test]
async fn everything_is_taken_back_while_the_own_node_is_down() {
    let story = Story::new(1001).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&story.two.patient, &write).await;
    story.two.give(&story.record).await;
    let grant = story.grant();
    let vault = Arc::new(MemoryVault::default());
    let network = story.world.ports().network;
    let down = with_ports(story.ports(&vault, NoStore(network)), 1, Role::Person);
    let (down, report) = down.restored().await.unwrap();
    assert_eq!(report.consents, 0, "nothing came: {report:?}");
    let done = try_say(&down, &EVERYTHING).await.unwrap();
    let revoked = story.is_revoked(&grant).await;
    println!(
        "ATTACK tenth-1: revoked {revoked} after --everything ended with {}",
        done.code
    );
    assert!(revoked, "{}", done.text);
    assert_eq!(done.code, 0, "{}", done.text);
    // Each own address that gave one, and no other.
    assert_eq!(story.ends().await, 2);
    let again = try_say(&down, &EVERYTHING).await.unwrap();
    assert!(
        again.text.contains("nothing is to be taken back"),
        "{}",
        again.text
    );
    assert_eq!(story.ends().await, 2);
    // The node is back: what was taken back is shown as that.
    let back = with_ports(story.world.ports_with(vault), 1, Role::Person);
    say(&back, &["sync"]).await;
    let list = say(&back, &["grant", "list"]).await;
    for at in [0, 1] {
        assert_eq!(
            text(&list, &format!("/given/{at}/state")),
            "revoked",
            "{list}"
        );
    }
}

/// Attacker: one withheld object kept each command from ending its consent.
#[tokio::test]
async fn one_object_that_is_withheld_keeps_no_command_from_ending_its_consent() {
    for (seed, how) in (1010..).zip(["everything", "contact", "id"]) {
        let story = Story::new(seed).await;
        story.two.give(&story.record).await;
        let grant = story.grant();
        say(&story.two.patient, &["sync"]).await;
        let vault = Arc::new(MemoryVault::default());
        let network = Withheld::new(story.world.ports().network, &[(cid(&grant), 0)]);
        let phone = with_ports(story.ports(&vault, network), 1, Role::Person);
        let (phone, _) = phone.restored().await.unwrap();
        say(&phone, &["sync"]).await;
        let id = grant.id.to_string();
        let words = match how {
            "everything" => EVERYTHING.to_vec(),
            "contact" => vec!["grant", "revoke", "--contact", "reader"],
            _ => vec!["grant", "revoke", &id],
        };
        let done = try_say(&phone, &words).await;
        let revoked = story.is_revoked(&grant).await;
        println!("ATTACK tenth-1 ({how}): revoked {revoked}, {done:?}");
        assert!(revoked, "{how}: {done:?}");
        assert_eq!(done.unwrap().code, 0, "{how}");
        let list = say(&phone, &["grant", "list"]).await;
        assert!(!list["given"].to_string().contains("\"live\""), "{list}");
    }
}

/// Attacker: consents of after an older `--everything` were called revoked, taking them back did nothing, and the reader read.
#[tokio::test]
async fn a_consent_of_after_everything_was_taken_back_is_not_called_revoked() {
    let story = Story::new(1020).await;
    let patient = &story.two.patient;
    let write = ["grant", "create", "--to", "reader", "--write"];
    story.two.give(&story.record).await;
    say(patient, &write).await;
    say(patient, &EVERYTHING).await;
    let others: Vec<String> = vec![story.two.accepted().await, story.two.accepted().await];
    story.two.give(&others[0]).await;
    let read = story.grant();
    say(patient, &write).await;
    let writes = patient.write_grants().unwrap();
    let mut writes = writes.into_iter().filter(|(_, given)| !given.revoked);
    let (write, given) = writes.next().unwrap();
    let object = given.artefact.write.unwrap().digest;
    let object = Cid::from_dag_cbor_digest(object.to_bytes());
    // What keeps the restore from being finished.
    story.two.give(&others[1]).await;
    let given = patient.grants().unwrap();
    let mut given = given.into_iter().filter(|(_, given)| !given.revoked);
    let lost = given.find(|(id, _)| *id != read.id).unwrap().1;
    let lost = cid(&lost.artefact.grant.unwrap());
    say(patient, &["sync"]).await;
    let vault = Arc::new(MemoryVault::default());
    let gives = [(cid(&read), 1), (object, 1), (lost, 0)];
    let network = Withheld::new(story.world.ports().network, &gives);
    let phone = with_ports(story.ports(&vault, network), 1, Role::Person);
    let (phone, _) = phone.restored().await.unwrap();
    say(&phone, &["sync"]).await;
    let list = say(&phone, &["grant", "list"]).await;
    for id in [read.id, write] {
        let given = list["given"].as_array().unwrap();
        let given = given.iter().find(|given| given["id"] == id.to_string());
        println!("ATTACK tenth-3: {}", given.unwrap()["state"]);
        assert_eq!(given.unwrap()["state"], "live", "{list}");
        say(&phone, &["grant", "revoke", &id.to_string()]).await;
    }
    assert!(story.is_revoked(&read).await);
    let list = say(patient, &["grant", "list"]).await;
    let given = list["given"].as_array().unwrap();
    let live = given.iter().filter(|given| given["state"] == "live");
    assert_eq!(live.count(), 1, "{list}");
}

/// What a home of before marked wrongly is taken back all the same.
#[tokio::test]
async fn what_is_marked_as_taken_back_and_stands_on_the_chain_is_taken_back() {
    let story = Story::new(1030).await;
    story.two.give(&story.record).await;
    let patient = &story.two.patient;
    let (id, mut given) = patient.grants().unwrap().remove(0);
    let grant = given.artefact.grant.clone().unwrap();
    given.revoked = true;
    let row = Change::Put {
        table: "grants",
        key: id.as_bytes().to_vec(),
        value: cbor::to_vec(&given),
    };
    patient.ports().vault.apply(vec![row]).unwrap();
    let words = ["grant", "revoke", &id.to_string()];
    assert_eq!(say(patient, &words).await["already"], false);
    assert!(story.is_revoked(&grant).await);
    // Now it is so.
    assert_eq!(say(patient, &words).await["already"], true);
}

/// Attacker: "there is no record", while the chain has every field that its erasure takes.
#[tokio::test]
async fn a_record_of_which_only_the_chain_tells_is_erased() {
    for (seed, is_synced) in [(1060, true), (1061, false)] {
        let story = Story::new(seed).await;
        let vault = Arc::new(MemoryVault::default());
        let network = story.world.ports().network;
        let mut ports = story.ports(&vault, NoStore(network));
        let whole = ports.clone();
        if !is_synced {
            // Broken off before the chain was read.
            ports.events = gone::without_chain(whole.clone()).events;
        }
        let restored = with_ports(ports, 1, Role::Person).restored().await;
        assert_eq!(restored.is_ok(), is_synced);
        let down = with_ports(whole, 1, Role::Person);
        let erase = ["record", "erase", &story.record];
        let asked = try_say(&down, &erase).await.unwrap_err();
        assert!(asked.message.contains("content is not here"), "{asked}");
        let done = try_say(&down, &[erase.as_slice(), &["--yes"]].concat()).await;
        println!("ATTACK tenth-1: erase by the chain alone: {done:?}");
        let facts = story.world.ledger.record(story.record.parse().unwrap());
        assert!(facts.await.unwrap().unwrap().erased, "{done:?}");
        assert_eq!(done.unwrap().value["statements"], 7);
        let back = with_ports(story.world.ports_with(vault), 1, Role::Person);
        say(&back, &["sync"]).await;
        let shown = say(&back, &["record", "show", &story.record]).await;
        assert_eq!(shown["state"], "erased", "{shown}");
        // What is nobody's here is still unknown.
        let other = format!("0x{}", "ab".repeat(32));
        let unknown = ["record", "erase", &other, "--yes"];
        let unknown = try_say(&back, &unknown).await.unwrap_err();
        assert_eq!(unknown.code, medibloc_agent::answer::code::UNKNOWN);
    }
}
