//! Who may have which block. A block is every record's whose own package leads to it (the package says the record's id)
//! and whose party brought it here; each record's people have it through their own record alone. What an erasure takes
//! away, and which other record keeps it, is in `claim` (docs/adr/0014).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use medibloc_api::{Code, Problem};
use medibloc_dag::{Cid, Codec};
use medibloc_record::{AccountId, Digest, RecordId, Timestamp};
use medibloc_store::OwnStore;
use rusqlite::{OptionalExtension, params};

use super::claim::Claim;
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
    /// How many records there were when an erasure was seen: those are looked at before it is done.
    seen: Mutex<HashMap<RecordId, u64>>,
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
            seen: Mutex::default(),
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
        // One that is named many times is looked at once.
        let distinct: BTreeSet<Cid> = cids.iter().copied().collect();
        let distinct: Vec<Cid> = distinct.into_iter().collect();
        let traces = self.traces(&distinct).await?;
        let each = distinct.iter().zip(&traces);
        let standings: BTreeMap<Cid, Standing> = each
            .map(|(cid, trace)| (*cid, self.standing_of(account, cid, trace)))
            .collect();
        let of = |cid| standings.get(cid).copied().unwrap_or(Standing::None);
        Ok(cids.iter().map(of).collect())
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
        let brought = if trace.uploaders.contains(&account) {
            Standing::Own
        } else {
            Standing::None
        };
        let claims = self.claims(cid, trace);
        if claims.is_empty() {
            return brought;
        }
        // Verdicts before the model, as everywhere: the other way round two threads and a writer wait for each other.
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        let is_sound = |id: RecordId| verdicts.get(&id).is_some_and(|it| it.sound);
        self.follower.read(|model| {
            let kept = Claim::kept(&claims, model);
            let sound = kept
                .iter()
                .filter(|claim| claim.object.record().is_none_or(is_sound));
            let may: Vec<Object> = sound
                .map(|claim| claim.object)
                .filter(|object| model.may_have(account, *object))
                .collect();
            if may.iter().any(|object| model.owns(account, *object)) {
                return Standing::Own;
            }
            if !may.is_empty() {
                return Standing::Entitled;
            }
            let is_of_erased = |claim: &Claim| {
                let record = claim.object.record();
                record.is_some_and(|id| model.is_erased(id) && model.is_party(account, id))
            };
            if claims.iter().any(is_of_erased) {
                Standing::OfErased
            } else if Claim::is_gone(&claims, model)
                || claims.iter().all(|it| it.object.record().is_none())
            {
                Standing::None
            } else {
                brought
            }
        })
    }

    /// Who claims a block, in the chain's order. A record whose package is another's or none claims nothing; one that
    /// was not looked at yet does.
    fn claims(&self, cid: &Cid, trace: &Trace) -> Vec<Claim> {
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        let counts = |object: &Object| {
            let verdict = object.record().and_then(|id| verdicts.get(&id));
            verdict.is_none_or(|it| it.sound)
        };
        self.follower.read(|model| {
            let mut led: Vec<(u64, Object)> = Vec::new();
            if cid.codec() != Codec::DagCbor {
                let entries = trace.records.iter().filter_map(|id| model.record(*id));
                led.extend(entries.map(|it| (it.order, Object::Of(it.anchor.record_id()))));
                led.sort_by_key(|(order, _)| *order);
            }
            let led: Vec<Object> = led.into_iter().map(|(_, object)| object).collect();
            let named = match cid.codec() {
                Codec::DagCbor => model.objects(Digest::new(cid.digest())),
                _ => &led,
            };
            let named = named.iter().filter(|object| counts(object));
            named
                .filter_map(|object| Claim::of(*object, &trace.uploaders, model))
                .collect()
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

    /// Whether an account may erase a block: the owner of a finally erased record that took it away, or who alone
    /// brought a block that nothing claims.
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
        let claims = self.claims(cid, &trace);
        let allowed = if claims.is_empty() {
            trace.uploaders == [account] && !self.is_awaited(cid).await?
        } else {
            self.follower.read(|model| {
                let is_own = |claim: &Claim| {
                    let entry = claim.object.record().and_then(|id| model.record(id));
                    entry.is_some_and(|it| it.erased && it.anchor.owner == account)
                };
                claims.iter().any(is_own) && Claim::is_gone(&claims, model)
            })
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
                if self.claims(&cid, &trace).is_empty() {
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

    /// Deletes what an erased record takes away; false if it is not known yet who else claims it.
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
        let seen = {
            let anchored = self.follower.read(Model::anchored_records);
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            *seen.entry(record).or_insert(anchored)
        };
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
                    queue.has_earlier(seen, &trace.uploaders)
                };
                if contested {
                    return Ok(false);
                }
                let claims = self.claims(cid, trace);
                if self.follower.read(|model| Claim::is_gone(&claims, model)) {
                    gone.push(*cid);
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
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(&record);
        tracing::info!("an erased record's blocks are deleted");
        Ok(true)
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
        }
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
