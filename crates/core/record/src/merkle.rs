//! `partsRoot`: a salted Merkle root, so that an extract can prove its origin without showing the rest.

use crate::{Digest, keccak256};

/// The leaf of one part: keccak256(keccak256(salt ‖ SHA-256 of the plaintext)). Hashed twice so that no inner
/// node can be passed off as a leaf.
pub fn salted_leaf(salt: &[u8; 32], plaintext: &Digest) -> [u8; 32] {
    keccak256(&keccak256(
        &[salt.as_slice(), plaintext.as_bytes()].concat(),
    ))
}

/// The root over leaves in their order; pairs are hashed sorted (OpenZeppelin `MerkleProof`), a lone last node
/// goes up as it is. No leaves give zero.
pub fn merkle_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [a, b] if a <= b => keccak256(&[a.as_slice(), b].concat()),
                [a, b] => keccak256(&[b.as_slice(), a].concat()),
                rest => rest[0],
            })
            .collect();
    }
    level.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_leaf_changes_the_root() {
        let leaves: Vec<[u8; 32]> = (0..5).map(|i| [i; 32]).collect();
        let root = merkle_root(&leaves);
        for i in 0..leaves.len() {
            let mut other = leaves.clone();
            other[i][0] ^= 1;
            assert_ne!(merkle_root(&other), root);
        }
        assert_eq!(merkle_root(&[]), [0; 32]);
    }
}
