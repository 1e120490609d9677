//! What the shell looked up for a request, all of it at one final block.

use medibloc_consent::{AnchorFields, Grant};
use medibloc_keys::{SealingSecret, SigningKey};
use medibloc_record::{AccountId, Address, Committee, GrantId, RecordId, Timestamp, TypedDomain};

/// A record on chain.
#[derive(Clone, Copy, Debug)]
pub struct RecordView {
    /// Its anchor.
    pub anchor: AnchorFields,
    /// The committee in force at the end of the anchor's block.
    pub committee: Committee,
    /// The owner erased it.
    pub erased: bool,
}

/// A grant on chain.
#[derive(Clone, Debug)]
pub struct GrantView {
    /// Its fields.
    pub grant: Grant,
    /// It, its reader or everything was revoked.
    pub revoked: bool,
}

/// A receipt on chain.
#[derive(Clone, Copy, Debug)]
pub struct ReceiptView {
    /// The record.
    pub record: RecordId,
    /// The reader.
    pub reader: AccountId,
    /// The grant.
    pub grant: GrantId,
    /// Time of its block.
    pub at: Timestamp,
}

/// Facts of the keeper's own last final block.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Time of that block.
    pub head: Timestamp,
    /// The record that is asked about.
    pub record: Option<RecordView>,
    /// The grant that is named.
    pub grant: Option<GrantView>,
    /// The receipt that is named.
    pub receipt: Option<ReceiptView>,
    /// The account that the signer acts for.
    pub signer: Option<AccountId>,
    /// Whether the signer holds or held any grant of the record's owner.
    pub signer_has_grant: bool,
    /// The address that signs for the account of the binding now: whoever holds an older one of its keys holds nothing.
    pub bound_signer: Option<Address>,
    /// Whether the account of the binding is accredited and not suspended.
    pub bound_account_is_good: bool,
}

/// The keeper's own keys and place.
#[derive(Clone, Debug)]
pub struct KeeperIdentity {
    /// Its place in the committee: the x of its shares.
    pub index: u8,
    /// Signs its replies.
    pub signer: SigningKey,
    /// Opens wraps: the current key first, then the previous while it is accepted.
    pub wrap_keys: Vec<SealingSecret>,
    /// The deployment.
    pub domain: TypedDomain,
    /// Seconds that finality may lag behind the clock.
    pub finality_lag: u64,
}

impl KeeperIdentity {
    /// The address that signs.
    pub fn address(&self) -> Address {
        self.signer.address()
    }
}
