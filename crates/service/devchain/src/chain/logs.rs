//! Logs by address and topics.

use std::collections::BTreeSet;

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    rpc::types::{Filter, FilterBlockOption, Log},
};

use super::{Chain, query::receipts};
use crate::{
    disk::{DiskError, Snapshot},
    error::ChainError,
};

/// The most logs that one question gives.
pub(crate) const MOST_LOGS: usize = 10_000;

impl Chain {
    /// The logs that a filter matches, in order.
    ///
    /// # Errors
    /// When they are more than 10,000, a block is unknown or not there yet, or the disk fails.
    pub fn logs(&self, filter: &Filter) -> Result<Vec<Log>, ChainError> {
        let snapshot = self.snapshot()?;
        let (from, to) = self.range(&snapshot, filter)?;
        let mut logs = Vec::new();
        for number in candidates(&snapshot, filter, from, to)? {
            let found = receipts(&snapshot, number)?;
            let found = found.iter().flat_map(|receipt| receipt.inner.logs());
            logs.extend(found.filter(|log| matches(filter, log)).cloned());
            if logs.len() > MOST_LOGS {
                return Err(ChainError::TooManyLogs(MOST_LOGS));
            }
        }
        Ok(logs)
    }

    fn range(&self, snapshot: &Snapshot, filter: &Filter) -> Result<(u64, u64), ChainError> {
        let (from, to) = match filter.block_option {
            FilterBlockOption::AtBlockHash(hash) => {
                let number = self.resolve(snapshot, BlockId::hash(hash))?;
                let number = number.ok_or(ChainError::UnknownBlock)?;
                return Ok((number, number));
            }
            FilterBlockOption::Range {
                from_block,
                to_block,
            } => (from_block, to_block),
        };
        let head = self.head(snapshot)?.header.number;
        let number = |tag: Option<BlockNumberOrTag>| match tag {
            Some(BlockNumberOrTag::Number(number)) => number,
            Some(BlockNumberOrTag::Earliest) => 0,
            _ => head,
        };
        let (from, to) = (number(from), number(to));
        if let Some(asked) = [from, to].into_iter().find(|asked| *asked > head) {
            return Err(ChainError::PastHead { asked, head });
        }
        if from > to {
            return Err(ChainError::Range);
        }
        Ok((from, to))
    }
}

/// The blocks where a match may be.
fn candidates(
    snapshot: &Snapshot,
    filter: &Filter,
    from: u64,
    to: u64,
) -> Result<BTreeSet<u64>, DiskError> {
    let mut numbers = BTreeSet::new();
    if filter.address.is_empty() {
        for head in snapshot.headers(from, to)? {
            let header = head?.header;
            if !header.logs_bloom.is_zero() && filter.matches_bloom(header.logs_bloom) {
                numbers.insert(header.number);
            }
        }
    } else {
        for address in filter.address.iter() {
            numbers.extend(snapshot.logged(*address, from, to)?);
        }
    }
    Ok(numbers)
}

fn matches(filter: &Filter, log: &Log) -> bool {
    filter.matches_address(log.inner.address) && filter.matches_topics(log.inner.data.topics())
}
