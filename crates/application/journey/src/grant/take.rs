//! The reader's side of a grant: taken when its event names an own reader address, extended by deliveries.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::Grant;
use medibloc_ledger::Event;
use medibloc_record::{AccountId, Digest, GrantId, Line, RecordId};

use crate::bounds;
use crate::grant::HeldGrant;
use crate::grant::object::Anchored;
use crate::pairing::{Offered, Promise};
use crate::party::{OwnAddress, table};
use crate::ports::{Change, PortError};
use crate::post::stranger;
use crate::{JourneyError, Party, SyncReport};

/// That a pairing gave more consents than are kept was said.
const FULL: &[u8] = b"consents-full:";

impl Party {
    /// A grant that names an own reader address: fetched, opened and kept (row 11, the reader's side).
    pub(crate) async fn take_grant(
        &self,
        own: &OwnAddress,
        grant: &Grant,
        report: &mut SyncReport,
    ) -> Result<bool, JourneyError> {
        let known: Option<HeldGrant> = self.row(table::SHARED_GRANTS, grant.id.as_bytes())?;
        if known.as_ref().is_some_and(HeldGrant::is_whole) {
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
        if let Some(offered) = &offered
            && known.is_none()
            && self.is_full(offered.owner, report)?
        {
            // Nothing is fetched that is not kept.
            return Ok(false);
        }
        if self.promise(grant)? == Promise::Not {
            self.may_fetch()?;
        }
        let opened = self.open_grant(own, grant).await?;
        if offered.is_some_and(|offered| offered.owner != opened.artefact.paired) {
            return Err(stranger("the grant"));
        }
        let mut changes: Vec<Change> = self.proven(&opened.artefact).await?.into_iter().collect();
        let paired = opened.artefact.paired;
        if known.is_none() {
            if self.is_full(paired, report)? {
                return Ok(false);
            }
            self.known(|known| *known.consents.entry(paired).or_default() += 1);
        }
        self.ports.vault.put_blob(&opened.block)?;
        changes.extend(self.held_note(own.id(), grant.owner, &opened.artefact)?);
        changes.extend(self.promise_kept(grant)?);
        let anchored = opened.anchored;
        let (pages, kept) = known.map_or((0, 0), |known| (known.pages, known.kept));
        let mut held = HeldGrant {
            own: own.id(),
            owner: grant.owner,
            artefact: opened.artefact,
            keys: Vec::new(),
            pages,
            kept,
            has_more: anchored.has_more,
            ended: None,
            is_checked: true,
            gave_way: anchored.gave_way,
        };
        changes.extend(self.with_keys(&mut held, anchored.keys)?);
        self.ports.vault.apply(changes)?;
        if held.gave_way {
            // It is held from here on: an end of it is one of its owner's.
            self.known(|known| known.givers.insert(grant.owner));
            return Err(later());
        }
        if held.has_more {
            self.tell_more(&held, report)?;
        }
        Ok(true)
    }

    /// A key list for a grant that is held; adds what is new. Gives how many keys that was.
    pub(crate) async fn take_delivery(
        &self,
        id: GrantId,
        (number, digest): (u32, Digest),
        report: &mut SyncReport,
    ) -> Result<usize, JourneyError> {
        let Some(mut held) = self.row::<HeldGrant>(table::SHARED_GRANTS, id.as_bytes())? else {
            return Ok(0);
        };
        let Some(grant) = held.artefact.grant.clone().filter(|_| held.ended.is_none()) else {
            return Ok(0);
        };
        let room = self.room_for(held.owner)?;
        // Nothing is fetched that nothing could be kept of.
        let anchored = match room {
            0 => Anchored {
                has_more: true,
                ..Anchored::default()
            },
            _ => {
                let own = self.own_address(held.own)?;
                let keys = self.delivered_keys(&own, &grant, (number, digest)).await?;
                self.ports.vault.apply(self.newer_proofs(id, &keys)?)?;
                self.anchored_keys(id, keys, room).await?
            }
        };
        let (new, is_told) = (anchored.keys.len(), held.has_more);
        held.has_more |= anchored.has_more;
        if new > 0 || held.has_more != is_told {
            let rows = self.with_keys(&mut held, anchored.keys)?;
            self.ports.vault.apply(rows)?;
        }
        if anchored.gave_way {
            report.keys += new;
            return Err(later());
        }
        if held.has_more && !is_told {
            self.tell_more(&held, report)?;
        }
        Ok(new)
    }

    /// Whether a pairing has as many consents here as stand at a time; said once.
    fn is_full(&self, paired: AccountId, report: &mut SyncReport) -> Result<bool, JourneyError> {
        let standing = self.known(|known| known.consents.get(&paired).copied());
        if standing.unwrap_or_default() < bounds::MOST_CONSENTS {
            return Ok(false);
        }
        let said = [FULL, paired.as_bytes()].concat();
        if self.row::<bool>(table::CURSOR, &said)?.is_none() {
            report.told.push(format!(
                "owner {} gave more than {} consents that stand, which is what a home keeps of one pairing: those beyond are not \
                 taken; ask the owner for one consent to a class or to all records",
                self.called_by(paired)?,
                bounds::MOST_CONSENTS
            ));
            self.put(table::CURSOR, &said, &true)?;
        }
        Ok(true)
    }

    /// An owner as this home calls it.
    fn called_by(&self, paired: AccountId) -> Result<String, JourneyError> {
        let label = self.label(paired)?;
        Ok(label.map_or_else(
            || paired.to_string(),
            |label| format!("\u{ab}{}\u{bb}", Line::of(&label)),
        ))
    }

    /// An owner's keys have no more room here: said once for each of its consents.
    fn tell_more(&self, held: &HeldGrant, report: &mut SyncReport) -> Result<(), JourneyError> {
        let owner = self.called_by(held.artefact.paired)?;
        report.told.push(format!(
            "owner {owner} gave keys of more than {} records, which is what a home keeps of one owner: those beyond are not listed \
             here; `medibloc read` with the whole id of such a record fetches its key",
            bounds::MOST_HELD
        ));
        Ok(())
    }

    /// Looks for the key of a record that is not kept here because its owner gave more than a home keeps of one. True if it was
    /// found: it is kept from then on, because somebody here asked for it.
    pub(crate) async fn fetch_key(&self, record: RecordId) -> Result<bool, JourneyError> {
        let mut full = self.held()?;
        full.retain(|held| held.has_more && held.ended.is_none());
        if full.is_empty() {
            return Ok(false);
        }
        // Nobody's lists are searched for the record of somebody else.
        let Some(anchor) = self.anchor_on_chain(record).await? else {
            return Ok(false);
        };
        full.retain(|held| held.owner == anchor.owner);
        if full.is_empty() {
            return Ok(false);
        }
        let from = self.anchored_from(&BTreeSet::from([record])).await?;
        let (events, _) = self.events_from(from).await?;
        let mut failed = None;
        for mut held in full {
            let Some(grant) = held.artefact.grant.clone() else {
                continue;
            };
            let own = self.own_address(held.own)?;
            let lists = events.iter().filter_map(|(_, event)| match event {
                Event::Delivered {
                    grant: id,
                    number,
                    digest,
                } if *id == grant.id => Some(Some((*number, *digest))),
                _ => None,
            });
            for list in core::iter::once(None).chain(lists) {
                let keys = match list {
                    None => self
                        .granted_keys(&own, &grant)
                        .await
                        .map(|(_, keys, _)| keys),
                    Some(list) => self.delivered_keys(&own, &grant, list).await,
                };
                let keys = match keys {
                    Ok(keys) => keys,
                    Err(error) => {
                        failed = Some(error);
                        continue;
                    }
                };
                let Some(key) = keys.into_iter().find(|key| key.anchor == anchor) else {
                    continue;
                };
                let rows = self.with_keys(&mut held, vec![key])?;
                self.ports.vault.apply(rows)?;
                return Ok(true);
            }
        }
        // It may have been in what nobody gave.
        failed.map_or(Ok(false), Err)
    }

    /// Holds against the chain, once, what older versions took of owners' words: keys whose anchors it does not have, and names
    /// of records that are another owner's, are dropped. Keys that are in the row of their grant get rows of their own.
    pub(crate) async fn check_held(&self) -> Result<(), JourneyError> {
        let mut older = self.held()?;
        older.retain(|held| !held.is_checked || !held.keys.is_empty());
        let mut bare = BTreeSet::new();
        let mut all = Vec::new();
        for mut held in older {
            let mut keys = core::mem::take(&mut held.keys);
            if !held.is_checked {
                let mut anchored = Vec::new();
                for key in keys {
                    if self.ports.facts.is_anchored(&key.anchor).await? {
                        anchored.push(key);
                    }
                }
                keys = anchored;
                bare.extend(held.artefact.records.iter().copied());
            }
            all.push((held, keys));
        }
        let owners = self.owners_of(&bare).await?;
        for (mut held, keys) in all {
            let owner = held.owner;
            if !held.is_checked {
                let records = &mut held.artefact.records;
                records.retain(|record| owners.get(record) == Some(&owner));
                held.is_checked = true;
            }
            let rows = self.with_keys(&mut held, keys)?;
            self.ports.vault.apply(rows)?;
        }
        Ok(())
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

impl HeldGrant {
    /// Whether nothing of its object is left to take.
    const fn is_whole(&self) -> bool {
        !self.gave_way || self.ended.is_some()
    }
}

/// The rest of a list is looked at by the next sync.
fn later() -> JourneyError {
    let why = "a command that takes something back did not wait for it".into();
    let peer = "the chain".into();
    JourneyError::Port(PortError::Unreachable { peer, why })
}

#[cfg(test)]
#[allow(clippy::print_stdout, reason = "an attack tells its figure")]
mod tests {
    use medibloc_consent::{AnchorFields, Purpose};
    use medibloc_record::Nonce;

    use super::*;
    use crate::grant::SharedKey;
    use crate::party::change;
    use crate::post::tests::story;

    #[tokio::test]
    async fn what_older_versions_took_is_held_against_the_chain() {
        let clinic = story().await.clinic;
        let right = clinic.held().unwrap().remove(0);
        let mut older = right.clone();
        older.is_checked = false;
        older.keys = clinic.keys_of(&right).unwrap();
        let (_, gone) = clinic.without_keys(&mut right.clone()).unwrap();
        clinic.ports.vault.apply(gone).unwrap();
        (older.pages, older.kept) = (0, 0);
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

    #[tokio::test]
    async fn one_owner_gives_so_many_consents_and_others_are_taken_in_the_same_sync() {
        let story = story().await;
        let clinic = &story.clinic;
        let held = clinic.held().unwrap().remove(0);
        let mut rows = Vec::new();
        for number in 1..u32::try_from(bounds::MOST_CONSENTS).unwrap() {
            let mut other = held.clone();
            let mut grant = other.artefact.grant.clone().unwrap();
            let nonce = Nonce::new(medibloc_record::keccak256(&number.to_be_bytes()));
            grant.id = GrantId::derive(grant.owner, grant.reader, nonce);
            (other.pages, other.kept) = (0, 0);
            let id = grant.id;
            other.artefact.grant = Some(grant);
            rows.push(change(table::SHARED_GRANTS, id.as_bytes(), &other));
        }
        clinic.ports.vault.apply(rows).unwrap();
        let until = held.artefact.grant.as_ref().unwrap().terms.until;
        let record = clinic.records_of(&held).unwrap()[0];
        let give = async |reason: &str| {
            let ask = clinic.ask(held.artefact.paired, Purpose::Treatment, reason, until);
            ask.await.unwrap();
            story.patient.sync().await.unwrap();
            let mut requests = story.patient.requests().unwrap();
            requests.retain(|it| it.request.reason == reason);
            let request = requests.remove(0);
            let given = story.patient.approve(&request, record, until);
            given.await.unwrap()
        };
        give("one too many").await;
        let last = give("and one more").await;
        let second = story.another().await;
        let report = clinic.sync().await.unwrap();
        assert_eq!((report.grants, report.missed.len()), (1, 0), "{report:?}");
        let told = report
            .told
            .iter()
            .filter(|told| told.contains("consents that stand"));
        assert_eq!(told.count(), 1, "{:?}", report.told);
        clinic.read(second).await.unwrap();
        println!(
            "ATTACK eighth-6: {} of 1002 consents of one owner kept, another owner's taken in the same sync",
            clinic.held().unwrap().len() - 1
        );
        assert_eq!(clinic.held().unwrap().len(), bounds::MOST_CONSENTS + 1);
        // When one of its consents has ended there is room again.
        story.patient.revoke(held.id().unwrap()).await.unwrap();
        story.patient.revoke(last).await.unwrap();
        clinic.sync().await.unwrap();
        give("there is room").await;
        assert_eq!(clinic.sync().await.unwrap().grants, 1);
    }
}
