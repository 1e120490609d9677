//! Storing a sealed record whole: only what is proved present can be anchored.

use medibloc_dag::{Block, Budget, Cid, Codec, Walk};
use medibloc_record::{Attestation, Digest, RecordId, Sealed, SignedAttestation};

use crate::{Store, StoreError};

/// Blocks asked for at a time.
const ASKED: usize = 64;

/// A record of which every block is in a store. Made only by [`put_sealed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    record: RecordId,
    package: Digest,
    key_set: Digest,
    capsule: Digest,
    attestation_digest: Digest,
    attestation: Attestation,
}

impl Stored {
    /// The record.
    pub const fn record(&self) -> RecordId {
        self.record
    }

    /// Digest of its package.
    pub const fn package(&self) -> Digest {
        self.package
    }

    /// Digest of its key set.
    pub const fn key_set(&self) -> Digest {
        self.key_set
    }

    /// Digest of its capsule.
    pub const fn capsule(&self) -> Digest {
        self.capsule
    }

    /// Digest of its signed attestation.
    pub const fn attestation_digest(&self) -> Digest {
        self.attestation_digest
    }

    /// What its author attests.
    pub const fn attestation(&self) -> &Attestation {
        &self.attestation
    }
}

/// Stores package, key set, capsule and attestation, and proves that every block of every payload is there.
///
/// # Errors
/// [`StoreError::Missing`] names the first block that is not there; the record is not stored then.
pub async fn put_sealed(
    store: &dyn Store,
    sealed: &Sealed,
    attestation: &SignedAttestation,
) -> Result<Stored, StoreError> {
    let mut budget = Budget::of_record();
    for walk in sealed.walks(&mut budget) {
        prove_present(store, walk?).await?;
    }
    let attestation_bytes = attestation.to_bytes();
    let attestation_digest = Digest::of(&attestation_bytes);
    let objects = [
        sealed.package_bytes().to_vec(),
        sealed.key_set_bytes().to_vec(),
        sealed.capsule_bytes().to_vec(),
        attestation_bytes,
    ];
    let blocks = objects
        .into_iter()
        .map(|bytes| Block::of(Codec::DagCbor, bytes))
        .collect::<Result<Vec<_>, _>>()?;
    store.put(blocks).await?;
    Ok(Stored {
        record: sealed.record(),
        package: sealed.package_digest(),
        key_set: sealed.key_set_digest(),
        capsule: sealed.capsule_digest(),
        attestation_digest,
        attestation: attestation.attestation,
    })
}

/// Inner nodes are fetched for their links; leaves need only be there.
async fn prove_present(store: &dyn Store, mut walk: Walk) -> Result<(), StoreError> {
    loop {
        let next = walk.next_blocks(ASKED);
        if next.is_empty() {
            return Ok(());
        }
        let leaves: Vec<Cid> = next
            .iter()
            .filter(|wanted| wanted.is_leaf())
            .map(|wanted| *wanted.cid())
            .collect();
        if !leaves.is_empty() {
            let there = store.has(&leaves).await?;
            // An answer that is too short says of nothing that it is there.
            let mut there = there.into_iter().chain(std::iter::repeat(false));
            if let Some(cid) = leaves.into_iter().find(|_| there.next() != Some(true)) {
                return Err(StoreError::Missing { cid });
            }
        }
        for wanted in next.iter().filter(|wanted| !wanted.is_leaf()) {
            let cid = *wanted.cid();
            let bytes = store.get(&cid).await?.ok_or(StoreError::Missing { cid })?;
            walk.take(wanted, &bytes)?;
        }
    }
}
