//! What this party wrote for others, as far as it is known here: whose, under which title, and what corrects it. What another
//! home of the phrase wrote, before a restore, say, is known from the chain: everything but its title and its shares.

use std::collections::BTreeMap;

use medibloc_consent::{AnchorFields, WriteGrant};
use medibloc_record::{AccountId, RecordId};

use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::write::WriteJob;
use crate::{JourneyError, Party};

/// A record that this party wrote for somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenView {
    /// The record.
    pub record: RecordId,
    /// Whose it is.
    pub owner: AccountId,
    /// Its title; none if it has none, or was not written in this home.
    pub title: Option<String>,
    /// It stands on chain; until then it is only sealed.
    pub anchored: bool,
    /// Keepers that have their share; none if it was not written in this home, which knows neither that nor its title.
    pub acknowledged: Option<usize>,
    /// The record that it corrects.
    pub amends: Option<RecordId>,
    /// Why it is not sent yet, as the last try said.
    pub problem: Option<String>,
}

impl Party {
    /// Permissions to write that owners gave this party and that the chain has not ended, by owner; one whose time is over is
    /// among them.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn may_write(&self) -> Result<Vec<WriteGrant>, JourneyError> {
        self.rows(table::MAY_WRITE)
    }

    /// Records that this party wrote for others and that are not erased, by id, also from another home of the phrase. Whether their owners accepted them is the
    /// chain's to say.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn written_views(&self) -> Result<Vec<WrittenView>, JourneyError> {
        let mut views = BTreeMap::new();
        for table in [table::WRITTEN, table::JOBS] {
            for job in self.rows::<WriteJob>(table)? {
                if job.anchor.author == job.anchor.owner {
                    continue;
                }
                let record = job.anchor.record_id();
                let view = WrittenView {
                    record,
                    owner: job.anchor.owner,
                    title: job.title,
                    anchored: job.anchored,
                    acknowledged: Some(job.acknowledged.count_ones() as usize),
                    amends: job.anchor.amends,
                    problem: job.problem,
                };
                views.insert(record, view);
            }
        }
        for anchor in self.rows::<AnchorFields>(table::WRITTEN_ELSEWHERE)? {
            let record = anchor.record_id();
            views.entry(record).or_insert_with(|| WrittenView {
                record,
                owner: anchor.owner,
                title: None,
                anchored: true,
                acknowledged: None,
                amends: anchor.amends,
                problem: None,
            });
        }
        Ok(views.into_values().collect())
    }

    /// The anchor of a record that this party wrote, from whichever home, as far as it stands on the chain.
    pub(crate) fn authored_anchor(
        &self,
        record: RecordId,
    ) -> Result<Option<AnchorFields>, JourneyError> {
        for table in [table::WRITTEN, table::JOBS] {
            let job = self.row::<WriteJob>(table, record.as_bytes())?;
            if let Some(job) = job.filter(|job| job.anchored) {
                return Ok(Some(job.anchor));
            }
        }
        self.row(table::WRITTEN_ELSEWHERE, record.as_bytes())
    }

    /// The row of an anchor for somebody else that an own account made and this home did not; none if it is known here.
    pub(crate) fn written_elsewhere(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        anchor: &AnchorFields,
    ) -> Result<Option<Change>, JourneyError> {
        if !own.contains_key(&anchor.author) || own.contains_key(&anchor.owner) {
            return Ok(None);
        }
        let record = anchor.record_id();
        for table in [table::WRITTEN, table::JOBS, table::ERASED] {
            if self.ports.vault.get(table, record.as_bytes())?.is_some() {
                return Ok(None);
            }
        }
        let table = table::WRITTEN_ELSEWHERE;
        Ok(Some(change(table, record.as_bytes(), anchor)))
    }
}
