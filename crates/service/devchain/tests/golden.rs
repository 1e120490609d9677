//! A chain of format 1 that opens for ever: `testdata/chain/v1/chain.redb.gz`, with what it holds in `chain.json`.
//! `MEDIBLOC_BLESS=1` makes another; only for a new format, beside the old one.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/programs.rs"]
#[allow(dead_code)]
mod programs;
#[path = "support/wallet.rs"]
mod wallet;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use alloy::eips::BlockId;
use alloy::primitives::{Address, U256};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use medibloc_devchain::{Chain, Config, OpenError, Place};
use redb::TableDefinition;
use serde_json::{Value, json};

use programs::{creating, join, word};
use wallet::{Draft, account};

const BLOCKS: u64 = 6;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/chain/v1")
}

fn open(folder: &Path) -> Result<Chain, OpenError> {
    Chain::open(Place::Dir(folder.to_owned()), Config::default())
}

/// What a chain answers, as the golden says it.
fn told(chain: &Chain) -> Value {
    let signer = account(0).address();
    let store = signer.create(0);
    let latest = BlockId::latest();
    let ask = |method: &str, params: Value| -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer: Value =
            serde_json::from_str(&chain.answer(body.to_string().as_bytes()).unwrap()).unwrap();
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    };
    let slot = |number: u64| {
        let word = ask(
            "eth_getStorageAt",
            json!([store, format!("{number:#x}"), "latest"]),
        );
        let word: U256 = word.as_str().unwrap().parse().unwrap();
        word.to_string()
    };
    let hash = |number: u64| {
        let block = ask(
            "eth_getBlockByNumber",
            json!([format!("{number:#x}"), false]),
        );
        json!({"hash": block["hash"], "stateRoot": block["stateRoot"], "transactions": block["transactions"]})
    };
    json!({
        "number": chain.number().unwrap(),
        "blocks": (0..=BLOCKS).map(hash).collect::<Vec<_>>(),
        "balance": chain.balance(signer, latest).unwrap().to_string(),
        "nonce": chain.nonce(signer, latest).unwrap(),
        "slots": (0..4).map(slot).collect::<Vec<_>>(),
        "empty": chain.balance(Address::ZERO, latest).unwrap().to_string(),
    })
}

fn bless() {
    let folder = tempfile::tempdir().unwrap();
    let chain = open(folder.path()).unwrap();
    let signer = account(0);
    let store = signer.address().create(0);
    for nonce in 0..BLOCKS {
        let draft = match nonce {
            0 => Draft::new(2, nonce, None, creating(programs::STORE)),
            1 => Draft::new(2, nonce, None, creating(&programs::log(2))),
            _ => Draft::new(
                2,
                nonce,
                Some(store),
                join(&[&word(nonce % 4), &word(nonce + 1)]),
            ),
        };
        chain.send_raw(&draft.sign(&signer)).unwrap();
    }
    let text = format!("{:#}\n", told(&chain));
    drop(chain);
    fs::create_dir_all(golden()).unwrap();
    fs::write(golden().join("chain.json"), text).unwrap();
    let file = File::create(golden().join("chain.redb.gz")).unwrap();
    let mut gzip = GzEncoder::new(file, Compression::best());
    io::copy(
        &mut File::open(folder.path().join("chain.redb")).unwrap(),
        &mut gzip,
    )
    .unwrap();
    gzip.finish().unwrap().sync_all().unwrap();
}

/// The golden's folder, unpacked.
fn unpacked() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut gzip = GzDecoder::new(File::open(golden().join("chain.redb.gz")).unwrap());
    let mut file = File::create(folder.path().join("chain.redb")).unwrap();
    io::copy(&mut gzip, &mut file).unwrap();
    folder
}

#[test]
fn a_chain_of_format_1_opens_and_goes_on() {
    if std::env::var_os("MEDIBLOC_BLESS").is_some() {
        bless();
    }
    let expected = fs::read_to_string(golden().join("chain.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(
        expected["slots"],
        json!(["5", "6", "3", "4"]),
        "what the transactions wrote"
    );
    let folder = unpacked();
    let chain = open(folder.path()).unwrap();
    assert_eq!(told(&chain), expected);
    let signer = account(0);
    let input = join(&[&word(0), &word(99)]);
    let next = Draft::new(2, BLOCKS, Some(signer.address().create(0)), input);
    chain.send_raw(&next.sign(&signer)).unwrap();
    drop(chain);
    let chain = open(folder.path()).unwrap();
    assert_eq!(chain.number().unwrap(), BLOCKS + 1);
    assert_eq!(told(&chain)["slots"][0], "99");
}

#[test]
fn a_chain_of_a_later_format_says_so_and_stays_as_it_is() {
    let folder = unpacked();
    let path = folder.path().join("chain.redb");
    let database = redb::Database::open(&path).unwrap();
    let change = database.begin_write().unwrap();
    let meta: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
    change
        .open_table(meta)
        .unwrap()
        .insert("format", 2)
        .unwrap();
    change.commit().unwrap();
    drop(database);
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("format 2") && error.contains("reads 1"),
        "{error}"
    );
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("format 2"), "it was not changed: {error}");
}

/// security-19: the chain's file is nobody else's, also if an older program made it.
#[cfg(unix)]
#[test]
fn the_file_of_a_chain_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("chain");
    let file = at.join("chain.redb");
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    drop(open(&at).unwrap());
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&at).unwrap());
    assert_eq!(mode(), 0o600);
    let folder = fs::metadata(&at).unwrap().permissions().mode();
    assert_eq!(folder & 0o077, 0);
}
