//! The sealed forms: what rests on storage nodes and what the chain names by digest.

use std::collections::BTreeSet;

use medibloc_dag::{Budget, Cid, Codec, DagError, MAX_BLOCK, Walk, cbor};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Committee, Digest, RecordId};

/// Version of package, key set, capsule and attestation.
pub const FORMAT_VERSION: u8 = 1;

/// HPKE DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, base mode; Crypt4GH v1 payloads.
pub const SUITE_1: u8 = 1;

/// Parts of a record, at most. A document has its original, its FHIR form and its index, and some have attachments; each
/// part costs whoever checks it a walk, a hash and a row.
pub const MOST_PARTS: usize = 256;

/// Bytes of a manifest's ciphertext, at most: 1 MiB and its tag, several times what so many parts take.
pub const MOST_MANIFEST: u64 = (1 << 20) + 16;

/// Bytes of a capsule's ciphertext: two halves and the tag.
pub const CAPSULE: usize = 80;

/// Why bytes are not a sealed record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealedError {
    /// Over one block.
    #[error(
        "the {object} has {length} bytes, the limit is 1 MiB; it was not made by this platform"
    )]
    TooLarge {
        /// Which object.
        object: &'static str,
        /// Its bytes.
        length: usize,
    },
    /// Not the object.
    #[error("the {object} is not valid; fetch it again from another node")]
    Malformed {
        /// Which object.
        object: &'static str,
        /// What the decoder says.
        #[source]
        source: DagError,
    },
    /// Another version or suite.
    #[error(
        "the {object} has version {version}, suite {suite}; this program knows version 1, suite 1: update it"
    )]
    Version {
        /// Which object.
        object: &'static str,
        /// Its version.
        version: u8,
        /// Its suite.
        suite: u8,
    },
    /// It costs more than a record may.
    #[error(
        "the {object} needs more than {most} {unit} of work, and nothing that this platform makes does: ask its author to make it again"
    )]
    Work {
        /// Which object.
        object: &'static str,
        /// The limit.
        most: u64,
        /// Of what: blocks or bytes.
        unit: &'static str,
    },
    /// The parts' shape breaks a rule.
    #[error("the {object} breaks a rule: {rule}")]
    Rule {
        /// Which object.
        object: &'static str,
        /// The rule.
        rule: &'static str,
    },
}

/// An HPKE ciphertext with the recipient's key version (RFC 9180, suite 1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrapped {
    /// Version of the recipient's key.
    pub key_version: u32,
    /// The encapsulated key.
    #[serde(with = "serde_bytes")]
    pub enc: [u8; 32],
    /// The ciphertext.
    #[serde(with = "serde_bytes")]
    pub ciphertext: Vec<u8>,
}

impl core::fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "Wrapped(key v{}, {} bytes)",
            self.key_version,
            self.ciphertext.len()
        )
    }
}

/// One payload, as the package tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackagePart {
    /// Root of the ciphertext.
    pub cid: Cid,
    /// Bytes of the ciphertext.
    pub size: u64,
}

/// The package: its digest is anchored (design 02).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// [`FORMAT_VERSION`].
    pub version: u8,
    /// [`SUITE_1`].
    pub suite: u8,
    /// The record.
    pub record: RecordId,
    /// Nonce of the manifest's cipher.
    #[serde(with = "serde_bytes")]
    pub manifest_nonce: [u8; 24],
    /// The manifest's ciphertext, if it fits.
    #[serde(with = "serde_bytes")]
    pub manifest: Vec<u8>,
    /// Where the manifest's ciphertext is if it does not fit: a UnixFS file.
    pub manifest_cid: Option<Cid>,
    /// HKDF-Expand(MK, "commit").
    #[serde(with = "serde_bytes")]
    pub key_commitment: [u8; 32],
    /// The payloads.
    pub parts: Vec<PackagePart>,
}

/// The key set: the public side of the two-key rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// [`FORMAT_VERSION`].
    pub version: u8,
    /// [`SUITE_1`].
    pub suite: u8,
    /// Whose keepers hold the shares.
    pub committee: Committee,
    /// t Feldman commitments a_j·G, compressed ristretto255 (RFC 9496).
    pub commitments: Vec<serde_bytes::ByteArray<32>>,
    /// SHA-256("medibloc/v1/owner-half" ‖ record id ‖ k_o).
    #[serde(with = "serde_bytes")]
    pub owner_half: [u8; 32],
}

/// The owner's capsule: HPKE(owner's sealing key, k_o ‖ s).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capsule {
    /// [`FORMAT_VERSION`].
    pub version: u8,
    /// [`SUITE_1`].
    pub suite: u8,
    /// The wrap.
    pub wrapped: Wrapped,
}

/// How often the owner replaced the capsule; 0 is the author's.
pub type CapsuleVersion = u32;

/// A sealed record: package, key set and capsule, each one block, with the CIDs of its payloads.
/// Made only by [`Sealed::parse`], so holding one means that the three parse and fit together.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    package_bytes: Vec<u8>,
    key_set_bytes: Vec<u8>,
    capsule_bytes: Vec<u8>,
    package: Package,
    key_set: KeySet,
    capsule: Capsule,
}

impl Sealed {
    /// The sealed record in these three blocks.
    ///
    /// # Errors
    /// Names the object that is too large, malformed, of another version, or breaks a rule.
    pub fn parse(
        package: Vec<u8>,
        key_set: Vec<u8>,
        capsule: Vec<u8>,
    ) -> Result<Self, SealedError> {
        let parsed = Package::parse(&package)?;
        let key_set_parsed = KeySet::parse(&key_set)?;
        let capsule_parsed = Capsule::parse(&capsule)?;
        Ok(Self {
            package_bytes: package,
            key_set_bytes: key_set,
            capsule_bytes: capsule,
            package: parsed,
            key_set: key_set_parsed,
            capsule: capsule_parsed,
        })
    }

    /// The record's id.
    pub const fn record(&self) -> RecordId {
        self.package.record
    }

    /// The package.
    pub const fn package(&self) -> &Package {
        &self.package
    }

    /// The key set.
    pub const fn key_set(&self) -> &KeySet {
        &self.key_set
    }

    /// The capsule.
    pub const fn capsule(&self) -> &Capsule {
        &self.capsule
    }

    /// The package's block.
    pub fn package_bytes(&self) -> &[u8] {
        &self.package_bytes
    }

    /// The key set's block.
    pub fn key_set_bytes(&self) -> &[u8] {
        &self.key_set_bytes
    }

    /// The capsule's block.
    pub fn capsule_bytes(&self) -> &[u8] {
        &self.capsule_bytes
    }

    /// Digest of the package, as anchored.
    pub fn package_digest(&self) -> Digest {
        Digest::of(&self.package_bytes)
    }

    /// Digest of the key set, as anchored.
    pub fn key_set_digest(&self) -> Digest {
        Digest::of(&self.key_set_bytes)
    }

    /// Digest of the capsule, as anchored.
    pub fn capsule_digest(&self) -> Digest {
        Digest::of(&self.capsule_bytes)
    }

    /// The same record with the ciphertext of its linked manifest at hand; its blocks and digests stay as they are.
    #[must_use]
    pub fn with_manifest(mut self, ciphertext: Vec<u8>) -> Self {
        self.package.manifest = ciphertext;
        self
    }

    /// The walks over everything that must be stored beside the three blocks, as [`Package::walks`].
    pub fn walks<'a>(
        &'a self,
        budget: &'a mut Budget,
    ) -> impl Iterator<Item = Result<Walk, DagError>> + 'a {
        self.package.walks(budget)
    }

    /// Roots of everything that must be stored beside the three blocks.
    pub fn payload_roots(&self) -> impl Iterator<Item = &Cid> {
        self.package
            .parts
            .iter()
            .map(|part| &part.cid)
            .chain(self.package.manifest_cid.as_ref())
    }
}

impl core::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sealed")
            .field("record", &self.record())
            .finish_non_exhaustive()
    }
}

fn parse<T: DeserializeOwned + Serialize>(
    object: &'static str,
    bytes: &[u8],
) -> Result<T, SealedError> {
    if bytes.len() > MAX_BLOCK {
        return Err(SealedError::TooLarge {
            object,
            length: bytes.len(),
        });
    }
    cbor::from_slice(bytes).map_err(|source| SealedError::Malformed { object, source })
}

fn check_version(object: &'static str, version: u8, suite: u8) -> Result<(), SealedError> {
    if version == FORMAT_VERSION && suite == SUITE_1 {
        return Ok(());
    }
    Err(SealedError::Version {
        object,
        version,
        suite,
    })
}

/// Whether no part is there twice: it would cost as often as it is named.
pub(crate) fn are_different<'a>(mut parts: impl Iterator<Item = &'a Cid>) -> bool {
    let mut seen = BTreeSet::new();
    parts.all(|cid| seen.insert(cid))
}

impl Package {
    /// The package in this block.
    ///
    /// # Errors
    /// See [`Sealed::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SealedError> {
        let package: Self = parse("package", bytes)?;
        check_version("package", package.version, package.suite)?;
        let rule = |rule| SealedError::Rule {
            object: "package",
            rule,
        };
        if package.parts.is_empty() || package.parts.len() > MOST_PARTS {
            return Err(rule("it has at least one part and at most 256"));
        }
        if !are_different(package.parts.iter().map(|part| &part.cid)) {
            return Err(rule("no part stands in it twice"));
        }
        if package.parts.iter().any(|part| part.size == 0) {
            return Err(rule("no part is empty"));
        }
        let roots = package.parts.iter().map(|part| &part.cid);
        if roots
            .chain(package.manifest_cid.as_ref())
            .any(|cid| cid.codec() == Codec::DagCbor)
        {
            return Err(rule("its parts and its linked manifest are files"));
        }
        // What it says costs nothing before this.
        for walk in package.walks(&mut Budget::of_record()) {
            walk.map_err(|source| match source {
                DagError::Budget { most, unit } => SealedError::Work {
                    object: "record",
                    most,
                    unit,
                },
                source => SealedError::Malformed {
                    object: "package",
                    source,
                },
            })?;
        }
        if package.manifest.is_empty() != package.manifest_cid.is_some() {
            return Err(rule("the manifest is either inside or linked"));
        }
        Ok(package)
    }
}

impl Package {
    /// The walks over its payloads and its linked manifest, all at the cost of one record's budget. The manifest's size is
    /// not known before its root came; it is bounded by [`MOST_MANIFEST`].
    pub fn walks<'a>(
        &'a self,
        budget: &'a mut Budget,
    ) -> impl Iterator<Item = Result<Walk, DagError>> + 'a {
        let files = self.parts.iter().map(|part| (part.cid, Some(part.size)));
        let manifest = self.manifest_cid.map(|cid| (cid, None));
        files.chain(manifest).map(|(cid, size)| match size {
            Some(size) => Walk::within(cid, size, budget.file(size)?),
            None => Walk::of_unknown_size(cid, budget.file(MOST_MANIFEST)?),
        })
    }
}

impl KeySet {
    /// The key set in this block.
    ///
    /// # Errors
    /// See [`Sealed::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SealedError> {
        let set: Self = parse("key set", bytes)?;
        check_version("key set", set.version, set.suite)?;
        let (n, t) = (set.committee.threshold.n(), set.committee.threshold.t());
        let rule = |rule| SealedError::Rule {
            object: "key set",
            rule,
        };
        if crate::Threshold::new(n, t).is_err() {
            return Err(rule("1 ≤ t ≤ n ≤ 64"));
        }
        if set.commitments.len() != usize::from(t) {
            return Err(rule("it has exactly t commitments"));
        }
        Ok(set)
    }
}

impl Capsule {
    /// The capsule in this block.
    ///
    /// # Errors
    /// See [`Sealed::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SealedError> {
        let capsule: Self = parse("capsule", bytes)?;
        check_version("capsule", capsule.version, capsule.suite)?;
        if capsule.wrapped.ciphertext.len() != CAPSULE {
            return Err(SealedError::Rule {
                object: "capsule",
                rule: "its ciphertext has 80 bytes",
            });
        }
        Ok(capsule)
    }
}

/// The hash that binds the owner's half into the key set.
pub(crate) const OWNER_HALF_LABEL: &[u8] = b"medibloc/v1/owner-half";

impl KeySet {
    /// SHA-256(label ‖ record id ‖ k_o), as `owner_half` must be.
    pub fn owner_half_hash(record: RecordId, k_o: &[u8; 32]) -> [u8; 32] {
        Digest::of(&[OWNER_HALF_LABEL, record.as_bytes(), k_o].concat()).to_bytes()
    }
}
