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
/// Rounds after which a record counts as looked at, though something came in each: more than an honest tree has levels,
/// which are three for 1 TiB.
const ROUNDS: u32 = 16;

/// A record that is not settled.
#[derive(Debug)]
struct Waiting {
    parties: [AccountId; 2],
    order: u64,
    package: Digest,
    tries: u32,
    due: Option<Instant>,
    /// A party brought something of it since its look began, or while it waits for its turn.
    woken: bool,
    /// Rounds through what it leads to in which something came.
    rounds: u32,
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
    /// The same by their parties, in the chain's order.
    fresh_of: BTreeSet<(AccountId, u64, RecordId)>,
    /// Records that are not fresh any more since that was asked last.
    aged: Vec<RecordId>,
    last: Option<AccountId>,
    /// Authors whose records erasures wait for, and which: every other part is theirs.
    hurried: BTreeMap<AccountId, BTreeSet<RecordId>>,
    /// The next part is one of theirs.
    hurries: bool,
    last_hurried: Option<AccountId>,
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
            woken: false,
            rounds: 0,
        };
        self.packages.insert((record.package, id));
        self.records.insert(id, record);
        self.fresh.insert(id);
        let of = [entry.anchor.author, entry.anchor.owner].map(|it| (it, entry.order, id));
        self.fresh_of.extend(of);
        self.arrived.push_back(id);
    }

    /// New records, with their packages and parties.
    pub(super) fn arrived(&mut self, most: usize) -> Vec<(RecordId, Digest, [AccountId; 2])> {
        let part = self.arrived.drain(..most.min(self.arrived.len()));
        let known = part.filter_map(|id| {
            let record = self.records.get_mut(&id)?;
            record.woken = false;
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
        self.hurries = !self.hurries;
        let author = match self.next_hurried().filter(|_| self.hurries) {
            Some(author) => {
                self.last_hurried = Some(author);
                author
            }
            None => {
                let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
                let mut authors = self.ready.range((after, Bound::Unbounded));
                let author = authors.next().map(|(author, _)| *author);
                let author = author.or_else(|| self.ready.keys().next().copied())?;
                self.last = Some(author);
                author
            }
        };
        let records = self.ready.get_mut(&author)?;
        let id = records.pop_front();
        if records.is_empty() {
            self.ready.remove(&author);
        }
        if let Some(record) = id.and_then(|id| self.records.get_mut(&id)) {
            record.woken = false;
        }
        id
    }

    /// In turn, too.
    fn next_hurried(&self) -> Option<AccountId> {
        let after = self.last_hurried.map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.hurried.range((after, Bound::Unbounded));
        let mut authors = later.chain(&self.hurried).map(|(author, _)| *author);
        authors.find(|it| self.ready.contains_key(it))
    }

    /// It can be looked at: behind its author's others.
    pub(super) fn again(&mut self, id: RecordId) {
        if let Some(record) = self.records.get_mut(&id) {
            record.due = None;
            let author = record.parties[0];
            self.ready.entry(author).or_default().push_back(id);
        }
    }

    /// A whole round through what it leads to is over, in which something came: another follows. An honest tree is looked
    /// at whole in few of them; who brings block after block keeps no erasure waiting for more.
    pub(super) fn again_after_round(&mut self, id: RecordId) {
        if let Some(record) = self.records.get_mut(&id) {
            record.rounds += 1;
            if record.rounds >= ROUNDS {
                self.age(id);
            }
        }
        self.again(id);
    }

    /// Something of it is missing. What came while it was looked at is not waited for.
    pub(super) fn pause(&mut self, id: RecordId, now: Instant) {
        self.age(id);
        if let Some(record) = self.records.get_mut(&id) {
            if core::mem::take(&mut record.woken) {
                self.again(id);
                return;
            }
            let due = now + PAUSE * 2_u32.pow(record.tries.min(MOST_DOUBLED));
            record.tries += 1;
            record.due = Some(due);
            self.pausing.insert((due, id));
        }
    }

    /// It is settled.
    pub(super) fn remove(&mut self, id: RecordId) {
        self.age(id);
        if let Some(record) = self.records.remove(&id) {
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
        {
            record.tries = 0;
            if let Some(due) = record.due {
                self.pausing.remove(&(due, id));
                self.again(id);
            } else {
                record.woken = true;
            }
        }
    }

    /// Records that were never looked at whole.
    pub(super) fn fresh(&self) -> impl Iterator<Item = RecordId> {
        self.fresh.iter().copied()
    }

    pub(super) fn is_fresh(&self, id: RecordId) -> bool {
        self.fresh.contains(&id)
    }

    /// A record of an account from before `order` that was never looked at whole.
    pub(super) fn earlier(&self, order: u64, of: AccountId) -> Option<RecordId> {
        let from = (of, 0, RecordId::new([0; 32]));
        let to = (of, order, RecordId::new([0; 32]));
        let mut records = self.fresh_of.range(from..to);
        records.next().map(|(.., id)| *id)
    }

    /// An erasure waits for this record: its author has every other part, however many others there are.
    pub(super) fn hurry(&mut self, id: RecordId) {
        if let Some(record) = self.records.get(&id).filter(|_| self.fresh.contains(&id)) {
            let [author, _] = record.parties;
            self.hurried.entry(author).or_default().insert(id);
        }
    }

    /// Records that are not fresh any more, each once.
    pub(super) fn take_aged(&mut self) -> Vec<RecordId> {
        core::mem::take(&mut self.aged)
    }

    fn age(&mut self, id: RecordId) {
        if !self.fresh.remove(&id) {
            return;
        }
        self.aged.push(id);
        let Some(record) = self.records.get(&id) else {
            return;
        };
        for party in record.parties {
            self.fresh_of.remove(&(party, record.order, id));
        }
        let [author, _] = record.parties;
        if let Some(hurried) = self.hurried.get_mut(&author) {
            hurried.remove(&id);
            if hurried.is_empty() {
                self.hurried.remove(&author);
            }
        }
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
            named: 0,
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
    fn what_comes_while_a_record_is_looked_at_is_looked_at_at_once() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(id(1), &entry(1, 9, 1));
        // While nobody has asked yet whether anything of it is here, and while it waits for its turn.
        queue.arrived(1);
        queue.wake(account(9), id(1));
        queue.pause(id(1), now);
        assert_eq!(queue.next(now), Some(id(1)));
        queue.wake(account(3), id(1));
        queue.pause(id(1), now);
        assert_eq!(queue.next(now), None, "a stranger's is no reason");
        let later = now + PAUSE;
        assert_eq!(queue.next(later), Some(id(1)));
        queue.wake(account(1), id(1));
        queue.pause(id(1), later);
        assert_eq!(queue.next(later), Some(id(1)), "during its look");
        queue.pause(id(1), later);
        assert_eq!(queue.next(later), None, "once");
        assert_eq!(queue.next(later + PAUSE), Some(id(1)), "the first pause");
    }

    #[test]
    fn who_brings_a_block_in_every_round_keeps_an_erasure_waiting_for_few() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(id(1), &entry(1, 1, 1));
        make_ready(&mut queue);
        let mut rounds = 0;
        while queue.earlier(2, account(1)).is_some() {
            rounds += 1;
            assert!(rounds <= ROUNDS, "it is waited for without end");
            let next = queue.next(now).unwrap();
            queue.wake(account(1), next);
            queue.again_after_round(next);
        }
        assert_eq!(queue.take_aged(), [id(1)]);
        assert_eq!(queue.next(now), Some(id(1)), "it is still looked at");
    }

    #[test]
    fn what_an_erasure_waits_for_has_every_other_part_beside_a_crowd() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for author in 1..=200 {
            queue.add(id(author), &entry(author, author, author));
        }
        make_ready(&mut queue);
        assert_eq!(queue.earlier(150, account(150)), None);
        let waited_for = queue.earlier(u64::MAX, account(150)).unwrap();
        queue.hurry(waited_for);
        let (mut own, mut others) = (0, BTreeSet::new());
        for _ in 0..400 {
            let next = queue.next(now).unwrap();
            if next == id(150) {
                own += 1;
            } else {
                others.insert(next);
            }
            queue.again(next);
        }
        assert!(own >= 200, "{own} parts");
        assert_eq!(others.len(), 199, "the others have the rest in turn");
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
