//! One deployment, two nodes: what is stored at one arrives at the homes of the other, and the words say who was asked.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "world/http.rs"]
#[allow(dead_code, reason = "other tests stop and start keepers")]
mod http;

use std::sync::Arc;

use http::World;
use medibloc_consent::Purpose;
use medibloc_journey::memory::MemoryVault;
use medibloc_journey::{Party, Ports, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{AccountId, Draft, LossReport, PartRole, RecordId, Role};
use tokio::task::JoinHandle;

const WEEK: u64 = 7 * 86_400;
const ORIGINAL: &[u8] = b"<ClinicalDocument>a diagnosis</ClinicalDocument>";

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft() -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let original = ORIGINAL.to_vec();
    Draft::new(
        "application/cda+xml",
        original,
        bundle,
        LossReport::default(),
    )
}

/// A hospital at the first node, its patient at the second, and a clinic at the first.
struct Story {
    world: Arc<World>,
    second: String,
    task: JoinHandle<()>,
    patient: Party,
    hospital: Party,
    clinic: Party,
    owner: AccountId,
    clinic_owner: AccountId,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed).await;
        let (second, task) = world.another_node().await;
        let both = || vec![world.node.clone(), second.clone()];
        let at = |node: &str| world.ports_at(node, both(), Arc::new(MemoryVault::default()));
        let patient = Party::new(phrase(1).seed(), Role::Person, at(&second));
        let provider = async |seed: u64, name: &str| {
            let ports = at(&world.node);
            let party = Party::new(phrase(seed).seed(), Role::Provider, ports);
            party.register_account().await.unwrap();
            let jwt = world.accredit(party.account().id(), name);
            let invitation = patient.invite().await.unwrap();
            let owner = party.answer(&invitation, Some(&jwt)).await.unwrap().owner;
            (party, owner)
        };
        let (hospital, owner) = provider(2, "Hana Hospital").await;
        let (clinic, clinic_owner) = provider(3, "Bit Clinic").await;
        patient.sync().await.unwrap();
        for contact in patient.contacts().unwrap() {
            patient.confirm(contact.own).unwrap();
        }
        let until = world.ports().clock.now().plus(WEEK);
        let kinds = medical_only();
        patient.grant_write(owner, kinds, until).await.unwrap();
        Self {
            world,
            second,
            task,
            patient,
            hospital,
            clinic,
            owner,
            clinic_owner,
        }
    }

    fn ports_at(&self, node: &str) -> Ports {
        let both = vec![self.world.node.clone(), self.second.clone()];
        let vault = Arc::new(MemoryVault::default());
        self.world.ports_at(node, both, vault)
    }

    async fn written(&self) -> RecordId {
        let written = self.hospital.write_for(self.owner, draft()).await;
        written.unwrap().record
    }

    async fn ask(&self) {
        let until = self.world.ports().clock.now().plus(WEEK);
        let (owner, why) = (self.clinic_owner, "second opinion");
        let asked = self.clinic.ask(owner, Purpose::Treatment, why, until);
        asked.await.unwrap();
    }
}

/// Before: the owner was told for ever that no node had the package, and the reader never got the grant.
#[tokio::test]
async fn what_is_stored_at_one_node_arrives_at_homes_of_another() {
    let story = Story::new(801).await;
    let record = story.written().await;
    let report = story.patient.sync().await.unwrap();
    assert_eq!(report.accepted, [record], "{report:?}");
    let verified = story.patient.verify_record(record).await.unwrap();
    assert!(verified.lines.iter().all(|line| line.holds), "{verified:?}");

    story.ask().await;
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    let until = story.world.ports().clock.now().plus(WEEK);
    let approved = story.patient.approve(&request, record, until).await;
    approved.unwrap();
    let report = story.clinic.sync().await.unwrap();
    assert!(report.later.is_empty(), "{report:?}");
    let read = story.clinic.read(record).await.unwrap();
    let mut original = Vec::new();
    let part = PartRole::Original;
    story
        .clinic
        .open_read_part(&read, part, &mut original)
        .unwrap();
    assert_eq!(original, ORIGINAL);

    // A home that was at the second node and asks the first has all of it but what stands in mailboxes.
    let ports = story.ports_at(&story.world.node);
    let (_, report) = Party::restore(&phrase(1), Role::Person, ports)
        .await
        .unwrap();
    assert_eq!(report.sync.accepted, [record], "{report:?}");
    assert_eq!(report.missing, Vec::<String>::new());

    story.patient.erase(record).await.unwrap();
    story.patient.sync().await.unwrap();
    let verified = story.patient.verify_record(record).await.unwrap();
    assert!(verified.lines.iter().all(|line| line.holds), "{verified:?}");
}

/// The other homes go on; who waits for something is told which node it may be at.
#[tokio::test]
async fn a_node_that_is_away_is_named_and_holds_nobody_else_up() {
    let story = Story::new(802).await;
    // A home at the first node, of a record whose objects only the second has.
    let record = story.patient.write_own(draft()).await.unwrap().record;
    story.task.abort();
    let url = &story.second;
    let ports = story.ports_at(&story.world.node);
    let (home, report) = Party::restore(&phrase(1), Role::Person, ports)
        .await
        .unwrap();
    let told = format!("{report:?}");
    assert!(report.sync.accepted.is_empty(), "{told}");
    assert!(
        told.contains(&format!("the node {url} does not answer")),
        "{told}"
    );
    assert!(!told.contains("no node has it"), "{told}");
    assert!(
        home.records()
            .unwrap()
            .iter()
            .all(|kept| kept.record() != record || !kept.is_accepted())
    );
    // What needs the first node alone goes on.
    let own = story.ports_at(&story.world.node);
    let other = Party::new(phrase(9).seed(), Role::Person, own);
    let written = other.write_own(draft()).await.unwrap().record;
    assert_eq!(other.sync().await.unwrap().accepted, [written]);
    assert!(other.export_record(written).is_ok());
}

/// A paper with the phrase does not say which node was the own one: the one that has its notes does.
#[tokio::test]
async fn the_node_that_has_a_phrases_notes_says_so() {
    let story = Story::new(803).await;
    let label = story.clinic_owner;
    story.clinic.set_label(label, "Mrs Kim").unwrap();
    let record = story.written().await;
    story.patient.sync().await.unwrap();
    story.ask().await;
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    let until = story.world.ports().clock.now().plus(WEEK);
    let approved = story.patient.approve(&request, record, until).await;
    approved.unwrap();
    for party in [&story.patient, &story.clinic] {
        party.sync().await.unwrap();
    }
    let first = story.world.node.as_str();
    let second = story.second.as_str();
    for (seed, role, node, is_own) in [
        (1, Role::Person, second, true),
        (1, Role::Person, first, false),
        (3, Role::Provider, first, true),
        (3, Role::Provider, second, false),
    ] {
        let home = Party::new(phrase(seed).seed(), role, story.ports_at(node));
        let kept = home.kept_at_node().await.unwrap();
        assert_eq!(kept.newest.is_some(), is_own, "{seed} at {node}");
        assert_eq!(kept.entries > 0, is_own, "{seed} at {node}");
    }
}

/// The clinic's label of the patient is at the first node.
async fn labelled(story: &Story) {
    let owner = story.clinic_owner;
    story.clinic.set_label(owner, "Mrs Kim").unwrap();
    story.clinic.sync().await.unwrap();
}

/// Before: it had the notes of the first node that kept any, and those of the other came back with no restore.
#[tokio::test]
async fn a_restore_takes_the_notes_of_every_node_and_gives_them_to_its_own() {
    let story = Story::new(804).await;
    labelled(&story).await;
    let ports = story.ports_at(&story.second);
    let (home, report) = Party::restore(&phrase(3), Role::Provider, ports)
        .await
        .unwrap();
    assert_eq!(report.noted.labels, 1, "{report:?}");
    assert_eq!(report.missing, Vec::<String>::new());
    // Of a node that never had anything nobody is told that it lost it.
    let told = format!("{report:?}");
    assert!(!told.contains("lost it"), "{told}");
    assert!(!told.contains("older notes"), "{told}");
    let kept = home.kept_at_node().await.unwrap();
    assert!(kept.newest.is_some(), "its own node has them now");
    assert!(home.sync().await.unwrap().later.is_empty());
}

/// Before: the first node was given notes of its own, and was the own one from then on.
#[tokio::test]
async fn a_home_whose_own_node_is_not_decided_gives_no_node_notes() {
    let story = Story::new(805).await;
    labelled(&story).await;
    let ports = story.ports_at(&story.second);
    let vault = ports.vault.clone();
    let away = [story.world.node.clone()];
    Party::own_node_waits_for(vault.as_ref(), &away).unwrap();
    let (home, report) = Party::restore(&phrase(3), Role::Provider, ports)
        .await
        .unwrap();
    assert_eq!(report.noted.labels, 1, "{report:?}");
    assert!(report.open() > 0, "{report:?}");
    let synced = home.sync().await.unwrap();
    let told = synced.later.join("; ");
    assert!(told.contains(&format!("{} did not say", away[0])), "{told}");
    let again = home.give_notes_again().await.unwrap();
    assert!(
        again.failed.join("; ").contains("is not decided"),
        "{again:?}"
    );
    let kept = home.kept_at_node().await.unwrap();
    assert_eq!((kept.newest, kept.entries), (None, 0));
    // Decided, it has all that was taken meanwhile.
    Party::own_node_waits_for(vault.as_ref(), &[]).unwrap();
    assert!(home.sync().await.unwrap().later.is_empty());
    assert!(home.kept_at_node().await.unwrap().newest.is_some());
}

/// Before: "which had lost it … tell its operator", of a node that the home had not been at.
#[tokio::test]
async fn a_home_that_moves_to_another_node_gives_it_everything_and_says_so() {
    let story = Story::new(806).await;
    let record = story.written().await;
    story.patient.sync().await.unwrap();
    let until = story.world.ports().clock.now().plus(WEEK);
    story.ask().await;
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let both = vec![story.world.node.clone(), story.second.clone()];
    let vault = story.patient.ports().vault.clone();
    let ports = story.world.ports_at(&story.world.node, both, vault);
    let moved = Party::new(phrase(1).seed(), Role::Person, ports);
    let report = moved.sync().await.unwrap();
    let told = format!("{report:?}");
    assert!(
        told.contains("given to the node, which did not have it"),
        "{told}"
    );
    assert!(!told.contains("lost it"), "{told}");
    assert!(!told.contains("older notes"), "{told}");
    assert!(moved.kept_at_node().await.unwrap().newest.is_some());
}
