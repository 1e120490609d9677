//! Events of the contracts, as all parties read them.

use medibloc_consent::{AnchorFields, Grant, WriteGrant};
use medibloc_record::{
    AccountId, Address, Committee, Digest, GrantId, Nonce, ReceiptId, RecordId, Role, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventRef {
    /// The block.
    pub block: u64,
    /// The event's place in it.
    pub index: u32,
}

/// One event (contracts/event-fields.txt lists every field that may stand on chain).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// `Accounts.Registered`.
    Registered {
        /// The account.
        account: AccountId,
        /// What it is.
        role: Role,
        /// Its first key.
        sealing_key: [u8; 32],
    },
    /// `Accounts.SealingKeyRotated`.
    SealingKeyRotated {
        /// The account.
        account: AccountId,
        /// The new version.
        version: u32,
        /// The new key.
        key: [u8; 32],
    },
    /// `Accounts.AddressRotated`.
    AddressRotated {
        /// The account.
        account: AccountId,
        /// Its old address.
        from: Address,
        /// Its new one.
        to: Address,
    },
    /// `Accounts.Accredited`.
    Accredited {
        /// The account.
        account: AccountId,
        /// First second.
        from: Timestamp,
        /// Last second.
        until: Timestamp,
        /// SHA-256 of the credential.
        evidence: Digest,
    },
    /// `Accounts.Suspended`.
    Suspended {
        /// The account.
        account: AccountId,
    },
    /// `Accounts.Reinstated`.
    Reinstated {
        /// The account.
        account: AccountId,
    },
    /// `Records.Anchored`.
    Anchored(AnchorFields),
    /// `Records.Accepted`.
    Accepted {
        /// The record.
        record: RecordId,
    },
    /// `Records.Retracted`.
    Retracted {
        /// The record.
        record: RecordId,
    },
    /// `Records.Erased`.
    Erased {
        /// The record.
        record: RecordId,
    },
    /// `Records.CapsuleReplaced`.
    CapsuleReplaced {
        /// The record.
        record: RecordId,
        /// How often so far.
        version: u32,
        /// The new capsule.
        digest: Digest,
    },
    /// `Consent.WriteGranted`.
    WriteGranted(WriteGrant),
    /// `Consent.WriteRevoked`.
    WriteRevoked {
        /// The owner.
        owner: AccountId,
        /// The author.
        author: AccountId,
    },
    /// `Consent.Granted`.
    Granted(Grant),
    /// `Consent.Delivered`.
    Delivered {
        /// The grant.
        grant: GrantId,
        /// Counts from 1.
        number: u32,
        /// Digest of the key list.
        digest: Digest,
    },
    /// `Consent.Revoked`.
    Revoked {
        /// The grant.
        grant: GrantId,
    },
    /// `Consent.ReaderRevoked`.
    ReaderRevoked {
        /// The owner.
        owner: AccountId,
        /// The reader.
        reader: AccountId,
    },
    /// `Consent.AllRevoked`.
    AllRevoked {
        /// The owner.
        owner: AccountId,
    },
    /// `Receipts.ReadOpened`.
    ReadOpened {
        /// The receipt.
        receipt: ReceiptId,
        /// The record.
        record: RecordId,
        /// The record's owner.
        owner: AccountId,
        /// Who was cleared to get the key.
        reader: AccountId,
        /// On what grant.
        grant: GrantId,
        /// The nonce in the receipt's id.
        nonce: Nonce,
    },
    /// `Keepers.KeeperRegistered`: new, or of another operator.
    KeeperRegistered {
        /// The keeper.
        index: u8,
    },
    /// `Keepers.CommitteeFormed`.
    CommitteeFormed {
        /// Id, n and t.
        committee: Committee,
    },
    /// `Keepers.WrapKeyRotated`.
    WrapKeyRotated {
        /// The keeper.
        index: u8,
        /// The new version.
        version: u32,
    },
}

/// The events of one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockEvents {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// Its parent's hash.
    pub parent: [u8; 32],
    /// Its time.
    pub time: Timestamp,
    /// Its events, in order.
    pub events: Vec<Event>,
}
