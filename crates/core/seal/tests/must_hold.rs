//! What sealing promises, and everything that must be refused.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use medibloc_dag::{Block, BlockSource, Cid, cbor};
use medibloc_keys::{
    DealerSeed, Dealing, KeeperHalf, SealingSecret, SeededEntropy, SigningKey, combine,
};
use medibloc_record::{
    AccountId, Address, Capsule, Category, ClassId, Committee, Digest, Kind, ManifestPart, Nonce,
    Part, PartRole, Record, RecordId, Sealed, Sensitivity, SignedAttestation, Threshold, Timestamp,
    TypedDomain,
};
use medibloc_seal::{
    BlockSink, Expectations, MasterKey, Outbound, OwnerHalf, Parties, RecordParties, SealError,
    SinkError, check_for_owner, open_capsule, open_manifest, open_part, open_range, seal,
};
use proptest::prelude::*;

const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 31_337,
    records: Address::new([0x52; 20]),
};

#[derive(Default)]
struct Blocks(BTreeMap<Cid, Vec<u8>>);

impl BlockSink for Blocks {
    fn put(&mut self, block: Block) -> Result<(), SinkError> {
        self.0.insert(*block.cid(), block.into_bytes());
        Ok(())
    }
}

fn committee() -> Committee {
    Committee {
        id: 1,
        threshold: Threshold::new(7, 4).unwrap(),
    }
}

fn owner_secret() -> SealingSecret {
    SealingSecret::from_bytes(1, [9; 32])
}

fn author() -> SigningKey {
    SigningKey::from_bytes(&[3; 32]).unwrap()
}

fn record_of(content: &[u8]) -> Record {
    let mut draft = medibloc_record::Draft::new(
        "application/cda+xml",
        content.to_vec(),
        serde_json::json!({"resourceType": "Bundle"}),
        medibloc_record::LossReport::default(),
    );
    draft.category = Category::Documents;
    draft.sensitivity = Sensitivity::Normal;
    Record::normalise(draft, Kind::Medical, Timestamp(5)).unwrap()
}

struct Made {
    out: Outbound,
    blocks: Blocks,
    signed: SignedAttestation,
    parties: RecordParties,
}

fn make(content: &[u8]) -> Made {
    let mut blocks = Blocks::default();
    let author_id = AccountId::from_first_address(author().address());
    let parties = Parties {
        author: author_id,
        owner: AccountId::new([8; 20]),
        owner_key: owner_secret().public(),
        nonce: Nonce::new([4; 32]),
    };
    let mut entropy = SeededEntropy::new(1);
    let out = seal(
        record_of(content),
        &parties,
        committee(),
        &DOMAIN,
        &mut entropy,
        &mut blocks,
    )
    .unwrap();
    let signature = author().sign_digest(&out.attestation.digest(&DOMAIN));
    let signed = SignedAttestation::new(out.attestation, author_id, signature);
    let parties = RecordParties {
        record: out.sealed.record(),
        author: author_id,
        owner: AccountId::new([8; 20]),
    };
    Made {
        out,
        blocks,
        signed,
        parties,
    }
}

fn expectations(made: &Made) -> Expectations {
    Expectations {
        record: made.parties.record,
        author: made.parties.author,
        author_address: author().address(),
        owner: made.parties.owner,
        kind: Kind::Medical,
        class: ClassId(0),
        amends: None,
    }
}

/// What the owner's agent does with three blocks and an attestation.
fn owner_opens(
    made: &Made,
    package: Vec<u8>,
    key_set: Vec<u8>,
    capsule: Vec<u8>,
    attestation: &[u8],
) -> Result<Vec<ManifestPart>, SealError> {
    let sealed = Sealed::parse(package, key_set, capsule)?;
    let signed = SignedAttestation::parse(attestation)?;
    let content = open_capsule(sealed.capsule(), &owner_secret(), &made.parties, &DOMAIN)?;
    let manifest = check_for_owner(
        &sealed,
        &signed,
        &content,
        committee(),
        &expectations(made),
        &DOMAIN,
    )?;
    Ok(manifest.parts)
}

fn objects(made: &Made) -> [Vec<u8>; 4] {
    let sealed = &made.out.sealed;
    [
        sealed.package_bytes().to_vec(),
        sealed.key_set_bytes().to_vec(),
        sealed.capsule_bytes().to_vec(),
        made.signed.to_bytes(),
    ]
}

fn try_objects(made: &Made, objects: &[Vec<u8>; 4]) -> Result<Vec<ManifestPart>, SealError> {
    let [package, key_set, capsule, attestation] = objects.clone();
    owner_opens(made, package, key_set, capsule, &attestation)
}

#[test]
fn no_flipped_byte_of_package_key_set_capsule_or_attestation_is_accepted() {
    let made = make(b"a document");
    let good = objects(&made);
    assert!(try_objects(&made, &good).is_ok());
    for which in 0..4 {
        for at in 0..good[which].len() {
            let mut bad = good.clone();
            bad[which][at] ^= 1;
            assert!(
                try_objects(&made, &bad).is_err(),
                "object {which}, byte {at}"
            );
        }
        for cut in [0, 1, good[which].len() / 2, good[which].len() - 1] {
            let mut bad = good.clone();
            bad[which].truncate(cut);
            assert!(
                try_objects(&made, &bad).is_err(),
                "object {which}, cut at {cut}"
            );
        }
    }
}

#[test]
fn a_changed_cut_swapped_or_missing_block_opens_nothing() {
    let made = make(&vec![7u8; 3 << 20]);
    let parts = try_objects(&made, &objects(&made)).unwrap();
    let part = parts
        .iter()
        .find(|part| part.role == PartRole::Original)
        .unwrap();
    open_part(part, &made.blocks.0, &mut Vec::new()).unwrap();
    let mut cids = vec![part.cid];
    let root = &made.blocks.0[&part.cid];
    cids.extend(medibloc_dag::unixfs::links(&part.cid, root).unwrap());
    assert!(cids.len() > 3);
    for cid in &cids {
        for damage in 0..3 {
            let mut blocks = made.blocks.0.clone();
            match damage {
                0 => blocks.get_mut(cid).unwrap()[20] ^= 1,
                1 => blocks.get_mut(cid).unwrap().truncate(10),
                _ => drop(blocks.remove(cid)),
            }
            assert!(
                open_part(part, &blocks, &mut Vec::new()).is_err(),
                "{cid}, damage {damage}"
            );
        }
    }
    let mut swapped = made.blocks.0.clone();
    let (one, two) = (swapped[&cids[1]].clone(), swapped[&cids[2]].clone());
    swapped.insert(cids[1], two);
    swapped.insert(cids[2], one);
    assert!(
        open_part(part, &swapped, &mut Vec::new()).is_err(),
        "swapped leaves"
    );
}

/// Segments that were dropped, swapped or repeated by somebody who may choose the identifier too are refused by length
/// and plaintext hash; the reference tool takes them (notes on Crypt4GH, section 3.2).
#[test]
fn swapped_segments_under_a_new_identifier_are_refused_by_the_manifest() {
    let content: Vec<u8> = (0..200_000u32)
        .map(|i| (i / 999).to_le_bytes()[0])
        .collect();
    let made = make(&content);
    let parts = try_objects(&made, &objects(&made)).unwrap();
    let part = parts
        .iter()
        .find(|part| part.role == PartRole::Original)
        .unwrap();
    let body = made.blocks.0[&part.cid].clone();
    let sealed = 65_564;
    let mut swapped = body.clone();
    swapped[..sealed].copy_from_slice(&body[sealed..2 * sealed]);
    swapped[sealed..2 * sealed].copy_from_slice(&body[..sealed]);
    let mut repeated = body.clone();
    repeated[sealed..2 * sealed].copy_from_slice(&body[..sealed]);
    for other in [swapped, repeated, body[..2 * sealed].to_vec()] {
        let cid = Cid::of_raw(&other);
        let forged = ManifestPart {
            cid,
            ..part.clone()
        };
        let blocks = BTreeMap::from([(cid, other)]);
        assert!(open_part(&forged, &blocks, &mut Vec::new()).is_err());
    }
}

#[test]
fn wrong_keys_open_nothing() {
    let made = make(b"a document");
    let sealed = &made.out.sealed;
    let stranger = SealingSecret::from_bytes(1, [10; 32]);
    assert!(open_capsule(sealed.capsule(), &stranger, &made.parties, &DOMAIN).is_err());
    let other = RecordParties {
        owner: AccountId::new([1; 20]),
        ..made.parties
    };
    assert!(
        open_capsule(sealed.capsule(), &owner_secret(), &other, &DOMAIN).is_err(),
        "another owner"
    );
    let chain = TypedDomain {
        chain_id: 1,
        ..DOMAIN
    };
    assert!(
        open_capsule(sealed.capsule(), &owner_secret(), &made.parties, &chain).is_err(),
        "another chain"
    );

    let id = made.parties.record;
    let content = open_capsule(sealed.capsule(), &owner_secret(), &made.parties, &DOMAIN).unwrap();
    let dealing = Dealing::from_seed(&content.dealer_seed, id, committee().threshold);
    let master =
        |owner: &OwnerHalf, keepers: &KeeperHalf| MasterKey::from_halves(id, owner, keepers);
    let opens = |key: &MasterKey| open_manifest(sealed.package(), key).is_ok();
    assert!(opens(&master(&content.owner_half, &dealing.keeper_half())));
    assert!(
        !opens(&master(&OwnerHalf::new([0; 32]), &dealing.keeper_half())),
        "all keepers alone"
    );
    assert!(
        !opens(&master(&content.owner_half, &KeeperHalf::new([0; 32]))),
        "a grant alone"
    );
    let three: Vec<_> = (1..=3).map(|i| (i, dealing.share(i).unwrap())).collect();
    assert!(combine(committee().threshold, &three).is_err());
    let guessed = combine(Threshold::new(7, 3).unwrap(), &three).unwrap();
    assert!(
        !opens(&master(&content.owner_half, &guessed)),
        "t - 1 keepers with a grant"
    );
}

/// What parsing says of one of the four objects in another's place.
fn refusal(made: &Made, which: usize, bytes: Vec<u8>) -> String {
    let mut objects = objects(made);
    objects[which] = bytes;
    try_objects(made, &objects).unwrap_err().to_string()
}

#[test]
fn another_version_or_suite_of_any_object_says_so() {
    let made = make(b"a document");
    let sealed = &made.out.sealed;
    let mut package = sealed.package().clone();
    let mut key_set = sealed.key_set().clone();
    let mut capsule = sealed.capsule().clone();
    let mut signed = made.signed.clone();
    (
        package.version,
        key_set.version,
        capsule.version,
        signed.version,
    ) = (2, 2, 2, 2);
    let versions = [
        cbor::to_vec(&package),
        cbor::to_vec(&key_set),
        cbor::to_vec(&capsule),
        cbor::to_vec(&signed),
    ];
    for (which, bytes) in versions.into_iter().enumerate() {
        let error = refusal(&made, which, bytes);
        assert!(
            error.contains("version 2") && error.contains("update"),
            "{error}"
        );
    }
    (package.version, key_set.version, capsule.version) = (1, 1, 1);
    (package.suite, key_set.suite, capsule.suite) = (9, 9, 9);
    let suites = [
        cbor::to_vec(&package),
        cbor::to_vec(&key_set),
        cbor::to_vec(&capsule),
    ];
    for (which, bytes) in suites.into_iter().enumerate() {
        let error = refusal(&made, which, bytes);
        assert!(error.contains("suite 9"), "{error}");
    }
}

#[test]
fn objects_that_are_foreign_oversize_in_each_others_place_or_against_a_rule_say_so() {
    let made = make(b"a document");
    let names = ["package", "key set", "capsule", "attestation"];
    let good = objects(&made);
    for (which, name) in names.into_iter().enumerate() {
        for foreign in [&b""[..], b"%PDF-1.7", b"{}", &[0xa0], &[0xff; 40]] {
            let error = refusal(&made, which, foreign.to_vec());
            assert!(error.contains(name), "{error}");
        }
        let error = refusal(&made, which, vec![0; (1 << 20) + 1]);
        assert!(error.contains("limit is 1 MiB"), "{error}");
        let other = good[(which + 1) % 4].clone();
        assert!(refusal(&made, which, other).contains(name));
    }
    let sealed = &made.out.sealed;
    let mut package = sealed.package().clone();
    package.parts.clear();
    assert!(refusal(&made, 0, cbor::to_vec(&package)).contains("at least one part"));
    let mut package = sealed.package().clone();
    package.manifest.clear();
    assert!(refusal(&made, 0, cbor::to_vec(&package)).contains("inside or linked"));
    package.manifest_cid = Some(Cid::of_raw(b"x"));
    let error = refusal(&made, 0, cbor::to_vec(&package));
    assert!(error.contains("missing"), "{error}");
    let mut key_set = sealed.key_set().clone();
    key_set.commitments.pop();
    assert!(refusal(&made, 1, cbor::to_vec(&key_set)).contains("exactly t commitments"));
}

/// Everything of the manifest that must be the anchor's, and whose failing has its own words.
#[test]
fn a_record_that_is_not_the_anchored_one_is_not_accepted_because() {
    let made = make(b"a document");
    let sealed = &made.out.sealed;
    let held = open_capsule(sealed.capsule(), &owner_secret(), &made.parties, &DOMAIN).unwrap();
    let good = expectations(&made);
    let check = |expected: Expectations, committee: Committee| {
        check_for_owner(sealed, &made.signed, &held, committee, &expected, &DOMAIN)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(check(good, committee()), Ok(()));
    let id = RecordId::new([1; 32]);
    let stranger = AccountId::new([0x77; 20]);
    for (expected, why) in [
        (Expectations { record: id, ..good }, "another record's"),
        (
            Expectations {
                author: stranger,
                ..good
            },
            "not signed by the author",
        ),
        (
            Expectations {
                author_address: Address::new([0x77; 20]),
                ..good
            },
            "not signed by the author",
        ),
        (
            Expectations {
                owner: stranger,
                ..good
            },
            "another owner",
        ),
        (
            Expectations {
                kind: Kind::Family,
                ..good
            },
            "kind is not the anchor's",
        ),
        (
            Expectations {
                class: ClassId(3),
                ..good
            },
            "class is not the anchor's",
        ),
        (
            Expectations {
                amends: Some(id),
                ..good
            },
            "amended record",
        ),
    ] {
        let error = check(expected, committee()).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let other = Committee {
        id: 2,
        ..committee()
    };
    assert!(
        check(good, other)
            .unwrap_err()
            .contains("another committee")
    );
    let three = Committee {
        threshold: Threshold::new(7, 3).unwrap(),
        ..committee()
    };
    assert!(
        check(good, three)
            .unwrap_err()
            .contains("another committee")
    );
    let other_seed = medibloc_seal::CapsuleContent {
        dealer_seed: DealerSeed::new([1; 32]),
        ..held.clone()
    };
    let error = check_for_owner(
        sealed,
        &made.signed,
        &other_seed,
        committee(),
        &good,
        &DOMAIN,
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("do not follow from the capsule's seed"),
        "{error}"
    );
    let other_half = medibloc_seal::CapsuleContent {
        owner_half: OwnerHalf::new([1; 32]),
        ..held.clone()
    };
    let error = check_for_owner(
        sealed,
        &made.signed,
        &other_half,
        committee(),
        &good,
        &DOMAIN,
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains("owner's half"), "{error}");
}

#[test]
fn a_capsule_of_another_record_is_refused_even_if_it_opens() {
    let made = make(b"a document");
    let other = Capsule {
        version: 1,
        suite: 1,
        wrapped: made.out.sealed.capsule().wrapped.clone(),
    };
    let parties = RecordParties {
        record: RecordId::new([1; 32]),
        ..made.parties
    };
    assert!(open_capsule(&other, &owner_secret(), &parties, &DOMAIN).is_err());
}

#[test]
fn a_source_of_another_length_than_declared_seals_nothing() {
    for declared in [5u64, 20] {
        let part = Part {
            role: PartRole::Original,
            media_type: "text/plain".into(),
            length: declared,
            content: Box::new(std::io::Cursor::new(b"ten bytes!".to_vec())),
        };
        let (details, _) = record_of(b"x").into_parts();
        let parties = Parties {
            author: AccountId::new([1; 20]),
            owner: AccountId::new([2; 20]),
            owner_key: owner_secret().public(),
            nonce: Nonce::new([0; 32]),
        };
        let result = seal(
            Record::from_parts(details, vec![part]),
            &parties,
            committee(),
            &DOMAIN,
            &mut SeededEntropy::new(1),
            &mut Blocks::default(),
        );
        assert!(
            matches!(result, Err(SealError::Length { .. })),
            "declared {declared}"
        );
    }
}

/// Counts the leaves that are fetched.
struct Counting<'a>(&'a BTreeMap<Cid, Vec<u8>>, std::cell::Cell<usize>);

impl BlockSource for Counting<'_> {
    fn block(&self, cid: &Cid) -> Option<Vec<u8>> {
        if cid.codec() == medibloc_dag::Codec::Raw {
            self.1.set(self.1.get() + 1);
        }
        self.0.get(cid).cloned()
    }
}

#[test]
fn a_range_of_64_kib_fetches_two_leaves_at_most() {
    let made = make(&vec![7u8; 5 << 20]);
    let parts = try_objects(&made, &objects(&made)).unwrap();
    let part = &parts[0];
    for offset in (0..5 << 20).step_by(65_521) {
        let source = Counting(&made.blocks.0, std::cell::Cell::new(0));
        let range = open_range(part, offset, 65_536, &source).unwrap();
        assert_eq!(range.len() as u64, 65_536.min(part.length - offset));
        assert!(
            (1..=2).contains(&source.1.get()),
            "{offset}: {}",
            source.1.get()
        );
    }
}

#[test]
fn secrets_do_not_print() {
    let made = make(b"a document");
    let text = format!("{:?} {:?}", made.out, OwnerHalf::new([0xab; 32]));
    assert!(!text.contains("171") && !text.contains("abab"), "{text}");
    assert_eq!(
        format!("{:?}", DealerSeed::new([0xab; 32])),
        "DealerSeed(…)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn open_after_seal_gives_the_same_bytes_whole_and_in_ranges(
        length in prop_oneof![Just(1usize), Just(4095), Just(4097), Just(65_535), Just(65_536), Just(65_537), 1usize..3_000_000],
        from in 0u64..3_000_000,
        count in 0u64..200_000,
    ) {
        let content: Vec<u8> = (0..length).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect();
        let made = make(&content);
        let parts = try_objects(&made, &objects(&made)).unwrap();
        let part = parts.iter().find(|part| part.role == PartRole::Original).unwrap();
        prop_assert_eq!(part.plaintext, Digest::of(&content));
        let mut opened = Vec::new();
        open_part(part, &made.blocks.0, &mut opened).unwrap();
        prop_assert!(opened == content);
        let range = open_range(part, from, count, &made.blocks.0).unwrap();
        let start = usize::try_from(from).unwrap().min(length);
        let end = (start + usize::try_from(count).unwrap()).min(length);
        prop_assert!(range[..] == content[start..end]);
    }
}
