//! Why a record could not be sealed or opened. Never carries plaintext or keys.

use medibloc_dag::DagError;
use medibloc_keys::KeysError;
use medibloc_record::SealedError;

use crate::SinkError;

/// Why a record could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The content has another length than declared.
    #[error(
        "part {part} has {got} bytes where {declared} were declared; the source changed while it was read, import it again"
    )]
    Length {
        /// Which part.
        part: usize,
        /// Declared.
        declared: u64,
        /// Found, at least.
        got: u64,
    },
    /// The content cannot be read.
    #[error("part {part} cannot be read")]
    Read {
        /// Which part.
        part: usize,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The plaintext cannot be written.
    #[error("the plaintext cannot be written")]
    Write(#[source] std::io::Error),
    /// Blocks cannot be kept.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The manifest is too large.
    #[error("the manifest has {length} bytes, the limit is 1 MiB; shorten its texts")]
    ManifestTooLarge {
        /// Its bytes.
        length: usize,
    },
    /// The list of parts fills the package.
    #[error("{parts} parts do not fit into one record; make several records of them")]
    TooManyParts {
        /// How many.
        parts: usize,
    },
    /// A capsule for a key that is not newer.
    #[error(
        "the capsule is for key version {current} and cannot go to version {offered}; register a new sealing key first"
    )]
    KeyVersion {
        /// Version that it is for.
        current: u32,
        /// Version that was given.
        offered: u32,
    },
    /// A segment does not open.
    #[error(
        "segment {segment} of the part does not open: it was changed, or sealed with another key"
    )]
    Segment {
        /// Counts from 0.
        segment: u64,
    },
    /// The manifest does not open.
    #[error("the manifest does not open: it was changed, or sealed with another key")]
    Manifest,
    /// A check failed.
    #[error("the record is not to be trusted: {0}")]
    Check(&'static str),
    /// A block is missing or changed.
    #[error(transparent)]
    Dag(#[from] DagError),
    /// An object is not in its form.
    #[error(transparent)]
    Object(#[from] SealedError),
    /// A `.c4gh` file.
    #[error(transparent)]
    Crypt4gh(#[from] crate::crypt4gh::Crypt4ghError),
    /// A key operation.
    #[error(transparent)]
    Keys(#[from] KeysError),
}
