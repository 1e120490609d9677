//! A keeper's keys and their file.

use std::path::{Path, PathBuf};

use medibloc_keeper::KeeperIdentity;
use medibloc_keys::{Entropy, SealingSecret, SigningKey};
use medibloc_record::{Address, SealingKey, Timestamp, TypedDomain};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::public::KeeperPublicKeys;
use crate::private::tell_if_open;

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

/// Seconds that wraps to the key before the current one are accepted (design 06).
const ACCEPTED: u64 = 7 * 86_400;

/// What a keeper signs, opens wraps and locks its disk with.
#[derive(Clone)]
pub struct KeeperKeys {
    index: u8,
    signer: SigningKey,
    /// The current key first, then older ones until their time is over.
    wrap: Vec<(SealingSecret, Option<Timestamp>)>,
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
    /// Until when wraps to it are accepted; the current key has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
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
    /// Fresh keys for place `index` of the committee, which nobody had before.
    pub fn generate(index: u8, entropy: &mut dyn Entropy) -> Self {
        Self::succeeding(index, 1, entropy)
    }

    /// Fresh keys for a place whose next wrap key the chain counts as `version`: another operator's had those before.
    pub fn succeeding(index: u8, version: u32, entropy: &mut dyn Entropy) -> Self {
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
            wrap: vec![(SealingSecret::from_bytes(version, *random()), None)],
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
        self.wrap[0].0.public()
    }

    /// What is given away to register this keeper.
    pub fn public(&self) -> KeeperPublicKeys {
        KeeperPublicKeys::prove(self.index, &self.signer, self.wrap_key())
    }

    /// What sends the keeper's own calls to the chain.
    pub const fn wallet(&self) -> &SigningKey {
        &self.signer
    }

    /// Makes the next wrap key; the one before is accepted until [`KeeperKeys::retire`] sets its end.
    #[must_use]
    pub fn rotated(mut self, entropy: &mut dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        let version = self.wrap[0].0.version() + 1;
        let next = SealingSecret::from_bytes(version, *bytes);
        self.wrap.insert(0, (next, None));
        self
    }

    /// The chain has the current wrap key: those before it are accepted for seven days from now.
    #[must_use]
    pub fn retire(mut self, now: Timestamp) -> Self {
        for (_, until) in &mut self.wrap[1..] {
            until.get_or_insert(now.plus(ACCEPTED));
        }
        self
    }

    /// Without the wrap keys whose time is over; none if there is none.
    pub(crate) fn without_old(&self, now: Timestamp) -> Option<Self> {
        let is_over = |until: &Option<Timestamp>| until.is_some_and(|until| until <= now);
        if !self.wrap.iter().any(|(_, until)| is_over(until)) {
            return None;
        }
        let mut kept = self.clone();
        kept.wrap.retain(|(_, until)| !is_over(until));
        Some(kept)
    }

    /// Whether these are keys of the same keeper: all but the wrap keys are the same.
    pub(crate) fn is_same_keeper(&self, other: &Self) -> bool {
        self.index == other.index
            && self.signer() == other.signer()
            && self.storage.public() == other.storage.public()
    }

    /// The keys in a file.
    ///
    /// # Errors
    /// If it cannot be read or is not a key file.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let name = || path.display().to_string();
        tell_if_open(path);
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
            let opens = SealingSecret::from_bytes(key.version, *secret(&key.secret)?);
            wrap.push((opens, key.until.map(Timestamp)));
        }
        if wrap.first().is_none_or(|(_, until)| until.is_some()) {
            return Err(bad("it has no current wrap key"));
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
        crate::wallet::write_secret(path, &self.text())
    }

    /// Changes the keys in a file; another process that does the same waits.
    ///
    /// # Errors
    /// If it cannot be read or is not a key file, or its folder cannot be written.
    pub fn change(path: &Path, change: impl FnOnce(Self) -> Self) -> Result<Self, KeyFileError> {
        let lock = std::fs::File::create(beside(path, ".lock"))
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(|source| KeyFileError::Io {
                path: path.display().to_string(),
                source,
            })?;
        let keys = change(Self::read(path)?);
        keys.replace(path)?;
        drop(lock);
        Ok(keys)
    }

    /// Writes the keys in place of a key file, whose bytes are overwritten. At every instant one of both is there.
    fn replace(&self, path: &Path) -> Result<(), KeyFileError> {
        let (next, old) = (beside(path, ".next"), beside(path, ".old"));
        let io = |source| KeyFileError::Io {
            path: path.display().to_string(),
            source,
        };
        // Left by a crash: what they hold is in the file itself, or was never used.
        for left in [&next, &old] {
            destroy(left).map_err(io)?;
        }
        crate::wallet::write_secret(&next, &self.text())?;
        std::fs::hard_link(path, &old).map_err(io)?;
        std::fs::rename(&next, path).map_err(io)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        std::fs::File::open(folder.unwrap_or_else(|| Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(io)?;
        destroy(&old).map_err(io)
    }

    fn text(&self) -> Zeroizing<Vec<u8>> {
        let file = File {
            version: 1,
            index: self.index,
            signer: hex::encode(self.signer.dangerous_bytes().as_slice()),
            wrap_keys: self
                .wrap
                .iter()
                .map(|(key, until)| WrapKey {
                    version: key.version(),
                    secret: hex::encode(key.to_bytes().as_slice()),
                    until: until.map(|until| until.0),
                })
                .collect(),
            storage: hex::encode(self.storage.to_bytes().as_slice()),
        };
        Zeroizing::new(serde_json::to_vec_pretty(&file).expect("texts and numbers are always JSON"))
    }

    pub(crate) fn identity(&self, domain: TypedDomain, finality_lag: u64) -> KeeperIdentity {
        KeeperIdentity {
            index: self.index,
            signer: self.signer.clone(),
            wrap_keys: self.wrap.iter().map(|(key, _)| key.clone()).collect(),
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

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Overwrites a file and removes it; nothing if it is not there.
fn destroy(path: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    let length = match std::fs::metadata(path) {
        Ok(about) => about.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(&vec![0; usize::try_from(length).unwrap_or(0)])?;
    file.sync_all()?;
    std::fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use medibloc_keys::SeededEntropy;

    use super::*;

    fn versions(keys: &KeeperKeys) -> Vec<u32> {
        keys.wrap.iter().map(|(key, _)| key.version()).collect()
    }

    #[test]
    fn a_rotated_key_is_accepted_for_seven_days_and_then_gone_from_the_file_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keeper.json");
        let mut entropy = SeededEntropy::new(1);
        let first = KeeperKeys::generate(3, &mut entropy);
        first.write(&path).unwrap();
        let secret = hex::encode(first.wrap[0].0.to_bytes().as_slice());
        let rotated = KeeperKeys::change(&path, |keys| keys.rotated(&mut entropy)).unwrap();
        let read = KeeperKeys::read(&path).unwrap();
        assert!(read.is_same_keeper(&first));
        assert_eq!(versions(&read), [2, 1], "the current one first");
        assert_eq!(read.wrap_key(), rotated.wrap_key());
        let at = Timestamp(1_000);
        assert!(
            read.without_old(Timestamp(u64::MAX)).is_none(),
            "the chain does not have it yet"
        );
        KeeperKeys::change(&path, |keys| keys.retire(at)).unwrap();
        let read = KeeperKeys::read(&path).unwrap();
        assert!(read.without_old(at.plus(ACCEPTED - 1)).is_none());
        let later = read.clone().retire(at.plus(60));
        let kept = later.without_old(at.plus(ACCEPTED)).unwrap();
        assert_eq!(versions(&kept), [2], "its end is set once");
        KeeperKeys::change(&path, |_| kept).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&secret));
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2, "nothing is left beside it but the lock");
    }

    #[test]
    fn a_file_whose_first_wrap_key_has_an_end_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keeper.json");
        let mut keys = KeeperKeys::generate(1, &mut SeededEntropy::new(1));
        keys.wrap[0].1 = Some(Timestamp(1));
        keys.write(&path).unwrap();
        let error = KeeperKeys::read(&path).unwrap_err().to_string();
        assert!(error.contains("no current wrap key"), "{error}");
    }
}
