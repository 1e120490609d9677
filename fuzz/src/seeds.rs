//! Seeds: good inputs that a mutator begins from, made of testdata and of the code itself.

use std::fs;
use std::path::Path;

use medibloc_api::{Authorization, Code, Problem, PutBlock, PutBlocks};
use medibloc_consent::{Binding, Grant, KindSet, SignedRequest, WriteGrant};
use medibloc_dag::car::Writer;
use medibloc_dag::unixfs::FileBuilder;
use medibloc_dag::{Block, Cid, Codec, cbor};
use medibloc_journey::Message;
use medibloc_keys::SeededEntropy;
use medibloc_record::{AccountId, Digest, GrantId, Kind, Nonce, PartKey, Timestamp};
use medibloc_seal::crypt4gh::{Recipient, write_header};

use crate::keepers::World;
use crate::sealed::secret;

/// The seeds of a target.
///
/// # Panics
/// If testdata is not where the clone has it.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "cda" => files("cda", ".xml"),
        "cda_value" => crate::values::seeds(),
        "jsonrpc" => crate::chain::bodies(),
        "fhir" => [files("cda", ".bundle.json"), files("fhir", ".json")].concat(),
        "fhir_xml" => files("fhir", ".xml"),
        "crypt4gh_header" => headers(),
        "crypt4gh_body" => vec![
            b"\0\0\0\x10one flipped byte".to_vec(),
            b"\x01\0\0\x60a cut".to_vec(),
            b"\x08\x01\x10\0many segments".to_vec(),
            b"\x09\x01\0\x98a cut between segments".to_vec(),
        ],
        "package" => {
            let mut all = files("sealed/v1", "");
            all.retain(|seed| seed.len() < 8192);
            all
        }
        "car_unixfs" => {
            let mut all = vec![
                b"\x03a file of small leaves".to_vec(),
                Cid::of_raw(b"x").to_bytes(),
                Cid::of_dag_cbor(b"x").to_string().into_bytes(),
            ];
            all.extend([node(), car()]);
            all
        }
        // A leaf; two leaves and a node over both; a node over nodes; one leaf again and again; sizes of 2^64.
        "walk" => vec![
            b"\x02leaf".to_vec(),
            b"\x02leaf\0\x02other\0\x01\x40\x01\x41\x01".to_vec(),
            b"\x02leaf\0\x02other\0\x01\x40\x01\x41\x01\0\x03\x02\x01".to_vec(),
            b"\x02leaf\0\x01\x01\x01\x01\x01\x01\x01\0\x01\x01\x01\x01\x01".to_vec(),
            b"\x02leaf\0\x01\x01\xff\x01\xff\0\x01\x01\xfe".to_vec(),
        ],
        "open_own" => (0..8u8)
            .flat_map(|kind| {
                let changed = [&[kind][..], &[kind + 1; 8], b"a part"].concat();
                [changed, [&[kind | 0x80][..], &[0xa0]].concat()]
            })
            .collect(),
        "keeper_request" => {
            let world = World::new();
            let request = world.request();
            let signature = world
                .reader
                .sign_digest(&request.digest(&world.keeper.domain));
            vec![
                cbor::to_vec(&SignedRequest { request, signature }),
                cbor::to_vec(&world.deposit()),
            ]
        }
        "grant" => grants(),
        "keys" => {
            let mut all = files("sealed/v1", ".key");
            let phrase = "abandon ".repeat(23) + "art";
            all.push(phrase.into_bytes());
            all
        }
        "wire" => wire(),
        other => panic!("no seeds for {other}"),
    }
}

fn files(folder: &str, suffix: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata")
        .join(folder);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("testdata stands beside the fuzz targets")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.is_file() && path.to_string_lossy().ends_with(suffix))
        .collect();
    paths.sort();
    let read = |path| fs::read(path).expect("a readable file");
    paths.into_iter().map(read).collect()
}

fn headers() -> Vec<Vec<u8>> {
    let own: Recipient = secret().public().into();
    let other = Recipient::new(
        medibloc_keys::SealingSecret::from_bytes(1, [10; 32])
            .public()
            .key,
    );
    let key = PartKey::new([5; 32]);
    let mut made: Vec<Vec<u8>> = [vec![own], vec![other, own], vec![other]]
        .iter()
        .map(|to| write_header(&key, to, &mut SeededEntropy::new(1)).expect("keys"))
        .collect();
    made.push(own.to_string().into_bytes());
    made
}

/// A UnixFS node of three leaves.
fn node() -> Vec<u8> {
    let mut builder = FileBuilder::new();
    for leaf in [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()] {
        let length = leaf.len() as u64;
        let block = Block::of(Codec::Raw, leaf).expect("a small leaf");
        builder.push(*block.cid(), length).expect("a small file");
    }
    let (_, nodes) = builder.finish().expect("a small file");
    nodes
        .into_iter()
        .next()
        .expect("three leaves have a node")
        .into_bytes()
}

/// A CAR of two blocks.
fn car() -> Vec<u8> {
    let blocks = [b"one".to_vec(), b"two".to_vec()]
        .map(|bytes| Block::of(Codec::Raw, bytes).expect("a small block"));
    let mut car = Writer::new(Vec::new(), &[*blocks[0].cid()]).expect("memory");
    for block in &blocks {
        car.write(block).expect("memory");
    }
    car.finish().expect("memory")
}

fn wire() -> Vec<Vec<u8>> {
    let world = World::new();
    let header = Authorization {
        address: world.reader.address(),
        nonce: Nonce::new([1; 32]),
        expiry: Timestamp(1_000_060),
        signature: world.reader.sign_digest(&[2; 32]),
    };
    let blocks = PutBlocks {
        version: 1,
        blocks: vec![PutBlock {
            cid: Cid::of_raw(b"one").to_bytes(),
            bytes: b"one".to_vec(),
        }],
    };
    vec![
        header.to_string().into_bytes(),
        cbor::to_vec(&blocks),
        Problem::new(Code::Malformed, "a letter").to_json(),
    ]
}

/// The text of a note, with its length before it and zeros after it.
fn note() -> Vec<u8> {
    let text = files("messages/v1", "note.cbor").remove(0);
    let length = u32::try_from(text.len()).expect("a small file");
    [&length.to_be_bytes()[..], &text, &[0; 8]].concat()
}

fn grants() -> Vec<Vec<u8>> {
    let world = World::new();
    let grant: Grant = world.grant();
    let write = WriteGrant {
        owner: AccountId::new([3; 20]),
        author: AccountId::new([2; 20]),
        nonce: Nonce::new([1; 32]),
        kinds: KindSet::of(&[Kind::Medical, Kind::Family]),
        until: Timestamp(2_000_000),
        digest: Digest::new([12; 32]),
    };
    let binding = Binding::unsigned([1; 32], AccountId::new([2; 20]), grant.reader);
    let message = Message::Purged {
        grants: vec![GrantId::new([9; 32])],
        records: Vec::new(),
        files: 1,
        unknown: true,
        outputs: None,
    };
    vec![
        cbor::to_vec(&grant),
        cbor::to_vec(&write),
        cbor::to_vec(&binding),
        cbor::to_vec(&message),
        note(),
    ]
}
