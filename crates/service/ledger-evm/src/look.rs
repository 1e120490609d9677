//! What the contracts said in a range of blocks. One address may stand for several nodes of the chain, and a node that is some blocks
//! behind answers a question for logs of later blocks with what it has, without a word. So the headers of the newest blocks say
//! whether something is missing: each has a filter of the addresses that logged in it, and the root of its receipts.

use std::collections::{BTreeMap, BTreeSet};

use alloy::consensus::ReceiptEnvelope;
use alloy::consensus::proofs::calculate_receipt_root;
use alloy::eips::BlockId;
use alloy::primitives::{Address, BloomInput, Log as Said};
use alloy::providers::Provider;
use alloy::rpc::types::{Filter, Header, Log};
use medibloc_ledger::{BlockEvents, Event, LedgerError};
use medibloc_record::Timestamp;

use crate::EvmLedger;
use crate::decode;
use crate::encode::chain;
use crate::ledger::missing;

/// How many of the newest blocks are looked at one by one. Deeper ones are asked for together with the last of them, in one request: a
/// node that has that one has them all.
const NEWEST: u64 = 1_024;
/// How many headers are asked for in one request: each question by itself would take a connection, of which a source has only so
/// many.
const TOGETHER: usize = 32;

/// Blocks that are wanted.
pub(crate) struct Wanted {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Those that are given also if nothing was said in them.
    pub(crate) always: BTreeSet<u64>,
    /// The newest block of the chain, as far as is known.
    pub(crate) newest: u64,
    /// No more blocks than this.
    pub(crate) limit: usize,
}

impl Wanted {
    /// One block, where this is the newest one.
    pub(crate) fn one(number: u64, newest: u64) -> Self {
        Self {
            from: number,
            to: number,
            always: BTreeSet::from([number]),
            newest,
            limit: 1,
        }
    }
}

impl EvmLedger {
    /// These blocks, in order.
    pub(crate) async fn look(&self, wanted: &Wanted) -> Result<Vec<BlockEvents>, LedgerError> {
        let (from, to) = (wanted.from, wanted.to);
        let mut logs: BTreeMap<u64, Vec<Log>> = BTreeMap::new();
        for log in self.logs(from, to).await? {
            logs.entry(log.block_number.unwrap_or(0))
                .or_default()
                .push(log);
        }
        let one_by_one = from.max((wanted.newest + 1).saturating_sub(NEWEST));
        let mut numbers: BTreeSet<u64> = (one_by_one..=to).collect();
        numbers.extend(logs.keys().chain(&wanted.always));
        let numbers: Vec<u64> = numbers.into_iter().collect();
        let mut blocks = Vec::new();
        let mut before: Option<Header> = None;
        for numbers in numbers.chunks(TOGETHER) {
            for header in self.headers(numbers).await? {
                let is_next = before.as_ref().is_none_or(|it| {
                    it.number + 1 != header.number || it.hash == header.parent_hash
                });
                if !is_next {
                    return Err(replaced(header.number));
                }
                let found = logs.remove(&header.number).unwrap_or_default();
                let events = self.events_in(&header, &found).await?;
                if !found.is_empty() || !events.is_empty() || wanted.always.contains(&header.number)
                {
                    blocks.push(BlockEvents {
                        number: header.number,
                        hash: header.hash.0,
                        parent: header.parent_hash.0,
                        time: Timestamp(header.timestamp),
                        events,
                    });
                }
                if blocks.len() == wanted.limit {
                    return Ok(blocks);
                }
                before = Some(header);
            }
        }
        Ok(blocks)
    }

    async fn headers(&self, numbers: &[u64]) -> Result<Vec<Header>, LedgerError> {
        let last = numbers.last().copied().unwrap_or_default();
        let headers = self.rpc().headers(numbers).await?;
        headers.ok_or_else(|| missing(BlockId::number(last)))
    }

    /// The events of a block, where these logs came for it: if its header tells of more than nothing and none came, those of its receipts.
    async fn events_in(&self, header: &Header, found: &[Log]) -> Result<Vec<Event>, LedgerError> {
        if found.iter().any(|log| log.block_hash != Some(header.hash)) {
            return Err(replaced(header.number));
        }
        let sources = self.sources();
        let tells = sources.iter().any(|at| {
            header
                .logs_bloom
                .contains_input(BloomInput::Raw(at.as_slice()))
        });
        let event = |log: &Said| decode::event(&self.deployed().contracts, log);
        match (found.is_empty(), tells) {
            (true, false) => Ok(Vec::new()),
            (true, true) => {
                let receipts = self.receipts_of(header).await?;
                let logs = receipts.iter().flat_map(ReceiptEnvelope::logs);
                let ours = logs.filter(|log| sources.contains(&log.address));
                Ok(ours.filter_map(event).collect())
            }
            (false, true) => Ok(found.iter().filter_map(|log| event(&log.inner)).collect()),
            // Such a chain could leave out what it likes.
            (false, false) => Err(LedgerError::Corrupt {
                from: "the chain".into(),
                why: format!(
                    "the logsBloom of block {} leaves out its logs; use a chain whose headers have it",
                    header.number
                ),
            }),
        }
    }

    /// The receipts of a block, all of them: its header has their root.
    pub(crate) async fn receipts_of(
        &self,
        header: &Header,
    ) -> Result<Vec<ReceiptEnvelope<Said>>, LedgerError> {
        let id = BlockId::hash(header.hash);
        let receipts = self
            .rpc()
            .ask(|node| async move { node.get_block_receipts(id).await })
            .await?
            .ok_or_else(|| missing(id))?;
        let receipts: Vec<ReceiptEnvelope<Said>> = receipts
            .into_iter()
            .map(|receipt| receipt.inner.into_primitives_receipt())
            .collect();
        if calculate_receipt_root(&receipts) != header.receipts_root {
            return Err(LedgerError::Corrupt {
                from: "the chain".into(),
                why: format!(
                    "of block {}: its receipts are not those it names",
                    header.number
                ),
            });
        }
        Ok(receipts)
    }

    fn sources(&self) -> [Address; 5] {
        let at = &self.deployed().contracts;
        [at.accounts, at.records, at.consent, at.receipts, at.keepers]
            .map(|at| chain(at.to_bytes()))
    }

    pub(crate) async fn logs(&self, from: u64, to: u64) -> Result<Vec<Log>, LedgerError> {
        let filter = Filter::new().from_block(from).to_block(to);
        let filter = filter.address(self.sources().to_vec());
        self.logs_by(&filter, to).await
    }

    /// The logs that a filter finds, in order, as a node has them that has this block, the last of the filter's range.
    pub(crate) async fn logs_by(&self, filter: &Filter, to: u64) -> Result<Vec<Log>, LedgerError> {
        let (mut logs, last) = self.rpc().logs_and_block(filter, to).await?;
        if last.is_none() {
            return Err(missing(BlockId::number(to)));
        }
        logs.retain(|log| !log.removed);
        logs.sort_by_key(|log| (log.block_number, log.log_index));
        Ok(logs)
    }
}

fn replaced(number: u64) -> LedgerError {
    LedgerError::Unreachable {
        from: "the chain".into(),
        why: format!("block {number} was replaced while it was read"),
    }
}
