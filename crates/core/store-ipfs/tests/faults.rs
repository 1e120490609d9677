//! What a disk does to a store: full, torn, flipped, lost; and what the store says then.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "support/disk.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use medibloc_dag::car::Reader;
use medibloc_store::{OwnStore as _, Store, StoreError};
use medibloc_store_ipfs::{IpfsStore, Options};
use support::{SmallDisk, block, blocks, options};

fn packs(root: &Path) -> Vec<PathBuf> {
    let mut packs: Vec<_> = fs::read_dir(root.join("packs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    packs.sort();
    packs
}

fn forget_index(root: &Path) {
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = fs::remove_file(root.join(name));
    }
}

fn contains(root: &Path, needle: &[u8]) -> bool {
    packs(root).iter().any(|path| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

async fn all_there(store: &IpfsStore, of: std::ops::Range<u32>) {
    for n in of {
        let block = block(n);
        assert_eq!(
            store.get(block.cid()).await.unwrap().as_deref(),
            Some(block.bytes()),
            "block {n}"
        );
    }
}

#[tokio::test]
async fn a_pack_is_a_plain_car_before_and_after_an_erasure() {
    let dir = tempfile::tempdir().unwrap();
    let store = IpfsStore::open(dir.path(), Options::default()).unwrap();
    store.put(blocks(0..10)).await.unwrap();
    let read = || -> Vec<_> {
        let file = fs::File::open(&packs(dir.path())[0]).unwrap();
        Reader::new(file)
            .unwrap()
            .map(|block| *block.unwrap().cid())
            .collect()
    };
    let before = read();
    assert_eq!(before.len(), 11, "the empty block, and ten");
    let victim = block(4);
    assert!(before.contains(victim.cid()) && contains(dir.path(), victim.bytes()));
    store.erase(&[*victim.cid()]).await.unwrap();
    let after = read();
    assert_eq!(after.len(), 11);
    assert!(!after.contains(victim.cid()));
    assert!(!contains(dir.path(), &victim.bytes()[..8]));
    assert!(!contains(dir.path(), &victim.cid().digest()));
}

#[tokio::test]
async fn a_lost_index_is_made_again_with_its_erasures() {
    let dir = tempfile::tempdir().unwrap();
    let store = IpfsStore::open(dir.path(), options(2000)).unwrap();
    store.put(blocks(0..40)).await.unwrap();
    store
        .erase(&[*block(3).cid(), *block(99).cid()])
        .await
        .unwrap();
    assert!(packs(dir.path()).len() > 3, "packs are rolled");
    let before = store.check().await.unwrap();
    drop(store);
    forget_index(dir.path());
    let store = IpfsStore::open(dir.path(), options(2000)).unwrap();
    assert_eq!(store.check().await.unwrap(), before);
    assert_eq!((before.blocks, before.is_sound()), (39, true));
    all_there(&store, 0..3).await;
    all_there(&store, 4..40).await;
    for n in [3, 99] {
        assert!(store.erased(block(n).cid()).await.unwrap(), "{n}");
        assert_eq!(store.get(block(n).cid()).await.unwrap(), None);
    }
    drop(store);
    fs::write(dir.path().join("index.db"), b"no database").unwrap();
    let store = IpfsStore::open(dir.path(), options(2000)).unwrap();
    assert_eq!(store.check().await.unwrap(), before, "a damaged one too");
}

#[tokio::test]
async fn an_index_older_than_the_packs_is_brought_up_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let open = || IpfsStore::open(dir.path(), options(2000)).unwrap();
    let store = open();
    store.put(blocks(0..20)).await.unwrap();
    drop(store);
    let old = fs::read(dir.path().join("index.db")).unwrap();
    let store = open();
    store.put(blocks(20..40)).await.unwrap();
    store
        .erase(&[*block(1).cid(), *block(30).cid()])
        .await
        .unwrap();
    let before = store.check().await.unwrap();
    drop(store);
    forget_index(dir.path());
    fs::write(dir.path().join("index.db"), old).unwrap();
    let store = open();
    assert_eq!(store.check().await.unwrap(), before);
    assert_eq!(store.get(block(1).cid()).await.unwrap(), None);
    assert!(store.erased(block(30).cid()).await.unwrap());
    all_there(&store, 31..40).await;
}

#[tokio::test]
async fn a_torn_tail_is_cut_at_any_byte_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = IpfsStore::open(dir.path(), Options::default()).unwrap();
    store.put(blocks(0..5)).await.unwrap();
    drop(store);
    let pack = packs(dir.path()).remove(0);
    let whole = fs::read(&pack).unwrap();
    let one_more = block(7);
    let mut section = medibloc_dag::car::prefix(one_more.cid(), one_more.bytes().len());
    section.extend_from_slice(one_more.bytes());
    for torn in 1..section.len() {
        fs::write(&pack, [&whole[..], &section[..torn]].concat()).unwrap();
        if torn % 2 == 0 {
            forget_index(dir.path());
        }
        let store = IpfsStore::open(dir.path(), Options::default()).unwrap();
        assert_eq!(fs::read(&pack).unwrap(), whole, "{torn} bytes");
        all_there(&store, 0..5).await;
        assert_eq!(store.get(one_more.cid()).await.unwrap(), None);
    }
    let store = IpfsStore::open(dir.path(), Options::default()).unwrap();
    store.put(vec![one_more]).await.unwrap();
    assert!(store.check().await.unwrap().is_sound());
}

#[tokio::test]
async fn no_flipped_bit_of_a_pack_is_given_out_or_costs_more_than_its_block() {
    let dir = tempfile::tempdir().unwrap();
    let store = IpfsStore::open(dir.path(), Options::default()).unwrap();
    store.put(blocks(0..4)).await.unwrap();
    drop(store);
    let pack = packs(dir.path()).remove(0);
    let whole = fs::read(&pack).unwrap();
    let index = fs::read(dir.path().join("index.db")).unwrap();
    for at in (0..whole.len()).step_by(3) {
        for lost_index in [false, true] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&pack, bytes).unwrap();
            forget_index(dir.path());
            if !lost_index {
                fs::write(dir.path().join("index.db"), &index).unwrap();
            }
            let store = IpfsStore::open(dir.path(), Options::default()).unwrap();
            let mut lost = 0;
            for n in 0..4 {
                match store.get(block(n).cid()).await {
                    Ok(Some(bytes)) => assert_eq!(bytes, block(n).bytes()),
                    Ok(None) if lost_index => lost += 1,
                    Err(StoreError::Corrupt { .. }) => lost += 1,
                    other => panic!("byte {at}: {other:?}"),
                }
            }
            assert!(lost <= 1, "byte {at}, index lost: {lost_index}");
            // Sent again, it is whole again.
            store.put(blocks(0..4)).await.unwrap();
            all_there(&store, 0..4).await;
            drop(store);
        }
    }
}

#[tokio::test]
async fn no_flipped_bit_of_the_index_gives_other_bytes_and_it_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = IpfsStore::open(dir.path(), Options::default()).unwrap();
    store.put(blocks(0..20)).await.unwrap();
    store.erase(&[*block(3).cid()]).await.unwrap();
    drop(store);
    let path = dir.path().join("index.db");
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        forget_index(dir.path());
        fs::write(&path, bytes).unwrap();
        if let Ok(store) = IpfsStore::open(dir.path(), Options::default()) {
            for n in 0..20 {
                if let Ok(Some(bytes)) = store.get(block(n).cid()).await {
                    assert!(n != 3 && bytes == block(n).bytes(), "byte {at}, block {n}");
                }
            }
        }
        forget_index(dir.path());
        let store = IpfsStore::open(dir.path(), Options::default()).unwrap();
        all_there(&store, 0..3).await;
        all_there(&store, 4..20).await;
        assert!(store.erased(block(3).cid()).await.unwrap(), "byte {at}");
    }
}

#[tokio::test]
async fn a_damaged_log_of_erasures_brings_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let open = || IpfsStore::open(dir.path(), Options::default()).unwrap();
    let store = open();
    store.put(blocks(0..4)).await.unwrap();
    store
        .erase(&[*block(0).cid(), *block(1).cid()])
        .await
        .unwrap();
    drop(store);
    let log = dir.path().join("erasures");
    for damage in 0..3 {
        let mut bytes = fs::read(&log).unwrap();
        match damage {
            0 => bytes[70] ^= 1,
            1 => bytes.truncate(100),
            _ => bytes.clear(),
        }
        fs::write(&log, bytes).unwrap();
        for lost_index in [false, true] {
            if lost_index {
                forget_index(dir.path());
            }
            let store = open();
            for n in 0..2 {
                assert!(store.erased(block(n).cid()).await.unwrap(), "{damage} {n}");
                assert!(store.put(vec![block(n)]).await.is_err());
            }
            all_there(&store, 2..4).await;
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_said_loses_nothing_and_works_again_when_there_is_room() {
    // Every budget stops another write: of a pack, of its beginning, in the middle of a section.
    for budget in (0..4000).step_by(97) {
        let dir = tempfile::tempdir().unwrap();
        let disk = SmallDisk::new(budget);
        let open = || IpfsStore::open(dir.path(), disk.options(1500)).unwrap();
        let store = open();
        let mut kept = 0;
        let full = loop {
            match store.put(blocks(kept..kept + 3)).await {
                Ok(()) => kept += 3,
                Err(error) => break error,
            }
        };
        assert!(
            matches!(full, StoreError::Full { .. }),
            "{budget}: {full:?}"
        );
        assert!(full.is_retryable());
        all_there(&store, 0..kept).await;
        assert_eq!(store.get(block(kept).cid()).await.unwrap(), None);
        let report = store.check().await.unwrap();
        assert_eq!(
            (report.blocks, report.is_sound()),
            (u64::from(kept), true),
            "{budget}"
        );
        drop(store);
        let store = open();
        all_there(&store, 0..kept).await;
        let more = store.put(blocks(kept..kept + 3)).await;
        assert!(matches!(more, Err(StoreError::Full { .. })), "{budget}");
        disk.free(1 << 20);
        store.put(blocks(kept..kept + 3)).await.unwrap();
        if kept > 0 {
            store.erase(&[*block(0).cid()]).await.unwrap();
        }
        all_there(&store, 1..kept + 3).await;
        assert!(store.check().await.unwrap().is_sound(), "{budget}");
    }
}

#[tokio::test]
async fn an_erasure_that_met_a_full_disk_is_finished_later_and_before_any_put() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(1 << 20);
    let store = IpfsStore::open(dir.path(), disk.options(1 << 20)).unwrap();
    store.put(blocks(0..3)).await.unwrap();
    let cid = *block(0).cid();
    // No room for the log: nothing is erased. Room for the log alone: it is decided, and done as soon as it can be.
    disk.set(10);
    assert!(matches!(
        store.erase(&[cid]).await,
        Err(StoreError::Full { .. })
    ));
    all_there(&store, 0..3).await;
    disk.set(64);
    assert!(matches!(
        store.erase(&[cid]).await,
        Err(StoreError::Full { .. })
    ));
    // Neither done nor undone, it is still never called corrupt.
    store.get(&cid).await.unwrap();
    assert!(store.put(vec![block(0)]).await.is_err());
    disk.set(1 << 20);
    assert!(matches!(
        store.put(vec![block(0)]).await,
        Err(StoreError::Erased { .. })
    ));
    assert!(store.erased(&cid).await.unwrap());
    all_there(&store, 1..3).await;
    assert!(store.check().await.unwrap().is_sound());
}

/// Somebody puts an older copy of a part of the folder back; what is newer there knows of the erasure.
#[tokio::test]
async fn what_an_older_copy_brings_back_is_erased_again() {
    let all = ["index.db", "erasures"];
    // A newer log alone is followed as after a crash.
    for (newer, again) in [(&all[..], 3), (&all[..1], 3), (&all[1..], 0)] {
        let dir = tempfile::tempdir().unwrap();
        let open = || IpfsStore::open(dir.path(), options(2000)).unwrap();
        let store = open();
        store.put(blocks(0..40)).await.unwrap();
        drop(store);
        let copy = |path: &Path| (path.to_owned(), fs::read(path).unwrap());
        let mut before: Vec<_> = packs(dir.path()).iter().map(|it| copy(it)).collect();
        before.extend(all.map(|name| copy(&dir.path().join(name))));
        let store = open();
        let dead: Vec<_> = [3, 4, 30].map(block).into();
        let cids: Vec<_> = dead.iter().map(|it| *it.cid()).collect();
        store.erase(&cids).await.unwrap();
        assert_eq!(store.erased_again(), 0);
        drop(store);
        let is_newer = |path: &Path| newer.iter().any(|name| path.ends_with(name));
        for (path, bytes) in before.iter().filter(|(path, _)| !is_newer(path)) {
            fs::write(path, bytes).unwrap();
        }
        assert!(contains(dir.path(), dead[0].bytes()), "{newer:?}");
        let store = open();
        for block in &dead {
            assert!(!contains(dir.path(), block.bytes()), "{newer:?}");
            assert!(store.erased(block.cid()).await.unwrap(), "{newer:?}");
        }
        assert_eq!(store.erased_again(), again, "{newer:?}");
        let report = store.check().await.unwrap();
        assert_eq!((report.blocks, report.is_sound()), (37, true), "{newer:?}");
        drop(store);
        assert_eq!(open().erased_again(), 0, "once");
    }
}

#[tokio::test]
async fn half_dead_packs_are_compacted_and_their_room_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let store = IpfsStore::open(dir.path(), options(2000)).unwrap();
    store.put(blocks(0..60)).await.unwrap();
    let size = || -> u64 {
        let packs = packs(dir.path());
        packs
            .iter()
            .map(|pack| fs::metadata(pack).unwrap().len())
            .sum()
    };
    let before = size();
    let dead: Vec<_> = (0..60)
        .filter(|n| n % 3 != 0)
        .map(|n| *block(n).cid())
        .collect();
    store.erase(&dead).await.unwrap();
    let after = size();
    assert!(after * 2 < before, "{after} of {before} bytes");
    let report = store.check().await.unwrap();
    assert_eq!((report.blocks, report.is_sound()), (20, true));
    drop(store);
    forget_index(dir.path());
    let store = IpfsStore::open(dir.path(), options(2000)).unwrap();
    assert_eq!(store.check().await.unwrap(), report);
    for cid in &dead {
        assert!(store.erased(cid).await.unwrap());
        assert_eq!(store.get(cid).await.unwrap(), None);
    }
}

#[tokio::test]
async fn one_folder_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let first = IpfsStore::open(dir.path(), Options::default()).unwrap();
    let second = IpfsStore::open(dir.path(), Options::default());
    assert!(matches!(second, Err(StoreError::Refused { .. })));
    drop(first);
    IpfsStore::open(dir.path(), Options::default()).unwrap();
}

#[tokio::test]
async fn many_callers_at_once_share_syncs_and_one_bad_one_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(1 << 30);
    let store = IpfsStore::open(dir.path(), disk.options(1 << 20)).unwrap();
    store.erase(&[*block(50).cid()]).await.unwrap();
    disk.hold_syncs(true);
    let before = disk.syncs();
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.put(vec![block(n)]).await })
        })
        .collect();
    // All the others queue up behind the first sync.
    while disk.syncs() == before {
        tokio::task::yield_now().await;
    }
    disk.hold_syncs(false);
    for (n, task) in tasks.into_iter().enumerate() {
        let done = task.await.unwrap();
        assert_eq!(done.is_ok(), n != 50, "{n}: {done:?}");
    }
    assert!(disk.syncs() - before < 90, "{}", disk.syncs() - before);
    all_there(&store, 0..50).await;
    all_there(&store, 51..100).await;
}
