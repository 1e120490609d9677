//! Sealing: payloads stream through the cipher into blocks; package, key set and capsule follow.

use medibloc_dag::unixfs::{FileBuilder, LEAF};
use medibloc_dag::{Block, Cid, Codec, MAX_BLOCK, cbor};
use medibloc_keys::{DealerSeed, Dealing, Entropy};
use medibloc_record::{
    AccountId, Attestation, Committee, Digest, FORMAT_VERSION, KeySet, MOST_PARTS, Manifest,
    ManifestPart, Nonce, Package, PackagePart, Part, PartKey, Record, RecordDetails, RecordId,
    RecordTimes, SUITE_1, Salt, Sealed, SealingKey, TypedDomain,
};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::SealError;
use crate::body::{
    OVERHEAD, SEGMENT, cipher, fill, nonces, padded, resting, seal_segments, sealed_length,
};
use crate::manifest::{MOST_INSIDE, seal_manifest};
use crate::master::{CapsuleContent, MasterKey, OwnerHalf, RecordParties, seal_capsule};

/// Plaintext that is worked on together: 4 MiB, so that several cores have leaves to hash.
const PARALLEL: usize = 64 * SEGMENT;

/// Why a sink kept no block.
#[derive(Debug, thiserror::Error)]
#[error("a sealed block cannot be kept: {why}")]
pub struct SinkError {
    /// What happened.
    pub why: String,
}

/// Takes sealed blocks as they come.
pub trait BlockSink {
    /// Keeps a block.
    fn put(&mut self, block: Block) -> Result<(), SinkError>;
}

/// Who writes for whom.
#[derive(Clone, Copy, Debug)]
pub struct Parties {
    /// The author's account.
    pub author: AccountId,
    /// The owner's.
    pub owner: AccountId,
    /// The owner's sealing key.
    pub owner_key: SealingKey,
    /// Makes the record's id random.
    pub nonce: Nonce,
}

/// A sealed record that is about to leave, with what its author must keep or sign.
#[derive(Debug)]
pub struct Outbound {
    /// What leaves.
    pub sealed: Sealed,
    /// Kept by the author until every keeper acknowledged.
    pub dealer_seed: DealerSeed,
    /// To be signed by the author.
    pub attestation: Attestation,
}

/// Seals a record: its blocks stream into `sink`, the rest is given.
///
/// # Errors
/// If a part has another length than declared, cannot be read, or a block cannot be kept.
pub fn seal(
    record: Record,
    parties: &Parties,
    committee: Committee,
    domain: &TypedDomain,
    entropy: &mut dyn Entropy,
    sink: &mut dyn BlockSink,
) -> Result<Outbound, SealError> {
    let count = record.parts().len();
    if count > MOST_PARTS {
        return Err(SealError::TooManyParts { parts: count });
    }
    let id = RecordId::derive(parties.author, parties.owner, parties.nonce);
    let between = RecordParties {
        record: id,
        author: parties.author,
        owner: parties.owner,
    };
    let (details, parts) = record.into_parts();
    let mut described = Vec::with_capacity(parts.len());
    for (number, part) in parts.into_iter().enumerate() {
        described.push(seal_part(number, part, entropy, sink)?);
    }
    let content = CapsuleContent {
        owner_half: OwnerHalf::new(random(entropy)),
        dealer_seed: DealerSeed::new(random(entropy)),
    };
    let dealing = Dealing::from_seed(&content.dealer_seed, id, committee.threshold);
    let master = MasterKey::from_halves(id, &content.owner_half, &dealing.keeper_half());
    let manifest = describe(id, parties, &details, described);
    let package = package(&manifest, &master, entropy, sink)?;
    let owner_half = KeySet::owner_half_hash(id, content.owner_half.expose());
    let key_set = key_set(&dealing, committee, owner_half);
    let capsule = seal_capsule(&content, &parties.owner_key, &between, domain, entropy)?;
    let sealed = Sealed::parse(
        cbor::to_vec(&package),
        cbor::to_vec(&key_set),
        cbor::to_vec(&capsule),
    )?;
    let attestation = Attestation {
        record: id,
        owner: parties.owner,
        package: sealed.package_digest(),
        parts_root: manifest.parts_root(),
        kind: details.kind,
        class: details.class,
        authored_at: details.authored_at,
        amends: details.amends,
    };
    Ok(Outbound {
        sealed,
        dealer_seed: content.dealer_seed,
        attestation,
    })
}

fn key_set(dealing: &Dealing, committee: Committee, owner_half: [u8; 32]) -> KeySet {
    let commitments = dealing.commitments().into_iter();
    KeySet {
        version: FORMAT_VERSION,
        suite: SUITE_1,
        committee,
        commitments: commitments.map(serde_bytes::ByteArray::new).collect(),
        owner_half,
    }
}

/// A sealed record for another committee. Both halves of its key stay, so package, capsule and attestation do, too; the key set and
/// its digest are others. Only while no keeper has a share: whoever has shares of both would need fewer of either.
///
/// # Errors
/// None that a record that was sealed here can have.
pub fn deal_anew(
    sealed: &Sealed,
    seed: &DealerSeed,
    committee: Committee,
) -> Result<Sealed, SealError> {
    let dealing = Dealing::from_seed(seed, sealed.record(), committee.threshold);
    let key_set = key_set(&dealing, committee, sealed.key_set().owner_half);
    Ok(Sealed::parse(
        sealed.package_bytes().to_vec(),
        cbor::to_vec(&key_set),
        sealed.capsule_bytes().to_vec(),
    )?)
}

fn random(entropy: &mut dyn Entropy) -> [u8; 32] {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    bytes
}

fn describe(
    id: RecordId,
    parties: &Parties,
    details: &RecordDetails,
    parts: Vec<ManifestPart>,
) -> Manifest {
    Manifest {
        version: 1,
        record: id,
        kind: details.kind,
        category: details.category,
        sensitivity: details.sensitivity,
        class: details.class,
        times: RecordTimes {
            authored_at: details.authored_at,
            written: details.written.clone(),
        },
        author: parties.author,
        amends: details.amends,
        parts,
        title: details.title.clone(),
        language: details.language.clone(),
    }
}

fn package(
    manifest: &Manifest,
    master: &MasterKey,
    entropy: &mut dyn Entropy,
    sink: &mut dyn BlockSink,
) -> Result<Package, SealError> {
    let mut manifest_nonce = [0; 24];
    entropy.fill(&mut manifest_nonce);
    let mut package = Package {
        version: FORMAT_VERSION,
        suite: SUITE_1,
        record: manifest.record,
        manifest_nonce,
        manifest: seal_manifest(manifest, master, &manifest_nonce)?,
        manifest_cid: None,
        key_commitment: master.commitment(),
        parts: manifest
            .parts
            .iter()
            .map(|part| PackagePart {
                cid: part.cid,
                size: sealed_length(padded(part.length)),
            })
            .collect(),
    };
    let inside = package.manifest.len() <= MOST_INSIDE && cbor::to_vec(&package).len() <= MAX_BLOCK;
    if !inside {
        let mut leaves = Leaves::new(sink);
        leaves.pending = core::mem::take(&mut package.manifest);
        leaves.cut()?;
        package.manifest_cid = Some(leaves.finish()?);
    }
    if cbor::to_vec(&package).len() > MAX_BLOCK {
        return Err(SealError::TooManyParts {
            parts: package.parts.len(),
        });
    }
    Ok(package)
}

fn seal_part(
    number: usize,
    mut part: Part,
    entropy: &mut dyn Entropy,
    sink: &mut dyn BlockSink,
) -> Result<ManifestPart, SealError> {
    let key = PartKey::new(random(entropy));
    let cipher = cipher(&key);
    resting(part.length)?;
    let mut leaves = Leaves::new(sink);
    let mut hash = Sha256::new();
    let (total, mut done, mut read) = (padded(part.length), 0u64, 0u64);
    let batch = usize::try_from(total).map_or(PARALLEL, |all| all.min(PARALLEL));
    let mut buffer = Zeroizing::new(vec![0u8; batch]);
    while done < total {
        let want = usize::try_from((total - done).min(buffer.len() as u64)).unwrap_or(buffer.len());
        let real = usize::try_from((part.length - read).min(want as u64)).unwrap_or(want);
        let got =
            fill(&mut part.content, &mut buffer[..real]).map_err(|source| SealError::Read {
                part: number,
                source,
            })?;
        if got < real {
            let got = read + got as u64;
            return Err(SealError::Length {
                part: number,
                declared: part.length,
                got,
            });
        }
        buffer[real..want].fill(0);
        let nonces = nonces(want, entropy);
        let (plain, hash) = (&buffer[..want], &mut hash);
        let before = leaves.pending.len();
        leaves
            .pending
            .resize(before + want + nonces.len() * OVERHEAD, 0);
        let pending = &mut leaves.pending[before..];
        rayon::join(
            || hash.update(&plain[..real]),
            || seal_segments(&cipher, plain, &nonces, pending),
        );
        leaves.cut()?;
        (done, read) = (done + want as u64, read + real as u64);
    }
    if fill(&mut part.content, &mut [0]).map_err(|source| SealError::Read {
        part: number,
        source,
    })? > 0
    {
        return Err(SealError::Length {
            part: number,
            declared: part.length,
            got: part.length + 1,
        });
    }
    Ok(ManifestPart {
        role: part.role,
        media_type: part.media_type,
        length: part.length,
        plaintext: Digest::new(hash.finalize().into()),
        cid: leaves.finish()?,
        key,
        salt: Salt(random(entropy)),
    })
}

/// Cuts ciphertext into leaves.
struct Leaves<'a> {
    pending: Vec<u8>,
    builder: FileBuilder,
    sink: &'a mut dyn BlockSink,
}

impl<'a> Leaves<'a> {
    fn new(sink: &'a mut dyn BlockSink) -> Self {
        Self {
            pending: Vec::new(),
            builder: FileBuilder::new(),
            sink,
        }
    }

    /// Gives the full leaves of what is pending to the sink.
    fn cut(&mut self) -> Result<(), SealError> {
        let full = self.pending.len() - self.pending.len() % LEAF;
        let blocks: Vec<_> = self.pending[..full]
            .par_chunks(LEAF)
            .map(|leaf| Block::of(Codec::Raw, leaf.to_vec()))
            .collect();
        self.pending.drain(..full);
        blocks.into_iter().try_for_each(|block| self.leaf(block?))
    }

    fn leaf(&mut self, block: Block) -> Result<(), SealError> {
        let length = block.bytes().len() as u64;
        let nodes = self.builder.push(*block.cid(), length)?;
        self.sink.put(block)?;
        nodes.into_iter().try_for_each(|node| self.sink.put(node))?;
        Ok(())
    }

    fn finish(mut self) -> Result<Cid, SealError> {
        if !self.pending.is_empty() {
            let last = core::mem::take(&mut self.pending);
            self.leaf(Block::of(Codec::Raw, last)?)?;
        }
        let (root, nodes) = self.builder.finish()?;
        nodes.into_iter().try_for_each(|node| self.sink.put(node))?;
        Ok(root)
    }
}
