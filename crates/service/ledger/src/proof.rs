//! The proof that an event stands on chain.

use serde::{Deserialize, Serialize};

/// That a log is in a block, from the block's header down: whoever trusts the block's hash can check it without any
/// node. The adapter makes and verifies it. In proof files its bytes are text, `0x` and digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptProof {
    /// The block's header as RLP; its keccak256 is the block's hash.
    pub header: Bytes,
    /// The transaction's place in the block.
    pub index: u64,
    /// Nodes of the trie of the block's receipts, from the root to the leaf, as RLP.
    pub nodes: Vec<Bytes>,
    /// The transaction's receipt (EIP-2718).
    pub receipt: Bytes,
    /// The log's place in the receipt.
    pub log: u32,
}

/// Bytes that are written as `0x` and digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix("0x");
        hex::decode(digits.ok_or(hex::FromHexError::OddLength)?).map(Self)
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        format!("0x{}", hex::encode(bytes.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_text_in_a_file() {
        let proof = ReceiptProof {
            header: Bytes(vec![0xf9, 1]),
            index: 3,
            nodes: vec![Bytes(vec![2]), Bytes(Vec::new())],
            receipt: Bytes(vec![255]),
            log: 1,
        };
        let text =
            r#"{"header":"0xf901","index":3,"nodes":["0x02","0x"],"receipt":"0xff","log":1}"#;
        assert_eq!(serde_json::to_string(&proof).unwrap(), text);
        assert_eq!(serde_json::from_str::<ReceiptProof>(text).unwrap(), proof);
        for wrong in ["f901", "0xf", "0xzz"] {
            let text = text.replace("0xf901", wrong);
            assert!(
                serde_json::from_str::<ReceiptProof>(&text).is_err(),
                "{wrong}"
            );
        }
    }
}
