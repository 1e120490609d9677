//! HPKE (RFC 9180), suite 1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, base mode.

use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::X25519HkdfSha256,
};
use medibloc_record::{SealingKey, Wrapped};
use zeroize::Zeroizing;

use crate::entropy::Rng;
use crate::{Entropy, KeysError, SealingSecret};

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type Encapped = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Wraps `plaintext` to a sealing key; `info` says for what and must be the same when opening.
///
/// # Errors
/// If the key is no key.
pub fn hpke_seal(
    to: &SealingKey,
    info: &[u8],
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Wrapped, KeysError> {
    seal(to, info, b"", plaintext, entropy)
}

fn seal(
    to: &SealingKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<Wrapped, KeysError> {
    let key = PublicKey::from_bytes(&to.key).map_err(|_| KeysError::Key)?;
    let (enc, ciphertext) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &key,
            info,
            plaintext,
            aad,
            &mut Rng(entropy),
        )
        .map_err(|_| KeysError::Key)?;
    let enc = enc
        .to_bytes()
        .as_slice()
        .try_into()
        .map_err(|_| KeysError::Key)?;
    Ok(Wrapped {
        key_version: to.version,
        enc,
        ciphertext,
    })
}

/// Opens a wrap.
///
/// # Errors
/// If it was made for another key or `info`, or was changed.
pub fn hpke_open(
    secret: &SealingSecret,
    info: &[u8],
    wrapped: &Wrapped,
) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    if wrapped.key_version != secret.version() {
        return Err(KeysError::Open {
            version: wrapped.key_version,
        });
    }
    open(&secret.to_bytes(), info, b"", wrapped)
}

fn open(
    secret: &[u8; 32],
    info: &[u8],
    aad: &[u8],
    wrapped: &Wrapped,
) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    let failed = || KeysError::Open {
        version: wrapped.key_version,
    };
    let key = PrivateKey::from_bytes(secret).map_err(|_| failed())?;
    let enc = Encapped::from_bytes(&wrapped.enc).map_err(|_| failed())?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key,
        &enc,
        info,
        &wrapped.ciphertext,
        aad,
    )
    .map(Zeroizing::new)
    .map_err(|_| failed())
}

/// A key for one reply of one keeper.
pub struct OneTimeKey(SealingSecret);

impl OneTimeKey {
    /// A fresh key.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        Self(SealingSecret::from_bytes(0, *bytes))
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.public().key
    }

    /// Opens the reply.
    ///
    /// # Errors
    /// As [`hpke_open`].
    pub fn open(&self, info: &[u8], wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, KeysError> {
        hpke_open(&self.0, info, wrapped)
    }
}

impl core::fmt::Debug for OneTimeKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OneTimeKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    /// Gives these bytes, which must suffice.
    struct Fixed(Vec<u8>);

    impl Entropy for Fixed {
        fn fill(&mut self, bytes: &mut [u8]) {
            let rest = self.0.split_off(bytes.len());
            bytes.copy_from_slice(&self.0);
            self.0 = rest;
        }
    }

    #[test]
    fn the_vector_of_rfc_9180_seals_and_opens() {
        let vector: serde_json::Value =
            serde_json::from_str(include_str!("../../../../testdata/vectors/hpke.json")).unwrap();
        let get = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
        let secret = SealingSecret::from_bytes(1, get("sk_r").try_into().unwrap());
        assert_eq!(secret.public().key[..], get("pk_r"));
        let (info, aad, plain) = (get("info"), get("aad"), get("plaintext"));
        let mut ephemeral = Fixed(get("ikm_e"));
        let wrapped = seal(&secret.public(), &info, &aad, &plain, &mut ephemeral).unwrap();
        assert_eq!(wrapped.enc[..], get("enc"));
        assert_eq!(wrapped.ciphertext, get("ciphertext"));
        let opened = open(&secret.to_bytes(), &info, &aad, &wrapped).unwrap();
        assert_eq!(*opened, plain);
        assert!(open(&secret.to_bytes(), &info, b"", &wrapped).is_err());
    }

    #[test]
    fn a_wrap_opens_for_its_key_and_purpose_alone_and_no_flipped_byte_passes() {
        let mut entropy = SeededEntropy::new(1);
        let secret = SealingSecret::from_bytes(3, [5; 32]);
        let wrapped = hpke_seal(&secret.public(), b"purpose", b"half a key", &mut entropy).unwrap();
        assert_eq!(
            &**hpke_open(&secret, b"purpose", &wrapped).unwrap(),
            b"half a key"
        );
        assert!(hpke_open(&secret, b"another", &wrapped).is_err());
        assert!(hpke_open(&SealingSecret::from_bytes(3, [6; 32]), b"purpose", &wrapped).is_err());
        for at in 0..wrapped.ciphertext.len() {
            let mut other = wrapped.clone();
            other.ciphertext[at] ^= 1;
            assert!(hpke_open(&secret, b"purpose", &other).is_err(), "byte {at}");
        }
        for at in 0..32 {
            let mut other = wrapped.clone();
            other.enc[at] ^= 1;
            assert!(
                hpke_open(&secret, b"purpose", &other).is_err(),
                "enc byte {at}"
            );
        }
    }
}
