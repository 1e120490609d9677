//! The binding of a reader's pseudonym to its accredited account: signed, sealed in transit, opened to keepers.

use medibloc_record::{Abi, AccountId, Signature, TypedDomain, keccak256};
use serde::{Deserialize, Serialize};

/// keccak256(abi.encode(salt, account, reader)); zero for a private reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BindingTag(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl BindingTag {
    /// Whether the grant names no account.
    pub fn is_none(&self) -> bool {
        self.0 == [0; 32]
    }
}

/// The opening of a binding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Blinds the tag.
    #[serde(with = "serde_bytes")]
    pub salt: [u8; 32],
    /// The accredited account.
    pub account: AccountId,
    /// Its pseudonym.
    pub reader: AccountId,
    /// The account's signature over [`Binding::digest`].
    pub signature: Signature,
    /// The pseudonym's signature over the same: the account alone can say so of anybody's. None in bindings of before, and in
    /// what keepers are sent, since the pseudonym signs those requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_signature: Option<Signature>,
}

impl Binding {
    /// A binding that waits for the account's signature.
    pub const fn unsigned(salt: [u8; 32], account: AccountId, reader: AccountId) -> Self {
        Self {
            salt,
            account,
            reader,
            signature: Signature::new([0; 65]),
            reader_signature: None,
        }
    }

    /// The binding with the account's signature alone.
    #[must_use]
    pub fn sign(self, signature: Signature) -> Self {
        Self {
            signature,
            reader_signature: None,
            ..self
        }
    }

    /// The binding with the pseudonym's signature, too.
    #[must_use]
    pub fn sign_as_reader(self, signature: Signature) -> Self {
        Self {
            reader_signature: Some(signature),
            ..self
        }
    }

    /// What stands in the grant.
    pub fn tag(&self) -> BindingTag {
        BindingTag(
            Abi::new()
                .word(self.salt)
                .account(self.account)
                .account(self.reader)
                .keccak256(),
        )
    }

    /// The EIP-712 digest that the account signs, and its pseudonym.
    pub fn digest(&self, domain: &TypedDomain) -> [u8; 32] {
        let hash = Abi::new()
            .word(keccak256(
                b"Binding(bytes32 salt,address account,address reader)",
            ))
            .word(self.salt)
            .account(self.account)
            .account(self.reader)
            .keccak256();
        domain.digest(hash)
    }
}
