//! A request that was answered: it is answered once. Saying the same again goes on with a consent that is on its way, and
//! gives no second one.

use medibloc_consent::Scope as Given;
use medibloc_journey::{GivenGrant, Party, PendingRequest, Sooner};
use medibloc_record::GrantId;
use serde_json::json;

use super::{find, grant};
use crate::answer::code;
use crate::command::{Haste, Scope};
use crate::{Answer, Problem};

/// The same answer once more: sends what is on its way, now if somebody waits.
pub(super) async fn again(
    party: &Party,
    request: &PendingRequest,
    answers: &[(GrantId, GivenGrant)],
    scope: &Scope,
    haste: Haste,
) -> Result<Answer, Problem> {
    let asked = grant::scope_of(party, scope)?;
    let is_same = |given: &GivenGrant| given.artefact.about() == Some(asked);
    let mut ids = Vec::new();
    for (id, given) in answers {
        if is_same(given) && !given.revoked && party.is_on_its_way(*id)? {
            ids.push(*id);
        }
    }
    let sooner = Sooner::Grants(ids.clone());
    let due = party.last_of(&sooner)?;
    if ids.is_empty() || due.is_some() && !haste.now {
        return Err(refused(request, answers));
    }
    if let Some(extent) = grant::extent_of(asked) {
        super::must_be_meant(
            &party.haste_of_all(request, extent)?,
            haste,
            "what is on its way goes at random times, one address at a time",
        )?;
    }
    party.bring_forward(&sooner).await?;
    let name = party.names()?.told(&request.name, Some(request.own));
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Ok(Answer::new(
        json!({"grants": ids, "to": request.name}),
        format!(
            "the answer to {name} that was on its way is on the chain; no other consent was given: {}",
            ids.join(", ")
        ),
    ))
}

/// What it was answered with.
pub(super) fn refused(request: &PendingRequest, answers: &[(GrantId, GivenGrant)]) -> Problem {
    let told: Vec<String> = answers
        .iter()
        .filter_map(|(id, given)| {
            let terms = &given.artefact.grant.as_ref()?.terms;
            let what = match given.artefact.about()? {
                Given::One(record) => format!("record {record}"),
                Given::Classes(classes) => {
                    let classes: Vec<u8> = classes.numbers().collect();
                    format!("records of class {}", grant::numbers(&classes))
                }
                Given::All | Given::Listed(_) => "all records".into(),
            };
            let how = if given.revoked {
                "taken back since".to_owned()
            } else {
                format!("until {}", find::moment(terms.until))
            };
            Some(format!("consent {id} to {what}, {how}"))
        })
        .collect();
    Problem::new(
        code::REFUSED,
        format!(
            "request {} of {} was answered already: {}; nothing was given now. `medibloc grant create --to {}` gives more, \
             `medibloc grant revoke` takes back",
            &hex::encode(request.id)[..8],
            find::told(&request.name),
            told.join("; "),
            request.own,
        ),
    )
}
