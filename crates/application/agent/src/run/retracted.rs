//! `medibloc record retract`, and whom a document names: what helps before and after one was filed under the wrong person.

use medibloc_consent::Scope;
use medibloc_journey::{HeldBack, Party, Subject, counted};
use medibloc_record::{AccountId, Draft};
use serde_json::{Value, json};

use super::name::{self, Known, Use};
use super::{find, written};
use crate::answer::code;
use crate::{Answer, Problem};

/// What to do where taking back would show that addresses belong together.
const WITH_OTHERS: &str = "say `--yes --now` if it cannot wait, or take it back on another day";

pub(super) async fn retract(
    party: &Party,
    typed: &str,
    yes: bool,
    now: bool,
) -> Result<Answer, Problem> {
    let view = match name::known(party, typed, Use::Act)? {
        Known::Written(view) => view,
        Known::Own(id) => {
            return Err(Problem::new(
                code::UNKNOWN,
                format!(
                    "record {id} is your own: `medibloc record erase` erases it; only what was written for somebody is taken back"
                ),
            ));
        }
        other => return Err(name::not_mine(&other)),
    };
    let id = view.record;
    let what = format!(
        "record {id} ({}, written for {})",
        written::title(&view),
        view.owner
    );
    let shown = party.haste_of_retracting(id)?;
    let shown: Vec<String> = shown.iter().map(ToString::to_string).collect();
    if !yes {
        let mut told = format!(
            "this says on the chain, for ever, that you took back {what}; its owner and its readers are told, it stays its owner's, \
             and only the owner erases it. Say --yes if it is meant; `record import --amends {}` corrects it instead",
            &id.to_string()[..12]
        );
        if !shown.is_empty() {
            told.push_str(&format!("; {}: {WITH_OTHERS}", shown.join("; ")));
        }
        return Err(Problem::new(code::USAGE, told));
    }
    if !shown.is_empty() && !now {
        return Err(Problem::new(
            code::USAGE,
            format!(
                "{}; nothing was taken back: {WITH_OTHERS}",
                shown.join("; ")
            ),
        ));
    }
    party.retract(id).await?;
    Ok(Answer::new(
        json!({"record": id.to_string(), "owner": view.owner.to_string(), "retracted": true}),
        format!(
            "taken back: {what}. Its owner and its readers see it at their next sync and read; until then some may rely on it, and \
             copies stay, so tell them over another way, too"
        ),
    ))
}

/// Refuses a document that names another person than what was written here for the same owner.
pub(super) async fn must_be_one_person(
    party: &Party,
    owner: AccountId,
    draft: &Draft,
) -> Result<(), Problem> {
    let Some(about) = Subject::of(&draft.fhir) else {
        return Ok(());
    };
    let before = party.written_about_others(owner, &about).await?;
    let Some((record, other)) = before.last() else {
        return Ok(());
    };
    Err(Problem::new(
        code::USAGE,
        format!(
            "this document names {}, and record {}, written here for {owner} before, names {}: nothing was written. Choose the \
             owner again; `--other-person` writes it all the same, after a change of name, say",
            subject(&about),
            &record.to_string()[..12],
            subject(other)
        ),
    ))
}

/// Refuses to give what names another person than the own other records; what its author took back is not given at all.
pub(super) fn must_name_its_owner(party: &Party, scope: Scope) -> Result<(), Problem> {
    let others = party.of_another_person()?;
    let mut told = Vec::new();
    for kept in party.records()? {
        let is_given = match scope {
            Scope::One(one) => one == kept.record(),
            Scope::Classes(classes) => classes.contains(kept.anchor.class),
            Scope::All => true,
        };
        if is_given && !kept.retracted && others.contains(&kept.record()) {
            let whom = kept.subject.as_ref().map_or_else(String::new, subject);
            told.push(format!("record {} names {whom}", kept.record()));
        }
    }
    if told.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        code::USAGE,
        format!(
            "{}: another person than your other records name. Nothing was given. If it is not yours, tell its author, who can take it \
             back, and erase it; if it is, `medibloc record confirm ID` says so, and `--other-person` gives it this once",
            told.join("; ")
        ),
    ))
}

/// `medibloc record confirm`: its owner says that it is about the owner.
pub(super) async fn confirm(party: &Party, typed: &str) -> Result<Answer, Problem> {
    let id = name::record(party, typed, Use::Act)?;
    let what = name::described(party, id)?;
    let others = party.of_another_person()?;
    let now = find::known_now(party).await?;
    let held = party.held_back(now)?;
    let held = held.into_iter().find(|held| held.record == id);
    let kept = party.confirm_record(id)?;
    let whom = kept.subject.as_ref().map(subject);
    let names = whom.map_or_else(|| "names nobody".to_owned(), |whom| format!("names {whom}"));
    let readers = held.map(|held| held.readers).unwrap_or_default();
    let next = match readers.as_slice() {
        [] => String::new(),
        readers => format!(
            "; the next `medibloc sync` gives it to {}",
            find::told(&readers.join(", "))
        ),
    };
    Ok(Answer::new(
        json!({
            "record": id.to_string(), "confirmed": true, "wasOtherPerson": others.contains(&id),
            "patient": kept.subject.as_ref().map(subject_value), "readers": readers,
        }),
        format!(
            "{what} {names}, and you say that it is about you: that name is yours in this home from now on{next}"
        ),
    ))
}

/// Records that standing consents cover and that are not passed on: what to do.
pub(super) fn held_back(held: &[HeldBack]) -> Vec<String> {
    let told = held.iter().map(|held| {
        format!(
            "{} («{}»), from {} ({}): it names another person than your other records; `medibloc record confirm {}` says that              it is about you, and if it is not, tell its author and erase it",
            held.record,
            find::told(held.title.as_deref().unwrap_or("untitled")),
            counted(held.readers.len(), "reader"),
            find::told(&held.readers.join(", ")),
            &held.record.to_string()[..12],
        )
    });
    told.collect()
}

pub(super) fn held_back_values(held: &[HeldBack]) -> Vec<Value> {
    let value = |held: &HeldBack| json!({"record": held.record.to_string(), "title": held.title, "readers": held.readers});
    held.iter().map(value).collect()
}

/// A person in words.
pub(super) fn subject(subject: &Subject) -> String {
    let name = subject.name.as_deref().map(find::told);
    let name = name.map_or_else(|| "nobody by name".to_owned(), |name| format!("«{name}»"));
    match subject.born.as_deref().map(find::told) {
        Some(born) => format!("{name}, born {born}"),
        None => name,
    }
}

pub(super) fn subject_value(subject: &Subject) -> Value {
    json!({"name": subject.name, "birthDate": subject.born})
}
