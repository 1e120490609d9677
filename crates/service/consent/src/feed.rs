//! The owner's feed: what a keeper tells an owner, repeats folded, nothing of it personal.

use medibloc_record::{
    Abi, AccountId, Address, GrantId, ReceiptId, RecordId, Signature, Timestamp, TypedDomain,
    keccak256,
};
use serde::{Deserialize, Serialize};

use crate::RefusalReason;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedFact {
    /// The share was given against a receipt.
    Released {
        /// The reader.
        reader: AccountId,
        /// The grant.
        grant: GrantId,
        /// The receipt.
        receipt: ReceiptId,
    },
    /// Somebody with a grant of this owner was refused.
    Refused {
        /// The reader.
        reader: AccountId,
        /// Why.
        reason: RefusalReason,
    },
    /// Somebody without any grant of this owner was refused.
    Strangers,
}

/// One line of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedLine {
    /// The record.
    pub record: RecordId,
    /// What happened.
    pub fact: FeedFact,
    /// How often.
    pub count: u32,
    /// First time.
    pub first: Timestamp,
    /// Last time.
    pub last: Timestamp,
}

impl FeedFact {
    /// What stands for it under a signature: a tag and its fields.
    fn hash(&self) -> [u8; 32] {
        match self {
            Self::Released {
                reader,
                grant,
                receipt,
            } => Abi::new()
                .uint(1)
                .account(*reader)
                .word(grant.to_bytes())
                .word(receipt.to_bytes())
                .keccak256(),
            Self::Refused { reader, reason } => Abi::new()
                .uint(2)
                .account(*reader)
                .object(reason)
                .keccak256(),
            Self::Strangers => Abi::new().uint(3).keccak256(),
        }
    }
}

impl FeedLine {
    /// The EIP-712 digest that the keeper signs.
    pub fn digest(&self, keeper: Address, owner: AccountId, domain: &TypedDomain) -> [u8; 32] {
        const TYPE: &[u8] = b"FeedLine(address keeper,address owner,bytes32 recordId,bytes32 fact,uint32 count,uint64 first,uint64 last)";
        let hash = Abi::new()
            .word(keccak256(TYPE))
            .address(keeper)
            .account(owner)
            .word(self.record.to_bytes())
            .word(self.fact.hash())
            .uint(u64::from(self.count))
            .uint(self.first.0)
            .uint(self.last.0)
            .keccak256();
        domain.digest(hash)
    }
}

/// A line with the keeper's signature: the owner can show it to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedLine {
    /// The line.
    pub line: FeedLine,
    /// The keeper's signature.
    pub signature: Signature,
}
