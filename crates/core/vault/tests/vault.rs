//! What the vault must hold: rows and blocks survive, nobody else reads them, nothing is half done.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use medibloc_dag::{Block, Codec};
use medibloc_vault::{RowChange, Vault, VaultError};

const KEY: [u8; 32] = [7; 32];

fn put<'a>(key: &'a [u8], value: &'a [u8]) -> RowChange<'a> {
    RowChange::Put {
        table: "t",
        key,
        value,
    }
}

#[test]
fn rows_and_blocks_survive_a_reopening() {
    let home = tempfile::tempdir().unwrap();
    let block = Block::of(Codec::Raw, b"sealed".to_vec()).unwrap();
    {
        let vault = Vault::create(home.path(), &KEY).unwrap();
        vault
            .apply(&[put(b"b", b"2"), put(b"a", b"1"), put(b"c", b"3")])
            .unwrap();
        vault
            .apply(&[
                put(b"a", b"new"),
                RowChange::Delete {
                    table: "t",
                    key: b"c",
                },
            ])
            .unwrap();
        vault.put_block(&block).unwrap();
        vault.put_block(&block).unwrap();
    }
    let vault = Vault::open(home.path(), &KEY).unwrap();
    let rows = [
        (b"a".to_vec(), b"new".to_vec()),
        (b"b".to_vec(), b"2".to_vec()),
    ];
    assert_eq!(vault.list("t").unwrap(), rows);
    assert_eq!(vault.list("other").unwrap(), []);
    assert_eq!(vault.block(block.cid()).unwrap().unwrap(), b"sealed");
    assert_eq!(vault.check().unwrap(), [""; 0]);
    vault.drop_block(block.cid()).unwrap();
    assert_eq!(vault.block(block.cid()).unwrap(), None);
}

/// Vaults of every form open for ever (docs/format/vault.md); form 1 becomes form 2. `MEDIBLOC_BLESS=1` makes another
/// only where there is none.
#[test]
fn a_vault_of_every_form_opens() {
    for form in ["v1", "v2"] {
        golden_opens(form);
    }
}

fn golden_opens(form: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../testdata/vault")
        .join(form)
        .join("vault.db");
    let block = Block::of(Codec::Raw, b"sealed".to_vec()).unwrap();
    let home = tempfile::tempdir().unwrap();
    if !golden.exists() && std::env::var_os("MEDIBLOC_BLESS").is_some() {
        let vault = Vault::create(home.path(), &KEY).unwrap();
        vault.apply(&[put(b"a", b"1"), put(b"b", b"2")]).unwrap();
        vault.put_block(&block).unwrap();
        drop(vault);
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::copy(home.path().join("vault.db"), &golden).unwrap();
    }
    std::fs::copy(&golden, home.path().join("vault.db")).unwrap();
    // The second opening finds what the first one made of it.
    for _ in 0..2 {
        let vault = Vault::open(home.path(), &KEY).unwrap();
        let rows = [
            (b"a".to_vec(), b"1".to_vec()),
            (b"b".to_vec(), b"2".to_vec()),
        ];
        assert_eq!(vault.list("t").unwrap(), rows, "{form}");
        assert_eq!(vault.block(block.cid()).unwrap().unwrap(), b"sealed");
        assert_eq!(vault.check().unwrap(), [""; 0], "{form}");
    }
    let again = Vault::create(home.path(), &KEY).unwrap_err();
    assert!(matches!(again, VaultError::Exists { .. }), "{again}");
}

/// A migration has no codes to go by: the pages must all be whole, and what is there stays as it is.
#[test]
fn a_damaged_vault_of_form_1_is_not_migrated() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/vault/v1/vault.db");
    let whole = std::fs::read(golden).unwrap();
    for page in 1..whole.len() / 4096 {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("vault.db");
        let mut bytes = whole.clone();
        bytes[page * 4096 + 100] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let told = Vault::open(home.path(), &KEY).unwrap_err();
        assert!(matches!(told, VaultError::Damaged { .. }), "{told}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "page {page}");
    }
}

#[test]
fn a_wrong_key_opens_nothing_and_harms_nothing() {
    let home = tempfile::tempdir().unwrap();
    Vault::create(home.path(), &KEY)
        .unwrap()
        .apply(&[put(b"a", b"1")])
        .unwrap();
    let refused = Vault::open(home.path(), &[8; 32]).unwrap_err();
    assert!(matches!(refused, VaultError::WrongKey { .. }), "{refused}");
    let vault = Vault::open(home.path(), &KEY).unwrap();
    assert_eq!(vault.get("t", b"a").unwrap().unwrap(), b"1");
}

#[test]
fn only_one_process_holds_it() {
    let home = tempfile::tempdir().unwrap();
    let first = Vault::create(home.path(), &KEY).unwrap();
    let held = Vault::open(home.path(), &KEY).unwrap_err();
    let me = Some(std::process::id());
    assert!(
        matches!(held, VaultError::Held { by, .. } if by == me),
        "{held}"
    );
    drop(first);
    assert!(Vault::open(home.path(), &KEY).is_ok());
}

#[test]
fn no_file_of_it_holds_a_word_in_the_clear() {
    let home = tempfile::tempdir().unwrap();
    let vault = Vault::create(home.path(), &KEY).unwrap();
    let word = b"a name that must not be found";
    vault.apply(&[put(word, word)]).unwrap();
    let seen = |folder: &Path| {
        std::fs::read_dir(folder).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(word.len()).any(|window| window == word)
        })
    };
    assert!(!seen(home.path()));
    std::fs::write(home.path().join("planted"), word).unwrap();
    assert!(seen(home.path()), "the search finds what is there");
}

#[test]
fn a_full_disk_loses_nothing_and_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let vault = Vault::create(home.path(), &KEY).unwrap();
    vault.apply(&[put(b"kept", b"1")]).unwrap();
    vault.limit(64 * 1024).unwrap();
    let big = vec![1; 256 * 1024];
    let full = vault
        .apply(&[put(b"kept", b"2"), put(b"big", &big)])
        .unwrap_err();
    assert!(matches!(full, VaultError::Full { .. }), "{full}");
    assert!(full.to_string().contains("free space"));
    assert_eq!(vault.get("t", b"kept").unwrap().unwrap(), b"1");
    vault.limit(64 << 20).unwrap();
    vault.apply(&[put(b"big", &big)]).unwrap();
    assert_eq!(vault.get("t", b"big").unwrap().unwrap(), big);
}
