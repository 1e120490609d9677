//! Who holds a home's vault.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use crate::{VaultError, file};

/// The lock of a home's vault. Dropping it, or the end of the process however it comes, lets another take it.
#[derive(Debug)]
pub struct VaultLock {
    _file: File,
}

impl VaultLock {
    /// Takes it.
    ///
    /// # Errors
    /// [`VaultError::Held`] with the id of the process that has it.
    pub fn take(home: &Path) -> Result<Self, VaultError> {
        let path = home.join("vault.lock");
        let mut lock = file::private(&path).map_err(|source| file::io(&path, source))?;
        match lock.try_lock() {
            Ok(()) => {
                // Only a help to people, and a full disk must not stop reading.
                let _ = lock
                    .set_len(0)
                    .and_then(|()| write!(lock, "{}", std::process::id()));
                Ok(Self { _file: lock })
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = lock.rewind();
                let _ = lock.take(32).read_to_string(&mut text);
                Err(VaultError::Held {
                    path: home.join("vault.db"),
                    by: text.trim().parse().ok(),
                })
            }
            Err(TryLockError::Error(source)) => Err(file::io(&path, source)),
        }
    }
}

/// That somebody waits for a home's vault who takes something back: whoever holds it ends soon when it sees this. Dropping it,
/// or the end of the process however it comes, takes it away.
#[derive(Debug)]
pub struct VaultCall {
    _file: File,
}

impl VaultCall {
    /// Calls. Several may at once.
    ///
    /// # Errors
    /// If the file beside the vault cannot be made or locked.
    pub fn raise(home: &Path) -> Result<Self, VaultError> {
        let path = home.join(CALL);
        let file = file::private(&path).map_err(|source| file::io(&path, source))?;
        // Who looks holds it for a moment only.
        file.lock_shared()
            .map_err(|source| file::io(&path, source))?;
        Ok(Self { _file: file })
    }

    /// Whether somebody calls now. The file alone says nothing: one that was killed leaves it behind.
    pub fn is_raised(home: &Path) -> bool {
        File::open(home.join(CALL))
            .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }
}

const CALL: &str = "vault.call";
