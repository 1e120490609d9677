//! A disk that is as full and as slow as a test wants, and blocks to keep on it.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers of a test")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

use medibloc_dag::{Block, Codec};
use medibloc_store_ipfs::{Disk, DiskFile, Options, RealDisk};

/// A block of some hundred bytes; each number gives another.
pub(crate) fn block(n: u32) -> Block {
    let text = format!("{n:08} ").repeat(10 + n as usize % 7);
    Block::of(Codec::Raw, text.into_bytes()).unwrap()
}

pub(crate) fn blocks(of: std::ops::Range<u32>) -> Vec<Block> {
    of.map(block).collect()
}

pub(crate) fn options(pack_bytes: u64) -> Options {
    let mut options = Options::default();
    options.pack_bytes = pack_bytes;
    options
}

/// Takes so many bytes and no more; the write that meets the limit is done in part.
#[derive(Clone, Debug)]
pub(crate) struct SmallDisk(Arc<State>);

#[derive(Debug)]
struct State {
    left: AtomicI64,
    syncs: AtomicU64,
    held: AtomicBool,
}

impl SmallDisk {
    pub(crate) fn new(left: i64) -> Self {
        Self(Arc::new(State {
            left: AtomicI64::new(left),
            syncs: AtomicU64::new(0),
            held: AtomicBool::new(false),
        }))
    }

    pub(crate) fn options(&self, pack_bytes: u64) -> Options {
        let mut options = options(pack_bytes);
        options.disk = Arc::new(self.clone());
        options
    }

    pub(crate) fn free(&self, more: i64) {
        self.0.left.fetch_add(more, SeqCst);
    }

    pub(crate) fn set(&self, left: i64) {
        self.0.left.store(left, SeqCst);
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.0.syncs.load(SeqCst)
    }

    /// While it is held, no sync returns.
    pub(crate) fn hold_syncs(&self, held: bool) {
        self.0.held.store(held, SeqCst);
    }
}

impl Disk for SmallDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = RealDisk.open(path, create)?;
        Ok(Arc::new(SmallFile(file, self.clone())))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(path)
    }
}

#[derive(Debug)]
struct SmallFile(Arc<dyn DiskFile>, SmallDisk);

impl DiskFile for SmallFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let wanted = bytes.len() as i64;
        let left = self.1.0.left.fetch_sub(wanted, SeqCst);
        if left >= wanted {
            return self.0.write_at(bytes, offset);
        }
        self.1.0.left.store(0, SeqCst);
        self.0.write_at(&bytes[..left.max(0) as usize], offset)?;
        Err(io::ErrorKind::StorageFull.into())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.set_length(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn sync(&self) -> io::Result<()> {
        self.1.0.syncs.fetch_add(1, SeqCst);
        while self.1.0.held.load(SeqCst) {
            std::thread::yield_now();
        }
        self.0.sync()
    }
}
