//! The bytes of a chain's file, and whether their disk ever refused: the database then takes nothing until it is opened again.

use std::{
    io,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{BackendError, StorageBackend};

/// Bytes that remember that their disk refused.
#[derive(Debug)]
pub(super) struct Latched {
    inner: Box<dyn StorageBackend>,
    broken: Arc<AtomicBool>,
}

impl Latched {
    /// These bytes; `broken` is set by the first that is refused.
    pub(super) fn new(inner: Box<dyn StorageBackend>, broken: Arc<AtomicBool>) -> Self {
        Self { inner, broken }
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.broken.store(true, Ordering::SeqCst);
        }
        result
    }
}

impl StorageBackend for Latched {
    fn len(&self) -> io::Result<u64> {
        self.note(self.inner.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.note(self.inner.read(offset, out))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.note(self.inner.set_len(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note(self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(self.inner.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
