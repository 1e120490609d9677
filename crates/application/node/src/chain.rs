//! The read model: final events folded into what storage and keepers must know. The blocks are kept in `chain.sqlite`,
//! a copy, with the last final block that was taken: a chain that does not have it any more is another one, or an older copy,
//! and is not followed.

mod accept;
mod host;
mod model;
mod names;

use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use medibloc_api::Code;
use medibloc_dag::cbor;
use medibloc_ledger::{BlockEvents, CommitteeFacts, Events, Facts, Head, LedgerError, Mark};
use medibloc_record::{AccountId, Address};
use rusqlite::{OptionalExtension as _, params};

use crate::db::{Db, DbError, Durability};
use crate::fault::Fault;
use crate::guard::signed;
pub use accept::{NotAccepted, TakenBack, accept_chain, last_block};
pub use host::named;
pub(crate) use model::{Model, Object, RecordEntry};

const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS blocks (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mark (only INTEGER PRIMARY KEY, number INTEGER NOT NULL, body BLOB NOT NULL);";

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
    /// Blocks with events, as they came.
    kept: Db,
    /// The last final block that was taken.
    mark: Mutex<Option<Mark>>,
    /// The chain does not have it any more.
    set_back: AtomicBool,
    /// The number of the last final block, as the chain said it last.
    head: AtomicU64,
    /// When the chain answered last.
    looked: Mutex<Option<Instant>>,
    /// What is wrong with the chain's node.
    trouble: Mutex<Option<String>>,
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
        let marked: Option<Vec<u8>> = kept.now(|db| {
            db.query_row("SELECT body FROM mark", [], |row| row.get(0))
                .optional()
        })?;
        let mut mark: Option<Mark> = marked.and_then(|body| cbor::from_slice(&body).ok());
        if mark.is_none() {
            // A copy from before marks were kept.
            let last = bodies.last().map(|body| cbor::from_slice(body));
            mark = last.and_then(Result::ok).map(|block| Mark::of(&block));
        }
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
            kept,
            mark: Mutex::new(mark),
            set_back: AtomicBool::new(false),
            head: AtomicU64::new(0),
            looked: Mutex::default(),
            trouble: Mutex::default(),
            committee: Mutex::default(),
        })
    }

    /// That the chain still has the last final block that was taken: nothing is taken of another one, or of an older copy.
    fn known(&self, checked: Result<(), LedgerError>) -> Result<(), LedgerError> {
        let is_set_back = matches!(checked, Err(LedgerError::SetBack { .. }));
        if is_set_back {
            *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        if (checked.is_ok() || is_set_back)
            && self.set_back.swap(is_set_back, Ordering::SeqCst) != is_set_back
        {
            match &checked {
                Err(error) => tracing::error!(%error, "the chain was set back"),
                Ok(()) => tracing::info!(
                    "the chain is the one that was read before; it is followed again"
                ),
            }
        }
        checked
    }

    /// Whether the chain is another one than was read, or an older copy of it.
    pub(crate) fn is_set_back(&self) -> bool {
        self.set_back.load(Ordering::SeqCst)
    }

    /// Looks, and refuses if the chain was set back; that it does not answer is for others to say.
    pub(crate) async fn not_set_back(&self) -> Result<(), Look> {
        match self.refresh().await {
            Err(look @ Look::Chain(LedgerError::SetBack { .. })) => Err(look),
            _ => Ok(()),
        }
    }

    /// The last final block that was taken.
    pub(crate) fn mark(&self) -> Option<Mark> {
        *self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep(&self, blocks: &[BlockEvents]) -> Result<(), DbError> {
        // A copy that is read anew is behind its own mark for a while.
        let ahead = |mark: &Mark| self.mark().is_none_or(|it| it.number < mark.number);
        let mark = blocks.last().map(Mark::of).filter(ahead);
        let rows: Vec<(i64, Vec<u8>)> = blocks
            .iter()
            .filter(|block| !block.events.is_empty())
            .map(|block| (signed(block.number), cbor::to_vec(block)))
            .collect();
        let last = mark.map(|mark| (signed(mark.number), cbor::to_vec(&mark)));
        let work = move |db: &mut rusqlite::Connection| {
            let transaction = db.transaction()?;
            for (number, body) in rows {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO blocks VALUES (?1, ?2)")?
                    .execute(params![number, body])?;
            }
            if let Some((number, body)) = last {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO mark VALUES (0, ?1, ?2)")?
                    .execute(params![number, body])?;
            }
            transaction.commit()
        };
        self.kept.run(work).await?;
        if mark.is_some() {
            *self.mark.lock().unwrap_or_else(PoisonError::into_inner) = mark;
        }
        Ok(())
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

    /// As [`Follower::read_on`]; that its node does not answer, and that it does again, is told once.
    pub(crate) async fn refresh(&self) -> Result<Head, Look> {
        let looked = self.read_on().await;
        let now = match &looked {
            Ok(_) => None,
            Err(Look::Chain(
                LedgerError::Unreachable { from, why } | LedgerError::Corrupt { from, why },
            )) => Some(named(from, why)),
            Err(_) => return looked,
        };
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*trouble, &now) {
            (None, Some(why)) => tracing::warn!(why, "the chain's node does not answer well"),
            (Some(_), None) => tracing::info!("the chain's node answers again"),
            _ => {}
        }
        *trouble = now;
        drop(trouble);
        looked
    }

    /// Seconds by which this machine's clock is ahead of that of the chain's node; none if it did not say its time.
    pub(crate) fn clock_ahead(&self) -> Option<i64> {
        self.events.clock_ahead()
    }

    /// What is wrong with the chain's node: its host, and why.
    pub(crate) fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone()
    }

    /// Reads everything that is final by now. Who waited while another looked has its answer: a crowd costs the chain
    /// two looks.
    async fn read_on(&self) -> Result<Head, Look> {
        let arrived = Instant::now();
        let mut turn = self.turn.lock().await;
        if let Some((begun, head)) = *turn
            && begun >= arrived
        {
            return Ok(head);
        }
        let begun = Instant::now();
        let head = self.facts.head().await?;
        if let Some(mark) = self.mark() {
            self.known(mark.check(&head, &*self.events).await)?;
        }
        self.head.store(head.number, Ordering::Relaxed);
        loop {
            let from = self.read(|model| model.next);
            let blocks = self.events.events(from, PAGE).await?;
            if blocks.is_empty() {
                break;
            }
            // They may come from another node of the chain than the answer before.
            if let Some(mark) = self.mark() {
                self.known(mark.check_now(&*self.events).await)?;
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
    async fn what_was_read_is_kept() {
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
    }

    /// That nothing is taken, and what is said of it.
    async fn is_set_back(follower: &Follower, gone: bool) {
        let next = follower.read(|model| model.next);
        let Err(Look::Chain(LedgerError::SetBack { number, is, .. })) = follower.refresh().await
        else {
            panic!("a chain that was set back is followed");
        };
        assert_eq!((number, is.is_none()), (next - 1, gone));
        assert!(follower.is_set_back() && !follower.has_just_looked());
        assert_eq!(follower.read(|model| model.next), next);
    }

    #[tokio::test]
    async fn a_chain_that_was_set_back_is_not_followed_and_the_right_one_is_without_a_gap() {
        let folder = tempfile::tempdir().unwrap();
        let chain = ledger();
        register(&chain, 1).await;
        let older = chain.copy();
        let ben = register(&chain, 2).await;
        let follower = open(&chain, folder.path());
        follower.refresh().await.unwrap();
        let newest = chain.copy();
        // An older copy, and what goes on from it until it is longer than the right one.
        chain.replace_by(&older);
        is_set_back(&follower, true).await;
        for seed in 20..25 {
            register(&chain, seed).await;
            is_set_back(&follower, false).await;
        }
        drop(follower);
        let follower = open(&chain, folder.path());
        is_set_back(&follower, false).await;
        // The right one, which has gone on meanwhile.
        chain.replace_by(&newest);
        let carl = register(&chain, 3).await;
        follower.refresh().await.unwrap();
        assert!(!follower.is_set_back());
        assert!(known(&follower, ben) && known(&follower, carl));
        assert!(follower.read(|model| model.addresses.len()) == 3);
        // Another chain altogether.
        let other = ledger();
        register(&other, 9).await;
        let elsewhere = open(&other, folder.path());
        is_set_back(&elsewhere, true).await;
    }

    #[tokio::test]
    async fn a_copy_from_before_marks_knows_its_chain_by_its_last_block() {
        let folder = tempfile::tempdir().unwrap();
        let chain = ledger();
        let older = chain.copy();
        register(&chain, 1).await;
        let follower = open(&chain, folder.path());
        follower.refresh().await.unwrap();
        let forget = |db: &mut rusqlite::Connection| db.execute("DELETE FROM mark", []);
        follower.kept.now(forget).unwrap();
        drop(follower);
        chain.replace_by(&older);
        register(&chain, 2).await;
        is_set_back(&open(&chain, folder.path()), false).await;
    }

    #[tokio::test]
    async fn who_was_behind_an_older_copy_goes_on_with_the_right_chain_once_it_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let chain = ledger();
        let anna = register(&chain, 1).await;
        let follower = open(&chain, folder.path());
        follower.refresh().await.unwrap();
        let older = chain.copy();
        let ben = register(&chain, 2).await;
        let carl = register(&chain, 3).await;
        let newest = chain.copy();
        // It never saw the newest blocks, and takes one of the older copy: nothing tells it.
        chain.replace_by(&older);
        let wrong = register(&chain, 9).await;
        follower.refresh().await.unwrap();
        assert!(known(&follower, wrong));
        chain.replace_by(&newest);
        is_set_back(&follower, false).await;
        let running = accept_chain(folder.path(), &*chain).await;
        assert!(matches!(running, Err(NotAccepted::Running)), "{running:?}");
        drop(follower);
        let threshold = Threshold::new(2, 1).unwrap();
        let other = MemoryLedger::new(threshold, Vec::new(), Timestamp(5));
        register(&other, 4).await;
        let refused = accept_chain(folder.path(), &other).await;
        assert!(matches!(refused, Err(NotAccepted::Another)), "{refused:?}");
        let accepted = accept_chain(folder.path(), &*chain).await.unwrap();
        assert_eq!(
            (accepted.events, accepted.withdrawals),
            (1, 0),
            "{accepted:?}"
        );
        assert_eq!(accepted.left.number, accepted.shared.number + 1);
        assert_eq!(last_block(folder.path()).unwrap(), Some(accepted.shared));
        let again = accept_chain(folder.path(), &*chain).await;
        assert!(matches!(again, Err(NotAccepted::Same)), "{again:?}");
        let follower = open(&chain, folder.path());
        follower.refresh().await.unwrap();
        assert!(known(&follower, anna) && known(&follower, ben) && known(&follower, carl));
        assert!(!known(&follower, wrong));
        let empty = tempfile::tempdir().unwrap();
        let nothing = accept_chain(empty.path(), &*chain).await;
        assert!(matches!(nothing, Err(NotAccepted::Nothing)), "{nothing:?}");
    }
}
