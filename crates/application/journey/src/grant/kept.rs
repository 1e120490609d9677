//! Keys of held grants as this home keeps them: a row for each record, and pages of ids for each grant. No row grows with a
//! list, and what is kept of one owner has a bound that nobody else's keys count to.

use std::collections::BTreeSet;

use medibloc_consent::{AnchorFields, ListProof};
use medibloc_record::{AccountId, GrantId, RecordId};
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::grant::{HeldGrant, SharedKey};
use crate::party::{change, table};
use crate::ports::Change;
use crate::secret::Secret;
use crate::{JourneyError, Party};

/// Ids on one page.
const PAGE: usize = 256;

/// The keys of one record, by the grants that they came with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordKeys {
    /// As the chain has it, word for word.
    pub(crate) anchor: AnchorFields,
    pub(crate) openers: Vec<Opener>,
}

/// A grant that opens a record.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opener {
    pub(crate) grant: GrantId,
    /// Of the grant's pages the one that names the record.
    page: u32,
    #[serde(with = "crate::secret")]
    owner_half: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<ListProof>,
}

impl RecordKeys {
    fn under(&self, grant: GrantId) -> Option<SharedKey> {
        let opener = self.openers.iter().find(|opener| opener.grant == grant)?;
        Some(SharedKey {
            anchor: self.anchor,
            owner_half: opener.owner_half.clone(),
            proof: opener.proof.clone(),
        })
    }

    /// What is left of the row without a grant.
    fn without(mut self, grant: GrantId) -> Change {
        let record = self.anchor.record_id();
        self.openers.retain(|opener| opener.grant != grant);
        match self.openers.is_empty() {
            true => gone(table::HELD_KEYS, record.as_bytes()),
            false => change(table::HELD_KEYS, record.as_bytes(), &self),
        }
    }
}

impl HeldGrant {
    pub(crate) fn id(&self) -> Option<GrantId> {
        self.artefact.grant.as_ref().map(|grant| grant.id)
    }

    /// Whether it opens a record whose row this is.
    pub(crate) fn opens_in(&self, row: Option<&RecordKeys>, record: RecordId) -> bool {
        let kept = row.zip(self.id());
        self.older_key(record).is_some() || kept.is_some_and(|(row, id)| row.under(id).is_some())
    }

    fn older_key(&self, record: RecordId) -> Option<&SharedKey> {
        self.keys.iter().find(|key| key.record() == record)
    }
}

fn gone(table: &'static str, key: &[u8]) -> Change {
    let key = key.to_vec();
    Change::Delete { table, key }
}

fn page_key(grant: GrantId, page: u32) -> Vec<u8> {
    [&grant.as_bytes()[..], &page.to_be_bytes()].concat()
}

impl Party {
    pub(crate) fn keys_of_record(
        &self,
        record: RecordId,
    ) -> Result<Option<RecordKeys>, JourneyError> {
        self.row(table::HELD_KEYS, record.as_bytes())
    }

    fn page(&self, grant: GrantId, page: u32) -> Result<Vec<RecordId>, JourneyError> {
        let ids = self.row(table::HELD_PAGES, &page_key(grant, page))?;
        Ok(ids.unwrap_or_default())
    }

    /// The records that a held grant opens; none once it has ended.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn records_of(&self, held: &HeldGrant) -> Result<Vec<RecordId>, JourneyError> {
        let mut records: Vec<RecordId> = held.keys.iter().map(SharedKey::record).collect();
        if let Some(id) = held.id() {
            for page in 0..held.pages {
                records.extend(self.page(id, page)?);
            }
        }
        Ok(records)
    }

    /// Whether a held grant opens a record.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn opens(&self, held: &HeldGrant, record: RecordId) -> Result<bool, JourneyError> {
        Ok(held.opens_in(self.keys_of_record(record)?.as_ref(), record))
    }

    /// The same by the grant's id.
    pub(crate) fn is_opened_by(
        &self,
        grant: GrantId,
        record: RecordId,
    ) -> Result<bool, JourneyError> {
        let row = self.keys_of_record(record)?;
        Ok(row.is_some_and(|row| row.under(grant).is_some()))
    }

    /// Held grants that open a record, with its key.
    pub(crate) fn openers(
        &self,
        record: RecordId,
    ) -> Result<Vec<(HeldGrant, SharedKey)>, JourneyError> {
        let row = self.keys_of_record(record)?;
        let mut found = Vec::new();
        for held in self.held()? {
            let kept = row.as_ref().zip(held.id());
            let kept = kept.and_then(|(row, id)| row.under(id));
            let key = held.older_key(record).cloned().or(kept);
            if let Some(key) = key.filter(|_| held.ended.is_none()) {
                found.push((held, key));
            }
        }
        Ok(found)
    }

    /// The keys of a held grant.
    pub(crate) fn keys_of(&self, held: &HeldGrant) -> Result<Vec<SharedKey>, JourneyError> {
        let mut keys = held.keys.clone();
        if let Some(id) = held.id() {
            for page in 0..held.pages {
                for record in self.page(id, page)? {
                    let row = self.keys_of_record(record)?;
                    keys.extend(row.and_then(|row| row.under(id)));
                }
            }
        }
        Ok(keys)
    }

    /// The anchors of all records that are held: reads every row, and no sync of an ordinary day does.
    pub(crate) fn held_anchors(&self) -> Result<Vec<AnchorFields>, JourneyError> {
        let rows: Vec<RecordKeys> = self.rows(table::HELD_KEYS)?;
        let mut anchors: Vec<AnchorFields> = rows.iter().map(|row| row.anchor).collect();
        for held in self.held()?.iter().filter(|held| held.ended.is_none()) {
            anchors.extend(held.keys.iter().map(|key| key.anchor));
        }
        Ok(anchors)
    }

    /// The same of these records alone. A flood of them costs no more rows than are held.
    pub(crate) fn held_anchors_of(
        &self,
        records: &BTreeSet<RecordId>,
    ) -> Result<Vec<AnchorFields>, JourneyError> {
        let kept = self.held()?.iter().map(|held| held.kept as usize).sum();
        if records.len() > kept {
            return self.held_anchors();
        }
        let mut anchors = Vec::new();
        for record in records {
            anchors.extend(self.keys_of_record(*record)?.map(|row| row.anchor));
        }
        Ok(anchors)
    }

    /// For how many more keys of an owner this home has room.
    pub(crate) fn room_for(&self, owner: AccountId) -> Result<usize, JourneyError> {
        let of_owner = self.held()?.into_iter().filter(|held| held.owner == owner);
        let kept = of_owner.map(|held| held.kept as usize + held.keys.len());
        Ok(bounds::MOST_HELD.saturating_sub(kept.sum()))
    }

    /// The rows of keys that a grant has already and that came in another list: the chain that has the one before may have been left.
    pub(crate) fn newer_proofs(
        &self,
        grant: GrantId,
        keys: &[SharedKey],
    ) -> Result<Vec<Change>, JourneyError> {
        let mut rows = Vec::new();
        for key in keys.iter().filter(|key| key.proof.is_some()) {
            let Some(mut row) = self.keys_of_record(key.record())? else {
                continue;
            };
            let is_same = row.anchor == key.anchor;
            let mut openers = row.openers.iter_mut();
            if let Some(opener) = openers.find(|opener| opener.grant == grant && is_same) {
                opener.proof.clone_from(&key.proof);
                rows.push(change(table::HELD_KEYS, key.record().as_bytes(), &row));
            }
        }
        Ok(rows)
    }

    /// The rows of a held grant with more keys, its own among them. Those that it has already are passed over.
    pub(crate) fn with_keys(
        &self,
        held: &mut HeldGrant,
        keys: Vec<SharedKey>,
    ) -> Result<Vec<Change>, JourneyError> {
        let Some(id) = held.id() else {
            return Ok(Vec::new());
        };
        let mut rows = Vec::new();
        let mut at = held.pages.saturating_sub(1);
        let mut page = self.page(id, at)?;
        let page_row =
            |at, page: &[RecordId]| change(table::HELD_PAGES, &page_key(id, at), &page.to_vec());
        for key in keys {
            let record = key.record();
            let mut row = self.keys_of_record(record)?.unwrap_or(RecordKeys {
                anchor: key.anchor,
                openers: Vec::new(),
            });
            if row.under(id).is_some() {
                continue;
            }
            if page.len() >= PAGE {
                rows.push(page_row(at, &page));
                page.clear();
                at += 1;
            }
            page.push(record);
            row.openers.push(Opener {
                grant: id,
                page: at,
                owner_half: key.owner_half,
                proof: key.proof,
            });
            rows.push(change(table::HELD_KEYS, record.as_bytes(), &row));
            let vault = &self.ports.vault;
            if vault.get(table::LOOKED_BACK, record.as_bytes())?.is_none() {
                rows.push(change(table::NOT_LOOKED_BACK, record.as_bytes(), &true));
            }
            held.kept += 1;
            held.pages = at + 1;
        }
        if !page.is_empty() {
            rows.push(page_row(at, &page));
        }
        rows.push(change(table::SHARED_GRANTS, id.as_bytes(), held));
        Ok(rows)
    }

    /// A held grant without its keys, which are given with the rows that forget them; its own row is not among these.
    pub(crate) fn without_keys(
        &self,
        held: &mut HeldGrant,
    ) -> Result<(Vec<SharedKey>, Vec<Change>), JourneyError> {
        let keys = self.keys_of(held)?;
        let mut rows = Vec::new();
        if let Some(id) = held.id() {
            for key in &keys {
                let row = self.keys_of_record(key.record())?;
                rows.extend(row.map(|row| row.without(id)));
            }
            rows.extend((0..held.pages).map(|page| gone(table::HELD_PAGES, &page_key(id, page))));
        }
        held.keys.clear();
        (held.pages, held.kept) = (0, 0);
        Ok((keys, rows))
    }

    /// A held grant without the key of one record, with the row of its page; nothing if it has none. The record's own row goes with
    /// all of its openers.
    pub(crate) fn without_key_of(
        &self,
        held: &mut HeldGrant,
        (record, row): (RecordId, Option<&RecordKeys>),
    ) -> Result<Option<(AnchorFields, Vec<Change>)>, JourneyError> {
        if let Some(key) = held.older_key(record).cloned() {
            held.keys.retain(|key| key.record() != record);
            return Ok(Some((key.anchor, Vec::new())));
        }
        let (Some(row), Some(id)) = (row, held.id()) else {
            return Ok(None);
        };
        let Some(opener) = row.openers.iter().find(|opener| opener.grant == id) else {
            return Ok(None);
        };
        let mut page = self.page(id, opener.page)?;
        page.retain(|of| *of != record);
        held.kept = held.kept.saturating_sub(1);
        let page = change(table::HELD_PAGES, &page_key(id, opener.page), &page);
        Ok(Some((row.anchor, vec![page])))
    }
}
