//! What authors said of a record later, in words and for programs: that it was taken back, or what corrects it.

use medibloc_journey::{Correction, Corrections, OnChain, Party, SaidOf, WithoutCorrection};
use medibloc_record::RecordId;
use serde_json::{Value, json};

use super::find;
use crate::Problem;

/// Where the chain says something: nothing if it is not known.
pub(super) fn place(when: Option<OnChain>) -> String {
    when.map_or_else(String::new, |when| {
        format!(" at {} (block {})", find::moment(when.at), when.block)
    })
}

pub(super) fn place_value(when: Option<OnChain>) -> Value {
    json!(when.map(|when| json!({"at": find::moment(when.at), "block": when.block})))
}

/// What a record corrects, and what corrects it, the newest first, in lines of their own.
pub(super) fn corrections(amends: Option<RecordId>, by: &[Correction]) -> String {
    told_of(amends, by, "; you hold no consent for it: ask the owner")
}

/// What whoever gives a record on, or writes it out, is told of it: its newest correction, and that its author took it back.
pub(super) fn warned(party: &Party, record: RecordId) -> Result<String, Problem> {
    let kept = party.record(record)?;
    let mut text = String::new();
    if kept.retracted {
        let when = place(party.taken_back(record)?);
        text.push_str(&format!(
            "\nITS AUTHOR TOOK IT BACK{when}: do not rely on it"
        ));
    }
    let by = party.corrections(record)?;
    if let Some(newest) = by.iter().find(|one| one.taken_back.is_none()) {
        text.push_str(&format!(
            "\nIT WAS CORRECTED by its author{}: record {} is what stands now; whoever may read the one may not read the other \
             unless that is given, too",
            place(newest.anchored),
            newest.record
        ));
    }
    Ok(text)
}

/// The same for what was written here, by who needs no consent to know it.
pub(super) fn written(amends: Option<RecordId>, by: &[Correction]) -> String {
    told_of(amends, by, "")
}

fn told_of(amends: Option<RecordId>, by: &[Correction], without: &str) -> String {
    let of = amends.map(|of| format!("\nit corrects record {of}"));
    let mut is_newest = true;
    let by = by.iter().map(|one| {
        let when = place(one.anchored);
        if one.taken_back.is_some() {
            return format!(
                "\nrecord {} corrected it{when} and was taken back{}: do not rely on it",
                one.record,
                place(one.taken_back)
            );
        }
        let here = match one.is_here {
            true => "",
            false => without,
        };
        if core::mem::take(&mut is_newest) {
            format!(
                "\nIT WAS CORRECTED by its author{when}: read record {}{here}",
                one.record
            )
        } else {
            format!("\nan earlier correction: record {}{when}{here}", one.record)
        }
    });
    of.into_iter().chain(by).collect()
}

/// Those that stand.
pub(super) fn standing(by: &[Correction]) -> Value {
    let by = by.iter().filter(|one| one.taken_back.is_none());
    json!(by.map(|one| one.record.to_string()).collect::<Vec<_>>())
}

pub(super) fn values(by: &[Correction]) -> Vec<Value> {
    by.iter().map(value).collect()
}

fn value(one: &Correction) -> Value {
    json!({
        "record": one.record.to_string(), "amends": one.amends.to_string(), "author": one.author.to_string(),
        "anchored": place_value(one.anchored), "retracted": one.taken_back.is_some(),
        "retractedAt": place_value(one.taken_back), "here": one.is_here,
    })
}

/// A record as a person knows it.
fn of(said: &SaidOf) -> String {
    let title = said.title.as_deref().map(find::told);
    let title = title.map_or_else(String::new, |title| format!(" («{title}»)"));
    let read = said.read_at.map_or_else(String::new, |at| {
        format!(" (which you read on {})", find::moment(at))
    });
    format!(
        "record {}{title} of owner {}{read}",
        said.record, said.owner
    )
}

fn of_value(said: &SaidOf) -> Value {
    json!({
        "record": said.record.to_string(), "title": said.title, "owner": said.owner.to_string(),
        "readAt": said.read_at.map(find::moment),
    })
}

pub(super) fn taken_back(said: &[(SaidOf, Option<RecordId>, OnChain)]) -> Vec<String> {
    let line = |(said, correction, when): &(SaidOf, Option<RecordId>, OnChain)| match correction {
        None => format!("{}{}: do not rely on it", of(said), place(Some(*when))),
        Some(correction) => format!(
            "record {correction}, a correction of {}{}: do not rely on it",
            of(said),
            place(Some(*when))
        ),
    };
    said.iter().map(line).collect()
}

pub(super) fn taken_back_values(said: &[(SaidOf, Option<RecordId>, OnChain)]) -> Vec<Value> {
    let value = |(said, correction, when): &(SaidOf, Option<RecordId>, OnChain)| {
        let mut value = of_value(said);
        value["correction"] = json!(correction.map(|it| it.to_string()));
        value["retractedAt"] = place_value(Some(*when));
        value
    };
    said.iter().map(value).collect()
}

pub(super) fn corrected(said: &[(SaidOf, Correction)]) -> Vec<String> {
    let line = |(said, by): &(SaidOf, Correction)| {
        let consent = match by.is_here {
            true => "you hold a consent for it: read it",
            false => "you hold no consent for it: ask the owner",
        };
        format!(
            "{} was corrected by record {}{}; {consent}",
            of(said),
            by.record,
            place(by.anchored)
        )
    };
    said.iter().map(line).collect()
}

pub(super) fn corrected_values(said: &[(SaidOf, Correction)]) -> Vec<Value> {
    let of = |(said, by): &(SaidOf, Correction)| {
        let mut of = of_value(said);
        of["by"] = value(by);
        of
    };
    said.iter().map(of).collect()
}

/// What became of a record, for a line of a list.
pub(super) fn mark(
    party: &Party,
    corrections: &Corrections,
    record: RecordId,
) -> Result<String, Problem> {
    let when = party.taken_back(record)?;
    let newest = corrections.newest(record);
    let mut told = when.map_or_else(String::new, |when| {
        format!(", taken back by its author{}", place(Some(when)))
    });
    told.push_str(&mark_of(None, newest));
    Ok(told)
}

/// The same for what was written here.
pub(super) fn mark_of(when: Option<OnChain>, newest: Option<Correction>) -> String {
    let by = newest.map(|one| {
        let id = &one.record.to_string()[..12];
        format!(", corrected by {id}{}", place(one.anchored))
    });
    format!("{}{}", place(when), by.unwrap_or_default())
}

/// The same for programs.
pub(super) fn note(
    party: &Party,
    corrections: &Corrections,
    record: RecordId,
    value: &mut Value,
) -> Result<(), Problem> {
    value["retractedAt"] = place_value(party.taken_back(record)?);
    let newest = corrections.newest(record);
    value["correctedBy"] = json!(newest.map(|one| one.record.to_string()));
    Ok(())
}

/// Who reads a record and not its correction, and how to give it.
pub(super) fn without(lacking: &[WithoutCorrection]) -> Vec<String> {
    let line = |one: &WithoutCorrection| {
        let name = find::told(&one.name);
        format!(
            "{name} may read record {} and not its correction: `medibloc grant create --to {} --record {}` gives it",
            &one.record.to_string()[..12],
            in_quotes(&name),
            &one.correction.to_string()[..12]
        )
    };
    lacking.iter().map(line).collect()
}

/// As a shell takes it.
fn in_quotes(name: &str) -> String {
    match name.chars().all(|c| c.is_ascii_alphanumeric()) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', "'\\''")),
    }
}

pub(super) fn without_values(lacking: &[WithoutCorrection]) -> Vec<Value> {
    let value = |one: &WithoutCorrection| {
        json!({
            "record": one.record.to_string(), "correction": one.correction.to_string(), "name": one.name,
        })
    };
    lacking.iter().map(value).collect()
}
