//! The chain: one writer, any number of readers.

mod accounts;
mod estimate;
mod fees;
mod logs;
mod meter;
mod mine;
mod query;
mod weight;
pub(crate) use estimate::TRIES;
pub(crate) use meter::Meter;
pub use query::Transactions;
pub(crate) use weight::{Part, Weight};

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy::{
    consensus::{TxEnvelope, transaction::Recovered},
    primitives::{Address, U256},
};
use tokio::sync::watch;

use crate::{
    clock::{Clock, SystemClock},
    disk::{Disk, DiskError, Snapshot},
    error::{ChainError, OpenError},
    test_accounts::test_accounts,
};

/// The last time that a block may have: contracts keep times in 40 bits.
const LATEST: u64 = (1 << 40) - 1;

/// Seconds that the newest block may be ahead of the clock before somebody is told: a clock that is corrected.
const AHEAD: u64 = 15;

/// Seconds that it may be ahead where there are no test methods. Until the clock is there, blocks have the newest one's time: nothing
/// moves on, and what takes back is not kept waiting for hours because a clock was wrong once.
const MOST_AHEAD: u64 = 86_400;

/// Where a chain is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Nowhere: it ends with the process.
    Memory,
    /// In the file `chain.redb` of this folder, which is made when it is not there.
    Dir(PathBuf),
}

/// When blocks come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mining {
    /// Each transaction is a block at once.
    #[default]
    Instant,
    /// Transactions wait for [`Chain::mine`]; [`serve`](crate::serve) calls it this often while
    /// any wait.
    EveryMillis(u64),
}

/// What a chain is.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// The id that transactions are signed for. Part of the first block's meaning: a folder keeps
    /// the id it was made with.
    pub chain_id: u64,
    /// Who has coins in the first block, in wei.
    pub accounts: Vec<(Address, U256)>,
    /// Gas of one block.
    pub gas_limit: u64,
    /// Gas of one call that is only asked (`eth_call`, each try of `eth_estimateGas`), at most: whoever reaches the chain asks as
    /// often as it likes and pays nothing.
    pub call_gas: u64,
    /// Base fee of the first block, in wei per gas; later ones follow EIP-1559. With zero, gas is
    /// free unless blocks are more than half full.
    pub base_fee: u64,
    /// Who gets the tips.
    pub coinbase: Address,
    /// When blocks come.
    pub mining: Mining,
    /// The time of blocks.
    pub clock: Arc<dyn Clock>,
    /// The methods that move time and make empty blocks are there: whoever reaches the chain ends every term on it, for good. For
    /// tests alone; a folder keeps what it was made with.
    pub test_methods: bool,
}

impl Default for Config {
    /// As anvil: id 31337, ten test accounts of 10,000 coins, 30 million gas, base fee 1 gwei,
    /// a block for each transaction, this computer's clock. Other than anvil, without test methods, and with 10 million gas for
    /// what is only asked.
    fn default() -> Self {
        Self {
            chain_id: 31_337,
            accounts: test_accounts(),
            gas_limit: 30_000_000,
            // Twice what creating the longest contract that there may be takes.
            call_gas: 10_000_000,
            base_fee: 1_000_000_000,
            coinbase: Address::ZERO,
            mining: Mining::Instant,
            clock: Arc::new(SystemClock),
            test_methods: false,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("chain_id", &self.chain_id)
            .field("accounts", &self.accounts.len())
            .field("gas_limit", &self.gas_limit)
            .field("call_gas", &self.call_gas)
            .field("base_fee", &self.base_fee)
            .field("coinbase", &self.coinbase)
            .field("mining", &self.mining)
            .finish_non_exhaustive()
    }
}

/// How a chain's time stands to the clock of its computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pace {
    /// As it should.
    Even,
    /// The newest block is ahead: those that come have its time until the clock is there.
    Waits {
        /// Seconds.
        by: u64,
    },
    /// It is so far ahead that no block is made.
    Stands {
        /// Seconds.
        by: u64,
    },
}

/// A chain. Clones are the same chain.
///
/// Its methods block for as long as the disk takes; from async code call them in
/// `tokio::task::spawn_blocking`.
#[derive(Clone)]
pub struct Chain(Arc<Shared>);

struct Shared {
    disk: Disk,
    chain_id: u64,
    gas_limit: u64,
    call_gas: u64,
    base_fee: u64,
    coinbase: Address,
    mining: Mining,
    clock: Arc<dyn Clock>,
    test_methods: bool,
    writer: Mutex<Writer>,
    heads: watch::Sender<u64>,
}

/// What only the one that makes a block may change.
#[derive(Debug, Default)]
struct Writer {
    /// Transactions that wait for the next block.
    pool: Vec<Recovered<TxEnvelope>>,
    /// Seconds that the chain's time is ahead of the clock.
    offset: i64,
    /// The time of the next block, when it was set.
    next_time: Option<u64>,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("chain_id", &self.0.chain_id)
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// Opens the chain in `place`; makes its first block when there is none.
    ///
    /// # Errors
    /// When the folder is held by another process, holds another chain, or cannot be read.
    pub fn open(place: Place, config: Config) -> Result<Self, OpenError> {
        let disk = match &place {
            Place::Memory => Disk::memory()?,
            Place::Dir(folder) => Disk::folder(folder)?,
        };
        Self::on(disk, config)
    }

    fn on(disk: Disk, config: Config) -> Result<Self, OpenError> {
        let snapshot = Arc::new(disk.snapshot()?);
        let offset = snapshot.meta("offset")?.map_or(0, u64::cast_signed);
        let head = snapshot.head()?.map_or(0, |head| head.header.number);
        let Config {
            chain_id,
            accounts,
            gas_limit,
            call_gas,
            base_fee,
            coinbase,
            mining,
            clock,
            test_methods,
        } = config;
        // A chain that was moved before there was this bound keeps its blocks, and goes on by the clock.
        let offset = if test_methods { offset } else { 0 };
        let chain = Self(Arc::new(Shared {
            disk,
            chain_id,
            gas_limit,
            call_gas,
            base_fee,
            coinbase,
            mining,
            clock,
            test_methods,
            writer: Mutex::new(Writer {
                offset,
                ..Writer::default()
            }),
            heads: watch::Sender::new(head),
        }));
        chain.begin(&snapshot, &accounts)?;
        Ok(chain)
    }

    /// The id that transactions are signed for.
    pub fn chain_id(&self) -> u64 {
        self.0.chain_id
    }

    /// Gas that one call has that is only asked.
    pub(crate) fn call_gas(&self) -> u64 {
        self.0.call_gas
    }

    /// When blocks come.
    pub fn mining(&self) -> Mining {
        self.0.mining
    }

    /// Whether the methods for tests are there.
    pub fn has_test_methods(&self) -> bool {
        self.0.test_methods
    }

    /// The number of the newest block, now and whenever it changes.
    pub fn heads(&self) -> watch::Receiver<u64> {
        self.0.heads.subscribe()
    }

    /// Whether its disk takes blocks, as far as is known. It does not from when a block could not be kept until
    /// [`recover`](Self::recover) finds that it does again.
    pub fn takes_blocks(&self) -> bool {
        self.0.disk.is_well()
    }

    /// Opens the file again after its disk refused, and finds out whether it takes blocks again; does nothing while all is well.
    /// What was acknowledged is there, and what was not is there whole or not at all. A chain that is [served](crate::serve) calls
    /// it by itself.
    ///
    /// # Errors
    /// While the disk still refuses. The chain can be read all the same if its file could be opened.
    pub fn recover(&self) -> Result<(), DiskError> {
        if self.takes_blocks() {
            return Ok(());
        }
        let _writer = self.writer();
        let recovered = self.0.disk.recover();
        if let Ok(number) = self.number() {
            self.0.heads.send_if_modified(|head| {
                let is_new = *head != number;
                *head = number;
                is_new
            });
        }
        recovered
    }

    /// How its time stands to the clock.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn pace(&self) -> Result<Pace, DiskError> {
        let head = self.head(&*self.snapshot()?)?.header.timestamp;
        let by = head.saturating_sub(self.0.clock.now());
        Ok(if self.0.test_methods || by <= AHEAD {
            Pace::Even
        } else if by <= MOST_AHEAD {
            Pace::Waits { by }
        } else {
            Pace::Stands { by }
        })
    }

    /// Bytes that may still be written on its disk; none if it has no folder.
    pub fn free_bytes(&self) -> Option<u64> {
        self.0.disk.free()
    }

    /// Sets the time of the next block, in seconds since 1970; the chain's time runs on from
    /// there.
    ///
    /// # Errors
    /// When it is before the newest block, or after the year 36812, or there are no test methods.
    pub fn set_time(&self, time: u64) -> Result<(), ChainError> {
        self.for_tests()?;
        if time > LATEST {
            return Err(ChainError::Future {
                asked: time,
                latest: LATEST,
            });
        }
        let mut writer = self.writer();
        let head = self.head(&*self.snapshot()?)?.header.timestamp;
        if time < head {
            return Err(ChainError::Past { asked: time, head });
        }
        writer.next_time = Some(time);
        Ok(())
    }

    /// Moves the chain's time ahead and gives by how much it is ahead of the clock in all. Kept
    /// with the next block.
    ///
    /// # Errors
    /// When that is after the year 36812, or there are no test methods; nothing is moved then.
    pub fn increase_time(&self, seconds: u64) -> Result<i64, ChainError> {
        self.for_tests()?;
        let mut writer = self.writer();
        let now = self.0.clock.now().saturating_add_signed(writer.offset);
        let next = writer.next_time.map_or(now, |time| time.max(now));
        let asked = next.saturating_add(seconds);
        let offset = i64::try_from(seconds)
            .ok()
            .and_then(|seconds| writer.offset.checked_add(seconds));
        let (Some(offset), true) = (offset, asked <= LATEST) else {
            return Err(ChainError::Future {
                asked,
                latest: LATEST,
            });
        };
        if let Some(time) = &mut writer.next_time {
            *time = time.saturating_add(seconds);
        }
        writer.offset = offset;
        Ok(offset)
    }

    fn for_tests(&self) -> Result<(), ChainError> {
        if self.0.test_methods {
            Ok(())
        } else {
            Err(ChainError::NotForTests)
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // What a panic may leave behind is only a time or a waiting transaction.
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> Result<Arc<Snapshot>, DiskError> {
        Ok(Arc::new(self.0.disk.snapshot()?))
    }
}

#[cfg(test)]
mod tests;
