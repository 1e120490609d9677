//! A party that is paired, or that may write, asks for more than its share; and strangers send what nobody asked for.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use medibloc_consent::{BindingTag, Grant, Purpose, Scope, Terms};
use medibloc_dag::{Block, Cid};
use medibloc_evil::author::{Author, Changes, file};
use medibloc_evil::mutate::Dice;
use medibloc_evil::owner::{Owner, call};
use medibloc_evil::paired::press;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{
    AccessRequest, Change, FileFate, Message, Party, PortError, Row, VaultPort, medical_only,
};
use medibloc_keys::{Entropy as _, Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, Facts as _};
use medibloc_record::{
    AccountId, Digest, Draft, Kind, LossReport, Nonce, Part, PartRole, Record, Role, Timestamp,
};

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn key(seed: u64) -> SigningKey {
    let mut bytes = [0; 32];
    SeededEntropy::new(seed).fill(&mut bytes);
    SigningKey::from_bytes(&bytes).unwrap()
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
    patient_vault: Arc<MemoryVault>,
    owner: AccountId,
    until: Timestamp,
}

async fn story(seed: u64) -> Story {
    let world = World::new(seed);
    let patient_vault = Arc::new(MemoryVault::default());
    let patient = Party::new(
        phrase(1).seed(),
        Role::Person,
        world.ports_with(patient_vault.clone()),
    );
    let clinic = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    let until = world.ports().clock.now().plus(7 * 86_400);
    patient
        .grant_write(owner, medical_only(), until)
        .await
        .unwrap();
    clinic.sync().await.unwrap();
    Story {
        world,
        patient,
        clinic,
        patient_vault,
        owner,
        until,
    }
}

/// A clinic's key as a hostile program uses it, and what it needs to write.
async fn author(story: &Story) -> Author {
    let committee = story.world.ledger.committee().await.unwrap();
    Author {
        key: phrase(2).seed().account_key(),
        domain: story.world.ports().domain,
        committee: committee.committee,
    }
}

fn size(vault: &MemoryVault) -> usize {
    vault.dump().iter().map(Vec::len).sum()
}

fn numbered(number: u64) -> [u8; 32] {
    let mut id = [0xab; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id
}

/// The patient's own key at the address that it is paired with.
fn patient_key(story: &Story) -> SigningKey {
    let seed = phrase(1).seed();
    (0..30)
        .map(|n| seed.relationship_key(n))
        .find(|key| AccountId::from_first_address(key.address()) == story.owner)
        .unwrap()
}

/// Before: 40 letters made a hospital register 640 addresses.
#[tokio::test]
async fn letters_that_want_readers_register_a_bounded_number_of_addresses() {
    let story = story(1).await;
    let ports = story.world.ports();
    let pairing = story.patient.contacts().unwrap()[0]
        .pairing
        .clone()
        .unwrap();
    let to = story.clinic.account().address;
    let before = story.clinic.addresses().unwrap().len();
    let message = Message::WantReaders { count: 16 };
    press(&ports, &patient_key(&story), to, &pairing, &message, 40)
        .await
        .unwrap();
    story.clinic.sync().await.unwrap();
    let more = story.clinic.addresses().unwrap().len() - before;
    println!("ATTACK party-2: {more} addresses registered for 40 letters");
    assert_eq!(more, 0, "it gave nothing to read, and four are open");
    // What it offers again is what it offered.
    story.patient.sync().await.unwrap();
    let unused = story.patient.contacts().unwrap()[0].unused.len();
    assert_eq!(unused, 4);
}

/// Before: 1,000 requests of one contact were kept, also after everything was taken back from it.
#[tokio::test]
async fn of_one_contacts_requests_the_newest_are_kept_and_go_when_it_loses_everything() {
    let story = story(2).await;
    let ports = story.world.ports();
    let patron = story.clinic.patrons().unwrap().remove(0);
    let (evil, pairing) = (phrase(2).seed().account_key(), patron.pairing.unwrap());
    let request = |reason: &str| {
        Message::Access(AccessRequest {
            purpose: Purpose::Treatment,
            reason: reason.into(),
            categories: Vec::new(),
            dates: None,
            until: Timestamp(u64::MAX),
            readers: Vec::new(),
            credential: None,
        })
    };
    let to = story.owner.first_address();
    press(
        &ports,
        &evil,
        to,
        &pairing,
        &request(&"x".repeat(4_096)),
        1_000,
    )
    .await
    .unwrap();
    let report = story.patient.sync().await.unwrap();
    let kept = story.patient.requests().unwrap().len();
    assert!(
        report.told.iter().any(|told| told.contains("984")),
        "{:?}",
        report.told
    );
    // The newest is among them.
    story
        .clinic
        .ask(story.owner, Purpose::Treatment, "the newest", story.until)
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let requests = story.patient.requests().unwrap();
    assert!(requests.iter().any(|it| it.request.reason == "the newest"));
    assert_eq!((kept, requests.len()), (16, 16));
    story.patient.revoke_contact(story.owner).await.unwrap();
    let left = story.patient.requests().unwrap().len();
    println!(
        "ATTACK party-9: {kept} of 1,000 requests kept, {left} after everything was taken back"
    );
    assert_eq!(left, 0);
}

/// Before: a sync took 0.06, 0.21, 1.08 and 4.83 s for 250, 500, 1,000 and 2,000 of each.
#[tokio::test]
async fn strangers_grants_and_revocations_ask_nothing_of_the_vault() {
    let mut looks = Vec::new();
    for count in [50u64, 100] {
        let world = World::new(3);
        let vault = Arc::new(Counting::default());
        let patient = Party::new(
            phrase(1).seed(),
            Role::Person,
            world.ports_with(vault.clone()),
        );
        let ports = world.ports();
        patient.write_own(draft("own")).await.unwrap();
        patient.sync().await.unwrap();
        let evil = Owner::register(&ports, key(66), 66).await.unwrap();
        let me = AccountId::from_first_address(evil.key.address());
        let nobody = AccountId::new([9; 20]);
        for number in 0..count {
            let grant = empty_grant(me, nobody, number, ports.clock.now());
            call(
                &ports,
                &evil.key,
                &Call::Grant {
                    grant: grant.clone(),
                    anchor: None,
                },
            )
            .await
            .unwrap();
            call(&ports, &evil.key, &Call::Revoke(grant)).await.unwrap();
        }
        for _ in 0..count {
            call(&ports, &evil.key, &Call::RevokeReader { reader: nobody })
                .await
                .unwrap();
            call(&ports, &evil.key, &Call::RevokeAll).await.unwrap();
        }
        vault.reset();
        patient.sync().await.unwrap();
        let synced = vault.reset();
        let restoring = Arc::new(Counting::default());
        Party::restore(
            &phrase(1),
            Role::Person,
            world.ports_with(restoring.clone()),
        )
        .await
        .unwrap();
        looks.push((synced, restoring.reset()));
    }
    println!(
        "ATTACK party-6: lists and writes of the vault for 50 and 100 of each of a stranger's events: {looks:?}"
    );
    assert_eq!(looks[0], looks[1], "they grow with a stranger's events");
}

/// A vault that counts its lists and writes.
#[derive(Default)]
struct Counting {
    vault: MemoryVault,
    count: AtomicUsize,
}

impl Counting {
    fn reset(&self) -> usize {
        self.count.swap(0, Ordering::Relaxed)
    }
}

impl VaultPort for Counting {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        self.vault.get(table, key)
    }
    fn list(&self, table: &str) -> Result<Vec<Row>, PortError> {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.vault.list(table)
    }
    fn apply(&self, changes: Vec<Change>) -> Result<(), PortError> {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.vault.apply(changes)
    }
    fn put_blob(&self, block: &Block) -> Result<(), PortError> {
        self.vault.put_blob(block)
    }
    fn blob(&self, cid: &Cid) -> Result<Option<Vec<u8>>, PortError> {
        self.vault.blob(cid)
    }
    fn drop_blob(&self, cid: &Cid) -> Result<(), PortError> {
        self.vault.drop_blob(cid)
    }
    fn settle(&self) -> Result<(), PortError> {
        self.vault.settle()
    }
    fn drop_file(&self, path: &str, sha256: &Digest) -> FileFate {
        self.vault.drop_file(path, sha256)
    }
}

fn empty_grant(owner: AccountId, reader: AccountId, number: u64, from: Timestamp) -> Grant {
    let terms = Terms {
        scope: Scope::All,
        purpose_tag: Purpose::Treatment.tag([1; 32]),
        from,
        until: Timestamp(u64::MAX >> 1),
        reads: None,
        binding: BindingTag::default(),
        digest: Digest::new(numbered(number)),
    };
    Grant::new(owner, reader, Nonce::new(numbered(number)), terms)
}

/// Before: a restore said for ever that 150 things could not be fetched.
#[tokio::test]
async fn a_strangers_grants_of_nothing_leave_no_restore_open() {
    let story = story(4).await;
    let ports = story.world.ports();
    story.patient.write_own(draft("own")).await.unwrap();
    story.patient.sync().await.unwrap();
    let evil = Owner::register(&ports, key(66), 66).await.unwrap();
    let me = AccountId::from_first_address(evil.key.address());
    for number in 0..300 {
        let grant = empty_grant(me, story.owner, number, ports.clock.now());
        call(
            &ports,
            &evil.key,
            &Call::Grant {
                grant,
                anchor: None,
            },
        )
        .await
        .unwrap();
    }
    story.patient.sync().await.unwrap();
    let vault = Arc::new(MemoryVault::default());
    let ports = story.world.ports_with(vault.clone());
    let (restored, report) = Party::restore(&phrase(1), Role::Person, ports)
        .await
        .unwrap();
    assert_eq!(report.advice(), None, "{:?}", report.sync.later);
    let rows = || vault.list("missed").unwrap().len();
    let first = rows();
    assert!((1..=256).contains(&first), "{first}");
    for _ in 0..60 {
        story.world.pass(86_400);
        restored.sync().await.unwrap();
    }
    println!(
        "ATTACK party-7: 0 things open after 300 grants of a stranger, {first} rows, {} after 60 days",
        rows()
    );
    assert_eq!(rows(), 0);
}

/// Before: 16 MiB of eight refused records stayed in the owner's vault.
#[tokio::test]
async fn nothing_of_a_refused_record_stays_in_the_owners_vault() {
    let story = story(5).await;
    let (ports, author) = (story.world.ports(), author(&story).await);
    let owner_key = ports
        .facts
        .account(story.owner)
        .await
        .unwrap()
        .unwrap()
        .sealing_key;
    let mut dice = Dice::new(5);
    let before = size(&story.patient_vault);
    for number in 0..8 {
        let record = Record::normalise(draft("x"), Kind::Medical, ports.clock.now()).unwrap();
        let parts = vec![
            Part::from_bytes(PartRole::Original, "text/plain", "x".into()),
            Part::from_bytes(PartRole::Index, "text/plain", "{}".into()),
        ];
        let made = author.make(
            (story.owner, owner_key),
            record.into_parts().0,
            parts,
            &mut dice,
        );
        let mut pieces = made.unwrap();
        // Noise in the place of the part: of four leaves, with another length than its manifest says, or of one.
        let length = if number % 2 == 0 { 3 << 20 } else { 4_096 };
        let noise: Vec<u8> = (0..length)
            .map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0] ^ number)
            .collect();
        let (root, blocks) = file(&noise).unwrap();
        pieces.replace_part(0, root, blocks);
        let mut closed = pieces
            .close(&author, Changes::default(), &mut dice)
            .unwrap();
        if number % 4 == 2 {
            // It lacks one object: looked at again, and no better then.
            closed.blocks.pop();
        }
        ports
            .network
            .store(&author.key)
            .put(closed.blocks)
            .await
            .unwrap();
        call(&ports, &author.key, &Call::Anchor(closed.anchor))
            .await
            .unwrap();
    }
    let report = story.patient.sync().await.unwrap();
    assert_eq!(report.not_accepted.len(), 8);
    let more = size(&story.patient_vault) - before;
    println!(
        "ATTACK party-8: {} KiB more in the vault after 8 refused records of 12 MiB",
        more >> 10
    );
    assert!(
        more < 64 << 10,
        "{more} bytes of refused records are in the vault"
    );
}

/// Before: the next process gave the grant up, for ever.
#[tokio::test]
async fn a_grant_whose_object_was_away_once_is_taken_by_the_next_process() {
    let story = story(7).await;
    let record = story.patient.write_own(draft("own")).await.unwrap().record;
    story
        .clinic
        .ask(story.owner, Purpose::Treatment, "care", story.until)
        .await
        .unwrap();
    story.patient.sync().await.unwrap();
    let request = story.patient.requests().unwrap().remove(0);
    let id = story
        .patient
        .approve(&request, record, story.until)
        .await
        .unwrap();
    // The clinic restores from its phrase while the node lacks the grant's object.
    let mut given = story.patient.grants().unwrap().into_iter();
    let given = given.find(|it| it.0 == id).unwrap().1;
    let digest = given.artefact.grant.unwrap().terms.digest;
    let cid = Cid::from_dag_cbor_digest(digest.to_bytes());
    let store = story.world.store.clone();
    let bytes = medibloc_store::Store::get(store.as_ref(), &cid)
        .await
        .unwrap()
        .unwrap();
    medibloc_store::OwnStore::remove(store.as_ref(), &[cid])
        .await
        .unwrap();
    let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
    let ports = story.world.ports_with(vault.clone());
    drop(
        Party::restore(&phrase(2), Role::Provider, ports)
            .await
            .unwrap(),
    );
    let block = Block::new(cid, bytes).unwrap();
    medibloc_store::Store::put(store.as_ref(), vec![block])
        .await
        .unwrap();
    let next = Party::new(
        phrase(2).seed(),
        Role::Provider,
        story.world.ports_with(vault),
    );
    let report = next.sync().await.unwrap();
    println!(
        "ATTACK party-4: {} of 1 grant taken by the next process",
        report.grants
    );
    assert_eq!((report.grants, report.given_up), (1, Vec::new()));
    next.read(record).await.unwrap();
}

/// Before: three records of 16,002 parts were accepted; the sync took 15.5 s, and each list 0.43 s.
#[tokio::test]
async fn a_record_has_no_more_parts_than_a_document_and_none_twice() {
    let story = story(8).await;
    let (ports, author) = (story.world.ports(), author(&story).await);
    let owner_key = ports
        .facts
        .account(story.owner)
        .await
        .unwrap()
        .unwrap()
        .sealing_key;
    let mut dice = Dice::new(8);
    let before = size(&story.patient_vault);
    for (copies, told) in [(1_000, "at most 256"), (1, "stands in it twice")] {
        let record = Record::normalise(draft("x"), Kind::Medical, ports.clock.now()).unwrap();
        let parts = vec![
            Part::from_bytes(PartRole::Original, "text/plain", "x".into()),
            Part::from_bytes(PartRole::Index, "text/plain", "{}".into()),
        ];
        let made = author.make(
            (story.owner, owner_key),
            record.into_parts().0,
            parts,
            &mut dice,
        );
        let mut pieces = made.unwrap();
        let part = pieces.manifest.parts[0].clone();
        let size = pieces.package.parts[0].size;
        pieces
            .manifest
            .parts
            .extend(std::iter::repeat_n(part, copies));
        pieces.name_parts(size);
        let closed = pieces
            .close(&author, Changes::default(), &mut dice)
            .unwrap();
        for blocks in closed.blocks.chunks(200) {
            ports
                .network
                .store(&author.key)
                .put(blocks.to_vec())
                .await
                .unwrap();
        }
        call(&ports, &author.key, &Call::Anchor(closed.anchor))
            .await
            .unwrap();
        let report = story.patient.sync().await.unwrap();
        assert!(report.accepted.is_empty(), "{report:?}");
        assert!(report.not_accepted[0].1.contains(told), "{report:?}");
    }
    let more = size(&story.patient_vault) - before;
    println!(
        "ATTACK party-3: 0 of 2 records accepted, {} KiB more in the vault",
        more >> 10
    );
    assert!(more < 64 << 10, "{more}");
}
