//! Where the time comes from.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, UTC. Any `Fn() -> u64` is a clock.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> u64;
}

impl<F: Fn() -> u64 + Send + Sync> Clock for F {
    fn now(&self) -> u64 {
        self()
    }
}

/// The clock of this computer.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }
}
