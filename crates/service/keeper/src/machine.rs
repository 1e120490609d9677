//! State, events, effects.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::{
    DeletionStatement, RefusalReason, ShareDeposit, SignedAcknowledgement, SignedLine, SignedReply,
    SignedRequest,
};
use medibloc_keys::{Entropy, Share};
use medibloc_record::{AccountId, Digest, RecordId, Timestamp};

use crate::answered::Answered;
use crate::{Facts, Feed, KeeperIdentity};

/// One share as the keeper holds it; the shell stores it under a local key of that record's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptShare {
    /// The share.
    pub share: Share,
    /// Digest of the key set that it belongs to.
    pub key_set: Digest,
    /// Committee that it was dealt to.
    pub committee: u32,
}

/// Everything a keeper knows.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(crate) shares: BTreeMap<RecordId, KeptShare>,
    pub(crate) erased: BTreeSet<RecordId>,
    pub(crate) answered: Answered,
    /// Requests whose refusal their record's owner was told of, until they end.
    pub(crate) refused: Answered,
    pub(crate) feed: Feed,
}

impl State {
    /// A new keeper.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new keeper that remembers at most so many answered requests, and as many refused ones.
    pub fn remembering(most: usize) -> Self {
        Self {
            answered: Answered::of_at_most(most),
            refused: Answered::of_at_most(most),
            ..Self::default()
        }
    }

    /// Puts back a share that was stored.
    pub fn restore_share(&mut self, record: RecordId, share: KeptShare) {
        self.shares.insert(record, share);
    }

    /// Puts back a tombstone.
    pub fn restore_erased(&mut self, record: RecordId) {
        self.shares.remove(&record);
        self.erased.insert(record);
    }

    /// Puts back that a request was answered, so that it is not answered again after a restart.
    pub fn restore_answered(&mut self, request: [u8; 32], expiry: Timestamp) {
        self.answered.insert(request, expiry, None);
    }

    /// The feeds.
    pub const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// The feeds, to put back lines that were stored.
    pub const fn feed_mut(&mut self) -> &mut Feed {
        &mut self.feed
    }

    /// How many answered requests are remembered.
    pub fn answered_count(&self) -> usize {
        self.answered.len()
    }

    /// Whether the share of a record is held.
    pub fn has_share(&self, record: &RecordId) -> bool {
        self.shares.contains_key(record)
    }

    /// How many shares are held.
    pub fn share_count(&self) -> usize {
        self.shares.len()
    }
}

/// What happens to a keeper.
#[derive(Clone, Debug)]
pub enum Event {
    /// A share arrives from the account that signed the transport.
    Deposit {
        /// Who sends it.
        sender: AccountId,
        /// The share.
        deposit: ShareDeposit,
    },
    /// Somebody asks whether the keeper has a record's share.
    Acknowledgement {
        /// The record.
        record: RecordId,
    },
    /// A reader asks for a share.
    Release(Box<SignedRequest>),
    /// A final erasure, or an owner who asks for the statement.
    Erased {
        /// The record.
        record: RecordId,
    },
}

/// What a keeper answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It has the share.
    Acknowledged(SignedAcknowledgement),
    /// It has not.
    NotAcknowledged,
    /// A share, or a signed refusal.
    Released(SignedReply),
    /// Its statement that the share is gone.
    Deleted(DeletionStatement),
    /// It did not do it.
    Refused(RefusalReason),
}

/// What the shell must do, in order, before it sends the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Store a share durably under a local key of that record's own.
    StoreShare {
        /// The record.
        record: RecordId,
        /// The share.
        share: KeptShare,
    },
    /// Destroy the record's local key, keep a tombstone.
    DestroyShare {
        /// The record.
        record: RecordId,
    },
    /// Store a feed line, replacing an older count of the same.
    Feed {
        /// Whose feed.
        owner: AccountId,
        /// The line.
        line: SignedLine,
    },
    /// Send the answer.
    Reply(Reply),
}

/// One step.
pub fn step(
    state: &mut State,
    keeper: &KeeperIdentity,
    event: &Event,
    facts: &Facts,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Vec<Effect> {
    match event {
        Event::Deposit { sender, deposit } => {
            crate::deposit::deposit(state, keeper, *sender, deposit, facts)
        }
        Event::Acknowledgement { record } => {
            let reply = state
                .shares
                .get(record)
                .map_or(Reply::NotAcknowledged, |share| {
                    Reply::Acknowledged(crate::deposit::acknowledge(keeper, *record, share.key_set))
                });
            vec![Effect::Reply(reply)]
        }
        Event::Release(request) => {
            crate::release::release(state, keeper, request, facts, now, entropy)
        }
        Event::Erased { record } => crate::deposit::erased(state, keeper, *record, facts),
    }
}
