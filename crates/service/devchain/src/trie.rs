//! The state root (Yellow Paper, appendix D), brought forward by what a block changed.
//!
//! Nodes live in the chain's file by their owner and hash: two contracts with equal storage share
//! no node, so a node that falls out of one trie can be removed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use alloy::{
    consensus::{TrieAccount, constants::EMPTY_ROOT_HASH},
    primitives::{Address, B256, Bytes, U256, keccak256},
    rlp,
};
use eth_trie::{DB, EthTrie, Trie as _, TrieError};

use crate::{
    disk::{DiskError, Snapshot},
    state::{Account, Change},
};

/// owner, hash → the node, or `None` when it is gone.
pub(crate) type NodeChanges = BTreeMap<(B256, B256), Option<Vec<u8>>>;

/// The owner of the trie of accounts.
const STATE: B256 = B256::ZERO;

/// Sets the storage roots of `changes` and gives the state root after them, from the root before.
pub(crate) fn advance(
    snapshot: &Arc<Snapshot>,
    root: B256,
    changes: &mut [Change],
) -> Result<(B256, NodeChanges), DiskError> {
    let mut nodes = NodeChanges::new();
    let mut accounts = Vec::with_capacity(changes.len());
    for change in changes {
        let before = change
            .before
            .map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        let storage_root = storage(snapshot, before, change, &mut nodes)?;
        let key = keccak256(change.address);
        if let Some(account) = &mut change.after {
            account.storage_root = storage_root;
            accounts.push((key, Some(rlp::encode(trie_account(account)))));
        } else if change.before.is_some() {
            accounts.push((key, None));
        }
    }
    let root = apply(snapshot, STATE, root, accounts, &mut nodes)?;
    Ok((root, nodes))
}

/// What proves an account and some of its slots under a state root (EIP-1186).
pub(crate) fn prove(
    snapshot: &Arc<Snapshot>,
    root: B256,
    address: Address,
    slots: &[U256],
) -> Result<(Vec<Bytes>, Vec<Vec<Bytes>>), DiskError> {
    let path = |owner, root, key: B256| -> Result<Vec<Bytes>, DiskError> {
        if root == EMPTY_ROOT_HASH {
            return Ok(Vec::new());
        }
        let proof = open(snapshot, owner, root)?
            .get_proof(key.as_slice())
            .map_err(corrupt)?;
        Ok(proof.into_iter().map(Bytes::from).collect())
    };
    let storage_root = snapshot
        .account(address)?
        .map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    let account = path(STATE, root, keccak256(address))?;
    let slots = slots
        .iter()
        .map(|slot| {
            path(
                keccak256(address),
                storage_root,
                keccak256(slot.to_be_bytes::<32>()),
            )
        })
        .collect::<Result<_, _>>()?;
    Ok((account, slots))
}

fn trie_account(account: &Account) -> TrieAccount {
    TrieAccount {
        nonce: account.nonce,
        balance: account.balance,
        storage_root: account.storage_root,
        code_hash: account.code_hash,
    }
}

fn storage(
    snapshot: &Arc<Snapshot>,
    before: B256,
    change: &Change,
    nodes: &mut NodeChanges,
) -> Result<B256, DiskError> {
    let owner = keccak256(change.address);
    let mut root = before;
    if change.wiped && root != EMPTY_ROOT_HASH {
        let mut trie = open(snapshot, owner, root)?;
        trie.clear_trie_from_db().map_err(corrupt)?;
        take(&trie, owner, nodes);
        root = EMPTY_ROOT_HASH;
    }
    let rows = change.slots.iter().filter_map(|(slot, (before, after))| {
        let key = keccak256(slot.to_be_bytes::<32>());
        let absent = change.wiped || before.is_zero();
        match (absent, after.is_zero()) {
            (true, true) => None,
            (false, true) => Some((key, None)),
            (_, false) => Some((key, Some(rlp::encode(after)))),
        }
    });
    apply(snapshot, owner, root, rows.collect(), nodes)
}

/// Puts and removes; a removed key must be there, or the trie drops nodes that it still needs.
fn apply(
    snapshot: &Arc<Snapshot>,
    owner: B256,
    root: B256,
    rows: Vec<(B256, Option<Vec<u8>>)>,
    nodes: &mut NodeChanges,
) -> Result<B256, DiskError> {
    if rows.is_empty() {
        return Ok(root);
    }
    let mut trie = open(snapshot, owner, root)?;
    for (key, value) in rows {
        match value {
            Some(value) => trie.insert(key.as_slice(), &value).map_err(corrupt)?,
            None => {
                trie.remove(key.as_slice()).map_err(corrupt)?;
            }
        }
    }
    let after = trie.root_hash().map_err(corrupt)?;
    if after != root && root != EMPTY_ROOT_HASH {
        nodes.insert((owner, root), None);
    }
    take(&trie, owner, nodes);
    Ok(after)
}

fn open(snapshot: &Arc<Snapshot>, owner: B256, root: B256) -> Result<EthTrie<Nodes>, DiskError> {
    let nodes = Nodes {
        snapshot: Arc::clone(snapshot),
        owner,
        changes: Mutex::default(),
    };
    if root == EMPTY_ROOT_HASH {
        return Ok(EthTrie::new(Arc::new(nodes)));
    }
    EthTrie::from(Arc::new(nodes), root).map_err(corrupt)
}

fn take(trie: &EthTrie<Nodes>, owner: B256, nodes: &mut NodeChanges) {
    let mut changes = trie
        .db
        .changes
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    for (hash, node) in std::mem::take(&mut *changes) {
        if hash != EMPTY_ROOT_HASH {
            nodes.insert((owner, hash), node);
        }
    }
}

fn corrupt(_: TrieError) -> DiskError {
    DiskError::Corrupt("state trie")
}

/// The nodes of one trie: those of the snapshot, and what was written over them.
#[derive(Debug)]
struct Nodes {
    snapshot: Arc<Snapshot>,
    owner: B256,
    changes: Mutex<BTreeMap<B256, Option<Vec<u8>>>>,
}

impl Nodes {
    fn set(&self, key: &[u8], node: Option<Vec<u8>>) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.insert(B256::from_slice(key), node);
    }
}

impl DB for Nodes {
    type Error = DiskError;

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        let hash = B256::from_slice(key);
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = changes.get(&hash) {
            return Ok(node.clone());
        }
        self.snapshot.node(self.owner, hash)
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> Result<(), DiskError> {
        self.set(key, Some(value));
        Ok(())
    }

    fn remove(&self, key: &[u8]) -> Result<(), DiskError> {
        self.set(key, None);
        Ok(())
    }

    fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
