//! The owner's feed: what a keeper tells an owner, repeats folded, nothing of it personal.

use medibloc_record::{AccountId, GrantId, ReceiptId, RecordId, Timestamp};
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
