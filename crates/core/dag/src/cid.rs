//! The identifier of a block: CIDv1, SHA-256, codec raw, dag-pb or dag-cbor.

use core::fmt;
use core::str::FromStr;

use multihash::Multihash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::DagError;

const SHA2_256: u64 = 0x12;

/// What a block's bytes are (multicodec table).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Bytes as they are: a leaf.
    Raw,
    /// A UnixFS node.
    DagPb,
    /// A structured object.
    DagCbor,
}

impl Codec {
    /// The code of the multicodec table.
    pub const fn code(self) -> u64 {
        match self {
            Self::Raw => 0x55,
            Self::DagPb => 0x70,
            Self::DagCbor => 0x71,
        }
    }

    const fn from_code(code: u64) -> Option<Self> {
        Some(match code {
            0x55 => Self::Raw,
            0x70 => Self::DagPb,
            0x71 => Self::DagCbor,
            _ => return None,
        })
    }
}

/// A content identifier (CIDv1, sha2-256).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid {
    codec: Codec,
    digest: [u8; 32],
}

impl Cid {
    /// The identifier with this codec and digest.
    pub const fn from_digest(codec: Codec, digest: [u8; 32]) -> Self {
        Self { codec, digest }
    }

    /// The identifier of an object with this digest.
    pub const fn from_dag_cbor_digest(digest: [u8; 32]) -> Self {
        Self::from_digest(Codec::DagCbor, digest)
    }

    /// The identifier of these bytes under a codec.
    pub fn of(codec: Codec, bytes: &[u8]) -> Self {
        Self {
            codec,
            digest: Sha256::digest(bytes).into(),
        }
    }

    /// The identifier of a leaf.
    pub fn of_raw(bytes: &[u8]) -> Self {
        Self::of(Codec::Raw, bytes)
    }

    /// The identifier of a UnixFS node.
    pub fn of_dag_pb(bytes: &[u8]) -> Self {
        Self::of(Codec::DagPb, bytes)
    }

    /// The identifier of an object.
    pub fn of_dag_cbor(bytes: &[u8]) -> Self {
        Self::of(Codec::DagCbor, bytes)
    }

    /// What the bytes are.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// SHA-256 of the bytes.
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The binary form (36 bytes).
    pub fn to_bytes(&self) -> Vec<u8> {
        self.inner().to_bytes()
    }

    /// The identifier in a binary form.
    ///
    /// # Errors
    /// If it is not a CIDv1 of this platform, or has trailing bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DagError> {
        let cid = cid::Cid::try_from(bytes).map_err(|error| DagError::Cid {
            why: error.to_string(),
        })?;
        let own = Self::from_inner(&cid)?;
        if own.to_bytes() != bytes {
            return Err(DagError::Cid {
                why: "trailing bytes".into(),
            });
        }
        Ok(own)
    }

    /// Checks bytes against the identifier.
    ///
    /// # Errors
    /// [`DagError::Mismatch`].
    pub fn verify(&self, bytes: &[u8]) -> Result<(), DagError> {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        if digest == self.digest {
            Ok(())
        } else {
            Err(DagError::Mismatch { cid: *self })
        }
    }

    fn inner(&self) -> cid::Cid {
        let hash = Multihash::<64>::wrap(SHA2_256, &self.digest).expect("32 bytes fit in 64");
        cid::Cid::new_v1(self.codec.code(), hash)
    }

    fn from_inner(cid: &cid::Cid) -> Result<Self, DagError> {
        let bad = |why: &str| DagError::Cid { why: why.into() };
        if cid.version() != cid::Version::V1 {
            return Err(bad("version 0"));
        }
        let codec = Codec::from_code(cid.codec()).ok_or_else(|| bad("unknown codec"))?;
        if cid.hash().code() != SHA2_256 {
            return Err(bad("another hash"));
        }
        let digest = cid
            .hash()
            .digest()
            .try_into()
            .map_err(|_| bad("a cut digest"))?;
        Ok(Self { codec, digest })
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner(), f)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cid({self})")
    }
}

impl FromStr for Cid {
    type Err = DagError;
    fn from_str(text: &str) -> Result<Self, DagError> {
        let cid: cid::Cid = text.parse().map_err(|error: cid::Error| DagError::Cid {
            why: error.to_string(),
        })?;
        Self::from_inner(&cid)
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let cid = cid::Cid::deserialize(deserializer)?;
        Self::from_inner(&cid).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_leaf_has_the_published_cid() {
        let cid = Cid::of_raw(b"");
        assert_eq!(
            cid.to_string(),
            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
        );
        assert_eq!(cid.to_string().parse(), Ok(cid));
        assert_eq!(Cid::from_bytes(&cid.to_bytes()), Ok(cid));
    }

    #[test]
    fn other_identifiers_are_refused() {
        assert!(
            "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
                .parse::<Cid>()
                .is_err()
        );
        assert!(Cid::from_bytes(&[Cid::of_raw(b"").to_bytes(), vec![0]].concat()).is_err());
    }
}
