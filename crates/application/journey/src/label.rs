//! What this home calls an owner: a label for people who choose among addresses. Nobody else is told: it
//! leaves this home in a note that the phrase alone opens.

use medibloc_record::AccountId;

use crate::notes::About;
use crate::party::{change, table};
use crate::ports::Change;
use crate::{JourneyError, Party};
use medibloc_record::on_one_line;

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
    /// If it shows nothing, is longer than 256 bytes, or the vault fails.
    pub fn set_label(&self, owner: AccountId, label: &str) -> Result<(), JourneyError> {
        if !label.is_empty() && on_one_line(label).is_empty() {
            return Err(JourneyError::ShowsNothing { what: "label" });
        }
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
            let noted = self.note_anew::<String>(None, About::Label(owner), None)?;
            return Ok(self.ports.vault.apply(vec![gone, noted])?);
        }
        let kept = change(table::LABELS, owner.as_bytes(), &label);
        let noted = self.note_anew(None, About::Label(owner), Some(&label))?;
        Ok(self.ports.vault.apply(vec![kept, noted])?)
    }
}
