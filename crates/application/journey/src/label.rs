//! What this home calls an owner: a label for people who choose among addresses. It stays in this home and is never sent.

use medibloc_record::AccountId;

use crate::party::table;
use crate::ports::Change;
use crate::{JourneyError, Party};

/// Bytes of a label, at most.
const MOST: usize = 256;

impl Party {
    /// What this home calls an owner; none if nothing.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn label(&self, owner: AccountId) -> Result<Option<String>, JourneyError> {
        self.row(table::LABELS, owner.as_bytes())
    }

    /// Keeps what this home calls an owner; an empty label takes it away.
    ///
    /// # Errors
    /// If it is longer than 256 bytes, or the vault fails.
    pub fn set_label(&self, owner: AccountId, label: &str) -> Result<(), JourneyError> {
        let label = label.trim();
        if label.len() > MOST {
            return Err(JourneyError::TooLong {
                what: "label",
                bytes: label.len(),
                most: MOST,
            });
        }
        if label.is_empty() {
            let key = owner.as_bytes().to_vec();
            let gone = Change::Delete {
                table: table::LABELS,
                key,
            };
            return Ok(self.ports.vault.apply(vec![gone])?);
        }
        self.put(table::LABELS, owner.as_bytes(), &label)
    }
}
