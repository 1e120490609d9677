//! A researcher is given nothing for treatment that nobody said.

use medibloc_consent::Purpose;
use medibloc_journey::{Contact, JourneyError, Party, PendingRequest};
use medibloc_record::Role;

use crate::answer::code;
use crate::{Problem, command};

/// What a party of this role asks for if it does not say it.
pub(super) const fn usual(role: Role) -> Purpose {
    match role {
        Role::Researcher => Purpose::Research,
        _ => Purpose::Treatment,
    }
}

/// Whether the account that the authority vouches for is a researcher's.
async fn is_one(party: &Party, contact: &Contact) -> Result<bool, Problem> {
    let Some(account) = contact.card.account else {
        return Ok(false);
    };
    let facts = party.ports().facts.account(account).await;
    let facts = facts.map_err(JourneyError::from)?;
    Ok(facts.is_some_and(|facts| facts.role == Role::Researcher))
}

/// What a consent is for: treatment if nobody says it, but for a researcher, of whom it must be said.
pub(super) async fn purpose(
    party: &Party,
    contact: &Contact,
    said: Option<command::Purpose>,
) -> Result<Purpose, Problem> {
    match said {
        Some(said) => Ok(said.into()),
        None if is_one(party, contact).await? => Err(Problem::new(
            code::USAGE,
            format!(
                "{} is accredited as a researcher: say what it may read for, `--purpose research` or another (`treatment`, `payment`, \
                 `family-request`, `public-health`). Nothing was given",
                party.names()?.contact(contact)
            ),
        )),
        None => Ok(Purpose::Treatment),
    }
}

/// What is said of a request of a researcher that asks for treatment; nothing of others.
pub(super) async fn for_treatment(
    party: &Party,
    request: &PendingRequest,
) -> Result<Option<String>, Problem> {
    if request.request.purpose != Purpose::Treatment {
        return Ok(None);
    }
    let contacts = party.contacts()?;
    let Some(contact) = contacts.iter().find(|one| one.own == request.own) else {
        return Ok(None);
    };
    if !is_one(party, contact).await? {
        return Ok(None);
    }
    Ok(Some(format!(
        "{} is accredited as a researcher, and asks for treatment",
        party.names()?.contact(contact)
    )))
}
