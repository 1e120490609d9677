//! The vault never lies about damage: whatever byte is changed, wherever it is cut, it gives what was put or says that
//! it is damaged. An older copy of the whole file and a cut log are not told (docs/format/vault.md).
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use medibloc_dag::{Block, Cid, Codec};
use medibloc_vault::{RowChange, Vault, VaultError};

const KEY: [u8; 32] = [7; 32];
const PAGE: usize = 4096;
const TABLES: [&str; 2] = ["records", "grants"];

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// What was put.
struct Truth {
    rows: Vec<(&'static str, Rows)>,
    blocks: Vec<Block>,
}

fn row(table: u8, number: u8) -> (Vec<u8>, Vec<u8>) {
    let length = if number == 3 { 9000 } else { 300 };
    (vec![table, number], vec![table ^ number ^ 0x5a; length])
}

/// A vault with inner pages, leaves, and rows and blocks that run over several pages; closed.
fn small(home: &Path) -> Truth {
    let vault = Vault::create(home, &KEY).unwrap();
    let rows: Vec<(&str, Rows)> = TABLES
        .into_iter()
        .zip(1..)
        .map(|(table, number)| (table, (0..14).map(|n| row(number, n)).collect()))
        .collect();
    for (table, rows) in &rows {
        for (key, value) in rows {
            vault
                .apply(&[RowChange::Put { table, key, value }])
                .unwrap();
        }
    }
    let blocks: Vec<Block> = [(10u8, 10), (88, 7000)]
        .into_iter()
        .map(|(byte, length)| Block::of(Codec::Raw, vec![byte; length]).unwrap())
        .collect();
    for block in &blocks {
        vault.put_block(block).unwrap();
    }
    // Pages that are free.
    let extra = RowChange::Put {
        table: "jobs",
        key: b"k",
        value: &[1; 5000],
    };
    vault.apply(&[extra]).unwrap();
    vault
        .apply(&[RowChange::Delete {
            table: "jobs",
            key: b"k",
        }])
        .unwrap();
    Truth { rows, blocks }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    right: usize,
    damage: usize,
}

impl Seen {
    fn note<T: PartialEq>(&mut self, at: &str, got: Result<T, VaultError>, put: &T) {
        match got {
            Ok(got) => {
                assert!(got == *put, "{at}: another value than was put");
                self.right += 1;
            }
            Err(VaultError::Damaged { .. }) => self.damage += 1,
            Err(other) => panic!("{at}: {other}"),
        }
    }
}

/// Reads everything; each answer is the truth or damage.
fn read(home: &Path, truth: &Truth, at: &str) -> Seen {
    let mut seen = Seen::default();
    let vault = match Vault::open(home, &KEY) {
        Ok(vault) => vault,
        Err(VaultError::Damaged { .. }) => {
            seen.damage += 1;
            return seen;
        }
        Err(other) => panic!("{at}: {other}"),
    };
    for (table, rows) in &truth.rows {
        for at_row in [3usize, 13] {
            let (key, value) = &rows[at_row];
            seen.note(at, vault.get(table, key), &Some(value.clone()));
        }
        seen.note(at, vault.get(table, b"never"), &None);
        seen.note(at, vault.list(table), rows);
    }
    seen.note(at, vault.list("jobs"), &Vec::new());
    for block in &truth.blocks {
        let bytes = Some(block.bytes().to_vec());
        seen.note(at, vault.block(block.cid()), &bytes);
    }
    seen.note(at, vault.block(&Cid::of(Codec::Raw, b"never")), &None);
    seen
}

fn everywhere() -> bool {
    std::env::var_os("MEDIBLOC_FAULTS").is_some_and(|faults| faults == "all")
}

#[test]
fn each_changed_byte_is_harmless_or_told() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let truth = small(home);
    let path = home.join("vault.db");
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(whole.len() % PAGE, 0);
    let all = read(home, &truth, "unchanged");
    assert_eq!(all.damage, 0);
    // Every byte of what SQLite reads first on each page and of the codes at its end; of the rest, every 16th here and
    // each with MEDIBLOC_FAULTS=all.
    let is_tried =
        |at: usize| everywhere() || at % PAGE < 40 || at % PAGE >= PAGE - 8 || at % 16 == 5;
    let mut told = vec![0; whole.len() / PAGE];
    let mut tried = 0;
    for at in (0..whole.len()).filter(|at| is_tried(*at)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).unwrap();
        let seen = read(home, &truth, &format!("byte {at}"));
        told[at / PAGE] += seen.damage;
        tried += 1;
        assert!((16..PAGE).contains(&at) || seen.damage > 0 || seen.right == all.right);
        assert!(
            !(16..PAGE).contains(&at) || seen.damage > 0,
            "byte {at} of the first page"
        );
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(read(home, &truth, "put back"), all);
    let quiet = told.iter().filter(|told| **told == 0).count();
    assert!(
        quiet <= 3,
        "only pages that hold nothing may be quiet: {told:?}"
    );
    println!(
        "ATTACK field-vault: {tried} of {} bytes changed one by one: 0 wrong values, 0 panics",
        whole.len()
    );
}

/// The database takes its salt from the key and never looks at the file's own: all is read, and the whole check tells.
#[test]
fn each_byte_of_the_files_mark_is_told_by_the_whole_check() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let truth = small(home);
    let path = home.join("vault.db");
    let whole = std::fs::read(&path).unwrap();
    let all = read(home, &truth, "unchanged");
    for at in 0..16 {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).unwrap();
        let told = Vault::open(home, &KEY).unwrap().check().unwrap();
        assert_eq!(told.len(), 1, "byte {at}: {told:?}");
        assert!(
            told[0].contains("the first 16 bytes of the file"),
            "{told:?}"
        );
        assert_eq!(read(home, &truth, "all is read"), all);
    }
}

#[test]
fn each_cut_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let truth = small(home);
    let path = home.join("vault.db");
    let whole = std::fs::read(&path).unwrap();
    let (all, mut told) = (read(home, &truth, "whole"), 0);
    for page in 0..whole.len() / PAGE {
        for more in [0, 1, 100, PAGE - 1] {
            let cut = page * PAGE + more;
            std::fs::write(&path, &whole[..cut]).unwrap();
            if cut == 0 {
                let told = Vault::open(home, &KEY).unwrap_err();
                assert!(matches!(told, VaultError::Missing { .. }), "{told}");
                assert!(told.to_string().contains("medibloc restore"), "{told}");
                continue;
            }
            let seen = read(home, &truth, &format!("cut at {cut}"));
            // What is cut off may be a page that holds nothing.
            assert!(seen.damage > 0 || seen == all, "cut at {cut}");
            told += seen.damage;
        }
    }
    assert!(told >= whole.len() / PAGE, "{told}");
    std::fs::remove_file(&path).unwrap();
    let told = Vault::open(home, &KEY).unwrap_err();
    assert!(matches!(told, VaultError::Missing { .. }), "{told}");
    assert!(!path.exists(), "nothing was made in its place");
}

/// Pages carry a code of their own place, so an old one in its own place passes: the sums tell.
#[test]
fn an_older_page_in_its_place_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    drop(small(home));
    let path = home.join("vault.db");
    let old = std::fs::read(&path).unwrap();
    let mut truth = {
        let vault = Vault::open(home, &KEY).unwrap();
        let rows = |table| vault.list(table).unwrap();
        Truth {
            rows: TABLES.map(|table| (table, rows(table))).into(),
            blocks: Vec::new(),
        }
    };
    for (table, rows) in &mut truth.rows {
        let vault = Vault::open(home, &KEY).unwrap();
        for (key, value) in rows {
            value.fill(0xee);
            vault
                .apply(&[RowChange::Put { table, key, value }])
                .unwrap();
        }
        vault
            .apply(&[RowChange::Put {
                table: "cursor",
                key: b"a",
                value: b"1",
            }])
            .unwrap();
    }
    let new = std::fs::read(&path).unwrap();
    let mut told = 0;
    for page in 0..old.len().min(new.len()) / PAGE {
        let at = page * PAGE..(page + 1) * PAGE;
        if old[at.clone()] == new[at.clone()] {
            continue;
        }
        let mut bytes = new.clone();
        bytes[at.clone()].copy_from_slice(&old[at]);
        std::fs::write(&path, &bytes).unwrap();
        told += read(home, &truth, &format!("old page {page}")).damage;
    }
    assert!(told > 0, "old pages were put in place and nothing said so");
    // All of an older file is an older vault: nothing in it can tell (docs/format/vault.md).
    std::fs::write(&path, &old).unwrap();
    let vault = Vault::open(home, &KEY).unwrap();
    assert_eq!(vault.list("records").unwrap()[0], row(1, 0));
}

/// What another page's damage must not stop.
#[test]
fn what_is_whole_is_read_beside_what_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let truth = small(home);
    let path = home.join("vault.db");
    let whole = std::fs::read(&path).unwrap();
    let mut beside = 0;
    for page in 1..whole.len() / PAGE {
        let mut bytes = whole.clone();
        bytes[page * PAGE + 2000] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let seen = read(home, &truth, &format!("page {page}"));
        if seen.damage > 0 && seen.right > 0 {
            beside += 1;
        }
        if seen.damage > 0 {
            let found = Vault::open(home, &KEY).and_then(|vault| vault.check());
            assert!(found.is_err() || !found.unwrap().is_empty(), "page {page}");
        }
    }
    assert!(beside >= 4, "{beside}");
}

#[test]
fn a_damaged_first_page_is_not_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    drop(small(home));
    let path = home.join("vault.db");
    let whole = std::fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[200] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let told = Vault::open(home, &KEY).unwrap_err();
    assert!(matches!(told, VaultError::Damaged { .. }), "{told}");
    for hint in ["damaged", "backup", "phrase"] {
        assert!(told.to_string().contains(hint), "{told}");
    }
    println!("ATTACK field-vault-page-1: told as damage");
    std::fs::write(&path, &whole).unwrap();
    let other = Vault::open(home, &[8; 32]).unwrap_err();
    assert!(matches!(other, VaultError::WrongKey { .. }), "{other}");
    // Of form 1 there is no mark, and damage and another key cannot be told apart: both are said.
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/vault/v1/vault.db");
    let mut bytes = std::fs::read(golden).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let told = Vault::open(home, &KEY).unwrap_err();
    assert!(
        told.to_string().contains("or its beginning is damaged"),
        "{told}"
    );
}

/// A log that was left by a kill -9 and then damaged: what the vault gives is a state that was, or damage.
#[test]
fn a_damaged_log_gives_an_earlier_state_or_damage() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let vault = Vault::create(home, &KEY).unwrap();
    let states: Vec<Vec<u8>> = (0..5u8).map(|n| vec![n; 300]).collect();
    for value in &states {
        vault
            .apply(&[RowChange::Put {
                table: "t",
                key: b"k",
                value,
            }])
            .unwrap();
    }
    let read = |name: &str| std::fs::read(home.join(name)).unwrap();
    let (database, log) = (read("vault.db"), read("vault.db-wal"));
    drop(vault);
    let mut earlier = 0;
    for at in (0..log.len()).step_by(if everywhere() { 1 } else { 97 }) {
        let mut bytes = log.clone();
        bytes[at] ^= 1;
        std::fs::write(home.join("vault.db"), &database).unwrap();
        std::fs::write(home.join("vault.db-wal"), &bytes).unwrap();
        match Vault::open(home, &KEY).and_then(|vault| vault.get("t", b"k")) {
            Ok(None) => earlier += 1,
            Ok(Some(value)) => {
                assert!(states.contains(&value), "byte {at}");
                earlier += usize::from(Some(&value) != states.last());
            }
            Err(VaultError::Damaged { .. }) => {}
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
    assert!(earlier > 0, "some damage must have reached the log");
}
