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
}
