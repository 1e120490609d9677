//! That everything was taken back, noted for the other devices of the phrase: a decision by which nothing was given yet is on no
//! chain, and another device that has it would give by it.

use medibloc_record::{AccountId, Timestamp};

use super::{About, NoteRow, Noted};
use crate::party::table;
use crate::ports::Change;
use crate::{JourneyError, Party};

impl Party {
    /// The row that notes that everything of the contact of an own address was taken back now, or of everybody.
    pub(crate) fn taken_back_row(&self, own: Option<AccountId>) -> Result<Change, JourneyError> {
        let about = own.map_or(About::AllTakenBack, About::TakenBack);
        self.note_row(own, about, Some(&self.after_taken_back(own)?))
    }

    /// Now, or the first second that is after all that was taken back of the contact of an own address.
    pub(crate) fn after_taken_back(
        &self,
        own: Option<AccountId>,
    ) -> Result<Timestamp, JourneyError> {
        let after = self.last_taken_back(own)?.map(|at| at.plus(1));
        Ok(self.ports.clock.now().max(after.unwrap_or_default()))
    }

    fn last_taken_back(&self, own: Option<AccountId>) -> Result<Option<Timestamp>, JourneyError> {
        let mut last = None;
        for about in own
            .map(About::TakenBack)
            .into_iter()
            .chain([About::AllTakenBack])
        {
            let row: Option<NoteRow> = self.row(table::NOTES, &about.key())?;
            last = last.max(row.map(|row| row.entry.at));
        }
        Ok(last)
    }

    /// Whether a device of the phrase noted since then that everything of the contact of an own address was taken back, or of
    /// everybody. The own node is asked for the notes of two addresses.
    pub(crate) async fn was_taken_back_since(
        &self,
        own: AccountId,
        decided: Timestamp,
    ) -> Result<bool, JourneyError> {
        for id in [Some(own), self.notes_home().await?].into_iter().flatten() {
            let own = self.own_address(id)?;
            let node = self.notes_at(&own);
            self.notes_of(&own, &*node, &mut Noted::default()).await?;
        }
        let last = self.last_taken_back(Some(own))?;
        Ok(last.is_some_and(|last| last >= decided))
    }
}
