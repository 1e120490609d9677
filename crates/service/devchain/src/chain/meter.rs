//! What one request may cost: the gas of its calls, and the bytes of its answers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use crate::error::ChainError;

/// What is left for one request, and whether anybody still waits for its answers. Clones are the same meter.
#[derive(Debug, Clone)]
pub(crate) struct Meter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: u64,
    used: AtomicU64,
    /// Bytes of its answers, at most, and what is left of them.
    answer: usize,
    room: AtomicUsize,
    /// Bytes of blocks that were looked through for it.
    looked: AtomicU64,
    gone: AtomicBool,
}

impl Meter {
    pub(crate) fn of(most: u64, answer: usize) -> Self {
        Self(Arc::new(Inner {
            most,
            used: AtomicU64::new(0),
            answer,
            room: AtomicUsize::new(answer),
            looked: AtomicU64::new(0),
            gone: AtomicBool::new(false),
        }))
    }

    /// For whoever runs the chain in its own process.
    pub(crate) fn unlimited() -> Self {
        Self::of(u64::MAX, usize::MAX)
    }

    /// Whether one more run may begin.
    pub(crate) fn check(&self) -> Result<(), ChainError> {
        self.waited_for()?;
        let most = self.0.most;
        if self.0.used.load(Relaxed) >= most {
            return Err(ChainError::GasOfRequest { most });
        }
        Ok(())
    }

    /// Whether anybody still waits for the answer.
    pub(crate) fn waited_for(&self) -> Result<(), ChainError> {
        if self.0.gone.load(Relaxed) {
            return Err(ChainError::Abandoned);
        }
        Ok(())
    }

    /// Bytes that the next answer may have.
    pub(crate) fn room(&self) -> usize {
        self.0.room.load(Relaxed)
    }

    /// So many bytes of answers are there. Once one was too long, none has room any more.
    pub(crate) fn answered(&self, bytes: usize) {
        let left = self.0.answer.saturating_sub(bytes);
        self.0.room.fetch_min(left, Relaxed);
    }

    /// The answer has no room; nor has any after it.
    pub(crate) fn too_long(&self) -> ChainError {
        self.0.room.store(0, Relaxed);
        ChainError::AnswerTooLong {
            most: self.0.answer,
        }
    }

    /// So many bytes of blocks are looked through, if anybody waits for it.
    pub(crate) fn look(&self, bytes: u64) -> Result<(), ChainError> {
        self.0.looked.fetch_add(bytes, Relaxed);
        self.waited_for()
    }

    /// Bytes of blocks that were looked through.
    pub(crate) fn looked(&self) -> u64 {
        self.0.looked.load(Relaxed)
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
