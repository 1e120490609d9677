//! `medibloc request …`

use medibloc_consent::Purpose;
use medibloc_journey::{AccessRequest, Dates, Party, PendingRequest, Question};
use medibloc_record::Timestamp;
use serde_json::json;

use super::name::{self, Asked};
use super::{answered, find, grant, limits, researcher};
use crate::answer::code;
use crate::command::{self, Haste, Request, Scope};
use crate::{Answer, Problem};

impl From<command::Purpose> for Purpose {
    fn from(purpose: command::Purpose) -> Self {
        match purpose {
            command::Purpose::Treatment => Self::Treatment,
            command::Purpose::Payment => Self::Payment,
            command::Purpose::Research => Self::Research,
            command::Purpose::FamilyRequest => Self::FamilyRequest,
            command::Purpose::PublicHealth => Self::PublicHealth,
        }
    }
}

pub(super) async fn run(party: &Party, command: &Request) -> Result<Answer, Problem> {
    match command {
        Request::Create {
            owner,
            purpose,
            reason,
            categories,
            since,
            before,
            days,
            haste,
        } => {
            let owner = name::owner(party, owner)?;
            super::must_be_meant(
                &party.haste_of_asking(owner)?,
                *haste,
                "`medibloc serve` or `medibloc sync` registers others ahead, at random times of the next days",
            )?;
            let dates = Dates::new(*since, *before)
                .map_err(|error| Problem::new(code::USAGE, error.to_string()))?;
            let question = Question {
                purpose: purpose.map_or_else(|| researcher::usual(party.role()), Into::into),
                reason: reason.clone(),
                categories: categories.clone(),
                dates: Some(dates).filter(|dates| *dates != Dates::default()),
                until: find::in_days(party, *days).await?,
            };
            let before = party.ask_for(owner, question).await?;
            let text = match before {
                None => "asked; the person decides".to_owned(),
                Some(at) => format!(
                    "this very request was sent already, {}: it is no other one, and if it was dropped nobody is asked again. Ask with \
                     another `--reason` or other `--days`",
                    find::moment(at)
                ),
            };
            Ok(Answer::new(
                json!({"owner": owner.to_string(), "already": before.is_some(), "sent": before.map(find::moment)}),
                text,
            ))
        }
        Request::List => {
            // What was answered waits for nobody.
            let requests = name::open_requests(party)?;
            let called = party.names()?;
            let lines: Vec<String> = requests
                .iter()
                .map(|request| {
                    format!(
                        "{}  {}  {} until {}{}  “{}”",
                        &hex::encode(request.id)[..8],
                        called.told(&request.name, Some(request.own)),
                        request.request.purpose.code(),
                        find::moment(request.request.until),
                        asked(&request.request),
                        find::told(&request.request.reason)
                    )
                })
                .collect();
            let value = requests
                .iter()
                .map(|request| {
                    json!({
                        "id": hex::encode(request.id), "name": request.name, "own": request.own.to_string(),
                        "purpose": request.request.purpose.code(), "reason": request.request.reason,
                        "categories": request.request.categories, "dates": request.request.dates,
                        "until": find::moment(request.request.until),
                    })
                })
                .collect::<Vec<_>>();
            Ok(Answer::list(
                json!(value),
                &lines,
                "no request waits; `medibloc sync` looks for new ones",
            ))
        }
        Request::Approve {
            request,
            scope,
            days,
            haste,
        } => {
            let Asked { request, answers } = name::request(party, request)?;
            // That it was erased is said first, whatever was answered.
            grant::scope_of(party, scope)?;
            if !answers.is_empty() && !answered::is_on_its_way(party, &answers)? {
                return Err(answered::refused(party, &request, &answers));
            }
            find::clock_must_be_right(party).await?;
            let until = until(party, &request, *days).await?;
            let answer = (scope, until);
            if !answers.is_empty() {
                return answered::again(party, &request, &answers, answer, *haste).await;
            }
            approve(party, &request, answer, *haste).await
        }
        Request::Deny { request } => {
            let Asked { request, answers } = name::request(party, request)?;
            // As long as nothing of an answer has left, a person may think again.
            let mut waits = true;
            for (id, given) in &answers {
                waits &= !given.revoked && party.is_to_be_given(*id)?;
            }
            if !waits {
                return Err(answered::refused(party, &request, &answers));
            }
            party.deny(&request)?;
            let dropped = match answers.is_empty() {
                true => String::new(),
                false => format!(
                    ", and what was planned to answer it is not given: {}",
                    answered::told(party, &answers)
                ),
            };
            let ids = answers.iter().map(|(id, _)| id.to_string());
            Ok(Answer::new(
                json!({"denied": hex::encode(request.id), "dropped": ids.collect::<Vec<_>>()}),
                format!("dropped{dropped}; the other side is told nothing"),
            ))
        }
    }
}

/// The end that is said, or that was asked for.
async fn until(
    party: &Party,
    request: &PendingRequest,
    days: Option<u32>,
) -> Result<Timestamp, Problem> {
    match days {
        Some(days) => find::in_days(party, days).await,
        None => find::until_then(party, request.request.until).await,
    }
}

/// Gives what is asked; what is beyond it is told before anything is signed, and after it, too.
pub(super) async fn approve(
    party: &Party,
    request: &PendingRequest,
    (scope, until): (&Scope, Timestamp),
    haste: Haste,
) -> Result<Answer, Problem> {
    let more = more_than_asked(party, request, scope, until)?;
    if !more.is_empty() && !haste.yes {
        return Err(Problem::new(
            code::USAGE,
            format!(
                "more than asked: {}. Nothing was given; say `--yes` if it is meant",
                more.join("; ")
            ),
        ));
    }
    let treats = researcher::for_treatment(party, request).await?;
    if let Some(told) = treats.as_ref().filter(|_| !haste.yes) {
        return Err(Problem::new(
            code::USAGE,
            format!("{told}. Nothing was given; say `--yes` if it is meant"),
        ));
    }
    let whose = (request, grant::Whose::Request);
    let mut answer = grant::approve(party, whose, scope, until, haste).await?;
    if let Some(told) = &treats {
        answer.text.push_str(&format!("\n{told}"));
    }
    answer.value["researcherForTreatment"] = json!(treats.is_some());
    let only = asked(&request.request);
    if scope.record.is_none() && !only.is_empty() {
        answer
            .text
            .push_str(&format!("\nas it asked:{only}; nothing else of them"));
    }
    if !more.is_empty() {
        answer
            .text
            .push_str(&format!("\nmore than asked: {}", more.join("; ")));
    }
    answer.value["moreThanAsked"] = json!(more);
    Ok(answer)
}

/// What an answer gives beyond its request, each in words.
fn more_than_asked(
    party: &Party,
    request: &PendingRequest,
    scope: &Scope,
    until: Timestamp,
) -> Result<Vec<String>, Problem> {
    let (asked, mut more) = (&request.request, Vec::new());
    if until > asked.until {
        more.push(format!(
            "until {}, asked for until {}",
            find::moment(until),
            find::moment(asked.until)
        ));
    }
    let Some(record) = &scope.record else {
        // Of several, only those that were asked for are passed on.
        return Ok(more);
    };
    let record = name::record(party, record, name::Use::Act)?;
    let Some(manifest) = party.record(record)?.manifest else {
        return Ok(more);
    };
    let short = &record.to_string()[..12];
    if !asked.categories.is_empty() && !asked.categories.contains(&manifest.category) {
        more.push(format!(
            "record {short} is of {}, asked for only {}",
            limits::categories(&[manifest.category]),
            limits::categories(&asked.categories)
        ));
    }
    let written = manifest.times.written.as_deref();
    if let Some(dates) = asked.dates.as_ref()
        && !dates.has(written.unwrap_or_default())
    {
        more.push(format!(
            "record {short} {}, asked for only{}",
            written.map_or_else(
                || "says no date".to_owned(),
                |at| format!("is of {}", find::told(at))
            ),
            days(dates)
        ));
    }
    Ok(more)
}

fn days(dates: &Dates) -> String {
    let since = dates.since().map(|day| format!("  since {day}"));
    let before = dates.before().map(|day| format!("  before {day}"));
    since.into_iter().chain(before).collect()
}

/// Which records, if not any.
fn asked(request: &AccessRequest) -> String {
    let only = match request.categories.as_slice() {
        [] => String::new(),
        categories => format!("  only {}", limits::categories(categories)),
    };
    only + &request.dates.as_ref().map(days).unwrap_or_default()
}
