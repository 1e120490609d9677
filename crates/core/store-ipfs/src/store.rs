//! The store: the port over the writer and a reader.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use medibloc_dag::{Block, Cid};
use medibloc_store::{OwnStore, Store, StoreError};
use rusqlite::Connection;

use crate::check::Report;
use crate::disk::{Disk, DiskFile, RealDisk};
use crate::fault::{Fault, io_fault};
use crate::pack::{self, PackId};
use crate::writer::Writer;
use crate::{index, recover};

/// Open packs that a reader keeps.
const OPEN_PACKS: usize = 64;

/// How a store is kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bytes at which a pack is closed and the next one begun: 256 MiB, so that compaction moves little at a time.
    pub pack_bytes: u64,
    /// Where the packs are written.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pack_bytes: 256 << 20,
            disk: Arc::new(RealDisk),
        }
    }
}

/// Blocks in pack files under one folder; one process has it open.
#[derive(Clone, Debug)]
pub struct IpfsStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    writer: Mutex<Writer>,
    queue: Mutex<Vec<Job>>,
    reader: Mutex<Connection>,
    open: Mutex<HashMap<PackId, Arc<dyn DiskFile>>>,
    _lock: File,
}

/// Blocks that one caller wants kept, and where it looks for the answer.
#[derive(Debug)]
struct Job {
    blocks: Vec<Block>,
    answer: Arc<Mutex<Option<Result<(), StoreError>>>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The writer changes its state only after everything else went well.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IpfsStore {
    /// Opens the store in `root`, or makes an empty one there. A torn end is cut off, a lost or old index is made again
    /// by one scan.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another process has it open or a newer program made it, [`StoreError::Full`] or
    /// [`StoreError::Unreachable`] if the disk does not do its part.
    pub fn open(root: &Path, options: Options) -> Result<Self, StoreError> {
        let folder = root.join("packs");
        let mut private = std::fs::DirBuilder::new();
        private
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(io_fault("packs"))
            .map_err(StoreError::from)?;
        let lock = lock(&root.join("lock"))?;
        let writer = recover::open(root, Arc::clone(&options.disk), options.pack_bytes.max(1))?;
        let reader = index::connect(&root.join("index.db")).map_err(Fault::from)?;
        Ok(Self(Arc::new(Inner {
            disk: options.disk,
            folder,
            writer: Mutex::new(writer),
            queue: Mutex::default(),
            reader: Mutex::new(reader),
            open: Mutex::default(),
            _lock: lock,
        })))
    }

    /// Reads every byte and compares it with the index: the scrub of a node.
    ///
    /// # Errors
    /// If the disk does not answer.
    pub async fn check(&self) -> Result<Report, StoreError> {
        self.on_disk(|inner| Ok(held(&inner.writer).check()?)).await
    }

    /// Compacts the packs that are half dead; `erase` does it too.
    ///
    /// # Errors
    /// If the disk is full or does not answer; nothing is lost then.
    pub async fn compact(&self) -> Result<(), StoreError> {
        self.on_disk(Inner::compact).await
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|error| {
                if error.is_panic() {
                    PANICS.fetch_add(1, Ordering::Relaxed);
                }
                // A panic's message may hold what others sent: it is not told.
                StoreError::Unreachable {
                    why: "a disk thread stopped".into(),
                }
            })?
    }
}

/// Disk threads of this process that ended by a panic.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// How many disk threads of this process ended by a panic, for the operator's figures.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(io_fault("lock"))
        .map_err(StoreError::from)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::Refused {
            why: format!("another process holds {}; stop it first", path.display()),
        }),
        Err(TryLockError::Error(error)) => Err(Fault::io("lock", &error).into()),
    }
}

impl Inner {
    /// Whoever gets the writer first keeps the blocks of all who wait, with one sync.
    fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        let answer = Arc::new(Mutex::new(None));
        held(&self.queue).push(Job {
            blocks,
            answer: Arc::clone(&answer),
        });
        let mut writer = held(&self.writer);
        if let Some(done) = held(&answer).take() {
            return done;
        }
        let mut jobs = core::mem::take(&mut *held(&self.queue));
        // An erasure that was interrupted comes first: it decides what may be kept.
        let settled = writer.settle();
        let may = |job: &Job| {
            settled.clone()?;
            refused(&writer, &job.blocks)
        };
        jobs.retain(|job| match may(job) {
            Ok(()) => true,
            Err(error) => {
                *held(&job.answer) = Some(Err(error));
                false
            }
        });
        let all: Vec<_> = jobs.iter().flat_map(|job| &job.blocks).collect();
        let together = writer.put(&all);
        for job in &jobs {
            let done = if together.is_err() && jobs.len() > 1 {
                // One large caller must not fail the small ones.
                writer.put(&job.blocks.iter().collect::<Vec<_>>())
            } else {
                together.clone()
            };
            *held(&job.answer) = Some(done.map_err(StoreError::from));
        }
        let mine = held(&answer).take();
        mine.unwrap_or_else(|| {
            Err(StoreError::Unreachable {
                why: "the writer gave no answer".into(),
            })
        })
    }

    fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(bytes) = self.read(cid)?.0 {
            return Ok(Some(bytes));
        }
        // Looked at again when nobody erases or compacts.
        let writer = held(&self.writer);
        if writer.pending.iter().any(|one| one.cid == *cid) {
            // Destroyed, though the index could not be told yet.
            return Ok(None);
        }
        match self.read(cid)? {
            (Some(bytes), _) => Ok(Some(bytes)),
            (None, 0) => Ok(None),
            (None, _) => Err(StoreError::Corrupt { cid: *cid }),
        }
    }

    /// The bytes from the first sound copy, and how many copies there are.
    fn read(&self, cid: &Cid) -> Result<(Option<Vec<u8>>, usize), Fault> {
        let copies = index::copies(&held(&self.reader), cid)?;
        for place in &copies {
            let Ok(file) = self.pack(place.pack) else {
                continue;
            };
            let bytes = pack::read(&*file, cid, place).map_err(io_fault("pack"))?;
            if bytes.is_some() {
                return Ok((bytes, copies.len()));
            }
        }
        Ok((None, copies.len()))
    }

    fn pack(&self, pack: PackId) -> std::io::Result<Arc<dyn DiskFile>> {
        let mut open = held(&self.open);
        if let Some(file) = open.get(&pack) {
            return Ok(Arc::clone(file));
        }
        let file = self.disk.open(&pack::path(&self.folder, pack), false)?;
        if open.len() >= OPEN_PACKS {
            open.clear();
        }
        open.insert(pack, Arc::clone(&file));
        Ok(file)
    }

    fn compact(&self) -> Result<(), StoreError> {
        let gone = held(&self.writer).compact()?;
        // A removed pack frees its room only when nobody has it open.
        held(&self.open).retain(|pack, _| !gone.contains(pack));
        Ok(())
    }

    fn erase(&self, cids: &[Cid], only_remove: bool) -> Result<(), StoreError> {
        let mut writer = held(&self.writer);
        let touched = if only_remove {
            writer.remove(cids)?
        } else {
            writer.erase(cids)?
        };
        drop(writer);
        if !touched.is_empty() {
            // What was asked is done; room that cannot be freed now is freed next time.
            let _ = self.compact();
        }
        Ok(())
    }
}

fn refused(writer: &Writer, blocks: &[Block]) -> Result<(), StoreError> {
    for block in blocks {
        if index::is_erased(&writer.index, block.cid()).map_err(Fault::from)? {
            return Err(StoreError::Erased { cid: *block.cid() });
        }
    }
    Ok(())
}

#[async_trait]
impl Store for IpfsStore {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.on_disk(|inner| inner.put(blocks)).await
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        let cid = *cid;
        self.on_disk(move |inner| inner.get(&cid)).await
    }

    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        let cids = cids.to_vec();
        self.on_disk(move |inner| {
            let reader = held(&inner.reader);
            cids.iter()
                .map(|cid| Ok(!index::copies(&reader, cid).map_err(Fault::from)?.is_empty()))
                .collect()
        })
        .await
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        let cids = cids.to_vec();
        self.on_disk(move |inner| inner.erase(&cids, false)).await
    }

    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        let cid = *cid;
        self.on_disk(move |inner| {
            Ok(index::is_erased(&held(&inner.reader), &cid).map_err(Fault::from)?)
        })
        .await
    }
}

#[async_trait]
impl OwnStore for IpfsStore {
    async fn remove(&self, cids: &[Cid]) -> Result<(), StoreError> {
        let cids = cids.to_vec();
        self.on_disk(move |inner| inner.erase(&cids, true)).await
    }

    fn bytes_on_disk(&self) -> Option<u64> {
        let packs = std::fs::read_dir(&self.0.folder).ok()?;
        let lengths = packs.map(|pack| Some(pack.ok()?.metadata().ok()?.len()));
        lengths.sum()
    }

    fn erased_again(&self) -> u64 {
        held(&self.0.writer).erased_again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_on_a_disk_thread_is_an_error_counted_and_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = IpfsStore::open(folder.path(), Options::default()).expect("a store");
        let before = panics();
        let done = store
            .on_disk(|_| -> Result<(), StoreError> { panic!("a fault, with a secret") })
            .await;
        let told = done.expect_err("it panicked").to_string();
        assert!(!told.contains("secret"), "{told}");
        assert_eq!(panics() - before, 1);
        assert!(store.check().await.is_ok(), "the store goes on");
    }
}
