//! Which erasure is done next: one of each owner in turn. One that waits stands by the record that it waits for and costs
//! nothing until that was looked at, however many wait, and whoever's they are.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;

use medibloc_record::{AccountId, RecordId};

/// An erased record that is not dealt with yet.
#[derive(Clone, Debug)]
pub(super) struct Due {
    /// Author and owner.
    parties: [AccountId; 2],
    /// How many records there were when it was seen: those are looked at before it is done.
    pub(super) anchored: u64,
    /// Whose of them, as it was last found.
    pub(super) of: BTreeSet<AccountId>,
}

/// Erased records that are not dealt with yet.
#[derive(Debug, Default)]
pub(super) struct Erasures {
    due: HashMap<RecordId, Due>,
    /// By owner.
    ready: BTreeMap<AccountId, VecDeque<RecordId>>,
    /// By the record that they wait for.
    waiting: HashMap<RecordId, Vec<RecordId>>,
    /// What could not be done: tried again when something comes.
    failed: Vec<RecordId>,
    /// How many are an account's.
    of: HashMap<AccountId, usize>,
    last: Option<AccountId>,
}

impl Erasures {
    /// A record is erased, of so many that were anchored.
    pub(super) fn add(&mut self, id: RecordId, parties: [AccountId; 2], anchored: u64) {
        if self.due.contains_key(&id) {
            return;
        }
        for party in BTreeSet::from(parties) {
            *self.of.entry(party).or_default() += 1;
        }
        let of = BTreeSet::new();
        let due = Due {
            parties,
            anchored,
            of,
        };
        self.due.insert(id, due);
        self.again(id);
    }

    /// The next one, of the owner after the last one's.
    pub(super) fn next(&mut self) -> Option<(RecordId, Due)> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut owners = self.ready.range((after, Bound::Unbounded));
        let owner = owners.next().map(|(owner, _)| *owner);
        let owner = owner.or_else(|| self.ready.keys().next().copied())?;
        self.last = Some(owner);
        let records = self.ready.get_mut(&owner)?;
        let id = records.pop_front();
        if records.is_empty() {
            self.ready.remove(&owner);
        }
        let id = id?;
        Some((id, self.due.get(&id)?.clone()))
    }

    /// It waits for a record to be looked at, of whom it is known then that theirs are waited for.
    pub(super) fn wait(&mut self, id: RecordId, for_record: RecordId, of: BTreeSet<AccountId>) {
        if let Some(due) = self.due.get_mut(&id) {
            due.of = of;
            self.waiting.entry(for_record).or_default().push(id);
        }
    }

    /// A record was looked at: what waited for it goes on.
    pub(super) fn looked_at(&mut self, record: RecordId) {
        for id in self.waiting.remove(&record).unwrap_or_default() {
            self.again(id);
        }
    }

    /// It could not be done now.
    pub(super) fn fail(&mut self, id: RecordId) {
        self.failed.push(id);
    }

    /// What could not be done is tried again.
    pub(super) fn retry(&mut self) {
        for id in core::mem::take(&mut self.failed) {
            self.again(id);
        }
    }

    /// It is done.
    pub(super) fn end(&mut self, id: RecordId) {
        let Some(due) = self.due.remove(&id) else {
            return;
        };
        for party in BTreeSet::from(due.parties) {
            if let Some(count) = self.of.get_mut(&party) {
                *count -= 1;
                if *count == 0 {
                    self.of.remove(&party);
                }
            }
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether an account is author or owner of one.
    pub(super) fn concern(&self, account: AccountId) -> bool {
        self.of.contains_key(&account)
    }

    fn again(&mut self, id: RecordId) {
        if let Some(due) = self.due.get(&id) {
            let [_, owner] = due.parties;
            self.ready.entry(owner).or_default().push_back(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u16) -> RecordId {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        RecordId::new(id)
    }

    fn account(number: u8) -> AccountId {
        AccountId::new([number; 20])
    }

    #[test]
    fn four_thousand_of_one_owner_keep_anothers_behind_one_of_them_and_cost_nothing_while_they_wait()
     {
        let mut erasures = Erasures::default();
        for number in 0..4_000 {
            erasures.add(id(number), [account(1); 2], 10);
        }
        erasures.add(id(5_000), [account(2), account(3)], 10);
        let mut steps = 0;
        while let Some((next, _)) = erasures.next() {
            steps += 1;
            if next == id(5_000) {
                break;
            }
            erasures.wait(next, id(9_000), BTreeSet::from([account(1)]));
        }
        assert!(steps <= 2, "{steps} steps");
        while let Some((next, _)) = erasures.next() {
            erasures.wait(next, id(9_000), BTreeSet::from([account(1)]));
        }
        assert!(!erasures.is_ready(), "nothing is to be done");
        erasures.looked_at(id(9_001));
        assert!(!erasures.is_ready(), "another was looked at");
        erasures.looked_at(id(9_000));
        let (_, due) = erasures.next().unwrap();
        assert_eq!(due.of, BTreeSet::from([account(1)]));
    }

    #[test]
    fn an_erasure_concerns_its_parties_until_it_is_done_and_a_failed_one_comes_again() {
        let mut erasures = Erasures::default();
        erasures.add(id(1), [account(1), account(2)], 1);
        erasures.add(id(1), [account(1), account(2)], 2);
        erasures.add(id(2), [account(2), account(2)], 2);
        let (first, due) = erasures.next().unwrap();
        assert_eq!((first, due.anchored), (id(1), 1), "as it was first seen");
        erasures.fail(first);
        assert_eq!(erasures.next().unwrap().0, id(2));
        assert!(!erasures.is_ready());
        erasures.end(id(2));
        erasures.retry();
        assert_eq!(erasures.next().unwrap().0, id(1));
        assert!(
            [1, 2]
                .into_iter()
                .all(|number| erasures.concern(account(number)))
        );
        erasures.end(id(1));
        assert!(
            ![1, 2]
                .into_iter()
                .any(|number| erasures.concern(account(number)))
        );
    }
}
