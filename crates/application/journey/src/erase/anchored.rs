//! An own record of which only the chain tells: no sync looked at it yet, or no node gives it. Its anchor is enough to erase it.

use medibloc_ledger::Event;
use medibloc_record::RecordId;

use crate::looks::Look;
use crate::party::table;
use crate::{JourneyError, KeptRecord, Party};

impl Party {
    /// An own record as it is kept here, or as its anchor says if that still waits to be looked at.
    ///
    /// # Errors
    /// [`JourneyError::Unknown`] if neither is here; if the vault fails.
    pub fn kept_or_anchored(&self, record: RecordId) -> Result<KeptRecord, JourneyError> {
        match self.record(record) {
            Err(unknown @ JourneyError::Unknown { .. }) => {
                let look: Option<Look> = self.row(table::LOOKS, record.as_bytes())?;
                look.map(|look| look.waiting()).ok_or(unknown)
            }
            kept => kept,
        }
    }

    /// Asks the chain for a record of an own address that this home does not know, and keeps its anchor as a sync does; whether there
    /// is one.
    ///
    /// # Errors
    /// If the chain does not answer or is not the right one, or if the vault fails.
    pub async fn learn_anchor(&self, record: RecordId) -> Result<bool, JourneyError> {
        if self.kept_or_anchored(record).is_ok() {
            return Ok(true);
        }
        self.right_head().await?;
        let mut own = self.own_accounts()?;
        let mut ahead = self.ahead()?;
        let mut found: Option<Look> = None;
        for (at, event) in self.read_from(0).await?.events {
            self.take_registered(&mut ahead, &mut own, &event)?;
            match (event, &mut found) {
                // An id costs a hash: that of strangers' records is not asked for.
                (Event::Anchored(anchor), None)
                    if own.contains_key(&anchor.owner) && anchor.record_id() == record =>
                {
                    found = Some(Look::new(anchor, at, anchor.capsule));
                }
                (
                    Event::CapsuleReplaced {
                        record: of, digest, ..
                    },
                    Some(look),
                ) if of == record => {
                    look.capsule = digest;
                }
                _ => {}
            }
        }
        let Some(look) = found else {
            return Ok(false);
        };
        self.ports.vault.apply(vec![look.row()])?;
        Ok(true)
    }
}
