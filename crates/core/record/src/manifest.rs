//! The manifest: the sealed description of a record. Nothing of it is visible outside.

use medibloc_dag::{Cid, MOST_BYTES, cbor};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::{
    AccountId, Category, ClassId, Digest, Kind, MOST_PARTS, RecordId, SUITE_1, SealedError,
    Sensitivity, Timestamp, sealed::are_different,
};

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PartRole {
    /// The source, byte for byte.
    Original,
    /// Its FHIR R4 form.
    Fhir,
    /// A picture of it.
    Thumbnail,
    /// What helps to find and judge it: the loss report.
    Index,
}

/// The Crypt4GH data key of one part. Wiped on drop, never printed.
// In an allocation of its own: what is moved is the pointer, so no place that it was moved out of keeps the bytes.
#[derive(PartialEq, Eq)]
pub struct PartKey(Box<Zeroizing<[u8; 32]>>);

impl PartKey {
    /// The key with these bytes; other copies of them are the caller's to wipe.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self::copied(&Zeroizing::new(bytes))
    }

    /// The key with a copy of these bytes, which are not moved; none unless they are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::copied)
    }

    /// The bytes, for the cipher alone.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn copied(bytes: &[u8; 32]) -> Self {
        let mut kept = Box::new(Zeroizing::new([0; 32]));
        kept.copy_from_slice(bytes);
        Self(kept)
    }
}

impl Clone for PartKey {
    fn clone(&self) -> Self {
        Self::copied(self.expose())
    }
}

impl Serialize for PartKey {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.expose())
    }
}

impl<'de> Deserialize<'de> for PartKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = PartKey;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("a key of 32 bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<PartKey, E> {
                PartKey::from_slice(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }
        }

        from.deserialize_bytes(Bytes)
    }
}

impl core::fmt::Debug for PartKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PartKey(…)")
    }
}

/// 32 random bytes that blind a hash.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Salt(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl core::fmt::Debug for Salt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Salt(…)")
    }
}

/// One payload, as the manifest tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPart {
    /// What it is.
    pub role: PartRole,
    /// Its media type.
    pub media_type: String,
    /// True length of the plaintext in bytes, before padding.
    pub length: u64,
    /// SHA-256 of the plaintext, before padding.
    pub plaintext: Digest,
    /// Root of its ciphertext (Crypt4GH data segments, no header).
    pub cid: Cid,
    /// Its data key.
    pub key: PartKey,
    /// Blinds its leaf of `partsRoot`.
    pub salt: Salt,
}

/// The times of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordTimes {
    /// When the author signed.
    pub authored_at: Timestamp,
    /// When the document says that it was written (FHIR dateTime).
    pub written: Option<String>,
}

/// The sealed description of a record (design 02).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this form: 1.
    pub version: u8,
    /// The record.
    pub record: RecordId,
    /// Who wrote it.
    pub kind: Kind,
    /// What it is about.
    pub category: Category,
    /// How carefully it must be shared.
    pub sensitivity: Sensitivity,
    /// The class on chain.
    pub class: ClassId,
    /// Its times.
    pub times: RecordTimes,
    /// The author.
    pub author: AccountId,
    /// The record that it corrects.
    pub amends: Option<RecordId>,
    /// The payloads.
    pub parts: Vec<ManifestPart>,
    /// Title for people.
    pub title: Option<String>,
    /// Language (BCP 47).
    pub language: Option<String>,
}

/// Bytes of a media type, at most.
pub const MOST_MEDIA_TYPE: usize = 255;
/// Bytes of a title, at most.
pub const MOST_TITLE: usize = 4096;
/// Bytes of a language tag (BCP 47) or a date (FHIR dateTime), at most.
pub const MOST_TAG: usize = 64;

impl Manifest {
    /// The manifest in these bytes.
    ///
    /// # Errors
    /// If they are not a manifest of version 1, or a number or text in it is over its bound.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealedError> {
        let object = "manifest";
        let manifest: Self =
            cbor::from_slice(bytes).map_err(|source| SealedError::Malformed { object, source })?;
        if manifest.version != 1 {
            return Err(SealedError::Version {
                object,
                version: manifest.version,
                suite: SUITE_1,
            });
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks that what it says is within the bounds of docs/format/sealed-record.md.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self) -> Result<(), SealedError> {
        let rule = |rule| SealedError::Rule {
            object: "manifest",
            rule,
        };
        if self.parts.is_empty() || self.parts.len() > MOST_PARTS {
            return Err(rule("it has at least one part and at most 256"));
        }
        if !are_different(self.parts.iter().map(|part| &part.cid)) {
            return Err(rule("no part stands in it twice"));
        }
        let long = |text: &Option<String>, most| text.as_ref().is_some_and(|it| it.len() > most);
        if long(&self.title, MOST_TITLE) {
            return Err(rule("its title has at most 4,096 bytes"));
        }
        if long(&self.language, MOST_TAG) || long(&self.times.written, MOST_TAG) {
            return Err(rule("language and date have at most 64 bytes"));
        }
        if self
            .parts
            .iter()
            .any(|part| part.media_type.len() > MOST_MEDIA_TYPE)
        {
            return Err(rule("a media type has at most 255 bytes"));
        }
        let total = self
            .parts
            .iter()
            .try_fold(0u64, |sum, part| sum.checked_add(part.length));
        if total.is_none_or(|total| total > MOST_BYTES) {
            return Err(rule("its parts have at most 1 TiB together"));
        }
        Ok(())
    }

    /// The first part with this role.
    pub fn part(&self, role: PartRole) -> Option<&ManifestPart> {
        self.parts.iter().find(|part| part.role == role)
    }

    /// The salted Merkle root over the parts (see docs/format/sealed-record.md).
    pub fn parts_root(&self) -> [u8; 32] {
        let leaves: Vec<[u8; 32]> = self
            .parts
            .iter()
            .map(|part| crate::salted_leaf(&part.salt.0, &part.plaintext))
            .collect();
        crate::merkle_root(&leaves)
    }
}
