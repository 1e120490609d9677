//! A disk that refused, and what brings the chain back without a restart.

use std::{
    path::Path,
    sync::{PoisonError, atomic::Ordering},
};

use redb::{Durability, TableDefinition};

use super::{Disk, DiskError, open};

/// Written and taken away again to see whether there is room; not there otherwise.
const TRIAL: TableDefinition<u64, &[u8]> = TableDefinition::new("trial");
/// Bytes that it takes: room for any block of contracts.
const TRIAL_BYTES: usize = 1 << 20;
/// Bytes free below which it is not even tried: each trial that fails costs opening the file anew.
const LEAST: u64 = 16 << 20;

impl Disk {
    /// Whether it takes blocks, as far as is known.
    pub(crate) fn is_well(&self) -> bool {
        !self.resting.load(Ordering::SeqCst) && !self.broken.load(Ordering::SeqCst)
    }

    /// Refuses what would be kept while it is known not to be.
    pub(crate) fn check(&self) -> Result<(), DiskError> {
        if self.is_well() {
            return Ok(());
        }
        Err(DiskError::Resting)
    }

    /// Takes in that there is no room from the start: nobody has to be refused first.
    pub(super) fn rest_if_full(&self) {
        if self.free().is_some_and(|free| free < LEAST) {
            self.rest(&DiskError::Resting);
        }
    }

    /// Takes in that a block could not be kept; the log is told once.
    pub(super) fn rest(&self, error: &DiskError) {
        if !self.resting.swap(true, Ordering::SeqCst) {
            tracing::error!(
                %error,
                source = ?std::error::Error::source(error),
                "the chain takes no transactions; free its disk, then it goes on by itself"
            );
        }
    }

    /// Opens the file again if it failed, so that it is read, and tries whether the disk takes blocks again.
    ///
    /// Whoever calls this holds the chain's writer: no block is on its way.
    pub(crate) fn recover(&self) -> Result<(), DiskError> {
        if self.is_well() {
            return Ok(());
        }
        self.reopen()
            .and_then(|()| self.try_to_keep())
            .inspect_err(|error| self.rest(error))?;
        self.resting.store(false, Ordering::SeqCst);
        tracing::info!("the chain's disk takes blocks again");
        Ok(())
    }

    fn reopen(&self) -> Result<(), DiskError> {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if database.is_some() && !self.broken.load(Ordering::SeqCst) {
            return Ok(());
        }
        // Told before it is mended, whoever met it.
        self.resting.store(true, Ordering::SeqCst);
        // Closed before it is opened: the file has one holder. What still reads it is refused, and asks again.
        *database = None;
        self.broken.store(false, Ordering::SeqCst);
        *database = Some(open(&self.opener, &self.broken)?);
        Ok(())
    }

    fn try_to_keep(&self) -> Result<(), DiskError> {
        if self.free().is_some_and(|free| free < LEAST) {
            return Err(DiskError::Resting);
        }
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(DiskError::Resting)?;
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let bytes = vec![0; TRIAL_BYTES];
        transaction.open_table(TRIAL)?.insert(0, bytes.as_slice())?;
        transaction.commit()?;
        let transaction = database.begin_write()?;
        transaction.delete_table(TRIAL)?;
        transaction.commit()?;
        Ok(())
    }

    /// Bytes that may still be written on its disk, if it has one that can be asked.
    pub(crate) fn free(&self) -> Option<u64> {
        free(self.folder.as_deref()?)
    }
}

fn free(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
