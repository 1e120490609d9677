//! What a keeper's operator gives away to be registered: public keys, and a signature that shows who holds the signer's.
//! The form is docs/format/keepers.md.

use std::path::Path;

use medibloc_keys::{SeededEntropy, SigningKey, hpke_seal, recover};
use medibloc_record::{Address, SealingKey, Signature, keccak256};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The first bytes of what is signed. It names no chain: the keys are made before there is one.
const DOMAIN: &[u8] = b"MediBloc keeper's public keys, version 1\n";

/// Why a file of public keys is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeysError {
    /// It cannot be read.
    #[error(
        "the file {path} with a keeper's public keys cannot be read; check its path and rights"
    )]
    Io {
        /// Where.
        path: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It holds secrets.
    #[error(
        "{path} holds private keys, which stay with their operator; give the file that the operator makes of it with \
         `medibloc-node keys public {path} --out PUBLIC.json`, and take this copy off this machine if it is not the keeper's"
    )]
    Private {
        /// Where.
        path: String,
    },
    /// Another form.
    #[error(
        "{path} is no file of a keeper's public keys: {why}; ask its operator for the one that `medibloc-node keys public` writes"
    )]
    Malformed {
        /// Where.
        path: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The signature is not the signer's over these keys.
    #[error(
        "the proof in {path} is not the signature of {signer} over these keys: they were changed on the way, or are somebody else's; \
         ask the keeper's operator for the file again, over a way that you trust"
    )]
    Proof {
        /// Where.
        path: String,
        /// The signer that the file names.
        signer: Address,
    },
}

/// A keeper's public keys, which the holder of its signer's key has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeeperPublicKeys {
    index: u8,
    signer: Address,
    wrap_key: SealingKey,
    proof: Signature,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u8,
    index: u8,
    signer: String,
    wrap_key: WrapKey,
    proof: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrapKey {
    version: u32,
    key: String,
}

/// Fields that only files with secrets have; what is in them is not looked at.
#[derive(Deserialize)]
struct Secrets {
    storage: Option<IgnoredAny>,
    wrap_keys: Option<IgnoredAny>,
    secret: Option<IgnoredAny>,
}

impl KeeperPublicKeys {
    pub(super) fn prove(index: u8, signer: &SigningKey, wrap_key: SealingKey) -> Self {
        let digest = digest(index, signer.address(), wrap_key);
        Self {
            index,
            signer: signer.address(),
            wrap_key,
            proof: signer.sign_digest(&digest),
        }
    }

    /// Its place in the committee, from 1.
    pub const fn index(&self) -> u8 {
        self.index
    }

    /// The address that signs its replies.
    pub const fn signer(&self) -> Address {
        self.signer
    }

    /// The key that shares are wrapped to.
    pub const fn wrap_key(&self) -> SealingKey {
        self.wrap_key
    }

    /// The keys in a file, if the signer that it names has signed them.
    ///
    /// # Errors
    /// If it cannot be read, holds private keys, has another form, or its proof is not the signer's.
    pub fn read(path: &Path) -> Result<Self, PublicKeysError> {
        let name = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| PublicKeysError::Io {
            path: name(),
            source,
        })?;
        // It may be the wrong file, with secrets.
        let text = Zeroizing::new(text);
        let bad = |why| PublicKeysError::Malformed { path: name(), why };
        let is_secret =
            |it: Secrets| it.storage.is_some() || it.wrap_keys.is_some() || it.secret.is_some();
        if serde_json::from_str(&text).is_ok_and(is_secret) {
            return Err(PublicKeysError::Private { path: name() });
        }
        let file: File = serde_json::from_str(&text).map_err(|_| bad("it has another form"))?;
        if file.version != 1 {
            return Err(bad("it has another version"));
        }
        if file.index == 0 {
            return Err(bad("a keeper's place counts from 1"));
        }
        let mut key = [0; 32];
        hex::decode_to_slice(&file.wrap_key.key, &mut key)
            .map_err(|_| bad("the wrap key is not 32 bytes of hexadecimal"))?;
        let wrap_key = SealingKey {
            version: file.wrap_key.version,
            key,
        };
        // A point of small order passes for a key until a share is sealed to it.
        if hpke_seal(&wrap_key, b"", b"", &mut SeededEntropy::new(0)).is_err() {
            return Err(bad("nothing can be sealed to the wrap key"));
        }
        let mut proof = [0; 65];
        hex::decode_to_slice(&file.proof, &mut proof)
            .map_err(|_| bad("the proof is not 65 bytes of hexadecimal"))?;
        let signer = file.signer.parse();
        let keys = Self {
            index: file.index,
            signer: signer.map_err(|_| bad("the signer is no address"))?,
            wrap_key,
            proof: Signature::new(proof),
        };
        let digest = digest(keys.index, keys.signer, keys.wrap_key);
        if recover(&digest, &keys.proof).ok() != Some(keys.signer) {
            return Err(PublicKeysError::Proof {
                path: name(),
                signer: keys.signer,
            });
        }
        Ok(keys)
    }

    /// The file's bytes: JSON, and nothing secret.
    pub fn to_json(&self) -> Vec<u8> {
        let file = File {
            version: 1,
            index: self.index,
            signer: self.signer.to_string(),
            wrap_key: WrapKey {
                version: self.wrap_key.version,
                key: hex::encode(self.wrap_key.key),
            },
            proof: hex::encode(self.proof.as_bytes()),
        };
        serde_json::to_vec_pretty(&file).expect("texts and numbers are always JSON")
    }
}

/// keccak256 of the domain, the place, the signer, and version and bytes of the wrap key.
fn digest(index: u8, signer: Address, wrap_key: SealingKey) -> [u8; 32] {
    let parts = [
        DOMAIN,
        &[index],
        signer.as_bytes(),
        &wrap_key.version.to_be_bytes(),
        &wrap_key.key,
    ];
    keccak256(&parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeeperKeys;

    fn said(json: &str) -> Result<KeeperPublicKeys, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keeper.public.json");
        std::fs::write(&path, json).unwrap();
        KeeperPublicKeys::read(&path).map_err(|error| error.to_string())
    }

    /// The file as it was first written: it is taken for ever.
    #[test]
    fn public_keys_round_trip_and_their_form_stays() {
        let keys = KeeperKeys::generate(3, &mut SeededEntropy::new(1)).public();
        let json = String::from_utf8(keys.to_json()).unwrap();
        assert_eq!(said(&json), Ok(keys));
        let golden = include_str!("../../../../../testdata/keeper/public-1.json");
        assert_eq!(json, golden.trim_end());
    }

    #[test]
    fn each_changed_field_breaks_the_proof_and_another_form_is_named() {
        let mut entropy = SeededEntropy::new(1);
        let keys = KeeperKeys::generate(3, &mut entropy).public();
        let other = KeeperKeys::generate(3, &mut entropy).public();
        let json = String::from_utf8(keys.to_json()).unwrap();
        let key = hex::encode(keys.wrap_key().key);
        let others = hex::encode(other.wrap_key().key);
        let signer = keys.signer().to_string();
        let proof = "is not the signature of";
        for (from, to, why) in [
            ("\"index\": 3", "\"index\": 4", proof),
            (&*key, &*others, proof),
            (&*signer, &*other.signer().to_string(), proof),
            (
                "\"version\": 1,\n    \"key\"",
                "\"version\": 2,\n    \"key\"",
                proof,
            ),
            ("\"index\": 3", "\"index\": 0", "counts from 1"),
            (
                "\"version\": 1,\n  \"index\"",
                "\"version\": 2,\n  \"index\"",
                "another version",
            ),
            (&*key, &key[2..], "32 bytes"),
            (
                &*key,
                "0100000000000000000000000000000000000000000000000000000000000000",
                "nothing can be sealed",
            ),
            ("\"index\": 3", "\"index\": 3, \"more\": 1", "another form"),
        ] {
            let changed = json.replacen(from, to, 1);
            assert_ne!(changed, json, "{from}");
            let told = said(&changed).unwrap_err();
            assert!(told.contains(why), "{from}: {told}");
        }
    }

    #[test]
    fn a_file_with_secrets_is_not_taken_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mut entropy = SeededEntropy::new(1);
        let (keeper, wallet) = (
            folder.path().join("keeper.json"),
            folder.path().join("w.json"),
        );
        KeeperKeys::generate(1, &mut entropy)
            .write(&keeper)
            .unwrap();
        crate::make_wallet(&wallet, &mut entropy).unwrap();
        for path in [keeper, wallet] {
            let error = KeeperPublicKeys::read(&path).unwrap_err();
            assert!(matches!(error, PublicKeysError::Private { .. }), "{error}");
            assert!(error.to_string().contains("keys public"), "{error}");
        }
    }
}
