//! Why the vault could not do it.

use std::path::PathBuf;

/// Why the vault could not do it. Nothing that was kept before is lost by any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The key does not open it.
    #[error("the vault {} does not open with this key; use the passphrase of this home, or restore from the phrase into a new home", .path.display())]
    WrongKey {
        /// Where.
        path: PathBuf,
    },
    /// Another process holds it.
    #[error("the vault {} is held by another process; stop `medibloc serve`, or let it answer", .path.display())]
    Held {
        /// Where.
        path: PathBuf,
    },
    /// It was written by a newer program.
    #[error("the vault {} has form {found}, this program knows up to {known}; use a newer medibloc", .path.display())]
    Newer {
        /// Where.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// The disk is full, or the vault has reached its limit.
    #[error("no space left for the vault {}; free space and run the command again, nothing was lost", .path.display())]
    Full {
        /// Where.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot use {}: {source}; check that the folder exists and is yours", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The database is damaged or refused.
    #[error("the vault {} failed: {source}; restore from the phrase into a new home if it stays so", .path.display())]
    Database {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}
