//! Ports of which nobody answers, and a vault that takes nothing.
#![allow(dead_code, reason = "each test takes of it what it needs")]

use std::sync::Arc;

use async_trait::async_trait;
use medibloc_consent::{AnchorFields, Grant};
use medibloc_dag::{Block, Cid};
use medibloc_journey::{
    Change, FileFate, Keepers, Mailbox, Network, PortError, Ports, Row, VaultPort,
};
use medibloc_keys::SigningKey;
use medibloc_ledger::{
    AccountFacts, BlockEvents, Call, CommitteeFacts, Events, Facts, GrantFacts, Head, LedgerError,
    Outcome, ReceiptProof, RecordFacts, Relay, SignedCall, Standing, Submit, UnsignedCall,
};
use medibloc_record::{AccountId, Address, Digest, ReceiptId, RecordId, Timestamp};
use medibloc_store::{Store, StoreError};

/// The same ports without a chain.
pub(crate) fn without_chain(ports: Ports) -> Ports {
    let (from, why) = ("http://127.0.0.1:9".into(), "connection refused".into());
    with_chain(ports, Gone(LedgerError::Unreachable { from, why }))
}

/// The same ports over a chain that answers nonsense.
pub(crate) fn with_garbled_chain(ports: Ports) -> Ports {
    let (from, why) = ("http://127.0.0.1:9".into(), "no JSON".into());
    with_chain(ports, Gone(LedgerError::Corrupt { from, why }))
}

fn with_chain(ports: Ports, gone: Gone) -> Ports {
    let gone = Arc::new(gone);
    Ports {
        submit: gone.clone(),
        relay: gone.clone(),
        facts: gone.clone(),
        events: gone,
        ..ports
    }
}

struct Gone(LedgerError);

impl Gone {
    fn gone<T>(&self) -> Result<T, LedgerError> {
        Err(self.0.clone())
    }
}

#[async_trait]
impl Submit for Gone {
    async fn prepare(
        &self,
        _: Address,
        _: &Call,
        _: Timestamp,
    ) -> Result<UnsignedCall, LedgerError> {
        self.gone()
    }

    async fn rotation_digest(
        &self,
        _: AccountId,
        _: Address,
        _: Timestamp,
    ) -> Result<[u8; 32], LedgerError> {
        self.gone()
    }
}

#[async_trait]
impl Relay for Gone {
    async fn relay(&self, _: &SignedCall) -> Result<Outcome, LedgerError> {
        self.gone()
    }
}

#[async_trait]
impl Facts for Gone {
    async fn head(&self) -> Result<Head, LedgerError> {
        self.gone()
    }
    async fn account_of(&self, _: Address) -> Result<Option<AccountId>, LedgerError> {
        self.gone()
    }
    async fn account_at(&self, _: Address, _: u64) -> Result<Option<AccountId>, LedgerError> {
        self.gone()
    }
    async fn account(&self, _: AccountId) -> Result<Option<AccountFacts>, LedgerError> {
        self.gone()
    }
    async fn standing(&self, _: AccountId, _: Timestamp) -> Result<Standing, LedgerError> {
        self.gone()
    }
    async fn record(&self, _: RecordId) -> Result<Option<RecordFacts>, LedgerError> {
        self.gone()
    }
    async fn is_anchored(&self, _: &AnchorFields) -> Result<bool, LedgerError> {
        self.gone()
    }
    async fn grant(&self, _: &Grant) -> Result<GrantFacts, LedgerError> {
        self.gone()
    }
    async fn committee(&self) -> Result<CommitteeFacts, LedgerError> {
        self.gone()
    }
    async fn committee_of(&self, _: u32) -> Result<Option<CommitteeFacts>, LedgerError> {
        self.gone()
    }
}

#[async_trait]
impl Events for Gone {
    async fn events(&self, _: u64, _: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        self.gone()
    }
    async fn hash_of(&self, _: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        self.gone()
    }
    async fn proof(&self, _: u64, _: ReceiptId) -> Result<Option<ReceiptProof>, LedgerError> {
        self.gone()
    }
}

/// A vault whose disk takes nothing more.
pub(crate) struct ReadOnly(pub(crate) Arc<dyn VaultPort>);

fn full<T>() -> Result<T, PortError> {
    Err(PortError::Vault {
        why: "no space left for the vault".into(),
    })
}

impl VaultPort for ReadOnly {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        self.0.get(table, key)
    }
    fn list(&self, table: &str) -> Result<Vec<Row>, PortError> {
        self.0.list(table)
    }
    fn apply(&self, _: Vec<Change>) -> Result<(), PortError> {
        full()
    }
    fn put_blob(&self, _: &Block) -> Result<(), PortError> {
        full()
    }
    fn blob(&self, cid: &Cid) -> Result<Option<Vec<u8>>, PortError> {
        self.0.blob(cid)
    }
    fn drop_blob(&self, _: &Cid) -> Result<(), PortError> {
        full()
    }
    fn settle(&self) -> Result<(), PortError> {
        full()
    }
    fn drop_file(&self, path: &str, sha256: &Digest) -> FileFate {
        self.0.drop_file(path, sha256)
    }
}

/// A network whose own node does not answer; keepers do.
pub(crate) struct NoStore(pub(crate) Arc<dyn Network>);

#[async_trait]
impl Network for NoStore {
    fn store(&self, _: &SigningKey) -> Arc<dyn Store> {
        Arc::new(NoStoreAtAll)
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.0.mailbox(actor, url)
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.0.keepers(actor)
    }
    fn own_node(&self) -> String {
        self.0.own_node()
    }
    async fn time(&self) -> Result<Option<Timestamp>, PortError> {
        Err(PortError::Unreachable {
            peer: format!("the node {}", self.own_node()),
            why: "connection refused".into(),
        })
    }
}

fn no_store<T>() -> Result<T, StoreError> {
    Err(StoreError::Unreachable {
        why: "connection refused".into(),
    })
}

struct NoStoreAtAll;

#[async_trait]
impl Store for NoStoreAtAll {
    async fn put(&self, _: Vec<Block>) -> Result<(), StoreError> {
        no_store()
    }
    async fn get(&self, _: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        no_store()
    }
    async fn has(&self, _: &[Cid]) -> Result<Vec<bool>, StoreError> {
        no_store()
    }
    async fn erase(&self, _: &[Cid]) -> Result<(), StoreError> {
        no_store()
    }
    async fn erased(&self, _: &Cid) -> Result<bool, StoreError> {
        no_store()
    }
}
