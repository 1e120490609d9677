//! Which requests were answered: a request opens one reply. What is remembered is bounded in time and in number.
//!
//! The memory spares the keeper work and the owner's feed repeated lines; no secret rests on it: an answered request that comes
//! again is judged again, consent and all, and gets the same share for the same one-time key. So nobody is refused because others
//! filled it: the owner whose records have the most entries loses its oldest.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_record::{AccountId, ReceiptId, Timestamp};

/// Remembered at once: what a keeper that releases a hundred shares a second answers in ten minutes.
const MOST: usize = 65_536;
/// Of these, one reader's.
const MOST_OF_ONE: usize = 512;
/// Of these, one receipt's: a home that reads has one receipt for nine minutes, and its requests end after five. So it may ask
/// a keeper every twenty seconds; whoever wants more pays for another receipt.
const MOST_OF_A_RECEIPT: usize = 16;

/// Whose a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whose {
    /// Of the record that was asked for; any number of accounts that read it share its room.
    pub(crate) owner: AccountId,
    pub(crate) reader: AccountId,
    /// The receipt that it was answered on; none for a refusal, whose receipt may be anybody's.
    pub(crate) receipt: Option<ReceiptId>,
}

type Entry = (Timestamp, [u8; 32]);

/// The requests that were answered and have not expired.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    most: usize,
    /// By digest: until when, and whose. One that was put back after a restart is nobody's.
    digests: BTreeMap<[u8; 32], (Timestamp, Option<Whose>)>,
    by_expiry: BTreeSet<Entry>,
    /// Of each owner, those that end first at the front.
    owners: BTreeMap<Option<AccountId>, BTreeSet<Entry>>,
    /// Owners by how many they have.
    greedy: BTreeSet<(usize, Option<AccountId>)>,
    readers: BTreeMap<AccountId, usize>,
    receipts: BTreeMap<ReceiptId, usize>,
}

impl Default for Answered {
    fn default() -> Self {
        Self::of_at_most(MOST)
    }
}

impl Answered {
    /// A memory with room for so many; at least one.
    pub(crate) fn of_at_most(most: usize) -> Self {
        Self {
            most: most.max(1),
            digests: BTreeMap::new(),
            by_expiry: BTreeSet::new(),
            owners: BTreeMap::new(),
            greedy: BTreeSet::new(),
            readers: BTreeMap::new(),
            receipts: BTreeMap::new(),
        }
    }

    /// Forgets what has expired by now: nobody can ask it again.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        while let Some((expiry, digest)) = self.by_expiry.first().copied()
            && expiry < now
        {
            self.remove(&digest);
        }
    }

    /// Whether this request was answered.
    pub(crate) fn has(&self, digest: &[u8; 32]) -> bool {
        self.digests.contains_key(digest)
    }

    /// Whether one more of a reader is remembered: what others have is no reason to refuse it.
    pub(crate) fn has_room(&self, reader: AccountId) -> bool {
        self.readers.get(&reader).copied().unwrap_or_default() < MOST_OF_ONE
    }

    /// Whether one more is answered on a receipt.
    pub(crate) fn has_room_on(&self, receipt: ReceiptId) -> bool {
        self.receipts.get(&receipt).copied().unwrap_or_default() < MOST_OF_A_RECEIPT
    }

    /// Remembers a request; where there is no room, the greediest loses its oldest.
    pub(crate) fn insert(&mut self, digest: [u8; 32], expiry: Timestamp, whose: Option<Whose>) {
        if self.has(&digest) {
            return;
        }
        while self.digests.len() >= self.most
            && let Some(oldest) = self.oldest_of_the_greediest()
        {
            self.remove(&oldest);
        }
        self.digests.insert(digest, (expiry, whose));
        self.by_expiry.insert((expiry, digest));
        self.change(whose.map(|it| it.owner), |entries| {
            entries.insert((expiry, digest));
        });
        if let Some(whose) = whose {
            *self.readers.entry(whose.reader).or_default() += 1;
            if let Some(receipt) = whose.receipt {
                *self.receipts.entry(receipt).or_default() += 1;
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.digests.len()
    }

    fn oldest_of_the_greediest(&self) -> Option<[u8; 32]> {
        let (_, owner) = self.greedy.last()?;
        let (_, digest) = self.owners.get(owner)?.first()?;
        Some(*digest)
    }

    fn remove(&mut self, digest: &[u8; 32]) {
        let Some((expiry, whose)) = self.digests.remove(digest) else {
            return;
        };
        self.by_expiry.remove(&(expiry, *digest));
        self.change(whose.map(|it| it.owner), |entries| {
            entries.remove(&(expiry, *digest));
        });
        if let Some(whose) = whose {
            count_down(&mut self.readers, whose.reader);
            if let Some(receipt) = whose.receipt {
                count_down(&mut self.receipts, receipt);
            }
        }
    }

    /// Changes what an owner has, and its place among the others.
    fn change(&mut self, owner: Option<AccountId>, how: impl FnOnce(&mut BTreeSet<Entry>)) {
        let entries = self.owners.entry(owner).or_default();
        self.greedy.remove(&(entries.len(), owner));
        how(entries);
        match entries.len() {
            0 => {
                self.owners.remove(&owner);
            }
            count => {
                self.greedy.insert((count, owner));
            }
        }
    }
}

fn count_down<K: Ord>(counts: &mut BTreeMap<K, usize>, of: K) {
    if let Some(count) = counts.get_mut(&of) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&of);
        }
    }
}
