//! A block: bytes that match their identifier.

use crate::{Cid, Codec, DagError};

/// Largest block that is made or taken.
pub const MAX_BLOCK: usize = 1 << 20;

/// Bytes that match their identifier; made only checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    bytes: Vec<u8>,
}

impl Block {
    /// The block with this identifier.
    ///
    /// # Errors
    /// If the bytes do not match, or are more than 1 MiB.
    pub fn new(cid: Cid, bytes: Vec<u8>) -> Result<Self, DagError> {
        if bytes.len() > MAX_BLOCK {
            return Err(DagError::TooLarge {
                what: "a block",
                limit: MAX_BLOCK as u64,
            });
        }
        cid.verify(&bytes)?;
        Ok(Self { cid, bytes })
    }

    /// The block of these bytes under a codec.
    ///
    /// # Errors
    /// If the bytes are more than 1 MiB.
    pub fn of(codec: Codec, bytes: Vec<u8>) -> Result<Self, DagError> {
        if bytes.len() > MAX_BLOCK {
            return Err(DagError::TooLarge {
                what: "a block",
                limit: MAX_BLOCK as u64,
            });
        }
        Ok(Self {
            cid: Cid::of(codec, &bytes),
            bytes,
        })
    }

    /// Its identifier.
    pub const fn cid(&self) -> &Cid {
        &self.cid
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes, by value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl core::fmt::Debug for Block {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Block({}, {} bytes)", self.cid, self.bytes.len())
    }
}

/// Gives blocks by identifier; whoever asks checks them.
pub trait BlockSource {
    /// The bytes, if they are there.
    fn block(&self, cid: &Cid) -> Option<Vec<u8>>;
}

impl BlockSource for std::collections::BTreeMap<Cid, Vec<u8>> {
    fn block(&self, cid: &Cid) -> Option<Vec<u8>> {
        self.get(cid).cloned()
    }
}
