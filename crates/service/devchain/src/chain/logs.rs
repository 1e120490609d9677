//! Logs by address and topics.

use std::collections::BTreeSet;

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    rpc::types::{Filter, FilterBlockOption, Log},
};

use super::{Chain, Meter, Weight, query::receipts};
use crate::{
    disk::{DiskError, Head, Snapshot},
    error::ChainError,
};

/// The most logs that one question gives.
pub(crate) const MOST_LOGS: usize = 10_000;

/// Bytes of a header.
const HEADER: u64 = 600;

/// Bytes of a log in JSON without its data and topics, at least.
const LOG: usize = 300;

impl Chain {
    /// The logs that a filter matches, in order.
    ///
    /// # Errors
    /// When they are more than 10,000, a block is unknown or not there yet, or the disk fails.
    pub fn logs(&self, filter: &Filter) -> Result<Vec<Log>, ChainError> {
        self.logs_within(filter, &Meter::unlimited())
    }

    /// As [`logs`](Self::logs), for one request.
    pub(crate) fn logs_within(
        &self,
        filter: &Filter,
        meter: &Meter,
    ) -> Result<Vec<Log>, ChainError> {
        let snapshot = self.snapshot()?;
        let (from, to) = self.range(&snapshot, filter)?;
        let (mut logs, mut bytes) = (Vec::new(), 0_usize);
        for number in candidates(&snapshot, filter, from, to, meter)? {
            meter.look(snapshot.body_size(number)?)?;
            let found = receipts(&snapshot, number)?;
            let found = found.iter().flat_map(|receipt| receipt.inner.logs());
            for log in found.filter(|log| matches(filter, log)) {
                bytes = bytes.saturating_add(LOG + 2 * log.inner.data.data.len());
                if logs.len() == MOST_LOGS {
                    return Err(ChainError::TooManyLogs(MOST_LOGS));
                }
                if bytes > meter.room() {
                    return Err(meter.too_long());
                }
                logs.push(log.clone());
            }
        }
        Ok(logs)
    }

    /// What [`logs`](Self::logs) would take. Of what is much it is only known that it is: looking for it goes not far.
    pub(crate) fn weigh_logs(&self, filter: &Filter) -> Result<Weight, ChainError> {
        let snapshot = self.snapshot()?;
        let (from, to) = self.range(&snapshot, filter)?;
        let blocks = to - from + 1;
        let mut weight = Weight::default();
        let much = Weight::much(blocks);
        let mut left = Weight::STEPS;
        let mut step = || {
            left = left.checked_sub(1)?;
            Some(())
        };
        let mut weigh = |head: &Head| -> Result<bool, DiskError> {
            weight.looked += HEADER;
            if may_match(filter, head) {
                weight.answered += snapshot.body_size(head.header.number)?;
            }
            Ok(weight.is_light())
        };
        if filter.address.is_empty() {
            for head in snapshot.headers(from, to)? {
                if step().is_none() || !weigh(&head?)? {
                    return Ok(much);
                }
            }
        } else {
            for address in filter.address.iter() {
                for number in snapshot.logged(*address, from, to)? {
                    let head = snapshot.header(number?)?;
                    if step().is_none() || !head.as_ref().map_or(Ok(true), &mut weigh)? {
                        return Ok(much);
                    }
                }
            }
        }
        Ok(weight)
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

/// The blocks where a match may be: where an address logged, and what the block says of all its logs does not exclude it.
fn candidates(
    snapshot: &Snapshot,
    filter: &Filter,
    from: u64,
    to: u64,
    meter: &Meter,
) -> Result<BTreeSet<u64>, ChainError> {
    let mut numbers = BTreeSet::new();
    let mut consider = |head: &Head| {
        if may_match(filter, head) {
            numbers.insert(head.header.number);
        }
        meter.look(HEADER)
    };
    if filter.address.is_empty() {
        for head in snapshot.headers(from, to)? {
            consider(&head?)?;
        }
    } else {
        for address in filter.address.iter() {
            for number in snapshot.logged(*address, from, to)? {
                if let Some(head) = snapshot.header(number?)? {
                    consider(&head)?;
                }
            }
        }
    }
    Ok(numbers)
}

fn may_match(filter: &Filter, head: &Head) -> bool {
    let bloom = head.header.logs_bloom;
    !bloom.is_zero() && filter.matches_bloom(bloom)
}

fn matches(filter: &Filter, log: &Log) -> bool {
    filter.matches_address(log.inner.address) && filter.matches_topics(log.inner.data.topics())
}
