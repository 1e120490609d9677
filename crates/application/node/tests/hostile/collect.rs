//! What nothing on chain names goes after a day; what is named, waits or came again stays.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::http::{Draft, Ground, METRICS, NOW, REASONS, code, serve};
use crate::{anchor, flags, get, ids, package_of, put};
use medibloc_api::{Code, GotBlocks, limits, paths};
use medibloc_dag::{Block, Cid, Codec, cbor};
use medibloc_keys::SigningKey;
use medibloc_ledger::Call;
use medibloc_node::DailyLimits;
use medibloc_record::{AccountId, Nonce, RecordId};
use medibloc_store::Store as _;
use medibloc_store_ipfs::{IpfsStore, Options};

const DAY: u64 = 86_400;

fn leaf(bytes: &[u8]) -> Block {
    Block::of(Codec::Raw, bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn unnamed_blocks_go_after_a_day_and_may_come_again() {
    let ground = Ground::new();
    let owner = ground.registered(1).await;
    let (said, upkeep) = std::sync::mpsc::channel();
    let url = serve(|url| {
        let (router, upkeep) = ground.gateway_with_upkeep(url, DailyLimits::default());
        said.send(upkeep).unwrap();
        router
    })
    .await;
    let upkeep = upkeep.recv().unwrap();
    let bring = async |blocks: &[Block], key: &SigningKey, nonce: u8| {
        let now = medibloc_record::Timestamp(ground.now.load(Ordering::SeqCst));
        let draft = put(blocks);
        let header = draft.sign_with(&url, key, Nonce::new([nonce; 32]), now.plus(60));
        draft.send(&url, Some(&header)).await.unwrap();
    };
    let object = |n: u8| Block::of(Codec::DagCbor, cbor::to_vec(&n)).unwrap();
    // A whole record, and one of whose two leaves one never came.
    let (whole, half, late) = (leaf(b"whole"), leaf(b"half"), leaf(b"late"));
    let id = AccountId::from_first_address(owner.address());
    let packages = [
        package_of(RecordId::derive(id, id, Nonce::new([1; 32])), &[&whole]),
        package_of(
            RecordId::derive(id, id, Nonce::new([2; 32])),
            &[&half, &late],
        ),
    ];
    let (unnamed, again) = (leaf(b"unnamed"), leaf(b"again"));
    let many: Vec<Block> = (0..1_500u32).map(|n| leaf(&n.to_be_bytes())).collect();
    let mut kept = vec![whole, half, again.clone()];
    kept.extend(packages.clone());
    kept.extend((1..=3).map(object));
    bring(&kept, &owner, 1).await;
    bring(std::slice::from_ref(&unnamed), &owner, 2).await;
    for (nonce, part) in (10..).zip(many.chunks(limits::BLOCKS)) {
        bring(part, &owner, nonce).await;
    }
    for (nonce, package) in (1..).zip(&packages) {
        let others = [object(1), object(2), object(3)];
        let named = [
            package.cid(),
            others[0].cid(),
            others[1].cid(),
            others[2].cid(),
        ];
        let call = Call::Anchor(anchor(id, nonce, named));
        ground.call(&owner, &call).await;
    }
    let at = |seconds: u64| ground.now.store(NOW.0 + seconds, Ordering::SeqCst);
    let is_there = async |blocks: &[Block]| {
        let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
        let there = ground.store.has(&cids).await.unwrap();
        there.iter().filter(|there| **there).count()
    };
    at(DAY - 1);
    bring(std::slice::from_ref(&again), &owner, 3).await;
    assert!(upkeep.once().await);
    assert_eq!(is_there(&many).await, many.len(), "not a second too early");
    // It looks once an hour.
    at(DAY - 1 + 3_600);
    assert!(upkeep.once().await);
    assert_eq!(is_there(&many).await, 0);
    assert_eq!(is_there(std::slice::from_ref(&unnamed)).await, 0);
    assert_eq!(
        is_there(&kept).await,
        kept.len(),
        "named, waiting, or newer"
    );
    assert!(!ground.store.erased(unnamed.cid()).await.unwrap());
    bring(std::slice::from_ref(&unnamed), &owner, 4).await;
    let draft = ids(paths::HAS, &[*unnamed.cid()]);
    let now = NOW.plus(DAY + 3_600 + 60);
    let header = draft.sign_with(&url, &owner, Nonce::new([5; 32]), now);
    let has = draft.send(&url, Some(&header)).await.unwrap();
    assert_eq!(flags(&has), [true]);
    // The leaf that was late makes the record whole: from now on its blocks are known by name.
    bring(std::slice::from_ref(&late), &owner, 6).await;
    kept.push(late);
    kept.retain(|block| block.cid() != again.cid());
    at(3 * DAY);
    assert!(upkeep.once().await);
    assert_eq!(is_there(&kept).await, kept.len());
    assert_eq!(is_there(&[again]).await, 0, "a day after it came again");
}

/// A block whose bytes changed on the disk: the others of the same question come, it is counted, and its owner puts it again.
#[tokio::test]
async fn a_damaged_block_keeps_back_no_other_and_comes_again() {
    let ground = Ground::new();
    let owner = ground.registered(1).await;
    let folder = ground.folder.path().join("blocks");
    let store = Arc::new(IpfsStore::open(&folder, Options::default()).unwrap());
    let url = serve(|url| {
        let limits = DailyLimits::default();
        ground
            .gateway_over(url, limits, store.clone(), ground.ledger.clone())
            .0
    })
    .await;
    let blocks = [leaf(b"this one will be damaged"), leaf(b"this one stays")];
    put(&blocks).by(&url, &owner).await.unwrap();
    for pack in std::fs::read_dir(folder.join("packs")).unwrap() {
        let path = pack.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let words = blocks[0].bytes();
        let at = bytes.windows(words.len()).position(|part| part == words);
        if let Some(at) = at {
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    let got = async || {
        let answer = ids(paths::GET, &cids).by(&url, &owner).await.unwrap();
        let got: GotBlocks = cbor::from_slice(&answer).unwrap();
        got.blocks.iter().map(Option::is_some).collect::<Vec<_>>()
    };
    assert_eq!(got().await, [false, true]);
    let answer = get(&cids[0]).by(&url, &owner).await;
    assert_eq!(code(answer), Some(Code::Corrupt));
    let ready = async || {
        let answer = Draft::get(REASONS).send(&url, None).await.unwrap();
        String::from_utf8(answer).unwrap()
    };
    let told = ready().await;
    assert!(
        told.starts_with("degraded: stored blocks are damaged (1)"),
        "{told}"
    );
    assert!(told.contains("medibloc record store"), "{told}");
    let figures = Draft::get(METRICS).send(&url, None).await.unwrap();
    let figures = String::from_utf8(figures).unwrap();
    let damaged = figures
        .lines()
        .find_map(|line| line.strip_prefix("medibloc_damaged_blocks_total "));
    assert!(damaged.unwrap().parse::<u64>().unwrap() >= 2, "{figures}");
    put(&blocks[..1]).by(&url, &owner).await.unwrap();
    assert_eq!(got().await, [true, true]);
    assert_eq!(ready().await, "ok\n");
    let figures = Draft::get(METRICS).send(&url, None).await.unwrap();
    let figures = String::from_utf8(figures).unwrap();
    assert!(
        figures.contains("\nmedibloc_damaged_blocks 0\n"),
        "{figures}"
    );
    let bytes = figures
        .lines()
        .find_map(|line| line.strip_prefix("medibloc_pack_bytes "));
    assert!(bytes.unwrap().parse::<u64>().unwrap() > 40, "{figures}");
    println!(
        "ATTACK newcomer-n18: a damaged block is counted, keeps back no other, and is put again"
    );
}
