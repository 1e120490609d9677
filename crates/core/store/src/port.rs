//! The port.

use async_trait::async_trait;
use medibloc_dag::{Block, Cid};

use crate::StoreError;

/// A content-addressed store of sealed blocks.
#[async_trait]
pub trait Store: Send + Sync {
    /// Keeps blocks; all are durable when it returns. Keeping one twice is keeping it once.
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError>;
    /// The bytes of a block, checked; none if it is not there or was erased.
    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError>;
    /// The bytes of many blocks in their order, each checked; none for those that are not there. A remote store asks in
    /// few requests.
    async fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut found = Vec::with_capacity(cids.len());
        for cid in cids {
            found.push(self.get(cid).await?);
        }
        Ok(found)
    }
    /// Which of these are there.
    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError>;
    /// Deletes blocks for good; a tombstone stays.
    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError>;
    /// Whether a block was erased.
    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError>;
}

/// A store on one's own disk, that can also forget.
#[async_trait]
pub trait OwnStore: Store {
    /// Takes blocks away that nobody needs; no tombstone stays, they may be kept again.
    async fn remove(&self, cids: &[Cid]) -> Result<(), StoreError>;
    /// Bytes of its files, if it has any and they can be told; what is erased in them counts until it is compacted.
    fn bytes_on_disk(&self) -> Option<u64> {
        None
    }
    /// Copies of erased blocks that were back when it was opened, since somebody had put an older copy of its files there, and that
    /// it destroyed again.
    fn erased_again(&self) -> u64 {
        0
    }
}
