//! Lists: the records that a limited grant reaches, as a Merkle tree whose root is on the chain. A receipt takes a path of it, so no
//! contract, keeper or follower has to know the owner's limits. Each leaf is blinded, so neither a root nor the path of one record
//! tells which others are in the list.

use medibloc_record::{Abi, RecordId, keccak256};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

/// Leaves that a list has at least: a short one looks like an empty one.
const FEWEST_LEAVES: usize = 4;

/// What a list is on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ListRoot(#[serde(with = "serde_bytes")] pub [u8; 32]);

/// Shows that a record is in a list; its reader alone has it until it opens the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListProof {
    /// Blinds the record's leaf.
    #[serde(with = "serde_bytes")]
    pub salt: [u8; 32],
    /// The other side of each step from the leaf to the root.
    pub path: Vec<ByteArray<32>>,
}

impl ListProof {
    /// The longest path that contracts take.
    pub const LONGEST: usize = 16;

    /// The root of the list that has this record, if the proof is true.
    pub fn root(&self, record: RecordId) -> ListRoot {
        let steps = self.path.iter().map(|step| step.into_array());
        ListRoot(steps.fold(leaf(record, self.salt), node))
    }
}

/// A list that is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// What goes to the chain.
    pub root: ListRoot,
    /// What goes to the reader: one for each record, in their order.
    pub proofs: Vec<ListProof>,
}

impl List {
    /// The list of these records. Each salt, and each leaf of nothing that fills the tree up to a power of two, is drawn.
    pub fn of(records: &[RecordId], mut draw: impl FnMut() -> [u8; 32]) -> Self {
        let mut proofs: Vec<ListProof> = records
            .iter()
            .map(|_| ListProof {
                salt: draw(),
                path: Vec::new(),
            })
            .collect();
        let salted = records.iter().zip(&proofs);
        let mut level: Vec<[u8; 32]> = salted.map(|(id, proof)| leaf(*id, proof.salt)).collect();
        let leaves = level.len().next_power_of_two().max(FEWEST_LEAVES);
        level.resize_with(leaves, draw);
        let mut height = 0;
        while level.len() > 1 {
            for (place, proof) in proofs.iter_mut().enumerate() {
                proof.path.push(ByteArray::new(level[place >> height ^ 1]));
            }
            level = level.chunks(2).map(|pair| node(pair[0], pair[1])).collect();
            height += 1;
        }
        Self {
            root: ListRoot(level[0]),
            proofs,
        }
    }
}

/// Hashed twice, so that no inner node is one (contracts/src/interfaces/IReceipts.sol).
fn leaf(record: RecordId, salt: [u8; 32]) -> [u8; 32] {
    let inner = Abi::new().word(record.to_bytes()).word(salt).keccak256();
    keccak256(&inner)
}

/// The smaller one first, as OpenZeppelin's `MerkleProof` has it.
fn node(one: [u8; 32], other: [u8; 32]) -> [u8; 32] {
    let [first, second] = if one < other {
        [one, other]
    } else {
        [other, one]
    };
    keccak256(&[first, second].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws() -> impl FnMut() -> [u8; 32] {
        let mut drawn = 0_u64;
        move || {
            drawn += 1;
            keccak256(&drawn.to_be_bytes())
        }
    }

    fn ids(count: u64) -> Vec<RecordId> {
        let id = |n: u64| {
            RecordId::new(keccak256(
                &[b"record".as_slice(), &n.to_be_bytes()].concat(),
            ))
        };
        (0..count).map(id).collect()
    }

    /// Lists of every size have paths of one length, each true for its record alone.
    #[test]
    fn every_record_of_a_list_has_a_path_to_its_root_and_no_other_has() {
        let sizes = [
            (0, 2),
            (1, 2),
            (2, 2),
            (3, 2),
            (4, 2),
            (5, 3),
            (8, 3),
            (9, 4),
            (33, 6),
            (100, 7),
            (1_000, 10),
        ];
        for (size, depth) in sizes {
            let records = ids(size);
            let list = List::of(&records, draws());
            assert_eq!(list.proofs.len(), records.len());
            for (place, (record, proof)) in records.iter().zip(&list.proofs).enumerate() {
                assert_eq!(proof.path.len(), depth, "of {size}");
                assert_eq!(proof.root(*record), list.root, "{place} of {size}");
                let other = records[(place + 1) % records.len()];
                assert_eq!(proof.root(other) == list.root, other == *record);
                let mut another = proof.clone();
                another.salt[31] ^= 1;
                assert_ne!(another.root(*record), list.root);
                let mut cut = proof.clone();
                cut.path.pop();
                assert_ne!(cut.root(*record), list.root);
            }
        }
    }

    /// Nothing of a list is told by the same list, drawn anew.
    #[test]
    fn two_lists_of_the_same_records_have_nothing_in_common() {
        let (records, mut draw) = (ids(3), draws());
        let (one, other) = (List::of(&records, &mut draw), List::of(&records, &mut draw));
        assert_ne!(one.root, other.root);
        for (one, other) in one.proofs.iter().zip(&other.proofs) {
            assert!(one.path.iter().all(|step| !other.path.contains(step)));
        }
    }

    /// Reckoned with OpenZeppelin's library in contracts/test/Listed.t.sol.
    #[test]
    fn the_root_is_that_of_the_contract() {
        let proof = ListProof {
            salt: [2; 32],
            path: vec![ByteArray::new([3; 32]), ByteArray::new([0; 32])],
        };
        let root = proof.root(RecordId::new([1; 32]));
        let hex: String = root.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "3b80f538afcf953531be115fccd78aa19e48f377257f12bb372a59ab05de63eb"
        );
    }
}
