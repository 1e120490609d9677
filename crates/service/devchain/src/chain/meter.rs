//! What the calls of one request may cost together.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use crate::error::ChainError;

/// Gas that is left for the calls of one request, and whether anybody still waits for their answers. Clones are the same meter.
#[derive(Debug, Clone)]
pub(crate) struct Meter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: u64,
    used: AtomicU64,
    gone: AtomicBool,
}

impl Meter {
    pub(crate) fn of(most: u64) -> Self {
        Self(Arc::new(Inner {
            most,
            used: AtomicU64::new(0),
            gone: AtomicBool::new(false),
        }))
    }

    /// For whoever runs the chain in its own process.
    pub(crate) fn unlimited() -> Self {
        Self::of(u64::MAX)
    }

    /// Whether one more run may begin.
    pub(crate) fn check(&self) -> Result<(), ChainError> {
        if self.0.gone.load(Relaxed) {
            return Err(ChainError::Abandoned);
        }
        let most = self.0.most;
        if self.0.used.load(Relaxed) >= most {
            return Err(ChainError::GasOfRequest { most });
        }
        Ok(())
    }

    /// So much was used.
    pub(crate) fn count(&self, gas: u64) {
        // At most as much as blocks have gas and batches have questions: far from the end of the number.
        self.0.used.fetch_add(gas, Relaxed);
    }

    /// Nobody waits any more: nothing of it begins from now on.
    pub(crate) fn abandon(&self) {
        self.0.gone.store(true, Relaxed);
    }
}
