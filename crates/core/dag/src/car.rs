//! CARv1: blocks one after another, as every IPFS tool imports and exports them (IPLD CARv1 specification).
//!
//! `header ‖ section ‖ section …`, where header and section begin with their length as an unsigned varint, and a section
//! is `cid ‖ bytes`. One block is in memory at a time, and none is given before its bytes matched its identifier.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::{Block, Cid, DagError, MAX_BLOCK, cbor};

/// Bytes of a header that a reader takes: some 600 roots.
pub const MAX_HEADER: usize = 32 << 10;

/// Bytes before the data of a section, at most: a length below 2²¹ and an identifier.
pub const MAX_PREFIX: usize = 3 + CID;

const CID: usize = 36;

/// Why a CAR is refused, and at which byte.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CarError {
    /// The bytes end inside the header or a section.
    #[error("the CAR is cut at byte {offset}, inside {what}; fetch it again from there")]
    Cut {
        /// Where the cut part begins.
        offset: u64,
        /// What is cut.
        what: &'static str,
    },
    /// A length that is not in its shortest form, zero, or over the limit.
    #[error("the length at byte {offset} of the CAR is refused: {why}")]
    Length {
        /// Where it is.
        offset: u64,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// The header is no CARv1 header.
    #[error("not a CARv1 header: {why}")]
    Header {
        /// What is wrong.
        why: String,
    },
    /// A block whose identifier is not ours, or whose bytes do not match it.
    #[error("the section at byte {offset} of the CAR is refused")]
    Section {
        /// Where the section begins.
        offset: u64,
        /// Why.
        #[source]
        source: DagError,
    },
    /// The bytes could not be read or written.
    #[error("the CAR could not be read or written at byte {offset}; try again")]
    Io {
        /// How far it went.
        offset: u64,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    roots: Vec<Cid>,
    version: u64,
}

/// The header that names these roots, with its length.
pub fn header(roots: &[Cid]) -> Vec<u8> {
    let body = cbor::to_vec(&Header {
        roots: roots.to_vec(),
        version: 1,
    });
    let mut out = varint(body.len());
    out.extend_from_slice(&body);
    out
}

/// What stands before the bytes of a block: the length of the section and the identifier.
pub fn prefix(cid: &Cid, length: usize) -> Vec<u8> {
    let mut out = varint(CID + length);
    out.extend_from_slice(&cid.to_bytes());
    out
}

/// The place of a block in a CAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// What the section claims to hold.
    pub cid: Cid,
    /// Bytes before its data.
    pub prefix: usize,
    /// Bytes of its data.
    pub length: usize,
}

impl Section {
    /// Reads the prefix at the beginning of `bytes`; the data need not be there yet. `offset` is for the error.
    ///
    /// # Errors
    /// If it is cut, too long, or names no identifier of this platform.
    pub fn parse(bytes: &[u8], offset: u64) -> Result<Self, CarError> {
        const WHAT: &str = "the beginning of a section";
        let (total, head) = parse_varint(bytes, offset, MAX_BLOCK + CID, WHAT)?;
        let length = total.checked_sub(CID).ok_or(CarError::Length {
            offset,
            why: "shorter than an identifier",
        })?;
        let cid = bytes
            .get(head..head + CID)
            .ok_or(CarError::Cut { offset, what: WHAT })?;
        let cid = Cid::from_bytes(cid).map_err(|source| CarError::Section { offset, source })?;
        Ok(Self {
            cid,
            prefix: head + CID,
            length,
        })
    }

    /// Bytes of the whole section.
    pub const fn total(&self) -> usize {
        self.prefix + self.length
    }
}

/// Writes a CAR, a block at a time.
#[derive(Debug)]
pub struct Writer<W> {
    to: W,
    offset: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a CAR with these roots.
    ///
    /// # Errors
    /// [`CarError::Io`].
    pub fn new(to: W, roots: &[Cid]) -> Result<Self, CarError> {
        let mut writer = Self { to, offset: 0 };
        writer.bytes(&header(roots))?;
        Ok(writer)
    }

    /// Adds a block.
    ///
    /// # Errors
    /// [`CarError::Io`].
    pub fn write(&mut self, block: &Block) -> Result<(), CarError> {
        self.bytes(&prefix(block.cid(), block.bytes().len()))?;
        self.bytes(block.bytes())
    }

    /// Flushes, and gives the destination back.
    ///
    /// # Errors
    /// [`CarError::Io`].
    pub fn finish(mut self) -> Result<W, CarError> {
        let offset = self.offset;
        self.to
            .flush()
            .map_err(|source| CarError::Io { offset, source })?;
        Ok(self.to)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), CarError> {
        let offset = self.offset;
        self.to
            .write_all(bytes)
            .map_err(|source| CarError::Io { offset, source })?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

/// Reads a CAR, a block at a time; stops for good at the first error.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    offset: u64,
    roots: Vec<Cid>,
    done: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// If it is cut, over [`MAX_HEADER`], or not version 1.
    pub fn new(from: R) -> Result<Self, CarError> {
        const WHAT: &str = "the header";
        let mut reader = Self {
            from,
            offset: 0,
            roots: Vec::new(),
            done: false,
        };
        let length = reader.length(MAX_HEADER, WHAT)?.ok_or(CarError::Cut {
            offset: 0,
            what: WHAT,
        })?;
        let body = reader.exactly(length, 0, WHAT)?;
        let header: Header = cbor::from_slice(&body).map_err(|error| CarError::Header {
            why: error.to_string(),
        })?;
        if header.version != 1 {
            return Err(CarError::Header {
                why: format!("version {}", header.version),
            });
        }
        reader.roots = header.roots;
        Ok(reader)
    }

    /// The roots that the header names; whether their blocks are there is for the caller to see.
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// How many bytes were read: where the next section begins.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    fn section(&mut self) -> Result<Option<Block>, CarError> {
        let offset = self.offset;
        let Some(total) = self.length(MAX_BLOCK + CID, "a section")? else {
            return Ok(None);
        };
        if total < CID {
            return Err(CarError::Length {
                offset,
                why: "shorter than an identifier",
            });
        }
        let refused = |source| CarError::Section { offset, source };
        let cid = self.exactly(CID, offset, "a section")?;
        let cid = Cid::from_bytes(&cid).map_err(refused)?;
        let bytes = self.exactly(total - CID, offset, "a section")?;
        Block::new(cid, bytes).map(Some).map_err(refused)
    }

    /// A length, or none at the end of the CAR.
    fn length(&mut self, limit: usize, what: &'static str) -> Result<Option<usize>, CarError> {
        let offset = self.offset;
        let mut head = Vec::with_capacity(3);
        loop {
            let mut byte = [0];
            let read = loop {
                match self.from.read(&mut byte) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other.map_err(|source| CarError::Io { offset, source })?,
                }
            };
            if read == 0 && head.is_empty() {
                return Ok(None);
            }
            if read == 0 {
                return Err(CarError::Cut { offset, what });
            }
            self.offset += 1;
            head.push(byte[0]);
            if byte[0] & 0x80 == 0 || head.len() == 3 {
                return parse_varint(&head, offset, limit, what).map(|(length, _)| Some(length));
            }
        }
    }

    /// Exactly so many bytes; memory grows with what comes, not with what was announced.
    fn exactly(
        &mut self,
        length: usize,
        begin: u64,
        what: &'static str,
    ) -> Result<Vec<u8>, CarError> {
        let mut bytes = Vec::new();
        let offset = self.offset;
        (&mut self.from)
            .take(length as u64)
            .read_to_end(&mut bytes)
            .map_err(|source| CarError::Io { offset, source })?;
        self.offset += bytes.len() as u64;
        if bytes.len() < length {
            return Err(CarError::Cut {
                offset: begin,
                what,
            });
        }
        Ok(bytes)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Block, CarError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.section().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(3);
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

/// A length of at most three bytes, and how many it has.
fn parse_varint(
    bytes: &[u8],
    offset: u64,
    limit: usize,
    what: &'static str,
) -> Result<(usize, usize), CarError> {
    let mut value = 0usize;
    for at in 0..3 {
        let byte = *bytes.get(at).ok_or(CarError::Cut { offset, what })?;
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 != 0 {
            continue;
        }
        let why = match (value, byte, at) {
            (0, ..) => "zero",
            (_, 0, 1..) => "not in its shortest form",
            _ if value > limit => "over the limit",
            _ => return Ok((value, at + 1)),
        };
        return Err(CarError::Length { offset, why });
    }
    Err(CarError::Length {
        offset,
        why: "over the limit",
    })
}
