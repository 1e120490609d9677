//! Derivation of every key from one seed (design 02, "Accounts and keys").

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use k256::elliptic_curve::{PrimeField, ops::Reduce};
use medibloc_record::SealingKey;
use sha2::{Sha256, Sha512};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::SigningKey;

const HARDENED: u32 = 1 << 31;

/// The 64 bytes of a phrase. Wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 64]);

/// Which address a sealing key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The public account.
    Account,
    /// Relationship i.
    Relationship(u32),
}

impl Seed {
    /// The seed with these bytes.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a key file alone.
    pub(crate) const fn expose(&self) -> &[u8; 64] {
        &self.0
    }

    /// The account's key: `m/44'/60'/0'/0/0`.
    pub fn account_key(&self) -> SigningKey {
        self.path(&[44 | HARDENED, 60 | HARDENED, HARDENED, 0, 0])
    }

    /// The key of relationship `index`: `m/44'/60'/1'/1'/index'`.
    pub fn relationship_key(&self, index: u32) -> SigningKey {
        self.path(&[
            44 | HARDENED,
            60 | HARDENED,
            1 | HARDENED,
            1 | HARDENED,
            index | HARDENED,
        ])
    }

    /// The key that signs for an address after its account was handed on: version 1 is the address's own; later ones are
    /// `m/44'/60'/0'/1'/version'` for the account and `m/44'/60'/1'/2'/i'/version'` for relationship i. None follows from another.
    pub fn signing(&self, slot: Slot, version: u32) -> SigningKey {
        match (slot, version) {
            (Slot::Account, 0 | 1) => self.account_key(),
            (Slot::Relationship(index), 0 | 1) => self.relationship_key(index),
            (Slot::Account, version) => self.path(&[
                44 | HARDENED,
                60 | HARDENED,
                HARDENED,
                1 | HARDENED,
                version | HARDENED,
            ]),
            (Slot::Relationship(index), version) => self.path(&[
                44 | HARDENED,
                60 | HARDENED,
                1 | HARDENED,
                2 | HARDENED,
                index | HARDENED,
                version | HARDENED,
            ]),
        }
    }

    /// The sealing key of an address: HKDF-SHA256(seed, `medibloc/v1/sealing/{account or i}/{version}`).
    pub fn sealing(&self, slot: Slot, version: u32) -> SealingSecret {
        let label = match slot {
            Slot::Account => format!("medibloc/v1/sealing/account/{version}"),
            Slot::Relationship(index) => format!("medibloc/v1/sealing/{index}/{version}"),
        };
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(label.as_bytes(), key.as_mut())
            .expect("32 bytes are within HKDF's limit");
        SealingSecret {
            version,
            secret: StaticSecret::from(*key),
        }
    }

    /// A 32-byte key for this device's vault: HKDF-SHA256(seed, label).
    pub fn local_key(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(
                format!("medibloc/v1/local/{label}").as_bytes(),
                key.as_mut(),
            )
            .expect("32 bytes are within HKDF's limit");
        key
    }

    fn path(&self, path: &[u32]) -> SigningKey {
        derive(&self.0, path)
    }
}

/// Private key derivation (BIP-32, "Master key generation", "Private parent key → private child key").
fn derive(seed: &[u8], path: &[u32]) -> SigningKey {
    let (mut key, mut chain) = split(&mac(b"Bitcoin seed", &[seed]));
    for index in path {
        let node = if index & HARDENED == 0 {
            let parent = SigningKey::from_bytes(&key).expect("a derived key is valid");
            mac(
                &chain[..],
                &[&parent.public_compressed(), &index.to_be_bytes()],
            )
        } else {
            mac(&chain[..], &[&[0], &key[..], &index.to_be_bytes()])
        };
        let (tweak, next) = split(&node);
        key = add(&key, &tweak);
        chain = next;
    }
    SigningKey::from_bytes(&key).expect("a derived key is zero with chance 2^-127 only")
}

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(…)")
    }
}

fn mac(key: &[u8], pieces: &[&[u8]]) -> Zeroizing<[u8; 64]> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("HMAC takes keys of any length");
    for piece in pieces {
        mac.update(piece);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn split(node: &[u8; 64]) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
    let (mut left, mut right) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    left.copy_from_slice(&node[..32]);
    right.copy_from_slice(&node[32..]);
    (left, right)
}

fn add(key: &[u8; 32], tweak: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let scalar =
        |bytes: &[u8; 32]| <k256::Scalar as Reduce<k256::FieldBytes>>::reduce(&(*bytes).into());
    Zeroizing::new((scalar(key) + scalar(tweak)).to_repr().into())
}

/// The private half of a sealing key. Wiped on drop.
#[derive(Clone)]
pub struct SealingSecret {
    version: u32,
    pub(crate) secret: StaticSecret,
}

impl SealingSecret {
    /// The secret with these bytes.
    pub fn from_bytes(version: u32, bytes: [u8; 32]) -> Self {
        Self {
            version,
            secret: StaticSecret::from(bytes),
        }
    }

    /// The public half.
    pub fn public(&self) -> SealingKey {
        SealingKey {
            version: self.version,
            key: PublicKey::from(&self.secret).to_bytes(),
        }
    }

    /// Its version.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The bytes, for a key file alone.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes())
    }
}

impl core::fmt::Debug for SealingSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SealingSecret(v{}, …)", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an account was handed on to is found again by these numbers for ever.
    #[test]
    fn signing_keys_of_later_versions_are_where_they_were_and_all_differ() {
        let seed = Seed::new([7; 64]);
        let all = |slot| [1, 2, 3].map(|version| seed.signing(slot, version).address());
        let (account, first) = (all(Slot::Account), all(Slot::Relationship(0)));
        let second = all(Slot::Relationship(1));
        assert_eq!(account[0], seed.account_key().address());
        assert_eq!(second[0], seed.relationship_key(1).address());
        let different: std::collections::BTreeSet<_> =
            [account, first, second].concat().into_iter().collect();
        assert_eq!(different.len(), 9);
        let texts = [account[1], second[2]].map(|address| address.to_string());
        assert_eq!(
            texts,
            [
                "0xca07e3e005dee323e8cc2a0f74ff37397032123c",
                "0xfe05d495a6ecb54294ccacccc5dbc31b978ef431"
            ]
        );
    }

    #[test]
    fn the_vectors_of_bip_32_derive() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../../testdata/vectors/bip32.json")).unwrap();
        let mut count = 0;
        for vector in vectors.as_array().unwrap() {
            let seed = hex::decode(vector["seed"].as_str().unwrap()).unwrap();
            for entry in vector["keys"].as_array().unwrap() {
                let text = entry["path"].as_str().unwrap();
                let path: Vec<u32> = text
                    .split('/')
                    .skip(1)
                    .map(|step| match step.strip_suffix('\'') {
                        Some(hard) => hard.parse::<u32>().unwrap() | HARDENED,
                        None => step.parse().unwrap(),
                    })
                    .collect();
                let key = hex::encode(&derive(&seed, &path).dangerous_bytes()[..]);
                assert_eq!(key, entry["key"].as_str().unwrap(), "{text}");
                count += 1;
            }
        }
        assert_eq!(count, 14);
    }
}
