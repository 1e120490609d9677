//! What looking something up takes, before it is done.

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    primitives::B256,
};

use super::{Chain, fees::HISTORY_BLOCKS};
use crate::error::ChainError;

/// Bytes that are read and thrown away for a light question, at most.
const LIGHT_LOOKED: u64 = 1 << 20;

/// Bytes as they are kept that a light question answers, at most; in JSON they are up to eight times as many. What a follower
/// finds in the blocks since it last asked is less: sixteen records or consents.
const LIGHT_ANSWERED: u64 = 32 << 10;

/// Bytes that a block has for its fees, and one slot for its proof, about.
const FEES: u64 = 600;
const SLOT: u64 = 2 << 10;

/// Bytes that are looked through and bytes that are answered, as they are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    pub(crate) looked: u64,
    pub(crate) answered: u64,
}

/// What is asked of a transaction, by its place in what is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Transaction = 0,
    Receipt = 2,
}

impl Weight {
    /// Blocks that are considered to find out what a question takes.
    pub(crate) const STEPS: u64 = 1_500;

    /// More than a light question's, of so many blocks.
    pub(crate) fn much(blocks: u64) -> Self {
        Self {
            looked: LIGHT_LOOKED,
            answered: LIGHT_ANSWERED.saturating_add(blocks.saturating_mul(1 << 10)),
        }
    }

    /// A proof of so many slots.
    pub(crate) fn proof(slots: usize) -> Self {
        Self {
            looked: 0,
            answered: SLOT.saturating_mul(slots as u64),
        }
    }

    /// Whether it may go on beside others that are.
    pub(crate) fn is_light(self) -> bool {
        self.looked <= LIGHT_LOOKED && self.answered <= LIGHT_ANSWERED
    }

    /// Amount of work, in KiB.
    pub(crate) fn cost(self) -> u64 {
        1 + self.looked.saturating_add(self.answered) / 1_024
    }
}

impl Chain {
    /// What a block takes, with its transactions or what they did, or without. Without them it is light whatever it holds.
    pub(crate) fn weigh_block(&self, id: BlockId, full: bool) -> Result<Weight, ChainError> {
        let snapshot = self.snapshot()?;
        let Some(number) = self.resolve(&snapshot, id)? else {
            return Ok(Weight::default());
        };
        let body = snapshot.body_size(number)?;
        Ok(if full {
            Weight {
                looked: body,
                answered: body,
            }
        } else {
            Weight {
                looked: body.min(LIGHT_LOOKED),
                answered: 0,
            }
        })
    }

    /// What a transaction takes, or what it did.
    pub(crate) fn weigh_transaction(&self, hash: B256, part: Part) -> Result<Weight, ChainError> {
        let snapshot = self.snapshot()?;
        let Some((number, index)) = snapshot.place_of(hash)? else {
            return Ok(Weight::default());
        };
        Ok(Weight {
            looked: snapshot.body_size(number)?,
            answered: snapshot.part_size(number, index, part as usize)?,
        })
    }

    /// What the fees of blocks take; for tips their transactions are read.
    pub(crate) fn weigh_fee_history(
        &self,
        blocks: u64,
        newest: BlockNumberOrTag,
        percentiles: Option<usize>,
    ) -> Result<Weight, ChainError> {
        let snapshot = self.snapshot()?;
        let Some(newest) = self.resolve(&snapshot, newest.into())? else {
            return Ok(Weight::default());
        };
        let blocks = blocks.clamp(1, HISTORY_BLOCKS).min(newest + 1);
        let mut weight = Weight {
            looked: FEES * blocks,
            answered: 0,
        };
        if let Some(percentiles) = percentiles {
            weight.answered = (percentiles as u64)
                .saturating_mul(blocks)
                .saturating_mul(4);
            for number in newest + 1 - blocks..=newest {
                weight.looked += snapshot.body_size(number)?;
            }
        }
        Ok(weight)
    }
}
