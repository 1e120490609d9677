//! What a follower took last, to know the chain again.

use serde::{Deserialize, Serialize};

use crate::{BlockEvents, Events, Head, LedgerError};

/// A final block that was taken: as long as the chain has it, it is the same chain, and not an older copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its number.
    pub number: u64,
    /// Its hash.
    #[serde(with = "serde_bytes")]
    pub hash: [u8; 32],
}

impl Mark {
    /// The mark of a block.
    pub const fn of(block: &BlockEvents) -> Self {
        Self {
            number: block.number,
            hash: block.hash,
        }
    }

    /// That the chain still has the block, where `head` is its last final one. A node of it whose finality lags behind others is
    /// no other chain.
    ///
    /// # Errors
    /// [`LedgerError::SetBack`] if it has another block there or none; whatever keeps it from answering.
    pub async fn check(self, head: &Head, events: &dyn Events) -> Result<(), LedgerError> {
        if (head.number, head.hash) == (self.number, self.hash) {
            return Ok(());
        }
        self.check_now(events).await
    }

    /// As [`Mark::check`], where the head may have moved since it was looked at.
    ///
    /// # Errors
    /// As [`Mark::check`].
    pub async fn check_now(self, events: &dyn Events) -> Result<(), LedgerError> {
        let is = events.hash_of(self.number).await?;
        if is == Some(self.hash) {
            return Ok(());
        }
        Err(LedgerError::SetBack {
            number: self.number,
            was: self.hash,
            is,
        })
    }
}

/// Marks of the past, the oldest first: by them the last block is found that a chain shares with what was read. The newest are
/// all here, older ones ever fewer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marks(Vec<Mark>);

impl Marks {
    /// How many are kept at most.
    const MOST: usize = 64;

    /// Those that were read, in order; every one of them is kept.
    pub fn of(marks: impl IntoIterator<Item = Mark>) -> Self {
        Self(marks.into_iter().collect())
    }

    /// The newest one.
    pub fn newest(&self) -> Option<Mark> {
        self.0.last().copied()
    }

    /// Takes one in, if it is newer than all others; says whether it was.
    pub fn note(&mut self, mark: Mark) -> bool {
        if self.newest().is_some_and(|it| it.number >= mark.number) {
            return false;
        }
        self.0.push(mark);
        if self.0.len() > Self::MOST {
            let mut at = 0;
            // Every second of the older half; the first one stays.
            self.0.retain(|_| {
                at += 1;
                at > Self::MOST / 2 || at % 2 == 1
            });
        }
        true
    }

    /// Takes in all that are newer, in order.
    pub fn extend(&mut self, newer: &Self) {
        for mark in &newer.0 {
            self.note(*mark);
        }
    }

    /// Those up to a block.
    pub fn cut(&mut self, number: u64) {
        self.0.retain(|mark| mark.number <= number);
    }

    /// The newest one that the chain has, if it has any.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn shared(&self, events: &dyn Events) -> Result<Option<Mark>, LedgerError> {
        // A block that the chain has brings with it every one before.
        let (mut has, mut lacks) = (0, self.0.len());
        while has < lacks {
            let middle = has.midpoint(lacks);
            let Some(mark) = self.0.get(middle) else {
                break;
            };
            match events.hash_of(mark.number).await? == Some(mark.hash) {
                true => has = middle + 1,
                false => lacks = middle,
            }
        }
        Ok(has.checked_sub(1).and_then(|at| self.0.get(at)).copied())
    }
}

#[cfg(test)]
mod tests {
    use medibloc_record::{Threshold, Timestamp};

    use super::*;
    use crate::{Facts as _, MemoryLedger};

    #[tokio::test]
    async fn a_block_that_is_gone_or_another_is_told_and_one_that_is_there_is_not() {
        let chain = MemoryLedger::new(Threshold::new(1, 1).unwrap(), Vec::new(), Timestamp(1_000));
        let form = |n| chain.form_committee(Threshold::new(n, 1).unwrap(), Vec::new());
        let older = chain.copy();
        form(2);
        let blocks = chain.events(0, 10).await.unwrap();
        let mark = Mark::of(blocks.last().unwrap());
        let newest = chain.copy();
        let checked = async || mark.check(&chain.head().await.unwrap(), &chain).await;
        checked().await.unwrap();
        form(3);
        checked().await.unwrap();
        chain.replace_by(&older);
        let gone = LedgerError::SetBack {
            number: 1,
            was: mark.hash,
            is: None,
        };
        assert_eq!(checked().await, Err(gone.clone()));
        assert!(
            gone.to_string().contains("and is gone; nothing is taken"),
            "{gone}"
        );
        form(4);
        let told = checked().await.unwrap_err();
        assert!(
            matches!(
                told,
                LedgerError::SetBack {
                    number: 1,
                    is: Some(_),
                    ..
                }
            ),
            "{told}"
        );
        assert!(told.to_string().contains("and is now 0x"), "{told}");
        chain.replace_by(&newest);
        checked().await.unwrap();
        // A node whose finality lags behind another's still has the block.
        let behind = Head {
            number: 0,
            hash: [0; 32],
            time: Timestamp(1_000),
        };
        mark.check(&behind, &chain).await.unwrap();
    }

    #[test]
    fn marks_are_few_and_reach_back_to_the_first() {
        let mut marks = Marks::default();
        let mark = |number| Mark {
            number,
            hash: [1; 32],
        };
        for number in 0..10_000 {
            assert!(marks.note(mark(number)), "{number}");
            assert!(!marks.note(mark(number)), "{number}");
            assert!(marks.0.len() <= Marks::MOST, "{number}");
        }
        assert_eq!(marks.0.first(), Some(&mark(0)));
        for back in 0..30 {
            assert!(marks.0.contains(&mark(9_999 - back)), "{back}");
        }
        marks.cut(9_990);
        assert_eq!(marks.newest(), Some(mark(9_990)));
    }

    #[tokio::test]
    async fn the_last_block_that_two_chains_share_is_found() {
        let chain = MemoryLedger::new(Threshold::new(1, 1).unwrap(), Vec::new(), Timestamp(1_000));
        let form = |n| chain.form_committee(Threshold::new(n, 1).unwrap(), Vec::new());
        let mut marks = Marks::default();
        let mut older = None;
        for n in 2..9 {
            form(n);
            if n == 5 {
                older = Some(chain.copy());
            }
            let blocks = chain.events(0, 100).await.unwrap();
            assert!(marks.note(Mark::of(blocks.last().unwrap())));
        }
        let newest = marks.newest().unwrap();
        assert_eq!(marks.shared(&chain).await.unwrap(), Some(newest));
        let forked = older.unwrap();
        let fork = chain.events(0, 100).await.unwrap().len();
        chain.replace_by(&forked);
        let shared = marks.shared(&chain).await.unwrap().unwrap();
        let blocks = chain.events(0, 100).await.unwrap();
        assert_eq!(shared, Mark::of(blocks.last().unwrap()));
        assert!(blocks.len() < fork);
        form(4);
        assert_eq!(marks.shared(&chain).await.unwrap(), Some(shared));
        let other = Marks::of([Mark {
            number: 0,
            hash: [9; 32],
        }]);
        assert_eq!(other.shared(&chain).await.unwrap(), None);
        assert_eq!(Marks::default().shared(&chain).await.unwrap(), None);
    }
}
