//! A disk that is really full, with the index on it too: a file system in memory of 3 MiB.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/disk.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use medibloc_store::{Store, StoreError};
use medibloc_store_ipfs::IpfsStore;
use support::{block, blocks, options};

#[test]
fn a_really_full_disk_is_said_loses_nothing_and_works_again() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=3m none "$1" || exit 77; exec "$2" inside --exact --ignored --nocapture"#;
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(std::env::current_exe().unwrap())
        .env("MEDIBLOC_FULL_ROOT", dir.path())
        .output();
    let output = match output {
        Ok(output) if output.status.code() != Some(77) && !denied(&output.stderr) => output,
        _ => return println!("SKIPPED unshare/full: no file system can be mounted here"),
    };
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn denied(stderr: &[u8]) -> bool {
    String::from_utf8_lossy(stderr).starts_with("unshare:")
}

#[tokio::test]
#[ignore = "child of a_really_full_disk_is_said_loses_nothing_and_works_again"]
async fn inside() {
    let root = std::env::var("MEDIBLOC_FULL_ROOT").unwrap();
    let (root, ballast) = (Path::new(&root), Path::new(&root).join("ballast"));
    let reserve = root.join("reserve");
    std::fs::write(&ballast, vec![1; 1 << 19]).unwrap();
    std::fs::write(&reserve, vec![1; 1 << 17]).unwrap();
    let mut kept = 0;
    // Small and large steps meet the end of the disk in the pack and in the index.
    for (round, step) in (0..).zip([40, 3, 1, 17]) {
        let store = match IpfsStore::open(root, options(1 << 18)) {
            // An erasure that was decided and not finished needs room before anything else.
            Err(StoreError::Full { what }) => {
                println!("not opened: {what}");
                std::fs::remove_file(&reserve).unwrap();
                IpfsStore::open(root, options(1 << 18)).unwrap()
            }
            opened => opened.unwrap(),
        };
        let full = loop {
            match store.put(blocks(kept..kept + step)).await {
                Ok(()) => kept += step,
                Err(error) => break error,
            }
        };
        println!("round {round}: {kept} kept, then: {full}");
        assert!(matches!(full, StoreError::Full { .. }), "{full:?}");
        for n in 4..kept {
            let block = block(n);
            let found = store.get(block.cid()).await.unwrap();
            assert_eq!(found.as_deref(), Some(block.bytes()), "{n}");
        }
        assert_eq!(store.get(block(kept).cid()).await.unwrap(), None);
        assert!(store.check().await.unwrap().is_sound());
        if round == 1 {
            // There is room again while it is open.
            std::fs::remove_file(&ballast).unwrap();
            store.put(blocks(kept..kept + 100)).await.unwrap();
            kept += 100;
        }
        // An erasure is done, or said to be not done.
        match store.erase(&[*block(round).cid()]).await {
            Ok(()) => println!("erased on a full disk"),
            Err(StoreError::Full { what }) => println!("not erased: {what}"),
            Err(other) => panic!("{other:?}"),
        }
        let report = store.check().await.unwrap();
        assert!(
            report.corrupt.is_empty(),
            "{round} {} {report:?}",
            block(round).cid()
        );
        let found = store.get(block(round).cid()).await;
        assert!(
            !matches!(found, Err(StoreError::Corrupt { .. })),
            "{found:?}"
        );
        drop(store);
    }
    std::fs::write(root.join("more"), vec![1; 1 << 20]).unwrap_err();
    std::fs::remove_file(root.join("more")).unwrap();
}
