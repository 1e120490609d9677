//! Whose package is looked at next: one part of one record of each author in turn, and growing pauses for records of
//! which blocks are missing. However many packages one author anchors, another's waits for one part of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::time::{Duration, Instant};

use medibloc_record::{AccountId, RecordId};

/// The first pause; each next is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest: an hour and eight minutes.
const MOST_DOUBLED: u32 = 12;

/// A record that is not settled.
#[derive(Debug)]
struct Waiting {
    author: AccountId,
    owner: AccountId,
    order: u64,
    /// Everything of it that was here was looked at once.
    looked: bool,
    tries: u32,
    due: Option<Instant>,
}

/// Records whose packages are not settled yet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    records: HashMap<RecordId, Waiting>,
    ready: BTreeMap<AccountId, VecDeque<RecordId>>,
    pausing: BTreeSet<(Instant, RecordId)>,
    last: Option<AccountId>,
}

impl Queue {
    /// A new record, ready.
    pub(super) fn add(&mut self, id: RecordId, author: AccountId, owner: AccountId, order: u64) {
        if self.records.contains_key(&id) {
            return;
        }
        let record = Waiting {
            author,
            owner,
            order,
            looked: false,
            tries: 0,
            due: None,
        };
        self.records.insert(id, record);
        self.ready.entry(author).or_default().push_back(id);
    }

    /// The next record, of the author after the last one's.
    pub(super) fn next(&mut self, now: Instant) -> Option<RecordId> {
        while let Some((due, id)) = self.pausing.first().copied()
            && due <= now
        {
            self.pausing.pop_first();
            self.make_ready(id);
        }
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut authors = self.ready.range((after, Bound::Unbounded));
        let author = authors.next().map(|(author, _)| *author);
        let author = author.or_else(|| self.ready.keys().next().copied())?;
        self.last = Some(author);
        let records = self.ready.get_mut(&author)?;
        let id = records.pop_front();
        if records.is_empty() {
            self.ready.remove(&author);
        }
        id
    }

    fn make_ready(&mut self, id: RecordId) {
        if let Some(record) = self.records.get_mut(&id) {
            record.due = None;
            self.ready.entry(record.author).or_default().push_back(id);
        }
    }

    /// There is more of it: it goes behind its author's others.
    pub(super) fn again(&mut self, id: RecordId) {
        self.make_ready(id);
    }

    /// Something of it is missing.
    pub(super) fn pause(&mut self, id: RecordId, now: Instant) {
        if let Some(record) = self.records.get_mut(&id) {
            record.looked = true;
            let due = now + PAUSE * 2_u32.pow(record.tries.min(MOST_DOUBLED));
            record.tries += 1;
            record.due = Some(due);
            self.pausing.insert((due, id));
        }
    }

    /// It is settled.
    pub(super) fn remove(&mut self, id: RecordId) {
        if let Some(record) = self.records.remove(&id)
            && let Some(due) = record.due
        {
            self.pausing.remove(&(due, id));
        }
    }

    /// Its author or owner brought something: its records need not pause.
    pub(super) fn wake(&mut self, account: AccountId) {
        let of = |it: &Waiting| it.author == account || it.owner == account;
        let woken: Vec<_> = self
            .records
            .iter()
            .filter(|(_, it)| of(it))
            .filter_map(|(id, it)| Some((it.due?, *id)))
            .collect();
        for (due, id) in woken {
            self.pausing.remove(&(due, id));
            if let Some(record) = self.records.get_mut(&id) {
                record.tries = 0;
            }
            self.make_ready(id);
        }
    }

    /// Records that were never looked at whole.
    pub(super) fn fresh(&self) -> impl Iterator<Item = RecordId> {
        let fresh = self.records.iter().filter(|(_, it)| !it.looked);
        fresh.map(|(id, _)| *id)
    }

    pub(super) fn is_fresh(&self, id: RecordId) -> bool {
        self.records.get(&id).is_some_and(|it| !it.looked)
    }

    /// Whether one of these accounts has a record from before `order` that was never looked at whole.
    pub(super) fn has_earlier(&self, order: u64, of: &[AccountId]) -> bool {
        self.records.values().any(|it| {
            !it.looked && it.order < order && (of.contains(&it.author) || of.contains(&it.owner))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> RecordId {
        RecordId::new([number; 32])
    }

    fn account(number: u8) -> AccountId {
        AccountId::new([number; 20])
    }

    #[test]
    fn sixty_records_of_one_author_keep_anothers_waiting_for_one_part() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for number in 0..60 {
            queue.add(id(number), account(1), account(9), number.into());
        }
        queue.add(id(100), account(2), account(9), 100);
        let mut parts = 0;
        while let Some(next) = queue.next(now) {
            parts += 1;
            if next == id(100) {
                break;
            }
            queue.again(next);
        }
        assert!(parts <= 2, "{parts} parts");
    }

    #[test]
    fn pauses_grow_and_end_when_a_party_brings_something() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(id(1), account(1), account(9), 1);
        let mut at = now;
        for expected in [1, 2, 4, 8] {
            assert_eq!(queue.next(at), Some(id(1)));
            queue.pause(id(1), at);
            at += Duration::from_secs(expected) - Duration::from_millis(1);
            assert_eq!(queue.next(at), None, "{expected} s");
            at += Duration::from_millis(1);
        }
        assert_eq!(queue.next(at), Some(id(1)));
        queue.pause(id(1), at);
        queue.wake(account(3));
        assert_eq!(queue.next(at), None);
        queue.wake(account(9));
        assert_eq!(queue.next(at), Some(id(1)));
        queue.pause(id(1), at);
        assert!(!queue.is_fresh(id(1)));
        queue.remove(id(1));
        assert_eq!(queue.next(at + Duration::from_secs(10_000)), None);
    }
}
