//! What this home knows and nobody else does, noted for itself and sealed with the phrase: labels, who the owner is, which
//! records were confirmed, and the terms of consents, which nobody gives out any more once they have ended. The own node
//! keeps the notes of each own address; it can leave them out or give older ones, but neither read, make nor move one.
//!
//! Each act is noted in the vault in the same step, and owed until the node has it: no act waits for it or fails by it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use medibloc_dag::cbor;
use medibloc_record::{AccountId, Digest, RecordId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, Mailbox, PortError};
use crate::sync::or_later;
use crate::{JourneyError, KeptRecord, Party, Subject, SyncReport};

mod again;
mod elsewhere;
mod form;
mod home;
mod pairings;
mod taken;
mod terms;

pub use again::NotesAgain;
pub use elsewhere::KeptAtNode;
pub use form::Note;
#[cfg(test)]
pub(crate) use form::OF_PROVIDER;
pub(crate) use form::{About, Entry, bound};
pub(crate) use terms::HeldNote;

/// Stands once everything was noted that a home knew before there were notes.
const SINCE: &[u8] = b"noted";

/// An entry as this home keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NoteRow {
    /// The own address whose note it is in; none for the one that has what belongs to no address.
    own: Option<AccountId>,
    entry: Entry,
    /// The node does not have it yet.
    owed: bool,
    /// Under which address the node has what belongs to no address: where that is to be moves when another address becomes the
    /// first. None if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<AccountId>,
    /// When what a node had last of it was said: of what was taken back every later word counts, whatever the clocks of those who
    /// said it. None if no node had any, and in rows of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heard: Option<Timestamp>,
}

/// What came back from notes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Labels of owners.
    pub labels: usize,
    /// Whom the owner said to be.
    pub person: bool,
    /// Records that were confirmed to be about their owner.
    pub confirmed: usize,
    /// Terms of consents, held ones and given ones.
    pub consents: usize,
    /// Pairings, of either side.
    pub pairings: usize,
    /// When the last of it was noted: what was said after that and not noted is not in it.
    pub last: Option<Timestamp>,
    /// Notes of which nothing was taken, with the reason.
    pub faults: Vec<String>,
}

/// A note as the node gave it.
struct There {
    digest: Digest,
    turn: u64,
    /// A later program wrote it: this one must not write over it.
    is_later: bool,
}

/// How often a note is written after one of another device.
const TRIES: usize = 4;

impl Party {
    /// The row that notes what is said about something, or that it was taken back. The same said again changes nothing.
    pub(crate) fn note_row<T: Serialize>(
        &self,
        own: Option<AccountId>,
        about: About,
        says: Option<&T>,
    ) -> Result<Change, JourneyError> {
        let key = about.key();
        let now = says.map(|says| ByteBuf::from(cbor::to_vec(says)));
        let before: Option<NoteRow> = self.row(table::NOTES, &key)?;
        if let Some(before) = before.filter(|before| before.entry.says == now) {
            return Ok(change(table::NOTES, &key, &before));
        }
        self.note_anew(own, about, says)
    }

    /// The row of what the owner says now, also if it was said before: it counts over what another device said meanwhile, which may
    /// not be known here.
    pub(crate) fn note_anew<T: Serialize>(
        &self,
        own: Option<AccountId>,
        about: About,
        says: Option<&T>,
    ) -> Result<Change, JourneyError> {
        let key = about.key();
        let says = says.map(|says| ByteBuf::from(cbor::to_vec(says)));
        let before: Option<NoteRow> = self.row(table::NOTES, &key)?;
        // It counts over the one before though the clock was set back.
        let least = before
            .as_ref()
            .map_or(0, |before| before.entry.at.0.saturating_add(1));
        let at = Timestamp(self.ports.clock.now().0.max(least));
        let entry = Entry { about, at, says };
        let row = NoteRow {
            own,
            entry,
            owed: true,
            at: before.and_then(|before| before.at),
            heard: None,
        };
        Ok(change(table::NOTES, &key, &row))
    }

    /// The row of what stands, if it is noted otherwise or not at all.
    fn note_if_new<T: Serialize>(
        &self,
        own: Option<AccountId>,
        about: About,
        says: &T,
    ) -> Result<Option<Change>, JourneyError> {
        let before: Option<NoteRow> = self.row(table::NOTES, &about.key())?;
        let now = Some(ByteBuf::from(cbor::to_vec(says)));
        if before.is_some_and(|before| before.entry.says == now) {
            return Ok(None);
        }
        self.note_anew(own, about, Some(says)).map(Some)
    }

    /// That nothing is said about an erased record any more; none if nothing was.
    pub(crate) fn noted_no_more(&self, record: RecordId) -> Result<Option<Change>, JourneyError> {
        let about = About::Confirmed(record);
        let row: Option<NoteRow> = self.row(table::NOTES, &about.key())?;
        row.map(|row| self.note_row::<bool>(row.own, about, None))
            .transpose()
    }

    /// Whether a record was confirmed by the home before this one.
    pub(crate) fn is_noted_as_confirmed(&self, record: RecordId) -> Result<bool, JourneyError> {
        let row: Option<NoteRow> = self.row(table::NOTES, &About::Confirmed(record).key())?;
        Ok(row.is_some_and(|row| row.entry.says.is_some()))
    }

    /// What a home of before knew and did not note.
    fn note_what_stood(&self) -> Result<(), JourneyError> {
        if self.row::<bool>(table::CURSOR, SINCE)?.is_some() {
            return Ok(());
        }
        let mut changes = vec![change(table::CURSOR, SINCE, &true)];
        for (key, label) in self.keyed_rows::<String>(table::LABELS)? {
            if let Ok(owner) = <[u8; 20]>::try_from(key.as_slice()) {
                let about = About::Label(AccountId::new(owner));
                changes.push(self.note_row(None, about, Some(&label))?);
            }
        }
        if let Some(owner) = self.owner_said()? {
            changes.push(self.note_row(None, About::Person, Some(&owner))?);
        }
        for kept in self.records()?.iter().filter(|kept| kept.confirmed) {
            let about = About::Confirmed(kept.record());
            changes.push(self.note_row(Some(kept.anchor.owner), about, Some(&true))?);
        }
        for held in self.held()? {
            changes.extend(self.held_note(held.own, held.owner, &held.artefact)?);
        }
        for (_, given) in self.grants()? {
            changes.extend(self.given_note(given.own, &given.artefact)?);
        }
        Ok(self.ports.vault.apply(changes)?)
    }

    /// Every own address that may have notes of a home before this one.
    pub(crate) async fn notes_are_unread(&self) -> Result<(), JourneyError> {
        let own = self.registered_addresses().await?;
        let mut rows = self.unread_elsewhere(&own);
        rows.extend(
            own.iter()
                .map(|own| change(table::NOTES_UNREAD, own.address.as_bytes(), &own.id())),
        );
        Ok(self.ports.vault.apply(rows)?)
    }

    pub(crate) async fn registered_account(&self) -> Result<Option<OwnAddress>, JourneyError> {
        let account = self.account();
        let is_registered = self.is_registered(account.id()).await?;
        Ok(is_registered.then_some(account))
    }

    /// Own addresses, the account among them, of which a node can keep anything: it refuses one that is planned only, and that
    /// would pass for not saying what it keeps.
    async fn registered_addresses(&self) -> Result<Vec<OwnAddress>, JourneyError> {
        let mut registered = Vec::new();
        for own in self.addresses()? {
            if self.is_registered(own.id()).await? {
                registered.push(own);
            }
        }
        registered.extend(self.registered_account().await?);
        Ok(registered)
    }

    /// What the chain says, whatever a node does.
    pub(crate) async fn is_registered(&self, id: AccountId) -> Result<bool, JourneyError> {
        Ok(self.ports.facts.account(id).await?.is_some())
    }

    /// Reads the notes of those addresses at the own node, as far as it answers; what stays is read by the next sync.
    pub(crate) async fn read_notes(
        &self,
        noted: &mut Noted,
        later: &mut Vec<String>,
    ) -> Result<(), JourneyError> {
        for (key, id) in self.keyed_rows::<AccountId>(table::NOTES_UNREAD)? {
            if key.len() > id.as_bytes().len() {
                // At another node.
                continue;
            }
            if self.patience.is_called() {
                later.push("notes of this phrase were not all read yet: it gave way to a command that takes something back".into());
                return Ok(());
            }
            if let Some(own) = self.own(id)?
                && self.is_registered(id).await?
            {
                match self.notes_of(&own, &*self.notes_at(&own), noted).await {
                    Ok(_) => {}
                    Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                    Err(error) => {
                        later.push(format!("notes of this phrase were not read: {error}"));
                        continue;
                    }
                }
            }
            let read = Change::Delete {
                table: table::NOTES_UNREAD,
                key,
            };
            self.ports.vault.apply(vec![read])?;
        }
        self.give_contacts_their_credentials()
    }

    /// Reads what is unread, and gives the node what is owed to it. Whether it has what it was given is asked once a day, and of a
    /// node that lost something else.
    pub(crate) async fn sync_notes(
        &self,
        has_lost: bool,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        self.note_what_stood()?;
        self.note_credentials_once()?;
        let mut noted = Noted::default();
        let mut done = self.read_notes(&mut noted, &mut report.later).await;
        if done.is_ok() {
            done = self
                .read_notes_elsewhere(&mut noted, &mut report.later)
                .await;
        }
        tell_once(noted, report);
        done?;
        self.note_pairings()?;
        if !self.meets_node(report)? {
            return self.tell_every_node_apart(report).await;
        }
        if has_lost || self.is_day_of_notes()? {
            self.look_at_notes(report).await?;
        }
        self.give_notes(report).await
    }

    /// Gives the node what is owed to it.
    async fn give_notes(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let rows = self.rows::<NoteRow>(table::NOTES)?;
        // While nothing is written, what belongs to no address stays where it is.
        if !rows.iter().any(|row| row.owed) {
            return Ok(());
        }
        let home = self.notes_home().await?;
        let owed = rows.iter().filter(|row| row.is_owed(home));
        let owed: BTreeSet<AccountId> = owed.filter_map(|row| row.own.or(home)).collect();
        // What moves there is there before it is left out elsewhere.
        let (first, others): (Vec<_>, Vec<_>) = owed.into_iter().partition(|id| Some(*id) == home);
        for id in first.into_iter().chain(others) {
            if self.patience.is_called() {
                return Ok(());
            }
            let done = self.send_notes(id, home, report).await;
            or_later(done, report)?;
        }
        Ok(())
    }

    pub(crate) fn notes_at(&self, own: &OwnAddress) -> Arc<dyn Mailbox> {
        let network = &self.ports.network;
        network.mailbox(&self.signer(own), &network.own_node())
    }

    /// What is owed for one address. Another device of the phrase may write at the same time: what it wrote is read then, and this
    /// written after it.
    async fn send_notes(
        &self,
        id: AccountId,
        home: Option<AccountId>,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        for _ in 0..TRIES {
            if self.send_notes_once(id, home, report).await? {
                return Ok(());
            }
        }
        report.later.push(format!(
            "a note of {id} waits: another device of this phrase wrote one at the same time"
        ));
        Ok(())
    }

    /// What is owed for one address, and at its places what another device noted since; whether no other device was before it.
    async fn send_notes_once(
        &self,
        id: AccountId,
        home: Option<AccountId>,
        report: &mut SyncReport,
    ) -> Result<bool, JourneyError> {
        let mut is_first = true;
        let own = self.own_address(id)?;
        let (node, key) = (self.notes_at(&own), self.seed.note_key(own.slot()));
        let mut noted = Noted::default();
        let there = self.notes_of(&own, &*node, &mut noted).await;
        tell_once(noted, report);
        let there = there?;
        let mut places: BTreeMap<u8, Vec<NoteRow>> = BTreeMap::new();
        for row in self.rows::<NoteRow>(table::NOTES)? {
            if row.is_in(id, home) {
                let place = row.entry.about.place(&key);
                places.entry(place).or_default().push(row);
            }
        }
        let is_owed_here = |row: &NoteRow| row.own.or(home) == Some(id) && row.is_owed(home);
        places.retain(|_, rows| rows.iter().any(is_owed_here));
        for (place, rows) in places {
            let before = there.get(&place);
            if before.is_some_and(|before| before.is_later) {
                report.later.push(format!(
                    "a note of {id} waits: what stands there was written by a newer program; use that one"
                ));
                continue;
            }
            let written = self.write_place(&own, &*node, (place, before), &rows, report);
            let Some(turn) = written.await? else {
                is_first = false;
                continue;
            };
            let belong = rows.into_iter().filter(|row| row.own.or(home) == Some(id));
            let sent = belong.map(|row| {
                let at = row.own.is_none().then_some(id);
                let heard = row.entry.about.is_taken_back().then_some(row.entry.at);
                let row = NoteRow {
                    owed: false,
                    at,
                    heard,
                    ..row
                };
                change(table::NOTES, &row.entry.about.key(), &row)
            });
            let turn = change(table::NOTE_TURNS, &turn_key(id, place), &turn);
            self.ports.vault.apply(sent.chain([turn]).collect())?;
        }
        Ok(is_first)
    }

    /// Writes one place over what stands there: at which turn; none if another device was before it.
    async fn write_place(
        &self,
        own: &OwnAddress,
        node: &dyn Mailbox,
        (place, before): (u8, Option<&There>),
        rows: &[NoteRow],
        report: &mut SyncReport,
    ) -> Result<Option<u64>, JourneyError> {
        let (id, key) = (own.id(), self.seed.note_key(own.slot()));
        let turn = self.turn(id, place)?.max(before.map_or(0, |it| it.turn));
        let turn = turn.saturating_add(1);
        let entries = rows.iter().map(|row| row.entry.clone()).collect();
        let (note, left) = Note::of(turn, entries, self.longest_note(own));
        if left > 0 {
            report.told.push(format!(
                "{left} of the oldest notes of {id} do not fit: a restore will not bring them back; `medibloc audit --proofs` \
                 writes what they prove to files"
            ));
        }
        let about = bound(&self.ports.domain, own.address, place);
        let sealed = {
            let entropy = self.ports.entropy.lock();
            let mut entropy = entropy.unwrap_or_else(std::sync::PoisonError::into_inner);
            key.seal(&about, &note.to_plain(), &mut *entropy)
        };
        let follows = before.map(|before| before.digest);
        let is_kept = node.keep_note(place, follows, sealed).await?;
        Ok(is_kept.then_some(turn))
    }

    fn turn(&self, own: AccountId, place: u8) -> Result<u64, JourneyError> {
        let turn: Option<u64> = self.row(table::NOTE_TURNS, &turn_key(own, place))?;
        Ok(turn.unwrap_or_default())
    }

    /// Fetches the notes of one own address and takes what is newer in them than here. One that is not good is its own fault
    /// alone; one that is older than what this home saw there is told, and what this home knows of that place is owed again.
    async fn notes_of(
        &self,
        own: &OwnAddress,
        node: &dyn Mailbox,
        noted: &mut Noted,
    ) -> Result<BTreeMap<u8, There>, JourneyError> {
        let there = self
            .take_notes(own, node, self.undecided_node()?.is_some(), noted)
            .await?;
        self.tell_older(own, &there, noted)?;
        Ok(there)
    }

    /// The notes of one own address that a node has, by place, and what is in each or why it cannot be read.
    async fn opened_notes(
        &self,
        own: &OwnAddress,
        node: &dyn Mailbox,
    ) -> Result<Vec<(u8, There, Result<Note, String>)>, JourneyError> {
        let key = self.seed.note_key(own.slot());
        let mut all = Vec::new();
        for (place, sealed) in node.notes().await? {
            let mut found = There {
                digest: Digest::of(&sealed),
                turn: 0,
                is_later: false,
            };
            let about = bound(&self.ports.domain, own.address, place);
            let opened = match key.open(&about, &sealed) {
                Err(error) => Err(error.to_string()),
                Ok(plain) => Note::parse(&plain).map_err(|error| {
                    found.is_later = true;
                    error.to_string()
                }),
            };
            if let Ok(note) = &opened {
                found.turn = note.turn;
            }
            all.push((place, found, opened));
        }
        Ok(all)
    }

    /// Takes what is newer in the notes that a node has than here; owed if the own node is to have it from this home.
    async fn take_notes(
        &self,
        own: &OwnAddress,
        node: &dyn Mailbox,
        owed: bool,
        noted: &mut Noted,
    ) -> Result<BTreeMap<u8, There>, JourneyError> {
        let (mut there, mut changes) = (BTreeMap::new(), Vec::new());
        for (place, found, opened) in self.opened_notes(own, node).await? {
            let fault = |error: &dyn core::fmt::Display| {
                format!(
                    "nothing was taken of note {place} of {} that the node gave: {error}",
                    own.id()
                )
            };
            match opened {
                Err(error) => noted.faults.push(fault(&error)),
                Ok(note) => {
                    for entry in &note.entries {
                        match self.take_entry(own, entry, owed, noted) {
                            Ok(taken) => changes.extend(taken),
                            Err(error @ JourneyError::Port(_)) => return Err(error),
                            Err(error) => noted.faults.push(fault(&error)),
                        }
                    }
                }
            }
            there.insert(place, found);
        }
        self.ports.vault.apply(changes)?;
        Ok(there)
    }

    /// Places of an own address at which the node has an older note than this home left there, or none.
    fn older_places(
        &self,
        own: &OwnAddress,
        there: &BTreeMap<u8, There>,
    ) -> Result<BTreeSet<u8>, JourneyError> {
        let mut older = BTreeSet::new();
        for (key, turn) in self.keyed_rows::<u64>(table::NOTE_TURNS)? {
            if let Some((place, of)) = key.split_last()
                && of == own.id().as_bytes()
                && there.get(place).is_none_or(|there| there.turn < turn)
            {
                older.insert(*place);
            }
        }
        Ok(older)
    }

    fn tell_older(
        &self,
        own: &OwnAddress,
        there: &BTreeMap<u8, There>,
        noted: &mut Noted,
    ) -> Result<(), JourneyError> {
        let older = self.older_places(own, there)?;
        if older.is_empty() {
            return Ok(());
        }
        noted.faults.push(format!(
            "the node gave older notes of {}, or none, than this home left there: what this home knows is given again; \
             tell its operator",
            own.id()
        ));
        let key = self.seed.note_key(own.slot());
        let mut changes = Vec::new();
        for row in self.rows::<NoteRow>(table::NOTES)? {
            let is_there = row.own.is_none_or(|of| of == own.id());
            if is_there && older.contains(&row.entry.about.place(&key)) {
                let owed = row.owed_again();
                changes.push(change(table::NOTES, &owed.entry.about.key(), &owed));
            }
        }
        Ok(self.ports.vault.apply(changes)?)
    }

    /// What follows from an entry that is newer than what is known here.
    fn take_entry(
        &self,
        own: &OwnAddress,
        entry: &Entry,
        owed: bool,
        noted: &mut Noted,
    ) -> Result<Vec<Change>, JourneyError> {
        let key = entry.about.key();
        let known: Option<NoteRow> = self.row(table::NOTES, &key)?;
        let is_older = |known: &NoteRow| match entry.about.is_taken_back() {
            true => known.last_heard() >= Some(entry.at),
            false => known.entry.at >= entry.at,
        };
        if known.as_ref().is_some_and(is_older) {
            return Ok(Vec::new());
        }
        let says = entry.says.is_some();
        let mut of = Some(own.id());
        let mut changes = Vec::new();
        let set = |table, key: &[u8], bytes: Option<Vec<u8>>| match bytes {
            Some(value) => Change::Put {
                table,
                key: key.to_vec(),
                value,
            },
            None => Change::Delete {
                table,
                key: key.to_vec(),
            },
        };
        match entry.about {
            About::Label(owner) => {
                let label = entry.says::<String>()?;
                let label = label.map(|label| cbor::to_vec(&label));
                changes.push(set(table::LABELS, owner.as_bytes(), label));
                of = None;
                noted.labels += usize::from(says);
            }
            About::Person => {
                let person = entry.says::<Subject>()?;
                let here = self.owner_said()?;
                if here.is_some() && person.is_some() && here != person {
                    changes.push(self.untold_row(
                        "another device of this phrase says otherwise than this one who you are, and later: that counts now. `medibloc \
                         account person` shows it; if it is wrong, say it again here",
                    ));
                }
                let person = person.map(|person| cbor::to_vec(&person));
                changes.push(set(table::PERSON, crate::whose::OWNER, person));
                of = None;
                noted.person = says;
            }
            About::Confirmed(record) => {
                let kept: Option<KeptRecord> = self.row(table::RECORDS, record.as_bytes())?;
                let kept = kept.filter(|kept| kept.standing != crate::Standing::Erased);
                if let (Some(mut kept), true) = (kept, says) {
                    kept.confirmed = true;
                    changes.push(change(table::RECORDS, record.as_bytes(), &kept));
                }
                noted.confirmed += usize::from(says);
            }
            About::Held(_) => noted.consents += usize::from(entry.says::<HeldNote>()?.is_some()),
            About::Given(_) => noted.consents += usize::from(terms::given(entry)?.is_some()),
            About::Credential(digest) => {
                let text = entry.says::<String>()?;
                if text.is_some_and(|text| Digest::of(text.as_bytes()) != digest) {
                    return Err(JourneyError::Untrusted {
                        what: "note",
                        why: "its credential has another digest than it names".into(),
                    });
                }
                of = None;
            }
            About::TakenBack(of) => changes.extend(self.take_taken_back(Some(of), entry)?),
            About::AllTakenBack => {
                changes.extend(self.take_taken_back(None, entry)?);
                of = None;
            }
            About::Contact(_) => changes.extend(self.take_contact(own, entry, noted)?),
            About::Patron(owner) => {
                changes.extend(self.take_patron(owner, entry, noted)?);
                of = None;
            }
        }
        noted.last = noted.last.max(Some(entry.at));
        let mut row = NoteRow {
            own: of,
            at: of.is_none().then(|| own.id()),
            entry: entry.clone(),
            owed,
            heard: entry.about.is_taken_back().then_some(entry.at),
        };
        // What was taken back here and is on no node yet is a word of its own: it comes after that one.
        if let Some(mine) = known.filter(|known| known.owed && row.heard.is_some()) {
            let after = entry.at.0.saturating_add(1);
            row.entry.at = Timestamp(mine.entry.at.0.max(after));
            row.entry.says = mine.entry.says;
            row.owed = true;
        }
        changes.push(change(table::NOTES, &key, &row));
        Ok(changes)
    }
}

/// A note may be read twice by one sync: to see whether it is there, and to write over it.
fn tell_once(noted: Noted, report: &mut SyncReport) {
    for told in noted.faults {
        if !report.told.contains(&told) {
            report.told.push(told);
        }
    }
}

fn turn_key(own: AccountId, place: u8) -> Vec<u8> {
    [own.as_bytes().as_slice(), &[place]].concat()
}
