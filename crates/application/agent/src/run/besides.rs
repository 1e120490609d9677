//! What waits beside what is given now, and goes by itself: whoever gives less than before may not think of it.

use medibloc_consent::Purpose;
use medibloc_journey::{GivenGrant, Party, Said};
use medibloc_record::{AccountId, GrantId};
use serde_json::json;

use super::answered;
use crate::{Answer, Problem};

/// Consents to read of one contact of which nothing has left.
pub(super) fn waiting(
    party: &Party,
    own: AccountId,
) -> Result<Vec<(GrantId, GivenGrant)>, Problem> {
    let contacts = party.contacts()?;
    let whose = contacts.iter().find(|contact| contact.own == own);
    let mut waiting = Vec::new();
    for (id, given) in party.grants()? {
        let is_of_it = whose.is_some_and(|whose| whose.party == given.artefact.party);
        if is_of_it && !given.revoked && party.is_to_be_given(id)? {
            waiting.push((id, given));
        }
    }
    Ok(waiting)
}

/// The id of an offer that waits and is what is said now: said again, it goes on, and no second one is given.
pub(super) fn same_offer(
    party: &Party,
    own: AccountId,
    purpose: Purpose,
    said: &Said<'_>,
) -> Result<Option<[u8; 32]>, Problem> {
    let asked = party.requests()?;
    for (id, given) in waiting(party, own)? {
        let artefact = &given.artefact;
        let is_offer = asked.iter().all(|request| !given.answers(&request.id))
            && artefact.categories.is_empty()
            && artefact.dates.is_none();
        let is_same = (artefact.paired, artefact.purpose) == (own, purpose);
        if is_offer && is_same && party.is_as_said(id, &given, said)? {
            return Ok(artefact.request.map(|request| *request));
        }
    }
    Ok(None)
}

/// Tells of those that waited before and still do, and are no part of the answer.
pub(super) fn tell(
    party: &Party,
    waiting: Vec<(GrantId, GivenGrant)>,
    answer: &mut Answer,
) -> Result<(), Problem> {
    let given = answer.value["grants"].as_array().cloned();
    let given = given.unwrap_or_else(|| vec![answer.value["grant"].clone()]);
    let mut besides = Vec::new();
    for (id, one) in waiting {
        if party.is_to_be_given(id)? && !given.contains(&json!(id.to_string())) {
            let told = answered::told(party, &[(id, one)]);
            answer.text.push_str(&format!(
                "\nbeside it waits, and goes by itself: {told}; `medibloc grant revoke {id}` drops it"
            ));
            besides.push(id.to_string());
        }
    }
    answer.value["besides"] = json!(besides);
    Ok(())
}
