//! Sync (design 11, rows 3, 9–11): unfinished jobs, events of the chain, letters. Safe to run at any time and to
//! break off at any instant: every step is keyed by what it is about and simply done again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use medibloc_consent::{Grant, WriteGrant};
use medibloc_ledger::{Event, EventRef, Mark, Marks};
use medibloc_record::{AccountId, Digest, GrantId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::acts::UnknownAct;
use crate::caught::caught;
use crate::erase::ReadBy;
use crate::grant::{EndOfGrant, GivenGrant, HeldBack, HeldGrant};
use crate::looks::Look;
use crate::missed::Kept;
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, PortError};
use crate::said::{Corrected, TakenBack};
use crate::set_back::{NOT_ON_CHAIN, Says};
use crate::{JourneyError, KeptRecord, Party, Standing, Written};

/// Objects that one sync fetches for grants that no known pairing explains.
const UNEXPLAINED: u32 = 64;
/// Blocks asked for at a time.
pub(crate) const PAGE: u32 = 500;

/// What a sync found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Records that are accepted now.
    pub accepted: Vec<RecordId>,
    /// New records that were checked, with the time at which each is accepted.
    pub checked: Vec<(RecordId, Timestamp)>,
    /// Records that are not accepted, with the reason.
    pub not_accepted: Vec<(RecordId, String)>,
    /// Own and held records that their authors took back; they stay and are marked.
    pub retracted: Vec<RecordId>,
    /// The same with where the chain says so, own ones and those that are held or were read here; with the correction if
    /// that was taken back.
    pub taken_back: Vec<TakenBack>,
    /// Own records, and those of others that are held or were read here, that their authors corrected, each with its newest
    /// correction. What this home wrote itself is not among the corrections.
    pub corrected: Vec<Corrected>,
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
    /// Own records that standing consents cover and that were not given, because they name another person.
    pub held_back: Vec<HeldBack>,
    /// Keys of newly accepted records received.
    pub keys: usize,
    /// Held grants that have ended.
    pub ended: Vec<GrantId>,
    /// Records whose copies were purged, with a grant or because their owner erased them.
    pub purged: Vec<RecordId>,
    /// Own records that another device of this phrase erased: nothing of them is left here.
    pub erased: Vec<RecordId>,
    /// What readers say of copies that they purged.
    pub told: Vec<String>,
    /// Consents that followed by themselves from one to a class or to all records, each with the own address that gives it.
    pub standing: Vec<String>,
    /// Exported files of purged or erased records that were deleted since it was told last, with the reason.
    pub files_removed: Vec<(RecordId, String)>,
    /// Exported files of purged or erased records that stay, with the reason.
    pub files_left: Vec<(RecordId, String)>,
    /// Events that were not taken yet, each with what is missing; they are tried again, with growing pauses.
    pub missed: Vec<String>,
    /// Grants and permissions that no pairing explains yet, and whose objects nobody has or were not looked at: strangers'
    /// mostly. They are looked at in turn for thirty days, and nothing of them is owed.
    pub unexplained: usize,
    /// What is not tried again, with the reason.
    pub given_up: Vec<String>,
    /// Own records that somebody was cleared to read since the last sync, with the reader's name.
    pub reads: Vec<(RecordId, String)>,
    /// Own records that keepers refused to somebody since the last sync, with the reader's name and the reason.
    pub refused: Vec<(RecordId, String)>,
    /// What the person must look at: a receipt that no grant of this vault explains.
    pub alarms: Vec<String>,
    /// What own accounts did and this device did not, until the person says that it was a device of the own.
    pub acts: Vec<UnknownAct>,
    /// What was begun or planned before, and is done now.
    pub done: Vec<String>,
    /// What could not be done now and is done by the next sync.
    pub later: Vec<String>,
    /// Letters for which this home's deployment file is too old: whose, since when, and what to do.
    pub waiting: Vec<String>,
    /// Something of it was left to the next sync, for a command that takes something back.
    pub gave_way: bool,
}

/// What was read of the chain.
#[derive(Default)]
pub(crate) struct FromChain {
    /// Final events in their order.
    pub(crate) events: Vec<(EventRef, Event)>,
    /// Blocks to know the chain by.
    pub(crate) marks: Marks,
    /// When their blocks were made.
    pub(crate) times: BTreeMap<u64, Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cursor {
    pub(crate) next: u64,
}

/// A fault of the vault ends a sync; anything else is told and done later.
pub(crate) fn or_later(
    done: Result<(), JourneyError>,
    report: &mut SyncReport,
) -> Result<(), JourneyError> {
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
        let _way = self.patience.give_way();
        let mut report = SyncReport::default();
        self.ports.vault.keep_reserve();
        // Without the chain no step can do anything: say so at once.
        self.check_chain().await?;
        self.compare_with_node(&mut report).await;
        self.keep_ahead().await?;
        self.resume_restore(&mut report.later).await?;
        // What takes something back is among these: it waits for no keeper.
        self.resume_errands(&mut report).await?;
        let (written, first) = self.go_on_with_writes().await?;
        report.later.extend(first.map(|error| error.to_string()));
        let lacking = written
            .iter()
            .filter(|written| written.acknowledged < written.keepers && written.acknowledged > 0);
        report.later.extend(lacking.map(|written| {
            let (record, has, all) = (written.record, written.acknowledged, written.keepers);
            format!(
                "record {record}: {has} of {all} keepers hold a share; the others are asked again"
            )
        }));
        let whole = |written: &&Written| written.acknowledged == written.keepers;
        report
            .done
            .extend(written.iter().filter(whole).map(|written| {
                let (record, all) = (written.record, written.keepers);
                format!("record {record} is stored and anchored; all {all} keepers hold a share")
            }));
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
        self.patience.tell(&mut report);
        self.tell_removed(&mut report)?;
        Ok(report)
    }

    /// A home that was behind an older copy of the chain sees nothing amiss in it; its node may.
    async fn compare_with_node(&self, report: &mut SyncReport) {
        let Ok(witness) = self.witness(None).await else {
            return;
        };
        let told = || format!("{witness}; `medibloc chain show` asks the keepers");
        match witness.says {
            Says::Another => report.alarms.push(told()),
            Says::Ahead => report.later.push(told()),
            Says::Same | Says::Nothing(_) => {}
        }
    }

    /// The part of a sync that asks nobody but the chain unless there is something new: what was anchored is accepted
    /// and given to readers of standing grants (design 02: within a minute), what ended is purged.
    pub async fn catch_up(&self) -> Result<SyncReport, JourneyError> {
        let _way = self.patience.give_way();
        let mut report = SyncReport::default();
        self.check_chain().await?;
        self.keep_ahead().await?;
        self.resume_errands(&mut report).await?;
        self.sync_chain(&mut report).await?;
        self.pass_on(&mut report).await?;
        self.patience.tell(&mut report);
        self.tell_removed(&mut report)?;
        Ok(report)
    }

    /// What follows from what is known now: copies to purge, capsules to make anew, keys to deliver.
    async fn pass_on(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let done = self.purge_expired(report).await;
        or_later(done, report)?;
        if self.patience.is_called() {
            return Ok(());
        }
        let done = self.resume_plans(report).await;
        or_later(done, report)?;
        let done = self.resume_capsules(report).await;
        or_later(done, report)?;
        let done = self.deliver_new(report).await;
        or_later(done, report)
    }

    /// A file that somebody wrote out does not go without a word.
    fn tell_removed(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        for (record, files) in self.take_removed(|_| true)? {
            let files = files.into_iter().map(|file| (record, file));
            report.files_removed.extend(files);
        }
        Ok(())
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
        // A wipe that a crash broke off comes first: nothing may find what is to be gone.
        self.resume_wipes(&mut report.files_left, &mut report.later)
            .await?;
        let start: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        let unexplained = if start.next == 0 {
            u32::MAX
        } else {
            UNEXPLAINED
        };
        // Before anything is taken: what is missed spends it too.
        self.unexplained.store(unexplained, Ordering::Relaxed);
        self.learn(&[])?;
        self.resume_missed(&own, report).await?;
        let read = self.read_from(start.next).await?;
        let events = &read.events;
        self.learn(events)?;
        let capsules = newest_capsules(events);
        self.queue(&mut own, events, &capsules)?;
        let alarms = self.judge_acts(&own, events).await?;
        report.alarms.extend(alarms);
        report.acts = self.unknown_acts()?;
        let over = self.already_over(&own, events)?;
        let mut complete = true;
        for (at, event) in events {
            if over.contains(at) || matches!(event, Event::Anchored(_)) {
                continue;
            }
            if self.is_put_off(&own, event)? {
                match self.keep_missed(&own, &self.not_looked_at(*at, event))? {
                    Kept::No => report.unpaired += 1,
                    Kept::Yes | Kept::Unexplained => report.unexplained += 1,
                }
                continue;
            }
            self.note_end(&own, (at.block, start.next == 0), event)?;
            let done = self.take_event(&own, at.block, event, report);
            let done = caught("event", done).await;
            let Err(error) = done else {
                self.note_given(at.block, event)?;
                continue;
            };
            if matches!(error, JourneyError::Port(PortError::Vault { .. })) {
                complete = false;
                report.later.push(error.to_string());
            } else if let Some(missed) = self.missed(*at, event, &error) {
                // At once: what follows may need to know.
                match self.keep_missed(&own, &missed) {
                    Ok(Kept::Yes) => report.later.push(error.to_string()),
                    Ok(Kept::Unexplained) => report.unexplained += 1,
                    Ok(Kept::No) => report.unpaired += 1,
                    Err(_) => complete = false,
                }
            } else if matches!(error, JourneyError::Untrusted { what: "grant", .. }) {
                // Nothing of it is kept, and nothing of it is owed.
                report.unpaired += 1;
            } else {
                report.given_up.push(error.to_string());
            }
        }
        // Before the events are behind it: what is not remembered now is not told again.
        self.take_said(start.next, &read, report).await?;
        let marks = &read.marks;
        if let (true, Some(last)) = (complete, marks.newest()) {
            let next = last.number + 1;
            let cursor = change(table::CURSOR, b"chain", &Cursor { next });
            let [last, seen] = self.rows_of(&last, marks)?;
            self.ports.vault.apply(vec![cursor, last, seen])?;
        }
        or_later(self.fill_times().await, report)?;
        self.take_looks(&own, report).await?;
        self.tell_own(report)
    }

    /// Anchors for own addresses become rows that wait for a look; addresses that another device of the phrase
    /// registered become own before what follows on the chain.
    fn queue(
        &self,
        own: &mut BTreeMap<AccountId, OwnAddress>,
        events: &[(EventRef, Event)],
        capsules: &BTreeMap<RecordId, Digest>,
    ) -> Result<(), JourneyError> {
        let is_registered =
            |(_, event): &(EventRef, Event)| matches!(event, Event::Registered { .. });
        let mut ahead = match events.iter().any(is_registered) {
            true => Some(self.ahead()?),
            false => None,
        };
        let mut rows = Vec::new();
        for (at, event) in events {
            if let (Event::Registered { .. }, Some(ahead)) = (event, &mut ahead) {
                self.take_registered(ahead, own, event)?;
            }
            if let Event::AddressRotated { account, to, .. } = event
                && let Some(address) = own.get_mut(account)
            {
                self.take_rotated(address, *to)?;
            }
            let Event::Anchored(anchor) = event else {
                continue;
            };
            let record = anchor.record_id();
            rows.extend(self.written_elsewhere(own, anchor)?);
            if !own.contains_key(&anchor.owner) {
                continue;
            }
            if let Some(mut kept) = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())? {
                // Seen before, on a chain that was left: here it stands elsewhere.
                let was_lacking = kept.warning.as_deref() == Some(NOT_ON_CHAIN);
                if kept.block != at.block || was_lacking {
                    kept.block = at.block;
                    if was_lacking {
                        kept.warning = None;
                    }
                    rows.push(change(table::RECORDS, record.as_bytes(), &kept));
                }
                continue;
            }
            let capsule = capsules.get(&record).copied().unwrap_or(anchor.capsule);
            rows.push(Look::new(*anchor, *at, capsule).row_of(record));
        }
        // Before anything that follows on the chain: an erasure must find them.
        Ok(self.ports.vault.apply(rows)?)
    }

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
                    && self.take_grant(address, grant).await?
                {
                    report.grants += 1;
                    self.known(|known| {
                        known.is_changed = true;
                        known.givers.insert(grant.owner);
                    });
                }
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
                let keys = self.take_delivery(*grant, *number, *digest).await?;
                self.known(|known| known.is_changed |= keys > 0);
                report.keys += keys;
                self.take_own_delivery(event, *grant, *number).await
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
                self.take_own_consent(own, write.owner, event).await
            }
            Event::WriteRevoked { owner, author } => self.end_writing(own, *owner, Some(*author)),
            Event::Suspended { account } => self.tell_standing(*account, report, "was suspended"),
            Event::Reinstated { account } => {
                self.tell_standing(*account, report, "is accredited again")
            }
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
                };
                self.ports.vault.apply(vec![read.row()])?;
                match self.reader_name(*grant, *reader)? {
                    Some(name) => report.reads.push((*record, name)),
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
                self.take_erased(*record, block, report).await
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
        let names: BTreeSet<String> = of.map(|contact| contact.name).collect();
        report.told.extend(names.into_iter().map(|name| {
            format!(
                "{name} {what} by the authority; while suspended it reads and writes nothing, and what it was given stands: \
                 `medibloc grant revoke --contact` takes it back"
            )
        }));
        Ok(())
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

    /// Learns by heart what strangers' events are held against.
    fn learn(&self, events: &[(EventRef, Event)]) -> Result<(), JourneyError> {
        let held = self.held()?;
        let erased = |(_, event): &(EventRef, Event)| match event {
            Event::Erased { record } => Some(*record),
            _ => None,
        };
        let mut erased: BTreeSet<RecordId> = events.iter().filter_map(erased).collect();
        if !erased.is_empty() {
            let of = held.iter().flat_map(HeldGrant::records);
            let shared: BTreeSet<RecordId> = of.filter(|record| erased.contains(record)).collect();
            erased = shared;
        }
        let standing = held.iter().filter(|held| held.ended.is_none());
        let givers = standing.map(|held| held.owner).collect();
        self.known(|known| {
            // What is missed stays known.
            known.givers = givers;
            known.erased = erased;
            known.is_changed = false;
            if events.is_empty() {
                known.forget_missed();
            }
        });
        Ok(())
    }

    pub(crate) fn is_giver(&self, owner: AccountId) -> bool {
        self.known(|known| known.givers.contains(&owner))
    }

    /// Whether anything of a record is here.
    fn has_of(&self, record: RecordId) -> Result<bool, JourneyError> {
        if self.known(|known| known.is_changed || known.erased.contains(&record)) {
            return Ok(true);
        }
        for table in [
            table::RECORDS,
            table::LOOKS,
            table::JOBS,
            table::WRITTEN,
            table::WRITTEN_ELSEWHERE,
            table::READS,
            table::ERASED,
        ] {
            if self.ports.vault.get(table, record.as_bytes())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Marks own grants that the chain says are revoked: another device of the same phrase may have done it.
    async fn mark_revoked(&self, owner: AccountId) -> Result<(), JourneyError> {
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

    /// Grants and deliveries to this reader that a later event takes back: no node gives out their objects any more,
    /// and nobody needs them. Own consents are part of the history, ended or not.
    fn already_over(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
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
        // One look a call, whatever came before: a stranger may send ten thousand of each.
        let (mut of_owner, mut of_pair) = (BTreeSet::new(), BTreeSet::new());
        for (at, event) in events.iter().rev() {
            match event {
                Event::Revoked { grant } => {
                    ended.insert(*grant);
                }
                Event::ReaderRevoked { owner, reader } => {
                    of_pair.insert((*owner, *reader));
                }
                Event::AllRevoked { owner } => {
                    of_owner.insert(*owner);
                }
                Event::Granted(Grant { id, .. }) | Event::Delivered { grant: id, .. } => {
                    let pair = held.get(id);
                    if pair.is_some_and(|(owner, _)| own.contains_key(owner)) {
                        continue;
                    }
                    let is_over = ended.contains(id)
                        || pair.is_some_and(|pair| {
                            of_owner.contains(&pair.0) || of_pair.contains(pair)
                        });
                    if is_over {
                        over.insert(*at);
                    }
                }
                _ => {}
            }
        }
        Ok(over)
    }

    /// All final events from a block on, with the block to start from next time.
    pub(crate) async fn events_from(
        &self,
        from: u64,
    ) -> Result<(Vec<(EventRef, Event)>, Marks), JourneyError> {
        let read = self.read_from(from).await?;
        Ok((read.events, read.marks))
    }

    /// The same with the times of their blocks.
    pub(crate) async fn read_from(&self, from: u64) -> Result<FromChain, JourneyError> {
        let mut read = FromChain::default();
        let mut next = from;
        loop {
            let blocks = self.ports.events.events(next, PAGE).await?;
            let Some(last) = blocks.last() else {
                // They may come from another node of the chain than the answer before.
                self.check_chain().await?;
                return Ok(read);
            };
            next = last.number + 1;
            for block in blocks {
                read.marks.note(Mark::of(&block));
                read.times.insert(block.number, block.time);
                for (index, event) in (0u32..).zip(block.events) {
                    let block = block.number;
                    read.events.push((EventRef { block, index }, event));
                }
            }
        }
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

fn newest_capsules(events: &[(EventRef, Event)]) -> BTreeMap<RecordId, Digest> {
    events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::CapsuleReplaced { record, digest, .. } => Some((*record, *digest)),
            _ => None,
        })
        .collect()
}
