//! Records of the very same document: two authors, or one author at two addresses of an owner, sent it.

use std::collections::BTreeMap;

use medibloc_record::{Digest, PartRole, RecordId};

use crate::{JourneyError, Party, Standing};

impl Party {
    /// Own records that stand and have the same original as another, each with those others, whichever own address they are of.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn same_documents(&self) -> Result<BTreeMap<RecordId, Vec<RecordId>>, JourneyError> {
        let mut by_original: BTreeMap<Digest, Vec<RecordId>> = BTreeMap::new();
        for kept in self.records()? {
            let stands = matches!(kept.standing, Standing::Checked | Standing::Accepted);
            let manifest = kept.manifest.as_ref().filter(|_| stands);
            if let Some(part) = manifest.and_then(|manifest| manifest.part(PartRole::Original)) {
                by_original
                    .entry(part.plaintext)
                    .or_default()
                    .push(kept.record());
            }
        }
        let several = by_original.into_values().filter(|all| all.len() > 1);
        let each = several.flat_map(|all| {
            let others = |one: RecordId| all.iter().copied().filter(move |other| *other != one);
            let each = all.iter().map(|one| (*one, others(*one).collect()));
            each.collect::<Vec<_>>()
        });
        Ok(each.collect())
    }
}
