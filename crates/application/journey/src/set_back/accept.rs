//! To go on with the chain as it stands, after this home took or saw blocks that are not on it.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::{AnchorFields, Grant, WriteGrant};
use medibloc_ledger::{Event, EventRef, LedgerError, Mark};
use medibloc_record::{AccountId, GrantId, RecordId};

use super::known::forget_taken;
use super::{LAST, SEEN};
use crate::accept::{KeptRecord, Standing};
use crate::acts::{Act, OwnAct, UnknownAct};
use crate::erase::Erasure;
use crate::errand::errand_key;
use crate::grant::GivenGrant;
use crate::grant::deliver::Delivery;
use crate::looks::Look;
use crate::missed::Missed;
use crate::party::{ACCOUNT_KEY, ACCOUNT_SIGNER, OwnAddress, change, table};
use crate::ports::Change;
use crate::sync::{Cursor, PAGE};
use crate::write::WriteJob;
use crate::{ConsentTimes, JourneyError, Party};

/// What is told of a record that the chain does not have.
pub(crate) const NOT_ON_CHAIN: &str = "this chain does not have it: nobody else can be given it. What is kept of it here can be read and exported; import it again \
     to have it on the chain";

/// What became of a home that goes on with the chain as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The newest block that the chain and this home have both; what came after it is read from this chain.
    pub shared: Mark,
    /// The newest block that this home had, and the chain does not have.
    pub left: Mark,
    /// What this home did or holds and this chain does not have, for people, with what to do.
    pub lacking: Vec<String>,
}

impl Party {
    /// Goes on with the chain as it stands, from the newest block that both have. Nothing of the home is lost; what it did and
    /// this chain does not have is told. The next sync reads this chain.
    ///
    /// # Errors
    /// If the chain has all that this home read (there is nothing to accept), or nothing of it (it is another chain), does not
    /// answer, or the vault fails.
    pub async fn accept_chain(&self) -> Result<Accepted, JourneyError> {
        match self.check_chain().await {
            Err(JourneyError::Ledger(LedgerError::SetBack { .. })) => {}
            Err(error) => return Err(error),
            Ok(()) => {
                return Err(JourneyError::Unknown {
                    what: "another chain than the one that answers".into(),
                    hint: "there is nothing to accept: the chain has every block that this home read",
                });
            }
        }
        let mut seen = self.blocks_seen()?;
        let left = seen.newest();
        let shared = seen.shared(&*self.ports.events).await?;
        let (Some(left), Some(shared)) = (left, shared) else {
            return Err(JourneyError::Unknown {
                what: "the chain that answers".into(),
                hint: "it has no block that this home read, so it is another chain: compare deployment.json and its rpc_urls with \
                       your node's operator; nothing was changed",
            });
        };
        seen.cut(shared.number);
        let mut changes = vec![
            change(table::CURSOR, LAST, &shared),
            change(table::CURSOR, SEEN, &seen),
        ];
        changes.extend(forget_taken());
        let start: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        let next = start.next.min(shared.number + 1);
        let mut lacking = Vec::new();
        let mut again = self.lacking_erasures(&mut changes, &mut lacking).await?;
        self.lacking_records(&mut changes, &mut again, &mut lacking)
            .await?;
        let (stand, lost) = self.lacking_consents(&mut changes, &mut lacking).await?;
        self.lacking_deliveries(&mut changes).await?;
        self.lacking_keys(&mut changes, &mut lacking).await?;
        self.forget_after(shared.number, &mut changes)?;
        changes.extend(self.told_reads(next..start.next)?);
        changes.extend(again);
        changes.push(change(table::CURSOR, b"chain", &Cursor { next }));
        self.ports.vault.apply(changes)?;
        // Who said «everything» while the right chain was away meant these, too.
        self.order_again(&stand).await?;
        for grant in lost {
            if let Err(error) = self.use_up(&grant).await {
                lacking.push(format!(
                    "that consent {} cannot be sent to this chain by whoever has what was signed for it: {error}; `medibloc sync` goes \
                     on, and ends it if it comes",
                    grant.id
                ));
            }
        }
        Ok(Accepted {
            shared,
            left,
            lacking,
        })
    }

    /// Where something stood on the chain that was left is known no more: the events of this one say it anew.
    fn forget_after(&self, shared: u64, changes: &mut Vec<Change>) -> Result<(), JourneyError> {
        let gone = |table, key| Change::Delete { table, key };
        for (key, look) in self.keyed_rows::<Look>(table::LOOKS)? {
            if look.at.block > shared {
                changes.push(gone(table::LOOKS, key));
            }
        }
        for (key, missed) in self.keyed_rows::<Missed>(table::MISSED)? {
            if missed.at.block > shared {
                changes.push(gone(table::MISSED, key));
            }
        }
        for (key, act) in self.keyed_rows::<UnknownAct>(table::UNKNOWN_ACTS)? {
            if act.at.block > shared {
                changes.push(gone(table::UNKNOWN_ACTS, key));
            }
        }
        for (key, block) in self.keyed_rows::<u64>(table::ANCHORED)? {
            if block > shared {
                changes.push(gone(table::ANCHORED, key));
            }
        }
        changes.extend(self.said_after(shared)?);
        for mut errand in self.errands()? {
            if errand.begins_by(shared) {
                changes.push(errand.row());
            }
        }
        // When the person said something stays true; where the chain took it is said anew.
        for (key, mut times) in self.keyed_rows::<ConsentTimes>(table::CONSENT_TIMES)? {
            if times.forget_after(shared) {
                changes.push(change(table::CONSENT_TIMES, &key, &times));
            }
        }
        for (key, mut own) in self.keyed_rows::<OwnAct>(table::OWN_ACTS)? {
            if own.forget_after(shared) {
                changes.push(change(table::OWN_ACTS, &key, &own));
            }
        }
        Ok(())
    }

    /// Erasures that the chain does not have: the record is as before for everybody else. Own ones are this home's to make again;
    /// gives the rows by which the next sync finds their records.
    async fn lacking_erasures(
        &self,
        changes: &mut Vec<Change>,
        lacking: &mut Vec<String>,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut again = BTreeSet::new();
        for (key, erasure) in self.keyed_rows::<Erasure>(table::ERASED)? {
            let record = erasure.record;
            let facts = self.ports.facts.record(record).await?;
            if facts.is_none_or(|facts| facts.erased) {
                continue;
            }
            if self.own(erasure.owner)?.is_some() {
                lacking.push(format!(
                    "the erasure of record {record}: for all others the record stands; sync, then `medibloc record erase {record}` again"
                ));
                again.insert(record);
            } else {
                lacking.push(format!(
                    "the erasure of record {record} by its owner {}: tell the owner; what was purged here is read anew only with a \
                     new receipt",
                    erasure.owner
                ));
            }
            for table in [table::ERASED, table::ERASING, table::RECORDS] {
                changes.push(Change::Delete {
                    table,
                    key: key.clone(),
                });
            }
        }
        self.looks_of(&again).await
    }

    /// Rows by which the next sync looks at records as at new ones: where their anchors stand, by the chain as it is.
    async fn looks_of(&self, records: &BTreeSet<RecordId>) -> Result<Vec<Change>, JourneyError> {
        let mut looks: BTreeMap<RecordId, Look> = BTreeMap::new();
        let mut next = 0;
        while !records.is_empty() {
            let blocks = self.ports.events.events(next, PAGE).await?;
            let Some(last) = blocks.last() else {
                break;
            };
            next = last.number + 1;
            for block in &blocks {
                for (index, event) in (0u32..).zip(&block.events) {
                    match event {
                        Event::Anchored(anchor) if records.contains(&anchor.record_id()) => {
                            let at = EventRef {
                                block: block.number,
                                index,
                            };
                            let look = Look::new(*anchor, at, anchor.capsule);
                            looks.insert(anchor.record_id(), look);
                        }
                        Event::CapsuleReplaced { record, digest, .. } => {
                            if let Some(look) = looks.get_mut(record) {
                                look.capsule = *digest;
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(looks
            .iter()
            .map(|(record, look)| look.row_of(*record))
            .collect())
    }

    /// Keys that the chain does not know as this home does: the ones before count on it.
    async fn lacking_keys(
        &self,
        changes: &mut Vec<Change>,
        lacking: &mut Vec<String>,
    ) -> Result<(), JourneyError> {
        for own in [vec![self.account()], self.addresses()?].concat() {
            let id = own.id();
            let Some(facts) = self.ports.facts.account(id).await? else {
                let invited = self
                    .ports
                    .vault
                    .get(table::INVITATIONS, own.address.as_bytes())?;
                if own.index.is_some() && invited.is_some() {
                    lacking.push(format!(
                        "the registration of address {id}: an invitation that was made with it is of no use; make another"
                    ));
                }
                continue;
            };
            let mut now = own.clone();
            let signs = async |own: &OwnAddress| -> Result<bool, JourneyError> {
                let signer = self.signing_address(own);
                Ok(self.ports.facts.account_of(signer).await? == Some(id))
            };
            while now.signing_version > 1 && !signs(&now).await? {
                now.signing_version -= 1;
            }
            if now.signing_version < own.signing_version {
                lacking.push(format!(
                    "that {id} was handed on to its next key: the key before signs; if it was stolen, `medibloc account rotate {id} \
                     --signing` again at once"
                ));
            }
            if facts.sealing_key.version < own.key_version {
                now.key_version = facts.sealing_key.version;
                lacking.push(format!(
                    "the next sealing key of {id}: `medibloc account rotate {id}` again"
                ));
            }
            if now == own {
                continue;
            }
            if own.index.is_some() {
                changes.push(change(table::ADDRESSES, own.address.as_bytes(), &now));
            } else {
                changes.push(change(table::CURSOR, ACCOUNT_SIGNER, &now.signing_version));
                changes.push(change(table::CURSOR, ACCOUNT_KEY, &now.key_version));
            }
        }
        Ok(())
    }

    async fn lacking_records(
        &self,
        changes: &mut Vec<Change>,
        again: &mut Vec<Change>,
        lacking: &mut Vec<String>,
    ) -> Result<(), JourneyError> {
        let lacks = async |record: RecordId| -> Result<bool, JourneyError> {
            Ok(self.ports.facts.record(record).await?.is_none())
        };
        for (key, mut kept) in self.keyed_rows::<KeptRecord>(table::RECORDS)? {
            let record = kept.record();
            if !matches!(kept.standing, Standing::Accepted | Standing::Checked) {
                continue;
            }
            match self.ports.facts.record(record).await? {
                None => {
                    lacking.push(format!("record {record}: {NOT_ON_CHAIN}"));
                    kept.warning = Some(NOT_ON_CHAIN.into());
                    changes.push(change(table::RECORDS, &key, &kept));
                }
                Some(facts) if kept.is_accepted() && !facts.accepted => {
                    // The next sync looks at it as at a new one, and accepts it again.
                    lacking.push(format!(
                        "the acceptance of record {record}: it is looked at again by the next sync"
                    ));
                    let at = EventRef {
                        block: kept.block,
                        index: 0,
                    };
                    let look = Look::new(kept.anchor, at, kept.capsule);
                    kept.standing = Standing::Checked;
                    changes.push(change(table::RECORDS, &key, &kept));
                    again.push(look.row_of(record));
                }
                Some(_) => {}
            }
        }
        for (key, anchor) in self.keyed_rows::<AnchorFields>(table::WRITTEN_ELSEWHERE)? {
            // The home that wrote it says so; here it is known from the chain alone.
            if lacks(anchor.record_id()).await? {
                changes.push(Change::Delete {
                    table: table::WRITTEN_ELSEWHERE,
                    key,
                });
            }
        }
        for mut job in self.rows::<WriteJob>(table::WRITTEN)? {
            let record = job.anchor.record_id();
            if job.author != job.anchor.owner && lacks(record).await? {
                job.left = true;
                changes.push(change(table::WRITTEN, record.as_bytes(), &job));
                lacking.push(format!(
                    "record {record}, which this home wrote for {}: write it again",
                    job.anchor.owner
                ));
                continue;
            }
            let took_back = Act::TookBack { record }.key(job.author);
            let did: Option<OwnAct> = self.row(table::OWN_ACTS, &took_back)?;
            if did.is_some_and(|did| did.was_seen())
                && !self
                    .ports
                    .facts
                    .record(record)
                    .await?
                    .is_some_and(|facts| facts.retracted)
            {
                lacking.push(format!(
                    "that record {record} was taken back by you: `medibloc record retract {record}` again"
                ));
            }
        }
        Ok(())
    }

    /// Consents that the chain does not have as this home says; gives the own addresses of those that stand and were taken back here,
    /// and consents to read that somebody may still send to this chain.
    async fn lacking_consents(
        &self,
        changes: &mut Vec<Change>,
        lacking: &mut Vec<String>,
    ) -> Result<(BTreeSet<AccountId>, Vec<Grant>), JourneyError> {
        let (mut again, mut lost) = (BTreeSet::new(), Vec::new());
        let now = self.chain_now().await?.min(self.ports.clock.now());
        let called = self.names()?;
        for (key, mut given) in self.keyed_rows::<GivenGrant>(table::GRANTS)? {
            let Some(grant) = given.artefact.grant.clone() else {
                continue;
            };
            let (id, name) = (grant.id, called.given(&given));
            let facts = self.ports.facts.grant(&grant).await?;
            if facts.granted && !facts.revoked && given.is_only_lost() {
                lacking.push(format!(
                    "that consent {id} of {name} was not on the chain: it stands on this one, and {name} may read"
                ));
                (given.revoked, given.lost) = (false, false);
                changes.push(change(table::GRANTS, &key, &given));
            } else if facts.granted && !facts.revoked && given.revoked {
                lacking.push(format!(
                    "the revocation of consent {id} of {name}: it stands on this chain and {name} may read; sync, then \
                     `medibloc grant revoke {id}` again"
                ));
                (given.revoked, given.lost) = (false, false);
                given.revoked_at = None;
                again.insert(given.own);
                changes.push(change(table::GRANTS, &key, &given));
            } else if !facts.granted && !self.is_on_its_way(id)? {
                if !given.revoked {
                    lacking.push(format!(
                        "consent {id} of {name}: {name} cannot read by it; give it again if it is wanted"
                    ));
                }
                self.mark_lost(&mut given);
                changes.push(change(table::GRANTS, &key, &given));
                if self.may_be_sent(&grant, now)? {
                    lost.push(grant);
                }
            }
        }
        let (granted, stand) = self.write_grants_on_chain().await?;
        let now = self.chain_now().await?;
        for (key, mut given) in self.keyed_rows::<GivenGrant>(table::WRITE_GRANTS)? {
            let Some(write) = given.artefact.write else {
                continue;
            };
            let id = GrantId::derive(write.owner, write.author, write.nonce);
            let name = called.given(&given);
            if given.is_only_lost() && stand.contains(&id) {
                lacking.push(format!(
                    "that the permission {id} of {name} to write was not on the chain: it stands on this one"
                ));
                (given.revoked, given.lost) = (false, false);
                changes.push(change(table::WRITE_GRANTS, &key, &given));
            } else if given.revoked && stand.contains(&id) {
                lacking.push(format!(
                    "that {name} may not write any more: the permission {id} stands on this chain; sync, then \
                     `medibloc grant revoke {id}` again"
                ));
                (given.revoked, given.lost) = (false, false);
                given.revoked_at = None;
                again.insert(given.own);
                changes.push(change(table::WRITE_GRANTS, &key, &given));
            } else if write.until > now && !granted.contains(&id) && !self.is_on_its_way(id)? {
                if !given.revoked {
                    lacking.push(format!(
                        "the permission {id} of {name} to write: give it again if it is wanted"
                    ));
                }
                self.mark_lost(&mut given);
                changes.push(change(table::WRITE_GRANTS, &key, &given));
            }
        }
        Ok((again, lost))
    }

    /// Forgets key lists that the chain does not have: the next sync gives their records by others. Under a consent to lists nobody
    /// reads by one of the chain that was left, whoever has its keys.
    async fn lacking_deliveries(&self, changes: &mut Vec<Change>) -> Result<(), JourneyError> {
        let mut lacks = BTreeMap::new();
        for (key, list) in self.keyed_rows::<Delivery>(table::DELIVERIES)? {
            if self.errand(&errand_key("deliver", &[&key]))?.is_none() {
                lacks.insert((list.grant, list.number), key);
            }
        }
        let mut next = 0;
        while !lacks.is_empty() {
            let blocks = self.ports.events.events(next, PAGE).await?;
            let Some(last) = blocks.last() else {
                break;
            };
            next = last.number + 1;
            for event in blocks.iter().flat_map(|block| &block.events) {
                if let Event::Delivered { grant, number, .. } = event {
                    lacks.remove(&(*grant, *number));
                }
            }
        }
        let table = table::DELIVERIES;
        changes.extend(lacks.into_values().map(|key| Change::Delete { table, key }));
        Ok(())
    }

    /// Permissions to write that the chain as it stands has, and those of them that were not taken back on it.
    async fn write_grants_on_chain(
        &self,
    ) -> Result<(BTreeSet<GrantId>, BTreeSet<GrantId>), JourneyError> {
        let mut granted = BTreeSet::new();
        let mut stand: BTreeMap<GrantId, WriteGrant> = BTreeMap::new();
        let mut next = 0;
        loop {
            let blocks = self.ports.events.events(next, PAGE).await?;
            let Some(last) = blocks.last() else {
                return Ok((granted, stand.into_keys().collect()));
            };
            next = last.number + 1;
            for event in blocks.iter().flat_map(|block| &block.events) {
                match event {
                    Event::WriteGranted(write) => {
                        let id = GrantId::derive(write.owner, write.author, write.nonce);
                        granted.insert(id);
                        stand.insert(id, *write);
                    }
                    Event::WriteRevoked { owner, author } => {
                        stand.retain(|_, write| write.owner != *owner || write.author != *author);
                    }
                    Event::AllRevoked { owner } => {
                        stand.retain(|_, write| write.owner != *owner);
                    }
                    _ => {}
                }
            }
        }
    }
}
