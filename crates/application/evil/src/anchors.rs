//! An author that holds a valid write grant and anchors what it likes.

use medibloc_consent::AnchorFields;
use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, LedgerError, Outcome, Relay, Submit};
use medibloc_record::{AccountId, ClassId, Digest, Kind, Nonce, Timestamp, keccak256};

/// An author without any check of its own.
#[derive(Debug)]
pub struct EvilAuthor {
    key: SigningKey,
}

impl EvilAuthor {
    /// The author with this account key.
    pub const fn new(key: SigningKey) -> Self {
        Self { key }
    }

    /// An anchor of a record of which nothing is stored anywhere.
    pub fn junk(&self, owner: AccountId, number: u64) -> AnchorFields {
        let digest = |what: u8| {
            let bytes = [&number.to_be_bytes()[..], &[what]].concat();
            Digest::new(keccak256(&bytes))
        };
        AnchorFields {
            nonce: Nonce::new(digest(0).to_bytes()),
            author: AccountId::from_first_address(self.key.address()),
            owner,
            package: digest(1),
            key_set: digest(2),
            capsule: digest(3),
            attestation: digest(4),
            kind: Kind::Medical,
            class: ClassId::UNDISCLOSED,
            amends: None,
        }
    }

    /// Signs an anchor with its valid key and sends it.
    ///
    /// # Errors
    /// What the chain says.
    pub async fn anchor(
        &self,
        submit: &dyn Submit,
        relay: &dyn Relay,
        anchor: AnchorFields,
        deadline: Timestamp,
    ) -> Result<Outcome, LedgerError> {
        let call = Call::Anchor(anchor);
        let unsigned = submit.prepare(self.key.address(), &call, deadline).await?;
        let signature = self.key.sign_digest(&unsigned.digest);
        relay.relay(&unsigned.sign(signature)).await
    }
}
