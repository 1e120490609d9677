//! What a restored home's owner is: the phrase alone does not say it, the chain does of an account that is registered.

use medibloc_journey::{JourneyError, Ports};
use medibloc_record::AccountId;

use crate::Problem;
use crate::answer::code;
use crate::home::HomeRole;

/// The role of the account on the chain, or the one that was given; none if neither says anything.
///
/// # Errors
/// [`code::USAGE`] if another one was given than the chain has; [`code::UNREACHABLE`] if the chain does not answer.
pub async fn of_account(
    ports: &Ports,
    account: AccountId,
    given: Option<HomeRole>,
) -> Result<Option<HomeRole>, Problem> {
    let facts = ports.facts.account(account).await;
    let Some(facts) = facts.map_err(JourneyError::from)? else {
        return Ok(given);
    };
    let role = HomeRole::from(facts.role);
    match given {
        Some(given) if given != role => Err(Problem::new(
            code::USAGE,
            format!(
                "the chain has the account of this phrase as a {}, and --role says {}; give `--role {}`, or leave it out",
                role.word(),
                given.word(),
                role.word()
            ),
        )),
        _ => Ok(Some(role)),
    }
}
