//! What an account does, in the words of its calls and of the chain's events alike.

use medibloc_consent::{Scope, WriteGrant};
use medibloc_ledger::Call;
use medibloc_record::{AccountId, Address, Digest, GrantId, Nonce, RecordId, Timestamp, keccak256};
use serde::{Deserialize, Serialize};

/// What an account did, as the chain says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Act {
    /// It was registered.
    Registered,
    /// It has another sealing key.
    SealingKey {
        /// The key.
        key: [u8; 32],
    },
    /// Another key signs for it.
    HandedOn {
        /// The address of that key.
        to: Address,
    },
    /// It wrote a record.
    Wrote {
        /// Which.
        record: RecordId,
    },
    /// It took back a record that it wrote.
    TookBack {
        /// Which.
        record: RecordId,
    },
    /// It erased a record.
    Erased {
        /// Which.
        record: RecordId,
    },
    /// It sealed a record's key anew.
    SealedAnew {
        /// Which.
        record: RecordId,
        /// Digest of the capsule.
        capsule: Digest,
    },
    /// It let somebody read.
    LetRead {
        /// The consent.
        grant: GrantId,
        /// Who may.
        reader: AccountId,
        /// What.
        scope: Scope,
        /// First second after.
        until: Timestamp,
    },
    /// It let somebody write.
    LetWrite {
        /// The consent.
        grant: GrantId,
        /// Who may.
        author: AccountId,
        /// First second after.
        until: Timestamp,
    },
    /// It took back one consent to read.
    Revoked {
        /// Which.
        grant: GrantId,
    },
    /// It took back every consent of a reader.
    RevokedReader {
        /// Whose.
        reader: AccountId,
    },
    /// It took back the consent to write.
    RevokedAuthor {
        /// Whose.
        author: AccountId,
    },
    /// It took back every consent.
    RevokedAll,
    /// It had itself cleared to read a record of somebody else.
    Read {
        /// Which.
        record: RecordId,
        /// In the receipt's id.
        nonce: Nonce,
    },
}

impl core::fmt::Display for Act {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Registered => write!(f, "the address was registered"),
            Self::SealingKey { .. } => write!(f, "it has another sealing key"),
            Self::HandedOn { to } => {
                write!(
                    f,
                    "the key of {to} signs for it now, the one before no more"
                )
            }
            Self::Wrote { record } => write!(f, "record {record} was written in its name"),
            Self::TookBack { record } => write!(f, "record {record} was taken back by its author"),
            Self::Erased { record } => write!(f, "record {record} was erased"),
            Self::SealedAnew { record, .. } => {
                write!(f, "the key of record {record} was sealed anew")
            }
            Self::LetRead {
                grant,
                reader,
                scope,
                ..
            } => {
                write!(f, "reader {reader} may read ")?;
                match scope {
                    Scope::One(record) => write!(f, "record {record}")?,
                    Scope::Classes(_) => write!(f, "records of some classes, later ones too")?,
                    Scope::All => write!(f, "every record, later ones too")?,
                    Scope::Listed(_) => write!(f, "what it is sent lists of, later ones too")?,
                }
                write!(f, " (consent {grant})")
            }
            Self::LetWrite { grant, author, .. } => {
                write!(f, "author {author} may write (consent {grant})")
            }
            Self::Revoked { grant } => write!(f, "consent {grant} was taken back"),
            Self::RevokedReader { reader } => {
                write!(f, "every consent of reader {reader} was taken back")
            }
            Self::RevokedAuthor { author } => {
                write!(
                    f,
                    "the permission of author {author} to write was taken back"
                )
            }
            Self::RevokedAll => write!(f, "every consent was taken back"),
            Self::Read { record, .. } => write!(f, "it was cleared to read record {record}"),
        }
    }
}

impl Act {
    /// The consent that it gave, which can be taken back.
    pub const fn gives(&self) -> Option<GrantId> {
        match self {
            Self::LetRead { grant, .. } | Self::LetWrite { grant, .. } => Some(*grant),
            _ => None,
        }
    }

    /// Whether no pace puts it off: its hour is the person's.
    pub(super) const fn goes_at_once(&self) -> bool {
        matches!(
            self,
            Self::Erased { .. }
                | Self::TookBack { .. }
                | Self::SealingKey { .. }
                | Self::Revoked { .. }
                | Self::RevokedReader { .. }
                | Self::RevokedAuthor { .. }
                | Self::RevokedAll
        )
    }

    pub(super) fn let_write(write: &WriteGrant) -> Self {
        Self::LetWrite {
            grant: GrantId::derive(write.owner, write.author, write.nonce),
            author: write.author,
            until: write.until,
        }
    }

    /// What a call does; nothing for what devices do by themselves.
    pub(super) fn of_call(call: &Call) -> Vec<Self> {
        let wrote = |record| Self::Wrote { record };
        vec![match call {
            Call::Register { .. } => Self::Registered,
            Call::RotateSealingKey { sealing_key } => Self::SealingKey { key: *sealing_key },
            Call::RotateAddress { next, .. } => Self::HandedOn { to: *next },
            Call::Anchor(anchor) | Call::Amend { anchor, .. } => wrote(anchor.record_id()),
            Call::AnchorBatch { batch, .. } => {
                let records = batch.iter().map(|anchor| wrote(anchor.record_id()));
                return records.collect();
            }
            Call::Retract(anchor) => Self::TookBack {
                record: anchor.record_id(),
            },
            Call::Erase(anchor) => Self::Erased {
                record: anchor.record_id(),
            },
            Call::ReplaceCapsule { anchor, capsule } => Self::SealedAnew {
                record: anchor.record_id(),
                capsule: *capsule,
            },
            Call::GrantWrite(write) => Self::let_write(write),
            Call::Grant { grant, .. } => Self::LetRead {
                grant: grant.id,
                reader: grant.reader,
                scope: grant.terms.scope,
                until: grant.terms.until,
            },
            Call::Revoke(grant) => Self::Revoked { grant: grant.id },
            Call::RevokeWrite { author } => Self::RevokedAuthor { author: *author },
            Call::RevokeReader { reader } => Self::RevokedReader { reader: *reader },
            Call::RevokeAll => Self::RevokedAll,
            Call::OpenRead { record, nonce, .. } => Self::Read {
                record: *record,
                nonce: *nonce,
            },
            // Accepting and delivering, and what keepers and the authority do.
            _ => return Vec::new(),
        }]
    }

    /// Whether its id has a random number in it, so that it is made once and by one device.
    pub(super) const fn has_random_id(&self) -> bool {
        matches!(
            self,
            Self::LetRead { .. } | Self::LetWrite { .. } | Self::Wrote { .. }
        )
    }

    pub(crate) fn key(&self, account: AccountId) -> [u8; 32] {
        keccak256(&medibloc_dag::cbor::to_vec(&(account, self)))
    }
}
