//! What comes after a record was accepted, or a contact paired: a check that fails, a correction, a contact's next key.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

use std::sync::Arc;

use medibloc_consent::{Binding, Purpose};
use medibloc_dag::cbor;
use medibloc_evil::author::{Author, Changes};
use medibloc_evil::owner::{Owner, call};
use medibloc_evil::paired;
use medibloc_journey::memory::World;
use medibloc_journey::{
    AccessRequest, Correction, Extent, Message, Party, Standing, WriteOptions, medical_only,
};
use medibloc_keys::{Entropy as _, Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::Call;
use medibloc_record::{
    AccountId, Attestation, ClassId, Draft, Kind, LossReport, PartRole, Record, RecordId, Role,
    Sensitivity, Timestamp,
};
use medibloc_store::Store as _;

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("text/xml", bytes, bundle, LossReport::default())
}

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
    hospital: Party,
    clinic: Party,
    owner: AccountId,
    clinic_owner: AccountId,
    until: Timestamp,
}

/// A patient, a hospital that may write for it, and a clinic that it knows.
async fn story(seed: u64) -> Story {
    let world = World::new(seed);
    let party = |seed, role| Party::new(phrase(seed).seed(), role, world.ports());
    let patient = party(1, Role::Person);
    let (hospital, clinic) = (party(2, Role::Provider), party(3, Role::Provider));
    let mut owners = Vec::new();
    for (provider, name) in [(&hospital, "Hana Hospital"), (&clinic, "Bit Clinic")] {
        provider.register_account().await.unwrap();
        let jwt = world.accredit(provider.account().id(), name);
        let invitation = patient.invite().await.unwrap();
        let answer = provider.answer(&invitation, Some(&jwt)).await;
        owners.push(answer.unwrap().owner);
        patient.sync().await.unwrap();
    }
    for owner in &owners {
        patient.confirm(*owner).unwrap();
    }
    let until = world.ports().clock.now().plus(30 * 86_400);
    let write = patient.grant_write(owners[0], medical_only(), until);
    write.await.unwrap();
    hospital.sync().await.unwrap();
    Story {
        world,
        patient,
        hospital,
        clinic,
        owner: owners[0],
        clinic_owner: owners[1],
        until,
    }
}

fn original(party: &Party, record: RecordId) -> Vec<u8> {
    let mut bytes = Vec::new();
    let kept = party.record(record).unwrap();
    let opened = party.open_own_part(&kept, PartRole::Original, &mut bytes);
    opened.unwrap();
    bytes
}

impl Story {
    /// The owner's own key, which accepts whatever it likes.
    fn owner_key(&self) -> SigningKey {
        let own = self.patient.addresses().unwrap();
        let own = own.iter().find(|own| own.id() == self.owner).unwrap();
        phrase(1).seed().relationship_key(own.index.unwrap())
    }
}

/// The chain says that it is accepted: it opens for its owner, here and after a restore, and says which check fails.
#[tokio::test]
async fn an_accepted_record_of_which_a_check_fails_opens_with_a_warning() {
    let story = story(1).await;
    let ports = story.world.ports();
    let author = Author {
        key: phrase(2).seed().account_key(),
        domain: ports.domain,
        committee: ports.facts.committee().await.unwrap().committee,
    };
    let facts = ports.facts.account(story.owner).await.unwrap().unwrap();
    let now = ports.clock.now();
    let record = Record::normalise(draft("spoilt"), Kind::Medical, now).unwrap();
    let (details, parts) = record.into_parts();
    let mut entropy = SeededEntropy::new(7);
    let owner = (story.owner, facts.sealing_key);
    let pieces = author.make(owner, details, parts, &mut entropy).unwrap();
    // What it signs is of another class than what it anchors.
    let other_class = |bytes: Vec<u8>| {
        let mut attested: Attestation = cbor::from_slice(&bytes).unwrap();
        attested.class = ClassId(5);
        cbor::to_vec(&attested)
    };
    let changes = Changes {
        attested: Some(Box::new(other_class)),
        ..Changes::default()
    };
    let closed = pieces.close(&author, changes, &mut entropy).unwrap();
    let (anchor, record) = (closed.anchor, closed.anchor.record_id());
    story.world.store.put(closed.blocks).await.unwrap();
    call(&ports, &author.key, &Call::Anchor(anchor))
        .await
        .unwrap();
    // The agent would not: it says why.
    let report = story.patient.sync().await.unwrap();
    assert_eq!(report.accepted, []);
    assert_eq!(report.not_accepted.len(), 1, "{report:?}");
    let why = report.not_accepted[0].1.clone();
    // Another device of the owner did, one that skips the check.
    call(&ports, &story.owner_key(), &Call::Accept(anchor))
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let restored = Party::restore(&phrase(1), Role::Person, story.world.ports()).await;
    let (restored, _) = restored.unwrap();
    for patient in [&story.patient, &restored] {
        let kept = patient.record(record).unwrap();
        assert_eq!(kept.standing, Standing::Accepted);
        let views = patient.record_views().unwrap();
        let view = views
            .iter()
            .find(|view| view.id == record.to_string())
            .unwrap();
        assert_eq!(view.standing, "accepted");
        assert_eq!(view.warning.as_deref(), Some(why.as_str()), "{view:?}");
        assert_eq!(original(patient, record), b"spoilt");
    }
}

/// The author corrects, the owner accepts, and whoever may read both is told.
#[tokio::test]
async fn a_correction_is_written_accepted_and_seen_by_its_reader() {
    let story = story(2).await;
    let first = story
        .hospital
        .write_for(story.owner, draft("potassium 8.4"));
    let first = first.await.unwrap().record;
    story.patient.sync().await.unwrap();
    let amended = story.hospital.amendable(first).unwrap();
    let options = WriteOptions::default().amending(amended);
    let second = story
        .hospital
        .write_as(story.owner, draft("potassium 4.8"), &options);
    let second = second.await.unwrap().record;
    let report = story.patient.sync().await.unwrap();
    assert_eq!(report.accepted, [second], "{report:?}");
    // The owner, and its next home.
    let restored = Party::restore(&phrase(1), Role::Person, story.world.ports()).await;
    let (restored, _) = restored.unwrap();
    for patient in [&story.patient, &restored] {
        assert_eq!(amended_by(patient, first), [second]);
        assert_eq!(patient.amends(second).unwrap(), Some(first));
        assert_eq!(patient.amends(first).unwrap(), None);
        assert_eq!(original(patient, first), b"potassium 8.4", "both stay");
        assert_eq!(original(patient, second), b"potassium 4.8");
        let verified = patient.verify_record(second).await.unwrap();
        assert!(verified.holds(), "{verified:#?}");
    }
    // A reader of both.
    let asked = story
        .clinic
        .ask(story.clinic_owner, Purpose::Treatment, "care", story.until);
    asked.await.unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    let (extent, up_to) = (Extent::All, Sensitivity::Normal);
    let all = story
        .patient
        .approve_all(&request, extent, up_to, story.until);
    all.await.unwrap();
    story.clinic.sync().await.unwrap();
    for (record, text) in [(first, "potassium 8.4"), (second, "potassium 4.8")] {
        let read = story.clinic.read(record).await.unwrap();
        let mut bytes = Vec::new();
        story
            .clinic
            .open_read_part(&read, PartRole::Original, &mut bytes)
            .unwrap();
        assert_eq!(bytes, text.as_bytes());
    }
    assert_eq!(amended_by(&story.clinic, first), [second]);
    assert_eq!(story.clinic.amends(second).unwrap(), Some(first));
    // One that was erased stands no more, and what it corrected is not right again.
    story.patient.erase(second).await.unwrap();
    assert_eq!(amended_by(&story.patient, first), []);
    let corrections = story.patient.corrections(first).unwrap().into_iter();
    let corrections: Vec<_> = corrections.map(|one| (one.record, one.erased)).collect();
    assert_eq!(corrections, [(second, true)]);
    // Nobody else corrects what it did not write.
    let told = story.clinic.amendable(RecordId::new([7; 32])).unwrap_err();
    assert!(told.to_string().contains("only who wrote it"), "{told}");
}

/// A contact hands its account to its next key and goes on: its letters are taken, and what is for it goes to the new one.
#[tokio::test]
async fn a_contact_goes_on_with_its_next_key() {
    let story = story(3).await;
    let record = story.patient.write_own(draft("x")).await.unwrap().record;
    story.patient.sync().await.unwrap();
    // More own addresses than the clinic has offered readers for.
    for seed in 10..20 {
        let friend = Party::new(phrase(seed).seed(), Role::Person, story.world.ports());
        friend.register_account().await.unwrap();
        let invitation = story.patient.invite().await.unwrap();
        friend.answer(&invitation, None).await.unwrap();
    }
    story.patient.sync().await.unwrap();
    let (account, next) = (story.clinic.account().id(), key(99));
    let ledger = &story.world.ledger;
    ledger.rotate_address(account, next.address()).unwrap();
    let ports = story.world.ports();
    // A reader address that the next key binds.
    let reader = key(50);
    Owner::register(&ports, reader.clone(), 50).await.unwrap();
    let reader_id = AccountId::from_first_address(reader.address());
    let unsigned = Binding::unsigned([9; 32], account, reader_id);
    let digest = unsigned.digest(&ports.domain);
    let binding = unsigned.sign(next.sign_digest(&digest));
    let binding = binding.sign_as_reader(reader.sign_digest(&digest));
    let request = |reason: &str| {
        Message::Access(AccessRequest {
            purpose: Purpose::Treatment,
            reason: reason.into(),
            categories: Vec::new(),
            dates: None,
            until: story.until,
            readers: vec![(reader.address(), binding.clone())],
            credential: None,
        })
    };
    let own = story.patient.contacts().unwrap();
    let own = own
        .iter()
        .find(|contact| contact.own == story.clinic_owner)
        .unwrap();
    let pairing = story.clinic.patrons().unwrap().remove(0).pairing.unwrap();
    let to = own.own.first_address();
    let node = ports.network.own_node();
    let sent = [(&next, "of the next key"), (&reader, "a stranger's")];
    for (number, (from, reason)) in (1..).zip(sent) {
        let message = cbor::to_vec(&request(reason));
        let letter = paired::letter(&ports, from, to, &pairing, message, number);
        let mailbox = ports.network.mailbox(from, &node);
        mailbox.send(&letter.await.unwrap()).await.unwrap();
    }
    let report = story.patient.sync().await.unwrap();
    let requests = story.patient.requests().unwrap();
    let reasons: Vec<&str> = requests
        .iter()
        .map(|request| request.request.reason.as_str())
        .collect();
    assert_eq!(reasons, ["of the next key"], "{report:?}");
    assert_eq!(requests[0].name, "Bit Clinic");
    // What the owner has for it goes to its account, whose mailbox the next key opens.
    let one = story.patient.approve(&requests[0], record, story.until);
    one.await.unwrap();
    let (extent, up_to) = (Extent::All, Sensitivity::Normal);
    let all = story
        .patient
        .approve_all(&requests[0], extent, up_to, story.until);
    let waiting = all.await.unwrap().waiting.len();
    assert!(waiting > 0, "there are fewer readers than own addresses");
    let letters = ports.network.mailbox(&next, &node).fetch().await.unwrap();
    assert!(!letters.is_empty(), "it is asked for more reader addresses");
    assert!(
        letters
            .iter()
            .all(|letter| letter.recipient == account.first_address())
    );
}

/// What corrects a record and stands, the newest first.
fn amended_by(party: &Party, record: RecordId) -> Vec<RecordId> {
    let corrections = party.corrections(record).unwrap().into_iter();
    let standing = corrections.filter(Correction::stands);
    standing.map(|one| one.record).collect()
}
