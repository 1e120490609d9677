//! What of a purged record is still about: files that its reader wrote out and keeps, what it wrote to standard output, and
//! what another home of its phrase may have written out before, of which this one has no list.

use medibloc_ledger::Event;
use medibloc_record::{AccountId, GrantId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::party::{change, table};
use crate::ports::Change;
use crate::{JourneyError, Party, counted};

/// How often plaintext went to standard output, where nothing can delete it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// How often.
    pub times: u32,
    /// The last time.
    pub last: Timestamp,
}

impl Outputs {
    /// Those of two records together.
    pub(crate) fn add(self, other: Self) -> Self {
        Self {
            times: self.times.saturating_add(other.times),
            last: self.last.max(other.last),
        }
    }
}

/// What of purged copies is left, as whoever purged says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Files that were written out before and stay.
    pub files: u32,
    /// Another home of the same phrase read it, before a restore, say: which files that one wrote out is not known. Or one is not where it
    /// was written: somebody moved or deleted it.
    pub unknown: bool,
    /// What was written to standard output.
    pub outputs: Option<Outputs>,
}

impl Left {
    /// Both: what two homes of one phrase say adds up, and neither takes back what the other said.
    pub(crate) fn and(self, other: Self) -> Self {
        let outputs = match (self.outputs, other.outputs) {
            (Some(one), Some(two)) => Some(Outputs {
                times: one.times.max(two.times),
                last: one.last.max(two.last),
            }),
            (one, two) => one.or(two),
        };
        Self {
            files: self.files.max(other.files),
            unknown: self.unknown || other.unknown,
            outputs,
        }
    }
}

impl core::fmt::Display for Left {
    /// Nothing if nothing is left; else what is, as the end of a sentence about whoever purged.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.files > 0 {
            let files = counted(self.files, "file");
            write!(f, "; it still keeps {files} that it wrote out")?;
        }
        if self.unknown {
            let why = "another home of its phrase read it, too, before a restore, say, or one is not where it was written, moved or deleted by a person";
            write!(f, "; which files it wrote out is not known: {why}")?;
        }
        if let Some(Outputs { times, last }) = self.outputs {
            let (times, last) = (counted(times, "time"), Moment(last));
            write!(
                f,
                "; it was written to standard output {times}, the last on {last}, and cannot be deleted there"
            )?;
        }
        Ok(())
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
pub(crate) const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A record that went to standard output.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Output {
    record: RecordId,
    outputs: Outputs,
    /// The consent that it was read on; none of an own record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant: Option<GrantId>,
}

/// A read under an own address that another home of the phrase made.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct ReadElsewhere {
    record: RecordId,
    grant: GrantId,
    /// Whose record it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<AccountId>,
}

/// The row of a read that this home did not sign; none for other events.
pub(crate) fn read_elsewhere(event: &Event) -> Option<Change> {
    let Event::ReadOpened {
        record,
        grant,
        owner,
        ..
    } = event
    else {
        return None;
    };
    let (record, grant, owner) = (*record, *grant, Some(*owner));
    let key = [grant.as_bytes().as_slice(), record.as_bytes()].concat();
    let read = ReadElsewhere {
        record,
        grant,
        owner,
    };
    Some(change(table::READ_ELSEWHERE, &key, &read))
}

impl Party {
    /// Remembers that a record goes to standard output, read on a consent if it is not an own one; call it before it goes.
    ///
    /// # Errors
    /// If the vault fails: then do not write it.
    pub fn note_output(
        &self,
        record: RecordId,
        grant: Option<GrantId>,
    ) -> Result<(), JourneyError> {
        let key: Vec<u8> = match &grant {
            None => record.as_bytes().to_vec(),
            Some(grant) => [record.as_bytes().as_slice(), grant.as_bytes()].concat(),
        };
        let before: Option<Output> = self.row(table::OUTPUTS, &key)?;
        let outputs = Outputs {
            times: before
                .map_or(0, |before| before.outputs.times)
                .saturating_add(1),
            last: self.ports.clock.now(),
        };
        let output = Output {
            record,
            outputs,
            grant,
        };
        self.note_on_full_disk(vec![change(table::OUTPUTS, &key, &output)])
    }

    /// How often a record went to standard output; none if it never did.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn outputs_of(&self, record: RecordId) -> Result<Option<Outputs>, JourneyError> {
        self.outputs_where(record, |_| true)
    }

    /// The same of those that fit the consent that they were read on.
    pub(crate) fn outputs_where(
        &self,
        record: RecordId,
        fits: impl Fn(Option<GrantId>) -> bool,
    ) -> Result<Option<Outputs>, JourneyError> {
        let outputs = self.rows::<Output>(table::OUTPUTS)?.into_iter();
        let outputs = outputs.filter(|output| output.record == record && fits(output.grant));
        Ok(outputs.map(|output| output.outputs).reduce(Outputs::add))
    }

    /// What of records that a consent opened is left here after it has ended.
    pub(crate) fn left_here(
        &self,
        grant: GrantId,
        records: &[RecordId],
    ) -> Result<Left, JourneyError> {
        let is_of = |record| records.contains(&record);
        let mut left = Left {
            unknown: !self.read_elsewhere(Some(grant), is_of)?.is_empty(),
            ..Left::default()
        };
        // Of what versions of before wrote out it is not known on which consent.
        let is_its = |of: Option<GrantId>| of.is_none_or(|of| of == grant);
        for record in records {
            let mut files = self.exports_of(*record)?;
            files.retain(|file| is_its(file.grant));
            left.unknown |= files.iter().any(|file| file.lost);
            let files = files.iter().filter(|file| !file.lost).count();
            left.files = left
                .files
                .saturating_add(u32::try_from(files).unwrap_or(u32::MAX));
            left.outputs = left
                .outputs
                .into_iter()
                .chain(self.outputs_where(*record, is_its)?)
                .reduce(Outputs::add);
        }
        Ok(left)
    }

    /// Every record that another home of the phrase read, and whose it is.
    pub(crate) fn readings_elsewhere(&self) -> Result<Vec<(RecordId, AccountId)>, JourneyError> {
        let reads: Vec<ReadElsewhere> = self.rows(table::READ_ELSEWHERE)?;
        let reads = reads.into_iter();
        Ok(reads
            .filter_map(|read| Some((read.record, read.owner?)))
            .collect())
    }

    /// Those of these records, or of what this consent opened, that another home of the phrase read.
    pub(crate) fn read_elsewhere(
        &self,
        grant: Option<GrantId>,
        records: impl Fn(RecordId) -> bool,
    ) -> Result<Vec<RecordId>, JourneyError> {
        let mut reads: Vec<ReadElsewhere> = self.rows(table::READ_ELSEWHERE)?;
        reads.retain(|read| Some(read.grant) == grant || records(read.record));
        let mut found: Vec<RecordId> = reads.into_iter().map(|read| read.record).collect();
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}
