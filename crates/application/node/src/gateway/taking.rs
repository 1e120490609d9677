//! What goes: blocks of erased records for good, with a tombstone; what nothing claims so that it may come again. Each is
//! decided and done while nobody brings anything (docs/adr/0014).

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use medibloc_api::{Code, Problem};
use medibloc_dag::Cid;
use medibloc_record::{AccountId, RecordId, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::access::{Access, Standing, Trace};
use super::claim::Claim;
use super::erasures::Due;
use crate::chain::Model;
use crate::fault::Fault;
use crate::guard::signed;

/// Seconds that a block is kept though no final event names it (design 11), and between two collections.
const UNNAMED: u64 = 86_400;
const BETWEEN: u64 = 3_600;
/// Blocks looked at in one question.
const PAGE: u32 = 1_000;

/// What came of an erasure.
enum Erasing {
    Done,
    /// It waits until a record was looked at, and perhaps others of these accounts.
    Waits {
        until: RecordId,
        of: BTreeSet<AccountId>,
    },
}

/// How a block may be taken away.
enum Taking {
    /// For good.
    Erasure,
    /// It may come again.
    Removal,
}

impl Access {
    /// Deletes what the next erased record has, if it is known whose it is.
    pub(super) async fn erase_next(&self) {
        let next = {
            let mut erasures = self.erasures.lock().unwrap_or_else(PoisonError::into_inner);
            erasures.next()
        };
        let Some((record, due)) = next else {
            return;
        };
        let done = self.erase_record(record, due).await;
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut erasures = self.erasures.lock().unwrap_or_else(PoisonError::into_inner);
        match done {
            Ok(Erasing::Done) => {
                erasures.end(record);
                self.worker.progress.notify_waiters();
            }
            // This task alone looks at records: it is not looked at meanwhile.
            Ok(Erasing::Waits { until, of }) => {
                queue.hurry(until);
                erasures.wait(record, until, of);
            }
            Err(fault) => {
                tracing::warn!(why = ?fault.0.code, "an erasure is tried again");
                erasures.fail(record);
            }
        }
    }

    /// Waits until what is erased of an account's records is gone, at most half a second.
    pub(super) async fn wait_for_erasures(&self, account: AccountId) {
        let end = tokio::time::Instant::now() + Duration::from_millis(500);
        loop {
            let progress = self.worker.progress.notified();
            let mut progress = std::pin::pin!(progress);
            progress.as_mut().enable();
            let waits = {
                let erasures = self.erasures.lock().unwrap_or_else(PoisonError::into_inner);
                erasures.concern(account)
            };
            if !waits || tokio::time::timeout_at(end, progress).await.is_err() {
                return;
            }
        }
    }

    /// Takes away blocks for an account, all or none. The owner of a finally erased record erases for good what that
    /// took away. Who alone brought what nothing claims has it removed; it may come again, since its owner may be another.
    pub(super) async fn take_away(&self, account: AccountId, cids: Vec<Cid>) -> Result<(), Fault> {
        self.wait_for(account).await;
        self.rank().await?;
        for cid in &cids {
            // New records of its are waited for here: below, nothing can come.
            if self.standing(account, cid).await? == Standing::None {
                return Err(Fault::not_found("block"));
            }
        }
        let _alone = self.keeping.write().await;
        let unknown = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.earlier(u64::MAX, account).is_some()
        };
        if unknown {
            let detail = "records of this account are still being looked at";
            return Err(Problem::new(Code::Unavailable, detail).until(1).into());
        }
        let (mut gone, mut removed) = (Vec::new(), Vec::new());
        for cid in cids {
            match self.may_take_away(account, &cid).await? {
                Taking::Erasure => gone.push(cid),
                Taking::Removal => removed.push(cid),
            }
        }
        self.store.erase(&gone).await?;
        self.no_more_damaged(&gone);
        self.free(gone).await?;
        self.remove(removed).await
    }

    async fn may_take_away(&self, account: AccountId, cid: &Cid) -> Result<Taking, Fault> {
        let trace = self.trace(cid).await?;
        if self.standing_of(account, cid, &trace) == Standing::None {
            return Err(Fault::not_found("block"));
        }
        let claims = self.claims(cid, &trace);
        if claims.is_empty() {
            if trace.uploaders == [account] && !self.is_awaited(cid).await? {
                return Ok(Taking::Removal);
            }
        } else {
            let is_gone = self.follower.read(|model| {
                let is_own = |claim: &Claim| {
                    let entry = claim.object.record().and_then(|id| model.record(id));
                    entry.is_some_and(|it| it.erased && it.anchor.owner == account)
                };
                claims.iter().any(is_own) && Claim::is_gone(&claims, model)
            });
            if is_gone {
                return Ok(Taking::Erasure);
            }
        }
        Err(Fault::new(
            Code::NotYours,
            "blocks of a record are erased when its owner has erased it on chain",
        ))
    }

    /// Takes away blocks that were brought a day ago and that no record and no final event names. Whoever still wants
    /// one stores it again.
    pub(super) async fn collect(&self, now: Timestamp) -> Result<(), Fault> {
        {
            let mut last = self
                .collected
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if now.since(*last) < BETWEEN {
                return Ok(());
            }
            *last = now;
        }
        let before = signed(now.0.saturating_sub(UNNAMED));
        let mut after = Vec::new();
        loop {
            let from = after.clone();
            let page: Vec<Vec<u8>> = self
                .db
                .run(move |db| {
                    db.prepare_cached(
                        "SELECT cid FROM uploads WHERE cid > ?1
                         AND NOT EXISTS (SELECT 1 FROM refs WHERE refs.cid = uploads.cid)
                         AND NOT EXISTS (SELECT 1 FROM beyond WHERE beyond.cid = uploads.cid)
                         AND NOT EXISTS (SELECT 1 FROM frontier WHERE frontier.cid = uploads.cid)
                         GROUP BY cid HAVING MAX(at) <= ?2 ORDER BY cid LIMIT ?3",
                    )?
                    .query_map(params![from, before, PAGE], |row| row.get(0))?
                    .collect()
                })
                .await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after.clone_from(last);
            let mut unnamed = Vec::new();
            for cid in page.iter().filter_map(|cid| Cid::from_bytes(cid).ok()) {
                let trace = self.trace(&cid).await?;
                if self.claims(&cid, &trace).is_empty() {
                    unnamed.push(cid);
                }
            }
            if !unnamed.is_empty() {
                self.let_go(unnamed, before).await?;
            }
        }
    }

    /// Takes blocks away that nobody brought since.
    async fn let_go(&self, cids: Vec<Cid>, before: i64) -> Result<(), Fault> {
        let _alone = self.keeping.write().await;
        let old = move |db: &mut rusqlite::Connection| {
            let mut query =
                db.prepare_cached("SELECT MAX(at) <= ?2 FROM uploads WHERE cid = ?1")?;
            let mut old = Vec::new();
            for cid in cids {
                let is_old: Option<bool> =
                    query.query_row(params![cid.to_bytes(), before], |row| row.get(0))?;
                if is_old == Some(true) {
                    old.push(cid);
                }
            }
            Ok(old)
        };
        let old = self.db.run(old).await?;
        let count = old.len();
        self.remove(old).await?;
        tracing::info!(blocks = count, "blocks that nothing names are gone");
        Ok(())
    }

    /// Takes away blocks that may come again, then forgets who brought them; after a crash between both it is done again.
    async fn remove(&self, cids: Vec<Cid>) -> Result<(), Fault> {
        self.store.remove(&cids).await?;
        self.no_more_damaged(&cids);
        let forget = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            for cid in cids {
                transaction
                    .prepare_cached("DELETE FROM uploads WHERE cid = ?1")?
                    .execute(params![cid.to_bytes()])?;
                transaction
                    .prepare_cached("DELETE FROM held WHERE cid = ?1")?
                    .execute(params![cid.to_bytes()])?;
            }
            transaction.commit()
        };
        Ok(self.db.run(forget).await?)
    }

    /// Deletes what an erased record takes away, if it is known who else claims it.
    async fn erase_record(&self, record: RecordId, due: Due) -> Result<Erasing, Fault> {
        if let Some(waits) = self.waits(record, &due) {
            return Ok(waits);
        }
        let was_done = self.is_erased(record).await?;
        let Some(entry) = self.follower.read(|model| model.record(record)) else {
            return Ok(Erasing::Done);
        };
        let rows: Vec<Vec<u8>> = self
            .db
            .run(move |db| {
                db.prepare_cached(
                    "SELECT cid FROM refs WHERE record = ?1 UNION SELECT cid FROM beyond WHERE record = ?1",
                )?
                    .query_map(params![record.as_bytes()], |row| row.get(0))?
                    .collect()
            })
            .await?;
        let anchor = entry.anchor;
        let own = [
            anchor.package,
            anchor.key_set,
            anchor.capsule,
            anchor.attestation,
        ];
        let mut cids: Vec<Cid> = rows
            .iter()
            .filter_map(|cid| Cid::from_bytes(cid).ok())
            .collect();
        cids.extend(own.map(|digest| Cid::from_dag_cbor_digest(digest.to_bytes())));
        cids.extend(self.follower.read(|model| model.capsules_of(record)));
        // It was done before, and is looked at once after a start: an older copy of the store may have been put in its place.
        if was_done && !self.is_any_here(&cids).await? {
            return Ok(Erasing::Done);
        }
        let mut back = 0;
        for part in cids.chunks(256) {
            // From the look at who brought them until they are gone nobody brings one.
            let _alone = self.keeping.write().await;
            let mut traces = self.traces(part).await?;
            for trace in &mut traces {
                // Its own erasure counts, also where it was left out.
                if !trace.records.contains(&record) {
                    trace.records.push(record);
                }
            }
            let (mut gone, mut told) = (Vec::new(), Vec::new());
            let brought = traces.iter().flat_map(|trace| &trace.uploaders);
            if let Some(waits) = self.contested(brought.copied().collect(), due.anchored) {
                return Ok(waits);
            }
            for (cid, trace) in part.iter().zip(&traces) {
                let claims = self.claims(cid, trace);
                if self.follower.read(|model| Claim::is_gone(&claims, model)) {
                    gone.push(*cid);
                    if self.is_told_by_another(record, trace) {
                        told.push(*cid);
                    }
                }
            }
            if was_done {
                let here = self.store.has(&gone).await?;
                back += here.iter().filter(|it| **it).count() as u64;
            }
            self.store.erase(&gone).await?;
            self.no_more_damaged(&gone);
            self.forget_told(record, told).await?;
            self.free(gone).await?;
        }
        self.db
            .run(move |db| {
                let transaction = db.transaction()?;
                transaction.execute(
                    "INSERT OR IGNORE INTO erased VALUES (?1)",
                    params![record.as_bytes()],
                )?;
                // From now on they count to nobody: what is left of them answers for blocks that are gone.
                transaction.execute(
                    "UPDATE led SET counts = 0 WHERE record = ?1",
                    params![record.as_bytes()],
                )?;
                transaction.execute(
                    "DELETE FROM beyond WHERE record = ?1",
                    params![record.as_bytes()],
                )?;
                transaction.commit()
            })
            .await?;
        if back > 0 {
            self.erased_again.fetch_add(back, Ordering::Relaxed);
            tracing::warn!(
                blocks = back,
                "an erased record's blocks were back, since an older copy of `blocks` was put in its place; they are deleted again"
            );
        } else if !was_done {
            tracing::info!("an erased record's blocks are deleted");
        }
        Ok(Erasing::Done)
    }

    async fn is_any_here(&self, cids: &[Cid]) -> Result<bool, Fault> {
        for part in cids.chunks(256) {
            if self.store.has(part).await?.contains(&true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A record's package came after its erasure: what it leads to is looked at, too.
    pub(super) async fn erase_what_came_late(&self, record: RecordId) {
        let is_erased = |model: &Model| model.is_erased(record);
        if !self.follower.read(is_erased) {
            return;
        }
        let forget = move |db: &mut rusqlite::Connection| {
            db.prepare_cached("DELETE FROM erased WHERE record = ?1")?
                .execute(params![record.as_bytes()])
        };
        if self.db.run(forget).await.is_ok() {
            self.follower.change(|model| model.to_erase.insert(record));
            self.absorb();
        }
    }

    /// What an erasure waits for as far as that is known: its own record, and those of whom it was last found to be theirs.
    fn waits(&self, record: RecordId, due: &Due) -> Option<Erasing> {
        let is_fresh = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.is_fresh(record)
        };
        if is_fresh {
            let (until, of) = (record, due.of.clone());
            return Some(Erasing::Waits { until, of });
        }
        self.contested(due.of.clone(), due.anchored)
    }

    /// A record from before an erasure that was never looked at whole, of one of these accounts, and of whom else there is
    /// one.
    fn contested(&self, mut of: BTreeSet<AccountId>, anchored: u64) -> Option<Erasing> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        of.retain(|account| queue.earlier(anchored, *account).is_some());
        let until = of
            .first()
            .and_then(|account| queue.earlier(anchored, *account))?;
        Some(Erasing::Waits { until, of })
    }

    /// Whether another erased record of the same two accounts leads to a block: one is enough to tell them that it is gone.
    fn is_told_by_another(&self, record: RecordId, trace: &Trace) -> bool {
        self.follower.read(|model| {
            let parties = |id: &RecordId| {
                let entry = model.record(*id).filter(|entry| entry.erased);
                entry.map(|entry| (entry.anchor.author, entry.anchor.owner))
            };
            let own = parties(&record);
            let mut others = trace.records.iter().filter(|id| **id != record);
            own.is_some() && others.any(|id| parties(id) == own)
        })
    }

    async fn forget_told(&self, record: RecordId, cids: Vec<Cid>) -> Result<(), Fault> {
        let forget = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            for cid in cids {
                transaction
                    .prepare_cached("DELETE FROM refs WHERE cid = ?1 AND record = ?2")?
                    .execute(params![cid.to_bytes(), record.as_bytes()])?;
            }
            transaction.commit()
        };
        Ok(self.db.run(forget).await?)
    }

    async fn is_erased(&self, record: RecordId) -> Result<bool, Fault> {
        let found = self
            .db
            .run(move |db| {
                db.prepare_cached("SELECT 1 FROM erased WHERE record = ?1")?
                    .query_row(params![record.as_bytes()], |_| Ok(()))
                    .optional()
            })
            .await?;
        Ok(found.is_some())
    }
}
