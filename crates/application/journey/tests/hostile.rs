//! Hostile and unlucky peers: what they do, what happens, and that the message says what to do.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "faults/fuse.rs"]
#[allow(dead_code, reason = "each test file uses what it needs")]
mod fuse;
#[path = "faults/odd.rs"]
#[allow(dead_code, reason = "each test file uses what it needs")]
mod odd;

use std::sync::Arc;

use fuse::{Fuse, fused};
use medibloc_consent::{AnchorFields, KeeperReply, Purpose, RefusalReason};
use medibloc_dag::{Block, Cid, Codec};
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{
    GrantState, JourneyError, Network, Party, Standing, VaultPort, medical_only,
};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, Events as _, Relay as _, Submit as _};
use medibloc_record::{
    AccountId, ClassId, Digest, Draft, Kind, LossReport, Nonce, PartRole, RecordId, Role, Timestamp,
};
use medibloc_store::Store;
use odd::{Heard, Liars, Overheard, Without};

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

/// One party whose ports can be stopped, over a vault that outlives it.
struct Actor {
    vault: Arc<dyn VaultPort>,
    fuse: Arc<Fuse>,
    party: Party,
    seed: u64,
    role: Role,
}

impl Actor {
    fn new(world: &Arc<World>, seed: u64, role: Role) -> Self {
        let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
        let fuse = Fuse::whole();
        let ports = fused(&world.ports_with(vault.clone()), &fuse);
        let party = Party::new(phrase(seed).seed(), role, ports);
        Self {
            vault,
            fuse,
            party,
            seed,
            role,
        }
    }

    /// A new process over the same vault.
    fn restart(&mut self, world: &Arc<World>) {
        self.fuse.heal();
        let ports = fused(&world.ports_with(self.vault.clone()), &self.fuse);
        self.party = Party::new(phrase(self.seed).seed(), self.role, ports);
    }
}

struct Story {
    world: Arc<World>,
    patient: Actor,
    hospital: Actor,
    clinic: Actor,
    owner: AccountId,
    until: Timestamp,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let patient = Actor::new(&world, 1, Role::Person);
        let hospital = Actor::new(&world, 2, Role::Provider);
        let clinic = Actor::new(&world, 3, Role::Provider);
        let mut owners = Vec::new();
        for (actor, name) in [(&hospital, "Hana Hospital"), (&clinic, "Bit Clinic")] {
            actor.party.register_account().await.unwrap();
            let jwt = world.accredit(actor.party.account().id(), name);
            let invitation = patient.party.invite().await.unwrap();
            let patron = actor.party.answer(&invitation, Some(&jwt)).await.unwrap();
            patient.party.sync().await.unwrap();
            patient.party.confirm(patron.owner).unwrap();
            owners.push(patron.owner);
        }
        let until = world.ports().clock.now().plus(WEEK);
        let kinds = medical_only();
        patient
            .party
            .grant_write(owners[0], kinds, until)
            .await
            .unwrap();
        Self {
            world,
            patient,
            hospital,
            clinic,
            owner: owners[0],
            until,
        }
    }

    async fn write(&self, text: &str) -> Result<RecordId, JourneyError> {
        let written = self
            .hospital
            .party
            .write_for(self.owner, draft(text))
            .await?;
        Ok(written.record)
    }

    async fn granted(&self, text: &str) -> RecordId {
        let record = self.write(text).await.unwrap();
        self.patient.party.sync().await.unwrap();
        let owner = self.clinic.party.patrons().unwrap()[0].owner;
        self.clinic
            .party
            .ask(owner, Purpose::Treatment, "care", self.until)
            .await
            .unwrap();
        self.patient.party.sync().await.unwrap();
        let request = self.patient.party.requests().unwrap().pop().unwrap();
        self.patient
            .party
            .approve(&request, record, self.until)
            .await
            .unwrap();
        self.clinic.party.sync().await.unwrap();
        record
    }

    /// What a hospital does that signs whatever it likes with its own key.
    async fn anchor_as_hospital(&self, anchor: AnchorFields) {
        let key = phrase(2).seed().account_key();
        let call = Call::Anchor(anchor);
        let deadline = self.until;
        let ledger = &self.world.ledger;
        let unsigned = ledger
            .prepare(key.address(), &call, deadline)
            .await
            .unwrap();
        let signature = key.sign_digest(&unsigned.digest);
        ledger.relay(&unsigned.sign(signature)).await.unwrap();
    }

    fn junk(&self, number: u8) -> AnchorFields {
        let digest = |of: u8| Digest::new([of ^ number; 32]);
        AnchorFields {
            nonce: Nonce::new([number; 32]),
            author: self.hospital.party.account().id(),
            owner: self.owner,
            package: digest(1),
            key_set: digest(2),
            capsule: digest(3),
            attestation: digest(4),
            kind: Kind::Medical,
            class: ClassId::UNDISCLOSED,
            amends: None,
        }
    }

    async fn put(&self, bytes: &[u8]) -> Digest {
        let block = Block::of(Codec::DagCbor, bytes.to_vec()).unwrap();
        let digest = Digest::new(block.cid().digest());
        self.world.store.put(vec![block]).await.unwrap();
        digest
    }

    async fn events(&self, name: &str) -> usize {
        let blocks = self.world.ledger.events(0, u32::MAX).await.unwrap();
        let all = blocks.iter().flat_map(|block| &block.events);
        all.filter(|event| format!("{event:?}").starts_with(name))
            .count()
    }
}

#[tokio::test]
async fn junk_that_a_permitted_author_anchors_is_listed_with_the_reason_and_stops_nothing() {
    let story = Story::new(1).await;
    let first = story.write("good").await.unwrap();
    let (good, _) = story.world.ledger.anchor(first).unwrap();
    let mut junk = Vec::new();
    // Nothing is stored at all.
    junk.push(("nothing stored", story.junk(1)));
    // What is stored is no package, no key set, no capsule.
    let garbage = story.put(&[0xa1, 0x61, 0x78, 0x01]).await;
    junk.push((
        "garbage",
        AnchorFields {
            package: garbage,
            key_set: garbage,
            capsule: garbage,
            attestation: garbage,
            ..story.junk(2)
        },
    ));
    // Every object of another record: all of them open, none of them is this record's.
    let nonce = Nonce::new([3; 32]);
    junk.push(("another record's", AnchorFields { nonce, ..good }));
    // The right objects with a capsule that was broken.
    let capsule = Cid::from_dag_cbor_digest(good.capsule.to_bytes());
    let mut bytes = story.world.store.get(&capsule).await.unwrap().unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let broken = story.put(&bytes).await;
    let nonce = Nonce::new([4; 32]);
    let fields = AnchorFields {
        capsule: broken,
        nonce,
        ..good
    };
    junk.push(("broken capsule", fields));
    for (_, anchor) in &junk {
        story.anchor_as_hospital(*anchor).await;
    }
    let last = story.write("also good").await.unwrap();

    let report = story.patient.party.sync().await.unwrap();
    assert_eq!(report.accepted, [first, last], "{report:?}");
    assert_eq!(report.not_accepted.len(), junk.len());
    for (name, anchor) in &junk {
        let kept = story.patient.party.record(anchor.record_id()).unwrap();
        let Standing::NotAccepted { because } = kept.standing else {
            panic!("{name}: {:?}", kept.standing);
        };
        assert!(because.len() > 20, "{name}: {because}");
        let request = story.patient.party.requests().unwrap().pop();
        assert!(request.is_none());
    }
    let facts = |anchor: &AnchorFields| story.world.ledger.anchor(anchor.record_id()).unwrap().1;
    assert!(junk.iter().all(|(_, anchor)| !facts(anchor).accepted));

    // Nor a restore, nor the next sync.
    let report = story.patient.party.sync().await.unwrap();
    assert!(report.accepted.is_empty(), "{report:?}");
    let (restored, report) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    assert_eq!(
        (report.sync.accepted.len(), report.sync.not_accepted.len()),
        (2, 4)
    );
    assert_eq!(restored.records().unwrap().len(), 6);
    let views = restored.record_views().unwrap();
    let told = views.iter().filter(|view| view.because.is_some()).count();
    assert_eq!(told, 4);
}

#[tokio::test]
async fn an_object_that_comes_late_is_looked_at_again() {
    let story = Story::new(2).await;
    let record = story.write("late").await.unwrap();
    let (anchor, _) = story.world.ledger.anchor(record).unwrap();
    let package = Cid::from_dag_cbor_digest(anchor.package.to_bytes());
    let store = &story.world.store;
    let block = Block::new(package, store.get(&package).await.unwrap().unwrap()).unwrap();
    // A node that does not have the package yet.
    let cut: Arc<dyn Network> = Arc::new(Without(story.world.ports().network, package));
    let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
    let mut ports = story.world.ports_with(vault.clone());
    ports.network = cut;
    let (_, report) = Party::restore(&phrase(1), Role::Person, ports)
        .await
        .unwrap();
    assert_eq!(report.sync.accepted.len(), 0);
    assert!(
        report.sync.not_accepted[0].1.contains("sync again later"),
        "{report:?}"
    );
    // The node has it again.
    store.put(vec![block]).await.unwrap();
    let whole = Party::new(
        phrase(1).seed(),
        Role::Person,
        story.world.ports_with(vault),
    );
    assert_eq!(whole.sync().await.unwrap().accepted, [record]);
}

#[tokio::test]
async fn an_author_that_dies_before_the_anchor_goes_on_with_the_very_bytes() {
    let mut story = Story::new(3).await;
    story.hospital.fuse.stop("relay");
    let error = story.write("kept").await.unwrap_err();
    assert!(error.to_string().contains("tried again"), "{error}");
    assert_eq!(story.events("Anchored").await, 0);
    let sealed: Vec<_> = story.hospital.vault.list("jobs").unwrap();
    assert_eq!(sealed.len(), 1, "the sealed bytes are kept");
    story.hospital.restart(&story.world);
    story.hospital.party.sync().await.unwrap();
    let report = story.patient.party.sync().await.unwrap();
    assert_eq!(
        report.accepted[0].as_bytes().as_slice(),
        sealed[0].0,
        "never sealed anew"
    );
    assert_eq!(story.events("Anchored").await, 1);
}

#[tokio::test]
async fn an_author_that_dies_after_the_anchor_is_replaced_by_the_owner() {
    let story = Story::new(4).await;
    story.hospital.fuse.stop("deposit");
    let record = story.write("dealt by the owner").await.unwrap();
    // The hospital is never heard of again.
    assert_eq!(story.patient.party.sync().await.unwrap().accepted, [record]);
    assert!(
        story
            .patient
            .party
            .verify_record(record)
            .await
            .unwrap()
            .holds()
    );
}

#[tokio::test]
async fn a_stopped_node_is_named_and_nothing_is_lost() {
    let story = Story::new(5).await;
    story.hospital.fuse.stop("store");
    let error = story.write("waits").await.unwrap_err();
    assert!(error.to_string().contains("can be tried again"), "{error}");
    story.hospital.fuse.heal();
    let record = story.hospital.party.resume_writes().await.unwrap()[0].record;
    story.patient.fuse.stop("store");
    let report = story.patient.party.sync().await.unwrap();
    assert!(report.accepted.is_empty() && report.not_accepted.is_empty());
    assert!(report.later[0].contains("does not answer"), "{report:?}");
    story.patient.fuse.heal();
    assert_eq!(story.patient.party.sync().await.unwrap().accepted, [record]);

    story.patient.fuse.stop("mail");
    let report = story.patient.party.sync().await.unwrap();
    assert!(
        report
            .later
            .iter()
            .any(|later| later.contains("tried again")),
        "{report:?}"
    );
    story.patient.fuse.stop("head");
    let error = story.patient.party.sync().await.unwrap_err();
    assert!(error.to_string().contains("tried again"), "{error}");
}

#[tokio::test]
async fn a_full_disk_says_so_and_the_same_command_ends_well_when_there_is_room() {
    let story = Story::new(6).await;
    for stopped in ["vault.put_blob", "vault.apply"] {
        story.hospital.fuse.stop(stopped);
        let error = story.write("big").await.unwrap_err().to_string();
        assert!(
            error.contains("no space left on device"),
            "{stopped}: {error}"
        );
        assert!(error.contains("free"), "it says what to do: {error}");
        story.hospital.fuse.heal();
        assert!(story.hospital.vault.list("jobs").unwrap().is_empty());
    }
    assert_eq!(story.events("Anchored").await, 0);
    let record = story.write("big").await.unwrap();
    story.patient.fuse.stop("vault.put_blob");
    let report = story.patient.party.sync().await.unwrap();
    assert!(
        report.accepted.is_empty(),
        "nothing is accepted that is not kept"
    );
    assert!(report.later[0].contains("free"), "{report:?}");
    story.patient.fuse.heal();
    assert_eq!(story.patient.party.sync().await.unwrap().accepted, [record]);
    story.patient.fuse.stop("vault");
    assert!(story.patient.party.sync().await.is_err());
}

#[tokio::test]
async fn an_empty_or_foreign_draft_is_refused_before_anything_is_kept() {
    let story = Story::new(7).await;
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let empty = Draft::new(
        "application/cda+xml",
        Vec::new(),
        bundle,
        LossReport::default(),
    );
    let foreign = Draft::new(
        "application/pdf",
        b"%PDF".to_vec(),
        serde_json::json!({"resourceType": "Patient"}),
        LossReport::default(),
    );
    for (draft, told) in [
        (empty, "import a file with content"),
        (foreign, "not a Bundle"),
    ] {
        let written = story.hospital.party.write_for(story.owner, draft).await;
        let error = written.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        assert!(story.hospital.party.job_views().unwrap().is_empty());
    }
    let stranger = AccountId::new([9; 20]);
    let written = story.hospital.party.write_for(stranger, draft("x")).await;
    let error = written.unwrap_err().to_string();
    assert!(error.contains("contact accept"), "{error}");
}

#[tokio::test]
async fn a_wrong_phrase_says_what_to_check_and_a_right_one_says_nothing() {
    let story = Story::new(8).await;
    let restore = async |seed| {
        let ports = story.world.ports();
        Party::restore(&phrase(seed), Role::Person, ports)
            .await
            .unwrap()
            .1
    };
    let advice = restore(77).await.advice().unwrap();
    assert!(
        advice.contains("no account of this phrase is on this chain"),
        "{advice}"
    );
    assert!(advice.contains("medibloc init"), "{advice}");
    assert_eq!(restore(1).await.advice(), None);
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_executed_once_and_released_once() {
    let story = Story::new(9).await;
    let record = story.granted("once").await;
    let heard: Overheard = Arc::default();
    let mut ports = story.world.ports_with(story.clinic.vault.clone());
    ports.network = Arc::new(Heard(ports.network.clone(), heard.clone()));
    let listened = Party::new(phrase(3).seed(), Role::Provider, ports.clone());
    listened.read(record).await.unwrap();
    assert_eq!(story.events("ReadOpened").await, 1);
    let requests = heard.lock().unwrap().clone();
    assert_eq!(requests.len(), 4, "it stops at four good shares");
    // Whoever overheard a request sends it again, as it is and to another keeper.
    let thief = SigningKey::from_bytes(&[7; 32]).unwrap();
    let keepers = story.world.ports().network.keepers(&thief);
    for (index, request) in &requests {
        let again = keepers.release(*index, request).await.unwrap();
        let told = KeeperReply::Refused(RefusalReason::Replayed);
        assert_eq!(again.reply, told, "{:?}", again.reply);
        let other = keepers.release(index % 7 + 1, request).await.unwrap();
        assert!(matches!(
            other.reply,
            KeeperReply::Refused(RefusalReason::WrongKeeper)
        ));
    }
}

#[tokio::test]
async fn the_same_signed_call_twice_happens_once() {
    let story = Story::new(10).await;
    let key = phrase(2).seed().account_key();
    let call = Call::Anchor(story.junk(9));
    let ledger = &story.world.ledger;
    let unsigned = ledger
        .prepare(key.address(), &call, story.until)
        .await
        .unwrap();
    let signature = key.sign_digest(&unsigned.digest);
    let signed = unsigned.sign(signature);
    let first = ledger.relay(&signed).await.unwrap();
    assert_eq!(ledger.relay(&signed).await.unwrap(), first);
    assert_eq!(story.events("Anchored").await, 1);
}

#[tokio::test]
async fn letters_of_strangers_end_no_grant_and_bring_no_request() {
    let story = Story::new(11).await;
    let record = story.granted("mine").await;
    let mallory = Actor::new(&story.world, 66, Role::Provider);
    mallory.party.register_account().await.unwrap();
    let jwt = story
        .world
        .accredit(mallory.party.account().id(), "Mallory");
    let invitation = story.patient.party.invite().await.unwrap();
    mallory.party.answer(&invitation, Some(&jwt)).await.unwrap();
    story.patient.party.sync().await.unwrap();
    let error = story
        .patient
        .party
        .grant_write(
            AccountId::from_first_address(invitation.owner),
            medical_only(),
            story.until,
        )
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("contact confirm"),
        "not before the name was read: {error}"
    );
    story.clinic.party.sync().await.unwrap();
    story.clinic.party.read(record).await.unwrap();
}

#[tokio::test]
async fn a_keeper_that_lies_is_passed_over() {
    let story = Story::new(12).await;
    let record = story.granted("true").await;
    let mut ports = story.world.ports_with(story.clinic.vault.clone());
    ports.network = Arc::new(Liars(ports.network.clone(), vec![1, 3, 5]));
    let reader = Party::new(phrase(3).seed(), Role::Provider, ports.clone());
    let read = reader.read(record).await.unwrap();
    let mut original = Vec::new();
    reader
        .open_read_part(&read, PartRole::Original, &mut original)
        .unwrap();
    assert_eq!(original, b"true");
    ports.network = Arc::new(Liars(story.world.ports().network, vec![1, 2, 3, 5]));
    let reader = Party::new(phrase(3).seed(), Role::Provider, ports);
    let error = reader.read(record).await.unwrap_err().to_string();
    assert!(
        error.contains("3 of 4") && error.contains("keeper 2"),
        "{error}"
    );
}

#[tokio::test]
async fn a_feed_counts_only_if_its_keeper_signed_it_and_what_was_told_once_stays() {
    let story = Story::new(14).await;
    let record = story.granted("fed").await;
    story.clinic.party.read(record).await.unwrap();
    let mut ports = story.world.ports_with(story.patient.vault.clone());
    ports.network = Arc::new(Liars(ports.network.clone(), (1..=7).collect()));
    let deceived = Party::new(phrase(1).seed(), Role::Person, ports);
    for feed in deceived.feeds().await.unwrap() {
        assert!(feed.lines.is_empty(), "keeper {}", feed.index);
    }
    // Six were asked at once; the seventh has nothing to tell.
    let told = |feeds: Vec<medibloc_journey::KeeperFeed>| {
        let told = feeds.iter().filter(|feed| !feed.lines.is_empty());
        (
            told.count(),
            feeds.iter().filter(|feed| feed.silent.is_some()).count(),
        )
    };
    story.world.pass(300);
    story.patient.party.sync().await.unwrap();
    for index in 1..=7 {
        story.world.set_down(index, true);
    }
    let feeds = story.patient.party.feeds().await.unwrap();
    let (kept, silent) = told(feeds);
    assert!(kept >= 4, "{kept}: the sync pulled and kept them");
    assert_eq!(silent, 7);
}

#[tokio::test]
async fn a_grant_that_never_left_is_taken_back_at_home_and_a_revocation_is_never_given_up() {
    let story = Story::new(13).await;
    let record = story.granted("asked").await;
    let request = story.patient.party.requests().unwrap().pop().unwrap();
    let other = story.write("other").await.unwrap();
    story.patient.party.sync().await.unwrap();
    story.patient.fuse.stop("store.put");
    let granted = story.patient.party.approve(&request, other, story.until);
    assert!(granted.await.is_err());
    let pending = story.patient.party.given_views().await.unwrap();
    let id = pending
        .iter()
        .find(|view| view.records.contains(&other.to_string()))
        .map(|view| (view.id.parse().unwrap(), view.state))
        .unwrap();
    assert_eq!(id.1, GrantState::Pending);
    story.patient.party.revoke(id.0).await.unwrap();
    story.patient.fuse.heal();
    story.patient.party.sync().await.unwrap();
    assert_eq!(story.events("Granted").await, 1, "it never happened");

    let (grant, _) = story.patient.party.grants().unwrap().remove(0);
    story.patient.fuse.stop("relay");
    assert!(story.patient.party.revoke(grant).await.is_err());
    let later = story.patient.party.sync().await.unwrap().later;
    assert!(
        later.iter().any(|told| told.contains("revocation")),
        "{later:?}"
    );
    story.clinic.party.read(record).await.unwrap();
    story.patient.fuse.heal();
    story.patient.party.sync().await.unwrap();
    assert!(story.clinic.party.read(record).await.is_err());
    assert_eq!(story.events("Revoked").await, 1);
}

#[tokio::test]
async fn a_card_for_an_invitation_that_has_expired_is_not_taken() {
    let story = Story::new(30).await;
    let invitation = story.patient.party.invite().await.unwrap();
    let late = Actor::new(&story.world, 9, Role::Person);
    late.party.register_account().await.unwrap();
    late.party.answer(&invitation, None).await.unwrap();
    story.world.pass(8 * 86_400);
    story.patient.party.sync().await.unwrap();
    let own = AccountId::from_first_address(invitation.owner);
    let error = story.patient.party.confirm(own).unwrap_err().to_string();
    assert!(error.contains("a contact at"), "{error}");
    let report = late.party.sync().await.unwrap();
    assert!(report.declined[0].contains("had expired"), "{report:?}");
    assert!(late.party.patrons().unwrap().is_empty());
}

#[tokio::test]
async fn a_contact_that_is_suspended_since_cannot_ask() {
    let story = Story::new(31).await;
    let owner = story.clinic.party.patrons().unwrap()[0].owner;
    let purpose = Purpose::Treatment;
    let asked = story.clinic.party.ask(owner, purpose, "care", story.until);
    asked.await.unwrap();
    let account = story.clinic.party.account().id();
    story.world.ledger.suspend(account);
    let report = story.patient.party.sync().await.unwrap();
    assert!(
        report.later.iter().any(|why| why.contains("accredit")),
        "{report:?}"
    );
    assert!(story.patient.party.requests().unwrap().is_empty());
}

#[tokio::test]
async fn secrets_and_names_do_not_print() {
    let story = Story::new(32).await;
    let invitation = story.patient.party.invite().await.unwrap();
    assert!(format!("{invitation:?}").len() < 80);
    story.granted("text").await;
    let (_, given) = story.patient.party.grants().unwrap().remove(0);
    let told = format!("{given:?}");
    assert!(
        !told.contains("Bit Clinic") && !told.contains("salt"),
        "{told}"
    );
}
