//! The ports. Each is small; an adapter implements all four, a double too.

use async_trait::async_trait;
use medibloc_consent::{AnchorFields, Grant};
use medibloc_record::{AccountId, Address, ReceiptId, RecordId, Timestamp};

use crate::{
    AccountFacts, BlockEvents, Call, CommitteeFacts, Event, GrantFacts, Head, LedgerError, Outcome,
    ReceiptProof, RecordFacts, SignedCall, Standing, UnsignedCall,
};

/// Encodes calls into requests that can be signed.
#[async_trait]
pub trait Submit: Send + Sync {
    /// The request that `from` must sign for `call`, valid until `deadline`.
    ///
    /// # Errors
    /// If the signer's next nonce cannot be had.
    async fn prepare(
        &self,
        from: Address,
        call: &Call,
        deadline: Timestamp,
    ) -> Result<UnsignedCall, LedgerError>;

    /// What `next` signs to take an account over, valid until `deadline`.
    ///
    /// # Errors
    /// If the deployment cannot be had.
    async fn rotation_digest(
        &self,
        account: AccountId,
        next: Address,
        deadline: Timestamp,
    ) -> Result<[u8; 32], LedgerError>;
}

/// Takes signed requests to the chain and pays for them.
#[async_trait]
pub trait Relay: Send + Sync {
    /// Simulates, sends, and returns when the call is final. Sending the same request twice executes it once and
    /// gives the first outcome.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] with the contract's own error; [`LedgerError::Limit`]; retryable ones.
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError>;
}

/// Answers from the last final block.
#[async_trait]
pub trait Facts: Send + Sync {
    /// The last final block.
    async fn head(&self) -> Result<Head, LedgerError>;
    /// The account that an address acts for.
    async fn account_of(&self, address: Address) -> Result<Option<AccountId>, LedgerError>;
    /// The account that an address acted for at any moment of a block: one that was rotated away in block N counts for
    /// N and not for N + 1, one that was rotated in counts from N on.
    async fn account_at(
        &self,
        address: Address,
        block: u64,
    ) -> Result<Option<AccountId>, LedgerError>;
    /// An account.
    async fn account(&self, id: AccountId) -> Result<Option<AccountFacts>, LedgerError>;
    /// Its standing at a time, past or now.
    async fn standing(&self, id: AccountId, at: Timestamp) -> Result<Standing, LedgerError>;
    /// A record's state.
    async fn record(&self, id: RecordId) -> Result<Option<RecordFacts>, LedgerError>;
    /// Whether a record was anchored with exactly these fields. Its id binds its author and its owner alone.
    async fn is_anchored(&self, anchor: &AnchorFields) -> Result<bool, LedgerError>;
    /// The state of a grant with exactly these fields.
    async fn grant(&self, grant: &Grant) -> Result<GrantFacts, LedgerError>;
    /// The committee in force.
    async fn committee(&self) -> Result<CommitteeFacts, LedgerError>;
    /// A committee, in force or not any more.
    async fn committee_of(&self, id: u32) -> Result<Option<CommitteeFacts>, LedgerError>;
}

/// Gives final blocks with their events, in order.
#[async_trait]
pub trait Events: Send + Sync {
    /// Up to `limit` final blocks from number `from` on that have events; the last one is always the newest that
    /// was looked at, so that the next question starts after it. Empty if `from` is not final yet.
    async fn events(&self, from: u64, limit: u32) -> Result<Vec<BlockEvents>, LedgerError>;

    /// Seconds by which this machine's clock is ahead of that of the chain's node which answered last; none if none said its time.
    fn clock_ahead(&self) -> Option<i64> {
        None
    }

    /// The hash of the block with this number, final or not; none if the chain has no such block.
    ///
    /// # Errors
    /// If there is no answer.
    async fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, LedgerError>;

    /// What proves to others that a receipt stands in a block; none where there is no chain to prove anything by.
    ///
    /// # Errors
    /// If the block is silent about it, or there is no answer.
    async fn proof(
        &self,
        _block: u64,
        _receipt: ReceiptId,
    ) -> Result<Option<ReceiptProof>, LedgerError> {
        Ok(None)
    }

    /// The same for any event of a block.
    ///
    /// # Errors
    /// If the block is silent about it, or there is no answer.
    async fn proof_of(
        &self,
        _block: u64,
        _event: &Event,
    ) -> Result<Option<ReceiptProof>, LedgerError> {
        Ok(None)
    }
}
