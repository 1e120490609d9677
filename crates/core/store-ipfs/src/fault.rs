//! What the disk and the index say, as the port says it.

use std::io;

use medibloc_store::StoreError;
use rusqlite::ErrorCode;

/// A failure that several callers may have to be told.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    full: bool,
    why: String,
}

impl Fault {
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        Self {
            full: matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            why: format!("{what}: {error}"),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self {
            full: error.sqlite_error_code() == Some(ErrorCode::DiskFull),
            why: format!("index.db: {error}"),
        }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        if fault.full {
            Self::Full { what: fault.why }
        } else {
            Self::Unreachable { why: fault.why }
        }
    }
}

/// Names what was done to which file when it failed.
pub(crate) fn io_fault(what: &str) -> impl Fn(io::Error) -> Fault + '_ {
    move |error| Fault::io(what, &error)
}
