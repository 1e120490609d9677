//! Questions about blocks, transactions and accounts, in the types of JSON-RPC.

use alloy::{
    consensus::{
        Block as ConsensusBlock, BlockBody, ReceiptEnvelope, Transaction as _,
        transaction::Recovered,
    },
    eips::{BlockId, BlockNumberOrTag},
    primitives::{B256, U256},
    rlp::Encodable as _,
    rpc::types::{
        Block, BlockTransactions, Header as RpcHeader, Log, Transaction, TransactionReceipt,
    },
};

use super::{Chain, Mining, Writer};
use crate::{
    disk::{DiskError, Head, Included, Snapshot},
    error::ChainError,
};

/// Whether a block is given with its transactions or with their hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transactions {
    /// Only their hashes.
    Hashes,
    /// Whole.
    Full,
}

impl Chain {
    /// The number of the newest block.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn number(&self) -> Result<u64, ChainError> {
        Ok(self.head(&*self.snapshot()?)?.header.number)
    }

    /// A block; `None` when there is no such block. Every block is final, so `finalized`, `safe`
    /// and `pending` are the newest.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn block(&self, id: BlockId, with: Transactions) -> Result<Option<Block>, ChainError> {
        let snapshot = self.snapshot()?;
        let Some(number) = self.resolve(&snapshot, id)? else {
            return Ok(None);
        };
        let Some(head) = snapshot.header(number)? else {
            return Ok(None);
        };
        let body = snapshot.body(number)?;
        let size = U256::from(size(&head, &body));
        let transactions = match with {
            Transactions::Hashes => BlockTransactions::Hashes(
                body.iter()
                    .map(|included| *included.transaction.tx_hash())
                    .collect(),
            ),
            Transactions::Full => BlockTransactions::Full(
                (0u64..)
                    .zip(body)
                    .map(|(index, one)| transaction(&head, index, one))
                    .collect(),
            ),
        };
        let Head { hash, header } = head;
        let header = RpcHeader {
            hash,
            inner: header,
            total_difficulty: None,
            size: Some(size),
        };
        let withdrawals = Some(Default::default());
        Ok(Some(Block {
            header,
            uncles: Vec::new(),
            transactions,
            withdrawals,
        }))
    }

    /// A transaction, in a block or waiting.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn transaction(&self, hash: B256) -> Result<Option<Transaction>, ChainError> {
        let waiting = |writer: &Writer| {
            let mut pool = writer.pool.iter();
            pool.find(|one| *one.tx_hash() == hash).cloned()
        };
        // With instant blocks nothing waits, and nobody need wait for the one being made.
        let waiting = match self.0.mining {
            Mining::Instant => None,
            Mining::EveryMillis(_) => waiting(&self.writer()),
        };
        if let Some(waiting) = waiting {
            return Ok(Some(Transaction {
                inner: waiting,
                block_hash: None,
                block_number: None,
                transaction_index: None,
                effective_gas_price: None,
                block_timestamp: None,
            }));
        }
        let snapshot = self.snapshot()?;
        let Some((number, index)) = snapshot.place_of(hash)? else {
            return Ok(None);
        };
        let Some(head) = snapshot.header(number)? else {
            return Ok(None);
        };
        let included = snapshot.body(number)?.into_iter().nth(index);
        Ok(included.map(|included| transaction(&head, index as u64, included)))
    }

    /// What a transaction did; `None` while it is in no block.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, ChainError> {
        let snapshot = self.snapshot()?;
        let Some((number, index)) = snapshot.place_of(hash)? else {
            return Ok(None);
        };
        Ok(receipts(&snapshot, number)?.into_iter().nth(index))
    }

    /// What the transactions of a block did; `None` when there is no such block.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn receipts(&self, id: BlockId) -> Result<Option<Vec<TransactionReceipt>>, ChainError> {
        let snapshot = self.snapshot()?;
        let Some(number) = self.resolve(&snapshot, id)? else {
            return Ok(None);
        };
        Ok(Some(receipts(&snapshot, number)?))
    }

    /// The newest block.
    pub(super) fn head(&self, snapshot: &Snapshot) -> Result<Head, DiskError> {
        snapshot.head()?.ok_or(DiskError::Corrupt("first block"))
    }

    /// The number of a block, if there is such a block.
    pub(super) fn resolve(
        &self,
        snapshot: &Snapshot,
        id: BlockId,
    ) -> Result<Option<u64>, DiskError> {
        let head = self.head(snapshot)?.header.number;
        Ok(match id {
            BlockId::Hash(hash) => snapshot.number_of(hash.block_hash)?,
            BlockId::Number(BlockNumberOrTag::Number(number)) => (number <= head).then_some(number),
            BlockId::Number(BlockNumberOrTag::Earliest) => Some(0),
            BlockId::Number(_) => Some(head),
        })
    }

    /// The newest block, if that is what `id` asks for.
    pub(super) fn at(&self, snapshot: &Snapshot, id: BlockId) -> Result<Head, ChainError> {
        let asked = self
            .resolve(snapshot, id)?
            .ok_or(ChainError::UnknownBlock)?;
        let head = self.head(snapshot)?;
        if asked != head.header.number {
            return Err(ChainError::OldState {
                asked,
                head: head.header.number,
            });
        }
        Ok(head)
    }
}

pub(super) fn receipts(
    snapshot: &Snapshot,
    number: u64,
) -> Result<Vec<TransactionReceipt>, DiskError> {
    let Some(head) = snapshot.header(number)? else {
        return Ok(Vec::new());
    };
    let (mut gas_before, mut logs_before) = (0, 0);
    Ok((0u64..)
        .zip(snapshot.body(number)?)
        .map(|(index, included)| {
            let cumulative = included.receipt.cumulative_gas_used();
            let gas_used = cumulative - gas_before;
            gas_before = cumulative;
            let logs = included.receipt.logs().len() as u64;
            logs_before += logs;
            receipt(&head, index, included, gas_used, logs_before - logs)
        })
        .collect())
}

fn receipt(
    head: &Head,
    index: u64,
    included: Included,
    gas_used: u64,
    first_log: u64,
) -> TransactionReceipt {
    let Included {
        transaction,
        sender,
        receipt,
    } = included;
    let hash = *transaction.tx_hash();
    let mut log_index = first_log;
    let inner: ReceiptEnvelope<Log> = receipt.map_logs(|log| {
        log_index += 1;
        Log {
            inner: log,
            block_hash: Some(head.hash),
            block_number: Some(head.header.number),
            block_timestamp: Some(head.header.timestamp),
            transaction_hash: Some(hash),
            transaction_index: Some(index),
            log_index: Some(log_index - 1),
            removed: false,
        }
    });
    // As geth and anvil say it: the address that was meant, whether or not it came to be.
    let created = transaction.is_create();
    TransactionReceipt {
        inner,
        transaction_hash: hash,
        transaction_index: Some(index),
        block_hash: Some(head.hash),
        block_number: Some(head.header.number),
        gas_used,
        effective_gas_price: transaction.effective_gas_price(head.header.base_fee_per_gas),
        blob_gas_used: None,
        blob_gas_price: None,
        from: sender,
        to: transaction.to(),
        contract_address: created.then(|| sender.create(transaction.nonce())),
    }
}

fn transaction(head: &Head, index: u64, included: Included) -> Transaction {
    let Included {
        transaction,
        sender,
        ..
    } = included;
    let price = transaction.effective_gas_price(head.header.base_fee_per_gas);
    Transaction {
        inner: Recovered::new_unchecked(transaction, sender),
        block_hash: Some(head.hash),
        block_number: Some(head.header.number),
        transaction_index: Some(index),
        effective_gas_price: Some(price),
        block_timestamp: Some(head.header.timestamp),
    }
}

/// Bytes of a block in RLP.
fn size(head: &Head, body: &[Included]) -> usize {
    let transactions = body
        .iter()
        .map(|included| included.transaction.clone())
        .collect();
    let withdrawals = Some(Default::default());
    let body = BlockBody {
        transactions,
        ommers: Vec::new(),
        withdrawals,
    };
    ConsensusBlock {
        header: head.header.clone(),
        body,
    }
    .length()
}
