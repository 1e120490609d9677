//! A committee of keepers and its threshold.

use serde::{Deserialize, Serialize};

/// Why n and t do not make a threshold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a committee needs 1 ≤ t ≤ n ≤ 64, got t = {t} of n = {n}")]
pub struct ThresholdError {
    /// Keepers.
    pub n: u8,
    /// Needed.
    pub t: u8,
}

/// t of n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Threshold {
    n: u8,
    t: u8,
}

impl Threshold {
    /// `t` of `n` keepers.
    ///
    /// # Errors
    /// If not 1 ≤ t ≤ n ≤ 64.
    pub const fn new(n: u8, t: u8) -> Result<Self, ThresholdError> {
        if t == 0 || t > n || n > 64 {
            return Err(ThresholdError { n, t });
        }
        Ok(Self { n, t })
    }

    /// How many keepers there are.
    pub const fn n(self) -> u8 {
        self.n
    }

    /// How many of them it takes.
    pub const fn t(self) -> u8 {
        self.t
    }
}

/// The committee that a record's shares are dealt to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Committee {
    /// Its number in the contract `Keepers`.
    pub id: u32,
    /// t of n.
    pub threshold: Threshold,
}
