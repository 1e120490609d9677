//! What takes back and what gives, both on their way: what takes back goes first, and what it ends does not go at all.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use medibloc_consent::Purpose;
use medibloc_journey::memory::World;
use medibloc_journey::{JourneyError, Pace, Party, Ports};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Event, Events as _, LedgerError, Outcome, Relay, SignedCall};
use medibloc_record::{Draft, GrantId, LossReport, RecordId, Role, Timestamp};

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

/// A relay that can be stopped.
struct Gate(Arc<dyn Relay>, Arc<AtomicBool>);

#[async_trait]
impl Relay for Gate {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        if self.1.load(Ordering::SeqCst) {
            return self.0.relay(call).await;
        }
        Err(LedgerError::Unreachable {
            from: "the relay".into(),
            why: "it is stopped".into(),
        })
    }
}

struct Story {
    world: Arc<World>,
    ports: Ports,
    patient: Party,
    is_open: Arc<AtomicBool>,
    records: Vec<RecordId>,
    until: Timestamp,
}

impl Story {
    /// A patient with two records, and a clinic that asks for them.
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let is_open = Arc::new(AtomicBool::new(true));
        let mut ports = world.ports();
        ports.relay = Arc::new(Gate(ports.relay, is_open.clone()));
        let patient = Party::new(phrase(1).seed(), Role::Person, ports.clone());
        let clinic = Party::new(phrase(2).seed(), Role::Provider, world.ports());
        clinic.register_account().await.unwrap();
        let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
        let invitation = patient.invite().await.unwrap();
        let answered = clinic.answer(&invitation, Some(&jwt)).await.unwrap();
        patient.sync().await.unwrap();
        patient.confirm(answered.owner).unwrap();
        let mut records = Vec::new();
        for text in ["<one/>", "<two/>"] {
            let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
            let bytes = text.as_bytes().to_vec();
            let draft = Draft::new("application/cda+xml", bytes, bundle, LossReport::default());
            records.push(patient.write_own(draft).await.unwrap().record);
        }
        patient.sync().await.unwrap();
        let until = world.ports().clock.now().plus(WEEK);
        let asked = clinic.ask(answered.owner, Purpose::Treatment, "care", until);
        asked.await.unwrap();
        patient.sync().await.unwrap();
        Self {
            world,
            ports,
            patient,
            is_open,
            records,
            until,
        }
    }

    /// The same party at a calm pace.
    fn calm(&self) -> Party {
        let mut ports = self.ports.clone();
        ports.pace = Pace::PERSON;
        Party::new(phrase(1).seed(), Role::Person, ports)
    }

    async fn approve(&self, party: &Party, record: RecordId) -> Result<GrantId, JourneyError> {
        let request = party.requests().unwrap().pop().unwrap();
        party.approve(&request, record, self.until).await
    }

    async fn happened(&self, fits: impl Fn(&Event) -> bool) -> Vec<u64> {
        let blocks = self.world.ledger.events(0, u32::MAX).await.unwrap();
        let fits = |block: &&medibloc_ledger::BlockEvents| block.events.iter().any(&fits);
        blocks
            .iter()
            .filter(fits)
            .map(|block| block.number)
            .collect()
    }
}

fn is_granted(event: &Event) -> bool {
    matches!(event, Event::Granted(_))
}

#[tokio::test]
async fn a_consent_that_waits_ends_when_the_erasure_of_its_record_is_ordered() {
    for can_erase in [true, false] {
        let story = Story::new(5_000).await;
        let patient = story.calm();
        let grant = story.approve(&patient, story.records[0]).await.unwrap();
        assert!(patient.is_to_be_given(grant).unwrap());
        story.is_open.store(can_erase, Ordering::SeqCst);
        let erased = patient.erase(story.records[0]).await;
        assert_eq!(erased.is_ok(), can_erase, "{erased:?}");
        // At once, whether the chain has the erasure or not.
        assert!(!patient.is_to_be_given(grant).unwrap());
        assert!(patient.grants().unwrap().is_empty());
        story.is_open.store(true, Ordering::SeqCst);
        for _ in 0..20 * 48 {
            story.world.pass(1_800);
            patient.catch_up().await.unwrap();
        }
        assert_eq!(story.happened(is_granted).await, [0u64; 0]);
        let erased = |event: &Event| matches!(event, Event::Erased { .. });
        assert_eq!(story.happened(erased).await.len(), 1);
    }
}

#[tokio::test]
async fn what_takes_back_goes_before_what_gives() {
    let story = Story::new(5_100).await;
    let patient = &story.patient;
    story.is_open.store(false, Ordering::SeqCst);
    let given = story.approve(patient, story.records[0]).await;
    assert!(matches!(given, Err(JourneyError::Ledger(_))), "{given:?}");
    let erased = patient.erase(story.records[1]).await;
    assert!(matches!(erased, Err(JourneyError::Ledger(_))), "{erased:?}");
    story.is_open.store(true, Ordering::SeqCst);
    let report = patient.sync().await.unwrap();
    assert_eq!(report.later, Vec::<String>::new());
    let is_erased = |event: &Event| matches!(event, Event::Erased { .. });
    let (erased, granted) = (
        story.happened(is_erased).await,
        story.happened(is_granted).await,
    );
    assert_eq!((erased.len(), granted.len()), (1, 1));
    assert!(erased < granted, "{erased:?} {granted:?}");
}

/// It was signed, and may have left: after the erasure it is not sent again.
#[tokio::test]
async fn a_consent_that_may_have_left_is_not_sent_after_the_erasure_was_ordered() {
    let story = Story::new(5_200).await;
    let patient = &story.patient;
    story.is_open.store(false, Ordering::SeqCst);
    let given = story.approve(patient, story.records[0]).await;
    assert!(matches!(given, Err(JourneyError::Ledger(_))), "{given:?}");
    let erased = patient.erase(story.records[0]).await;
    assert!(matches!(erased, Err(JourneyError::Ledger(_))), "{erased:?}");
    story.is_open.store(true, Ordering::SeqCst);
    let report = patient.sync().await.unwrap();
    assert_eq!(report.later, Vec::<String>::new());
    assert_eq!(story.happened(is_granted).await, [0u64; 0]);
}
