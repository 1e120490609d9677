//! What each event of the chain means to a home. All of it may come twice.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::WriteGrant;
use medibloc_ledger::Event;
use medibloc_record::{AccountId, Digest, GrantId, RecordId};

use super::SyncReport;
use crate::erase::ReadBy;
use crate::grant::{EndOfGrant, GivenGrant, HeldGrant};
use crate::looks::Look;
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::{JourneyError, KeptRecord, Party, Standing};

impl Party {
    pub(crate) async fn take_event(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        block: u64,
        event: &Event,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let revoked = EndOfGrant::Revoked;
        match event {
            Event::Granted(grant) => {
                if let Some(address) = own.get(&grant.reader)
                    && self.take_grant(address, grant, report).await?
                {
                    report.grants += 1;
                    self.known(|known| known.givers.insert(grant.owner));
                }
                self.end_what_came_back(event, report).await?;
                self.take_own_consent(own, grant.owner, event).await
            }
            Event::Delivered {
                grant,
                number,
                digest,
            } => {
                if self.is_missed_grant(*grant) {
                    return Err(JourneyError::Unknown {
                        what: format!("consent {grant} of a key list"),
                        hint: "its object is missing; it is tried again",
                    });
                }
                let keys = self.take_delivery(*grant, (*number, *digest), report).await?;
                report.keys += keys;
                self.take_own_delivery(*grant, *number, *digest).await
            }
            Event::Revoked { grant } => {
                let vault = &self.ports.vault;
                if vault.get(table::GRANTS, grant.as_bytes())?.is_some() {
                    vault.apply(self.revoked_where(|id, _| id == *grant)?)?;
                }
                if vault.get(table::SHARED_GRANTS, grant.as_bytes())?.is_none() {
                    return Ok(());
                }
                self.end_grants_where(revoked, |id, _| id == *grant, report)
                    .await
            }
            Event::ReaderRevoked { owner, reader } => {
                if own.contains_key(owner) {
                    self.mark_revoked(*owner).await?;
                }
                if !own.contains_key(reader) || !self.is_giver(*owner) {
                    return Ok(());
                }
                let fits = |_, held: &HeldGrant| held.owner == *owner && held.own == *reader;
                self.end_revoked_where(fits, report).await
            }
            Event::AllRevoked { owner } => {
                if own.contains_key(owner) {
                    self.mark_revoked(*owner).await?;
                }
                self.end_writing(own, *owner, None)?;
                if !self.is_giver(*owner) {
                    return Ok(());
                }
                self.end_revoked_where(|_, held| held.owner == *owner, report)
                    .await?;
                if !self
                    .held()?
                    .iter()
                    .any(|held| held.owner == *owner && held.ended.is_none())
                {
                    self.known(|known| known.givers.remove(owner));
                }
                Ok(())
            }
            Event::WriteGranted(write) => {
                if own.contains_key(&write.owner) {
                    self.mark_written(write)?;
                }
                if own.contains_key(&write.author) {
                    self.take_write_grant(write).await?;
                }
                self.end_what_came_back(event, report).await?;
                self.take_own_consent(own, write.owner, event).await
            }
            Event::WriteRevoked { owner, author } => self.end_writing(own, *owner, Some(*author)),
            Event::Suspended { account } => self.tell_standing(
                *account,
                report,
                "was suspended by the authority; while suspended it is given nothing and writes nothing, and what you gave stands",
            ),
            Event::Reinstated { account } => self.tell_standing(
                *account,
                report,
                "is accredited again by the authority, and reads and writes what it was given",
            ),
            Event::Accepted { record } => self.now_accepted(*record, report),
            Event::Retracted { record } => {
                let row = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())?;
                if let Some(mut kept) = row.filter(|kept| !kept.retracted) {
                    kept.retracted = true;
                    self.put(table::RECORDS, record.as_bytes(), &kept)?;
                }
                Ok(())
            }
            Event::ReadOpened {
                record,
                owner,
                reader,
                grant,
                receipt,
                ..
            } if own.contains_key(owner) => {
                let read = ReadBy {
                    record: *record,
                    reader: *reader,
                    grant: *grant,
                    receipt: *receipt,
                    block: Some(block),
                    is_told: self.is_told(*record, *receipt)?,
                };
                self.ports.vault.apply(vec![read.row()])?;
                match self.reader_name(*grant, *reader)? {
                    Some(_) if read.is_told => {}
                    Some(name) => {
                        if self.gave(&[(*grant, *record, block)]).await? == [Some(false)] {
                            let alarm = format!(
                                "record {record} was cleared for {name} on consent {grant}, which did not give it (receipt {receipt}): on \
                                 the chain that is to more than you gave by it, and {name} kept the record's key from before or has it \
                                 from somebody else; `medibloc grant revoke {grant}` ends that"
                            );
                            self.put(table::ALARMS, receipt.as_bytes(), &alarm)?;
                            report.alarms.push(alarm);
                        }
                        report.reads.push((*record, name));
                    }
                    // Where a consent is missing, that is said, and taken back when it comes or has ended.
                    None if self.is_restoring()? || self.is_missed_grant(*grant) => {
                        let alarm = format!(
                            "record {record} was cleared for reader {reader} on the unknown grant {grant} (receipt \
                             {receipt}); consents are missing here: run `medibloc sync` until it is complete, and revoke \
                             everything if this stays"
                        );
                        self.put(table::ALARMS, receipt.as_bytes(), &alarm)?;
                        report.alarms.push(alarm);
                    }
                    None => {
                        let alarm = format!(
                            "record {record} was cleared for the unknown reader {reader} on a grant that this vault \
                             does not know (receipt {receipt}); revoke everything if you did not give it elsewhere"
                        );
                        self.put(table::ALARMS, receipt.as_bytes(), &alarm)?;
                        report.alarms.push(alarm);
                    }
                }
                Ok(())
            }
            Event::CapsuleReplaced { record, digest, .. } => self.newer_capsule(*record, *digest),
            Event::AddressRotated { account, to, .. } => {
                if let Some(address) = own.get(account) {
                    report.alarms.extend(self.check_rotated(address, *to)?);
                }
                Ok(())
            }
            Event::Erased { record } if self.has_of(*record)? => {
                self.take_erased(*record, block, report).await?;
                self.note_read_until(*record, block)
            }
            _ => Ok(()),
        }
    }

    /// What the authority did about a contact, by name.
    fn tell_standing(
        &self,
        account: AccountId,
        report: &mut SyncReport,
        what: &str,
    ) -> Result<(), JourneyError> {
        let contacts = self.contacts()?.into_iter();
        let of = contacts.filter(|contact| contact.card.account == Some(account));
        let called = self.names()?;
        let names: BTreeSet<String> = of.map(|contact| called.contact(&contact)).collect();
        report.told.extend(
            names.into_iter().map(|name| {
                format!("{name} {what}: `medibloc grant revoke --contact` takes it back")
            }),
        );
        Ok(())
    }

    /// A write grant of one's own stands: whatever was revoked before it is over.
    pub(super) fn mark_written(&self, write: &WriteGrant) -> Result<(), JourneyError> {
        let id = GrantId::derive(write.owner, write.author, write.nonce);
        let row = self.row::<GivenGrant>(table::WRITE_GRANTS, id.as_bytes())?;
        match row.filter(|given| given.revoked) {
            Some(mut given) => {
                given.revoked = false;
                self.put(table::WRITE_GRANTS, id.as_bytes(), &given)
            }
            None => Ok(()),
        }
    }

    /// Nobody writes for this owner any more, or this author does not: another device of the phrase may have said so.
    pub(super) fn end_writing(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        owner: AccountId,
        author: Option<AccountId>,
    ) -> Result<(), JourneyError> {
        let mut changes = Vec::new();
        if own.contains_key(&owner) {
            for (id, mut given) in self.write_grants()? {
                let to = given.artefact.write.map(|write| write.author);
                if given.own == owner
                    && (author.is_none() || to == author)
                    && !given.revoked
                    && !self.is_to_be_given(id)?
                {
                    given.revoked = true;
                    given.revoked_at = Some(self.ports.clock.now());
                    changes.push(change(table::WRITE_GRANTS, id.as_bytes(), &given));
                }
            }
        }
        let may_write = self.ports.vault.get(table::MAY_WRITE, owner.as_bytes())?;
        if may_write.is_some() && author.is_none_or(|author| own.contains_key(&author)) {
            changes.push(Change::Delete {
                table: table::MAY_WRITE,
                key: owner.as_bytes().to_vec(),
            });
        }
        if changes.is_empty() {
            return Ok(());
        }
        Ok(self.ports.vault.apply(changes)?)
    }

    /// Marks own grants that the chain says are revoked: another device of the same phrase may have done it.
    pub(crate) async fn mark_revoked(&self, owner: AccountId) -> Result<(), JourneyError> {
        let mut ended = BTreeSet::new();
        for (id, given) in self.grants()? {
            let Some(grant) = given.artefact.grant.as_ref() else {
                continue;
            };
            if given.own == owner
                && !given.revoked
                && !self.is_to_be_given(id)?
                && self.ports.facts.grant(grant).await?.revoked
            {
                ended.insert(id);
            }
        }
        let changes = self.revoked_where(|id, _| ended.contains(&id))?;
        Ok(self.ports.vault.apply(changes)?)
    }

    fn newer_capsule(&self, record: RecordId, digest: Digest) -> Result<(), JourneyError> {
        if let Some(mut look) = self.row::<Look>(table::LOOKS, record.as_bytes())?
            && look.capsule != digest
        {
            look.capsule = digest;
            self.put(table::LOOKS, record.as_bytes(), &look)?;
        }
        let Some(mut kept) = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())? else {
            return Ok(());
        };
        if kept.capsule != digest && kept.standing != Standing::Erased {
            kept.capsule = digest;
            self.put(table::RECORDS, record.as_bytes(), &kept)?;
        }
        Ok(())
    }
}
