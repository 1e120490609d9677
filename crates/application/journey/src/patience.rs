//! How long a step waits for a peer whose answer it can go on without. What a keeper or a mailbox does not say now is asked
//! again later, so nobody waits for it long: whoever was silent, or took too much time for whatever it said, is left alone for a
//! while, and whoever takes something back does not wait for any of it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use medibloc_consent::{
    DeletionStatement, ShareDeposit, SignedAcknowledgement, SignedLine, SignedReply, SignedRequest,
};
use medibloc_dag::Cid;
use medibloc_keys::SigningKey;
use medibloc_ledger::Mark;
use medibloc_record::{Address, Digest, RecordId, Timestamp};
use medibloc_store::{Store, StoreError};
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

/// What a letter may take without being slow; letters to one node leave one after the other.
const LETTER: Duration = Duration::from_secs(1);
/// Things that no node has, as many as are remembered of one pass.
const NOWHERE: usize = 100_000;
/// An answer that took no longer than this says that a peer is back.
const PROMPT: Duration = Duration::from_secs(1);

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

/// What a peer took of one pass, whatever it answered: the time is the same whether a share is there, or not, or refused.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    time: Duration,
    questions: u32,
}

impl Spent {
    fn mean(self) -> Duration {
        self.time.checked_div(self.questions).unwrap_or_default()
    }
}

/// What is known of peers.
#[derive(Debug, Default)]
struct Known {
    silences: BTreeMap<Peer, Silence>,
    spent: BTreeMap<Peer, Spent>,
    /// The other node that had something last.
    gave: Option<String>,
    /// What no node gave to an own address in this pass.
    nowhere: BTreeSet<(Address, Cid)>,
}

impl Known {
    /// What a question to a peer may take without being slow: by what the other keepers take, so that on a slow line, where all
    /// of them are, none is left alone. One that alone is asked has nothing to hide behind.
    fn usual(&self, peer: &Peer) -> Duration {
        let Peer::Keeper(_) = peer else {
            return LETTER;
        };
        let others = self.spent.iter().filter(|(other, _)| match other {
            Peer::Keeper(_) => *other != peer,
            Peer::Node(_) => false,
        });
        let mut means: Vec<Duration> = others.map(|(_, spent)| spent.mean()).collect();
        means.sort();
        match means.len() {
            0 | 1 => Duration::ZERO,
            others => means[(others - 1) / 2] * 2,
        }
    }

    /// How much longer than usual a peer took in this pass.
    fn excess(&self, peer: &Peer) -> Duration {
        let spent = self.spent.get(peer).copied().unwrap_or_default();
        let usual = self.usual(peer).saturating_mul(spent.questions);
        spent.time.saturating_sub(usual)
    }

    /// An answer came after so long.
    fn answered(&mut self, peer: &Peer, took: Duration, limit: Duration, now: Timestamp) {
        let spent = self.spent.entry(peer.clone()).or_default();
        spent.time += took;
        spent.questions += 1;
        if self.excess(peer) >= limit {
            self.silent(peer, now);
        } else if took <= PROMPT.max(self.usual(peer)) {
            self.silences.remove(peer);
        }
    }

    /// It is left alone from now on.
    fn silent(&mut self, peer: &Peer, at: Timestamp) {
        let times = self.silences.get(peer).map_or(0, |last| last.times);
        let times = times.saturating_add(1);
        self.silences.insert(peer.clone(), Silence { times, at });
        self.spent.remove(peer);
    }
}

/// What a party knows of silent peers, and whether somebody waits who takes something back.
pub(crate) struct Patience {
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
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
            known: Mutex::default(),
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

    /// What runs until this is dropped gives way to who takes something back. It is a pass of its own: what peers took of the one
    /// before is not held against them.
    pub(crate) fn give_way(&self) -> GivesWay<'_> {
        self.known(|known| {
            known.spent.clear();
            known.nowhere.clear();
        });
        self.gives_way.store(true, Ordering::SeqCst);
        GivesWay(&self.gives_way)
    }

    /// Whether what runs now is to end soon, for somebody who takes something back.
    pub(crate) fn is_called(&self) -> bool {
        self.gives_way.load(Ordering::SeqCst) && *self.urgent.borrow() > 0
    }

    /// A keeper that told what it did not sign is left alone as one that was silent.
    pub(crate) fn distrust(&self, index: u8) {
        let now = self.clock.now();
        self.known(|known| known.silent(&Peer::Keeper(index), now));
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

    fn known<T>(&self, ask: impl FnOnce(&mut Known) -> T) -> T {
        ask(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks another node's storage, as [`Self::ask`]. Why it did not answer is in words.
    pub(crate) async fn ask_node<T>(
        &self,
        url: &str,
        question: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, String> {
        let peer = format!("the node {url}");
        let asked = async move {
            question.await.map_err(|error| match error {
                StoreError::Unreachable { why } => PortError::Unreachable { peer, why },
                error => PortError::Refused {
                    peer,
                    why: error.to_string(),
                },
            })
        };
        let answer = self.ask(Peer::Node(url.to_owned()), asked).await;
        answer.map_err(|error| error.to_string())
    }

    /// The other node that had something last: the next thing is most likely there, too.
    pub(crate) fn gave(&self) -> Option<String> {
        self.known(|known| known.gave.clone())
    }

    /// Another node had something.
    pub(crate) fn has_given(&self, url: &str) {
        self.known(|known| known.gave = Some(url.to_owned()));
    }

    /// No node gave this to an own address: in this pass, which looks for many things twice, the others are not asked again.
    pub(crate) fn is_nowhere(&self, actor: Address, cid: Cid) {
        if self.gives_way.load(Ordering::SeqCst) {
            self.known(|known| {
                if known.nowhere.len() < NOWHERE {
                    known.nowhere.insert((actor, cid));
                }
            });
        }
    }

    /// Whether no node gave it in this pass.
    pub(crate) fn was_nowhere(&self, actor: Address, cid: Cid) -> bool {
        self.gives_way.load(Ordering::SeqCst)
            && self.known(|known| known.nowhere.contains(&(actor, cid)))
    }

    /// Asks a peer, unless it was silent or slow just now, and waits for what is left of its time in this pass.
    async fn ask<T>(
        &self,
        peer: Peer,
        question: impl Future<Output = Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        let silent = |why: String| PortError::Unreachable {
            peer: peer.to_string(),
            why,
        };
        let (last, excess, usual) = self.known(|known| {
            let last = known.silences.get(&peer).copied();
            (last, known.excess(&peer), known.usual(&peer))
        });
        let times = last.map_or(0, |last| last.times);
        let left = last.map_or(0, |last| last.left(self.clock.now()));
        if left > 0 {
            return Err(silent(format!(
                "it was silent or slow just now, and is left alone for {left} seconds"
            )));
        }
        let longest = LIMIT * (1 << times.min(LONGER));
        let limit = longest.min(longest.saturating_sub(excess) + usual);
        let begun = self.clock.elapsed();
        tokio::select! {
            biased;
            answer = question => {
                let took = self.clock.elapsed().saturating_sub(begun);
                let now = self.clock.now();
                // Who says at once that it cannot be reached says nothing of how long it takes.
                let is_news = !matches!(answer, Err(PortError::Unreachable { .. })) || took > PROMPT;
                if is_news {
                    self.known(|known| known.answered(&peer, took, longest, now));
                }
                answer
            }
            () = self.called() => {
                Err(silent("a command that takes something back did not wait for it".into()))
            }
            () = self.clock.wait(limit) => {
                let now = self.clock.now();
                self.known(|known| known.silent(&peer, now));
                let all = limit.saturating_add(excess).as_secs();
                Err(silent(format!("it took longer than {all} seconds")))
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

    fn others(&self, actor: &SigningKey) -> Vec<(String, Arc<dyn Store>)> {
        self.asked.others(actor)
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

    async fn ready(&self, keeper: u8) -> Result<(), PortError> {
        let asked = self.asked.ready(keeper);
        self.patience.ask(Peer::Keeper(keeper), asked).await
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

    async fn notes(&self) -> Result<Vec<(u8, Vec<u8>)>, PortError> {
        self.patience
            .ask(self.node.clone(), self.asked.notes())
            .await
    }

    async fn keep_note(
        &self,
        place: u8,
        follows: Option<Digest>,
        sealed: Vec<u8>,
    ) -> Result<bool, PortError> {
        let kept = self.asked.keep_note(place, follows, sealed);
        self.patience.ask(self.node.clone(), kept).await
    }
}
