//! What a relay says of a call is no fact: the own chain says whether it happened, and what did not stays owed.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_consent::{AnchorFields, Grant, Purpose};
use medibloc_evil::relay::{Crooked, Does};
use medibloc_journey::memory::World;
use medibloc_journey::{
    Extent, GivenGrant, GrantState, JourneyError, Party, PendingRequest, SyncReport, medical_only,
};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{
    AccountFacts, CommitteeFacts, Event, Events as _, Facts, GrantFacts, Head, LedgerError,
    MemoryLedger, Outcome, RecordFacts, Refusal, Relay, SignedCall, Standing,
};
use medibloc_record::{
    AccountId, Address, Draft, GrantId, LossReport, RecordId, Role, Sensitivity, Timestamp,
};

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft() -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let text = b"<x>a diagnosis</x>".to_vec();
    Draft::new("text/xml", text, bundle, LossReport::default())
}

/// Says that the contracts refuse a call, and keeps it.
struct Hoarder {
    inner: Arc<dyn Relay>,
    held: Mutex<Option<Vec<SignedCall>>>,
    honest: Mutex<usize>,
}

impl Hoarder {
    /// After so many calls it says of each that it is final, and sends none.
    fn lie_after(&self, calls: usize) {
        *self.honest.lock().unwrap() = calls;
    }

    /// From now on it keeps what it is given.
    fn begin(&self) {
        *self.held.lock().unwrap() = Some(Vec::new());
    }

    /// Sends all that it kept, and is honest from then on; gives how many were executed.
    async fn send_held(&self) -> usize {
        let held = self.held.lock().unwrap().take().unwrap();
        let mut executed = 0;
        for call in &held {
            executed += usize::from(self.inner.relay(call).await.is_ok());
        }
        executed
    }
}

#[async_trait]
impl Relay for Hoarder {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        if let Some(held) = self.held.lock().unwrap().as_mut() {
            held.push(call.clone());
            return Err(LedgerError::Refused(Refusal::NotRegistered));
        }
        {
            let mut honest = self.honest.lock().unwrap();
            if *honest == 0 {
                return Ok(Outcome {
                    block: 1,
                    transaction: [0xee; 32],
                });
            }
            *honest -= 1;
        }
        self.inner.relay(call).await
    }
}

/// A patient, a hospital that may write for it and a clinic that it knows, each behind a relay that can lie.
struct Story {
    world: Arc<World>,
    crooked: Arc<Crooked>,
    hoarder: Arc<Hoarder>,
    patient: Party,
    hospital: Party,
    clinic: Party,
    owner: AccountId,
    clinic_owner: AccountId,
}

async fn paired(seed: u64) -> Story {
    let world = World::new(seed);
    let crooked = Crooked::before(world.ports().relay.clone());
    let hoarder = Arc::new(Hoarder {
        inner: crooked.clone(),
        held: Mutex::default(),
        honest: Mutex::new(usize::MAX),
    });
    let party = |seed, role| {
        let mut ports = world.ports();
        ports.relay = hoarder.clone();
        Party::new(phrase(seed).seed(), role, ports)
    };
    let patient = party(1, Role::Person);
    let (hospital, clinic) = (party(2, Role::Provider), party(3, Role::Provider));
    let mut owners = Vec::new();
    for (provider, name) in [(&hospital, "Hana Hospital"), (&clinic, "Bit Clinic")] {
        provider.register_account().await.unwrap();
        let jwt = world.accredit(provider.account().id(), name);
        let invitation = patient.invite().await.unwrap();
        let answered = provider.answer(&invitation, Some(&jwt)).await.unwrap();
        owners.push(answered.owner);
    }
    patient.sync().await.unwrap();
    for contact in patient.contacts().unwrap() {
        patient.confirm(contact.own).unwrap();
    }
    let until = world.ports().clock.now().plus(WEEK);
    patient
        .grant_write(owners[0], medical_only(), until)
        .await
        .unwrap();
    Story {
        world,
        crooked,
        hoarder,
        patient,
        hospital,
        clinic,
        owner: owners[0],
        clinic_owner: owners[1],
    }
}

impl Story {
    async fn written(&self) -> RecordId {
        let written = self.hospital.write_for(self.owner, draft()).await;
        written.unwrap().record
    }

    async fn asked(&self) -> (PendingRequest, Timestamp) {
        let until = self.world.ports().clock.now().plus(WEEK);
        let (owner, purpose) = (self.clinic_owner, Purpose::Treatment);
        let asks = self.clinic.ask(owner, purpose, "second opinion", until);
        asks.await.unwrap();
        self.patient.sync().await.unwrap();
        (self.patient.requests().unwrap().pop().unwrap(), until)
    }

    /// A consent to the clinic for a record that the patient has accepted.
    async fn granted(&self) -> (RecordId, GrantId) {
        let record = self.written().await;
        self.patient.sync().await.unwrap();
        let (request, until) = self.asked().await;
        let grant = self.patient.approve(&request, record, until).await;
        self.clinic.sync().await.unwrap();
        (record, grant.unwrap())
    }

    fn grant_of(&self, id: GrantId) -> Grant {
        let mut grants = self.patient.grants().unwrap().into_iter();
        let (_, given) = grants.find(|(of, _)| *of == id).unwrap();
        given.artefact.grant.unwrap()
    }

    /// How the consents to read are shown.
    async fn shown(&self) -> Vec<GrantState> {
        let mut views = self.patient.given_views().await.unwrap();
        views.retain(|view| view.scope != "write");
        views.into_iter().map(|view| view.state).collect()
    }

    async fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        let blocks = self.world.ledger.events(0, 10_000).await.unwrap();
        let events = blocks.iter().flat_map(|block| &block.events);
        events.filter(|event| is_it(event)).count()
    }
}

/// The words that tell what the relay only said.
fn tells(told: &[String]) -> bool {
    let words = "and the chain does not show it; it stays owed";
    told.iter().any(|line| line.contains(words))
}

fn words<T>(done: Result<T, JourneyError>) -> Vec<String> {
    vec![
        done.err()
            .map(|error| error.to_string())
            .unwrap_or_default(),
    ]
}

#[tokio::test]
async fn an_acceptance_that_a_relay_only_said_is_final_stays_owed_until_the_chain_has_it() {
    for does in [Does::Lies, Does::Refuses] {
        let story = paired(901).await;
        let record = story.written().await;
        story.crooked.set(does);
        let report = story.patient.sync().await.unwrap();
        let before = story
            .patient
            .record(record)
            .is_ok_and(|it| it.is_accepted());
        assert_eq!((report.accepted.len(), before), (0, false), "{does:?}");
        let told = !report.later.is_empty();
        assert!(
            told && (does != Does::Lies || tells(&report.later)),
            "{report:?}"
        );
        story.crooked.set(Does::Sends);
        story.world.pass(3_600);
        let report = story.patient.sync().await.unwrap();
        assert_eq!(report.accepted, [record], "{does:?}");
        let there = story.world.ledger.record(record).await.unwrap().unwrap();
        let here = story.patient.record(record).unwrap().is_accepted();
        println!(
            "ATTACK relay-1 {does:?}: home {here}, chain {}",
            there.accepted
        );
        assert!(here && there.accepted);
        // And it can be given and read.
        let (request, until) = story.asked().await;
        let given = story.patient.approve(&request, record, until).await;
        given.unwrap();
        story.clinic.sync().await.unwrap();
        story.clinic.read(record).await.unwrap();
    }
}

#[tokio::test]
async fn a_consent_that_a_relay_only_said_is_final_is_not_shown_as_live_and_leaves_again() {
    let story = paired(902).await;
    let record = story.written().await;
    story.patient.sync().await.unwrap();
    let (request, until) = story.asked().await;
    story.crooked.set(Does::Lies);
    let told = words(story.patient.approve(&request, record, until).await);
    assert!(tells(&told), "{told:?}");
    let shown = story.shown().await;
    assert!(!shown.contains(&GrantState::Live), "{shown:?}");
    let report = story.patient.sync().await.unwrap();
    assert!(tells(&report.later), "{report:?}");
    story.crooked.set(Does::Sends);
    // Longer than the request lives.
    story.world.pass(3_600);
    let report = story.patient.sync().await.unwrap();
    let (id, _) = story.patient.grants().unwrap().pop().unwrap();
    let facts = story.world.ledger.grant(&story.grant_of(id)).await.unwrap();
    println!(
        "ATTACK relay-1 consent: chain {}, {:?}",
        facts.granted, report.done
    );
    assert!(facts.granted);
    story.clinic.sync().await.unwrap();
    story.clinic.read(record).await.unwrap();
    story.patient.revoke(id).await.unwrap();
    let facts = story.world.ledger.grant(&story.grant_of(id)).await.unwrap();
    // The letter about it leaves with the next sync, and nothing is owed any more.
    story.patient.sync().await.unwrap();
    let jobs = story.patient.job_views().unwrap();
    assert!(facts.revoked && jobs.is_empty(), "{facts:?} {jobs:?}");
}

#[tokio::test]
async fn an_anchor_that_a_relay_only_said_is_final_is_sent_again_and_no_record_is_lost() {
    let story = paired(903).await;
    story.crooked.set(Does::Lies);
    let told = words(story.hospital.write_for(story.owner, draft()).await);
    assert!(tells(&told), "{told:?}");
    let report = story.hospital.sync().await.unwrap();
    assert!(tells(&report.later), "{report:?}");
    story.crooked.set(Does::Sends);
    story.world.pass(3_600);
    story.hospital.sync().await.unwrap();
    let anchors = story.count(|event| matches!(event, Event::Anchored(_)));
    let anchors = anchors.await;
    println!("ATTACK relay-1 anchor: {anchors} anchored");
    assert_eq!(anchors, 1);
    assert_eq!(story.hospital.written().unwrap().len(), 1);
    let report = story.patient.sync().await.unwrap();
    assert_eq!(report.accepted.len(), 1);
}

#[tokio::test]
async fn one_lie_about_an_opened_read_closes_no_record() {
    let story = paired(904).await;
    let (record, _) = story.granted().await;
    story.crooked.set(Does::Lies);
    let told = words(story.clinic.read(record).await);
    assert!(tells(&told), "{told:?}");
    story.crooked.set(Does::Sends);
    let read = story.clinic.read(record).await;
    println!("ATTACK relay-1 read: read at once {}", read.is_ok());
    let block = read.unwrap().receipt.outcome.block;
    let blocks = story.world.ledger.events(block, 1).await.unwrap();
    let is_read = |event: &Event| matches!(event, Event::ReadOpened { .. });
    assert!(blocks[0].events.iter().any(is_read));
}

#[tokio::test]
async fn a_sealing_key_that_a_relay_only_said_is_new_is_not_told_as_new() {
    let story = paired(905).await;
    let own = story.owner;
    let version = async || {
        let account = story.world.ledger.account(own).await.unwrap();
        account.unwrap().sealing_key.version
    };
    let before = version().await;
    story.crooked.set(Does::Lies);
    let told = words(story.patient.rotate_sealing_key(own).await);
    assert!(tells(&told), "{told:?}");
    // What comes meanwhile is sealed to the key that stands.
    story.crooked.set(Does::Sends);
    let between = story.written().await;
    story.world.pass(3_600);
    let mut report = SyncReport::default();
    for _ in 0..2 {
        report = story.patient.sync().await.unwrap();
    }
    let record = story.written().await;
    report
        .accepted
        .extend(story.patient.sync().await.unwrap().accepted);
    println!(
        "ATTACK relay-1 key: version {before}, then {}",
        version().await
    );
    assert_eq!(version().await, before + 1);
    for record in [between, record] {
        assert!(story.patient.record(record).unwrap().is_accepted());
    }
}

#[tokio::test]
async fn an_account_or_address_that_a_relay_only_said_is_registered_is_registered_again() {
    for does in [Does::Lies, Does::Refuses] {
        let story = paired(906).await;
        story.crooked.set(does);
        let mut ports = story.world.ports();
        ports.relay = story.crooked.clone();
        let lab = Party::new(phrase(7).seed(), Role::Provider, ports);
        let told = words(lab.register_account().await);
        assert!(does == Does::Refuses || tells(&told), "{told:?}");
        assert!(!told[0].is_empty());
        let told = words(story.patient.invite().await);
        assert!(does == Does::Refuses || tells(&told), "{told:?}");
        assert!(!told[0].is_empty());
        story.crooked.set(Does::Sends);
        lab.register_account().await.unwrap();
        story.patient.invite().await.unwrap();
        let id = lab.account().id();
        assert!(story.world.ledger.account(id).await.unwrap().is_some());
        for own in story.patient.addresses().unwrap() {
            assert!(
                story
                    .world
                    .ledger
                    .account(own.id())
                    .await
                    .unwrap()
                    .is_some()
            );
        }
    }
}

#[tokio::test]
async fn a_key_list_that_a_relay_only_said_is_final_is_sent_again() {
    let story = paired(907).await;
    let (request, until) = story.asked().await;
    let (all, normal) = (Extent::All, Sensitivity::Normal);
    let given = story.patient.approve_all(&request, all, normal, until);
    given.await.unwrap();
    let record = story.written().await;
    // The acceptance and the key list leave in one sync: the first goes, the second does not.
    story.hoarder.lie_after(1);
    let report = story.patient.sync().await.unwrap();
    assert_eq!(
        (report.accepted.len(), report.delivered),
        (1, 0),
        "{report:?}"
    );
    assert!(tells(&report.later), "{report:?}");
    story.hoarder.lie_after(usize::MAX);
    story.world.pass(3_600);
    story.patient.sync().await.unwrap();
    let lists = story.count(|event| matches!(event, Event::Delivered { .. }));
    assert_eq!(lists.await, 1);
    story.clinic.sync().await.unwrap();
    story.clinic.read(record).await.unwrap();
}

/// The kind of the other side: what it said that the contracts refuse is executed after all.
#[tokio::test]
async fn a_consent_that_a_relay_called_refused_is_told_listed_and_revocable_when_it_comes_alive() {
    let story = paired(908).await;
    let record = story.written().await;
    story.patient.sync().await.unwrap();
    let (request, until) = story.asked().await;
    story.hoarder.begin();
    let told = words(story.patient.approve(&request, record, until).await);
    assert!(!told[0].is_empty() && story.patient.grants().unwrap().is_empty());
    let write = story
        .patient
        .grant_write(story.clinic_owner, medical_only(), until);
    assert!(!words(write.await)[0].is_empty());
    assert_eq!(story.hoarder.send_held().await, 2);
    let report = story.patient.sync().await.unwrap();
    let (id, _) = story.patient.grants().unwrap().pop().unwrap();
    println!("ATTACK relay-2: alarms {:?}", report.alarms);
    for what in ["may read", "may write"] {
        let is_said = |it: &&String| it.contains("contracts refuse it") && it.contains(what);
        assert_eq!(
            report.alarms.iter().filter(is_said).count(),
            1,
            "{report:?}"
        );
    }
    assert_eq!(
        (report.alarms.len(), report.acts.len()),
        (2, 0),
        "{report:?}"
    );
    assert_eq!(story.patient.alarms().unwrap().len(), 2);
    assert_eq!(story.patient.write_grants().unwrap().len(), 2);
    story.clinic.sync().await.unwrap();
    story.patient.revoke(id).await.unwrap();
    let facts = story.world.ledger.grant(&story.grant_of(id)).await.unwrap();
    assert!(facts.revoked);
    // It is told once.
    let report = story.patient.sync().await.unwrap();
    assert_eq!(
        (report.alarms.len(), report.acts.len()),
        (0, 0),
        "{report:?}"
    );
}

/// A node whose answers of the head come late, from when it is told to.
struct Late {
    inner: Arc<MemoryLedger>,
    head: Mutex<Option<Head>>,
}

#[async_trait]
impl Facts for Late {
    async fn head(&self) -> Result<Head, LedgerError> {
        let late = *self.head.lock().unwrap();
        match late {
            Some(head) => Ok(head),
            None => self.inner.head().await,
        }
    }
    async fn account_of(&self, address: Address) -> Result<Option<AccountId>, LedgerError> {
        self.inner.account_of(address).await
    }
    async fn account_at(&self, of: Address, at: u64) -> Result<Option<AccountId>, LedgerError> {
        self.inner.account_at(of, at).await
    }
    async fn account(&self, id: AccountId) -> Result<Option<AccountFacts>, LedgerError> {
        self.inner.account(id).await
    }
    async fn standing(&self, id: AccountId, at: Timestamp) -> Result<Standing, LedgerError> {
        self.inner.standing(id, at).await
    }
    async fn record(&self, id: RecordId) -> Result<Option<RecordFacts>, LedgerError> {
        self.inner.record(id).await
    }
    async fn is_anchored(&self, anchor: &AnchorFields) -> Result<bool, LedgerError> {
        self.inner.is_anchored(anchor).await
    }
    async fn grant(&self, grant: &Grant) -> Result<GrantFacts, LedgerError> {
        self.inner.grant(grant).await
    }
    async fn committee(&self) -> Result<CommitteeFacts, LedgerError> {
        self.inner.committee().await
    }
    async fn committee_of(&self, id: u32) -> Result<Option<CommitteeFacts>, LedgerError> {
        self.inner.committee_of(id).await
    }
}

/// Taken back and given again: the older end stands in the block at which the next one begins, and is not it.
#[tokio::test]
async fn an_older_end_in_the_block_at_which_the_next_begins_does_not_pass_for_it() {
    let story = paired(909).await;
    let late = Arc::new(Late {
        inner: story.world.ledger.clone(),
        head: Mutex::default(),
    });
    let mut ports = story.patient.ports().clone();
    ports.facts = late.clone();
    let patient = Party::new(phrase(1).seed(), Role::Person, ports);
    let until = story.world.ports().clock.now().plus(WEEK);
    let (first, _) = patient.write_grants().unwrap().pop().unwrap();
    patient.revoke_write(first).await.unwrap();
    *late.head.lock().unwrap() = Some(story.world.ledger.head().await.unwrap());
    let again = patient.grant_write(story.owner, medical_only(), until);
    again.await.unwrap();
    let stands = |(_, given): &(GrantId, GivenGrant)| !given.revoked;
    let standing = || {
        let mut grants = patient.write_grants().unwrap().into_iter();
        grants.find(stands).map(|(id, _)| id)
    };
    story.crooked.set(Does::Lies);
    let told = words(patient.revoke_write(standing().unwrap()).await);
    let still = standing().is_some();
    println!("ATTACK relay-3: told {told:?}, shown as standing {still}");
    assert!(tells(&told) && still, "{told:?}");
}
