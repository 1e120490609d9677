//! That everything was taken back, noted for the other devices of the phrase: what one of them decided and did not give yet is
//! on no chain, and it would give it.

use std::collections::BTreeSet;

use medibloc_dag::cbor;
use medibloc_ledger::Call;
use medibloc_record::{AccountId, GrantId, Timestamp, keccak256};
use serde_bytes::ByteBuf;

use super::{About, Entry, NoteRow, Noted, TRIES, tell_once};
use crate::errand::{Errand, errand_key};
use crate::grant::plan::{Plan, forget_plan};
use crate::pairing::Contact;
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, PortError};
use crate::sync::or_later;
use crate::{JourneyError, Party, SyncReport};

impl Party {
    /// The row that notes that everything of the contact of an own address was taken back now, or of everybody. It is later than
    /// any that was heard of before, whatever the clock says.
    pub(crate) fn taken_back_row(
        &self,
        own: Option<AccountId>,
        now: Timestamp,
    ) -> Result<Change, JourneyError> {
        let about = own.map_or(About::AllTakenBack, About::TakenBack);
        let last: Option<NoteRow> = self.row(table::NOTES, &about.key())?;
        let after = last
            .as_ref()
            .map_or(0, |last| last.entry.at.0.saturating_add(1));
        let at = Timestamp(now.0.max(after));
        let row = NoteRow {
            own,
            entry: Entry {
                about,
                at,
                says: Some(ByteBuf::from(cbor::to_vec(&at))),
            },
            owed: true,
            at: last.as_ref().and_then(|last| last.at),
            heard: last.and_then(|last| last.last_heard()),
        };
        Ok(change(table::NOTES, &about.key(), &row))
    }

    /// Gives the node at once what was noted of it: it is known to the other devices with their next sync.
    ///
    /// # Errors
    /// If the vault fails. Whatever else fails, it is owed until it is there ([`Party::untold_devices`]).
    pub async fn tell_taken_back(&self) -> Result<(), JourneyError> {
        if self.untold_devices()?.is_none() {
            return Ok(());
        }
        let mut report = SyncReport::default();
        let done = self.sync_notes(false, &mut report).await;
        self.keep_told(report)?;
        match done {
            Err(error @ JourneyError::Port(PortError::Vault { .. })) => Err(error),
            _ => Ok(()),
        }
    }

    /// While nobody knows which listed node is the own one, each that answers is given what was noted of it: the other devices ask
    /// one of them. It is owed until that is decided.
    pub(crate) async fn tell_every_node(
        &self,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let home = self.notes_home().await?;
        let mut rows = self.rows::<NoteRow>(table::NOTES)?;
        rows.retain(NoteRow::is_untold);
        for row in rows {
            let Some(id) = row.own.or(home) else {
                continue;
            };
            let own = self.own_address(id)?;
            let mut nodes = self.nodes_beside(&own);
            nodes.push(self.ports.network.own_node());
            for url in nodes {
                let done = self.leave_at(&own, &url, (row.entry.about, home), report);
                or_later(done.await, report)?;
            }
        }
        Ok(())
    }

    /// Leaves a note at one of the listed nodes, with what else is at its place there.
    async fn leave_at(
        &self,
        own: &OwnAddress,
        url: &str,
        (about, home): (About, Option<AccountId>),
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let key = self.seed.note_key(own.slot());
        let (node, place) = (
            self.ports.network.mailbox(&self.signer(own), url),
            about.place(&key),
        );
        for _ in 0..TRIES {
            let mut noted = Noted::default();
            let there = self.take_notes(own, &*node, true, &mut noted).await?;
            let before = there.get(&place);
            if before.is_some_and(|before| before.is_later) {
                return Ok(());
            }
            let mut rows = self.rows::<NoteRow>(table::NOTES)?;
            rows.retain(|row| row.is_in(own.id(), home) && row.entry.about.place(&key) == place);
            let written = self.write_place(own, &*node, (place, before), &rows, report);
            if written.await?.is_some() {
                let mine = rows.into_iter().find(|row| row.entry.about == about);
                let heard = mine.map(|row| {
                    let row = NoteRow {
                        heard: row.heard.max(Some(row.entry.at)),
                        ..row
                    };
                    change(table::NOTES, &about.key(), &row)
                });
                return Ok(self.ports.vault.apply(heard.into_iter().collect())?);
            }
        }
        Ok(())
    }

    /// What it means that the other devices of the phrase cannot have heard yet of what was taken back here; none if they can.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn untold_devices(&self) -> Result<Option<String>, JourneyError> {
        let rows = self.rows::<NoteRow>(table::NOTES)?;
        Ok(rows.iter().any(NoteRow::is_untold).then(|| {
            "your other devices cannot know yet that it was taken back, for the node did not take the note of it: they may still give \
             what they planned until this device has synced; run `medibloc sync` until it says so no more"
                .to_owned()
        }))
    }

    /// Ends what another device took back and this one decided and did not give yet: decisions that stand, and consents and
    /// permissions that were put off. What is decided after this was heard stands.
    pub(super) fn take_taken_back(
        &self,
        own: Option<AccountId>,
        entry: &Entry,
    ) -> Result<Vec<Change>, JourneyError> {
        entry.says::<Timestamp>()?;
        let party = match own {
            None => None,
            Some(own) => match self.row::<Contact>(table::CONTACTS, own.as_bytes())? {
                Some(contact) => Some(contact.party),
                None => return Ok(Vec::new()),
            },
        };
        let is_meant = |of: AccountId| party.is_none_or(|party| party == of);
        let (mut changes, mut names) = (Vec::new(), BTreeSet::new());
        for plan in self.rows::<Plan>(table::PLANS)? {
            let contact: Option<Contact> =
                self.row(table::CONTACTS, plan.request.own.as_bytes())?;
            if contact.is_none_or(|contact| is_meant(contact.party)) {
                changes.push(forget_plan(&plan.request.id));
                let (name, own) = (&plan.request.name, Some(plan.request.own));
                names.insert(self.names()?.told(name, own));
            }
        }
        for (id, given) in self.grants()?.into_iter().chain(self.write_grants()?) {
            if is_meant(given.artefact.party) {
                let before = changes.len();
                changes.extend(self.drop_what_waits(id)?);
                if changes.len() > before {
                    names.insert(self.names()?.given(&given));
                }
            }
        }
        let what = match own {
            None => "everything",
            Some(_) => "everything of this contact",
        };
        for name in names {
            changes.push(self.untold_row(&format!(
                "{name} is not given what was decided here and was not given yet: another device of this phrase took back \
                 {what}; `medibloc grant create` gives it anew"
            )));
        }
        Ok(changes)
    }

    /// Ends what of a consent has not ended: what was not sent is gone, what was signed is sent no more.
    fn drop_what_waits(&self, id: GrantId) -> Result<Vec<Change>, JourneyError> {
        let begun = errand_key("grant", &[id.as_bytes()]);
        let is_of_it = |errand: &Errand| {
            let is_list = matches!(&errand.call, Call::Deliver { grant, .. } if grant.id == id);
            is_list || errand.key == begun
        };
        let mut changes = self.drop_planned(is_of_it)?;
        for errand in self.errands()? {
            if is_of_it(&errand) && !errand.is_unsent() && !errand.is_taken_back {
                changes.push(errand.taken_back().row());
            }
        }
        Ok(changes)
    }

    /// What a person is to be told by whichever command is the next to tell something.
    pub(crate) fn untold_row(&self, told: &str) -> Change {
        change(table::UNTOLD, &keccak256(told.as_bytes()), &told)
    }

    /// Keeps what a step inside another one was told.
    pub(crate) fn keep_told(&self, report: SyncReport) -> Result<(), JourneyError> {
        let rows: Vec<Change> = report
            .told
            .iter()
            .map(|told| self.untold_row(told))
            .collect();
        match rows.is_empty() {
            true => Ok(()),
            false => Ok(self.ports.vault.apply(rows)?),
        }
    }

    /// Keeps what a step inside another one found of ends of held consents: the sync that follows has nothing left of it.
    pub(crate) fn keep_ends(&self, report: &SyncReport) -> Result<(), JourneyError> {
        let ended = report
            .ended
            .iter()
            .map(|id| format!("consent {id} has ended"));
        let purged = report.purged.iter();
        let purged =
            purged.map(|record| format!("the copy of record {record} was purged with its consent"));
        let left = report.files_left.iter();
        let left = left.map(|(_, file)| format!("exported file stays: {file}"));
        let told = ended.chain(purged).chain(left);
        let rows = told.map(|told| self.untold_row(&told)).collect();
        Ok(self.ports.vault.apply(rows)?)
    }

    /// What was found by a command that tells something else, each once.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn take_untold(&self) -> Result<Vec<String>, JourneyError> {
        let untold = self.keyed_rows::<String>(table::UNTOLD)?;
        if untold.is_empty() {
            return Ok(Vec::new());
        }
        let table = table::UNTOLD;
        let (keys, told): (Vec<_>, Vec<_>) = untold.into_iter().unzip();
        let gone = keys.into_iter().map(|key| Change::Delete { table, key });
        self.ports.vault.apply(gone.collect())?;
        Ok(told)
    }

    /// Asks the own node whether another device took back everything of the contact of an own address, or of everybody, and ends
    /// here what that ends. These are the notes of two addresses.
    pub(crate) async fn hear_taken_back(
        &self,
        own: AccountId,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        self.hear_at(BTreeSet::from([own]), report).await
    }

    /// The same of the contacts of several own addresses.
    pub(crate) async fn hear_at(
        &self,
        mut of: BTreeSet<AccountId>,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        of.extend(self.notes_home().await?);
        for id in of {
            let own = self.own_address(id)?;
            let node = self.notes_at(&own);
            let mut noted = Noted::default();
            let heard = self.notes_of(&own, &*node, &mut noted).await;
            tell_once(noted, report);
            match heard {
                Ok(_) => {}
                Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                // A node keeps nothing of an address that the chain does not have.
                Err(_) if self.is_registered(id).await.is_ok_and(|is| !is) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The same before something is decided for a contact: what was taken back before does not end it. While the node does not
    /// say, a later sync may end it, and tells that.
    pub(crate) async fn hear_before_it_is_decided(
        &self,
        party: AccountId,
    ) -> Result<(), JourneyError> {
        let mut report = SyncReport::default();
        let done = Box::pin(self.hear_of(party, &mut report)).await;
        self.keep_told(report)?;
        match done {
            Err(error @ JourneyError::Port(PortError::Vault { .. })) => Err(error),
            _ => Ok(()),
        }
    }
}
