//! Which records a home must hear of, and who may say something of them.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::AnchorFields;
use medibloc_record::{AccountId, RecordId};

use super::{Amendment, OnChain};
use crate::accept::KeptRecord;
use crate::erase::Erasure;
use crate::looks::Look;
use crate::party::table;
use crate::write::WriteJob;
use crate::{JourneyError, Party, Standing};

/// What this home must hear of.
#[derive(Default)]
pub(super) struct Concerns {
    /// Author and owner of every record of which something is here; an author is none where the key is gone.
    pub(super) parties: BTreeMap<RecordId, (Option<AccountId>, AccountId)>,
    /// Own records, and those of others that are held or were read, and what corrects them, with the record that a person knows.
    pub(super) roots: BTreeMap<RecordId, RecordId>,
    /// Own records, also those that wait for a look.
    pub(super) own: BTreeSet<RecordId>,
    /// Whose keys a consent in force has here.
    pub(super) open: BTreeSet<RecordId>,
    /// What was written in this home.
    pub(super) written: BTreeSet<RecordId>,
    /// Of which nothing is kept any more but what was said of them.
    pub(super) erased: BTreeSet<RecordId>,
    /// Corrections that a row is kept of.
    pub(super) corrected: BTreeSet<RecordId>,
    /// The same of what was taken back.
    pub(super) taken_back: BTreeSet<RecordId>,
}

impl Party {
    /// Of held records those that are asked about, or all: a sync does not read what it does not need.
    pub(super) fn concerning(
        &self,
        asked: Option<&BTreeSet<RecordId>>,
    ) -> Result<Concerns, JourneyError> {
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
            if kept.standing == Standing::Erased {
                concerns.erased.insert(kept.record());
            }
            own.push(kept.anchor);
        }
        // A restore hears of them before it looks at them.
        own.extend(
            self.rows::<Look>(table::LOOKS)?
                .iter()
                .map(|look| look.anchor),
        );
        concerns.own = own.iter().map(AnchorFields::record_id).collect();
        for (record, owner) in self.readings_elsewhere()? {
            concerns.parties.insert(record, (None, owner));
            concerns.roots.insert(record, record);
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
        // The tombstone is all that is left where nobody but its author or a reader had it.
        for erasure in erased {
            let parties = concerns.parties.entry(erasure.record);
            let parties = parties.or_insert((erasure.author, erasure.owner));
            parties.0 = parties.0.or(erasure.author);
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
