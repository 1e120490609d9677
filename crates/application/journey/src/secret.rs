//! 32 secret bytes in a row or a message: wiped when they are dropped, a byte string where they are written.

use serde::{Deserialize as _, Deserializer, Serializer};
use serde_bytes::ByteArray;
use zeroize::Zeroizing;

pub(crate) type Secret = Zeroizing<[u8; 32]>;

pub(crate) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
    serde_bytes::serialize(secret.as_slice(), to)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    let bytes = Zeroizing::new(ByteArray::<32>::deserialize(from)?.into_array());
    Ok(bytes)
}
