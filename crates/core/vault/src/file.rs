//! The database's file: made, opened, told apart from another key's, and brought from form 1 to form 2.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use zeroize::Zeroizing;

use crate::VaultError;
use crate::sums::{BLOCKS, Coder, Sums, mark};

/// Form of the database, in `user_version`.
pub(crate) const FORM: u32 = 2;

const SCHEMA: &str = "
    CREATE TABLE rows (tbl TEXT NOT NULL, key BLOB NOT NULL, code BLOB NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (tbl, key)) WITHOUT ROWID;
    CREATE TABLE blocks (cid BLOB PRIMARY KEY, bytes BLOB NOT NULL);
    CREATE TABLE sums (id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL);
";

/// Makes an empty vault. Its first pages are in the file itself before a log is used, so that an empty file is never one.
pub(crate) fn create(path: &Path, key: &[u8; 32]) -> Result<(), VaultError> {
    private(path).map_err(|source| io(path, source))?;
    let made = || -> rusqlite::Result<()> {
        let mut database = connect(path, key, Some(&mark(key)))?;
        fill(&mut database, &Coder::new(key), |_, _| Ok(()))?;
        database.close().map_err(|(_, error)| error)
    };
    made().map_err(|source| wrap(path, source))
}

/// A connection, and what is wrong with the file's beginning, which the database itself does not look at.
pub(crate) type Opened = (Connection, Option<&'static str>);

/// Opens a vault of any known form; form 1 becomes form 2.
pub(crate) fn open(path: &Path, key: &[u8; 32]) -> Result<Opened, VaultError> {
    let mut head = [0; 16];
    let length = match File::open(path) {
        Ok(mut file) => file.read(&mut head).map_err(|source| io(path, source))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(source) => return Err(io(path, source)),
    };
    if length == 0 {
        return Err(VaultError::Missing {
            path: path.to_owned(),
        });
    }
    match attempt(path, key, Some(&mark(key)))? {
        Some(database) => match form(&database).map_err(|source| wrap(path, source))? {
            FORM => {
                let spoilt = "the first 16 bytes of the file are not what was written";
                Ok((database, (head != mark(key)).then_some(spoilt)))
            }
            found if found > FORM => Err(VaultError::Newer {
                path: path.to_owned(),
                found,
                known: FORM,
            }),
            _ => Err(damaged(path, "its form is not a form")),
        },
        None if head == mark(key) => Err(damaged(path, "its first page is not what was written")),
        None => match attempt(path, key, None)? {
            Some(old) => {
                migrate(path, key, old)?;
                let database = attempt(path, key, Some(&mark(key)))?
                    .ok_or_else(|| damaged(path, "its first page is not what was written"))?;
                Ok((database, None))
            }
            None => Err(VaultError::WrongKey {
                path: path.to_owned(),
            }),
        },
    }
}

/// None if the first page does not open with this key.
fn attempt(
    path: &Path,
    key: &[u8; 32],
    mark: Option<&[u8; 16]>,
) -> Result<Option<Connection>, VaultError> {
    let opened = connect(path, key, mark).and_then(|database| {
        database.execute_batch("PRAGMA journal_mode = WAL")?;
        Ok(database)
    });
    match opened {
        Ok(database) => Ok(Some(database)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => Ok(None),
        Err(source) => Err(wrap(path, source)),
    }
}

fn form(database: &Connection) -> rusqlite::Result<u32> {
    database.query_row("SELECT user_version FROM pragma_user_version", [], |row| {
        row.get(0)
    })
}

/// Schema, rows, sums and form, all or nothing.
fn fill(
    database: &mut Connection,
    coder: &Coder,
    rows: impl FnOnce(&rusqlite::Transaction<'_>, &mut Sums) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let transaction = database.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    let mut sums = Sums::default();
    rows(&transaction, &mut sums)?;
    transaction.execute("INSERT INTO sums VALUES (1, ?1)", [sums.to_bytes(coder)])?;
    transaction.pragma_update(None, "user_version", FORM)?;
    transaction.commit()
}

/// Writes form 2 beside form 1 and puts it in its place; before that, what is there stays as it is.
fn migrate(path: &Path, key: &[u8; 32], old: Connection) -> Result<(), VaultError> {
    let failed = |source| wrap(path, source);
    match form(&old).map_err(failed)? {
        1 => {}
        found if found > FORM => {
            return Err(VaultError::Newer {
                path: path.to_owned(),
                found,
                known: FORM,
            });
        }
        _ => return Err(damaged(path, "its form is not a form")),
    }
    // Form 1 has no codes: only the pages say whether it is whole.
    let wrong = pages(&old).map_err(failed)?;
    if let Some(wrong) = wrong.first() {
        return Err(damaged(path, wrong));
    }
    let partial = beside(path, ".partial");
    for end in [".partial", ".partial-journal", ".partial-wal"] {
        remove(&beside(path, end))?;
    }
    private(&partial).map_err(|source| io(&partial, source))?;
    let coder = Coder::new(key);
    let copied = || -> rusqlite::Result<()> {
        let mut new = connect(&partial, key, Some(&mark(key)))?;
        fill(&mut new, &coder, |new, sums| copy(&old, new, sums, &coder))?;
        new.close().map_err(|(_, error)| error)
    };
    let copied = copied().map_err(failed);
    if copied.is_err() {
        remove(&partial)?;
    }
    copied?;
    old.close().map_err(|(_, error)| failed(error))?;
    // The log of the old file would be taken for the new one's.
    let log = beside(path, "-wal");
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(damaged(path, "its log could not be emptied"));
    }
    remove(&log)?;
    std::fs::rename(&partial, path).map_err(|source| io(path, source))?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        .map_err(|source| io(path, source))
}

fn copy(
    old: &Connection,
    new: &rusqlite::Transaction<'_>,
    sums: &mut Sums,
    coder: &Coder,
) -> rusqlite::Result<()> {
    let mut insert = new.prepare("INSERT INTO rows VALUES (?1, ?2, ?3, ?4)")?;
    let mut query = old.prepare("SELECT tbl, key, value FROM rows")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (table, key, value): (String, Vec<u8>, Vec<u8>) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let code = coder.row(&table, &key, &value);
        insert.execute(params![table, key, code, value])?;
        sums.at(&table).add(&code);
    }
    let mut insert = new.prepare("INSERT INTO blocks VALUES (?1, ?2)")?;
    let mut query = old.prepare("SELECT cid, bytes FROM blocks")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (cid, bytes): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        insert.execute(params![cid, bytes])?;
        sums.at(BLOCKS).add(&coder.block(&cid));
    }
    Ok(())
}

/// What is wrong with the pages and the database's own rules.
pub(crate) fn pages(database: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for pragma in ["PRAGMA cipher_integrity_check", "PRAGMA integrity_check"] {
        let mut query = database.prepare(pragma)?;
        let lines: rusqlite::Result<Vec<String>> = query.query_map([], |row| row.get(0))?.collect();
        found.extend(lines?);
    }
    found.retain(|line| line != "ok");
    Ok(found)
}

/// Opens a file or makes it, for its owner alone.
pub(crate) fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

fn remove(path: &Path) -> Result<(), VaultError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path, error)),
        _ => Ok(()),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// SQLite calls itself ready before SQLCipher's part of it is: whoever comes second in a process while the first is still
/// at it would get a connection that knows no key. So the first is let through alone, and has no file to spoil.
fn ready() {
    static FIRST: Once = Once::new();
    // If it fails, the connection that is wanted fails the same way, and says so.
    FIRST.call_once(|| drop(Connection::open_in_memory()));
}

/// `mark` is the salt that the file begins with; without one, the file's own is taken (form 1).
fn connect(path: &Path, key: &[u8; 32], mark: Option<&[u8; 16]>) -> rusqlite::Result<Connection> {
    ready();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    // Its own log on standard error says nothing that the errors here do not say better.
    database.execute_batch("PRAGMA cipher_log_level = NONE")?;
    // A raw key: SQLCipher takes it as it is and stretches nothing, which is done before (Argon2id) where it is needed.
    let digits = Zeroizing::new(hex::encode(key));
    let salt = mark.map(hex::encode).unwrap_or_default();
    let pragma = Zeroizing::new(format!("PRAGMA key = \"x'{}{salt}'\"", digits.as_str()));
    database.execute_batch(&pragma)?;
    // One process holds the file, so the log needs no shared index, which would take space on the disk to read.
    database.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
    database.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    database.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;",
    )?;
    Ok(database)
}

pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> VaultError {
    VaultError::Damaged {
        path: path.to_owned(),
        what: what.into(),
    }
}

pub(crate) fn io(path: &Path, source: std::io::Error) -> VaultError {
    let path = path.to_owned();
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            VaultError::Full { path }
        }
        std::io::ErrorKind::ReadOnlyFilesystem => VaultError::ReadOnly { path },
        _ => VaultError::Io { path, source },
    }
}

/// What the database says, by what the person should do.
pub(crate) fn wrap(path: &Path, source: rusqlite::Error) -> VaultError {
    use rusqlite::ffi;
    let owned = path.to_owned();
    let code = source.sqlite_error().map(|error| error.extended_code);
    match (source.sqlite_error_code(), code) {
        (Some(ErrorCode::DiskFull), _)
        | (
            _,
            Some(
                ffi::SQLITE_IOERR_SHMSIZE
                | ffi::SQLITE_IOERR_SHMOPEN
                | ffi::SQLITE_IOERR_SHMMAP
                | ffi::SQLITE_IOERR_WRITE,
            ),
        ) => VaultError::Full { path: owned },
        // After a page that fails its code SQLCipher answers nothing but SQLITE_ERROR; a zeroed page is corrupt.
        (Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt), _)
        | (_, Some(ffi::SQLITE_ERROR | ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_DATA)) => {
            damaged(path, "a page is not what was written")
        }
        // A column of another kind than was written.
        _ if source.sqlite_error().is_none() => damaged(path, "a row is not what was written"),
        _ => VaultError::Database {
            path: owned,
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: i32, full: bool, is_damage: bool) {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        let told = wrap(Path::new("vault.db"), error);
        assert_eq!(
            matches!(told, VaultError::Full { .. }),
            full,
            "{code}: {told}"
        );
        let damage = matches!(told, VaultError::Damaged { .. });
        assert_eq!(damage, is_damage, "{code}: {told}");
    }

    #[test]
    fn codes_of_the_database_say_what_to_do() {
        // SQLITE_FULL, SQLITE_IOERR_SHMSIZE (4874: a full disk under a shared index), SQLITE_IOERR_WRITE.
        for code in [13, 4874, 778] {
            check(code, true, false);
        }
        // SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_IOERR_SHORT_READ.
        for code in [1, 11, 26, 522] {
            check(code, false, true);
        }
        // SQLITE_BUSY, SQLITE_READONLY.
        for code in [5, 8] {
            check(code, false, false);
        }
    }
}
