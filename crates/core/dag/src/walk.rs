//! The one walk over the blocks of a file that came from outside: for whoever fetches, checks, stores, lists or reads one.
//!
//! It asks for blocks one by one or several at a time and never does I/O itself. What a node says is believed only within
//! bounds: sizes add up and none is zero, levels are four, a block stands in a file once, and a [`Budget`] ends it.

use std::collections::BTreeSet;

use crate::pb::{Link, decode_file};
use crate::unixfs::LEAF;
use crate::{Budget, Cid, Codec, DagError};

/// Levels of nodes that a reader follows: 1,024⁴ leaves are more than any disk.
pub const MAX_LEVELS: u8 = 4;

/// A block that a walk asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    cid: Cid,
    offset: u64,
    /// Bytes of the file below it; none if only the block itself can tell.
    length: Option<u64>,
    level: u8,
}

impl Wanted {
    /// Which block.
    pub const fn cid(&self) -> &Cid {
        &self.cid
    }

    /// Where its bytes begin in the file.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the file below it, as what links to it says; none if only the block itself can tell.
    pub const fn said(&self) -> Option<u64> {
        self.length
    }

    /// Whether it is a leaf: its bytes are the file's, and nothing is below it.
    pub fn is_leaf(&self) -> bool {
        self.cid.codec() == Codec::Raw
    }
}

/// A walk over one file, from its root down and from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Blocks still to come, the next one last.
    open: Vec<Wanted>,
    seen: BTreeSet<Cid>,
    budget: Budget,
    range: (u64, u64),
    size: Option<u64>,
}

impl Walk {
    /// The walk over a file that is said to have `size` bytes, at the cost that its layout has.
    ///
    /// # Errors
    /// [`DagError::Budget`] if that is more than a record may cost; if the root is no file's.
    pub fn of_file(root: Cid, size: u64) -> Result<Self, DagError> {
        Self::new(root, Some(size), Budget::of_file(size)?)
    }

    /// The walk over a file that is said to have `size` bytes, at the cost of `budget`.
    ///
    /// # Errors
    /// If the budget has no block, or the root is no file's.
    pub fn within(root: Cid, size: u64, budget: Budget) -> Result<Self, DagError> {
        Self::new(root, Some(size), budget)
    }

    /// The walk over a file whose root alone tells its size.
    ///
    /// # Errors
    /// As [`Walk::within`].
    pub fn of_unknown_size(root: Cid, budget: Budget) -> Result<Self, DagError> {
        Self::new(root, None, budget)
    }

    fn new(root: Cid, size: Option<u64>, budget: Budget) -> Result<Self, DagError> {
        let mut walk = Self {
            open: Vec::new(),
            seen: BTreeSet::new(),
            budget,
            range: (0, u64::MAX),
            size,
        };
        walk.want(root, 0, size, 0)?;
        Ok(walk)
    }

    /// Only the blocks that hold bytes `from..to`.
    #[must_use]
    pub const fn only(mut self, from: u64, to: u64) -> Self {
        self.range = (from, to);
        self
    }

    /// The next block to look at; none at the end. Give what came to [`Walk::take`].
    pub fn next_block(&mut self) -> Option<Wanted> {
        self.open.pop()
    }

    /// The next blocks to look at, at most so many: they can be fetched at the same time.
    pub fn next_blocks(&mut self, most: usize) -> Vec<Wanted> {
        let mut next = self.open.split_off(self.open.len().saturating_sub(most));
        next.reverse();
        next
    }

    /// Whether nothing is left to look at.
    pub fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    /// Bytes of the file; none before its root was looked at, if only that can tell.
    pub const fn size(&self) -> Option<u64> {
        self.size
    }

    /// What is left to spend.
    pub const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Looks at a block that came: the length of a leaf, the links of a node. That the bytes match the identifier is for
    /// the caller to check before.
    ///
    /// # Errors
    /// If it has another length than was said, breaks a rule of the layout, or the budget ends.
    pub fn take(&mut self, wanted: &Wanted, bytes: &[u8]) -> Result<(), DagError> {
        let length = bytes.len() as u64;
        self.budget.bytes(length)?;
        match wanted.cid.codec() {
            Codec::Raw => {
                if wanted.length.is_some_and(|said| said != length) {
                    return Err(bad("a leaf of another length"));
                }
                if wanted.level == 0 {
                    self.size = Some(length);
                }
                Ok(())
            }
            Codec::DagPb => self.node(wanted, bytes),
            Codec::DagCbor => Err(bad(OBJECT)),
        }
    }

    fn node(&mut self, wanted: &Wanted, bytes: &[u8]) -> Result<(), DagError> {
        let links = decode_file(bytes)?;
        // The decoder has added them up before.
        let below = links.iter().map(|link| link.content).sum();
        if wanted.length.is_some_and(|said| said != below) {
            return Err(bad("a node's sizes do not add up"));
        }
        if wanted.level == 0 {
            self.size = Some(below);
        }
        let level = wanted.level.saturating_add(1);
        if level > MAX_LEVELS {
            return Err(bad("too many levels"));
        }
        let begin = self.open.len();
        let mut offset = wanted.offset;
        for Link { cid, content, .. } in links {
            let end = offset
                .checked_add(content)
                .ok_or_else(|| bad("sizes overflow"))?;
            if end > self.range.0 && offset < self.range.1 {
                self.want(cid, offset, Some(content), level)?;
            }
            offset = end;
        }
        self.open[begin..].reverse();
        Ok(())
    }

    fn want(
        &mut self,
        cid: Cid,
        offset: u64,
        length: Option<u64>,
        level: u8,
    ) -> Result<(), DagError> {
        match cid.codec() {
            Codec::DagCbor => return Err(bad(OBJECT)),
            Codec::Raw if length.is_some_and(|length| length > LEAF as u64) => {
                return Err(bad("a leaf of more than 1 MiB"));
            }
            Codec::Raw | Codec::DagPb => {}
        }
        self.budget.block()?;
        // Sealed bytes are random: no two leaves are the same, and no two nodes.
        if !self.seen.insert(cid) {
            return Err(bad("a block stands in it twice"));
        }
        self.open.push(Wanted {
            cid,
            offset,
            length,
            level,
        });
        Ok(())
    }
}

pub(crate) const OBJECT: &str = "an object where a file was expected";

pub(crate) const fn bad(why: &'static str) -> DagError {
    DagError::Unixfs { why }
}
