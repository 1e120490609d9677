//! However often an author corrects one record: who holds it does bounded work at a sync, and is told of the newest.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use medibloc_consent::{AnchorFields, Purpose};
use medibloc_dag::{Block, Cid};
use medibloc_evil::owner::call;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Change, FileFate, Party, PortError, Row, VaultPort, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{BlockEvents, Call, Events, LedgerError};
use medibloc_record::{AccountId, Digest, Draft, LossReport, Nonce, RecordId, Role};

/// Corrections of the flood.
const MANY: u16 = 300;

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    Draft::new(
        "text/xml",
        text.as_bytes().to_vec(),
        bundle,
        LossReport::default(),
    )
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

/// How often a home asks its ports.
#[derive(Default)]
struct Calls {
    events: AtomicUsize,
    rows: AtomicUsize,
    tables: AtomicUsize,
}

impl Calls {
    /// Those since the last time: questions for blocks, rows and tables that were read.
    fn take(&self) -> [usize; 3] {
        [&self.events, &self.rows, &self.tables].map(|count| count.swap(0, Ordering::SeqCst))
    }
}

struct CountedEvents(Arc<dyn Events>, Arc<Calls>);

#[async_trait]
impl Events for CountedEvents {
    async fn events(&self, from: u64, limit: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        self.1.events.fetch_add(1, Ordering::SeqCst);
        self.0.events(from, limit).await
    }

    async fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        self.0.hash_of(number).await
    }
}

struct CountedVault(MemoryVault, Arc<Calls>);

impl VaultPort for CountedVault {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        self.1.rows.fetch_add(1, Ordering::SeqCst);
        self.0.get(table, key)
    }
    fn list(&self, table: &str) -> Result<Vec<Row>, PortError> {
        self.1.tables.fetch_add(1, Ordering::SeqCst);
        self.0.list(table)
    }
    fn apply(&self, changes: Vec<Change>) -> Result<(), PortError> {
        self.0.apply(changes)
    }
    fn put_blob(&self, block: &Block) -> Result<(), PortError> {
        self.0.put_blob(block)
    }
    fn blob(&self, cid: &Cid) -> Result<Option<Vec<u8>>, PortError> {
        self.0.blob(cid)
    }
    fn drop_blob(&self, cid: &Cid) -> Result<(), PortError> {
        self.0.drop_blob(cid)
    }
    fn settle(&self) -> Result<(), PortError> {
        self.0.settle()
    }
    fn drop_file(&self, path: &str, sha256: &Digest) -> FileFate {
        self.0.drop_file(path, sha256)
    }
}

struct Story {
    world: Arc<World>,
    patient: Party,
    hospital: Party,
    reader: Party,
    calls: Arc<Calls>,
    record: RecordId,
}

async fn paired(world: &World, patient: &Party, provider: &Party, name: &str) -> AccountId {
    provider.register_account().await.unwrap();
    let jwt = world.accredit(provider.account().id(), name);
    let invitation = patient.invite().await.unwrap();
    let answered = provider.answer(&invitation, Some(&jwt)).await.unwrap();
    patient.sync().await.unwrap();
    patient.confirm(answered.owner).unwrap();
    answered.owner
}

/// A reader that counts its calls read a record of the hospital.
async fn read_one(seed: u64) -> Story {
    let world = World::new(seed);
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    let calls = Arc::new(Calls::default());
    let vault = CountedVault(MemoryVault::default(), calls.clone());
    let mut ports = world.ports_with(Arc::new(vault));
    ports.events = Arc::new(CountedEvents(ports.events, calls.clone()));
    let reader = Party::new(phrase(3).seed(), Role::Provider, ports);
    let writes = paired(&world, &patient, &hospital, "Hana Hospital").await;
    let reads = paired(&world, &patient, &reader, "Bit Clinic").await;
    let until = world.ports().clock.now().plus(60 * 86_400);
    patient
        .grant_write(writes, medical_only(), until)
        .await
        .unwrap();
    let written = hospital.write_for(writes, draft("potassium 8.4")).await;
    let record = written.unwrap().record;
    patient.sync().await.unwrap();
    reader
        .ask(reads, Purpose::Treatment, "care", until)
        .await
        .unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().remove(0);
    patient.approve(&request, record, until).await.unwrap();
    reader.sync().await.unwrap();
    reader.read(record).await.unwrap();
    reader.sync().await.unwrap();
    Story {
        world,
        patient,
        hospital,
        reader,
        calls,
        record,
    }
}

impl Story {
    /// The hospital corrects the record by anchors with nothing behind them: the records, in their order.
    async fn flood(&self, from: u16, count: u16) -> Vec<RecordId> {
        let key = phrase(2).seed().account_key();
        let amended = self.patient.record(self.record).unwrap().anchor;
        let mut records = Vec::new();
        for n in from..from + count {
            let mut nonce = [7; 32];
            nonce[..2].copy_from_slice(&n.to_be_bytes());
            let anchor = AnchorFields {
                nonce: Nonce::new(nonce),
                amends: Some(self.record),
                ..amended
            };
            let amend = Call::Amend { anchor, amended };
            call(&self.world.ports(), &key, &amend).await.unwrap();
            records.push(anchor.record_id());
        }
        records
    }
}

#[tokio::test]
async fn many_corrections_of_one_record_cost_a_sync_what_one_does() {
    let story = read_one(41).await;
    story.flood(0, 1).await;
    story.calls.take();
    story.reader.sync().await.unwrap();
    let one = story.calls.take();
    let flood = story.flood(1, MANY).await;
    let report = story.reader.sync().await.unwrap();
    assert_eq!(story.calls.take(), one, "blocks, rows and tables asked for");
    let told: Vec<_> = report
        .corrected
        .iter()
        .map(|told| (told.of.record, told.by.record, told.earlier))
        .collect();
    let newest = *flood.last().unwrap();
    assert_eq!(told, [(story.record, newest, usize::from(MANY) - 1)]);
    let kept = story.reader.corrections(story.record).unwrap();
    assert_eq!(kept.len(), usize::from(MANY) + 1);
    assert_eq!(kept[0].record, newest);
    assert!(kept.iter().all(|one| one.anchored.is_some()));
    let (newest_known, earlier) = story
        .reader
        .all_corrections()
        .unwrap()
        .standing(story.record)
        .unwrap();
    assert_eq!(
        (newest_known.record, earlier),
        (newest, usize::from(MANY)),
        "with the one of before"
    );
    assert_eq!(story.reader.sync().await.unwrap().corrected, []);
    println!("ATTACK fourth-4: 300 corrections ask the ports for what one does");
}

/// A consent that ended takes the key along, so that the chain is asked who wrote the record: once.
#[tokio::test]
async fn who_wrote_what_is_no_more_here_is_asked_once() {
    let story = read_one(42).await;
    let (grant, _) = story.patient.grants().unwrap().remove(0);
    story.patient.revoke(grant).await.unwrap();
    story.reader.sync().await.unwrap();
    story.flood(0, MANY).await;
    story.calls.take();
    let report = story.reader.sync().await.unwrap();
    assert_eq!(report.corrected.len(), 1);
    assert_eq!(report.corrected[0].earlier, usize::from(MANY) - 1);
    let [events, ..] = story.calls.take();
    assert!(events < usize::from(MANY) / 4, "{events} questions");
}

/// Corrections that were all taken back are told in one line, too.
#[tokio::test]
async fn many_corrections_that_were_taken_back_are_told_once() {
    let story = read_one(43).await;
    let flood = story.flood(0, 40).await;
    story.reader.sync().await.unwrap();
    let key = phrase(2).seed().account_key();
    let amended = story.patient.record(story.record).unwrap().anchor;
    for n in 0_u16..40 {
        let mut nonce = [7; 32];
        nonce[..2].copy_from_slice(&n.to_be_bytes());
        let anchor = AnchorFields {
            nonce: Nonce::new(nonce),
            amends: Some(story.record),
            ..amended
        };
        let retracts = Call::Retract(anchor);
        call(&story.world.ports(), &key, &retracts).await.unwrap();
    }
    for home in [&story.reader, &story.patient] {
        let report = home.sync().await.unwrap();
        let told: Vec<_> = report
            .taken_back
            .iter()
            .map(|told| (told.of.record, told.correction, told.others))
            .collect();
        assert_eq!(told, [(story.record, flood.last().copied(), 39)]);
        assert_eq!(report.corrected, []);
        // It is not right again: the newest is told as one that stands no more.
        let standing = home.all_corrections().unwrap().standing(story.record);
        let standing = standing.map(|(one, others)| (one.record, one.stands(), others));
        let last = flood.last().copied().unwrap();
        assert_eq!(standing, Some((last, false, 0)));
    }
    let written = story.hospital.sync().await.unwrap();
    assert_eq!(written.taken_back, [], "who took it back knows");
}

/// Corrections of corrections that stand in one block keep their order.
#[tokio::test]
async fn the_last_correction_of_a_block_is_the_newest() {
    let story = read_one(44).await;
    let first = story.patient.record(story.record).unwrap().anchor;
    let (mut batch, mut amended) = (Vec::new(), vec![first]);
    for n in 0_u8..8 {
        let before = amended[usize::from(n)];
        let anchor = AnchorFields {
            nonce: Nonce::new([n + 1; 32]),
            amends: Some(before.record_id()),
            ..first
        };
        batch.push(anchor);
        amended.push(anchor);
    }
    amended.pop();
    let mut newest_first: Vec<_> = batch.iter().map(AnchorFields::record_id).collect();
    newest_first.reverse();
    let key = phrase(2).seed().account_key();
    let anchors = Call::AnchorBatch { batch, amended };
    call(&story.world.ports(), &key, &anchors).await.unwrap();
    let (own, ports) = (phrase(1), story.world.ports());
    let restored = Party::restore(&own, Role::Person, ports).await;
    let (restored, told) = restored.unwrap();
    assert_eq!(told.sync.corrected.len(), 1);
    assert_eq!(told.sync.corrected[0].by.record, newest_first[0]);
    for home in [&story.reader, &story.patient, &restored] {
        home.sync().await.unwrap();
        let known = home.corrections(story.record).unwrap();
        let known: Vec<_> = known.iter().map(|one| one.record).collect();
        assert_eq!(known, newest_first);
    }
}
