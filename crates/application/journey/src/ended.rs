//! The end of a held grant (design 11, row 16): the reader forgets keys, descriptions and blocks, and tells the owner.

use std::collections::BTreeSet;

use medibloc_record::{AccountId, GrantId, RecordId};

use crate::bounds;
use crate::erase::ReadBy;
use crate::errand::errand_key;
use crate::exports::ExportedFile;
use crate::grant::{EndOfGrant, GivenGrant, HeldGrant, SharedKey};
use crate::party::{change, table};
use crate::ports::Change;
use crate::read::{KeptCopy, KeptReceipt};
use crate::wipe::{Tell, Wipe, objects_of};
use crate::{JourneyError, Left, Party, SyncReport};

impl Party {
    /// Ends held grants that fit, and purges what only they opened.
    pub(crate) async fn end_grants_where(
        &self,
        end: EndOfGrant,
        fits: impl Fn(GrantId, &HeldGrant) -> bool,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        for held in self.held()? {
            let Some(id) = held.artefact.grant.as_ref().map(|grant| grant.id) else {
                continue;
            };
            if held.ended.is_none() && fits(id, &held) {
                report.purged.extend(self.end_grant(id, held, end)?);
                report.ended.push(id);
            }
        }
        self.resume_wipes(&mut report.files_left, &mut report.later)
            .await
    }

    /// Ends those of these grants that the chain says are revoked: whoever reads the chain again meets ends of before, which later
    /// grants of the same owner outlive.
    pub(crate) async fn end_revoked_where(
        &self,
        fits: impl Fn(GrantId, &HeldGrant) -> bool,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let mut over = BTreeSet::new();
        for held in self.held()? {
            if let Some(grant) = &held.artefact.grant
                && held.ended.is_none()
                && fits(grant.id, &held)
                && self.ports.facts.grant(grant).await?.revoked
            {
                over.insert(grant.id);
            }
        }
        self.end_grants_where(EndOfGrant::Revoked, |id, _| over.contains(&id), report)
            .await
    }

    /// Ends grants whose purge-by date has passed.
    pub(crate) async fn purge_expired(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let now = self.chain_now().await?;
        let is_over = |_: GrantId, held: &HeldGrant| held.artefact.erase_by <= now;
        self.end_grants_where(EndOfGrant::Expired, is_over, report)
            .await
    }

    /// An owner's letter that grants have ended; only the owner of a grant can say so.
    pub(crate) async fn take_ended(
        &self,
        owner: AccountId,
        grants: &[GrantId],
        report: &mut SyncReport,
    ) -> Result<Vec<Change>, JourneyError> {
        let fits = |id: GrantId, held: &HeldGrant| grants.contains(&id) && held.owner == owner;
        self.end_grants_where(EndOfGrant::Revoked, fits, report)
            .await?;
        Ok(Vec::new())
    }

    /// Whether nobody reads on under a grant that was given: it is taken back, here or on the chain, or over by either time.
    async fn nobody_reads_on(&self, id: GrantId, given: &GivenGrant) -> Result<bool, JourneyError> {
        if given.revoked || self.is_being_revoked(id, given)? {
            return Ok(true);
        }
        let Some(grant) = &given.artefact.grant else {
            return Ok(false);
        };
        let now = self.chain_now().await?.max(self.ports.clock.now());
        Ok(grant.terms.until.min(given.artefact.erase_by) <= now || self.has_ended(grant).await?)
    }

    /// A reader's letter that it has purged what grants opened.
    pub(crate) async fn take_purged(
        &self,
        by: AccountId,
        grants: &[GrantId],
        left: Left,
        report: &mut SyncReport,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut changes = Vec::new();
        for (id, mut given) in self.grants()? {
            let reader = given.artefact.grant.as_ref().map(|grant| grant.reader);
            if grants.contains(&id) && reader == Some(by) {
                if !self.nobody_reads_on(id, &given).await? {
                    // A reader that says so reads on if it likes: nothing is over.
                    let name = &given.artefact.name;
                    report.told.push(format!(
                        "{name} says that it purged what it had read under {id}, while this consent stands: it may read \
                         again; `medibloc grant revoke {id}` ends that"
                    ));
                    continue;
                }
                given.purged = true;
                given.purged_at = Some(self.ports.clock.now());
                let left = given.left().and(left);
                (given.files_kept, given.files_unknown, given.outputs) =
                    (left.files, left.unknown, left.outputs);
                let name = self.names()?.given(&given);
                let reads = self.rows::<ReadBy>(table::READ_BY)?;
                report.told.push(match reads.iter().any(|read| read.grant == id) {
                    true => format!("{name} purged what it had read under {id}{left}"),
                    false => format!(
                        "{name} has ended its side of {id}, under which no read is known here{left}"
                    ),
                });
                changes.push(change(table::GRANTS, id.as_bytes(), &given));
            }
        }
        Ok(changes)
    }

    /// Rows and the wipe that follows from them in one step; blobs and files are wiped after it.
    fn end_grant(
        &self,
        id: GrantId,
        mut held: HeldGrant,
        end: EndOfGrant,
    ) -> Result<Vec<RecordId>, JourneyError> {
        // What older versions kept in the rows of other grants.
        let older: BTreeSet<RecordId> = self
            .held()?
            .iter()
            .filter(|other| other.ended.is_none() && other.artefact.grant != held.artefact.grant)
            .flat_map(|other| other.keys.iter().map(SharedKey::record))
            .collect();
        let (keys, mut changes) = self.without_keys(&mut held)?;
        let mut purged = Vec::new();
        let mut named: BTreeSet<RecordId> = held.artefact.records.iter().copied().collect();
        let (mut records, mut roots) = (BTreeSet::new(), Vec::new());
        let mut files: Vec<ExportedFile> = Vec::new();
        let mut outputs = Vec::new();
        for key in keys {
            let record = key.anchor.record_id();
            // What was read under it is named by it afterwards, and of the rest as much as a consent may name itself.
            if (named.len() < bounds::MOST_KEYS || self.was_read(record)?) && named.insert(record) {
                held.artefact.records.push(record);
            }
            let row = self.keys_of_record(record)?;
            let is_open = row.is_some_and(|row| row.openers.iter().any(|it| it.grant != id));
            let stays = is_open || older.contains(&record) || self.is_own_copy(record)?;
            // A reading goes with the consent that it was made on, though another one opens the record, or it is here because it was
            // written here: whoever wants it on that one reads it again, which leaves a receipt.
            let copy: Option<KeptCopy> = self.row(table::READS, record.as_bytes())?;
            let is_last = |of: GrantId| of == id || !stays;
            if copy.as_ref().is_some_and(|copy| is_last(copy.grant())) {
                purged.push(record);
                changes.push(gone(table::READS, record));
            }
            let receipt: Option<KeptReceipt> = self.row(table::RECEIPTS, record.as_bytes())?;
            if receipt.is_some_and(|receipt| is_last(receipt.grant)) {
                changes.push(gone(table::RECEIPTS, record));
            }
            // Versions of before did not say on which consent something was written out: then it goes with the copy.
            let is_read_here = !stays || copy.is_some_and(|copy| copy.grant() == id);
            let is_its = |of: Option<GrantId>| of.map_or(is_read_here, |of| of == id);
            files.extend(
                self.exports_of(record)?
                    .into_iter()
                    .filter(|file| is_its(file.grant)),
            );
            outputs.extend(
                self.outputs_where(record, is_its)?
                    .map(|outputs| (record, outputs)),
            );
            if !stays {
                changes.extend(self.untitled_unseen(record)?);
                roots.extend(objects_of(&key.anchor));
                records.insert(record);
            }
        }
        held.ended = Some(end);
        changes.push(change(table::SHARED_GRANTS, id.as_bytes(), &held));
        let letter = errand_key("purged", &[id.as_bytes()]);
        let unknown = self.read_elsewhere(Some(id), |record| records.contains(&record))?;
        let wipe = Wipe {
            key: letter,
            cids: self.only_of(&records, roots)?,
            files,
            unknown,
            outputs,
            keep_files: false,
            tell: vec![Tell {
                letter,
                own: held.own,
                owner: held.owner,
                node: held.artefact.owner_node.clone(),
                pairing: held.artefact.pairing.clone(),
                grants: vec![id],
                records: Vec::new(),
            }],
            end: Some(end),
        };
        changes.push(wipe.row());
        self.ports.vault.apply(changes)?;
        Ok(purged)
    }

    /// Whether a record was read here, or another home of the phrase did so.
    pub(crate) fn was_read(&self, record: RecordId) -> Result<bool, JourneyError> {
        Ok(self.read_before(record)?.is_some()
            || !self.exports_of(record)?.is_empty()
            || self.outputs_of(record)?.is_some()
            || !self.read_elsewhere(None, |of| of == record)?.is_empty())
    }

    /// Whether this vault has the record for another reason than a grant.
    fn is_own_copy(&self, record: RecordId) -> Result<bool, JourneyError> {
        for table in [table::RECORDS, table::WRITTEN, table::JOBS] {
            if self.ports.vault.get(table, record.as_bytes())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn gone(table: &'static str, record: RecordId) -> Change {
    Change::Delete {
        table,
        key: record.as_bytes().to_vec(),
    }
}
