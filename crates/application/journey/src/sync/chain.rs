//! What a sync reads of the chain, from the block on that no sync took yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use medibloc_consent::Grant;
use medibloc_ledger::{Event, EventRef, Mark, Marks};
use medibloc_record::{AccountId, Digest, GrantId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{SyncReport, or_later};
use crate::caught::caught;
use crate::looks::Look;
use crate::missed::{Explained, Kept};
use crate::party::{OwnAddress, change, table};
use crate::ports::PortError;
use crate::set_back::taken_row;
use crate::{JourneyError, KeptRecord, Party};

/// Objects that one sync fetches for grants that no known pairing explains.
const UNEXPLAINED: u32 = 64;
/// Blocks asked for at a time.
pub(crate) const PAGE: u32 = 500;

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

impl Party {
    pub(super) async fn sync_chain(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let mut own = self.own_accounts()?;
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
        self.learn(true)?;
        self.check_held().await?;
        self.read_named_anew()?;
        self.read_labels_anew()?;
        self.resume_missed(&own, report).await?;
        let read = self.read_from(start.next).await?;
        let events = &read.events;
        self.learn(false)?;
        let capsules = newest_capsules(events);
        self.take_addresses(&mut own, events)?;
        self.note_readers(&own, events)?;
        self.queue(&own, events, &capsules)?;
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
                    Kept::Perhaps => report.unopened += 1,
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
            } else if let Some(missed) = self.missed(&own, *at, event, &error) {
                // At once: what follows may need to know.
                match self.keep_missed(&own, &missed) {
                    Ok(Kept::Yes) if missed.is_unread() => report.missed.push(missed.told()),
                    Ok(Kept::Yes) => report.later.push(error.to_string()),
                    Ok(Kept::Perhaps) => {
                        self.note_not_found(event);
                        missed.tell(Explained::Perhaps, report);
                    }
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
            let time = read.times.get(&last.number).copied();
            let taken = time.map(|time| taken_row(&last, time));
            let rows = self.rows_of(&last, marks)?.into_iter().chain(taken);
            self.ports
                .vault
                .apply([cursor].into_iter().chain(rows).collect())?;
        }
        or_later(self.fill_times().await, report)?;
        self.take_looks(&own, report).await?;
        // It is worth no failed sync: what was said is told without it.
        let _ = self.tell_read(report).await;
        self.tell_erased_written(report)?;
        self.tell_own(report)
    }

    /// The account and every own address.
    pub(crate) fn own_accounts(&self) -> Result<BTreeMap<AccountId, OwnAddress>, JourneyError> {
        let own = self.addresses()?.into_iter().chain([self.account()]);
        Ok(own.map(|own| (own.id(), own)).collect())
    }

    /// Addresses that another device of the phrase registered become own before what follows on the chain, and own ones have the
    /// keys that they were given.
    pub(crate) fn take_addresses(
        &self,
        own: &mut BTreeMap<AccountId, OwnAddress>,
        events: &[(EventRef, Event)],
    ) -> Result<(), JourneyError> {
        let is_registered =
            |(_, event): &(EventRef, Event)| matches!(event, Event::Registered { .. });
        let mut ahead = match events.iter().any(is_registered) {
            true => Some(self.ahead()?),
            false => None,
        };
        for (_, event) in events {
            if let (Event::Registered { .. }, Some(ahead)) = (event, &mut ahead) {
                self.take_registered(ahead, own, event)?;
            }
            if let Event::AddressRotated { account, to, .. } = event
                && let Some(address) = own.get_mut(account)
            {
                self.take_rotated(address, *to)?;
            }
        }
        Ok(())
    }

    /// Anchors for own addresses become rows that wait for a look.
    fn queue(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        events: &[(EventRef, Event)],
        capsules: &BTreeMap<RecordId, Digest>,
    ) -> Result<(), JourneyError> {
        let mut rows = Vec::new();
        for (at, event) in events {
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
                let was_lacking = kept.is_off_chain();
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

    /// Learns by heart what strangers' events are held against.
    fn learn(&self, is_first: bool) -> Result<(), JourneyError> {
        let held = self.held()?;
        let (mut givers, mut consents) = (BTreeSet::new(), BTreeMap::new());
        for held in held.iter().filter(|held| held.ended.is_none()) {
            givers.insert(held.owner);
            *consents.entry(held.artefact.paired).or_default() += 1;
        }
        let mut opened_from = BTreeMap::new();
        for held in &held {
            opened_from.entry(held.own).or_insert(held.owner);
        }
        self.known(|known| {
            // What is missed stays known.
            (known.givers, known.consents) = (givers, consents);
            known.opened_from = opened_from;
            if is_first {
                known.forget_missed();
            }
        });
        Ok(())
    }

    pub(crate) fn is_giver(&self, owner: AccountId) -> bool {
        self.known(|known| known.givers.contains(&owner))
    }

    /// Whether anything of a record is here.
    pub(super) fn has_of(&self, record: RecordId) -> Result<bool, JourneyError> {
        Ok(self.keys_of_record(record)?.is_some() || self.has_rows_of(record)?)
    }

    /// The same but for keys of held consents.
    pub(super) fn has_rows_of(&self, record: RecordId) -> Result<bool, JourneyError> {
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
