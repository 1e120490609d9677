//! What a consent to several records leaves out, in words and for programs.

use std::collections::BTreeMap;

use medibloc_consent::Scope;
use medibloc_journey::{Artefact, Dates, GivenGrant, KeptRecord, Limits, Party, counted};
use medibloc_record::{Category, GrantId, RecordId, Sensitivity};
use serde_json::{Value, json};

use super::{find, name};
use crate::Problem;
use crate::answer::code;
use crate::command::Sensitive;

impl From<Sensitive> for Sensitivity {
    fn from(sensitive: Sensitive) -> Self {
        match sensitive {
            Sensitive::Restricted => Self::Restricted,
            Sensitive::VeryRestricted => Self::VeryRestricted,
        }
    }
}

/// Categories by their names in the glossary.
pub(super) fn categories(categories: &[Category]) -> String {
    let names = categories.iter().filter_map(|category| {
        let name = serde_json::to_value(category).ok()?;
        name.as_str().map(str::to_owned)
    });
    names.collect::<Vec<_>>().join(", ")
}

fn days(dates: &Dates) -> String {
    let since = dates.since().map(|day| format!(" since {day}"));
    let before = dates.before().map(|day| format!(" before {day}"));
    since.into_iter().chain(before).collect()
}

/// Those that are left out because they are more sensitive.
const fn above(up_to: Sensitivity) -> Option<&'static str> {
    match up_to {
        Sensitivity::Normal => Some("restricted"),
        Sensitivity::Restricted => Some("very restricted"),
        Sensitivity::VeryRestricted => None,
    }
}

/// Behind what may be read: which of it, each behind a comma.
pub(super) fn told(limits: &Limits) -> String {
    let days = limits.dates.as_ref().map(days).unwrap_or_default();
    let only = match (limits.categories.as_slice(), days.as_str()) {
        ([], "") => String::new(),
        ([], days) => format!(", only{days}"),
        (only, days) => format!(", only {}{days}", categories(only)),
    };
    let none = above(limits.up_to).map(|which| format!(", no {which} ones"));
    only + &none.unwrap_or_default()
}

/// Behind the limits of a consent that is there: what they are worth; nothing if there are none.
pub(super) fn worth(limits: &Limits) -> &'static str {
    match (told(limits).is_empty(), limits.are_held_by_chain) {
        (true, _) => "",
        (false, true) => ", held by the chain",
        (false, false) => ", held by which keys are sent alone",
    }
}

/// A line for records that are left out for their category or date; nothing if there are none.
pub(super) fn beside(count: usize) -> Option<String> {
    (count > 0).then(|| {
        format!(
            "left out, for their category or date: {}; `medibloc grant create --record ID` gives one of them",
            counted(count, "record")
        )
    })
}

/// A line for the records that are left out as more sensitive, and what gives them; nothing if there are none. The request that was
/// answered is over, and no offer has categories or dates.
pub(super) fn line(left_out: &[KeptRecord], only: &Limits) -> Option<String> {
    let most = left_out.iter().filter_map(KeptRecord::sensitivity).max()?;
    let gives = match most {
        Sensitivity::VeryRestricted => "very-restricted",
        _ => "restricted",
    };
    let each = left_out.iter().map(|kept| {
        let title = kept.manifest.as_ref().and_then(|it| it.title.as_deref());
        let id = kept.record().to_string();
        format!(
            "{} («{}»)",
            id.get(..12).unwrap_or(&id),
            find::told(title.unwrap_or("untitled"))
        )
    });
    let how = match only.are_of_some() {
        true => format!(
            "`medibloc grant create --record ID --up-to {gives}` gives one of them; for all of them it asks again, and you answer with `--up-to \
             {gives}`"
        ),
        false => format!(
            "`medibloc grant create --up-to {gives}` gives them, all or with `--record ID` one of them"
        ),
    };
    Some(format!(
        "left out, for they are restricted: {}; {how}",
        each.collect::<Vec<_>>().join(", ")
    ))
}

/// Behind a record in a list.
pub(super) fn mark(kept: &KeptRecord) -> String {
    word(kept.sensitivity()).map_or_else(String::new, |word| format!(", {word}"))
}

/// What its own labels say of a record, for programs.
pub(super) fn note_labels(kept: &KeptRecord, value: &mut Value) {
    let labelled = (!kept.labelled.is_unknown()).then(|| kept.labelled.sensitivity());
    value["sensitivity"] = json!(kept.sensitivity());
    value["sensitivityByAuthor"] =
        json!(kept.manifest.as_ref().map(|manifest| manifest.sensitivity));
    value["sensitivityByLabels"] = json!(labelled);
    value["labelled"] = json!(kept.manifest.as_ref().map(|_| kept.labelled.to_string()));
}

/// Refuses to give one record that is more sensitive than was said to be meant.
pub(super) fn must_be_meant(
    party: &Party,
    record: RecordId,
    up_to: Sensitivity,
) -> Result<Option<String>, Problem> {
    let kept = party.record(record)?;
    let Some(sensitive) = word(kept.sensitivity()) else {
        return Ok(None);
    };
    let told = format!("{sensitive} ({})", kept.why_sensitive());
    if kept.sensitivity() <= Some(up_to) {
        return Ok(Some(told));
    }
    Err(Problem::new(
        code::REFUSED,
        format!(
            "{} is {told}. Nothing was given; if it is meant, say `--up-to {}`",
            name::described(party, record)?,
            sensitive.replace(' ', "-")
        ),
    ))
}

/// What a record is called that is more sensitive than usual.
const fn word(sensitivity: Option<Sensitivity>) -> Option<&'static str> {
    match sensitivity {
        Some(Sensitivity::Restricted) => Some("restricted"),
        Some(Sensitivity::VeryRestricted) => Some("very restricted"),
        Some(Sensitivity::Normal) | None => None,
    }
}

/// Own records that are left out, for programs.
fn left_out_values(left_out: &[KeptRecord]) -> Value {
    let value = |kept: &KeptRecord| {
        json!({
            "record": kept.record().to_string(), "sensitivity": kept.sensitivity(),
            "title": kept.manifest.as_ref().and_then(|manifest| manifest.title.clone()),
        })
    };
    left_out.iter().map(value).collect()
}

/// Adds the limits to the value of a consent that is held.
pub(super) fn note_of_reader(limits: &Limits, value: &mut Value) {
    value["upTo"] = json!(limits.up_to);
    value["categories"] = json!(limits.categories);
    value["dates"] = json!(limits.dates);
    value["limitsHeldByChain"] = json!(limits.are_held_by_chain);
}

/// The same of a consent that was given, with what it leaves out.
pub(super) fn note(limits: &Limits, left_out: &[KeptRecord], beside: usize, value: &mut Value) {
    note_of_reader(limits, value);
    value["leftOut"] = left_out_values(left_out);
    value["leftOutByCategoryOrDate"] = json!(beside);
}

/// The limits of a consent to several records; none of one.
pub(super) fn of(artefact: &Artefact) -> Option<(Scope, Limits)> {
    let scope = artefact.about()?;
    (!matches!(scope, Scope::One(_))).then(|| (scope, Limits::of(artefact)))
}

/// What a consent that was given leaves out.
pub(super) struct Given {
    limits: Limits,
    left_out: Vec<KeptRecord>,
    /// Given as what their author called them.
    given_before: Vec<KeptRecord>,
    beside: usize,
}

impl Given {
    /// Behind what may be read.
    pub(super) fn told(&self) -> String {
        let count = match self.left_out.len() + self.beside {
            0 => String::new(),
            count => format!(" ({count} left out)"),
        };
        told(&self.limits) + &count + worth(&self.limits)
    }

    /// The same of one that has ended: what it was limited to.
    pub(super) fn told_of_ended(&self) -> String {
        told(&self.limits)
    }

    pub(super) fn note(&self, value: &mut Value) {
        note(&self.limits, &self.left_out, self.beside, value);
        value["givenBeforeItsLabelsWereRead"] = left_out_values(&self.given_before);
    }

    /// Below it: what it has given all the same.
    pub(super) fn lines(&self) -> Vec<String> {
        let each = self.given_before.iter();
        let each = each.map(|kept| {
            let id = kept.record().to_string();
            format!(
                "    it has record {} all the same, {}: {}; only `medibloc grant revoke` takes it back",
                id.get(..12).unwrap_or(&id),
                word(kept.sensitivity()).unwrap_or_default(),
                kept.why_sensitive()
            )
        });
        each.collect()
    }
}

/// Of each consent to several records that was given, by its id.
pub(super) fn given(party: &Party) -> Result<BTreeMap<String, Given>, Problem> {
    // Most records are as usual, and there may be many consents.
    let records = party.records()?;
    let is_sensitive = |kept: &&KeptRecord| word(kept.sensitivity()).is_some();
    let sensitive: Vec<&KeptRecord> = records.iter().filter(is_sensitive).collect();
    let mut all = BTreeMap::new();
    for (id, given) in party.grants()? {
        if let Some((scope, limits)) = of(&given.artefact) {
            let own = sensitive.iter().copied();
            let own = own.filter(|kept| kept.anchor.owner == given.own);
            let beyond = own.filter(|kept| limits.leaves_out(scope, kept)).cloned();
            let has = party.in_lists(id, &given)?;
            // What a list has is not left out, whatever was found of it since.
            let (given_before, left_out) = beyond.partition(|kept| has.contains(&kept.record()));
            let is_beside = |kept: &&KeptRecord| {
                kept.anchor.owner == given.own && limits.is_beside(scope, kept)
            };
            let beside = match limits.are_of_some() {
                true => records.iter().filter(is_beside).count(),
                false => 0,
            };
            let of_it = Given {
                limits,
                left_out,
                given_before,
                beside,
            };
            all.insert(id.to_string(), of_it);
        }
    }
    Ok(all)
}

/// What `record show` says of a record that is more sensitive than usual, or that a consent leaves out for its category or date.
pub(super) fn shown(
    party: &Party,
    kept: &KeptRecord,
    without: &[(GrantId, GivenGrant, bool)],
) -> Result<Vec<String>, Problem> {
    let called = party.names()?;
    let readers = |for_its_kind: bool| {
        let of = without.iter().filter(|(.., kind)| *kind == for_its_kind);
        let mut readers: Vec<String> = of.map(|(_, given, _)| called.given(given)).collect();
        readers.sort();
        readers.dedup();
        readers
    };
    let sensitive = word(kept.sensitivity()).map(|word| {
        let left_out = match readers(false).as_slice() {
            [] => String::new(),
            readers => format!(
                "; left out of what was given to {}",
                find::told(&readers.join(", "))
            ),
        };
        format!(
            "it is {word} ({}): a consent gives it only with `--up-to {}`{left_out}",
            kept.why_sensitive(),
            word.replace(' ', "-")
        )
    });
    let beside = match readers(true).as_slice() {
        [] => None,
        readers => Some(format!(
            "left out of what was given to {}, for its category or date",
            find::told(&readers.join(", "))
        )),
    };
    Ok(sensitive.into_iter().chain(beside).collect())
}
