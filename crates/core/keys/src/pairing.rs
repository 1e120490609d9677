//! The key that two who are paired share, the tags made with it, and what proves to a restored device that a key is
//! of an own pairing (docs/format/messages.md).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use medibloc_record::{Address, TypedDomain};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Seed;

/// Known to who invited and who was invited. Wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct PairingKey(Zeroizing<[u8; 32]>);

impl core::fmt::Debug for PairingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PairingKey(…)")
    }
}

fn bound(label: &str, domain: &TypedDomain, inviter: Address) -> Vec<u8> {
    [
        label.as_bytes(),
        &domain.chain_id.to_be_bytes(),
        domain.records.as_bytes(),
        inviter.as_bytes(),
    ]
    .concat()
}

impl PairingKey {
    /// HKDF-SHA256(invitation's secret, `medibloc/v1/pairing` ‖ chain id ‖ `Records` ‖ inviter ‖ invited): of no use
    /// between any other two.
    pub fn derive(
        secret: &[u8; 32],
        domain: &TypedDomain,
        inviter: Address,
        invited: Address,
    ) -> Self {
        let mut info = bound("medibloc/v1/pairing", domain, inviter);
        info.extend_from_slice(invited.as_bytes());
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, secret)
            .expand(&info, key.as_mut())
            .expect("32 bytes are within HKDF's limit");
        Self(key)
    }

    /// The key with these bytes.
    pub const fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Its bytes, for a row or a sealed message alone.
    pub const fn expose(&self) -> &Zeroizing<[u8; 32]> {
        &self.0
    }

    /// HMAC-SHA256(key, label ‖ pieces): the caller gives pieces of fixed lengths.
    pub fn tag(&self, label: &str, pieces: &[&[u8]]) -> [u8; 32] {
        mac(&self.0, label.as_bytes(), pieces)
    }

    /// Whether a tag is this key's, in constant time.
    pub fn is_tag(&self, tag: &[u8; 32], label: &str, pieces: &[&[u8]]) -> bool {
        self.tag(label, pieces).ct_eq(tag).into()
    }
}

fn mac(key: &[u8; 32], label: &[u8], pieces: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(label);
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

impl Seed {
    /// What only this phrase can make of a pairing key: whoever shows it was given it by the own agent, so a device that
    /// was restored from the phrase alone takes the key for that of an own pairing.
    pub fn pairing_token(
        &self,
        domain: &TypedDomain,
        inviter: Address,
        key: &PairingKey,
    ) -> [u8; 32] {
        let own = self.local_key("pairing");
        let about = bound("medibloc/v1/pairing-token", domain, inviter);
        mac(&own, &about, &[key.0.as_slice()])
    }

    /// Whether a token is one of [`Seed::pairing_token`], in constant time.
    pub fn is_pairing_token(
        &self,
        token: &[u8; 32],
        domain: &TypedDomain,
        inviter: Address,
        key: &PairingKey,
    ) -> bool {
        self.pairing_token(domain, inviter, key).ct_eq(token).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Language, Phrase, SeededEntropy};

    const DOMAIN: TypedDomain = TypedDomain {
        chain_id: 31_337,
        records: Address::new([0x52; 20]),
    };

    #[test]
    fn a_key_is_of_its_two_its_chain_and_its_secret_alone() {
        let (a, b) = (Address::new([1; 20]), Address::new([2; 20]));
        let key = PairingKey::derive(&[7; 32], &DOMAIN, a, b);
        // HKDF-SHA256 by another implementation (Python, RFC 5869).
        assert_eq!(
            hex::encode(key.expose().as_slice()),
            "77237f16212bfc9133f25b702ec208fe3d68aba19a9f0236e91d0ba7edb254df"
        );
        assert_eq!(
            hex::encode(key.tag("label", &[b"piece"])),
            "445d23de56751d0f1649e60831506d5b9752a4866470f5340b55dfc744ee29ce"
        );
        let elsewhere = TypedDomain {
            chain_id: 1,
            ..DOMAIN
        };
        for other in [
            PairingKey::derive(&[8; 32], &DOMAIN, a, b),
            PairingKey::derive(&[7; 32], &DOMAIN, b, a),
            PairingKey::derive(&[7; 32], &elsewhere, a, b),
        ] {
            assert_ne!(key, other);
            let tag = other.tag("label", &[b"piece"]);
            assert!(!key.is_tag(&tag, "label", &[b"piece"]));
        }
    }

    #[test]
    fn a_token_is_of_its_phrase_its_inviter_and_its_key_alone() {
        let seed = |n| Phrase::generate(&mut SeededEntropy::new(n), Language::English).seed();
        let (a, b) = (Address::new([1; 20]), Address::new([2; 20]));
        let key = PairingKey::derive(&[7; 32], &DOMAIN, a, b);
        let other = PairingKey::derive(&[8; 32], &DOMAIN, a, b);
        let token = seed(1).pairing_token(&DOMAIN, a, &key);
        assert!(seed(1).is_pairing_token(&token, &DOMAIN, a, &key));
        assert!(!seed(2).is_pairing_token(&token, &DOMAIN, a, &key));
        assert!(!seed(1).is_pairing_token(&token, &DOMAIN, b, &key));
        assert!(!seed(1).is_pairing_token(&token, &DOMAIN, a, &other));
    }
}
