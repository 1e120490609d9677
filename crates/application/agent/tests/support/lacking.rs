//! A node that withholds one object.

use std::sync::Arc;

use async_trait::async_trait;
use medibloc_dag::{Block, Cid};
use medibloc_journey::{Keepers, Mailbox, Network};
use medibloc_keys::SigningKey;
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
