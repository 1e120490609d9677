//! Where the notes are that belong to no address. It moves: the address of the person's own records, the first of all, is registered
//! with the first of them, and a public account later than the first contact.

use medibloc_record::{AccountId, Timestamp};

use super::NoteRow;
use crate::party::{OwnAddress, change, table};
use crate::{JourneyError, Party};

impl NoteRow {
    /// When what a node had last of it was said.
    pub(super) fn last_heard(&self) -> Option<Timestamp> {
        let given = (!self.owed).then_some(self.entry.at);
        self.heard.max(given)
    }

    /// Whether it says that something was taken back, and the other devices cannot hear of it yet.
    pub(super) fn is_untold(&self) -> bool {
        self.owed && self.entry.about.is_taken_back()
    }

    /// The same as it is to be given to the node again.
    pub(super) fn owed_again(self) -> Self {
        let is_taken_back = self.entry.about.is_taken_back();
        Self {
            heard: self.last_heard().filter(|_| is_taken_back),
            owed: true,
            ..self
        }
    }

    /// Whether it is to be given to the node, where what belongs to no address is at home under this one.
    pub(super) fn is_owed(&self, home: Option<AccountId>) -> bool {
        self.owed || (self.own.is_none() && self.at != home)
    }

    /// Whether it is to be in the notes of an address: where it belongs, and where it stood until it is there.
    pub(super) fn is_in(&self, id: AccountId, home: Option<AccountId>) -> bool {
        self.own.or(home) == Some(id) || (self.own.is_none() && self.at == Some(id))
    }
}

impl Party {
    /// The address whose notes have what belongs to none: the public account, or else the first that is registered.
    pub(crate) async fn notes_home(&self) -> Result<Option<AccountId>, JourneyError> {
        if let Some(account) = self.registered_account().await? {
            return Ok(Some(account.id()));
        }
        let reserved: Vec<OwnAddress> = self.rows(table::RESERVED)?;
        let mut own = self.addresses()?;
        own.retain(|own| reserved.iter().all(|other| other.address != own.address));
        let first = own.into_iter().min_by_key(|own| own.index);
        Ok(first.map(|own| own.id()))
    }

    /// What belongs to no address and is not where it is to be now is owed there.
    pub(super) async fn owe_what_moves(&self) -> Result<(), JourneyError> {
        let rows = self.rows::<NoteRow>(table::NOTES)?;
        let home = self.notes_home().await?;
        let moves = rows
            .into_iter()
            .filter(|row| !row.owed && row.is_owed(home));
        let owed = moves.map(|row| {
            let owed = row.owed_again();
            change(table::NOTES, &owed.entry.about.key(), &owed)
        });
        Ok(self.ports.vault.apply(owed.collect())?)
    }
}
