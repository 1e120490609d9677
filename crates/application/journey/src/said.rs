//! What authors said on the chain of a record after it was written: that they took it back, or which record corrects it. A home
//! that owns, holds or read the record remembers it, so that it is told with the chain away, too.

mod now;
mod take;

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::AnchorFields;
use medibloc_ledger::Event;
use medibloc_record::{AccountId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accept::KeptRecord;
use crate::erase::Erasure;
use crate::looks::Look;
use crate::party::table;
use crate::ports::Change;
use crate::write::WriteJob;
use crate::{JourneyError, Party, Standing};

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
    /// Its place among the events of its block.
    #[serde(default, skip_serializing_if = "is_first")]
    index: u32,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
const fn is_first(index: &u32) -> bool {
    *index == 0
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
    /// Its place among the events of its block.
    index: u32,
    /// When it was signed, if it was written in this home.
    authored: Option<Timestamp>,
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
        // One whose place is not known is newer than those whose place is; of own ones the last that was written.
        found.sort_by_key(|one| {
            let block = one.anchored.map_or(u64::MAX, |place| place.block);
            let place = core::cmp::Reverse((block, one.index, one.authored));
            (one.taken_back.is_some(), place, one.record)
        });
        found
    }

    /// The newest correction of a record that stands.
    pub fn newest(&self, record: RecordId) -> Option<Correction> {
        self.standing(record).map(|(newest, _)| newest)
    }

    /// The same, with how many earlier ones stand, too.
    pub fn standing(&self, record: RecordId) -> Option<(Correction, usize)> {
        let mut standing = self.of(record).into_iter();
        let newest = standing.next().filter(|one| one.taken_back.is_none())?;
        let earlier = standing.filter(|one| one.taken_back.is_none()).count();
        Some((newest, earlier))
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
    /// The own address that the contact was paired with.
    pub paired: AccountId,
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
    /// The address that this home knows its owner by, which lists show; none if no consent here says it.
    pub paired: Option<AccountId>,
    /// An own address owns it.
    pub is_own: bool,
    /// What this home calls its owner, if it is another.
    pub label: Option<String>,
    /// When it was read here; where no copy is kept any more, as the chain says. None if it is an own one, or was not read here.
    pub read_at: Option<Timestamp>,
    /// When the chain last cleared it to be read, where whether it was read is not known here: another home of the phrase asked.
    pub cleared_at: Option<Timestamp>,
}

/// What corrected a record since it was told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    /// The record.
    pub of: SaidOf,
    /// The newest of them that stands.
    pub by: Correction,
    /// How many others stand, too.
    pub earlier: usize,
}

/// What was taken back of a record, or of its corrections, since it was told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// The record.
    pub of: SaidOf,
    /// The correction of it that was taken back, the newest one; none if it is the record itself.
    pub correction: Option<RecordId>,
    /// Where the chain says so.
    pub when: OnChain,
    /// How many other corrections of it were taken back, too.
    pub others: usize,
}

/// What this home must hear of.
#[derive(Default)]
struct Concerns {
    /// Author and owner of every record of which something is here; an author is none where the key is gone.
    parties: BTreeMap<RecordId, (Option<AccountId>, AccountId)>,
    /// Own records, and those of others that are held or were read, and what corrects them, with the record that a person knows.
    roots: BTreeMap<RecordId, RecordId>,
    /// Own records, also those that wait for a look.
    own: BTreeSet<RecordId>,
    /// Whose keys a consent in force has here.
    open: BTreeSet<RecordId>,
    /// What was written in this home.
    written: BTreeSet<RecordId>,
    /// Of which nothing is kept any more.
    erased: BTreeSet<RecordId>,
    /// Corrections that a row is kept of.
    corrected: BTreeSet<RecordId>,
    /// The same of what was taken back.
    taken_back: BTreeSet<RecordId>,
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
        let read = self.read_from(from).await?;
        let is_it =
            |event: &Event| matches!(event, Event::Retracted { record: of } if *of == record);
        let found = read.events.iter().find(|(_, event)| is_it(event));
        Ok(found.and_then(|(at, _)| {
            let (block, at) = (at.block, *read.times.get(&at.block)?);
            Some(OnChain { block, at })
        }))
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
        // What this home wrote, or has of the chain's events. Of what is held the rows of those events say it, not its owner.
        let mut anchors = BTreeMap::new();
        for kept in self.records()? {
            if kept.is_accepted() {
                anchors.insert(kept.record(), kept.anchor);
            }
        }
        let mut here: BTreeSet<RecordId> = anchors.keys().copied().collect();
        let held = self.held_anchors()?;
        here.extend(held.iter().map(AnchorFields::record_id));
        let mut authored = BTreeMap::new();
        for table in [table::WRITTEN, table::JOBS] {
            for job in self.rows::<WriteJob>(table)? {
                let record = job.anchor.record_id();
                authored.extend(job.authored_at().map(|at| (record, at)));
                anchors.insert(record, job.anchor);
            }
        }
        let concerns = self.concerning(None)?;
        let mut all: BTreeMap<RecordId, Correction> = BTreeMap::new();
        for (record, anchor) in anchors {
            let Some(amends) = anchor.amends else {
                continue;
            };
            let of = concerns.parties.get(&amends);
            if of.is_none_or(|(author, _)| *author != Some(anchor.author)) {
                continue;
            }
            let one = Correction {
                record,
                amends,
                author: anchor.author,
                anchored: None,
                taken_back: None,
                is_here: here.contains(&record),
                index: 0,
                authored: authored.get(&record).copied(),
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
                is_here: here.contains(&row.record),
                index: row.index,
                authored: None,
            };
            all.insert(row.record, one);
        }
        let taken_back = self.keyed_rows::<OnChain>(table::TAKEN_BACK)?;
        let taken_back: BTreeMap<Vec<u8>, OnChain> = taken_back.into_iter().collect();
        let mut index = Corrections {
            gone: concerns.erased,
            ..Corrections::default()
        };
        for mut one in all.into_values() {
            one.taken_back = taken_back.get(one.record.as_bytes().as_slice()).copied();
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
            given.push((grant.artefact.party, grant.artefact, records));
        }
        let mut found = BTreeMap::new();
        for (party, artefact, records) in &given {
            for record in records {
                let Some(newest) = corrections.newest(*record).filter(|one| one.is_here) else {
                    continue;
                };
                // What is on its way out is given to nobody, and what is gone is read by nobody.
                if self.erasure_is_begun(newest.record)? || self.erasure_is_begun(*record)? {
                    continue;
                }
                let mut of_party = given.iter().filter(|(of, ..)| of == party);
                if !of_party.any(|(_, _, records)| records.contains(&newest.record)) {
                    let (record, correction) = (*record, newest.record);
                    let one = WithoutCorrection {
                        record,
                        correction,
                        name: artefact.name.clone(),
                        paired: artefact.paired,
                    };
                    found.insert((record, *party), one);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    /// Takes away what was said after a block, on a chain that is left: the other one says its own.
    pub(crate) fn said_after(&self, shared: u64) -> Result<Vec<Change>, JourneyError> {
        let taken_back = self.keyed_rows::<OnChain>(table::TAKEN_BACK)?.into_iter();
        let taken_back = taken_back.map(|(key, row)| (table::TAKEN_BACK, key, row.block));
        let corrected = self.keyed_rows::<Amendment>(table::CORRECTED)?.into_iter();
        let corrected = corrected.map(|(key, row)| (table::CORRECTED, key, row.block));
        let after = taken_back
            .chain(corrected)
            .filter(|(.., block)| *block > shared);
        Ok(after
            .map(|(table, key, _)| Change::Delete { table, key })
            .collect())
    }

    /// Of held records those that are asked about, or all: a sync does not read what it does not need.
    fn concerning(&self, asked: Option<&BTreeSet<RecordId>>) -> Result<Concerns, JourneyError> {
        let mut concerns = Concerns::default();
        let mut anchors: Vec<AnchorFields> = Vec::new();
        for table in [table::WRITTEN, table::JOBS] {
            anchors.extend(self.rows::<WriteJob>(table)?.iter().map(|job| job.anchor));
        }
        concerns.written = anchors.iter().map(AnchorFields::record_id).collect();
        anchors.extend(self.rows::<AnchorFields>(table::WRITTEN_ELSEWHERE)?);
        let erased: Vec<Erasure> = self.rows(table::ERASED)?;
        concerns.erased = erased.iter().map(|erasure| erasure.record).collect();
        let mut own = Vec::new();
        for kept in self.rows::<KeptRecord>(table::RECORDS)? {
            match kept.standing {
                Standing::Erased => {
                    concerns.erased.insert(kept.record());
                    anchors.push(kept.anchor);
                }
                _ => own.push(kept.anchor),
            }
        }
        // A restore hears of them before it looks at them.
        own.extend(
            self.rows::<Look>(table::LOOKS)?
                .iter()
                .map(|look| look.anchor),
        );
        concerns.own = own.iter().map(AnchorFields::record_id).collect();
        for (record, owner) in self.readings_elsewhere()? {
            if !concerns.erased.contains(&record) {
                concerns.parties.insert(record, (None, owner));
                concerns.roots.insert(record, record);
            }
        }
        let mut rows: Vec<Amendment> = self.rows(table::CORRECTED)?;
        let keys = match asked {
            Some(asked) => {
                let corrected = rows.iter().map(|row| row.amends);
                self.held_anchors_of(&asked.iter().copied().chain(corrected).collect())?
            }
            None => self.held_anchors()?,
        };
        concerns.open = keys.iter().map(AnchorFields::record_id).collect();
        for held in self.held()? {
            // Of older versions' rows nobody knows yet whose records these are.
            let named = held.artefact.records.iter().filter(|_| held.is_checked);
            for record in named.copied() {
                concerns.parties.insert(record, (None, held.owner));
                concerns.roots.insert(record, record);
            }
        }
        for anchor in anchors.iter().chain(&own).chain(&keys) {
            let parties = (Some(anchor.author), anchor.owner);
            concerns.parties.insert(anchor.record_id(), parties);
        }
        for anchor in own.iter().chain(&keys) {
            let record = anchor.record_id();
            concerns.roots.insert(record, record);
        }
        rows.sort_by_key(|row| (row.block, row.index));
        for row in rows {
            let parties = (Some(row.author), row.owner);
            concerns.parties.insert(row.record, parties);
            concerns.corrected.insert(row.record);
            if let Some(root) = concerns.roots.get(&row.amends).copied() {
                match concerns.own.contains(&row.record) {
                    // A person knows the record, and its corrections by it.
                    true => concerns.roots.insert(row.record, root),
                    false => Some(*concerns.roots.entry(row.record).or_insert(root)),
                };
            }
        }
        for (key, _) in self.keyed_rows::<OnChain>(table::TAKEN_BACK)? {
            if let Ok(key) = key.try_into() {
                concerns.taken_back.insert(RecordId::new(key));
            }
        }
        Ok(concerns)
    }
}
