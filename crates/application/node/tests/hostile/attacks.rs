//! What strangers and authors with valid keys did to a node, tried again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use medibloc_api::{Code, LetterPage, paths};
use medibloc_consent::{AnchorFields, KindSet, WriteGrant};
use medibloc_dag::{Block, Cid, Codec, cbor};
use medibloc_keys::SigningKey;
use medibloc_ledger::{BlockEvents, Call, Event, Events, LedgerError, MemoryLedger};
use medibloc_node::{DailyLimits, Upkeep};
use medibloc_record::{AccountId, Digest, Kind, Nonce, RecordId, Role, Timestamp};
use medibloc_store::{MemoryStore, OwnStore, Store, StoreError};

use crate::http::{Draft, Ground, METRICS, NOW, code, letter, serve};
use crate::{anchor, flags, get, ids, package_of, put};

pub(crate) fn id(key: &SigningKey) -> AccountId {
    AccountId::from_first_address(key.address())
}

pub(crate) fn leaf(bytes: &[u8]) -> Block {
    Block::of(Codec::Raw, bytes.to_vec()).unwrap()
}

pub(crate) fn object(text: &str) -> Block {
    Block::of(Codec::DagCbor, cbor::to_vec(&text)).unwrap()
}

/// A record's blocks, the package first, and its anchor.
pub(crate) fn record_of(
    author: &SigningKey,
    owner: &SigningKey,
    nonce: u8,
    leaves: &[Block],
) -> (Vec<Block>, AnchorFields) {
    let record = RecordId::derive(id(author), id(owner), Nonce::new([nonce; 32]));
    let package = package_of(record, &leaves.iter().collect::<Vec<_>>());
    let others =
        ["key set", "capsule", "attestation"].map(|what| object(&format!("{what} {record}")));
    let named = [
        package.cid(),
        others[0].cid(),
        others[1].cid(),
        others[2].cid(),
    ];
    let fields = AnchorFields {
        author: id(author),
        kind: if id(author) == id(owner) {
            Kind::Own
        } else {
            Kind::Medical
        },
        ..anchor(id(owner), nonce, named)
    };
    let mut blocks = vec![package];
    blocks.extend(others);
    blocks.extend_from_slice(leaves);
    (blocks, fields)
}

/// The owner lets an author write for it.
pub(crate) async fn let_write(
    ground: &Ground,
    owner: &SigningKey,
    author: &SigningKey,
    object: Digest,
) {
    let now = NOW;
    ground
        .ledger
        .accredit(id(author), now, now.plus(1_000_000), Digest::of(b"jwt"));
    let grant = WriteGrant {
        nonce: Nonce::new([author.address().as_bytes()[0]; 32]),
        owner: id(owner),
        author: id(author),
        kinds: KindSet::of(&[Kind::Medical]),
        until: now.plus(500_000),
        digest: object,
    };
    ground.call(owner, &Call::GrantWrite(grant)).await;
}

/// A store that counts what it is asked, and panics over one block.
struct Watched {
    inner: Arc<MemoryStore>,
    asked: AtomicU64,
    bad: Mutex<Option<Cid>>,
    panics: AtomicU64,
}

impl Watched {
    fn over(inner: &Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self {
            inner: inner.clone(),
            asked: AtomicU64::new(0),
            bad: Mutex::default(),
            panics: AtomicU64::new(0),
        })
    }
}

#[async_trait]
impl Store for Watched {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.inner.put(blocks).await
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let is_bad = self.bad.lock().unwrap().as_ref() == Some(cid);
        if is_bad {
            self.panics.fetch_add(1, Ordering::SeqCst);
            panic!("a block that ends whoever reads it");
        }
        self.inner.get(cid).await
    }

    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        self.asked.fetch_add(cids.len() as u64, Ordering::SeqCst);
        self.inner.has(cids).await
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.inner.erase(cids).await
    }

    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.inner.erased(cid).await
    }
}

#[async_trait]
impl OwnStore for Watched {
    async fn remove(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.inner.remove(cids).await
    }
}

pub(crate) async fn over(
    ground: &Ground,
    store: Arc<dyn OwnStore>,
    events: Arc<dyn Events>,
) -> (String, Upkeep) {
    let (said, upkeep) = std::sync::mpsc::channel();
    let url = serve(|url| {
        let limits = DailyLimits::default();
        let (router, upkeep) = ground.gateway_over(url, limits, store, events);
        said.send(upkeep).unwrap();
        router
    })
    .await;
    (url, upkeep.recv().unwrap())
}

#[tokio::test]
async fn an_erasure_is_not_undone_by_whoever_names_the_same_objects() {
    let ground = Ground::new();
    let owner = ground.registered(1).await;
    let author = ground.registered_as(2, Role::Provider).await;
    let (url, upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
    let_write(&ground, &owner, &author, Digest::of(b"object")).await;
    let (blocks, fields) = record_of(&author, &owner, 1, &[leaf(b"one"), leaf(b"two")]);
    put(&blocks).by(&url, &author).await.unwrap();
    ground.call(&author, &Call::Anchor(fields)).await;
    let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    let has = ids(paths::HAS, &cids).by(&url, &owner).await.unwrap();
    assert_eq!(flags(&has), [true; 6]);
    // Before and after the erasure the author anchors records of its own: one that names the very digests, one whose
    // own package leads to the same leaves.
    let name_again = async |nonce: u8| {
        let objects = [&cids[0], &cids[1], &cids[2], &cids[3]];
        let named = anchor(id(&author), nonce, objects);
        ground.call(&author, &Call::Anchor(named)).await;
        let leaves = &blocks[4..];
        let (own, fields) = record_of(&author, &author, nonce + 1, leaves);
        let brought = put(&own).by(&url, &author).await;
        let objects = put(&own[..4]).by(&url, &author).await;
        ground.call(&author, &Call::Anchor(fields)).await;
        (code(brought), code(objects))
    };
    assert_eq!(name_again(10).await, (None, None));
    ground.call(&owner, &Call::Erase(fields)).await;
    assert!(upkeep.once().await);
    assert_eq!(name_again(20).await, (Some(Code::Erased), None));
    assert!(upkeep.once().await);
    let mut served = 0;
    for cid in &cids {
        for key in [&owner, &author] {
            let answer = get(cid).by(&url, key).await;
            served += u32::from(answer.is_ok());
            assert_eq!(code(answer), Some(Code::Erased), "{cid}");
        }
    }
    assert_eq!(ground.store.has(&cids).await.unwrap(), [false; 6]);
    println!(
        "ATTACK security-6: {served} of 6 objects served after the owner's erasure, 4 later anchors named them"
    );
}

#[tokio::test]
async fn an_author_does_not_come_by_anothers_grant_object_by_naming_it() {
    let ground = Ground::new();
    let (owner, author, clinic) = (
        ground.registered(1).await,
        ground.registered_as(2, Role::Provider).await,
        ground.registered_as(3, Role::Provider).await,
    );
    let (url, upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
    let secret = object("sealed for the clinic alone");
    put(std::slice::from_ref(&secret))
        .by(&url, &owner)
        .await
        .unwrap();
    let digest = Digest::new(secret.cid().digest());
    let_write(&ground, &owner, &clinic, digest).await;
    // The same owner lets the attacker write, too; it names the clinic's object as its own record's key set.
    let other = object("for the attacker");
    put(std::slice::from_ref(&other))
        .by(&url, &owner)
        .await
        .unwrap();
    let_write(&ground, &owner, &author, Digest::new(other.cid().digest())).await;
    let (blocks, fields) = record_of(&author, &owner, 1, &[leaf(b"one")]);
    put(&blocks).by(&url, &author).await.unwrap();
    for (nonce, key_set, capsule) in [(1, digest, fields.capsule), (2, fields.key_set, digest)] {
        let (own, fields) = record_of(&author, &owner, nonce, &[leaf(b"one")]);
        put(&own).by(&url, &author).await.unwrap();
        let fields = AnchorFields {
            key_set,
            capsule,
            ..fields
        };
        ground.call(&author, &Call::Anchor(fields)).await;
    }
    assert!(upkeep.once().await);
    let stolen = get(secret.cid()).by(&url, &author).await;
    let has = ids(paths::HAS, &[*secret.cid()])
        .by(&url, &author)
        .await
        .unwrap();
    println!(
        "ATTACK security-13: {} objects of another's grant fetched",
        u8::from(stolen.is_ok())
    );
    assert_eq!(code(stolen), Some(Code::NotFound));
    assert_eq!(flags(&has), [false]);
    for key in [&owner, &clinic] {
        assert_eq!(
            get(secret.cid()).by(&url, key).await.unwrap(),
            secret.bytes()
        );
    }
}

#[tokio::test]
async fn sixty_junk_packages_keep_nobody_waiting() {
    let ground = Ground::new();
    let (owner, author, good) = (
        ground.registered(1).await,
        ground.registered_as(2, Role::Provider).await,
        ground.registered_as(3, Role::Provider).await,
    );
    let (url, _upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
    // Each names 4,000 leaves that never come.
    for nonce in 0..60u8 {
        let missing: Vec<Block> = (0..4_000u32)
            .map(|number| leaf(&[nonce.to_be_bytes().as_slice(), &number.to_be_bytes()].concat()))
            .collect();
        let (blocks, fields) = record_of(&author, &author, nonce, &missing);
        put(&blocks[..4]).by(&url, &author).await.unwrap();
        ground.call(&author, &Call::Anchor(fields)).await;
    }
    let_write(&ground, &owner, &good, Digest::of(b"object")).await;
    let (blocks, fields) = record_of(&good, &owner, 100, &[leaf(b"good")]);
    put(&blocks).by(&url, &good).await.unwrap();
    ground.call(&good, &Call::Anchor(fields)).await;
    let began = Instant::now();
    for block in &blocks {
        assert_eq!(
            get(block.cid()).by(&url, &owner).await.unwrap(),
            block.bytes()
        );
    }
    let took = began.elapsed().as_secs_f32();
    println!(
        "ATTACK security-9: 5 blocks of a new good record in {took:.2} s beside 60 junk packages"
    );
    assert!(took < 5.0, "{took} s");
}

#[tokio::test]
async fn what_ends_the_task_that_looks_at_it_is_set_aside_for_good() {
    let ground = Ground::new();
    let (owner, author) = (ground.registered(1).await, ground.registered(2).await);
    let store = Watched::over(&ground.store);
    let (url, upkeep) = over(&ground, store.clone(), ground.ledger.clone()).await;
    let (bad, fields) = record_of(&author, &author, 1, &[leaf(b"bad")]);
    put(&bad).by(&url, &author).await.unwrap();
    *store.bad.lock().unwrap() = Some(*bad[0].cid());
    ground.call(&author, &Call::Anchor(fields)).await;
    let (blocks, fields) = record_of(&owner, &owner, 2, &[leaf(b"good")]);
    put(&blocks).by(&url, &owner).await.unwrap();
    ground.call(&owner, &Call::Anchor(fields)).await;
    assert!(upkeep.once().await);
    for block in &blocks {
        assert_eq!(
            get(block.cid()).by(&url, &owner).await.unwrap(),
            block.bytes()
        );
    }
    assert_eq!(store.panics.load(Ordering::SeqCst), 1);
    // An answer that panics ends alone, too, and both are counted.
    let answer = get(bad[0].cid()).by(&url, &author).await;
    assert_eq!(code(answer), Some(Code::Internal));
    let figures = Draft::get(METRICS).send(&url, None).await.unwrap();
    let figures = String::from_utf8(figures).unwrap();
    for task in ["index", "answer"] {
        let none = format!("medibloc_panics_total{{task=\"{task}\"}} 0");
        assert!(figures.contains("medibloc_panics_total") && !figures.contains(&none));
    }
    // A restart does not look at it again.
    let (again, upkeep) = over(&ground, store.clone(), ground.ledger.clone()).await;
    assert!(upkeep.once().await && upkeep.once().await);
    assert_eq!(
        get(blocks[0].cid()).by(&again, &owner).await.unwrap(),
        blocks[0].bytes()
    );
    let panics = store.panics.load(Ordering::SeqCst);
    assert_eq!(panics, 2, "one in the index, one in the answer");
    println!(
        "ATTACK security-3: 1 panic of a hostile package in two starts, every other answer given"
    );
}

#[tokio::test]
async fn asking_whether_something_is_there_costs_the_node_the_same_work_either_way() {
    let ground = Ground::new();
    let (owner, spy) = (ground.registered(1).await, ground.registered(2).await);
    let store = Watched::over(&ground.store);
    let (url, upkeep) = over(&ground, store.clone(), ground.ledger.clone()).await;
    let (blocks, fields) = record_of(&owner, &owner, 1, &[leaf(b"there")]);
    put(&blocks).by(&url, &owner).await.unwrap();
    ground.call(&owner, &Call::Anchor(fields)).await;
    assert!(upkeep.once().await);
    let (there, not) = (*blocks[4].cid(), Cid::of_raw(b"not there"));
    let cost = async |draft: Draft| {
        let before = store.asked.load(Ordering::SeqCst);
        let _ = draft.by(&url, &spy).await;
        store.asked.load(Ordering::SeqCst) - before
    };
    let mut told = Vec::new();
    for target in [paths::HAS, paths::ERASED, paths::GET] {
        let costs = (
            cost(ids(target, &[there])).await,
            cost(ids(target, &[not])).await,
        );
        assert_eq!(costs.0, costs.1, "{target}");
        told.push(costs);
    }
    let costs = (cost(get(&there)).await, cost(get(&not)).await);
    assert_eq!(costs.0, costs.1, "GET");
    println!("ATTACK security-16: look-ups for present and absent: {told:?} and {costs:?}");
}

#[tokio::test]
async fn one_sender_does_not_fill_a_mailbox_and_strangers_displace_no_paired_one() {
    let ground = Ground::new();
    let (victim, friend, greedy) = (
        ground.registered(1).await,
        ground.registered(2).await,
        ground.registered(3).await,
    );
    let (url, _upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
    let send = async |from: &SigningKey, to: &SigningKey, number: u16, bytes: usize| {
        let mut letter = letter(from, to, 0, bytes);
        letter.id[..2].copy_from_slice(&number.to_be_bytes());
        letter.id[2..22].copy_from_slice(from.address().as_bytes());
        code(
            Draft::post(paths::MAILBOX, cbor::to_vec(&letter))
                .by(&url, from)
                .await,
        )
    };
    // Whom the victim wrote to is paired.
    assert_eq!(send(&victim, &friend, 1, 10).await, None);
    assert_eq!(send(&friend, &victim, 1, 10).await, None);
    let mut kept = 0;
    for number in 0..130 {
        kept += u32::from(send(&greedy, &victim, number, 250_000).await.is_none());
    }
    assert_eq!(kept, 4, "1 MiB");
    // Sixty strangers send as much as they may.
    for seed in 10..70 {
        let stranger = ground.registered(seed).await;
        for number in 0..10 {
            let _ = send(&stranger, &victim, number, 120_000).await;
        }
    }
    assert_eq!(send(&friend, &victim, 2, 250_000).await, None, "paired");
    let late = ground.registered(99).await;
    assert_eq!(
        send(&late, &victim, 1, 1_000).await,
        None,
        "one small letter of a new stranger"
    );
    let (mut friends, mut strangers, mut lates, mut after) = (0, 0usize, 0, 0);
    loop {
        let page = Draft::get(paths::letters(after))
            .by(&url, &victim)
            .await
            .unwrap();
        let page: LetterPage = cbor::from_slice(&page).unwrap();
        for letter in &page.letters {
            let bytes = letter.wrapped.ciphertext.len();
            if letter.sender == friend.address() {
                friends += 1;
            } else {
                lates += u32::from(letter.sender == late.address());
                strangers += bytes;
            }
        }
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!((friends, lates), (2, 1));
    assert!(strangers <= 8 << 20);
    println!(
        "ATTACK security-14: {kept} of 130 letters of one sender kept, strangers have {} KiB, the paired sender both its letters",
        strangers >> 10
    );
}

/// The chain with one more block, in which an account's address is another.
struct Rotated {
    ledger: Arc<MemoryLedger>,
    last: Mutex<Option<BlockEvents>>,
}

#[async_trait]
impl Events for Rotated {
    async fn events(&self, from: u64, limit: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        let mut blocks = self.ledger.events(from, limit).await?;
        let last = self.last.lock().unwrap().clone();
        blocks.extend(last.filter(|last| blocks.is_empty() && last.number >= from));
        Ok(blocks)
    }

    async fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        let last = self.last.lock().unwrap().clone();
        match last.filter(|last| last.number == number) {
            Some(last) => Ok(Some(last.hash)),
            None => self.ledger.hash_of(number).await,
        }
    }
}

#[tokio::test]
async fn a_rotated_address_opens_nothing_any_more_and_its_letters_are_the_accounts() {
    let ground = Ground::new();
    let (old, friend) = (ground.registered(1).await, ground.registered(2).await);
    let new = SigningKey::from_bytes(&[77; 32]).unwrap();
    let events = Arc::new(Rotated {
        ledger: ground.ledger.clone(),
        last: Mutex::default(),
    });
    let (url, _upkeep) = over(&ground, ground.store.clone(), events.clone()).await;
    let block = leaf(b"mine");
    put(std::slice::from_ref(&block))
        .by(&url, &old)
        .await
        .unwrap();
    let post = |number| {
        Draft::post(
            paths::MAILBOX,
            cbor::to_vec(&letter(&friend, &old, number, 9)),
        )
    };
    post(1).by(&url, &friend).await.unwrap();
    let rotation = Event::AddressRotated {
        account: id(&old),
        from: old.address(),
        to: new.address(),
    };
    *events.last.lock().unwrap() = Some(BlockEvents {
        number: 1_000,
        hash: [1; 32],
        parent: [2; 32],
        time: Timestamp(NOW.0 + 1),
        events: vec![rotation],
    });
    let as_sender =
        |key: &SigningKey| Draft::post(paths::MAILBOX, cbor::to_vec(&letter(key, &friend, 5, 9)));
    let everywhere = |key: &SigningKey| {
        vec![
            get(block.cid()),
            put(std::slice::from_ref(&block)),
            ids(paths::HAS, &[*block.cid()]),
            Draft::get(paths::letters(0)),
            Draft::get(paths::CREDENTIAL),
            as_sender(key),
        ]
    };
    for draft in everywhere(&old) {
        let answer = draft.by(&url, &old).await;
        assert_eq!(code(answer), Some(Code::NotRegistered), "{}", draft.target);
    }
    for draft in everywhere(&new) {
        let answer = code(draft.by(&url, &new).await);
        let expected = (draft.target == paths::CREDENTIAL).then_some(Code::NotFound);
        assert_eq!(answer, expected, "{}", draft.target);
    }
    // A letter of before, and one to the old address from who has not heard of it.
    post(2).by(&url, &friend).await.unwrap();
    let page = Draft::get(paths::letters(0)).by(&url, &new).await.unwrap();
    let page: LetterPage = cbor::from_slice(&page).unwrap();
    assert_eq!(page.letters.len(), 2);
    println!("ATTACK security-2: 0 of 6 requests of a rotated address answered by the node");
}
