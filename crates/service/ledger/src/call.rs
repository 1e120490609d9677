//! What an account may ask of the contracts, and the signed request that carries it.

use medibloc_consent::{AnchorFields, Grant, ListProof, ListRoot, PurposeTag, WriteGrant};
use medibloc_record::{
    AccountId, Address, Digest, GrantId, Nonce, RecordId, Role, Signature, Timestamp,
};
use serde::{Deserialize, Serialize};

/// One call, in the words of the contracts (design 03). The caller is whoever signs the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Call {
    /// `Accounts.register`.
    Register {
        /// What the account is.
        role: Role,
        /// Its first sealing key.
        sealing_key: [u8; 32],
    },
    /// `Accounts.rotateSealingKey`.
    RotateSealingKey {
        /// The next key.
        sealing_key: [u8; 32],
    },
    /// `Accounts.rotateAddress`: another address signs for the account from then on, and nobody else.
    RotateAddress {
        /// The next address.
        next: Address,
        /// Until when its consent holds.
        deadline: Timestamp,
        /// Its signature over [`crate::Submit::rotation_digest`].
        consent: Signature,
    },
    /// `Records.anchor`.
    Anchor(AnchorFields),
    /// `Records.amend`: an anchor with the one that it amends, of the same owner.
    Amend {
        /// The amendment.
        anchor: AnchorFields,
        /// What it amends.
        amended: AnchorFields,
    },
    /// `Records.anchorBatch`.
    AnchorBatch {
        /// The anchors.
        batch: Vec<AnchorFields>,
        /// What those of them that amend amend, in their order.
        amended: Vec<AnchorFields>,
    },
    /// `Records.accept`.
    Accept(AnchorFields),
    /// `Records.retract`.
    Retract(AnchorFields),
    /// `Records.erase`.
    Erase(AnchorFields),
    /// `Records.replaceCapsule`.
    ReplaceCapsule {
        /// The record.
        anchor: AnchorFields,
        /// Digest of its new capsule.
        capsule: Digest,
    },
    /// `Consent.grantWrite`.
    GrantWrite(WriteGrant),
    /// `Consent.grant`; the anchor is the preimage for a grant of one record.
    Grant {
        /// The grant.
        grant: Grant,
        /// The record's anchor, for one record.
        anchor: Option<AnchorFields>,
    },
    /// `Consent.deliver`, or `Consent.deliverList` for a listed grant.
    Deliver {
        /// The grant.
        grant: Grant,
        /// Counts from 1.
        number: u32,
        /// Digest of the key list.
        digest: Digest,
        /// Root of the list, for a listed grant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        root: Option<ListRoot>,
    },
    /// `Consent.revoke`.
    Revoke(Grant),
    /// `Consent.revokeWrite`.
    RevokeWrite {
        /// The author.
        author: AccountId,
    },
    /// `Consent.revokeReader`.
    RevokeReader {
        /// The reader.
        reader: AccountId,
    },
    /// `Consent.revokeAll`.
    RevokeAll,
    /// `Receipts.openRead`, or `Receipts.openListed` under a listed grant.
    OpenRead {
        /// The record.
        record: RecordId,
        /// The purpose, salted.
        purpose_tag: PurposeTag,
        /// A random number used once.
        nonce: Nonce,
        /// The record's anchor.
        anchor: AnchorFields,
        /// The grant.
        grant: Grant,
        /// That the record is in a list of it, under a listed grant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<ListProof>,
    },
}

/// What a call takes back of what its signer gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Withdrawal {
    /// One grant.
    Grant(GrantId),
    /// Every grant to a reader.
    Reader(AccountId),
    /// The write grant to an author.
    Author(AccountId),
    /// Every read and write grant.
    All,
    /// A record, for good.
    Record(RecordId),
}

/// A request that waits for its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedCall {
    /// The adapter's encoding of the request.
    pub bytes: Vec<u8>,
    /// The EIP-712 digest to sign.
    pub digest: [u8; 32],
}

impl UnsignedCall {
    /// The request with its signature.
    pub fn sign(self, signature: Signature) -> SignedCall {
        SignedCall {
            bytes: self.bytes,
            signature,
        }
    }
}

/// A signed request: send it again as it is after a crash; the forwarder's nonce stops a second execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedCall {
    /// The adapter's encoding of the request.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// Over its digest.
    pub signature: Signature,
}

/// Where a call was executed, final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The block.
    pub block: u64,
    /// The transaction's hash.
    pub transaction: [u8; 32],
}
