//! `medibloc account acts`: what own accounts did and this device did not.

use medibloc_journey::{Act, AsOf, Party, UnknownAct, counted, counted_as};
use serde_json::{Value, json};

use super::find::{self, moment};
use crate::answer::code;
use crate::{Answer, Problem};

/// How many acts are listed where they stand among other things.
const SHOWN: usize = 5;

/// What to do about acts that this device did not make.
pub(super) const WHAT_TO_DO: &str = "if another device of yours did it, or a home of this phrase that this one took the place of, \
say so: `medibloc account acts --mine`. If you have no other device, your phrase is known to somebody: take back what was \
given (`medibloc grant revoke --everything`), export your records, and begin anew with a new phrase in a new home; a \
provider has its authority suspend the account at once";

pub(super) async fn run(party: &Party, mine: bool) -> Result<Answer, Problem> {
    if mine {
        // What was shown, and nothing that came since.
        let acts = party.unknown_acts()?;
        let count = party.acts_are_mine(&acts)?;
        return Ok(Answer::new(
            json!({"acts": values(&acts), "mine": count}),
            match count {
                0 => "there was nothing to look at".to_owned(),
                _ => format!(
                    "{} yours and told no more; the next ones are",
                    counted_as(count, "act is", "acts are")
                ),
            },
        ));
    }
    let (as_of, acts) = party.unknown_acts_as_of().await?;
    let mut lines = Vec::with_capacity(acts.len());
    for act in &acts {
        lines.push(line(party, act)?);
    }
    if !lines.is_empty() {
        lines.push(WHAT_TO_DO.to_owned());
    }
    if lines.is_empty() {
        lines.push(format!(
            "this device made every act of your accounts since its home was made or restored, or you said that it was you{}",
            up_to(&as_of)
        ));
    }
    let value = json!({"acts": values(&acts), "mine": 0, "asOf": find::as_of_value(&as_of)});
    let answer = Answer::new(value, lines.join("\n"));
    Ok(match find::only_known(&as_of) {
        Some(known) => {
            let text = format!(
                "{known}; what was done since is not among it\n{}",
                answer.text
            );
            Answer { text, ..answer }.with_code(code::UNREACHABLE)
        }
        None => answer,
    })
}

/// As of which block something of the acts is said, after a comma.
pub(super) fn up_to(as_of: &AsOf) -> String {
    find::as_of(as_of).map_or_else(
        || ", and no block of the chain was looked at yet".to_owned(),
        |known| format!(", {known}"),
    )
}

/// For people, where other things are told, too: none if there is nothing to look at.
pub(crate) fn told(party: &Party, acts: &[UnknownAct]) -> Result<Vec<String>, Problem> {
    if acts.is_empty() {
        return Ok(Vec::new());
    }
    let mut lines = vec![format!(
        "{} of your account that this device did not make:",
        counted(acts.len(), "act")
    )];
    // The newest: what was told before is told by the command.
    for act in acts.iter().rev().take(SHOWN) {
        lines.push(line(party, act)?);
    }
    if acts.len() > SHOWN {
        lines.push(format!(
            "and {} more: `medibloc account acts`",
            acts.len() - SHOWN
        ));
    }
    lines.push(WHAT_TO_DO.to_owned());
    Ok(lines)
}

/// Whom an act is about, as this home calls that one; nothing if it does not know.
fn whom(party: &Party, act: &Act) -> Result<Option<String>, Problem> {
    match act {
        Act::LetRead { reader: who, .. }
        | Act::RevokedReader { reader: who }
        | Act::LetWrite { author: who, .. }
        | Act::RevokedAuthor { author: who } => Ok(party.called(*who)?),
        Act::Read { record, .. } => {
            for held in party.held()? {
                if held.artefact.records.contains(record) || party.opens(&held, *record)? {
                    let owner = find::owner(party, held.artefact.paired)?;
                    return Ok(Some(format!("owner {owner}")));
                }
            }
            Ok(None)
        }
        Act::Wrote { record } | Act::TookBack { record } => {
            let mut written = party.written_views()?.into_iter();
            let Some(view) = written.find(|view| view.record == *record) else {
                return Ok(None);
            };
            Ok(Some(format!("owner {}", find::owner(party, view.owner)?)))
        }
        _ => Ok(None),
    }
}

fn line(party: &Party, act: &UnknownAct) -> Result<String, Problem> {
    let whom = whom(party, &act.act)?;
    let whom = whom.map_or_else(String::new, |whom| format!(": {whom}"));
    let undo = match act.act.gives() {
        None => String::new(),
        Some(_) if party.is_over_by_now(act)? => "; it was taken back since".to_owned(),
        Some(grant) => format!("; take it back: `medibloc grant revoke {grant}`"),
    };
    Ok(format!("{act}{whom}, seen {}{undo}", moment(act.seen)))
}

/// For programs.
pub(super) fn values(acts: &[UnknownAct]) -> Vec<Value> {
    let value = |act: &UnknownAct| {
        json!({
            "what": act.act.to_string(), "account": act.account.to_string(), "block": act.at.block, "seen": moment(act.seen),
            "grant": act.act.gives().map(|grant| grant.to_string()),
        })
    };
    acts.iter().map(value).collect()
}
