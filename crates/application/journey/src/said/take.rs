//! What a sync takes of it: rows that outlive the events, and what is told once. An author may say very much of one record, so
//! the chain is asked only for what no event in hand says, and of one record one line of a kind is told.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::AnchorFields;
use medibloc_ledger::{Event, EventRef};
use medibloc_record::{RecordId, Timestamp};

use super::concerns::Concerns;
use super::{Amendment, Corrected, Correction, OnChain, SaidOf, TakenBack};
use crate::accept::KeptRecord;
use crate::grant::SharedKey;
use crate::party::{change, table};
use crate::ports::Change;
use crate::read::KeptCopy;
use crate::sync::FromChain;
use crate::write::WriteJob;
use crate::{JourneyError, Party, SyncReport};

/// Records that came here for which the chain is asked one by one when they were anchored; more are looked for from its begin.
const ASKED: usize = 8;
/// Rows that are kept at a time: what is broken off has done some of the work.
const ROWS: usize = 256;

const fn is_said(event: &Event) -> bool {
    match event {
        Event::Retracted { .. } | Event::Erased { .. } => true,
        Event::Anchored(anchor) => anchor.amends.is_some(),
        _ => false,
    }
}

/// What is to be told, by the record that a person knows.
#[derive(Default)]
struct Told {
    corrected: BTreeMap<RecordId, Vec<Correction>>,
    taken_back: BTreeMap<RecordId, Vec<(RecordId, OnChain)>>,
}

impl Party {
    /// Remembers what authors said of records that are here, and tells it once. Nothing that came before a record did is passed
    /// over: for what is held since the last sync the chain is read from its anchor on.
    pub(crate) async fn take_said(
        &self,
        since: u64,
        read: &FromChain,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let waiting = self.ports.vault.list(table::NOT_LOOKED_BACK)?;
        let new = self.not_looked_back()?;
        let mut earlier = FromChain::default();
        if !new.is_empty() && since > 0 {
            let from = self.anchored_from(&new).await?;
            if from < since {
                earlier = self.read_from(from).await?;
            }
        }
        let mut said: BTreeMap<EventRef, &Event> = BTreeMap::new();
        for (at, event) in earlier.events.iter().chain(&read.events) {
            if is_said(event) {
                said.insert(*at, event);
            }
        }
        if !said.is_empty() {
            let asked = said.values().flat_map(|event| match event {
                Event::Anchored(anchor) => [Some(anchor.record_id()), anchor.amends],
                Event::Retracted { record } => [Some(*record), None],
                _ => [None, None],
            });
            let mut concerns = self.concerning(Some(&asked.flatten().collect()))?;
            // The chain is asked before any row is kept: what is kept is told.
            self.learn_authors(&mut concerns, &said).await?;
            let (mut rows, mut told) = (Vec::new(), Told::default());
            let mut erased = Vec::new();
            for (at, event) in said {
                let time = earlier.times.get(&at.block);
                let Some(time) = time.or_else(|| read.times.get(&at.block)) else {
                    continue;
                };
                let when = OnChain {
                    block: at.block,
                    at: *time,
                };
                rows.extend(match event {
                    Event::Anchored(anchor) => {
                        take_correction(&mut concerns, (when, at.index), anchor, &mut told)
                    }
                    Event::Retracted { record } => {
                        take_back(&mut concerns, when, *record, &mut told)
                    }
                    Event::Erased { record } if concerns.corrected.contains(record) => {
                        concerns.erased.insert(*record);
                        erased.push((*record, when));
                        None
                    }
                    _ => None,
                });
                if rows.len() == ROWS {
                    self.ports.vault.apply(core::mem::take(&mut rows))?;
                }
            }
            self.ports.vault.apply(rows)?;
            self.note_erased_corrections(erased)?;
            self.tell(&concerns, told, report)?;
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let looked = new.iter();
        let looked = looked.map(|record| change(table::LOOKED_BACK, record.as_bytes(), &true));
        let waited = waiting.into_iter().map(|(key, _)| Change::Delete {
            table: table::NOT_LOOKED_BACK,
            key,
        });
        Ok(self.ports.vault.apply(looked.chain(waited).collect())?)
    }

    /// A correction that is erased is one still, for whoever never had it, too.
    fn note_erased_corrections(
        &self,
        erased: Vec<(RecordId, OnChain)>,
    ) -> Result<(), JourneyError> {
        for (record, when) in erased {
            let row: Option<Amendment> = self.row(table::CORRECTED, record.as_bytes())?;
            if let Some(mut row) = row.filter(|row| row.erased.is_none()) {
                row.erased = Some(when);
                self.put(table::CORRECTED, record.as_bytes(), &row)?;
            }
        }
        Ok(())
    }

    /// Who wrote those whose key is gone with its consent: the chain knows.
    async fn learn_authors(
        &self,
        concerns: &mut Concerns,
        said: &BTreeMap<EventRef, &Event>,
    ) -> Result<(), JourneyError> {
        let mut open = BTreeSet::new();
        for event in said.values() {
            if let Event::Anchored(anchor) = event
                && let Some(amends) = anchor.amends
                && concerns.parties.get(&amends) == Some(&(None, anchor.owner))
            {
                open.insert(amends);
            }
        }
        for record in open {
            if let Some(anchor) = self.anchor_on_chain(record).await? {
                let parties = (Some(anchor.author), anchor.owner);
                concerns.parties.insert(record, parties);
            }
        }
        Ok(())
    }

    /// One line of a kind for each record, in the order of the chain.
    fn tell(
        &self,
        concerns: &Concerns,
        told: Told,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let mut corrected = Vec::new();
        for (root, mut by) in told.corrected {
            // Its owner, who erased it, has nothing to do about it.
            if concerns.own.contains(&root) && concerns.erased.contains(&root) {
                continue;
            }
            // What was taken back meanwhile is told as that.
            by.retain(|one| !concerns.taken_back.contains(&one.record));
            let Some(mut newest) = by.pop() else {
                continue;
            };
            newest.erased |= concerns.erased.contains(&newest.record);
            corrected.push(Corrected {
                of: self.as_known(concerns, root)?,
                by: newest,
                earlier: by.len(),
            });
        }
        corrected.sort_by_key(|one| one.by.anchored.map(|place| place.block));
        let mut taken_back = Vec::new();
        for (root, gone) in told.taken_back {
            let (itself, mut corrections): (Vec<_>, Vec<_>) =
                gone.into_iter().partition(|(record, _)| *record == root);
            let newest = corrections.pop().map(|(record, when)| (Some(record), when));
            let itself = itself.into_iter().map(|(_, when)| (None, when, 0));
            let newest = newest.map(|(record, when)| (record, when, corrections.len()));
            for (correction, when, others) in itself.chain(newest) {
                let record = correction.unwrap_or(root);
                if !report.retracted.contains(&record) {
                    report.retracted.push(record);
                }
                taken_back.push(TakenBack {
                    of: self.as_known(concerns, root)?,
                    correction,
                    when,
                    others,
                });
            }
        }
        taken_back.sort_by_key(|one| one.when.block);
        report.corrected.extend(corrected);
        report.taken_back.extend(taken_back);
        Ok(())
    }

    /// What is known of own records once they were looked at: those that came with what was said of them had no title before.
    pub(crate) fn tell_own(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let corrected = report.corrected.iter_mut();
        let corrected = corrected.map(|one| (&mut one.of, Some(&mut one.by)));
        let taken_back = report.taken_back.iter_mut().map(|one| (&mut one.of, None));
        for (of, by) in corrected.chain(taken_back) {
            if !of.is_own {
                continue;
            }
            let kept: Option<KeptRecord> = self.row(table::RECORDS, of.record.as_bytes())?;
            let manifest = kept.and_then(|kept| kept.manifest);
            of.title = manifest.and_then(|manifest| manifest.title);
            if let Some(by) = by {
                let kept: Option<KeptRecord> = self.row(table::RECORDS, by.record.as_bytes())?;
                by.is_here = kept.is_some_and(|kept| kept.is_accepted());
                by.erased |= self.erasure(by.record)?.is_some();
            }
        }
        Ok(())
    }

    /// When readers read what they are told of, by the chain, as `audit` says it: of former ones the copies are gone, and a
    /// copy has the time of the clock here.
    pub(crate) async fn tell_read(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let corrected = report.corrected.iter_mut().map(|one| &mut one.of);
        let taken_back = report.taken_back.iter_mut().map(|one| &mut one.of);
        let mut open: Vec<&mut SaidOf> = corrected
            .chain(taken_back)
            .filter(|of| !of.is_own)
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        for read in self.own_reads().await? {
            for of in open.iter_mut().filter(|of| of.record == read.line.record) {
                match read.opened {
                    Some(true) => of.read_at = Some(read.line.at),
                    Some(false) => {}
                    None if of.read_at.is_none() => of.cleared_at = Some(read.line.at),
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// A record as a person knows it.
    fn as_known(&self, concerns: &Concerns, record: RecordId) -> Result<SaidOf, JourneyError> {
        let copy: Option<KeptCopy> = self.row(table::READS, record.as_bytes())?;
        let kept: Option<KeptRecord> = self.row(table::RECORDS, record.as_bytes())?;
        let read_at = copy.as_ref().map(KeptCopy::read_at);
        let manifest = copy.map(|copy| copy.manifest);
        let manifest = manifest.or_else(|| kept.and_then(|kept| kept.manifest));
        let title = manifest.and_then(|manifest| manifest.title);
        let title = match title {
            Some(title) => Some(title),
            // Its author, who read it as well.
            None => {
                let job: Option<WriteJob> = self.row(table::WRITTEN, record.as_bytes())?;
                job.and_then(|job| job.title)
            }
        };
        let parties = concerns.parties.get(&record);
        let owner = parties.map(|(_, owner)| *owner);
        // Whoever names somebody else's record is not its owner.
        let row = self.keys_of_record(record)?;
        let held = self.held()?.into_iter().find(|held| {
            let mut named = held.artefact.records.iter().filter(|_| held.is_checked);
            let is_of = held.opens_in(row.as_ref(), record) || named.any(|of| *of == record);
            owner == Some(held.owner) && is_of
        });
        let paired = held.map(|held| held.artefact.paired);
        let label = match paired {
            Some(paired) => self.label(paired)?,
            None => None,
        };
        Ok(SaidOf {
            record,
            title,
            owner: owner.ok_or_else(|| {
                let what = format!("the owner of record {record}");
                let hint = "run `medibloc sync` again";
                JourneyError::Unknown { what, hint }
            })?,
            paired,
            is_own: concerns.own.contains(&record),
            label,
            read_at,
            cleared_at: None,
        })
    }

    /// Held records of which nobody looked yet at what was said before they came.
    pub(super) fn not_looked_back(&self) -> Result<BTreeSet<RecordId>, JourneyError> {
        let mut new = BTreeSet::new();
        for (key, _) in self.ports.vault.list(table::NOT_LOOKED_BACK)? {
            let Ok(key) = key.try_into() else {
                continue;
            };
            let record = RecordId::new(key);
            if self.keys_of_record(record)?.is_some() {
                new.insert(record);
            }
        }
        // Of older versions' rows, until a sync moved them.
        for held in self.held()?.iter().filter(|held| held.ended.is_none()) {
            for record in held.keys.iter().map(SharedKey::record) {
                let vault = &self.ports.vault;
                if vault.get(table::LOOKED_BACK, record.as_bytes())?.is_none() {
                    new.insert(record);
                }
            }
        }
        Ok(new)
    }

    /// A block before which none of these stands.
    pub(crate) async fn anchored_from(
        &self,
        records: &BTreeSet<RecordId>,
    ) -> Result<u64, JourneyError> {
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

fn take_correction(
    concerns: &mut Concerns,
    (when, index): (OnChain, u32),
    anchor: &AnchorFields,
    told: &mut Told,
) -> Option<Change> {
    let amends = anchor.amends?;
    let (author, owner) = concerns.parties.get(&amends).copied()?;
    if owner != anchor.owner || author != Some(anchor.author) {
        return None;
    }
    let (author, record) = (anchor.author, anchor.record_id());
    concerns.parties.insert(record, (Some(author), owner));
    let root = concerns.roots.get(&amends).copied();
    if let Some(root) = root {
        concerns.roots.insert(record, root);
    }
    if !concerns.corrected.insert(record) {
        return None;
    }
    // Who wrote it here knows.
    if let Some(root) = root.filter(|_| !concerns.written.contains(&record)) {
        let by = Correction {
            record,
            amends,
            author,
            anchored: Some(when),
            taken_back: None,
            erased: false,
            is_here: concerns.open.contains(&record),
            index,
            authored: None,
        };
        told.corrected.entry(root).or_default().push(by);
    }
    let OnChain { block, at } = when;
    let row = Amendment {
        record,
        amends,
        author,
        owner,
        block,
        at,
        index,
        erased: None,
    };
    Some(change(table::CORRECTED, record.as_bytes(), &row))
}

fn take_back(
    concerns: &mut Concerns,
    when: OnChain,
    record: RecordId,
    told: &mut Told,
) -> Option<Change> {
    concerns.parties.get(&record)?;
    if !concerns.taken_back.insert(record) {
        return None;
    }
    if let Some(root) = concerns.roots.get(&record) {
        let of = told.taken_back.entry(*root).or_default();
        of.push((record, when));
    }
    Some(change(table::TAKEN_BACK, record.as_bytes(), &when))
}
