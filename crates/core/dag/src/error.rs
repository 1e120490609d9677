//! Why bytes are not what they claim to be.

use crate::Cid;

/// Why a block, an object or an identifier is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DagError {
    /// The bytes have another digest.
    #[error("the bytes do not match {cid}; they were changed or cut, fetch them again")]
    Mismatch {
        /// What was expected.
        cid: Cid,
    },
    /// Not an identifier that the platform uses.
    #[error("not a CIDv1 with SHA-256 and codec raw, dag-pb or dag-cbor: {why}")]
    Cid {
        /// What is wrong.
        why: String,
    },
    /// Not canonical DAG-CBOR of the expected shape.
    #[error("not canonical DAG-CBOR of the expected shape: {why}")]
    Cbor {
        /// What the decoder says; it names fields and offsets, never values.
        why: String,
    },
    /// Not a UnixFS node that the platform makes.
    #[error("not a UnixFS file node of this layout: {why}")]
    Unixfs {
        /// Which rule it breaks.
        why: &'static str,
    },
    /// A block is not there.
    #[error("block {cid} is missing; fetch it first")]
    Missing {
        /// Which.
        cid: Cid,
    },
    /// It costs more than it may: nothing that the platform makes does.
    #[error(
        "it needs more than {most} {unit} of work, and nothing that this platform makes does: ask its author to make it again"
    )]
    Budget {
        /// The limit.
        most: u64,
        /// Of what: blocks or bytes.
        unit: &'static str,
    },
    /// Over a limit.
    #[error("{what} is over the limit of {limit} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}
