//! The journey's ports as this program fills them: SQLCipher and the system's chance.

use std::path::Path;
use std::sync::Arc;

use medibloc_dag::{Block, Cid};
use medibloc_journey::{Change, FileFate, PortError, Row, VaultPort};
use medibloc_keys::Entropy;
use medibloc_record::Digest;
use medibloc_vault::{RowChange, Vault, VaultError};

use crate::{exported, reserve};

/// The vault as the journey wants it.
#[derive(Debug)]
pub struct VaultAdapter(pub Arc<Vault>);

fn failed(error: VaultError) -> PortError {
    PortError::Vault {
        why: error.to_string(),
    }
}

impl VaultPort for VaultAdapter {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        self.0.get(table, key).map_err(failed)
    }

    fn list(&self, table: &str) -> Result<Vec<Row>, PortError> {
        self.0.list(table).map_err(failed)
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), PortError> {
        let changes: Vec<RowChange<'_>> = changes
            .iter()
            .map(|change| match change {
                Change::Put { table, key, value } => RowChange::Put { table, key, value },
                Change::Delete { table, key } => RowChange::Delete { table, key },
            })
            .collect();
        self.0.apply(&changes).map_err(failed)
    }

    fn put_blob(&self, block: &Block) -> Result<(), PortError> {
        self.0.put_block(block).map_err(failed)
    }

    fn blob(&self, cid: &Cid) -> Result<Option<Vec<u8>>, PortError> {
        self.0.block(cid).map_err(failed)
    }

    fn put_blobs(&self, blocks: &[Block]) -> Result<(), PortError> {
        self.0.put_blocks(blocks).map_err(failed)
    }

    fn drop_blob(&self, cid: &Cid) -> Result<(), PortError> {
        self.0.drop_block(cid).map_err(failed)
    }

    fn drop_blobs(&self, cids: &[Cid]) -> Result<(), PortError> {
        self.0.drop_blocks(cids).map_err(failed)
    }

    fn settle(&self) -> Result<(), PortError> {
        self.0.settle().map_err(failed)
    }

    fn check(&self) -> Result<Vec<String>, PortError> {
        self.0.check().map_err(failed)
    }

    fn room(&self) -> Option<u64> {
        #[cfg(unix)]
        {
            let there = rustix::fs::statvfs(self.0.path()).ok()?;
            Some(there.f_bavail.saturating_mul(there.f_frsize))
        }
        #[cfg(not(unix))]
        None
    }

    fn free_reserve(&self) {
        if let Some(home) = self.0.path().parent() {
            reserve::free(home);
        }
    }

    fn lend_reserve(&self) -> bool {
        let home = self.0.path().parent();
        home.is_some_and(|home| reserve::lend(home, self.room()))
    }

    fn keep_reserve(&self) {
        if let Some(home) = self.0.path().parent() {
            reserve::keep(home, self.room());
        }
    }

    fn has_reserve(&self) -> Option<bool> {
        self.0.path().parent().map(reserve::is_whole)
    }

    fn drop_file(&self, path: &str, sha256: &Digest) -> FileFate {
        exported::delete(Path::new(path), sha256)
    }
}

/// Chance from the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        // Keys without chance would be keys that others can guess; nothing sensible can be done without it.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vault_on_disk_keeps_the_journeys_contract() {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::create(home.path(), &[7; 32]).unwrap();
        medibloc_journey::contract::vault(&VaultAdapter(Arc::new(vault))).unwrap();
    }
}
