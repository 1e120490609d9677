//! What a chain keeps, in one redb file: one write transaction a block, so that a block is there
//! whole or not at all, whenever the process dies.

mod backend;
mod health;
mod snapshot;
mod write;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, atomic::AtomicBool},
};

use redb::{
    Builder, Database, Durability, ReadableDatabase, StorageBackend, TableDefinition, backends,
};

use backend::Latched;
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
    #[error(
        "the chain's file cannot be read or written, and it takes no transactions; the chain's operator must free the disk or see \
         what is wrong with it, then it goes on by itself"
    )]
    Store(#[source] Box<redb::Error>),
    /// The disk refused before, and did not take anything since.
    #[error(
        "the chain takes no transactions since its disk refused a block; the chain's operator must free the disk or see what is \
         wrong with it, then send it again"
    )]
    Resting,
    /// A block was there that this one does not follow: the file was closed and opened again meanwhile.
    #[error("the chain's file was opened again meanwhile; send it again")]
    Moved,
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

/// What opens the bytes of a chain, whenever it is asked.
type Opener = Box<dyn Fn() -> Result<Box<dyn StorageBackend>, DiskError> + Send + Sync>;

/// The file, which is opened again after it failed: the database takes nothing after the first error of its disk.
pub(crate) struct Disk {
    /// None while it could not be opened again.
    database: RwLock<Option<Database>>,
    opener: Opener,
    durability: Durability,
    /// Where it is, if it is in a folder.
    folder: Option<PathBuf>,
    /// The disk refused since the file was opened: what is asked of the database fails.
    broken: Arc<AtomicBool>,
    /// The disk refused, and did not take anything since.
    resting: AtomicBool,
}

impl Disk {
    /// A chain that ends with the process.
    pub(crate) fn memory() -> Result<Self, DiskError> {
        let opener = || -> Result<Box<dyn StorageBackend>, _> {
            Ok(Box::new(backends::InMemoryBackend::new()))
        };
        Self::with(Box::new(opener), Durability::None, None)
    }

    /// The chain in `folder`, made when it is not there.
    pub(crate) fn folder(folder: &Path) -> Result<Self, DiskError> {
        private(folder).map_err(DiskError::Folder)?;
        let path = folder.join("chain.redb");
        let opener = move || -> Result<Box<dyn StorageBackend>, _> {
            // It is there: a chain whose file is gone while it runs does not begin anew.
            let file = std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)?;
            Ok(Box::new(backends::FileBackend::new(file)?))
        };
        let disk = Self::with(
            Box::new(opener),
            Durability::Immediate,
            Some(folder.to_owned()),
        )?;
        disk.rest_if_full();
        Ok(disk)
    }

    /// The chain on what a test says is a disk.
    #[cfg(test)]
    pub(crate) fn on(backend: impl StorageBackend + Clone) -> Result<Self, DiskError> {
        let opener =
            move || -> Result<Box<dyn StorageBackend>, _> { Ok(Box::new(backend.clone())) };
        Self::with(Box::new(opener), Durability::Immediate, None)
    }

    fn with(
        opener: Opener,
        durability: Durability,
        folder: Option<PathBuf>,
    ) -> Result<Self, DiskError> {
        let broken = Arc::new(AtomicBool::new(false));
        let database = open(&opener, &broken)?;
        Ok(Self {
            database: RwLock::new(Some(database)),
            opener,
            durability,
            folder,
            broken,
            resting: AtomicBool::new(false),
        })
    }

    /// The chain as it is now, unmoved by blocks that come later.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, DiskError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database.as_ref().ok_or(DiskError::Resting)?;
        Snapshot::new(database.begin_read()?)
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk")
            .field("folder", &self.folder)
            .field("broken", &self.broken)
            .field("resting", &self.resting)
            .finish_non_exhaustive()
    }
}

fn open(opener: &Opener, broken: &Arc<AtomicBool>) -> Result<Database, DiskError> {
    let backend = Latched::new(opener()?, broken.clone());
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    let database = match builder.create_with_backend(backend) {
        Err(redb::DatabaseError::DatabaseAlreadyOpen) => return Err(DiskError::Held),
        other => other?,
    };
    prepare(&database)?;
    Ok(database)
}

/// Makes the tables of a new file; one that has them is not written to, so that a full disk opens.
fn prepare(database: &Database) -> Result<(), DiskError> {
    let found = match database.begin_read()?.open_table(META) {
        Ok(meta) => meta.get("format")?.map(|value| value.value()),
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(error.into()),
    };
    match found {
        Some(FORMAT) => return Ok(()),
        Some(other) => return Err(DiskError::Format(other)),
        None => {}
    }
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert("format", FORMAT)?;
    transaction.open_table(ACCOUNTS)?;
    transaction.open_table(SLOTS)?;
    transaction.open_table(CODE)?;
    transaction.open_table(NODES)?;
    transaction.open_table(HEADERS)?;
    transaction.open_table(BODIES)?;
    transaction.open_table(HASHES)?;
    transaction.open_table(TRANSACTIONS)?;
    transaction.open_table(LOGGED)?;
    transaction.commit()?;
    Ok(())
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
