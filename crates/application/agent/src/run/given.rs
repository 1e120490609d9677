//! What owners gave this home: permissions to write and consents to read, with their ends.

use std::collections::BTreeMap;

use medibloc_journey::Party;
use medibloc_record::{AccountId, Timestamp};

use super::find::moment;
use crate::Problem;

/// What one owner gave, as far as it has not ended.
#[derive(Clone, Copy, Default)]
pub(super) struct FromOwner {
    /// Until when this home may write for it.
    pub(super) writes: Option<Timestamp>,
    /// Consents to read that are held.
    pub(super) consents: usize,
    /// When the last of them ends.
    pub(super) until: Option<Timestamp>,
}

impl FromOwner {
    pub(super) fn told(&self) -> String {
        let writes = match self.writes {
            Some(until) => format!("you may write for it until {}", moment(until)),
            None => "you may not write for it".into(),
        };
        let reads = match (self.consents, self.until) {
            (1, Some(until)) => format!("1 consent to read held, until {}", moment(until)),
            (held, Some(until)) => {
                format!(
                    "{held} consents to read held, the last until {}",
                    moment(until)
                )
            }
            _ => "no consent to read held".into(),
        };
        format!("{writes}; {reads}")
    }
}

/// By owner; what is over by this machine's clock is not counted.
pub(super) fn of(party: &Party) -> Result<BTreeMap<AccountId, FromOwner>, Problem> {
    let now = party.ports().clock.now();
    let mut given: BTreeMap<AccountId, FromOwner> = BTreeMap::new();
    for write in party.may_write()? {
        if now < write.until {
            given.entry(write.owner).or_default().writes = Some(write.until);
        }
    }
    for held in party.held()? {
        let until = held.artefact.grant.as_ref().map(|grant| grant.terms.until);
        if held.ended.is_some() || until.is_none_or(|until| until <= now) {
            continue;
        }
        let from = given.entry(held.artefact.paired).or_default();
        from.consents += 1;
        from.until = from.until.max(until);
    }
    Ok(given)
}
