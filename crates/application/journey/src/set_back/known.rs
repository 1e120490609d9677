//! What this vault knows of the chain while it does not answer, or is not the right one.

use medibloc_ledger::{Head, Mark};
use medibloc_record::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::party::{change, table};
use crate::ports::Change;
use crate::{InBlock, JourneyError, NotTaken, Party};

/// The last final block of the right chain that was told.
const KNOWN: &[u8] = b"last-known";

/// The last final block that a sync took.
const TAKEN: &[u8] = b"last-taken";

/// The last final block up to which own consents were taken.
const CONSENTS: &[u8] = b"consents-up-to";

/// The last final block, as the chain says, or up to which this home took what the chain has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf {
    /// Its number; none if the chain does not answer and this home took no block before.
    pub block: Option<u64>,
    /// Its hash.
    pub hash: Option<Digest>,
    /// Its time; none if this home did not keep it.
    pub time: Option<Timestamp>,
    /// Why this is only what this home took last: the chain does not answer, or is not the right one. None if the chain said it.
    pub silent: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    number: u64,
    hash: Digest,
    time: Timestamp,
}

impl Party {
    /// As of which block this home can say how things stand, whether the chain answers or not. While it does not, that is the
    /// last block that a sync took, and not a later one that this home heard of.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn as_of(&self) -> Result<AsOf, JourneyError> {
        match self.right_head().await {
            Ok(head) => Ok(AsOf::of(Some(Known::of(&head)), None)),
            Err(JourneyError::Ledger(error)) => self.as_of_taken(error.to_string()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn as_of_taken(&self, silent: String) -> Result<AsOf, JourneyError> {
        let taken: Option<Known> = self.row(table::CURSOR, TAKEN)?;
        let last = self.last_taken()?;
        Ok(
            match last.filter(|last| taken.is_none_or(|taken| taken.number != last.number)) {
                // Of a version that kept no time, or of the block that two chains share.
                Some(last) => AsOf {
                    block: Some(last.number),
                    hash: Some(Digest::new(last.hash)),
                    time: None,
                    silent: Some(silent),
                },
                None => AsOf::of(taken, Some(silent)),
            },
        )
    }

    /// As of which block this home can say which consents stand, after it took what the chain has of them; with the consents that
    /// stand and could not be taken. While the chain does not answer, that is the last block up to which they were taken.
    ///
    /// # Errors
    /// If the vault cannot be read.
    pub async fn consents_as_of(&self) -> Result<(AsOf, Vec<NotTaken>), JourneyError> {
        let silent = match self.take_consents().await {
            Ok((head, not_taken)) => {
                let head = Known::of(&head);
                if not_taken.is_empty() {
                    self.note(CONSENTS, head);
                }
                return Ok((AsOf::of(Some(head), None), not_taken));
            }
            // A home that cannot be written to, too.
            Err(error) => error.to_string(),
        };
        let taken = self.as_of_taken(silent.clone())?;
        let consents: Option<Known> = self.row(table::CURSOR, CONSENTS)?;
        let newer = consents.filter(|consents| Some(consents.number) > taken.block);
        let as_of = newer.map_or(taken, |consents| AsOf::of(Some(consents), Some(silent)));
        Ok((as_of, Vec::new()))
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
        let known = match self.right_head().await {
            Ok(head) => Some(Known::of(&head)),
            Err(JourneyError::Ledger(_)) => self.row(table::CURSOR, KNOWN)?,
            Err(error) => return Err(error),
        };
        Ok(known.map_or(Timestamp(0), |known| known.time))
    }

    /// The time by which what this home gave counts as ended: the earlier of the own clock and the chain's. Whoever runs the only
    /// node that is asked can tell any time, and what seems to have ended is not taken back; to end it once more hurts nobody.
    pub(crate) async fn earlier_now(&self) -> Result<Timestamp, JourneyError> {
        Ok(self.known_now().await?.min(self.ports.clock.now()))
    }

    /// Keeps a block of the right chain, for when it does not answer. It is worth no failed command.
    pub(super) fn note_known(&self, head: &Head) {
        self.note(KNOWN, Known::of(head));
    }

    fn note(&self, key: &[u8], known: Known) {
        let before: Result<Option<Known>, _> = self.row(table::CURSOR, key);
        if !before.is_ok_and(|before| before == Some(known)) {
            let _ = self.put(table::CURSOR, key, &known);
        }
    }
}

/// The row of the last final block that a sync took.
pub(crate) fn taken_row(last: &Mark, time: Timestamp) -> Change {
    let known = Known {
        number: last.number,
        hash: Digest::new(last.hash),
        time,
    };
    change(table::CURSOR, TAKEN, &known)
}

/// After another chain was accepted: what was taken of the one that was left says nothing of it.
pub(super) fn forget_taken() -> [Change; 2] {
    [TAKEN, CONSENTS].map(|key| Change::Delete {
        table: table::CURSOR,
        key: key.to_vec(),
    })
}

impl AsOf {
    fn of(known: Option<Known>, silent: Option<String>) -> Self {
        Self {
            block: known.map(|known| known.number),
            hash: known.map(|known| known.hash),
            time: known.map(|known| known.time),
            silent,
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
