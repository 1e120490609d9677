//! `medibloc record list --written`: what was written for others, also from a home before this one, and what became of it by
//! the chain.

use medibloc_journey::{Corrections, ErasedWritten, OnChain, Party, WrittenView, counted_as};
use medibloc_ledger::{LedgerError, RecordFacts};
use serde_json::{Value, json};

use super::elsewhere::Elsewhere;
use super::{find, said};
use crate::{Answer, Problem};

pub(super) async fn list(party: &Party) -> Result<Answer, Problem> {
    // What owners erased is told as that, whenever the next sync is.
    Elsewhere::of(party).await?;
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    let corrections = said::all(party).await?;
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
        let when = taken_back(party, &view, facts).await?;
        let mark = said::mark_of(when, &corrections, view.record);
        let owner = owner(party, &view)?;
        let place = (facts, when);
        lines.push(line(&view, &owner, place, silent.as_ref(), &mark));
        values.push(value(&view, place, silent.as_ref(), &corrections));
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
        let when = match silent {
            None => party.taken_back_now(id).await?,
            Some(_) => party.taken_back(id)?,
        };
        let mark = when.map_or_else(String::new, |when| {
            format!(", taken back by its author{}", said::place(Some(when)))
        });
        let mark = format!("{mark}{}", said::mark_of(None, &corrections, id));
        let (block, paired) = (erasure.read_until, find::paired(party, erasure.owner)?);
        lines.push(format!(
            "{}  -  -  for {}  erased by its owner {at}{}; it was {} here{mark}",
            &id.to_string()[..12],
            find::owner(party, erasure.owner)?,
            in_block(block),
            match erasure.author_told {
                Some(_) => "written",
                None => "written or read",
            }
        ));
        let mut value = json!({
            "record": id.to_string(), "owner": erasure.owner.to_string(), "paired": paired.to_string(), "label": party.label(paired)?,
            "state": "erased", "at": at, "block": block, "retractedAt": said::place_value(when),
        });
        said::note_corrections(&corrections.of(id), &mut value);
        values.push(value);
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

/// What owners erased of what was written here for them.
pub(super) fn erased(party: &Party, erased: &[ErasedWritten]) -> Result<Vec<String>, Problem> {
    let line = |one: &ErasedWritten| {
        Ok(format!(
            "{}, which you wrote for {}, at {}{}: nothing of it is left here; your own document is not touched",
            one.record,
            find::owner(party, one.owner)?,
            find::moment(one.at),
            in_block(one.block)
        ))
    };
    erased.iter().map(line).collect()
}

/// The same for programs.
pub(super) fn erased_values(party: &Party, erased: &[ErasedWritten]) -> Result<Value, Problem> {
    let value = |one: &ErasedWritten| {
        Ok(json!({
            "record": one.record.to_string(), "owner": one.owner.to_string(), "label": party.label(one.owner)?,
            "at": find::moment(one.at), "block": one.block,
        }))
    };
    erased.iter().map(value).collect()
}

fn in_block(block: Option<u64>) -> String {
    block.map_or_else(String::new, |block| format!(" (block {block})"))
}

pub(super) async fn show(party: &Party, view: &WrittenView) -> Result<Answer, Problem> {
    let facts = match view.anchored {
        true => party.ports().facts.record(view.record).await?,
        false => None,
    };
    let when = taken_back(party, view, facts).await?;
    let mut lines = vec![
        view.record.to_string(),
        format!(
            "written here for {}: {}",
            owner(party, view)?,
            state(view, (facts, when), None)
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
    lines.extend(when.map(|when| format!("you took it back{}", said::place(Some(when)))));
    lines.extend(view.problem.clone());
    let corrections = said::all(party).await?;
    let mut text = lines.join("\n");
    text.push_str(&said::written(view.amends, &corrections.of(view.record)));
    let value = value(view, (facts, when), None, &corrections);
    Ok(Answer::new(value, text))
}

/// When what the chain says is taken back was: its events are asked for what no sync took yet.
async fn taken_back(
    party: &Party,
    view: &WrittenView,
    facts: Option<RecordFacts>,
) -> Result<Option<OnChain>, Problem> {
    match facts {
        Some(facts) if facts.retracted => Ok(party.taken_back_now(view.record).await?),
        Some(_) => Ok(None),
        None => Ok(party.taken_back(view.record)?),
    }
}

/// Its title in quotes; that of what another home wrote is in that home alone.
pub(super) fn title(view: &WrittenView) -> String {
    match (&view.title, view.acknowledged) {
        (None, None) => "title not known in this home".into(),
        (title, _) => format!("«{}»", find::told(title.as_deref().unwrap_or("untitled"))),
    }
}

/// By the chain, or by what this home heard of it.
const fn state(
    view: &WrittenView,
    (facts, when): (Option<RecordFacts>, Option<OnChain>),
    silent: Option<&LedgerError>,
) -> &'static str {
    match facts {
        Some(facts) if facts.erased => "erased by its owner",
        Some(facts) if facts.retracted => "taken back by you",
        Some(facts) if facts.accepted => "accepted",
        Some(_) => "not accepted yet",
        None if when.is_some() => "taken back by you",
        None if silent.is_some() => "unknown",
        None if view.anchored => "sent, not final yet",
        None => "sealed, not seen on the chain yet",
    }
}

/// Whose it is, as this home knows the owner.
fn owner(party: &Party, view: &WrittenView) -> Result<String, Problem> {
    find::owner(party, view.owner)
}

fn line(
    view: &WrittenView,
    owner: &str,
    (facts, when): (Option<RecordFacts>, Option<OnChain>),
    silent: Option<&LedgerError>,
    mark: &str,
) -> String {
    format!(
        "{}  {}  {}  for {}  {}{mark}",
        &view.record.to_string()[..12],
        facts.map_or_else(|| "-".to_owned(), |facts| find::moment(facts.anchored_at)),
        title(view),
        owner,
        state(view, (facts, when), silent),
    )
}

fn value(
    view: &WrittenView,
    (facts, when): (Option<RecordFacts>, Option<OnChain>),
    silent: Option<&LedgerError>,
    corrections: &Corrections,
) -> Value {
    let by = corrections.of(view.record);
    let mut value = json!({
        "record": view.record.to_string(), "owner": view.owner.to_string(), "title": view.title,
        "state": state(view, (facts, when), silent), "at": facts.map(|facts| find::moment(facts.anchored_at)),
        "amends": view.amends.map(|of| of.to_string()), "because": view.problem,
        "retractedAt": said::place_value(when),
    });
    said::note_corrections(&by, &mut value);
    value
}
