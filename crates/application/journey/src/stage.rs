//! What was fetched for records that are not accepted yet: nothing of a refused record stays in the vault. Only what was
//! fetched for such looks is ever dropped, whatever a hostile package names.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use medibloc_dag::Cid;

use crate::looks::Look;
use crate::party::{change, table};
use crate::ports::Change;
use crate::wipe::{cid_of, objects_of};
use crate::{JourneyError, Party};

/// One round of looks, and what it fetched.
#[derive(Default)]
pub(crate) struct Stage {
    /// Fetched for records of which none is kept yet.
    fetched: BTreeSet<Cid>,
    /// The same, as it stood before this round.
    before: BTreeSet<Cid>,
    refused: Vec<Cid>,
    good: Vec<Cid>,
    open: Vec<Cid>,
}

fn roots(look: &Look) -> impl Iterator<Item = Cid> {
    objects_of(&look.anchor)
        .into_iter()
        .chain([cid_of(look.capsule)])
}

impl Stage {
    /// What this record needs stays.
    pub(crate) fn good(&mut self, look: &Look) {
        self.good.extend(roots(look));
    }

    /// What this record alone needed goes.
    pub(crate) fn refused(&mut self, look: &Look) {
        self.refused.extend(roots(look));
    }

    /// It is not known yet.
    pub(crate) fn open(&mut self, look: &Look) {
        self.open.extend(roots(look));
    }
}

impl Party {
    /// Begins a round: blocks that are fetched from now on are noted.
    pub(crate) fn stage(&self) -> Result<Stage, JourneyError> {
        self.noted(Some(BTreeSet::new()));
        let mut stage = Stage::default();
        for (key, _) in self.ports.vault.list(table::STAGED)? {
            stage.before.extend(Cid::from_bytes(&key).ok());
        }
        stage.fetched.clone_from(&stage.before);
        Ok(stage)
    }

    /// A block that the vault did not have was fetched.
    pub(crate) fn note_fetched(&self, cid: Cid) {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fetched) = fetched.as_mut() {
            fetched.insert(cid);
        }
    }

    fn noted(&self, next: Option<BTreeSet<Cid>>) -> BTreeSet<Cid> {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        core::mem::replace(&mut *fetched, next).unwrap_or_default()
    }

    /// Drops what was fetched for refused records and for no other.
    pub(crate) fn drop_junk(&self, stage: &mut Stage) -> Result<(), JourneyError> {
        stage.fetched.append(&mut self.noted(Some(BTreeSet::new())));
        if stage.fetched.is_empty() {
            return Ok(());
        }
        for cid in self.below(core::mem::take(&mut stage.good))? {
            stage.fetched.remove(&cid);
        }
        if stage.refused.is_empty() {
            return Ok(());
        }
        let mut junk = self.below(core::mem::take(&mut stage.refused))?;
        junk.retain(|cid| stage.fetched.contains(cid));
        for cid in self.below(stage.open.clone())? {
            junk.remove(&cid);
        }
        let junk: Vec<Cid> = junk.into_iter().collect();
        self.ports.vault.drop_blobs(&junk)?;
        for cid in junk {
            stage.fetched.remove(&cid);
        }
        Ok(())
    }

    /// Ends a round: what is not decided yet is remembered.
    pub(crate) fn leave_stage(&self, mut stage: Stage) -> Result<(), JourneyError> {
        self.drop_junk(&mut stage)?;
        self.noted(None);
        let key = |cid: &Cid| cid.to_bytes().to_vec();
        let new = stage.fetched.difference(&stage.before);
        let old = stage.before.difference(&stage.fetched);
        let mut changes: Vec<Change> = new
            .map(|cid| change(table::STAGED, &key(cid), &true))
            .collect();
        changes.extend(old.map(|cid| Change::Delete {
            table: table::STAGED,
            key: key(cid),
        }));
        if changes.is_empty() {
            return Ok(());
        }
        Ok(self.ports.vault.apply(changes)?)
    }
}
