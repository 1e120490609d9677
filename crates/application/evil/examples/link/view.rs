//! What an observer of the chain sees of each address: acts with their times and terms, nothing else.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_ledger::{BlockEvents, Calldata, Event};
use medibloc_record::{AccountId, GrantId, RecordId};

/// Everything about one address.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// When it was registered.
    pub registered: Option<u64>,
    /// Its place among all registrations.
    pub place: Option<u64>,
    /// Times at which it let somebody write.
    pub writes: Vec<u64>,
    /// Times at which records of it were anchored, by others.
    pub anchored: Vec<u64>,
    /// Times at which it accepted.
    pub accepted: Vec<u64>,
    /// Times at which it granted or, for a reader, was granted to.
    pub granted: Vec<u64>,
    /// Times at which it delivered keys.
    pub delivered: Vec<u64>,
    /// Times at which it took back.
    pub revoked: Vec<u64>,
    /// Times at which it erased.
    pub erased: Vec<u64>,
    /// Times at which it changed a key or an address, or sealed a capsule anew.
    pub rotated: Vec<u64>,
    /// Times at which its records were read or, for a reader, at which it read.
    pub read: Vec<u64>,
    /// First seconds of its consents to read.
    pub begins: Vec<u64>,
    /// Ends of its consents to read.
    pub ends: Vec<u64>,
    /// How long after its block each of its calls would have held, in seconds.
    pub holds: Vec<u64>,
    /// Who writes for it.
    pub authors: BTreeSet<AccountId>,
    /// For a reader: whose records it may read.
    pub owners: BTreeSet<AccountId>,
}

impl Seen {
    /// Everything that it did itself.
    pub fn acts(&self) -> Vec<u64> {
        let lists = [
            &self.writes,
            &self.accepted,
            &self.granted,
            &self.delivered,
            &self.revoked,
            &self.erased,
            &self.rotated,
        ];
        let mut acts: Vec<u64> = lists.into_iter().flatten().copied().collect();
        acts.sort_unstable();
        acts
    }
}

/// All that is seen.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Addresses that own records or let somebody write.
    pub owners: BTreeMap<AccountId, Seen>,
    /// Addresses that somebody was granted reading under.
    pub readers: BTreeMap<AccountId, Seen>,
    /// Times at which public accounts anchored.
    pub authors: BTreeMap<AccountId, Vec<u64>>,
    /// Times at which public accounts were allowed to write.
    pub allowed: BTreeMap<AccountId, Vec<u64>>,
    /// How long after their blocks the calls of each address would have held, in seconds.
    pub holds: BTreeMap<AccountId, Vec<u64>>,
}

impl View {
    /// Reads a chain.
    pub fn of(blocks: &[BlockEvents], calldata: &[Calldata]) -> Self {
        let mut view = Self::default();
        let times: BTreeMap<u64, u64> = blocks.iter().map(|it| (it.number, it.time.0)).collect();
        for call in calldata {
            let at = times.get(&call.block).copied().unwrap_or_default();
            let signer = AccountId::from_first_address(call.signer);
            let holds = view.holds.entry(signer).or_default();
            holds.push(call.deadline.0.saturating_sub(at));
        }
        let mut registered: BTreeMap<AccountId, (u64, u64)> = BTreeMap::new();
        let mut grants: BTreeMap<GrantId, (AccountId, AccountId)> = BTreeMap::new();
        let mut owner_of: BTreeMap<RecordId, AccountId> = BTreeMap::new();
        let mut rotations: BTreeMap<AccountId, Vec<u64>> = BTreeMap::new();
        for block in blocks {
            let at = block.time.0;
            for event in &block.events {
                match event {
                    Event::Registered { account, .. } => {
                        let place = registered.len() as u64;
                        registered.insert(*account, (at, place));
                    }
                    Event::WriteGranted(write) => {
                        view.allowed.entry(write.author).or_default().push(at);
                        let owner = view.owners.entry(write.owner).or_default();
                        owner.writes.push(at);
                        owner.authors.insert(write.author);
                    }
                    Event::Anchored(anchor) => {
                        view.authors.entry(anchor.author).or_default().push(at);
                        let owner = view.owners.entry(anchor.owner).or_default();
                        owner.anchored.push(at);
                        owner.authors.insert(anchor.author);
                        owner_of.insert(anchor.record_id(), anchor.owner);
                    }
                    Event::Accepted { record } => {
                        if let Some(owner) = owner_of.get(record) {
                            view.owners.entry(*owner).or_default().accepted.push(at);
                        }
                    }
                    Event::Erased { record } => {
                        if let Some(owner) = owner_of.get(record) {
                            view.owners.entry(*owner).or_default().erased.push(at);
                        }
                    }
                    Event::CapsuleReplaced { record, .. } => {
                        if let Some(owner) = owner_of.get(record) {
                            view.owners.entry(*owner).or_default().rotated.push(at);
                        }
                    }
                    Event::SealingKeyRotated { account, .. }
                    | Event::AddressRotated { account, .. } => {
                        rotations.entry(*account).or_default().push(at);
                    }
                    Event::Granted(grant) => {
                        grants.insert(grant.id, (grant.owner, grant.reader));
                        let owner = view.owners.entry(grant.owner).or_default();
                        owner.granted.push(at);
                        owner.begins.push(grant.terms.from.0);
                        owner.ends.push(grant.terms.until.0);
                        let reader = view.readers.entry(grant.reader).or_default();
                        reader.granted.push(at);
                        reader.begins.push(grant.terms.from.0);
                        reader.ends.push(grant.terms.until.0);
                        reader.owners.insert(grant.owner);
                    }
                    Event::Delivered { grant, .. } => {
                        if let Some((owner, reader)) = grants.get(grant) {
                            view.owners.entry(*owner).or_default().delivered.push(at);
                            view.readers.entry(*reader).or_default().delivered.push(at);
                        }
                    }
                    Event::Revoked { grant } => {
                        if let Some((owner, _)) = grants.get(grant) {
                            view.owners.entry(*owner).or_default().revoked.push(at);
                        }
                    }
                    Event::AllRevoked { owner }
                    | Event::ReaderRevoked { owner, .. }
                    | Event::WriteRevoked { owner, .. } => {
                        view.owners.entry(*owner).or_default().revoked.push(at);
                    }
                    Event::ReadOpened { owner, reader, .. } => {
                        view.owners.entry(*owner).or_default().read.push(at);
                        view.readers.entry(*reader).or_default().read.push(at);
                    }
                    _ => {}
                }
            }
        }
        let both = view.owners.iter_mut().chain(view.readers.iter_mut());
        for (account, seen) in both {
            seen.holds = view.holds.get(account).cloned().unwrap_or_default();
            if let Some((at, place)) = registered.get(account) {
                (seen.registered, seen.place) = (Some(*at), Some(*place));
            }
            if let Some(rotations) = rotations.get(account) {
                seen.rotated.extend(rotations);
                seen.rotated.sort_unstable();
            }
        }
        view
    }
}
