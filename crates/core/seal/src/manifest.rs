//! The manifest's own seal: XChaCha20-Poly1305 under HKDF-Expand(MK, "manifest"), AAD = version ‖ record id.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use medibloc_dag::unixfs::read_all;
use medibloc_dag::{BlockSource, DagError, cbor};
use medibloc_record::{FORMAT_VERSION, MOST_MANIFEST, Manifest, Package, RecordId, Sealed};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::body::{padded, resting};
use crate::{MasterKey, SealError};

/// Largest ciphertext of a manifest that stands in its package; a larger one is a file of its own.
pub(crate) const MOST_INSIDE: usize = 900 << 10;
/// Largest ciphertext of a manifest at all.
const MOST: usize = 1 << 20;

fn aad(record: RecordId) -> Vec<u8> {
    [&[FORMAT_VERSION], record.as_bytes().as_slice()].concat()
}

pub(crate) fn seal_manifest(
    manifest: &Manifest,
    key: &MasterKey,
    nonce: &[u8; 24],
) -> Result<Vec<u8>, SealError> {
    manifest.check()?;
    let bytes = Zeroizing::new(cbor::to_vec(manifest));
    dangerous_seal_manifest(&bytes, manifest.record, key, nonce)
}

/// Seals any bytes as the manifest of a record: none of the bounds of a manifest is checked. For attacks in tests, whose
/// author has every key and follows no rule.
///
/// # Errors
/// If they are more than 1 MiB.
pub fn dangerous_seal_manifest(
    bytes: &[u8],
    record: RecordId,
    key: &MasterKey,
    nonce: &[u8; 24],
) -> Result<Vec<u8>, SealError> {
    let mut plain = Zeroizing::new(Vec::new());
    plain.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    plain.extend_from_slice(bytes);
    let length = usize::try_from(padded(plain.len() as u64)).unwrap_or(usize::MAX);
    if length > MOST {
        return Err(SealError::ManifestTooLarge {
            length: bytes.len(),
        });
    }
    plain.resize(length, 0);
    let cipher = XChaCha20Poly1305::new(&(*key.expand(b"manifest")).into());
    cipher
        .encrypt(
            &XNonce::from(*nonce),
            Payload {
                msg: &plain,
                aad: &aad(record),
            },
        )
        .map_err(|_| SealError::Manifest)
}

/// The package with its linked manifest's ciphertext at hand, ready for [`open_manifest`]; one whose manifest stands
/// inside comes back as it is.
///
/// # Errors
/// If a block of the manifest is missing or changed, or it is over 1 MiB.
pub fn with_manifest(mut package: Package, source: &dyn BlockSource) -> Result<Package, SealError> {
    if let Some(ciphertext) = linked(&package, source)? {
        package.manifest = ciphertext;
    }
    Ok(package)
}

/// As [`with_manifest`], for all three blocks of a record.
///
/// # Errors
/// As [`with_manifest`].
pub fn sealed_with_manifest(sealed: Sealed, source: &dyn BlockSource) -> Result<Sealed, SealError> {
    Ok(match linked(sealed.package(), source)? {
        Some(ciphertext) => sealed.with_manifest(ciphertext),
        None => sealed,
    })
}

fn linked(package: &Package, source: &dyn BlockSource) -> Result<Option<Vec<u8>>, SealError> {
    let Some(cid) = package.manifest_cid.filter(|_| package.manifest.is_empty()) else {
        return Ok(None);
    };
    Ok(Some(read_all(&cid, source, MOST_MANIFEST)?))
}

/// The manifest of a package.
///
/// # Errors
/// If a linked manifest was not loaded ([`with_manifest`]), the key commitment or the seal does not fit, or package and manifest name different records or parts.
pub fn open_manifest(package: &Package, key: &MasterKey) -> Result<Manifest, SealError> {
    if !bool::from(key.commitment()[..].ct_eq(&package.key_commitment[..])) {
        return Err(SealError::Check("the key commitment is another key's"));
    }
    if let (true, Some(cid)) = (package.manifest.is_empty(), package.manifest_cid) {
        return Err(DagError::Missing { cid }.into());
    }
    let cipher = XChaCha20Poly1305::new(&(*key.expand(b"manifest")).into());
    let payload = Payload {
        msg: &package.manifest,
        aad: &aad(package.record),
    };
    let plain = Zeroizing::new(
        cipher
            .decrypt(&XNonce::from(package.manifest_nonce), payload)
            .map_err(|_| SealError::Manifest)?,
    );
    let (head, rest) = plain.split_at_checked(4).ok_or(SealError::Manifest)?;
    let length = u32::from_be_bytes(head.try_into().map_err(|_| SealError::Manifest)?) as usize;
    let bytes = rest.get(..length).ok_or(SealError::Manifest)?;
    if padded(length as u64 + 4) != plain.len() as u64 || rest[length..].iter().any(|it| *it != 0) {
        return Err(SealError::Check(
            "the manifest is not padded with zeros to its length",
        ));
    }
    let manifest = Manifest::parse(bytes)?;
    if manifest.record != package.record {
        return Err(SealError::Check("the manifest is another record's"));
    }
    const DIFFERENT: SealError = SealError::Check("manifest and package name different parts");
    if manifest.parts.len() != package.parts.len() {
        return Err(DIFFERENT);
    }
    for (inside, outside) in manifest.parts.iter().zip(&package.parts) {
        if inside.cid != outside.cid || resting(inside.length)? != outside.size {
            return Err(DIFFERENT);
        }
    }
    Ok(manifest)
}
