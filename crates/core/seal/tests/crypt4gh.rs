//! `.c4gh` files: what the reader takes, and everything that it must refuse.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::io::Read;

use blake2::{Blake2b512, Digest as _};
use medibloc_dag::Cid;
use medibloc_keys::{SealingSecret, SeededEntropy};
use medibloc_record::{Digest, ManifestPart, PartKey};
use medibloc_seal::crypt4gh::{
    Crypt4ghError, Crypt4ghReader, Imported, Recipient, encrypt, export, import, plain_length,
    read_header, write_header,
};
use medibloc_seal::{SealError, open_part};
use proptest::prelude::*;

#[path = "support/parts.rs"]
mod parts;
use parts::{content, sealed_part, secret};

const SEGMENT: usize = 65_536;
const SEALED: usize = 65_564;
/// Bytes of a header for one reader.
const HEADER: usize = 124;

fn reader() -> Recipient {
    secret().public().into()
}

fn stranger() -> Recipient {
    SealingSecret::from_bytes(1, [10; 32]).public().into()
}

fn made(content: &[u8], recipients: &[Recipient]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut source = content;
    encrypt(
        &mut source,
        recipients,
        &mut SeededEntropy::new(3),
        &mut file,
    )
    .unwrap();
    file
}

fn opened(file: &[u8]) -> Result<(Vec<u8>, Imported), Crypt4ghError> {
    let mut plain = Vec::new();
    let imported = import(&mut &file[..], &secret(), &mut plain)?;
    Ok((plain, imported))
}

/// A packet made by hand with any payload, for what no honest writer makes.
fn packet(payload: &[u8], number: u8) -> Vec<u8> {
    use x25519_dalek::{PublicKey, StaticSecret};
    let writer = StaticSecret::from([number; 32]);
    let public = PublicKey::from(&writer);
    let shared = writer.diffie_hellman(&PublicKey::from(*reader().as_bytes()));
    let mut hash = Blake2b512::new();
    hash.update(shared.as_bytes());
    hash.update(reader().as_bytes());
    hash.update(public.as_bytes());
    let key = ring::aead::LessSafeKey::new(
        ring::aead::UnboundKey::new(&ring::aead::CHACHA20_POLY1305, &hash.finalize()[..32])
            .unwrap(),
    );
    let mut sealed = payload.to_vec();
    let nonce = ring::aead::Nonce::assume_unique_for_key([number; 12]);
    key.seal_in_place_append_tag(nonce, ring::aead::Aad::empty(), &mut sealed)
        .unwrap();
    let length = u32::try_from(52 + sealed.len()).unwrap();
    [
        &length.to_le_bytes()[..],
        &[0; 4],
        public.as_bytes(),
        &[number; 12],
        &sealed,
    ]
    .concat()
}

fn header_of(packets: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(packets.len()).unwrap();
    [
        &b"crypt4gh\x01\0\0\0"[..],
        &count.to_le_bytes(),
        &packets.concat(),
    ]
    .concat()
}

fn data_packet(key: u8, number: u8) -> Vec<u8> {
    packet(&[&[0; 8][..], &[key; 32]].concat(), number)
}

fn header_error(packets: &[Vec<u8>]) -> String {
    read_header(&mut &header_of(packets)[..], &secret())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_header_made_by_hand_after_the_standard_is_read() {
    let header = header_of(&[data_packet(5, 1)]);
    let read = read_header(&mut &header[..], &secret()).unwrap();
    assert_eq!(read.key, PartKey::new([5; 32]));
    assert_eq!((read.length, header.len()), (HEADER as u64, HEADER));
    let padded = packet(&[&[0; 8][..], &[6; 32], &[0; 100]].concat(), 2);
    let read = read_header(&mut &header_of(&[padded])[..], &secret()).unwrap();
    assert_eq!(
        read.key,
        PartKey::new([6; 32]),
        "padding of a packet is passed over"
    );
}

#[test]
fn edit_lists_second_keys_repeated_packets_and_unknown_methods_are_refused_by_name() {
    let edits = packet(&[&[1, 0, 0, 0, 1, 0, 0, 0][..], &[9; 8]].concat(), 3);
    for packets in [
        vec![data_packet(5, 1), edits.clone()],
        vec![edits.clone(), data_packet(5, 1)],
        vec![edits],
    ] {
        let error = header_error(&packets);
        assert!(error.contains("edit list"), "{error}");
    }
    let two = header_error(&[data_packet(5, 1), data_packet(6, 2)]);
    assert!(two.contains("more than one data key"), "{two}");
    let same_key = header_of(&[data_packet(5, 1), data_packet(5, 2)]);
    let read = read_header(&mut &same_key[..], &secret()).unwrap();
    assert_eq!(read.key, PartKey::new([5; 32]), "one key twice is one key");
    let repeated = header_error(&[data_packet(5, 1), data_packet(5, 1)]);
    assert!(repeated.contains("packet 1"), "{repeated}");
    assert!(repeated.contains("repeats"), "{repeated}");
    let with_sequence = packet(&[&[0, 0, 0, 0, 1, 0, 0, 0][..], &[5; 40]].concat(), 1);
    let error = header_error(&[with_sequence]);
    assert!(error.contains("method 1"), "{error}");
    let error = header_error(&[packet(&[7, 0, 0, 0, 1, 2], 1)]);
    assert!(error.contains("type 7"), "{error}");
    for payload in [&[][..], &[0; 3], &[0; 7], &[0; 39]] {
        let error = header_error(&[packet(payload, 1)]);
        assert!(error.contains("too short"), "{error}");
    }
}

#[test]
fn packets_for_others_and_of_other_methods_are_passed_over() {
    let mut other_method = data_packet(7, 4);
    other_method[4] = 9;
    let file = header_of(&[other_method, data_packet(5, 1)]);
    assert_eq!(
        read_header(&mut &file[..], &secret()).unwrap().key,
        PartKey::new([5; 32])
    );
    let file = made(b"for two", &[stranger(), reader()]);
    assert_eq!(file.len(), 16 + 2 * 108 + 7 + 28);
    assert_eq!(opened(&file).unwrap().0, b"for two");
    let other = SealingSecret::from_bytes(1, [10; 32]);
    let mut plain = Vec::new();
    import(&mut &file[..], &other, &mut plain).unwrap();
    assert_eq!(plain, b"for two");
}

#[test]
fn no_flipped_byte_passes_and_every_cut_in_header_or_segment_is_refused() {
    let file = made(&content(100), &[reader()]);
    assert_eq!(file.len(), HEADER + 128);
    for at in 0..file.len() {
        let bits = if at < HEADER { 8 } else { 1 };
        for bit in 0..bits {
            let mut bad = file.clone();
            bad[at] ^= 1 << bit;
            assert!(opened(&bad).is_err(), "byte {at}, bit {bit}");
        }
    }
    for cut in (0..HEADER).chain(HEADER + 1..file.len()) {
        assert!(opened(&file[..cut]).is_err(), "cut at {cut}");
    }
    assert!(
        opened(&[&file[..], &[0]].concat()).is_err(),
        "one byte more"
    );
}

#[test]
fn a_wrong_key_another_version_and_another_file_each_have_their_own_error() {
    let file = made(b"x", &[stranger()]);
    let error = opened(&file).unwrap_err();
    assert!(
        matches!(error, Crypt4ghError::NotForThisKey { packets: 1 }),
        "{error}"
    );
    let file = made(b"x", &[reader()]);
    let mut later = file.clone();
    later[8] = 2;
    assert!(matches!(
        opened(&later),
        Err(Crypt4ghError::Version { version: 2 })
    ));
    for foreign in [&b""[..], b"crypt4g", b"PK\x03\x04 a zip archive"] {
        assert!(matches!(opened(foreign), Err(Crypt4ghError::Foreign)));
    }
    let mut many = file.clone();
    many[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        opened(&many),
        Err(Crypt4ghError::PacketCount { .. })
    ));
    for length in [0u32, 3, 4, 7, 1 << 17, u32::MAX] {
        let mut bad = file.clone();
        bad[16..20].copy_from_slice(&length.to_le_bytes());
        assert!(matches!(
            opened(&bad),
            Err(Crypt4ghError::PacketLength { packet: 0, .. })
        ));
    }
    assert!(matches!(
        opened(b"crypt4gh\x01\0\0\0\0\0\0\0"),
        Err(Crypt4ghError::NotForThisKey { packets: 0 })
    ));
}

/// The standard says so (section 1.1, "Integrity"); length and hash tell what happened.
#[test]
fn cut_swapped_and_repeated_segments_pass_the_format_and_show_in_length_and_hash() {
    let plain = content(3 * SEGMENT + 5);
    let file = made(&plain, &[reader()]);
    let good = opened(&file).unwrap().1;
    assert_eq!(
        (good.length, good.plaintext),
        (plain.len() as u64, Digest::of(&plain))
    );
    let segment = |number: usize| HEADER + number * SEALED..HEADER + (number + 1) * SEALED;
    let cut = file[..HEADER + 2 * SEALED].to_vec();
    let mut swapped = file.clone();
    swapped[segment(0)].copy_from_slice(&file[segment(1)]);
    swapped[segment(1)].copy_from_slice(&file[segment(0)]);
    let repeated = [
        &file[..HEADER + SEALED],
        &file[segment(0)],
        &file[HEADER + SEALED..],
    ]
    .concat();
    for (what, bad) in [("cut", cut), ("swapped", swapped), ("repeated", repeated)] {
        let found = opened(&bad).unwrap().1;
        assert_ne!(found.plaintext, good.plaintext, "{what}");
    }
    let mut bad = file.clone();
    bad[HEADER + 2 * SEALED + 100] ^= 1;
    let error = opened(&bad).unwrap_err();
    assert!(
        matches!(
            error,
            Crypt4ghError::Segment {
                segment: 2,
                offset: 131_128
            }
        ),
        "{error}"
    );
}

#[test]
fn headers_that_nobody_could_read_are_not_written() {
    let key = PartKey::new([1; 32]);
    let write = |recipients: &[Recipient]| {
        write_header(&key, recipients, &mut SeededEntropy::new(1)).unwrap_err()
    };
    assert!(matches!(write(&[]), Crypt4ghError::NoRecipient));
    assert!(matches!(
        write(&[reader(), stranger(), reader()]),
        Crypt4ghError::RepeatedRecipient { recipient: 2 }
    ));
    assert!(matches!(
        write(&[reader(), Recipient::new([0; 32])]),
        Crypt4ghError::BadRecipient { recipient: 1 }
    ));
    let many: Vec<Recipient> = (0..1025u32)
        .map(|i| Recipient::new(Digest::of(&i.to_be_bytes()).to_bytes()))
        .collect();
    assert!(matches!(
        write(&many),
        Crypt4ghError::TooManyRecipients { count: 1025 }
    ));
}

/// Gives one byte at a time.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let count = target.len().min(self.0.len()).min(1);
        let (now, later) = self.0.split_at(count);
        target[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

#[test]
fn short_reads_lose_nothing_in_either_direction() {
    let plain = content(SEGMENT + 10);
    let mut file = Vec::new();
    let mut entropy = SeededEntropy::new(1);
    encrypt(&mut Drip(&plain), &[reader()], &mut entropy, &mut file).unwrap();
    let mut reader = Crypt4ghReader::open(Drip(&file), &secret()).unwrap();
    let body = file.len() as u64 - reader.header_length();
    assert_eq!(plain_length(body), Some(plain.len() as u64));
    let mut back = Vec::new();
    reader.read_to_end(&mut back).unwrap();
    assert_eq!(back, plain);
}

#[test]
fn an_exported_part_is_the_original_for_any_reader_and_its_full_segments_are_those_at_rest() {
    for length in [0, 1, 4096, 65_535, 65_536, 65_537, (1 << 20) + 3, 3 << 20] {
        let plain = content(length);
        let (part, blocks) = sealed_part(&plain);
        let (mut file, mut entropy) = (Vec::new(), SeededEntropy::new(8));
        let recipients = [reader(), stranger()];
        let written = export(&part, &recipients, &blocks.0, &mut entropy, &mut file).unwrap();
        assert_eq!(written, file.len() as u64);
        let (back, imported) = opened(&file).unwrap();
        assert!(back == plain, "{length}");
        assert_eq!(imported.plaintext, part.plaintext);
        let body = &file[16 + 2 * 108..];
        assert_eq!(plain_length(body.len() as u64), Some(length as u64));
        if length == 3 << 20 {
            let mut rest = Vec::new();
            let links = medibloc_dag::unixfs::links(&part.cid, &blocks.0[&part.cid]).unwrap();
            links
                .iter()
                .for_each(|cid| rest.extend_from_slice(&blocks.0[cid]));
            assert!(rest.starts_with(body), "the very same segments");
        }
    }
}

#[test]
fn a_damaged_part_is_not_exported() {
    let (part, blocks) = sealed_part(&content(100));
    let export_to = |part: &ManifestPart, blocks: &BTreeMap<Cid, Vec<u8>>| {
        let mut entropy = SeededEntropy::new(8);
        export(part, &[reader()], blocks, &mut entropy, &mut Vec::new())
    };
    export_to(&part, &blocks.0).unwrap();
    let mut damaged = blocks.0.clone();
    damaged.get_mut(&part.cid).unwrap()[30] ^= 1;
    assert!(matches!(export_to(&part, &damaged), Err(SealError::Dag(_))));
    let other = ManifestPart {
        plaintext: Digest::of(b"another"),
        ..part.clone()
    };
    assert!(matches!(
        export_to(&other, &blocks.0),
        Err(SealError::Check(_))
    ));
    assert!(open_part(&other, &blocks.0, &mut Vec::new()).is_err());
    let error = export(
        &part,
        &[],
        &blocks.0,
        &mut SeededEntropy::new(8),
        &mut Vec::new(),
    );
    assert!(matches!(
        error,
        Err(SealError::Crypt4gh(Crypt4ghError::NoRecipient))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn bytes_from_anywhere_are_refused_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), real in any::<bool>()) {
        if real {
            bytes.splice(..0, *b"crypt4gh\x01\0\0\0\x01\0\0\0");
        }
        prop_assert!(opened(&bytes).is_err());
    }
}

#[test]
fn nonces_and_keys_are_fresh_for_every_file() {
    let mut entropy = SeededEntropy::new(5);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let mut file = Vec::new();
        encrypt(&mut &[7u8; 10][..], &[reader()], &mut entropy, &mut file).unwrap();
        let header = read_header(&mut &file[..], &secret()).unwrap();
        assert!(seen.insert(header.key.expose().to_vec()));
        assert!(seen.insert(header.writer.as_bytes().to_vec()));
        assert!(seen.insert(file[HEADER..HEADER + 12].to_vec()));
    }
}

/// Fails after some bytes.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        if self.0 == 0 {
            return Err(std::io::Error::other("the disk is gone"));
        }
        let count = target.len().min(self.0);
        self.0 -= count;
        Ok(count)
    }
}

impl std::io::Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.read(&mut vec![0; bytes.len()])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_source_or_target_that_fails_is_named() {
    let mut entropy = SeededEntropy::new(1);
    let to = [reader()];
    let plain = content(200_000);
    for after in [0, 10, 70_000] {
        let error = encrypt(&mut Broken(after), &to, &mut entropy, &mut Vec::new());
        assert!(matches!(error, Err(Crypt4ghError::Read(_))), "{after}");
        let error = encrypt(&mut &plain[..], &to, &mut entropy, &mut Broken(after));
        assert!(matches!(error, Err(Crypt4ghError::Write(_))), "{after}");
    }
    let file = made(&plain, &to);
    for after in [0, 20, HEADER, HEADER + 70_000] {
        let mut source = (&file[..after]).chain(Broken(0));
        let error = import(&mut source, &secret(), &mut Vec::new());
        assert!(matches!(error, Err(Crypt4ghError::Read(_))), "{after}");
    }
    let error = import(&mut &file[..], &secret(), &mut Broken(100));
    assert!(matches!(error, Err(Crypt4ghError::Write(_))));
    let (part, blocks) = sealed_part(&plain);
    for after in [0, 200, 100_000] {
        let error = export(&part, &to, &blocks.0, &mut entropy, &mut Broken(after));
        assert!(matches!(error, Err(SealError::Write(_))), "{after}");
    }
}
