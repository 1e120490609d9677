//! Whom large records name that an older program kept: it did not read them, and kept that as nobody.

use medibloc_record::PartRole;

use crate::party::{change, table};
use crate::{JourneyError, KeptRecord, Party};

/// The largest FHIR form that was read before, in bytes.
const READ_BEFORE: u64 = 32 << 20;

/// Where it is kept that this was done.
const DONE: &[u8] = b"large-forms-read";

fn was_too_large(kept: &KeptRecord) -> bool {
    let part = kept.manifest.as_ref();
    let part = part.and_then(|manifest| manifest.part(PartRole::Fhir));
    kept.named.is_nobody() && part.is_some_and(|part| part.length > READ_BEFORE)
}

impl Party {
    /// Reads them, once.
    pub(crate) fn read_large_anew(&self) -> Result<(), JourneyError> {
        if self.row::<bool>(table::CURSOR, DONE)?.is_some() {
            return Ok(());
        }
        let mut rows = Vec::new();
        for mut kept in self.records()? {
            let Some(manifest) = kept.manifest.as_ref().filter(|_| was_too_large(&kept)) else {
                continue;
            };
            kept.named = self.whom_names(manifest);
            rows.push(change(table::RECORDS, kept.record().as_bytes(), &kept));
        }
        rows.push(change(table::CURSOR, DONE, &true));
        Ok(self.ports.vault.apply(rows)?)
    }
}
