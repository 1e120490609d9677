//! Sealed blocks between the vault, which has the primary copy, and storage.

use medibloc_dag::{Block, Cid};
use medibloc_seal::{BlockSink, SinkError};

use crate::ports::VaultPort;
use crate::{JourneyError, Party};

/// Leaves in flight at a time.
pub(crate) const WINDOW: usize = 8;

/// Keeps every block of a record that is being sealed in the vault.
pub(crate) struct VaultSink<'a> {
    vault: &'a dyn VaultPort,
    cids: Vec<Cid>,
}

impl<'a> VaultSink<'a> {
    pub(crate) fn new(vault: &'a dyn VaultPort) -> Self {
        Self {
            vault,
            cids: Vec::new(),
        }
    }

    pub(crate) fn into_cids(self) -> Vec<Cid> {
        self.cids
    }
}

impl BlockSink for VaultSink<'_> {
    fn put(&mut self, block: Block) -> Result<(), SinkError> {
        self.vault.put_blob(&block).map_err(|error| SinkError {
            why: error.to_string(),
        })?;
        self.cids.push(*block.cid());
        Ok(())
    }
}

impl Party {
    pub(crate) fn vault_block(&self, cid: &Cid) -> Result<Block, JourneyError> {
        let bytes = self
            .ports
            .vault
            .blob(cid)?
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("block {cid}"),
                hint: "the vault lost it; restore from the phrase",
            })?;
        Block::new(*cid, bytes).map_err(|source| JourneyError::Malformed {
            what: "block of the vault",
            source,
        })
    }
}
