//! Which requests were answered: a request opens one reply. What is remembered is bounded in time and in number.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_record::{AccountId, Timestamp};

/// Remembered at once: what a keeper that releases a hundred shares a second answers in ten minutes.
const MOST: usize = 65_536;
/// Of these, one reader's: nobody fills the memory for all.
const MOST_OF_ONE: u32 = 512;

/// The requests that were answered and have not expired.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered {
    /// By digest: until when, and whose. One that was put back after a restart is nobody's.
    digests: BTreeMap<[u8; 32], (Timestamp, Option<AccountId>)>,
    by_expiry: BTreeSet<(Timestamp, [u8; 32])>,
    readers: BTreeMap<AccountId, u32>,
}

impl Answered {
    /// Forgets what has expired by now: nobody can ask it again.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        while let Some((expiry, digest)) = self.by_expiry.first().copied()
            && expiry < now
        {
            self.by_expiry.remove(&(expiry, digest));
            if let Some((_, Some(reader))) = self.digests.remove(&digest)
                && let Some(count) = self.readers.get_mut(&reader)
            {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.readers.remove(&reader);
                }
            }
        }
    }

    /// Whether this request was answered.
    pub(crate) fn has(&self, digest: &[u8; 32]) -> bool {
        self.digests.contains_key(digest)
    }

    /// Whether one more of a reader can be remembered.
    pub(crate) fn has_room(&self, reader: AccountId) -> bool {
        self.digests.len() < MOST
            && self
                .readers
                .get(&reader)
                .is_none_or(|count| *count < MOST_OF_ONE)
    }

    pub(crate) fn insert(
        &mut self,
        digest: [u8; 32],
        expiry: Timestamp,
        reader: Option<AccountId>,
    ) {
        if self.digests.insert(digest, (expiry, reader)).is_some() {
            return;
        }
        self.by_expiry.insert((expiry, digest));
        if let Some(reader) = reader {
            *self.readers.entry(reader).or_default() += 1;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.digests.len()
    }
}
