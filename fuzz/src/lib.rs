//! One function for each parser of bytes from outside. It panics if a promise breaks: that no input panics the parser is
//! the least of them.
//!
//! The same functions run under libFuzzer (`fuzz_targets`) and under a seeded mutator on stable (`tests/mutator.rs`).

mod chain;
mod formats;
mod grants;
mod keepers;
mod keys;
mod sealed;
mod seeds;
mod values;
mod whole;
mod wire;

pub use chain::jsonrpc;
pub use formats::{cda, fhir, fhir_xml};
pub use grants::grant;
pub use keepers::keeper_request;
pub use keys::keys;
pub use sealed::{car_unixfs, crypt4gh_body, crypt4gh_header, package, walk};
pub use seeds::seeds;
pub use values::cda_value;
pub use whole::open_own;
pub use wire::wire;

/// A target's function.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("cda", cda),
    ("cda_value", cda_value),
    ("fhir", fhir),
    ("fhir_xml", fhir_xml),
    ("crypt4gh_header", crypt4gh_header),
    ("crypt4gh_body", crypt4gh_body),
    ("package", package),
    ("car_unixfs", car_unixfs),
    ("walk", walk),
    ("open_own", open_own),
    ("keeper_request", keeper_request),
    ("grant", grant),
    ("keys", keys),
    ("wire", wire),
    ("jsonrpc", jsonrpc),
];

/// An object that parses must have been in its one encoding.
fn object<T: serde::Serialize + serde::de::DeserializeOwned>(data: &[u8]) -> Option<T> {
    let value = medibloc_dag::cbor::from_slice::<T>(data).ok()?;
    assert_eq!(medibloc_dag::cbor::to_vec(&value), data);
    Some(value)
}
