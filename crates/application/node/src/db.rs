//! SQLite, one connection a file, off the threads that answer.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::panics;
use crate::private::private_database;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// SQLite says no.
    #[error(
        "the node's database failed; check the disk's space and rights, nothing acknowledged was lost"
    )]
    Sqlite(#[from] rusqlite::Error),
    /// Its file cannot be made or closed to others.
    #[error("the node's database file cannot be made private; check the disk's space and rights")]
    Io(#[from] std::io::Error),
    /// What it holds is sealed to another key.
    #[error(
        "this data folder was made with another storage key than the key file has: start it with the key file that it was made with; a \
         keeper that replaces another begins with an empty data folder"
    )]
    OtherKey,
    /// The thread that used it died.
    #[error("the node's database was interrupted; send the request again")]
    Interrupted,
}

impl DbError {
    /// Whether the disk is full.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Sqlite(error)
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }
}

/// How much a commit must survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// A power cut.
    PowerCut,
    /// The end of the process.
    Process,
    /// A power cut, and what is deleted is overwritten, after [`Db::shred`] in the log too.
    Shredding,
}

/// One database.
#[derive(Clone)]
pub(crate) struct Db(Arc<Mutex<Connection>>);

impl Db {
    /// Opens or creates it; in memory without a path.
    pub(crate) fn open(
        path: Option<&Path>,
        durability: Durability,
        schema: &str,
    ) -> Result<Self, DbError> {
        let connection = match path {
            Some(path) => {
                private_database(path)?;
                Connection::open(path)?
            }
            None => Connection::open_in_memory()?,
        };
        Self::on(connection, durability, schema)
    }

    /// Opens it for nobody else, until it is dropped; none if a program has it open.
    pub(crate) fn open_alone(
        path: &Path,
        durability: Durability,
        schema: &str,
    ) -> Result<Option<Self>, DbError> {
        private_database(path)?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::ZERO)?;
        // Before anything is read: then the file itself is locked, which whoever has it open does not let happen.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        match Self::on(connection, durability, schema) {
            Err(DbError::Sqlite(error))
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) =>
            {
                Ok(None)
            }
            opened => opened.map(Some),
        }
    }

    fn on(connection: Connection, durability: Durability, schema: &str) -> Result<Self, DbError> {
        let pragmas = match durability {
            Durability::PowerCut => "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
            Durability::Process => "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            Durability::Shredding => {
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
            }
        };
        connection.execute_batch(pragmas)?;
        connection.execute_batch(schema)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Does something with it on a thread that may wait.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let db = self.clone();
        tokio::task::spawn_blocking(move || db.now(work))
            .await
            .map_err(|error| {
                if error.is_panic() {
                    panics::count(panics::Task::Disk);
                }
                DbError::Interrupted
            })?
    }

    /// Writes everything to the file itself and empties the log, so that nothing deleted stays in it.
    pub(crate) fn shred(&self) -> Result<(), DbError> {
        let busy: i64 =
            self.now(|db| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)))?;
        if busy == 0 {
            Ok(())
        } else {
            Err(DbError::Interrupted)
        }
    }

    /// Does something with it here; only where waiting is allowed.
    pub(crate) fn now<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, DbError> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(work(&mut connection)?)
    }
}

impl core::fmt::Debug for Db {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Db")
    }
}
