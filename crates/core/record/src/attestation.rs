//! The author's attestation (EIP-712): who wrote these bytes, for whom, when.

use medibloc_dag::{MAX_BLOCK, cbor};
use serde::{Deserialize, Serialize};

use crate::{
    Abi, AccountId, Address, ClassId, Digest, Kind, RecordId, SealedError, Signature, Timestamp,
    keccak256,
};

/// Steps from an attestation to the root of its batch, at most: a batch of 2³².
pub const MOST_PATH: usize = 32;

/// The EIP-712 domain of a deployment: chain id and the contract that the words are meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TypedDomain {
    /// The chain's id.
    pub chain_id: u64,
    /// Address of the contract `Records`.
    pub records: Address,
}

impl TypedDomain {
    /// The domain separator of {name "MediBloc", version "1", chainId, verifyingContract} (EIP-712).
    pub fn separator(&self) -> [u8; 32] {
        domain_separator("MediBloc", "1", self.chain_id, self.records)
    }

    /// The digest that is signed for a struct with this hash.
    pub fn digest(&self, struct_hash: [u8; 32]) -> [u8; 32] {
        typed_digest(self.separator(), struct_hash)
    }
}

/// The separator of a domain with the four usual fields (EIP-712, section "Definition of domainSeparator").
pub fn domain_separator(name: &str, version: &str, chain_id: u64, contract: Address) -> [u8; 32] {
    const TYPE: &[u8] =
        b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
    Abi::new()
        .word(keccak256(TYPE))
        .word(keccak256(name.as_bytes()))
        .word(keccak256(version.as_bytes()))
        .uint(chain_id)
        .address(contract)
        .keccak256()
}

/// keccak256(0x19 ‖ 0x01 ‖ separator ‖ struct hash).
pub fn typed_digest(separator: [u8; 32], struct_hash: [u8; 32]) -> [u8; 32] {
    keccak256(&[&[0x19, 0x01], separator.as_slice(), struct_hash.as_slice()].concat())
}

/// What an author says of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The record.
    pub record: RecordId,
    /// The owner.
    pub owner: AccountId,
    /// SHA-256 of the package.
    pub package: Digest,
    /// Salted Merkle root over the parts.
    #[serde(with = "serde_bytes")]
    pub parts_root: [u8; 32],
    /// Kind.
    pub kind: Kind,
    /// Class on chain.
    pub class: ClassId,
    /// When it was signed.
    pub authored_at: Timestamp,
    /// The record that it corrects.
    pub amends: Option<RecordId>,
}

impl Attestation {
    /// The struct hash (EIP-712, section "Definition of hashStruct").
    pub fn struct_hash(&self) -> [u8; 32] {
        const TYPE: &[u8] = b"Attestation(bytes32 recordId,address owner,bytes32 packageDigest,bytes32 partsRoot,uint8 kind,uint8 categoryClass,uint64 authoredAt,bytes32 amends)";
        Abi::new()
            .word(keccak256(TYPE))
            .word(self.record.to_bytes())
            .account(self.owner)
            .word(self.package.to_bytes())
            .word(self.parts_root)
            .uint(u64::from(self.kind.code()))
            .uint(u64::from(self.class.0))
            .uint(self.authored_at.0)
            .word(self.amends.map_or([0; 32], RecordId::to_bytes))
            .keccak256()
    }

    /// The digest that the author signs.
    pub fn digest(&self, domain: &TypedDomain) -> [u8; 32] {
        domain.digest(self.struct_hash())
    }
}

/// An attestation with its author's signature; one DAG-CBOR block whose digest is in the anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAttestation {
    /// 1.
    pub version: u8,
    /// The words.
    pub attestation: Attestation,
    /// The author's account.
    pub author: AccountId,
    /// Signature over the digest, or over the batch root if `path` is not empty.
    pub signature: Signature,
    /// Merkle path to the batch root; empty if signed alone.
    pub path: Vec<serde_bytes::ByteArray<32>>,
}

impl SignedAttestation {
    /// An attestation signed alone.
    pub const fn new(attestation: Attestation, author: AccountId, signature: Signature) -> Self {
        Self {
            version: 1,
            attestation,
            author,
            signature,
            path: Vec::new(),
        }
    }

    /// Its block.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::to_vec(self)
    }

    /// The attestation in a block. The signature is checked by `keys`.
    ///
    /// # Errors
    /// If the bytes are not an attestation of version 1.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealedError> {
        let object = "attestation";
        if bytes.len() > MAX_BLOCK {
            return Err(SealedError::TooLarge {
                object,
                length: bytes.len(),
            });
        }
        let signed: Self =
            cbor::from_slice(bytes).map_err(|source| SealedError::Malformed { object, source })?;
        if signed.version != 1 {
            return Err(SealedError::Version {
                object,
                version: signed.version,
                suite: 1,
            });
        }
        if signed.path.len() > MOST_PATH {
            return Err(SealedError::Rule {
                object,
                rule: "its path to the batch's root has at most 32 steps",
            });
        }
        Ok(signed)
    }

    /// The digest that the signature is over (EIP-712; a batch signs `AttestationBatch(bytes32 root)`).
    pub fn signed_digest(&self, domain: &TypedDomain) -> [u8; 32] {
        if self.path.is_empty() {
            return self.attestation.digest(domain);
        }
        let leaf = keccak256(&self.attestation.struct_hash());
        let root = self.path.iter().fold(leaf, |node, other| {
            let other: &[u8] = &other[..];
            if node.as_slice() <= other {
                keccak256(&[node.as_slice(), other].concat())
            } else {
                keccak256(&[other, node.as_slice()].concat())
            }
        });
        let hash = Abi::new()
            .word(keccak256(b"AttestationBatch(bytes32 root)"))
            .word(root)
            .keccak256();
        domain.digest(hash)
    }
}
