//! Places in the relay's queue. A request holds one until it is in a block: waiting for finality takes nobody's place. One
//! signer's requests are counted until they are final, so that nobody holds all places, however slowly a chain settles.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use alloy::primitives::Address;
use medibloc_ledger::LedgerError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What there is to give.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    most: usize,
    most_of_one: usize,
    signers: Signers,
}

/// By signer, and whether it takes something back: a thief who uses up what a key has keeps its owner from no withdrawal.
type Signers = Arc<Mutex<HashMap<(Address, bool), usize>>>;

/// One request's place; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    waiting: Option<OwnedSemaphorePermit>,
    _turn: Turn,
}

/// One of a signer's requests.
#[derive(Debug)]
struct Turn {
    signer: (Address, bool),
    signers: Signers,
}

impl Places {
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            most,
            most_of_one,
            signers: Signers::default(),
        }
    }

    /// A place for one more request of a signer. There always is one for what takes something back, as far as one signer has
    /// not too many of them.
    pub(super) fn take(&self, signer: Address, is_withdrawal: bool) -> Result<Place, LedgerError> {
        let turn = Turn::take(&self.signers, (signer, is_withdrawal), self.most_of_one)?;
        if is_withdrawal {
            return Ok(Place {
                waiting: None,
                _turn: turn,
            });
        }
        let waiting = self.free.clone().try_acquire_owned();
        let waiting = waiting.map_err(|_| LedgerError::Limit {
            limit: format!("{} requests wait", self.most),
        })?;
        Ok(Place {
            waiting: Some(waiting),
            _turn: turn,
        })
    }
}

impl Place {
    /// The request is in a block: another may wait in its place.
    pub(super) fn sent(&mut self) {
        self.waiting = None;
    }
}

impl Turn {
    fn take(signers: &Signers, signer: (Address, bool), most: usize) -> Result<Self, LedgerError> {
        let mut counts = signers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(signer).or_default();
        if *count >= most {
            if *count == 0 {
                counts.remove(&signer);
            }
            return Err(LedgerError::Limit {
                limit: format!("{most} requests of this address are on their way; wait for one"),
            });
        }
        *count += 1;
        Ok(Self {
            signer,
            signers: signers.clone(),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut counts = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.signer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.signer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(result: Result<Place, LedgerError>) -> String {
        match result {
            Err(LedgerError::Limit { limit }) => limit,
            other => panic!("not a limit: {other:?}"),
        }
    }

    #[test]
    fn a_full_queue_refuses_no_withdrawal_and_a_thiefs_calls_keep_none_back() {
        let places = Places::new(2, 2);
        let (owner, other) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let flood = [(); 2].map(|()| places.take(owner, false).unwrap());
        assert_eq!(limit(places.take(other, false)), "2 requests wait");
        let back = [owner, owner, other].map(|signer| places.take(signer, true).unwrap());
        assert!(limit(places.take(owner, true)).starts_with("2 requests of this address"));
        drop((flood, back));
        assert!(places.signers.lock().unwrap().is_empty(), "nothing is kept");
    }

    #[test]
    fn slow_finality_and_one_signer_take_nobodys_place() {
        let places = Places::new(1_000, 64);
        let signer = |n: u32| Address::left_padding_from(&n.to_be_bytes());
        // One signer sends as much as it can.
        let mut held: Vec<_> = (0..64)
            .map(|_| places.take(signer(0), false).unwrap())
            .collect();
        assert!(limit(places.take(signer(0), false)).starts_with("64 requests of this address"));
        // Requests of a thousand signers are in blocks that are not final: their places are free.
        for n in 1..=1_000 {
            let mut place = places.take(signer(n), false).unwrap();
            place.sent();
            held.push(place);
        }
        let waiting: Vec<_> = (2_000..2_936)
            .map(|n| places.take(signer(n), false).unwrap())
            .collect();
        assert_eq!(
            limit(places.take(signer(9_999), false)),
            "1000 requests wait"
        );
        drop(waiting);
        held.clear();
        assert!(places.take(signer(0), false).is_ok());
        assert!(places.signers.lock().unwrap().is_empty(), "nothing is kept");
        println!("ATTACK security-s7: 1,000 unfinished requests, the 1,001st is taken");
    }
}
