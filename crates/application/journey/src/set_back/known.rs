//! What this vault knows of the chain while it does not answer, or is not the right one.

use medibloc_ledger::Head;
use medibloc_record::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::party::table;
use crate::{InBlock, JourneyError, Party};

/// The last final block of the right chain that was told.
const KNOWN: &[u8] = b"last-known";

/// The last final block, as the chain says, or as this home heard of it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf {
    /// Its number; none if the chain does not answer and this home heard of no block before.
    pub block: Option<u64>,
    /// Its hash.
    pub hash: Option<Digest>,
    /// Its time.
    pub time: Option<Timestamp>,
    /// Why this is only what this home heard last: the chain does not answer, or is not the right one. None if the chain said it.
    pub silent: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    number: u64,
    hash: Digest,
    time: Timestamp,
}

impl Party {
    /// As of which block this home can say how things stand, whether the chain answers or not.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn as_of(&self) -> Result<AsOf, JourneyError> {
        let (known, silent) = match self.right_head().await {
            Ok(head) => (Some(Known::of(&head)), None),
            Err(JourneyError::Ledger(error)) => {
                (self.row(table::CURSOR, KNOWN)?, Some(error.to_string()))
            }
            Err(error) => return Err(error),
        };
        Ok(AsOf {
            block: known.map(|known| known.number),
            hash: known.map(|known| known.hash),
            time: known.map(|known| known.time),
            silent,
        })
    }

    /// The last block that this home heard of; the chain is not asked.
    pub(crate) fn last_known(&self) -> Result<Option<InBlock>, JourneyError> {
        let known: Option<Known> = self.row(table::CURSOR, KNOWN)?;
        let known = known.map(|known| InBlock {
            block: known.number,
            time: Some(known.time),
        });
        // Another node of the chain, which lags, may have told the other one since.
        let seen = self.last_seen()?.map(|mark| InBlock {
            block: mark.number,
            time: None,
        });
        let is_older = |seen: &InBlock| known.is_none_or(|known| known.block < seen.block);
        Ok(seen.filter(is_older).or(known))
    }

    /// Time of the last final block, as far as it is known; the begin of time if nothing is, in which every consent stands.
    pub(crate) async fn known_now(&self) -> Result<Timestamp, JourneyError> {
        Ok(self.as_of().await?.time.unwrap_or(Timestamp(0)))
    }

    /// The time by which what this home gave counts as ended: the earlier of the own clock and the chain's. Whoever runs the only
    /// node that is asked can tell any time, and what seems to have ended is not taken back; to end it once more hurts nobody.
    pub(crate) async fn earlier_now(&self) -> Result<Timestamp, JourneyError> {
        Ok(self.known_now().await?.min(self.ports.clock.now()))
    }

    /// Keeps a block of the right chain, for when it does not answer. It is worth no failed command.
    pub(super) fn note_known(&self, head: &Head) {
        let known = Known::of(head);
        let before: Result<Option<Known>, _> = self.row(table::CURSOR, KNOWN);
        if !before.is_ok_and(|before| before == Some(known)) {
            let _ = self.put(table::CURSOR, KNOWN, &known);
        }
    }
}

impl Known {
    const fn of(head: &Head) -> Self {
        Self {
            number: head.number,
            hash: Digest::new(head.hash),
            time: head.time,
        }
    }
}
