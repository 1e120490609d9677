//! `medibloc request …`

use medibloc_consent::Purpose;
use medibloc_journey::{AccessRequest, Dates, Party, Question};
use serde_json::json;

use super::name::{self, Asked};
use super::{answered, find, grant};
use crate::command::{self, Request};
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
            let dates = Dates {
                since: since.clone(),
                before: before.clone(),
            };
            let question = Question {
                purpose: (*purpose).into(),
                reason: reason.clone(),
                categories: categories.clone(),
                dates: Some(dates).filter(|dates| *dates != Dates::default()),
                until: find::in_days(party, *days).await?,
            };
            party.ask_for(owner, question).await?;
            Ok(Answer::new(
                json!({"owner": owner.to_string()}),
                "asked; the person decides",
            ))
        }
        Request::List => {
            // What was answered waits for nobody.
            let requests = name::open_requests(party)?;
            let called = find::Names::of(party)?;
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
            if !answers.is_empty() {
                return answered::again(party, &request, &answers, scope, *haste).await;
            }
            find::clock_must_be_right(party).await?;
            let until = find::in_days(party, *days).await?;
            grant::approve(party, &request, scope, until, *haste).await
        }
        Request::Deny { request } => {
            let Asked { request, answers } = name::request(party, request)?;
            if !answers.is_empty() {
                return Err(answered::refused(&request, &answers));
            }
            party.deny(&request)?;
            Ok(Answer::new(
                json!({"denied": hex::encode(request.id)}),
                "dropped; the other side is told nothing",
            ))
        }
    }
}

/// Which records, if not any.
fn asked(request: &AccessRequest) -> String {
    let mut text = String::new();
    let names = request.categories.iter().filter_map(|category| {
        let name = serde_json::to_value(category).ok()?;
        name.as_str().map(str::to_owned)
    });
    let names: Vec<String> = names.collect();
    if !names.is_empty() {
        text.push_str(&format!("  only {}", names.join(", ")));
    }
    if let Some(dates) = &request.dates {
        if let Some(since) = &dates.since {
            text.push_str(&format!("  since {}", find::told(since)));
        }
        if let Some(before) = &dates.before {
            text.push_str(&format!("  before {}", find::told(before)));
        }
    }
    text
}
