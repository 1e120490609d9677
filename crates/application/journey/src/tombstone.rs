//! What stays of an erased record: its tombstone, and what readers and keepers said since.

use medibloc_ledger::{Event, EventRef};
use medibloc_record::{AccountId, GrantId, RecordId, Timestamp};

use crate::erase::{Erasure, Purge, ReadBy};
use crate::exports::ExportedFile;
use crate::party::{change, table};
use crate::ports::Change;
use crate::sync::Cursor;
use crate::{GivenGrant, JourneyError, Left, Outputs, Party, SyncReport};

/// A reader of an erased record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerReader {
    /// Name under which it was given the grant.
    pub name: String,
    /// Receipts that it left.
    pub reads: usize,
    /// It said that it purged: after the erasure, or before, when the last consent for it ended.
    pub has_purged: bool,
    /// When it said so last; none if it did not, or that is not known.
    pub purged: Option<Timestamp>,
    /// What of it is left, as it says.
    pub left: Left,
}

/// What can still be said of an erased record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedView {
    /// The tombstone.
    pub erasure: Erasure,
    /// Who was cleared to read it before.
    pub readers: Vec<FormerReader>,
    /// Keepers that signed that their share is destroyed.
    pub statements: usize,
    /// Files that were written out here and are still there.
    pub files: Vec<String>,
    /// What is told of those that are not where they were written.
    pub files_lost: Vec<String>,
    /// What was written to standard output here.
    pub outputs: Option<Outputs>,
}

/// What cannot be undone by any erasure; programs show it.
pub const CANNOT_BE_UNDONE: &str = "what readers copied out, and ciphertext that somebody copied together with a key \
that was released or with your phrase, can still be opened by them; the chain keeps for ever that the record existed: \
accounts of owner and author, kind, class, digests, times, acceptance, grants, receipts and this erasure; not touched are \
the author's own document, backups of nodes and keepers until they are gone, too, and a record that corrects this one, \
which stands until it is erased itself";

impl Party {
    /// A reader's letter that it purged erased records: only who could read them can say so.
    pub(crate) fn take_purged_records(
        &self,
        by: AccountId,
        records: &[RecordId],
        left: Left,
        report: &mut SyncReport,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut changes = Vec::new();
        let grants = self.grants()?;
        let called = self.names()?;
        for record in records {
            let Some(mut erasure) = self.row::<Erasure>(table::ERASED, record.as_bytes())? else {
                continue;
            };
            let given = grants.iter().find(|(id, given)| {
                let reader = given.artefact.grant.as_ref().map(|grant| grant.reader);
                reader == Some(by) && self.has_given(*id, given, *record)
            });
            let Some((_, given)) = given else {
                continue;
            };
            let reader = by;
            let before = erasure.purges.iter().find(|purge| purge.reader == reader);
            let left = before.map_or(left, |before| before.left().and(left));
            erasure.purges.retain(|purge| purge.reader != reader);
            erasure.purges.push(Purge {
                reader,
                at: self.ports.clock.now(),
                files: left.files,
                unknown: left.unknown,
                outputs: left.outputs,
            });
            let name = called.given(given);
            // Who had its key alone has purged no copy; where its receipts were not looked at, that is not known.
            let is_of = |read: &ReadBy| read.record == *record && read.reader == reader;
            let is_read = self.rows::<ReadBy>(table::READ_BY)?.iter().any(is_of);
            let id = given
                .artefact
                .grant
                .as_ref()
                .map(|grant| grant.id.to_string());
            report.told.push(match id {
                Some(id) if !is_read && erasure.read_until.is_some() => format!(
                    "{name} dropped the key of the erased record {record} that consent {} gave; it never read it by that{left}",
                    id.get(..12).unwrap_or(&id)
                ),
                _ => format!("{name} purged its copy of the erased record {record}{left}"),
            });
            changes.push(change(table::ERASED, record.as_bytes(), &erasure));
        }
        Ok(changes)
    }

    /// Takes in who was cleared to read an erased record up to the block of its erasure: a receipt may be younger than the
    /// last sync.
    pub(crate) async fn note_reads(&self, record: RecordId) -> Result<(), JourneyError> {
        let start: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        let (events, _) = self.events_from(start.next).await?;
        self.note_reads_in(record, &events)
    }

    /// The same by the events that no sync took.
    pub(crate) fn note_reads_in(
        &self,
        record: RecordId,
        events: &[(EventRef, Event)],
    ) -> Result<(), JourneyError> {
        let Some(mut erasure) = self.erasure(record)? else {
            return Ok(());
        };
        // Of others' records the receipts are theirs.
        let is_own = self.own(erasure.owner)?.is_some();
        let mut changes = Vec::new();
        for (at, event) in events {
            match event {
                Event::ReadOpened {
                    record: of,
                    reader,
                    grant,
                    receipt,
                    ..
                } if *of == record && is_own => {
                    let read = ReadBy {
                        record,
                        reader: *reader,
                        grant: *grant,
                        receipt: *receipt,
                        block: Some(at.block),
                        is_told: self.is_told(record, *receipt)?,
                    };
                    changes.push(read.row());
                }
                Event::Erased { record: of } if *of == record => {
                    erasure.read_until = Some(at.block);
                }
                _ => {}
            }
        }
        changes.push(change(table::ERASED, record.as_bytes(), &erasure));
        Ok(self.ports.vault.apply(changes)?)
    }

    /// A sync took everything of the chain up to the erasure.
    pub(crate) fn note_read_until(&self, record: RecordId, block: u64) -> Result<(), JourneyError> {
        match self.erasure(record)? {
            Some(mut erasure) if erasure.read_until.is_none() => {
                erasure.read_until = Some(block);
                self.put(table::ERASED, record.as_bytes(), &erasure)
            }
            _ => Ok(()),
        }
    }

    fn has_given(&self, id: GrantId, given: &GivenGrant, record: RecordId) -> bool {
        let delivered = || {
            let deliveries = self.deliveries(id).unwrap_or_default();
            deliveries.iter().any(|list| list.records.contains(&record))
        };
        given.artefact.records.contains(&record) || delivered()
    }

    /// The tombstone of a record, if it was erased.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn erasure(&self, record: RecordId) -> Result<Option<Erasure>, JourneyError> {
        self.row(table::ERASED, record.as_bytes())
    }

    /// Every record that was erased and of which anything was here.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn erased_records(&self) -> Result<Vec<RecordId>, JourneyError> {
        let erased: Vec<Erasure> = self.rows(table::ERASED)?;
        Ok(erased.into_iter().map(|erasure| erasure.record).collect())
    }

    /// Everything that can still be said of an erased record; none if it was not erased.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn erased_view(&self, record: RecordId) -> Result<Option<ErasedView>, JourneyError> {
        let Some(erasure) = self.erasure(record)? else {
            return Ok(None);
        };
        let mut readers: Vec<(AccountId, FormerReader)> = Vec::new();
        let grants = self.grants()?;
        for read in self.rows::<ReadBy>(table::READ_BY)? {
            if read.record != record {
                continue;
            }
            if let Some((_, known)) = readers.iter_mut().find(|(of, _)| *of == read.reader) {
                known.reads += 1;
                continue;
            }
            let name = self
                .reader_name(read.grant, read.reader)?
                .unwrap_or_else(|| format!("unknown reader {}", read.reader));
            let purge = erasure
                .purges
                .iter()
                .find(|purge| purge.reader == read.reader);
            // Whoever purged when its consent ended has nothing to say of the erasure.
            let under = |(id, given): &&(GrantId, GivenGrant)| {
                let reader = given.artefact.grant.as_ref().map(|grant| grant.reader);
                reader == Some(read.reader) && self.has_given(*id, given, record)
            };
            let under: Vec<&GivenGrant> = grants.iter().filter(under).map(|(_, it)| it).collect();
            let before = !under.is_empty() && under.iter().all(|given| given.purged);
            let purged = under.iter().filter(|given| given.purged);
            let left = purge.map(Purge::left).unwrap_or_default();
            let reader = FormerReader {
                name,
                reads: 1,
                has_purged: purge.is_some() || before,
                purged: purge.map(|purge| purge.at).or(match before {
                    true => under.iter().filter_map(|given| given.purged_at).max(),
                    false => None,
                }),
                left: purged.fold(left, |left, given| left.and(given.left())),
            };
            readers.push((read.reader, reader));
        }
        let statements = self.ports.vault.list(table::STATEMENTS)?;
        let of = |key: &[u8]| key.starts_with(record.as_bytes());
        let files = self.exports_of(record)?;
        Ok(Some(ErasedView {
            erasure,
            readers: readers.into_iter().map(|(_, reader)| reader).collect(),
            statements: statements.iter().filter(|(key, _)| of(key)).count(),
            files_lost: files
                .iter()
                .filter(|file| file.lost)
                .map(ExportedFile::lost_words)
                .collect(),
            files: files
                .into_iter()
                .filter(|file| !file.lost)
                .map(|file| file.path)
                .collect(),
            outputs: self.outputs_of(record)?,
        }))
    }
}
