//! Proofs that a receipt stands in a block, made from the block's receipts and checked without any node.

use alloy::consensus::{Header, ReceiptEnvelope};
use alloy::eips::BlockId;
use alloy::eips::eip2718::{Decodable2718, Encodable2718};
use alloy::primitives::{B256, Bytes, Log, keccak256};
use alloy::rlp::{Decodable, encode};
use alloy::trie::proof::{ProofRetainer, verify_proof};
use alloy::trie::{HashBuilder, Nibbles};
use medibloc_ledger::{Event, LedgerError, ReceiptProof};
use medibloc_record::Timestamp;

use crate::{Contracts, EvmLedger, decode};

/// What a proof shows, if the block with this hash is of the chain: that is for [`Facts`](medibloc_ledger::Facts) or
/// another source that the reader trusts to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The block.
    pub block: u64,
    /// Its hash.
    pub block_hash: [u8; 32],
    /// Its time.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
}

/// Why a proof shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Header or receipt are not what they should be.
    #[error("the proof's {part} cannot be read; ask for the proof again")]
    Malformed {
        /// Which part.
        part: &'static str,
    },
    /// The nodes do not lead from the header to the receipt.
    #[error("the receipt is not in the block that the proof names; do not trust it")]
    NotInBlock,
    /// The transaction failed: nothing happened.
    #[error("the transaction of the proof failed; nothing happened in it")]
    Failed,
    /// The log is none of the contracts' events.
    #[error("the log {log} is no event of these contracts; check that the proof is of this chain")]
    NoEvent {
        /// Its place in the receipt.
        log: u32,
    },
}

/// Checks a proof.
///
/// # Errors
/// If it does not show an event of these contracts in a block.
pub fn verify_receipt(proof: &ReceiptProof, contracts: &Contracts) -> Result<Proven, ProofError> {
    let header: Header = whole(&proof.header.0).ok_or(ProofError::Malformed { part: "header" })?;
    let nodes: Vec<Bytes> = proof
        .nodes
        .iter()
        .map(|node| Bytes::copy_from_slice(&node.0))
        .collect();
    verify_proof(
        header.receipts_root,
        key(proof.index),
        Some(proof.receipt.0.clone()),
        &nodes,
    )
    .map_err(|_| ProofError::NotInBlock)?;
    let mut rest = proof.receipt.0.as_slice();
    let receipt = ReceiptEnvelope::<Log>::decode_2718(&mut rest)
        .ok()
        .filter(|_| rest.is_empty())
        .ok_or(ProofError::Malformed { part: "receipt" })?;
    if !receipt.status() {
        return Err(ProofError::Failed);
    }
    let no_event = ProofError::NoEvent { log: proof.log };
    let log = receipt
        .logs()
        .get(proof.log as usize)
        .ok_or(no_event.clone())?;
    Ok(Proven {
        block: header.number,
        block_hash: keccak256(&proof.header.0).0,
        time: Timestamp(header.timestamp),
        event: decode::event(contracts, log).ok_or(no_event)?,
    })
}

/// A value that fills its bytes.
fn whole<T: Decodable>(mut bytes: &[u8]) -> Option<T> {
    let value = T::decode(&mut bytes).ok()?;
    bytes.is_empty().then_some(value)
}

/// Where the receipt of a transaction hangs in the trie.
fn key(index: u64) -> Nibbles {
    Nibbles::unpack(encode(index))
}

/// The root of the trie of these receipts, and the nodes on the way to one of them.
fn branch(receipts: &[Vec<u8>], index: u64) -> (B256, Vec<medibloc_ledger::Bytes>) {
    let mut leaves: Vec<_> = (0..).map(key).zip(receipts).collect();
    leaves.sort_by_key(|(key, _)| *key);
    let retainer = ProofRetainer::new(vec![key(index)]);
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    for (key, receipt) in leaves {
        builder.add_leaf(key, receipt);
    }
    let root = builder.root();
    let nodes = builder.take_proof_nodes().into_nodes_sorted();
    let bytes = |node: Bytes| medibloc_ledger::Bytes(node.to_vec());
    (
        root,
        nodes.into_iter().map(|(_, node)| bytes(node)).collect(),
    )
}

impl EvmLedger {
    pub(crate) async fn prove(
        &self,
        block: u64,
        wanted: impl Fn(&Event) -> bool + Send,
    ) -> Result<ReceiptProof, LedgerError> {
        let header = self.known_header(BlockId::number(block)).await?;
        let receipts = self.receipts_of(&header).await?;
        let is_wanted = |log: &Log| {
            decode::event(&self.deployed().contracts, log).is_some_and(|event| wanted(&event))
        };
        let found = receipts.iter().enumerate().find_map(|(index, receipt)| {
            let log = receipt.logs().iter().position(is_wanted)?;
            Some((index as u64, u32::try_from(log).ok()?))
        });
        let (index, log) = found.ok_or_else(|| self.unprovable(block, "the event is not in it"))?;
        let encoded: Vec<Vec<u8>> = receipts.iter().map(Encodable2718::encoded_2718).collect();
        let (root, nodes) = branch(&encoded, index);
        let raw = encode(&header.inner);
        if root != header.receipts_root || keccak256(&raw) != header.hash {
            return Err(self.unprovable(block, "its receipts or header are not those it names"));
        }
        let place = usize::try_from(index).expect("it came from a place in memory");
        Ok(ReceiptProof {
            header: medibloc_ledger::Bytes(raw),
            index,
            nodes,
            receipt: medibloc_ledger::Bytes(encoded[place].clone()),
            log,
        })
    }

    #[allow(clippy::unused_self, reason = "reads as a step of prove")]
    fn unprovable(&self, block: u64, why: &str) -> LedgerError {
        LedgerError::Corrupt {
            from: "the chain".into(),
            why: format!("of block {block}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::consensus::proofs::calculate_receipt_root;
    use alloy::consensus::{Eip658Value, Receipt, ReceiptWithBloom};

    fn receipts(count: u64) -> Vec<ReceiptEnvelope<Log>> {
        (0..count)
            .map(|number| {
                let receipt = Receipt {
                    status: Eip658Value::Eip658(true),
                    cumulative_gas_used: number,
                    logs: Vec::<Log>::new(),
                };
                ReceiptEnvelope::Eip1559(ReceiptWithBloom::from(receipt))
            })
            .collect()
    }

    #[test]
    fn every_receipt_of_a_block_of_any_size_is_proven_and_no_other() {
        for count in [1, 2, 3, 16, 17, 127, 128, 129, 200] {
            let receipts = receipts(count);
            let encoded: Vec<_> = receipts.iter().map(Encodable2718::encoded_2718).collect();
            let expected = calculate_receipt_root(&receipts);
            for index in [0, 1, count / 2, count - 1] {
                let (root, nodes) = branch(&encoded, index);
                assert_eq!(root, expected, "{count} receipts");
                let nodes: Vec<Bytes> = nodes.iter().map(|node| node.0.clone().into()).collect();
                let place = usize::try_from(index.min(count - 1)).unwrap();
                let check = |value: &[u8]| {
                    verify_proof(root, key(index), Some(value.to_vec()), &nodes).is_ok()
                };
                assert_eq!(check(&encoded[place]), index < count);
                assert!(!check(b"another"), "another receipt is not proven");
            }
        }
    }
}
