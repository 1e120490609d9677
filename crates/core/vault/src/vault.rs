//! The database.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use medibloc_dag::{Block, Cid};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use zeroize::Zeroizing;

use crate::VaultError;

/// Form of the database, in `user_version`.
const FORM: u32 = 1;

/// Bytes in a page, as SQLCipher makes them.
const PAGE: u64 = 4096;

const SCHEMA: &str = "
    CREATE TABLE rows (tbl TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (tbl, key)) WITHOUT ROWID;
    CREATE TABLE blocks (cid BLOB PRIMARY KEY, bytes BLOB NOT NULL);
";

/// Key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// One change of the rows.
#[derive(Clone, Copy)]
pub enum RowChange<'a> {
    /// Sets a row.
    Put {
        /// The table.
        table: &'a str,
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// Removes a row.
    Delete {
        /// The table.
        table: &'a str,
        /// The key.
        key: &'a [u8],
    },
}

impl core::fmt::Debug for RowChange<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Put { table, .. } => write!(f, "Put({table})"),
            Self::Delete { table, .. } => write!(f, "Delete({table})"),
        }
    }
}

/// An open vault. Dropping it lets another process open it.
pub struct Vault {
    path: PathBuf,
    database: Mutex<Connection>,
    _lock: File,
}

impl core::fmt::Debug for Vault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vault")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault in `home`, or makes an empty one there. `key` is 32 bytes of full entropy.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`] if it exists and was made with another key, [`VaultError::Held`] if another process
    /// has it open.
    pub fn open(home: &Path, key: &[u8; 32]) -> Result<Self, VaultError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| VaultError::Io { path, source }
        };
        let path = home.join("vault.db");
        let lock_path = home.join("vault.lock");
        let lock = private(&lock_path).map_err(io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(VaultError::Held { path }),
            Err(TryLockError::Error(source)) => {
                return Err(VaultError::Io {
                    path: lock_path,
                    source,
                });
            }
        }
        // SQLite gives its write-ahead log the rights of the file.
        private(&path).map_err(io(&path))?;
        let database = connect(&path, key).map_err(|source| wrap(&path, source))?;
        let vault = Self {
            path,
            database: Mutex::new(database),
            _lock: lock,
        };
        vault.prepare()?;
        Ok(vault)
    }

    fn prepare(&self) -> Result<(), VaultError> {
        let mut database = self.lock();
        let found: u32 = database
            .query_row("SELECT user_version FROM pragma_user_version", [], |row| {
                row.get(0)
            })
            .map_err(|source| self.wrap(source))?;
        match found {
            FORM => Ok(()),
            0 => {
                let transaction = database.transaction().map_err(|source| self.wrap(source))?;
                transaction
                    .execute_batch(SCHEMA)
                    .and_then(|()| transaction.pragma_update(None, "user_version", FORM))
                    .and_then(|()| transaction.commit())
                    .map_err(|source| self.wrap(source))
            }
            found => Err(VaultError::Newer {
                path: self.path.clone(),
                found,
                known: FORM,
            }),
        }
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A row.
    ///
    /// # Errors
    /// If the database fails.
    pub fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        self.lock()
            .prepare_cached("SELECT value FROM rows WHERE tbl = ?1 AND key = ?2")
            .and_then(|mut query| {
                query
                    .query_row(params![table, key], |row| row.get(0))
                    .optional()
            })
            .map_err(|source| self.wrap(source))
    }

    /// All rows of a table, by key.
    ///
    /// # Errors
    /// If the database fails.
    pub fn list(&self, table: &str) -> Result<Vec<Row>, VaultError> {
        self.lock()
            .prepare_cached("SELECT key, value FROM rows WHERE tbl = ?1 ORDER BY key")
            .and_then(|mut query| {
                query
                    .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            })
            .map_err(|source| self.wrap(source))
    }

    /// All changes or none; on disk when it returns.
    ///
    /// # Errors
    /// If the database fails or the disk is full; then nothing has changed.
    pub fn apply(&self, changes: &[RowChange<'_>]) -> Result<(), VaultError> {
        let mut database = self.lock();
        let mut done = || -> rusqlite::Result<()> {
            let transaction = database.transaction()?;
            for change in changes {
                match *change {
                    RowChange::Put { table, key, value } => transaction
                        .prepare_cached("INSERT OR REPLACE INTO rows VALUES (?1, ?2, ?3)")?
                        .execute(params![table, key, value])?,
                    RowChange::Delete { table, key } => transaction
                        .prepare_cached("DELETE FROM rows WHERE tbl = ?1 AND key = ?2")?
                        .execute(params![table, key])?,
                };
            }
            transaction.commit()
        };
        done().map_err(|source| self.wrap(source))
    }

    /// Keeps a sealed block; on disk when it returns.
    ///
    /// # Errors
    /// If the database fails or the disk is full.
    pub fn put_block(&self, block: &Block) -> Result<(), VaultError> {
        self.lock()
            .prepare_cached("INSERT OR IGNORE INTO blocks VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![block.cid().to_bytes(), block.bytes()]))
            .map_err(|source| self.wrap(source))?;
        Ok(())
    }

    /// A sealed block.
    ///
    /// # Errors
    /// If the database fails.
    pub fn block(&self, cid: &Cid) -> Result<Option<Vec<u8>>, VaultError> {
        self.lock()
            .prepare_cached("SELECT bytes FROM blocks WHERE cid = ?1")
            .and_then(|mut query| {
                query
                    .query_row([cid.to_bytes()], |row| row.get(0))
                    .optional()
            })
            .map_err(|source| self.wrap(source))
    }

    /// Forgets a sealed block; its pages are overwritten.
    ///
    /// # Errors
    /// If the database fails.
    pub fn drop_block(&self, cid: &Cid) -> Result<(), VaultError> {
        self.lock()
            .execute("DELETE FROM blocks WHERE cid = ?1", [cid.to_bytes()])
            .map_err(|source| self.wrap(source))?;
        Ok(())
    }

    /// Checks every page against its authentication code and the database against its own rules; gives what is wrong.
    ///
    /// # Errors
    /// If the database cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, VaultError> {
        let database = self.lock();
        let mut found: Vec<String> = Vec::new();
        for pragma in ["PRAGMA cipher_integrity_check", "PRAGMA integrity_check"] {
            let lines: rusqlite::Result<Vec<String>> = database
                .prepare(pragma)
                .and_then(|mut query| query.query_map([], |row| row.get(0))?.collect());
            found.extend(lines.map_err(|source| self.wrap(source))?);
        }
        found.retain(|line| line != "ok");
        Ok(found)
    }

    /// Lets the database grow to this many bytes and no more.
    ///
    /// # Errors
    /// If the database fails.
    pub fn limit(&self, bytes: u64) -> Result<(), VaultError> {
        self.lock()
            .query_row(
                &format!("PRAGMA max_page_count = {}", bytes / PAGE),
                [],
                |_| Ok(()),
            )
            .map_err(|source| self.wrap(source))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wrap(&self, source: rusqlite::Error) -> VaultError {
        wrap(&self.path, source)
    }
}

/// Opens a file or makes it, for its owner alone.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

fn connect(path: &Path, key: &[u8; 32]) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    // Its own log on standard error says nothing that the errors here do not say better.
    database.execute_batch("PRAGMA cipher_log_level = NONE")?;
    // A raw key: SQLCipher takes it as it is and stretches nothing, which is done before (Argon2id) where it is needed.
    let mut hex_key = Zeroizing::new([0u8; 64]);
    hex::encode_to_slice(key, hex_key.as_mut()).expect("64 hexadecimal digits hold 32 bytes");
    let digits = core::str::from_utf8(hex_key.as_ref()).expect("hexadecimal digits are ASCII");
    let pragma = Zeroizing::new(format!("PRAGMA key = \"x'{digits}'\""));
    database.execute_batch(&pragma)?;
    database.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(database)
}

fn wrap(path: &Path, source: rusqlite::Error) -> VaultError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => VaultError::WrongKey { path },
        Some(ErrorCode::DiskFull) => VaultError::Full { path },
        _ => VaultError::Database { path, source },
    }
}
