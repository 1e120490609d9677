//! Questions about blocks, transactions and accounts, in the types of JSON-RPC.

use alloy::{
    consensus::{
        Block as ConsensusBlock, BlockBody, Header, ReceiptEnvelope, Transaction as _,
        constants::{EMPTY_ROOT_HASH, KECCAK_EMPTY},
        transaction::Recovered,
    },
    eips::{BlockId, BlockNumberOrTag, eip1559::BaseFeeParams},
    primitives::{Address, B256, Bytes, U256},
    rlp::Encodable as _,
    rpc::types::{
        Block, BlockTransactions, EIP1186AccountProofResponse, EIP1186StorageProof, FeeHistory,
        Header as RpcHeader, Log, Transaction, TransactionReceipt,
    },
    serde::JsonStorageKey,
};

use super::Chain;
use crate::{
    disk::{DiskError, Head, Included, Snapshot},
    error::ChainError,
    state::Account,
    trie,
};

/// What a suggestion adds to the base fee for whoever makes the block.
const TIP: u64 = 1_000_000_000;
/// The most blocks that a fee history covers (as geth).
const HISTORY_BLOCKS: u64 = 1024;

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
        let waiting = self
            .writer()
            .pool
            .iter()
            .find(|one| *one.tx_hash() == hash)
            .cloned();
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

    /// An account's coins, in wei.
    ///
    /// # Errors
    /// When the state of that block is not kept, or the disk fails.
    pub fn balance(&self, address: Address, at: BlockId) -> Result<U256, ChainError> {
        Ok(self
            .account(address, at)?
            .map_or(U256::ZERO, |account| account.balance))
    }

    /// The nonce of an account's next transaction; at `pending`, after those that wait.
    ///
    /// # Errors
    /// When the state of that block is not kept, or the disk fails.
    pub fn nonce(&self, address: Address, at: BlockId) -> Result<u64, ChainError> {
        let waiting = if at.is_pending() {
            self.writer()
                .pool
                .iter()
                .filter(|one| one.signer() == address)
                .count()
        } else {
            0
        };
        Ok(self
            .account(address, at)?
            .map_or(0, |account| account.nonce)
            + waiting as u64)
    }

    /// A contract's code.
    ///
    /// # Errors
    /// When the state of that block is not kept, or the disk fails.
    pub fn code(&self, address: Address, at: BlockId) -> Result<Bytes, ChainError> {
        let snapshot = self.snapshot()?;
        self.at(&snapshot, at)?;
        let account = snapshot.account(address)?;
        Ok(account.map_or(Ok(Bytes::new()), |account| snapshot.code(account.code_hash))?)
    }

    /// A contract's slot.
    ///
    /// # Errors
    /// When the state of that block is not kept, or the disk fails.
    pub fn slot(&self, address: Address, slot: U256, at: BlockId) -> Result<B256, ChainError> {
        let snapshot = self.snapshot()?;
        self.at(&snapshot, at)?;
        Ok(B256::from(snapshot.slot(address, slot)?))
    }

    /// What proves an account and its slots under the newest state root (EIP-1186).
    ///
    /// # Errors
    /// When the state of that block is not kept, or the disk fails.
    pub fn proof(
        &self,
        address: Address,
        slots: Vec<JsonStorageKey>,
        at: BlockId,
    ) -> Result<EIP1186AccountProofResponse, ChainError> {
        let snapshot = self.snapshot()?;
        let head = self.at(&snapshot, at)?;
        let keys: Vec<U256> = slots.iter().map(|slot| slot.as_b256().into()).collect();
        let (account_proof, proofs) =
            trie::prove(&snapshot, head.header.state_root, address, &keys)?;
        let storage_proof = slots
            .into_iter()
            .zip(&keys)
            .zip(proofs)
            .map(|((key, slot), proof)| {
                Ok(EIP1186StorageProof {
                    key,
                    value: snapshot.slot(address, *slot)?,
                    proof,
                })
            })
            .collect::<Result<_, DiskError>>()?;
        let account = snapshot.account(address)?.unwrap_or(Account {
            nonce: 0,
            balance: U256::ZERO,
            code_hash: KECCAK_EMPTY,
            storage_root: EMPTY_ROOT_HASH,
        });
        Ok(EIP1186AccountProofResponse {
            address,
            balance: account.balance,
            code_hash: account.code_hash,
            nonce: account.nonce,
            storage_hash: account.storage_root,
            account_proof,
            storage_proof,
        })
    }

    /// What to offer above the base fee, in wei per gas.
    pub fn tip(&self) -> u64 {
        TIP.min(self.0.base_fee)
    }

    /// A price of gas that the next block takes, in wei.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn gas_price(&self) -> Result<u64, ChainError> {
        let head = self.head(&*self.snapshot()?)?;
        Ok(base_fee_after(&head.header).saturating_add(self.tip()))
    }

    /// Base fees, fullness and tips of up to 1,024 blocks that end with `newest`.
    ///
    /// # Errors
    /// When there is no such block, or the disk fails.
    pub fn fee_history(
        &self,
        blocks: u64,
        newest: BlockNumberOrTag,
        percentiles: Option<&[f64]>,
    ) -> Result<FeeHistory, ChainError> {
        let snapshot = self.snapshot()?;
        let newest = self
            .resolve(&snapshot, newest.into())?
            .ok_or(ChainError::UnknownBlock)?;
        let blocks = blocks.clamp(1, HISTORY_BLOCKS).min(newest + 1);
        let oldest_block = newest + 1 - blocks;
        let mut history = FeeHistory {
            oldest_block,
            ..Default::default()
        };
        let mut rewards = Vec::new();
        let mut next = 0;
        for head in snapshot.headers(oldest_block, newest)? {
            let Head { header, .. } = head?;
            let base_fee = header.base_fee_per_gas.unwrap_or_default();
            history.base_fee_per_gas.push(base_fee.into());
            history
                .gas_used_ratio
                .push(header.gas_used as f64 / header.gas_limit as f64);
            history.base_fee_per_blob_gas.push(1);
            history.blob_gas_used_ratio.push(0.0);
            next = base_fee_after(&header);
            if let Some(percentiles) = percentiles {
                let body = snapshot.body(header.number)?;
                rewards.push(tips(&body, base_fee, header.gas_used, percentiles));
            }
        }
        history.base_fee_per_gas.push(next.into());
        history.base_fee_per_blob_gas.push(1);
        history.reward = percentiles.map(|_| rewards);
        Ok(history)
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

    fn account(&self, address: Address, at: BlockId) -> Result<Option<Account>, ChainError> {
        let snapshot = self.snapshot()?;
        self.at(&snapshot, at)?;
        Ok(snapshot.account(address)?)
    }
}

pub(super) fn base_fee_after(header: &Header) -> u64 {
    header
        .next_block_base_fee(BaseFeeParams::ethereum())
        .unwrap_or_default()
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

/// The tips at percentiles of a block's gas.
fn tips(body: &[Included], base_fee: u64, gas: u64, percentiles: &[f64]) -> Vec<u128> {
    let mut before = 0;
    let mut rows: Vec<(u128, u64)> = body
        .iter()
        .map(|included| {
            let cumulative = included.receipt.cumulative_gas_used();
            let used = cumulative - before;
            before = cumulative;
            (
                included
                    .transaction
                    .effective_tip_per_gas(base_fee)
                    .unwrap_or(0),
                used,
            )
        })
        .collect();
    rows.sort_unstable();
    let at = |percentile: f64| {
        let wanted = gas as f64 * percentile / 100.0;
        let mut seen = 0.0;
        for (tip, used) in &rows {
            seen += *used as f64;
            if seen >= wanted {
                return *tip;
            }
        }
        rows.last().map_or(0, |(tip, _)| *tip)
    };
    percentiles
        .iter()
        .map(|percentile| at(*percentile))
        .collect()
}
