//! A chain whose process is killed while it makes blocks has, opened again, every block that it
//! acknowledged, and the state root of what is on the disk.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/programs.rs"]
#[allow(dead_code)]
mod programs;
#[path = "support/wallet.rs"]
mod wallet;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use alloy::{
    consensus::{TrieAccount, proofs},
    eips::BlockId,
    primitives::{Address, B256, U256},
};
use medibloc_devchain::{Chain, Config, Place, Transactions};
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};

use programs::{Dice, creating, join, word};
use wallet::{Draft, account};

const CHILD: &str = "DEVCHAIN_CRASH_CHILD";
const ROUNDS: u64 = 24;

fn open(folder: &Path) -> Chain {
    Chain::open(Place::Dir(folder.to_owned()), Config::default()).unwrap()
}

/// Not a test by itself: the process that is killed.
#[test]
fn crash_child() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let chain = open(Path::new(&folder));
    let signer = account(0);
    let mut nonce = chain.nonce(signer.address(), BlockId::latest()).unwrap();
    let store = signer.address().create(0);
    let mut dice = Dice(nonce);
    let mut out = std::io::stdout();
    loop {
        let draft = match nonce {
            0 => Draft::new(2, nonce, None, creating(programs::STORE)),
            _ if nonce.is_multiple_of(7) => Draft::new(2, nonce, None, creating(&programs::log(2))),
            _ => {
                let input = join(&[&word(dice.below(40)), &word(dice.below(4))]);
                Draft::new(2, nonce, Some(store), input)
            }
        };
        let hash = chain.send_raw(&draft.sign(&signer)).unwrap();
        writeln!(out, "kept {hash}").unwrap();
        nonce += 1;
    }
}

#[test]
fn kill_9_loses_no_acknowledged_block() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = Vec::<B256>::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash_child", "--exact", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut left = 2 + round * 7 % 11;
        while left > 0 {
            if let Some(hash) = acknowledged(&lines.next().unwrap().unwrap()) {
                kept.push(hash);
                left -= 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kept.extend(
            lines
                .map_while(Result::ok)
                .filter_map(|line| acknowledged(&line)),
        );
        check(folder.path(), &kept);
    }
    println!("{} blocks in {ROUNDS} rounds", kept.len());
}

fn acknowledged(line: &str) -> Option<B256> {
    line.split("kept ").nth(1)?.parse().ok()
}

fn check(folder: &Path, kept: &[B256]) {
    let chain = open(folder);
    for hash in kept {
        let receipt = chain.receipt(*hash).unwrap().expect("acknowledged");
        assert!(receipt.status());
    }
    // At most the one that was under way is there beside them; each is one transaction.
    let head = chain.number().unwrap();
    assert!(head >= kept.len() as u64);
    let block = |number: u64| {
        chain
            .block(BlockId::number(number), Transactions::Hashes)
            .unwrap()
            .expect("every block")
    };
    for number in 1..=head {
        let (parent, block) = (block(number - 1), block(number));
        assert_eq!(block.header.parent_hash, parent.header.hash);
        assert_eq!(block.header.hash, block.header.inner.hash_slow());
        assert_eq!(block.transactions.len(), 1);
    }
    let nonce = chain
        .nonce(account(0).address(), BlockId::latest())
        .unwrap();
    assert_eq!(nonce, head, "state and blocks are of one moment");
    let root = block(head).header.state_root;
    drop(chain);
    assert_eq!(root, recomputed_root(folder));
}

type AccountRow = (u64, &'static [u8; 32], &'static [u8; 32], &'static [u8; 32]);
const ACCOUNTS: TableDefinition<&[u8; 20], AccountRow> = TableDefinition::new("accounts");
const SLOTS: TableDefinition<&[u8; 52], &[u8; 32]> = TableDefinition::new("slots");

/// The state root of all that is in the file, built without the trie that is kept there.
fn recomputed_root(folder: &Path) -> B256 {
    let file = redb::Database::open(folder.join("chain.redb")).unwrap();
    let read = file.begin_read().unwrap();
    let mut slots = BTreeMap::<Address, Vec<(B256, U256)>>::new();
    for row in read.open_table(SLOTS).unwrap().iter().unwrap() {
        let (key, value) = row.unwrap();
        let (address, slot) = key.value().split_at(20);
        let value = U256::from_be_bytes(*value.value());
        slots
            .entry(Address::from_slice(address))
            .or_default()
            .push((B256::from_slice(slot), value));
    }
    let accounts = read.open_table(ACCOUNTS).unwrap();
    let rows = accounts.iter().unwrap().map(|row| {
        let (key, row) = row.unwrap();
        let (nonce, balance, code_hash, _) = row.value();
        let address = Address::from(*key.value());
        let slots = slots.get(&address).cloned().unwrap_or_default();
        let account = TrieAccount {
            nonce,
            balance: U256::from_be_bytes(*balance),
            storage_root: proofs::storage_root_unhashed(slots),
            code_hash: B256::from(*code_hash),
        };
        (address, account)
    });
    proofs::state_root_unhashed(rows)
}
