//! What authors said on the chain of a record after it was written: that they took it back, or which record corrects it. A home
//! that owns, holds or read the record remembers it, so that it is told with the chain away, too.

mod concerns;
mod now;
mod take;

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::AnchorFields;
use medibloc_ledger::Event;
use medibloc_record::{AccountId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::party::{change, table};
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
    /// Where its owner erased it; none if that was not heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased: Option<OnChain>,
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
    /// Its owner erased it, as far as this home heard. That it corrects what it corrects the chain says still.
    pub erased: bool,
    /// It opens here: it is an own record, or a held consent has its key.
    pub is_here: bool,
    /// Its place among the events of its block.
    index: u32,
    /// When it was signed, if it was written in this home.
    authored: Option<Timestamp>,
}

impl Correction {
    /// It was neither taken back nor erased, as far as this home heard.
    pub const fn stands(&self) -> bool {
        self.taken_back.is_none() && !self.erased
    }
}

/// Every correction that a home knows.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    of: BTreeMap<RecordId, Vec<Correction>>,
    erased: BTreeSet<RecordId>,
}

impl Corrections {
    /// What corrects a record, and what corrected that: the newest that stands first, those that were taken back or erased last.
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
        for one in &mut found {
            one.erased |= self.erased.contains(&one.record);
        }
        // One whose place is not known is newer than those whose place is; of own ones the last that was written.
        found.sort_by_key(|one| {
            let block = one.anchored.map_or(u64::MAX, |place| place.block);
            let place = core::cmp::Reverse((block, one.index, one.authored));
            (!one.stands(), place, one.record)
        });
        found
    }

    /// The newest correction of a record that stands; if none does any more, the newest that there was: what it corrected is
    /// not right again.
    pub fn newest(&self, record: RecordId) -> Option<Correction> {
        self.standing(record).map(|(newest, _)| newest)
    }

    /// The same, with how many others stand.
    pub fn standing(&self, record: RecordId) -> Option<(Correction, usize)> {
        let mut found = self.of(record).into_iter();
        let newest = found.next()?;
        Some((newest, found.filter(Correction::stands).count()))
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
    /// were taken back or erased last.
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
        self.corrections_among(None)
    }

    /// The same as far as it concerns some records: of what is held only these are looked at.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn corrections_of(
        &self,
        records: &BTreeSet<RecordId>,
    ) -> Result<Corrections, JourneyError> {
        self.corrections_among(Some(records))
    }

    fn corrections_among(
        &self,
        asked: Option<&BTreeSet<RecordId>>,
    ) -> Result<Corrections, JourneyError> {
        // What this home wrote, or has of the chain's events. Of what is held the rows of those events say it, not its owner.
        let (mut anchors, mut here) = (BTreeMap::new(), BTreeSet::new());
        for kept in self.records()? {
            if kept.is_accepted() {
                here.insert(kept.record());
            }
            // One that was erased before a sync took its block corrects what it corrects, too.
            if kept.is_accepted() || kept.standing == Standing::Erased && !kept.is_off_chain() {
                anchors.insert(kept.record(), kept.anchor);
            }
        }
        let rows: Vec<Amendment> = self.rows(table::CORRECTED)?;
        let held = match asked {
            None => self.held_anchors()?,
            Some(asked) => {
                let by = rows.iter().map(|row| row.record);
                self.held_anchors_of(&asked.iter().copied().chain(by).collect())?
            }
        };
        here.extend(held.iter().map(AnchorFields::record_id));
        let mut authored = BTreeMap::new();
        for table in [table::WRITTEN, table::JOBS] {
            for job in self.rows::<WriteJob>(table)? {
                let record = job.anchor.record_id();
                authored.extend(job.authored_at().map(|at| (record, at)));
                anchors.insert(record, job.anchor);
            }
        }
        let concerns = self.concerning(asked)?;
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
                erased: false,
                is_here: here.contains(&record),
                index: 0,
                authored: authored.get(&record).copied(),
            };
            all.insert(record, one);
        }
        for row in rows {
            let one = Correction {
                record: row.record,
                amends: row.amends,
                author: row.author,
                anchored: Some(OnChain {
                    block: row.block,
                    at: row.at,
                }),
                taken_back: None,
                erased: row.erased.is_some(),
                is_here: here.contains(&row.record),
                index: row.index,
                authored: None,
            };
            all.insert(row.record, one);
        }
        let taken_back = self.keyed_rows::<OnChain>(table::TAKEN_BACK)?;
        let taken_back: BTreeMap<Vec<u8>, OnChain> = taken_back.into_iter().collect();
        let mut index = Corrections {
            erased: concerns.erased,
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
                let newest = corrections.newest(*record);
                let Some(newest) = newest.filter(|one| one.is_here && one.stands()) else {
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
        let rows = self.keyed_rows::<Amendment>(table::CORRECTED)?;
        let erased = rows.iter().filter(|(_, row)| row.block <= shared);
        let erased = erased.filter(|(_, row)| row.erased.is_some_and(|at| at.block > shared));
        let erased: Vec<Change> = erased
            .map(|(key, row)| {
                let erased = None;
                change(table::CORRECTED, key, &Amendment { erased, ..*row })
            })
            .collect();
        let corrected = rows.into_iter();
        let corrected = corrected.map(|(key, row)| (table::CORRECTED, key, row.block));
        let after = taken_back
            .chain(corrected)
            .filter(|(.., block)| *block > shared);
        let after = after.map(|(table, key, _)| Change::Delete { table, key });
        Ok(after.chain(erased).collect())
    }
}
