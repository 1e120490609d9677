//! kill -9 at any instant. In a file of its own: a process that is being started holds every lock for a moment.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use medibloc_vault::{RowChange, Vault};

const KEY: [u8; 32] = [7; 32];

fn put<'a>(key: &'a [u8], value: &'a [u8]) -> RowChange<'a> {
    RowChange::Put {
        table: "t",
        key,
        value,
    }
}

const CHILD: &str = "MEDIBLOC_VAULT_CRASH_HOME";

/// The child of the test below: writes pairs of rows in one change and tells each number once it is kept.
#[test]
fn crash_child() {
    let Ok(home) = std::env::var(CHILD) else {
        return;
    };
    let vault = Vault::open(Path::new(&home), &KEY).unwrap();
    let first = vault.list("t").unwrap().len() as u64 / 2;
    let mut out = std::io::stdout();
    for number in first.. {
        let key = number.to_be_bytes();
        let (left, right) = (
            [b"l", key.as_slice()].concat(),
            [b"r", key.as_slice()].concat(),
        );
        vault
            .apply(&[put(&left, &[1; 500]), put(&right, &[2; 500])])
            .unwrap();
        writeln!(out, "kept {number}").unwrap();
    }
}

#[test]
fn kill_9_loses_nothing_that_was_kept() {
    let home = tempfile::tempdir().unwrap();
    drop(Vault::create(home.path(), &KEY).unwrap());
    let mut kept = 0u64;
    for round in 0..20u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash_child", "--exact", "--nocapture"])
            .env(CHILD, home.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stop_after = 3 + round * 7 % 13;
        let mut seen = 0;
        while seen < stop_after {
            let line = lines.next().unwrap().unwrap();
            if let Some(number) = line.split("kept ").nth(1) {
                kept = number.trim().parse::<u64>().unwrap() + 1;
                seen += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            if let Some(number) = line
                .split("kept ")
                .nth(1)
                .and_then(|number| number.parse::<u64>().ok())
            {
                kept = number + 1;
            }
        }
        let vault = Vault::open(home.path(), &KEY).unwrap();
        let rows = vault.list("t").unwrap();
        assert_eq!(rows.len() % 2, 0, "a change is whole or absent");
        assert!(
            rows.len() as u64 >= kept * 2,
            "round {round}: {} rows, {kept} kept",
            rows.len()
        );
        assert_eq!(vault.check().unwrap(), [""; 0]);
    }
}
