//! What only the chain can tell of whoever a binding names: whose the key was that signed it when the consent was given, and how
//! the account stood with the authority. A key that was handed away still signs, with any date that its thief likes.

use medibloc_keys::recover;
use medibloc_ledger::Facts;
use medibloc_record::{AccountId, Timestamp};

use super::ProofFile;
use super::check::{binding_of, domain_of, grant_of};
use crate::JourneyError;
use crate::moment::Moment;
use crate::verify::VerifyReport;

/// The line of whose the key was that signed the binding.
const KEY: &str = "reader's key";
/// The line of how the account stood.
const STANDING: &str = "reader's standing";

/// Where the chain has a consent.
#[derive(Clone, Copy)]
pub(super) struct GivenAt {
    pub(super) block: u64,
    pub(super) time: Timestamp,
}

/// Says of a file with an account what the chain was not asked for.
pub(super) fn not_asked(file: &ProofFile, lines: &mut VerifyReport) {
    if file.reader.account.is_some() {
        let told = "whether the key that signed for the account was its own when the consent was given, the chain has, and was not asked";
        lines.unchecked(KEY, told);
        let told =
            "whether the authority let the account read then, the chain has, and was not asked";
        lines.unchecked(STANDING, told);
    }
}

/// Asks the chain, and says whether nothing of it speaks against the file.
///
/// # Errors
/// If the chain does not answer.
pub(super) async fn ask(
    file: &ProofFile,
    given: GivenAt,
    facts: &dyn Facts,
    lines: &mut VerifyReport,
) -> Result<bool, JourneyError> {
    let account = file.reader.account.as_ref();
    let Some(account) = account.and_then(|account| account.parse().ok()) else {
        // What names no account is judged by its form alone.
        return Ok(true);
    };
    lines
        .lines
        .retain(|line| line.what != KEY && line.what != STANDING);
    let is_its_own = signed_by(file, account, given, facts).await?;
    let told = if is_its_own {
        "it signed for the account when the consent was given"
    } else {
        "it did not sign for the account when the consent was given: whoever has a key that was handed away can have made this"
    };
    lines.line(
        KEY,
        is_its_own,
        format!("{told} (block {}, {})", given.block, Moment(given.time)),
    );
    let mut against = Vec::new();
    let read = Timestamp(file.receipt.time);
    for (when, at) in [("consent", given.time), ("read", read)] {
        let standing = facts.standing(account, at).await?;
        if !standing.is_good() {
            let why = match standing.suspended {
                true => "suspended",
                false => "not accredited",
            };
            against.push(format!("{why} at the {when} ({})", Moment(at)));
        }
    }
    let stood = against.is_empty();
    let told = match stood {
        true => "accredited and not suspended at the consent and at the read".to_owned(),
        false => format!("{}: no keeper releases anything to it", against.join(", ")),
    };
    lines.line(STANDING, stood, told);
    Ok(is_its_own && stood)
}

/// Whether the key that signed the binding was the account's when the consent was given.
async fn signed_by(
    file: &ProofFile,
    account: AccountId,
    given: GivenAt,
    facts: &dyn Facts,
) -> Result<bool, JourneyError> {
    let grant = grant_of(file);
    let name = file.reader.account.as_deref().unwrap_or_default();
    let binding = grant.and_then(|grant| binding_of(file, &grant, name));
    let Some((binding, domain)) = binding.zip(domain_of(file)) else {
        return Ok(false);
    };
    match recover(&binding.digest(&domain), &binding.signature) {
        Ok(signer) => Ok(facts.account_at(signer, given.block).await? == Some(account)),
        Err(_) => Ok(false),
    }
}
