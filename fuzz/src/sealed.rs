//! Sealed objects, `.c4gh` files and files of blocks.

use std::collections::BTreeMap;

use medibloc_dag::car::{Reader, Writer};
use medibloc_dag::unixfs::{FileBuilder, leaf_bytes, leaves, links, read_all, size};
use medibloc_dag::{Block, Cid, Codec};
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
            for leaf in leaves(&cid, length, 0, length, &blocks)
                .into_iter()
                .flatten()
            {
                let _bytes = leaf_bytes(&leaf, &blocks);
            }
        }
    }
    // A file of leaves as long as the first byte says reads back, whole and without any of its blocks not at all.
    let Some((step, content)) = data.split_first() else {
        return;
    };
    let mut blocks = BTreeMap::new();
    let mut keep = |block: Block| blocks.insert(*block.cid(), block.into_bytes());
    let mut builder = FileBuilder::new();
    for leaf in content.chunks(usize::from(*step).max(1)) {
        let block = Block::of(Codec::Raw, leaf.to_vec()).expect("a small leaf");
        for node in builder
            .push(*block.cid(), leaf.len() as u64)
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
    let length = content.len() as u64;
    assert_eq!(size(&root, &blocks), Ok(length));
    assert_eq!(
        read_all(&root, length, &blocks, 1 << 30).as_deref(),
        Ok(content)
    );
    blocks.remove(&root);
    assert!(read_all(&root, length.max(1), &blocks, 1 << 30).is_err());
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
