//! A node whose storage, notes and relay can be busy, each by itself.
#![allow(dead_code, reason = "each test takes of it what it needs")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_dag::{Block, Cid};
use medibloc_journey::{Keepers, Letter, Mailbox, Network, PortError, Ports};
use medibloc_keys::SigningKey;
use medibloc_ledger::{LedgerError, Outcome, Relay, SignedCall};
use medibloc_record::Digest;
use medibloc_store::{Store, StoreError};

/// What of the node is busy.
#[derive(Clone, Default)]
pub(crate) struct Busy {
    pub(crate) storage: Arc<AtomicBool>,
    pub(crate) notes: Arc<AtomicBool>,
    pub(crate) relay: Arc<AtomicBool>,
    /// What the busy relay was given: it may still bring it to the chain.
    held: Arc<Mutex<Vec<SignedCall>>>,
}

impl Busy {
    /// The same ports, over a node that is busy when it is told to be.
    pub(crate) fn ports(&self, mut ports: Ports) -> Ports {
        ports.network = Arc::new(BusyNetwork(ports.network, self.clone()));
        ports.relay = Arc::new(BusyRelay(ports.relay, self.clone()));
        ports
    }

    pub(crate) fn set(&self, which: &AtomicBool, is_busy: bool) {
        which.store(is_busy, Ordering::SeqCst);
    }

    pub(crate) fn all(&self, is_busy: bool) {
        for which in [&self.storage, &self.notes, &self.relay] {
            self.set(which, is_busy);
        }
    }

    /// Brings to the chain what it was given while it was busy.
    pub(crate) async fn release(&self, relay: &dyn Relay) {
        let held = core::mem::take(&mut *self.held.lock().unwrap());
        for call in held {
            let _ = relay.relay(&call).await;
        }
    }
}

struct BusyRelay(Arc<dyn Relay>, Busy);

#[async_trait]
impl Relay for BusyRelay {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        if self.1.relay.load(Ordering::SeqCst) {
            self.1.held.lock().unwrap().push(call.clone());
            return Err(LedgerError::Unreachable {
                from: "the relay".into(),
                why: "it is busy".into(),
            });
        }
        self.0.relay(call).await
    }
}

struct BusyNetwork(Arc<dyn Network>, Busy);

#[async_trait]
impl Network for BusyNetwork {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        Arc::new(BusyStore(self.0.store(actor), self.1.clone()))
    }
    fn others(&self, actor: &SigningKey) -> Vec<(String, Arc<dyn Store>)> {
        self.0.others(actor)
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        Arc::new(BusyMailbox(self.0.mailbox(actor, url), self.1.clone()))
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.0.keepers(actor)
    }
    fn own_node(&self) -> String {
        self.0.own_node()
    }
}

struct BusyStore(Arc<dyn Store>, Busy);

#[async_trait]
impl Store for BusyStore {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        if self.1.storage.load(Ordering::SeqCst) {
            let why = "connection refused".into();
            return Err(StoreError::Unreachable { why });
        }
        self.0.put(blocks).await
    }
    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(cid).await
    }
    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        self.0.has(cids).await
    }
    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.0.erase(cids).await
    }
    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.0.erased(cid).await
    }
}

struct BusyMailbox(Arc<dyn Mailbox>, Busy);

impl BusyMailbox {
    fn notes_answer(&self) -> Result<(), PortError> {
        match self.1.notes.load(Ordering::SeqCst) {
            true => Err(PortError::Unreachable {
                peer: "the node".into(),
                why: "connection refused".into(),
            }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Mailbox for BusyMailbox {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        self.0.send(letter).await
    }
    async fn fetch(&self) -> Result<Vec<Letter>, PortError> {
        self.0.fetch().await
    }
    async fn done(&self, id: [u8; 32]) -> Result<(), PortError> {
        self.0.done(id).await
    }
    async fn notes(&self) -> Result<Vec<(u8, Vec<u8>)>, PortError> {
        self.notes_answer()?;
        self.0.notes().await
    }
    async fn keep_note(
        &self,
        place: u8,
        follows: Option<Digest>,
        sealed: Vec<u8>,
    ) -> Result<bool, PortError> {
        self.notes_answer()?;
        self.0.keep_note(place, follows, sealed).await
    }
}
