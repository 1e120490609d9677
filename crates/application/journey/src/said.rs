//! What authors said on the chain of a record after it was written: that they took it back, or which record corrects it. A home
//! that owns, holds or read the record remembers it, so that it is told with the chain away, too.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::AnchorFields;
use medibloc_ledger::{Event, EventRef};
use medibloc_record::{AccountId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accept::KeptRecord;
use crate::party::{change, table};
use crate::read::KeptCopy;
use crate::write::WriteJob;
use crate::{JourneyError, Party, Standing, SyncReport};

/// Records that came here for which the chain is asked one by one when they were anchored; more are looked for from its begin.
const ASKED: usize = 8;

/// Where the chain says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnChain {
    /// The block.
    pub block: u64,
    /// Its time.
    pub at: Timestamp,
}

/// A correction as it stands on the chain: of the author and the owner of what it corrects.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Amendment {
    record: RecordId,
    amends: RecordId,
    author: AccountId,
    owner: AccountId,
    block: u64,
    at: Timestamp,
}

/// A record by which the author corrected another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The correction.
    pub record: RecordId,
    /// What it corrects, which may be a correction itself.
    pub amends: RecordId,
    /// Who wrote both.
    pub author: AccountId,
    /// Where and when it was anchored; none until a sync took its block.
    pub anchored: Option<OnChain>,
    /// When it was taken back itself; none if it was not, as far as this home heard.
    pub taken_back: Option<OnChain>,
    /// It opens here: it is an own record, or a held consent has its key.
    pub is_here: bool,
}

/// Every correction that a home knows.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    of: BTreeMap<RecordId, Vec<Correction>>,
    gone: BTreeSet<RecordId>,
}

impl Corrections {
    /// What corrects a record, and what corrected that: the newest that stands first, those that were taken back last.
    pub fn of(&self, record: RecordId) -> Vec<Correction> {
        let mut found: BTreeMap<RecordId, Correction> = BTreeMap::new();
        let mut open = BTreeSet::from([record]);
        while let Some(of) = open.pop_first() {
            for next in self.of.get(&of).into_iter().flatten() {
                if next.record != record && found.insert(next.record, *next).is_none() {
                    open.insert(next.record);
                }
            }
        }
        let mut found: Vec<Correction> = found.into_values().collect();
        found.retain(|one| !self.gone.contains(&one.record));
        // One that no sync has taken is newer than those that one has.
        found.sort_by_key(|one| {
            let block = one.anchored.map_or(u64::MAX, |place| place.block);
            let is_over = one.taken_back.is_some();
            (is_over, core::cmp::Reverse(block), one.record)
        });
        found
    }

    /// The newest correction of a record that stands.
    pub fn newest(&self, record: RecordId) -> Option<Correction> {
        self.of(record)
            .into_iter()
            .find(|one| one.taken_back.is_none())
    }
}

/// A reader who may read a record and not what corrects it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithoutCorrection {
    /// The record.
    pub record: RecordId,
    /// Its newest correction.
    pub correction: RecordId,
    /// Name of the contact.
    pub name: String,
}

/// A record that an author said something of, as a person knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidOf {
    /// The record.
    pub record: RecordId,
    /// Its title, as far as it was opened here.
    pub title: Option<String>,
    /// Whose it is.
    pub owner: AccountId,
    /// When it was read here; none if it is an own one, or no copy is kept.
    pub read_at: Option<Timestamp>,
}

/// What this home must hear of.
#[derive(Default)]
struct Concerns {
    /// Author and owner of every record of which something is here; an author is none where the key is gone.
    parties: BTreeMap<RecordId, (Option<AccountId>, AccountId)>,
    /// Records of others that are held or were read, and what corrects them, with the record that a person knows.
    roots: BTreeMap<RecordId, RecordId>,
}

const fn is_said(event: &Event) -> bool {
    match event {
        Event::Retracted { .. } => true,
        Event::Anchored(anchor) => anchor.amends.is_some(),
        _ => false,
    }
}

impl Party {
    /// When a record was taken back, as far as this home heard.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn taken_back(&self, record: RecordId) -> Result<Option<OnChain>, JourneyError> {
        self.row(table::TAKEN_BACK, record.as_bytes())
    }

    /// When a record was taken back, as the chain says now.
    ///
    /// # Errors
    /// If the chain does not answer, or the vault fails.
    pub async fn taken_back_now(&self, record: RecordId) -> Result<Option<OnChain>, JourneyError> {
        if let Some(known) = self.taken_back(record)? {
            return Ok(Some(known));
        }
        let facts = self.ports.facts.record(record).await?;
        let Some(facts) = facts.filter(|facts| facts.retracted) else {
            return Ok(None);
        };
        let from = self.first_block_at(facts.anchored_at).await?;
        let (events, _) = self.events_from(from).await?;
        let is_it =
            |event: &Event| matches!(event, Event::Retracted { record: of } if *of == record);
        let found = events.iter().find(|(_, event)| is_it(event));
        match found {
            Some((at, _)) => Ok(Some(self.moment_of(at.block).await?)),
            None => Ok(None),
        }
    }

    /// Refuses a record that its author took back, by what this home heard.
    pub(crate) fn must_not_be_known_as_taken_back(
        &self,
        record: RecordId,
    ) -> Result<(), JourneyError> {
        match self.taken_back(record)? {
            Some(when) => Err(JourneyError::TakenBack { record, when }),
            None => Ok(()),
        }
    }

    /// The same by the chain. Nothing is signed before.
    pub(crate) async fn must_not_be_taken_back(
        &self,
        record: RecordId,
    ) -> Result<(), JourneyError> {
        match self.taken_back_now(record).await? {
            Some(when) => Err(JourneyError::TakenBack { record, when }),
            None => Ok(()),
        }
    }

    /// Records by which its author corrected a record, and what corrected those: the newest that stands first, those that
    /// were taken back last. Erased ones are not among them.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn corrections(&self, record: RecordId) -> Result<Vec<Correction>, JourneyError> {
        Ok(self.all_corrections()?.of(record))
    }

    /// Every correction of a record that is known here.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn all_corrections(&self) -> Result<Corrections, JourneyError> {
        let mut here = BTreeMap::new();
        for kept in self.records()? {
            if kept.is_accepted() {
                here.insert(kept.record(), kept.anchor);
            }
        }
        for held in self.held()?.iter().filter(|held| held.ended.is_none()) {
            let keys = held.keys.iter();
            here.extend(keys.map(|key| (key.anchor.record_id(), key.anchor)));
        }
        let mut anchors = here.clone();
        for table in [table::WRITTEN, table::JOBS] {
            let jobs = self.rows::<WriteJob>(table)?.into_iter();
            anchors.extend(jobs.map(|job| (job.anchor.record_id(), job.anchor)));
        }
        let parties = self.concerning()?.parties;
        let mut all: BTreeMap<RecordId, Correction> = BTreeMap::new();
        for (record, anchor) in anchors {
            let Some(amends) = anchor.amends else {
                continue;
            };
            let of = parties.get(&amends);
            if of.is_none_or(|(author, _)| *author != Some(anchor.author)) {
                continue;
            }
            let one = Correction {
                record,
                amends,
                author: anchor.author,
                anchored: None,
                taken_back: None,
                is_here: here.contains_key(&record),
            };
            all.insert(record, one);
        }
        for row in self.rows::<Amendment>(table::CORRECTED)? {
            let one = Correction {
                record: row.record,
                amends: row.amends,
                author: row.author,
                anchored: Some(OnChain {
                    block: row.block,
                    at: row.at,
                }),
                taken_back: None,
                is_here: here.contains_key(&row.record),
            };
            all.insert(row.record, one);
        }
        let mut index = Corrections::default();
        for mut one in all.into_values() {
            one.taken_back = self.taken_back(one.record)?;
            if self.is_gone(one.record)? {
                index.gone.insert(one.record);
            }
            index.of.entry(one.amends).or_default().push(one);
        }
        Ok(index)
    }

    /// Readers whose consents in force open a record and not its newest correction, as of a time of the chain.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn without_correction(
        &self,
        now: Timestamp,
    ) -> Result<Vec<WithoutCorrection>, JourneyError> {
        let corrections = self.all_corrections()?;
        if corrections.of.is_empty() {
            return Ok(Vec::new());
        }
        let mut given = Vec::new();
        for (id, grant) in self.grants()? {
            let terms = grant.artefact.grant.as_ref().map(|grant| &grant.terms);
            if grant.revoked || terms.is_none_or(|terms| terms.until <= now) {
                continue;
            }
            let mut records = grant.artefact.records.clone();
            for delivery in self.deliveries(id)? {
                records.extend(delivery.records);
            }
            given.push((grant.artefact.party, grant.artefact.name, records));
        }
        let mut found = BTreeMap::new();
        for (party, name, records) in &given {
            for record in records {
                let Some(newest) = corrections.newest(*record).filter(|one| one.is_here) else {
                    continue;
                };
                let mut of_party = given.iter().filter(|(of, ..)| of == party);
                if !of_party.any(|(_, _, records)| records.contains(&newest.record)) {
                    let (record, correction, name) = (*record, newest.record, name.clone());
                    let one = WithoutCorrection {
                        record,
                        correction,
                        name,
                    };
                    found.insert((record, *party), one);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// Whether a record was erased, as far as it is known here.
    fn is_gone(&self, record: RecordId) -> Result<bool, JourneyError> {
        let kept: Option<KeptRecord> = self.row(table::RECORDS, record.as_bytes())?;
        let is_erased = kept.is_some_and(|kept| kept.standing == Standing::Erased);
        Ok(is_erased || self.erasure(record)?.is_some())
    }

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
    ) -> Result<Option<crate::ports::Change>, JourneyError> {
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
    ) -> Result<Option<crate::ports::Change>, JourneyError> {
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

    fn concerning(&self) -> Result<Concerns, JourneyError> {
        let mut concerns = Concerns::default();
        let mut own = Vec::new();
        for table in [table::WRITTEN, table::JOBS] {
            own.extend(
                self.rows::<WriteJob>(table)?
                    .into_iter()
                    .map(|job| job.anchor),
            );
        }
        own.extend(self.rows::<AnchorFields>(table::WRITTEN_ELSEWHERE)?);
        own.extend(
            self.rows::<KeptRecord>(table::RECORDS)?
                .into_iter()
                .map(|kept| kept.anchor),
        );
        let mut keys = Vec::new();
        for held in self.held()? {
            for record in held.artefact.records {
                concerns.parties.insert(record, (None, held.owner));
                concerns.roots.insert(record, record);
            }
            keys.extend(held.keys.iter().map(|key| key.anchor));
        }
        for anchor in own.iter().chain(&keys) {
            let parties = (Some(anchor.author), anchor.owner);
            concerns.parties.insert(anchor.record_id(), parties);
        }
        for anchor in &keys {
            concerns
                .roots
                .insert(anchor.record_id(), anchor.record_id());
        }
        let mut rows: Vec<Amendment> = self.rows(table::CORRECTED)?;
        rows.sort_by_key(|row| row.block);
        for row in rows {
            concerns
                .parties
                .insert(row.record, (Some(row.author), row.owner));
            if let Some(root) = concerns.roots.get(&row.amends).copied() {
                concerns.roots.entry(row.record).or_insert(root);
            }
        }
        Ok(concerns)
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

    /// The time of a block that has events.
    async fn moment_of(&self, block: u64) -> Result<OnChain, JourneyError> {
        let blocks = self.ports.events.events(block, 1).await?;
        let found = blocks.first().filter(|found| found.number == block);
        let at = found.map(|found| found.time);
        match at {
            Some(at) => Ok(OnChain { block, at }),
            None => Err(JourneyError::Unknown {
                what: format!("the time of block {block}"),
                hint: "the chain answers with other blocks than before; run `medibloc sync` again",
            }),
        }
    }
}
