//! A keeper's keys and their file.

use std::path::Path;

use medibloc_keeper::KeeperIdentity;
use medibloc_keys::{Entropy, SealingSecret, SigningKey};
use medibloc_record::{Address, SealingKey, TypedDomain};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

/// Why a key file is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("the key file {path} cannot be used; check its path and rights")]
    Io {
        /// Where.
        path: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Not a key file.
    #[error("the key file {path} is not valid: {why}; restore it from its backup")]
    Malformed {
        /// Where.
        path: String,
        /// What is wrong, without any value.
        why: &'static str,
    },
}

/// What a keeper signs, opens wraps and locks its disk with.
#[derive(Clone)]
pub struct KeeperKeys {
    index: u8,
    signer: SigningKey,
    wrap: Vec<SealingSecret>,
    storage: SealingSecret,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u8,
    index: u8,
    signer: String,
    wrap_keys: Vec<WrapKey>,
    storage: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrapKey {
    version: u32,
    secret: String,
}

impl Drop for File {
    fn drop(&mut self) {
        self.signer.zeroize();
        self.storage.zeroize();
        for key in &mut self.wrap_keys {
            key.secret.zeroize();
        }
    }
}

impl KeeperKeys {
    /// Fresh keys for place `index` of the committee.
    pub fn generate(index: u8, entropy: &mut dyn Entropy) -> Self {
        let mut random = || {
            let mut bytes = Zeroizing::new([0; 32]);
            entropy.fill(bytes.as_mut());
            bytes
        };
        let signer = loop {
            // Not below the curve's order with chance 2^-128.
            if let Ok(key) = SigningKey::from_bytes(&random()) {
                break key;
            }
        };
        Self {
            index,
            signer,
            wrap: vec![SealingSecret::from_bytes(1, *random())],
            storage: SealingSecret::from_bytes(1, *random()),
        }
    }

    /// Its place in the committee.
    pub const fn index(&self) -> u8 {
        self.index
    }

    /// The address that signs its replies.
    pub fn signer(&self) -> Address {
        self.signer.address()
    }

    /// The key that shares are wrapped to now.
    pub fn wrap_key(&self) -> SealingKey {
        self.wrap[0].public()
    }

    /// The keys in a file.
    ///
    /// # Errors
    /// If it cannot be read or is not a key file.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let name = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| KeyFileError::Io {
            path: name(),
            source,
        })?;
        let text = Zeroizing::new(text);
        let bad = |why| KeyFileError::Malformed { path: name(), why };
        let file: File = serde_json::from_str(&text).map_err(|_| bad("it has another form"))?;
        if file.version != 1 {
            return Err(bad("it has another version"));
        }
        let secret = |text: &str| {
            let mut bytes = Zeroizing::new([0; 32]);
            hex::decode_to_slice(text, bytes.as_mut())
                .map(|()| bytes)
                .map_err(|_| bad("a key is not 32 bytes of hexadecimal"))
        };
        let mut wrap = Vec::with_capacity(file.wrap_keys.len());
        for key in &file.wrap_keys {
            wrap.push(SealingSecret::from_bytes(
                key.version,
                *secret(&key.secret)?,
            ));
        }
        if wrap.is_empty() {
            return Err(bad("it has no wrap key"));
        }
        Ok(Self {
            index: file.index,
            signer: SigningKey::from_bytes(&*secret(&file.signer)?)
                .map_err(|_| bad("the signer's key is none"))?,
            wrap,
            storage: SealingSecret::from_bytes(1, *secret(&file.storage)?),
        })
    }

    /// Writes the keys to a new file that only its owner reads.
    ///
    /// # Errors
    /// If the file is there already or cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), KeyFileError> {
        let file = File {
            version: 1,
            index: self.index,
            signer: hex::encode(self.signer.dangerous_bytes().as_slice()),
            wrap_keys: self
                .wrap
                .iter()
                .map(|key| WrapKey {
                    version: key.version(),
                    secret: hex::encode(key.to_bytes().as_slice()),
                })
                .collect(),
            storage: hex::encode(self.storage.to_bytes().as_slice()),
        };
        let text = Zeroizing::new(
            serde_json::to_vec_pretty(&file).expect("texts and numbers are always JSON"),
        );
        crate::wallet::write_secret(path, &text)
    }

    pub(crate) fn identity(&self, domain: TypedDomain, finality_lag: u64) -> KeeperIdentity {
        KeeperIdentity {
            index: self.index,
            signer: self.signer.clone(),
            wrap_keys: self.wrap.clone(),
            domain,
            finality_lag,
        }
    }

    pub(crate) fn storage(&self) -> SealingSecret {
        self.storage.clone()
    }
}

impl core::fmt::Debug for KeeperKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "KeeperKeys({}, {}, …)",
            self.index,
            self.signer.address()
        )
    }
}
