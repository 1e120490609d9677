//! That the chain is the one that this vault followed, and not an older copy or another one.

use medibloc_ledger::{LedgerError, Mark};

use crate::party::{change, table};
use crate::ports::Change;
use crate::{JourneyError, Party};

/// The last final block that a sync took.
const LAST: &[u8] = b"last-block";

impl Party {
    /// That the chain still has the last final block that this vault took. A vault knows better than a node that has lost its copy.
    ///
    /// # Errors
    /// [`LedgerError::SetBack`] if not: then nothing is signed and nothing taken until the chain is the right one again.
    pub async fn check_chain(&self) -> Result<(), JourneyError> {
        let head = self.ports.facts.head().await?;
        let last: Option<Mark> = self.row(table::CURSOR, LAST)?;
        if let Some(last) = last {
            last.check(&head, &*self.ports.events).await?;
        }
        Ok(())
    }

    /// Why the chain is not the one that this vault followed; none if it is, or does not answer.
    pub async fn chain_alarm(&self) -> Result<Option<String>, JourneyError> {
        match self.check_chain().await {
            Err(JourneyError::Ledger(error @ LedgerError::SetBack { .. })) => {
                Ok(Some(error.to_string()))
            }
            Err(error @ JourneyError::Port(_)) => Err(error),
            _ => Ok(None),
        }
    }
}

/// The row of the last final block that was taken.
pub(crate) fn row_of(last: &Mark) -> Change {
    change(table::CURSOR, LAST, last)
}
