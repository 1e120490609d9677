//! A node that gives some objects a number of times and then does not answer for them.
#![allow(dead_code, reason = "each test takes of it what it needs")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_dag::{Block, Cid};
use medibloc_journey::{Keepers, Mailbox, Network};
use medibloc_keys::SigningKey;
use medibloc_store::{Store, StoreError};

/// How often each of these objects is still given.
type Left = Arc<Mutex<BTreeMap<Cid, usize>>>;

/// A network whose node gives these objects so often.
pub(crate) struct Withheld(Arc<dyn Network>, Left);

impl Withheld {
    pub(crate) fn new(network: Arc<dyn Network>, gives: &[(Cid, usize)]) -> Self {
        let left = gives.iter().copied().collect();
        Self(network, Arc::new(Mutex::new(left)))
    }
}

impl Network for Withheld {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        Arc::new(Partly(self.0.store(actor), self.1.clone()))
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

struct Partly(Arc<dyn Store>, Left);

#[async_trait]
impl Store for Partly {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.0.put(blocks).await
    }
    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(left) = self.1.lock().unwrap().get_mut(cid) {
            if *left == 0 {
                return Err(StoreError::Unreachable {
                    why: "the disk is slow".into(),
                });
            }
            *left -= 1;
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
