//! The owner's feed: append-only, bounded, repeats folded.

use std::collections::{BTreeMap, HashMap};

use medibloc_consent::{FeedFact, FeedLine};
use medibloc_record::{AccountId, RecordId, Timestamp};

/// Lines kept per owner; later repeats are still counted in the lines that are there.
const MOST: usize = 10_000;

/// The feeds of all owners of one keeper.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    lines: BTreeMap<AccountId, Vec<FeedLine>>,
    /// Where a repeat is folded into: the place of each line by owner, record and fact.
    places: HashMap<(AccountId, RecordId, FeedFact), usize>,
    unknown: u64,
}

impl Feed {
    /// What an owner is told, oldest first.
    pub fn of(&self, owner: AccountId) -> &[FeedLine] {
        self.lines.get(&owner).map_or(&[], Vec::as_slice)
    }

    /// Requests for records that are not on chain; nobody can be told of them.
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    pub(crate) const fn count_unknown(&mut self) {
        self.unknown += 1;
    }

    pub(crate) fn append(
        &mut self,
        owner: AccountId,
        record: RecordId,
        fact: FeedFact,
        now: Timestamp,
    ) -> Option<FeedLine> {
        let lines = self.lines.entry(owner).or_default();
        let place = (owner, record, fact);
        if let Some(line) = self.places.get(&place).and_then(|at| lines.get_mut(*at)) {
            line.count = line.count.saturating_add(1);
            line.last = now;
            return Some(line.clone());
        }
        if lines.len() >= MOST {
            return None;
        }
        let line = FeedLine {
            record,
            fact: place.2.clone(),
            count: 1,
            first: now,
            last: now,
        };
        self.places.insert(place, lines.len());
        lines.push(line.clone());
        Some(line)
    }

    /// Puts back a line that was stored, in place of an older count of the same.
    pub fn restore(&mut self, owner: AccountId, line: FeedLine) {
        let lines = self.lines.entry(owner).or_default();
        let place = (owner, line.record, line.fact.clone());
        match self.places.get(&place).and_then(|at| lines.get_mut(*at)) {
            Some(old) => *old = line,
            None => {
                self.places.insert(place, lines.len());
                lines.push(line);
            }
        }
    }
}
