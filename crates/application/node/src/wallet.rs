//! A wallet's key file: the relay's, the deployer's, the authority's.

use std::path::Path;

use medibloc_keys::{Entropy, SigningKey};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::KeyFileError;
use crate::private::tell_if_open;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u8,
    address: String,
    secret: String,
}

impl Drop for File {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// Writes bytes to a new file that only its owner reads.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|source| KeyFileError::Io {
            path: path.display().to_string(),
            source,
        })
}

/// Makes a wallet and writes its key to a new file.
///
/// # Errors
/// If the file is there already or cannot be written.
pub fn make_wallet(path: &Path, entropy: &mut dyn Entropy) -> Result<SigningKey, KeyFileError> {
    let key = loop {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        // Not below the curve's order with chance 2^-128.
        if let Ok(key) = SigningKey::from_bytes(&bytes) {
            break key;
        }
    };
    let file = File {
        version: 1,
        address: key.address().to_string(),
        secret: hex::encode(key.dangerous_bytes().as_slice()),
    };
    let text =
        Zeroizing::new(serde_json::to_vec_pretty(&file).expect("texts and numbers are JSON"));
    write_secret(path, &text)?;
    Ok(key)
}

/// The wallet in a key file.
///
/// # Errors
/// If it cannot be read or is not a key file.
pub fn read_wallet(path: &Path) -> Result<SigningKey, KeyFileError> {
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
    let mut bytes = Zeroizing::new([0; 32]);
    let digits = file.secret.strip_prefix("0x").unwrap_or(&file.secret);
    hex::decode_to_slice(digits, bytes.as_mut())
        .map_err(|_| bad("the secret is not 32 bytes of hexadecimal"))?;
    let key = SigningKey::from_bytes(&bytes).map_err(|_| bad("the secret is no key"))?;
    if key.address().to_string() != file.address.to_lowercase() {
        return Err(bad("the secret is another address's"));
    }
    Ok(key)
}
