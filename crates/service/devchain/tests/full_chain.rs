//! A file system that is full, for real: nothing that was acknowledged is lost, and the chain goes on when there is room again. In a
//! file of its own: a process that is being started holds every lock for a moment.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and says what it skips"
)]

#[path = "support/wallet.rs"]
#[allow(dead_code, reason = "each test takes of it what it needs")]
mod wallet;

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use alloy::primitives::Bytes;
use medibloc_devchain::{Chain, ChainError, Config, DiskError, Place};

use wallet::{Draft, account};

/// Bytes that the file system still has.
const ROOM: u64 = 512 << 10;

/// Transactions, each of which takes 30 KB in the chain's file; fewer fill what it has room for.
const MANY: u64 = 400;

fn run(words: &[&str], folder: &Path) -> bool {
    let done = Command::new(words[0])
        .args(&words[1..])
        .arg(folder)
        .output();
    done.is_ok_and(|done| done.status.success())
}

fn raw(nonce: u64) -> Bytes {
    // STOP, and what it never comes to.
    let mut code = vec![7; 30_000];
    code[0] = 0;
    let mut draft = Draft::new(2, nonce, None, code.into());
    draft.gas = 5_000_000;
    draft.sign(&account(0))
}

#[test]
fn a_chain_on_a_full_file_system_loses_nothing_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let tmpfs = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs"];
    if !run(&tmpfs, folder.path()) {
        println!("SKIPPED mount/chain: a small file system cannot be mounted here");
        return;
    }
    let tried = std::panic::catch_unwind(|| fill(folder.path()));
    assert!(run(&["umount", "-l"], folder.path()));
    if let Err(panic) = tried {
        std::panic::resume_unwind(panic);
    }
}

fn fill(disk: &Path) {
    let open = || Chain::open(Place::Dir(disk.join("chain")), Config::default()).unwrap();
    let chain = open();
    for nonce in 0..5 {
        chain.send_raw(&raw(nonce)).unwrap();
    }
    let filler = disk.join("filler");
    let mut full = File::create(&filler).unwrap();
    while full.write_all(&[1; 512]).is_ok() {}
    // Room for some blocks: then one of them is cut off.
    full.set_len(full.metadata().unwrap().len() - ROOM).unwrap();
    drop(full);
    assert!(chain.free_bytes().is_some_and(|free| free <= 2 * ROOM));
    // What its file has room for is kept; then nothing is, and all of it can be read.
    let mut kept = 5;
    let refused = (5..MANY).find_map(|nonce| {
        let sent = chain.send_raw(&raw(nonce));
        kept += u64::from(sent.is_ok());
        sent.err()
    });
    let is_full = matches!(refused, Some(ChainError::Disk(DiskError::Store(_))));
    assert!(is_full && kept > 5, "{refused:?} after {kept}");
    assert!(!chain.takes_blocks());
    for _ in 0..3 {
        chain.recover().unwrap_err();
        assert!(!chain.takes_blocks());
        let told = chain.send_raw(&raw(kept)).unwrap_err().to_string();
        assert!(told.contains("operator must free the disk"), "{told}");
        let head = chain.number().unwrap();
        assert!(head == kept || head == kept + 1, "{head} of {kept}");
    }
    // Started again on the same disk it says so before anybody is refused.
    drop(chain);
    let chain = open();
    assert!(!chain.takes_blocks());
    std::fs::remove_file(&filler).unwrap();
    chain.recover().unwrap();
    assert!(chain.takes_blocks());
    // Every block that was acknowledged is there; the one that was refused may be, whole.
    let head = chain.number().unwrap();
    assert!(head == kept || head == kept + 1, "{head} of {kept}");
    for nonce in 0..head {
        let again = chain.send_raw(&raw(nonce)).unwrap_err();
        let is_there = matches!(again, ChainError::Known { .. });
        assert!(is_there, "{nonce}: {again}");
    }
    for nonce in head..head + 3 {
        chain.send_raw(&raw(nonce)).unwrap();
    }
    drop(chain);
    assert_eq!(open().number().unwrap(), head + 3);
    println!(
        "ATTACK operator-full-chain: {kept} blocks acknowledged until the file system was full, all of them there, and it went on"
    );
}
