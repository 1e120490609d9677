//! Files that were written out of the vault: where, of which record, and what they held, so that an erasure or a purge
//! finds them again. A row stands before the file does; a crash in between leaves a row of a file that is not there.

use std::collections::BTreeMap;

use medibloc_record::{Digest, GrantId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::party::{change, table};
use crate::ports::{Change, PortError};
use crate::{EndOfGrant, JourneyError, Party};

/// A file that holds a part of a record in the clear, or sealed to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFile {
    /// Its absolute path.
    pub path: String,
    /// Of which record.
    pub record: RecordId,
    /// When it was written.
    pub at: Timestamp,
    /// SHA-256 of what was written: a file that somebody changed since is left alone.
    pub sha256: Digest,
    /// The person said that it stays when the record goes.
    pub keep: bool,
    /// When it was to be deleted it was not where it had been written: a person moved or deleted it, which is not known.
    #[serde(default, skip_serializing_if = "crate::left::is_false")]
    pub lost: bool,
    /// The consent that it was read on, with which it goes; none of an own record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
}

impl ExportedFile {
    /// One that is where it was written is known by its path; of one that is not, another file may be there.
    fn key(&self) -> Digest {
        let path = self.path.as_bytes();
        match self.lost {
            false => Digest::of(path),
            true => {
                let (record, at) = (self.record.as_bytes(), self.at.0.to_be_bytes());
                Digest::of(&[path, &[0], record, &at, &self.sha256.to_bytes()].concat())
            }
        }
    }

    /// What is told of one that is not where it was written.
    pub(crate) fn lost_words(&self) -> String {
        format!(
            "{}, wherever it is: it is not where it was written, for somebody moved or deleted it; look for it yourself",
            self.path
        )
    }

    pub(crate) fn row(&self) -> Change {
        change(table::EXPORTS, self.key().as_bytes(), self)
    }

    pub(crate) fn gone(&self) -> Change {
        Change::Delete {
            table: table::EXPORTS,
            key: self.key().as_bytes().to_vec(),
        }
    }
}

/// A file that this program deleted, until that is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct RemovedFile {
    path: String,
    record: RecordId,
    why: Option<EndOfGrant>,
}

/// The row that keeps it until somebody is told.
pub(crate) fn removed_row(file: &ExportedFile, why: Option<EndOfGrant>) -> Change {
    let removed = RemovedFile {
        path: file.path.clone(),
        record: file.record,
        why,
    };
    change(table::FILES_REMOVED, file.key().as_bytes(), &removed)
}

impl Party {
    /// Files that were deleted of these records and of which nobody was told yet, by record, with the reason. They are told once.
    pub(crate) fn take_removed(
        &self,
        of: impl Fn(RecordId) -> bool,
    ) -> Result<BTreeMap<RecordId, Vec<String>>, JourneyError> {
        let (mut told, mut rows) = (BTreeMap::<_, Vec<String>>::new(), Vec::new());
        for (key, file) in self.keyed_rows::<RemovedFile>(table::FILES_REMOVED)? {
            if !of(file.record) {
                continue;
            }
            let why = match file.why {
                None => "its owner erased the record",
                Some(EndOfGrant::Revoked) => "the consent to read it was taken back",
                Some(EndOfGrant::Expired) => "the consent to read it has expired",
            };
            let files = told.entry(file.record).or_default();
            files.push(format!("{}: {why}", file.path));
            rows.push(Change::Delete {
                table: table::FILES_REMOVED,
                key,
            });
        }
        if !rows.is_empty() {
            self.ports.vault.apply(rows)?;
        }
        Ok(told)
    }

    /// Remembers a file; call it before the file is written, where none is. One that was written to its path before was moved or
    /// deleted by a person since: it stays known as that.
    ///
    /// # Errors
    /// If the vault fails: then do not write the file.
    pub fn note_export(&self, file: &ExportedFile) -> Result<(), JourneyError> {
        let mut rows = vec![file.row()];
        let before: Option<ExportedFile> = self.row(table::EXPORTS, file.key().as_bytes())?;
        rows.extend(before.map(|before| {
            ExportedFile {
                lost: true,
                ..before
            }
            .row()
        }));
        self.note_on_full_disk(rows)
    }

    /// Keeps rows though the disk is full: of what is given out, which a purge must not forget.
    pub(crate) fn note_on_full_disk(&self, rows: Vec<Change>) -> Result<(), JourneyError> {
        let vault = &self.ports.vault;
        match vault.apply(rows.clone()) {
            Err(PortError::Vault { .. }) if vault.lend_reserve() => Ok(vault.apply(rows)?),
            done => Ok(done?),
        }
    }

    /// Forgets a file that was noted and then could not be written.
    ///
    /// # Errors
    /// If the vault fails: then the row stays, of a file that is not there.
    pub fn forget_export(&self, file: &ExportedFile) -> Result<(), JourneyError> {
        Ok(self.ports.vault.apply(vec![file.gone()])?)
    }

    /// Whether a file is noted as one that was written.
    pub(crate) fn is_noted(&self, file: &ExportedFile) -> Result<bool, JourneyError> {
        let row = self
            .ports
            .vault
            .get(table::EXPORTS, file.key().as_bytes())?;
        Ok(row.is_some())
    }

    /// Files that were written of a record and not deleted by this program since.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn exports_of(&self, record: RecordId) -> Result<Vec<ExportedFile>, JourneyError> {
        let mut files: Vec<ExportedFile> = self.rows(table::EXPORTS)?;
        files.retain(|file| file.record == record);
        Ok(files)
    }
}
