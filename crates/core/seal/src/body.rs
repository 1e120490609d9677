//! Crypt4GH data segments (GA4GH Crypt4GH 1.0, section 3.4): 12-byte nonce ‖ ChaCha20-Poly1305 of up to 65,536 bytes.

use std::io::{IoSliceMut, Read};

use medibloc_keys::{Entropy, wipe_stack_of};
use medibloc_record::PartKey;
use rayon::prelude::*;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::SealError;

/// Plaintext bytes of a segment.
pub(crate) const SEGMENT: usize = 65_536;
/// Ciphertext bytes of a full segment.
pub(crate) const SEALED_SEGMENT: usize = SEGMENT + OVERHEAD;
/// Segments of a stream that are worked on together: 1 MiB, which stays in a core's cache.
pub(crate) const BATCH: usize = 16;
pub(crate) const NONCE: usize = 12;
/// Nonce and tag.
pub(crate) const OVERHEAD: usize = NONCE + 16;
/// Smallest padded length.
const FLOOR: u64 = 4096;

/// Padmé(length), at least 4 KiB: what an observer learns of a length is its magnitude.
pub(crate) const fn padded(length: u64) -> u64 {
    if length <= FLOOR {
        return FLOOR;
    }
    let exponent = length.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1u64 << (exponent - kept)) - 1;
    match length.checked_add(mask) {
        Some(sum) => sum & !mask,
        None => length,
    }
}

/// Plaintext bytes of a part, at most: their ciphertext is within what a record may have.
pub(crate) const MOST_PLAIN: u64 = 1 << 40;

/// Ciphertext bytes of `plain` bytes, which are at most twice [`MOST_PLAIN`].
pub(crate) const fn sealed_length(plain: u64) -> u64 {
    plain + plain.div_ceil(SEGMENT as u64) * OVERHEAD as u64
}

/// Bytes that a part of this many plaintext bytes rests as. The length may come from outside.
///
/// # Errors
/// If no record can have so many.
pub(crate) fn resting(length: u64) -> Result<u64, SealError> {
    if length > MOST_PLAIN {
        return Err(SealError::Check(
            "a part says that it has more than 1 TiB, which no record has",
        ));
    }
    Ok(sealed_length(padded(length)))
}

/// What a cipher leaves of its key on the stack is not deeper than this.
const CIPHERS_STACK: usize = 4 << 10;

pub(crate) fn cipher(key: &PartKey) -> Box<LessSafeKey> {
    let cipher = boxed(key);
    wipe_stack_of::<CIPHERS_STACK>();
    cipher
}

#[inline(never)]
fn boxed(key: &PartKey) -> Box<LessSafeKey> {
    let key =
        UnboundKey::new(&CHACHA20_POLY1305, key.expose()).expect("a ChaCha20 key has 32 bytes");
    Box::new(LessSafeKey::new(key))
}

/// A random nonce for each segment of `plain` bytes.
pub(crate) fn nonces(plain: usize, entropy: &mut dyn Entropy) -> Vec<[u8; NONCE]> {
    let mut nonces = vec![[0u8; NONCE]; plain.div_ceil(SEGMENT)];
    for nonce in &mut nonces {
        entropy.fill(nonce);
    }
    nonces
}

/// Seals the segments of `plain` in parallel, each with its own nonce, into `out`, which has their sealed length.
pub(crate) fn seal_segments(
    cipher: &LessSafeKey,
    plain: &[u8],
    nonces: &[[u8; NONCE]],
    out: &mut [u8],
) {
    debug_assert_eq!(
        plain.len().div_ceil(SEGMENT),
        nonces.len(),
        "no segment without a nonce"
    );
    debug_assert_eq!(out.len() as u64, sealed_length(plain.len() as u64));
    out.par_chunks_mut(SEALED_SEGMENT)
        .zip(plain.par_chunks(SEGMENT))
        .zip(nonces.par_iter())
        .for_each(|((out, segment), nonce)| {
            out[NONCE..][..segment.len()].copy_from_slice(segment);
            seal_segment(cipher, nonce, out);
        });
}

/// Seals segments whose plaintext is in its place, in parallel, each with its own nonce.
pub(crate) fn seal_in_place(cipher: &LessSafeKey, nonces: &[[u8; NONCE]], segments: &mut [u8]) {
    debug_assert_eq!(
        segments.len().div_ceil(SEALED_SEGMENT),
        nonces.len(),
        "no segment without a nonce"
    );
    segments
        .par_chunks_mut(SEALED_SEGMENT)
        .zip(nonces.par_iter())
        .for_each(|(segment, nonce)| seal_segment(cipher, nonce, segment));
}

fn seal_segment(cipher: &LessSafeKey, nonce: &[u8; NONCE], segment: &mut [u8]) {
    let (head, rest) = segment.split_at_mut(NONCE);
    let (body, tail) = rest.split_at_mut(rest.len() - (OVERHEAD - NONCE));
    head.copy_from_slice(nonce);
    let tag = cipher
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(*nonce), Aad::empty(), body)
        .expect("a segment is far below the cipher's limit");
    tail.copy_from_slice(tag.as_ref());
    // These threads do nothing else for long.
    wipe_stack_of::<CIPHERS_STACK>();
}

/// Reads plaintext into its places in full sealed segments; a short read is not the end. Gives the bytes that were read.
pub(crate) fn fill_segments(source: &mut dyn Read, segments: &mut [u8]) -> std::io::Result<usize> {
    let mut places: Vec<IoSliceMut<'_>> = segments
        .chunks_exact_mut(SEALED_SEGMENT)
        .map(|segment| IoSliceMut::new(&mut segment[NONCE..][..SEGMENT]))
        .collect();
    let mut open = places.as_mut_slice();
    let mut filled = 0;
    while !open.is_empty() {
        match source.read_vectored(open) {
            Ok(0) => break,
            Ok(count) => {
                filled += count;
                IoSliceMut::advance_slices(&mut open, count);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Opens segments in place, in parallel; `first` is the number of the first. The error names the first that fails.
pub(crate) fn open_segments(
    cipher: &LessSafeKey,
    first: u64,
    sealed: &mut [u8],
) -> Result<(), SealError> {
    let failed = sealed
        .par_chunks_mut(SEALED_SEGMENT)
        .enumerate()
        .filter_map(|(at, segment)| {
            let number = first + at as u64;
            open_segment(cipher, number, segment).err().map(|_| number)
        })
        .min();
    failed.map_or(Ok(()), |segment| Err(SealError::Segment { segment }))
}

/// The plaintext of a segment that was opened in place.
pub(crate) fn plain_of(opened: &[u8]) -> &[u8] {
    opened
        .get(NONCE..opened.len().saturating_sub(OVERHEAD - NONCE))
        .unwrap_or_default()
}

/// Reads until the buffer is full or the source ends: a short read is not the end.
pub(crate) fn fill(source: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Opens one segment in place; gives the plaintext.
pub(crate) fn open_segment<'a>(
    cipher: &LessSafeKey,
    index: u64,
    sealed: &'a mut [u8],
) -> Result<&'a [u8], SealError> {
    let bad = || SealError::Segment { segment: index };
    let (nonce, body) = sealed.split_at_mut_checked(NONCE).ok_or_else(bad)?;
    let nonce: [u8; NONCE] = (&*nonce).try_into().map_err(|_| bad())?;
    let plain = cipher.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), body);
    wipe_stack_of::<CIPHERS_STACK>();
    plain.map(|plain| &*plain).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_grows_with_the_length_and_wastes_at_most_an_eighth() {
        for length in [0u64, 1, 4096, 4097, 10_000, 65_536, 1 << 20, (1 << 30) + 1] {
            let padded = padded(length);
            assert!(padded >= length.max(4096));
            assert!(
                length < 4096 || padded - length <= length / 8,
                "{length} → {padded}"
            );
        }
    }
}
