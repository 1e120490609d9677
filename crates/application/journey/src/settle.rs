//! A read whose receipt did not come: it is not made later, when nobody reads. What never left is dropped; what may have left
//! is looked for on the chain until it can no longer come to be there.

use medibloc_ledger::Call;
use medibloc_record::{GrantId, ReceiptId, RecordId};

use crate::deadline::REQUEST_LIFE;
use crate::errand::{Errand, errand_key, gone};
use crate::party::{change, table};
use crate::ports::Change;
use crate::{JourneyError, Party, SyncReport};

/// How far the clocks of this machine and of the chain may be apart, in seconds.
const CLOCK: u64 = 120;

impl Party {
    /// Drops a read that failed before anything of it left.
    pub(crate) fn drop_unsent_read(
        &self,
        record: RecordId,
        grant: GrantId,
    ) -> Result<(), JourneyError> {
        let key = errand_key("read", &[record.as_bytes(), grant.as_bytes()]);
        match self.errand(&key)?.filter(Errand::is_unsent) {
            Some(errand) => Ok(self.ports.vault.apply(vec![gone(&errand.key)])?),
            None => Ok(()),
        }
    }

    /// Ends a read that was broken off: it is not sent again. Its receipt is on the chain, or never will be, or that is not
    /// known yet.
    pub(crate) async fn settle_read(
        &self,
        mut errand: Errand,
        record: RecordId,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let drop = |key: &[u8; 32]| self.ports.vault.apply(vec![gone(key)]);
        if errand.is_unsent() {
            return Ok(drop(&errand.key)?);
        }
        // Before the chain is searched: what comes after the end of its consent clears nothing.
        let ended = match &errand.call {
            Call::OpenRead { grant, .. } => self.has_ended(grant).await,
            _ => Ok(false),
        };
        let (found, ended) = match (self.happened(&errand).await, ended) {
            (Ok(found), Ok(ended)) => (found, ended),
            (Ok(found @ Some(_)), Err(_)) => (found, false),
            (Ok(None), Err(error)) | (Err(error), _) => {
                report.later.push(format!("{}: {error}", errand.what));
                return Ok(());
            }
        };
        if let Some(outcome) = found {
            let mut changes = self.after(&errand, outcome)?;
            changes.push(gone(&errand.key));
            self.ports.vault.apply(changes)?;
            report.done.push(format!(
                "a read of record {record} that was broken off was cleared all the same, in block {}, and is not opened here: \
                 its owner sees it; `medibloc read` within minutes opens it without another receipt",
                outcome.block
            ));
            return Ok(());
        }
        let now = self.ports.clock.now();
        let left = errand.left.unwrap_or(now);
        if ended || now.max(self.chain_now().await?) > left.plus(REQUEST_LIFE + CLOCK) {
            drop(&errand.key)?;
            report.done.push(format!(
                "a read of record {record} that was broken off was not cleared: nobody sees it, and nothing was opened"
            ));
            return Ok(());
        }
        if errand.left.is_none() {
            errand.left = Some(left);
            self.put(table::ERRANDS, &errand.key, &errand)?;
        }
        report.later.push(format!(
            "a read of record {record} was broken off after its call had left: whether it was cleared is not known yet, and \
             it is not sent again"
        ));
        Ok(())
    }

    /// The row of a receipt that nothing was opened with yet.
    pub(crate) fn not_opened_row(receipt: ReceiptId) -> Change {
        change(table::NOT_OPENED, receipt.as_bytes(), &true)
    }

    /// Whether a receipt of this home opened nothing.
    pub(crate) fn is_not_opened(&self, receipt: ReceiptId) -> Result<bool, JourneyError> {
        let row = self
            .ports
            .vault
            .get(table::NOT_OPENED, receipt.as_bytes())?;
        Ok(row.is_some())
    }
}

/// The record that an errand reads.
pub(crate) const fn read_by(errand: &Errand) -> Option<RecordId> {
    match &errand.call {
        Call::OpenRead { record, .. } => Some(*record),
        _ => None,
    }
}
