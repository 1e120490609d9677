//! Writing: one block, in one transaction.

use std::sync::PoisonError;

use alloy::{
    eips::eip2718::Encodable2718,
    primitives::{Bytes, U256},
    rlp::Encodable,
};
use redb::ReadableTable as _;

use super::{
    ACCOUNTS, BODIES, CODE, Disk, DiskError, HASHES, HEADERS, LOGGED, META, NODES, SLOTS,
    TRANSACTIONS, logged_key, node_key, slot_key,
    snapshot::{Head, Included},
};
use crate::{state::Change, trie::NodeChanges};

/// All that a block brings.
#[derive(Debug)]
pub(crate) struct NewBlock<'a> {
    pub(crate) head: &'a Head,
    pub(crate) body: &'a [Included],
    pub(crate) changes: &'a [Change],
    pub(crate) nodes: &'a NodeChanges,
    /// Facts to keep beside it.
    pub(crate) meta: &'a [(&'static str, u64)],
}

impl Disk {
    /// Keeps a block; when this returns, it is on the disk.
    pub(crate) fn keep(&self, block: &NewBlock<'_>) -> Result<(), DiskError> {
        self.check()?;
        let kept = self.write(block);
        if let Err(error @ DiskError::Store(_)) = &kept {
            self.rest(error);
        }
        kept
    }

    fn write(&self, block: &NewBlock<'_>) -> Result<(), DiskError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(DiskError::Resting)?;
        let mut transaction = database.begin_write()?;
        transaction.set_durability(self.durability)?;
        let number = block.head.header.number;
        {
            let mut meta = transaction.open_table(META)?;
            for (name, value) in block.meta {
                meta.insert(*name, value)?;
            }
            let mut row = block.head.hash.to_vec();
            block.head.header.encode(&mut row);
            let mut headers = transaction.open_table(HEADERS)?;
            // A block whose end its disk did not confirm may be there all the same.
            let next = headers.last()?.map_or(0, |(last, _)| last.value() + 1);
            if next != number {
                return Err(DiskError::Moved);
            }
            headers.insert(number, row.as_slice())?;
            transaction
                .open_table(HASHES)?
                .insert(&block.head.hash.0, number)?;
        }
        {
            let mut places = transaction.open_table(TRANSACTIONS)?;
            let mut logged = transaction.open_table(LOGGED)?;
            let mut parts = Vec::with_capacity(block.body.len() * 3);
            for (index, included) in block.body.iter().enumerate() {
                places.insert(&included.transaction.tx_hash().0, (number, index as u64))?;
                for log in included.receipt.logs() {
                    logged.insert(&logged_key(&log.address.0.0, number), ())?;
                }
                parts.push(Bytes::from(included.transaction.encoded_2718()));
                parts.push(Bytes::copy_from_slice(included.sender.as_slice()));
                parts.push(Bytes::from(included.receipt.encoded_2718()));
            }
            if !parts.is_empty() {
                let row = alloy::rlp::encode(&parts);
                transaction
                    .open_table(BODIES)?
                    .insert(number, row.as_slice())?;
            }
        }
        {
            let mut accounts = transaction.open_table(ACCOUNTS)?;
            let mut slots = transaction.open_table(SLOTS)?;
            let mut codes = transaction.open_table(CODE)?;
            for change in block.changes {
                let address = &change.address.0.0;
                match &change.after {
                    Some(account) => {
                        let balance = account.balance.to_be_bytes::<32>();
                        let row = (
                            account.nonce,
                            &balance,
                            &account.code_hash.0,
                            &account.storage_root.0,
                        );
                        accounts.insert(address, row)?;
                    }
                    None => {
                        accounts.remove(address)?;
                    }
                }
                if let Some((hash, code)) = &change.code {
                    codes.insert(&hash.0, code.as_ref())?;
                }
                if change.wiped {
                    let first = slot_key(address, &[0; 32]);
                    let last = slot_key(address, &[255; 32]);
                    slots.retain_in::<&[u8; 52], _>(&first..=&last, |_, _| false)?;
                }
                for (slot, (_, value)) in &change.slots {
                    let key = slot_key(address, &slot.to_be_bytes());
                    if *value == U256::ZERO {
                        slots.remove(&key)?;
                    } else {
                        slots.insert(&key, &value.to_be_bytes::<32>())?;
                    }
                }
            }
        }
        {
            let mut nodes = transaction.open_table(NODES)?;
            for ((owner, hash), node) in block.nodes {
                let key = node_key(&owner.0, &hash.0);
                match node {
                    Some(node) => nodes.insert(&key, node.as_slice())?,
                    None => nodes.remove(&key)?,
                };
            }
        }
        transaction.commit()?;
        Ok(())
    }
}
