//! What became of consents that a restore found.

use std::collections::BTreeMap;

use medibloc_ledger::{Event, EventRef};
use medibloc_record::{AccountId, Digest, GrantId};

use crate::grant::GivenGrant;
use crate::grant::deliver::{Delivery, delivery_key};
use crate::party::{change, table};
use crate::wipe::cid_of;
use crate::{JourneyError, Party};

impl Party {
    /// What became of consents that were found. One that was given after an end stands, whether or not its object comes again: this
    /// may be broken off after any event.
    pub(super) async fn find_change(
        &self,
        at: EventRef,
        event: &Event,
        written: &BTreeMap<GrantId, EventRef>,
    ) -> Result<(), JourneyError> {
        let ends = |given: &GivenGrant, owner: AccountId, author: Option<AccountId>| {
            given.artefact.write.is_some_and(|write| {
                let id = GrantId::derive(write.owner, write.author, write.nonce);
                let is_later = written.get(&id).is_some_and(|given| *given > at);
                given.own == owner
                    && author.is_none_or(|author| author == write.author)
                    && !is_later
            })
        };
        let changes = match event {
            Event::Revoked { grant } => self.revoked_where(|id, _| id == *grant)?,
            Event::ReaderRevoked { owner, .. } => return self.mark_revoked(*owner).await,
            Event::WriteRevoked { owner, author } => {
                self.writes_revoked_where(|given| ends(given, *owner, Some(*author)))?
            }
            Event::AllRevoked { owner } => {
                self.mark_revoked(*owner).await?;
                self.writes_revoked_where(|given| ends(given, *owner, None))?
            }
            Event::Delivered {
                grant,
                number,
                digest,
            } => return self.find_delivery((*grant, *number), *digest).await,
            _ => Vec::new(),
        };
        Ok(self.ports.vault.apply(changes)?)
    }

    /// The key list that was given with this number.
    pub(super) async fn find_delivery(
        &self,
        (grant, number): (GrantId, u32),
        digest: Digest,
    ) -> Result<(), JourneyError> {
        let given: Option<GivenGrant> = self.row(table::GRANTS, grant.as_bytes())?;
        let Some(given) = given else {
            return Ok(());
        };
        let own = self.own_address(given.own)?;
        let records = self.restore_delivery(&own, grant, number, digest).await?;
        let delivery = Delivery {
            grant,
            number,
            records,
        };
        let key = delivery_key(grant, number);
        Ok(self.ports.vault.apply(vec![
            change(table::DELIVERIES, &key, &delivery),
            Self::delivered_object_row(&cid_of(digest), given.own, grant),
        ])?)
    }
}

/// Where each permission to write was given, the last time.
pub(super) fn last_written(events: &[(EventRef, Event)]) -> BTreeMap<GrantId, EventRef> {
    let written = events.iter().filter_map(|(at, event)| match event {
        Event::WriteGranted(write) => {
            let id = GrantId::derive(write.owner, write.author, write.nonce);
            Some((id, *at))
        }
        _ => None,
    });
    written.collect()
}
