//! Facts of the last final block.

use medibloc_record::{AccountId, Address, Committee, Role, SealingKey, Timestamp};

/// The last final block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: [u8; 32],
    /// Its time: what "now" means on chain.
    pub time: Timestamp,
}

/// An account as registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFacts {
    /// Its id.
    pub id: AccountId,
    /// What it is.
    pub role: Role,
    /// The address that signs for it now.
    pub signer: Address,
    /// Its newest sealing key.
    pub sealing_key: SealingKey,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// Standing of an account with the authority at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Accredited and within its dates.
    pub accredited: bool,
    /// Suspended.
    pub suspended: bool,
}

impl Standing {
    /// Accredited and not suspended.
    pub const fn is_good(self) -> bool {
        self.accredited && !self.suspended
    }
}

/// The state of an anchored record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordFacts {
    /// When it was anchored.
    pub anchored_at: Timestamp,
    /// The owner took it over.
    pub accepted: bool,
    /// The author took it back.
    pub retracted: bool,
    /// The owner erased it.
    pub erased: bool,
}

/// The state of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantFacts {
    /// It was granted with exactly these fields.
    pub granted: bool,
    /// It, its reader or everything was revoked since.
    pub revoked: bool,
    /// Reads so far, if they are counted.
    pub reads_used: u32,
}

/// One keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeeperFacts {
    /// Its place in the committee, from 1: the x of its share.
    pub index: u8,
    /// The address that signs its replies.
    pub signer: Address,
    /// The key that shares are wrapped to.
    pub wrap_key: SealingKey,
    /// Where it is reached.
    pub endpoint: String,
}

/// A committee, with its keepers as they are registered now: 1 to n.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitteeFacts {
    /// Id, n and t.
    pub committee: Committee,
    /// n keepers.
    pub keepers: Vec<KeeperFacts>,
    /// The block from whose end on it is in force.
    pub since: u64,
    /// The block from whose end on another is.
    pub until: Option<u64>,
}

impl CommitteeFacts {
    /// Whether it was in force at the end of a block.
    pub fn is_of(&self, block: u64) -> bool {
        self.since <= block && self.until.is_none_or(|until| block < until)
    }
}
