//! The one writer: appends to the last pack, destroys what is erased, and commits the index after the packs.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use medibloc_dag::{Block, Cid, car};
use rusqlite::Connection;

use crate::disk::{Disk, DiskFile};
use crate::erasures::{Erasure, Erasures};
use crate::fault::{Fault, io_fault};
use crate::index;
use crate::pack::{self, PackId, Place};

/// Bytes that are gathered before they go to the disk.
const GATHER: usize = 4 << 20;

#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: PathBuf,
    pub(crate) index: Connection,
    pub(crate) log: Erasures,
    /// Erasures in the log that the index does not know yet.
    pub(crate) pending: Vec<Erasure>,
    pub(crate) tail: Option<Tail>,
    /// The number of the next pack.
    pub(crate) next: PackId,
    pub(crate) pack_bytes: u64,
    /// Copies of erased blocks that were back when it was opened.
    pub(crate) erased_again: u64,
}

/// The pack that grows.
#[derive(Clone, Debug)]
pub(crate) struct Tail {
    pub(crate) pack: PackId,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) length: u64,
}

/// Blocks on their way: written, not yet in the index.
#[derive(Debug)]
struct Append {
    tail: Option<Tail>,
    next: PackId,
    gathered: Vec<u8>,
    rows: Vec<(Cid, Place)>,
    /// Packs that were closed on the way.
    closed: Vec<Tail>,
    made: Vec<PackId>,
}

impl Writer {
    /// Keeps blocks that are not there; `forget` is a pack whose blocks these are. Durable when it returns; else as if
    /// nothing was asked.
    pub(crate) fn append<'a>(
        &mut self,
        blocks: impl Iterator<Item = Result<(Cid, Cow<'a, [u8]>), Fault>>,
        forget: Option<PackId>,
    ) -> Result<(), Fault> {
        let mut append = Append {
            tail: self.tail.clone(),
            next: self.next,
            gathered: Vec::new(),
            rows: Vec::new(),
            closed: Vec::new(),
            made: Vec::new(),
        };
        let done = self
            .write(&mut append, blocks)
            .and_then(|()| self.commit(&append, forget));
        match done {
            Ok(()) => {
                self.tail = append.tail;
                self.next = append.next;
                Ok(())
            }
            Err(fault) => {
                self.take_back(&append);
                Err(fault)
            }
        }
    }

    fn write<'a>(
        &self,
        append: &mut Append,
        blocks: impl Iterator<Item = Result<(Cid, Cow<'a, [u8]>), Fault>>,
    ) -> Result<(), Fault> {
        let begin = pack::prologue().len() as u64;
        for block in blocks {
            let (cid, bytes) = block?;
            let head = car::prefix(&cid, bytes.len());
            let total = (head.len() + bytes.len()) as u64;
            let at = append
                .tail
                .as_ref()
                .map(|tail| tail.length + append.gathered.len() as u64);
            // A pack takes its first block however long that is.
            let room = at.is_some_and(|at| at == begin || at + total <= self.pack_bytes);
            if !room {
                self.flush(append)?;
                self.roll(append)?;
            }
            let tail = append.tail.as_ref().expect("rolled to one above");
            let place = Place {
                pack: tail.pack,
                offset: tail.length + append.gathered.len() as u64,
                length: u32::try_from(bytes.len()).expect("a block is at most 1 MiB"),
            };
            append.rows.push((cid, place));
            append.gathered.extend_from_slice(&head);
            append.gathered.extend_from_slice(&bytes);
            if append.gathered.len() >= GATHER {
                self.flush(append)?;
            }
        }
        self.flush(append)?;
        for tail in append.closed.iter().chain(&append.tail) {
            if append.rows.iter().any(|(_, place)| place.pack == tail.pack) {
                tail.file.sync().map_err(io_fault("pack"))?;
            }
        }
        Ok(())
    }

    fn flush(&self, append: &mut Append) -> Result<(), Fault> {
        if let Some(tail) = &mut append.tail {
            tail.file
                .write_at(&append.gathered, tail.length)
                .map_err(io_fault("pack"))?;
            tail.length += append.gathered.len() as u64;
            append.gathered.clear();
        }
        Ok(())
    }

    fn roll(&self, append: &mut Append) -> Result<(), Fault> {
        append.closed.extend(append.tail.take());
        let id = append.next;
        let fault = io_fault("new pack");
        append.made.push(id);
        let file = self
            .disk
            .open(&pack::path(&self.folder, id), true)
            .map_err(&fault)?;
        let prologue = pack::prologue();
        file.set_length(0).map_err(&fault)?;
        file.write_at(&prologue, 0).map_err(&fault)?;
        self.disk.sync_folder(&self.folder).map_err(&fault)?;
        append.next += 1;
        append.tail = Some(Tail {
            pack: id,
            file,
            length: prologue.len() as u64,
        });
        Ok(())
    }

    fn commit(&mut self, append: &Append, forget: Option<PackId>) -> Result<(), Fault> {
        let transaction = self.index.transaction()?;
        for (cid, place) in &append.rows {
            index::insert(&transaction, cid, place)?;
        }
        for tail in append.closed.iter().chain(&append.tail) {
            index::set_length(&transaction, tail.pack, tail.length)?;
        }
        if let Some(pack) = forget {
            index::forget_pack(&transaction, pack)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Frees what a failed append took. If this fails too, the next append writes over it, and a scan finds only blocks
    /// that prove themselves.
    fn take_back(&self, append: &Append) {
        for id in &append.made {
            let _ = self.disk.remove(&pack::path(&self.folder, *id));
        }
        if let Some(tail) = &self.tail {
            let _ = tail.file.set_length(tail.length);
        }
    }

    /// Keeps the blocks of one or more callers at once.
    pub(crate) fn put(&mut self, blocks: &[&Block]) -> Result<(), Fault> {
        let mut seen = HashSet::new();
        let mut new = Vec::new();
        for block in blocks {
            if seen.insert(*block.cid()) && self.find(block.cid())?.is_none() {
                new.push(Ok((*block.cid(), Cow::Borrowed(block.bytes()))));
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        self.append(new.into_iter(), None)
    }

    /// The bytes of a block from its first sound copy.
    fn find(&self, cid: &Cid) -> Result<Option<Vec<u8>>, Fault> {
        for place in index::copies(&self.index, cid)? {
            let opened = self.disk.open(&pack::path(&self.folder, place.pack), false);
            let Ok(file) = opened else { continue };
            if let Some(bytes) = pack::read(&*file, cid, &place).map_err(io_fault("pack"))? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Destroys blocks; gives the packs that lost something.
    pub(crate) fn erase(&mut self, cids: &[Cid]) -> Result<BTreeSet<PackId>, Fault> {
        self.settle()?;
        let mut erasures = Vec::new();
        for cid in cids.iter().copied().collect::<HashSet<_>>() {
            let copies = index::copies(&self.index, &cid)?;
            if copies.is_empty() && !index::is_erased(&self.index, &cid)? {
                erasures.push(Erasure::of_nothing(cid));
            }
            erasures.extend(copies.into_iter().map(|place| Erasure {
                cid,
                place,
                only_removed: false,
            }));
        }
        self.carry_out(erasures)
    }

    /// Destroys the bytes of blocks, which may be kept again; gives the packs that lost something.
    pub(crate) fn remove(&mut self, cids: &[Cid]) -> Result<BTreeSet<PackId>, Fault> {
        self.settle()?;
        let mut erasures = Vec::new();
        for cid in cids.iter().copied().collect::<HashSet<_>>() {
            let copies = index::copies(&self.index, &cid)?;
            erasures.extend(copies.into_iter().map(|place| Erasure {
                cid,
                place,
                only_removed: true,
            }));
        }
        self.carry_out(erasures)
    }

    fn carry_out(&mut self, erasures: Vec<Erasure>) -> Result<BTreeSet<PackId>, Fault> {
        if erasures.is_empty() {
            return Ok(BTreeSet::new());
        }
        self.log
            .append(&erasures)
            .map_err(io_fault("log of erasures"))?;
        let packs = erasures.iter().map(|one| one.place.pack).collect();
        self.pending = erasures;
        self.settle()?;
        Ok(packs)
    }

    /// Carries out what the log of erasures says and the index does not know. Doing it twice is doing it once.
    pub(crate) fn settle(&mut self) -> Result<(), Fault> {
        if self.pending.is_empty() && index::log_length(&self.index)? == self.log.length() {
            return Ok(());
        }
        for erasure in &self.pending {
            if erasure.place.pack == 0 {
                continue;
            }
            let path = pack::path(&self.folder, erasure.place.pack);
            match self.disk.open(&path, false) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Fault::io("pack", &error)),
                Ok(file) => destroy(&*file, &erasure.place).map_err(io_fault("pack"))?,
            }
        }
        let transaction = self.index.transaction()?;
        for erasure in &self.pending {
            if erasure.only_removed {
                index::forget(&transaction, &erasure.cid, &erasure.place)?;
            } else {
                index::erase(&transaction, &erasure.cid)?;
            }
        }
        index::set_log_length(&transaction, self.log.length())?;
        transaction.commit()?;
        self.pending.clear();
        Ok(())
    }
}

fn destroy(file: &dyn DiskFile, place: &Place) -> io::Result<()> {
    if pack::is_zero(file, place)? {
        return Ok(());
    }
    pack::zero(file, place)
}
