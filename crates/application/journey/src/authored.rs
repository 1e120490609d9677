//! What this party wrote for others, as far as it is known here: whose, under which title, and what corrects it.

use std::collections::BTreeMap;

use medibloc_consent::WriteGrant;
use medibloc_record::{AccountId, RecordId};

use crate::party::table;
use crate::write::WriteJob;
use crate::{JourneyError, Party};

/// A record that was written here for somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenView {
    /// The record.
    pub record: RecordId,
    /// Whose it is.
    pub owner: AccountId,
    /// Its title.
    pub title: Option<String>,
    /// It stands on chain; until then it is only sealed.
    pub anchored: bool,
    /// Keepers that have their share.
    pub acknowledged: usize,
    /// The record that it corrects.
    pub amends: Option<RecordId>,
    /// Records written here that correct it.
    pub amended_by: Vec<RecordId>,
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

    /// Records that were written here for others and are not erased, by id. Whether their owners accepted them is the
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
                    acknowledged: job.acknowledged.count_ones() as usize,
                    amends: job.anchor.amends,
                    amended_by: Vec::new(),
                    problem: job.problem,
                };
                views.insert(record, view);
            }
        }
        let corrections: Vec<(RecordId, RecordId)> = views
            .values()
            .filter_map(|view| Some((view.amends?, view.record)))
            .collect();
        for (of, by) in corrections {
            if let Some(view) = views.get_mut(&of) {
                view.amended_by.push(by);
            }
        }
        Ok(views.into_values().collect())
    }
}
