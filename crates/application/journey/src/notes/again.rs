//! Whether the own node still has what it was given to keep: an older copy of it that was put back lacks the newest notes, and says
//! so to nobody.

use std::collections::BTreeSet;

use medibloc_record::{AccountId, Timestamp};

use super::{Noted, tell_once};
use crate::party::table;
use crate::{JourneyError, Party, SyncReport};

/// When the node was last asked for everything.
const ASKED: &[u8] = b"notes-asked";
const DAY: u64 = 86_400;

/// What became of notes that the own node was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotesAgain {
    /// Of how many own addresses the node was asked.
    pub asked: usize,
    /// Of how many it had older notes, or none.
    pub older: usize,
    /// What could not be done, with the reason.
    pub failed: Vec<String>,
}

impl Party {
    /// Asks the own node for the notes of own addresses, at most so many. Gives how many were asked for, and of how many the node has
    /// older notes than this home left there, or none.
    ///
    /// # Errors
    /// If the vault fails or the node does not answer.
    pub async fn older_notes(&self, most: usize) -> Result<(usize, usize), JourneyError> {
        let noted = self.noted_addresses()?;
        let (mut asked, mut lost) = (0, 0);
        for id in noted.into_iter().take(most) {
            let own = self.own_address(id)?;
            let node = self.notes_at(&own);
            let there = self.notes_of(&own, &*node, &mut Noted::default()).await?;
            asked += 1;
            lost += usize::from(!self.older_places(&own, &there)?.is_empty());
        }
        Ok((asked, lost))
    }

    /// Gives the own node again what it lacks of notes.
    ///
    /// # Errors
    /// If the vault fails or the node does not answer.
    pub async fn give_notes_again(&self) -> Result<NotesAgain, JourneyError> {
        let (asked, older) = self.older_notes(usize::MAX).await?;
        let mut report = SyncReport::default();
        if self.meets_node(&mut report)? {
            self.give_notes(&mut report).await?;
        }
        Ok(NotesAgain {
            asked,
            older,
            failed: report.later,
        })
    }

    pub(super) fn is_day_of_notes(&self) -> Result<bool, JourneyError> {
        let asked: Option<Timestamp> = self.row(table::CURSOR, ASKED)?;
        let now = self.ports.clock.now();
        Ok(asked.is_none_or(|asked| now.since(asked) >= DAY || asked > now))
    }

    /// What the node has older notes of is told, and owed again; so is what is not where it is to be.
    pub(super) async fn look_at_notes(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let noted = self.noted_addresses()?;
        if noted.is_empty() {
            return Ok(());
        }
        for id in noted {
            if self.patience.is_called() {
                return Ok(());
            }
            let own = self.own_address(id)?;
            let mut noted = Noted::default();
            let node = self.notes_at(&own);
            let there = self.notes_of(&own, &*node, &mut noted).await;
            tell_once(noted, report);
            there?;
        }
        self.owe_what_moves().await?;
        self.put(table::CURSOR, ASKED, &self.ports.clock.now())
    }

    /// Own addresses whose notes this home gave to the node.
    fn noted_addresses(&self) -> Result<BTreeSet<AccountId>, JourneyError> {
        let mut noted = BTreeSet::new();
        for (key, _) in self.keyed_rows::<u64>(table::NOTE_TURNS)? {
            if let Some((_, own)) = key.split_last()
                && let Ok(own) = <[u8; 20]>::try_from(own)
            {
                noted.insert(AccountId::new(own));
            }
        }
        Ok(noted)
    }
}
