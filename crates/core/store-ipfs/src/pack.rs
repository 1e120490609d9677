//! A pack file: a plain CARv1 of which each section is found by its place.
//!
//! It begins with a header whose one root is the empty block, and that block, because some readers take no CAR without
//! roots. An erased section is overwritten by one of the same length that holds zeros under their own identifier, so
//! the file stays a CAR.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use medibloc_dag::car::{self, MAX_PREFIX, Section};
use medibloc_dag::{Cid, Codec};

use crate::disk::DiskFile;

/// The number of a pack; never used twice.
pub(crate) type PackId = u32;

/// Where the bytes of a section are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) pack: PackId,
    /// Where the section begins, its length first.
    pub(crate) offset: u64,
    /// Bytes of the block.
    pub(crate) length: u32,
}

impl Place {
    /// Bytes of the whole section.
    pub(crate) fn total(&self) -> u64 {
        (self.prefix() + self.length as usize) as u64
    }

    pub(crate) fn prefix(&self) -> usize {
        car::prefix(&Cid::of_raw(b""), self.length as usize).len()
    }
}

/// The first bytes of every pack.
pub(crate) fn prologue() -> Vec<u8> {
    let empty = Cid::of_raw(b"");
    [car::header(&[empty]), car::prefix(&empty, 0)].concat()
}

pub(crate) fn path(folder: &Path, pack: PackId) -> PathBuf {
    folder.join(format!("{pack:010}.car"))
}

/// The number in a pack's name.
pub(crate) fn number(path: &Path) -> Option<PackId> {
    let name = path.file_name()?.to_str()?;
    let digits = name.strip_suffix(".car")?;
    (digits.len() == 10).then(|| digits.parse().ok())?
}

/// The bytes at a place, if they are what the identifier says.
pub(crate) fn read(file: &dyn DiskFile, cid: &Cid, place: &Place) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; place.length as usize];
    let data = place.offset + place.prefix() as u64;
    match file.read_at(&mut bytes, data) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Ok(cid.verify(&bytes).is_ok().then_some(bytes)),
    }
}

/// Overwrites a section with zeros, data first: at every instant either the old identifier or the zeros tell what it
/// was to become.
pub(crate) fn zero(file: &dyn DiskFile, place: &Place) -> io::Result<()> {
    if file.length()? < place.offset + place.total() {
        // The pack is cut: only what is there can be destroyed.
        let rest = file.length()?.saturating_sub(place.offset);
        file.write_at(&vec![0; usize::try_from(rest).unwrap_or(0)], place.offset)?;
        return file.sync();
    }
    let zeros = vec![0; place.length as usize];
    let head = car::prefix(&Cid::of(Codec::Raw, &zeros), zeros.len());
    file.write_at(&zeros, place.offset + head.len() as u64)?;
    file.sync()?;
    file.write_at(&head, place.offset)?;
    file.sync()
}

/// Whether a section was overwritten to its end.
pub(crate) fn is_zero(file: &dyn DiskFile, place: &Place) -> io::Result<bool> {
    let mut bytes = vec![0; usize::try_from(place.total()).unwrap_or(0)];
    match file.read_at(&mut bytes, place.offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
        Ok(()) => {
            let zeros = vec![0; place.length as usize];
            let head = car::prefix(&Cid::of(Codec::Raw, &zeros), zeros.len());
            Ok(bytes.starts_with(&head) && bytes[head.len()..] == zeros)
        }
    }
}

/// What a scan meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) cid: Cid,
    pub(crate) place: Place,
    /// Whether the bytes match the identifier.
    pub(crate) whole: bool,
}

/// Walks a pack from a section's beginning. Where lengths do not lead on, it looks for the next section that proves
/// itself by its digest, so that a flipped bit costs one block and not the rest of the pack.
#[derive(Debug)]
pub(crate) struct Scan {
    file: Arc<dyn DiskFile>,
    pack: PackId,
    at: u64,
    end: u64,
}

impl Scan {
    pub(crate) fn new(file: Arc<dyn DiskFile>, pack: PackId, from: u64) -> io::Result<Self> {
        let end = file.length()?;
        Ok(Self {
            file,
            pack,
            at: from,
            end,
        })
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let here = self.parse(self.at)?;
        if let Some(found) = here {
            let follows = self.at + found.place.total();
            // A broken section whose successor stands where it says is broken in its data alone.
            if found.whole || follows == self.end || self.parse(follows)?.is_some() {
                self.at = follows;
                return Ok(Some(found));
            }
        }
        match self.seek(self.at + 1)? {
            Some(found) => {
                self.at = found.place.offset + found.place.total();
                Ok(Some(found))
            }
            None => {
                self.at = self.end;
                Ok(None)
            }
        }
    }

    fn parse(&self, at: u64) -> io::Result<Option<Found>> {
        let mut head = [0; MAX_PREFIX];
        let there = usize::try_from((self.end - at).min(MAX_PREFIX as u64)).unwrap_or(0);
        self.file.read_at(&mut head[..there], at)?;
        let Ok(section) = Section::parse(&head[..there], at) else {
            return Ok(None);
        };
        let (Ok(length), true) = (
            u32::try_from(section.length),
            at + section.total() as u64 <= self.end,
        ) else {
            return Ok(None);
        };
        let place = Place {
            pack: self.pack,
            offset: at,
            length,
        };
        let whole = read(&*self.file, &section.cid, &place)?.is_some();
        Ok(Some(Found {
            cid: section.cid,
            place,
            whole,
        }))
    }

    /// The next whole section at or after a byte.
    fn seek(&self, from: u64) -> io::Result<Option<Found>> {
        const WINDOW: u64 = 1 << 20;
        let mut base = from;
        while base < self.end {
            let size = usize::try_from((self.end - base).min(WINDOW + MAX_PREFIX as u64));
            let mut window = vec![0; size.unwrap_or(0)];
            self.file.read_at(&mut window, base)?;
            for at in 0..window.len() {
                // Every identifier here is version 1 with a SHA-256; its length stands one to three bytes before.
                let looks = |head: usize| {
                    window.get(at + head) == Some(&1)
                        && window.get(at + head + 2..at + head + 4) == Some(&[0x12, 0x20])
                };
                if !(1..=3).any(looks) {
                    continue;
                }
                if let Some(found) = self.parse(base + at as u64)?.filter(|found| found.whole) {
                    return Ok(Some(found));
                }
            }
            base += WINDOW;
        }
        Ok(None)
    }
}
