//! A home on a file system that can only be read: a stick with a write lock, a mounted backup.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::process::Command;

use medibloc_vault::{Vault, VaultError};

const KEY: [u8; 32] = [7; 32];

#[test]
fn a_home_that_can_only_be_read_is_told_as_that_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| {
        let done = Command::new(words[0])
            .args(&words[1..])
            .arg(folder.path())
            .output();
        done.is_ok_and(|done| done.status.success())
    };
    if !run(&["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"]) {
        println!("SKIPPED mount/read-only: a small file system cannot be mounted here");
        return;
    }
    let made = Vault::create(folder.path(), &KEY).map(drop);
    let locked = run(&["mount", "-o", "remount,ro"]);
    let told = Vault::open(folder.path(), &KEY).map(drop);
    assert!(run(&["umount", "-l"]));
    made.unwrap();
    assert!(locked);
    let told = told.unwrap_err();
    assert!(matches!(told, VaultError::ReadOnly { .. }), "{told}");
    let told = told.to_string();
    for what in ["can only be read", "copy the whole home", "--home"] {
        assert!(told.contains(what), "{told}");
    }
    assert!(!told.contains("is yours"), "{told}");
}
