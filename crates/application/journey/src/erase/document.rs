//! Which document an erased record was made of: known again if it is imported once more, and told to nobody by its tombstone.

use medibloc_keys::PairingKey;
use medibloc_record::{AccountId, Digest, PartRole};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use super::Erasure;
use crate::party::table;
use crate::{JourneyError, KeptRecord, Party};

/// HMAC-SHA256 over owner and digest of a document, by a key that only the phrase makes: a guessed document cannot be tried on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ErasedDocument(ByteArray<32>);

impl Party {
    pub(super) fn erased_document(&self, owner: AccountId, original: &Digest) -> ErasedDocument {
        let key = PairingKey::from_bytes(self.seed.local_key("erased-documents"));
        let pieces: [&[u8]; 2] = [owner.as_bytes(), original.as_bytes()];
        ErasedDocument(ByteArray::new(
            key.tag("medibloc/v1/erased-document", &pieces),
        ))
    }

    /// Tombstones of the records that this home had made of the very document for that owner, or as own ones, the newest first,
    /// whoever erased them.
    pub fn erased_before(
        &self,
        owner: Option<AccountId>,
        original: &Digest,
    ) -> Result<Vec<Erasure>, JourneyError> {
        let mut erased = Vec::new();
        for erasure in self.rows::<Erasure>(table::ERASED)? {
            let fits = match owner {
                Some(owner) => erasure.owner == owner,
                None => self.own(erasure.owner)?.is_some(),
            };
            if fits && erasure.document == Some(self.erased_document(erasure.owner, original)) {
                erased.push(erasure);
            }
        }
        erased.sort_by_key(|erasure| core::cmp::Reverse(erasure.at));
        Ok(erased)
    }
}

/// The document that a record was made of, as far as it was opened.
pub(super) fn original_of(kept: &KeptRecord) -> Option<Digest> {
    let parts = &kept.manifest.as_ref()?.parts;
    let mut originals = parts.iter().filter(|part| part.role == PartRole::Original);
    originals.next().map(|part| part.plaintext)
}
