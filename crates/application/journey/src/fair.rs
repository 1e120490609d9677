//! Whose turn it is: round robin over those that cause work, oldest first with each, growing pauses for what failed. One
//! that sends much that fails waits for itself alone.

use std::collections::{BTreeMap, VecDeque};

use medibloc_record::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

/// Tries without a pause: the next syncs look again at once.
const AT_ONCE: u32 = 3;
/// The first pause, in seconds; each next one is twice as long.
const FIRST_PAUSE: u64 = 60;
/// The longest pause: nothing is ever given up silently.
const LONGEST_PAUSE: u64 = 86_400;

/// Failures of one cause in one sync; the rest of it waits for the next.
pub(crate) const FAILURES_A_SYNC: u32 = 16;

/// How often something was tried, and from when on it may be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) tries: u32,
    pub(crate) next: Timestamp,
}

impl Turn {
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.next <= now
    }

    /// After one more try that failed.
    pub(crate) fn failed(self, now: Timestamp) -> Self {
        let tries = self.tries.saturating_add(1);
        let pause = match tries.checked_sub(AT_ONCE + 1) {
            None => 0,
            Some(more) => FIRST_PAUSE
                .saturating_mul(1u64.checked_shl(more.min(32)).unwrap_or(u64::MAX))
                .min(LONGEST_PAUSE),
        };
        Self {
            tries,
            next: now.plus(pause),
        }
    }
}

/// One item of each cause after the other; the items of a cause stay in their order.
pub(crate) fn in_turn<T>(items: Vec<T>, cause: impl Fn(&T) -> AccountId) -> Vec<T> {
    let mut queues: BTreeMap<AccountId, VecDeque<T>> = BTreeMap::new();
    let count = items.len();
    for item in items {
        queues.entry(cause(&item)).or_default().push_back(item);
    }
    let mut turn = Vec::with_capacity(count);
    while !queues.is_empty() {
        queues.retain(|_, queue| {
            turn.extend(queue.pop_front());
            !queue.is_empty()
        });
    }
    turn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_turn_and_keeps_its_order() {
        let cause = |byte| AccountId::new([byte; 20]);
        let items: Vec<(u8, u32)> = (0..5).map(|n| (9, n)).chain([(1, 0), (1, 1)]).collect();
        let turn = in_turn(items, |(byte, _)| cause(*byte));
        let expected = [(1, 0), (9, 0), (1, 1), (9, 1), (9, 2), (9, 3), (9, 4)];
        assert_eq!(turn, expected);
    }

    #[test]
    fn pauses_grow_to_a_day_and_no_further() {
        let now = Timestamp(1_000);
        let mut turn = Turn::default();
        let mut pauses = Vec::new();
        for _ in 0..20 {
            turn = turn.failed(now);
            pauses.push(turn.next.since(now));
        }
        assert_eq!(pauses[..6], [0, 0, 0, 60, 120, 240]);
        assert_eq!(pauses[19], 86_400);
        let far = Turn {
            tries: u32::MAX,
            next: now,
        };
        assert_eq!(far.failed(now).next, now.plus(86_400), "no overflow");
    }
}
