//! What this home wrote before, or is writing.

use medibloc_consent::AnchorFields;
use medibloc_record::{AccountId, Digest, PartRole, RecordId};

use super::{Before, WriteJob, Written};
use crate::party::table;
use crate::{JourneyError, Party, Standing};

impl Party {
    /// Records that this account wrote and that are with all keepers.
    pub fn written(&self) -> Result<Vec<Written>, JourneyError> {
        let done: Vec<WriteJob> = self.rows(table::WRITTEN)?;
        let of = |job: WriteJob| Written {
            record: job.anchor.record_id(),
            owner: job.anchor.owner,
            acknowledged: job.acknowledged.count_ones() as usize,
            keepers: job.acknowledged.count_ones() as usize,
        };
        Ok(done.into_iter().map(of).collect())
    }

    /// Records that this vault has of the very document: for that owner, or own ones, sealed here or on another device. None that
    /// was erased or not accepted, as far as this vault knows.
    pub fn written_before(
        &self,
        owner: Option<AccountId>,
        original: &Digest,
    ) -> Result<Vec<Before>, JourneyError> {
        let is_own = |anchor: &AnchorFields| anchor.author == anchor.owner;
        let fits = |anchor: &AnchorFields| match owner {
            Some(owner) => anchor.owner == owner && !is_own(anchor),
            None => is_own(anchor),
        };
        let mut before = Vec::new();
        for (jobs, is_on_its_way) in [(table::JOBS, true), (table::WRITTEN, false)] {
            for job in self.rows::<WriteJob>(jobs)? {
                let record = job.anchor.record_id();
                let kept = self.ports.vault.get(table::RECORDS, record.as_bytes())?;
                let is_told_by_it = !is_on_its_way && kept.is_some();
                if !is_told_by_it && fits(&job.anchor) && job.original == *original {
                    before.push(Before {
                        record,
                        is_on_its_way,
                    });
                }
            }
        }
        for kept in self.records()? {
            let record = kept.record();
            let parts = kept.manifest.iter().flat_map(|manifest| &manifest.parts);
            let mut originals = parts.filter(|part| part.role == PartRole::Original);
            let is_refused = matches!(kept.standing, Standing::NotAccepted { .. });
            if fits(&kept.anchor)
                && !is_refused
                && originals.any(|part| part.plaintext == *original)
                && before.iter().all(|it| it.record != record)
            {
                before.push(Before {
                    record,
                    is_on_its_way: false,
                });
            }
        }
        Ok(before)
    }

    /// Whether a record was anchored on a chain that was left, and the one that answers does not have it: its document is written
    /// again like a new one.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn is_left_with_its_chain(&self, record: RecordId) -> Result<bool, JourneyError> {
        let kept: Option<crate::KeptRecord> = self.row(table::RECORDS, record.as_bytes())?;
        let job: Option<WriteJob> = self.row(table::WRITTEN, record.as_bytes())?;
        let was_there =
            job.is_some_and(|job| job.left) || kept.is_some_and(|kept| kept.is_off_chain());
        Ok(was_there && self.is_lacking(record).await?)
    }

    /// Whether this document is sealed and on its way, in a job that `sync` goes on with.
    pub fn is_being_written(&self, original: &Digest) -> Result<bool, JourneyError> {
        let jobs = self.rows::<WriteJob>(table::JOBS)?;
        Ok(jobs.iter().any(|job| job.original == *original))
    }
}
