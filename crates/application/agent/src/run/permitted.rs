//! `medibloc grant create --write`: who may write, and until when the chain says so.

use std::collections::BTreeMap;

use medibloc_journey::{Contact, GivenGrant, Party, medical_only};
use medibloc_record::{GrantId, Timestamp};
use serde_json::json;

use super::{find, grant};
use crate::command::Haste;
use crate::{Answer, Problem};

/// Lets a contact write; tells which permission stands by it, or is on its way, and what became of those before.
pub(super) async fn give(
    party: &Party,
    contact: &Contact,
    until: Timestamp,
    haste: Haste,
) -> Result<Answer, Problem> {
    let now = find::known_now(party).await?;
    let (mut standing, mut planned) = (Vec::new(), Vec::new());
    for (id, given) in of(party, contact)? {
        let Some(end) = end(&given).filter(|end| *end > now && !given.revoked) else {
            continue;
        };
        if party.is_on_its_way(id)? {
            planned.push((id, end));
        } else if party.replaced_by(id, &given)?.is_none() {
            standing.push((id, end));
        }
    }
    let id = party
        .grant_write(contact.own, medical_only(), until)
        .await?;
    let when = grant::hasten(party, vec![id], haste).await?;
    let given = of(party, contact)?;
    let until = given.get(&id).and_then(end).unwrap_or(until);
    let mut told = String::new();
    for (other, end) in planned {
        if !given.contains_key(&other) {
            let end = find::moment(end);
            told.push_str(&format!(
                "\nthe one that was planned before, until {end}, is dropped: {other}"
            ));
        }
    }
    for (other, end) in standing.into_iter().filter(|(other, _)| *other != id) {
        // Another device may have taken it back.
        if given.get(&other).is_some_and(|given| !given.revoked) {
            let end = find::moment(end);
            told.push_str(&format!(
                "\nit takes the place of {other}, until {end}: the chain keeps one permission for a contact and an address"
            ));
        }
    }
    Ok(Answer::new(
        json!({"write": true, "grant": id.to_string(), "to": contact.name, "until": find::moment(until)}),
        format!(
            "{} may write medical records for you until {}{when}{told}",
            party.names()?.contact(contact),
            find::moment(until),
        ),
    ))
}

fn end(given: &GivenGrant) -> Option<Timestamp> {
    given.artefact.write.map(|write| write.until)
}

/// Permissions that the contact was given, by id.
fn of(party: &Party, contact: &Contact) -> Result<BTreeMap<GrantId, GivenGrant>, Problem> {
    let given = party.write_grants()?.into_iter();
    Ok(given
        .filter(|(_, given)| given.own == contact.own)
        .collect())
}
