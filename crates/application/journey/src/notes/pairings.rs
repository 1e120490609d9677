//! Pairings among the notes: one without a consent stands on no chain, and the other side would have to be invited anew.

use medibloc_record::AccountId;

use super::{About, Entry, Noted};
use crate::pairing::{Contact, MOST_UNUSED, Patron};
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::{JourneyError, Party};

impl Party {
    /// Notes every pairing as it stands; what was noted as it is changes nothing.
    pub(super) fn note_pairings(&self) -> Result<(), JourneyError> {
        let mut rows = Vec::new();
        for mut contact in self.contacts()? {
            // They are among those that are not used yet.
            contact.card.readers.clear();
            let own = contact.own;
            rows.extend(self.note_if_new(Some(own), About::Contact(own), &contact)?);
        }
        for patron in self.patrons()? {
            rows.extend(self.note_if_new(None, About::Patron(patron.owner), &patron)?);
        }
        if rows.is_empty() {
            return Ok(());
        }
        Ok(self.ports.vault.apply(rows)?)
    }

    /// The pairing never was: nothing is said of it any more.
    pub(crate) fn patron_noted_no_more(
        &self,
        owner: AccountId,
    ) -> Result<Option<Change>, JourneyError> {
        let about = About::Patron(owner);
        if self.ports.vault.get(table::NOTES, &about.key())?.is_none() {
            return Ok(None);
        }
        self.note_row::<Patron>(None, about, None).map(Some)
    }

    /// A contact of this address as another home of the phrase noted it: what both know is kept.
    pub(super) fn take_contact(
        &self,
        own: &OwnAddress,
        entry: &Entry,
        noted: &mut Noted,
    ) -> Result<Vec<Change>, JourneyError> {
        let Some(mut contact) = entry.says::<Contact>()? else {
            return Ok(Vec::new());
        };
        if contact.own != own.id() {
            return Err(JourneyError::Untrusted {
                what: "note",
                why: "it is of a contact of another address".into(),
            });
        }
        if let Ok(known) = self.contact(own.id()) {
            if known.party != contact.party {
                return Ok(Vec::new());
            }
            contact.confirmed |= known.confirmed && known.name == contact.name;
            for (reader, binding) in known.unused {
                if contact.unused.iter().all(|(other, _)| *other != reader) {
                    contact.unused.push((reader, binding));
                }
            }
        }
        contact.unused.truncate(MOST_UNUSED);
        noted.pairings += 1;
        Ok(vec![change(
            table::CONTACTS,
            own.address.as_bytes(),
            &contact,
        )])
    }

    /// An owner whose invitation another home of the phrase answered.
    pub(super) fn take_patron(
        &self,
        owner: AccountId,
        entry: &Entry,
        noted: &mut Noted,
    ) -> Result<Vec<Change>, JourneyError> {
        let Some(patron) = entry.says::<Patron>()? else {
            return Ok(vec![Change::Delete {
                table: table::PATRONS,
                key: owner.as_bytes().to_vec(),
            }]);
        };
        if patron.owner != owner || self.own(owner)?.is_some() {
            return Err(JourneyError::Untrusted {
                what: "note",
                why: "it is of a pairing with another owner, or with an own address".into(),
            });
        }
        noted.pairings += 1;
        Ok(vec![change(table::PATRONS, owner.as_bytes(), &patron)])
    }
}
