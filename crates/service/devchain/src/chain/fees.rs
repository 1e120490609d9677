//! What gas costs.

use alloy::{
    consensus::{Header, Transaction as _},
    eips::{BlockNumberOrTag, eip1559::BaseFeeParams},
    rpc::types::FeeHistory,
};

use super::Chain;
use crate::{
    disk::{Head, Included},
    error::ChainError,
};

/// What a suggestion adds to the base fee for whoever makes the block.
const TIP: u64 = 1_000_000_000;
/// The most blocks that a fee history covers (as geth).
pub(super) const HISTORY_BLOCKS: u64 = 1024;
/// The most percentiles that a fee history gives tips at (as geth).
const MOST_PERCENTILES: usize = 100;

impl Chain {
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
    /// When there is no such block, the percentiles are none, or the disk fails.
    pub fn fee_history(
        &self,
        blocks: u64,
        newest: BlockNumberOrTag,
        percentiles: Option<&[f64]>,
    ) -> Result<FeeHistory, ChainError> {
        check(percentiles.unwrap_or_default())?;
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
}

/// Each from 0 to 100, none below the one before.
fn check(percentiles: &[f64]) -> Result<(), ChainError> {
    let wrong = |what: String| Err(ChainError::Percentiles(what));
    if percentiles.len() > MOST_PERCENTILES {
        return wrong(format!("these are {}", percentiles.len()));
    }
    let mut before = 0.0;
    for (place, percentile) in percentiles.iter().enumerate() {
        if !(0.0..=100.0).contains(percentile) {
            return wrong(format!("number {place} is {percentile}"));
        }
        if *percentile < before {
            return wrong(format!(
                "number {place}, {percentile}, comes after {before}"
            ));
        }
        before = *percentile;
    }
    Ok(())
}

pub(super) fn base_fee_after(header: &Header) -> u64 {
    header
        .next_block_base_fee(BaseFeeParams::ethereum())
        .unwrap_or_default()
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
