//! `medibloc record retract`, and whom a document names: what helps before and after one was filed under the wrong person.

use medibloc_consent::Scope;
use medibloc_journey::{
    HeldBack, JourneyError, KeptRecord, Limits, Named, OnChain, Party, Subject, counted, counted_as,
};
use medibloc_record::{AccountId, Draft, RecordId};
use serde_json::{Value, json};

use super::name::{self, Known, Use};
use super::{contact, find, said, unread, written};
use crate::answer::code;
use crate::{Answer, Problem, command};

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
        find::owner(party, view.owner)?
    );
    if let Some(when) = by_oneself(party, id).await? {
        return Ok(Answer::new(
            json!({
                "record": id.to_string(), "owner": view.owner.to_string(), "retracted": true, "already": true,
                "retractedAt": said::place_value(when),
            }),
            format!(
                "{what} was taken back already{}; nothing was done",
                said::place(when)
            ),
        ));
    }
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
    if let Err(error) = party.retract(id).await {
        let mut problem = Problem::from(error);
        if problem.code == code::REFUSED
            && contact::standing(party, party.account().id()).await == Some("suspended")
        {
            problem.message.push_str(&format!(
                "; its owner needs nobody for it: tell the owner over another way that `medibloc record erase {}` takes it from \
                 every reader and tells them",
                &id.to_string()[..12]
            ));
        }
        return Err(problem);
    }
    Ok(Answer::new(
        json!({"record": id.to_string(), "owner": view.owner.to_string(), "retracted": true, "already": false}),
        format!(
            "taken back: {what}. Its owner and its readers see it at their next sync and read; until then some may rely on it, and \
             copies stay, so tell them over another way, too"
        ),
    ))
}

/// Whether what was written here was taken back, and when, as far as that is known; the chain is asked for what no sync took yet,
/// and if it does not answer, it is as this home heard.
pub(super) async fn by_oneself(
    party: &Party,
    record: RecordId,
) -> Result<Option<Option<OnChain>>, Problem> {
    if let Some(when) = party.taken_back(record)? {
        return Ok(Some(Some(when)));
    }
    match party.ports().facts.record(record).await {
        Ok(Some(facts)) if facts.retracted => {
            Ok(Some(party.taken_back_now(record).await.unwrap_or(None)))
        }
        _ => Ok(None),
    }
}

/// Refuses a document that names another person than what was written here for the same owner.
pub(super) async fn must_be_one_person(
    party: &Party,
    owner: AccountId,
    draft: &Draft,
    amended: Option<RecordId>,
) -> Result<(), Problem> {
    let Some(about) = Subject::of(&draft.fhir) else {
        return Ok(());
    };
    let mut before = party.written_about_others(owner, &about).await?;
    if let Some(record) = amended {
        // What is corrected counts though it was taken back: a correction is of the same person.
        let other = party.named_in_written(record)?;
        before.extend(
            other
                .filter(|other| other.is_other_than(&about))
                .map(|other| (record, other)),
        );
    }
    let Some((record, other)) = before.last() else {
        return Ok(());
    };
    Err(Problem::new(
        code::REFUSED,
        format!(
            "this document names {}, and record {}, written here for {} before, names {}: nothing was written. Choose the \
             owner again; `--other-person` writes it all the same, after a change of name, say",
            in_full(&about),
            &record.to_string()[..12],
            find::owner(party, owner)?,
            in_full(other)
        ),
    ))
}

/// Refuses to give what names another person than the own other records; what its author took back is not given unless that
/// is said, and what the limits of a consent to several leave out is not given by it.
pub(super) fn must_name_its_owner(
    party: &Party,
    scope: Scope,
    said: &command::Scope,
    only: &Limits,
) -> Result<(), Problem> {
    let others = party.not_given_alone()?;
    let (mut told, mut unread) = (Vec::new(), Vec::new());
    for kept in party.records()? {
        let is_given = match scope {
            Scope::One(one) => one == kept.record(),
            Scope::Classes(_) | Scope::All | Scope::Listed(_) => only.gives(scope, &kept),
        };
        let is_given = is_given && (said.retracted || !kept.retracted);
        if is_given && others.contains(&kept.record()) {
            match &kept.named {
                Named::Person(whom) => {
                    told.push(format!("record {} names {}", kept.record(), in_full(whom)));
                }
                Named::Unread(why) => {
                    unread.push(format!("record {}: {}", kept.record(), unread::told(*why)));
                }
                Named::Nobody => {}
            }
        }
    }
    let other = match party.is_owner_known()? {
        true => "another person than you",
        false => {
            "another person than your other records name, and you have not said who you are (`medibloc account person`)"
        }
    };
    let told = (!told.is_empty()).then(|| format!("{}: {other}", told.join("; ")));
    let told: Vec<String> = told.into_iter().chain(unread).collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        code::REFUSED,
        format!(
            "{}. Nothing was given. If it is not yours, tell its author, who can take it back, and erase it; if it is, `medibloc record \
             confirm ID` says so, and `--other-person` gives it this once",
            told.join("; ")
        ),
    ))
}

/// How the author of an own record stands with the authority now, and what that may mean: a stolen key may have taken it back, and
/// who is suspended takes nothing back.
pub(super) async fn author_now(
    party: &Party,
    kept: &KeptRecord,
) -> (Option<&'static str>, &'static str) {
    let standing = contact::standing(party, kept.anchor.author).await;
    let told = match (standing, kept.retracted) {
        (Some("suspended"), true) => {
            "\nthe authority has suspended its author: ask the author over another way whether it took the record back; if not, \
             `grant create --record … --retracted` gives it all the same"
        }
        (Some("suspended"), false) => {
            "\nthe authority has suspended its author, who can take nothing back until it is reinstated. You need nobody for it: if \
             the record is not yours or is wrong, `medibloc record erase` takes it from every reader and tells them; \
             `medibloc grant revoke` ends a consent and keeps the record"
        }
        _ => "",
    };
    (standing, told)
}

/// `medibloc record confirm`: its owner says that it is about the owner.
pub(super) async fn confirm(party: &Party, typed: &str) -> Result<Answer, Problem> {
    let id = name::record(party, typed, Use::Act)?;
    let what = name::described(party, id)?;
    party.must_not_be_erased(id)?;
    let retracted = party.record(id)?.retracted;
    if let Some(when) = said::Now::of(party, id)
        .await?
        .taken_back
        .or(retracted.then_some(None))
    {
        return Err(Problem::new(
            code::REFUSED,
            format!(
                "{what} was taken back by its author{}: it is not to be relied on, so nothing was confirmed, and whom it names \
                 says nothing of you. Who you are is said by `medibloc account person --name NAME --born DAY`, or by confirming \
                 another record; `medibloc record erase` erases this one, and if it is right after all, ask its author for a new one",
                said::place(when)
            ),
        ));
    }
    let others = party.of_another_person()?;
    let now = find::known_now(party).await?;
    let held = party.held_back(now)?;
    let held = held.into_iter().find(|held| held.record == id);
    let kept = party.confirm_record(id)?;
    let is_named = match kept.named {
        Named::Person(_) => "that name is yours in this home from now on",
        _ => "it says no name, so whom others name is not judged by it",
    };
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
            "patient": kept.named.person().map(subject_value), "patientUnread": unread::value(&kept.named), "readers": readers,
        }),
        format!(
            "{what}: {}, and you say that it is about you: {is_named}{next}",
            unread::names(&kept.named)
        ),
    ))
}

/// Records that standing consents cover and that are not passed on: what to do.
pub(super) fn held_back(held: &[HeldBack]) -> Vec<String> {
    let told = held.iter().map(|held| {
        format!(
            "{} («{}»), from {} ({}): {}; `medibloc record confirm {}` says that it is about you, and if it is not, tell its author \
             and erase it",
            held.record,
            find::told(held.title.as_deref().unwrap_or("untitled")),
            counted(held.readers.len(), "reader"),
            find::told(&held.readers.join(", ")),
            held.unread.map_or_else(
                || {
                    "it names another person than your other records, or you have not said who you are (`medibloc account person`)"
                        .to_owned()
                },
                unread::told
            ),
            &held.record.to_string()[..12],
        )
    });
    told.collect()
}

pub(super) fn held_back_values(held: &[HeldBack]) -> Vec<Value> {
    let value = |held: &HeldBack| {
        json!({
            "record": held.record.to_string(), "title": held.title, "readers": held.readers,
            "patientUnread": held.unread.map(|why| why.to_string()),
        })
    };
    held.iter().map(value).collect()
}

/// Asks whether the first record is about its owner, as long as that was not said; nothing once it was.
pub(super) fn is_this_you(party: &Party) -> Result<Option<String>, Problem> {
    if party.is_owner_known()? {
        return all_of_another(party);
    }
    let mut records = party.records()?;
    records.sort_by_key(|kept| (kept.block, kept.record()));
    let first = records.into_iter().find_map(|kept| {
        let stands = kept.is_accepted() && !kept.retracted;
        let asks = !matches!(kept.named, Named::Nobody) && !kept.confirmed;
        (stands && asks).then(|| (kept.record(), kept.named))
    });
    Ok(first.map(|(record, named)| {
        format!(
            "record {}: {}: is this you? `medibloc record confirm {}` says so, or say who you are: `medibloc account \
             person --name NAME --born DAY`. Until then no consent to a class or to all passes on what names anybody",
            &record.to_string()[..12],
            unread::names(&named),
            &record.to_string()[..12],
        )
    }))
}

/// Says it once for all of them, where every record that names anybody names another person than the owner said to be: a parent
/// who keeps a child's records said the wrong name, or somebody else's documents came.
fn all_of_another(party: &Party) -> Result<Option<String>, Problem> {
    let others = party.of_another_person()?;
    let mut named = party.records()?;
    named.retain(|kept| kept.is_accepted() && !kept.retracted && kept.named.person().is_some());
    named.sort_by_key(|kept| (kept.block, kept.record()));
    let are_all = named.iter().all(|kept| others.contains(&kept.record()));
    let Some(first) = named.first().filter(|_| are_all) else {
        return Ok(None);
    };
    let whom = first.named.person().map_or_else(String::new, subject);
    let said = party.owner_said()?;
    let said = said.as_ref().map_or_else(String::new, subject);
    let id = &first.record().to_string()[..12];
    Ok(Some(format!(
        "none of your records names you: you said that you are {said}, and {} another person, the first {whom} (record {id}). \
         If this home keeps the records of that person, a child, say, say so: `medibloc account person --name NAME --born DAY`; if \
         your name is written in another way, `medibloc record confirm {id}`; if they are not yours, tell their authors and erase \
         them. Until then no consent to a class or to all passes them on",
        counted_as(named.len(), "record names", "records name")
    )))
}

/// Bytes of a person's name, at most: what is longer would be kept in part.
const MOST_OF_NAME: usize = 256;

/// `medibloc account person`: the owner says who the owner is.
pub(super) fn person(
    party: &Party,
    name: Option<&str>,
    born: Option<&str>,
) -> Result<Answer, Problem> {
    if name.is_none() && born.is_none() {
        let said = party.owner_said()?;
        let told = said.as_ref().map_or_else(
            || "you have not said who you are: `--name NAME --born DAY` says it".to_owned(),
            |said| format!("you are {} in this home", subject(said)),
        );
        return Ok(Answer::new(
            json!({"patient": said.as_ref().map(subject_value)}),
            told,
        ));
    }
    if name.is_some_and(|name| find::told(name).is_empty()) {
        return Err(Problem::new(
            code::USAGE,
            "the name shows nothing: it has only spaces or signs that nobody sees; nothing was kept. Say a name that can be read, or \
             leave `--name` out",
        ));
    }
    if let Some(name) = name.filter(|name| name.len() > MOST_OF_NAME) {
        return Err(Problem::from(JourneyError::TooLong {
            what: "name",
            bytes: name.len(),
            most: MOST_OF_NAME,
        }));
    }
    // East of everybody it is tomorrow already.
    let latest = find::moment(party.ports().clock.now().plus(14 * 3_600));
    if born.is_some_and(|born| latest.get(..10).is_some_and(|latest| born > latest)) {
        return Err(Problem::new(
            code::USAGE,
            "the day of birth is in the future; nothing was kept. Say the day like 1980-02-03, and check this machine's clock \
             (`medibloc doctor`)",
        ));
    }
    // What is left out stays as it was said.
    let before = party.owner_said()?;
    let before = before.as_ref();
    let name = name.or(before.and_then(|before| before.name.as_deref()));
    let born = born.or(before.and_then(|before| before.born.as_deref()));
    let said = Subject::said(name, born).ok_or_else(|| {
        Problem::new(
            code::USAGE,
            "that is no name, or no day like 1980-02-03; nothing was kept",
        )
    })?;
    party.say_owner(&said)?;
    let others = party.of_another_person()?.len();
    let others = match others {
        0 => String::new(),
        _ => format!(
            "; {} another person (`medibloc record list` marks them)",
            counted_as(others, "record names", "records name")
        ),
    };
    let all = all_of_another(party)?.map_or_else(String::new, |told| format!("\n{told}"));
    let back = match party.undecided_node()? {
        None => "it comes back with the phrase".to_owned(),
        // No node has it yet.
        Some(told) => format!("it comes back with the phrase once that is decided: {told}"),
    };
    Ok(Answer::new(
        json!({"patient": subject_value(&said)}),
        format!(
            "you are {} in this home, and nobody else is told: {back}; say it on your other devices, too{others}{all}",
            subject(&said)
        ),
    ))
}

/// A person in words.
pub(super) fn subject(subject: &Subject) -> String {
    let name = subject.name.as_deref().map(find::told);
    let name = name.map(|name| format!("«{name}»"));
    let name = name.unwrap_or_else(|| match (&subject.born, subject.ids.first()) {
        (None, Some((system, value))) => format!(
            "a patient by identifier {} ({})",
            find::told(value),
            find::told(system)
        ),
        _ => "a patient without a name".to_owned(),
    });
    let several = match subject.names_several {
        true => ", and other patients beside",
        false => "",
    };
    match subject.born.as_deref().map(find::told) {
        Some(born) => format!("{name}, born {born}{several}"),
        None => format!("{name}{several}"),
    }
}

/// The same with the identifiers, which may be all that differs.
fn in_full(whom: &Subject) -> String {
    let ids = whom.ids.iter().map(|(system, value)| {
        format!(
            ", identifier {} ({})",
            find::told(value),
            find::told(system)
        )
    });
    [subject(whom)].into_iter().chain(ids).collect()
}

pub(super) fn subject_value(subject: &Subject) -> Value {
    let ids = subject.ids.iter();
    let ids = ids.map(|(system, value)| json!({"system": system, "value": value}));
    json!({"identifiers": ids.collect::<Vec<_>>(), "name": subject.name, "birthDate": subject.born, "namesSeveral": subject.names_several})
}
