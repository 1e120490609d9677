//! A hostile author's record with the same leaves as one that it wrote for its patient (docs/adr/0014).
#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "world/http.rs"]
#[allow(dead_code, reason = "other tests stop and start keepers")]
mod http;

use std::sync::Arc;

use http::World;
use medibloc_consent::{AnchorFields, Purpose};
use medibloc_dag::{Block, Cid, Codec, cbor};
use medibloc_evil::author::{Author, Changes, Closed};
use medibloc_evil::mutate::Dice;
use medibloc_evil::owner::call;
use medibloc_journey::{Party, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Call, Facts as _};
use medibloc_record::{
    AccountId, ClassId, Digest, Draft, Kind, LossReport, Nonce, Package, Part, PartRole, Record,
    RecordId, Role,
};
use medibloc_store::Store as _;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

struct Story {
    world: Arc<World>,
    patient: Party,
    clinic: Party,
    author: Author,
    owner: AccountId,
    clinics: AccountId,
}

/// A patient with a hostile author that it lets write, and a clinic that may read.
async fn story() -> Story {
    let world = World::new(1).await;
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    let clinic = Party::new(phrase(3).seed(), Role::Provider, world.ports());
    let mut owners = Vec::new();
    for (party, name) in [(&hospital, "Mallory"), (&clinic, "Bit Clinic")] {
        party.register_account().await.unwrap();
        let jwt = world.accredit(party.account().id(), name);
        let invitation = patient.invite().await.unwrap();
        let owner = party.answer(&invitation, Some(&jwt)).await.unwrap().owner;
        patient.sync().await.unwrap();
        patient.confirm(owner).unwrap();
        owners.push(owner);
    }
    let until = world.ports().clock.now().plus(7 * 86_400);
    patient
        .grant_write(owners[0], medical_only(), until)
        .await
        .unwrap();
    let author = Author {
        key: phrase(2).seed().account_key(),
        domain: world.ports().domain,
        committee: world.ledger.committee().await.unwrap().committee,
    };
    Story {
        world,
        patient,
        clinic,
        author,
        owner: owners[0],
        clinics: owners[1],
    }
}

impl Story {
    fn author(&self) -> AccountId {
        AccountId::from_first_address(self.author.key.address())
    }

    async fn make(&self, text: &str, dice: &mut Dice) -> Closed {
        let now = self.world.ports().clock.now();
        let record = Record::normalise(draft(text), Kind::Medical, now).unwrap();
        let (details, _) = record.into_parts();
        let part = |role, text: &str| Part::from_bytes(role, "text/plain", text.into());
        let parts = vec![part(PartRole::Original, text), part(PartRole::Index, "{}")];
        let facts = self
            .world
            .ledger
            .account(self.owner)
            .await
            .unwrap()
            .unwrap();
        let pieces = self
            .author
            .make((self.owner, facts.sealing_key), details, parts, dice)
            .unwrap();
        pieces
            .close(&self.author, Changes::default(), dice)
            .unwrap()
    }

    async fn put(&self, blocks: Vec<Block>) {
        let store = self.world.ports().network.store(&self.author.key);
        store.put(blocks).await.unwrap();
    }

    /// A record of the author's for an owner whose package leads to the parts of another one: its anchor, and its blocks.
    fn twin(&self, of: &Closed, owner: AccountId, number: u8) -> (AnchorFields, Vec<Block>) {
        let me = self.author();
        let nonce = Nonce::new([number; 32]);
        let is_package = |block: &&Block| Digest::new(block.cid().digest()) == of.anchor.package;
        let package = of.blocks.iter().find(is_package).unwrap();
        let mut package: Package = cbor::from_slice(package.bytes()).unwrap();
        package.record = RecordId::derive(me, owner, nonce);
        let object = |bytes| Block::of(Codec::DagCbor, bytes).unwrap();
        let blocks = vec![
            object(cbor::to_vec(&package)),
            object(cbor::to_vec(&format!("key set of the twin {number}"))),
            object(cbor::to_vec(&format!("capsule of the twin {number}"))),
            object(cbor::to_vec(&format!("attestation of the twin {number}"))),
        ];
        let digest = |at: usize| Digest::new(blocks[at].cid().digest());
        let anchor = AnchorFields {
            nonce,
            author: me,
            owner,
            package: digest(0),
            key_set: digest(1),
            capsule: digest(2),
            attestation: digest(3),
            kind: if owner == me {
                Kind::Own
            } else {
                Kind::Medical
            },
            class: ClassId(0),
            amends: None,
        };
        (anchor, blocks)
    }
}

/// Before: the node withheld the accepted record, then deleted it; a restore called it not accepted.
#[tokio::test]
async fn an_accepted_record_outlives_its_authors_twin() {
    let story = story().await;
    let ports = story.world.ports();
    let mut dice = Dice::new(1);
    let closed = story.make("what the owner accepted", &mut dice).await;
    let (twin, twins_blocks) = story.twin(&closed, story.author(), 77);
    // The twin's anchor first, its package not yet.
    let author = &story.author.key;
    call(&ports, author, &Call::Anchor(twin)).await.unwrap();
    story.put(closed.blocks.clone()).await;
    let anchor = Call::Anchor(closed.anchor);
    call(&ports, author, &anchor).await.unwrap();
    let report = story.patient.sync().await.unwrap();
    let record = closed.anchor.record_id();
    assert_eq!(report.accepted, [record], "{report:?}");
    let until = ports.clock.now().plus(6 * 86_400);
    let asked = story
        .clinic
        .ask(story.clinics, Purpose::Treatment, "care", until);
    asked.await.unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().remove(0);
    let granted = story.patient.approve(&request, record, until);
    granted.await.unwrap();
    story.clinic.sync().await.unwrap();

    // The twin's package comes, then the author erases its own record.
    let package = *twins_blocks[0].cid();
    story.put(twins_blocks).await;
    story.world.follow().await;
    story.clinic.read(record).await.unwrap();
    call(&ports, author, &Call::Erase(twin)).await.unwrap();
    story.world.follow().await;
    let store = &story.world.store;
    assert!(store.erased(&package).await.unwrap(), "the twin is gone");
    let cids: Vec<Cid> = closed.blocks.iter().map(|block| *block.cid()).collect();
    let there = store.has(&cids).await.unwrap();
    assert_eq!(there, vec![true; cids.len()]);

    story.clinic.read(record).await.unwrap();
    let (restored, report) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    assert_eq!(report.sync.not_accepted, []);
    restored.export_record(record).unwrap();
    println!(
        "ATTACK twin-1: {} of {} blocks of the accepted record are there; clinic and restored owner read it",
        there.len(),
        cids.len()
    );
}

/// Twins for the same patient over the same parts, anchored before the record that is accepted.
#[tokio::test]
async fn sixteen_twins_take_nothing_of_an_accepted_record_and_keep_nothing_of_an_erased_one() {
    let story = story().await;
    let ports = story.world.ports();
    let mut dice = Dice::new(1);
    let closed = story.make("what the owner accepted", &mut dice).await;
    let author = &story.author.key;
    for number in 0..16 {
        let (twin, blocks) = story.twin(&closed, story.owner, 100 + number);
        story.put(blocks[..1].to_vec()).await;
        call(&ports, author, &Call::Anchor(twin)).await.unwrap();
    }
    story.put(closed.blocks.clone()).await;
    let anchor = Call::Anchor(closed.anchor);
    call(&ports, author, &anchor).await.unwrap();
    story.world.follow().await;
    // Sixteen that cannot be accepted put their author's others off until the next time.
    story.patient.sync().await.unwrap();
    let report = story.patient.sync().await.unwrap();
    let record = closed.anchor.record_id();
    assert_eq!(report.accepted, [record]);
    let until = ports.clock.now().plus(6 * 86_400);
    let asked = story
        .clinic
        .ask(story.clinics, Purpose::Treatment, "care", until);
    asked.await.unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().remove(0);
    let granted = story.patient.approve(&request, record, until);
    granted.await.unwrap();
    story.clinic.sync().await.unwrap();
    story.world.follow().await;
    story.clinic.read(record).await.unwrap();

    story.patient.erase(record).await.unwrap();
    story.world.follow().await;
    let blocks = closed.blocks.iter().map(|block| *block.cid());
    let parts: Vec<Cid> = blocks.filter(|it| it.codec() != Codec::DagCbor).collect();
    let there = story.world.store.has(&parts).await.unwrap();
    let left = there.iter().filter(|it| **it).count();
    println!(
        "ATTACK fresh-4: {left} of {} blocks of an erased record's parts left beside 16 twins, read by a granted clinic before",
        parts.len()
    );
    assert_eq!(left, 0);
}
