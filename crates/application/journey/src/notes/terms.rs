//! The terms of consents among the notes. What a contact's credential says stands once for all of them: it is the longest part
//! of each, and would fill the room of an address with the sixty-fifth consent.

use std::collections::BTreeMap;

use medibloc_record::{AccountId, Digest, GrantId, Role};
use serde::{Deserialize, Serialize};

use super::NoteRow;
use super::form::{About, Entry, Note, OF_ADDRESS, OF_PROVIDER};
use crate::grant::Artefact;
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::{JourneyError, Party};

/// Stands once no noted consent has its credential within.
const APART: &[u8] = b"noted-credentials";

/// A consent to read that was held.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HeldNote {
    /// Whose records it opened.
    pub(crate) owner: AccountId,
    /// What was agreed, without the credential.
    pub(crate) artefact: Artefact,
    /// The credential's SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credential: Option<Digest>,
}

/// A consent to read that was given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GivenNote {
    /// What was agreed, without the credential.
    artefact: Artefact,
    /// The credential's SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<Digest>,
}

/// What is noted of a consent that was given; older homes noted the artefact alone.
pub(super) fn given(entry: &Entry) -> Result<Option<GivenNote>, JourneyError> {
    match entry.says::<GivenNote>() {
        Ok(note) => Ok(note),
        Err(error) => match entry.says::<Artefact>() {
            Ok(artefact) => Ok(artefact.map(|artefact| GivenNote {
                artefact,
                credential: None,
            })),
            Err(_) => Err(error),
        },
    }
}

impl Party {
    /// Of how many consents, given and held ones, notes have the terms.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn noted_terms(&self) -> Result<usize, JourneyError> {
        let rows = self.rows::<NoteRow>(table::NOTES)?;
        let entries = rows.iter().map(|row| &row.entry);
        let of_consents =
            entries.filter(|entry| matches!(entry.about, About::Held(_) | About::Given(_)));
        Ok(of_consents.filter(|entry| entry.says.is_some()).count())
    }

    /// The terms of a consent that was given, as they were noted.
    pub(crate) fn noted_given(&self, grant: GrantId) -> Result<Option<Artefact>, JourneyError> {
        let row: Option<NoteRow> = self.row(table::NOTES, &About::Given(grant).key())?;
        let note = row.map_or(Ok(None), |row| given(&row.entry))?;
        note.map(|note| self.whole(note.artefact, note.credential))
            .transpose()
    }

    /// The terms of every consent that was given, as far as they were noted, without their credentials.
    pub(crate) fn noted_gifts(&self) -> Result<BTreeMap<GrantId, Artefact>, JourneyError> {
        let mut gifts = BTreeMap::new();
        for row in self.rows::<NoteRow>(table::NOTES)? {
            if let About::Given(grant) = row.entry.about
                && let Some(note) = given(&row.entry)?
            {
                gifts.insert(grant, note.artefact);
            }
        }
        Ok(gifts)
    }

    /// The terms of every consent that was ever held, as far as they were noted.
    pub(crate) fn noted_held(&self) -> Result<BTreeMap<GrantId, Artefact>, JourneyError> {
        let mut held = BTreeMap::new();
        for row in self.rows::<NoteRow>(table::NOTES)? {
            if let About::Held(grant) = row.entry.about
                && let Some(note) = row.entry.says::<HeldNote>()?
            {
                held.insert(grant, self.whole(note.artefact, note.credential)?);
            }
        }
        Ok(held)
    }

    /// Terms with the credential that they name, if that came back, too.
    fn whole(
        &self,
        mut artefact: Artefact,
        credential: Option<Digest>,
    ) -> Result<Artefact, JourneyError> {
        if let Some(digest) = credential {
            artefact.credential = self.credential_of(digest)?;
        }
        Ok(artefact)
    }

    /// The credential with this SHA-256, if it came back.
    pub(super) fn credential_of(&self, digest: Digest) -> Result<Option<String>, JourneyError> {
        let row: Option<NoteRow> = self.row(table::NOTES, &About::Credential(digest).key())?;
        row.map_or(Ok(None), |row| row.entry.says())
    }

    /// Terms without their credential, its digest, and the row that has it.
    fn apart(
        &self,
        artefact: &Artefact,
    ) -> Result<(Artefact, Option<Digest>, Option<Change>), JourneyError> {
        let mut artefact = artefact.clone();
        let Some(credential) = artefact.credential.take() else {
            return Ok((artefact, None, None));
        };
        let digest = Digest::of(credential.as_bytes());
        let row = self.note_row(None, About::Credential(digest), Some(&credential))?;
        Ok((artefact, Some(digest), Some(row)))
    }

    /// The rows of a consent that is held.
    pub(crate) fn held_note(
        &self,
        own: AccountId,
        owner: AccountId,
        artefact: &Artefact,
    ) -> Result<Vec<Change>, JourneyError> {
        let Some(id) = artefact.grant.as_ref().map(|grant| grant.id) else {
            return Ok(Vec::new());
        };
        let (artefact, credential, row) = self.apart(artefact)?;
        let note = HeldNote {
            owner,
            artefact,
            credential,
        };
        let terms = self.note_row(Some(own), About::Held(id), Some(&note))?;
        Ok(row.into_iter().chain([terms]).collect())
    }

    /// The rows of a consent that is given.
    pub(crate) fn given_note(
        &self,
        own: AccountId,
        artefact: &Artefact,
    ) -> Result<Vec<Change>, JourneyError> {
        let Some(id) = artefact.grant.as_ref().map(|grant| grant.id) else {
            return Ok(Vec::new());
        };
        let (artefact, credential, row) = self.apart(artefact)?;
        let note = GivenNote {
            artefact,
            credential,
        };
        let terms = self.note_row(Some(own), About::Given(id), Some(&note))?;
        Ok(row.into_iter().chain([terms]).collect())
    }

    /// Notes of before that each have their credential within are written anew, once.
    pub(super) fn note_credentials_once(&self) -> Result<(), JourneyError> {
        if self.row::<bool>(table::CURSOR, APART)?.is_some() {
            return Ok(());
        }
        let mut changes = vec![change(table::CURSOR, APART, &true)];
        for row in self.rows::<NoteRow>(table::NOTES)? {
            let Some(own) = row.own else {
                continue;
            };
            match row.entry.about {
                About::Held(_) => {
                    let note = row.entry.says::<HeldNote>()?;
                    if let Some(note) = note.filter(|note| note.artefact.credential.is_some()) {
                        changes.extend(self.held_note(own, note.owner, &note.artefact)?);
                    }
                }
                About::Given(_) => {
                    let note = given(&row.entry)?;
                    if let Some(note) = note.filter(|note| note.artefact.credential.is_some()) {
                        changes.extend(self.given_note(own, &note.artefact)?);
                    }
                }
                _ => {}
            }
        }
        Ok(self.ports.vault.apply(changes)?)
    }

    /// How long a note of this address may be: a node keeps 1 MiB of who is not accredited, in sixteen places.
    pub(super) fn longest_note(&self, own: &OwnAddress) -> usize {
        match own.index.is_none() && self.role() != Role::Person {
            true => OF_PROVIDER,
            false => OF_ADDRESS,
        }
    }

    /// How many notes of an own address, the oldest, have no room at the node any more: a restore will not bring them back.
    ///
    /// # Errors
    /// If the address is none of this phrase, or the vault fails.
    pub fn notes_without_room(&self, id: AccountId) -> Result<usize, JourneyError> {
        let own = self.own_address(id)?;
        let key = self.seed.note_key(own.slot());
        let mut places: BTreeMap<u8, Vec<Entry>> = BTreeMap::new();
        for row in self.rows::<NoteRow>(table::NOTES)? {
            if row.own == Some(id) {
                let place = row.entry.about.place(&key);
                places.entry(place).or_default().push(row.entry);
            }
        }
        let most = self.longest_note(&own);
        let left = places
            .into_values()
            .map(|entries| Note::of(0, entries, most).1);
        Ok(left.sum())
    }
}

#[cfg(test)]
#[allow(clippy::print_stdout, reason = "an attack tells its figure")]
mod tests {
    use medibloc_keys::{Language, Phrase, SeededEntropy};
    use medibloc_record::Nonce;

    use super::*;
    use crate::post::tests::story;

    /// Terms of so many consents of one contact with a credential of the longest that there is, each ended long ago.
    fn note(party: &Party, own: AccountId, many: u32) -> Vec<Artefact> {
        let given = party.grants().unwrap().remove(0).1;
        let mut all = Vec::new();
        for number in 0..many {
            let mut artefact = given.artefact.clone();
            let mut grant = artefact.grant.clone().unwrap();
            let nonce = medibloc_record::keccak256(&number.to_be_bytes());
            grant.id = GrantId::derive(grant.owner, grant.reader, Nonce::new(nonce));
            artefact.grant = Some(grant);
            artefact.credential = Some("x".repeat(crate::bounds::MOST_CREDENTIAL));
            artefact.reason = format!("visit {number}");
            let rows = party.given_note(own, &artefact).unwrap();
            party.ports.vault.apply(rows).unwrap();
            all.push(artefact);
        }
        all
    }

    #[tokio::test]
    async fn the_terms_of_two_hundred_consents_with_long_credentials_come_back() {
        let story = story().await;
        let patient = &story.patient;
        let own = patient.grants().unwrap()[0].1.own;
        let all = note(patient, own, 200);
        assert_eq!(patient.notes_without_room(own).unwrap(), 0);
        let report = patient.sync().await.unwrap();
        assert_eq!((report.later, report.told), (vec![], vec![]));
        let bytes: usize = story.world.notes()[&own].values().map(Vec::len).sum();
        assert!(bytes <= 1 << 20, "{bytes}");

        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let (home, report) = Party::restore(&phrase, Role::Person, story.world.ports())
            .await
            .unwrap();
        assert_eq!(report.noted.consents, 201);
        let came = all.into_iter().filter(|artefact| {
            let id = artefact.grant.as_ref().unwrap().id;
            home.noted_given(id).unwrap().as_ref() == Some(artefact)
        });
        let came = came.count();
        println!("ATTACK seventh-9: {came} of 200 terms came back");
        assert_eq!(came, 200);
    }

    #[tokio::test]
    async fn what_has_no_room_is_the_oldest_and_is_known_in_the_act() {
        let story = story().await;
        let patient = &story.patient;
        let own = patient.grants().unwrap()[0].1.own;
        note(patient, own, 2_000);
        let left = patient.notes_without_room(own).unwrap();
        assert!((1..2_000).contains(&left), "{left}");
        // The node refuses none, and the newest are there.
        let report = patient.sync().await.unwrap();
        assert_eq!(report.later, Vec::<String>::new());
        assert!(report.told.iter().all(|told| told.contains("do not fit")));
        let bytes: usize = story.world.notes()[&own].values().map(Vec::len).sum();
        assert!(bytes <= 1 << 20, "{bytes}");
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let (_, report) = Party::restore(&phrase, Role::Person, story.world.ports())
            .await
            .unwrap();
        assert_eq!(report.noted.consents, 2_001 - left);
    }

    #[tokio::test]
    async fn notes_of_before_are_written_anew_without_their_credentials() {
        let story = story().await;
        let patient = &story.patient;
        let (id, given) = patient.grants().unwrap().remove(0);
        let row = patient
            .note_row(Some(given.own), About::Given(id), Some(&given.artefact))
            .unwrap();
        let again = Change::Delete {
            table: table::CURSOR,
            key: APART.to_vec(),
        };
        patient.ports.vault.apply(vec![row, again]).unwrap();
        assert!(patient.noted_given(id).unwrap() == Some(given.artefact.clone()));
        patient.sync().await.unwrap();
        let row: NoteRow = patient
            .row(table::NOTES, &About::Given(id).key())
            .unwrap()
            .unwrap();
        let note: GivenNote = row.entry.says().unwrap().unwrap();
        assert_eq!(note.artefact.credential, None);
        assert!(note.credential.is_some() && !row.owed);
        assert!(patient.noted_given(id).unwrap() == Some(given.artefact));
    }
}
