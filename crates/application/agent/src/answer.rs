//! What a command gives: the same facts for people and, with `--json`, for programs.

use medibloc_consent::Reason;
use medibloc_journey::{JourneyError, PortError};
use medibloc_ledger::{LedgerError, Refusal};
use medibloc_record::{FormatError, on_its_lines, on_one_line};
use medibloc_vault::VaultError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An answer in both forms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// For programs.
    pub value: Value,
    /// For people.
    pub text: String,
    /// Exit code: 0, [`code::PARTIAL`] if something of it is left to do, [`code::ERASED`], or [`code::UNREACHABLE`] if what
    /// only the chain can say is missing: the half of a proof, or what is newer than the home's last block.
    #[serde(default)]
    pub code: u8,
    /// What goes to standard output in the text's place, because `--out -` asked for it.
    #[serde(default)]
    pub output: Option<Output>,
}

impl Answer {
    /// An answer.
    pub fn new(value: Value, text: impl Into<String>) -> Self {
        Self {
            value,
            text: text.into(),
            code: 0,
            output: None,
        }
    }

    /// The same answer with another exit code.
    #[must_use]
    pub fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// The same answer with bytes for standard output.
    #[must_use]
    pub fn with_output(self, bytes: Vec<u8>) -> Self {
        let output = Some(Output(bytes));
        Self { output, ..self }
    }

    /// One line a row, or a sentence that says what to do when there is none.
    pub fn list(value: Value, lines: &[String], empty: &str) -> Self {
        let text = if lines.is_empty() {
            empty.to_owned()
        } else {
            rows(lines)
        };
        Self {
            value,
            text,
            code: 0,
            output: None,
        }
    }
}

/// Lines of a report, each of them one: whatever others wrote into it makes none of its own.
pub fn rows(lines: &[String]) -> String {
    let row = |line: &String| on_its_lines(&line.replace(['\n', '\r'], " "));
    lines.iter().map(row).collect::<Vec<_>>().join("\n")
}

/// Bytes for standard output. They may be a person's: their `Debug` says only how many there are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Output(pub Vec<u8>);

impl From<Output> for String {
    fn from(output: Output) -> Self {
        hex::encode(output.0)
    }
}

impl TryFrom<String> for Output {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text).map(Self)
    }
}

impl core::fmt::Debug for Output {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Output({} bytes)", self.0.len())
    }
}

/// Exit codes, the same for every command.
pub mod code {
    /// Something failed; the message says what to do.
    pub const FAILED: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 2;
    /// The input is not a document, invitation or phrase that can be read.
    pub const INPUT: u8 = 3;
    /// A rule forbids it: consent, accreditation, the contracts or the keepers.
    pub const REFUSED: u8 = 4;
    /// A node, the chain or too many keepers do not answer, or the relay takes no more now, and nothing was kept: try again later.
    pub const UNREACHABLE: u8 = 5;
    /// The passphrase or the phrase does not open this home.
    pub const LOCKED: u8 = 6;
    /// A record, contact, request or grant of this name is not known here.
    pub const UNKNOWN: u8 = 7;
    /// Another process holds the home; trying again later may help.
    pub const HELD: u8 = 8;
    /// Begun and kept, but not all of it is done: `medibloc sync` goes on with the rest.
    pub const PARTIAL: u8 = 9;
    /// The record was erased by its owner.
    pub const ERASED: u8 = 10;
    /// It is there already, and was not made a second time.
    pub const ALREADY: u8 = 11;
}

/// Why a command did not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// Exit code.
    pub code: u8,
    /// What happened and what to do.
    pub message: String,
    /// The same for programs, where it is more than a sentence: the checks of `doctor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Value>,
}

impl Problem {
    /// A problem with this exit code.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            checks: None,
        }
    }

    /// With what was checked, for programs.
    #[must_use]
    pub fn with_checks(self, checks: Value) -> Self {
        let checks = Some(checks);
        Self { checks, ..self }
    }

    /// What `--json` shows of it.
    pub fn to_value(&self) -> Value {
        json!({"error": self})
    }

    /// Something of this name is not here.
    pub fn unknown(what: &str, name: &str, list: &str) -> Self {
        Self::new(
            code::UNKNOWN,
            format!("there is no {what} `{name}` here; `{list}` shows what is"),
        )
    }
}

impl From<JourneyError> for Problem {
    fn from(error: JourneyError) -> Self {
        let code = match &error {
            JourneyError::Refused(Reason::Erased)
            | JourneyError::Ledger(LedgerError::Refused(Refusal::Consent(Reason::Erased))) => {
                code::ERASED
            }
            JourneyError::Ledger(LedgerError::Refused(_))
            | JourneyError::Refused(_)
            | JourneyError::Untrusted { .. }
            | JourneyError::HandedAway { .. }
            | JourneyError::Waits { .. }
            | JourneyError::InVain { .. }
            | JourneyError::LessSensitive { .. }
            | JourneyError::Retracted { .. }
            | JourneyError::TakenBack { .. }
            | JourneyError::NotGiven { .. }
            | JourneyError::Over { .. }
            | JourneyError::Outdated { .. }
            | JourneyError::Port(PortError::Refused { .. }) => code::REFUSED,
            // A relay that has no more of a day, or no coins, is one to ask later: the call is kept as it is.
            // A chain that was set back is not there either: the right one will be.
            JourneyError::Ledger(
                LedgerError::Unreachable { .. }
                | LedgerError::Limit { .. }
                | LedgerError::SetBack { .. },
            )
            | JourneyError::TooFewKeepers { .. }
            | JourneyError::Away { .. }
            | JourneyError::Port(PortError::Unreachable { .. } | PortError::Clock { .. }) => {
                code::UNREACHABLE
            }
            error if error.is_limit() => code::REFUSED,
            JourneyError::Erased { .. } | JourneyError::BeingErased { .. } => code::ERASED,
            JourneyError::Store(error) if error.is_retryable() => code::UNREACHABLE,
            JourneyError::Unknown { .. } => code::UNKNOWN,
            JourneyError::Keys(_)
            | JourneyError::Normalise(_)
            | JourneyError::TooLong { .. }
            | JourneyError::ShowsNothing { .. }
            | JourneyError::Malformed { .. } => code::INPUT,
            _ => code::FAILED,
        };
        let told = chain(&error);
        if matches!(error, JourneyError::Ledger(LedgerError::SetBack { .. })) {
            let more = "`medibloc chain show` compares it with what node and keepers read";
            return Self::new(code, format!("{told}; {more}"));
        }
        if matches!(error.rule(), Some(Reason::Revoked | Reason::Expired)) {
            let more = "if you were given a newer one since, `medibloc sync` fetches it";
            return Self::new(code, format!("{told}; {more}"));
        }
        Self::new(code, told)
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        // The passphrase has opened the key file by then: a vault that does not open is not a question of passphrases.
        let code = match &error {
            VaultError::Held { .. } => code::HELD,
            _ => code::FAILED,
        };
        Self::new(code, chain(&error))
    }
}

impl From<FormatError> for Problem {
    fn from(error: FormatError) -> Self {
        Self::new(code::INPUT, chain(&error))
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        JourneyError::from(error).into()
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::new(code::FAILED, error.to_string())
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::new(code::FAILED, format!("{error:#}"))
    }
}

/// The message with its causes.
fn chain(error: &dyn core::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    // A cause can be in another's words.
    on_one_line(&text)
}
