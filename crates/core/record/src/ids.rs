//! Identifiers: newtypes, so that none is taken for another.

use serde::{Deserialize, Serialize};

use crate::abi::Abi;

/// Why a text or byte form is not an identifier.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdError {
    /// The text is not hexadecimal of the right length.
    #[error("expected {expected} bytes as hexadecimal with or without 0x, got {got} characters")]
    Hex {
        /// Bytes that the identifier has.
        expected: usize,
        /// Characters that were given.
        got: usize,
    },
}

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "serde_bytes::ByteBuf", into = "serde_bytes::ByteBuf")]
        pub struct $name([u8; $len]);

        impl $name {
            /// The identifier with these bytes.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The bytes, by value.
            pub const fn to_bytes(self) -> [u8; $len] {
                self.0
            }

            /// Whether every byte is zero (the chain's "none").
            pub fn is_zero(&self) -> bool {
                self.0.iter().all(|b| *b == 0)
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<serde_bytes::ByteBuf> for $name {
            type Error = IdError;
            fn try_from(bytes: serde_bytes::ByteBuf) -> Result<Self, IdError> {
                let got = bytes.len() * 2;
                bytes.into_vec().try_into().map(Self).map_err(|_| IdError::Hex { expected: $len, got })
            }
        }

        impl From<$name> for serde_bytes::ByteBuf {
            fn from(id: $name) -> Self {
                Self::from(id.0.to_vec())
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "0x{}", hex::encode(self.0))
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "(0x{})"), hex::encode(self.0))
            }
        }

        impl core::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = || IdError::Hex { expected: $len, got: text.chars().count() };
                let digits = text.strip_prefix("0x").unwrap_or(text);
                let mut bytes = [0u8; $len];
                hex::decode_to_slice(digits, &mut bytes).map_err(|_| wrong())?;
                Ok(Self(bytes))
            }
        }
    };
}

bytes_id!(
    /// An address that signs (keccak of a secp256k1 key), the same on every chain.
    Address, 20
);
bytes_id!(
    /// The stable id of an account: the address that was first registered for it (design 02).
    AccountId, 20
);
bytes_id!(
    /// keccak256(abi.encode(author id, owner id, nonce)).
    RecordId, 32
);
bytes_id!(
    /// keccak256(abi.encode(owner id, reader id, nonce)).
    GrantId, 32
);
bytes_id!(
    /// keccak256(abi.encode(record id, reader id, grant id, nonce)).
    ReceiptId, 32
);
bytes_id!(
    /// SHA-256 of one object: the digest inside its CID, and what the chain names it by.
    Digest, 32
);
bytes_id!(
    /// A random number used once.
    Nonce, 32
);

impl AccountId {
    /// The id that an address gets when it is the first of its account.
    pub const fn from_first_address(address: Address) -> Self {
        Self(address.0)
    }

    /// The address that this account was first registered with.
    pub const fn first_address(self) -> Address {
        Address(self.0)
    }
}

impl RecordId {
    /// The id that the contract `Records` recomputes.
    pub fn derive(author: AccountId, owner: AccountId, nonce: Nonce) -> Self {
        Self(
            Abi::new()
                .account(author)
                .account(owner)
                .word(nonce.0)
                .keccak256(),
        )
    }
}

impl GrantId {
    /// The id that the contract `Consent` recomputes.
    pub fn derive(owner: AccountId, reader: AccountId, nonce: Nonce) -> Self {
        Self(
            Abi::new()
                .account(owner)
                .account(reader)
                .word(nonce.0)
                .keccak256(),
        )
    }
}

impl ReceiptId {
    /// The id that the contract `Receipts` emits.
    pub fn derive(record: RecordId, reader: AccountId, grant: GrantId, nonce: Nonce) -> Self {
        Self(
            Abi::new()
                .word(record.0)
                .account(reader)
                .word(grant.0)
                .word(nonce.0)
                .keccak256(),
        )
    }
}

impl Digest {
    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

/// What an account is (design 00).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A patient, a family member, a guardian.
    Person,
    /// A doctor, a hospital, a care app.
    Provider,
    /// A person or institute that does research.
    Researcher,
}

/// A public sealing key (X25519) of one address, with its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SealingKey {
    /// Counts from 1.
    pub version: u32,
    /// The public key (RFC 7748).
    pub key: [u8; 32],
}

/// A recoverable secp256k1 signature: r ‖ s ‖ v with v 27 or 28.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_bytes::ByteBuf", into = "serde_bytes::ByteBuf")]
pub struct Signature([u8; 65]);

impl Signature {
    /// The signature with these bytes; it is checked where it is used.
    pub const fn new(bytes: [u8; 65]) -> Self {
        Self(bytes)
    }

    /// r ‖ s ‖ v.
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }
}

impl TryFrom<serde_bytes::ByteBuf> for Signature {
    type Error = IdError;
    fn try_from(bytes: serde_bytes::ByteBuf) -> Result<Self, IdError> {
        let got = bytes.len() * 2;
        bytes
            .into_vec()
            .try_into()
            .map(Self)
            .map_err(|_| IdError::Hex { expected: 65, got })
    }
}

impl From<Signature> for serde_bytes::ByteBuf {
    fn from(signature: Signature) -> Self {
        Self::from(signature.0.to_vec())
    }
}

impl core::fmt::Debug for Signature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Signature(0x{}…)", hex::encode(&self.0[..4]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_as_text_and_refuse_other_lengths() {
        let id = RecordId::new([7; 32]);
        assert_eq!(id.to_string().parse::<RecordId>(), Ok(id));
        assert_eq!(
            "0x12".parse::<RecordId>(),
            Err(IdError::Hex {
                expected: 32,
                got: 4
            })
        );
    }

    #[test]
    fn a_record_id_depends_on_each_of_its_three_parts() {
        let (a, b) = (AccountId::new([1; 20]), AccountId::new([2; 20]));
        let base = RecordId::derive(a, b, Nonce::new([3; 32]));
        assert_ne!(base, RecordId::derive(b, a, Nonce::new([3; 32])));
        assert_ne!(base, RecordId::derive(a, b, Nonce::new([4; 32])));
    }
}
