//! Halves of the day: each own address acts in one of them alone, neighbours in different ones. An agent that is opened
//! in the morning and in the evening acts only then; whoever sees two addresses that share both hours, day after day,
//! knows that one person opens them. Two that never share an hour look like two persons.

use medibloc_ledger::Call;
use medibloc_record::{AccountId, Timestamp};

use crate::errand::{Errand, errand_key};
use crate::pace::DAY;
use crate::pace::plan::is_revocation;
use crate::{JourneyError, Party};

const HALF: u64 = DAY / 2;
/// What waits so long for its half does not wait any longer: an agent may be opened at one time of the day only.
const PATIENCE: u64 = 2 * DAY;

/// The end of a consent or permission that a call gives.
pub(crate) const fn end_of(call: &Call) -> Option<Timestamp> {
    match call {
        Call::Grant { grant, .. } => Some(grant.terms.until),
        Call::GrantWrite(write) => Some(write.until),
        _ => None,
    }
}

/// The latest time at which a call goes that is looked at now: half of what is left of a consent is left then.
fn latest(call: &Call, now: Timestamp) -> Option<Timestamp> {
    end_of(call).map(|until| now.plus(until.since(now) / 2))
}

impl Party {
    /// The time, if it is in the address's half of the day; else the same time in the other half.
    pub(crate) fn in_half(&self, own: AccountId, at: Timestamp) -> Result<Timestamp, JourneyError> {
        Ok(match self.is_in_half(own, at)? {
            true => at,
            false => at.plus(HALF),
        })
    }

    /// As [`Party::in_half`], for an address that is not kept yet.
    pub(crate) fn in_half_of(&self, index: u32, at: Timestamp) -> Timestamp {
        match self.fits(index, at) {
            true => at,
            false => at.plus(HALF),
        }
    }

    /// When a call is due that may be put off until then: in the address's half of the day. A consent has at least half of what is
    /// left of it before it then; one that is too short for that goes in either half.
    pub(crate) fn in_time(
        &self,
        own: AccountId,
        due: Timestamp,
        call: &Call,
    ) -> Result<Timestamp, JourneyError> {
        let now = self.ports.clock.now();
        let at = self.in_half(own, due)?;
        Ok(match latest(call, now) {
            Some(last) if at > last => now.plus(self.ports.up_to(last.since(now))),
            _ => at,
        })
    }

    /// When a planned errand can be done at the earliest; none if it is not put off, or its time has come.
    pub(crate) fn waits_until(&self, errand: &Errand) -> Result<Option<Timestamp>, JourneyError> {
        let now = self.ports.clock.now();
        let Some(due) = errand.due.filter(|_| errand.is_unsent()) else {
            return Ok(None);
        };
        if due > now {
            return Ok(Some(due));
        }
        let is_late = now.since(due) > PATIENCE;
        // What is due in the other half could not wait for its own.
        let is_in_half = self.is_in_half(errand.own, now)? || !self.is_in_half(errand.own, due)?;
        if is_late || is_revocation(&errand.call) || is_in_half {
            return Ok(None);
        }
        let gone = (now.0.wrapping_add(self.phase())) % HALF;
        let next = now.plus(HALF - gone);
        let has_time = latest(&errand.call, due).is_none_or(|last| next <= last);
        Ok(has_time.then_some(next))
    }

    fn is_in_half(&self, own: AccountId, at: Timestamp) -> Result<bool, JourneyError> {
        let index = self.own(own)?.and_then(|own| own.index);
        Ok(index.is_none_or(|index| self.fits(index, at)))
    }

    fn fits(&self, index: u32, at: Timestamp) -> bool {
        let half = (at.0.wrapping_add(self.phase())) % DAY / HALF;
        half == u64::from(index % 2)
    }

    /// Where this agent cuts its days: not everybody at one hour.
    fn phase(&self) -> u64 {
        let [a, b, c, d, ..] = errand_key("half", &[self.account().id().as_bytes()]);
        u64::from(u32::from_be_bytes([a, b, c, d])) % DAY
    }
}
