//! Who may have which block. A block belongs to one record: the first, in the chain's order, whose own package leads to
//! it (the package says the record's id) and whose author or owner brought it here. Nobody comes by another's blocks by
//! naming them in a package of their own, keeps them when their owner erases them, or erases them in its stead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use medibloc_api::{Code, Problem};
use medibloc_dag::{Cid, Codec};
use medibloc_record::{AccountId, Digest, RecordId, Timestamp};
use medibloc_store::OwnStore;
use rusqlite::{OptionalExtension, params};

use super::index::{self, Worker};
use super::queue::Queue;
use crate::chain::{Follower, Model, Object};
use crate::db::{Db, DbError};
use crate::fault::Fault;
use crate::guard::signed;

/// Seconds that a block is kept though no final event names it (design 11), and between two collections.
const UNNAMED: u64 = 86_400;
const BETWEEN: u64 = 3_600;
/// Blocks looked at in one question.
const PAGE: u32 = 1_000;

/// How a block stands to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the account's own: of its record, of its grant, or brought by it and nobody's yet.
    Own,
    /// It may have it.
    Entitled,
    /// It was owner or author of the record, which is erased.
    OfErased,
    /// Nothing: as if it were not there.
    None,
}

impl Standing {
    pub(super) const fn is_entitled(self) -> bool {
        matches!(self, Self::Own | Self::Entitled)
    }
}

/// What is known of a record's package.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    /// It is the record's own: what the anchor names counts.
    pub(super) sound: bool,
    /// Nothing of it is still to be looked at.
    pub(super) settled: bool,
}

impl Verdict {
    pub(super) fn of(text: &str) -> Self {
        Self {
            sound: index::is_sound(text),
            settled: index::is_settled(text),
        }
    }
}

/// Whose a block is: the first, in the chain's order, that leads to it and whose party brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Holder {
    /// A part of a record, or an object that its readers need.
    Record(RecordId),
    /// A record's capsule.
    Capsule(RecordId),
    /// Grants' or write grants' object, all of one owner.
    Consent(Vec<Object>),
}

/// What the database knows of a block.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    records: Vec<RecordId>,
    pub(super) uploaders: Vec<AccountId>,
}

pub(crate) struct Access {
    pub(super) store: Arc<dyn OwnStore>,
    /// When unnamed blocks were collected last.
    collected: Mutex<Timestamp>,
    /// Blocks are being brought, or being taken away: never both.
    pub(super) keeping: tokio::sync::RwLock<()>,
    pub(super) follower: Arc<Follower>,
    pub(super) db: Db,
    pub(super) queue: Mutex<Queue>,
    pub(super) worker: Worker,
    pub(super) verdicts: RwLock<HashMap<RecordId, Verdict>>,
    /// How far the round through a record's open blocks is, and whether anything came in it.
    pub(super) cursors: Mutex<HashMap<RecordId, (Vec<u8>, bool)>>,
    /// Statements that look-ups executed.
    #[cfg(test)]
    pub(super) statements: std::sync::atomic::AtomicU64,
}

impl Access {
    pub(super) fn open(
        store: Arc<dyn OwnStore>,
        follower: Arc<Follower>,
        db: Db,
    ) -> Result<Self, DbError> {
        let verdicts = db.now(|db| {
            db.prepare("SELECT record, verdict FROM packages")?
                .query_map([], |row| {
                    let (record, verdict): ([u8; 32], String) = (row.get(0)?, row.get(1)?);
                    Ok((RecordId::new(record), Verdict::of(&verdict)))
                })?
                .collect()
        })?;
        Ok(Self {
            store,
            collected: Mutex::default(),
            keeping: tokio::sync::RwLock::default(),
            follower,
            db,
            queue: Mutex::default(),
            worker: Worker::default(),
            verdicts: RwLock::new(verdicts),
            cursors: Mutex::default(),
            #[cfg(test)]
            statements: std::sync::atomic::AtomicU64::new(0),
        })
    }

    /// Brings the model to the last final block; new records' blocks are learnt and erased ones' deleted in the
    /// background.
    pub(super) async fn refresh(self: &Arc<Self>) -> Result<(), Fault> {
        self.follower.refresh().await?;
        self.kick();
        Ok(())
    }

    /// Deletes what erased records have, as far as it is known whose it is.
    pub(super) async fn erase_what_is_due(&self) {
        let erased: Vec<RecordId> = self
            .follower
            .read(|model| model.to_erase.iter().copied().collect());
        for record in erased {
            match self.erase_record(record).await {
                Ok(true) => {
                    self.follower.change(|model| model.to_erase.remove(&record));
                    self.worker.progress.notify_waiters();
                }
                Ok(false) => {}
                Err(fault) => tracing::warn!(why = ?fault.0.code, "an erasure is tried again"),
            }
        }
    }

    /// Waits until what is erased is gone, at most half a second.
    pub(super) async fn wait_for_erasures(&self) {
        let end = tokio::time::Instant::now() + Duration::from_millis(500);
        loop {
            let progress = self.worker.progress.notified();
            let mut progress = std::pin::pin!(progress);
            progress.as_mut().enable();
            let waits = self.follower.read(|model| !model.to_erase.is_empty());
            if !waits || tokio::time::timeout_at(end, progress).await.is_err() {
                return;
            }
        }
    }

    /// Remembers who brought blocks.
    pub(super) async fn uploaded(
        &self,
        account: AccountId,
        cids: Vec<Cid>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let brought = cids.clone();
        let work = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            for cid in cids {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO uploads VALUES (?1, ?2, ?3)")?
                    .execute(params![cid.to_bytes(), account.as_bytes(), signed(now.0)])?;
            }
            transaction.commit()
        };
        self.db.run(work).await?;
        self.wake(account, brought).await
    }

    /// How blocks stand to an account. The work is the same for what is there and what is not.
    pub(super) async fn standings(
        &self,
        account: AccountId,
        cids: &[Cid],
    ) -> Result<Vec<Standing>, Fault> {
        let traces = self.traces(cids).await?;
        let each = cids.iter().zip(&traces);
        Ok(each
            .map(|(cid, trace)| self.standing_of(account, cid, trace))
            .collect())
    }

    /// How one block stands to an account; new records of its are waited for.
    pub(super) async fn standing(&self, account: AccountId, cid: &Cid) -> Result<Standing, Fault> {
        for _ in 0..2 {
            let found = self.standings(account, &[*cid]).await?;
            if let Some(standing) = found.first()
                && *standing != Standing::None
            {
                return Ok(*standing);
            }
            self.wait_for(account).await;
        }
        let found = self.standings(account, &[*cid]).await?;
        Ok(found.first().copied().unwrap_or(Standing::None))
    }

    fn standing_of(&self, account: AccountId, cid: &Cid, trace: &Trace) -> Standing {
        let has_brought = trace.uploaders.contains(&account);
        let brought = if has_brought {
            Standing::Own
        } else {
            Standing::None
        };
        let Some(holder) = self.holder(cid, trace) else {
            return brought;
        };
        self.follower.read(|model| match &holder {
            Holder::Record(id) | Holder::Capsule(id) => {
                let Some(entry) = model.record(*id) else {
                    return brought;
                };
                let is_party = model.is_party(account, *id);
                if entry.erased {
                    return if is_party {
                        Standing::OfErased
                    } else {
                        Standing::None
                    };
                }
                let may = match holder {
                    Holder::Capsule(_) => is_party,
                    _ => model.may_read(account, *id),
                };
                if !may || !self.is_sound(*id) {
                    brought
                } else if entry.anchor.owner == account {
                    Standing::Own
                } else {
                    Standing::Entitled
                }
            }
            Holder::Consent(objects) => {
                if objects.iter().any(|it| model.brings(account, *it)) {
                    Standing::Own
                } else if objects.iter().any(|it| model.may_have(account, *it)) {
                    Standing::Entitled
                } else {
                    Standing::None
                }
            }
        })
    }

    fn is_sound(&self, record: RecordId) -> bool {
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        verdicts.get(&record).is_some_and(|it| it.sound)
    }

    /// Whose a block is. A record whose package is another's or none holds nothing; one that was not looked at yet
    /// keeps its place before later ones.
    fn holder(&self, cid: &Cid, trace: &Trace) -> Option<Holder> {
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        let counts = |record: &RecordId| verdicts.get(record).is_none_or(|it| it.sound);
        self.follower.read(|model| {
            let order = |id: &RecordId| model.record(*id).map(|entry| entry.order);
            if cid.codec() != Codec::DagCbor {
                let held = trace.records.iter().filter(|id| counts(id));
                let first = held.filter_map(|id| Some((order(id)?, *id))).min();
                return first.map(|(_, id)| Holder::Record(id));
            }
            let named = model.objects(Digest::new(cid.digest()));
            let mut brought = named.iter().filter(|object| {
                let of = match object {
                    Object::Of(record) | Object::Capsule(record) => counts(record),
                    _ => true,
                };
                of && trace.uploaders.iter().any(|it| model.brings(*it, **object))
            });
            match brought.next()? {
                Object::Of(record) => Some(Holder::Record(*record)),
                Object::Capsule(record) => Some(Holder::Capsule(*record)),
                first => {
                    let giver = model.giver(*first);
                    let others = brought.filter(|it| model.giver(**it) == giver);
                    let all = std::iter::once(first).chain(others).copied();
                    Some(Holder::Consent(all.collect()))
                }
            }
        })
    }

    /// What the database knows of blocks: two statements each, whatever it is.
    pub(super) async fn traces(&self, cids: &[Cid]) -> Result<Vec<Trace>, Fault> {
        #[cfg(test)]
        self.statements
            .fetch_add(2 * cids.len() as u64, std::sync::atomic::Ordering::Relaxed);
        let cids: Vec<Vec<u8>> = cids.iter().map(Cid::to_bytes).collect();
        let look = move |db: &mut rusqlite::Connection| {
            let mut records = db.prepare_cached("SELECT record FROM refs WHERE cid = ?1")?;
            let mut uploads = db.prepare_cached("SELECT account FROM uploads WHERE cid = ?1")?;
            let mut traces = Vec::with_capacity(cids.len());
            for cid in cids {
                let rows = records.query_map(params![cid], |row| row.get(0))?;
                let records: Vec<[u8; 32]> = rows.collect::<Result<_, _>>()?;
                let rows = uploads.query_map(params![cid], |row| row.get(0))?;
                let uploaders: Vec<[u8; 20]> = rows.collect::<Result<_, _>>()?;
                traces.push(Trace {
                    records: records.into_iter().map(RecordId::new).collect(),
                    uploaders: uploaders.into_iter().map(AccountId::new).collect(),
                });
            }
            Ok(traces)
        };
        Ok(self.db.run(look).await?)
    }

    async fn trace(&self, cid: &Cid) -> Result<Trace, Fault> {
        Ok(self.traces(&[*cid]).await?.pop().unwrap_or_default())
    }

    /// Whether an account may erase a block: the owner of the finally erased record that holds it, or who alone
    /// brought a block that nothing holds.
    pub(super) async fn may_erase(&self, account: AccountId, cid: &Cid) -> Result<(), Fault> {
        self.wait_for(account).await;
        let unknown = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.has_earlier(u64::MAX, &[account])
        };
        if unknown {
            let detail = "records of this account are still being looked at";
            return Err(Problem::new(Code::Unavailable, detail).until(1).into());
        }
        if self.standing(account, cid).await? == Standing::None {
            return Err(Fault::not_found("block"));
        }
        let trace = self.trace(cid).await?;
        let allowed = match self.holder(cid, &trace) {
            Some(Holder::Record(id) | Holder::Capsule(id)) => self.follower.read(|model| {
                let entry = model.record(id);
                entry.is_some_and(|it| it.erased && it.anchor.owner == account)
            }),
            Some(Holder::Consent(_)) => false,
            None => trace.uploaders == [account] && !self.is_awaited(cid).await?,
        };
        if allowed {
            Ok(())
        } else {
            Err(Fault::new(
                Code::NotYours,
                "blocks of a record are erased when its owner has erased it on chain",
            ))
        }
    }

    pub(super) async fn uploaders(&self, cid: &Cid) -> Result<Vec<AccountId>, Fault> {
        Ok(self.trace(cid).await?.uploaders)
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
                if self.holder(&cid, &trace).is_none() {
                    unnamed.push(cid);
                }
            }
            if !unnamed.is_empty() {
                self.let_go(unnamed, before).await?;
            }
        }
    }

    /// Takes blocks away that nobody brought since, then forgets who did; after a crash between both it is done again.
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
        self.store.remove(&old).await?;
        tracing::info!(blocks = old.len(), "blocks that nothing names are gone");
        let forget = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            for cid in old {
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

    /// Deletes what an erased record holds, whoever else names it later; false if it is not known yet whose it is.
    async fn erase_record(&self, record: RecordId) -> Result<bool, Fault> {
        if self.is_erased(record).await? {
            return Ok(true);
        }
        let Some(entry) = self.follower.read(|model| model.record(record)) else {
            return Ok(true);
        };
        let fresh = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.is_fresh(record)
        };
        if fresh
            || self
                .follower
                .read(|model| model.unindexed.contains(&record))
        {
            return Ok(false);
        }
        let rows: Vec<Vec<u8>> = self
            .db
            .run(move |db| {
                db.prepare_cached("SELECT cid FROM refs WHERE record = ?1")?
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
        for part in cids.chunks(256) {
            let traces = self.traces(part).await?;
            let mut gone = Vec::new();
            for (cid, trace) in part.iter().zip(&traces) {
                let contested = {
                    let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                    queue.has_earlier(entry.order, &trace.uploaders)
                };
                if contested {
                    return Ok(false);
                }
                match self.holder(cid, trace) {
                    Some(Holder::Record(id) | Holder::Capsule(id)) => {
                        let erased = |model: &Model| model.record(id).is_some_and(|it| it.erased);
                        if self.follower.read(erased) {
                            gone.push(*cid);
                        }
                    }
                    Some(Holder::Consent(_)) | None => {}
                }
            }
            let _alone = self.keeping.write().await;
            self.store.erase(&gone).await?;
            self.free(gone).await?;
        }
        self.db
            .run(move |db| {
                db.execute(
                    "INSERT OR IGNORE INTO erased VALUES (?1)",
                    params![record.as_bytes()],
                )
            })
            .await?;
        tracing::info!("an erased record's blocks are deleted");
        Ok(true)
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
