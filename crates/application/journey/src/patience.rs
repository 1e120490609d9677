//! How long a step waits for a peer whose answer it can go on without. What a keeper or a mailbox does not say now is asked
//! again later, so nobody waits for it long: whoever was silent is left alone for a while, and whoever takes something back
//! does not wait for any of it.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use medibloc_consent::{
    DeletionStatement, ShareDeposit, SignedAcknowledgement, SignedLine, SignedReply, SignedRequest,
};
use medibloc_keys::SigningKey;
use medibloc_ledger::Mark;
use medibloc_record::{RecordId, Timestamp};
use medibloc_store::Store;
use tokio::sync::watch;

use crate::SyncReport;
use crate::ports::{Clock, Keepers, Letter, Mailbox, Network, PortError};

/// How long an answer may take; twice as long after each silence in a row, up to four times, for a peer on a slow line.
const LIMIT: Duration = Duration::from_secs(10);
const LONGER: u32 = 2;
/// Seconds for which a peer that was silent is left alone; twice as long after each silence in a row, up to eight minutes: while
/// the own line is down all of them are silent, and none is to be missed for long when it is back.
const PAUSE: u64 = 60;
const LONGEST: u32 = 3;

/// Whom a question is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    Keeper(u8),
    Node(String),
}

impl core::fmt::Display for Peer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Keeper(index) => write!(f, "keeper {index}"),
            Self::Node(url) => write!(f, "the node {url}"),
        }
    }
}

/// That a peer did not answer in time.
#[derive(Clone, Copy, Debug)]
struct Silence {
    /// Silences in a row.
    times: u32,
    /// When it was noticed.
    at: Timestamp,
}

impl Silence {
    /// Seconds for which it is still left alone. A clock that was set back says nothing of them.
    fn left(&self, now: Timestamp) -> u64 {
        let pause = PAUSE << self.times.saturating_sub(1).min(LONGEST);
        match now >= self.at {
            true => pause.saturating_sub(now.since(self.at)),
            false => 0,
        }
    }
}

/// What a party knows of silent peers, and whether somebody waits who takes something back.
pub(crate) struct Patience {
    clock: Arc<dyn Clock>,
    silences: Mutex<BTreeMap<Peer, Silence>>,
    /// How many wait that take something back.
    urgent: watch::Sender<usize>,
    /// What runs now is a sync, which can be gone on with at any time.
    gives_way: AtomicBool,
}

impl core::fmt::Debug for Patience {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Patience")
            .field("urgent", &*self.urgent.borrow())
            .finish_non_exhaustive()
    }
}

impl Patience {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            silences: Mutex::default(),
            urgent: watch::Sender::new(0),
            gives_way: AtomicBool::new(false),
        })
    }

    /// The same network, asked with this patience.
    pub(crate) fn over(self: &Arc<Self>, network: Arc<dyn Network>) -> Arc<dyn Network> {
        Arc::new(Patient {
            asked: network,
            patience: self.clone(),
        })
    }

    /// What runs until this is dropped gives way to who takes something back.
    pub(crate) fn give_way(&self) -> GivesWay<'_> {
        self.gives_way.store(true, Ordering::SeqCst);
        GivesWay(&self.gives_way)
    }

    /// Whether what runs now is to end soon, for somebody who takes something back.
    pub(crate) fn is_called(&self) -> bool {
        self.gives_way.load(Ordering::SeqCst) && *self.urgent.borrow() > 0
    }

    /// Says in a report that something was left for who takes something back.
    pub(crate) fn tell(&self, report: &mut SyncReport) {
        if self.is_called() {
            report.gave_way = true;
            report.later.push(
                "what was left of this sync gave way to a command that takes something back".into(),
            );
        }
    }

    /// Ends when what runs now is to end soon.
    async fn called(&self) {
        if self.gives_way.load(Ordering::SeqCst) {
            let mut urgent = self.urgent.subscribe();
            if urgent.wait_for(|waiting| *waiting > 0).await.is_ok() {
                return;
            }
        }
        pending().await
    }

    fn silences<T>(&self, ask: impl FnOnce(&mut BTreeMap<Peer, Silence>) -> T) -> T {
        ask(&mut self.silences.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks a peer, unless it was silent just now, and waits so long.
    async fn ask<T>(
        &self,
        peer: Peer,
        question: impl Future<Output = Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        let silent = |why: String| PortError::Unreachable {
            peer: peer.to_string(),
            why,
        };
        let last = self.silences(|silences| silences.get(&peer).copied());
        let times = last.map_or(0, |last| last.times);
        let left = last.map_or(0, |last| last.left(self.clock.now()));
        if left > 0 {
            return Err(silent(format!(
                "it was silent just now, and is left alone for {left} seconds"
            )));
        }
        let limit = LIMIT * (1 << times.min(LONGER));
        tokio::select! {
            biased;
            answer = question => {
                // Who says at once that it cannot be reached says nothing of how long it takes.
                if !matches!(answer, Err(PortError::Unreachable { .. })) {
                    self.silences(|silences| silences.remove(&peer));
                }
                answer
            }
            () = self.called() => {
                Err(silent("a command that takes something back did not wait for it".into()))
            }
            () = self.clock.wait(limit) => {
                let silence = Silence {
                    times: times.saturating_add(1),
                    at: self.clock.now(),
                };
                self.silences(|silences| silences.insert(peer.clone(), silence));
                Err(silent(format!("it took longer than {} seconds", limit.as_secs())))
            }
        }
    }
}

/// That a step gives way, until it is dropped.
pub(crate) struct GivesWay<'a>(&'a AtomicBool);

impl Drop for GivesWay<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// The way past a sync for what takes something back, from [`Party::urgency`](crate::Party::urgency).
#[derive(Clone, Debug)]
pub struct Urgency(pub(crate) Arc<Patience>);

impl Urgency {
    /// Makes a running sync of the party end soon: it waits for no peer any more and leaves the rest to the next one. For as
    /// long as the result is kept.
    #[must_use]
    pub fn wait(&self) -> Urgent {
        self.0.urgent.send_modify(|waiting| *waiting += 1);
        Urgent(self.0.clone())
    }
}

/// Somebody waits who takes something back.
#[derive(Debug)]
pub struct Urgent(Arc<Patience>);

impl Drop for Urgent {
    fn drop(&mut self) {
        let less = |waiting: &mut usize| *waiting = waiting.saturating_sub(1);
        self.0.urgent.send_modify(less);
    }
}

struct Patient<T: ?Sized> {
    patience: Arc<Patience>,
    asked: Arc<T>,
}

#[async_trait]
impl Network for Patient<dyn Network> {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.asked.store(actor)
    }

    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        Arc::new(PatientMailbox {
            node: Peer::Node(url.to_owned()),
            patience: self.patience.clone(),
            asked: self.asked.mailbox(actor, url),
        })
    }

    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        Arc::new(Patient {
            patience: self.patience.clone(),
            asked: self.asked.keepers(actor),
        })
    }

    async fn credential(&self, actor: &SigningKey) -> Result<Option<String>, PortError> {
        self.asked.credential(actor).await
    }

    async fn time(&self) -> Result<Option<Timestamp>, PortError> {
        self.asked.time().await
    }

    async fn mark(&self, keeper: Option<u8>) -> Result<Option<Mark>, PortError> {
        let peer = keeper.map_or_else(|| Peer::Node(self.own_node()), Peer::Keeper);
        self.patience.ask(peer, self.asked.mark(keeper)).await
    }

    fn own_node(&self) -> String {
        self.asked.own_node()
    }

    fn is_listed(&self, url: &str) -> bool {
        self.asked.is_listed(url)
    }
}

#[async_trait]
impl Keepers for Patient<dyn Keepers> {
    async fn deposit(
        &self,
        index: u8,
        deposit: &ShareDeposit,
    ) -> Result<SignedAcknowledgement, PortError> {
        let asked = self.asked.deposit(index, deposit);
        self.patience.ask(Peer::Keeper(index), asked).await
    }

    async fn acknowledgement(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<SignedAcknowledgement>, PortError> {
        let asked = self.asked.acknowledgement(index, record);
        self.patience.ask(Peer::Keeper(index), asked).await
    }

    /// A reader waits for those that it needs, and for nobody else.
    async fn release(&self, index: u8, request: &SignedRequest) -> Result<SignedReply, PortError> {
        self.asked.release(index, request).await
    }

    async fn feed(&self, index: u8) -> Result<Vec<SignedLine>, PortError> {
        let asked = self.asked.feed(index);
        self.patience.ask(Peer::Keeper(index), asked).await
    }

    async fn deletion(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<DeletionStatement>, PortError> {
        let asked = self.asked.deletion(index, record);
        self.patience.ask(Peer::Keeper(index), asked).await
    }
}

struct PatientMailbox {
    node: Peer,
    patience: Arc<Patience>,
    asked: Arc<dyn Mailbox>,
}

#[async_trait]
impl Mailbox for PatientMailbox {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        let sent = self.asked.send(letter);
        self.patience.ask(self.node.clone(), sent).await
    }

    /// From the own node, where everything stands: a sync cannot go on without it.
    async fn fetch(&self) -> Result<Vec<Letter>, PortError> {
        self.asked.fetch().await
    }

    async fn done(&self, id: [u8; 32]) -> Result<(), PortError> {
        self.asked.done(id).await
    }

    async fn done_all(&self, ids: &[[u8; 32]]) -> Result<(), PortError> {
        self.asked.done_all(ids).await
    }
}
