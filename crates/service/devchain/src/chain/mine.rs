//! Making blocks.

use std::sync::Arc;

use alloy::{
    consensus::{
        EMPTY_OMMER_ROOT_HASH, Header, Receipt, ReceiptEnvelope, Transaction as _, TxEnvelope,
        TxReceipt as _, TxType,
        constants::{EMPTY_ROOT_HASH, EMPTY_WITHDRAWALS},
        proofs,
        transaction::{Recovered, SignerRecoverable as _},
    },
    eips::{eip1559::BaseFeeParams, eip2718::Decodable2718},
    primitives::{Address, B256, U256, keccak256},
};

use super::{Chain, MOST_AHEAD, Mining, Writer, fees::base_fee_after};
use crate::{
    disk::{Head, Included, NewBlock, Snapshot},
    error::{ChainError, OpenError},
    machine::{Outcome, Run},
    trie,
};

/// Transactions that wait for a block, at most.
const MOST_WAITING: usize = 10_000;

impl Chain {
    /// Takes a signed transaction of type 0, 1 or 2 and gives its hash. With
    /// [`Mining::Instant`] it is in a block, on the disk, when this returns.
    ///
    /// # Errors
    /// When it is malformed, for another chain, out of turn (nothing waits for a missing nonce)
    /// or cannot be paid for. A transaction that reverts is no error: it is in a block, and its
    /// receipt says so.
    pub fn send_raw(&self, bytes: &[u8]) -> Result<B256, ChainError> {
        let transaction = decode(bytes, self.0.chain_id)?;
        let hash = *transaction.tx_hash();
        let mut writer = self.writer();
        self.0.disk.check()?;
        let snapshot = self.snapshot()?;
        if let Some((block, _)) = snapshot.place_of(hash)? {
            return Err(ChainError::Known {
                transaction: hash,
                block,
            });
        }
        match self.0.mining {
            Mining::Instant => self.mine_one(&mut writer, &snapshot, &transaction)?,
            Mining::EveryMillis(_) => {
                let same = |other: &&mut Recovered<TxEnvelope>| {
                    other.signer() == transaction.signer() && other.nonce() == transaction.nonce()
                };
                if writer.pool.iter().any(|other| *other.tx_hash() == hash) {
                    return Ok(hash);
                }
                self.admit(&writer, &snapshot, &transaction)?;
                if let Some(old) = writer.pool.iter_mut().find(same) {
                    *old = transaction;
                } else if writer.pool.len() >= MOST_WAITING {
                    return Err(ChainError::PoolFull(MOST_WAITING));
                } else {
                    writer.pool.push(transaction);
                }
            }
        }
        Ok(hash)
    }

    /// Makes a block of the transactions that wait, or an empty one, and gives its number.
    ///
    /// # Errors
    /// When the disk cannot keep it; what waited still waits.
    pub fn mine(&self) -> Result<u64, ChainError> {
        let mut writer = self.writer();
        self.0.disk.check()?;
        let snapshot = self.snapshot()?;
        let parent = self.head(&snapshot)?;
        let mut block = Building::new(self, &writer, &snapshot, &parent);
        let mut later = Vec::<Recovered<TxEnvelope>>::new();
        for transaction in &writer.pool {
            let from = transaction.signer();
            let full = block.gas_left() < transaction.gas_limit();
            // What comes after one that waits waits too.
            if full || later.iter().any(|other| other.signer() == from) {
                later.push(transaction.clone());
                continue;
            }
            match block.add(transaction) {
                Ok(()) => {}
                Err(error @ (ChainError::Disk(_) | ChainError::Machine(_))) => return Err(error),
                Err(ChainError::FeeTooLow { .. }) => later.push(transaction.clone()),
                Err(error) => {
                    tracing::warn!(transaction = %transaction.tx_hash(), %error, "dropped");
                }
            }
        }
        let number = self.seal(&mut writer, &snapshot, block)?;
        writer.pool = later;
        Ok(number)
    }

    /// Whether transactions wait for a block.
    pub(crate) fn waits(&self) -> bool {
        !self.writer().pool.is_empty()
    }

    /// Makes the first block, or checks that the one on disk is of this configuration.
    pub(super) fn begin(
        &self,
        snapshot: &Arc<Snapshot>,
        accounts: &[(Address, U256)],
    ) -> Result<(), OpenError> {
        if let Some(found) = snapshot.meta("chain-id")?
            && found != self.0.chain_id
        {
            return Err(OpenError::ChainId {
                found,
                wanted: self.0.chain_id,
            });
        }
        let mut run = Run::new(snapshot, self.0.chain_id, &Header::default());
        run.endow(accounts);
        if let Some(first) = snapshot.header(0)? {
            let wanted = accounts
                .iter()
                .map(|(address, balance)| (*address, *balance));
            if first.header.state_root != first_root(wanted) {
                return Err(OpenError::Genesis);
            }
            let made = snapshot.meta("test-methods")?.is_some();
            if made != self.0.test_methods {
                return Err(OpenError::TestMethods { made });
            }
            return Ok(());
        }
        let mut changes = run.changes()?;
        let (state_root, nodes) = trie::advance(snapshot, EMPTY_ROOT_HASH, &mut changes)?;
        let header = Header {
            state_root,
            timestamp: self.0.clock.now(),
            gas_limit: self.0.gas_limit,
            base_fee_per_gas: Some(self.0.base_fee),
            ..blank()
        };
        let head = Head {
            hash: header.hash_slow(),
            header,
        };
        let meta = [("chain-id", self.0.chain_id), ("test-methods", 1)];
        let kept = if self.0.test_methods { 2 } else { 1 };
        self.0.disk.keep(&NewBlock {
            head: &head,
            body: &[],
            changes: &changes,
            nodes: &nodes,
            meta: &meta[..kept],
        })?;
        Ok(())
    }

    /// The header of the block that would come now.
    pub(super) fn next_header(&self, now: u64, writer: &Writer, parent: &Head) -> Header {
        let now = now.saturating_add_signed(writer.offset);
        Header {
            parent_hash: parent.hash,
            number: parent.header.number + 1,
            beneficiary: self.0.coinbase,
            timestamp: writer.next_time.unwrap_or(now).max(parent.header.timestamp),
            gas_limit: self.0.gas_limit,
            base_fee_per_gas: parent.header.next_block_base_fee(BaseFeeParams::ethereum()),
            // Not random: whoever knows a block knows the next one's.
            mix_hash: keccak256(parent.hash),
            ..blank()
        }
    }

    fn mine_one(
        &self,
        writer: &mut Writer,
        snapshot: &Arc<Snapshot>,
        transaction: &Recovered<TxEnvelope>,
    ) -> Result<(), ChainError> {
        let parent = self.head(snapshot)?;
        let mut block = Building::new(self, writer, snapshot, &parent);
        block.add(transaction)?;
        self.seal(writer, snapshot, block)?;
        Ok(())
    }

    /// Whether a transaction may wait: its nonce is the next of its sender, or that of one that waits and that it
    /// outbids.
    fn admit(
        &self,
        writer: &Writer,
        snapshot: &Snapshot,
        transaction: &Recovered<TxEnvelope>,
    ) -> Result<(), ChainError> {
        let from = transaction.signer();
        let account = snapshot.account(from)?;
        let waiting = writer
            .pool
            .iter()
            .filter(|other| other.signer() == from)
            .count();
        let used = account.map_or(0, |account| account.nonce);
        let next = used + waiting as u64;
        let nonce = transaction.nonce();
        if nonce < next && nonce >= used {
            let mut pool = writer.pool.iter();
            let old = pool.find(|other| other.signer() == from && other.nonce() == nonce);
            if let Some(old) = old {
                outbids(transaction, old)?;
            }
        } else if nonce < next {
            return Err(ChainError::NonceTooLow { from, nonce, next });
        }
        if nonce > next {
            return Err(ChainError::NonceTooHigh { from, nonce, next });
        }
        let (gas, limit) = (transaction.gas_limit(), self.0.gas_limit);
        if gas > limit {
            return Err(ChainError::GasAboveBlock { gas, limit });
        }
        let base_fee = base_fee_after(&self.head(snapshot)?.header);
        if transaction.max_fee_per_gas() < base_fee.into() {
            return Err(ChainError::FeeTooLow { base_fee });
        }
        let price = U256::from(transaction.max_fee_per_gas());
        let needs = (price * U256::from(gas)).saturating_add(transaction.value());
        let has = account.map_or(U256::ZERO, |account| account.balance);
        if has < needs {
            return Err(ChainError::Funds { from, needs, has });
        }
        Ok(())
    }

    /// Keeps a block.
    fn seal(
        &self,
        writer: &mut Writer,
        snapshot: &Arc<Snapshot>,
        block: Building,
    ) -> Result<u64, ChainError> {
        let Building {
            mut header,
            state_root,
            run,
            body,
            ..
        } = block;
        let by = header.timestamp.saturating_sub(self.0.clock.now());
        if by > MOST_AHEAD && !self.0.test_methods {
            let most = MOST_AHEAD;
            return Err(ChainError::AheadOfClock { by, most });
        }
        let mut changes = run.changes()?;
        let (root, nodes) = trie::advance(snapshot, state_root, &mut changes)?;
        header.state_root = root;
        let transactions: Vec<_> = body.iter().map(|included| &included.transaction).collect();
        let receipts: Vec<_> = body.iter().map(|included| &included.receipt).collect();
        header.transactions_root = proofs::calculate_transaction_root(&transactions);
        header.receipts_root = proofs::calculate_receipt_root(&receipts);
        let head = Head {
            hash: header.hash_slow(),
            header,
        };
        let offset = match writer.next_time {
            Some(time) => time
                .cast_signed()
                .saturating_sub(self.0.clock.now().cast_signed()),
            None => writer.offset,
        };
        self.0.disk.keep(&NewBlock {
            head: &head,
            body: &body,
            changes: &changes,
            nodes: &nodes,
            meta: &[("offset", offset.cast_unsigned())],
        })?;
        writer.offset = offset;
        writer.next_time = None;
        self.0.heads.send_replace(head.header.number);
        Ok(head.header.number)
    }
}

/// A block while transactions are put into it.
#[derive(Debug)]
struct Building {
    header: Header,
    /// The state root of the block before.
    state_root: B256,
    run: Run,
    body: Vec<Included>,
}

impl Building {
    fn new(chain: &Chain, writer: &Writer, snapshot: &Arc<Snapshot>, parent: &Head) -> Self {
        let header = chain.next_header(chain.0.clock.now(), writer, parent);
        let run = Run::new(snapshot, chain.0.chain_id, &header);
        Self {
            header,
            state_root: parent.header.state_root,
            run,
            body: Vec::new(),
        }
    }

    fn gas_left(&self) -> u64 {
        self.header.gas_limit.saturating_sub(self.header.gas_used)
    }

    fn add(&mut self, transaction: &Recovered<TxEnvelope>) -> Result<(), ChainError> {
        let outcome = self.run.transact(transaction)?;
        self.header.gas_used += outcome.gas_used;
        let receipt = receipt(transaction.tx_type(), outcome, self.header.gas_used);
        self.header.logs_bloom |= receipt.bloom();
        self.body.push(Included {
            transaction: transaction.inner().clone(),
            sender: transaction.signer(),
            receipt,
        });
        Ok(())
    }
}

/// A replacement offers a tenth more of both, as in geth: less would be work for nothing.
fn outbids(
    transaction: &Recovered<TxEnvelope>,
    old: &Recovered<TxEnvelope>,
) -> Result<(), ChainError> {
    let more = |price: u128| price.saturating_add(price.div_ceil(10)).max(1);
    let tip = |of: &Recovered<TxEnvelope>| {
        of.max_priority_fee_per_gas()
            .unwrap_or(of.max_fee_per_gas())
    };
    let (needs, least) = (more(old.max_fee_per_gas()), more(tip(old)));
    if transaction.max_fee_per_gas() >= needs && tip(transaction) >= least {
        return Ok(());
    }
    Err(ChainError::Underpriced {
        from: transaction.signer(),
        nonce: transaction.nonce(),
        needs,
        tip: least,
    })
}

fn receipt(kind: TxType, outcome: Outcome, cumulative_gas_used: u64) -> ReceiptEnvelope {
    let status = outcome.returned().into();
    let receipt = Receipt {
        status,
        cumulative_gas_used,
        logs: outcome.logs,
    }
    .with_bloom();
    match kind {
        TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
        TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
        TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
        TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
        TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
    }
}

/// What every header has alike: no uncles, withdrawals, blobs or beacon chain.
fn blank() -> Header {
    Header {
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        ..Default::default()
    }
}

fn decode(bytes: &[u8], chain: u64) -> Result<Recovered<TxEnvelope>, ChainError> {
    match bytes.first() {
        None => return Err(ChainError::Encoding("no bytes".into())),
        Some(kind @ (0 | 3..=0x7f)) => return Err(ChainError::Type(*kind)),
        Some(_) => {}
    }
    let transaction = TxEnvelope::decode_2718_exact(bytes)
        .map_err(|error| ChainError::Encoding(error.to_string()))?;
    let found = transaction.chain_id();
    if found != Some(chain) {
        return Err(ChainError::ChainId { found, chain });
    }
    transaction
        .try_into_recovered()
        .map_err(|_| ChainError::Signature)
}

/// The state root of a first block. Only for a handful of accounts: it sorts them all.
fn first_root(accounts: impl Iterator<Item = (Address, U256)>) -> B256 {
    let accounts: std::collections::BTreeMap<_, _> = accounts.collect();
    proofs::state_root_unhashed(
        accounts
            .into_iter()
            .filter(|(_, coins)| !coins.is_zero())
            .map(|(address, balance)| {
                (
                    address,
                    alloy::consensus::TrieAccount {
                        balance,
                        ..Default::default()
                    },
                )
            }),
    )
}
