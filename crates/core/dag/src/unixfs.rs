//! UnixFS files in the profile `unixfs-v1-2025` (IPIP-499): raw leaves of 1 MiB, 1,024 links a node, balanced.
//!
//! Kubo with that profile and the JavaScript importer give the same identifiers.

use crate::pb::{Link, decode_file, encode_file};
use crate::{Block, BlockSource, Cid, Codec, DagError};

/// Bytes of a leaf; the last one may have fewer.
pub const LEAF: usize = 1 << 20;

/// Links of a node.
pub const WIDTH: usize = 1024;

/// Levels of nodes that a reader follows: 1,024⁴ leaves are more than any disk.
const MAX_LEVELS: usize = 4;

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
    /// Never for leaves of this layout; a node over 1 MiB cannot arise.
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
    let block = Block::of(Codec::DagPb, encode_file(links))?;
    let total = links.iter().map(|link| link.total).sum::<u64>() + block.bytes().len() as u64;
    let link = Link {
        cid: *block.cid(),
        content: links.iter().map(|link| link.content).sum(),
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
        Codec::DagCbor => Err(DagError::Unixfs {
            why: "an object where a file was expected",
        }),
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

/// The leaves that hold bytes `from..to` of a file, in order; only the nodes above them are fetched, each checked.
///
/// # Errors
/// If a node is missing, changed, or not of this layout.
pub fn leaves(
    root: &Cid,
    size: u64,
    from: u64,
    to: u64,
    source: &dyn BlockSource,
) -> Result<Vec<Leaf>, DagError> {
    let mut found = Vec::new();
    let top = Link {
        cid: *root,
        content: size,
        total: 0,
    };
    walk(&top, 0, 0, (from, to), source, &mut found)?;
    Ok(found)
}

fn walk(
    link: &Link,
    offset: u64,
    level: usize,
    range: (u64, u64),
    source: &dyn BlockSource,
    found: &mut Vec<Leaf>,
) -> Result<(), DagError> {
    let end = offset.checked_add(link.content).ok_or(DagError::Unixfs {
        why: "sizes overflow",
    })?;
    let outside = end <= range.0 || offset >= range.1;
    match link.cid.codec() {
        Codec::Raw if outside => {}
        Codec::Raw => found.push(Leaf {
            cid: link.cid,
            offset,
            length: link.content,
        }),
        Codec::DagPb if outside => {}
        Codec::DagPb if level < MAX_LEVELS => {
            let bytes = fetch(&link.cid, source)?;
            let children = decode_file(&bytes)?;
            let sum = children
                .iter()
                .try_fold(0u64, |sum, child| sum.checked_add(child.content));
            if sum != Some(link.content) {
                return Err(DagError::Unixfs {
                    why: "a node's sizes do not add up",
                });
            }
            let mut at = offset;
            for child in &children {
                walk(child, at, level + 1, range, source, found)?;
                at += child.content;
            }
        }
        Codec::DagPb => {
            return Err(DagError::Unixfs {
                why: "too many levels",
            });
        }
        Codec::DagCbor => {
            return Err(DagError::Unixfs {
                why: "an object where a file was expected",
            });
        }
    }
    Ok(())
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
        Err(DagError::Unixfs {
            why: "a leaf of another length",
        })
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
        Codec::DagPb => decode_file(&bytes)?
            .iter()
            .try_fold(0u64, |sum, child| sum.checked_add(child.content))
            .ok_or(DagError::Unixfs {
                why: "sizes overflow",
            }),
        Codec::DagCbor => Err(DagError::Unixfs {
            why: "an object where a file was expected",
        }),
    }
}

/// The whole file, for small ones.
///
/// # Errors
/// As [`leaves`], or if it is over `limit`.
pub fn read_all(
    root: &Cid,
    size: u64,
    source: &dyn BlockSource,
    limit: u64,
) -> Result<Vec<u8>, DagError> {
    if size > limit {
        return Err(DagError::TooLarge {
            what: "a file",
            limit,
        });
    }
    let mut out = Vec::new();
    for leaf in leaves(root, size, 0, size, source)? {
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

    #[test]
    fn a_file_reads_back_whole_and_in_ranges() {
        for count in [0usize, 1, 2, 1023, 1024, 1025, 2100] {
            let leaves_of: Vec<Vec<u8>> = (0..count).map(|i| i.to_string().into_bytes()).collect();
            let (root, size, blocks) = build(&leaves_of);
            assert_eq!(super::size(&root, &blocks), Ok(size), "{count}");
            assert_eq!(
                read_all(&root, size, &blocks, 1 << 20).unwrap(),
                leaves_of.concat(),
                "{count}"
            );
            if count > 3 {
                let some = leaves(&root, size, 1, 3, &blocks).unwrap();
                assert_eq!(some.len(), 2);
            }
        }
    }

    #[test]
    fn a_changed_leaf_or_node_is_refused() {
        let (root, size, blocks) = build(&[b"one".to_vec(), b"two".to_vec()]);
        for cid in blocks.keys() {
            let mut other = blocks.clone();
            if let Some(byte) = other.get_mut(cid).and_then(|bytes| bytes.first_mut()) {
                *byte ^= 1;
            }
            assert!(read_all(&root, size, &other, 1 << 20).is_err());
        }
        assert!(
            read_all(&root, size + 1, &blocks, 1 << 20).is_err(),
            "a size that does not add up"
        );
    }
}
