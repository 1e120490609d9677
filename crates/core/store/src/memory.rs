//! The memory double.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use medibloc_dag::{Block, Cid};

use crate::{OwnStore, Store, StoreError};

/// Blocks in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    blocks: BTreeMap<Cid, Vec<u8>>,
    erased: BTreeSet<Cid>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some(block) = blocks
            .iter()
            .find(|block| state.erased.contains(block.cid()))
        {
            return Err(StoreError::Erased { cid: *block.cid() });
        }
        state.blocks.extend(
            blocks
                .into_iter()
                .map(|block| (*block.cid(), block.into_bytes())),
        );
        Ok(())
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state().blocks.get(cid).cloned())
    }

    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        let state = self.state();
        Ok(cids
            .iter()
            .map(|cid| state.blocks.contains_key(cid))
            .collect())
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        let mut state = self.state();
        for cid in cids {
            state.blocks.remove(cid);
            state.erased.insert(*cid);
        }
        Ok(())
    }

    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        Ok(self.state().erased.contains(cid))
    }
}

#[async_trait]
impl OwnStore for MemoryStore {
    async fn remove(&self, cids: &[Cid]) -> Result<(), StoreError> {
        let mut state = self.state();
        for cid in cids {
            state.blocks.remove(cid);
        }
        Ok(())
    }
}
