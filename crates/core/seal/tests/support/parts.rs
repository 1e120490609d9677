//! Parts of a sealed record, for tests.

use std::collections::BTreeMap;

use medibloc_dag::{Block, Cid};
use medibloc_keys::{Dealing, SealingSecret, SeededEntropy};
use medibloc_record::{
    AccountId, Address, Committee, Kind, ManifestPart, Nonce, Part, PartRole, Record, RecordId,
    Threshold, Timestamp, TypedDomain,
};
use medibloc_seal::{
    BlockSink, MasterKey, Parties, RecordParties, SinkError, open_capsule, open_manifest, seal,
};

/// The reader's key.
pub(crate) fn secret() -> SealingSecret {
    SealingSecret::from_bytes(1, [9; 32])
}

/// Bytes of which no two segments are equal.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| u8::try_from((i / 7 + i * 31) % 251).unwrap())
        .collect()
}

#[derive(Default)]
pub(crate) struct Blocks(pub(crate) BTreeMap<Cid, Vec<u8>>);

impl BlockSink for Blocks {
    fn put(&mut self, block: Block) -> Result<(), SinkError> {
        self.0.insert(*block.cid(), block.into_bytes());
        Ok(())
    }
}

/// A part of a sealed record with these bytes, and its blocks.
pub(crate) fn sealed_part(content: &[u8]) -> (ManifestPart, Blocks) {
    let domain = TypedDomain {
        chain_id: 31_337,
        records: Address::new([0x52; 20]),
    };
    let draft = medibloc_record::Draft::new(
        "text/plain",
        b"x".to_vec(),
        serde_json::json!({"resourceType": "Bundle"}),
        medibloc_record::LossReport::default(),
    );
    let (details, _) = Record::normalise(draft, Kind::Medical, Timestamp(5))
        .unwrap()
        .into_parts();
    let part = Part::from_bytes(PartRole::Original, "text/plain", content.to_vec());
    let parties = Parties {
        author: AccountId::new([1; 20]),
        owner: AccountId::new([2; 20]),
        owner_key: secret().public(),
        nonce: Nonce::new([4; 32]),
    };
    let committee = Committee {
        id: 1,
        threshold: Threshold::new(7, 4).unwrap(),
    };
    let mut blocks = Blocks::default();
    let out = seal(
        Record::from_parts(details, vec![part]),
        &parties,
        committee,
        &domain,
        &mut SeededEntropy::new(1),
        &mut blocks,
    )
    .unwrap();
    let id = RecordId::derive(parties.author, parties.owner, parties.nonce);
    let between = RecordParties {
        record: id,
        author: parties.author,
        owner: parties.owner,
    };
    let held = open_capsule(out.sealed.capsule(), &secret(), &between, &domain).unwrap();
    let dealing = Dealing::from_seed(&held.dealer_seed, id, committee.threshold);
    let master = MasterKey::from_halves(id, &held.owner_half, &dealing.keeper_half());
    let mut manifest = open_manifest(out.sealed.package(), &master).unwrap();
    (manifest.parts.remove(0), blocks)
}
