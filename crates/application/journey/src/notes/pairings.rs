//! Pairings among the notes: one without a consent stands on no chain, and the other side would have to be invited anew. A contact's
//! credential stands apart, once for all that name it, as that of its consents.

use medibloc_record::{AccountId, Digest};
use serde::{Deserialize, Serialize};

use super::{About, Entry, NoteRow, Noted};
use crate::pairing::{Contact, MOST_UNUSED, Patron};
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::{JourneyError, Party};

/// A contact without what stands elsewhere: the addresses in its card, and its credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ContactNote {
    contact: Contact,
    /// The credential's SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<Digest>,
}

/// What is noted of a contact; older homes noted it with its credential within.
fn noted(entry: &Entry) -> Result<Option<ContactNote>, JourneyError> {
    match entry.says::<ContactNote>() {
        Ok(note) => Ok(note),
        Err(error) => match entry.says::<Contact>() {
            Ok(contact) => Ok(contact.map(|contact| ContactNote {
                contact,
                credential: None,
            })),
            Err(_) => Err(error),
        },
    }
}

impl Party {
    /// Notes every pairing as it stands; what was noted as it is changes nothing.
    pub(super) fn note_pairings(&self) -> Result<(), JourneyError> {
        let mut rows = Vec::new();
        for mut contact in self.contacts()? {
            // They are among those that are not used yet.
            contact.card.readers.clear();
            let own = contact.own;
            let credential = match contact.card.credential.take() {
                Some(credential) => {
                    let digest = Digest::of(credential.as_bytes());
                    rows.extend(self.note_if_new(None, About::Credential(digest), &credential)?);
                    Some(digest)
                }
                // It came back without its credential, and may get it by a later sync.
                None => self.noted_credential(own)?,
            };
            let note = ContactNote {
                contact,
                credential,
            };
            rows.extend(self.note_if_new(Some(own), About::Contact(own), &note)?);
        }
        for patron in self.patrons()? {
            rows.extend(self.note_if_new(None, About::Patron(patron.owner), &patron)?);
        }
        if rows.is_empty() {
            return Ok(());
        }
        Ok(self.ports.vault.apply(rows)?)
    }

    fn noted_credential(&self, own: AccountId) -> Result<Option<Digest>, JourneyError> {
        let row: Option<NoteRow> = self.row(table::NOTES, &About::Contact(own).key())?;
        let note = row.map_or(Ok(None), |row| noted(&row.entry))?;
        Ok(note.and_then(|note| note.credential))
    }

    /// Contacts that came back get the credentials that came back: both are in notes of different addresses.
    pub(super) fn give_contacts_their_credentials(&self) -> Result<(), JourneyError> {
        let mut changes = Vec::new();
        for mut contact in self.contacts()? {
            if contact.card.account.is_none() || contact.card.credential.is_some() {
                continue;
            }
            let digest = self.noted_credential(contact.own)?;
            contact.card.credential =
                digest.map_or(Ok(None), |digest| self.credential_of(digest))?;
            if contact.card.credential.is_some() {
                let key = contact.own.as_bytes();
                changes.push(change(table::CONTACTS, key, &contact));
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        Ok(self.ports.vault.apply(changes)?)
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
        let Some(ContactNote { mut contact, .. }) = self::noted(entry)? else {
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
            if known.name == contact.name && contact.card.credential.is_none() {
                contact.card.credential = known.card.credential;
            }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use medibloc_keys::{Language, Phrase, SeededEntropy};
    use medibloc_record::Role;

    use super::*;
    use crate::SyncReport;
    use crate::memory::World;

    fn phrase() -> Phrase {
        Phrase::generate(&mut SeededEntropy::new(1), Language::English)
    }

    /// A person and a contact that nothing was given to.
    async fn paired() -> (Arc<World>, Party, Contact) {
        let world = World::new(7);
        let clinic = Phrase::generate(&mut SeededEntropy::new(2), Language::English);
        let clinic = Party::new(clinic.seed(), Role::Provider, world.ports());
        clinic.register_account().await.unwrap();
        let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
        let patient = Party::new(phrase().seed(), Role::Person, world.ports());
        let invitation = patient.invite().await.unwrap();
        clinic.answer(&invitation, Some(&jwt)).await.unwrap();
        patient.sync().await.unwrap();
        let mut contact = patient.contacts().unwrap().remove(0);
        contact.card.readers.clear();
        (world, patient, contact)
    }

    async fn restored(world: &Arc<World>) -> Contact {
        let phrase = phrase();
        let restored = Party::restore(&phrase, Role::Person, world.ports());
        let (home, report) = restored.await.unwrap();
        assert_eq!(report.noted.pairings, 1, "{report:?}");
        home.contacts().unwrap().remove(0)
    }

    #[tokio::test]
    async fn a_contact_is_noted_beside_its_credential_and_comes_back_with_it() {
        let (world, patient, contact) = paired().await;
        let digest = Digest::of(contact.card.credential.as_ref().unwrap().as_bytes());
        let key = About::Contact(contact.own).key();
        let row: NoteRow = patient.row(table::NOTES, &key).unwrap().unwrap();
        let note: ContactNote = row.entry.says().unwrap().unwrap();
        assert_eq!(note.contact.card.credential, None);
        assert_eq!(note.credential, Some(digest));
        assert!(restored(&world).await == contact);
        // What stands as it is noted is not written again.
        let turns = patient.ports.vault.list(table::NOTE_TURNS).unwrap();
        patient.sync().await.unwrap();
        assert!(patient.ports.vault.list(table::NOTE_TURNS).unwrap() == turns);
    }

    #[tokio::test]
    async fn a_contact_that_was_noted_with_its_credential_within_comes_back_too() {
        let (world, patient, contact) = paired().await;
        let about = About::Contact(contact.own);
        let row = patient.note_row(Some(contact.own), about, Some(&contact));
        patient.ports.vault.apply(vec![row.unwrap()]).unwrap();
        let mut report = SyncReport::default();
        patient.give_notes(&mut report).await.unwrap();
        assert_eq!(report.later, Vec::<String>::new());
        assert!(restored(&world).await == contact);
    }

    #[tokio::test]
    async fn a_credential_that_comes_after_its_contact_is_given_to_it() {
        let (world, _, contact) = paired().await;
        let phrase = phrase();
        let restored = Party::restore(&phrase, Role::Person, world.ports());
        let (home, _) = restored.await.unwrap();
        let jwt = contact.card.credential.clone().unwrap();
        let about = About::Credential(Digest::of(jwt.as_bytes()));
        let row: NoteRow = home.row(table::NOTES, &about.key()).unwrap().unwrap();
        let mut without = contact.clone();
        without.card.credential = None;
        let gone = Change::Delete {
            table: table::NOTES,
            key: about.key(),
        };
        let kept = change(table::CONTACTS, contact.own.as_bytes(), &without);
        home.ports.vault.apply(vec![gone, kept]).unwrap();
        // Nothing of it is lost while the credential is away.
        home.sync().await.unwrap();
        assert!(home.contacts().unwrap() == [without]);
        let back = change(table::NOTES, &about.key(), &row);
        home.ports.vault.apply(vec![back]).unwrap();
        home.sync().await.unwrap();
        assert!(home.contacts().unwrap() == [contact]);
    }
}
