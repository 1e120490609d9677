//! Which reads `medibloc audit` is asked for: of one contact or owner, and of some days.

use std::collections::BTreeSet;

use medibloc_journey::{Day, Party, compared};
use medibloc_record::{AccountId, Timestamp};
use serde_json::{Value, json};

use super::name;
use crate::Problem;
use crate::answer::code;
use crate::command::Audit;

/// What of an audit is shown.
pub(super) struct Chosen {
    /// By which pairing: own addresses that contacts were paired with, and owners' addresses. None for all.
    paired: Option<BTreeSet<AccountId>>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    value: Value,
}

impl Chosen {
    /// As the command says it.
    pub(super) fn of(party: &Party, command: &Audit) -> Result<Option<Self>, Problem> {
        let Audit {
            of, from, until, ..
        } = command;
        if of.is_none() && from.is_none() && until.is_none() {
            return Ok(None);
        }
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            return Err(Problem::new(
                code::USAGE,
                "no day is between --from and --until: `--until` is the first day after; say a later one",
            ));
        }
        let paired = of.as_ref().map(|of| paired(party, of)).transpose()?;
        let day = |day: &Option<Day>| day.map(|day| day.to_string());
        Ok(Some(Self {
            paired,
            from: from.map(Day::begins),
            until: until.map(Day::begins),
            value: json!({"of": of, "from": day(from), "until": day(until)}),
        }))
    }

    /// Whether a time is in the days: from ≤ t < until.
    pub(super) fn is_then(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether a pairing is the one, where one is asked for; of what is not known with whom it was, it is not.
    pub(super) fn is_of(&self, paired: Option<AccountId>) -> bool {
        let chosen = self.paired.as_ref();
        chosen.is_none_or(|chosen| paired.is_some_and(|paired| chosen.contains(&paired)))
    }

    /// Whether it is not about one contact or owner.
    pub(super) const fn is_all(&self) -> bool {
        self.paired.is_none()
    }

    /// For programs.
    pub(super) const fn value(&self) -> &Value {
        &self.value
    }
}

/// The pairings with a contact, who may be one under several own addresses, or with an owner, by the same name.
fn paired(party: &Party, of: &str) -> Result<BTreeSet<AccountId>, Problem> {
    let mut found = BTreeSet::new();
    let contact = name::contact(party, of);
    if let Ok(contact) = &contact {
        let same = party.contacts()?.into_iter();
        let same = same.filter(|other| other.party == contact.party);
        found.extend(same.map(|other| other.own));
    }
    let owner = name::owner(party, of);
    found.extend(owner.as_ref().ok());
    if found.is_empty() {
        // An audit says what a contact was called at the time, which no contact may be called any more: all of that name is it.
        let given = party.grants()?.into_iter().map(|(_, given)| given.artefact);
        let named = given.filter(|artefact| compared(&artefact.name) == compared(of));
        found.extend(named.map(|artefact| artefact.paired));
    }
    match (contact, owner) {
        (Err(problem), Err(other)) if found.is_empty() => Err(match party.patrons()?.is_empty() {
            true => problem,
            false => other,
        }),
        _ => Ok(found),
    }
}
