//! Whom records name that an older program kept as naming nobody: it did not read large ones, and no references.

use crate::party::{change, table};
use crate::{JourneyError, Party};

/// Where it is kept that this was done.
const DONE: &[u8] = b"references-read";

impl Party {
    /// Reads them, once.
    pub(crate) fn read_nobody_anew(&self) -> Result<(), JourneyError> {
        if self.row::<bool>(table::CURSOR, DONE)?.is_some() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for mut kept in self.records()? {
            let Some(manifest) = kept.manifest.as_ref().filter(|_| kept.named.is_nobody()) else {
                continue;
            };
            kept.named = self.whom_names(manifest);
            if kept.named.is_nobody() {
                continue;
            }
            rows.push(change(table::RECORDS, kept.record().as_bytes(), &kept));
        }
        rows.push(change(table::CURSOR, DONE, &true));
        Ok(self.ports.vault.apply(rows)?)
    }
}
