//! What readers open consents with, at the own node. It is sealed to them and cannot be made twice, for the chain has its digest: this
//! home keeps the bytes as long as the consent stands, and gives them again to a node that lost them, by an older copy that was put
//! back.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::Scope;
use medibloc_dag::{Block, Cid};
use medibloc_ledger::Call;
use medibloc_record::{AccountId, GrantId, RecordId, Timestamp};
use medibloc_store::StoreError;
use serde::{Deserialize, Serialize};

use crate::errand::errand_key;
use crate::party::{change, table};
use crate::ports::Change;
use crate::wipe::cid_of;
use crate::{GivenGrant, JourneyError, Party, SyncReport, counted_as};

/// Of how many objects one sync asks; the next one goes on after them.
const ASKED_BY_A_SYNC: usize = 200;
/// Objects that are given or fetched in one go: each has at most 1 MiB.
const AT_ONCE: usize = 8;
/// Where the next sync goes on.
const ASKED_LAST: &[u8] = b"given-objects-asked";

/// What the own node has of the consents that stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostConsents {
    /// Of how many consents it was asked.
    pub asked: usize,
    /// Those of which it lacks an object: nobody who has not taken them yet can read with them.
    pub lost: Vec<GrantId>,
    /// Those among them of which this home does not have it either: they can only be given anew.
    pub gone: Vec<GrantId>,
}

/// What became of objects of consents that stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenAgain {
    /// Of how many objects the node was asked.
    pub asked: usize,
    /// How many it lacked and has again.
    pub given: usize,
    /// How many of those this home gave to the same node before.
    pub lost: usize,
    /// Consents of which neither the node nor this home has an object.
    pub gone: Vec<GrantId>,
}

/// An object of a consent that stands, as the node was given it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct GivenObject {
    /// The own address that gave it.
    own: AccountId,
    consent: GrantId,
    /// Its bytes are in the vault.
    is_here: bool,
}

/// The row of an object whose bytes are in the vault.
pub(crate) fn given_object_row(cid: &Cid, own: AccountId, consent: GrantId) -> Change {
    let is_here = true;
    let row = GivenObject {
        own,
        consent,
        is_here,
    };
    change(table::GIVEN_OBJECTS, &cid.to_bytes(), &row)
}

/// The consent that a call gives or adds to.
pub(crate) fn consent_of(call: &Call) -> Option<GrantId> {
    match call {
        Call::Grant { grant, .. } | Call::Deliver { grant, .. } => Some(grant.id),
        Call::GrantWrite(write) => Some(GrantId::derive(write.owner, write.author, write.nonce)),
        _ => None,
    }
}

impl Party {
    /// A key list that a home before this one gave: the next sync fetches its bytes.
    pub(crate) fn delivered_object_row(cid: &Cid, own: AccountId, consent: GrantId) -> Change {
        let is_here = false;
        let row = GivenObject {
            own,
            consent,
            is_here,
        };
        change(table::GIVEN_OBJECTS, &cid.to_bytes(), &row)
    }

    /// Own consents that stand and wait for nothing: who gives each, and until when.
    fn standing_consents(&self) -> Result<BTreeMap<GrantId, (Cid, GivenGrant)>, JourneyError> {
        let now = self.ports.clock.now();
        let mut standing = BTreeMap::new();
        for (id, given) in [self.grants()?, self.write_grants()?].concat() {
            let artefact = &given.artefact;
            let (digest, until) = match (&artefact.grant, &artefact.write) {
                (Some(grant), _) => (grant.terms.digest, grant.terms.until),
                (None, Some(write)) => (write.digest, write.until),
                (None, None) => continue,
            };
            let scope = artefact.grant.as_ref().map(|grant| grant.terms.scope);
            let is_erased = match scope {
                Some(Scope::One(record)) => self.erasure(record)?.is_some(),
                _ => false,
            };
            // What waits to be sent is not there yet.
            let waits = self
                .errand(&errand_key("grant", &[id.as_bytes()]))?
                .is_some();
            if !given.revoked && !waits && !is_erased && until > now {
                standing.insert(id, (cid_of(digest), given));
            }
        }
        Ok(standing)
    }

    /// Objects of consents that stand, those of consents of before this home among them; what is kept for others goes.
    fn given_objects(&self) -> Result<BTreeMap<Cid, GivenObject>, JourneyError> {
        let standing = self.standing_consents()?;
        let (mut objects, mut over, mut rows) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (key, row) in self.keyed_rows::<GivenObject>(table::GIVEN_OBJECTS)? {
            match Cid::from_bytes(&key) {
                Ok(cid) if standing.contains_key(&row.consent) => {
                    objects.insert(cid, row);
                }
                cid => {
                    over.extend(cid);
                    let table = table::GIVEN_OBJECTS;
                    rows.push(Change::Delete { table, key });
                }
            }
        }
        if !rows.is_empty() {
            self.ports.vault.drop_blobs(&over)?;
            self.ports.vault.apply(rows)?;
            self.ports.vault.settle()?;
        }
        for (consent, (cid, given)) in standing {
            objects.entry(cid).or_insert(GivenObject {
                own: given.own,
                consent,
                is_here: false,
            });
        }
        Ok(objects)
    }

    /// What is kept of consents to one record alone, with the rows that say so: it goes with the record.
    pub(crate) fn objects_of_alone(
        &self,
        record: RecordId,
    ) -> Result<(Vec<Cid>, Vec<Change>), JourneyError> {
        let (mut objects, mut rows) = (Vec::new(), Vec::new());
        for (key, row) in self.keyed_rows::<GivenObject>(table::GIVEN_OBJECTS)? {
            let given: Option<GivenGrant> = self.row(table::GRANTS, row.consent.as_bytes())?;
            let grant = given.and_then(|given| given.artefact.grant);
            if grant.is_some_and(|grant| grant.terms.scope == Scope::One(record)) {
                objects.extend(Cid::from_bytes(&key));
                let table = table::GIVEN_OBJECTS;
                rows.push(Change::Delete { table, key });
            }
        }
        Ok((objects, rows))
    }

    /// Asks the own node for the objects of own consents that stand, at most so many consents, those that end last first.
    ///
    /// # Errors
    /// If the vault cannot be read or the node does not answer.
    pub async fn lost_consents(&self, most: usize) -> Result<LostConsents, JourneyError> {
        let until = |given: &GivenGrant| {
            let artefact = &given.artefact;
            let grant = artefact.grant.as_ref().map(|grant| grant.terms.until);
            grant.or(artefact.write.map(|write| write.until))
        };
        let standing = self.standing_consents()?;
        let mut newest: Vec<(Option<Timestamp>, GrantId)> = standing
            .iter()
            .map(|(id, (_, given))| (until(given), *id))
            .collect();
        newest.sort_by(|one, other| other.cmp(one));
        newest.truncate(most);
        let asked: BTreeSet<GrantId> = newest.into_iter().map(|(_, id)| id).collect();
        let mut objects = self.given_objects()?;
        objects.retain(|_, object| asked.contains(&object.consent));
        let (mut lost, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for (own, objects) in by_own(objects) {
            let mut nowhere_here = Vec::new();
            for (cid, object, is_there) in self.at_node(&objects).await? {
                if !is_there {
                    lost.insert(object.consent);
                }
                if !is_there && !object.is_here {
                    nowhere_here.push((cid, object.consent));
                }
            }
            let cids: Vec<Cid> = nowhere_here.iter().map(|(cid, _)| *cid).collect();
            if cids.is_empty() {
                continue;
            }
            let own = self.own_address(own)?;
            let elsewhere = self.store_of(&own).has(&cids).await?;
            let missed = nowhere_here.iter().zip(elsewhere);
            gone.extend(missed.filter(|(_, has)| !has).map(|((_, id), _)| *id));
        }
        Ok(LostConsents {
            asked: asked.len(),
            lost: lost.into_iter().collect(),
            gone: gone.into_iter().collect(),
        })
    }

    /// Gives the own node again what it lacks of own consents that stand, and keeps here what a home before this one gave.
    ///
    /// # Errors
    /// If the vault fails or the node does not answer.
    pub async fn give_consents_again(&self) -> Result<GivenAgain, JourneyError> {
        let mut again = GivenAgain::default();
        for (_, objects) in by_own(self.given_objects()?) {
            self.give_objects(&objects, &mut again).await?;
        }
        Ok(again)
    }

    /// The same for as many as one sync asks of. Says whether the node lacked any.
    pub(crate) async fn sync_objects(&self, report: &mut SyncReport) -> Result<bool, JourneyError> {
        if self.undecided_node()?.is_some() {
            return Ok(false);
        }
        let objects = self.given_objects()?;
        let last: Option<Vec<u8>> = self.row(table::CURSOR, ASKED_LAST)?;
        let is_later = |cid: &Cid| last.as_ref().is_none_or(|last| cid.to_bytes() > *last);
        let is_all = objects.len() <= ASKED_BY_A_SYNC;
        let (later, before): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|(cid, _)| is_later(cid));
        let some: Vec<_> = later
            .into_iter()
            .chain(before)
            .take(ASKED_BY_A_SYNC)
            .collect();
        let Some((next, _)) = some.last().copied() else {
            return Ok(false);
        };
        let mut again = GivenAgain::default();
        for (_, objects) in by_own(some.into_iter().collect()) {
            if self.patience.is_called() {
                return Ok(again.given > 0);
            }
            let done = self.give_objects(&objects, &mut again).await;
            if again.given > 0 && done.is_err() {
                report.done.extend(given_told(&again));
            }
            done?;
        }
        if !is_all {
            self.put(table::CURSOR, ASKED_LAST, &next.to_bytes())?;
        }
        report.done.extend(given_told(&again));
        Ok(again.given > 0 || !again.gone.is_empty())
    }

    /// Which of the objects of one own address its node has.
    async fn at_node(
        &self,
        objects: &[(Cid, GivenObject)],
    ) -> Result<Vec<(Cid, GivenObject, bool)>, JourneyError> {
        let Some((_, first)) = objects.first() else {
            return Ok(Vec::new());
        };
        let own = self.own_address(first.own)?;
        let store = self.ports.network.store(&self.signer(&own));
        let cids: Vec<Cid> = objects.iter().map(|(cid, _)| *cid).collect();
        let there = store.has(&cids).await?;
        let told = objects.iter().zip(there);
        Ok(told
            .map(|((cid, object), there)| (*cid, *object, there))
            .collect())
    }

    async fn give_objects(
        &self,
        objects: &[(Cid, GivenObject)],
        again: &mut GivenAgain,
    ) -> Result<(), JourneyError> {
        let (mut give, mut keep) = (Vec::new(), Vec::new());
        for (cid, object, is_there) in self.at_node(objects).await? {
            again.asked += 1;
            match (is_there, object.is_here) {
                (true, true) => {}
                (false, true) => give.push(cid),
                (_, false) => keep.push((cid, object, is_there)),
            }
        }
        let Some((_, first)) = objects.first() else {
            return Ok(());
        };
        let own = self.own_address(first.own)?;
        let store = self.ports.network.store(&self.signer(&own));
        for cids in give.chunks(AT_ONCE) {
            let blocks: Result<Vec<Block>, _> =
                cids.iter().map(|cid| self.vault_block(cid)).collect();
            store.put(blocks?).await?;
            again.given += cids.len();
            if self.is_node_of_before()? {
                again.lost += cids.len();
            }
        }
        for objects in keep.chunks(AT_ONCE) {
            let cids: Vec<Cid> = objects.iter().map(|(cid, ..)| *cid).collect();
            let anywhere = self.store_of(&own);
            let found = anywhere.get_many(&cids).await?;
            let (mut rows, mut lacked) = (Vec::new(), Vec::new());
            for ((cid, object, is_there), bytes) in objects.iter().zip(found) {
                let Some(bytes) = bytes else {
                    // A node that has it and does not give it, or that is away, is asked again by the next sync.
                    match anywhere.has(&[*cid]).await {
                        Ok(has) if !is_there && has == [false] => again.gone.push(object.consent),
                        Ok(_) | Err(StoreError::Away { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                    continue;
                };
                let what = "object of a consent";
                let block = Block::new(*cid, bytes)
                    .map_err(|source| JourneyError::Malformed { what, source })?;
                self.ports.vault.put_blob(&block)?;
                rows.push(given_object_row(cid, object.own, object.consent));
                if !is_there {
                    lacked.push(block);
                }
            }
            self.ports.vault.apply(rows)?;
            if !lacked.is_empty() {
                let count = lacked.len();
                store.put(lacked).await?;
                again.given += count;
            }
        }
        Ok(())
    }
}

/// Only a node that had it lost it: one that this home did not give it to before may never have had it.
fn given_told(again: &GivenAgain) -> impl Iterator<Item = String> {
    let lost = format!(
        "given to the node again, which had lost it: {}; tell its operator, unless an older copy was put back on purpose",
        counted_as(again.lost, "object of a consent", "objects of consents")
    );
    let new = again.given - again.lost;
    let first = format!(
        "given to the node, which did not have it: {}",
        counted_as(new, "object of a consent", "objects of consents")
    );
    let told = [(again.lost, lost), (new, first)];
    told.into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(_, told)| told)
}

fn by_own(objects: BTreeMap<Cid, GivenObject>) -> BTreeMap<AccountId, Vec<(Cid, GivenObject)>> {
    let mut of: BTreeMap<AccountId, Vec<_>> = BTreeMap::new();
    for (cid, object) in objects {
        of.entry(object.own).or_default().push((cid, object));
    }
    of
}
