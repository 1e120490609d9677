//! CARv1: a golden, what must be refused, and the round trip.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use medibloc_dag::car::{CarError, MAX_HEADER, Reader, Section, Writer, header, prefix};
use medibloc_dag::{Block, Cid, Codec, MAX_BLOCK};
use proptest::prelude::*;

fn block(bytes: &[u8]) -> Block {
    Block::of(Codec::Raw, bytes.to_vec()).unwrap()
}

fn write(roots: &[Cid], blocks: &[Block]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), roots).unwrap();
    for block in blocks {
        writer.write(block).unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<(Vec<Cid>, Vec<Block>), CarError> {
    let mut reader = Reader::new(bytes)?;
    let blocks = reader.by_ref().collect::<Result<_, _>>()?;
    Ok((reader.roots().to_vec(), blocks))
}

/// `{"roots": [CID of "abc"], "version": 1}` and the block "abc", written out by hand from the specification.
const GOLDEN: &str = concat!(
    "3a",
    "a2",
    "65726f6f7473",
    "81d82a5825",
    "00",
    "01551220ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "6776657273696f6e01",
    "27",
    "01551220ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "616263",
);

fn golden() -> Vec<u8> {
    GOLDEN
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn the_golden_is_written_and_read_byte_for_byte() {
    let abc = block(b"abc");
    assert_eq!(write(&[*abc.cid()], core::slice::from_ref(&abc)), golden());
    assert_eq!(read(&golden()).unwrap(), (vec![*abc.cid()], vec![abc]));
}

#[test]
fn every_cut_is_named_with_its_place_except_between_sections() {
    let bytes = golden();
    let sections = header(&[*block(b"abc").cid()]).len();
    for end in 0..bytes.len() {
        match read(&bytes[..end]) {
            Ok((_, blocks)) => assert!(end == sections && blocks.is_empty(), "{end}"),
            Err(CarError::Cut { offset, .. }) => {
                let begin = if end < sections { 0 } else { sections };
                assert_eq!(offset, begin as u64, "{end}");
            }
            Err(other) => panic!("cut at {end}: {other}"),
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_changes_only_the_named_roots() {
    let (roots, blocks) = read(&golden()).unwrap();
    for at in 0..golden().len() * 8 {
        let mut bytes = golden();
        bytes[at / 8] ^= 1 << (at % 8);
        if let Ok((found, kept)) = read(&bytes) {
            assert_eq!(kept, blocks, "bit {at}");
            assert_ne!(found, roots, "bit {at}");
        }
    }
}

#[test]
fn what_is_no_car_of_this_platform_is_refused_with_its_place() {
    let good = header(&[]);
    let at = good.len() as u64;
    let with = |tail: &[u8]| read(&[&good[..], tail].concat()).unwrap_err();
    let length = |tail: &[u8], said: &str| match with(tail) {
        CarError::Length { offset, why } => assert_eq!((offset, why), (at, said)),
        other => panic!("{other}"),
    };
    length(&[0], "zero");
    length(&[0xa7, 0], "not in its shortest form");
    length(&[35], "shorter than an identifier");
    length(&[0xff, 0xff, 0x7f], "over the limit");
    length(&[0xff; 10], "over the limit");
    length(&prefix(block(b"").cid(), MAX_BLOCK + 1), "over the limit");
    // CIDv0, another hash, another codec.
    for cid in [
        [&[0x12, 0x20][..], &[7; 34]].concat(),
        [&[1, 0x55, 0x13, 0x20][..], &[7; 32]].concat(),
        [&[1, 0x72, 0x12, 0x20][..], &[7; 32]].concat(),
    ] {
        let section = [&[36][..], &cid].concat();
        assert!(
            matches!(with(&section), CarError::Section { offset, .. } if offset == at),
            "{cid:?}"
        );
    }
    let swapped = [prefix(block(b"one").cid(), 3), b"two".to_vec()].concat();
    assert!(matches!(with(&swapped), CarError::Section { offset, .. } if offset == at));
    let too_long = [0x81, 0x80, 0x02];
    assert!(
        MAX_HEADER < 0x8001 && matches!(Reader::new(&too_long[..]), Err(CarError::Length { .. }))
    );
    let mut second = golden();
    second[58] = 2;
    assert!(matches!(
        Reader::new(&second[..]),
        Err(CarError::Header { .. })
    ));
}

#[test]
fn a_reader_stops_for_good_at_an_error() {
    let one = block(b"one");
    let bytes = [header(&[]), vec![0], prefix(one.cid(), 3), b"one".to_vec()].concat();
    let mut reader = Reader::new(&bytes[..]).unwrap();
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

/// Gives its bytes by ones and interrupts between them.
struct Drip<'a>(&'a [u8], bool);

impl std::io::Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let one = buffer.len().min(1);
        self.0.read(&mut buffer[..one])
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
        let blocks: Vec<_> = parts.iter().map(|bytes| block(bytes)).collect();
        let roots: Vec<_> = blocks.iter().take(3).map(|block| *block.cid()).collect();
        let bytes = write(&roots, &blocks);
        prop_assert_eq!(read(&bytes).unwrap(), (roots.clone(), blocks.clone()));
        let dripped: Result<Vec<_>, _> = Reader::new(Drip(&bytes, false)).unwrap().collect();
        prop_assert_eq!(dripped.unwrap(), blocks.clone());
        let mut offset = header(&roots).len();
        for block in &blocks {
            let section = Section::parse(&bytes[offset..], offset as u64).unwrap();
            prop_assert_eq!(&section.cid, block.cid());
            offset += section.total();
        }
        prop_assert_eq!(offset, bytes.len());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), at in 0usize..100, new: u8) {
        let _ = read(&bytes);
        let mut near = golden();
        let at = at.min(near.len() - 1);
        near[at] = new;
        let _ = read(&near);
    }
}
