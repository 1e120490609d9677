//! What reading something from outside may cost.

use crate::DagError;
use crate::unixfs::{LEAF, WIDTH};

/// Blocks of one file, and of all files of one record: 1 TiB of leaves and the nodes above them.
pub const MOST_BLOCKS: u64 = (1 << 20) + (1 << 10) + 1;

/// Bytes of all blocks of one record: 1 TiB of leaves, and nodes of at most 64 KiB for 1,024 of them.
pub const MOST_BYTES: u64 = (1 << 40) + (1 << 27);

/// Work that is left, in blocks and bytes. Nothing that comes from outside is looked at without one; who made it too large
/// reads so in the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    blocks: Purse,
    bytes: Purse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Purse {
    most: u64,
    left: u64,
}

impl Purse {
    const fn of(most: u64) -> Self {
        Self { most, left: most }
    }

    fn spend(&mut self, amount: u64, unit: &'static str) -> Result<(), DagError> {
        let most = self.most;
        let left = self.left.checked_sub(amount);
        self.left = left.ok_or(DagError::Budget { most, unit })?;
        Ok(())
    }
}

impl Budget {
    /// So many blocks and bytes.
    pub const fn new(blocks: u64, bytes: u64) -> Self {
        Self {
            blocks: Purse::of(blocks),
            bytes: Purse::of(bytes),
        }
    }

    /// What one record may cost: [`MOST_BLOCKS`] and [`MOST_BYTES`].
    pub const fn of_record() -> Self {
        Self::new(MOST_BLOCKS, MOST_BYTES)
    }

    /// Exactly what a file of so many bytes has in this layout: its leaves are full but for the last, and so are its nodes.
    ///
    /// # Errors
    /// [`DagError::Budget`] if that is more than a record may cost.
    pub fn of_file(size: u64) -> Result<Self, DagError> {
        Self::of_record().file(size)
    }

    /// Sets aside what a file of so many bytes costs, and gives it.
    ///
    /// # Errors
    /// [`DagError::Budget`] if so much is not left.
    pub fn file(&mut self, size: u64) -> Result<Self, DagError> {
        let mut level = size.div_ceil(LEAF as u64).max(1);
        let mut blocks = level;
        // The nodes of a file hold an identifier and two numbers for each link.
        while level > 1 {
            level = level.div_ceil(WIDTH as u64);
            blocks = blocks.saturating_add(level);
        }
        let bytes = size.saturating_add(blocks.saturating_mul(LINK));
        self.blocks.spend(blocks, "blocks")?;
        self.bytes.spend(bytes, "bytes")?;
        Ok(Self::new(blocks, bytes))
    }

    /// Takes one block that is still to come.
    ///
    /// # Errors
    /// [`DagError::Budget`] if none is left.
    pub fn block(&mut self) -> Result<(), DagError> {
        self.blocks.spend(1, "blocks")
    }

    /// Takes work worth so many blocks.
    ///
    /// # Errors
    /// [`DagError::Budget`] if so many are not left.
    pub fn blocks(&mut self, count: u64) -> Result<(), DagError> {
        self.blocks.spend(count, "blocks")
    }

    /// Takes the bytes of a block that came.
    ///
    /// # Errors
    /// [`DagError::Budget`] if so many are not left.
    pub fn bytes(&mut self, length: u64) -> Result<(), DagError> {
        self.bytes.spend(length, "bytes")
    }

    /// Blocks that were taken.
    pub const fn blocks_spent(&self) -> u64 {
        self.blocks.most - self.blocks.left
    }

    /// Bytes that were taken.
    pub const fn bytes_spent(&self) -> u64 {
        self.bytes.most - self.bytes.left
    }
}

/// Bytes of a node for each block of its file, at most: two tags and a length, an identifier, an empty name, two sizes, and
/// the node's own share.
const LINK: u64 = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_cost_what_its_layout_has() {
        for (size, blocks) in [
            (0u64, 1),
            (1, 1),
            (1 << 20, 1),
            ((1 << 20) + 1, 3),
            (1 << 30, 1025),
            ((1 << 30) + 1, 1025 + 3),
            (1 << 40, MOST_BLOCKS),
        ] {
            let budget = Budget::of_file(size).unwrap();
            assert_eq!(budget.blocks.most, blocks, "{size}");
        }
        for size in [(1 << 40) + 1, u64::MAX] {
            let told = Budget::of_file(size).unwrap_err().to_string();
            assert!(told.contains("more than 1049601 blocks of work"), "{told}");
        }
    }

    #[test]
    fn files_of_one_record_share_its_budget() {
        let mut record = Budget::new(4, 1 << 30);
        record.file(3 << 19).unwrap();
        assert_eq!(record.blocks_spent(), 3);
        record.file(9).unwrap();
        let error = DagError::Budget {
            most: 4,
            unit: "blocks",
        };
        assert_eq!(record.file(1), Err(error));
    }
}
