//! What a block changes: accounts, their slots and their code.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes, U256};

/// An account as the state holds it. An account without nonce, coins and code is no account
/// (EIP-161).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) nonce: u64,
    pub(crate) balance: U256,
    pub(crate) code_hash: B256,
    pub(crate) storage_root: B256,
}

/// One account before and after a block.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) address: Address,
    pub(crate) before: Option<Account>,
    /// Its storage root is set when the trie is brought forward.
    pub(crate) after: Option<Account>,
    /// Its slots of before are gone.
    pub(crate) wiped: bool,
    /// slot → before, after; only those that differ.
    pub(crate) slots: BTreeMap<U256, (U256, U256)>,
    /// Code that was created, and its hash.
    pub(crate) code: Option<(B256, Bytes)>,
}
