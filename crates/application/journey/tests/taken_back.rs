//! What takes back stands against keys that nothing can be sealed to, relays that hold calls, and keys that were handed on.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an attack tells its figure"
)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use medibloc_consent::{Grant, Purpose};
use medibloc_evil::owner::call;
use medibloc_evil::relay::{Crooked, Does};
use medibloc_journey::memory::World;
use medibloc_journey::{Party, PendingRequest, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, Facts as _, LedgerError, Outcome, Relay, SignedCall};
use medibloc_record::{
    AccountId, Draft, GrantId, LossReport, RecordId, Role, Threshold, Timestamp,
};

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft() -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    Draft::new(
        "application/cda+xml",
        b"<x>a diagnosis</x>".to_vec(),
        bundle,
        LossReport::default(),
    )
}

/// Takes a signed call, says that it cannot be read, and keeps it.
struct Forgetful {
    inner: Arc<dyn Relay>,
    is_on: Mutex<bool>,
    held: Mutex<Vec<SignedCall>>,
}

impl Forgetful {
    async fn send_held(&self) -> usize {
        let held = core::mem::take(&mut *self.held.lock().unwrap());
        let mut done = 0;
        for call in &held {
            done += usize::from(self.inner.relay(call).await.is_ok());
        }
        done
    }
}

#[async_trait]
impl Relay for Forgetful {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        if !*self.is_on.lock().unwrap() {
            return self.inner.relay(call).await;
        }
        self.held.lock().unwrap().push(call.clone());
        Err(LedgerError::BadRequest {
            what: "it is malformed".into(),
        })
    }
}

struct Story {
    world: Arc<World>,
    crooked: Arc<Crooked>,
    forgetful: Arc<Forgetful>,
    patient: Party,
    hospital: Party,
    clinic: Party,
    owner: AccountId,
    clinic_owner: AccountId,
}

async fn paired(seed: u64) -> Story {
    let world = World::new(seed);
    let mut ports = world.ports();
    let crooked = Crooked::before(ports.relay.clone());
    let forgetful = Arc::new(Forgetful {
        inner: crooked.clone(),
        is_on: Mutex::new(false),
        held: Mutex::default(),
    });
    ports.relay = forgetful.clone();
    let patient = Party::new(phrase(1).seed(), Role::Person, ports);
    let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    let clinic = Party::new(phrase(3).seed(), Role::Provider, world.ports());
    hospital.register_account().await.unwrap();
    clinic.register_account().await.unwrap();
    let hospital_jwt = world.accredit(hospital.account().id(), "Hana Hospital");
    let clinic_jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = hospital
        .answer(&invitation, Some(&hospital_jwt))
        .await
        .unwrap()
        .owner;
    let invitation = patient.invite().await.unwrap();
    let clinic_owner = clinic
        .answer(&invitation, Some(&clinic_jwt))
        .await
        .unwrap()
        .owner;
    patient.sync().await.unwrap();
    for contact in patient.contacts().unwrap() {
        patient.confirm(contact.own).unwrap();
    }
    let until = world.ports().clock.now().plus(WEEK);
    patient
        .grant_write(owner, medical_only(), until)
        .await
        .unwrap();
    Story {
        world,
        crooked,
        forgetful,
        patient,
        hospital,
        clinic,
        owner,
        clinic_owner,
    }
}

async fn asked(story: &Story) -> (RecordId, PendingRequest, Timestamp) {
    let until = story.world.ports().clock.now().plus(WEEK);
    let record = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap()
        .record;
    story.patient.sync().await.unwrap();
    let asks = story.clinic.ask(
        story.clinic_owner,
        Purpose::Treatment,
        "second opinion",
        until,
    );
    asks.await.unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().pop().unwrap();
    (record, request, until)
}

async fn granted(story: &Story) -> (RecordId, GrantId) {
    let (record, request, until) = asked(story).await;
    let grant = story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap();
    story.clinic.sync().await.unwrap();
    (record, grant)
}

fn grant_of(story: &Story, id: GrantId) -> Grant {
    let mut grants = story.patient.grants().unwrap().into_iter();
    let (_, given) = grants.find(|(of, _)| *of == id).unwrap();
    given.artefact.grant.unwrap()
}

/// The key of an own address of a phrase.
fn key_of(seed: u64, id: AccountId) -> SigningKey {
    let seed = phrase(seed).seed();
    let mut keys = (0..200).map(|index| seed.relationship_key(index));
    keys.find(|key| AccountId::from_first_address(key.address()) == id)
        .unwrap()
}

/// A point of small order: nothing can be sealed to it, and the contract takes it.
const LOW: [u8; 32] = {
    let mut key = [0; 32];
    key[0] = 1;
    key
};

async fn low_order_reader(seed: u64) -> (Story, Grant, RecordId) {
    let story = paired(seed).await;
    let (record, id) = granted(&story).await;
    let grant = grant_of(&story, id);
    story.clinic.read(record).await.unwrap();
    let key = key_of(3, grant.reader);
    let rotates = Call::RotateSealingKey { sealing_key: LOW };
    call(&story.world.ports(), &key, &rotates).await.unwrap();
    (story, grant, record)
}

#[tokio::test]
async fn a_readers_own_sealing_key_stops_no_revocation() {
    let (story, grant, record) = low_order_reader(801).await;
    let patient = &story.patient;
    let mut told = Vec::new();
    let one = patient.revoke(grant.id).await;
    told.push(format!("revoke: {:?}", one.err().map(|it| it.to_string())));
    let contact = patient.revoke_contact(story.clinic_owner).await;
    told.push(format!(
        "revoke_contact: {:?}",
        contact.err().map(|it| it.to_string())
    ));
    let all = patient.revoke_everything().await;
    told.push(format!(
        "revoke_everything: {:?}",
        all.err().map(|it| it.to_string())
    ));
    let later = patient.revoke_everything_later().await;
    told.push(format!(
        "revoke_everything_later: {:?}",
        later.err().map(|it| it.to_string())
    ));
    for _ in 0..5 {
        story.world.pass(60);
        let report = patient.sync().await;
        told.push(format!(
            "sync: {:?}",
            report.map(|it| it.later).map_err(|it| it.to_string())
        ));
    }
    let facts = story.world.ledger.grant(&grant).await.unwrap();
    let write = story.hospital.write_for(story.owner, draft()).await.is_ok();
    let jobs = patient.job_views().unwrap().len();
    println!(
        "ATTACK third-1: revoked {}, hospital still writes {write}, jobs kept {jobs}",
        facts.revoked
    );
    for line in &told {
        println!("  {line}");
    }
    let read = story.clinic.read(record).await;
    println!(
        "  clinic reads: {:?}",
        read.map(|_| ()).map_err(|it| it.to_string())
    );
    assert!(facts.revoked, "{told:#?}");
    assert!(!write, "the hospital's permission was taken back, too");
}

#[tokio::test]
async fn a_revocation_kept_while_the_chain_is_away_leaves_though_the_readers_key_is_bad() {
    let story = paired(802).await;
    let (_, id) = granted(&story).await;
    let grant = grant_of(&story, id);
    // The revocation is kept first, on a chain that is set back; then the reader changes its key.
    let newest = story.world.ledger.copy();
    let older =
        medibloc_ledger::MemoryLedger::new(Threshold::new(1, 1).unwrap(), Vec::new(), Timestamp(5));
    story.patient.sync().await.unwrap();
    story.world.ledger.replace_by(&older);
    let kept = story.patient.revoke(id).await;
    println!("kept: {:?}", kept.err().map(|it| it.to_string()));
    let jobs = story.patient.job_views().unwrap().len();
    story.world.ledger.replace_by(&newest);
    let key = key_of(3, grant.reader);
    let rotates = Call::RotateSealingKey { sealing_key: LOW };
    call(&story.world.ports(), &key, &rotates).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..5 {
        story.world.pass(60);
        let report = story.patient.sync().await;
        told.push(format!(
            "{:?}",
            report.map(|it| it.later).map_err(|it| it.to_string())
        ));
    }
    let facts = story.world.ledger.grant(&grant).await.unwrap();
    println!(
        "ATTACK third-1: {jobs} kept, revoked {}: {told:#?}",
        facts.revoked
    );
    assert!(facts.revoked, "{told:#?}");
}

#[tokio::test]
async fn what_a_relay_called_malformed_and_holds_is_not_live_after_its_revocation() {
    let story = paired(803).await;
    let (record, request, until) = asked(&story).await;
    *story.forgetful.is_on.lock().unwrap() = true;
    let told = story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap_err();
    *story.forgetful.is_on.lock().unwrap() = false;
    let (id, given) = story.patient.grants().unwrap().pop().unwrap();
    let grant = given.artefact.grant.unwrap();
    println!(
        "approve: {told}; to be given: {}",
        story.patient.is_to_be_given(id).unwrap()
    );
    let revoked = story.patient.revoke(id).await;
    println!(
        "revoke: {revoked:?}; grants {}",
        story.patient.grants().unwrap().len()
    );
    let executed = story.forgetful.send_held().await;
    let report = story.patient.sync().await.unwrap();
    println!(
        "sync: alarms {:?} acts {:?} told {:?}",
        report.alarms, report.acts, report.told
    );
    story.clinic.sync().await.unwrap();
    let read = story.clinic.read(record).await;
    let facts = story.world.ledger.grant(&grant).await.unwrap();
    println!(
        "ATTACK third-2: {executed} executed, granted {} revoked {}, unknown acts {}, read {:?}",
        facts.granted,
        facts.revoked,
        story.patient.unknown_acts().unwrap().len(),
        read.as_ref().map(|_| ()).map_err(ToString::to_string)
    );
    assert!(
        revoked.is_err() || read.is_err(),
        "told as taken back, and read"
    );
}

#[tokio::test]
async fn what_a_relay_holds_is_not_live_after_everything_was_taken_back() {
    let story = paired(804).await;
    let (record, request, until) = asked(&story).await;
    let (write, _) = story.patient.write_grants().unwrap().pop().unwrap();
    story.patient.revoke_write(write).await.unwrap();
    *story.forgetful.is_on.lock().unwrap() = true;
    story
        .patient
        .approve(&request, record, until)
        .await
        .unwrap_err();
    *story.forgetful.is_on.lock().unwrap() = false;
    let revoked = story.patient.revoke_everything().await;
    let executed = story.forgetful.send_held().await;
    story.patient.sync().await.unwrap();
    story.clinic.sync().await.unwrap();
    let read = story.clinic.read(record).await;
    println!(
        "ATTACK third-2: revoke_everything {revoked:?}, {executed} executed, read {:?}",
        read.as_ref().map(|_| ()).map_err(ToString::to_string)
    );
    assert!(
        revoked.is_err() || read.is_err(),
        "told as taken back, and read"
    );
}

#[tokio::test]
async fn a_permission_that_ended_by_itself_leaves_no_revocation_that_blames_the_relay_for_ever() {
    let story = paired(808).await;
    let (id, _) = story.patient.write_grants().unwrap().pop().unwrap();
    story.crooked.set(Does::Drops);
    story.patient.revoke_write(id).await.unwrap_err();
    story.world.pass(2 * WEEK);
    story.crooked.set(Does::Sends);
    let mut last = Vec::new();
    for _ in 0..5 {
        story.world.pass(86_400);
        last = story.patient.sync().await.unwrap().later;
    }
    let jobs = story.patient.job_views().unwrap().len();
    println!("ATTACK third-4: {jobs} kept after 5 days: {last:?}");
    assert_eq!(jobs, 0, "{last:?}");
}

/// An order to take back everything that is kept while the chain is set back, with a reader whose key is bad.
#[tokio::test]
async fn one_readers_key_keeps_no_other_reader() {
    let (story, _, _) = low_order_reader(811).await;
    let patient = &story.patient;
    // Two consents more, to the hospital under another address: they are of another contact altogether.
    let (id, write) = patient.write_grants().unwrap().pop().unwrap();
    assert_eq!(write.own, story.owner);
    let all = patient.revoke_everything().await;
    for _ in 0..3 {
        let _ = patient.sync().await;
    }
    let stands = !patient
        .write_grants()
        .unwrap()
        .iter()
        .find(|(of, _)| *of == id)
        .unwrap()
        .1
        .revoked;
    println!(
        "ATTACK third-1: everything {:?}; hospital's permission stands {stands}",
        all.err().map(|it| it.to_string())
    );
    assert!(!stands);
}

/// The same as R2 for a permission to write.
#[tokio::test]
async fn a_permission_to_write_that_a_relay_called_malformed_is_dead_once_taken_back() {
    let story = paired(816).await;
    let until = story.world.ports().clock.now().plus(2 * WEEK);
    *story.forgetful.is_on.lock().unwrap() = true;
    story
        .patient
        .grant_write(story.clinic_owner, medical_only(), until)
        .await
        .unwrap_err();
    *story.forgetful.is_on.lock().unwrap() = false;
    let mut grants = story.patient.write_grants().unwrap().into_iter();
    let (id, _) = grants
        .find(|(_, given)| given.own == story.clinic_owner)
        .unwrap();
    let revoked = story.patient.revoke_write(id).await;
    let executed = story.forgetful.send_held().await;
    let report = story.patient.sync().await.unwrap();
    story.clinic.sync().await.unwrap();
    let wrote = story.clinic.write_for(story.clinic_owner, draft()).await;
    let after = story.patient.sync().await.unwrap();
    println!(
        "ATTACK third-2: revoke {revoked:?}, {executed} executed, alarms {:?}, acts {:?}, wrote {}, accepted by the patient {}",
        report.alarms,
        report.acts,
        wrote.is_ok(),
        after.accepted.len()
    );
    assert!(revoked.is_err() || wrote.is_err());
}

/// One keeper of seven sets a wrap key to which nothing can be sealed (the contract refuses zero alone).
#[tokio::test]
async fn one_keepers_wrap_key_stops_no_write_and_no_acceptance() {
    let story = paired(822).await;
    // Keeper 7 lacks the share of a record of before.
    story.world.set_down(7, true);
    let earlier = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    story.world.set_down(7, false);
    let facts = story.world.ledger.committee().await.unwrap();
    let mut keepers = facts.keepers.clone();
    keepers.last_mut().unwrap().wrap_key.key = LOW;
    story
        .world
        .ledger
        .form_committee(facts.committee.threshold, keepers);
    let theirs = story.hospital.write_for(story.owner, draft()).await;
    let own = story.patient.write_own(draft()).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(
            story
                .hospital
                .sync()
                .await
                .map(|it| it.later)
                .map_err(|it| it.to_string()),
        );
        told.push(
            story
                .patient
                .sync()
                .await
                .map(|it| it.later)
                .map_err(|it| it.to_string()),
        );
    }
    let is = |record| {
        story
            .patient
            .record(record)
            .is_ok_and(|it| it.is_accepted())
    };
    let accepted = story
        .patient
        .records()
        .unwrap()
        .iter()
        .filter(|it| it.is_accepted())
        .count();
    println!(
        "ATTACK third-3: hospital {:?}, own {:?}; accepted {accepted} of 3, the one of before {}; {told:#?}",
        theirs
            .as_ref()
            .map(|it| it.acknowledged)
            .map_err(ToString::to_string),
        own.as_ref()
            .map(|it| it.acknowledged)
            .map_err(ToString::to_string),
        is(earlier.record)
    );
    assert!(theirs.is_ok() && own.is_ok() && is(earlier.record));
}

/// What is left of R17 after the keeper takes a good key again.
#[tokio::test]
async fn what_one_keeper_stopped_goes_on_when_its_key_is_good_again() {
    let story = paired(829).await;
    let facts = story.world.ledger.committee().await.unwrap();
    story.world.set_down(7, true);
    let earlier = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap()
        .record;
    story.world.set_down(7, false);
    let mut keepers = facts.keepers.clone();
    keepers.last_mut().unwrap().wrap_key.key = LOW;
    story
        .world
        .ledger
        .form_committee(facts.committee.threshold, keepers);
    let _ = story.hospital.write_for(story.owner, draft()).await;
    for _ in 0..10 {
        story.world.pass(3_600);
        let _ = story.patient.sync().await;
        let _ = story.hospital.sync().await;
    }
    story
        .world
        .ledger
        .form_committee(facts.committee.threshold, facts.keepers.clone());
    let mut later = Vec::new();
    for _ in 0..20 {
        story.world.pass(3_600);
        let _ = story.hospital.sync().await;
        later = story.patient.sync().await.unwrap().later;
    }
    let kept = story.patient.records().unwrap();
    let accepted = kept.iter().filter(|it| it.is_accepted()).count();
    println!(
        "ATTACK third-3: {accepted} of 2 accepted after 20 honest hours, the one of before {:?}, later {later:?}",
        story
            .patient
            .record(earlier)
            .map(|it| it.is_accepted())
            .map_err(|it| it.to_string())
    );
    // The second one's committee keeps its keepers of then in this memory world, unlike on the contracts.
    assert!(accepted >= 1);
}

/// The answer to a consent is lost, and the address goes on with its next signing key before it is asked again: no party lies.
#[tokio::test]
async fn a_consent_whose_answer_was_lost_is_taken_back_after_the_signing_key_went_on() {
    let mut live = Vec::new();
    for everything in [false, true] {
        let story = paired(835 + u64::from(everything)).await;
        let (record, request, until) = asked(&story).await;
        let (write, _) = story.patient.write_grants().unwrap().pop().unwrap();
        story.patient.revoke_write(write).await.unwrap();
        story.crooked.set(Does::Swallows);
        story
            .patient
            .approve(&request, record, until)
            .await
            .unwrap_err();
        story.crooked.set(Does::Sends);
        let (id, given) = story.patient.grants().unwrap().pop().unwrap();
        let grant = given.artefact.grant.unwrap();
        story.patient.rotate_signing_key(grant.owner).await.unwrap();
        let to_be_given = story.patient.is_to_be_given(id).unwrap();
        let revoked = match everything {
            true => story.patient.revoke_everything().await,
            false => story.patient.revoke(id).await,
        };
        story.clinic.sync().await.unwrap();
        let read = story.clinic.read(record).await;
        let report = story.patient.sync().await.unwrap();
        let facts = story.world.ledger.grant(&grant).await.unwrap();
        println!(
            "ATTACK third-2: «not on the chain yet» {to_be_given}; revoke {:?}; chain granted {} revoked {}; clinic reads {}; alarms {:?}, acts {:?}",
            revoked.as_ref().map_err(ToString::to_string),
            facts.granted,
            facts.revoked,
            read.is_ok(),
            report.alarms,
            report.acts
        );
        let views = story.patient.given_views().await.unwrap();
        let shown: Vec<_> = views.iter().map(|it| format!("{:?}", it.state)).collect();
        println!("  shown after the next sync: {shown:?}");
        if !facts.revoked || read.is_ok() {
            live.push(everything);
        }
    }
    assert_eq!(live, Vec::<bool>::new());
}
