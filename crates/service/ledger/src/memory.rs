//! The memory double: the contracts' rules over maps, every call its own final block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use medibloc_consent::{
    AnchorFields, Grant, ReadFacts, Reason, WriteFacts, WriteGrant, is_live, may_read, may_write,
};
use medibloc_keys::recover;
use medibloc_record::{
    AccountId, Address, Digest, GrantId, Nonce, ReceiptId, RecordId, Role, SealingKey, Timestamp,
    keccak256,
};

use crate::{
    AccountFacts, BlockEvents, Call, CommitteeFacts, Event, Events, Facts, GrantFacts, Head,
    LedgerError, Outcome, RecordFacts, Refusal, Relay, SignedCall, Standing, Submit, UnsignedCall,
};

/// A ledger in memory. Finality is at once; time is set by the test.
#[derive(Debug)]
pub struct MemoryLedger {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    committee: CommitteeFacts,
    blocks: Vec<BlockEvents>,
    prepared: BTreeMap<[u8; 32], (Address, Call, Timestamp)>,
    executed: BTreeMap<[u8; 32], Outcome>,
    counter: u64,
    accounts: BTreeMap<AccountId, AccountFacts>,
    accredited: BTreeMap<AccountId, (Timestamp, Timestamp)>,
    suspended: BTreeSet<AccountId>,
    records: BTreeMap<RecordId, (AnchorFields, RecordFacts)>,
    writes: BTreeMap<(AccountId, AccountId), WriteGrant>,
    grants: BTreeMap<GrantId, (Grant, GrantFacts)>,
    capsules: BTreeMap<RecordId, u32>,
}

impl MemoryLedger {
    /// An empty chain with this committee, at this time.
    pub fn new(committee: CommitteeFacts, now: Timestamp) -> Self {
        let state = State {
            now,
            committee,
            blocks: Vec::new(),
            prepared: BTreeMap::new(),
            executed: BTreeMap::new(),
            counter: 0,
            accounts: BTreeMap::new(),
            accredited: BTreeMap::new(),
            suspended: BTreeSet::new(),
            records: BTreeMap::new(),
            writes: BTreeMap::new(),
            grants: BTreeMap::new(),
            capsules: BTreeMap::new(),
        };
        Self {
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the chain's clock; it never goes back.
    pub fn set_time(&self, now: Timestamp) {
        let mut state = self.state();
        state.now = state.now.max(now);
    }

    /// What the authority does: accredits an account for a time.
    pub fn accredit(
        &self,
        account: AccountId,
        from: Timestamp,
        until: Timestamp,
        evidence: Digest,
    ) {
        let mut state = self.state();
        state.accredited.insert(account, (from, until));
        state.mine(Event::Accredited {
            account,
            from,
            until,
            evidence,
        });
    }

    /// What the authority does: suspends an account.
    pub fn suspend(&self, account: AccountId) {
        let mut state = self.state();
        state.suspended.insert(account);
        state.mine(Event::Suspended { account });
    }

    /// The receipt with this id, with the time of its block: what keepers look up.
    pub fn receipt(&self, id: ReceiptId) -> Option<(RecordId, AccountId, GrantId, Timestamp)> {
        let state = self.state();
        state.blocks.iter().find_map(|block| {
            block.events.iter().find_map(|event| match event {
                Event::ReadOpened {
                    receipt,
                    record,
                    reader,
                    grant,
                    ..
                } if *receipt == id => Some((*record, *reader, *grant, block.time)),
                _ => None,
            })
        })
    }

    /// A record's anchor and state: what keepers look up.
    pub fn anchor(&self, id: RecordId) -> Option<(AnchorFields, RecordFacts)> {
        self.state().records.get(&id).copied()
    }

    /// A grant and its state: what keepers look up.
    pub fn grant_by_id(&self, id: GrantId) -> Option<(Grant, GrantFacts)> {
        self.state().grants.get(&id).cloned()
    }

    /// An account's standing: what keepers look up.
    pub fn standing_now(&self, account: AccountId, at: Timestamp) -> Standing {
        self.state().standing(account, at)
    }

    /// Whether a reader holds or held any grant of an owner.
    pub fn has_any_grant(&self, owner: AccountId, reader: AccountId) -> bool {
        self.state()
            .grants
            .values()
            .any(|(grant, _)| grant.owner == owner && grant.reader == reader)
    }
}

impl State {
    fn mine(&mut self, event: Event) -> Outcome {
        let number = self.blocks.len() as u64;
        let parent = self.blocks.last().map_or([0; 32], |block| block.hash);
        let hash = keccak256(&[parent.as_slice(), &number.to_be_bytes()].concat());
        self.blocks.push(BlockEvents {
            number,
            hash,
            parent,
            time: self.now,
            events: vec![event],
        });
        Outcome {
            block: number,
            transaction: hash,
        }
    }

    fn standing(&self, account: AccountId, at: Timestamp) -> Standing {
        Standing {
            accredited: self
                .accredited
                .get(&account)
                .is_some_and(|(from, until)| *from <= at && at < *until),
            suspended: self.suspended.contains(&account),
        }
    }

    fn known(&self, anchor: &AnchorFields) -> Result<RecordFacts, LedgerError> {
        match self.records.get(&anchor.record_id()) {
            Some((fields, facts)) if fields == anchor => Ok(*facts),
            _ => Err(Reason::UnknownRecord.into()),
        }
    }

    fn execute(&mut self, from: Address, call: &Call) -> Result<Event, LedgerError> {
        let caller = AccountId::from_first_address(from);
        if let Call::Register { role, sealing_key } = call {
            return self.register(caller, *role, *sealing_key);
        }
        if !self.accounts.contains_key(&caller) {
            return Err(Refusal::NotRegistered.into());
        }
        match call {
            Call::GrantWrite(write) => {
                owned(caller, write.owner)?;
                self.writes.insert((write.owner, write.author), *write);
                Ok(Event::WriteGranted(*write))
            }
            Call::RevokeWrite { author } => {
                self.writes
                    .remove(&(caller, *author))
                    .ok_or(LedgerError::from(Reason::NoWriteGrant))?;
                Ok(Event::WriteRevoked {
                    owner: caller,
                    author: *author,
                })
            }
            Call::Anchor(anchor) => self.anchor(caller, anchor),
            Call::Accept(anchor) => {
                let facts = self.known(anchor)?;
                owned(caller, anchor.owner)?;
                if facts.accepted {
                    return Err(Refusal::Exists {
                        what: "the acceptance".into(),
                    }
                    .into());
                }
                self.update(anchor, |facts| facts.accepted = true);
                Ok(Event::Accepted {
                    record: anchor.record_id(),
                })
            }
            Call::Erase(anchor) => {
                self.known(anchor)?;
                owned(caller, anchor.owner)?;
                self.update(anchor, |facts| facts.erased = true);
                Ok(Event::Erased {
                    record: anchor.record_id(),
                })
            }
            Call::Retract(anchor) => {
                self.known(anchor)?;
                owned(caller, anchor.author)?;
                self.update(anchor, |facts| facts.retracted = true);
                Ok(Event::Retracted {
                    record: anchor.record_id(),
                })
            }
            Call::Grant { grant, anchor } => self.grant(caller, grant, anchor.as_ref()),
            Call::Revoke(grant) => {
                owned(caller, grant.owner)?;
                let (_, facts) = self
                    .grants
                    .get_mut(&grant.id)
                    .ok_or(LedgerError::from(Reason::UnknownGrant))?;
                facts.revoked = true;
                Ok(Event::Revoked { grant: grant.id })
            }
            Call::RevokeReader { reader } => {
                self.revoke_where(|grant| grant.owner == caller && grant.reader == *reader);
                Ok(Event::ReaderRevoked {
                    owner: caller,
                    reader: *reader,
                })
            }
            Call::RevokeAll => {
                self.revoke_where(|grant| grant.owner == caller);
                self.writes.retain(|(owner, _), _| *owner != caller);
                Ok(Event::AllRevoked { owner: caller })
            }
            Call::OpenRead {
                record,
                purpose_tag,
                nonce,
                anchor,
                grant,
            } => {
                if anchor.record_id() != *record {
                    return Err(Reason::UnknownRecord.into());
                }
                let facts = self.known(anchor)?;
                let (stored, state) = self.grants.get(&grant.id).cloned().unwrap_or_else(|| {
                    (
                        grant.clone(),
                        GrantFacts {
                            granted: false,
                            revoked: false,
                            reads_used: 0,
                        },
                    )
                });
                may_read(&ReadFacts {
                    reader: caller,
                    purpose_tag: *purpose_tag,
                    anchor,
                    accepted: facts.accepted,
                    erased: facts.erased,
                    grant: &stored,
                    granted: state.granted && stored == *grant,
                    revoked: state.revoked,
                    reads_used: state.reads_used,
                    now: self.now,
                })
                .into_result()?;
                if let Some((_, state)) = self.grants.get_mut(&grant.id) {
                    state.reads_used += 1;
                }
                Ok(self.receipt(*record, anchor.owner, caller, grant.id, *nonce))
            }
            Call::Deliver {
                grant,
                number,
                digest,
            } => self.deliver(caller, grant, *number, *digest),
            Call::RotateSealingKey { sealing_key } => self.rotate(caller, *sealing_key),
            Call::ReplaceCapsule { anchor, capsule } => {
                let facts = self.known(anchor)?;
                owned(caller, anchor.owner)?;
                if facts.erased {
                    return Err(Reason::Erased.into());
                }
                let record = anchor.record_id();
                let version = self.capsules.entry(record).or_default();
                *version += 1;
                Ok(Event::CapsuleReplaced {
                    record,
                    version: *version,
                    digest: *capsule,
                })
            }
            other => Err(Refusal::Contract {
                name: format!("the double has no {other:?}"),
            }
            .into()),
        }
    }

    fn receipt(
        &self,
        record: RecordId,
        owner: AccountId,
        reader: AccountId,
        grant: GrantId,
        nonce: Nonce,
    ) -> Event {
        let receipt = ReceiptId::derive(record, reader, grant, nonce);
        Event::ReadOpened {
            receipt,
            record,
            owner,
            reader,
            grant,
            nonce,
        }
    }

    fn register(&mut self, id: AccountId, role: Role, key: [u8; 32]) -> Result<Event, LedgerError> {
        if self.accounts.contains_key(&id) {
            return Err(Refusal::Exists {
                what: format!("the account {id}"),
            }
            .into());
        }
        let sealing_key = SealingKey { version: 1, key };
        self.accounts.insert(
            id,
            AccountFacts {
                id,
                role,
                sealing_key,
                registered_at: self.now,
            },
        );
        Ok(Event::Registered {
            account: id,
            role,
            sealing_key: key,
        })
    }

    fn anchor(&mut self, caller: AccountId, anchor: &AnchorFields) -> Result<Event, LedgerError> {
        owned(caller, anchor.author)?;
        let id = anchor.record_id();
        if self.records.contains_key(&id) {
            return Err(Refusal::Exists {
                what: format!("the record {id}"),
            }
            .into());
        }
        let standing = self.standing(anchor.author, self.now);
        may_write(&WriteFacts {
            author: anchor.author,
            owner: anchor.owner,
            kind: anchor.kind,
            accredited: standing.accredited,
            suspended: standing.suspended,
            write_grant: self.writes.get(&(anchor.owner, anchor.author)),
            now: self.now,
        })
        .into_result()?;
        let facts = RecordFacts {
            anchored_at: self.now,
            accepted: false,
            retracted: false,
            erased: false,
        };
        self.records.insert(id, (*anchor, facts));
        Ok(Event::Anchored(*anchor))
    }

    fn grant(
        &mut self,
        caller: AccountId,
        grant: &Grant,
        anchor: Option<&AnchorFields>,
    ) -> Result<Event, LedgerError> {
        owned(caller, grant.owner)?;
        if self.grants.contains_key(&grant.id) {
            return Err(Refusal::Exists {
                what: format!("the grant {}", grant.id),
            }
            .into());
        }
        if let medibloc_consent::Scope::One(record) = grant.terms.scope {
            let anchor = anchor
                .filter(|anchor| anchor.record_id() == record)
                .ok_or(LedgerError::from(Reason::UnknownRecord))?;
            owned(grant.owner, anchor.owner)?;
            let facts = self.known(anchor)?;
            if !facts.accepted {
                return Err(Reason::NotAccepted.into());
            }
        }
        let facts = GrantFacts {
            granted: true,
            revoked: false,
            reads_used: 0,
        };
        self.grants.insert(grant.id, (grant.clone(), facts));
        Ok(Event::Granted(grant.clone()))
    }

    fn deliver(
        &self,
        caller: AccountId,
        grant: &Grant,
        number: u32,
        digest: Digest,
    ) -> Result<Event, LedgerError> {
        owned(caller, grant.owner)?;
        let known = self.grants.get(&grant.id);
        let (granted, revoked) = known.map_or((false, false), |(stored, facts)| {
            (stored == grant, facts.revoked)
        });
        is_live(grant, granted, revoked, self.now).into_result()?;
        Ok(Event::Delivered {
            grant: grant.id,
            number,
            digest,
        })
    }

    fn rotate(&mut self, caller: AccountId, key: [u8; 32]) -> Result<Event, LedgerError> {
        let account = self
            .accounts
            .get_mut(&caller)
            .ok_or(Refusal::NotRegistered)?;
        let version = account.sealing_key.version + 1;
        account.sealing_key = SealingKey { version, key };
        Ok(Event::SealingKeyRotated {
            account: caller,
            version,
            key,
        })
    }

    fn update(&mut self, anchor: &AnchorFields, change: impl FnOnce(&mut RecordFacts)) {
        if let Some((_, facts)) = self.records.get_mut(&anchor.record_id()) {
            change(facts);
        }
    }

    fn revoke_where(&mut self, ends: impl Fn(&Grant) -> bool) {
        for (grant, facts) in self.grants.values_mut() {
            facts.revoked |= ends(grant);
        }
    }
}

fn owned(caller: AccountId, expected: AccountId) -> Result<(), LedgerError> {
    if caller == expected {
        Ok(())
    } else {
        Err(Reason::NotTheOwner.into())
    }
}

#[async_trait]
impl Submit for MemoryLedger {
    async fn prepare(
        &self,
        from: Address,
        call: &Call,
        deadline: Timestamp,
    ) -> Result<UnsignedCall, LedgerError> {
        let mut state = self.state();
        state.counter += 1;
        let seed = [from.as_bytes().as_slice(), &state.counter.to_be_bytes()].concat();
        let digest = keccak256(&seed);
        state
            .prepared
            .insert(digest, (from, call.clone(), deadline));
        Ok(UnsignedCall {
            bytes: digest.to_vec(),
            digest,
        })
    }
}

#[async_trait]
impl Relay for MemoryLedger {
    async fn relay(&self, signed: &SignedCall) -> Result<Outcome, LedgerError> {
        let bad = |what: &str| LedgerError::BadRequest { what: what.into() };
        let mut state = self.state();
        let digest: [u8; 32] = signed
            .bytes
            .as_slice()
            .try_into()
            .map_err(|_| bad("it has not 32 bytes"))?;
        if let Some(outcome) = state.executed.get(&digest) {
            return Ok(*outcome);
        }
        let (from, call, deadline) = state
            .prepared
            .get(&digest)
            .cloned()
            .ok_or_else(|| bad("it was never prepared"))?;
        if recover(&digest, &signed.signature).map_err(|error| bad(&error.to_string()))? != from {
            return Err(bad("the signature is another's"));
        }
        if deadline < state.now {
            return Err(bad("its deadline has passed"));
        }
        let event = state.execute(from, &call)?;
        let outcome = state.mine(event);
        state.executed.insert(digest, outcome);
        Ok(outcome)
    }
}

#[async_trait]
impl Facts for MemoryLedger {
    async fn head(&self) -> Result<Head, LedgerError> {
        let state = self.state();
        let last = state.blocks.last();
        Ok(Head {
            number: last.map_or(0, |block| block.number),
            hash: last.map_or([0; 32], |block| block.hash),
            time: state.now,
        })
    }

    async fn account_of(&self, address: Address) -> Result<Option<AccountId>, LedgerError> {
        let id = AccountId::from_first_address(address);
        Ok(self.state().accounts.contains_key(&id).then_some(id))
    }

    async fn account(&self, id: AccountId) -> Result<Option<AccountFacts>, LedgerError> {
        Ok(self.state().accounts.get(&id).copied())
    }

    async fn standing(&self, id: AccountId, at: Timestamp) -> Result<Standing, LedgerError> {
        Ok(self.state().standing(id, at))
    }

    async fn record(&self, id: RecordId) -> Result<Option<RecordFacts>, LedgerError> {
        Ok(self.state().records.get(&id).map(|(_, facts)| *facts))
    }

    async fn grant(&self, grant: &Grant) -> Result<GrantFacts, LedgerError> {
        let none = GrantFacts {
            granted: false,
            revoked: false,
            reads_used: 0,
        };
        Ok(self
            .state()
            .grants
            .get(&grant.id)
            .filter(|(stored, _)| stored == grant)
            .map_or(none, |(_, facts)| *facts))
    }

    async fn committee(&self) -> Result<CommitteeFacts, LedgerError> {
        Ok(self.state().committee.clone())
    }
}

#[async_trait]
impl Events for MemoryLedger {
    async fn events(&self, from: u64, limit: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        let state = self.state();
        let start = usize::try_from(from)
            .unwrap_or(usize::MAX)
            .min(state.blocks.len());
        Ok(state.blocks[start..]
            .iter()
            .take(limit as usize)
            .cloned()
            .collect())
    }
}
