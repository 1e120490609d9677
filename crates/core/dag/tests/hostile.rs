//! Trees that a stranger makes: each is refused before it costs more than what was sent.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::cell::Cell;
use std::collections::BTreeMap;

use medibloc_dag::unixfs::{self, LEAF};
use medibloc_dag::{Block, BlockSource, Budget, Cid, Codec, DagError, Walk};

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn field(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[tag], varint(body.len() as u64).as_slice(), body].concat()
}

/// A file node as no builder makes it: whatever sizes it says. Each child is `(cid, content, total)`.
fn node(children: &[(Cid, u64, u64)], says: u64) -> Block {
    let mut bytes = Vec::new();
    let mut data = [&[0x08, 2, 0x18], varint(says).as_slice()].concat();
    for (cid, content, total) in children {
        let size = [&[0x12, 0, 0x18], varint(*total).as_slice()].concat();
        bytes.extend(field(0x12, &[field(0x0a, &cid.to_bytes()), size].concat()));
        data.push(0x20);
        data.extend(varint(*content));
    }
    bytes.extend(field(0x0a, &data));
    Block::of(Codec::DagPb, bytes).unwrap()
}

/// Counts how often a block is asked for.
#[derive(Default)]
struct Counted(BTreeMap<Cid, Vec<u8>>, Cell<u64>);

impl Counted {
    fn keep(&mut self, block: Block) -> Cid {
        let cid = *block.cid();
        self.0.insert(cid, block.into_bytes());
        cid
    }
}

impl BlockSource for Counted {
    fn block(&self, cid: &Cid) -> Option<Vec<u8>> {
        self.1.set(self.1.get() + 1);
        self.0.get(cid).cloned()
    }
}

const fn bad(why: &'static str) -> DagError {
    DagError::Unixfs { why }
}

/// Six blocks that say that they are 1,024³ leaves of no bytes.
#[test]
fn a_tree_of_leaves_without_bytes_ends_at_its_first_node() {
    let mut source = Counted::default();
    let mut child = source.keep(Block::of(Codec::Raw, Vec::new()).unwrap());
    for _ in 0..4 {
        child = source.keep(node(&[(child, 0, 1); 1024], 0));
    }
    let refused = unixfs::size(&child, &source).unwrap_err();
    assert_eq!(refused, bad("a link to no bytes"));
    let refused = unixfs::read_all(&child, &source, 64 << 20).unwrap_err();
    assert_eq!(refused, bad("a link to no bytes"));
    let budget = Budget::of_record();
    let refused = unixfs::leaves(&child, 4096, (0, 4096), &source, budget).unwrap_err();
    assert_eq!(refused, bad("a link to no bytes"));
    assert_eq!(source.1.get(), 3, "one block each");
    println!("ATTACK field-1: a tree of 1,024^4 leaves ends after 1 block of 40 KB");
}

/// The same with bytes, and one block again and again.
#[test]
fn a_block_that_stands_in_a_file_twice_is_refused() {
    let mut source = Counted::default();
    let leaf = source.keep(Block::of(Codec::Raw, vec![7; LEAF]).unwrap());
    let (mut child, mut size) = (leaf, LEAF as u64);
    for _ in 0..2 {
        let total = if child.codec() == Codec::Raw {
            size
        } else {
            size + 1
        };
        child = source.keep(node(&[(child, size, total); 1024], size * 1024));
        size *= 1024;
    }
    assert_eq!(unixfs::size(&child, &source), Ok(1 << 40));
    let budget = Budget::of_file(size).unwrap();
    let refused = unixfs::leaves(&child, size, (0, size), &source, budget).unwrap_err();
    assert_eq!(refused, bad("a block stands in it twice"));
    assert!(source.1.get() <= 3, "{} blocks", source.1.get());
}

#[test]
fn sizes_that_overflow_or_do_not_fit_are_refused_and_never_panic() {
    let leaf = |n: u8| Cid::of_raw(&[n]);
    let inner = |n: u8| Cid::of_dag_pb(&[n]);
    let (most, mib) = (u64::MAX, 1 << 20);
    for (children, says, why) in [
        (vec![], 0, "a node without links"),
        (vec![(leaf(1), 5, 5); 1025], 5125, "more than 1,024 links"),
        (
            vec![(leaf(1), most, most); 2],
            0,
            "a leaf of more than 1 MiB",
        ),
        (
            vec![(inner(1), most - 1, most), (inner(2), 9, 10)],
            8,
            "sizes overflow",
        ),
        (
            vec![(inner(1), 1, most), (inner(2), 9, 10)],
            10,
            "sizes overflow",
        ),
        (
            vec![(leaf(1), mib + 1, mib + 1)],
            mib + 1,
            "a leaf of more than 1 MiB",
        ),
        (vec![(leaf(1), 5, 6)], 5, "a leaf of two sizes"),
        (vec![(inner(1), 5, 5)], 5, "a node smaller than its file"),
        (
            vec![(leaf(1), 5, 5)],
            6,
            "another encoding of the same node",
        ),
        (
            vec![(Cid::of_dag_cbor(b"x"), 5, 6)],
            5,
            "an object where a file was expected",
        ),
    ] {
        let node = node(&children, says);
        let refused = unixfs::children(node.bytes()).unwrap_err();
        assert_eq!(refused, bad(why), "{} children", children.len());
        let refused = unixfs::links(node.cid(), node.bytes()).unwrap_err();
        assert_eq!(refused, bad(why));
    }
    println!("ATTACK security-3: sizes of 2^64 are an error");
}

#[test]
fn levels_and_work_are_bounded() {
    let mut source = Counted::default();
    let mut child = source.keep(Block::of(Codec::Raw, b"x".to_vec()).unwrap());
    for level in 0..5u64 {
        child = source.keep(node(&[(child, 1, 1 + level)], 1));
    }
    let wide = Budget::new(100, 1 << 20);
    let refused = unixfs::leaves(&child, 1, (0, 1), &source, wide).unwrap_err();
    assert_eq!(refused, bad("too many levels"));
    let narrow = Budget::of_file(1).unwrap();
    let refused = unixfs::leaves(&child, 1, (0, 1), &source, narrow).unwrap_err();
    assert!(
        matches!(
            refused,
            DagError::Budget {
                most: 1,
                unit: "blocks"
            }
        ),
        "{refused}"
    );
    // A root that says 2^64 bytes costs nothing at all.
    let refused = Walk::of_file(child, u64::MAX).unwrap_err().to_string();
    assert!(
        refused.contains("more than 1049601 blocks of work"),
        "{refused}"
    );
}

#[test]
fn a_leaf_or_node_that_is_not_what_its_parent_said_is_refused() {
    let mut source = Counted::default();
    let leaf = source.keep(Block::of(Codec::Raw, b"four".to_vec()).unwrap());
    let root = source.keep(node(&[(leaf, 5, 5)], 5));
    let mut walk = Walk::within(root, 5, Budget::new(2, 1 << 10)).unwrap();
    let wanted = walk.next_block().unwrap();
    walk.take(&wanted, &source.0[&root]).unwrap();
    let wanted = walk.next_block().unwrap();
    assert!(wanted.is_leaf() && walk.is_done());
    assert_eq!(
        walk.take(&wanted, b"four"),
        Err(bad("a leaf of another length"))
    );
    let mut walk = Walk::within(root, 6, Budget::new(2, 1 << 10)).unwrap();
    let wanted = walk.next_block().unwrap();
    let refused = walk.take(&wanted, &source.0[&root]);
    assert_eq!(refused, Err(bad("a node's sizes do not add up")));
}
