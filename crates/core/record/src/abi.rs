//! `abi.encode` of static words and short texts, as much as ids, EIP-712 and HPKE infos need.

use medibloc_dag::cbor;
use serde::Serialize;
use sha3::Digest as _;

use crate::{AccountId, Address};

/// keccak256 as Ethereum uses it.
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    sha3::Keccak256::digest(bytes).into()
}

/// Builds `abi.encode(…)` (Solidity ABI specification, section "Formal Specification of the Encoding").
#[derive(Clone, Debug, Default)]
pub struct Abi {
    head: Vec<[u8; 32]>,
    tails: Vec<(usize, Vec<u8>)>,
}

impl Abi {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a `bytes32`.
    #[must_use]
    pub fn word(mut self, word: [u8; 32]) -> Self {
        self.head.push(word);
        self
    }

    /// Adds an unsigned integer.
    #[must_use]
    pub fn uint(self, value: u64) -> Self {
        let mut word = [0; 32];
        word[24..].copy_from_slice(&value.to_be_bytes());
        self.word(word)
    }

    /// Adds an `address`.
    #[must_use]
    pub fn address(self, address: Address) -> Self {
        let mut word = [0; 32];
        word[12..].copy_from_slice(address.as_bytes());
        self.word(word)
    }

    /// Adds an account id (an `address` on chain).
    #[must_use]
    pub fn account(self, account: AccountId) -> Self {
        self.address(account.first_address())
    }

    /// Adds `bytes` or `string`.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.tails.push((self.head.len(), bytes.to_vec()));
        self.head.push([0; 32]);
        self
    }

    /// Adds `bytes`: the DAG-CBOR of a value.
    #[must_use]
    pub fn object<T: Serialize>(self, value: &T) -> Self {
        self.bytes(&cbor::to_vec(value))
    }

    /// The encoding.
    pub fn encode(mut self) -> Vec<u8> {
        let mut tail = Vec::new();
        let head_len = self.head.len() * 32;
        for (slot, bytes) in &self.tails {
            self.head[*slot] = length_word(head_len + tail.len());
            tail.extend_from_slice(&length_word(bytes.len()));
            tail.extend_from_slice(bytes);
            tail.resize(tail.len().next_multiple_of(32), 0);
        }
        let mut out = self.head.concat();
        out.extend_from_slice(&tail);
        out
    }

    /// keccak256 of the encoding.
    pub fn keccak256(self) -> [u8; 32] {
        keccak256(&self.encode())
    }
}

fn length_word(length: usize) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&(length as u64).to_be_bytes());
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keccak256_of_nothing_is_the_published_value() {
        assert_eq!(
            hex::encode(keccak256(b"")),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
    }

    /// The example of the ABI specification: f(uint256,bytes) style heads and tails.
    #[test]
    fn a_dynamic_value_is_an_offset_in_the_head_and_a_padded_tail() {
        let out = Abi::new().uint(0x123).bytes(b"Hello, world!").encode();
        assert_eq!(out.len(), 32 * 4);
        assert_eq!(out[63], 64);
        assert_eq!(out[95], 13);
        assert_eq!(&out[96..109], b"Hello, world!");
    }
}
