//! The record and its types, from an importer's [`Draft`] to the [`Sealed`] form that may leave the device.
//!
//! Every layer speaks in these types, so this crate knows nothing of ciphers, chains or files: no I/O, no
//! randomness, no clock. State lives in types; an illegal order does not compile (`Draft` → `Record` → `Sealed`).

mod abi;
mod attestation;
mod category;
mod committee;
mod draft;
mod format;
mod ids;
pub mod json;
mod kind;
mod label;
mod line;
mod manifest;
mod merkle;
mod record;
mod sealed;
mod text;
mod time;

pub use abi::{Abi, keccak256};
pub use attestation::{
    Attestation, MOST_PATH, SignedAttestation, TypedDomain, domain_separator, typed_digest,
};
pub use category::each_resource;
pub use committee::{Committee, Threshold, ThresholdError};
pub use draft::{Draft, EntryOutcome, LossEntry, LossReport, Sum};
pub use format::{Format, FormatError, FormatProblem};
pub use ids::{
    AccountId, Address, Digest, GrantId, IdError, Nonce, ReceiptId, RecordId, Role, SealingKey,
    Signature,
};
pub use kind::{Category, ClassId, Kind, Sensitivity};
pub use label::Labels;
pub use line::Line;
pub use manifest::{
    MOST_MEDIA_TYPE, MOST_TAG, MOST_TITLE, Manifest, ManifestPart, PartKey, PartRole, RecordTimes,
    Salt,
};
pub use merkle::{merkle_root, salted_leaf};
pub use record::{NormaliseError, Part, Record, RecordDetails};
pub use sealed::{
    CAPSULE, Capsule, CapsuleVersion, FORMAT_VERSION, KeySet, MOST_MANIFEST, MOST_PARTS, Package,
    PackagePart, SUITE_1, Sealed, SealedError, Wrapped,
};
pub use text::{compared, on_its_lines, on_one_line};
pub use time::Timestamp;
