//! Opening parts: every leaf is checked against its identifier before its segments are opened, and the manifest fixes
//! length and plaintext hash, so that loss, swap and repetition of segments cannot pass.

use std::io::Write;

use medibloc_dag::unixfs::{Leaf, check_leaf, leaf_bytes, leaves};
use medibloc_dag::{BlockSource, Budget, Cid, DagError, Walk};
use medibloc_record::{MOST_MANIFEST, ManifestPart};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::SealError;
use crate::body::{
    SEALED_SEGMENT, SEGMENT, cipher, open_segment, open_segments, plain_of, resting,
};

/// Writes the plaintext of a part, in constant memory. What was written before an error is not to be used.
///
/// # Errors
/// If a block is missing or changed, a segment does not open, or length or hash are not the manifest's.
pub fn open_part(
    part: &ManifestPart,
    source: &dyn BlockSource,
    writer: &mut dyn Write,
) -> Result<(), SealError> {
    each_segment(part, source, &mut |segment| {
        let (plain, _) = segment.plain.split_at(segment.real);
        writer.write_all(plain).map_err(SealError::Write)
    })
}

/// The walk over the blocks of a part, at the cost that a part of its length has.
///
/// # Errors
/// If the length is more than a record can have.
pub fn walk_part(part: &ManifestPart) -> Result<Walk, SealError> {
    Ok(Walk::of_file(part.cid, resting(part.length)?)?)
}

/// The walk over the blocks of a linked manifest, whose size only its root tells.
///
/// # Errors
/// If the identifier is no file's.
pub fn walk_manifest(root: Cid) -> Result<Walk, SealError> {
    Ok(Walk::of_unknown_size(
        root,
        Budget::of_file(MOST_MANIFEST)?,
    )?)
}

/// One segment of a part, at rest and opened.
pub(crate) struct Segment<'a> {
    /// As it rests.
    pub(crate) sealed: &'a [u8],
    /// Opened, with its padding.
    pub(crate) plain: &'a [u8],
    /// Bytes of `plain` before the padding.
    pub(crate) real: usize,
}

/// Leaves that are checked and opened together.
const LEAVES: usize = 4;

/// Visits the segments of a part in order. Leaves are checked and segments opened side by side, while the plaintext before
/// them is hashed. Fails at the end if length or hash are not the manifest's.
pub(crate) fn each_segment(
    part: &ManifestPart,
    source: &dyn BlockSource,
    visit: &mut dyn FnMut(&Segment<'_>) -> Result<(), SealError>,
) -> Result<(), SealError> {
    let cipher = cipher(&part.key);
    let size = resting(part.length)?;
    let (mut pending, mut opened) = (Vec::new(), Zeroizing::new(Vec::new()));
    let (mut first, mut left) = (0u64, part.length);
    let mut hashing = Hashing::new(part.length);
    let budget = Budget::of_file(size)?;
    for group in leaves(&part.cid, size, (0, size), source, budget)?.chunks(LEAVES) {
        let fetched = group
            .iter()
            .map(|leaf| {
                let missing = DagError::Missing { cid: leaf.cid };
                Ok((*leaf, source.block(&leaf.cid).ok_or(missing)?))
            })
            .collect::<Result<Vec<_>, DagError>>()?;
        let ((), checks) = rayon::join(
            || hashing.update(&opened),
            || {
                let check = |(leaf, bytes): &(Leaf, Vec<u8>)| check_leaf(leaf, bytes);
                fetched.par_iter().map(check).collect::<Vec<_>>()
            },
        );
        checks.into_iter().collect::<Result<(), DagError>>()?;
        let last = fetched
            .last()
            .is_some_and(|(leaf, _)| leaf.offset + leaf.length == size);
        for (_, bytes) in fetched {
            pending.extend_from_slice(&bytes);
        }
        let whole = pending.len() - pending.len() % SEALED_SEGMENT;
        let ready = if last { pending.len() } else { whole };
        opened.clear();
        opened.extend_from_slice(&pending[..ready]);
        open_segments(&cipher, first, &mut opened)?;
        for (sealed, opened) in pending[..ready]
            .chunks(SEALED_SEGMENT)
            .zip(opened.chunks(SEALED_SEGMENT))
        {
            let plain = plain_of(opened);
            let real = usize::try_from(left.min(plain.len() as u64)).unwrap_or(plain.len());
            if plain[real..].iter().any(|byte| *byte != 0) {
                return Err(SealError::Check("the padding is not zeros"));
            }
            visit(&Segment {
                sealed,
                plain,
                real,
            })?;
            (left, first) = (left - real as u64, first + 1);
        }
        pending.drain(..ready);
    }
    hashing.update(&opened);
    let digest: [u8; 32] = hashing.hash.finalize().into();
    if left != 0 || !bool::from(digest[..].ct_eq(&part.plaintext.as_bytes()[..])) {
        return Err(SealError::Check(
            "the plaintext is not the one that the manifest describes",
        ));
    }
    Ok(())
}

/// The hash of a plaintext whose segments come opened in place, as far as its true length.
struct Hashing {
    hash: Sha256,
    left: u64,
}

impl Hashing {
    fn new(length: u64) -> Self {
        Self {
            hash: Sha256::new(),
            left: length,
        }
    }

    fn update(&mut self, opened: &[u8]) {
        for plain in opened.chunks(SEALED_SEGMENT).map(plain_of) {
            let real = usize::try_from(self.left.min(plain.len() as u64)).unwrap_or(plain.len());
            self.hash.update(&plain[..real]);
            self.left -= real as u64;
        }
    }
}

/// Bytes `offset..offset + length` of a part, cut at its end; only the leaves that hold them are fetched. Each segment is
/// authentic and at its place; the hash of the whole is not checked.
///
/// # Errors
/// As [`open_part`].
pub fn open_range(
    part: &ManifestPart,
    offset: u64,
    length: u64,
    source: &dyn BlockSource,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let end = offset.saturating_add(length).min(part.length);
    let mut out = Zeroizing::new(Vec::new());
    if offset >= end {
        return Ok(out);
    }
    let (plain, sealed) = (SEGMENT as u64, SEALED_SEGMENT as u64);
    let size = resting(part.length)?;
    let (first, last) = (offset / plain, (end - 1) / plain);
    let (from, to) = (first * sealed, ((last + 1) * sealed).min(size));
    let found = leaves(&part.cid, size, (from, to), source, Budget::of_file(size)?)?;
    let start = found.first().map_or(0, |leaf| leaf.offset);
    let mut bytes = Vec::new();
    for leaf in &found {
        bytes.extend_from_slice(&leaf_bytes(leaf, source)?);
    }
    let cipher = cipher(&part.key);
    let cut = |at: u64| usize::try_from(at).map_err(|_| SealError::Check("an offset out of range"));
    for segment in first..=last {
        let at = cut(segment * sealed - start)?;
        let stop = cut((segment + 1) * sealed - start)?.min(cut(to - start)?);
        let slice = bytes
            .get_mut(at..stop)
            .ok_or(SealError::Segment { segment })?;
        let opened = open_segment(&cipher, segment, slice)?;
        let base = segment * plain;
        let (skip, keep) = (
            cut(offset.saturating_sub(base))?,
            cut((end - base).min(plain))?,
        );
        out.extend_from_slice(
            opened
                .get(skip..keep)
                .ok_or(SealError::Segment { segment })?,
        );
    }
    Ok(out)
}
