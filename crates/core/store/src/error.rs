//! What can go wrong in storage, by what the caller should do.

use medibloc_dag::{Cid, DagError};

/// Why storage did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A block of a record is not there.
    #[error("block {cid} is not stored; send it again, then store the record again")]
    Missing {
        /// Which.
        cid: Cid,
    },
    /// Bytes rotted or were changed.
    #[error(
        "block {cid} is corrupt in the store; it is not given out, repair it from another copy"
    )]
    Corrupt {
        /// Which.
        cid: Cid,
    },
    /// Whoever answered does not have it, and somebody who may have it did not answer.
    #[error(
        "block {cid} is at none of the nodes that answer; {away}; it can be had when they are back"
    )]
    Away {
        /// Which.
        cid: Cid,
        /// Who did not answer, and why.
        away: String,
    },
    /// The block was erased and is not taken again.
    #[error("block {cid} was erased by its owner; it is not stored again")]
    Erased {
        /// Which.
        cid: Cid,
    },
    /// A limit of the store's operator; the disk has room.
    #[error("the store's limit is reached: {what}; nothing was lost")]
    Limit {
        /// Which limit, and when it ends.
        what: String,
    },
    /// No room.
    #[error("the store is full: {what}; free space and try again, nothing was lost")]
    Full {
        /// Which limit or disk.
        what: String,
    },
    /// The store does not answer.
    #[error("the store does not answer: {why}; it can be tried again")]
    Unreachable {
        /// What happened.
        why: String,
    },
    /// The store answers, and its clock and this machine's are too far apart for what is signed with a time.
    #[error("the store answers, but the clocks differ: {why}")]
    Clock {
        /// By how much, and what to do.
        why: String,
    },
    /// The store refused.
    #[error("the store refused: {why}")]
    Refused {
        /// Its reason.
        why: String,
    },
    /// An object is not in its form.
    #[error(transparent)]
    Dag(#[from] DagError),
}

impl StoreError {
    /// Whether trying again later may help.
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Clock { .. } | Self::Full { .. } | Self::Limit { .. }
        )
    }
}
