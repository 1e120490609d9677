//! How many records lead to one block, and how many erasures wait: neither takes anything of what an owner stands for, nor
//! keeps anybody waiting (docs/adr/0014, docs/adr/0018).

use medibloc_api::{Code, paths};
use medibloc_consent::{AnchorFields, BindingTag, Grant, Purpose, Scope, Terms};
use medibloc_dag::unixfs::FileBuilder;
use medibloc_dag::{Block, Cid};
use medibloc_keys::SigningKey;
use medibloc_ledger::Call;
use medibloc_node::Upkeep;
use medibloc_record::{Digest, Nonce, Role};
use medibloc_store::Store as _;
use rusqlite::Connection;

use crate::attacks::{id, leaf, let_write, object, over, record_of};
use crate::http::{Ground, NOW, code};
use crate::{flags, get, ids, put};

struct Scene {
    ground: Ground,
    url: String,
    upkeep: Upkeep,
    owner: SigningKey,
    author: SigningKey,
    clinic: SigningKey,
    /// Package, key set, capsule, attestation, two leaves.
    blocks: Vec<Block>,
    record: AnchorFields,
}

impl Scene {
    async fn new() -> Self {
        let ground = Ground::new();
        let owner = ground.registered(1).await;
        let author = ground.registered_as(2, Role::Provider).await;
        let clinic = ground.registered_as(3, Role::Provider).await;
        let (url, upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
        let_write(&ground, &owner, &author, Digest::of(b"object")).await;
        let (blocks, record) = record_of(&author, &owner, 255, &[leaf(b"one"), leaf(b"two")]);
        Self {
            ground,
            url,
            upkeep,
            owner,
            author,
            clinic,
            blocks,
            record,
        }
    }

    /// Its author brings and anchors twins for the same owner, which lead to its leaves and name its objects.
    async fn twins(&self, numbers: core::ops::Range<u8>) -> Vec<AnchorFields> {
        let mut twins = Vec::new();
        for number in numbers {
            let (blocks, twin) = record_of(&self.author, &self.owner, number, &self.blocks[4..]);
            put(&blocks[..1]).by(&self.url, &self.author).await.unwrap();
            let twin = AnchorFields {
                key_set: self.record.key_set,
                capsule: self.record.capsule,
                attestation: self.record.attestation,
                ..twin
            };
            self.ground.call(&self.author, &Call::Anchor(twin)).await;
            twins.push(twin);
        }
        twins
    }

    async fn anchor(&self) {
        put(&self.blocks).by(&self.url, &self.author).await.unwrap();
        let anchor = Call::Anchor(self.record);
        self.ground.call(&self.author, &anchor).await;
    }

    async fn accept(&self) {
        self.ground
            .call(&self.owner, &Call::Accept(self.record))
            .await;
    }

    /// The clinic may read this record alone.
    async fn grant(&self) {
        let terms = Terms {
            scope: Scope::One(self.record.record_id()),
            purpose_tag: Purpose::Treatment.tag([1; 32]),
            from: NOW,
            until: NOW.plus(90_000),
            reads: None,
            binding: BindingTag::default(),
            digest: Digest::of(b"grant"),
        };
        let nonce = Nonce::new([1; 32]);
        let grant = Grant::new(id(&self.owner), id(&self.clinic), nonce, terms);
        let anchor = Some(self.record);
        self.ground
            .call(&self.owner, &Call::Grant { grant, anchor })
            .await;
    }

    async fn look(&self) {
        assert!(self.upkeep.once().await);
    }

    async fn gets(&self, by: &SigningKey) -> Vec<Option<Code>> {
        let mut answers = Vec::new();
        for block in &self.blocks {
            answers.push(code(get(block.cid()).by(&self.url, by).await));
        }
        answers
    }

    /// How many of its objects and leaves the node has.
    async fn kept(&self) -> usize {
        let cids: Vec<Cid> = self.blocks.iter().map(|block| *block.cid()).collect();
        let there = self.ground.store.has(&cids).await.unwrap();
        there.iter().filter(|there| **there).count()
    }

    fn count(&self, query: &str) -> i64 {
        let db = Connection::open(self.ground.folder.path().join("gateway.sqlite")).unwrap();
        db.query_row(query, [], |row| row.get(0)).unwrap()
    }
}

/// Twins before it and after it on the chain.
const ROWS: [(u8, u8); 9] = [
    (1, 0),
    (15, 0),
    (16, 0),
    (17, 0),
    (200, 0),
    (0, 1),
    (0, 17),
    (16, 40),
    (0, 200),
];

/// What a clinic with a grant has of a record: all but the capsule, which is sealed for its owner.
const READABLE: [Option<Code>; 6] = [None, None, Some(Code::NotFound), None, None, None];

#[tokio::test]
async fn no_number_of_twins_takes_anything_of_an_accepted_record_or_keeps_anything_of_an_erased_one()
 {
    let mut kept = 0;
    for (before, after) in ROWS {
        let row = format!("{before} before, {after} after");
        let scene = Scene::new().await;
        scene.twins(0..before).await;
        scene.anchor().await;
        scene.twins(before..before + after).await;
        scene.look().await;
        assert_eq!(scene.gets(&scene.owner).await, [None; 6], "{row}");
        scene.accept().await;
        scene.look().await;
        if before != 15 {
            scene.grant().await;
            scene.look().await;
            assert_eq!(scene.gets(&scene.clinic).await, READABLE, "{row}");
        }
        scene
            .ground
            .call(&scene.owner, &Call::Erase(scene.record))
            .await;
        scene.look().await;
        kept += scene.kept().await;
        assert_eq!(scene.kept().await, 0, "{row}");
        for key in [&scene.owner, &scene.author] {
            assert_eq!(scene.gets(key).await, [Some(Code::Erased); 6], "{row}");
        }
        assert_eq!(
            scene.gets(&scene.clinic).await,
            [Some(Code::NotFound); 6],
            "{row}"
        );
        let cids: Vec<Cid> = scene.blocks.iter().map(|block| *block.cid()).collect();
        let erased = ids(paths::ERASED, &cids).by(&scene.url, &scene.owner).await;
        assert_eq!(flags(&erased.unwrap()), [true; 6], "{row}");
    }
    println!(
        "ATTACK fresh-4: {kept} blocks left of {} erased records, each read by a granted clinic before, beside up to 200 twins",
        ROWS.len()
    );
}

#[tokio::test]
async fn an_acceptance_counts_however_late_and_with_whatever_it_is_seen() {
    // All in one look: nothing of it was in the index when its owner accepted it, and when it was erased.
    for erased in [false, true] {
        let scene = Scene::new().await;
        scene.twins(0..20).await;
        scene.anchor().await;
        scene.accept().await;
        if erased {
            scene
                .ground
                .call(&scene.owner, &Call::Erase(scene.record))
                .await;
        }
        scene.look().await;
        let expected = if erased { 0 } else { 6 };
        assert_eq!(scene.kept().await, expected, "erased {erased}");
    }
    // After its look, then in a node that starts anew.
    let scene = Scene::new().await;
    scene.twins(0..20).await;
    scene.anchor().await;
    scene.look().await;
    scene.accept().await;
    scene.grant().await;
    scene.look().await;
    assert_eq!(scene.gets(&scene.clinic).await, READABLE);
    let (url, upkeep) = over(
        &scene.ground,
        scene.ground.store.clone(),
        scene.ground.ledger.clone(),
    )
    .await;
    assert!(upkeep.once().await);
    let again = Scene {
        url,
        upkeep,
        ..scene
    };
    assert_eq!(again.gets(&again.clinic).await, READABLE);
}

/// A person's own records over one leaf, the last of which alone is shared.
#[tokio::test]
async fn an_own_record_that_is_accepted_and_shared_is_read_however_many_were_before_it() {
    let mut scene = Scene::new().await;
    for number in 0..=20 {
        let (blocks, record) = record_of(&scene.owner, &scene.owner, number, &[leaf(b"one")]);
        put(&blocks).by(&scene.url, &scene.owner).await.unwrap();
        scene.ground.call(&scene.owner, &Call::Anchor(record)).await;
        (scene.blocks, scene.record) = (blocks, record);
    }
    scene.look().await;
    scene.accept().await;
    scene.grant().await;
    scene.look().await;
    assert_eq!(scene.gets(&scene.clinic).await, READABLE[..5]);
}

#[tokio::test]
async fn an_owner_who_refuses_twins_loses_nothing_of_what_it_accepted() {
    let scene = Scene::new().await;
    let twins = scene.twins(0..20).await;
    scene.anchor().await;
    scene.look().await;
    let rows = scene.count("SELECT COUNT(*) FROM refs");
    assert_eq!(rows, 2 * 16, "sixteen of twenty-one for each leaf");
    // The acceptance and the erasures are seen together.
    scene.accept().await;
    for twin in twins {
        scene.ground.call(&scene.owner, &Call::Erase(twin)).await;
    }
    scene.look().await;
    assert_eq!(scene.kept().await, 6);
    assert_eq!(scene.gets(&scene.owner).await, [None; 6]);
    assert_eq!(scene.count("SELECT COUNT(*) FROM beyond"), 0);
    println!(
        "ATTACK fresh-4: {} of 6 blocks of an accepted record stay when its owner erases 20 twins",
        scene.kept().await
    );
}

/// A file of which its nodes are here and no leaf ever comes.
fn empty_file(number: u32) -> (Cid, Vec<Block>) {
    let (mut file, mut nodes) = (FileBuilder::new(), Vec::new());
    for leaf_number in 0..1_000u32 {
        let leaf = leaf(&[number.to_be_bytes(), leaf_number.to_be_bytes()].concat());
        let length = leaf.bytes().len() as u64;
        nodes.extend(file.push(*leaf.cid(), length).unwrap());
    }
    let (root, last) = file.finish().unwrap();
    nodes.extend(last);
    (root, nodes)
}

/// 400 erasures that wait for one's own long record; 4,000 with `MEDIBLOC_ATTACK=full`.
#[tokio::test]
async fn a_strangers_waiting_erasures_keep_neither_an_erasure_nor_a_new_record_waiting() {
    let is_full = std::env::var("MEDIBLOC_ATTACK").is_ok_and(|it| it == "full");
    let (count, files): (u16, u32) = if is_full { (4_000, 60) } else { (400, 30) };
    let scene = Scene::new().await;
    let thief = scene.ground.registered(9).await;
    let (mut roots, mut nodes) = (Vec::new(), vec![object("one key set")]);
    let shared = Digest::new(nodes[0].cid().digest());
    for (root, of) in (0..files).map(empty_file) {
        roots.extend(of.iter().find(|it| *it.cid() == root).cloned());
        nodes.extend(of);
    }
    let (blocks, long) = record_of(&thief, &thief, 1, &roots);
    for part in [blocks, nodes].concat().chunks(16) {
        put(part).by(&scene.url, &thief).await.unwrap();
    }
    let small: Vec<AnchorFields> = (0..count)
        .map(|number| AnchorFields {
            nonce: Nonce::new(Digest::of(&number.to_be_bytes()).to_bytes()),
            package: Digest::of(&[&number.to_be_bytes(), b"p".as_slice()].concat()),
            key_set: shared,
            ..long
        })
        .collect();
    scene.ground.call(&thief, &Call::Anchor(long)).await;
    for fields in &small {
        scene.ground.call(&thief, &Call::Anchor(*fields)).await;
    }
    for fields in &small {
        scene.ground.call(&thief, &Call::Erase(*fields)).await;
    }
    let (old, fields) = record_of(&scene.owner, &scene.owner, 8, &[leaf(b"to go")]);
    put(&old).by(&scene.url, &scene.owner).await.unwrap();
    scene.ground.call(&scene.owner, &Call::Anchor(fields)).await;
    scene.ground.call(&scene.owner, &Call::Erase(fields)).await;
    scene.anchor().await;
    let mut asked = 0;
    loop {
        asked += 1;
        let answer = code(get(old[4].cid()).by(&scene.url, &scene.owner).await);
        let is_there = scene.ground.store.has(&[*old[4].cid()]).await.unwrap();
        if is_there == [false] {
            assert_eq!(answer, Some(Code::Erased));
            break;
        }
    }
    while scene.gets(&scene.owner).await != [None; 6] {
        asked += 1;
    }
    let done = scene.count("SELECT COUNT(*) FROM erased");
    println!(
        "ATTACK fresh-5: an erasure and a new record are there after {asked} questions, {} of a stranger's {count} erasures wait",
        i64::from(count) + 1 - done
    );
    assert_eq!(done, 1, "the stranger's own still wait");
}
