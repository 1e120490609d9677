//! Manifests that do not fit into their package, and capsules that go to the owner's next key.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use medibloc_dag::{Block, Cid, Codec, DagError, MAX_BLOCK, cbor};
use medibloc_keys::{Dealing, SealingSecret, SeededEntropy, SigningKey};
use medibloc_record::{
    AccountId, Address, ClassId, Committee, Draft, Kind, LossReport, MOST_PARTS, Nonce, Part,
    PartRole, Record, Sealed, SignedAttestation, Threshold, Timestamp, TypedDomain,
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

/// The same with its manifest in a file of its own.
fn linked(out: &Outbound, blocks: &mut Blocks) -> (Cid, Sealed) {
    let mut package = out.sealed.package().clone();
    let block = Block::of(Codec::Raw, core::mem::take(&mut package.manifest)).unwrap();
    let cid = *block.cid();
    package.manifest_cid = Some(cid);
    blocks.put(block).unwrap();
    let (set, capsule) = (out.sealed.key_set_bytes(), out.sealed.capsule_bytes());
    let sealed = Sealed::parse(cbor::to_vec(&package), set.to_vec(), capsule.to_vec());
    (cid, sealed.unwrap())
}

#[test]
fn the_longest_manifest_opens_inside_and_linked() {
    let (out, mut blocks) = made(MOST_PARTS, 255);
    let out = out.unwrap();
    let package = out.sealed.package();
    assert!(package.manifest_cid.is_none() && package.manifest.len() > 100 << 10);
    assert!(out.sealed.package_bytes().len() <= MAX_BLOCK);
    let (cid, sealed) = linked(&out, &mut blocks);
    assert!(sealed.payload_roots().any(|root| *root == cid));

    let digest = sealed.package_digest();
    let mut attestation = out.attestation;
    attestation.package = digest;
    let signature = author().sign_digest(&attestation.digest(&DOMAIN));
    let signed = SignedAttestation::new(attestation, parties().author, signature);
    let expected = Expectations {
        record: sealed.record(),
        author: parties().author,
        author_address: author().address(),
        owner: parties().owner,
        kind: Kind::Medical,
        class: ClassId(0),
        amends: None,
    };
    let held = open_capsule(sealed.capsule(), &owner(1), &between(&out), &DOMAIN).unwrap();
    let check = |sealed| check_for_owner(sealed, &signed, &held, committee(), &expected, &DOMAIN);
    let error = check(&sealed).unwrap_err();
    assert!(
        matches!(error, SealError::Dag(DagError::Missing { cid: named }) if named == cid),
        "{error}"
    );
    let loaded = sealed_with_manifest(sealed.clone(), &blocks.0).unwrap();
    assert_eq!(loaded.package_digest(), digest, "loading changes no digest");
    let manifest = check(&loaded).unwrap();
    assert_eq!(manifest.parts.len(), MOST_PARTS);
    let mut plain = Vec::new();
    open_part(&manifest.parts[MOST_PARTS - 1], &blocks.0, &mut plain).unwrap();
    assert_eq!(plain, (MOST_PARTS - 1).to_string().as_bytes());
}

#[test]
fn a_missing_or_changed_block_of_a_linked_manifest_opens_nothing() {
    let (out, mut blocks) = made(MOST_PARTS, 255);
    let out = out.unwrap();
    let (cid, sealed) = linked(&out, &mut blocks);
    let mut missing = blocks.0.clone();
    missing.remove(&cid);
    let package = || sealed.package().clone();
    assert!(matches!(
        with_manifest(package(), &missing),
        Err(SealError::Dag(DagError::Missing { cid: named })) if named == cid
    ));
    let held = open_capsule(out.sealed.capsule(), &owner(1), &between(&out), &DOMAIN).unwrap();
    let id = out.sealed.record();
    let dealing = Dealing::from_seed(&held.dealer_seed, id, committee().threshold);
    let master = MasterKey::from_halves(id, &held.owner_half, &dealing.keeper_half());
    let mut forged = with_manifest(package(), &blocks.0).unwrap();
    open_manifest(&forged, &master).unwrap();
    forged.manifest[50_000] ^= 1;
    assert!(matches!(
        open_manifest(&forged, &master),
        Err(SealError::Manifest)
    ));
}

#[test]
fn a_part_too_many_is_refused() {
    let (too_many, _) = made(MOST_PARTS + 1, 10);
    assert!(matches!(
        too_many,
        Err(SealError::TooManyParts { parts: 257 })
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
