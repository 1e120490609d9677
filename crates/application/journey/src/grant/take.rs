//! The reader's side of a grant: taken when its event names an own reader address, extended by deliveries.

use medibloc_consent::Grant;
use medibloc_record::{Digest, GrantId};

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
        let before = held.keys.len();
        for key in self.open_delivery(&own, &grant, number, digest).await? {
            if held.keys.iter().all(|known| known.anchor != key.anchor) {
                held.keys.push(key);
            }
        }
        let new = held.keys.len() - before;
        if new > 0 {
            self.put(table::SHARED_GRANTS, id.as_bytes(), &held)?;
        }
        Ok(new)
    }
}
