//! Who may speak to an agent, over HTTP: letters, grants and invitations of strangers, of a key that was handed on, and a
//! node that withholds, against real routers of one node and seven keepers.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]
#![allow(clippy::print_stdout, reason = "an attack tells its figure")]

#[path = "world/http.rs"]
mod http;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::World;
use medibloc_consent::{BindingTag, Purpose};
use medibloc_dag::{Block, Cid};
use medibloc_evil::owner::{Owner, call};
use medibloc_evil::sender::flood;
use medibloc_journey::memory::MemoryVault;
use medibloc_journey::{Party, VaultPort as _};
use medibloc_keys::{Entropy as _, Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::Call;
use medibloc_record::{AccountId, Draft, GrantId, LossReport, RecordId, Role, Timestamp};
use medibloc_store::{OwnStore as _, Store as _};

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn key(seed: u64) -> SigningKey {
    let mut bytes = [0; 32];
    SeededEntropy::new(seed).fill(&mut bytes);
    SigningKey::from_bytes(&bytes).unwrap()
}

struct Story {
    world: Arc<World>,
    patient: Party,
    clinic: Party,
    vault: Arc<MemoryVault>,
    owner: AccountId,
    until: Timestamp,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed).await;
        let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
        let vault = Arc::new(MemoryVault::default());
        let ports = world.ports_with(vault.clone());
        let clinic = Party::new(phrase(2).seed(), Role::Provider, ports);
        clinic.register_account().await.unwrap();
        let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
        let invitation = patient.invite().await.unwrap();
        let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
        patient.sync().await.unwrap();
        patient.confirm(owner).unwrap();
        let until = world.ports().clock.now().plus(7 * 86_400);
        Self {
            world,
            patient,
            clinic,
            vault,
            owner,
            until,
        }
    }

    /// A record that the clinic may read.
    async fn granted(&self) -> (RecordId, GrantId) {
        let bundle = serde_json::json!({"resourceType": "Bundle"});
        let draft = Draft::new("text/xml", b"x".to_vec(), bundle, LossReport::default());
        let record = self.patient.write_own(draft).await.unwrap().record;
        let purpose = Purpose::Treatment;
        let asked = self.clinic.ask(self.owner, purpose, "care", self.until);
        asked.await.unwrap();
        self.patient.sync().await.unwrap();
        let request = self.patient.requests().unwrap().remove(0);
        let approved = self.patient.approve(&request, record, self.until).await;
        self.clinic.sync().await.unwrap();
        (record, approved.unwrap())
    }

    /// Rows of the clinic that could hold something of a stranger.
    fn rows(&self) -> [usize; 5] {
        let tables = ["contacts", "patrons", "addresses", "letters", "held-grants"];
        tables.map(|table| self.vault.list(table).unwrap().len())
    }
}

/// A server inside the reader's network; counts connections.
async fn inner() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let reached = Arc::new(AtomicUsize::new(0));
    let counted = reached.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (url, reached)
}

#[tokio::test]
async fn a_grant_that_nobody_asked_for_is_neither_kept_nor_called_over_http() {
    let story = Story::new(301).await;
    let ports = story.world.ports();
    let (url, reached) = inner().await;
    let mut evil = Owner::register(&ports, key(66), 66).await.unwrap();
    let reader = story.clinic.addresses().unwrap().remove(0);
    let facts = ports.facts.account(reader.id()).await.unwrap().unwrap();
    let to = (reader.id(), &facts.sealing_key);
    let before = story.rows();
    for paired in [evil.key.address(), story.owner.first_address()] {
        let none = BindingTag::default();
        let given = evil.grant(&ports, to, (paired, &url), none, None).await;
        given.unwrap();
    }
    let report = story.clinic.sync().await.unwrap();
    call(&ports, &evil.key, &Call::RevokeAll).await.unwrap();
    story.clinic.sync().await.unwrap();
    assert_eq!((report.grants, story.rows()), (0, before));
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    println!("ATTACK security-4: 0 of 2 grants taken, 0 connections to the server that they name");
}

#[tokio::test]
async fn letters_of_strangers_are_removed_unread_over_http() {
    let story = Story::new(302).await;
    let (record, grant) = story.granted().await;
    let own = story.patient.contacts().unwrap()[0].own.first_address();
    let ports = story.world.ports();
    let mut entropy = SeededEntropy::new(5);
    let mut taken = 0;
    for number in 0..4 {
        let sender = Owner::register(&ports, key(70 + number), number).await;
        let sender = sender.unwrap().key;
        taken += flood(ports.network.as_ref(), &sender, own, 60, &mut entropy).await;
    }
    assert_eq!(taken, 200, "fifty of each");
    story.patient.revoke(grant).await.unwrap();
    let error = story.clinic.read(record).await.unwrap_err().to_string();
    assert!(error.contains("revoked"), "{error}");
    // A good letter among them is taken.
    let asked = story
        .clinic
        .ask(story.owner, Purpose::Treatment, "more", story.until);
    asked.await.unwrap();
    let report = story.patient.sync().await.unwrap();
    assert_eq!(report.strangers, taken);
    assert_eq!(story.patient.requests().unwrap().len(), 2);
    assert_eq!(story.patient.sync().await.unwrap().strangers, 0, "gone");
    println!(
        "ATTACK security-5: {taken} of 240 junk letters taken by the node, all removed unread, 1 of 1 good letters taken, revoked"
    );
}

#[tokio::test]
async fn own_foreign_and_unlisted_invitations_are_refused_over_http() {
    let story = Story::new(303).await;
    let own = story.clinic.invite().await.unwrap();
    let before = story.rows();
    let (url, reached) = inner().await;
    let elsewhere = {
        let mut ports = story.world.ports();
        ports.network = Arc::new(Elsewhere(ports.network.clone(), url.clone()));
        Party::new(phrase(6).seed(), Role::Person, ports)
    };
    let foreign = {
        let mut ports = story.world.ports();
        ports.domain.chain_id += 1;
        Party::new(phrase(5).seed(), Role::Person, ports)
    };
    let unlisted = elsewhere.invite().await.unwrap();
    let good = story.patient.invite().await.unwrap();
    for (with, invitation, why) in [
        (&story.clinic, &own, "an own one"),
        (&story.clinic, &unlisted, "not one of this deployment's"),
        (&foreign, &good, "for chain"),
    ] {
        let error = with.answer(invitation, None).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(story.rows(), before);
    assert_eq!(reached.load(Ordering::SeqCst), 0);
    assert!(foreign.addresses().unwrap().is_empty());
    story.clinic.status().await.unwrap();
    println!(
        "ATTACK newcomer-2: 3 of 3 invitations refused with the reason, 0 rows kept, 0 connections"
    );
}

/// A node that no deployment lists.
struct Elsewhere(Arc<dyn medibloc_journey::Network>, String);

impl medibloc_journey::Network for Elsewhere {
    fn store(&self, actor: &SigningKey) -> Arc<dyn medibloc_store::Store> {
        self.0.store(actor)
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn medibloc_journey::Mailbox> {
        self.0.mailbox(actor, url)
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn medibloc_journey::Keepers> {
        self.0.keepers(actor)
    }
    fn own_node(&self) -> String {
        self.1.clone()
    }
}

#[tokio::test]
async fn a_key_that_was_rotated_away_speaks_for_nobody_over_http() {
    let story = Story::new(304).await;
    story.granted().await;
    let (account, next) = (story.clinic.account().id(), key(99));
    let rotated = story.world.ledger.rotate_address(account, next.address());
    rotated.unwrap();
    // The thief has phrase, vault and pairing key, all of before.
    let asked = story
        .clinic
        .ask(story.owner, Purpose::Treatment, "stolen", story.until);
    let error = asked.await.unwrap_err().to_string();
    assert!(error.contains("register the address"), "{error}");
    let report = story.patient.sync().await.unwrap();
    assert_eq!(story.patient.requests().unwrap().len(), 1, "{report:?}");
    println!("ATTACK security-s2: 0 of 1 letters of the old key taken, the node refuses them");
}

#[tokio::test]
async fn a_read_on_a_consent_that_a_node_withholds_is_an_alarm_over_http() {
    let story = Story::new(305).await;
    let (record, _) = story.granted().await;
    story.clinic.read(record).await.unwrap();
    let given = story.patient.grants().unwrap().remove(0).1;
    let digest = given.artefact.grant.unwrap().terms.digest;
    let cid = Cid::from_dag_cbor_digest(digest.to_bytes());
    let kept = story.world.store.get(&cid).await.unwrap().unwrap();
    story.world.store.remove(&[cid]).await.unwrap();
    let (phrase, ports) = (phrase(1), story.world.ports());
    let restored = Party::restore(&phrase, Role::Person, ports).await;
    let (patient, report) = restored.unwrap();
    let alarm = &report.sync.alarms[0];
    assert!(alarm.contains("unknown grant"), "{report:?}");
    let block = Block::new(cid, kept).unwrap();
    story.world.store.put(vec![block]).await.unwrap();
    patient.sync().await.unwrap();
    assert!(patient.alarms().unwrap().is_empty());
    println!("ATTACK security-s3: 1 of 1 reads on the withheld consent alarmed");
}
