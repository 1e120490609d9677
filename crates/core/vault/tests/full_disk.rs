//! A disk that is full, for real. In a file of its own: a process that is being started holds every lock for a moment.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::Command;

use medibloc_dag::{Block, Codec};
use medibloc_vault::{RowChange, Vault, VaultError};

const KEY: [u8; 32] = [7; 32];

const fn put<'a>(key: &'a [u8], value: &'a [u8]) -> RowChange<'a> {
    RowChange::Put {
        table: "records",
        key,
        value,
    }
}

#[test]
fn a_vault_on_a_full_disk_reads_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let done = Command::new(words[0])
            .args(&words[1..])
            .arg(folder.path())
            .output();
        done.is_ok_and(|done| done.status.success())
    };
    if !run(&["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs"]) {
        println!("SKIPPED mount/full-disk: a small file system cannot be mounted here");
        return;
    }
    let tried = std::panic::catch_unwind(|| fill(folder.path()));
    assert!(run(&["umount", "-l"]));
    if let Err(panic) = tried {
        std::panic::resume_unwind(panic);
    }
    println!("ATTACK field-full-disk: reads, says that it is full, goes on");
}

fn fill(home: &Path) {
    let block = Block::of(Codec::Raw, vec![5; 20_000]).unwrap();
    let vault = Vault::create(home, &KEY).unwrap();
    vault.apply(&[put(b"a", &[1; 9000])]).unwrap();
    vault.put_block(&block).unwrap();
    drop(vault);
    // Nothing is left, not one byte.
    let mut filler = std::fs::File::create(home.join("filler")).unwrap();
    while std::io::Write::write_all(&mut filler, &[1; 512]).is_ok() {}
    drop(filler);
    let vault = Vault::open(home, &KEY).unwrap();
    let rows = [(b"a".to_vec(), vec![1; 9000])];
    assert_eq!(vault.list("records").unwrap(), rows);
    assert_eq!(vault.block(block.cid()).unwrap().unwrap(), block.bytes());
    let told = vault.apply(&[put(b"new", &[3; 20_000])]).unwrap_err();
    assert!(matches!(told, VaultError::Full { .. }), "{told}");
    assert!(told.to_string().contains("free space"), "{told}");
    assert_eq!(vault.get("records", b"new").unwrap(), None);
    std::fs::remove_file(home.join("filler")).unwrap();
    vault.apply(&[put(b"new", &[3; 20_000])]).unwrap();
    drop(vault);
    let vault = Vault::open(home, &KEY).unwrap();
    assert_eq!(vault.get("records", b"new").unwrap().unwrap(), [3; 20_000]);
    assert_eq!(vault.get("records", b"a").unwrap().unwrap(), [1; 9000]);
}
