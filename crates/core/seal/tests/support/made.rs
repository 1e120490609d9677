//! A sealed record and what its owner does with it, for tests.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;

use medibloc_dag::{Block, Cid};
use medibloc_keys::{SealingSecret, SeededEntropy, SigningKey};
use medibloc_record::{
    AccountId, Address, Category, ClassId, Committee, Kind, ManifestPart, Nonce, Record, Sealed,
    Sensitivity, SignedAttestation, Threshold, Timestamp, TypedDomain,
};
use medibloc_seal::{
    BlockSink, Expectations, Outbound, Parties, RecordParties, SealError, SinkError,
    check_for_owner, open_capsule, seal,
};

pub(crate) const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 31_337,
    records: Address::new([0x52; 20]),
};

#[derive(Default)]
pub(crate) struct Blocks(pub(crate) BTreeMap<Cid, Vec<u8>>);

impl BlockSink for Blocks {
    fn put(&mut self, block: Block) -> Result<(), SinkError> {
        self.0.insert(*block.cid(), block.into_bytes());
        Ok(())
    }
}

pub(crate) fn committee() -> Committee {
    Committee {
        id: 1,
        threshold: Threshold::new(7, 4).unwrap(),
    }
}

pub(crate) fn owner_secret() -> SealingSecret {
    SealingSecret::from_bytes(1, [9; 32])
}

pub(crate) fn author() -> SigningKey {
    SigningKey::from_bytes(&[3; 32]).unwrap()
}

pub(crate) fn record_of(content: &[u8]) -> Record {
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

pub(crate) struct Made {
    pub(crate) out: Outbound,
    pub(crate) blocks: Blocks,
    pub(crate) signed: SignedAttestation,
    pub(crate) parties: RecordParties,
}

pub(crate) fn make(content: &[u8]) -> Made {
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

pub(crate) fn expectations(made: &Made) -> Expectations {
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
pub(crate) fn owner_opens(
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

pub(crate) fn objects(made: &Made) -> [Vec<u8>; 4] {
    let sealed = &made.out.sealed;
    [
        sealed.package_bytes().to_vec(),
        sealed.key_set_bytes().to_vec(),
        sealed.capsule_bytes().to_vec(),
        made.signed.to_bytes(),
    ]
}

pub(crate) fn try_objects(
    made: &Made,
    objects: &[Vec<u8>; 4],
) -> Result<Vec<ManifestPart>, SealError> {
    let [package, key_set, capsule, attestation] = objects.clone();
    owner_opens(made, package, key_set, capsule, &attestation)
}
