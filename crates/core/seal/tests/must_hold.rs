//! What sealing promises, and everything that must be refused.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use medibloc_dag::{BlockSource, Cid};
use medibloc_keys::{DealerSeed, Dealing, KeeperHalf, SealingSecret, SeededEntropy, combine};
use medibloc_record::{
    AccountId, Capsule, Digest, ManifestPart, Nonce, Part, PartRole, Record, RecordId, Threshold,
    TypedDomain,
};
use medibloc_seal::{
    MasterKey, OwnerHalf, Parties, RecordParties, SealError, open_capsule, open_manifest,
    open_part, open_range, seal,
};
use proptest::prelude::*;

#[path = "support/made.rs"]
mod made;
use made::*;

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
