//! How much of the index an author's records take, and how many of them lead to one block: what one account anchors makes
//! neither the tables nor another's look-up long.

use medibloc_record::{AccountId, RecordId};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::access::Access;
use crate::chain::RecordEntry;
use crate::fault::Fault;
use crate::guard::signed;

/// The sums are kept by the database itself, whichever way a row comes or goes. A record of before has no row here until it
/// is looked at again.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS led (
    record BLOB PRIMARY KEY, author BLOB NOT NULL, owner BLOB NOT NULL, place INTEGER NOT NULL,
    refs INTEGER NOT NULL, open INTEGER NOT NULL, counts INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS led_in_all (author BLOB PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS refs_more AFTER INSERT ON refs BEGIN
    UPDATE led SET refs = refs + 1 WHERE record = NEW.record;
END;
CREATE TRIGGER IF NOT EXISTS refs_less AFTER DELETE ON refs BEGIN
    UPDATE led SET refs = refs - 1 WHERE record = OLD.record;
END;
CREATE TRIGGER IF NOT EXISTS frontier_more AFTER INSERT ON frontier BEGIN
    UPDATE led SET open = open + 1 WHERE record = NEW.record;
END;
CREATE TRIGGER IF NOT EXISTS frontier_less AFTER DELETE ON frontier BEGIN
    UPDATE led SET open = open - 1 WHERE record = OLD.record;
END;
CREATE TRIGGER IF NOT EXISTS led_new AFTER INSERT ON led BEGIN
    INSERT OR IGNORE INTO led_in_all VALUES (NEW.author, 0);
    UPDATE led_in_all SET rows = rows + NEW.open + NEW.refs * NEW.counts WHERE author = NEW.author;
END;
CREATE TRIGGER IF NOT EXISTS led_changed AFTER UPDATE ON led BEGIN
    UPDATE led_in_all SET rows = rows + NEW.open + NEW.refs * NEW.counts - OLD.open - OLD.refs * OLD.counts
    WHERE author = NEW.author;
END;
";

/// Bytes that an account may keep for each row of its records: no honest record has so many rows, since its parts have
/// 8 KiB at least.
const BYTES_A_ROW: u64 = 4_096;
/// Rows that every author may have.
const FEWEST: u64 = 1_024;
/// Records of one author for one owner that lead to one block, the earliest on the chain: honest ones share none.
const SAME: i64 = 16;
/// Rows that go at a time.
const PART: u32 = 4_096;

/// A record whose blocks are being learnt, and how many rows its author may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Led {
    pub(super) record: RecordId,
    author: AccountId,
    owner: AccountId,
    /// Its place on the chain.
    place: u64,
    most: u64,
}

impl Led {
    /// Counts its rows to its author from now on.
    pub(super) fn name(&self, db: &Transaction<'_>) -> rusqlite::Result<()> {
        db.prepare_cached(
            "INSERT OR IGNORE INTO led SELECT ?1, ?2, ?3, ?4,
               (SELECT COUNT(*) FROM refs WHERE record = ?1), (SELECT COUNT(*) FROM frontier WHERE record = ?1), 1
             WHERE NOT EXISTS (SELECT 1 FROM led WHERE record = ?1)",
        )?
        .execute(params![
            self.record.as_bytes(),
            self.author.as_bytes(),
            self.owner.as_bytes(),
            signed(self.place)
        ])
        .map(drop)
    }

    /// It leads to a block. Which records of one author and owner count is told by the chain alone, not by what was looked
    /// at first.
    pub(super) fn refer(&self, db: &Transaction<'_>, cid: &[u8]) -> rusqlite::Result<()> {
        let (author, owner) = (self.author.as_bytes(), self.owner.as_bytes());
        let (same, last): (i64, Option<i64>) = db
            .prepare_cached(
                "SELECT COUNT(*), MAX(place) FROM refs JOIN led ON led.record = refs.record
                 WHERE refs.cid = ?1 AND author = ?2 AND owner = ?3",
            )?
            .query_row(params![cid, author, owner], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        if same >= SAME {
            if last.is_some_and(|last| last <= signed(self.place)) {
                return Ok(());
            }
            db.prepare_cached(
                "DELETE FROM refs WHERE cid = ?1 AND record =
                   (SELECT record FROM led WHERE author = ?2 AND owner = ?3 AND place = ?4)",
            )?
            .execute(params![cid, author, owner, last])?;
        }
        db.prepare_cached("INSERT OR IGNORE INTO refs VALUES (?1, ?2)")?
            .execute(params![cid, self.record.as_bytes()])
            .map(drop)
    }

    /// Whether its author has no more rows than one may have.
    pub(super) fn has_room(&self, db: &Transaction<'_>) -> rusqlite::Result<bool> {
        let rows: Option<i64> = db
            .prepare_cached("SELECT rows FROM led_in_all WHERE author = ?1")?
            .query_row(params![self.author.as_bytes()], |row| row.get(0))
            .optional()?;
        Ok(rows.unwrap_or_default() <= signed(self.most))
    }
}

impl Access {
    pub(super) fn led(&self, record: RecordId, entry: &RecordEntry) -> Led {
        let author = entry.anchor.author;
        let is_accredited = self
            .follower
            .read(|model| model.is_accredited(author, model.time()));
        let times = if is_accredited {
            self.limits.accredited_times.max(1)
        } else {
            1
        };
        let bytes = self.limits.held.saturating_mul(times);
        Led {
            record,
            author,
            owner: entry.anchor.owner,
            place: entry.order,
            most: (bytes / BYTES_A_ROW).max(FEWEST),
        }
    }

    /// Forgets what a record leads to that claims nothing.
    pub(super) async fn forget_refs(&self, record: RecordId) -> Result<(), Fault> {
        loop {
            let forget = move |db: &mut rusqlite::Connection| {
                db.prepare_cached(
                    "DELETE FROM refs WHERE record = ?1
                     AND cid IN (SELECT cid FROM refs WHERE record = ?1 LIMIT ?2)",
                )?
                .execute(params![record.as_bytes(), PART])
            };
            if self.db.run(forget).await? == 0 {
                return Ok(());
            }
        }
    }
}
