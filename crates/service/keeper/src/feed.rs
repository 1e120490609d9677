//! The owner's feed: append-only, bounded, repeats folded, each line signed.

use std::collections::{BTreeMap, HashMap};

use medibloc_consent::{FeedFact, FeedLine, SignedLine};
use medibloc_record::{AccountId, RecordId, Timestamp};

use crate::KeeperIdentity;

/// Refusals kept per owner; later repeats are still counted in the lines that are there. Releases are never left out:
/// each has a receipt that somebody paid for.
const MOST: usize = 10_000;
/// Refusals kept of all owners: about 100 MiB of lines. Beyond them an owner who has fewer than `FEW` still gets lines, so
/// that nobody fills the feeds of others.
const MOST_IN_ALL: usize = 200_000;
/// See `MOST_IN_ALL`.
const FEW: usize = 16;

/// What is told of one owner's records.
#[derive(Clone, Debug, Default)]
struct Owned {
    lines: Vec<SignedLine>,
    refusals: usize,
}

/// The feeds of all owners of one keeper.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    owners: BTreeMap<AccountId, Owned>,
    /// Where a repeat is folded into: the place of each line by owner, record and fact.
    places: HashMap<(AccountId, RecordId, FeedFact), usize>,
    unknown: u64,
    refusals: usize,
}

impl Feed {
    /// What an owner is told, oldest first.
    pub fn of(&self, owner: AccountId) -> &[SignedLine] {
        self.owners.get(&owner).map_or(&[], |owned| &owned.lines)
    }

    /// Requests for records that are not on chain; nobody can be told of them.
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    pub(crate) const fn count_unknown(&mut self) {
        self.unknown = self.unknown.saturating_add(1);
    }

    pub(crate) fn append(
        &mut self,
        keeper: &KeeperIdentity,
        owner: AccountId,
        record: RecordId,
        fact: FeedFact,
        now: Timestamp,
    ) -> Option<SignedLine> {
        let place = (owner, record, fact);
        let old = self
            .places
            .get(&place)
            .and_then(|at| self.of(owner).get(*at));
        let line = match old {
            Some(old) => FeedLine {
                count: old.line.count.saturating_add(1),
                last: now,
                ..old.line.clone()
            },
            None => FeedLine {
                record,
                fact: place.2,
                count: 1,
                first: now,
                last: now,
            },
        };
        let is_release = matches!(line.fact, FeedFact::Released { .. });
        let kept = self.owners.get(&owner).map_or(0, |owned| owned.refusals);
        let is_full = kept >= MOST || (self.refusals >= MOST_IN_ALL && kept >= FEW);
        if old.is_none() && !is_release && is_full {
            return None;
        }
        let digest = line.digest(keeper.address(), owner, &keeper.domain);
        let signature = keeper.signer.sign_digest(&digest);
        let line = SignedLine { line, signature };
        self.restore(owner, line.clone());
        Some(line)
    }

    /// Puts back a line that was stored, in place of an older count of the same.
    pub fn restore(&mut self, owner: AccountId, line: SignedLine) {
        let owned = self.owners.entry(owner).or_default();
        let place = (owner, line.line.record, line.line.fact.clone());
        match self
            .places
            .get(&place)
            .and_then(|at| owned.lines.get_mut(*at))
        {
            Some(old) => *old = line,
            None => {
                let is_release = matches!(line.line.fact, FeedFact::Released { .. });
                owned.refusals += usize::from(!is_release);
                self.refusals += usize::from(!is_release);
                self.places.insert(place, owned.lines.len());
                owned.lines.push(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use medibloc_keys::{SealingSecret, SigningKey, recover};
    use medibloc_record::{Address, GrantId, ReceiptId, TypedDomain};

    use super::*;

    #[test]
    fn a_flood_of_refusals_leaves_room_for_every_release() {
        let keeper = KeeperIdentity {
            index: 1,
            signer: SigningKey::from_bytes(&[1; 32]).unwrap(),
            wrap_keys: vec![SealingSecret::from_bytes(1, [1; 32])],
            domain: TypedDomain {
                chain_id: 1,
                records: Address::new([1; 20]),
            },
            finality_lag: 0,
        };
        let (owner, now) = (AccountId::new([2; 20]), Timestamp(1));
        let mut feed = Feed::default();
        let mut tell = |number: usize, fact| {
            let mut record = [0; 32];
            record[..8].copy_from_slice(&(number as u64).to_be_bytes());
            feed.append(&keeper, owner, RecordId::new(record), fact, now)
        };
        for number in 0..MOST {
            assert!(tell(number, FeedFact::Strangers).is_some());
        }
        assert!(tell(MOST, FeedFact::Strangers).is_none(), "it is full");
        let again = tell(0, FeedFact::Strangers).unwrap();
        assert_eq!(again.line.count, 2, "repeats are still counted");
        let is_of = |signed: &SignedLine, owner| {
            let digest = signed.line.digest(keeper.address(), owner, &keeper.domain);
            recover(&digest, &signed.signature).is_ok_and(|it| it == keeper.address())
        };
        assert!(is_of(&again, owner));
        let released = FeedFact::Released {
            reader: owner,
            grant: GrantId::new([3; 32]),
            receipt: ReceiptId::new([4; 32]),
        };
        let told = tell(MOST, released).unwrap();
        assert_eq!(feed.of(owner).len(), MOST + 1);
        let mut other = told.clone();
        other.line.count += 1;
        assert!(!is_of(&other, owner), "the count is signed");
        assert!(
            !is_of(&told, AccountId::new([9; 20])),
            "the owner is signed"
        );
    }
}
