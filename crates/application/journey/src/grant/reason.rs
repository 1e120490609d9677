//! The words of a request, bound to the chain without a field of their own: the salt of a consent's purpose tag comes of
//! them, so that whoever shows them shows what the tag on the chain was made of.

use medibloc_record::keccak256;

/// Keeps these digests apart from all others.
const LABEL: &[u8] = b"MediBloc reason of a consent, version 1\n";

/// The salt of the purpose tag of a consent for this reason; as random as its own salt.
pub(crate) fn purpose_salt(reason_salt: [u8; 32], reason: &str) -> [u8; 32] {
    let mut bytes = keccak256(LABEL).to_vec();
    bytes.extend_from_slice(&reason_salt);
    bytes.extend_from_slice(reason.as_bytes());
    keccak256(&bytes)
}
