//! The ports that the journey needs beside `Store` and the ledger's: vault, mailbox, keepers, clock, chance.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use medibloc_consent::{
    DeletionStatement, ShareDeposit, SignedAcknowledgement, SignedLine, SignedReply, SignedRequest,
};
use medibloc_dag::{Block, Cid};
use medibloc_keys::{Entropy, SigningKey};
use medibloc_ledger::{Events, Facts, Mark, Relay, Submit};
use medibloc_record::{AccountId, Address, Digest, RecordId, Timestamp, TypedDomain, Wrapped};
use medibloc_store::Store;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::{Authorities, Pace};

/// Why a port gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortError {
    /// The peer is not there; try again.
    #[error("{peer} does not answer: {why}; it will be tried again")]
    Unreachable {
        /// Who.
        peer: String,
        /// What happened.
        why: String,
    },
    /// The peer answers, and its clock and this machine's are too far apart for what is signed with a time.
    #[error("{peer} answers, but the clocks differ: {why}")]
    Clock {
        /// Who.
        peer: String,
        /// By how much, and what to do.
        why: String,
    },
    /// A limit of the peer is reached; it answers well otherwise.
    #[error("a limit of {peer} is reached: {why}")]
    Limit {
        /// Who.
        peer: String,
        /// Which, and when it ends.
        why: String,
    },
    /// The peer refused.
    #[error("{peer} refused: {why}")]
    Refused {
        /// Who.
        peer: String,
        /// Its reason.
        why: String,
    },
    /// The peer's answer is not valid.
    #[error("{peer} gave an answer that is not valid: {why}")]
    Corrupt {
        /// Who.
        peer: String,
        /// What is wrong.
        why: String,
    },
    /// The vault cannot keep or give something.
    #[error("{why}")]
    Vault {
        /// What happened and what to do.
        why: String,
    },
}

/// One change of the vault.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// Sets a row.
    Put {
        /// The table.
        table: &'static str,
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// Removes a row.
    Delete {
        /// The table.
        table: &'static str,
        /// The key.
        key: Vec<u8>,
    },
}

impl core::fmt::Debug for Change {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Put { table, .. } => write!(f, "Put({table})"),
            Self::Delete { table, .. } => write!(f, "Delete({table})"),
        }
    }
}

/// Key and value of one row.
pub type Row = (Vec<u8>, Vec<u8>);

/// What became of a file that was written out of the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFate {
    /// It was there, and was deleted.
    Removed,
    /// It is not there any more.
    Gone,
    /// It was left.
    Stays {
        /// Why, for people.
        why: String,
    },
}

/// The owner's local encrypted database and blobs: the primary copy.
pub trait VaultPort: Send + Sync {
    /// A row.
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, PortError>;
    /// All rows of a table, by key.
    fn list(&self, table: &str) -> Result<Vec<Row>, PortError>;
    /// All changes or none; durable when it returns.
    fn apply(&self, changes: Vec<Change>) -> Result<(), PortError>;
    /// Keeps a sealed block; durable when it returns.
    fn put_blob(&self, block: &Block) -> Result<(), PortError>;
    /// Keeps sealed blocks; all are durable when it returns.
    fn put_blobs(&self, blocks: &[Block]) -> Result<(), PortError> {
        blocks.iter().try_for_each(|block| self.put_blob(block))
    }
    /// A sealed block.
    fn blob(&self, cid: &Cid) -> Result<Option<Vec<u8>>, PortError>;
    /// Forgets a sealed block.
    fn drop_blob(&self, cid: &Cid) -> Result<(), PortError>;
    /// Forgets sealed blocks.
    fn drop_blobs(&self, cids: &[Cid]) -> Result<(), PortError> {
        cids.iter().try_for_each(|cid| self.drop_blob(cid))
    }
    /// What was forgotten leaves the disk too, not only the database's sight.
    fn settle(&self) -> Result<(), PortError>;
    /// Reads everything, down to what no command asks for; gives what is not as it was written.
    fn check(&self) -> Result<Vec<String>, PortError> {
        Ok(Vec::new())
    }
    /// Free bytes where it is kept, for who may not use the last of them; none if that is not known.
    fn room(&self) -> Option<u64> {
        None
    }
    /// Frees the room that is kept aside for what takes something back: it works on a full disk, too.
    fn free_reserve(&self) {}
    /// Gives a little of that room for one row more, if a full disk is what keeps it out and much of the room is left: what is
    /// kept can be given out then, and taking back has its room still. False if it does not.
    fn lend_reserve(&self) -> bool {
        false
    }
    /// Keeps that room aside again, if there is enough.
    fn keep_reserve(&self) {}
    /// Whether that room is kept aside now; none if none ever is.
    fn has_reserve(&self) -> Option<bool> {
        None
    }
    /// Deletes a file that was written out of the vault, unless it holds something else by now.
    fn drop_file(&self, path: &str, sha256: &Digest) -> FileFate;
}

/// A sealed message on its way; only this much of it is in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// 1.
    pub version: u8,
    /// Who sends it.
    pub sender: Address,
    /// Whose mailbox.
    pub recipient: Address,
    /// Random.
    #[serde(with = "serde_bytes")]
    pub id: [u8; 32],
    /// The message, sealed to the recipient.
    pub wrapped: Wrapped,
    /// By the key that only the two who are paired know, over all of the above; a letter without one is removed unread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<ByteArray<32>>,
}

/// The mailbox of one address at one node.
#[async_trait]
pub trait Mailbox: Send + Sync {
    /// Leaves a letter; the same id twice is one letter.
    async fn send(&self, letter: &Letter) -> Result<(), PortError>;
    /// Letters for the acting address.
    async fn fetch(&self) -> Result<Vec<Letter>, PortError>;
    /// Removes a letter that was dealt with.
    async fn done(&self, id: [u8; 32]) -> Result<(), PortError>;
    /// Removes letters that were dealt with, a thousand as cheaply as one; one that is not there is no fault.
    async fn done_all(&self, ids: &[[u8; 32]]) -> Result<(), PortError> {
        for id in ids {
            self.done(*id).await?;
        }
        Ok(())
    }
    /// What the acting address's account keeps for itself here, sealed, by place.
    async fn notes(&self) -> Result<Vec<(u8, Vec<u8>)>, PortError>;
    /// Keeps a sealed note of the acting address's account at a place, instead of the one with this digest (none if there is
    /// none). False, with nothing changed, if another one is there.
    async fn keep_note(
        &self,
        place: u8,
        follows: Option<Digest>,
        sealed: Vec<u8>,
    ) -> Result<bool, PortError>;
}

/// The keepers, by index from 1.
#[async_trait]
pub trait Keepers: Send + Sync {
    /// Gives keeper `index` its share.
    async fn deposit(
        &self,
        index: u8,
        deposit: &ShareDeposit,
    ) -> Result<SignedAcknowledgement, PortError>;
    /// Keeper `index`'s acknowledgement of a record's share, if it has it.
    async fn acknowledgement(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<SignedAcknowledgement>, PortError>;
    /// Asks keeper `index` to release its share.
    async fn release(&self, index: u8, request: &SignedRequest) -> Result<SignedReply, PortError>;
    /// Keeper `index`'s feed for the acting address.
    async fn feed(&self, index: u8) -> Result<Vec<SignedLine>, PortError>;
    /// Keeper `index`'s deletion statement for an erased record.
    async fn deletion(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<DeletionStatement>, PortError>;
}

/// Storage, mailbox and keepers as one address sees them: every request is signed by it.
#[async_trait]
pub trait Network: Send + Sync {
    /// Storage at the own node.
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store>;
    /// Storage at the other nodes that the deployment lists, by URL.
    fn others(&self, actor: &SigningKey) -> Vec<(String, Arc<dyn Store>)> {
        let _ = actor;
        Vec::new()
    }
    /// The mailboxes of the node at `url`.
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox>;
    /// The keepers.
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers>;
    /// The credential that the own node keeps for this address's account, not checked; none if it has none.
    async fn credential(&self, actor: &SigningKey) -> Result<Option<String>, PortError> {
        let _ = actor;
        Ok(None)
    }
    /// What the own node's clock says; none if it does not tell.
    async fn time(&self) -> Result<Option<Timestamp>, PortError> {
        Ok(None)
    }
    /// Whether a keeper says that it can do its work.
    async fn ready(&self, keeper: u8) -> Result<(), PortError> {
        let _ = keeper;
        Ok(())
    }
    /// The last final block that a keeper took, by its index, or the own node; none if it took none yet. Not signed.
    async fn mark(&self, keeper: Option<u8>) -> Result<Option<Mark>, PortError> {
        let _ = keeper;
        Ok(None)
    }
    /// URL of the own node.
    fn own_node(&self) -> String;
    /// Whether a node of the deployment has this URL: no other is ever called.
    fn is_listed(&self, url: &str) -> bool {
        url == self.own_node()
    }
}

/// The wall clock; chain facts have the chain's own time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Time that has passed since some moment that stays the same: how long something took, whoever sets the clock meanwhile.
    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.now().0)
    }
    /// Ends when so much time has passed. Cancel-safe.
    async fn wait(&self, time: Duration);
}

/// Everything the journey needs from outside.
#[derive(Clone)]
pub struct Ports {
    /// Encodes calls.
    pub submit: Arc<dyn Submit>,
    /// Sends them.
    pub relay: Arc<dyn Relay>,
    /// Answers from the last final block.
    pub facts: Arc<dyn Facts>,
    /// Final events.
    pub events: Arc<dyn Events>,
    /// Storage, mailbox, keepers.
    pub network: Arc<dyn Network>,
    /// The own vault.
    pub vault: Arc<dyn VaultPort>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<Mutex<dyn Entropy + Send>>,
    /// How the agent spreads what the chain shows.
    pub pace: Pace,
    /// The deployment that all signatures are for.
    pub domain: TypedDomain,
    /// Whose credentials count.
    pub authority: Authorities,
}

impl core::fmt::Debug for Ports {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ports")
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

impl Ports {
    /// 32 random bytes.
    pub fn random(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.entropy
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .fill(&mut bytes);
        bytes
    }
}

/// Account id of an address that was never rotated.
pub(crate) const fn id_of(address: Address) -> AccountId {
    AccountId::from_first_address(address)
}
