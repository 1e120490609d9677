//! What a sync takes of it: rows that outlive the events, and what is told once.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::AnchorFields;
use medibloc_ledger::{Event, EventRef};
use medibloc_record::{AccountId, RecordId, Timestamp};

use super::{Amendment, Concerns, Correction, OnChain, SaidOf};
use crate::accept::KeptRecord;
use crate::party::{change, table};
use crate::ports::Change;
use crate::read::KeptCopy;
use crate::{JourneyError, Party, SyncReport};

/// Records that came here for which the chain is asked one by one when they were anchored; more are looked for from its begin.
const ASKED: usize = 8;

const fn is_said(event: &Event) -> bool {
    match event {
        Event::Retracted { .. } => true,
        Event::Anchored(anchor) => anchor.amends.is_some(),
        _ => false,
    }
}

impl Party {
    /// Remembers what authors said of records that are here, and tells what is of others. Nothing that came before a record
    /// did is passed over: for what is held since the last sync the chain is read from its anchor on.
    pub(crate) async fn take_said(
        &self,
        since: u64,
        events: &[(EventRef, Event)],
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let mut said: BTreeMap<EventRef, Event> = BTreeMap::new();
        let new = self.not_looked_back()?;
        if !new.is_empty() && since > 0 {
            let from = self.anchored_from(&new).await?;
            if from < since {
                let (earlier, _) = self.events_from(from).await?;
                said.extend(earlier.into_iter().filter(|(_, event)| is_said(event)));
            }
        }
        let now = events.iter().filter(|(_, event)| is_said(event));
        said.extend(now.cloned());
        let mut rows: Vec<_> = new
            .iter()
            .map(|record| change(table::LOOKED_BACK, record.as_bytes(), &true))
            .collect();
        if !said.is_empty() {
            let mut concerns = self.concerning()?;
            for (at, event) in said {
                let taken = match event {
                    Event::Anchored(anchor) => {
                        self.take_correction(&mut concerns, at, &anchor, report)
                            .await?
                    }
                    Event::Retracted { record } => {
                        self.take_back(&concerns, at, record, report).await?
                    }
                    _ => None,
                };
                rows.extend(taken);
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        Ok(self.ports.vault.apply(rows)?)
    }

    async fn take_correction(
        &self,
        concerns: &mut Concerns,
        at: EventRef,
        anchor: &AnchorFields,
        report: &mut SyncReport,
    ) -> Result<Option<Change>, JourneyError> {
        let Some(amends) = anchor.amends else {
            return Ok(None);
        };
        let Some((author, owner)) = concerns.parties.get(&amends).copied() else {
            return Ok(None);
        };
        if owner != anchor.owner {
            return Ok(None);
        }
        // Its key is gone with its consent: the chain knows who wrote it.
        let author = match author {
            Some(author) => author,
            None => match self.anchor_on_chain(amends).await? {
                Some(anchor) => anchor.author,
                None => return Ok(None),
            },
        };
        if author != anchor.author {
            return Ok(None);
        }
        let record = anchor.record_id();
        concerns.parties.insert(record, (Some(author), owner));
        let root = concerns.roots.get(&amends).copied();
        if let Some(root) = root {
            concerns.roots.insert(record, root);
        }
        if self
            .row::<Amendment>(table::CORRECTED, record.as_bytes())?
            .is_some()
        {
            return Ok(None);
        }
        let when = self.moment_of(at.block).await?;
        if let Some(root) = root {
            let is_here = self
                .held()?
                .iter()
                .any(|held| held.ended.is_none() && held.records().any(|of| of == record));
            let (anchored, taken_back) = (Some(when), None);
            let by = Correction {
                record,
                amends,
                author,
                anchored,
                taken_back,
                is_here,
            };
            report.corrected.push((self.said_of_read(root, owner)?, by));
        }
        let OnChain { block, at } = when;
        let row = Amendment {
            record,
            amends,
            author,
            owner,
            block,
            at,
        };
        Ok(Some(change(table::CORRECTED, record.as_bytes(), &row)))
    }

    async fn take_back(
        &self,
        concerns: &Concerns,
        at: EventRef,
        record: RecordId,
        report: &mut SyncReport,
    ) -> Result<Option<Change>, JourneyError> {
        let Some((_, owner)) = concerns.parties.get(&record) else {
            return Ok(None);
        };
        if self.taken_back(record)?.is_some() {
            return Ok(None);
        }
        let when = self.moment_of(at.block).await?;
        let is_others = concerns.roots.contains_key(&record);
        // An own one was taken with its event.
        if is_others || report.retracted.contains(&record) {
            let root = concerns.roots.get(&record).copied().unwrap_or(record);
            let corrects = (root != record).then_some(record);
            let of = self.said_of_read(root, *owner)?;
            if !report.retracted.contains(&record) {
                report.retracted.push(record);
            }
            report.taken_back.push((of, corrects, when));
        }
        Ok(Some(change(table::TAKEN_BACK, record.as_bytes(), &when)))
    }

    /// A record as a person knows it.
    ///
    /// # Errors
    /// If the vault fails.
    fn said_of_read(&self, record: RecordId, owner: AccountId) -> Result<SaidOf, JourneyError> {
        let copy: Option<KeptCopy> = self.row(table::READS, record.as_bytes())?;
        let kept: Option<KeptRecord> = self.row(table::RECORDS, record.as_bytes())?;
        let read_at = copy.as_ref().map(KeptCopy::read_at);
        let manifest = copy.map(|copy| copy.manifest);
        let manifest = manifest.or_else(|| kept.and_then(|kept| kept.manifest));
        let title = manifest.and_then(|manifest| manifest.title);
        Ok(SaidOf {
            record,
            title,
            owner,
            read_at,
        })
    }

    /// Held records of which nobody looked yet at what was said before they came.
    fn not_looked_back(&self) -> Result<BTreeSet<RecordId>, JourneyError> {
        let mut new = BTreeSet::new();
        for held in self.held()?.iter().filter(|held| held.ended.is_none()) {
            for record in held.records() {
                let row = self
                    .ports
                    .vault
                    .get(table::LOOKED_BACK, record.as_bytes())?;
                if row.is_none() {
                    new.insert(record);
                }
            }
        }
        Ok(new)
    }

    /// A block before which none of these stands.
    async fn anchored_from(&self, records: &BTreeSet<RecordId>) -> Result<u64, JourneyError> {
        if records.len() > ASKED {
            return Ok(0);
        }
        let mut first: Option<Timestamp> = None;
        for record in records {
            let Some(facts) = self.ports.facts.record(*record).await? else {
                continue;
            };
            let at = facts.anchored_at;
            first = Some(first.map_or(at, |first| first.min(at)));
        }
        match first {
            Some(at) => self.first_block_at(at).await,
            None => Ok(u64::MAX),
        }
    }
}
