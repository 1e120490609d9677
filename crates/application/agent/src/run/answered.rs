//! A request that was answered: it is answered once. Saying the same again goes on with a consent that is on its way, and gives no
//! second one. Whoever thinks again before anything has left is heard: what was planned is dropped, and what is said now is given.

use medibloc_consent::Scope as Given;
use medibloc_journey::{GivenGrant, Party, PendingRequest, Sooner};
use medibloc_record::{GrantId, Sensitivity, Timestamp};
use serde_json::json;

use super::{find, grant, limits, request};
use crate::answer::code;
use crate::command::{Haste, Scope};
use crate::{Answer, Problem};

/// Whether something of an answer is not on the chain yet.
pub(super) fn is_on_its_way(
    party: &Party,
    answers: &[(GrantId, GivenGrant)],
) -> Result<bool, Problem> {
    for (id, _) in answers {
        if party.is_on_its_way(*id)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A further answer: the same sends what is on its way, now if somebody waits; another one takes the place of what was planned.
pub(super) async fn again(
    party: &Party,
    request: &PendingRequest,
    answers: &[(GrantId, GivenGrant)],
    (scope, until): (&Scope, Timestamp),
    haste: Haste,
) -> Result<Answer, Problem> {
    let asked = grant::scope_of(party, scope)?;
    let also = grant::meant_too(party, scope)?;
    let said = grant::as_said(scope, (asked, until), &also);
    let (mut standing, mut same, mut waiting) = (0_usize, Vec::new(), Vec::new());
    for (id, given) in answers.iter().filter(|(_, given)| !given.revoked) {
        standing += 1;
        if party.is_to_be_given(*id)? {
            waiting.push((*id, given.clone()));
        }
        if party.is_on_its_way(*id)? && party.is_as_said(*id, given, &said)? {
            same.push((*id, given.clone()));
        }
    }
    if same.is_empty() && standing > 0 && waiting.len() == standing {
        return instead(party, request, &waiting, (scope, until), haste).await;
    }
    let sooner = Sooner::Grants(same.iter().map(|(id, _)| *id).collect());
    let due = party.last_of(&sooner)?;
    if same.is_empty() || due.is_some() && !haste.now {
        return Err(refused(party, request, answers));
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
    let ids: Vec<String> = same.iter().map(|(id, _)| id.to_string()).collect();
    Ok(Answer::new(
        json!({"grants": ids, "to": request.name}),
        format!(
            "the answer to {name} that was on its way is on the chain; no other consent was given: {}",
            told(party, &same)
        ),
    ))
}

/// Nothing of the earlier answer has left: it is dropped, and this one is given.
async fn instead(
    party: &Party,
    request: &PendingRequest,
    waiting: &[(GrantId, GivenGrant)],
    answer: (&Scope, Timestamp),
    haste: Haste,
) -> Result<Answer, Problem> {
    let before = told(party, waiting);
    let done = Box::pin(request::approve(party, request, answer, haste)).await;
    let given = party.grants()?;
    let is_gone = |(id, _): &(GrantId, GivenGrant)| given.iter().all(|(other, _)| other != id);
    if !waiting.iter().all(is_gone) {
        return done;
    }
    let dropped =
        format!("what was planned to answer it before is dropped, and is not given: {before}");
    match done {
        Ok(mut answer) => {
            let ids = waiting.iter().map(|(id, _)| id.to_string());
            answer.value["dropped"] = json!(ids.collect::<Vec<_>>());
            answer.text.push_str(&format!("\n{dropped}"));
            Ok(answer)
        }
        Err(problem) => {
            let message = format!("{}; {dropped}", problem.message);
            Err(Problem { message, ..problem })
        }
    }
}

/// What it was answered with.
pub(super) fn refused(
    party: &Party,
    request: &PendingRequest,
    answers: &[(GrantId, GivenGrant)],
) -> Problem {
    Problem::new(
        code::REFUSED,
        format!(
            "request {} of {} was answered already: {}; nothing was given now. `medibloc grant create --to {}` gives more, \
             `medibloc grant revoke` takes back",
            &hex::encode(request.id)[..8],
            find::told(&request.name),
            told(party, answers),
            request.own,
        ),
    )
}

/// Consents with what each is about, its limits and its end.
pub(super) fn told(party: &Party, consents: &[(GrantId, GivenGrant)]) -> String {
    let told = consents.iter().filter_map(|(id, given)| {
        let artefact = &given.artefact;
        let terms = &artefact.grant.as_ref()?.terms;
        let what = match artefact.about()? {
            Given::One(record) => format!("record {record}"),
            Given::Classes(classes) => {
                let classes: Vec<u8> = classes.numbers().collect();
                format!("records of class {}", grant::numbers(&classes))
            }
            Given::All | Given::Listed(_) => "all records".into(),
        };
        let only = match limits::of(artefact) {
            Some((_, only)) => limits::told(&only),
            None => String::new(),
        };
        let is_wide = !matches!(artefact.about(), Some(Given::One(_)));
        let most = match artefact.sensitivity {
            Sensitivity::VeryRestricted if is_wide => ", very restricted ones too",
            _ => "",
        };
        let end = find::moment(terms.until);
        let how = match (given.revoked, party.is_on_its_way(*id)) {
            (true, _) => "taken back since".to_owned(),
            (false, Ok(true)) => format!("until {end} (on its way to the chain)"),
            (false, _) => format!("until {end}"),
        };
        Some(format!("consent {id} to {what}{only}{most}, {how}"))
    });
    told.collect::<Vec<_>>().join("; ")
}
