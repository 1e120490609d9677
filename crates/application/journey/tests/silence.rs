//! Peers that take every question and never answer: what needs no answer of theirs ends in bounded time, and what takes
//! something back does not wait at all. No clock runs here: who waits for the silent is told that the time is over.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::time::Duration;

use medibloc_consent::Purpose;
use medibloc_journey::memory::World;
use medibloc_journey::{Party, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{AccountId, Draft, GrantId, LossReport, RecordId, Role, Timestamp};

const WEEK: u64 = 7 * 86_400;
const OTHER: &str = "memory:other";
/// How long one answer may take that is not needed.
const LIMIT: Duration = Duration::from_secs(10);

struct Story {
    world: Arc<World>,
    patient: Party,
    hospital: Party,
    clinic: Party,
    /// Whom the hospital writes for, and whom the clinic reads from.
    owner: AccountId,
    view: AccountId,
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

impl Story {
    /// A patient, a hospital that writes, and a clinic at another node.
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let party = |seed, role, ports| Party::new(phrase(seed).seed(), role, ports);
        let patient = party(seed + 1, Role::Person, world.ports());
        let hospital = party(seed + 2, Role::Provider, world.ports());
        let clinic = party(seed + 3, Role::Provider, world.ports_at(OTHER));
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
        let story = Self {
            world,
            patient,
            hospital,
            clinic,
            owner: owners[0],
            view: owners[1],
        };
        let until = story.until();
        let patient = &story.patient;
        patient
            .grant_write(story.owner, medical_only(), until)
            .await
            .unwrap();
        story
    }

    /// Work, and how long silent ones were waited for in it.
    async fn timed<T>(&self, work: impl Future<Output = T>) -> (T, Duration) {
        self.world.silent().waited();
        (work.await, self.world.silent().waited())
    }

    fn until(&self) -> Timestamp {
        self.world.ports().clock.now().plus(WEEK)
    }

    async fn write(&self, text: &str) -> RecordId {
        let written = self.hospital.write_for(self.owner, draft(text)).await;
        written.unwrap().record
    }

    /// A record that stands, and that the clinic may read.
    async fn shared(&self, text: &str) -> (RecordId, GrantId) {
        let record = self.write(text).await;
        assert_eq!(self.patient.sync().await.unwrap().accepted, [record]);
        let until = self.until();
        let asked = self.clinic.ask(self.view, Purpose::Treatment, text, until);
        asked.await.unwrap();
        self.patient.sync().await.unwrap();
        let requests = self.patient.requests().unwrap();
        let grant = self.patient.approve(&requests[0], record, until).await;
        self.clinic.sync().await.unwrap();
        (record, grant.unwrap())
    }

    fn is_revoked(&self, grant: GrantId) -> bool {
        self.world.ledger.grant_by_id(grant).unwrap().1.revoked
    }
}

#[tokio::test]
async fn a_keeper_that_never_answers_is_waited_for_once_and_holds_nothing_up() {
    let story = Story::new(4_100).await;
    let (patient, silent) = (&story.patient, story.world.silent());
    let mut records = Vec::new();
    for text in ["one", "two", "three", "four"] {
        records.push(story.write(text).await);
    }
    assert_eq!(patient.sync().await.unwrap().accepted.len(), 4);
    silent.add_keeper(7);

    // The first question waits, and nobody asks again for all the others.
    let (erased, took) = story.timed(patient.erase(records[0])).await;
    assert_eq!((erased.unwrap(), took), (6, LIMIT));
    for record in &records[1..3] {
        let (erased, took) = story.timed(patient.erase(*record)).await;
        assert_eq!((erased.unwrap(), took), (6, Duration::ZERO));
    }
    assert_eq!(silent.asked(), 1);

    // Others have to find it out for themselves, once.
    let (written, took) = story
        .timed(story.hospital.write_for(story.owner, draft("five")))
        .await;
    let written = written.unwrap();
    assert_eq!((written.acknowledged, took), (6, LIMIT));
    let (report, took) = story.timed(patient.sync()).await;
    let report = report.unwrap();
    assert_eq!(report.accepted, [written.record], "{report:?}");
    assert_eq!(took, Duration::ZERO);
    let open = report
        .later
        .iter()
        .filter(|it| it.contains("6 of 7 keepers signed"));
    assert_eq!(open.count(), 3, "{report:?}");
    assert!(!report.gave_way);

    // It is asked again after a pause, which grows, for longer each time.
    let before = silent.asked();
    let mut waits = Vec::new();
    for pause in [61, 121, 241] {
        story.world.pass(pause);
        waits.push(story.timed(patient.sync()).await.1.as_secs());
    }
    assert_eq!(waits, [20, 40, 40]);
    let asked = silent.asked() - before;
    silent.remove_keeper(7);
    story.world.pass(481);
    let (report, took) = story.timed(patient.sync()).await;
    let left = report.unwrap().later;
    assert_eq!((left, took), (Vec::new(), Duration::ZERO), "{asked} asked");
    println!(
        "ATTACK fourth-2: waited for {} s once in an erasure, and not again",
        LIMIT.as_secs()
    );
}

/// That it answers at all hides no slowness: nothing that can go on without it waits for it again and again.
#[tokio::test]
async fn a_keeper_that_answers_late_and_wrong_costs_a_pass_once_what_a_silent_one_costs() {
    let story = Story::new(4_400).await;
    let (patient, silent) = (&story.patient, story.world.silent());
    let late = Duration::from_millis(9_500);
    let mut records = Vec::new();
    for text in ["one", "two", "three", "four", "five", "six"] {
        records.push(story.write(text).await);
    }
    silent.delay_keeper(7, late);
    let (report, took) = story.timed(patient.sync()).await;
    assert_eq!(report.unwrap().accepted.len(), 6);
    assert!(took <= LIMIT, "a sync of 6 records waited {took:?}");

    // `doctor` asks of each record, too.
    story.world.pass(61);
    let (shares, took) = story.timed(patient.lost_shares(6)).await;
    assert_eq!(
        (shares.unwrap().asked, took <= LIMIT * 2),
        (6, true),
        "{took:?}"
    );

    story.world.pass(121);
    let mut waited = Duration::ZERO;
    for record in &records[..4] {
        let (erased, took) = story.timed(patient.erase(*record)).await;
        assert_eq!(erased.unwrap(), 6);
        waited += took;
    }
    assert!(waited <= LIMIT * 4, "four erasures waited {waited:?}");
    // What is missing of its statements is asked for later, and not one by one.
    for pause in [0, 241, 481] {
        story.world.pass(pause);
        let (report, took) = story.timed(patient.sync()).await;
        let later = report.unwrap().later;
        let open = later
            .iter()
            .filter(|it| it.contains("6 of 7 keepers signed"));
        assert_eq!(open.count(), 4, "{later:?}");
        assert!(took <= LIMIT * 4, "a sync waited {took:?}");
    }

    // A restore knows nothing of it yet.
    let ports = story.world.ports();
    let (restored, took) = story
        .timed(Party::restore(&phrase(4_401), Role::Person, ports))
        .await;
    let (_, report) = restored.unwrap();
    assert_eq!(report.sync.later.len(), 5, "{report:?}");
    assert!(took <= LIMIT, "a restore waited {took:?}");

    silent.hurry_keeper(7);
    story.world.pass(481);
    let (report, took) = story.timed(patient.sync()).await;
    let later = report.unwrap().later;
    assert_eq!((later, took), (Vec::new(), Duration::ZERO));
}

/// On a slow line all of them are late alike, and none of them is left out.
#[tokio::test]
async fn keepers_that_are_all_as_late_are_all_asked() {
    let story = Story::new(4_500).await;
    let (patient, silent) = (&story.patient, story.world.silent());
    for text in ["one", "two", "three"] {
        story.write(text).await;
    }
    for keeper in 1..=7 {
        silent.delay_keeper(keeper, Duration::from_secs(4));
    }
    patient.sync().await.unwrap();
    // Three records, two questions each: an acknowledgement and, as they say that they have none, the share itself.
    assert_eq!(silent.asked(), 7 * 6);
}

/// It refuses each letter just before its time is over.
#[tokio::test]
async fn a_node_that_refuses_letters_late_costs_a_sync_once() {
    let story = Story::new(4_600).await;
    let (patient, silent) = (&story.patient, story.world.silent());
    let mut grants = Vec::new();
    for text in ["one", "two", "three", "four", "five"] {
        grants.push(story.shared(text).await.1);
    }
    silent.delay_node(OTHER, Duration::from_millis(9_500));
    for grant in &grants {
        patient.revoke(*grant).await.unwrap();
    }
    let (report, took) = story.timed(patient.sync()).await;
    let later = report.unwrap().later;
    let letters = later.iter().filter(|it| it.contains("a letter to"));
    assert_eq!(letters.count(), 5, "{later:?}");
    assert!(took <= LIMIT + LIMIT / 2, "a sync waited {took:?}");
}

#[tokio::test]
async fn a_node_that_takes_no_letter_is_waited_for_once_and_keeps_no_other() {
    let story = Story::new(4_200).await;
    let (patient, silent) = (&story.patient, story.world.silent());
    let mut grants = Vec::new();
    for text in ["one", "two", "three"] {
        grants.push(story.shared(text).await.1);
    }
    silent.add_node(OTHER);
    for grant in &grants {
        let (revoked, took) = story.timed(patient.revoke(*grant)).await;
        assert!(revoked.is_ok() && story.is_revoked(*grant), "{revoked:?}");
        assert_eq!(took, Duration::ZERO, "no letter keeps a revocation");
    }
    for wait in [LIMIT, Duration::ZERO] {
        let (report, took) = story.timed(patient.sync()).await;
        let later = report.unwrap().later;
        let letters = later.iter().filter(|it| it.contains("a letter to"));
        assert_eq!((letters.count(), took), (3, wait), "{later:?}");
    }
    assert_eq!(silent.asked(), 1);
    silent.remove_node(OTHER);
    story.world.pass(61);
    let report = patient.sync().await.unwrap();
    assert_eq!(report.later, Vec::<String>::new());
    assert_eq!(story.clinic.sync().await.unwrap().ended.len(), 3);
    println!(
        "ATTACK fourth-3: revocations wait 0 s, a sync {} s once",
        LIMIT.as_secs()
    );
}

#[tokio::test]
async fn a_sync_that_waits_gives_way_to_what_takes_back() {
    let story = Story::new(4_300).await;
    let (patient, silent) = (&story.patient, story.world.silent());
    let (_, grant) = story.shared("one").await;
    let other = story.write("two").await;
    silent.add_keeper(7);
    // As a program that serves does it: one step of a party at a time.
    let party = tokio::sync::Mutex::new(());
    let urgency = patient.urgency();
    let sync = async {
        let _held = party.lock().await;
        patient.sync().await.unwrap()
    };
    let revoke = async {
        silent.until_asked(1).await;
        let urgent = urgency.wait();
        let _held = party.lock().await;
        drop(urgent);
        patient.revoke(grant).await
    };
    silent.hold_time();
    let (report, revoked) = tokio::join!(sync, revoke);
    assert!(report.gave_way && story.is_revoked(grant), "{report:?}");
    assert!(revoked.is_ok(), "{revoked:?}");
    // Six shares are enough, and nobody had to wait for the seventh.
    assert_eq!(report.accepted, [other]);
    silent.remove_keeper(7);
    let report = patient.sync().await.unwrap();
    assert!(!report.gave_way && report.later.is_empty(), "{report:?}");
}
