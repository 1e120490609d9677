//! The proof that an event stands on chain.

use serde::{Deserialize, Serialize};

/// That a log is in a block, from the block's header down: whoever trusts the block's hash can check it without any
/// node. The adapter makes and verifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptProof {
    /// The block's header as RLP; its keccak256 is the block's hash.
    #[serde(with = "serde_bytes")]
    pub header: Vec<u8>,
    /// The transaction's place in the block.
    pub index: u64,
    /// Nodes of the trie of the block's receipts, from the root to the leaf, as RLP.
    pub nodes: Vec<serde_bytes::ByteBuf>,
    /// The transaction's receipt (EIP-2718).
    #[serde(with = "serde_bytes")]
    pub receipt: Vec<u8>,
    /// The log's place in the receipt.
    pub log: u32,
}
