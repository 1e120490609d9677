//! Sealed objects, `.c4gh` files and files of blocks.

use std::collections::BTreeMap;

use medibloc_dag::car::{Reader, Writer};
use medibloc_dag::unixfs::{FileBuilder, leaf_bytes, leaves, links, read_all, size};
use medibloc_dag::{Block, Budget, Cid, Codec, DagError, Walk};
use medibloc_keys::{SealingSecret, SeededEntropy};
use medibloc_record::{
    Attestation, Capsule, KeySet, Manifest, Package, Sealed, SignedAttestation, Wrapped,
};
use medibloc_seal::crypt4gh::{
    Crypt4ghReader, Recipient, encrypt, import, plain_length, read_header,
};

const SEALED_SEGMENT: usize = 65_564;

/// The reader's key of every seed.
pub(crate) fn secret() -> SealingSecret {
    SealingSecret::from_bytes(1, [9; 32])
}

/// Headers of `.c4gh` files.
pub fn crypt4gh_header(data: &[u8]) {
    let mut rest = data;
    if let Ok(header) = read_header(&mut rest, &secret()) {
        assert_eq!(header.length, (data.len() - rest.len()) as u64);
    }
    if let Ok(text) = core::str::from_utf8(data)
        && let Ok(key) = Recipient::parse(text)
    {
        assert_eq!(
            Recipient::parse(&key.to_string()).expect("its own text"),
            key
        );
    }
}

/// Bodies: the first four bytes say how a file of the rest is damaged.
pub fn crypt4gh_body(data: &[u8]) {
    let mut out = Vec::new();
    let _foreign = import(&mut &data[..], &secret(), &mut out);
    let Some((how, plain)) = data.split_first_chunk::<4>() else {
        return;
    };
    // Repeated so that short inputs fill several segments.
    let times = if how[0] & 8 == 0 {
        1
    } else {
        150_000 / plain.len().max(1)
    };
    let plain = plain.repeat(times);
    let mut file = Vec::new();
    let to = [secret().public().into()];
    let mut entropy = SeededEntropy::new(u64::from(how[0]));
    encrypt(&mut &plain[..], &to, &mut entropy, &mut file).expect("a key and memory");
    let mut reader = Crypt4ghReader::open(&file[..], &secret()).expect("its own header");
    let header = usize::try_from(reader.header_length()).expect("124 bytes");
    assert_eq!(
        plain_length((file.len() - header) as u64),
        Some(plain.len() as u64)
    );
    let mut back = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut back).expect("its own body");
    assert!(back == plain);

    let at = u32::from_be_bytes([0, how[1], how[2], how[3]]) as usize % file.len();
    if how[0] & 1 == 0 {
        file[at] ^= 1 << (how[0] >> 5);
        assert!(
            import(&mut &file[..], &secret(), &mut Vec::new()).is_err(),
            "byte {at}"
        );
    } else {
        let whole = at >= header && (at - header).is_multiple_of(SEALED_SEGMENT);
        let cut = import(&mut &file[..at], &secret(), &mut Vec::new());
        assert_eq!(cut.is_ok(), whole, "cut at {at}");
    }
}

/// Package, key set, capsule, attestation, manifest.
pub fn package(data: &[u8]) {
    let parsed = Package::parse(data);
    if let Ok(package) = &parsed {
        assert_eq!(medibloc_dag::cbor::to_vec(package), data);
        let blocks = BTreeMap::<Cid, Vec<u8>>::new();
        let _missing = medibloc_seal::with_manifest(package.clone(), &blocks);
    }
    if let Ok(set) = KeySet::parse(data) {
        assert_eq!(
            set.commitments.len(),
            usize::from(set.committee.threshold.t())
        );
    }
    let capsule = Capsule::parse(data);
    let _signed = SignedAttestation::parse(data);
    crate::object::<Attestation>(data);
    crate::object::<Wrapped>(data);
    if let Some(manifest) = crate::object::<Manifest>(data) {
        let _root = manifest.parts_root();
    }
    let _sealed = Sealed::parse(data.to_vec(), data.to_vec(), data.to_vec());
    assert!(
        !(parsed.is_ok() && capsule.is_ok()),
        "no bytes are two objects"
    );
}

/// CIDs, CARs, UnixFS nodes and files.
pub fn car_unixfs(data: &[u8]) {
    read_car(data);
    if let Ok(cid) = Cid::from_bytes(data) {
        assert_eq!(cid.to_bytes(), data);
        assert_eq!(cid.to_string().parse(), Ok(cid));
    }
    if let Ok(text) = core::str::from_utf8(data) {
        let _parsed = text.parse::<Cid>();
    }
    for codec in [Codec::Raw, Codec::DagPb, Codec::DagCbor] {
        let cid = Cid::of(codec, data);
        let _links = links(&cid, data);
        let blocks = BTreeMap::from([(cid, data.to_vec())]);
        if let Ok(length) = size(&cid, &blocks) {
            let budget = Budget::new(1 << 12, 1 << 20);
            for leaf in leaves(&cid, length, (0, length), &blocks, budget)
                .into_iter()
                .flatten()
            {
                let _bytes = leaf_bytes(&leaf, &blocks);
            }
        }
    }
    walk_of_anything(data);
    // A file of leaves as long as the first byte says reads back, whole and without any of its blocks not at all; no leaf
    // stands in it twice.
    let Some((step, content)) = data.split_first() else {
        return;
    };
    let mut blocks = BTreeMap::new();
    let mut keep = |block: Block| blocks.insert(*block.cid(), block.into_bytes());
    let mut builder = FileBuilder::new();
    let (mut whole, wide) = (Vec::new(), Budget::new(1 << 20, 1 << 30));
    for (nth, leaf) in content.chunks(usize::from(*step).max(1)).enumerate() {
        let leaf = [&nth.to_le_bytes(), leaf].concat();
        whole.extend_from_slice(&leaf);
        let block = Block::of(Codec::Raw, leaf).expect("a small leaf");
        for node in builder
            .push(*block.cid(), block.bytes().len() as u64)
            .expect("a small file")
        {
            keep(node);
        }
        keep(block);
    }
    let (root, nodes) = builder.finish().expect("a small file");
    for node in nodes {
        keep(node);
    }
    let length = whole.len() as u64;
    assert_eq!(size(&root, &blocks), Ok(length));
    let read = |blocks: &BTreeMap<Cid, Vec<u8>>| {
        let mut read = Vec::new();
        for leaf in leaves(&root, length, (0, length), blocks, wide)? {
            read.extend_from_slice(&leaf_bytes(&leaf, blocks)?);
        }
        Ok::<_, DagError>(read)
    };
    assert_eq!(read(&blocks), Ok(whole));
    // At the cost of the layout only a file of this layout is read.
    let narrow = read_all(&root, &blocks, 1 << 30);
    assert!(narrow.is_ok() || matches!(narrow, Err(DagError::Budget { .. })));
    blocks.remove(&root);
    assert_eq!(
        read_all(&root, &blocks, 1 << 30),
        Err(DagError::Missing { cid: root })
    );
}

/// The bounded walk over a memory store of what a stranger sends: the bytes, cut into blocks where a zero stands, name each
/// other by place. It ends within its budget, asks for no block twice, and gives leaves in order.
pub fn walk(data: &[u8]) {
    walk_of_anything(data);
}

fn walk_of_anything(data: &[u8]) {
    let mut blocks = BTreeMap::new();
    let mut made: Vec<(Cid, u64)> = Vec::new();
    for piece in data.split(|byte| *byte == 0).take(64) {
        let cid = match piece.split_first() {
            // A node over blocks made before: sizes as they are, or as the next byte says.
            Some((kind, links)) if kind & 1 == 1 && !made.is_empty() => {
                let links: Vec<(Cid, u64)> = links
                    .chunks(2)
                    .map(|link| {
                        let (cid, size) = made[usize::from(link[0]) % made.len()];
                        let odd = link.get(1).copied().unwrap_or_default();
                        (
                            cid,
                            if odd < 250 {
                                size
                            } else {
                                u64::MAX >> (255 - odd)
                            },
                        )
                    })
                    .collect();
                let sum = links
                    .iter()
                    .fold(0u64, |sum, link| sum.saturating_add(link.1));
                let bytes = file_node(&links, sum);
                let cid = Cid::of_dag_pb(&bytes);
                blocks.insert(cid, bytes);
                made.push((cid, sum));
                cid
            }
            _ => {
                let cid = Cid::of_raw(piece);
                blocks.insert(cid, piece.to_vec());
                made.push((cid, piece.len() as u64));
                cid
            }
        };
        let (said, budget) = (made[made.len() - 1].1, Budget::new(100, 1 << 16));
        for walk in [
            Walk::within(cid, said, budget),
            Walk::of_unknown_size(cid, budget),
        ] {
            let Ok(mut walk) = walk else { continue };
            let (mut asked, mut end) = (0u64, 0u64);
            while let Some(wanted) = walk.next_block() {
                asked += 1;
                assert!(wanted.offset() >= end, "leaves come in order");
                let bytes = &blocks[wanted.cid()];
                if walk.take(&wanted, bytes).is_err() {
                    break;
                }
                if wanted.is_leaf() {
                    end = wanted.offset() + bytes.len() as u64;
                }
            }
            assert!(asked <= 100 && walk.budget().bytes_spent() <= 1 << 16);
        }
    }
}

/// A file node with whatever sizes.
fn file_node(links: &[(Cid, u64)], size: u64) -> Vec<u8> {
    fn varint(out: &mut Vec<u8>, mut value: u64) {
        while value > 0x7f {
            out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        out.push(value.to_le_bytes()[0]);
    }
    fn field(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
        out.push(tag);
        varint(out, body.len() as u64);
        out.extend_from_slice(body);
    }
    let (mut out, mut data) = (Vec::new(), vec![0x08, 2, 0x18]);
    varint(&mut data, size);
    for (cid, length) in links {
        let mut link = Vec::new();
        field(&mut link, 0x0a, &cid.to_bytes());
        link.extend_from_slice(&[0x12, 0, 0x18]);
        let total = length.saturating_add(u64::from(cid.codec() == Codec::DagPb));
        varint(&mut link, total);
        field(&mut out, 0x12, &link);
        data.push(0x20);
        varint(&mut data, *length);
    }
    field(&mut out, 0x0a, &data);
    out
}

/// A CAR that is read to its end has one form: written again, it has the same bytes.
fn read_car(data: &[u8]) {
    let Ok(mut reader) = Reader::new(data) else {
        return;
    };
    let mut again = Writer::new(Vec::new(), reader.roots()).expect("memory");
    for block in reader.by_ref() {
        let Ok(block) = block else {
            return;
        };
        again.write(&block).expect("memory");
    }
    assert_eq!(reader.offset(), data.len() as u64);
    assert_eq!(again.finish().expect("memory"), data);
}
