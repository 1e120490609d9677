//! Networks that are not as they should be: a node that lacks a block, requests that are overheard, keepers that lie.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_consent::{
    DeletionStatement, KeeperReply, ShareDeposit, SignedAcknowledgement, SignedLine, SignedReply,
    SignedRequest,
};
use medibloc_dag::{Block, Cid};
use medibloc_journey::{Keepers, Mailbox, Network, PortError};
use medibloc_keys::SigningKey;
use medibloc_record::RecordId;
use medibloc_store::{Store, StoreError};

/// A network whose node lacks one block.
pub(crate) struct Without(pub(crate) Arc<dyn Network>, pub(crate) Cid);

impl Network for Without {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        Arc::new(Lacking(self.0.store(actor), self.1))
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
}

struct Lacking(Arc<dyn Store>, Cid);

#[async_trait]
impl Store for Lacking {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.0.put(blocks).await
    }
    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        if *cid == self.1 {
            return Ok(None);
        }
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

/// Requests with the keepers that they went to.
pub(crate) type Overheard = Arc<Mutex<Vec<(u8, SignedRequest)>>>;

/// A network whose keepers' requests are overheard.
pub(crate) struct Heard(pub(crate) Arc<dyn Network>, pub(crate) Overheard);

/// A network where some keepers answer with another keeper's reply.
pub(crate) struct Liars(pub(crate) Arc<dyn Network>, pub(crate) Vec<u8>);

impl Network for Heard {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.0.store(actor)
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.0.mailbox(actor, url)
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        Arc::new(Odd {
            inner: self.0.keepers(actor),
            heard: Some(self.1.clone()),
            liars: Vec::new(),
        })
    }
    fn own_node(&self) -> String {
        self.0.own_node()
    }
}

impl Network for Liars {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.0.store(actor)
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.0.mailbox(actor, url)
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        Arc::new(Odd {
            inner: self.0.keepers(actor),
            heard: None,
            liars: self.1.clone(),
        })
    }
    fn own_node(&self) -> String {
        self.0.own_node()
    }
}

struct Odd {
    inner: Arc<dyn Keepers>,
    heard: Option<Overheard>,
    liars: Vec<u8>,
}

#[async_trait]
impl Keepers for Odd {
    async fn deposit(
        &self,
        index: u8,
        deposit: &ShareDeposit,
    ) -> Result<SignedAcknowledgement, PortError> {
        self.inner.deposit(index, deposit).await
    }
    async fn acknowledgement(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<SignedAcknowledgement>, PortError> {
        self.inner.acknowledgement(index, record).await
    }
    async fn release(&self, index: u8, request: &SignedRequest) -> Result<SignedReply, PortError> {
        if let Some(heard) = &self.heard {
            heard.lock().unwrap().push((index, request.clone()));
        }
        let mut reply = self.inner.release(index, request).await?;
        if self.liars.contains(&index)
            && let KeeperReply::Released(release) = &mut reply.reply
        {
            release.wrapped.ciphertext[0] ^= 1;
        }
        Ok(reply)
    }
    async fn feed(&self, index: u8) -> Result<Vec<SignedLine>, PortError> {
        let mut lines = self.inner.feed(index).await?;
        if self.liars.contains(&index) {
            lines.iter_mut().for_each(|signed| signed.line.count += 1);
        }
        Ok(lines)
    }
    async fn deletion(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<DeletionStatement>, PortError> {
        self.inner.deletion(index, record).await
    }
}

/// The same network with another store.
pub(crate) struct OtherStore(pub(crate) Arc<dyn Network>, pub(crate) Arc<dyn Store>);

impl Network for OtherStore {
    fn store(&self, _actor: &SigningKey) -> Arc<dyn Store> {
        self.1.clone()
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
}

/// A network whose node's answer for one block makes this program fail.
pub(crate) struct Panics(pub(crate) Arc<dyn Network>, pub(crate) Cid);

impl Network for Panics {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        Arc::new(Panicking(self.0.store(actor), self.1))
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
}

struct Panicking(Arc<dyn Store>, Cid);

#[async_trait]
impl Store for Panicking {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.0.put(blocks).await
    }
    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        assert!(*cid != self.1, "a fault that nobody knows yet");
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
