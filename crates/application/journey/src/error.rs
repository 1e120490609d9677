//! What can stop a step, by what the person should do.

use medibloc_consent::Reason;
use medibloc_dag::DagError;
use medibloc_keys::KeysError;
use medibloc_ledger::{LedgerError, Refusal};
use medibloc_record::{AccountId, Address, NormaliseError, RecordId, SealedError, Timestamp};
use medibloc_seal::SealError;
use medibloc_store::StoreError;

use crate::moment::Moment;
use crate::ports::PortError;
use crate::said::OnChain;
use crate::waiting::{GET_THE_NEWEST, Lacks};

/// Why a step did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JourneyError {
    /// The chain, its relay or its contracts.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Vault, mailbox, keepers.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Sealing or opening.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Keys and signatures.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A stored object.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// A draft that cannot be a record.
    #[error(transparent)]
    Normalise(#[from] NormaliseError),
    /// A rule of consent.
    #[error("{0}")]
    Refused(Reason),
    /// Something that was received or kept is not in its form.
    #[error("the {what} is not valid; ask the other side to send it again")]
    Malformed {
        /// What.
        what: &'static str,
        /// What the decoder says.
        #[source]
        source: DagError,
    },
    /// A received object does not hold what it claims.
    #[error("the {what} is not to be trusted: {why}")]
    Untrusted {
        /// What.
        what: &'static str,
        /// Which check failed.
        why: String,
    },
    /// Something that is needed is not known.
    #[error("{what} is not known here; {hint}")]
    Unknown {
        /// What.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// Something that is needed may be at a node that does not answer.
    #[error(
        "{what} is not known here; the nodes that answer do not have it; run `medibloc sync` again when the other is back"
    )]
    Away {
        /// What, and who does not answer.
        what: String,
    },
    /// This program failed on something from outside.
    #[error(
        "the program failed on the {what}: a fault of ours and not of your data; the {what} is set aside and everything else goes on. Report it, with the version that `medibloc --version` says"
    )]
    Fault {
        /// What it looked at.
        what: &'static str,
    },
    /// The record was erased.
    #[error(
        "record {record} was erased by its owner{}; nothing of it is left here, and nothing can bring it back",
        .at.map(|at| format!(" at {}", Moment(at))).unwrap_or_default()
    )]
    Erased {
        /// The record.
        record: RecordId,
        /// When, if it is known.
        at: Option<Timestamp>,
    },
    /// Its erasure was begun, and the chain does not have it yet.
    #[error(
        "record {record} is being erased: that was begun and cannot be taken back; `medibloc sync` goes on with it when node and chain answer"
    )]
    BeingErased {
        /// The record.
        record: RecordId,
    },
    /// This home's deployment file is too old for it, or it is of no deployment at all.
    #[error(
        "the {what} cannot be taken: {lacks}; {GET_THE_NEWEST}, or ask the other side to use what your file has"
    )]
    Outdated {
        /// What.
        what: &'static str,
        /// What the file does not have.
        lacks: Lacks,
    },
    /// Somebody else's key signs for an own account.
    #[error(
        "{account} was handed on to {to}, which is no key of this phrase: this home cannot sign for it any more, and nothing was written. Restore the phrase that has that key if it is yours; if it is not, somebody had the account's signing key: tell the authority and your contacts, and begin anew with a new account"
    )]
    HandedAway {
        /// Which.
        account: AccountId,
        /// Who signs for it.
        to: Address,
    },
    /// Its author took it back.
    #[error(
        "record {record} was taken back by its author and is not to be relied on, so it is given to nobody without a word; what corrects it is a record of its own. If you know that it is right, or somebody must see what was wrong, `medibloc grant create` or `request approve` with `--record` and `--retracted` gives it all the same"
    )]
    Retracted {
        /// The record.
        record: RecordId,
    },
    /// Its author took it back, so it is not opened without a word.
    #[error(
        "record {record} was taken back by its author at {} (block {}) and is not to be relied on; nothing was signed. `medibloc read --retracted` opens it all the same, for whoever must see what was wrong; what corrects it is a record of its own",
        Moment(.when.at), .when.block
    )]
    TakenBack {
        /// The record.
        record: RecordId,
        /// Where the chain says so.
        when: OnChain,
    },
    /// A consent that was decided here and is not given, or not sent again.
    #[error("{why}")]
    NotGiven {
        /// Why, and what to do.
        why: String,
    },
    /// A name that a person gave, and that nobody sees.
    #[error(
        "the {what} shows nothing: it has only spaces or signs that nobody sees, so nothing was kept; say one that can be read"
    )]
    ShowsNothing {
        /// What.
        what: &'static str,
    },
    /// Something that a person wrote is longer than others take.
    #[error("the {what} has {bytes} bytes, at most {most} are taken; make it shorter")]
    TooLong {
        /// What.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// A record that was checked, and is not accepted yet.
    #[error(
        "record {record} is checked and waits to be accepted, for too few keepers have their share yet; `medibloc sync` asks them again and accepts it, and then it can be given"
    )]
    Waits {
        /// The record.
        record: RecordId,
    },
    /// A document that is on its way already, sealed as less sensitive than it is to be now.
    #[error(
        "this very document is on its way as record {record}, which was sealed as less restricted than that; nothing was written: let `medibloc sync` finish it, take it back (`medibloc record erase`, or `record retract` of what was written for others), and import it with `--again`"
    )]
    LessSensitive {
        /// The record.
        record: RecordId,
    },
    /// A record that was anchored after another committee of keepers had followed the one that it was sealed for.
    #[error(
        "record {record} came to the chain for a committee of keepers that another one had followed by then: its owner cannot take it; import the document again, which makes another record"
    )]
    InVain {
        /// The record.
        record: RecordId,
    },
    /// A consent whose time was over before it left.
    #[error(
        "it ended at {} and had not left by then, so it was never in force and nothing was given; `medibloc grant create` gives it anew, \
         `--now` at once",
        Moment(*.until)
    )]
    Over {
        /// Its end.
        until: Timestamp,
    },
    /// Too few keepers answered well.
    #[error(
        "record {record}: {good} of {needed} keepers released their share ({why}); try again when more are reachable, or ask the owner"
    )]
    TooFewKeepers {
        /// The record.
        record: RecordId,
        /// Good answers.
        good: usize,
        /// Needed.
        needed: u8,
        /// Reasons of the others.
        why: String,
    },
}

impl JourneyError {
    /// The rule of consents that forbids it, whoever said so; none if that is not the reason.
    pub const fn rule(&self) -> Option<Reason> {
        match self {
            Self::Refused(reason)
            | Self::Ledger(LedgerError::Refused(Refusal::Consent(reason))) => Some(*reason),
            _ => None,
        }
    }

    /// Whether a peer's limit is reached: it says when it ends.
    pub const fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::Ledger(LedgerError::Limit { .. })
                | Self::Store(StoreError::Limit { .. })
                | Self::Port(PortError::Limit { .. })
        )
    }
}
