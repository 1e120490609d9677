//! Opening a `.c4gh` file that others made, as a stream in constant memory.

use std::io::{Read, Write};

use medibloc_keys::SealingSecret;
use medibloc_record::Digest;
use ring::aead::LessSafeKey;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Crypt4ghError, Recipient, read_header};
use crate::SealError;
use crate::body::{BATCH, OVERHEAD, SEALED_SEGMENT, cipher, fill, open_segments, plain_of};

/// What was in a `.c4gh` file. The format does not protect against a file cut between two segments or segments that
/// were swapped: compare length and hash with what the sender says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Bytes of the plaintext.
    pub length: u64,
    /// SHA-256 of the plaintext.
    pub plaintext: Digest,
    /// The writer's public key, often made up for the file.
    pub writer: Recipient,
}

/// Writes the plaintext of a `.c4gh` file. What was written before an error is not to be used.
///
/// # Errors
/// If the header is not for this key or refused, a segment does not open, or reading or writing fails.
pub fn import(
    source: &mut dyn Read,
    secret: &SealingSecret,
    writer: &mut dyn Write,
) -> Result<Imported, Crypt4ghError> {
    let mut reader = Crypt4ghReader::open(source, secret)?;
    let (mut length, mut hash) = (0u64, Sha256::new());
    while reader.next_batch()? {
        for piece in reader.pieces() {
            hash.update(piece);
            writer.write_all(piece).map_err(Crypt4ghError::Write)?;
            length += piece.len() as u64;
        }
    }
    Ok(Imported {
        length,
        plaintext: Digest::new(hash.finalize().into()),
        writer: reader.writer,
    })
}

/// Plaintext bytes of a body of `sealed` bytes; none if no body has that length.
pub const fn plain_length(sealed: u64) -> Option<u64> {
    let (full, rest) = (
        sealed / SEALED_SEGMENT as u64,
        sealed % SEALED_SEGMENT as u64,
    );
    if rest != 0 && rest < OVERHEAD as u64 {
        return None;
    }
    let segments = if rest == 0 { full } else { full + 1 };
    Some(sealed - segments * OVERHEAD as u64)
}

/// The plaintext of a `.c4gh` file as a stream; an error of it carries a [`Crypt4ghError`].
pub struct Crypt4ghReader<R> {
    source: R,
    cipher: Box<LessSafeKey>,
    writer: Recipient,
    header_length: u64,
    buffer: Zeroizing<Vec<u8>>,
    filled: usize,
    segment: u64,
    /// Segment of the buffer and byte in it that [`Read`] gives next.
    at: (usize, usize),
}

impl<R: Read> Crypt4ghReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// As [`read_header`].
    pub fn open(mut source: R, secret: &SealingSecret) -> Result<Self, Crypt4ghError> {
        let header = read_header(&mut source, secret)?;
        Ok(Self {
            source,
            cipher: cipher(&header.key),
            writer: header.writer,
            header_length: header.length,
            buffer: Zeroizing::new(vec![0; SEALED_SEGMENT]),
            filled: 0,
            segment: 0,
            at: (0, 0),
        })
    }

    /// The writer's public key, often made up for the file.
    pub const fn writer(&self) -> Recipient {
        self.writer
    }

    /// Bytes of the header: the rest of the file's length gives [`plain_length`].
    pub const fn header_length(&self) -> u64 {
        self.header_length
    }

    /// Opens the next segments; false at the end.
    fn next_batch(&mut self) -> Result<bool, Crypt4ghError> {
        self.segment += self.filled.div_ceil(SEALED_SEGMENT) as u64;
        // Small files stay small: the buffer grows only when more than one segment comes.
        if self.segment == 1 {
            self.buffer = Zeroizing::new(vec![0; SEALED_SEGMENT * BATCH]);
        }
        self.filled = fill(&mut self.source, &mut self.buffer).map_err(Crypt4ghError::Read)?;
        self.at = (0, 0);
        open_segments(&self.cipher, self.segment, &mut self.buffer[..self.filled]).map_err(
            |error| {
                let segment = match error {
                    SealError::Segment { segment } => segment,
                    _ => self.segment,
                };
                Crypt4ghError::Segment {
                    segment,
                    offset: segment * SEALED_SEGMENT as u64,
                }
            },
        )?;
        Ok(self.filled > 0)
    }

    /// The opened segments of the batch.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.buffer[..self.filled]
            .chunks(SEALED_SEGMENT)
            .map(plain_of)
    }
}

impl<R: Read> Read for Crypt4ghReader<R> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        if target.is_empty() {
            return Ok(0);
        }
        loop {
            let (number, from) = self.at;
            let opened = self.buffer[..self.filled]
                .chunks(SEALED_SEGMENT)
                .nth(number);
            if let Some(piece) = opened.map(plain_of) {
                let count = target.len().min(piece.len() - from);
                target[..count].copy_from_slice(&piece[from..from + count]);
                let ended = from + count == piece.len();
                self.at = if ended {
                    (number + 1, 0)
                } else {
                    (number, from + count)
                };
                if count > 0 {
                    return Ok(count);
                }
            } else if !self.next_batch().map_err(std::io::Error::other)? {
                return Ok(0);
            }
        }
    }
}

impl<R> core::fmt::Debug for Crypt4ghReader<R> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Crypt4ghReader")
            .field("writer", &self.writer)
            .field("segment", &self.segment)
            .finish_non_exhaustive()
    }
}
