//! The end of a held grant (design 11, row 16): the reader forgets keys, descriptions and blocks, and tells the owner.

use std::collections::BTreeSet;

use medibloc_dag::{Budget, Cid, Walk};
use medibloc_record::{AccountId, Digest, GrantId, Package, RecordId};

use crate::accept::is_temporary;
use crate::errand::errand_key;
use crate::grant::{EndOfGrant, HeldGrant, SharedKey};
use crate::mail::Message;
use crate::outbox::letter_row;
use crate::party::{change, table};
use crate::ports::Change;
use crate::read::KeptCopy;
use crate::{JourneyError, Party, SyncReport};

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
                report.purged.extend(self.end_grant(id, held, end).await?);
                report.ended.push(id);
            }
        }
        Ok(())
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

    /// A reader's letter that it has purged.
    pub(crate) fn take_purged(
        &self,
        by: AccountId,
        grants: &[GrantId],
    ) -> Result<Vec<Change>, JourneyError> {
        let mut changes = Vec::new();
        for (id, mut given) in self.grants()? {
            let reader = given.artefact.grant.as_ref().map(|grant| grant.reader);
            if grants.contains(&id) && reader == Some(by) {
                given.purged = true;
                changes.push(change(table::GRANTS, id.as_bytes(), &given));
            }
        }
        Ok(changes)
    }

    /// Blocks first, then the rows that lead to them: a crash in between leaves nothing that is not found again.
    async fn end_grant(
        &self,
        id: GrantId,
        mut held: HeldGrant,
        end: EndOfGrant,
    ) -> Result<Vec<RecordId>, JourneyError> {
        let others: BTreeSet<RecordId> = self
            .held()?
            .iter()
            .filter(|other| other.ended.is_none() && other.artefact.grant != held.artefact.grant)
            .flat_map(|other| other.records().collect::<Vec<_>>())
            .collect();
        let (mut changes, mut purged) = (Vec::new(), Vec::new());
        for key in core::mem::take(&mut held.keys) {
            let record = key.anchor.record_id();
            if !held.artefact.records.contains(&record) {
                held.artefact.records.push(record);
            }
            if others.contains(&record) || self.is_own_copy(record)? {
                continue;
            }
            self.drop_copy(&key)?;
            for table in [table::READS, table::RECEIPTS] {
                changes.push(Change::Delete {
                    table,
                    key: record.as_bytes().to_vec(),
                });
            }
            purged.push(record);
        }
        held.ended = Some(end);
        changes.push(change(table::SHARED_GRANTS, id.as_bytes(), &held));
        // What is purged is purged, whether it can be told or not.
        match self.purged_letter(id, &held).await {
            Ok(letter) => changes.push(letter),
            Err(error) if is_temporary(&error) => return Err(error),
            Err(_) => {}
        }
        self.ports.vault.apply(changes)?;
        Ok(purged)
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

    fn drop_copy(&self, key: &SharedKey) -> Result<(), JourneyError> {
        let record = key.anchor.record_id();
        let vault = &self.ports.vault;
        if let Some(copy) = self.row::<KeptCopy>(table::READS, record.as_bytes())? {
            for part in &copy.manifest.parts {
                self.drop_dag(&part.cid)?;
            }
        }
        let anchor = &key.anchor;
        if let Some(bytes) = vault.blob(&cid_of(anchor.package))?
            && let Ok(package) = Package::parse(&bytes)
            && let Some(manifest) = package.manifest_cid
        {
            self.drop_dag(&manifest)?;
        }
        for digest in [anchor.package, anchor.key_set, anchor.attestation] {
            vault.drop_blob(&cid_of(digest))?;
        }
        Ok(())
    }

    /// Leaves before the nodes that name them. What leads nowhere is dropped itself.
    fn drop_dag(&self, root: &Cid) -> Result<(), JourneyError> {
        let mut found = vec![*root];
        if let Ok(mut walk) = Walk::of_unknown_size(*root, Budget::of_record()) {
            while let Some(wanted) = walk.next_block() {
                if !wanted.is_leaf()
                    && let Some(bytes) = self.ports.vault.blob(wanted.cid())?
                {
                    // What is here was taken by the same walk; what was not has nothing below it here.
                    let _nothing_below = walk.take(&wanted, &bytes);
                }
                found.push(*wanted.cid());
            }
        }
        for cid in found.iter().rev() {
            self.ports.vault.drop_blob(cid)?;
        }
        Ok(())
    }

    /// Tells the owner, under the address that read.
    async fn purged_letter(&self, id: GrantId, held: &HeldGrant) -> Result<Change, JourneyError> {
        let own = self.own_address(held.own)?;
        let (to, to_key) = self.reached(held.owner).await?;
        let letter = self.compose(
            errand_key("purged", &[id.as_bytes()]),
            held.artefact.pairing.as_ref(),
            &own,
            (to, &to_key),
            &held.artefact.owner_node,
            &Message::Purged { grants: vec![id] },
        )?;
        Ok(letter_row(&letter))
    }
}

/// The identifier of a single-block object.
pub(crate) const fn cid_of(digest: Digest) -> Cid {
    Cid::from_dag_cbor_digest(digest.to_bytes())
}
