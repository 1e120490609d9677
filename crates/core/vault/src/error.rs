//! Why the vault could not do it.

use std::path::PathBuf;

/// Why the vault could not do it. Nothing that was kept before is lost by any of these but [`VaultError::Damaged`] and
/// [`VaultError::Missing`], which say that it was lost already.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The key does not open it.
    #[error("the vault {} does not open with the key of this home: it is the vault of another phrase, or its beginning is damaged; put a backup of it in its place, or restore from the phrase into a new home", .path.display())]
    WrongKey {
        /// Where.
        path: PathBuf,
    },
    /// There is none, or an empty file.
    #[error("the vault {} is gone or empty; put a backup of it in its place, or run `medibloc restore` with the phrase", .path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// There is one where a new one was to be made.
    #[error("there is a vault at {} already; choose another home, or `medibloc restore` with its phrase", .path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// What is read is not what was written.
    #[error("the vault {} is damaged ({what}); put a backup of it in its place, or run `medibloc restore` with the phrase into a new home", .path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
        /// Which part, and how it shows. Never a key or a value.
        what: String,
    },
    /// Another process holds it.
    #[error("the vault {} is held by another process{}; wait for it, or stop it", .path.display(), .by.map(|id| format!(" ({id})")).unwrap_or_default())]
    Held {
        /// Where.
        path: PathBuf,
        /// Its process id, if it wrote one.
        by: Option<u32>,
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
    /// The file system can only be read.
    #[error("{} is on a file system that can only be read, and a vault is never opened without its lock and its log; copy the whole home to a disk that can be written, and name the copy with --home", .path.display())]
    ReadOnly {
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
    /// The database refused.
    #[error("the vault {} failed: {source}; check the disk and the rights of the folder, and run the command again", .path.display())]
    Database {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}
