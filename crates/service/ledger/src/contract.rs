//! What every ledger must do; adapters call [`run`] on a chain that nobody has used.
//!
//! The suite walks every call of the contracts, done and refused for its own reason, and at the end compares all
//! events, in order, with what it did.

use async_trait::async_trait;
use medibloc_consent::{
    AnchorFields, BindingTag, Grant, KindSet, Purpose, Reason, Scope, Terms, WriteGrant,
};
use medibloc_keys::SigningKey;
use medibloc_record::{AccountId, ClassId, Digest, Kind, Nonce, Role, Threshold, Timestamp};

use crate::{Call, Event, Events, Facts, LedgerError, Outcome, Refusal, Relay, SignedCall, Submit};

mod accounts;
mod committees;
mod consent;
mod feed;
mod reads;
mod records;

/// A ledger with what the suite needs besides the ports: the authority's hand and the course of time.
#[async_trait]
pub trait Stage: Send + Sync {
    /// Encodes calls.
    fn submit(&self) -> &dyn Submit;
    /// Takes them to the chain.
    fn relay(&self) -> &dyn Relay;
    /// Answers.
    fn facts(&self) -> &dyn Facts;
    /// Tells what happened.
    fn events(&self) -> &dyn Events;
    /// The authority accredits.
    async fn accredit(
        &self,
        account: AccountId,
        from: Timestamp,
        until: Timestamp,
        evidence: Digest,
    ) -> Result<(), LedgerError>;
    /// The authority suspends.
    async fn suspend(&self, account: AccountId) -> Result<(), LedgerError>;
    /// The authority reinstates.
    async fn reinstate(&self, account: AccountId) -> Result<(), LedgerError>;
    /// The holder of `who` hands the account that it signs for to `next`.
    async fn rotate_address(
        &self,
        who: &SigningKey,
        next: &SigningKey,
    ) -> Result<Outcome, LedgerError>;
    /// The registrar puts the first keepers in force as another committee.
    async fn form_committee(&self, threshold: Threshold) -> Result<(), LedgerError>;
    /// So many seconds pass; the last final block is not older than that afterwards.
    async fn wait(&self, seconds: u64) -> Result<(), LedgerError>;
}

/// Runs the suite on a chain whose contracts were just deployed, with seven keepers in the committee.
///
/// # Panics
/// If the ledger breaks a rule; the message says which.
///
/// # Errors
/// If the ledger fails where it must not.
pub async fn run(stage: &dyn Stage) -> Result<(), LedgerError> {
    let mut play = Play::begin(stage).await?;
    committees::play(&mut play).await?;
    accounts::play(&mut play).await?;
    records::play(&mut play).await?;
    consent::play(&mut play).await?;
    reads::play(&mut play).await?;
    feed::play(&mut play).await
}

/// Who acts in the suite. All keys follow from one number.
fn actor(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32]).expect("a small number is a key")
}

fn id(of: &SigningKey) -> AccountId {
    AccountId::from_first_address(of.address())
}

/// Why a call must be refused.
#[derive(Clone, Copy, Debug)]
enum Because {
    Rule(Reason),
    Exists,
    NotRegistered,
    Contract(&'static str),
    BadRequest,
}

impl Because {
    fn is(self, error: &LedgerError) -> bool {
        match (self, error) {
            (Self::Rule(reason), LedgerError::Refused(Refusal::Consent(got))) => reason == *got,
            (Self::Exists, LedgerError::Refused(Refusal::Exists { .. }))
            | (Self::NotRegistered, LedgerError::Refused(Refusal::NotRegistered))
            | (Self::BadRequest, LedgerError::BadRequest { .. }) => true,
            (Self::Contract(name), LedgerError::Refused(Refusal::Contract { name: got })) => {
                got.split('(').next() == Some(name)
            }
            _ => false,
        }
    }
}

/// The cast, and what has happened so far.
struct Play<'a> {
    stage: &'a dyn Stage,
    first_block: u64,
    /// Where each event must stand, if a relay said so.
    happened: Vec<(Option<Outcome>, Event)>,
    nonces: u8,
    patient: SigningKey,
    other: SigningKey,
    hospital: SigningKey,
    researcher: SigningKey,
    reader: SigningKey,
}

impl<'a> Play<'a> {
    async fn begin(stage: &'a dyn Stage) -> Result<Self, LedgerError> {
        let newest = stage.facts().head().await?.number;
        let before = stage.events().events(0, u32::MAX).await?;
        let empty = before.iter().all(|block| block.events.is_empty());
        Ok(Self {
            stage,
            first_block: if empty { 0 } else { newest + 1 },
            happened: Vec::new(),
            nonces: 0,
            patient: actor(1),
            other: actor(2),
            hospital: actor(3),
            researcher: actor(4),
            reader: actor(5),
        })
    }

    async fn now(&self) -> Result<Timestamp, LedgerError> {
        Ok(self.stage.facts().head().await?.time)
    }

    fn nonce(&mut self) -> Nonce {
        self.nonces += 1;
        Nonce::new([self.nonces; 32])
    }

    async fn sign(&self, who: &SigningKey, call: &Call) -> Result<SignedCall, LedgerError> {
        let deadline = self.now().await?.plus(3_600);
        let unsigned = self
            .stage
            .submit()
            .prepare(who.address(), call, deadline)
            .await?;
        let signature = who.sign_digest(&unsigned.digest);
        Ok(unsigned.sign(signature))
    }

    async fn act(&self, who: &SigningKey, call: &Call) -> Result<Outcome, LedgerError> {
        let signed = self.sign(who, call).await?;
        self.stage.relay().relay(&signed).await
    }

    /// The call is done and gives exactly these events.
    async fn does(
        &mut self,
        who: &SigningKey,
        call: Call,
        events: Vec<Event>,
    ) -> Result<Outcome, LedgerError> {
        let outcome = match self.act(who, &call).await {
            Err(LedgerError::Refused(refusal)) => panic!("{call:?} must be done: {refusal}"),
            other => other?,
        };
        let events = events.into_iter().map(|event| (Some(outcome), event));
        self.happened.extend(events);
        Ok(outcome)
    }

    /// The call is refused, for this reason.
    async fn refuses(
        &self,
        who: &SigningKey,
        call: Call,
        because: Because,
    ) -> Result<(), LedgerError> {
        match self.act(who, &call).await {
            Ok(_) => panic!("{call:?} must be refused: {because:?}"),
            Err(error) if because.is(&error) => Ok(()),
            Err(error @ (LedgerError::Refused(_) | LedgerError::BadRequest { .. })) => {
                panic!("{call:?} must be refused with {because:?}, not: {error:?}")
            }
            Err(error) => Err(error),
        }
    }

    async fn register(&mut self, who: &SigningKey, role: Role) -> Result<(), LedgerError> {
        let sealing_key = [7; 32];
        let event = Event::Registered {
            account: id(who),
            role,
            sealing_key,
        };
        self.does(who, Call::Register { role, sealing_key }, vec![event])
            .await
            .map(|_| ())
    }

    /// An anchor of one's own making, never used before.
    fn draft(&mut self, author: &SigningKey, owner: &SigningKey, kind: Kind) -> AnchorFields {
        let nonce = self.nonce();
        let digest = |n: u8| Digest::new([n; 32]);
        AnchorFields {
            nonce,
            author: id(author),
            owner: id(owner),
            package: digest(self.nonces),
            key_set: digest(201),
            capsule: digest(202),
            attestation: digest(203),
            kind,
            class: ClassId(0),
            amends: None,
        }
    }

    /// An own record of a class that is on chain and accepted.
    async fn accepted(
        &mut self,
        owner: &SigningKey,
        class: ClassId,
    ) -> Result<AnchorFields, LedgerError> {
        let mut anchor = self.draft(owner, owner, Kind::Own);
        anchor.class = class;
        self.does(owner, Call::Anchor(anchor), vec![Event::Anchored(anchor)])
            .await?;
        let record = anchor.record_id();
        self.does(
            owner,
            Call::Accept(anchor),
            vec![Event::Accepted { record }],
        )
        .await?;
        Ok(anchor)
    }

    async fn write_grant(
        &mut self,
        owner: &SigningKey,
        author: &SigningKey,
        kinds: &[Kind],
        seconds: u64,
    ) -> Result<WriteGrant, LedgerError> {
        Ok(WriteGrant {
            owner: id(owner),
            author: id(author),
            nonce: self.nonce(),
            kinds: KindSet::of(kinds),
            until: self.now().await?.plus(seconds),
            digest: Digest::new([204; 32]),
        })
    }

    async fn lets_write(
        &mut self,
        owner: &SigningKey,
        author: &SigningKey,
        kinds: &[Kind],
        seconds: u64,
    ) -> Result<WriteGrant, LedgerError> {
        let grant = self.write_grant(owner, author, kinds, seconds).await?;
        let event = Event::WriteGranted(grant);
        self.does(owner, Call::GrantWrite(grant), vec![event])
            .await?;
        Ok(grant)
    }

    async fn terms(&self, scope: Scope, seconds: u64) -> Result<Terms, LedgerError> {
        let now = self.now().await?;
        Ok(Terms {
            scope,
            purpose_tag: Purpose::Treatment.tag([9; 32]),
            from: now,
            until: now.plus(seconds),
            reads: None,
            binding: BindingTag([8; 32]),
            digest: Digest::new([205; 32]),
        })
    }

    fn grant(&mut self, owner: &SigningKey, reader: &SigningKey, terms: Terms) -> Grant {
        Grant::new(id(owner), id(reader), self.nonce(), terms)
    }

    /// A grant that is on chain.
    async fn lets_read(
        &mut self,
        owner: &SigningKey,
        reader: &SigningKey,
        terms: Terms,
        anchor: Option<AnchorFields>,
    ) -> Result<Grant, LedgerError> {
        let grant = self.grant(owner, reader, terms);
        let call = Call::Grant {
            grant: grant.clone(),
            anchor,
        };
        self.does(owner, call, vec![Event::Granted(grant.clone())])
            .await?;
        Ok(grant)
    }
}
