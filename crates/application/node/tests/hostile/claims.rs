//! What strangers bring and name: it neither keeps an owner out, nor undoes what was acknowledged, nor makes others pay.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use medibloc_api::{Code, paths};
use medibloc_dag::unixfs::FileBuilder;
use medibloc_dag::{Block, Cid};
use medibloc_keys::SigningKey;
use medibloc_ledger::Call;
use medibloc_node::DailyLimits;
use medibloc_record::{Digest, Role};
use medibloc_store::{MemoryStore, OwnStore, Store, StoreError};
use rusqlite::Connection;
use tokio::sync::Notify;

use crate::attacks::{leaf, let_write, over, record_of};
use crate::http::{Draft, Ground, METRICS, code, node, serve};
use crate::{flags, get, ids, put};

/// A store that waits before it takes anything away, and of which one block is damaged.
struct Slow {
    inner: Arc<MemoryStore>,
    waits: AtomicBool,
    reached: Notify,
    goes_on: Notify,
    damaged: Mutex<Option<Cid>>,
}

impl Slow {
    fn over(inner: &Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self {
            inner: inner.clone(),
            waits: AtomicBool::new(false),
            reached: Notify::new(),
            goes_on: Notify::new(),
            damaged: Mutex::default(),
        })
    }

    /// Lets another's request end meanwhile, if it does not wait for this one.
    async fn meanwhile(&self) {
        if self.waits.swap(false, Ordering::SeqCst) {
            self.reached.notify_one();
            let wait = tokio::time::timeout(Duration::from_millis(300), self.goes_on.notified());
            let _ = wait.await;
        }
    }
}

#[async_trait]
impl Store for Slow {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.inner.put(blocks).await
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        if self.damaged.lock().unwrap().as_ref() == Some(cid) {
            return Err(StoreError::Corrupt { cid: *cid });
        }
        self.inner.get(cid).await
    }

    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        self.inner.has(cids).await
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        if !cids.is_empty() {
            self.meanwhile().await;
        }
        self.inner.erase(cids).await
    }

    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.inner.erased(cid).await
    }
}

#[async_trait]
impl OwnStore for Slow {
    async fn remove(&self, cids: &[Cid]) -> Result<(), StoreError> {
        if !cids.is_empty() {
            self.meanwhile().await;
        }
        self.inner.remove(cids).await
    }
}

/// Whoever has a person's ciphertext before the person's node has it, brings it there first and erases it.
#[tokio::test]
async fn who_brought_a_strangers_blocks_first_keeps_them_from_nobody_by_erasing_them() {
    let ground = Ground::new();
    let (owner, thief) = (ground.registered(1).await, ground.registered(2).await);
    let (url, upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
    let (blocks, fields) = record_of(&owner, &owner, 1, &[leaf(b"one"), leaf(b"two")]);
    let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    put(&blocks).by(&url, &thief).await.unwrap();
    ids(paths::ERASE, &cids).by(&url, &thief).await.unwrap();
    assert_eq!(ground.store.has(&cids).await.unwrap(), [false; 6]);
    let has = ids(paths::HAS, &cids).by(&url, &thief).await.unwrap();
    assert_eq!(flags(&has), [false; 6]);
    put(&blocks).by(&url, &owner).await.unwrap();
    ground.call(&owner, &Call::Anchor(fields)).await;
    assert!(upkeep.once().await);
    for block in &blocks {
        let bytes = get(block.cid()).by(&url, &owner).await.unwrap();
        assert_eq!(bytes, block.bytes());
    }
    let answer = ids(paths::ERASE, &cids).by(&url, &thief).await;
    assert_eq!(code(answer), Some(Code::NotFound));
    println!(
        "ATTACK claims-1: 0 of 6 blocks kept from their owner by who brought and erased them first"
    );
}

#[tokio::test]
async fn a_block_that_is_acknowledged_while_another_takes_it_away_stays() {
    let ground = Ground::new();
    let (one, other) = (ground.registered(1).await, ground.registered(2).await);
    let store = Slow::over(&ground.store);
    let (url, _upkeep) = over(&ground, store.clone(), ground.ledger.clone()).await;
    let blocks = [leaf(b"brought by both")];
    put(&blocks).by(&url, &one).await.unwrap();
    store.waits.store(true, Ordering::SeqCst);
    let erasure = ids(paths::ERASE, &[*blocks[0].cid()]);
    let bring = async {
        store.reached.notified().await;
        let answer = put(&blocks).by(&url, &other).await;
        store.goes_on.notify_one();
        answer
    };
    let (erased, brought) = tokio::join!(erasure.by(&url, &one), bring);
    erased.unwrap();
    brought.unwrap();
    let bytes = get(blocks[0].cid()).by(&url, &other).await.unwrap();
    assert_eq!(bytes, blocks[0].bytes());
    // Now it is another's, too.
    let answer = erasure.by(&url, &one).await;
    assert_eq!(code(answer), Some(Code::NotFound), "it brought it no more");
    put(&blocks).by(&url, &one).await.unwrap();
    let answer = erasure.by(&url, &one).await;
    assert_eq!(code(answer), Some(Code::NotYours));
}

/// What an erased record takes away is decided and done while nothing comes.
#[tokio::test]
async fn a_block_that_comes_while_its_record_is_erased_is_refused_or_gone_and_never_kept() {
    let ground = Ground::new();
    let owner = ground.registered(1).await;
    let store = Slow::over(&ground.store);
    let (url, upkeep) = over(&ground, store.clone(), ground.ledger.clone()).await;
    let (blocks, fields) = record_of(&owner, &owner, 1, &[leaf(b"one")]);
    put(&blocks).by(&url, &owner).await.unwrap();
    ground.call(&owner, &Call::Anchor(fields)).await;
    assert!(upkeep.once().await);
    ground.call(&owner, &Call::Erase(fields)).await;
    store.waits.store(true, Ordering::SeqCst);
    let bring = async {
        store.reached.notified().await;
        let answer = put(&blocks).by(&url, &owner).await;
        store.goes_on.notify_one();
        answer
    };
    let (looked, brought) = tokio::join!(upkeep.once(), bring);
    assert!(looked);
    assert_eq!(code(brought), Some(Code::Erased));
    let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    assert_eq!(ground.store.has(&cids).await.unwrap(), [false; 5]);
}

/// A file of some leaves: its root, and all its nodes.
fn file_of(leaves: &[Block]) -> (Cid, Vec<Block>) {
    let (mut file, mut nodes) = (FileBuilder::new(), Vec::new());
    for leaf in leaves {
        let length = leaf.bytes().len() as u64;
        nodes.extend(file.push(*leaf.cid(), length).unwrap());
    }
    let (root, last) = file.finish().unwrap();
    nodes.extend(last);
    (root, nodes)
}

#[tokio::test]
async fn a_damaged_node_keeps_back_nothing_else_of_its_record_and_comes_again() {
    let ground = Ground::new();
    let owner = ground.registered(1).await;
    let author = ground.registered_as(2, Role::Provider).await;
    let store = Slow::over(&ground.store);
    let (url, upkeep) = over(&ground, store.clone(), ground.ledger.clone()).await;
    let_write(&ground, &owner, &author, Digest::of(b"object")).await;
    let leaves: Vec<Block> = (0..12u8).map(|number| leaf(&[number; 9])).collect();
    let files: Vec<(Cid, Vec<Block>)> = leaves.chunks(2).map(file_of).collect();
    let roots: Vec<Block> = files.iter().flat_map(|(_, nodes)| nodes.clone()).collect();
    let (mut blocks, fields) = record_of(&author, &owner, 1, &roots);
    blocks.extend(leaves.clone());
    put(&blocks).by(&url, &author).await.unwrap();
    // The first that is looked at.
    let bad = files.iter().map(|(root, _)| root).min().unwrap();
    *store.damaged.lock().unwrap() = Some(*bad);
    ground.call(&author, &Call::Anchor(fields)).await;
    assert!(upkeep.once().await);
    for ((root, _), leaves) in files.iter().zip(leaves.chunks(2)) {
        let expected = (root == bad).then_some(Code::NotFound);
        for leaf in leaves {
            let answer = get(leaf.cid()).by(&url, &owner).await;
            assert_eq!(code(answer), expected);
        }
    }
    let figures = Draft::get(METRICS).send(&url, None).await.unwrap();
    let figures = String::from_utf8(figures).unwrap();
    assert!(!figures.contains("medibloc_damaged_blocks_total 0\n"));
    // It is brought again, whole.
    *store.damaged.lock().unwrap() = None;
    put(&roots).by(&url, &author).await.unwrap();
    assert!(upkeep.once().await);
    for leaf in &leaves {
        let bytes = get(leaf.cid()).by(&url, &owner).await.unwrap();
        assert_eq!(bytes, leaf.bytes());
    }
}

fn count(ground: &Ground, query: &str) -> i64 {
    let db = Connection::open(ground.folder.path().join("gateway.sqlite")).unwrap();
    db.query_row(query, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn one_tree_under_many_records_fills_the_tables_for_nobody() {
    let ground = Ground::new();
    let (owner, greedy) = (ground.registered(1).await, ground.registered(2).await);
    let (said, upkeep) = std::sync::mpsc::channel();
    let most = DailyLimits {
        held: 1_000_000,
        ..DailyLimits::default()
    };
    let url = serve(|url| {
        let (router, upkeep) = ground.gateway_with_upkeep(url, most);
        said.send(upkeep).unwrap();
        router
    })
    .await;
    let upkeep = upkeep.recv().unwrap();
    let missing: Vec<Block> = (0..400u32)
        .map(|number| leaf(&number.to_be_bytes()))
        .collect();
    let (_, tree) = file_of(&missing);
    for nonce in 0..10 {
        let (blocks, fields) = record_of(&greedy, &greedy, nonce, &tree);
        put(&blocks).by(&url, &greedy).await.unwrap();
        ground.call(&greedy, &Call::Anchor(fields)).await;
    }
    let (blocks, fields) = record_of(&owner, &owner, 100, &[leaf(b"good")]);
    put(&blocks).by(&url, &owner).await.unwrap();
    ground.call(&owner, &Call::Anchor(fields)).await;
    assert!(upkeep.once().await);
    let rows = count(&ground, "SELECT COUNT(*) FROM frontier");
    // Two of ten records are looked at, of the others the root waits for room: 1,024 rows are what it may have.
    assert_eq!(rows, 2 * 400 + 8);
    for block in &blocks {
        assert!(get(block.cid()).by(&url, &owner).await.is_ok());
    }
    println!("ATTACK claims-2: {rows} of 4000 rows that ten records of one account ask for");
}

#[tokio::test]
async fn who_leads_to_anothers_block_by_many_records_makes_no_look_up_of_it_long() {
    let ground = Ground::new();
    let (owner, greedy) = (ground.registered(1).await, ground.registered(2).await);
    let url = node(&ground).await;
    let (_, upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
    let (blocks, fields) = record_of(&owner, &owner, 100, &[leaf(b"one")]);
    let mut own = Vec::new();
    for nonce in 0..40 {
        let (blocks, fields) = record_of(&greedy, &greedy, nonce, &[leaf(b"one")]);
        put(&blocks).by(&url, &greedy).await.unwrap();
        own.push(fields);
    }
    put(&blocks).by(&url, &owner).await.unwrap();
    let (before, after) = own.split_at(3);
    ground.call(&greedy, &Call::Anchor(before[0])).await;
    ground.call(&owner, &Call::Anchor(fields)).await;
    for fields in before[1..].iter().chain(after) {
        ground.call(&greedy, &Call::Anchor(*fields)).await;
    }
    assert!(upkeep.once().await);
    let rows = count(&ground, "SELECT COUNT(*) FROM refs");
    assert_eq!(rows, 17, "sixteen of forty, and the owner's");
    for block in &blocks {
        assert!(get(block.cid()).by(&url, &owner).await.is_ok());
    }
    // When the block is gone, one row is enough to say so.
    for fields in &own {
        ground.call(&greedy, &Call::Erase(*fields)).await;
    }
    ground.call(&owner, &Call::Erase(fields)).await;
    assert!(upkeep.once().await);
    let cid = *leaf(b"one").cid();
    assert_eq!(ground.store.has(&[cid]).await.unwrap(), [false]);
    for key in [&owner, &greedy] {
        assert_eq!(code(get(&cid).by(&url, key).await), Some(Code::Erased));
    }
    println!("ATTACK claims-3: {rows} rows for a block to which 41 records lead");
}

/// A store over which a stranger brings its next block whenever one of its blocks is looked at.
struct Dripping {
    inner: Arc<MemoryStore>,
    url: OnceLock<String>,
    by: SigningKey,
    next: Mutex<Vec<Block>>,
    brought: AtomicUsize,
    watched: Cid,
    /// How many it had brought when the block that is watched went.
    at_erasure: Mutex<Option<usize>>,
}

#[async_trait]
impl Store for Dripping {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.inner.put(blocks).await
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(cid).await
    }

    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        let next = self.next.lock().unwrap().pop();
        if let (Some(next), Some(url)) = (next, self.url.get()) {
            put(&[next]).by(url, &self.by).await.unwrap();
            self.brought.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.has(cids).await
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        if cids.contains(&self.watched) {
            let brought = self.brought.load(Ordering::SeqCst);
            *self.at_erasure.lock().unwrap() = Some(brought);
        }
        self.inner.erase(cids).await
    }

    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.inner.erased(cid).await
    }
}

#[async_trait]
impl OwnStore for Dripping {
    async fn remove(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.inner.remove(cids).await
    }
}

/// Who has an owner's ciphertext and is no party of the record brings it, and block after block of a record of its own.
#[tokio::test]
async fn who_brings_block_after_block_of_its_own_puts_no_erasure_off() {
    let ground = Ground::new();
    let (owner, stranger) = (ground.registered(1).await, ground.registered(2).await);
    let secret = leaf(b"what is to go");
    let junk: Vec<Block> = (0..250u8).map(|number| leaf(&[number; 20])).collect();
    let store = Arc::new(Dripping {
        inner: ground.store.clone(),
        url: OnceLock::new(),
        by: stranger.clone(),
        next: Mutex::new(junk.clone()),
        brought: AtomicUsize::new(0),
        watched: *secret.cid(),
        at_erasure: Mutex::default(),
    });
    let (url, upkeep) = over(&ground, store.clone(), ground.ledger.clone()).await;
    let (blocks, record) = record_of(&owner, &owner, 1, std::slice::from_ref(&secret));
    put(&blocks).by(&url, &owner).await.unwrap();
    ground.call(&owner, &Call::Anchor(record)).await;
    assert!(upkeep.once().await);
    let (own, fields) = record_of(&stranger, &stranger, 2, &junk);
    put(&own[..5]).by(&url, &stranger).await.unwrap();
    put(&[secret]).by(&url, &stranger).await.unwrap();
    ground.call(&stranger, &Call::Anchor(fields)).await;
    ground.call(&owner, &Call::Erase(record)).await;
    store.url.set(url).unwrap();
    while store.at_erasure.lock().unwrap().is_none() {
        assert!(upkeep.once().await);
    }
    let brought = store.at_erasure.lock().unwrap().unwrap();
    // At most a block for each page of each round that is waited for.
    assert!((1..=64).contains(&brought), "{brought} blocks later");
    println!(
        "ATTACK claims-4: an erasure is done after {brought} blocks that a stranger brings one by one"
    );
}
