//! Whose package is looked at next: one part of one record of each author in turn, and growing pauses for records of
//! which blocks are missing. However many packages one author anchors, another's waits for one part of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::time::{Duration, Instant};

use medibloc_record::{AccountId, Digest, RecordId};

use crate::chain::RecordEntry;

/// The first pause; each next is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest: an hour and eight minutes.
const MOST_DOUBLED: u32 = 12;

/// A record that is not settled.
#[derive(Debug)]
struct Waiting {
    parties: [AccountId; 2],
    order: u64,
    package: Digest,
    tries: u32,
    due: Option<Instant>,
}

/// Records whose packages are not settled yet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    records: HashMap<RecordId, Waiting>,
    /// New ones: whether anything of them is here is asked for many at once.
    arrived: VecDeque<RecordId>,
    ready: BTreeMap<AccountId, VecDeque<RecordId>>,
    pausing: BTreeSet<(Instant, RecordId)>,
    /// Records by their packages.
    packages: BTreeSet<(Digest, RecordId)>,
    /// Records that were never looked at whole.
    fresh: HashSet<RecordId>,
    last: Option<AccountId>,
}

impl Queue {
    /// A new record.
    pub(super) fn add(&mut self, id: RecordId, entry: &RecordEntry) {
        if self.records.contains_key(&id) {
            return;
        }
        let record = Waiting {
            parties: [entry.anchor.author, entry.anchor.owner],
            order: entry.order,
            package: entry.anchor.package,
            tries: 0,
            due: None,
        };
        self.packages.insert((record.package, id));
        self.records.insert(id, record);
        self.fresh.insert(id);
        self.arrived.push_back(id);
    }

    /// New records, with their packages and parties.
    pub(super) fn arrived(&mut self, most: usize) -> Vec<(RecordId, Digest, [AccountId; 2])> {
        let part = self.arrived.drain(..most.min(self.arrived.len()));
        let known = part.filter_map(|id| {
            let record = self.records.get(&id)?;
            Some((id, record.package, record.parties))
        });
        known.collect()
    }

    pub(super) fn has_arrived(&self) -> bool {
        !self.arrived.is_empty()
    }

    /// The next record, of the author after the last one's.
    pub(super) fn next(&mut self, now: Instant) -> Option<RecordId> {
        while let Some((due, id)) = self.pausing.first().copied()
            && due <= now
        {
            self.pausing.pop_first();
            self.again(id);
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

    /// It can be looked at: behind its author's others.
    pub(super) fn again(&mut self, id: RecordId) {
        if let Some(record) = self.records.get_mut(&id) {
            record.due = None;
            let author = record.parties[0];
            self.ready.entry(author).or_default().push_back(id);
        }
    }

    /// Something of it is missing.
    pub(super) fn pause(&mut self, id: RecordId, now: Instant) {
        if let Some(record) = self.records.get_mut(&id) {
            self.fresh.remove(&id);
            let due = now + PAUSE * 2_u32.pow(record.tries.min(MOST_DOUBLED));
            record.tries += 1;
            record.due = Some(due);
            self.pausing.insert((due, id));
        }
    }

    /// It is settled.
    pub(super) fn remove(&mut self, id: RecordId) {
        if let Some(record) = self.records.remove(&id) {
            self.fresh.remove(&id);
            self.packages.remove(&(record.package, id));
            if let Some(due) = record.due {
                self.pausing.remove(&(due, id));
            }
        }
    }

    /// Records that have this package.
    pub(super) fn of_package(&self, package: Digest) -> impl Iterator<Item = RecordId> {
        let from = (package, RecordId::new([0; 32]));
        let found = self.packages.range(from..);
        found
            .take_while(move |(it, _)| *it == package)
            .map(|(_, id)| *id)
    }

    /// A party of its brought something that it waits for: it need not pause.
    pub(super) fn wake(&mut self, by: AccountId, id: RecordId) {
        if let Some(record) = self.records.get_mut(&id)
            && record.parties.contains(&by)
            && let Some(due) = record.due
        {
            record.tries = 0;
            self.pausing.remove(&(due, id));
            self.again(id);
        }
    }

    /// Records that were never looked at whole.
    pub(super) fn fresh(&self) -> impl Iterator<Item = RecordId> {
        self.fresh.iter().copied()
    }

    pub(super) fn is_fresh(&self, id: RecordId) -> bool {
        self.fresh.contains(&id)
    }

    /// Whether one of these accounts has a record from before `order` that was never looked at whole.
    pub(super) fn has_earlier(&self, order: u64, of: &[AccountId]) -> bool {
        let mut fresh = self.fresh.iter().filter_map(|id| self.records.get(id));
        fresh.any(|it| it.order < order && it.parties.iter().any(|party| of.contains(party)))
    }
}

#[cfg(test)]
mod tests {
    use medibloc_consent::AnchorFields;
    use medibloc_record::{ClassId, Kind, Nonce};

    use super::*;

    fn id(number: u8) -> RecordId {
        RecordId::new([number; 32])
    }

    fn account(number: u8) -> AccountId {
        AccountId::new([number; 20])
    }

    fn entry(author: u8, owner: u8, order: u8) -> RecordEntry {
        let digest = Digest::of(&[order]);
        let anchor = AnchorFields {
            nonce: Nonce::new([order; 32]),
            author: account(author),
            owner: account(owner),
            package: digest,
            key_set: digest,
            capsule: digest,
            attestation: digest,
            kind: Kind::Medical,
            class: ClassId(0),
            amends: None,
        };
        RecordEntry {
            anchor,
            block: 1,
            order: order.into(),
            accepted: false,
            erased: false,
        }
    }

    fn make_ready(queue: &mut Queue) {
        for (id, ..) in queue.arrived(usize::MAX) {
            queue.again(id);
        }
    }

    #[test]
    fn sixty_records_of_one_author_keep_anothers_waiting_for_one_part() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for number in 0..60 {
            queue.add(id(number), &entry(1, 9, number));
        }
        queue.add(id(100), &entry(2, 9, 100));
        make_ready(&mut queue);
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
    fn pauses_grow_and_end_when_a_party_brings_what_is_missing() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(id(1), &entry(1, 9, 1));
        queue.add(id(2), &entry(1, 9, 2));
        make_ready(&mut queue);
        let mut at = now;
        assert_eq!(queue.next(at), Some(id(1)));
        assert_eq!(queue.next(at), Some(id(2)));
        queue.remove(id(2));
        for expected in [1, 2, 4, 8] {
            queue.pause(id(1), at);
            at += Duration::from_secs(expected) - Duration::from_millis(1);
            assert_eq!(queue.next(at), None, "{expected} s");
            at += Duration::from_millis(1);
            assert_eq!(queue.next(at), Some(id(1)));
        }
        queue.pause(id(1), at);
        let package = |number| Digest::of(&[number]);
        let waits = |queue: &Queue, of| queue.of_package(package(of)).collect::<Vec<_>>();
        assert_eq!(waits(&queue, 1), [id(1)]);
        assert_eq!(waits(&queue, 2), []);
        queue.wake(account(3), id(1));
        assert_eq!(queue.next(at), None, "a stranger wakes nothing");
        queue.wake(account(9), id(1));
        assert_eq!(queue.next(at), Some(id(1)));
        queue.pause(id(1), at);
        assert!(!queue.is_fresh(id(1)));
        queue.remove(id(1));
        assert_eq!(waits(&queue, 1), []);
        assert_eq!(queue.next(at + Duration::from_secs(10_000)), None);
    }
}
