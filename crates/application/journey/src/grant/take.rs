//! The reader's side of a grant: taken when its event names an own reader address, extended by deliveries.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::Grant;
use medibloc_ledger::Event;
use medibloc_record::{AccountId, Digest, GrantId, RecordId};

use crate::grant::HeldGrant;
use crate::pairing::Offered;
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::post::stranger;
use crate::{JourneyError, Party};

impl Party {
    /// A grant that names an own reader address: fetched, opened and kept (row 11, the reader's side).
    pub(crate) async fn take_grant(
        &self,
        own: &OwnAddress,
        grant: &Grant,
    ) -> Result<bool, JourneyError> {
        let known = self
            .ports
            .vault
            .get(table::SHARED_GRANTS, grant.id.as_bytes())?;
        if known.is_some() {
            return Ok(false);
        }
        let offered: Option<Offered> = self.row(table::OFFERED, own.address.as_bytes())?;
        if let Some(offered) = &offered
            && !grant.terms.binding.is_none()
            && grant.terms.binding != offered.binding.tag()
        {
            // Who was offered this address knows its binding; nothing is fetched for anybody else.
            return Err(stranger("the grant"));
        }
        if offered.is_none() {
            self.may_fetch()?;
        }
        let (artefact, keys, object) = self.open_grant(own, grant).await?;
        if offered.is_some_and(|offered| offered.owner != artefact.paired) {
            return Err(stranger("the grant"));
        }
        let mut changes: Vec<Change> = self.proven(&artefact).await?.into_iter().collect();
        self.ports.vault.put_blob(&object)?;
        changes.extend(self.held_note(own.id(), grant.owner, &artefact)?);
        let held = HeldGrant {
            own: own.id(),
            owner: grant.owner,
            artefact,
            keys,
            ended: None,
            is_checked: true,
        };
        changes.push(change(table::SHARED_GRANTS, grant.id.as_bytes(), &held));
        self.ports.vault.apply(changes)?;
        Ok(true)
    }

    /// A key list for a grant that is held; adds what is new. Gives how many keys that was.
    pub(crate) async fn take_delivery(
        &self,
        id: GrantId,
        number: u32,
        digest: Digest,
    ) -> Result<usize, JourneyError> {
        let Some(mut held) = self.row::<HeldGrant>(table::SHARED_GRANTS, id.as_bytes())? else {
            return Ok(0);
        };
        let Some(grant) = held.artefact.grant.clone().filter(|_| held.ended.is_none()) else {
            return Ok(0);
        };
        let own = self.own_address(held.own)?;
        let known: BTreeSet<RecordId> = held.records().collect();
        let list = (number, digest);
        let keys = self.open_delivery(&own, &grant, list, &known).await?;
        let new = keys.len();
        if new > 0 {
            held.keys.extend(keys);
            self.put(table::SHARED_GRANTS, id.as_bytes(), &held)?;
        }
        Ok(new)
    }

    /// Holds against the chain, once, what older versions took of owners' words: keys whose anchors it does not have, and names
    /// of records that are another owner's, are dropped.
    pub(crate) async fn check_held(&self) -> Result<(), JourneyError> {
        let mut unchecked = self.held()?;
        unchecked.retain(|held| !held.is_checked);
        let mut bare = BTreeSet::new();
        for held in &mut unchecked {
            let mut keys = Vec::new();
            for key in core::mem::take(&mut held.keys) {
                if self.ports.facts.is_anchored(&key.anchor).await? {
                    keys.push(key);
                }
            }
            held.keys = keys;
            bare.extend(held.artefact.records.iter().copied());
        }
        let owners = self.owners_of(&bare).await?;
        let mut rows = Vec::new();
        for mut held in unchecked {
            let Some(id) = held.artefact.grant.as_ref().map(|grant| grant.id) else {
                continue;
            };
            let (owner, records) = (held.owner, &mut held.artefact.records);
            records.retain(|record| owners.get(record) == Some(&owner));
            held.is_checked = true;
            rows.push(change(table::SHARED_GRANTS, id.as_bytes(), &held));
        }
        Ok(self.ports.vault.apply(rows)?)
    }

    /// Who owns these records, as the chain says.
    async fn owners_of(
        &self,
        records: &BTreeSet<RecordId>,
    ) -> Result<BTreeMap<RecordId, AccountId>, JourneyError> {
        if records.is_empty() {
            return Ok(BTreeMap::new());
        }
        let from = self.anchored_from(records).await?;
        let (events, _) = self.events_from(from).await?;
        let anchors = events.into_iter().filter_map(|(_, event)| match event {
            Event::Anchored(anchor) => Some((anchor.record_id(), anchor.owner)),
            _ => None,
        });
        Ok(anchors
            .filter(|(record, _)| records.contains(record))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use medibloc_consent::AnchorFields;
    use medibloc_record::Nonce;

    use super::*;
    use crate::grant::SharedKey;
    use crate::post::tests::story;

    #[tokio::test]
    async fn what_older_versions_took_is_held_against_the_chain() {
        let clinic = story().await.clinic;
        let right = clinic.held().unwrap().remove(0);
        let mut older = right.clone();
        older.is_checked = false;
        let real = older.keys[0].clone();
        let invented = AnchorFields {
            nonce: Nonce::new([9; 32]),
            amends: Some(real.record()),
            ..real.anchor
        };
        let record = invented.record_id();
        older.keys.push(SharedKey {
            anchor: invented,
            ..real.clone()
        });
        older.artefact.records.push(record);
        let id = older.artefact.grant.as_ref().unwrap().id;
        clinic
            .put(table::SHARED_GRANTS, id.as_bytes(), &older)
            .unwrap();
        // Nothing of it is told before it is looked at.
        assert_eq!(clinic.amends(record).unwrap(), None);
        assert!(clinic.corrections(real.record()).unwrap().is_empty());
        clinic.sync().await.unwrap();
        assert_eq!(clinic.held().unwrap(), [right]);
    }
}
