//! Manifests that do not fit into their package, and capsules that go to the owner's next key.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use medibloc_dag::{Block, Cid, DagError, MAX_BLOCK, unixfs};
use medibloc_keys::{Dealing, SealingSecret, SeededEntropy, SigningKey};
use medibloc_record::{
    AccountId, Address, ClassId, Committee, Draft, Kind, LossReport, Nonce, Part, PartRole, Record,
    SignedAttestation, Threshold, Timestamp, TypedDomain,
};
use medibloc_seal::{
    BlockSink, Expectations, MasterKey, Outbound, Parties, RecordParties, SealError, SinkError,
    check_for_owner, open_capsule, open_manifest, open_part, recapsule, seal, sealed_with_manifest,
    with_manifest,
};

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

fn author() -> SigningKey {
    SigningKey::from_bytes(&[3; 32]).unwrap()
}

fn owner(version: u32) -> SealingSecret {
    SealingSecret::from_bytes(version, [u8::try_from(version).unwrap(); 32])
}

fn committee() -> Committee {
    Committee {
        id: 1,
        threshold: Threshold::new(3, 2).unwrap(),
    }
}

fn parties() -> Parties {
    Parties {
        author: AccountId::from_first_address(author().address()),
        owner: AccountId::new([8; 20]),
        owner_key: owner(1).public(),
        nonce: Nonce::new([4; 32]),
    }
}

/// A record of `count` parts whose media types have `text` bytes, sealed.
fn made(count: usize, text: usize) -> (Result<Outbound, SealError>, Blocks) {
    let draft = Draft::new(
        "text/plain",
        b"x".to_vec(),
        serde_json::json!({"resourceType": "Bundle"}),
        LossReport::default(),
    );
    let (details, _) = Record::normalise(draft, Kind::Medical, Timestamp(5))
        .unwrap()
        .into_parts();
    let media_type = "t".repeat(text);
    let parts = (0..count)
        .map(|i| Part::from_bytes(PartRole::Original, &media_type, i.to_string().into_bytes()))
        .collect();
    let mut blocks = Blocks::default();
    let out = seal(
        Record::from_parts(details, parts),
        &parties(),
        committee(),
        &DOMAIN,
        &mut SeededEntropy::new(1),
        &mut blocks,
    );
    (out, blocks)
}

fn between(out: &Outbound) -> RecordParties {
    RecordParties {
        record: out.sealed.record(),
        author: parties().author,
        owner: parties().owner,
    }
}

#[test]
fn a_manifest_of_two_megabytes_is_linked_and_opens_like_any_other() {
    let (out, blocks) = made(5_000, 255);
    let out = out.unwrap();
    let package = out.sealed.package();
    let cid = package.manifest_cid.unwrap();
    assert!(package.manifest.is_empty());
    assert!(out.sealed.package_bytes().len() <= MAX_BLOCK);
    assert!(out.sealed.payload_roots().any(|root| *root == cid));
    assert!(unixfs::size(&cid, &blocks.0).unwrap() > 1_990_000);

    let digest = out.sealed.package_digest();
    let signature = author().sign_digest(&out.attestation.digest(&DOMAIN));
    let signed = SignedAttestation::new(out.attestation, parties().author, signature);
    let expected = Expectations {
        record: out.sealed.record(),
        author: parties().author,
        author_address: author().address(),
        owner: parties().owner,
        kind: Kind::Medical,
        class: ClassId(0),
        amends: None,
    };
    let held = open_capsule(out.sealed.capsule(), &owner(1), &between(&out), &DOMAIN).unwrap();
    let check = |sealed| check_for_owner(sealed, &signed, &held, committee(), &expected, &DOMAIN);
    let error = check(&out.sealed).unwrap_err();
    assert!(
        matches!(error, SealError::Dag(DagError::Missing { cid: named }) if named == cid),
        "{error}"
    );
    let loaded = sealed_with_manifest(out.sealed.clone(), &blocks.0).unwrap();
    assert_eq!(loaded.package_digest(), digest, "loading changes no digest");
    let manifest = check(&loaded).unwrap();
    assert_eq!(manifest.parts.len(), 5_000);
    let mut plain = Vec::new();
    open_part(&manifest.parts[4_999], &blocks.0, &mut plain).unwrap();
    assert_eq!(plain, b"4999");
}

#[test]
fn a_missing_or_changed_block_of_a_linked_manifest_opens_nothing() {
    let (out, blocks) = made(5_000, 255);
    let out = out.unwrap();
    let cid = out.sealed.package().manifest_cid.unwrap();
    let mut cids = unixfs::links(&cid, &blocks.0[&cid]).unwrap();
    assert!(cids.len() >= 2);
    cids.push(cid);
    for cid in cids {
        let mut missing = blocks.0.clone();
        missing.remove(&cid);
        assert!(with_manifest(out.sealed.package().clone(), &missing).is_err());
        let mut changed = blocks.0.clone();
        changed.get_mut(&cid).unwrap()[40] ^= 1;
        assert!(with_manifest(out.sealed.package().clone(), &changed).is_err());
    }
    let held = open_capsule(out.sealed.capsule(), &owner(1), &between(&out), &DOMAIN).unwrap();
    let id = out.sealed.record();
    let dealing = Dealing::from_seed(&held.dealer_seed, id, committee().threshold);
    let master = MasterKey::from_halves(id, &held.owner_half, &dealing.keeper_half());
    let mut forged = with_manifest(out.sealed.package().clone(), &blocks.0).unwrap();
    assert!(open_manifest(&forged, &master).is_ok());
    forged.manifest[1_500_000] ^= 1;
    assert!(matches!(
        open_manifest(&forged, &master),
        Err(SealError::Manifest)
    ));
}

#[test]
fn many_parts_are_linked_when_their_list_needs_the_room_and_too_many_are_refused() {
    let (few, _) = made(100, 10);
    assert!(few.unwrap().sealed.package().manifest_cid.is_none());
    let (many, blocks) = made(4_100, 10);
    let sealed = many.unwrap().sealed;
    let cid = sealed.package().manifest_cid.unwrap();
    assert!(
        unixfs::size(&cid, &blocks.0).unwrap() < 900 << 10,
        "it would fit alone"
    );
    assert!(sealed.package_bytes().len() <= MAX_BLOCK);
    let (too_many, _) = made(20_000, 10);
    assert!(matches!(
        too_many,
        Err(SealError::TooManyParts { parts: 20_000 })
    ));
}

#[test]
fn a_capsule_goes_to_the_next_key_and_to_no_older_one() {
    let (out, _) = made(1, 10);
    let out = out.unwrap();
    let (old, parties) = (out.sealed.capsule(), between(&out));
    let mut entropy = SeededEntropy::new(9);
    let mut again = |current: &SealingSecret, next: &SealingSecret| {
        recapsule(
            old,
            current,
            &next.public(),
            &parties,
            &DOMAIN,
            &mut entropy,
        )
    };
    let next = again(&owner(1), &owner(2)).unwrap();
    let (was, is) = (
        open_capsule(old, &owner(1), &parties, &DOMAIN).unwrap(),
        open_capsule(&next, &owner(2), &parties, &DOMAIN).unwrap(),
    );
    assert_eq!(was.owner_half.expose(), is.owner_half.expose());
    assert_eq!(was.dealer_seed, is.dealer_seed);
    assert!(open_capsule(&next, &owner(1), &parties, &DOMAIN).is_err());
    let stranger = SealingSecret::from_bytes(1, [77; 32]);
    assert!(again(&stranger, &owner(2)).is_err(), "only who opens it");
    assert!(matches!(
        again(&owner(1), &owner(1)),
        Err(SealError::KeyVersion {
            current: 1,
            offered: 1
        })
    ));
    assert!(again(&owner(3), &owner(2)).is_err());
}
