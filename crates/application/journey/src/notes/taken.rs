//! That everything was taken back, noted for the other devices of the phrase: what one of them decided and did not give yet is
//! on no chain, and it would give it.

use std::collections::BTreeSet;

use medibloc_record::{AccountId, Timestamp};

use super::{About, Entry, NoteRow, Noted, tell_once};
use crate::errand::{Errand, errand_key};
use crate::grant::plan::{Plan, forget_plan};
use crate::pairing::Contact;
use crate::party::table;
use crate::ports::{Change, PortError};
use crate::{JourneyError, Party, SyncReport};

impl Party {
    /// The row that notes that everything of the contact of an own address was taken back now, or of everybody. It is later than
    /// any of before, whatever the clock says.
    pub(crate) fn taken_back_row(&self, own: Option<AccountId>) -> Result<Change, JourneyError> {
        let about = own.map_or(About::AllTakenBack, About::TakenBack);
        let last: Option<NoteRow> = self.row(table::NOTES, &about.key())?;
        let after = last.map_or(0, |last| last.entry.at.0.saturating_add(1));
        let at = Timestamp(self.ports.clock.now().0.max(after));
        self.note_row(own, about, Some(&at))
    }

    /// Gives the node at once what was noted of it: it is known to the other devices with their next sync.
    pub(crate) async fn tell_taken_back(&self) -> Result<(), JourneyError> {
        match self.sync_notes(false, &mut SyncReport::default()).await {
            Err(error @ JourneyError::Port(PortError::Vault { .. })) => Err(error),
            // It is owed until it is there.
            _ => Ok(()),
        }
    }

    /// Ends what another device took back and this one decided and did not give yet: decisions that stand, and consents and
    /// permissions that were put off. What is decided after this was heard stands.
    pub(super) fn take_taken_back(
        &self,
        own: Option<AccountId>,
        entry: &Entry,
        noted: &mut Noted,
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
            if is_meant(given.artefact.party) && self.is_to_be_given(id)? {
                let begun = errand_key("grant", &[id.as_bytes()]);
                changes.extend(self.drop_planned(|errand| errand.key == begun)?);
                names.insert(self.names()?.given(&given));
            }
        }
        for name in names {
            noted.taken_back.push(format!(
                "{name} is not given what was decided here and was not given yet: another device of this phrase took back \
                 everything; `medibloc grant create` gives it anew"
            ));
        }
        Ok(changes)
    }

    /// Asks the own node whether another device took back everything of the contact of an own address, or of everybody, and ends
    /// here what that ends. These are the notes of two addresses.
    pub(crate) async fn hear_taken_back(
        &self,
        own: AccountId,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        for id in [Some(own), self.notes_home().await?].into_iter().flatten() {
            let own = self.own_address(id)?;
            let node = self.notes_at(&own);
            let mut noted = Noted::default();
            let heard = self.notes_of(&own, &*node, &mut noted).await;
            tell_once(noted, report);
            heard?;
        }
        Ok(())
    }

    /// The same before something is decided: what was taken back before does not end it. While the node does not say, a later
    /// sync may end it, and tells that.
    pub(crate) async fn hear_before_it_is_decided(
        &self,
        own: AccountId,
    ) -> Result<(), JourneyError> {
        match self.hear_taken_back(own, &mut SyncReport::default()).await {
            Err(error @ JourneyError::Port(PortError::Vault { .. })) => Err(error),
            _ => Ok(()),
        }
    }

    /// Before a consent that was put off leaves.
    ///
    /// # Errors
    /// If another device took it back, or the own node does not say whether one did.
    pub(crate) async fn is_not_taken_back(&self, errand: &Errand) -> Result<(), JourneyError> {
        if errand.due.is_none() || !errand.is_unsent() {
            return Ok(());
        }
        let Some(party) = self.given_by(errand)? else {
            return Ok(());
        };
        for contact in self.contacts()? {
            if contact.party == party {
                self.hear_taken_back(contact.own, &mut SyncReport::default())
                    .await?;
            }
        }
        match self.errand(&errand.key)? {
            Some(_) => Ok(()),
            None => Err(JourneyError::Unknown {
                what: "another device of this phrase took back everything: it is not given".into(),
                hint: "`medibloc grant create` gives it anew",
            }),
        }
    }

    /// To whom an errand gives.
    fn given_by(&self, errand: &Errand) -> Result<Option<AccountId>, JourneyError> {
        let mut given = self.grants()?.into_iter().chain(self.write_grants()?);
        let of = given.find(|(id, _)| errand_key("grant", &[id.as_bytes()]) == errand.key);
        Ok(of.map(|(_, given)| given.artefact.party))
    }
}
