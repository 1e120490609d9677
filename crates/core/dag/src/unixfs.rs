//! UnixFS files in the profile `unixfs-v1-2025` (IPIP-499): raw leaves of 1 MiB, 1,024 links a node, balanced.
//!
//! Kubo with that profile and the JavaScript importer give the same identifiers.

use crate::pb::{Link, decode_file, encode_file, sums};
use crate::walk::{OBJECT, bad};
use crate::{Block, BlockSource, Budget, Cid, Codec, DagError, Walk};

/// Bytes of a leaf; the last one may have fewer.
pub const LEAF: usize = 1 << 20;

/// Links of a node.
pub const WIDTH: usize = 1024;

/// Builds the nodes above leaves as they come, in constant memory: at most 1,024 links a level.
#[derive(Debug, Default)]
pub struct FileBuilder {
    levels: Vec<Vec<Link>>,
}

impl FileBuilder {
    /// No leaves yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next leaf; gives the nodes that became full.
    ///
    /// # Errors
    /// If the lengths of all leaves are more than 2⁶⁴; never for leaves that are there.
    pub fn push(&mut self, leaf: Cid, length: u64) -> Result<Vec<Block>, DagError> {
        let mut nodes = Vec::new();
        self.add(
            0,
            Link {
                cid: leaf,
                content: length,
                total: length,
            },
            &mut nodes,
        )?;
        Ok(nodes)
    }

    fn add(&mut self, level: usize, link: Link, nodes: &mut Vec<Block>) -> Result<(), DagError> {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        // A full level is closed only when more comes: a file of exactly 1,024 leaves has one node, not two.
        if self.levels[level].len() == WIDTH {
            let full = core::mem::take(&mut self.levels[level]);
            let node = close(&full, nodes)?;
            self.add(level + 1, node, nodes)?;
        }
        self.levels[level].push(link);
        Ok(())
    }

    /// The root and the last nodes. A file of one leaf has that leaf as its root; an empty file is the empty leaf.
    ///
    /// # Errors
    /// As [`FileBuilder::push`].
    pub fn finish(mut self) -> Result<(Cid, Vec<Block>), DagError> {
        let mut nodes = Vec::new();
        if self.levels.is_empty() {
            let empty = Block::of(Codec::Raw, Vec::new())?;
            let cid = *empty.cid();
            return Ok((cid, vec![empty]));
        }
        let mut level = 0;
        loop {
            let links = core::mem::take(&mut self.levels[level]);
            let top = level + 1 == self.levels.len();
            if let ([only], true) = (links.as_slice(), top) {
                return Ok((only.cid, nodes));
            }
            let node = close(&links, &mut nodes)?;
            if top {
                return Ok((node.cid, nodes));
            }
            self.add(level + 1, node, &mut nodes)?;
            level += 1;
        }
    }
}

fn close(links: &[Link], nodes: &mut Vec<Block>) -> Result<Link, DagError> {
    let (content, below) = sums(links)?;
    let block = Block::of(Codec::DagPb, encode_file(links, content))?;
    let total = below
        .checked_add(block.bytes().len() as u64)
        .ok_or_else(|| bad("sizes overflow"))?;
    let link = Link {
        cid: *block.cid(),
        content,
        total,
    };
    nodes.push(block);
    Ok(link)
}

/// What a block of a file links to: nothing for a leaf.
///
/// # Errors
/// If the block is neither a leaf nor a file node of this layout.
pub fn links(cid: &Cid, bytes: &[u8]) -> Result<Vec<Cid>, DagError> {
    match cid.codec() {
        Codec::Raw => Ok(Vec::new()),
        Codec::DagPb => Ok(decode_file(bytes)?
            .into_iter()
            .map(|link| link.cid)
            .collect()),
        Codec::DagCbor => Err(bad(OBJECT)),
    }
}

/// What a file node links to, each with the bytes of the file below it.
///
/// # Errors
/// If the bytes are no file node of this layout.
pub fn children(node: &[u8]) -> Result<Vec<(Cid, u64)>, DagError> {
    let children = decode_file(node)?;
    Ok(children
        .into_iter()
        .map(|link| (link.cid, link.content))
        .collect())
}

/// One leaf with its place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its identifier.
    pub cid: Cid,
    /// Where it begins.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
}

/// The leaves that hold bytes `from..to` of a file, in order; only the nodes above them are fetched, each checked, all at
/// the cost of `budget`.
///
/// # Errors
/// If a node is missing, changed, or not of this layout, or the budget ends.
pub fn leaves(
    root: &Cid,
    size: u64,
    (from, to): (u64, u64),
    source: &dyn BlockSource,
    budget: Budget,
) -> Result<Vec<Leaf>, DagError> {
    let mut walk = Walk::within(*root, size, budget)?.only(from, to);
    let mut found = Vec::new();
    if size == 0 || from >= to.min(size) {
        return Ok(found);
    }
    while let Some(wanted) = walk.next_block() {
        if wanted.is_leaf() {
            found.push(Leaf {
                cid: *wanted.cid(),
                offset: wanted.offset(),
                length: wanted.said().unwrap_or(size),
            });
        } else {
            walk.take(&wanted, &fetch(wanted.cid(), source)?)?;
        }
    }
    Ok(found)
}

fn fetch(cid: &Cid, source: &dyn BlockSource) -> Result<Vec<u8>, DagError> {
    let bytes = source.block(cid).ok_or(DagError::Missing { cid: *cid })?;
    cid.verify(&bytes)?;
    Ok(bytes)
}

/// The bytes of one leaf, checked.
///
/// # Errors
/// If it is missing, changed, or of another length.
pub fn leaf_bytes(leaf: &Leaf, source: &dyn BlockSource) -> Result<Vec<u8>, DagError> {
    let bytes = source
        .block(&leaf.cid)
        .ok_or(DagError::Missing { cid: leaf.cid })?;
    check_leaf(leaf, &bytes)?;
    Ok(bytes)
}

/// Checks bytes that are said to be a leaf's, for who fetches many and checks them side by side.
///
/// # Errors
/// If they were changed or are of another length.
pub fn check_leaf(leaf: &Leaf, bytes: &[u8]) -> Result<(), DagError> {
    leaf.cid.verify(bytes)?;
    if bytes.len() as u64 == leaf.length {
        Ok(())
    } else {
        Err(bad("a leaf of another length"))
    }
}

/// Bytes of a file, as its root says: of a leaf its own, of a node the sum below it.
///
/// # Errors
/// If the root is missing, changed, or not of this layout.
pub fn size(root: &Cid, source: &dyn BlockSource) -> Result<u64, DagError> {
    let bytes = fetch(root, source)?;
    match root.codec() {
        Codec::Raw => Ok(bytes.len() as u64),
        Codec::DagPb => Ok(sums(&decode_file(&bytes)?)?.0),
        Codec::DagCbor => Err(bad(OBJECT)),
    }
}

/// The whole file, for small ones: its root tells its size.
///
/// # Errors
/// As [`leaves`], or if it is over `limit`.
pub fn read_all(root: &Cid, source: &dyn BlockSource, limit: u64) -> Result<Vec<u8>, DagError> {
    let size = size(root, source)?;
    if size > limit {
        return Err(DagError::TooLarge {
            what: "a file",
            limit,
        });
    }
    let mut out = Vec::new();
    for leaf in leaves(root, size, (0, size), source, Budget::of_file(size)?)? {
        out.extend_from_slice(&leaf_bytes(&leaf, source)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn build(leaves: &[Vec<u8>]) -> (Cid, u64, BTreeMap<Cid, Vec<u8>>) {
        let mut builder = FileBuilder::new();
        let mut blocks = BTreeMap::new();
        let mut keep = |nodes: Vec<Block>| {
            blocks.extend(
                nodes
                    .into_iter()
                    .map(|node| (*node.cid(), node.into_bytes())),
            );
        };
        for leaf in leaves {
            let block = Block::of(Codec::Raw, leaf.clone()).unwrap();
            keep(builder.push(*block.cid(), leaf.len() as u64).unwrap());
            keep(vec![block]);
        }
        let (root, nodes) = builder.finish().unwrap();
        keep(nodes);
        (
            root,
            leaves.iter().map(|leaf| leaf.len() as u64).sum(),
            blocks,
        )
    }

    /// Small leaves are not of this layout, and cost more than it has.
    const WIDE: Budget = Budget::new(10_000, 1 << 20);

    fn whole(root: &Cid, size: u64, blocks: &BTreeMap<Cid, Vec<u8>>) -> Result<Vec<u8>, DagError> {
        let mut out = Vec::new();
        for leaf in leaves(root, size, (0, size), blocks, WIDE)? {
            out.extend_from_slice(&leaf_bytes(&leaf, blocks)?);
        }
        Ok(out)
    }

    #[test]
    fn a_file_reads_back_whole_and_in_ranges() {
        for count in [0usize, 1, 2, 1023, 1024, 1025, 2100] {
            let leaves_of: Vec<Vec<u8>> = (0..count).map(|i| i.to_string().into_bytes()).collect();
            // The first leaf of an empty file is the empty one.
            let (root, size, blocks) = build(&leaves_of);
            assert_eq!(super::size(&root, &blocks), Ok(size), "{count}");
            assert_eq!(
                whole(&root, size, &blocks).unwrap(),
                leaves_of.concat(),
                "{count}"
            );
            if count > 3 {
                let some = leaves(&root, size, (1, 3), &blocks, WIDE).unwrap();
                assert_eq!(some.len(), 2);
            }
        }
    }

    #[test]
    fn a_file_of_more_leaves_than_its_size_needs_is_refused() {
        let (root, size, blocks) = build(&[b"one".to_vec(), b"two".to_vec()]);
        let refused = read_all(&root, &blocks, 1 << 20).unwrap_err();
        assert_eq!(
            (size, refused),
            (
                6,
                DagError::Budget {
                    most: 1,
                    unit: "blocks"
                }
            )
        );
        let (root, _, blocks) = build(&[vec![1; LEAF], vec![2; LEAF], vec![3; 10]]);
        assert_eq!(
            read_all(&root, &blocks, 1 << 22).unwrap().len(),
            (2 << 20) + 10
        );
        let over = read_all(&root, &blocks, 1 << 20).unwrap_err();
        assert_eq!(
            over,
            DagError::TooLarge {
                what: "a file",
                limit: 1 << 20
            }
        );
    }

    #[test]
    fn a_changed_leaf_or_node_is_refused() {
        let (root, size, blocks) = build(&[b"one".to_vec(), b"two".to_vec()]);
        for cid in blocks.keys() {
            let mut other = blocks.clone();
            if let Some(byte) = other.get_mut(cid).and_then(|bytes| bytes.first_mut()) {
                *byte ^= 1;
            }
            let refused = whole(&root, size, &other).unwrap_err();
            assert_eq!(refused, DagError::Mismatch { cid: *cid });
        }
        let refused = whole(&root, size + 1, &blocks).unwrap_err();
        assert_eq!(refused, bad("a node's sizes do not add up"));
    }
}
