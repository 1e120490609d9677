//! What goes when a record is erased, in one step.

use std::collections::BTreeSet;

use medibloc_consent::AnchorFields;
use medibloc_dag::Cid;
use medibloc_record::{AccountId, RecordId, Timestamp};

use super::{Erasure, Exports, document};
use crate::bounds;
use crate::errand::{errand_key, gone};
use crate::grant::HeldGrant;
use crate::grant::kept::RecordKeys;
use crate::looks::Look;
use crate::party::{change, table};
use crate::ports::Change;
use crate::read::KeptCopy;
use crate::wipe::{Tell, Wipe, cid_of, objects_of};
use crate::write::WriteJob;
use crate::{JourneyError, KeptRecord, Party, Standing};

impl Party {
    /// Everything that has to change here when a record is erased, as one step: keys, jobs, copies, errands and
    /// descriptions go, the tombstone comes, and the wipe of blobs and files begins. Nothing if nothing of it is here.
    pub(crate) fn forget(
        &self,
        record: RecordId,
        at: Timestamp,
        here: bool,
    ) -> Result<Vec<Change>, JourneyError> {
        let id = record.as_bytes();
        let (mut changes, mut roots, mut tell) = (Vec::new(), Vec::new(), Vec::new());
        let (mut owner, mut author) = (None, None);
        let delete = |table: &'static str| Change::Delete {
            table,
            key: id.to_vec(),
        };
        let (mut is_here, mut is_written, mut original) = (false, false, None);
        let kept = self.row::<KeptRecord>(table::RECORDS, id)?;
        if let Some(look) = self.row::<Look>(table::LOOKS, id)? {
            is_here = true;
            (owner, author) = (Some(look.anchor.owner), Some(look.anchor.author));
            roots.extend(objects_of(&look.anchor));
            changes.push(delete(table::LOOKS));
            if kept.is_none() {
                changes.push(change(table::RECORDS, id, &look.erased()));
            }
        }
        if let Some(mut kept) = kept {
            is_here |= kept.standing != Standing::Erased || kept.manifest.is_some();
            (owner, author) = (Some(kept.anchor.owner), Some(kept.anchor.author));
            roots.extend(objects_of(&kept.anchor));
            roots.push(cid_of(kept.capsule));
            if kept.anchor.author == kept.anchor.owner {
                original = document::original_of(&kept);
            }
            if let Some(manifest) = &kept.manifest {
                roots.extend(manifest.parts.iter().map(|part| part.cid));
            }
            kept.standing = Standing::Erased;
            kept.manifest = None;
            kept.named = crate::Named::Nobody;
            kept.incomplete = false;
            changes.push(change(table::RECORDS, id, &kept));
        }
        changes.extend(self.noted_no_more(record)?);
        changes.extend(self.untitled_unseen(record)?);
        for jobs in [table::JOBS, table::WRITTEN] {
            if let Some(job) = self.row::<WriteJob>(jobs, id)? {
                is_here = true;
                is_written |= job.anchor.author != job.anchor.owner;
                (owner, author) = (Some(job.anchor.owner), Some(job.anchor.author));
                original = Some(job.original);
                roots.extend(objects_of(&job.anchor));
                roots.extend(job.blocks.iter().copied());
                changes.push(delete(jobs));
            }
        }
        let elsewhere: Option<AnchorFields> = self.row(table::WRITTEN_ELSEWHERE, id)?;
        if let Some(anchor) = elsewhere {
            is_here = true;
            is_written = true;
            (owner, author) = (Some(anchor.owner), Some(anchor.author));
            changes.push(delete(table::WRITTEN_ELSEWHERE));
        }
        if let Some(copy) = self.row::<KeptCopy>(table::READS, id)? {
            is_here = true;
            roots.extend(copy.manifest.parts.iter().map(|part| part.cid));
            changes.push(delete(table::READS));
        }
        // What its author said of it stays: that is the chain's, and says what was relied on.
        for said in [table::LOOKED_BACK, table::COPIES] {
            if self.ports.vault.get(said, id)?.is_some() {
                changes.push(delete(said));
            }
        }
        if self.ports.vault.get(table::RECEIPTS, id)?.is_some() {
            changes.push(delete(table::RECEIPTS));
        }
        let (objects, rows) = self.objects_of_alone(record)?;
        roots.extend(objects);
        changes.extend(rows);
        let keys = self.keys_of_record(record)?;
        for held in self.held()? {
            if let Some((of, rows, letter)) =
                self.without_key(held, (record, keys.as_ref()), &mut roots)?
            {
                is_here = true;
                (owner, author) = (Some(letter.owner), Some(of));
                changes.extend(rows);
                tell.push(letter);
            }
        }
        if keys.is_some() {
            changes.push(delete(table::HELD_KEYS));
        }
        let (objects, rows) = self.undo_giving(record)?;
        is_here |= !rows.is_empty();
        roots.extend(objects);
        changes.extend(rows);
        for errand in self.errands()? {
            if errand.is_about(record) {
                is_here = true;
                roots.extend(errand.objects());
                changes.push(gone(&errand.key));
            }
        }
        let wished: Option<Exports> = self.row(table::ERASING, id)?;
        // It was ordered here, though the order was broken off and a sync meets the event.
        let ordered = self.errand(&errand_key("erase", &[id]))?.is_some();
        let here = here || ordered;
        let before: Option<Erasure> = self.row(table::ERASED, id)?;
        let Some(owner) = owner.or(before.as_ref().map(|before| before.owner)) else {
            return Ok(Vec::new());
        };
        if let Some(before) = &before
            && !is_here
            && (before.here || !here)
        {
            return Ok(Vec::new());
        }
        let files = self.exports_of(record)?;
        changes.push(delete(table::ERASING));
        let mut erasure = before.unwrap_or(Erasure {
            record,
            owner,
            author,
            at,
            here,
            purges: Vec::new(),
            read_until: None,
            signed: None,
            author_told: None,
            document: None,
        });
        erasure.here |= here;
        erasure.author = erasure.author.or(author);
        erasure.author_told = erasure.author_told.or(is_written.then_some(false));
        erasure.document = erasure
            .document
            .or(original.map(|original| self.erased_document(owner, &original)));
        changes.push(change(table::ERASED, id, &erasure));
        let key = errand_key("erased", &[id]);
        if self.ports.vault.get(table::WIPES, &key)?.is_none() {
            let cids = self.only_of(&BTreeSet::from([record]), roots)?;
            let wipe = Wipe {
                key,
                cids,
                files,
                unknown: self.read_elsewhere(None, |of| of == record)?,
                outputs: self
                    .outputs_of(record)?
                    .map(|outputs| (record, outputs))
                    .into_iter()
                    .collect(),
                keep_files: wished == Some(Exports::Keep),
                tell,
                end: None,
            };
            changes.push(wipe.row());
        }
        Ok(changes)
    }

    /// A held grant without the key of a record, whose author is given, and the letter about it; none if it has none.
    fn without_key(
        &self,
        mut held: HeldGrant,
        (record, keys): (RecordId, Option<&RecordKeys>),
        roots: &mut Vec<Cid>,
    ) -> Result<Option<(AccountId, Vec<Change>, Tell)>, JourneyError> {
        let Some(grant) = held.id() else {
            return Ok(None);
        };
        let Some((anchor, mut rows)) = self.without_key_of(&mut held, (record, keys))? else {
            return Ok(None);
        };
        roots.extend(objects_of(&anchor));
        let named = &mut held.artefact.records;
        let has_room = named.len() < bounds::MOST_KEYS || self.was_read(record)?;
        if has_room && !named.contains(&record) {
            named.push(record);
        }
        let tell = Tell {
            letter: errand_key("purged-erased", &[record.as_bytes(), grant.as_bytes()]),
            own: held.own,
            owner: held.owner,
            node: held.artefact.owner_node.clone(),
            pairing: held.artefact.pairing.clone(),
            grants: Vec::new(),
            records: vec![record],
        };
        rows.push(change(table::SHARED_GRANTS, grant.as_bytes(), &held));
        Ok(Some((anchor.author, rows, tell)))
    }
}
