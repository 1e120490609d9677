//! Objects in bodies, all DAG-CBOR.

use medibloc_record::{Address, Signature, Wrapped};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::Work;

/// One block on its way to storage.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBlock {
    /// Its identifier, in binary form.
    #[serde(with = "serde_bytes")]
    pub cid: Vec<u8>,
    /// Its bytes.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

impl core::fmt::Debug for PutBlock {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PutBlock({} bytes)", self.bytes.len())
    }
}

/// Blocks on their way to storage; all are kept or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBlocks {
    /// 1.
    pub version: u8,
    /// The blocks.
    pub blocks: Vec<PutBlock>,
}

/// The body that names blocks: their identifiers in binary form.
pub fn block_ids(ids: impl IntoIterator<Item = Vec<u8>>) -> Vec<ByteBuf> {
    ids.into_iter().map(ByteBuf::from).collect()
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
    /// By a key that only sender and recipient know, over all of the above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<ByteArray<32>>,
}

/// Letters of one address, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LetterPage {
    /// The letters.
    pub letters: Vec<Letter>,
    /// What to ask for as `after` to get more, if there is more.
    pub next: Option<u64>,
}

/// A signed call for the chain, in the ledger adapter's encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayCall {
    /// The request.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
    /// Over its digest.
    pub signature: Signature,
    /// For a registration: what it cost its sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
}

/// Letters that were dealt with, by their ids or by who sent them; exactly one of the two lists is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LettersDone {
    /// 1.
    pub version: u8,
    /// Ids of letters; one that is not there is no fault.
    pub ids: Vec<ByteBuf>,
    /// Addresses of which every waiting letter goes.
    pub senders: Vec<Address>,
}

impl LettersDone {
    /// Letters by their ids.
    pub fn of_ids(ids: &[[u8; 32]]) -> Self {
        Self {
            version: 1,
            ids: ids.iter().map(|id| ByteBuf::from(id.to_vec())).collect(),
            senders: Vec::new(),
        }
    }

    /// Every waiting letter of these senders.
    pub const fn of_senders(senders: Vec<Address>) -> Self {
        Self {
            version: 1,
            ids: Vec::new(),
            senders,
        }
    }
}

/// What an account keeps for itself at a place, sealed with a key of its phrase.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Which of its places.
    pub place: u8,
    /// The sealed note, of one of the sizes of [`crate::limits::NOTES`].
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

impl core::fmt::Debug for Note {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Note({}, {} bytes)", self.place, self.sealed.len())
    }
}

/// A note on its way to the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepNote {
    /// 1.
    pub version: u8,
    /// SHA-256 of the note that it replaces; none if there is none. With another one there, nothing is changed.
    pub follows: Option<ByteArray<32>>,
    /// The note.
    pub note: Note,
}

impl KeepNote {
    /// A note for a place, with the digest of the one that it replaces.
    pub fn new(place: u8, follows: Option<[u8; 32]>, sealed: Vec<u8>) -> Self {
        Self {
            version: 1,
            follows: follows.map(ByteArray::new),
            note: Note { place, sealed },
        }
    }
}

/// Notes of one account, by place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotePage {
    /// 1.
    pub version: u8,
    /// The notes.
    pub notes: Vec<Note>,
    /// The place to go on from, if there are more.
    pub next: Option<u8>,
}

/// Blocks that were asked for, in the order of the question, as far as they fit into one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GotBlocks {
    /// 1.
    pub version: u8,
    /// One for each of the first questions; none where `GET` would give nothing. The rest is asked for again.
    pub blocks: Vec<Option<ByteBuf>>,
}

/// Where a call was executed, final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayOutcome {
    /// The block.
    pub block: u64,
    /// The transaction's hash.
    #[serde(with = "serde_bytes")]
    pub transaction: [u8; 32],
}
