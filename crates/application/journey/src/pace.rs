//! Pace: when the chain sees what an agent does (docs/unlinkability.md, ADR 0020).
//!
//! Whoever watches the chain sees every call with its time, never who is behind an address. Two addresses that act in
//! the same minute, under the same terms, were most likely moved by one hand. So an act that nobody waits for is put
//! off by a random time, one address at a time; terms are rounded and jittered; addresses are registered ahead. What is
//! put off is an errand with a due time: kept in the vault, done by the first pass after it is due, shown by `status`,
//! and gone when it is taken back.
//!
//! | File | What |
//! |---|---|
//! | `pace.rs` | the policy: how long, how rounded |
//! | `pace/plan.rs` | putting errands off, doing what is due, bringing it forward |
//! | `pace/ahead.rs` | addresses registered ahead |
//! | `pace/half.rs` | the half of the day in which an address acts |
//! | `pace/haste.rs` | what acting at once shows |

use medibloc_record::Timestamp;

use crate::Ports;

mod ahead;
mod half;
mod haste;
mod plan;

pub use haste::Haste;
pub use plan::{Planned, Sooner};

pub(crate) use ahead::register_key;
pub(crate) use half::end_of;
pub(crate) use haste::together;
pub(crate) use plan::{accept_key, is_revocation};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// How an agent spreads what the chain shows of it. A policy of the program, given with its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pace {
    /// Longest time in seconds by which an act that nobody waits for is put off; 0 is at once.
    pub delay: u64,
    /// Longest time in seconds over which the consents of several own addresses to one answer are spread, for each
    /// address beyond the first; never more than [`Pace::SPREAD`], nor than a third of what the person gives.
    pub apart: u64,
    /// Within how many seconds an address that is registered ahead is registered.
    pub register_within: u64,
    /// Within how many seconds all revocations of several own addresses have gone; 0 is at once.
    pub revoke_within: u64,
    /// Most days by which a consent ends earlier than the person said; ends are rounded down to the day, too.
    pub shorten: u64,
    /// Addresses registered ahead, one by one.
    pub ahead: usize,
}

impl Pace {
    /// The longest time over which consents of several addresses are spread.
    pub const SPREAD: u64 = 14 * DAY;

    /// Everything at once and exactly as asked: for tests, demonstrations, and deployments where nobody watches.
    pub const NOW: Self = Self {
        delay: 0,
        apart: 0,
        register_within: 0,
        revoke_within: 0,
        shorten: 0,
        ahead: 0,
    };

    /// What agents of persons use: the table of docs/unlinkability.md says why a day.
    pub const PERSON: Self = Self {
        delay: DAY,
        apart: 7 * DAY,
        register_within: 3 * DAY,
        revoke_within: HOUR,
        shorten: 2,
        ahead: 2,
    };

    /// What agents of providers use: readers need an address for each owner.
    pub const PROVIDER: Self = Self {
        ahead: 24,
        ..Self::PERSON
    };

    /// The same with another longest delay.
    #[must_use]
    pub const fn with_delay(mut self, seconds: u64) -> Self {
        self.delay = seconds;
        self
    }

    /// Whether acts are put off at all.
    pub const fn is_now(&self) -> bool {
        self.delay == 0
    }

    /// Over how many seconds consents of so many own addresses are spread that last so long.
    pub(crate) fn spread(&self, addresses: usize, length: u64) -> u64 {
        let further = u64::try_from(addresses.saturating_sub(1)).unwrap_or(u64::MAX);
        let longest = self.apart.saturating_mul(further).min(Self::SPREAD);
        longest.min(length / 3).max(self.delay)
    }

    /// The end of a consent that is one of several: as [`Pace::end`], and earlier by as much as its begin may be late.
    pub(crate) fn end_of_several(
        &self,
        (now, asked): (Timestamp, Timestamp),
        spread: u64,
        draw: u64,
    ) -> Timestamp {
        let days = spread / DAY;
        if spread <= self.delay || days <= self.shorten {
            return self.end(now, asked, draw);
        }
        Timestamp((asked.0 - asked.0 % DAY).saturating_sub(DAY * scale(draw, days)))
    }

    /// The end of a consent that a person asked for: never later, on a full day, and a random number of days earlier
    /// as long as it keeps six sevenths of its length. Shorter ones than two days end on a full hour.
    pub(crate) fn end(&self, now: Timestamp, asked: Timestamp, draw: u64) -> Timestamp {
        if self.shorten == 0 {
            return asked;
        }
        let length = asked.since(now);
        let grain = if length < 2 * DAY { HOUR } else { DAY };
        let most = (length / (7 * DAY)).min(self.shorten);
        let early = DAY * scale(draw, most);
        let end = (asked.0 - asked.0 % grain).saturating_sub(early);
        // A consent of less than an hour stays as it was said.
        Timestamp(if end > now.0 { end } else { asked.0 })
    }

    /// Whether an end may have come of what was asked.
    pub(crate) fn is_end_of(&self, asked: Timestamp, end: Timestamp, spread: Option<u64>) -> bool {
        let days = match self.shorten {
            0 => 0,
            shorten => shorten.max(spread.unwrap_or(0) / DAY) + 1,
        };
        end <= asked && asked.since(end) <= days * DAY
    }
}

/// A number from 0 to `most`, each as likely, of 64 random bits.
fn scale(draw: u64, most: u64) -> u64 {
    let wide = u128::from(draw) * (u128::from(most) + 1);
    u64::try_from(wide >> 64).unwrap_or(most)
}

impl Ports {
    /// A random number from 0 to `most`, each as likely.
    pub(crate) fn up_to(&self, most: u64) -> u64 {
        scale(self.draw(), most)
    }

    /// 64 random bits.
    pub(crate) fn draw(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.random();
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// When an act that nobody waits for is due.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.due_within(self.pace.delay)
    }

    /// When an act is due that may be put off by so many seconds.
    pub(crate) fn due_within(&self, seconds: u64) -> Option<Timestamp> {
        (!self.pace.is_now()).then(|| self.clock.now().plus(self.up_to(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_never_later_than_the_person_said() {
        let now = Timestamp(1_800_000_123);
        for (asked, draw, day, early) in [
            (7 * DAY, 0, DAY, 0),
            (7 * DAY, u64::MAX, DAY, 1),
            (30 * DAY, u64::MAX, DAY, 2),
            (30 * DAY, u64::MAX / 2, DAY, 1),
            (3 * DAY, u64::MAX, DAY, 0),
            (5 * HOUR, u64::MAX, HOUR, 0),
        ] {
            let asked = now.plus(asked);
            let end = Pace::PERSON.end(now, asked, draw);
            assert_eq!(end.0, asked.0 - asked.0 % day - early * DAY, "{asked:?}");
            assert!(end <= asked && end > now, "{asked:?} became {end:?}");
            assert!(Pace::PERSON.is_end_of(asked, end, None));
        }
        let soon = now.plus(60);
        assert_eq!(Pace::PERSON.end(now, soon, 5), soon);
        assert_eq!(Pace::NOW.end(now, soon.plus(DAY), 5), soon.plus(DAY));
        assert!(!Pace::NOW.is_end_of(now, now.plus(1), None));
        assert!(!Pace::PERSON.is_end_of(now.plus(4 * DAY), now, None));
    }

    #[test]
    fn consents_of_several_addresses_begin_and_end_far_apart() {
        let pace = Pace::PERSON;
        for (addresses, length, spread) in [
            (1, 100 * DAY, DAY),
            (2, 100 * DAY, 7 * DAY),
            (3, 100 * DAY, 14 * DAY),
            (9, 100 * DAY, Pace::SPREAD),
            (4, 15 * DAY, 5 * DAY),
            (4, DAY, DAY),
        ] {
            assert_eq!(
                pace.spread(addresses, length),
                spread,
                "{addresses} {length}"
            );
            let now = Timestamp(1_800_000_123);
            let asked = now.plus(length);
            for draw in [0, u64::MAX / 2, u64::MAX] {
                let end = pace.end_of_several((now, asked), spread, draw);
                assert!(end <= asked, "never later than the person said");
                assert!(pace.is_end_of(asked, end, Some(spread)));
                // The last one that goes still lasts.
                let last = length < 3 * DAY || end > now.plus(spread);
                assert!(last, "{addresses} {length} {draw}");
            }
        }
        assert_eq!(Pace::NOW.spread(4, 100 * DAY), 0);
    }

    #[test]
    fn a_draw_reaches_both_ends_and_nothing_beyond() {
        assert_eq!((scale(0, 9), scale(u64::MAX, 9)), (0, 9));
        assert_eq!(
            (scale(u64::MAX, 0), scale(u64::MAX, u64::MAX)),
            (0, u64::MAX)
        );
        let mut seen = [0_u32; 10];
        for step in 0..1_000_u64 {
            seen[usize::try_from(scale(step * (u64::MAX / 1_000), 9)).unwrap()] += 1;
        }
        assert!(
            seen.iter().all(|times| (90..=110).contains(times)),
            "{seen:?}"
        );
    }
}
