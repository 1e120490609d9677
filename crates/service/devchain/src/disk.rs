//! What a chain keeps, in one redb file: one write transaction a block, so that a block is there
//! whole or not at all, whenever the process dies.

mod snapshot;
mod write;

use std::path::Path;

use redb::{
    Builder, Database, Durability, ReadableDatabase, ReadableTable as _, TableDefinition, backends,
};

pub(crate) use snapshot::{Head, Included, Snapshot};
pub(crate) use write::NewBlock;

/// The chain's own facts: `format`, `chain-id`, `offset`.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// address → nonce, balance, code hash, storage root.
const ACCOUNTS: TableDefinition<&[u8; 20], AccountRow> = TableDefinition::new("accounts");
/// address ‖ slot → value; zero is absent.
const SLOTS: TableDefinition<&[u8; 52], &[u8; 32]> = TableDefinition::new("slots");
/// code hash → code.
const CODE: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("code");
/// keccak of the address that owns the trie (zero for the trie of accounts) ‖ node hash → node.
const NODES: TableDefinition<&[u8; 64], &[u8]> = TableDefinition::new("nodes");
/// number → hash ‖ header in RLP.
const HEADERS: TableDefinition<u64, &[u8]> = TableDefinition::new("headers");
/// number → an RLP list of transaction, sender, receipt, transaction, sender, …
const BODIES: TableDefinition<u64, &[u8]> = TableDefinition::new("bodies");
/// block hash → number.
const HASHES: TableDefinition<&[u8; 32], u64> = TableDefinition::new("hashes");
/// transaction hash → number of its block, its place there.
const TRANSACTIONS: TableDefinition<&[u8; 32], (u64, u64)> = TableDefinition::new("transactions");
/// address ‖ number of a block where it logged, big-endian.
const LOGGED: TableDefinition<&[u8; 28], ()> = TableDefinition::new("logged");

type AccountRow = (u64, &'static [u8; 32], &'static [u8; 32], &'static [u8; 32]);

/// Changes with every change of the tables above.
const FORMAT: u64 = 1;
/// Enough for the state of a clinic; the rest is the operating system's cache.
const CACHE_BYTES: usize = 64 << 20;

/// Why the file of a chain could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// Another process holds the file.
    #[error("another process has the chain open; stop it or choose another folder")]
    Held,
    /// The file was written by another version of this program.
    #[error("the chain is in format {0}, this program reads {FORMAT}; start a new folder")]
    Format(u64),
    /// The disk refused: full, gone or broken.
    #[error("the chain's file cannot be read or written; free the disk, then open the chain again")]
    Store(#[source] Box<redb::Error>),
    /// The folder cannot be made.
    #[error("the chain's folder cannot be made; choose one that can be written")]
    Folder(#[source] std::io::Error),
    /// What was read is not what was written.
    #[error("the chain's {0} cannot be read back; restore the folder from a copy")]
    Corrupt(&'static str),
}

impl<E: Into<redb::Error>> From<E> for DiskError {
    fn from(error: E) -> Self {
        Self::Store(Box::new(error.into()))
    }
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Disk {
    database: Database,
    durability: Durability,
}

impl Disk {
    /// A chain that ends with the process.
    pub(crate) fn memory() -> Result<Self, DiskError> {
        let database = Builder::new().create_with_backend(backends::InMemoryBackend::new())?;
        Self::prepare(database, Durability::None)
    }

    /// The chain in `folder`, made when it is not there.
    pub(crate) fn folder(folder: &Path) -> Result<Self, DiskError> {
        private(folder).map_err(DiskError::Folder)?;
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES);
        let database = match builder.create(folder.join("chain.redb")) {
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => return Err(DiskError::Held),
            other => other?,
        };
        Self::prepare(database, Durability::Immediate)
    }

    /// The chain on what a test says is a disk.
    #[cfg(test)]
    pub(crate) fn on(backend: impl redb::StorageBackend) -> Result<Self, DiskError> {
        Self::prepare(
            Builder::new().create_with_backend(backend)?,
            Durability::Immediate,
        )
    }

    fn prepare(database: Database, durability: Durability) -> Result<Self, DiskError> {
        let transaction = database.begin_write()?;
        let format = {
            let mut meta = transaction.open_table(META)?;
            let format = meta.get("format")?.map(|value| value.value());
            if format.is_none() {
                meta.insert("format", FORMAT)?;
            }
            transaction.open_table(ACCOUNTS)?;
            transaction.open_table(SLOTS)?;
            transaction.open_table(CODE)?;
            transaction.open_table(NODES)?;
            transaction.open_table(HEADERS)?;
            transaction.open_table(BODIES)?;
            transaction.open_table(HASHES)?;
            transaction.open_table(TRANSACTIONS)?;
            transaction.open_table(LOGGED)?;
            format.unwrap_or(FORMAT)
        };
        if format != FORMAT {
            return Err(DiskError::Format(format));
        }
        transaction.commit()?;
        Ok(Self {
            database,
            durability,
        })
    }

    /// The chain as it is now, unmoved by blocks that come later.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, DiskError> {
        Snapshot::new(self.database.begin_read()?)
    }
}

fn slot_key(address: &[u8; 20], slot: &[u8; 32]) -> [u8; 52] {
    let mut key = [0; 52];
    key[..20].copy_from_slice(address);
    key[20..].copy_from_slice(slot);
    key
}

fn node_key(owner: &[u8; 32], hash: &[u8; 32]) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(owner);
    key[32..].copy_from_slice(hash);
    key
}

fn logged_key(address: &[u8; 20], number: u64) -> [u8; 28] {
    let mut key = [0; 28];
    key[..20].copy_from_slice(address);
    key[20..].copy_from_slice(&number.to_be_bytes());
    key
}

/// Makes folder and file if they are not there, and closes the file to others on the machine.
fn private(folder: &Path) -> std::io::Result<()> {
    let mut folders = std::fs::DirBuilder::new();
    let mut file = std::fs::OpenOptions::new();
    let path = folder.join("chain.redb");
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
        folders.mode(0o700);
        file.mode(0o600);
        if path.exists() {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        }
    }
    folders.recursive(true).create(folder)?;
    file.create(true).append(true).open(path).map(drop)
}
