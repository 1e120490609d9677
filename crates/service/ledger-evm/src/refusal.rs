//! Revert data in the words of the ports: the union of the errors of all seven contracts.

use alloy::primitives::{B256, Bytes, hex};
use alloy::sol_types::{SolError, decode_revert_reason};
use medibloc_consent::Reason;
use medibloc_ledger::{LedgerError, Refusal};
use medibloc_record::Line;

use crate::bindings::accounts::Accounts::{self, AccountsErrors};
use crate::bindings::authority::Authority::AuthorityErrors;
use crate::bindings::consent::Consent::{self, ConsentErrors};
use crate::bindings::forwarder::Forwarder::{self, ForwarderErrors};
use crate::bindings::keepers::Keepers::KeepersErrors;
use crate::bindings::receipts::Receipts::{self, ReceiptsErrors};
use crate::bindings::records::Records::{self, RecordsErrors};

/// What a contract's revert data says.
pub(crate) fn decode(data: &Bytes) -> LedgerError {
    let Some((selector, arguments)) = data.split_first_chunk::<4>() else {
        return named(
            "it gave no reason; most likely the gas ran out, or the contracts are of an older version that has no such call: a \
             consent that is limited needs a chain deployed anew"
                .into(),
        );
    };
    if let Some(reason) = reason(*selector) {
        return reason.into();
    }
    let exists = |what: &str| {
        let id = arguments.get(..32).map(B256::from_slice);
        let what = id.map_or_else(|| what.to_owned(), |id| format!("{what} {id}"));
        LedgerError::from(Refusal::Exists { what })
    };
    match *selector {
        Accounts::AddressTaken::SELECTOR => exists("the account of"),
        Records::AlreadyAnchored::SELECTOR => exists("the record"),
        Records::AlreadyAccepted::SELECTOR => exists("the acceptance of"),
        Records::AlreadyRetracted::SELECTOR => exists("the retraction of"),
        Consent::AlreadyGranted::SELECTOR => exists("the grant"),
        Accounts::NotRegistered::SELECTOR => Refusal::NotRegistered.into(),
        Forwarder::ERC2771ForwarderInvalidSigner::SELECTOR => {
            bad("its signature or nonce is wrong")
        }
        Forwarder::ERC2771ForwarderExpiredRequest::SELECTOR => bad("its deadline has passed"),
        _ => match name(*selector) {
            Some(name) => named(format!("{name}(0x{})", hex::encode(arguments))),
            None => named(
                decode_revert_reason(data).unwrap_or_else(|| format!("0x{}", hex::encode(data))),
            ),
        },
    }
}

/// The error that `data` is, if it is `E`.
pub(crate) fn as_error<E: SolError>(data: &Bytes) -> Option<E> {
    E::abi_decode(data).ok()
}

pub(crate) fn bad(what: &str) -> LedgerError {
    LedgerError::BadRequest { what: what.into() }
}

/// A reason in the contract's own words, or whatever a node says was one.
fn named(name: String) -> LedgerError {
    let name = Line::from(name).into();
    Refusal::Contract { name }.into()
}

const fn reason(selector: [u8; 4]) -> Option<Reason> {
    Some(match selector {
        Records::NotOwner::SELECTOR => Reason::NotTheOwner,
        Records::NotAuthor::SELECTOR => Reason::NotTheAuthor,
        Records::NotAccredited::SELECTOR => Reason::NotAccredited,
        Records::NoWriteGrant::SELECTOR | Consent::NoWriteGrant::SELECTOR => Reason::NoWriteGrant,
        Records::UnknownRecord::SELECTOR | Records::WrongPreimage::SELECTOR => {
            Reason::UnknownRecord
        }
        Records::RecordErased::SELECTOR => Reason::Erased,
        Records::NotAccepted::SELECTOR => Reason::NotAccepted,
        Consent::UnknownGrant::SELECTOR => Reason::UnknownGrant,
        Consent::GrantRevoked::SELECTOR => Reason::Revoked,
        Consent::GrantExpired::SELECTOR => Reason::Expired,
        Consent::GrantNotYetValid::SELECTOR => Reason::NotYetValid,
        Receipts::NotReader::SELECTOR => Reason::NotTheReader,
        Receipts::WrongPurpose::SELECTOR => Reason::WrongPurpose,
        Receipts::RecordNotCovered::SELECTOR => Reason::NotCovered,
        Receipts::ReadsExhausted::SELECTOR => Reason::ReadsExhausted,
        _ => return None,
    })
}

fn name(selector: [u8; 4]) -> Option<&'static str> {
    RecordsErrors::name_by_selector(selector)
        .or_else(|| ConsentErrors::name_by_selector(selector))
        .or_else(|| ReceiptsErrors::name_by_selector(selector))
        .or_else(|| AccountsErrors::name_by_selector(selector))
        .or_else(|| KeepersErrors::name_by_selector(selector))
        .or_else(|| ForwarderErrors::name_by_selector(selector))
        .or_else(|| AuthorityErrors::name_by_selector(selector))
}
