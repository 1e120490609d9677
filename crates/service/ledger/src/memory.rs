//! The memory double: the contracts' rules over maps, every call its own final block.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use medibloc_consent::{AnchorFields, Grant};
use medibloc_keys::recover;
use medibloc_record::{
    AccountId, Address, Committee, Digest, GrantId, ReceiptId, RecordId, Threshold, Timestamp,
    keccak256,
};

use crate::{
    AccountFacts, BlockEvents, Call, CommitteeFacts, Event, Events, Facts, GrantFacts, Head,
    KeeperFacts, LedgerError, Outcome, RecordFacts, Relay, SignedCall, Standing, Submit,
    UnsignedCall,
};

mod rules;
mod state;

use state::{Prepared, State};

/// A ledger in memory. Finality is at once; time is set by the test.
#[derive(Debug)]
pub struct MemoryLedger {
    state: Mutex<State>,
}

/// What stands on the chain of one call, beside its events.
#[derive(Clone, Debug)]
pub struct Calldata {
    /// Who signed it.
    pub signer: Address,
    /// What.
    pub call: Call,
    /// Until when it would have held.
    pub deadline: Timestamp,
    /// The block that it is in.
    pub block: u64,
}

impl MemoryLedger {
    /// A chain at this time with this committee, the first, and nothing else.
    pub fn new(threshold: Threshold, keepers: Vec<KeeperFacts>, now: Timestamp) -> Self {
        let mut state = State::new(now);
        state.form_committee(threshold, keepers);
        Self {
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy as it is now.
    pub fn copy(&self) -> Self {
        Self {
            state: Mutex::new(self.state().clone()),
        }
    }

    /// What an operator does who puts a copy in the chain's place, an older one or a newer.
    pub fn replace_by(&self, copy: &Self) {
        let state = copy.state().clone();
        *self.state() = state;
    }

    /// Sets the chain's clock; it never goes back.
    pub fn set_time(&self, now: Timestamp) {
        let mut state = self.state();
        state.now = state.now.max(now);
    }

    /// What the registrar does: puts another committee in force; its keepers take the places of those before. Gives
    /// its id.
    pub fn form_committee(&self, threshold: Threshold, keepers: Vec<KeeperFacts>) -> u32 {
        self.state().form_committee(threshold, keepers)
    }

    /// What the authority does: accredits an account for a time. A test that does it wrong is told so.
    ///
    /// # Panics
    /// If the contracts would refuse; [`MemoryLedger::try_accredit`] gives their reason.
    pub fn accredit(
        &self,
        account: AccountId,
        from: Timestamp,
        until: Timestamp,
        evidence: Digest,
    ) {
        if let Err(error) = self.try_accredit(account, from, until, evidence) {
            panic!("the authority cannot accredit {account}: {error}");
        }
    }

    /// As [`MemoryLedger::accredit`].
    ///
    /// # Errors
    /// If the contracts would refuse.
    pub fn try_accredit(
        &self,
        account: AccountId,
        from: Timestamp,
        until: Timestamp,
        evidence: Digest,
    ) -> Result<Outcome, LedgerError> {
        let mut state = self.state();
        let event = state.accredit(account, from, until, evidence)?;
        Ok(state.mine(vec![event]))
    }

    /// What the authority does: suspends an account.
    ///
    /// # Panics
    /// If the contracts would refuse; [`MemoryLedger::try_suspend`] gives their reason.
    pub fn suspend(&self, account: AccountId) {
        if let Err(error) = self.try_suspend(account) {
            panic!("the authority cannot suspend {account}: {error}");
        }
    }

    /// As [`MemoryLedger::suspend`].
    ///
    /// # Errors
    /// If the contracts would refuse.
    pub fn try_suspend(&self, account: AccountId) -> Result<Outcome, LedgerError> {
        let mut state = self.state();
        let event = state.set_suspended(account, true)?;
        Ok(state.mine(vec![event]))
    }

    /// What the authority does: lifts a suspension.
    ///
    /// # Errors
    /// If the contracts would refuse.
    pub fn try_reinstate(&self, account: AccountId) -> Result<Outcome, LedgerError> {
        let mut state = self.state();
        let event = state.set_suspended(account, false)?;
        Ok(state.mine(vec![event]))
    }

    /// What an account's holder does after the theft of a key: hands the account to another address.
    ///
    /// # Errors
    /// If there is no such account, or the address signs or signed for one.
    pub fn rotate_address(
        &self,
        account: AccountId,
        next: Address,
    ) -> Result<Outcome, LedgerError> {
        let mut state = self.state();
        let event = state.rotate_address(account, next)?;
        Ok(state.mine(vec![event]))
    }

    /// Whether a call's nonce is used: by itself, or by another.
    pub fn is_spent(&self, signed: &SignedCall) -> bool {
        let Ok(digest) = <[u8; 32]>::try_from(signed.bytes.as_slice()) else {
            return false;
        };
        let state = self.state();
        state.prepared.get(&digest).is_some_and(|request| {
            request.nonce < state.nonces.get(&request.from).copied().unwrap_or(0)
        })
    }

    /// What calldata shows for ever of every call that was executed.
    pub fn calldata(&self) -> Vec<Calldata> {
        let state = self.state();
        let shown = state.executed.iter().filter_map(|(digest, outcome)| {
            let request = state.prepared.get(digest)?;
            Some(Calldata {
                signer: request.from,
                call: request.call.clone(),
                deadline: request.deadline,
                block: outcome.block,
            })
        });
        shown.collect()
    }

    /// The receipt with this id, with the time of its block: what keepers look up.
    pub fn receipt(&self, id: ReceiptId) -> Option<(RecordId, AccountId, GrantId, Timestamp)> {
        let state = self.state();
        state.blocks.iter().rev().find_map(|block| {
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

    /// The committee in force at the end of the block of a record's anchor: what keepers look up.
    pub fn committee_of_record(&self, id: RecordId) -> Option<Committee> {
        let state = self.state();
        let is_it = |event: &Event| matches!(event, Event::Anchored(it) if it.record_id() == id);
        let mut blocks = state.blocks.iter();
        let block = blocks.find(|block| block.events.iter().any(is_it))?.number;
        let mut committees = state.committees.iter();
        committees.find(|it| it.is_of(block)).map(|it| it.committee)
    }

    /// A grant and its state: what keepers look up.
    pub fn grant_by_id(&self, id: GrantId) -> Option<(Grant, GrantFacts)> {
        self.state().grants.get(&id).cloned()
    }

    /// The account that an address signs for now: what keepers look up.
    pub fn account_now(&self, address: Address) -> Option<AccountId> {
        self.state().account_of(address)
    }

    /// The address that signs for an account now: what keepers look up.
    pub fn signer_now(&self, account: AccountId) -> Option<Address> {
        let state = self.state();
        state.accounts.get(&account).map(|account| account.signer)
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
        let prepared = Prepared {
            from,
            call: call.clone(),
            nonce: state.nonces.get(&from).copied().unwrap_or(0),
            deadline,
        };
        state.prepared.insert(digest, prepared);
        Ok(UnsignedCall {
            bytes: digest.to_vec(),
            digest,
        })
    }

    async fn rotation_digest(
        &self,
        account: AccountId,
        next: Address,
        deadline: Timestamp,
    ) -> Result<[u8; 32], LedgerError> {
        Ok(rules::rotation_digest(account, next, deadline))
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
        let request = state
            .prepared
            .get(&digest)
            .cloned()
            .ok_or_else(|| bad("it was never prepared"))?;
        let signer =
            recover(&digest, &signed.signature).map_err(|error| bad(&error.to_string()))?;
        if signer != request.from {
            return Err(bad("the signature is another's"));
        }
        if state.nonces.get(&signer).copied().unwrap_or(0) != request.nonce {
            return Err(bad("its nonce was used by another request"));
        }
        if request.deadline < state.now {
            return Err(bad("its deadline has passed"));
        }
        let events = state.execute(signer, &request.call)?;
        *state.nonces.entry(signer).or_default() += 1;
        let outcome = state.mine(events);
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
        Ok(self.state().account_of(address))
    }

    async fn account_at(
        &self,
        address: Address,
        block: u64,
    ) -> Result<Option<AccountId>, LedgerError> {
        Ok(self.state().account_at(address, block))
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

    async fn is_anchored(&self, anchor: &AnchorFields) -> Result<bool, LedgerError> {
        let state = self.state();
        let found = state.records.get(&anchor.record_id());
        Ok(found.is_some_and(|(fields, _)| fields == anchor))
    }

    async fn grant(&self, grant: &Grant) -> Result<GrantFacts, LedgerError> {
        Ok(self.state().state_of(grant))
    }

    async fn committee(&self) -> Result<CommitteeFacts, LedgerError> {
        let state = self.state();
        let newest = state.committees.last().cloned();
        newest.ok_or_else(|| state::named("NoCommittee"))
    }

    async fn committee_of(&self, id: u32) -> Result<Option<CommitteeFacts>, LedgerError> {
        let state = self.state();
        let found = state.committees.iter().find(|it| it.committee.id == id);
        Ok(found.cloned())
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

    async fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        let state = self.state();
        let block = usize::try_from(number)
            .ok()
            .and_then(|at| state.blocks.get(at));
        Ok(block.map(|block| block.hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Stage, run};
    use medibloc_keys::SigningKey;
    use medibloc_record::SealingKey;

    struct Memory(MemoryLedger);

    #[async_trait]
    impl Stage for Memory {
        fn submit(&self) -> &dyn Submit {
            &self.0
        }
        fn relay(&self) -> &dyn Relay {
            &self.0
        }
        fn facts(&self) -> &dyn Facts {
            &self.0
        }
        fn events(&self) -> &dyn Events {
            &self.0
        }
        async fn accredit(
            &self,
            account: AccountId,
            from: Timestamp,
            until: Timestamp,
            evidence: Digest,
        ) -> Result<(), LedgerError> {
            self.0
                .try_accredit(account, from, until, evidence)
                .map(|_| ())
        }
        async fn suspend(&self, account: AccountId) -> Result<(), LedgerError> {
            self.0.try_suspend(account).map(|_| ())
        }
        async fn reinstate(&self, account: AccountId) -> Result<(), LedgerError> {
            self.0.try_reinstate(account).map(|_| ())
        }
        async fn rotate_address(
            &self,
            who: &SigningKey,
            next: &SigningKey,
        ) -> Result<Outcome, LedgerError> {
            let account = self.0.account_of(who.address()).await?;
            let account = account.ok_or(crate::Refusal::NotRegistered)?;
            self.0.rotate_address(account, next.address())
        }
        async fn form_committee(&self, threshold: Threshold) -> Result<(), LedgerError> {
            let mut keepers = self.0.committee().await?.keepers;
            keepers.truncate(threshold.n().into());
            self.0.form_committee(threshold, keepers);
            Ok(())
        }
        async fn wait(&self, seconds: u64) -> Result<(), LedgerError> {
            let now = self.0.state().now;
            self.0.set_time(now.plus(seconds));
            Ok(())
        }
    }

    #[tokio::test]
    async fn the_memory_double_keeps_the_contract() {
        let threshold = Threshold::new(7, 4).unwrap();
        let keepers = (1..=7).map(|index| KeeperFacts {
            index,
            signer: Address::new([index; 20]),
            wrap_key: SealingKey {
                version: 1,
                key: [index; 32],
            },
            endpoint: String::new(),
        });
        let ledger = MemoryLedger::new(threshold, keepers.collect(), Timestamp(1_800_000_000));
        run(&Memory(ledger)).await.unwrap();
    }
}
