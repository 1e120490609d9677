//! Bounds of what other agents say: letters, grants and key lists. A valid signature makes nothing small.

use medibloc_consent::Binding;
use medibloc_dag::{Budget, DagError};
use medibloc_record::Address;

use crate::grant::{Artefact, SharedKey};
use crate::mail::{AccessRequest, Message};
use crate::ports::Letter;
use crate::{ContactCard, JourneyError};

/// Bytes of a letter, sealed or open.
const MOST_LETTER: u64 = 256 << 10;
/// Grants and records that a letter names. A reader address with its binding costs as much as [`READER`] of them, for its
/// signature is checked and the chain is asked.
const MOST_NAMES: u64 = 8_192;
const READER: u64 = 512;
/// Bytes of a reason in words.
pub(crate) const MOST_REASON: usize = 4_096;
/// Bytes of a name.
const MOST_NAME: usize = 512;
/// Bytes of a credential.
pub(crate) const MOST_CREDENTIAL: usize = 16 << 10;
/// Bytes of a node's address.
pub(crate) const MOST_URL: usize = 2_048;
/// Categories: there are as many.
const MOST_CATEGORIES: usize = 16;
/// Bytes of an invitation's text: a URL, a key and a signature.
pub(crate) const MOST_INVITATION: usize = 8_192;
/// Bytes of a proof file: two receipts' proofs in blocks that are full.
pub(crate) const MOST_PROOF: usize = 4 << 20;
/// Times that an account is handed on, of which a proof file tells.
pub(crate) const MOST_ROTATIONS: usize = 256;
/// Lines that are kept of one keeper's feed for one owner: ten times what a keeper keeps of refusals.
pub(crate) const MOST_LINES: usize = 100_000;
/// Keys in one list, of a grant or of a delivery.
pub(crate) const MOST_KEYS: usize = 1_000;
/// Keys that are kept of one owner's consents: five full lists. What is beyond is fetched when it is read.
pub(crate) const MOST_HELD: usize = 5_000;
/// Consents to read of one pairing that stand here at a time: lists and syncs read every one.
pub(crate) const MOST_CONSENTS: usize = 1_000;
/// Keys in one list of records that the chain does not have, after which the rest of it is not looked at: an honest list has one
/// only where the chain was set back.
pub(crate) const MOST_HOLLOW: usize = 16;

const fn over(what: &'static str) -> impl Fn(&str) -> JourneyError {
    move |why| JourneyError::Untrusted {
        what,
        why: why.into(),
    }
}

fn ensure(holds: bool, what: &'static str, why: &str) -> Result<(), JourneyError> {
    if holds { Ok(()) } else { Err(over(what)(why)) }
}

/// A letter's envelope, before anything is opened.
pub(crate) fn letter(letter: &Letter) -> Result<(), JourneyError> {
    let length = letter.wrapped.ciphertext.len() as u64;
    ensure(
        letter.version == 1,
        "letter",
        "it is of a later version; use a newer program",
    )?;
    ensure(length <= MOST_LETTER, "letter", "it has more than 256 KiB")
}

impl Message {
    /// Whether what a letter says costs no more than a letter may; `length` is its bytes.
    pub(crate) fn within_bounds(&self, length: usize) -> Result<(), JourneyError> {
        let mut budget = Budget::new(MOST_NAMES, MOST_LETTER);
        let spend = |names: usize, each: u64| {
            budget.bytes(length as u64)?;
            budget.blocks((names as u64).saturating_mul(each))
        };
        self.spend(spend)
            .map_err(|error| over("letter")(&error.to_string()))?;
        match self {
            Self::Card(card) => self::card(card),
            Self::Access(request) => access(request),
            Self::MoreReaders {
                credential: Some(jwt),
                ..
            } => ensure(
                jwt.len() <= MOST_CREDENTIAL,
                "letter with reader addresses",
                "its credential has more than 16 KiB",
            ),
            _ => Ok(()),
        }
    }

    fn spend(
        &self,
        spend: impl FnOnce(usize, u64) -> Result<(), DagError>,
    ) -> Result<(), DagError> {
        let readers = |readers: &[(Address, Binding)]| readers.len();
        match self {
            Self::Card(card) => spend(readers(&card.readers), READER),
            Self::Access(request) => spend(readers(&request.readers), READER),
            Self::MoreReaders { readers: more, .. } => spend(readers(more), READER),
            Self::Ended { grants, records } => spend(grants.len() + records.len(), 1),
            Self::Purged {
                grants, records, ..
            } => spend(grants.len() + records.len(), 1),
            Self::WantReaders { .. } | Self::Declined { .. } => spend(1, 1),
        }
    }
}

fn card(card: &ContactCard) -> Result<(), JourneyError> {
    let credential = card.credential.as_deref().unwrap_or_default();
    ensure(
        card.node.len() <= MOST_URL,
        "contact card",
        "its node has more than 2,048 bytes",
    )?;
    ensure(
        credential.len() <= MOST_CREDENTIAL,
        "contact card",
        "its credential has more than 16 KiB",
    )
}

fn access(request: &AccessRequest) -> Result<(), JourneyError> {
    let what = "access request";
    ensure(
        request.reason.len() <= MOST_REASON,
        what,
        "its reason has more than 4,096 bytes",
    )?;
    ensure(
        request.categories.len() <= MOST_CATEGORIES,
        what,
        "it names more than 16 categories",
    )?;
    let credential = request.credential.as_deref().unwrap_or_default();
    ensure(
        credential.len() <= MOST_CREDENTIAL,
        what,
        "its credential has more than 16 KiB",
    )
}

/// What a grant says.
pub(crate) fn grant(artefact: &Artefact) -> Result<(), JourneyError> {
    let what = "grant";
    let credential = artefact.credential.as_deref().unwrap_or_default();
    ensure(
        artefact.version == 1,
        what,
        "it is of a later version; use a newer program",
    )?;
    ensure(
        artefact.reason.len() <= MOST_REASON,
        what,
        "its reason has more than 4,096 bytes",
    )?;
    ensure(
        artefact.name.len() <= MOST_NAME,
        what,
        "its name has more than 512 bytes",
    )?;
    ensure(
        credential.len() <= MOST_CREDENTIAL,
        what,
        "its credential has more than 16 KiB",
    )?;
    ensure(
        artefact.node.len().max(artefact.owner_node.len()) <= MOST_URL,
        what,
        "a node has more than 2,048 bytes",
    )?;
    ensure(
        artefact.records.len() <= MOST_KEYS,
        what,
        "it names more than 1,000 records",
    )?;
    ensure(
        artefact.categories.len() <= MOST_CATEGORIES,
        what,
        "it names more than 16 categories",
    )
}

/// A list of keys.
pub(crate) fn keys(keys: &[SharedKey]) -> Result<(), JourneyError> {
    ensure(
        keys.len() <= MOST_KEYS,
        "key list",
        "it has more than 1,000 keys",
    )
}

#[cfg(test)]
mod tests {
    use medibloc_record::{AccountId, GrantId, RecordId};

    use super::*;

    #[test]
    fn a_letter_that_costs_too_much_says_so() {
        let readers = |count| {
            let binding =
                Binding::unsigned([1; 32], AccountId::new([2; 20]), AccountId::new([3; 20]));
            Message::MoreReaders {
                readers: vec![(Address::new([3; 20]), binding); count],
                credential: None,
            }
        };
        let ended = |grants, records| Message::Ended {
            grants: vec![GrantId::new([1; 32]); grants],
            records: vec![RecordId::new([1; 32]); records],
        };
        for (message, length, told) in [
            (readers(16), 9_000, None),
            (readers(17), 9_000, Some("more than 8192 blocks of work")),
            (ended(1_000, 7_192), 9_000, None),
            (
                ended(1_001, 7_192),
                9_000,
                Some("more than 8192 blocks of work"),
            ),
            (
                ended(1, 1),
                (256 << 10) + 1,
                Some("more than 262144 bytes of work"),
            ),
        ] {
            let error = message
                .within_bounds(length)
                .err()
                .map(|error| error.to_string());
            assert_eq!(error.is_some(), told.is_some(), "{error:?}");
            if let (Some(error), Some(told)) = (error, told) {
                assert!(error.contains(told), "{error}");
            }
        }
    }
}
