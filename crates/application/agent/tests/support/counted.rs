//! The ports of a home that count what is asked of the chain's anchors and of the vault.
#![allow(dead_code, reason = "each test takes of it what it needs")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_consent::{AnchorFields, Grant};
use medibloc_dag::{Block, Cid};
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Change, FileFate, PortError, Ports, Row, VaultPort};
use medibloc_ledger::{
    AccountFacts, CommitteeFacts, Facts, GrantFacts, Head, LedgerError, RecordFacts, Standing,
};
use medibloc_record::{AccountId, Address, Digest, RecordId, Timestamp};

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Anchors that were held against the chain.
    pub(crate) asked: usize,
    /// Rows that were read.
    pub(crate) rows: usize,
    /// Bytes of them.
    pub(crate) bytes: usize,
    /// Bytes of the longest row that was written.
    pub(crate) longest: usize,
}

#[derive(Default)]
pub(crate) struct Counted {
    vault: MemoryVault,
    counts: Mutex<Counts>,
}

struct CountedFacts(Arc<dyn Facts>, Arc<Counted>);

impl Counted {
    pub(crate) fn over(_: &Arc<World>) -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn ports(self: &Arc<Self>, world: &Arc<World>) -> Ports {
        let mut ports = world.ports_with(self.clone());
        ports.facts = Arc::new(CountedFacts(ports.facts, self.clone()));
        ports
    }

    /// What was counted since the last time.
    pub(crate) fn reset(&self) -> Counts {
        core::mem::take(&mut *self.counts.lock().unwrap())
    }

    fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.counts.lock().unwrap());
    }
}

impl VaultPort for Counted {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        let row = self.vault.get(table, key)?;
        self.count(|counts| {
            counts.rows += 1;
            counts.bytes += row.as_ref().map_or(0, Vec::len);
        });
        Ok(row)
    }
    fn list(&self, table: &str) -> Result<Vec<Row>, PortError> {
        let rows = self.vault.list(table)?;
        self.count(|counts| {
            counts.rows += rows.len();
            counts.bytes += rows.iter().map(|(_, value)| value.len()).sum::<usize>();
        });
        Ok(rows)
    }
    fn apply(&self, changes: Vec<Change>) -> Result<(), PortError> {
        let lengths = changes.iter().map(|change| match change {
            Change::Put { value, .. } => value.len(),
            Change::Delete { .. } => 0,
        });
        let longest = lengths.max().unwrap_or_default();
        self.count(|counts| counts.longest = counts.longest.max(longest));
        self.vault.apply(changes)
    }
    fn put_blob(&self, block: &Block) -> Result<(), PortError> {
        self.vault.put_blob(block)
    }
    fn blob(&self, cid: &Cid) -> Result<Option<Vec<u8>>, PortError> {
        self.vault.blob(cid)
    }
    fn drop_blob(&self, cid: &Cid) -> Result<(), PortError> {
        self.vault.drop_blob(cid)
    }
    fn settle(&self) -> Result<(), PortError> {
        self.vault.settle()
    }
    fn drop_file(&self, path: &str, sha256: &Digest) -> FileFate {
        self.vault.drop_file(path, sha256)
    }
}

#[async_trait]
impl Facts for CountedFacts {
    async fn head(&self) -> Result<Head, LedgerError> {
        self.0.head().await
    }
    async fn account_of(&self, address: Address) -> Result<Option<AccountId>, LedgerError> {
        self.0.account_of(address).await
    }
    async fn account_at(
        &self,
        address: Address,
        block: u64,
    ) -> Result<Option<AccountId>, LedgerError> {
        self.0.account_at(address, block).await
    }
    async fn account(&self, id: AccountId) -> Result<Option<AccountFacts>, LedgerError> {
        self.0.account(id).await
    }
    async fn standing(&self, id: AccountId, at: Timestamp) -> Result<Standing, LedgerError> {
        self.0.standing(id, at).await
    }
    async fn record(&self, id: RecordId) -> Result<Option<RecordFacts>, LedgerError> {
        self.0.record(id).await
    }
    async fn is_anchored(&self, anchor: &AnchorFields) -> Result<bool, LedgerError> {
        self.1.count(|counts| counts.asked += 1);
        self.0.is_anchored(anchor).await
    }
    async fn grant(&self, grant: &Grant) -> Result<GrantFacts, LedgerError> {
        self.0.grant(grant).await
    }
    async fn committee(&self) -> Result<CommitteeFacts, LedgerError> {
        self.0.committee().await
    }
    async fn committee_of(&self, id: u32) -> Result<Option<CommitteeFacts>, LedgerError> {
        self.0.committee_of(id).await
    }
}
