//! The log of erasures: what is gone for good, written before anything is destroyed.
//!
//! 64 bytes a record: `cid (36) ‖ pack (4) ‖ offset (8) ‖ length (4) ‖ first 12 bytes of the SHA-256 of those`, numbers
//! big-endian. Pack 0 means that no bytes were there. The highest bit of the length says that the block was only
//! removed: its bytes are destroyed, but it may be kept again.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use medibloc_dag::Cid;
use sha2::{Digest, Sha256};

use crate::disk::DiskFile;
use crate::pack::{PackId, Place};

const RECORD: usize = 64;

/// One erased copy of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Erasure {
    pub(crate) cid: Cid,
    pub(crate) place: Place,
    /// It may be kept again.
    pub(crate) only_removed: bool,
}

/// In the length of a record; no block is so long.
const ONLY_REMOVED: u32 = 1 << 31;

impl Erasure {
    /// The erasure of a block that was not there.
    pub(crate) const fn of_nothing(cid: Cid) -> Self {
        let place = Place {
            pack: 0,
            offset: 0,
            length: 0,
        };
        Self {
            cid,
            place,
            only_removed: false,
        }
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.cid.to_bytes();
        bytes.extend_from_slice(&self.place.pack.to_be_bytes());
        bytes.extend_from_slice(&self.place.offset.to_be_bytes());
        let mark = if self.only_removed { ONLY_REMOVED } else { 0 };
        bytes.extend_from_slice(&(self.place.length | mark).to_be_bytes());
        let check = Sha256::digest(&bytes);
        bytes.extend_from_slice(&check[..12]);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (cid, rest) = bytes.split_at_checked(36)?;
        let (pack, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (length, check) = rest.split_first_chunk()?;
        let right = Sha256::digest(&bytes[..52]);
        (right[..12] == *check).then_some(())?;
        let length = u32::from_be_bytes(*length);
        Some(Self {
            cid: Cid::from_bytes(cid).ok()?,
            only_removed: length & ONLY_REMOVED != 0,
            place: Place {
                pack: u32::from_be_bytes(*pack),
                offset: u64::from_be_bytes(*offset),
                length: length & !ONLY_REMOVED,
            },
        })
    }
}

/// The open log.
#[derive(Debug)]
pub(crate) struct Erasures {
    file: Arc<dyn DiskFile>,
    length: u64,
}

impl Erasures {
    /// The log and its records with their ends; a torn last record is cut off, a damaged one is left out.
    pub(crate) fn open(file: Arc<dyn DiskFile>) -> io::Result<(Self, Vec<(u64, Erasure)>)> {
        let mut bytes = vec![0; usize::try_from(file.length()?).map_err(io::Error::other)?];
        file.read_at(&mut bytes, 0)?;
        let length = (bytes.len() / RECORD * RECORD) as u64;
        if length < bytes.len() as u64 {
            file.set_length(length)?;
            file.sync()?;
        }
        let records = bytes
            .chunks_exact(RECORD)
            .zip(1u64..)
            .filter_map(|(record, nth)| Some((nth * RECORD as u64, Erasure::from_bytes(record)?)))
            .collect();
        Ok((Self { file, length }, records))
    }

    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Adds records, durable when it returns; adds none if it fails.
    pub(crate) fn append(&mut self, erasures: &[Erasure]) -> io::Result<()> {
        let bytes: Vec<u8> = erasures.iter().flat_map(|one| one.to_bytes()).collect();
        let written = self
            .file
            .write_at(&bytes, self.length)
            .and_then(|()| self.file.sync());
        if let Err(error) = written {
            // What is left behind is overwritten by the next record, or is an erasure that was asked for.
            let _ = self.file.set_length(self.length);
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Where sections were destroyed.
    pub(crate) fn places(&self) -> io::Result<HashSet<(PackId, u64)>> {
        let (_, records) = Self::open(Arc::clone(&self.file))?;
        Ok(records
            .into_iter()
            .map(|(_, one)| (one.place.pack, one.place.offset))
            .collect())
    }
}
