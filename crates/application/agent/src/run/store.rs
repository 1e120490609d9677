//! `medibloc record store`: gives a node and keepers again what they lost.

use std::collections::BTreeSet;

use medibloc_journey::{Party, counted, counted_as};
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
    let more = everything_else(party).await;
    lines.extend(more.lines);
    if !more.is_whole {
        exit = code::UNREACHABLE;
    }
    let value = json!({
        "asked": found.asked, "stored": stored, "failed": failed, "silent": silent,
        "consents": more.consents, "notes": more.notes, "letters": more.letters,
    });
    Ok(Answer::new(value, rows(&lines)).with_code(exit))
}

/// What was given again beside records.
struct Again {
    lines: Vec<String>,
    consents: Value,
    notes: Value,
    letters: Value,
    is_whole: bool,
}

/// Objects of consents, notes and letters: one kind that fails keeps none of the others back.
async fn everything_else(party: &Party) -> Again {
    let mut again = Again {
        lines: Vec::new(),
        consents: Value::Null,
        notes: Value::Null,
        letters: Value::Null,
        is_whole: true,
    };
    match party.give_consents_again().await {
        Ok(found) => {
            again.lines.push(format!(
                "{} asked about, {} given again, {} not to be had",
                counted_as(found.asked, "object of a consent", "objects of consents"),
                found.given,
                found.gone.len()
            ));
            again.lines.extend(found.gone.iter().map(|id| {
                format!(
                    "neither the node nor this home has the object of {id}: end it (`medibloc grant revoke {id}`), and let the \
                     reader ask again"
                )
            }));
            let gone: Vec<String> = found.gone.iter().map(ToString::to_string).collect();
            again.consents = json!({"asked": found.asked, "given": found.given, "gone": gone});
        }
        Err(error) => again.fails("objects of consents", &error.to_string()),
    }
    match party.give_notes_again().await {
        Ok(found) => {
            let of = counted_as(found.asked, "address", "addresses");
            let line = format!(
                "notes of {of} asked about, those of {} given again",
                found.older
            );
            again.lines.push(line);
            again.lines.extend(found.failed.iter().cloned());
            again.is_whole &= found.failed.is_empty();
            again.notes =
                json!({"asked": found.asked, "given": found.older, "failed": found.failed});
        }
        Err(error) => again.fails("notes", &error.to_string()),
    }
    match party.send_letters_again().await {
        Ok(found) => {
            let left = match found.left {
                0 => String::new(),
                left => format!("; {left} older ones were not"),
            };
            again.lines.push(format!(
                "{} of the last seven days sent again, each is taken once{left}; a letter that was collected is no loss",
                counted(found.sent, "letter")
            ));
            again.lines.extend(found.failed.iter().cloned());
            again.is_whole &= found.failed.is_empty();
            again.letters = json!({"sent": found.sent, "left": found.left, "failed": found.failed});
        }
        Err(error) => again.fails("letters", &error.to_string()),
    }
    again
}

impl Again {
    fn fails(&mut self, what: &str, why: &str) {
        self.is_whole = false;
        self.lines
            .push(format!("{what}: not given again: {why}; do it again later"));
    }
}
