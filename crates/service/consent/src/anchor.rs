//! The fields of an anchor: the preimage that accept, grant and openRead pass.

use medibloc_record::{AccountId, ClassId, Digest, Kind, Nonce, RecordId};
use serde::{Deserialize, Serialize};

/// What an anchor says of a record (contract `Records`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AnchorFields {
    /// Makes the id random.
    pub nonce: Nonce,
    /// Who wrote it.
    pub author: AccountId,
    /// Whose it is.
    pub owner: AccountId,
    /// Digest of the package.
    pub package: Digest,
    /// Digest of the key set.
    pub key_set: Digest,
    /// Digest of the first capsule.
    pub capsule: Digest,
    /// Digest of the attestation.
    pub attestation: Digest,
    /// Kind.
    pub kind: Kind,
    /// Class.
    pub class: ClassId,
    /// The record that it corrects.
    pub amends: Option<RecordId>,
}

impl AnchorFields {
    /// The record's id, as the contract recomputes it.
    pub fn record_id(&self) -> RecordId {
        RecordId::derive(self.author, self.owner, self.nonce)
    }
}
