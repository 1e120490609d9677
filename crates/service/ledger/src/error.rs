//! What can go wrong between a program and the chain, by what the caller should do.

use medibloc_consent::Reason;

use crate::Outcome;

/// Why the contracts would not do it: final, do not send it again as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A rule of consent.
    #[error("{0}")]
    Consent(Reason),
    /// It happened already; nothing happens twice.
    #[error("{what} exists already")]
    Exists {
        /// The record, grant or account.
        what: String,
    },
    /// The account is not registered.
    #[error("this address is not registered; register it first")]
    NotRegistered,
    /// Another custom error of the contracts, by name.
    #[error("the contract refused: {name}")]
    Contract {
        /// Name and arguments of the error.
        name: String,
    },
}

/// Why a call or question got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The contracts refused.
    #[error("{0}")]
    Refused(Refusal),
    /// The relay refused for a limit.
    #[error("the relay's limit is reached: {limit}; try again later or use another relay")]
    Limit {
        /// Which limit, used and allowed.
        limit: String,
    },
    /// It failed alone in its transaction, with all that it was given; it did nothing, and was paid for.
    #[error(
        "the transaction that carried this call alone failed and used up {gas} gas; prepare and sign it anew, with the gas that \
         this program asks for"
    )]
    Burnt {
        /// Gas that it cost.
        gas: u64,
    },
    /// The signature, nonce or deadline is not right.
    #[error("the request is not valid: {what}; prepare and sign it anew")]
    BadRequest {
        /// What is wrong.
        what: String,
    },
    /// No answer; the same request may be sent again.
    #[error("no answer from {from}: {why}; it can be tried again")]
    Unreachable {
        /// Which peer.
        from: String,
        /// What happened.
        why: String,
    },
    /// More blocks were replaced than can be undone.
    #[error(
        "the chain replaced all blocks from {oldest} on, more than can be undone; read it anew from the first contract"
    )]
    Replaced {
        /// The oldest block that is remembered.
        oldest: u64,
    },
    /// A final block that was taken is not the chain's any more.
    #[error(
        "the chain was set back: block {number} was 0x{}, and {}; nothing is taken, released, sent or signed until it is there again. \
         Whoever runs the chain puts its newest copy in its place, or corrects which node of it is asked",
        hex::encode(was), now(*is)
    )]
    SetBack {
        /// Its number.
        number: u64,
        /// Its hash.
        was: [u8; 32],
        /// The hash of the block that is there now; none if there is none.
        is: Option<[u8; 32]>,
    },
    /// An answer that makes no sense.
    #[error("{from} gave an answer that is not valid: {why}")]
    Corrupt {
        /// Which peer.
        from: String,
        /// What is wrong with it.
        why: String,
    },
}

fn now(is: Option<[u8; 32]>) -> String {
    match is {
        Some(hash) => format!("is now 0x{}", hex::encode(hash)),
        None => "is gone".into(),
    }
}

impl LedgerError {
    /// Whether sending the very same request again may help.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Limit { .. })
    }

    /// That a relay says that a call is final, and the chain that is asked does not show it: nothing is done yet.
    pub fn not_shown(said: Outcome) -> Self {
        Self::Unreachable {
            from: "the relay".into(),
            why: format!(
                "it says that the call is final in block {}, and the chain does not show it; it stays owed: run `medibloc \
                 sync`, and choose another node if it goes on",
                said.block
            ),
        }
    }
}

impl From<Refusal> for LedgerError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Reason> for LedgerError {
    fn from(reason: Reason) -> Self {
        Self::Refused(Refusal::Consent(reason))
    }
}
