//! Grants: what an owner permits, as it stands on chain.

use medibloc_record::{AccountId, ClassId, Digest, GrantId, Kind, Nonce, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{BindingTag, ListRoot, PurposeTag};

/// A set of classes; class 0 is never in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassSet(u64);

impl ClassSet {
    /// The set of these classes; class 0 and classes over 63 are left out, for no grant can match them.
    pub fn of(classes: &[ClassId]) -> Self {
        Self(
            classes
                .iter()
                .filter(|class| (1..64).contains(&class.0))
                .fold(0, |bits, class| bits | 1 << class.0),
        )
    }

    /// The bitmap on chain.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set with this bitmap.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & !1)
    }

    /// Whether a class is in it; class 0 never.
    pub const fn contains(self, class: ClassId) -> bool {
        class.0 != 0 && class.0 < 64 && self.0 >> class.0 & 1 == 1
    }

    /// Numbers of the classes, the smallest first.
    pub fn numbers(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |number| self.contains(ClassId(*number)))
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KindSet(u8);

impl KindSet {
    /// The set of these kinds.
    pub fn of(kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(0, |bits, kind| bits | 1 << kind.code()))
    }

    /// The bitmap on chain.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set with this bitmap.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether a kind is in it.
    pub const fn contains(self, kind: Kind) -> bool {
        self.0 >> kind.code() & 1 == 1
    }
}

/// Which records a grant covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One.
    One(RecordId),
    /// Those of some classes.
    Classes(ClassSet),
    /// All of the owner's.
    All,
    /// Those of the lists that the owner delivers under it; it begins with the list of this root.
    Listed(ListRoot),
}

/// What a grant permits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Terms {
    /// Which records.
    pub scope: Scope,
    /// What for, salted.
    pub purpose_tag: PurposeTag,
    /// First second.
    pub from: Timestamp,
    /// First second after.
    pub until: Timestamp,
    /// How often, or as often as wanted.
    pub reads: Option<u32>,
    /// To whom, salted.
    pub binding: BindingTag,
    /// Digest of the grant object.
    pub digest: Digest,
}

/// The owner's permission for one reader.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Who permits.
    pub owner: AccountId,
    /// Who may read.
    pub reader: AccountId,
    /// Makes the id random.
    pub nonce: Nonce,
    /// What.
    pub terms: Terms,
}

impl Grant {
    /// A grant with the id that the contract recomputes.
    pub fn new(owner: AccountId, reader: AccountId, nonce: Nonce, terms: Terms) -> Self {
        Self {
            id: GrantId::derive(owner, reader, nonce),
            owner,
            reader,
            nonce,
            terms,
        }
    }

    /// Whether it can cover a record of this class. What a listed one covers the chain knows alone: it gives a receipt of nothing
    /// else.
    pub fn covers(&self, record: RecordId, class: ClassId) -> bool {
        match self.terms.scope {
            Scope::One(one) => one == record,
            Scope::Classes(classes) => classes.contains(class),
            Scope::All | Scope::Listed(_) => true,
        }
    }
}

/// The owner's permission for one author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WriteGrant {
    /// Who permits.
    pub owner: AccountId,
    /// Who may write.
    pub author: AccountId,
    /// Makes the id random.
    pub nonce: Nonce,
    /// Which kinds.
    pub kinds: KindSet,
    /// First second after.
    pub until: Timestamp,
    /// Digest of the grant object.
    pub digest: Digest,
}
