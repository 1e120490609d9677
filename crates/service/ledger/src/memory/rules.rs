//! The contracts' calls, rule by rule in their order.

use medibloc_consent::{
    AnchorFields, Decision, Grant, ListProof, ListRoot, ReadFacts, Reason, Scope, WriteFacts,
    WriteGrant, is_live, may_read, may_write,
};
use medibloc_keys::recover;
use medibloc_record::{
    AccountId, Address, Digest, GrantId, Nonce, ReceiptId, RecordId, Role, SealingKey, Timestamp,
    keccak256,
};

use super::state::{Service, State, exists, named};
use crate::{AccountFacts, Call, Event, GrantFacts, LedgerError, RecordFacts, Refusal};

/// What an anchor batch holds at most.
const MOST: usize = 256;
/// The class numbers that a set of classes holds end here.
const LAST_CLASS: u8 = 63;

/// What the next address of an account signs.
pub(super) fn rotation_digest(account: AccountId, next: Address, deadline: Timestamp) -> [u8; 32] {
    let parts = [
        b"RotateAddress".as_slice(),
        account.as_bytes(),
        next.as_bytes(),
        &deadline.0.to_be_bytes(),
    ];
    keccak256(&parts.concat())
}

impl State {
    /// Does what a call asks, or nothing.
    pub(super) fn execute(
        &mut self,
        from: Address,
        call: &Call,
    ) -> Result<Vec<Event>, LedgerError> {
        if let Call::Register { role, sealing_key } = call {
            return self.register(from, *role, *sealing_key).map(one);
        }
        let caller = self.account_of(from).ok_or(Refusal::NotRegistered)?;
        match call {
            Call::Register { .. } => Err(Refusal::NotRegistered.into()),
            Call::AnchorBatch { batch, amended } => {
                return self.anchor_batch(caller, batch, amended);
            }
            Call::RotateSealingKey { sealing_key } => self.rotate(caller, *sealing_key),
            Call::RotateAddress {
                next,
                deadline,
                consent,
            } => {
                if self.now > *deadline {
                    return Err(named("RotationExpired"));
                }
                let digest = rotation_digest(caller, *next, *deadline);
                if recover(&digest, consent).ok() != Some(*next) {
                    return Err(named("WrongRotationSignature"));
                }
                self.rotate_address(caller, *next)
            }
            Call::Anchor(anchor) => self.anchor(caller, anchor, None),
            Call::Amend { anchor, amended } => self.anchor(caller, anchor, Some(amended)),
            Call::Accept(anchor) => self.accept(caller, anchor),
            Call::Retract(anchor) => self.retract(caller, anchor),
            Call::Erase(anchor) => self.erase(caller, anchor),
            Call::ReplaceCapsule { anchor, capsule } => self.replace(caller, anchor, *capsule),
            Call::GrantWrite(write) => self.grant_write(caller, write),
            Call::RevokeWrite { author } => self.revoke_write(caller, *author),
            Call::Grant { grant, anchor } => self.grant(caller, grant, anchor.as_ref()),
            Call::Deliver {
                grant,
                number,
                digest,
                root,
            } => self.deliver(caller, grant, (*number, *digest), *root),
            Call::Revoke(grant) => self.revoke(caller, grant),
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
            Call::OpenRead { record, anchor, .. } if anchor.record_id() != *record => {
                Err(Reason::UnknownRecord.into())
            }
            Call::OpenRead {
                purpose_tag,
                nonce,
                anchor,
                grant,
                proof,
                ..
            } => {
                let listed = self.is_listed(grant, anchor.record_id(), proof.as_ref());
                self.open_read(caller, *purpose_tag, *nonce, (anchor, listed), grant)
            }
        }
        .map(one)
    }

    fn register(
        &mut self,
        signer: Address,
        role: Role,
        key: [u8; 32],
    ) -> Result<Event, LedgerError> {
        let id = AccountId::from_first_address(signer);
        if key == [0; 32] {
            return Err(named("ZeroKey"));
        }
        if self.services.contains_key(&signer) {
            return Err(exists(format!("the account {id}")));
        }
        let service = Service {
            account: id,
            first: self.blocks.len() as u64,
            last: None,
        };
        self.services.insert(signer, service);
        let facts = AccountFacts {
            id,
            role,
            signer,
            sealing_key: SealingKey { version: 1, key },
            registered_at: self.now,
        };
        self.accounts.insert(id, facts);
        Ok(Event::Registered {
            account: id,
            role,
            sealing_key: key,
        })
    }

    fn rotate(&mut self, caller: AccountId, key: [u8; 32]) -> Result<Event, LedgerError> {
        if key == [0; 32] {
            return Err(named("ZeroKey"));
        }
        let account = self.account(caller)?;
        let version = account.sealing_key.version + 1;
        account.sealing_key = SealingKey { version, key };
        Ok(Event::SealingKeyRotated {
            account: caller,
            version,
            key,
        })
    }

    fn anchor(
        &mut self,
        caller: AccountId,
        anchor: &AnchorFields,
        amended: Option<&AnchorFields>,
    ) -> Result<Event, LedgerError> {
        self.amends(anchor, amended)?;
        if anchor.author != caller {
            return Err(Reason::NotTheAuthor.into());
        }
        let role = self.account(caller)?.role;
        let standing = self.standing(anchor.author, self.now);
        may_write(&WriteFacts {
            author: anchor.author,
            owner: anchor.owner,
            kind: anchor.kind,
            role,
            accredited: standing.accredited,
            suspended: standing.suspended,
            write_grant: self.writes.get(&(anchor.owner, anchor.author)),
            now: self.now,
        })
        .into_result()?;
        let id = anchor.record_id();
        if self.records.contains_key(&id) {
            return Err(exists(format!("the record {id}")));
        }
        if anchor.class.0 > LAST_CLASS {
            return Err(named("UnknownClass"));
        }
        let facts = RecordFacts {
            anchored_at: self.now,
            accepted: false,
            retracted: false,
            erased: false,
        };
        self.records.insert(id, (*anchor, facts));
        Ok(Event::Anchored(*anchor))
    }

    /// What is amended is passed by its fields, which are those of a record of the same owner.
    fn amends(
        &self,
        anchor: &AnchorFields,
        amended: Option<&AnchorFields>,
    ) -> Result<(), LedgerError> {
        match (anchor.amends, amended) {
            (None, None) => Ok(()),
            (Some(_), None) => Err(named("AmendedFieldsMissing")),
            (id, Some(amended)) => {
                self.known(amended)?;
                if id != Some(amended.record_id()) || amended.owner != anchor.owner {
                    return Err(Reason::UnknownRecord.into());
                }
                Ok(())
            }
        }
    }

    fn anchor_batch(
        &mut self,
        caller: AccountId,
        batch: &[AnchorFields],
        amended: &[AnchorFields],
    ) -> Result<Vec<Event>, LedgerError> {
        if batch.is_empty() || batch.len() > MOST {
            return Err(named("WrongBatchSize"));
        }
        let mut events = Vec::with_capacity(batch.len());
        let mut amended = amended.iter();
        for (done, anchor) in batch.iter().enumerate() {
            let amended = anchor.amends.and_then(|_| amended.next());
            match self.anchor(caller, anchor, amended) {
                Ok(event) => events.push(event),
                Err(error) => {
                    for undone in &batch[..done] {
                        self.records.remove(&undone.record_id());
                    }
                    return Err(error);
                }
            }
        }
        if amended.next().is_some() {
            for anchor in batch {
                self.records.remove(&anchor.record_id());
            }
            return Err(named("WrongBatchSize"));
        }
        Ok(events)
    }

    fn accept(&mut self, caller: AccountId, anchor: &AnchorFields) -> Result<Event, LedgerError> {
        let facts = self.live(anchor)?;
        owned(caller, anchor.owner)?;
        let record = anchor.record_id();
        if facts.accepted {
            return Err(exists(format!("the acceptance of {record}")));
        }
        self.update(anchor, |facts| facts.accepted = true);
        Ok(Event::Accepted { record })
    }

    fn retract(&mut self, caller: AccountId, anchor: &AnchorFields) -> Result<Event, LedgerError> {
        if self.standing(caller, self.now).suspended {
            return Err(Reason::Suspended.into());
        }
        let facts = self.live(anchor)?;
        if anchor.author != caller {
            return Err(Reason::NotTheAuthor.into());
        }
        let record = anchor.record_id();
        if facts.retracted {
            return Err(exists(format!("the retraction of {record}")));
        }
        self.update(anchor, |facts| facts.retracted = true);
        Ok(Event::Retracted { record })
    }

    fn erase(&mut self, caller: AccountId, anchor: &AnchorFields) -> Result<Event, LedgerError> {
        self.live(anchor)?;
        owned(caller, anchor.owner)?;
        self.update(anchor, |facts| facts.erased = true);
        Ok(Event::Erased {
            record: anchor.record_id(),
        })
    }

    /// The anchored capsule is version 1.
    fn replace(
        &mut self,
        caller: AccountId,
        anchor: &AnchorFields,
        digest: Digest,
    ) -> Result<Event, LedgerError> {
        self.live(anchor)?;
        owned(caller, anchor.owner)?;
        let record: RecordId = anchor.record_id();
        let version = self.capsules.entry(record).or_insert(1);
        *version += 1;
        Ok(Event::CapsuleReplaced {
            record,
            version: *version,
            digest,
        })
    }

    fn grant_write(&mut self, caller: AccountId, write: &WriteGrant) -> Result<Event, LedgerError> {
        owned(caller, write.owner)?;
        let id = GrantId::derive(write.owner, write.author, write.nonce);
        if self.used.contains(&id) {
            return Err(exists(format!("the grant {id}")));
        }
        if write.kinds.bits() == 0 || write.kinds.bits() & !0x3e != 0 {
            return Err(named("UnknownKinds"));
        }
        if write.until <= self.now {
            return Err(named("EmptyPeriod"));
        }
        self.used.insert(id);
        self.writes.insert((write.owner, write.author), *write);
        Ok(Event::WriteGranted(*write))
    }

    fn revoke_write(&mut self, owner: AccountId, author: AccountId) -> Result<Event, LedgerError> {
        let ended = self.writes.remove(&(owner, author));
        if ended.is_none_or(|write| write.until <= self.now) {
            return Err(Reason::NoWriteGrant.into());
        }
        Ok(Event::WriteRevoked { owner, author })
    }

    fn grant(
        &mut self,
        caller: AccountId,
        grant: &Grant,
        anchor: Option<&AnchorFields>,
    ) -> Result<Event, LedgerError> {
        owned(caller, grant.owner)?;
        if grant.terms.reads == Some(0) {
            return Err(LedgerError::BadRequest {
                what: "a grant of no reads would be one without limit on chain".into(),
            });
        }
        if let Scope::One(record) = grant.terms.scope {
            let anchor = anchor.ok_or(LedgerError::from(Reason::UnknownRecord))?;
            owned(grant.owner, anchor.owner)?;
            if anchor.record_id() != record {
                return Err(Reason::UnknownRecord.into());
            }
            if !self.live(anchor)?.accepted {
                return Err(Reason::NotAccepted.into());
            }
        }
        if self.used.contains(&grant.id) {
            return Err(exists(format!("the grant {}", grant.id)));
        }
        let terms = &grant.terms;
        if terms.until <= terms.from || terms.until <= self.now {
            return Err(named("EmptyPeriod"));
        }
        if matches!(terms.scope, Scope::Classes(classes) if classes.bits() == 0) {
            return Err(named("WrongScope"));
        }
        let facts = GrantFacts {
            granted: true,
            revoked: false,
            reads_used: 0,
        };
        self.used.insert(grant.id);
        self.grants.insert(grant.id, (grant.clone(), facts));
        Ok(Event::Granted(grant.clone()))
    }

    /// The state of a grant with exactly these fields.
    pub(super) fn state_of(&self, grant: &Grant) -> GrantFacts {
        let none = GrantFacts {
            granted: false,
            revoked: false,
            reads_used: 0,
        };
        let known = self.grants.get(&grant.id);
        known
            .filter(|(stored, _)| stored == grant)
            .map_or(none, |(_, facts)| *facts)
    }

    /// Whether a proof is there, and true if the grant is a listed one: no other is used with one.
    fn is_listed(&self, grant: &Grant, record: RecordId, proof: Option<&ListProof>) -> bool {
        proof.is_some_and(|proof| match grant.terms.scope {
            Scope::Listed(first) => {
                let root = proof.root(record);
                let is_known = root == first || self.lists.contains(&(grant.id, root));
                proof.path.len() <= ListProof::LONGEST && is_known
            }
            _ => true,
        })
    }

    fn deliver(
        &mut self,
        caller: AccountId,
        grant: &Grant,
        (number, digest): (u32, Digest),
        root: Option<ListRoot>,
    ) -> Result<Event, LedgerError> {
        owned(caller, grant.owner)?;
        let state = self.state_of(grant);
        is_live(grant, state.granted, state.revoked, self.now).into_result()?;
        if let Some(root) = root {
            if !matches!(grant.terms.scope, Scope::Listed(_)) {
                return Err(named("WrongScope"));
            }
            self.lists.insert((grant.id, root));
        }
        Ok(Event::Delivered {
            grant: grant.id,
            number,
            digest,
        })
    }

    fn revoke(&mut self, caller: AccountId, grant: &Grant) -> Result<Event, LedgerError> {
        owned(caller, grant.owner)?;
        let known = self.grants.get_mut(&grant.id);
        let (_, facts) = known.ok_or(LedgerError::from(Reason::UnknownGrant))?;
        if facts.revoked {
            return Err(Reason::Revoked.into());
        }
        facts.revoked = true;
        Ok(Event::Revoked { grant: grant.id })
    }

    fn revoke_where(&mut self, ends: impl Fn(&Grant) -> bool) {
        for (grant, facts) in self.grants.values_mut() {
            facts.revoked |= ends(grant);
        }
    }

    fn open_read(
        &mut self,
        reader: AccountId,
        purpose_tag: medibloc_consent::PurposeTag,
        nonce: Nonce,
        (anchor, listed): (&AnchorFields, bool),
        grant: &Grant,
    ) -> Result<Event, LedgerError> {
        let state = self.state_of(grant);
        is_live(grant, state.granted, state.revoked, self.now).into_result()?;
        let record = self.known(anchor)?;
        let decision = may_read(&ReadFacts {
            reader,
            purpose_tag,
            anchor,
            accepted: record.accepted,
            erased: record.erased,
            grant,
            granted: state.granted,
            revoked: state.revoked,
            listed,
            reads_used: state.reads_used,
            now: self.now,
        });
        match decision {
            Decision::Allowed => {}
            // the contract says only that the grant does not reach it
            Decision::Refused(Reason::NotTheOwner) => return Err(Reason::NotCovered.into()),
            Decision::Refused(reason) => return Err(reason.into()),
        }
        if !self.opened.insert((reader, nonce)) {
            return Err(named("NonceUsed"));
        }
        if let Some((_, facts)) = self.grants.get_mut(&grant.id)
            && grant.terms.reads.is_some()
        {
            facts.reads_used += 1;
        }
        let record = anchor.record_id();
        Ok(Event::ReadOpened {
            receipt: ReceiptId::derive(record, reader, grant.id, nonce),
            record,
            owner: anchor.owner,
            reader,
            grant: grant.id,
            nonce,
        })
    }
}

fn one(event: Event) -> Vec<Event> {
    vec![event]
}

fn owned(caller: AccountId, expected: AccountId) -> Result<(), LedgerError> {
    if caller == expected {
        Ok(())
    } else {
        Err(Reason::NotTheOwner.into())
    }
}
