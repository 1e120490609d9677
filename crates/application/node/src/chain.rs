//! The read model: final events folded into what storage and keepers must know. The blocks are kept in `chain.sqlite`,
//! a copy that is thrown away when the chain has another history.

mod model;
mod names;

use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use medibloc_api::Code;
use medibloc_dag::cbor;
use medibloc_ledger::{BlockEvents, CommitteeFacts, Events, Facts, Head, LedgerError};
use medibloc_record::{AccountId, Address};
use rusqlite::{OptionalExtension as _, params};

use crate::db::{Db, DbError, Durability};
use crate::fault::Fault;
use crate::guard::signed;
pub(crate) use model::{Model, Object, RecordEntry};

const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS blocks (number INTEGER PRIMARY KEY, body BLOB NOT NULL);";

/// Why the chain could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Look {
    /// The chain.
    #[error(transparent)]
    Chain(#[from] LedgerError),
    /// The own disk.
    #[error(transparent)]
    Disk(#[from] DbError),
}

/// For an answer about readiness: who asks has a time limit of its own.
const SOON: Duration = Duration::from_secs(1);

/// A look at the chain that readiness waits for; a chain that takes a connection and is silent is none.
pub(crate) async fn soon<T>(look: impl Future<Output = T>) -> Result<T, Fault> {
    let silent = |_| Fault::new(Code::Unavailable, "the chain does not answer");
    tokio::time::timeout(SOON, look).await.map_err(silent)
}

/// Blocks asked for at a time.
const PAGE: u32 = 500;

/// Keeps the model at the last final block.
pub(crate) struct Follower {
    pub(crate) facts: Arc<dyn Facts>,
    events: Arc<dyn Events>,
    /// Whose turn it is to look; when the last look began, and what it saw.
    turn: tokio::sync::Mutex<Option<(Instant, Head)>>,
    model: RwLock<Model>,
    first: u64,
    /// Blocks with events, as they came.
    kept: Db,
    /// The last kept block was compared with the chain.
    checked: AtomicBool,
    /// The number of the last final block, as the chain said it last.
    head: AtomicU64,
    /// When the chain answered last.
    looked: Mutex<Option<Instant>>,
    /// The committee as it was asked for last, with the count of changes then.
    committee: Mutex<Option<(u64, CommitteeFacts)>>,
}

impl Follower {
    /// A follower from the block of the deployment on, with what it kept in a folder.
    pub(crate) fn open(
        facts: Arc<dyn Facts>,
        events: Arc<dyn Events>,
        first: u64,
        folder: Option<&Path>,
    ) -> Result<Self, DbError> {
        let path = folder.map(|folder| folder.join("chain.sqlite"));
        let kept = Db::open(path.as_deref(), Durability::Process, SCHEMA)?;
        let bodies: Vec<Vec<u8>> = kept.now(|db| {
            db.prepare("SELECT body FROM blocks ORDER BY number")?
                .query_map([], |row| row.get(0))?
                .collect()
        })?;
        let mut model = Model::from(first);
        for body in bodies {
            match cbor::from_slice(&body) {
                Ok(block) => model.take(block),
                Err(_) => {
                    tracing::warn!("a kept block is not readable; the chain is read anew");
                    model = Model::from(first);
                    kept.now(|db| db.execute("DELETE FROM blocks", []))?;
                    break;
                }
            }
        }
        Ok(Self {
            facts,
            events,
            turn: tokio::sync::Mutex::default(),
            model: RwLock::new(model),
            first,
            kept,
            checked: AtomicBool::new(false),
            head: AtomicU64::new(0),
            looked: Mutex::default(),
            committee: Mutex::default(),
        })
    }

    /// Compares the last kept block with the chain's; if it is another, nothing that was kept counts.
    async fn check(&self) -> Result<(), Look> {
        let last: Option<Vec<u8>> = self
            .kept
            .run(|db| {
                db.query_row(
                    "SELECT body FROM blocks ORDER BY number DESC LIMIT 1",
                    [],
                    |row| row.get(0),
                )
                .optional()
            })
            .await?;
        let last = last.and_then(|body| cbor::from_slice::<BlockEvents>(&body).ok());
        if let Some(last) = last {
            let found = self.events.events(last.number, 1).await?;
            let same = found
                .first()
                .is_some_and(|block| block.number == last.number && block.hash == last.hash);
            if !same {
                tracing::warn!("the chain has another history; it is read anew");
                self.kept
                    .run(|db| db.execute("DELETE FROM blocks", []))
                    .await?;
                self.change(|model| *model = Model::from(self.first));
            }
        }
        self.checked.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn keep(&self, blocks: &[BlockEvents]) -> Result<(), DbError> {
        let rows: Vec<(i64, Vec<u8>)> = blocks
            .iter()
            .filter(|block| !block.events.is_empty())
            .map(|block| (signed(block.number), cbor::to_vec(block)))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        let work = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            for (number, body) in rows {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO blocks VALUES (?1, ?2)")?
                    .execute(params![number, body])?;
            }
            transaction.commit()
        };
        self.kept.run(work).await
    }

    /// The account that an address acts for; the chain is asked only for addresses that no event named yet.
    pub(crate) async fn account_of(
        &self,
        address: Address,
    ) -> Result<Option<AccountId>, LedgerError> {
        match self.read(|model| model.addresses.get(&address).copied()) {
            Some(account) => Ok(Some(account)),
            None if self.read(|model| model.is_former(address)) => Ok(None),
            None => self.facts.account_of(address).await,
        }
    }

    /// The committee in force; the chain is asked only after it changed.
    pub(crate) async fn committee(&self) -> Result<CommitteeFacts, LedgerError> {
        let changes = self.read(|model| model.changes);
        let known = {
            let kept = self
                .committee
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            kept.clone()
        };
        if let Some((at, committee)) = known
            && at == changes
        {
            return Ok(committee);
        }
        let committee = self.facts.committee().await?;
        *self
            .committee
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((changes, committee.clone()));
        Ok(committee)
    }

    /// Reads everything that is final by now. Who waited while another looked has its answer: a crowd costs the chain
    /// two looks.
    pub(crate) async fn refresh(&self) -> Result<Head, Look> {
        let arrived = Instant::now();
        let mut turn = self.turn.lock().await;
        if let Some((begun, head)) = *turn
            && begun >= arrived
        {
            return Ok(head);
        }
        let begun = Instant::now();
        if !self.checked.load(Ordering::SeqCst) {
            self.check().await?;
        }
        let head = self.facts.head().await?;
        self.head.store(head.number, Ordering::Relaxed);
        loop {
            let from = self.read(|model| model.next);
            let blocks = self.events.events(from, PAGE).await?;
            if blocks.is_empty() {
                break;
            }
            self.keep(&blocks).await?;
            self.change(|model| blocks.into_iter().for_each(|block| model.take(block)));
            if self.read(|model| model.next) == from {
                break;
            }
        }
        self.change(|model| {
            model.now = model.now.max(head.time);
            model.forget_old_receipts();
        });
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        *turn = Some((begun, head));
        Ok(head)
    }

    /// Final blocks that were not read yet when the chain was looked at last.
    pub(crate) fn blocks_behind(&self) -> u64 {
        let head = self.head.load(Ordering::Relaxed);
        (head + 1).saturating_sub(self.read(|model| model.next))
    }

    /// Whether the chain answered within this time.
    pub(crate) fn has_looked_within(&self, time: Duration) -> bool {
        let looked = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.is_some_and(|at| at.elapsed() < time)
    }

    /// Whether the chain answered within the last second: strangers who ask for readiness cost it no more.
    pub(crate) fn has_just_looked(&self) -> bool {
        self.has_looked_within(Duration::from_secs(1))
    }

    pub(crate) fn read<T>(&self, view: impl FnOnce(&Model) -> T) -> T {
        view(&self.model.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Model) -> T) -> T {
        change(&mut self.model.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl core::fmt::Debug for Follower {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Follower")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medibloc_keys::SigningKey;
    use medibloc_ledger::{Call, MemoryLedger, Relay as _, Submit as _};
    use medibloc_record::{Role, Threshold, Timestamp};

    fn ledger() -> Arc<MemoryLedger> {
        let threshold = Threshold::new(1, 1).unwrap();
        Arc::new(MemoryLedger::new(threshold, Vec::new(), Timestamp(1_000)))
    }

    async fn register(ledger: &MemoryLedger, seed: u8) -> Address {
        let key = SigningKey::from_bytes(&[seed; 32]).unwrap();
        let call = Call::Register {
            role: Role::Person,
            sealing_key: [seed; 32],
        };
        let call = ledger.prepare(key.address(), &call, Timestamp(2_000));
        let call = call.await.unwrap();
        let signature = key.sign_digest(&call.digest);
        ledger.relay(&call.sign(signature)).await.unwrap();
        key.address()
    }

    fn open(ledger: &Arc<MemoryLedger>, folder: &Path) -> Follower {
        Follower::open(ledger.clone(), ledger.clone(), 0, Some(folder)).unwrap()
    }

    fn known(follower: &Follower, address: Address) -> bool {
        follower.read(|model| model.addresses.contains_key(&address))
    }

    #[tokio::test]
    async fn what_was_read_is_kept_and_another_history_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let one = ledger();
        let (anna, ben) = (register(&one, 1).await, register(&one, 2).await);
        open(&one, folder.path()).refresh().await.unwrap();
        let again = open(&one, folder.path());
        assert!(
            known(&again, anna) && known(&again, ben),
            "without the chain"
        );
        let carl = register(&one, 3).await;
        again.refresh().await.unwrap();
        assert!(known(&again, carl) && known(&again, anna));
        // A chain that is shorter: the blocks that were kept are not its own.
        let other = ledger();
        let dora = register(&other, 4).await;
        let follower = open(&other, folder.path());
        follower.refresh().await.unwrap();
        assert!(known(&follower, dora) && !known(&follower, anna));
        let again = open(&other, folder.path());
        assert!(known(&again, dora) && !known(&again, anna));
    }
}
