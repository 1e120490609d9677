//! `medibloc record store`: gives a node and keepers again what they lost.

use std::collections::BTreeSet;

use medibloc_journey::{Party, counted};
use medibloc_record::RecordId;
use serde_json::{Value, json};

use super::name::{self, Use};
use crate::answer::{code, rows};
use crate::{Answer, Problem};

pub(super) async fn run(party: &Party, record: Option<&str>, all: bool) -> Result<Answer, Problem> {
    match (record, all) {
        (Some(record), false) => {
            let id = name::record(party, record, Use::Act)?;
            let (value, text, exit) = one(party, id).await?;
            let more = "; `medibloc record verify` recomputes it";
            Ok(Answer::new(value, text + more).with_code(exit))
        }
        (None, true) => every(party).await,
        _ => Err(Problem::new(
            code::USAGE,
            "say which record, or `--all` for all that the node or a keeper lacks",
        )),
    }
}

async fn one(party: &Party, id: RecordId) -> Result<(Value, String, u8), Problem> {
    let (held, of) = party.store_again(id).await?;
    let (exit, more) = if held == of {
        (0, "")
    } else {
        let more = "; the others do not take it now: do it again later";
        (code::UNREACHABLE, more)
    };
    let value =
        json!({"record": id.to_string(), "stored": true, "keepers": of, "acknowledged": held});
    let text = format!("the node has all of {id}, {held} of {of} keepers hold a share{more}");
    Ok((value, text, exit))
}

/// All that somebody lacks; one that is not taken keeps no other back.
async fn every(party: &Party) -> Result<Answer, Problem> {
    let found = party.lost_shares(usize::MAX).await?;
    let lost = found.lost.values().flatten().chain(&found.node);
    let lost: BTreeSet<RecordId> = lost.copied().collect();
    let (mut lines, mut stored, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    let mut exit = 0;
    for id in lost {
        match one(party, id).await {
            Ok((value, text, of)) => {
                exit = exit.max(of);
                lines.push(text);
                stored.push(value);
            }
            Err(problem) => {
                exit = code::UNREACHABLE;
                lines.push(format!("not stored: {id}: {}", problem.message));
                failed.push(json!({"record": id.to_string(), "because": problem.message}));
            }
        }
    }
    let silent = found.node_silent.iter().cloned();
    let silent: Vec<String> = silent.chain(found.silent.into_values()).collect();
    if !silent.is_empty() {
        exit = code::UNREACHABLE;
        lines.extend(
            silent
                .iter()
                .map(|why| format!("not known what it lacks: {why}; do it again later")),
        );
    }
    lines.insert(
        0,
        format!(
            "{} asked about, {} given again, {} not",
            counted(found.asked, "record"),
            stored.len(),
            failed.len()
        ),
    );
    let value = json!({"asked": found.asked, "stored": stored, "failed": failed, "silent": silent});
    Ok(Answer::new(value, rows(&lines)).with_code(exit))
}
