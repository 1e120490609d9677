//! How much of a node one account holds in all: each block counts once for whoever brought it, until it is erased or
//! collected. Reading, erasing and what is there already cost nothing.

use medibloc_api::{Code, Problem};
use medibloc_dag::{Block, Cid};
use medibloc_record::AccountId;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::access::Access;
use crate::fault::Fault;
use crate::guard::signed;

/// The sum is kept by the database itself, whichever way a row comes or goes.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS held (
    account BLOB NOT NULL, cid BLOB NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (account, cid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_by_cid ON held (cid);
CREATE TABLE IF NOT EXISTS held_in_all (account BLOB PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS held_more AFTER INSERT ON held BEGIN
    INSERT OR IGNORE INTO held_in_all VALUES (NEW.account, 0);
    UPDATE held_in_all SET bytes = bytes + NEW.bytes WHERE account = NEW.account;
END;
CREATE TRIGGER IF NOT EXISTS held_less AFTER DELETE ON held BEGIN
    UPDATE held_in_all SET bytes = bytes - OLD.bytes WHERE account = OLD.account;
END;
";

impl Access {
    /// Takes room for blocks, all or none; gives those that were not this account's yet.
    pub(super) async fn hold(
        &self,
        account: AccountId,
        blocks: &[Block],
        most: u64,
    ) -> Result<Vec<Cid>, Fault> {
        let rows: Vec<(Cid, usize)> = blocks
            .iter()
            .map(|block| (*block.cid(), block.bytes().len()))
            .collect();
        let taken = self.db.run(move |db| {
            let transaction = db.transaction()?;
            let mut new = Vec::new();
            for (cid, length) in rows {
                let added = transaction
                    .prepare_cached("INSERT OR IGNORE INTO held VALUES (?1, ?2, ?3)")?
                    .execute(params![
                        account.as_bytes(),
                        cid.to_bytes(),
                        signed(length as u64)
                    ])?;
                if added > 0 {
                    new.push(cid);
                }
            }
            let now = in_all(&transaction, account)?;
            if now > most && !new.is_empty() {
                return Ok(None);
            }
            transaction.commit()?;
            Ok(Some(new))
        });
        taken.await?.ok_or_else(|| over(most))
    }

    /// Gives back what was taken for blocks that did not come.
    pub(super) async fn unhold(&self, account: AccountId, cids: Vec<Cid>) {
        let forget = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            for cid in cids {
                transaction
                    .prepare_cached("DELETE FROM held WHERE account = ?1 AND cid = ?2")?
                    .execute(params![account.as_bytes(), cid.to_bytes()])?;
            }
            transaction.commit()
        };
        if let Err(error) = self.db.run(forget).await {
            tracing::warn!(%error, "room that was taken for blocks is not given back; storing them again takes no more");
        }
    }

    /// Frees the room of blocks that are gone, whoever brought them.
    pub(super) async fn free(&self, cids: Vec<Cid>) -> Result<(), Fault> {
        let forget = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            for cid in cids {
                transaction
                    .prepare_cached("DELETE FROM held WHERE cid = ?1")?
                    .execute(params![cid.to_bytes()])?;
            }
            transaction.commit()
        };
        Ok(self.db.run(forget).await?)
    }
}

fn in_all(db: &Transaction<'_>, account: AccountId) -> rusqlite::Result<u64> {
    let sum: Option<i64> = db
        .prepare_cached("SELECT bytes FROM held_in_all WHERE account = ?1")?
        .query_row(params![account.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(sum.unwrap_or_default().unsigned_abs())
}

fn over(most: u64) -> Fault {
    let mut problem = Problem::new(
        Code::Limit,
        format!("the node's limit of {most} bytes kept for this account in all is reached"),
    )
    .about(format!("{most} bytes in all"));
    problem.next =
        "erase records that are not needed any more (their room is free at once), or ask the node's operator for more"
            .into();
    problem.into()
}
