//! What authors said of a record later, in words and for programs: that it was taken back, or what corrects it.

use medibloc_journey::{
    Corrected, Correction, Corrections, JourneyError, Names, OnChain, Party, SaidOf, TakenBack,
    WithoutCorrection, counted,
};
use medibloc_record::RecordId;
use serde_json::{Value, json};

use super::find;
use crate::Problem;
use crate::answer::code;

/// Corrections of one record that programs are given: an author may make thousands, and the newest counts.
const LISTED: usize = 8;

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

/// The same of an own record, whose owner needs nobody's consent.
pub(super) fn own(amends: Option<RecordId>, by: &[Correction]) -> String {
    let without = ", which is yours and not accepted here yet: run `medibloc sync`, `medibloc record list` says more";
    told_of(amends, by, without)
}

/// Every correction that the chain says now or, if it does not answer, that this home heard of.
pub(super) async fn all(party: &Party) -> Result<Corrections, Problem> {
    match Box::pin(party.all_corrections_now()).await {
        Err(JourneyError::Ledger(_)) => Ok(party.all_corrections()?),
        asked => Ok(asked?),
    }
}

/// What is said of a record now: by the chain, or, if that does not answer, as far as this home heard.
pub(super) struct Now {
    pub(super) corrections: Corrections,
    /// That its author took it back, with the place if that is known.
    pub(super) taken_back: Option<Option<OnChain>>,
    /// What is to be said if the chain did not answer.
    pub(super) only_known: Option<String>,
}

impl Now {
    pub(super) async fn of(party: &Party, record: RecordId) -> Result<Self, Problem> {
        match Self::asked(party, record).await {
            Err(JourneyError::Ledger(error)) => {
                let as_of = party.as_of().await?;
                let only_known = find::only_known(&as_of)
                    .unwrap_or_else(|| format!("WARNING: {error}; this is what the home knows"));
                let heard = party.taken_back(record)?.map(Some);
                let kept = party.record(record).is_ok_and(|kept| kept.retracted);
                Ok(Self {
                    corrections: party.all_corrections()?,
                    taken_back: heard.or_else(|| kept.then_some(None)),
                    only_known: Some(only_known),
                })
            }
            asked => Ok(asked?),
        }
    }

    async fn asked(party: &Party, record: RecordId) -> Result<Self, JourneyError> {
        let facts = party.ports().facts.record(record).await?;
        Ok(Self {
            taken_back: match facts.is_some_and(|facts| facts.retracted) {
                true => Some(party.taken_back_now(record).await?),
                false => None,
            },
            corrections: party.all_corrections_now().await?,
            only_known: None,
        })
    }

    /// What whoever writes a record out, or gives it on, is told before.
    pub(super) fn warnings(&self, record: RecordId) -> Vec<String> {
        let back = self
            .taken_back
            .map(|when| format!("ITS AUTHOR TOOK IT BACK{}: do not rely on it", place(when)));
        let newest = self.corrections.newest(record);
        let newest = newest.map(|newest| match since(&newest) {
            None => format!(
                "IT WAS CORRECTED by its author{}: record {} is what stands now; whoever may read the one may not read the other \
                 unless that is given, too",
                place(newest.anchored),
                newest.record
            ),
            Some(since) => format!(
                "IT WAS CORRECTED by its author{}: by record {}, {since}; {ASK_ITS_AUTHOR}",
                place(newest.anchored),
                newest.record
            ),
        });
        back.into_iter().chain(newest).collect()
    }

    /// The same for programs.
    pub(super) fn note(&self, record: RecordId, value: &mut Value) {
        value["retracted"] = json!(self.taken_back.is_some());
        value["retractedAt"] = place_value(self.taken_back.flatten());
        let newest = self.corrections.newest(record);
        note_newest(newest, value);
        value["onlyKnown"] = json!(self.only_known);
    }
}

/// What became of a correction: that it stands no more gives nobody the record that it corrected back.
fn since(one: &Correction) -> Option<String> {
    match (one.taken_back, one.erased) {
        (None, false) => None,
        (None, true) => Some("which was erased since".into()),
        (back, false) => Some(format!("which was taken back since{}", place(back))),
        (back, true) => Some(format!(
            "which was taken back since{} and erased",
            place(back)
        )),
    }
}

/// What to do about a record whose correction stands no more.
const ASK_ITS_AUTHOR: &str = "do not rely on it alone: ask its author what stands";

/// Why a record that was corrected is not given without a word, and what gives it.
pub(super) fn not_given(newest: &Correction) -> String {
    let at = place(newest.anchored);
    match since(newest) {
        None => format!(
            "was corrected by its author{at}: record {} is what stands now; nothing was given. `--record {}` gives that one once it \
             is accepted here, and `--corrected` gives the old one all the same",
            newest.record,
            &newest.record.to_string()[..12]
        ),
        Some(since) => format!(
            "was corrected by its author{at} by record {}, {since}; nothing was given: {ASK_ITS_AUTHOR}. `--corrected` gives it all \
             the same",
            newest.record
        ),
    }
}

/// A record that is refused because it is erased: what its author said of it is said, too.
pub(super) async fn of_erased(
    party: &Party,
    record: RecordId,
    problem: impl Into<Problem>,
) -> Problem {
    let mut problem = problem.into();
    if problem.code == code::ERASED
        && let Ok(now) = Now::of(party, record).await
    {
        for told in now.warnings(record) {
            problem.message.push_str(&format!("; {told}"));
        }
    }
    problem
}

/// A copy that is gone: why, if its owner erased the record, and what its author had said of it.
pub(super) fn purged(
    party: &Party,
    corrections: &Corrections,
    record: RecordId,
) -> Result<String, Problem> {
    Ok(match party.erasure(record)? {
        None => record.to_string(),
        Some(erasure) => format!(
            "{record}, erased by its owner at {}{}",
            find::moment(erasure.at),
            mark(party, corrections, record)?
        ),
    })
}

/// The same for what was written here, by who needs no consent to know it.
pub(super) fn written(amends: Option<RecordId>, by: &[Correction]) -> String {
    told_of(amends, by, "")
}

fn told_of(amends: Option<RecordId>, by: &[Correction], without: &str) -> String {
    let of = amends.map(|of| format!("\nit corrects record {of}"));
    let (standing, gone): (Vec<&Correction>, Vec<_>) = by.iter().partition(|one| one.stands());
    let lost = gone.first().filter(|_| standing.is_empty());
    let lost = lost.and_then(|one| {
        let (at, record) = (place(one.anchored), one.record);
        let since = since(one)?;
        Some(format!(
            "\nIT WAS CORRECTED by its author{at}: by record {record}, {since}; {ASK_ITS_AUTHOR}"
        ))
    });
    let newest = standing.first().map(|one| {
        let here = match one.is_here {
            true => "",
            false => without,
        };
        format!(
            "\nIT WAS CORRECTED by its author{}{}: read record {}{here}",
            place(one.anchored),
            and_earlier(standing.len() - 1),
            one.record
        )
    });
    let open = standing.iter().position(|one| one.is_here);
    let open = open.filter(|at| *at > 0).and_then(|at| standing.get(at));
    let open = open.map(|one| {
        format!(
            "\nthe newest correction that you can read is record {}{}",
            one.record,
            place(one.anchored)
        )
    });
    let gone = gone.split_first().and_then(|(one, others)| {
        let others = match others.len() {
            0 => String::new(),
            more => format!(
                ", and {} stand{} no more",
                counted(more, "other correction"),
                if more == 1 { "s" } else { "" }
            ),
        };
        Some(format!(
            "\nrecord {} corrected this one{}, {}{others}: do not rely on record {}",
            one.record,
            place(one.anchored),
            since(one)?,
            one.record
        ))
    });
    [of, newest.or(lost), open, gone]
        .into_iter()
        .flatten()
        .collect()
}

/// How many stand beside the newest; nothing if none does.
fn and_earlier(count: usize) -> String {
    match count {
        0 => String::new(),
        _ => format!(" and {}", counted(count, "earlier one")),
    }
}

/// What corrects a record, for programs: the newest of them, and how many more there are.
pub(super) fn note_corrections(by: &[Correction], value: &mut Value) {
    let standing = by.iter().filter(|one| one.stands());
    let standing = standing.map(|one| one.record.to_string());
    value["amendedBy"] = standing.take(LISTED).collect();
    let listed = by.iter().take(LISTED).map(self::value);
    value["corrections"] = listed.collect();
    value["moreCorrections"] = json!(by.len().saturating_sub(LISTED));
}

fn value(one: &Correction) -> Value {
    json!({
        "record": one.record.to_string(), "amends": one.amends.to_string(), "author": one.author.to_string(),
        "anchored": place_value(one.anchored), "retracted": one.taken_back.is_some(),
        "retractedAt": place_value(one.taken_back), "erased": one.erased, "here": one.is_here,
    })
}

/// A record as a person knows it.
fn of(said: &SaidOf) -> String {
    let title = said.title.as_deref().map(find::told);
    let title = title.map_or_else(String::new, |title| format!(" («{title}»)"));
    let read = match (said.read_at, said.cleared_at) {
        (Some(at), _) => format!(" (which you read on {})", find::moment(at)),
        (None, Some(at)) => format!(
            " (which another home of your phrase was cleared to read on {})",
            find::moment(at)
        ),
        (None, None) => String::new(),
    };
    let label = said.label.as_deref().map(find::told);
    let label = label.map_or_else(String::new, |label| format!(" «{label}»"));
    match said.is_own {
        true => format!("your record {}{title}", said.record),
        false => format!(
            "record {}{title} of owner {}{label}{read}",
            said.record,
            said.paired.unwrap_or(said.owner)
        ),
    }
}

fn of_value(said: &SaidOf) -> Value {
    json!({
        "record": said.record.to_string(), "title": said.title, "owner": said.owner.to_string(),
        "paired": said.paired.map(|paired| paired.to_string()),
        "label": said.label, "own": said.is_own, "readAt": said.read_at.map(find::moment),
        "clearedAt": said.cleared_at.map(find::moment),
    })
}

pub(super) fn taken_back(said: &[TakenBack]) -> Vec<String> {
    let line = |one: &TakenBack| {
        let (of, when) = (of(&one.of), place(Some(one.when)));
        let others = match one.others {
            0 => String::new(),
            more => format!(", as were {}", counted(more, "other correction")),
        };
        match one.correction {
            None => format!("{of}{when}: do not rely on it"),
            Some(correction) => {
                format!(
                    "record {correction}, a correction of {of}{when}{others}: do not rely on it"
                )
            }
        }
    };
    said.iter().map(line).collect()
}

pub(super) fn taken_back_values(said: &[TakenBack]) -> Vec<Value> {
    let value = |one: &TakenBack| {
        let mut value = of_value(&one.of);
        value["correction"] = json!(one.correction.map(|it| it.to_string()));
        value["retractedAt"] = place_value(Some(one.when));
        value["others"] = json!(one.others);
        value
    };
    said.iter().map(value).collect()
}

pub(super) fn corrected(said: &[Corrected]) -> Vec<String> {
    let line = |one: &Corrected| {
        let todo = match (one.of.is_own, one.by.is_here) {
            (true, true) => {
                "rely on that one; `medibloc grant list` names whoever may read the old one alone"
            }
            (true, false) => "that one is not accepted here: `medibloc record list` says more",
            (false, true) => "you hold a consent for it: read it",
            (false, false) => "you hold no consent for it: ask the owner",
        };
        let todo = match since(&one.by) {
            Some(since) => format!(", {since}: {ASK_ITS_AUTHOR}"),
            None => format!("; {todo}"),
        };
        format!(
            "{} was corrected by record {}{}{}{todo}",
            of(&one.of),
            one.by.record,
            place(one.by.anchored),
            and_earlier(one.earlier)
        )
    };
    said.iter().map(line).collect()
}

pub(super) fn corrected_values(said: &[Corrected]) -> Vec<Value> {
    let of = |one: &Corrected| {
        let mut of = of_value(&one.of);
        of["by"] = value(&one.by);
        of["earlier"] = json!(one.earlier);
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
    let mut told = when.map_or_else(String::new, |when| {
        format!(", taken back by its author{}", place(Some(when)))
    });
    told.push_str(&mark_of(None, corrections, record));
    Ok(told)
}

/// The same for what was written here.
pub(super) fn mark_of(
    when: Option<OnChain>,
    corrections: &Corrections,
    record: RecordId,
) -> String {
    let by = corrections.standing(record).map(|(one, earlier)| {
        let (id, earlier) = (&one.record.to_string()[..12], and_earlier(earlier));
        let since = since(&one).map_or_else(String::new, |since| format!(", {since}"));
        format!(", corrected by {id}{}{earlier}{since}", place(one.anchored))
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
    note_newest(corrections.newest(record), value);
    Ok(())
}

fn note_newest(newest: Option<Correction>, value: &mut Value) {
    value["correctedBy"] = json!(newest.map(|one| one.record.to_string()));
    // It stands no more, and what it corrected is not right again.
    value["correctionStands"] = json!(newest.map(|one| one.stands()));
}

/// Who reads a record and not its correction, and how to give it.
pub(super) fn without(called: &Names, lacking: &[WithoutCorrection]) -> Vec<String> {
    let line = |one: &WithoutCorrection| {
        let name = called.told(&one.name, Some(one.paired));
        // What names two contacts names none.
        let to = match name == find::told(&one.name) {
            true => in_quotes(&name),
            false => one.paired.to_string(),
        };
        format!(
            "{name} may read record {} and not its correction: `medibloc grant create --to {} --record {}` gives it",
            &one.record.to_string()[..12],
            to,
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
