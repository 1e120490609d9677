//! Ports that fail: each call of one party passes a fuse, which blows at the n-th.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_consent::{
    AnchorFields, DeletionStatement, Grant, ShareDeposit, SignedAcknowledgement, SignedLine,
    SignedReply, SignedRequest,
};
use medibloc_dag::{Block, Cid};
use medibloc_journey::{
    Change, FileFate, Keepers, Letter, Mailbox, Network, PortError, Ports, Row, VaultPort,
};
use medibloc_keys::SigningKey;
use medibloc_ledger::{
    AccountFacts, BlockEvents, Call, CommitteeFacts, Events, Facts, GrantFacts, Head, LedgerError,
    Outcome, RecordFacts, Relay, SignedCall, Standing, Submit, UnsignedCall,
};
use medibloc_record::{AccountId, Address, Digest, RecordId, Timestamp};
use medibloc_store::{Store, StoreError};

/// What happens at the n-th call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The process dies before the call leaves.
    DieBefore,
    /// The call has its effect; the process dies before the answer comes.
    DieAfter,
    /// The call fails once without effect.
    FailBefore,
    /// The call has its effect, the answer is lost.
    FailAfter,
}

impl Mode {
    pub(crate) const ALL: [Self; 4] = [
        Self::DieBefore,
        Self::DieAfter,
        Self::FailBefore,
        Self::FailAfter,
    ];

    pub(crate) const fn kills(self) -> bool {
        matches!(self, Self::DieBefore | Self::DieAfter)
    }
}

enum Step {
    Go,
    Skip,
    Lose,
}

/// Counts calls and blows at one of them.
pub(crate) struct Fuse {
    count: AtomicU64,
    at: u64,
    mode: Mode,
    hit: Mutex<Option<&'static str>>,
    stopped: Mutex<Vec<&'static str>>,
}

impl Fuse {
    pub(crate) fn new(at: u64, mode: Mode) -> Arc<Self> {
        Arc::new(Self {
            count: AtomicU64::new(0),
            at,
            mode,
            hit: Mutex::default(),
            stopped: Mutex::default(),
        })
    }

    /// One that never blows.
    pub(crate) fn whole() -> Arc<Self> {
        Self::new(u64::MAX, Mode::FailBefore)
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Whether the process ends where it blows.
    #[allow(dead_code, reason = "each test file uses what it needs")]
    pub(crate) const fn kills(&self) -> bool {
        self.mode.kills()
    }

    /// The call at which it blew.
    pub(crate) fn hit(&self) -> Option<&'static str> {
        *self.hit.lock().unwrap()
    }

    /// Every call whose name begins so fails from now on.
    #[allow(dead_code, reason = "each test file uses what it needs")]
    pub(crate) fn stop(&self, name: &'static str) {
        self.stopped.lock().unwrap().push(name);
    }

    /// Nothing is stopped any more.
    #[allow(dead_code, reason = "each test file uses what it needs")]
    pub(crate) fn heal(&self) {
        self.stopped.lock().unwrap().clear();
    }

    fn step(&self, name: &'static str) -> Step {
        let stopped = self.stopped.lock().unwrap();
        if stopped.iter().any(|prefix| name.starts_with(prefix)) {
            return Step::Skip;
        }
        drop(stopped);
        let n = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if n == self.at {
            *self.hit.lock().unwrap() = Some(name);
        }
        match (n.cmp(&self.at), self.mode) {
            (core::cmp::Ordering::Equal, Mode::DieBefore | Mode::FailBefore) => Step::Skip,
            (core::cmp::Ordering::Equal, Mode::DieAfter | Mode::FailAfter) => Step::Lose,
            (core::cmp::Ordering::Greater, Mode::DieBefore | Mode::DieAfter) => Step::Skip,
            _ => Step::Go,
        }
    }
}

/// The same ports, each call through the fuse.
pub(crate) fn fused(ports: &Ports, fuse: &Arc<Fuse>) -> Ports {
    Ports {
        submit: Arc::new(Fused(ports.submit.clone(), fuse.clone())),
        relay: Arc::new(Fused(ports.relay.clone(), fuse.clone())),
        facts: Arc::new(Fused(ports.facts.clone(), fuse.clone())),
        events: Arc::new(Fused(ports.events.clone(), fuse.clone())),
        network: Arc::new(Fused(ports.network.clone(), fuse.clone())),
        vault: Arc::new(Fused(ports.vault.clone(), fuse.clone())),
        ..ports.clone()
    }
}

struct Fused<T: ?Sized>(Arc<T>, Arc<Fuse>);

macro_rules! through {
    ($self:ident, $name:literal, $error:expr, $call:expr) => {
        match $self.1.step($name) {
            Step::Go => $call,
            Step::Skip => Err($error),
            Step::Lose => {
                let _ = $call;
                Err($error)
            }
        }
    };
}

fn ledger() -> LedgerError {
    LedgerError::Unreachable {
        from: "the chain".into(),
        why: "the fuse blew".into(),
    }
}

fn port() -> PortError {
    PortError::Unreachable {
        peer: "the node".into(),
        why: "the fuse blew".into(),
    }
}

fn store() -> StoreError {
    StoreError::Unreachable {
        why: "the fuse blew".into(),
    }
}

fn disk() -> PortError {
    PortError::Vault {
        why: "no space left on device; free space and run it again".into(),
    }
}

#[async_trait]
impl Submit for Fused<dyn Submit> {
    async fn prepare(
        &self,
        from: Address,
        call: &Call,
        deadline: Timestamp,
    ) -> Result<UnsignedCall, LedgerError> {
        through!(
            self,
            "prepare",
            ledger(),
            self.0.prepare(from, call, deadline).await
        )
    }

    async fn rotation_digest(
        &self,
        account: AccountId,
        next: Address,
        deadline: Timestamp,
    ) -> Result<[u8; 32], LedgerError> {
        through!(
            self,
            "rotation_digest",
            ledger(),
            self.0.rotation_digest(account, next, deadline).await
        )
    }
}

#[async_trait]
impl Relay for Fused<dyn Relay> {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        through!(self, "relay", ledger(), self.0.relay(call).await)
    }
}

#[async_trait]
impl Facts for Fused<dyn Facts> {
    async fn head(&self) -> Result<Head, LedgerError> {
        through!(self, "head", ledger(), self.0.head().await)
    }
    async fn account_of(&self, address: Address) -> Result<Option<AccountId>, LedgerError> {
        through!(
            self,
            "account_of",
            ledger(),
            self.0.account_of(address).await
        )
    }
    async fn account_at(
        &self,
        address: Address,
        block: u64,
    ) -> Result<Option<AccountId>, LedgerError> {
        through!(
            self,
            "account_at",
            ledger(),
            self.0.account_at(address, block).await
        )
    }
    async fn account(&self, id: AccountId) -> Result<Option<AccountFacts>, LedgerError> {
        through!(self, "account", ledger(), self.0.account(id).await)
    }
    async fn standing(&self, id: AccountId, at: Timestamp) -> Result<Standing, LedgerError> {
        through!(self, "standing", ledger(), self.0.standing(id, at).await)
    }
    async fn record(&self, id: RecordId) -> Result<Option<RecordFacts>, LedgerError> {
        through!(self, "record", ledger(), self.0.record(id).await)
    }
    async fn is_anchored(&self, anchor: &AnchorFields) -> Result<bool, LedgerError> {
        through!(
            self,
            "is_anchored",
            ledger(),
            self.0.is_anchored(anchor).await
        )
    }
    async fn grant(&self, grant: &Grant) -> Result<GrantFacts, LedgerError> {
        through!(self, "grant", ledger(), self.0.grant(grant).await)
    }
    async fn committee(&self) -> Result<CommitteeFacts, LedgerError> {
        through!(self, "committee", ledger(), self.0.committee().await)
    }
    async fn committee_of(&self, id: u32) -> Result<Option<CommitteeFacts>, LedgerError> {
        through!(
            self,
            "committee_of",
            ledger(),
            self.0.committee_of(id).await
        )
    }
}

#[async_trait]
impl Events for Fused<dyn Events> {
    async fn events(&self, from: u64, limit: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        through!(self, "events", ledger(), self.0.events(from, limit).await)
    }
    async fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        through!(self, "hash_of", ledger(), self.0.hash_of(number).await)
    }
}

impl Network for Fused<dyn Network> {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        Arc::new(Fused(self.0.store(actor), self.1.clone()))
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        Arc::new(Fused(self.0.mailbox(actor, url), self.1.clone()))
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        Arc::new(Fused(self.0.keepers(actor), self.1.clone()))
    }
    fn own_node(&self) -> String {
        self.0.own_node()
    }
}

#[async_trait]
impl Store for Fused<dyn Store> {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        through!(self, "store.put", store(), self.0.put(blocks).await)
    }
    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        through!(self, "store.get", store(), self.0.get(cid).await)
    }
    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        through!(self, "store.has", store(), self.0.has(cids).await)
    }
    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        through!(self, "store.erase", store(), self.0.erase(cids).await)
    }
    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        through!(self, "store.erased", store(), self.0.erased(cid).await)
    }
}

#[async_trait]
impl Mailbox for Fused<dyn Mailbox> {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        through!(self, "mail.send", port(), self.0.send(letter).await)
    }
    async fn fetch(&self) -> Result<Vec<Letter>, PortError> {
        through!(self, "mail.fetch", port(), self.0.fetch().await)
    }
    async fn done(&self, id: [u8; 32]) -> Result<(), PortError> {
        through!(self, "mail.done", port(), self.0.done(id).await)
    }
    async fn notes(&self) -> Result<Vec<(u8, Vec<u8>)>, PortError> {
        through!(self, "notes", port(), self.0.notes().await)
    }
    async fn keep_note(
        &self,
        place: u8,
        follows: Option<Digest>,
        sealed: Vec<u8>,
    ) -> Result<bool, PortError> {
        let kept = self.0.keep_note(place, follows, sealed);
        through!(self, "keep_note", port(), kept.await)
    }
}

#[async_trait]
impl Keepers for Fused<dyn Keepers> {
    async fn deposit(
        &self,
        index: u8,
        deposit: &ShareDeposit,
    ) -> Result<SignedAcknowledgement, PortError> {
        through!(
            self,
            "deposit",
            port(),
            self.0.deposit(index, deposit).await
        )
    }
    async fn acknowledgement(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<SignedAcknowledgement>, PortError> {
        through!(
            self,
            "acknowledgement",
            port(),
            self.0.acknowledgement(index, record).await
        )
    }
    async fn release(&self, index: u8, request: &SignedRequest) -> Result<SignedReply, PortError> {
        through!(
            self,
            "release",
            port(),
            self.0.release(index, request).await
        )
    }
    async fn feed(&self, index: u8) -> Result<Vec<SignedLine>, PortError> {
        through!(self, "feed", port(), self.0.feed(index).await)
    }
    async fn deletion(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<DeletionStatement>, PortError> {
        through!(
            self,
            "deletion",
            port(),
            self.0.deletion(index, record).await
        )
    }
}

impl VaultPort for Fused<dyn VaultPort> {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        through!(self, "vault.get", disk(), self.0.get(table, key))
    }
    fn list(&self, table: &str) -> Result<Vec<Row>, PortError> {
        through!(self, "vault.list", disk(), self.0.list(table))
    }
    fn apply(&self, changes: Vec<Change>) -> Result<(), PortError> {
        through!(self, "vault.apply", disk(), self.0.apply(changes))
    }
    fn put_blob(&self, block: &Block) -> Result<(), PortError> {
        through!(self, "vault.put_blob", disk(), self.0.put_blob(block))
    }
    fn blob(&self, cid: &Cid) -> Result<Option<Vec<u8>>, PortError> {
        through!(self, "vault.blob", disk(), self.0.blob(cid))
    }
    fn drop_blob(&self, cid: &Cid) -> Result<(), PortError> {
        through!(self, "vault.drop_blob", disk(), self.0.drop_blob(cid))
    }
    fn settle(&self) -> Result<(), PortError> {
        through!(self, "vault.settle", disk(), self.0.settle())
    }
    fn drop_file(&self, path: &str, sha256: &Digest) -> FileFate {
        self.0.drop_file(path, sha256)
    }
}
