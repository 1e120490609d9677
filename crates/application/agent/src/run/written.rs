//! `medibloc record list --written`: what was written for others, also from a home before this one, and what became of it by
//! the chain.

use medibloc_journey::{Party, WrittenView, counted_as};
use medibloc_ledger::{LedgerError, RecordFacts};
use serde_json::{Value, json};

use super::find;
use crate::{Answer, Problem};

pub(super) async fn list(party: &Party) -> Result<Answer, Problem> {
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    // Who does not answer once is not asked for every record.
    let mut silent = None;
    for view in party.written_views()? {
        let facts = match silent {
            None if view.anchored => match party.ports().facts.record(view.record).await {
                Ok(facts) => facts,
                Err(error) if error.is_retryable() => {
                    silent = Some(error);
                    None
                }
                Err(error) => return Err(error.into()),
            },
            _ => None,
        };
        lines.push(line(&view, facts, silent.as_ref()));
        values.push(value(&view, facts, silent.as_ref()));
    }
    let addresses = party.addresses()?;
    for id in party.erased_records()? {
        let Some(erasure) = party.erasure(id)? else {
            continue;
        };
        let is_own = addresses.iter().any(|own| own.id() == erasure.owner);
        if is_own || erasure.owner == party.account().id() {
            continue;
        }
        let at = find::moment(erasure.at);
        lines.push(format!(
            "{}  -  -  for {}  erased by its owner {at}; it was written or read here",
            &id.to_string()[..12],
            erasure.owner
        ));
        values.push(json!({
            "record": id.to_string(), "owner": erasure.owner.to_string(), "state": "erased", "at": at,
        }));
    }
    if let Some(error) = silent {
        lines.push(format!(
            "the chain does not answer ({error}): whether the owners accepted them is not shown; do it again later"
        ));
    }
    Ok(Answer::list(
        values.into(),
        &lines,
        "nothing was written for others yet; `medibloc record import FILE --for OWNER` does",
    ))
}

pub(super) async fn show(party: &Party, view: &WrittenView) -> Result<Answer, Problem> {
    let facts = match view.anchored {
        true => party.ports().facts.record(view.record).await?,
        false => None,
    };
    let mut lines = vec![
        view.record.to_string(),
        format!(
            "written here for {}: {}",
            view.owner,
            state(view, facts, None)
        ),
        title(view),
    ];
    lines.extend(view.acknowledged.map(|held| {
        format!(
            "{} a share",
            counted_as(held, "keeper holds", "keepers hold")
        )
    }));
    if let Some(facts) = facts {
        lines.push(format!("on the chain {}", find::moment(facts.anchored_at)));
    }
    lines.extend(view.amends.map(|of| format!("it corrects record {of}")));
    let by = view.amended_by.iter();
    lines.extend(by.map(|by| format!("it was corrected here by record {by}")));
    lines.extend(view.problem.clone());
    Ok(Answer::new(value(view, facts, None), lines.join("\n")))
}

/// Its title in quotes; that of what another home wrote is in that home alone.
pub(super) fn title(view: &WrittenView) -> String {
    match (&view.title, view.acknowledged) {
        (None, None) => "title not known in this home".into(),
        (title, _) => format!("«{}»", find::told(title.as_deref().unwrap_or("untitled"))),
    }
}

const fn state(
    view: &WrittenView,
    facts: Option<RecordFacts>,
    silent: Option<&LedgerError>,
) -> &'static str {
    match facts {
        Some(facts) if facts.erased => "erased by its owner",
        Some(facts) if facts.retracted => "taken back by you",
        Some(facts) if facts.accepted => "accepted",
        Some(_) => "not accepted yet",
        None if silent.is_some() => "unknown",
        None if view.anchored => "sent, not final yet",
        None => "sealed, not sent yet",
    }
}

fn line(view: &WrittenView, facts: Option<RecordFacts>, silent: Option<&LedgerError>) -> String {
    let corrected = match view.amended_by.is_empty() {
        true => "",
        false => ", corrected",
    };
    format!(
        "{}  {}  {}  for {}  {}{corrected}",
        &view.record.to_string()[..12],
        facts.map_or_else(|| "-".to_owned(), |facts| find::moment(facts.anchored_at)),
        title(view),
        view.owner,
        state(view, facts, silent),
    )
}

fn value(view: &WrittenView, facts: Option<RecordFacts>, silent: Option<&LedgerError>) -> Value {
    json!({
        "record": view.record.to_string(), "owner": view.owner.to_string(), "title": view.title,
        "state": state(view, facts, silent), "at": facts.map(|facts| find::moment(facts.anchored_at)),
        "amends": view.amends.map(|of| of.to_string()), "because": view.problem,
        "amendedBy": view.amended_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
