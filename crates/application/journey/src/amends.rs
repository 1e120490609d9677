//! Amendments (design 02): a record that corrects another one of the same owner names it on the chain. Both stay; whoever
//! has the corrected one here is told of the correction.

use medibloc_consent::AnchorFields;
use medibloc_record::RecordId;

use crate::party::table;
use crate::write::WriteJob;
use crate::{JourneyError, KeptRecord, Party};

impl Party {
    /// The record that a record corrects, if it is here and corrects one.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn amends(&self, record: RecordId) -> Result<Option<RecordId>, JourneyError> {
        if let Some(kept) = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())? {
            return Ok(kept.anchor.amends);
        }
        let mut openers = self.openers(record)?;
        openers.retain(|(held, _)| held.is_checked);
        let found = openers.into_iter().next();
        Ok(found.and_then(|(_, key)| key.anchor.amends))
    }

    /// The anchor of a record that this party wrote, to be named by its correction.
    ///
    /// # Errors
    /// [`JourneyError::Unknown`] if it wrote none of this id, or the vault fails.
    pub fn amendable(&self, record: RecordId) -> Result<AnchorFields, JourneyError> {
        let kept = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())?;
        let mut anchor = kept.map(|kept| kept.anchor);
        for table in [table::WRITTEN, table::JOBS] {
            if anchor.is_none() {
                let job = self.row::<WriteJob>(table, record.as_bytes())?;
                anchor = job.map(|job| job.anchor);
            }
        }
        if anchor.is_none() {
            anchor = self.authored_anchor(record)?;
        }
        anchor.ok_or_else(|| JourneyError::Unknown {
            what: format!("record {record}"),
            hint: "only who wrote it, or owns it, corrects it from here",
        })
    }
}
