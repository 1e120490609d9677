//! How much of the index an author's records take, and how many of them lead to one block: what one account anchors makes
//! neither the tables nor another's look-up long. What an owner stands for is never among what is left out.

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
CREATE TABLE IF NOT EXISTS stood_for (record BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS beyond (
    cid BLOB NOT NULL, record BLOB NOT NULL, PRIMARY KEY (cid, record)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS beyond_by_record ON beyond (record);
CREATE TRIGGER IF NOT EXISTS beyond_more AFTER INSERT ON beyond BEGIN
    UPDATE led SET refs = refs + 1 WHERE record = NEW.record;
END;
CREATE TRIGGER IF NOT EXISTS beyond_less AFTER DELETE ON beyond BEGIN
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
/// Records of one author for one owner that lead to one block and that the owner does not stand for, the earliest on the
/// chain: honest ones share none. A row of another waits in `beyond`, where no look-up meets it.
const SAME: i64 = 16;
/// Rows that go at a time.
const PART: u32 = 4_096;
/// Records that are asked about at once.
const RECORDS: usize = 256;

/// Records of one pair that lead to a block and that the owner does not stand for.
const OF_PAIR: &str = "refs JOIN led ON led.record = refs.record
    WHERE refs.cid = ?1 AND author = ?2 AND owner = ?3
    AND NOT EXISTS (SELECT 1 FROM stood_for WHERE stood_for.record = refs.record)";

/// A record whose blocks are being learnt, and how many rows its author may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Led {
    pub(super) record: RecordId,
    author: AccountId,
    owner: AccountId,
    /// Its place on the chain.
    place: u64,
    most: u64,
    /// Its owner stands for it.
    is_stood_for: bool,
}

impl Led {
    /// Counts its rows to its author from now on.
    pub(super) fn name(&self, db: &Transaction<'_>) -> rusqlite::Result<()> {
        if self.is_stood_for {
            stand_for(db, self.record)?;
        }
        db.prepare_cached(
            "INSERT OR IGNORE INTO led SELECT ?1, ?2, ?3, ?4,
               (SELECT COUNT(*) FROM refs WHERE record = ?1) + (SELECT COUNT(*) FROM beyond WHERE record = ?1),
               (SELECT COUNT(*) FROM frontier WHERE record = ?1), 1
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
        db.prepare_cached("INSERT OR IGNORE INTO refs VALUES (?1, ?2)")?
            .execute(params![cid, self.record.as_bytes()])?;
        let of_pair = params![cid, self.author.as_bytes(), self.owner.as_bytes()];
        let (same, last): (i64, Option<i64>) = db
            .prepare_cached(&format!("SELECT COUNT(*), MAX(place) FROM {OF_PAIR}"))?
            .query_row(of_pair, |row| Ok((row.get(0)?, row.get(1)?)))?;
        if same <= SAME {
            return Ok(());
        }
        let last: [u8; 32] = db
            .prepare_cached(
                "SELECT record FROM led WHERE author = ?1 AND owner = ?2 AND place = ?3",
            )?
            .query_row(
                params![self.author.as_bytes(), self.owner.as_bytes(), last],
                |row| row.get(0),
            )?;
        move_row(db, cid, last, ("refs", "beyond"))
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
            is_stood_for: self.follower.read(|model| model.is_stood_for(record)),
        }
    }

    /// Brings back what was left out of records for which their owners stand by now. Nothing is taken away before.
    pub(super) async fn rank(&self) -> Result<(), Fault> {
        let _turn = self.ranking.lock().await;
        loop {
            let next: Vec<RecordId> = self
                .follower
                .read(|model| model.stood_for.iter().take(RECORDS).copied().collect());
            if next.is_empty() {
                return Ok(());
            }
            let records = next.clone();
            let rank = move |db: &mut rusqlite::Connection| {
                let transaction = db.transaction()?;
                let mut rows = PART;
                for record in records {
                    stand_for(&transaction, record)?;
                    rows -= bring_back(&transaction, record, rows)?;
                }
                transaction.commit()?;
                Ok(rows > 0)
            };
            if self.db.run(rank).await? {
                self.follower.change(|model| {
                    for record in next {
                        model.stood_for.remove(&record);
                    }
                });
            }
        }
    }

    /// Forgets what a record leads to that claims nothing; what it kept others from has its place.
    pub(super) async fn forget_refs(&self, led: Led) -> Result<(), Fault> {
        loop {
            let forget = move |db: &mut rusqlite::Connection| {
                let transaction = db.transaction()?;
                let record = led.record.as_bytes();
                let cids: Vec<Vec<u8>> = transaction
                    .prepare_cached(
                        "SELECT cid FROM refs WHERE record = ?1
                         UNION ALL SELECT cid FROM beyond WHERE record = ?1 LIMIT ?2",
                    )?
                    .query_map(params![record, PART], |row| row.get(0))?
                    .collect::<Result<_, _>>()?;
                for cid in &cids {
                    for table in ["refs", "beyond"] {
                        let forget = format!("DELETE FROM {table} WHERE cid = ?1 AND record = ?2");
                        transaction
                            .prepare_cached(&forget)?
                            .execute(params![cid, record])?;
                    }
                    led.promote(&transaction, cid)?;
                }
                transaction.commit()?;
                Ok(cids.len())
            };
            if self.db.run(forget).await? == 0 {
                return Ok(());
            }
        }
    }
}

impl Led {
    /// The earliest of its pair that was left out has a place that is free.
    fn promote(&self, db: &Transaction<'_>, cid: &[u8]) -> rusqlite::Result<()> {
        let of_pair = params![cid, self.author.as_bytes(), self.owner.as_bytes()];
        let same: i64 = db
            .prepare_cached(&format!("SELECT COUNT(*) FROM {OF_PAIR}"))?
            .query_row(of_pair, |row| row.get(0))?;
        if same >= SAME {
            return Ok(());
        }
        let next: Option<[u8; 32]> = db
            .prepare_cached(
                "SELECT beyond.record FROM beyond JOIN led ON led.record = beyond.record
                 WHERE beyond.cid = ?1 AND author = ?2 AND owner = ?3 ORDER BY place LIMIT 1",
            )?
            .query_row(of_pair, |row| row.get(0))
            .optional()?;
        next.map_or(Ok(()), |next| move_row(db, cid, next, ("beyond", "refs")))
    }
}

fn stand_for(db: &Transaction<'_>, record: RecordId) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO stood_for VALUES (?1)")?
        .execute(params![record.as_bytes()])
        .map(drop)
}

/// Brings back at most so many rows of a record; gives how many.
fn bring_back(db: &Transaction<'_>, record: RecordId, most: u32) -> rusqlite::Result<u32> {
    let cids: Vec<Vec<u8>> = db
        .prepare_cached("SELECT cid FROM beyond WHERE record = ?1 LIMIT ?2")?
        .query_map(params![record.as_bytes(), most], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut count = 0;
    for cid in cids {
        move_row(db, &cid, *record.as_bytes(), ("beyond", "refs"))?;
        count += 1;
    }
    Ok(count)
}

/// From the one table to the other.
fn move_row(
    db: &Transaction<'_>,
    cid: &[u8],
    record: [u8; 32],
    (from, to): (&str, &str),
) -> rusqlite::Result<()> {
    let insert = format!("INSERT OR IGNORE INTO {to} VALUES (?1, ?2)");
    let delete = format!("DELETE FROM {from} WHERE cid = ?1 AND record = ?2");
    for statement in [insert, delete] {
        db.prepare_cached(&statement)?
            .execute(params![cid, record])?;
    }
    Ok(())
}
