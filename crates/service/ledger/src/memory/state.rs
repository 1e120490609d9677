//! What the memory double knows.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::{AnchorFields, Grant, ListRoot, Reason, WriteGrant};
use medibloc_record::{
    AccountId, Address, Committee, Digest, GrantId, Nonce, RecordId, Role, Threshold, Timestamp,
    keccak256,
};

use crate::{
    AccountFacts, BlockEvents, Call, CommitteeFacts, Event, GrantFacts, KeeperFacts, LedgerError,
    Outcome, RecordFacts, Refusal, Standing,
};

#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) committees: Vec<CommitteeFacts>,
    pub(super) blocks: Vec<BlockEvents>,
    pub(super) prepared: BTreeMap<[u8; 32], Prepared>,
    pub(super) executed: BTreeMap<[u8; 32], Outcome>,
    pub(super) nonces: BTreeMap<Address, u64>,
    pub(super) counter: u64,
    pub(super) accounts: BTreeMap<AccountId, AccountFacts>,
    pub(super) services: BTreeMap<Address, Service>,
    pub(super) history: BTreeMap<AccountId, Vec<Past>>,
    pub(super) records: BTreeMap<RecordId, (AnchorFields, RecordFacts)>,
    pub(super) writes: BTreeMap<(AccountId, AccountId), WriteGrant>,
    pub(super) used: BTreeSet<GrantId>,
    pub(super) grants: BTreeMap<GrantId, (Grant, GrantFacts)>,
    pub(super) lists: BTreeSet<(GrantId, ListRoot)>,
    pub(super) opened: BTreeSet<(AccountId, Nonce)>,
    pub(super) capsules: BTreeMap<RecordId, u32>,
}

/// A request that was encoded.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) from: Address,
    pub(super) call: Call,
    pub(super) nonce: u64,
    pub(super) deadline: Timestamp,
}

/// An accreditation from `since` on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    since: Timestamp,
    from: Timestamp,
    until: Timestamp,
    suspended: bool,
}

/// What an address signs or signed for, from the block `first` to the block `last`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    pub(super) account: AccountId,
    pub(super) first: u64,
    pub(super) last: Option<u64>,
}

impl State {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            now,
            committees: Vec::new(),
            blocks: Vec::new(),
            prepared: BTreeMap::new(),
            executed: BTreeMap::new(),
            nonces: BTreeMap::new(),
            counter: 0,
            accounts: BTreeMap::new(),
            services: BTreeMap::new(),
            history: BTreeMap::new(),
            records: BTreeMap::new(),
            writes: BTreeMap::new(),
            used: BTreeSet::new(),
            grants: BTreeMap::new(),
            lists: BTreeSet::new(),
            opened: BTreeSet::new(),
            capsules: BTreeMap::new(),
        }
    }

    pub(super) fn form_committee(
        &mut self,
        threshold: Threshold,
        keepers: Vec<KeeperFacts>,
    ) -> u32 {
        let since = self.blocks.len() as u64;
        let mut id = 1;
        for older in &mut self.committees {
            id = older.committee.id + 1;
            older.until.get_or_insert(since);
            // Whoever is registered at a place now holds it for every committee.
            for keeper in &mut older.keepers {
                let now = keepers.iter().find(|it| it.index == keeper.index);
                *keeper = now.unwrap_or(keeper).clone();
            }
        }
        let committee = Committee { id, threshold };
        self.committees.push(CommitteeFacts {
            committee,
            keepers,
            since,
            until: None,
        });
        self.mine(vec![Event::CommitteeFormed { committee }]);
        id
    }

    pub(super) fn mine(&mut self, events: Vec<Event>) -> Outcome {
        let number = self.blocks.len() as u64;
        let parent = self.blocks.last().map_or([0; 32], |block| block.hash);
        // Of all that is in it, so that another history has other hashes.
        let said = format!("{:?}{events:?}", self.now);
        let hash = keccak256(&[&parent, number.to_be_bytes().as_slice(), said.as_bytes()].concat());
        self.blocks.push(BlockEvents {
            number,
            hash,
            parent,
            time: self.now,
            events,
        });
        Outcome {
            block: number,
            transaction: hash,
        }
    }

    /// The account that an address signs for now.
    pub(super) fn account_of(&self, signer: Address) -> Option<AccountId> {
        let service = self.services.get(&signer)?;
        service.last.is_none().then_some(service.account)
    }

    /// The account that it signed for at any moment of a block.
    pub(super) fn account_at(&self, signer: Address, block: u64) -> Option<AccountId> {
        let service = self.services.get(&signer)?;
        let served = service.first <= block && service.last.is_none_or(|last| block <= last);
        served.then_some(service.account)
    }

    /// Hands an account to another address; the block is the one that is mined next.
    pub(super) fn rotate_address(
        &mut self,
        account: AccountId,
        next: Address,
    ) -> Result<Event, LedgerError> {
        if self.services.contains_key(&next) || next == Address::new([0; 20]) {
            return Err(exists(format!("the account of {next}")));
        }
        let block = self.blocks.len() as u64;
        let facts = self.account(account)?;
        let from = core::mem::replace(&mut facts.signer, next);
        if let Some(service) = self.services.get_mut(&from) {
            service.last = Some(block);
        }
        let service = Service {
            account,
            first: block,
            last: None,
        };
        self.services.insert(next, service);
        Ok(Event::AddressRotated {
            account,
            from,
            to: next,
        })
    }

    /// The newest entry of the account's history that is not after `at`.
    pub(super) fn standing(&self, account: AccountId, at: Timestamp) -> Standing {
        let history = self.history.get(&account).into_iter().flatten();
        let past = history.rev().find(|past| past.since <= at);
        past.map_or_else(Standing::default, |past| Standing {
            accredited: past.from <= at && at < past.until,
            suspended: past.suspended,
        })
    }

    fn remember(&mut self, account: AccountId, change: impl FnOnce(&mut Past)) {
        let history = self.history.entry(account).or_default();
        let mut past = history.last().copied().unwrap_or_default();
        past.since = self.now;
        change(&mut past);
        history.push(past);
    }

    pub(super) fn accredit(
        &mut self,
        account: AccountId,
        from: Timestamp,
        until: Timestamp,
        evidence: Digest,
    ) -> Result<Event, LedgerError> {
        let role = self.account(account)?.role;
        if role == Role::Person {
            return Err(named("WrongRole"));
        }
        if until <= from || until <= self.now {
            return Err(named("EmptyPeriod"));
        }
        self.remember(account, |past| {
            past.from = from;
            past.until = until;
        });
        Ok(Event::Accredited {
            account,
            from,
            until,
            evidence,
        })
    }

    pub(super) fn set_suspended(
        &mut self,
        account: AccountId,
        suspended: bool,
    ) -> Result<Event, LedgerError> {
        self.account(account)?;
        if self.standing(account, self.now).suspended == suspended {
            let name = ["NotSuspended", "AlreadySuspended"][usize::from(suspended)];
            return Err(named(name));
        }
        self.remember(account, |past| past.suspended = suspended);
        Ok(if suspended {
            Event::Suspended { account }
        } else {
            Event::Reinstated { account }
        })
    }

    pub(super) fn account(&mut self, id: AccountId) -> Result<&mut AccountFacts, LedgerError> {
        self.accounts
            .get_mut(&id)
            .ok_or_else(|| Refusal::NotRegistered.into())
    }

    /// A record by its preimage, erased or not.
    pub(super) fn known(&self, anchor: &AnchorFields) -> Result<RecordFacts, LedgerError> {
        match self.records.get(&anchor.record_id()) {
            Some((fields, facts)) if fields == anchor => Ok(*facts),
            _ => Err(Reason::UnknownRecord.into()),
        }
    }

    /// A record by its preimage that is not erased.
    pub(super) fn live(&self, anchor: &AnchorFields) -> Result<RecordFacts, LedgerError> {
        let facts = self.known(anchor)?;
        if facts.erased {
            return Err(Reason::Erased.into());
        }
        Ok(facts)
    }

    pub(super) fn update(&mut self, anchor: &AnchorFields, change: impl FnOnce(&mut RecordFacts)) {
        if let Some((_, facts)) = self.records.get_mut(&anchor.record_id()) {
            change(facts);
        }
    }
}

pub(super) fn named(name: &str) -> LedgerError {
    Refusal::Contract { name: name.into() }.into()
}

pub(super) fn exists(what: String) -> LedgerError {
    Refusal::Exists { what }.into()
}
