//! Calls that change nothing, and how much gas a transaction needs.

use std::sync::Arc;

use alloy::{
    consensus::Header,
    eips::BlockId,
    primitives::{Bytes, U256},
    rpc::types::TransactionRequest,
};

use super::{Chain, Meter, fees::base_fee_after};
use crate::{
    disk::Snapshot,
    error::ChainError,
    machine::{self, Ending, Outcome},
};

/// What a call to another contract may need beyond what it uses (the stipend of a transfer).
const STIPEND: u64 = 2_300;
/// Calls' worth of gas that one estimate uses; then the answer is what is known to be enough.
pub(crate) const TRIES: u64 = 4;
/// The search ends when the answer is known to this share, as geth's does.
const NEAR: f64 = 0.015;

impl Chain {
    /// Runs a call and gives what it returns. At `latest` it sees the number and time of the
    /// newest block, at `pending` those of the block that would come now.
    ///
    /// # Errors
    /// When it reverts or halts, needs more than [`Config::call_gas`](crate::Config::call_gas), or the state of that block is
    /// not kept.
    pub fn call(&self, request: &TransactionRequest, at: BlockId) -> Result<Bytes, ChainError> {
        self.call_within(request, at, &Meter::unlimited())
    }

    /// As [`Chain::call`], within what its request may cost.
    pub(crate) fn call_within(
        &self,
        request: &TransactionRequest,
        at: BlockId,
        meter: &Meter,
    ) -> Result<Bytes, ChainError> {
        let (snapshot, header) = self.stage(at)?;
        let gas = self.most_gas(&snapshot, &header, request)?;
        let outcome = self.run(&snapshot, &header, request, gas, meter)?;
        let asked = request.gas.unwrap_or(header.gas_limit);
        match outcome.ending {
            Ending::Halted {
                out_of_gas: true, ..
            } if gas == self.0.call_gas && gas < asked => Err(ChainError::CallGas { most: gas }),
            _ => outcome.into_output(),
        }
    }

    /// The least gas with which a transaction returns, to within 1.5 %; somewhat more where the search would cost more than
    /// four calls may.
    ///
    /// # Errors
    /// When it reverts or halts with any gas that a call has, or the state of that block is not kept.
    pub fn estimate_gas(
        &self,
        request: &TransactionRequest,
        at: BlockId,
    ) -> Result<u64, ChainError> {
        self.estimate_within(request, at, &Meter::unlimited())
    }

    /// As [`Chain::estimate_gas`], within what its request may cost.
    pub(crate) fn estimate_within(
        &self,
        request: &TransactionRequest,
        at: BlockId,
        meter: &Meter,
    ) -> Result<u64, ChainError> {
        let (snapshot, header) = self.stage(at)?;
        let most = self.most_gas(&snapshot, &header, request)?;
        let mut budget = self.0.call_gas.saturating_mul(TRIES);
        let enough = |gas, budget: &mut u64| -> Result<bool, ChainError> {
            match self.run(&snapshot, &header, request, gas, meter) {
                Ok(outcome) => {
                    *budget = budget.saturating_sub(outcome.gas_used);
                    Ok(outcome.returned())
                }
                Err(ChainError::IntrinsicGas { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        };
        let first = match self.run(&snapshot, &header, request, most, meter) {
            Err(ChainError::IntrinsicGas { .. }) => return Err(ChainError::GasAllowance(most)),
            other => other?,
        };
        if matches!(
            first.ending,
            Ending::Halted {
                out_of_gas: true,
                ..
            }
        ) {
            return Err(ChainError::GasAllowance(most));
        }
        let (used, refunded) = (first.gas_used, first.gas_refunded);
        budget = budget.saturating_sub(used);
        first.into_output()?;
        let (mut low, mut high) = (used.saturating_sub(1), most);
        // Most need just what they spent; others keep back a 64th from those they call.
        for guess in [used + refunded, (used + refunded + STIPEND) / 63 * 64 + 63] {
            if guess >= high {
                break;
            }
            if enough(guess, &mut budget)? {
                high = guess;
                break;
            }
            low = guess;
        }
        while low + 1 < high && (high - low) as f64 / high as f64 > NEAR && budget > 0 {
            // The answer is mostly near the lower end.
            let middle = ((low + high) / 2).min(low.saturating_mul(2).max(low + 1));
            if enough(middle, &mut budget)? {
                high = middle
            } else {
                low = middle
            }
        }
        Ok(high)
    }

    /// The state and the header that a call runs on.
    fn stage(&self, at: BlockId) -> Result<(Arc<Snapshot>, Header), ChainError> {
        if at.is_pending() {
            // Before the lock: whoever makes a block waits for no question.
            let now = self.0.clock.now();
            let writer = self.writer();
            let snapshot = self.snapshot()?;
            let head = self.head(&snapshot)?;
            let header = self.next_header(now, &writer, &head);
            return Ok((snapshot, header));
        }
        let snapshot = self.snapshot()?;
        let header = self.at(&snapshot, at)?.header;
        Ok((snapshot, header))
    }

    /// The gas that a call has: what it asks for, or what a call may have here and its sender can pay.
    fn most_gas(
        &self,
        snapshot: &Snapshot,
        header: &Header,
        request: &TransactionRequest,
    ) -> Result<u64, ChainError> {
        let most = self.0.call_gas.min(header.gas_limit);
        let gas = request.gas.map_or(most, |gas| gas.min(most));
        let price = request.gas_price.or(request.max_fee_per_gas).unwrap_or(0);
        if price == 0 {
            return Ok(gas);
        }
        let from = request.from.unwrap_or_default();
        let base_fee = base_fee_after(header);
        if price < u128::from(header.base_fee_per_gas.unwrap_or(base_fee)) {
            return Err(ChainError::FeeTooLow { base_fee });
        }
        let has = snapshot
            .account(from)?
            .map_or(U256::ZERO, |account| account.balance);
        let value = request.value.unwrap_or_default();
        let Some(rest) = has.checked_sub(value) else {
            return Err(ChainError::Funds {
                from,
                needs: value,
                has,
            });
        };
        Ok(gas.min(u64::try_from(rest / U256::from(price)).unwrap_or(u64::MAX)))
    }

    fn run(
        &self,
        snapshot: &Arc<Snapshot>,
        header: &Header,
        request: &TransactionRequest,
        gas: u64,
        meter: &Meter,
    ) -> Result<Outcome, ChainError> {
        meter.check()?;
        let done = machine::call(snapshot, self.0.chain_id, header, request.clone(), gas);
        meter.count(done.as_ref().map_or(0, |outcome| outcome.gas_used));
        done
    }
}
