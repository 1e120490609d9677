//! Whether the own node still has what readers open a consent with. It is sealed to them and not kept here: what a node loses, by an
//! older copy that is put back, the owner sees only by asking, and can only give anew.

use std::collections::BTreeMap;

use medibloc_record::{AccountId, GrantId};

use crate::errand::errand_key;
use crate::wipe::cid_of;
use crate::{JourneyError, Party};

/// What the own node has of the consents that stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostConsents {
    /// How many it was asked for.
    pub asked: usize,
    /// Those whose object it does not have: nobody who has not taken them yet can read with them.
    pub lost: Vec<GrantId>,
}

impl Party {
    /// Asks the own node for the objects of own consents that stand, at most so many, those that end last first.
    ///
    /// # Errors
    /// If the vault cannot be read or the node does not answer.
    pub async fn lost_consents(&self, most: usize) -> Result<LostConsents, JourneyError> {
        let now = self.ports.clock.now();
        let mut standing = Vec::new();
        for (id, given) in self.grants()? {
            let Some(grant) = given.artefact.grant.filter(|_| !given.revoked) else {
                continue;
            };
            // What waits to be sent is not there yet.
            let waits = self
                .errand(&errand_key("grant", &[id.as_bytes()]))?
                .is_some();
            if !waits && grant.terms.until > now {
                standing.push((grant.terms.until, given.own, id, cid_of(grant.terms.digest)));
            }
        }
        standing.sort_by_key(|(until, ..)| core::cmp::Reverse(*until));
        standing.truncate(most);
        let mut found = LostConsents {
            asked: standing.len(),
            ..LostConsents::default()
        };
        let mut by_own: BTreeMap<AccountId, Vec<_>> = BTreeMap::new();
        for (_, own, id, cid) in standing {
            by_own.entry(own).or_default().push((id, cid));
        }
        for (own, consents) in by_own {
            let own = self.own_address(own)?;
            let store = self.ports.network.store(&self.signer(&own));
            let cids: Vec<_> = consents.iter().map(|(_, cid)| *cid).collect();
            let here = store.has(&cids).await?;
            let lost = consents.iter().zip(here).filter(|(_, here)| !here);
            found.lost.extend(lost.map(|((id, _), _)| *id));
        }
        Ok(found)
    }
}
