//! Sync (design 11, rows 3, 9–11): unfinished jobs, events of the chain, letters. Safe to run at any time and to
//! break off at any instant: every step is keyed by what it is about and simply done again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use medibloc_consent::{Grant, WriteGrant};
use medibloc_ledger::{Event, EventRef};
use medibloc_record::{AccountId, Digest, GrantId, RecordId};
use serde::{Deserialize, Serialize};

use crate::accept::is_temporary;
use crate::caught::caught;
use crate::grant::{EndOfGrant, GivenGrant};
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, PortError};
use crate::{JourneyError, KeptRecord, Party, Standing};

/// Objects that one sync fetches for grants that no known pairing explains.
const UNEXPLAINED: u32 = 64;
/// Blocks asked for at a time.
const PAGE: u32 = 500;
/// Records with missing objects that are looked at again by one sync.
const LOOK_AGAIN: usize = 32;

/// What a sync found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Records that are accepted now.
    pub accepted: Vec<RecordId>,
    /// Records that are not accepted, with the reason.
    pub not_accepted: Vec<(RecordId, String)>,
    /// Own records that their authors took back; they stay and are marked.
    pub retracted: Vec<RecordId>,
    /// Grants received.
    pub grants: usize,
    /// Letters that no pairing or invitation explains, removed unread.
    pub strangers: usize,
    /// Grants that no pairing explains, not taken.
    pub unpaired: usize,
    /// Own answers to invitations that came to nothing, with the reason.
    pub declined: Vec<String>,
    /// Contacts and requests received.
    pub letters: usize,
    /// Keys of newly accepted records given to readers of class and all grants.
    pub delivered: usize,
    /// Keys of newly accepted records received.
    pub keys: usize,
    /// Held grants that have ended.
    pub ended: Vec<GrantId>,
    /// Records whose copies were purged with them.
    pub purged: Vec<RecordId>,
    /// Own records that somebody was cleared to read since the last sync, with the reader's name.
    pub reads: Vec<(RecordId, String)>,
    /// Own records that keepers refused to somebody since the last sync, with the reader's name and the reason.
    pub refused: Vec<(RecordId, String)>,
    /// What the person must look at: a receipt that no grant of this vault explains.
    pub alarms: Vec<String>,
    /// What could not be done now and is done by the next sync.
    pub later: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cursor {
    pub(crate) next: u64,
}

/// A fault of the vault ends a sync; anything else is told and done later.
fn or_later(done: Result<(), JourneyError>, report: &mut SyncReport) -> Result<(), JourneyError> {
    match done {
        Err(error @ JourneyError::Port(PortError::Vault { .. })) => Err(error),
        Err(error) => {
            report.later.push(error.to_string());
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

impl Party {
    /// Fetches everything that is new for every own address, and goes on with unfinished jobs.
    pub async fn sync(&self) -> Result<SyncReport, JourneyError> {
        let mut report = SyncReport::default();
        // Without the chain no step can do anything: say so at once.
        self.ports.facts.head().await?;
        self.keep_ahead().await?;
        if let Err(error) = self.resume_writes().await {
            report.later.push(error.to_string());
        }
        self.resume_restore(&mut report.later).await?;
        self.resume_errands(&mut report.later).await?;
        self.sync_chain(&mut report).await?;
        // What one step cannot do now keeps none of the others from theirs.
        let done = self.sync_mail(&mut report).await;
        or_later(done, &mut report)?;
        self.pass_on(&mut report).await?;
        let done = self.resume_erasures(&mut report.later).await;
        or_later(done, &mut report)?;
        let done = caught("feeds", self.sync_feeds(&mut report)).await;
        or_later(done, &mut report)?;
        self.remind_readers()?;
        let done = self.resume_letters(&mut report.later).await;
        or_later(done, &mut report)?;
        Ok(report)
    }

    /// The part of a sync that asks nobody but the chain unless there is something new: what was anchored is accepted
    /// and given to readers of standing grants (design 02: within a minute), what ended is purged.
    pub async fn catch_up(&self) -> Result<SyncReport, JourneyError> {
        let mut report = SyncReport::default();
        self.keep_ahead().await?;
        self.resume_errands(&mut report.later).await?;
        self.sync_chain(&mut report).await?;
        self.pass_on(&mut report).await?;
        Ok(report)
    }

    /// What follows from what is known now: copies to purge, capsules to make anew, keys to deliver.
    async fn pass_on(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let done = self.purge_expired(report).await;
        or_later(done, report)?;
        let done = self.resume_plans(report).await;
        or_later(done, report)?;
        let done = self.resume_capsules(report).await;
        or_later(done, report)?;
        let done = self.deliver_new(report).await;
        or_later(done, report)
    }

    /// What a person must look at, until [`Party::forget_alarms`].
    pub fn alarms(&self) -> Result<Vec<String>, JourneyError> {
        self.rows(table::ALARMS)
    }

    /// The person has looked at every alarm.
    pub fn forget_alarms(&self) -> Result<(), JourneyError> {
        let rows = self.ports.vault.list(table::ALARMS)?;
        let gone = rows.into_iter().map(|(key, _)| Change::Delete {
            table: table::ALARMS,
            key,
        });
        Ok(self.ports.vault.apply(gone.collect())?)
    }

    async fn sync_chain(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let mut own: BTreeMap<AccountId, OwnAddress> = self
            .addresses()?
            .into_iter()
            .map(|own| (own.id(), own))
            .collect();
        let account = self.account();
        own.insert(account.id(), account);
        let start: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        let (events, next) = self.events_from(start.next).await?;
        let unexplained = if start.next == 0 {
            u32::MAX
        } else {
            UNEXPLAINED
        };
        self.unexplained.store(unexplained, Ordering::Relaxed);
        let capsules = newest_capsules(&events);
        let over = self.already_over(&events)?;
        let absent = self.absent(&own, &events, &capsules, report).await?;
        let mut complete = true;
        for (at, event) in &events {
            let is_absent =
                matches!(event, Event::Anchored(anchor) if absent.contains(&anchor.record_id()));
            if over.contains(at) || is_absent {
                continue;
            }
            let done = self.take_event(&own, at.block, event, &capsules, report);
            let done = caught("event", done).await;
            match done {
                Ok(()) => {}
                Err(error) if is_temporary(&error) => {
                    complete = false;
                    report.later.push(error.to_string());
                }
                // Nothing of it is kept, and nothing of it is owed.
                Err(JourneyError::Untrusted { what: "grant", .. }) => report.unpaired += 1,
                Err(error) => report.later.push(error.to_string()),
            }
        }
        self.recheck(&own, report).await?;
        if complete && next != start.next {
            self.put(table::CURSOR, b"chain", &Cursor { next })?;
        }
        Ok(())
    }

    async fn take_event(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        block: u64,
        event: &Event,
        capsules: &BTreeMap<RecordId, Digest>,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let revoked = EndOfGrant::Revoked;
        match event {
            Event::Anchored(anchor) => {
                let Some(address) = own.get(&anchor.owner) else {
                    return Ok(());
                };
                let capsule = capsules
                    .get(&anchor.record_id())
                    .copied()
                    .unwrap_or(anchor.capsule);
                let kept = self.look_at(address, block, anchor, capsule).await?;
                match kept.standing {
                    Standing::Accepted => report.accepted.push(kept.record()),
                    Standing::NotAccepted { because } => {
                        report.not_accepted.push((anchor.record_id(), because));
                    }
                    Standing::Checked | Standing::Erased => {}
                }
                Ok(())
            }
            Event::Granted(grant) => {
                if let Some(address) = own.get(&grant.reader)
                    && self.take_grant(address, grant).await?
                {
                    report.grants += 1;
                }
                Ok(())
            }
            Event::Delivered {
                grant,
                number,
                digest,
            } => {
                report.keys += self.take_delivery(*grant, *number, *digest).await?;
                Ok(())
            }
            Event::Revoked { grant } => {
                let changes = self.revoked_where(|id, _| id == *grant)?;
                self.ports.vault.apply(changes)?;
                self.end_grants_where(revoked, |id, _| id == *grant, report)
                    .await
            }
            Event::ReaderRevoked { owner, reader } => {
                self.mark_revoked(*owner).await?;
                let fits = |_, held: &crate::HeldGrant| held.owner == *owner && held.own == *reader;
                self.end_grants_where(revoked, fits, report).await
            }
            Event::AllRevoked { owner } => {
                self.mark_revoked(*owner).await?;
                self.end_writing(own, *owner, None)?;
                self.end_grants_where(revoked, |_, held| held.owner == *owner, report)
                    .await
            }
            Event::WriteGranted(write) => {
                if own.contains_key(&write.owner) {
                    self.mark_written(write)?;
                }
                if own.contains_key(&write.author) {
                    self.take_write_grant(write).await?;
                }
                Ok(())
            }
            Event::WriteRevoked { owner, author } => self.end_writing(own, *owner, Some(*author)),
            Event::Accepted { record } => self.now_accepted(*record, report),
            Event::Retracted { record } => {
                let row = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())?;
                if let Some(mut kept) = row.filter(|kept| !kept.retracted) {
                    kept.retracted = true;
                    self.put(table::RECORDS, record.as_bytes(), &kept)?;
                    report.retracted.push(*record);
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
                match self.row::<GivenGrant>(table::GRANTS, grant.as_bytes())? {
                    Some(given) => report.reads.push((*record, given.artefact.name)),
                    // A restore that lacks consents says so, and takes it back when the consent comes.
                    None if self.is_restoring()? => {
                        let alarm = format!(
                            "record {record} was cleared for reader {reader} on the unknown grant {grant} (receipt \
                             {receipt}); this restore lacks consents: run `medibloc sync` until it is complete, and revoke \
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
            Event::Erased { record } => self.mark_erased(*record),
            _ => Ok(()),
        }
    }

    /// A write grant of one's own stands: whatever was revoked before it is over.
    fn mark_written(&self, write: &WriteGrant) -> Result<(), JourneyError> {
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
    fn end_writing(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        owner: AccountId,
        author: Option<AccountId>,
    ) -> Result<(), JourneyError> {
        let mut changes = Vec::new();
        if own.contains_key(&owner) {
            for (id, mut given) in self.write_grants()? {
                let to = given.artefact.write.map(|write| write.author);
                if given.own == owner && (author.is_none() || to == author) && !given.revoked {
                    given.revoked = true;
                    changes.push(change(table::WRITE_GRANTS, id.as_bytes(), &given));
                }
            }
        }
        if author.is_none_or(|author| own.contains_key(&author)) {
            changes.push(Change::Delete {
                table: table::MAY_WRITE,
                key: owner.as_bytes().to_vec(),
            });
        }
        Ok(self.ports.vault.apply(changes)?)
    }

    /// Marks own grants that the chain says are revoked: another device of the same phrase may have done it.
    async fn mark_revoked(&self, owner: AccountId) -> Result<(), JourneyError> {
        let mut ended = BTreeSet::new();
        for (id, given) in self.grants()? {
            let Some(grant) = given.artefact.grant.as_ref() else {
                continue;
            };
            if given.own == owner && !given.revoked && self.ports.facts.grant(grant).await?.revoked
            {
                ended.insert(id);
            }
        }
        let changes = self.revoked_where(|id, _| ended.contains(&id))?;
        Ok(self.ports.vault.apply(changes)?)
    }

    /// Grants and deliveries to this reader that a later event takes back: no node gives out their objects any more,
    /// and nobody needs them.
    fn already_over(
        &self,
        events: &[(EventRef, Event)],
    ) -> Result<BTreeSet<EventRef>, JourneyError> {
        let mut held: BTreeMap<GrantId, (AccountId, AccountId)> = self
            .held()?
            .into_iter()
            .filter_map(|held| Some((held.artefact.grant?.id, (held.owner, held.own))))
            .collect();
        held.extend(events.iter().filter_map(|(_, event)| match event {
            Event::Granted(grant) => Some((grant.id, (grant.owner, grant.reader))),
            _ => None,
        }));
        let (mut over, mut ended) = (BTreeSet::new(), BTreeSet::new());
        for (at, event) in events.iter().rev() {
            let ends = |owner: &AccountId, reader: Option<&AccountId>| {
                let of = |known: &(AccountId, AccountId)| {
                    known.0 == *owner && reader.is_none_or(|reader| known.1 == *reader)
                };
                let ids = held.iter().filter(move |(_, known)| of(known));
                ids.map(|(id, _)| *id).collect::<Vec<_>>()
            };
            match event {
                Event::Revoked { grant } => ended.extend([*grant]),
                Event::ReaderRevoked { owner, reader } => ended.extend(ends(owner, Some(reader))),
                Event::AllRevoked { owner } => ended.extend(ends(owner, None)),
                Event::Granted(Grant { id, .. }) | Event::Delivered { grant: id, .. }
                    if ended.contains(id) =>
                {
                    over.insert(*at);
                }
                _ => {}
            }
        }
        Ok(over)
    }

    /// Looks again at records that were checked but lacked acknowledgements, and at those with missing objects.
    async fn recheck(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let again = self
            .records()?
            .into_iter()
            .filter(|kept| kept.standing == Standing::Checked || kept.incomplete);
        let mut waiting = Vec::new();
        for kept in again {
            if !self.is_accept_planned(&kept)? {
                waiting.push(kept);
            }
        }
        for kept in waiting.into_iter().take(LOOK_AGAIN) {
            let Some(address) = own.get(&kept.anchor.owner) else {
                continue;
            };
            match self
                .look_at(address, kept.block, &kept.anchor, kept.capsule)
                .await
            {
                Ok(kept) if kept.is_accepted() => report.accepted.push(kept.record()),
                Ok(kept) => {
                    if kept.standing == Standing::Checked && !self.is_accept_planned(&kept)? {
                        report.later.push(format!(
                            "record {}: too few keepers have their share yet",
                            kept.record()
                        ));
                    }
                }
                Err(error) => report.later.push(error.to_string()),
            }
        }
        Ok(())
    }

    /// All final events from a block on, with the block to start from next time.
    pub(crate) async fn events_from(
        &self,
        from: u64,
    ) -> Result<(Vec<(EventRef, Event)>, u64), JourneyError> {
        let mut found = Vec::new();
        let mut next = from;
        loop {
            let blocks = self.ports.events.events(next, PAGE).await?;
            let Some(last) = blocks.last() else {
                return Ok((found, next));
            };
            next = last.number + 1;
            for block in blocks {
                for (index, event) in (0u32..).zip(block.events) {
                    found.push((
                        EventRef {
                            block: block.number,
                            index,
                        },
                        event,
                    ));
                }
            }
        }
    }

    pub(crate) fn mark_erased(&self, record: RecordId) -> Result<(), JourneyError> {
        let row = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())?;
        if let Some(mut kept) = row.filter(|kept| kept.standing != Standing::Erased) {
            kept.standing = Standing::Erased;
            self.put(table::RECORDS, record.as_bytes(), &kept)?;
        }
        Ok(())
    }

    fn newer_capsule(&self, record: RecordId, digest: Digest) -> Result<(), JourneyError> {
        let Some(mut kept) = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())? else {
            return Ok(());
        };
        if kept.capsule != digest {
            kept.capsule = digest;
            self.put(table::RECORDS, record.as_bytes(), &kept)?;
        }
        Ok(())
    }
}

fn newest_capsules(events: &[(EventRef, Event)]) -> BTreeMap<RecordId, Digest> {
    events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::CapsuleReplaced { record, digest, .. } => Some((*record, *digest)),
            _ => None,
        })
        .collect()
}
