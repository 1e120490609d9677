//! The index: which block is where. Only a help: the packs and the log of erasures hold everything that it says.

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use medibloc_dag::Cid;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::pack::{PackId, Place};

/// The form of the tables.
pub(crate) const FORM: u32 = 1;

const SCHEMA: &str = "
    CREATE TABLE copies (
        cid BLOB NOT NULL, pack INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
        PRIMARY KEY (cid, pack, offset)
    ) WITHOUT ROWID;
    CREATE INDEX copies_of_pack ON copies (pack);
    CREATE TABLE packs (pack INTEGER PRIMARY KEY, length INTEGER NOT NULL);
    CREATE TABLE erased (cid BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE log (one INTEGER PRIMARY KEY CHECK (one = 1), length INTEGER NOT NULL);
    INSERT INTO log VALUES (1, 0);
";

/// Opens the index, or makes an empty one; gives the form that was found, 0 for none.
pub(crate) fn open(path: &Path) -> rusqlite::Result<(Connection, u32)> {
    let mut database = connect(path)?;
    let form = |database: &Connection| {
        database.query_row("SELECT user_version FROM pragma_user_version", [], |row| {
            row.get(0)
        })
    };
    let found: u32 = form(&database)?;
    if found == 0 {
        let transaction = database.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", FORM)?;
        transaction.commit()?;
    }
    Ok((database, found))
}

/// One more connection to an index that is there.
pub(crate) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    make_private(path);
    let database = Connection::open(path)?;
    database.busy_timeout(Duration::from_secs(10))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is on the disk when it returns.
    database.pragma_update(None, "synchronous", "FULL")?;
    Ok(database)
}

/// Makes the file if it is not there, for its owner alone; its logs get the same rights. If that fails, opening it says
/// why.
fn make_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    let _ = options.create(true).append(true).mode(0o600).open(path);
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
}

/// The copies of a block, the newest first.
pub(crate) fn copies(database: &Connection, cid: &Cid) -> rusqlite::Result<Vec<Place>> {
    database
        .prepare_cached(
            "SELECT pack, offset, length FROM copies WHERE cid = ? ORDER BY pack DESC, offset DESC",
        )?
        .query_map([cid.to_bytes()], |row| place(row, 0))?
        .collect()
}

pub(crate) fn is_erased(database: &Connection, cid: &Cid) -> rusqlite::Result<bool> {
    database
        .prepare_cached("SELECT 1 FROM erased WHERE cid = ?")?
        .exists([cid.to_bytes()])
}

/// All blocks of a pack, in order.
pub(crate) fn of_pack(database: &Connection, pack: PackId) -> rusqlite::Result<Vec<(Cid, Place)>> {
    database
        .prepare_cached(
            "SELECT pack, offset, length, cid FROM copies WHERE pack = ? ORDER BY offset",
        )?
        .query_map([pack], |row| Ok((cid(row, 3)?, place(row, 0)?)))?
        .collect()
}

/// The packs with their indexed lengths and live bytes.
pub(crate) fn packs(database: &Connection) -> rusqlite::Result<Vec<(PackId, u64, u64)>> {
    database
        .prepare_cached(
            "SELECT pack, length, (SELECT ifnull(sum(length + 40), 0) FROM copies c WHERE c.pack = p.pack)
             FROM packs p ORDER BY pack",
        )?
        .query_map([], |row| Ok((row.get(0)?, number(row, 1)?, number(row, 2)?)))?
        .collect()
}

pub(crate) fn erased(database: &Connection) -> rusqlite::Result<Vec<Cid>> {
    database
        .prepare_cached("SELECT cid FROM erased")?
        .query_map([], |row| cid(row, 0))?
        .collect()
}

/// Every block that is named.
pub(crate) fn all(database: &Connection) -> rusqlite::Result<Vec<Cid>> {
    database
        .prepare_cached("SELECT DISTINCT cid FROM copies")?
        .query_map([], |row| cid(row, 0))?
        .collect()
}

/// Up to which byte the log of erasures was followed.
pub(crate) fn log_length(database: &Connection) -> rusqlite::Result<u64> {
    database
        .query_row("SELECT length FROM log", [], |row| number(row, 0))
        .optional()
        .map(Option::unwrap_or_default)
}

pub(crate) fn set_log_length(database: &Connection, length: u64) -> rusqlite::Result<()> {
    database
        .execute("UPDATE log SET length = ?", [signed(length)])
        .map(|_| ())
}

pub(crate) fn insert(database: &Connection, cid: &Cid, place: &Place) -> rusqlite::Result<()> {
    database
        .prepare_cached("INSERT OR REPLACE INTO copies VALUES (?, ?, ?, ?)")?
        .execute(params![
            cid.to_bytes(),
            place.pack,
            signed(place.offset),
            place.length
        ])
        .map(|_| ())
}

pub(crate) fn set_length(database: &Connection, pack: PackId, length: u64) -> rusqlite::Result<()> {
    database
        .prepare_cached("INSERT OR REPLACE INTO packs VALUES (?, ?)")?
        .execute(params![pack, signed(length)])
        .map(|_| ())
}

/// Forgets the copies of a block, and keeps that it was erased.
pub(crate) fn erase(database: &Connection, cid: &Cid) -> rusqlite::Result<()> {
    let cid = cid.to_bytes();
    database
        .prepare_cached("DELETE FROM copies WHERE cid = ?")?
        .execute([&cid])?;
    database
        .prepare_cached("INSERT OR IGNORE INTO erased VALUES (?)")?
        .execute([&cid])
        .map(|_| ())
}

/// Forgets one copy of a block.
pub(crate) fn forget(database: &Connection, cid: &Cid, place: &Place) -> rusqlite::Result<()> {
    database
        .prepare_cached("DELETE FROM copies WHERE cid = ? AND pack = ? AND offset = ?")?
        .execute(params![cid.to_bytes(), place.pack, signed(place.offset)])
        .map(|_| ())
}

/// Forgets a pack that is gone. Blocks that were only there stay by name, so that their loss is known.
pub(crate) fn forget_pack(database: &Connection, pack: PackId) -> rusqlite::Result<()> {
    database.execute("DELETE FROM packs WHERE pack = ?", [pack])?;
    database
        .execute(
            "DELETE FROM copies WHERE pack = ?1
             AND EXISTS (SELECT 1 FROM copies o WHERE o.cid = copies.cid AND o.pack <> ?1)",
            [pack],
        )
        .map(|_| ())
}

fn place(row: &Row<'_>, from: usize) -> rusqlite::Result<Place> {
    Ok(Place {
        pack: row.get(from)?,
        offset: number(row, from + 1)?,
        length: row.get(from + 2)?,
    })
}

fn cid(row: &Row<'_>, column: usize) -> rusqlite::Result<Cid> {
    let bytes: Vec<u8> = row.get(column)?;
    Cid::from_bytes(&bytes).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
    })
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// Offsets stay far below 2⁶³.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
