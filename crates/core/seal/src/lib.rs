//! Record ⇄ Sealed: Crypt4GH payloads, the sealed manifest and the two-key rule. The only crate that can open a record.
//!
//! `MK = HKDF-SHA256(k_o ‖ k_k, salt = record id)`: the owner's half travels in grants, the keepers' half only against a
//! receipt. Pure: bytes stream in and blocks stream out in constant memory; randomness is an argument. It never speaks
//! to a chain, a keeper or a disk. The byte layout is docs/format/sealed-record.md.
//!
//! ```
//! use medibloc_keys::{SealingSecret, SeededEntropy};
//! use medibloc_seal::crypt4gh;
//! let (own, mut entropy) = (SealingSecret::from_bytes(1, [7; 32]), SeededEntropy::new(1));
//! let (mut file, mut plain) = (Vec::new(), Vec::new());
//! crypt4gh::encrypt(&mut &b"a genome"[..], &[own.public().into()], &mut entropy, &mut file)?;
//! let found = crypt4gh::import(&mut &file[..], &own, &mut plain)?;
//! assert_eq!((found.length, plain.as_slice()), (8, &b"a genome"[..]));
//! # Ok::<(), crypt4gh::Crypt4ghError>(())
//! ```

mod body;
mod check;
pub mod crypt4gh;
mod error;
mod manifest;
mod master;
mod open;
mod seal;

pub use check::{Expectations, ReaderView, check_for_owner, check_for_reader};
pub use error::SealError;
pub use manifest::{dangerous_seal_manifest, open_manifest, sealed_with_manifest, with_manifest};
pub use master::{
    CapsuleContent, MasterKey, OwnerHalf, RecordParties, open_capsule, recapsule, seal_capsule,
    wrap_share,
};
pub use open::{open_part, open_range, walk_manifest, walk_part};
pub use seal::{BlockSink, Outbound, Parties, SinkError, deal_anew, seal};
