//! Reading: everything at one block, without a lock.

use alloy::{
    consensus::{Header, ReceiptEnvelope, TxEnvelope},
    eips::eip2718::Decodable2718,
    primitives::{Address, B256, Bytes, U256},
    rlp::Decodable,
};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};

use super::{
    ACCOUNTS, AccountRow, BODIES, CODE, DiskError, HASHES, HEADERS, LOGGED, META, NODES, SLOTS,
    TRANSACTIONS, logged_key, node_key, slot_key,
};
use crate::state::Account;

/// A transaction in a block, with who sent it and what it did.
#[derive(Debug, Clone)]
pub(crate) struct Included {
    pub(crate) transaction: TxEnvelope,
    pub(crate) sender: Address,
    pub(crate) receipt: ReceiptEnvelope,
}

/// A header and its hash.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) hash: B256,
    pub(crate) header: Header,
}

/// The chain as it was at one moment.
pub(crate) struct Snapshot {
    transaction: ReadTransaction,
    accounts: ReadOnlyTable<&'static [u8; 20], AccountRow>,
    slots: ReadOnlyTable<&'static [u8; 52], &'static [u8; 32]>,
    code: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    nodes: ReadOnlyTable<&'static [u8; 64], &'static [u8]>,
    headers: ReadOnlyTable<u64, &'static [u8]>,
    bodies: ReadOnlyTable<u64, &'static [u8]>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl Snapshot {
    pub(super) fn new(transaction: ReadTransaction) -> Result<Self, DiskError> {
        Ok(Self {
            accounts: transaction.open_table(ACCOUNTS)?,
            slots: transaction.open_table(SLOTS)?,
            code: transaction.open_table(CODE)?,
            nodes: transaction.open_table(NODES)?,
            headers: transaction.open_table(HEADERS)?,
            bodies: transaction.open_table(BODIES)?,
            transaction,
        })
    }

    /// A number of the chain's own facts.
    pub(crate) fn meta(&self, name: &str) -> Result<Option<u64>, DiskError> {
        Ok(self
            .transaction
            .open_table(META)?
            .get(name)?
            .map(|value| value.value()))
    }

    pub(crate) fn account(&self, address: Address) -> Result<Option<Account>, DiskError> {
        Ok(self.accounts.get(&address.0.0)?.map(|row| {
            let (nonce, balance, code_hash, storage_root) = row.value();
            Account {
                nonce,
                balance: U256::from_be_bytes(*balance),
                code_hash: B256::from(*code_hash),
                storage_root: B256::from(*storage_root),
            }
        }))
    }

    pub(crate) fn slot(&self, address: Address, slot: U256) -> Result<U256, DiskError> {
        let row = self
            .slots
            .get(&slot_key(&address.0.0, &slot.to_be_bytes()))?;
        Ok(row
            .map(|value| U256::from_be_bytes(*value.value()))
            .unwrap_or_default())
    }

    pub(crate) fn code(&self, hash: B256) -> Result<Bytes, DiskError> {
        let row = self.code.get(&hash.0)?;
        Ok(row
            .map(|value| Bytes::copy_from_slice(value.value()))
            .unwrap_or_default())
    }

    pub(crate) fn node(&self, owner: B256, hash: B256) -> Result<Option<Vec<u8>>, DiskError> {
        Ok(self
            .nodes
            .get(&node_key(&owner.0, &hash.0))?
            .map(|value| value.value().to_vec()))
    }

    /// The newest block; `None` before the first.
    pub(crate) fn head(&self) -> Result<Option<Head>, DiskError> {
        self.headers
            .last()?
            .map(|(_, value)| read_head(value.value()))
            .transpose()
    }

    pub(crate) fn header(&self, number: u64) -> Result<Option<Head>, DiskError> {
        self.headers
            .get(number)?
            .map(|value| read_head(value.value()))
            .transpose()
    }

    /// The headers of a range of blocks, oldest first.
    pub(crate) fn headers(
        &self,
        from: u64,
        to: u64,
    ) -> Result<impl Iterator<Item = Result<Head, DiskError>>, DiskError> {
        Ok(self
            .headers
            .range(from..=to)?
            .map(|row| read_head(row?.1.value())))
    }

    pub(crate) fn number_of(&self, hash: B256) -> Result<Option<u64>, DiskError> {
        Ok(self
            .transaction
            .open_table(HASHES)?
            .get(&hash.0)?
            .map(|value| value.value()))
    }

    pub(crate) fn place_of(&self, transaction: B256) -> Result<Option<(u64, usize)>, DiskError> {
        let row = self
            .transaction
            .open_table(TRANSACTIONS)?
            .get(&transaction.0)?;
        let Some((number, index)) = row.map(|value| value.value()) else {
            return Ok(None);
        };
        let index = usize::try_from(index).map_err(|_| DiskError::Corrupt("transaction index"))?;
        Ok(Some((number, index)))
    }

    /// The transactions of a block; none when there is no such block.
    pub(crate) fn body(&self, number: u64) -> Result<Vec<Included>, DiskError> {
        let Some(row) = self.bodies.get(number)? else {
            return Ok(Vec::new());
        };
        let corrupt = || DiskError::Corrupt("block");
        let parts = Vec::<Bytes>::decode(&mut row.value()).map_err(|_| corrupt())?;
        let (rows, rest) = parts.as_chunks::<3>();
        if !rest.is_empty() {
            return Err(corrupt());
        }
        rows.iter()
            .map(|[transaction, sender, receipt]| {
                Ok(Included {
                    transaction: TxEnvelope::decode_2718(&mut transaction.as_ref())
                        .map_err(|_| corrupt())?,
                    sender: Address::try_from(sender.as_ref()).map_err(|_| corrupt())?,
                    receipt: ReceiptEnvelope::decode_2718(&mut receipt.as_ref())
                        .map_err(|_| corrupt())?,
                })
            })
            .collect()
    }

    /// Bytes of a block's transactions as they are kept, without reading them.
    pub(crate) fn body_size(&self, number: u64) -> Result<u64, DiskError> {
        let row = self.bodies.get(number)?;
        Ok(row.map_or(0, |row| row.value().len() as u64))
    }

    /// Bytes of what a transaction of a block is (0), and of what it did (2), without reading the others.
    pub(crate) fn part_size(
        &self,
        number: u64,
        index: usize,
        part: usize,
    ) -> Result<u64, DiskError> {
        let corrupt = |_| DiskError::Corrupt("block");
        let Some(row) = self.bodies.get(number)? else {
            return Ok(0);
        };
        let mut parts =
            alloy::rlp::Header::decode_bytes(&mut row.value(), true).map_err(corrupt)?;
        for _ in 0..index.saturating_mul(3).saturating_add(part) {
            alloy::rlp::Header::decode_bytes(&mut parts, false).map_err(corrupt)?;
        }
        let part = alloy::rlp::Header::decode_bytes(&mut parts, false).map_err(corrupt)?;
        Ok(part.len() as u64)
    }

    /// The blocks of a range where `address` logged, oldest first.
    pub(crate) fn logged(
        &self,
        address: Address,
        from: u64,
        to: u64,
    ) -> Result<impl Iterator<Item = Result<u64, DiskError>>, DiskError> {
        let table = self.transaction.open_table(LOGGED)?;
        let (first, last) = (logged_key(&address.0.0, from), logged_key(&address.0.0, to));
        Ok(table.range::<&[u8; 28]>(&first..=&last)?.map(|row| {
            let key = *row?.0.value();
            let mut number = [0; 8];
            number.copy_from_slice(&key[20..]);
            Ok(u64::from_be_bytes(number))
        }))
    }

    /// Every account, for a test that rebuilds the root.
    #[cfg(test)]
    pub(crate) fn all_accounts(&self) -> Result<Vec<(Address, Account)>, DiskError> {
        self.accounts
            .iter()?
            .map(|row| {
                let address = Address::from(*row?.0.value());
                Ok((
                    address,
                    self.account(address)?
                        .ok_or(DiskError::Corrupt("account"))?,
                ))
            })
            .collect()
    }

    /// Every slot of every account, for a test that rebuilds the root.
    #[cfg(test)]
    pub(crate) fn all_slots(&self) -> Result<Vec<(Address, U256, U256)>, DiskError> {
        self.slots
            .iter()?
            .map(|row| {
                let row = row?;
                let (key, value) = (*row.0.value(), *row.1.value());
                let slot = U256::from_be_slice(&key[20..]);
                Ok((
                    Address::from_slice(&key[..20]),
                    slot,
                    U256::from_be_bytes(value),
                ))
            })
            .collect()
    }

    /// How many trie nodes are kept, for a test that none is left behind.
    #[cfg(test)]
    pub(crate) fn node_count(&self) -> Result<u64, DiskError> {
        use redb::ReadableTableMetadata;
        Ok(self.nodes.len()?)
    }
}

fn read_head(row: &[u8]) -> Result<Head, DiskError> {
    let corrupt = || DiskError::Corrupt("header");
    let (hash, mut header) = row.split_first_chunk::<32>().ok_or_else(corrupt)?;
    let header = Header::decode(&mut header).map_err(|_| corrupt())?;
    Ok(Head {
        hash: B256::from(*hash),
        header,
    })
}
