//! Who may have which block. A block is every record's whose own package leads to it (the package says the record's id)
//! and whose party brought it here; each record's people have it through their own record alone. What an erasure takes
//! away, and which other record keeps it, is in `claim` (docs/adr/0014).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use medibloc_dag::{Cid, Codec};
use medibloc_record::{AccountId, Digest, RecordId, Timestamp};
use medibloc_store::{OwnStore, StoreError};
use rusqlite::params;

use super::claim::Claim;
use super::erasures::Erasures;
use super::index::{self, Worker};
use super::queue::Queue;
use crate::chain::{Follower, Object};
use crate::db::{Db, DbError};
use crate::fault::Fault;
use crate::guard::signed;
use crate::limits::DailyLimits;

/// Damaged blocks that are remembered.
const MOST_DAMAGED: usize = 10_000;

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
    pub(super) records: Vec<RecordId>,
    pub(super) uploaders: Vec<AccountId>,
}

pub(crate) struct Access {
    pub(super) store: Arc<dyn OwnStore>,
    /// When unnamed blocks were collected last.
    pub(super) collected: Mutex<Timestamp>,
    /// Blocks are being brought, or being taken away: never both.
    pub(super) keeping: tokio::sync::RwLock<()>,
    pub(super) follower: Arc<Follower>,
    pub(super) db: Db,
    pub(super) limits: DailyLimits,
    pub(super) queue: Mutex<Queue>,
    pub(super) worker: Worker,
    pub(super) verdicts: RwLock<HashMap<RecordId, Verdict>>,
    /// How far the round through a record's open blocks is, and whether anything came in it.
    pub(super) cursors: Mutex<HashMap<RecordId, (Vec<u8>, bool)>>,
    /// Blocks that were found damaged, as many as are remembered.
    damaged: Mutex<BTreeSet<Cid>>,
    /// One at a time brings back what was left out.
    pub(super) ranking: tokio::sync::Mutex<()>,
    /// Locked after the queue.
    pub(super) erasures: Mutex<Erasures>,
    /// Blocks of erased records that were back since this program began.
    pub(super) erased_again: AtomicU64,
    /// Statements that look-ups executed.
    #[cfg(test)]
    pub(super) statements: AtomicU64,
}

impl Access {
    pub(super) fn open(
        store: Arc<dyn OwnStore>,
        follower: Arc<Follower>,
        db: Db,
        limits: DailyLimits,
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
            limits,
            queue: Mutex::default(),
            worker: Worker::default(),
            verdicts: RwLock::new(verdicts),
            cursors: Mutex::default(),
            damaged: Mutex::default(),
            ranking: tokio::sync::Mutex::default(),
            erasures: Mutex::default(),
            erased_again: AtomicU64::new(0),
            #[cfg(test)]
            statements: AtomicU64::new(0),
        })
    }

    /// The bytes of a block; whether it is damaged is remembered.
    pub(super) async fn read_block(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.store.get(cid).await;
        if let Err(StoreError::Corrupt { .. }) = &found {
            let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
            if damaged.len() < MOST_DAMAGED {
                damaged.insert(*cid);
            }
        }
        found
    }

    /// These were brought again, or are gone.
    pub(super) fn no_more_damaged(&self, cids: &[Cid]) {
        let mut damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        if !damaged.is_empty() {
            damaged.retain(|cid| !cids.contains(cid));
        }
    }

    pub(super) fn count_damaged(&self) -> usize {
        let damaged = self.damaged.lock().unwrap_or_else(PoisonError::into_inner);
        damaged.len()
    }

    /// Brings the model to the last final block; new records' blocks are learnt and erased ones' deleted in the
    /// background.
    pub(super) async fn refresh(self: &Arc<Self>) -> Result<(), Fault> {
        self.follower.refresh().await?;
        self.kick();
        Ok(())
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

    pub(super) fn standing_of(&self, account: AccountId, cid: &Cid, trace: &Trace) -> Standing {
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
    pub(super) fn claims(&self, cid: &Cid, trace: &Trace) -> Vec<Claim> {
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
            let mut uploads =
                db.prepare_cached("SELECT account FROM uploads WHERE cid = ?1 ORDER BY account")?;
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

    pub(super) async fn trace(&self, cid: &Cid) -> Result<Trace, Fault> {
        Ok(self.traces(&[*cid]).await?.pop().unwrap_or_default())
    }

    pub(super) async fn uploaders(&self, cid: &Cid) -> Result<Vec<AccountId>, Fault> {
        Ok(self.trace(cid).await?.uploaders)
    }
}
