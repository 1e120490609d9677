//! Signatures over 32-byte digests: secp256k1, recoverable, low s (EIP-2).

use k256::ecdsa::{RecoveryId, VerifyingKey};
use medibloc_record::{Address, Signature, SignedAttestation, TypedDomain, keccak256};

use crate::KeysError;

/// A key that signs. Wiped on drop.
#[derive(Clone)]
pub struct SigningKey(k256::ecdsa::SigningKey);

impl SigningKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// If they are zero or not below the curve's order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeysError> {
        k256::ecdsa::SigningKey::from_slice(bytes)
            .map(Self)
            .map_err(|_| KeysError::Key)
    }

    /// Its address: the last 20 bytes of keccak256 of the public key.
    pub fn address(&self) -> Address {
        address_of(self.0.verifying_key())
    }

    /// Signs a digest (RFC 6979, so the same digest gives the same signature).
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Signature {
        let (signature, recovery) = self.0.sign_prehash_recoverable(digest);
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = 27 + recovery.to_byte();
        Signature::new(bytes)
    }

    /// The private key, for a chain adapter's own signer alone.
    pub fn dangerous_bytes(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes().into())
    }

    pub(crate) fn public_compressed(&self) -> Vec<u8> {
        self.0
            .verifying_key()
            .to_sec1_point(true)
            .as_bytes()
            .to_vec()
    }
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SigningKey({}, …)", self.address())
    }
}

fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_sec1_point(false);
    let hash = keccak256(&point.as_bytes()[1..]);
    let mut address = [0; 20];
    address.copy_from_slice(&hash[12..]);
    Address::new(address)
}

/// Who signed a digest.
///
/// # Errors
/// If the signature is not one, or has a high s (two forms of one signature are not both taken).
pub fn recover(digest: &[u8; 32], signature: &Signature) -> Result<Address, KeysError> {
    let bad = |why| KeysError::Signature { why };
    let bytes = signature.as_bytes();
    let parsed = k256::ecdsa::Signature::from_slice(&bytes[..64])
        .map_err(|_| bad("r or s is out of range"))?;
    if parsed.normalize_s() != parsed {
        return Err(bad("s is high"));
    }
    let recovery = bytes[64]
        .checked_sub(27)
        .filter(|v| *v < 2)
        .and_then(RecoveryId::from_byte)
        .ok_or_else(|| bad("v is neither 27 nor 28"))?;
    let key = VerifyingKey::recover_from_prehash(digest, &parsed, recovery)
        .map_err(|_| bad("no key gives it"))?;
    Ok(address_of(&key))
}

/// Who signed an attestation.
///
/// # Errors
/// As [`recover`].
pub fn verify_attestation(
    signed: &SignedAttestation,
    domain: &TypedDomain,
) -> Result<Address, KeysError> {
    recover(&signed.signed_digest(domain), &signed.signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first account of the phrase that development chains use.
    #[test]
    fn a_known_key_has_its_known_address_and_recovers() {
        let bytes: [u8; 32] =
            hex::decode("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
                .unwrap()
                .try_into()
                .unwrap();
        let key = SigningKey::from_bytes(&bytes).unwrap();
        assert_eq!(
            key.address().to_string(),
            "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
        );
        let signature = key.sign_digest(&[9; 32]);
        assert_eq!(recover(&[9; 32], &signature), Ok(key.address()));
        assert_ne!(recover(&[8; 32], &signature), Ok(key.address()));
        for at in 0..65 {
            let mut other = *signature.as_bytes();
            other[at] ^= 1;
            assert_ne!(
                recover(&[9; 32], &Signature::new(other)),
                Ok(key.address()),
                "byte {at}"
            );
        }
    }

    #[test]
    fn secrets_do_not_print() {
        let key = SigningKey::from_bytes(&[7; 32]).unwrap();
        assert!(!format!("{key:?}").contains("0707"));
    }
}
