//! Whom records name that an older program read: it passed over large ones, references, and who else they name.

use crate::party::{change, table};
use crate::{JourneyError, Party};

/// Where it is kept that this was done.
const DONE: &[u8] = b"others-read";

impl Party {
    /// Reads them, once, but for persons that their owner confirmed. What cannot be read any more stays as it was read.
    pub(crate) fn read_named_anew(&self) -> Result<(), JourneyError> {
        if self.row::<bool>(table::CURSOR, DONE)?.is_some() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for mut kept in self.records()? {
            let is_nobody = kept.named.is_nobody();
            let is_asked = is_nobody || !kept.confirmed && kept.named.unread().is_none();
            let Some(manifest) = kept.manifest.as_ref().filter(|_| is_asked) else {
                continue;
            };
            let named = self.whom_names(manifest);
            let is_less = named.unread().is_some() && !is_nobody;
            if named == kept.named || is_less {
                continue;
            }
            kept.named = named;
            rows.push(change(table::RECORDS, kept.record().as_bytes(), &kept));
        }
        rows.push(change(table::CURSOR, DONE, &true));
        Ok(self.ports.vault.apply(rows)?)
    }
}
