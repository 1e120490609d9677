//! Errands: chain calls as durable jobs. What is to happen, the objects that it names and the signed request are kept
//! before they leave; after a crash the very same request goes out again, so nothing happens twice.

use medibloc_consent::Scope;
use medibloc_dag::Cid;
use medibloc_ledger::{Call, Event, LedgerError, Outcome, Refusal, SignedCall};
use medibloc_record::{AccountId, RecordId, Timestamp, keccak256};
use serde::{Deserialize, Serialize};

use crate::grant::{consent_of, given_object_row};
use crate::outbox::Outgoing;
use crate::pace::is_revocation;
use crate::party::{change, table};
use crate::ports::Change;
use crate::times::End;
use crate::{GivenGrant, JourneyError, OwnAddress, Party};

/// One call of an own address on its way to the chain.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Errand {
    /// What it is about; the same errand begun twice is one.
    #[serde(with = "serde_bytes")]
    pub(crate) key: [u8; 32],
    /// Order among the errands.
    number: u64,
    /// For people.
    pub(crate) what: String,
    /// Which own address acts.
    pub(crate) own: AccountId,
    /// What it does.
    pub(crate) call: Call,
    /// Objects of the vault that must be stored first.
    objects: Vec<Cid>,
    /// Letters that leave when it is final.
    letters: Vec<Outgoing>,
    /// The request, once it was signed.
    signed: Option<SignedCall>,
    /// A request of it, that is not sent again, may have left: whoever has it may still bring it to the chain.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    has_left: bool,
    /// Last final block when it began: it cannot have happened before. None if the chain could not say it, which is then asked
    /// before anything of it leaves.
    since: Option<u64>,
    /// When it is to begin; none is at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) due: Option<Timestamp>,
    /// When it was signed last: what was signed can come to be on the chain for some minutes. None from older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<Timestamp>,
    /// Why it did not end yet.
    pub(crate) problem: Option<String>,
    /// It was taken back after it was signed: it is not sent again, and ended if it comes to the chain.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) is_taken_back: bool,
    /// The person said to give it though its author took the record back.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) is_known_retracted: bool,
}

impl core::fmt::Debug for Errand {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Errand({})", self.what)
    }
}

/// What an errand needs beside its call.
#[derive(Default)]
pub(crate) struct Luggage {
    pub(crate) objects: Vec<Cid>,
    pub(crate) letters: Vec<Outgoing>,
    /// Rows that are written in the same step as the errand.
    pub(crate) rows: Vec<Change>,
    /// The person said to give it though its author took the record back.
    pub(crate) is_known_retracted: bool,
}

/// The key of an errand.
pub(crate) fn errand_key(label: &str, about: &[&[u8]]) -> [u8; 32] {
    let mut bytes = keccak256(label.as_bytes()).to_vec();
    for part in about {
        bytes.extend_from_slice(&keccak256(part));
    }
    keccak256(&bytes)
}

impl Party {
    /// Keeps an errand with its rows, all or nothing, and does it.
    pub(crate) async fn begin(
        &self,
        key: [u8; 32],
        what: String,
        own: AccountId,
        call: Call,
        luggage: Luggage,
    ) -> Result<Outcome, JourneyError> {
        let errand = self.keep_errand(None, key, what, own, call, luggage);
        self.go_on(errand.await?).await
    }

    /// Keeps an errand with its rows, all or nothing.
    pub(crate) async fn keep_errand(
        &self,
        due: Option<Timestamp>,
        key: [u8; 32],
        what: String,
        own: AccountId,
        call: Call,
        luggage: Luggage,
    ) -> Result<Errand, JourneyError> {
        let due = match due {
            Some(due) if !is_revocation(&call) => Some(self.in_time(own, due, &call)?),
            due => due,
        };
        let since = self.begins_at(&call).await?;
        let of = (key, self.next_number()?);
        let (errand, rows) = self.prepare(of, (since, due), what, own, call, luggage)?;
        self.ports.vault.apply(rows)?;
        Ok(errand)
    }

    /// An errand and all its rows, which are not kept yet.
    pub(crate) fn prepare(
        &self,
        (key, number): ([u8; 32], u64),
        (since, due): (Option<u64>, Option<Timestamp>),
        what: String,
        own: AccountId,
        call: Call,
        luggage: Luggage,
    ) -> Result<(Errand, Vec<Change>), JourneyError> {
        let mut rows = luggage.rows;
        if let Some(end) = End::of_call(own, &call) {
            rows.extend(self.ordered_rows(end, since)?);
        }
        let errand = Errand {
            key,
            number,
            what,
            own,
            since,
            call,
            objects: luggage.objects,
            letters: luggage.letters,
            signed: None,
            has_left: false,
            due,
            left: None,
            problem: None,
            is_taken_back: false,
            is_known_retracted: luggage.is_known_retracted,
        };
        rows.push(errand.row());
        Ok((errand, rows))
    }

    /// The number of the next errand.
    pub(crate) fn next_number(&self) -> Result<u64, JourneyError> {
        let errands = self.errands()?;
        let last = errands.iter().map(|errand| errand.number).max();
        Ok(last.unwrap_or(0) + 1)
    }

    /// The block before which a call that is kept now cannot happen. What takes something back is kept whether the chain says
    /// it or not: a person who is told that it failed does not think of it again.
    pub(crate) async fn begins_at(&self, call: &Call) -> Result<Option<u64>, JourneyError> {
        match self.right_head().await {
            Ok(head) => Ok(Some(head.number)),
            Err(JourneyError::Ledger(LedgerError::SetBack { .. })) => Ok(None),
            Err(JourneyError::Ledger(_)) if is_an_end(call) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks before it is signed what could not be asked when it was kept.
    async fn ask_what_waits(&self, errand: &mut Errand) -> Result<(), JourneyError> {
        if errand.since.is_none() {
            let since = self.right_head().await?.number;
            errand.since = Some(since);
            if let Some(end) = End::of_call(errand.own, &errand.call) {
                let rows = self.reached_rows(end, since)?;
                self.ports.vault.apply(rows)?;
            }
            if is_an_end(&errand.call) {
                errand.letters = self.letters_of_end(errand.own, &errand.call).await?;
            }
        }
        Ok(())
    }

    /// The errand with this key, if it has not ended.
    pub(crate) fn errand(&self, key: &[u8; 32]) -> Result<Option<Errand>, JourneyError> {
        self.row(table::ERRANDS, key)
    }

    /// All errands that have not ended, in order.
    pub(crate) fn errands(&self) -> Result<Vec<Errand>, JourneyError> {
        let mut errands: Vec<Errand> = self.rows(table::ERRANDS)?;
        errands.sort_by_key(|errand| errand.number);
        Ok(errands)
    }

    /// Objects first, then the call, then what follows from it.
    pub(crate) async fn go_on(&self, mut errand: Errand) -> Result<Outcome, JourneyError> {
        self.end_all_first(&errand).await?;
        let done = match self.asked_before_it_leaves(&mut errand).await {
            Ok(None) => self.execute(&mut errand).await,
            Ok(Some(outcome)) => Ok(outcome),
            Err(error) => Err(error),
        };
        match done {
            Ok(outcome) => {
                let mut changes = self.after(&errand, outcome)?;
                let end = match self.end_of_what_came(&errand)? {
                    Some((end, rows)) => {
                        changes.extend(rows);
                        Some(end)
                    }
                    None => None,
                };
                for letter in &errand.letters {
                    changes.push(change(table::LETTERS, &letter.key, letter));
                }
                changes.push(gone(&errand.key));
                if let Some(consent) = consent_of(&errand.call) {
                    let kept = |cid| given_object_row(cid, errand.own, consent);
                    changes.extend(errand.objects.iter().map(kept));
                }
                self.ports.vault.apply(changes)?;
                // That block was seen: an older copy of the chain that lacks it is known for one.
                let _ = self.check_chain().await;
                if let Some(end) = end {
                    // It is kept: what fails now the next sync goes on with.
                    let _ = self.go_on_with_end(end).await;
                }
                Ok(outcome)
            }
            Err(error) if !is_refused(&error) => {
                let problem = Some(error.to_string());
                // What is not to be given may be gone.
                let is_kept = self.errand(&errand.key).is_ok_and(|kept| kept.is_some());
                if errand.problem != problem && is_kept {
                    errand.problem = problem;
                    // The vault may be what failed; the first error is the one to tell.
                    let _ = self.put(table::ERRANDS, &errand.key, &errand);
                }
                Err(error)
            }
            Err(error) => {
                let mut changes = self.undo(&errand)?;
                changes.extend(self.refused_act(errand.own, &errand.call)?);
                changes.push(gone(&errand.key));
                self.ports.vault.apply(changes)?;
                Err(error)
            }
        }
    }

    async fn execute(&self, errand: &mut Errand) -> Result<Outcome, JourneyError> {
        let mut own = self.own_address(errand.own)?;
        if !errand.objects.is_empty() {
            let mut blocks = Vec::new();
            for cid in &errand.objects {
                blocks.push(self.vault_block(cid)?);
            }
            let store = self.ports.network.store(&self.signer(&own));
            store.put(blocks).await?;
        }
        for attempt in 0..2 {
            let signed = match &errand.signed {
                Some(signed) => signed.clone(),
                None => {
                    self.ask_what_waits(errand).await?;
                    let signed = self.sign(&own, &errand.call).await?;
                    errand.signed = Some(signed.clone());
                    errand.left = Some(self.ports.clock.now());
                    self.put(table::ERRANDS, &errand.key, errand)?;
                    signed
                }
            };
            let error = match self.ports.relay.relay(&signed).await {
                // A person relies on it, and a relay can lie: the chain itself must show it.
                Ok(said) => {
                    let shown = self.happened(errand).await?;
                    return shown.ok_or_else(|| LedgerError::not_shown(said).into());
                }
                Err(error) if error.is_retryable() => return Err(error.into()),
                Err(error) => error,
            };
            // Refused or no longer valid: it may have happened before a crash.
            if let Some(outcome) = self.happened(errand).await? {
                return Ok(outcome);
            }
            // Another device of the phrase may have handed the account on meanwhile.
            let is_moved = matches!(error, LedgerError::Refused(Refusal::NotRegistered))
                && self.follow_signer(&own).await?;
            let again = is_moved || matches!(error, LedgerError::BadRequest { .. });
            if again {
                errand.signed = None;
                errand.has_left = true;
                if is_moved {
                    // They are signed by the key before.
                    errand.letters.clear();
                }
                own = self.own_address(errand.own)?;
            }
            if !again || attempt > 0 {
                return Err(self.refusal(&own, &errand.call, error).await?.into());
            }
        }
        Err(LedgerError::BadRequest {
            what: "it was signed twice and taken neither time".into(),
        }
        .into())
    }

    /// What a refusal is worth. A person relies on what takes something back and on what is accepted, and a relay can lie: only
    /// what the chain shows ends that; otherwise it is kept and tried again.
    pub(crate) async fn refusal(
        &self,
        own: &OwnAddress,
        call: &Call,
        error: LedgerError,
    ) -> Result<LedgerError, JourneyError> {
        let is_moot = match call {
            // What the chain never had, and has no call on its way to it, cannot be taken back.
            Call::Revoke(grant) => {
                let facts = self.ports.facts.grant(grant).await?;
                let begun = self.errand(&errand_key("grant", &[grant.id.as_bytes()]))?;
                facts.revoked || !facts.granted && begun.is_none()
            }
            Call::Erase(anchor) => {
                let facts = self.ports.facts.record(anchor.record_id()).await?;
                facts.is_some_and(|facts| facts.erased)
            }
            Call::Accept(anchor) => {
                let facts = self.ports.facts.record(anchor.record_id()).await?;
                facts.is_none_or(|facts| facts.erased || facts.accepted)
            }
            Call::Retract(anchor) => {
                let facts = self.ports.facts.record(anchor.record_id()).await?;
                facts.is_some_and(|facts| facts.erased || facts.retracted)
                    || self.is_suspended(own.id()).await?
            }
            // It ended by itself before.
            Call::RevokeWrite { author } => {
                let now = self.earlier_now().await?;
                let stands = |given: &GivenGrant| {
                    let write = given.artefact.write;
                    write.is_some_and(|write| {
                        (write.owner, write.author) == (own.id(), *author) && write.until > now
                    })
                };
                !self.write_grants()?.iter().any(|(_, given)| stands(given))
            }
            // Whoever has the key, too, was first; or what its next key agreed to has ended.
            Call::RotateAddress { deadline, .. } => {
                let signer = self.signing_address(own);
                let is_ours = self.ports.facts.account_of(signer).await?.is_some();
                !is_ours || self.chain_now().await? > *deadline
            }
            call => !is_an_end(call),
        };
        if is_moot {
            return Ok(error);
        }
        Ok(LedgerError::Unreachable {
            from: "the relay".into(),
            why: format!(
                "it says no to what the chain has no reason to refuse ({error}); choose another node if it goes on"
            ),
        })
    }

    /// Where the errand's call stands on chain, if it does.
    pub(crate) async fn happened(&self, errand: &Errand) -> Result<Option<Outcome>, JourneyError> {
        let Some(since) = errand.since else {
            return Ok(None);
        };
        self.shown_after(since, errand.own, &errand.call).await
    }
}

impl Errand {
    /// Taking back everything of an own address, whether the chain answers or not.
    pub(crate) fn of_everything(
        (key, number): ([u8; 32], u64),
        own: AccountId,
        since: Option<u64>,
        due: Option<Timestamp>,
        letters: Vec<Outgoing>,
    ) -> Self {
        Self {
            key,
            number,
            what: "revocation of everything".into(),
            own,
            call: Call::RevokeAll,
            objects: Vec::new(),
            letters,
            signed: None,
            has_left: false,
            since,
            due,
            left: None,
            problem: None,
            is_taken_back: false,
            is_known_retracted: false,
        }
    }

    pub(crate) fn row(&self) -> Change {
        change(table::ERRANDS, &self.key, self)
    }

    /// Its place in the order of errands.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// As it is to be sent under another key: what the one before signed counts for nothing any more.
    pub(crate) fn unsigned(mut self) -> Self {
        self.has_left |= self.signed.is_some();
        self.signed = None;
        self.letters.clear();
        self
    }

    /// The same after it was taken back.
    pub(crate) fn taken_back(&self) -> Self {
        Self {
            is_taken_back: true,
            ..self.clone()
        }
    }

    /// Whether nothing kept it back yet: it was decided just now, and nobody put it off.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.due.is_none() && self.problem.is_none() && self.is_unsent()
    }

    /// Letters that leave when it is final.
    pub(crate) fn letters(&self) -> usize {
        self.letters.len()
    }

    /// Whether nothing of it has left this machine yet.
    pub(crate) const fn is_unsent(&self) -> bool {
        self.signed.is_none() && !self.has_left
    }

    /// After another chain was followed, on which it may have begun at a later block.
    pub(crate) fn begins_by(&mut self, block: u64) -> bool {
        let is_later = self.since.is_some_and(|since| since > block);
        if is_later {
            self.since = Some(block);
        }
        is_later
    }

    pub(crate) const fn is_a_consent(&self) -> bool {
        matches!(
            self.call,
            Call::Grant { .. } | Call::GrantWrite(_) | Call::Deliver { .. }
        )
    }

    /// Whether it gives this record to somebody, and nothing else.
    pub(crate) fn gives_alone(&self, record: RecordId) -> bool {
        matches!(&self.call, Call::Grant { grant, .. } if grant.terms.scope == Scope::One(record))
    }

    /// Whether it is to go before all that gives. What ends a consent that may be on its way follows that consent: before it, it
    /// would end nothing.
    pub(crate) fn goes_first(&self, all: &[Self]) -> bool {
        match &self.call {
            Call::Erase(_) | Call::Retract(_) => true,
            Call::Revoke(_)
            | Call::RevokeReader { .. }
            | Call::RevokeWrite { .. }
            | Call::RevokeAll => !all.iter().any(|given| {
                let is_before = given.own == self.own && given.number < self.number;
                is_before && given.is_a_consent() && !given.is_unsent()
            }),
            _ => false,
        }
    }

    /// Objects of the vault that it stores first.
    pub(crate) fn objects(&self) -> impl Iterator<Item = Cid> + '_ {
        self.objects.iter().copied()
    }

    /// Whether it does something with this record that an erasure makes pointless. The erasure itself is not meant.
    pub(crate) fn is_about(&self, record: RecordId) -> bool {
        match &self.call {
            Call::Retract(anchor) | Call::Accept(anchor) => anchor.record_id() == record,
            Call::ReplaceCapsule { anchor, .. } => anchor.record_id() == record,
            Call::OpenRead { record: opened, .. } => *opened == record,
            _ => false,
        }
    }
}

/// Whether the contracts said no: only then is an errand given up. Everything else may pass.
const fn is_refused(error: &JourneyError) -> bool {
    matches!(error, JourneyError::Ledger(LedgerError::Refused(_)))
}

pub(crate) fn gone(key: &[u8; 32]) -> Change {
    Change::Delete {
        table: table::ERRANDS,
        key: key.to_vec(),
    }
}

/// Whether a call takes something back for good.
const fn is_an_end(call: &Call) -> bool {
    matches!(
        call,
        Call::Revoke(_)
            | Call::RevokeReader { .. }
            | Call::RevokeWrite { .. }
            | Call::RevokeAll
            | Call::Erase(_)
            | Call::Retract(_)
            | Call::RotateAddress { .. }
    )
}

/// Whether an event is what a call of this account does.
pub(crate) fn is_effect(own: AccountId, call: &Call, event: &Event) -> bool {
    match (call, event) {
        (
            Call::Register { sealing_key, .. },
            Event::Registered {
                account,
                sealing_key: done,
                ..
            },
        ) => *account == own && sealing_key == done,
        (Call::Anchor(anchor), Event::Anchored(done)) => anchor == done,
        (Call::GrantWrite(write), Event::WriteGranted(done)) => write == done,
        (Call::Grant { grant, .. }, Event::Granted(done)) => grant == done,
        (
            Call::Deliver {
                grant,
                number,
                digest,
                ..
            },
            Event::Delivered {
                grant: done,
                number: of,
                digest: list,
            },
        ) => grant.id == *done && number == of && digest == list,
        (Call::Revoke(grant), Event::Revoked { grant: done }) => grant.id == *done,
        (
            Call::RevokeWrite { author },
            Event::WriteRevoked {
                owner,
                author: done,
            },
        ) => *owner == own && author == done,
        (
            Call::RevokeReader { reader },
            Event::ReaderRevoked {
                owner,
                reader: done,
            },
        ) => *owner == own && reader == done,
        (Call::RevokeAll, Event::AllRevoked { owner }) => *owner == own,
        (Call::Erase(anchor), Event::Erased { record })
        | (Call::Retract(anchor), Event::Retracted { record })
        | (Call::Accept(anchor), Event::Accepted { record }) => anchor.record_id() == *record,
        (
            Call::ReplaceCapsule { anchor, capsule },
            Event::CapsuleReplaced { record, digest, .. },
        ) => anchor.record_id() == *record && capsule == digest,
        (Call::RotateAddress { next, .. }, Event::AddressRotated { account, to, .. }) => {
            *account == own && next == to
        }
        (Call::RotateSealingKey { sealing_key }, Event::SealingKeyRotated { account, key, .. }) => {
            *account == own && sealing_key == key
        }
        (
            Call::OpenRead {
                record,
                nonce,
                grant,
                ..
            },
            Event::ReadOpened {
                record: opened,
                nonce: used,
                grant: basis,
                ..
            },
        ) => record == opened && nonce == used && grant.id == *basis,
        _ => false,
    }
}
