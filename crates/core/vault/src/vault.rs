//! The database: rows and blocks, each proven when it is read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use medibloc_dag::{Block, Cid};
use rusqlite::{Connection, OptionalExtension as _, params};
use zeroize::Zeroizing;

use crate::sums::{BLOCKS, Code, Coder, Sum, Sums};
use crate::{VaultError, VaultLock, file};

/// Bytes in a page, as SQLCipher makes them.
const PAGE: u64 = 4096;

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
    key: Zeroizing<[u8; 32]>,
    coder: Coder,
    open: Mutex<Open>,
    _lock: VaultLock,
}

/// The connection and what is known of it. After a page that is damaged SQLCipher answers nothing any more, so that the
/// next call connects anew: what is damaged must not stop what is whole.
#[derive(Default)]
struct Open {
    database: Option<Connection>,
    sums: Option<Sums>,
    /// Tables whose rows were all seen to be there.
    whole: BTreeSet<String>,
    /// What was wrong with the file's beginning.
    spoilt: Option<&'static str>,
}

impl core::fmt::Debug for Vault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vault")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// Makes an empty vault in `home`. `key` is 32 bytes of full entropy.
    ///
    /// # Errors
    /// [`VaultError::Exists`] if there is one, whoever's it is.
    pub fn create(home: &Path, key: &[u8; 32]) -> Result<Self, VaultError> {
        Self::create_locked(VaultLock::take(home)?, home, key)
    }

    /// Makes an empty vault in `home` whose lock was taken.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_locked(lock: VaultLock, home: &Path, key: &[u8; 32]) -> Result<Self, VaultError> {
        let path = home.join(FILE);
        if std::fs::metadata(&path).is_ok_and(|there| there.len() > 0) {
            return Err(VaultError::Exists { path });
        }
        file::create(&path, key)?;
        Self::open_locked(lock, home, key)
    }

    /// Opens the vault in `home`.
    ///
    /// # Errors
    /// [`VaultError::Missing`] if there is none, [`VaultError::WrongKey`] if it was made with another key,
    /// [`VaultError::Damaged`] if it is not what was written, [`VaultError::Held`] if another process has it open.
    pub fn open(home: &Path, key: &[u8; 32]) -> Result<Self, VaultError> {
        Self::open_locked(VaultLock::take(home)?, home, key)
    }

    /// Opens the vault in `home` whose lock was taken.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_locked(lock: VaultLock, home: &Path, key: &[u8; 32]) -> Result<Self, VaultError> {
        let vault = Self {
            path: home.join(FILE),
            key: Zeroizing::new(*key),
            coder: Coder::new(key),
            open: Mutex::default(),
            _lock: lock,
        };
        vault.with(|open| open.sums(&vault.coder).map(|_| ()))?;
        Ok(vault)
    }

    /// Removes the vault in `home`, and what a broken-off write left beside it. Whoever calls it knows that nothing in it was
    /// acknowledged.
    ///
    /// # Errors
    /// [`VaultError::Io`] if a file cannot be removed.
    pub fn dangerous_remove(_lock: &VaultLock, home: &Path) -> Result<(), VaultError> {
        // The database last: without it, what is beside it is nobody's.
        for beside in ["-journal", "-wal", "-shm", ""] {
            let path = home.join(format!("{FILE}{beside}"));
            match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(file::io(&path, source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A row.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] if it, or the table that should have it, is not what was written.
    pub fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        self.with(|open| {
            open.all_there(table, &self.coder)?;
            let found: Option<(Vec<u8>, Vec<u8>)> = open
                .database()?
                .prepare_cached("SELECT code, value FROM rows WHERE tbl = ?1 AND key = ?2")?
                .query_row(params![table, key], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            match found {
                Some((code, value)) if self.coder.row(table, key, &value)[..] == code => {
                    Ok(Some(value))
                }
                Some(_) => Err(Failed::row(table)),
                None => Ok(None),
            }
        })
    }

    /// All rows of a table, by key.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] if one is missing, too many, or not what was written.
    pub fn list(&self, table: &str) -> Result<Vec<Row>, VaultError> {
        self.with(|open| {
            let told = open.sums(&self.coder)?.of(table);
            let mut query = open
                .database()?
                .prepare_cached("SELECT key, code, value FROM rows WHERE tbl = ?1 ORDER BY key")?;
            let mut rows = query.query([table])?;
            let (mut list, mut seen) = (Vec::new(), Sum::default());
            while let Some(row) = rows.next()? {
                let (key, code, value): (Vec<u8>, Vec<u8>, Vec<u8>) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                let right = self.coder.row(table, &key, &value);
                if right[..] != code {
                    return Err(Failed::row(table));
                }
                seen.add(&right);
                list.push((key, value));
            }
            if seen != told {
                return Err(Failed::list(table));
            }
            Ok(list)
        })
    }

    /// All changes or none; on disk when it returns.
    ///
    /// # Errors
    /// If the database fails or the disk is full; then nothing has changed.
    pub fn apply(&self, changes: &[RowChange<'_>]) -> Result<(), VaultError> {
        self.change(|database, sums| {
            for change in changes {
                let (RowChange::Put { table, key, .. } | RowChange::Delete { table, key }) =
                    *change;
                let before: Option<Vec<u8>> = database
                    .prepare_cached("SELECT code FROM rows WHERE tbl = ?1 AND key = ?2")?
                    .query_row(params![table, key], |row| row.get(0))
                    .optional()?;
                if let Some(before) = before {
                    let before = Code::try_from(before).map_err(|_| Failed::row(table))?;
                    sums.at(table).take(&before);
                }
                match *change {
                    RowChange::Put { table, key, value } => {
                        let code = self.coder.row(table, key, value);
                        database
                            .prepare_cached("INSERT OR REPLACE INTO rows VALUES (?1, ?2, ?3, ?4)")?
                            .execute(params![table, key, code, value])?;
                        sums.at(table).add(&code);
                    }
                    RowChange::Delete { table, key } => {
                        database
                            .prepare_cached("DELETE FROM rows WHERE tbl = ?1 AND key = ?2")?
                            .execute(params![table, key])?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Keeps a sealed block; on disk when it returns.
    ///
    /// # Errors
    /// If the database fails or the disk is full.
    pub fn put_block(&self, block: &Block) -> Result<(), VaultError> {
        let cid = block.cid().to_bytes();
        self.change(|database, sums| {
            let new = database
                .prepare_cached("INSERT OR IGNORE INTO blocks VALUES (?1, ?2)")?
                .execute(params![cid, block.bytes()])?;
            if new == 1 {
                sums.at(BLOCKS).add(&self.coder.block(&cid));
            }
            Ok(())
        })
    }

    /// A sealed block.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] if its bytes do not match the identifier, or a block is missing.
    pub fn block(&self, cid: &Cid) -> Result<Option<Vec<u8>>, VaultError> {
        self.with(|open| {
            let bytes: Option<Vec<u8>> = open
                .database()?
                .prepare_cached("SELECT bytes FROM blocks WHERE cid = ?1")?
                .query_row([cid.to_bytes()], |row| row.get(0))
                .optional()?;
            match bytes {
                Some(bytes) if cid.verify(&bytes).is_ok() => Ok(Some(bytes)),
                Some(_) => Err(Failed::Damage(
                    "a block does not match its identifier".into(),
                )),
                None => open.all_blocks(&self.coder).map(|()| None),
            }
        })
    }

    /// Forgets a sealed block; its pages are overwritten.
    ///
    /// # Errors
    /// If the database fails.
    pub fn drop_block(&self, cid: &Cid) -> Result<(), VaultError> {
        let cid = cid.to_bytes();
        self.change(|database, sums| {
            let gone = database
                .prepare_cached("DELETE FROM blocks WHERE cid = ?1")?
                .execute([&cid])?;
            if gone == 1 {
                sums.at(BLOCKS).take(&self.coder.block(&cid));
            }
            Ok(())
        })
    }

    /// Keeps sealed blocks in one step; on disk when it returns.
    ///
    /// # Errors
    /// If the database fails or the disk is full; then none is kept.
    pub fn put_blocks(&self, blocks: &[Block]) -> Result<(), VaultError> {
        self.change(|database, sums| {
            for block in blocks {
                let cid = block.cid().to_bytes();
                let new = database
                    .prepare_cached("INSERT OR IGNORE INTO blocks VALUES (?1, ?2)")?
                    .execute(params![cid, block.bytes()])?;
                if new == 1 {
                    sums.at(BLOCKS).add(&self.coder.block(&cid));
                }
            }
            Ok(())
        })
    }

    /// Forgets sealed blocks in one step; their pages are overwritten.
    ///
    /// # Errors
    /// If the database fails.
    pub fn drop_blocks(&self, cids: &[Cid]) -> Result<(), VaultError> {
        self.change(|database, sums| {
            for cid in cids {
                let cid = cid.to_bytes();
                let gone = database
                    .prepare_cached("DELETE FROM blocks WHERE cid = ?1")?
                    .execute([&cid])?;
                if gone == 1 {
                    sums.at(BLOCKS).take(&self.coder.block(&cid));
                }
            }
            Ok(())
        })
    }

    /// Takes what was removed out of the files: the overwritten pages go into the database, and the log, where older
    /// pages stand under the same key, is emptied.
    ///
    /// # Errors
    /// If the database fails.
    pub fn settle(&self) -> Result<(), VaultError> {
        self.with(|open| {
            let database = open.database()?;
            Ok(database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
        })
    }

    /// From now on the database overwrites what it frees, until this process ends: rows and pages in plain are in memory of its own,
    /// which no allocator of ours sees. Reading takes some two and a half times as long, so it is for a process that stays.
    ///
    /// # Errors
    /// If the database fails.
    pub fn wipe_what_is_freed(&self) -> Result<(), VaultError> {
        self.with(|open| {
            let database = open.database()?;
            Ok(database.execute_batch("PRAGMA cipher_memory_security = ON")?)
        })
    }

    /// Reads everything: every page against its authentication code, every row and block against its own, the database
    /// against its rules; gives what is wrong.
    ///
    /// # Errors
    /// If the database cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, VaultError> {
        let mut found = self.with(|open| Ok(file::pages(open.database()?)?))?;
        let tables = self.with(|open| {
            let sums = open.sums(&self.coder)?;
            Ok(sums.tables().map(str::to_owned).collect::<Vec<_>>())
        })?;
        let mut tell = |read: Result<(), VaultError>| match read {
            Err(VaultError::Damaged { what, .. }) => {
                found.push(what);
                Ok(())
            }
            other => other,
        };
        for table in tables {
            tell(self.list(&table).map(|_| ()))?;
        }
        tell(self.with(|open| open.every_block(&self.coder)))?;
        found.extend(self.with(|open| Ok(open.spoilt))?.map(str::to_owned));
        Ok(found)
    }

    /// Lets the database grow to this many bytes and no more.
    ///
    /// # Errors
    /// If the database fails.
    pub fn limit(&self, bytes: u64) -> Result<(), VaultError> {
        self.with(|open| {
            let pragma = format!("PRAGMA max_page_count = {}", bytes / PAGE);
            Ok(open.database()?.query_row(&pragma, [], |_| Ok(()))?)
        })
    }

    /// One transaction that also writes the new sums.
    fn change(
        &self,
        work: impl FnOnce(&Connection, &mut Sums) -> Result<(), Failed>,
    ) -> Result<(), VaultError> {
        self.with(|open| {
            let mut sums = open.sums(&self.coder)?.clone();
            let database = open.database.as_mut().ok_or(Failed::Closed)?;
            let transaction = database.transaction()?;
            work(&transaction, &mut sums)?;
            transaction
                .prepare_cached("UPDATE sums SET body = ?1 WHERE id = 1")?
                .execute([sums.to_bytes(&self.coder)])?;
            transaction.commit()?;
            open.sums = Some(sums);
            Ok(())
        })
    }

    /// Works on the connection, opened if need be; after a failure nothing that was known of it is believed.
    fn with<T>(&self, work: impl FnOnce(&mut Open) -> Result<T, Failed>) -> Result<T, VaultError> {
        let mut open = self.lock();
        if open.database.is_none() {
            let (database, spoilt) = file::open(&self.path, &self.key)?;
            open.database = Some(database);
            // Seen once, it stays said: a connection that is made anew may have written them again.
            open.spoilt = open.spoilt.or(spoilt);
        }
        work(&mut open).map_err(|failed| {
            let error = match failed {
                Failed::Damage(what) => file::damaged(&self.path, what),
                Failed::Database(source) => file::wrap(&self.path, source),
                Failed::Closed => file::damaged(&self.path, "it was closed"),
            };
            open.sums = None;
            open.whole.clear();
            if matches!(error, VaultError::Damaged { .. }) {
                open.database = None;
            }
            error
        })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Name of the database in a home.
const FILE: &str = "vault.db";

impl Open {
    fn database(&self) -> Result<&Connection, Failed> {
        self.database.as_ref().ok_or(Failed::Closed)
    }

    fn sums(&mut self, coder: &Coder) -> Result<&Sums, Failed> {
        if self.sums.is_none() {
            let body: Option<Vec<u8>> = self
                .database()?
                .query_row("SELECT body FROM sums WHERE id = 1", [], |row| row.get(0))
                .optional()?;
            let read = body.and_then(|body| Sums::from_bytes(&body, coder));
            let missing =
                || Failed::Damage("the sums of its tables are not what was written".into());
            self.sums = Some(read.ok_or_else(missing)?);
        }
        self.sums.as_ref().ok_or(Failed::Closed)
    }

    /// That no row of the table is missing, once for each time the vault is opened: nobody else writes to it.
    fn all_there(&mut self, table: &str, coder: &Coder) -> Result<(), Failed> {
        if self.whole.contains(table) {
            return Ok(());
        }
        let told = self.sums(coder)?.of(table);
        let mut seen = Sum::default();
        {
            let mut query = self
                .database()?
                .prepare_cached("SELECT code FROM rows WHERE tbl = ?1")?;
            let mut rows = query.query([table])?;
            while let Some(row) = rows.next()? {
                let code = Code::try_from(row.get::<_, Vec<u8>>(0)?);
                seen.add(&code.map_err(|_| Failed::row(table))?);
            }
        }
        if seen != told {
            return Err(Failed::list(table));
        }
        self.whole.insert(table.to_owned());
        Ok(())
    }

    /// That no block is missing.
    fn all_blocks(&mut self, coder: &Coder) -> Result<(), Failed> {
        if self.whole.contains(BLOCKS) {
            return Ok(());
        }
        let told = self.sums(coder)?.of(BLOCKS);
        let mut seen = Sum::default();
        {
            let mut query = self.database()?.prepare_cached("SELECT cid FROM blocks")?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                seen.add(&coder.block(&row.get::<_, Vec<u8>>(0)?));
            }
        }
        if seen != told {
            return Err(Failed::Damage("blocks are missing".into()));
        }
        self.whole.insert(BLOCKS.to_owned());
        Ok(())
    }

    fn every_block(&mut self, coder: &Coder) -> Result<(), Failed> {
        self.all_blocks(coder)?;
        let mut query = self.database()?.prepare("SELECT cid, bytes FROM blocks")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let cid = Cid::from_bytes(&row.get::<_, Vec<u8>>(0)?);
            let bytes = row.get::<_, Vec<u8>>(1)?;
            if !cid.is_ok_and(|cid| cid.verify(&bytes).is_ok()) {
                return Err(Failed::Damage(
                    "a block does not match its identifier".into(),
                ));
            }
        }
        Ok(())
    }
}

/// Why a step over the connection failed.
enum Failed {
    Database(rusqlite::Error),
    Damage(String),
    Closed,
}

impl Failed {
    fn row(table: &str) -> Self {
        Self::Damage(format!("a row of `{table}` is not what was written"))
    }

    fn list(table: &str) -> Self {
        Self::Damage(format!(
            "rows of `{table}` are missing, or older than the rest"
        ))
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}
