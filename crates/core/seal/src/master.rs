//! The two-key rule: the owner's half, the keepers' half, and the master key that both make.

use hkdf::Hkdf;
use medibloc_keys::{
    DealerSeed, Dealing, Entropy, KeeperHalf, KeysError, SealingSecret, hpke_open, hpke_seal, info,
};
use medibloc_record::{
    AccountId, Capsule, FORMAT_VERSION, KeySet, RecordId, SUITE_1, SealingKey, TypedDomain, Wrapped,
};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::SealError;

/// Between whom a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordParties {
    /// The record.
    pub record: RecordId,
    /// Who wrote it.
    pub author: AccountId,
    /// Whose it is.
    pub owner: AccountId,
}

/// k_o: the owner's half. Wiped on drop.
// In an allocation of its own: what is moved is the pointer, so no place that it was moved out of keeps the bytes.
pub struct OwnerHalf(Box<Zeroizing<[u8; 32]>>);

impl OwnerHalf {
    /// The half with these bytes; other copies of them are the caller's to wipe.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self::copied(&Zeroizing::new(bytes))
    }

    /// The half with a copy of these bytes, which are not moved; none unless they are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::copied)
    }

    /// The bytes, for a grant's key list alone.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn copied(bytes: &[u8; 32]) -> Self {
        let mut kept = Box::new(Zeroizing::new([0; 32]));
        kept.copy_from_slice(bytes);
        Self(kept)
    }
}

impl Clone for OwnerHalf {
    fn clone(&self) -> Self {
        Self::copied(self.expose())
    }
}

impl core::fmt::Debug for OwnerHalf {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OwnerHalf(…)")
    }
}

/// MK: opens the manifest. Never stored; wiped on drop.
// In an allocation of its own, as the halves.
pub struct MasterKey(Box<Zeroizing<[u8; 32]>>);

impl MasterKey {
    /// HKDF-SHA256(k_o ‖ k_k, salt = record id, info = "medibloc/v1/mk").
    pub fn from_halves(record: RecordId, owner: &OwnerHalf, keepers: &KeeperHalf) -> Self {
        let mut both = Zeroizing::new([0; 64]);
        both[..32].copy_from_slice(owner.expose());
        both[32..].copy_from_slice(keepers.expose());
        let mut key = Box::new(Zeroizing::new([0; 32]));
        Hkdf::<Sha256>::new(Some(record.as_bytes()), both.as_ref())
            .expand(b"medibloc/v1/mk", key.as_mut_slice())
            .expect("32 bytes are within HKDF's limit");
        Self(key)
    }

    /// HKDF-Expand(MK, label).
    pub(crate) fn expand(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::from_prk(self.0.as_slice())
            .expect("32 bytes are a key of SHA-256's length")
            .expand(label, key.as_mut())
            .expect("32 bytes are within HKDF's limit");
        key
    }

    /// HKDF-Expand(MK, "commit").
    pub(crate) fn commitment(&self) -> [u8; 32] {
        *self.expand(b"commit")
    }
}

impl core::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// What a capsule holds.
#[derive(Clone, Debug)]
pub struct CapsuleContent {
    /// k_o.
    pub owner_half: OwnerHalf,
    /// s.
    pub dealer_seed: DealerSeed,
}

/// The capsule for the owner's sealing key.
///
/// # Errors
/// If the key is no key.
pub fn seal_capsule(
    content: &CapsuleContent,
    to: &SealingKey,
    parties: &RecordParties,
    domain: &TypedDomain,
    entropy: &mut dyn Entropy,
) -> Result<Capsule, SealError> {
    let info = info::capsule(domain, parties.record, parties.author, parties.owner);
    let mut plain = Zeroizing::new([0; 64]);
    plain[..32].copy_from_slice(content.owner_half.expose());
    plain[32..].copy_from_slice(content.dealer_seed.expose());
    let wrapped = hpke_seal(to, &info, plain.as_ref(), entropy)?;
    Ok(Capsule {
        version: FORMAT_VERSION,
        suite: SUITE_1,
        wrapped,
    })
}

/// Opens a capsule with the owner's sealing key.
///
/// # Errors
/// If it was made for another key, record or chain, or was changed.
pub fn open_capsule(
    capsule: &Capsule,
    secret: &SealingSecret,
    parties: &RecordParties,
    domain: &TypedDomain,
) -> Result<CapsuleContent, SealError> {
    let info = info::capsule(domain, parties.record, parties.author, parties.owner);
    let plain = hpke_open(secret, &info, &capsule.wrapped)?;
    let content = || {
        let (owner, seed) = plain.split_at_checked(32)?;
        Some(CapsuleContent {
            owner_half: OwnerHalf::from_slice(owner)?,
            dealer_seed: DealerSeed::from_slice(seed)?,
        })
    };
    content().ok_or(SealError::Check("the capsule has not 64 bytes"))
}

/// The capsule again, for the owner's next sealing key: what a rotation of that key needs, record by record. The record
/// itself does not change, and the old capsule still opens with the old key.
///
/// # Errors
/// If the old capsule does not open, or the new key is not of a later version.
pub fn recapsule(
    capsule: &Capsule,
    current: &SealingSecret,
    next: &SealingKey,
    parties: &RecordParties,
    domain: &TypedDomain,
    entropy: &mut dyn Entropy,
) -> Result<Capsule, SealError> {
    if next.version <= current.version() {
        return Err(SealError::KeyVersion {
            current: current.version(),
            offered: next.version,
        });
    }
    let content = open_capsule(capsule, current, parties, domain)?;
    seal_capsule(&content, next, parties, domain, entropy)
}

/// Share `index` of a record, wrapped to a keeper's key.
///
/// # Errors
/// If the index is not of the committee, or the key is no key.
pub fn wrap_share(
    seed: &DealerSeed,
    key_set: &KeySet,
    parties: &RecordParties,
    (index, keeper_key): (u8, &SealingKey),
    domain: &TypedDomain,
    entropy: &mut dyn Entropy,
) -> Result<Wrapped, SealError> {
    let dealing = Dealing::from_seed(seed, parties.record, key_set.committee.threshold);
    let share = dealing.share(index).ok_or(KeysError::Share { index })?;
    let info = info::share(
        domain,
        parties.record,
        parties.author,
        parties.owner,
        key_set.committee.id,
        index,
        keeper_key.version,
    );
    Ok(hpke_seal(keeper_key, &info, share.expose(), entropy)?)
}
