//! What its author is told once the owner of a record erased it: nothing of the record is left to say which it was but its id.

use medibloc_record::{AccountId, RecordId, Timestamp};

use super::Erasure;
use crate::party::table;
use crate::{JourneyError, Party, SyncReport};

/// A record that this party wrote for somebody, who erased it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErasedWritten {
    /// Which.
    pub record: RecordId,
    /// Whose it was.
    pub owner: AccountId,
    /// When.
    pub at: Timestamp,
    /// In which block; none if that is not known here.
    pub block: Option<u64>,
}

impl ErasedWritten {
    /// None if it was not written here for somebody else.
    pub fn of(erasure: &Erasure) -> Option<Self> {
        erasure.author_told.map(|_| Self {
            record: erasure.record,
            owner: erasure.owner,
            at: erasure.at,
            block: erasure.read_until,
        })
    }
}

impl Party {
    /// Each erasure once, by whichever step this home met it first.
    pub(crate) fn tell_erased_written(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        for mut erasure in self.rows::<Erasure>(table::ERASED)? {
            if erasure.author_told != Some(false) {
                continue;
            }
            erasure.author_told = Some(true);
            self.put(table::ERASED, erasure.record.as_bytes(), &erasure)?;
            report.erased_written.extend(ErasedWritten::of(&erasure));
        }
        Ok(())
    }
}
