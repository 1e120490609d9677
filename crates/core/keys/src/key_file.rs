//! The key file at rest: a phrase or a seed under a passphrase, 152 bytes whose layout is docs/format/key-file.md.
//!
//! Argon2id (RFC 9106) makes a key of the passphrase, XChaCha20-Poly1305 seals with it. Bytes come in and go out; to
//! write them whole or not at all is the caller's.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::phrase::normalised;
use crate::{Entropy, Language, Phrase, Seed};

const MAGIC: &[u8; 8] = b"mediblck";
const VERSION: u8 = 1;
const ARGON2ID_19: u8 = 1;
const SALT: usize = 16;
/// Magic, version, method, three parameters, salt, nonce.
const HEAD: usize = 8 + 1 + 1 + 12 + SALT + 24;
/// What is sealed: kind, language, 64 bytes.
const PLAIN: usize = 1 + 1 + 64;
const SEALED: usize = PLAIN + 16;
/// First bytes of SHA-256 over all before: tells a damaged file from a wrong passphrase.
const CHECK: usize = 8;
/// Bytes of a key file.
const LENGTH: usize = HEAD + SEALED + CHECK;

const KIND_PHRASE: u8 = 1;
const KIND_SEED: u8 = 2;

/// Why a key file was not made or does not open. Never carries secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// No passphrase.
    #[error("the passphrase is empty; choose one")]
    EmptyPassphrase,
    /// Another kind of file.
    #[error("not a key file of this platform; choose another file, or restore from the phrase")]
    Foreign,
    /// Made by a later program.
    #[error("the key file has version {version}, this program knows version 1; update it")]
    Version {
        /// Its version.
        version: u8,
    },
    /// A way to make the key that is not known.
    #[error(
        "the key file makes its key by method {method}, this program knows method 1 (Argon2id); update it"
    )]
    Method {
        /// The method.
        method: u8,
    },
    /// Cut or too long.
    #[error(
        "the key file has {got} bytes instead of 152; it was cut or appended to; put a backup in its place, or restore from the phrase"
    )]
    Length {
        /// Its bytes.
        got: usize,
    },
    /// Bytes that are not those that were written.
    #[error("the key file is damaged; put a backup in its place, or restore from the phrase")]
    Damaged,
    /// Costs out of bounds.
    #[error(
        "a key file cannot cost {memory_kib} KiB, {passes} passes, {lanes} lanes; allowed are 8 KiB a lane to 1 GiB, 1 to 64 passes, 1 to 16 lanes"
    )]
    Cost {
        /// Memory.
        memory_kib: u32,
        /// Passes over it.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// Not enough memory.
    #[error(
        "the key file needs {memory_kib} KiB of memory to open, which are not free; close other programs"
    )]
    Memory {
        /// What it needs.
        memory_kib: u32,
    },
    /// The passphrase is another.
    #[error("the passphrase is wrong; try again, or restore from the phrase")]
    WrongPassphrase,
    /// It opens, but holds nothing that is known.
    #[error("the key file opens but holds an unknown kind of secret; update this program")]
    Content,
}

/// What guessing a passphrase costs: memory, passes and lanes of Argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFileCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl KeyFileCost {
    /// 64 MiB, 3 passes, 4 lanes: the second recommended option of RFC 9106, section 4.
    pub const RECOMMENDED: Self = Self {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 4,
    };

    /// The least that is taken, for tests: it protects nothing.
    pub const DANGEROUS_LEAST: Self = Self {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };

    /// A cost within the bounds that a reader takes, so that no file can exhaust a machine.
    ///
    /// # Errors
    /// [`KeyFileError::Cost`] if it is outside.
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KeyFileError> {
        let within = lanes >= 1
            && lanes <= 16
            && memory_kib >= 8 * lanes
            && memory_kib <= 1 << 20
            && passes >= 1
            && passes <= 64;
        if within {
            Ok(Self {
                memory_kib,
                passes,
                lanes,
            })
        } else {
            Err(KeyFileError::Cost {
                memory_kib,
                passes,
                lanes,
            })
        }
    }
}

/// What a key file holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeyFile {
    /// The phrase itself, so that it can be shown again for a backup.
    Phrase(Phrase),
    /// Its seed alone: the words cannot be had back.
    Seed(Seed),
}

impl KeyFile {
    /// The bytes of the file that holds this under a passphrase.
    ///
    /// # Errors
    /// If the passphrase is empty.
    pub fn seal(
        &self,
        passphrase: &str,
        cost: KeyFileCost,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, KeyFileError> {
        let mut file = Vec::with_capacity(LENGTH);
        file.extend_from_slice(MAGIC);
        file.extend_from_slice(&[VERSION, ARGON2ID_19]);
        for number in [cost.memory_kib, cost.passes, cost.lanes] {
            file.extend_from_slice(&number.to_be_bytes());
        }
        let mut random = [0; SALT + 24];
        entropy.fill(&mut random);
        file.extend_from_slice(&random);
        let (salt, nonce) = random.split_at(SALT);
        let cipher = cipher(passphrase, cost, salt)?;
        let payload = Payload {
            msg: &self.plain()[..],
            aad: &file,
        };
        let sealed = cipher
            .encrypt(
                &XNonce::try_from(nonce).expect("24 bytes follow the salt"),
                payload,
            )
            .expect("66 bytes are far below the cipher's limit");
        file.extend_from_slice(&sealed);
        let check = Sha256::digest(&file);
        file.extend_from_slice(&check[..CHECK]);
        Ok(file)
    }

    /// What the file with these bytes holds.
    ///
    /// # Errors
    /// Tells a foreign, later, cut, damaged and excessive file and a wrong passphrase apart.
    pub fn open(bytes: &[u8], passphrase: &str) -> Result<Self, KeyFileError> {
        let (head, rest) = check_form(bytes)?;
        let number = |at: usize| {
            let four = head.get(at..at + 4).and_then(|four| four.try_into().ok());
            u32::from_be_bytes(four.expect("a head has 62 bytes"))
        };
        let cost = KeyFileCost::new(number(10), number(14), number(18))?;
        let (salt, nonce) = head[HEAD - SALT - 24..].split_at(SALT);
        let cipher = cipher(passphrase, cost, salt)?;
        let payload = Payload {
            msg: rest,
            aad: head,
        };
        let plain = cipher
            .decrypt(
                &XNonce::try_from(nonce).expect("24 bytes follow the salt"),
                payload,
            )
            .map_err(|_| KeyFileError::WrongPassphrase)?;
        Self::from_plain(&Zeroizing::new(plain))
    }

    /// The seed, from which every key follows.
    pub fn seed(&self) -> Seed {
        match self {
            Self::Phrase(phrase) => phrase.seed(),
            Self::Seed(seed) => seed.clone(),
        }
    }

    fn plain(&self) -> Zeroizing<[u8; PLAIN]> {
        let mut plain = Zeroizing::new([0; PLAIN]);
        match self {
            Self::Phrase(phrase) => {
                let (language, entropy) = phrase.to_entropy();
                plain[0] = KIND_PHRASE;
                plain[1] = language.code();
                plain[2..34].copy_from_slice(&entropy[..]);
            }
            Self::Seed(seed) => {
                plain[0] = KIND_SEED;
                plain[2..].copy_from_slice(seed.expose());
            }
        }
        plain
    }

    fn from_plain(plain: &[u8]) -> Result<Self, KeyFileError> {
        let [kind, language, secret @ ..] = plain else {
            return Err(KeyFileError::Content);
        };
        let secret =
            Zeroizing::new(<[u8; 64]>::try_from(secret).map_err(|_| KeyFileError::Content)?);
        match *kind {
            KIND_PHRASE => {
                let language = Language::from_code(*language).ok_or(KeyFileError::Content)?;
                let mut entropy = Zeroizing::new([0; 32]);
                entropy.copy_from_slice(&secret[..32]);
                Ok(Self::Phrase(Phrase::from_entropy(&entropy, language)))
            }
            KIND_SEED => Ok(Self::Seed(Seed::new(*secret))),
            _ => Err(KeyFileError::Content),
        }
    }
}

/// Head and sealed bytes of a whole, undamaged file of version 1.
fn check_form(bytes: &[u8]) -> Result<(&[u8], &[u8]), KeyFileError> {
    let [magic @ .., version, method] = bytes.first_chunk::<10>().ok_or(KeyFileError::Foreign)?;
    if magic != MAGIC {
        return Err(KeyFileError::Foreign);
    }
    if *version != VERSION {
        return Err(KeyFileError::Version { version: *version });
    }
    if *method != ARGON2ID_19 {
        return Err(KeyFileError::Method { method: *method });
    }
    if bytes.len() != LENGTH {
        return Err(KeyFileError::Length { got: bytes.len() });
    }
    let (file, check) = bytes.split_at(HEAD + SEALED);
    if Sha256::digest(file)[..CHECK] != *check {
        return Err(KeyFileError::Damaged);
    }
    Ok(file.split_at(HEAD))
}

fn cipher(
    passphrase: &str,
    cost: KeyFileCost,
    salt: &[u8],
) -> Result<XChaCha20Poly1305, KeyFileError> {
    let is_mark = |c: char| matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}');
    if passphrase
        .chars()
        .all(|c| c.is_whitespace() || c.is_control() || is_mark(c))
    {
        return Err(KeyFileError::EmptyPassphrase);
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .expect("a cost within bounds is one of Argon2");
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(normalised(passphrase).as_bytes(), salt, key.as_mut())
        .map_err(|_| KeyFileError::Memory {
            memory_kib: cost.memory_kib,
        })?;
    Ok(XChaCha20Poly1305::new(&(*key).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    const LEAST: KeyFileCost = KeyFileCost::DANGEROUS_LEAST;

    fn phrase() -> Phrase {
        Phrase::generate(&mut SeededEntropy::new(7), Language::Korean)
    }

    fn file() -> Vec<u8> {
        KeyFile::Phrase(phrase())
            .seal("correct horse", LEAST, &mut SeededEntropy::new(1))
            .unwrap()
    }

    #[test]
    fn a_phrase_or_a_seed_comes_back_in_its_language() {
        let Ok(KeyFile::Phrase(back)) = KeyFile::open(&file(), "correct horse") else {
            panic!("a phrase was sealed");
        };
        assert_eq!(back, phrase());
        assert_eq!(back.words(), phrase().words());
        let sealed = KeyFile::Seed(phrase().seed())
            .seal("x", LEAST, &mut SeededEntropy::new(1))
            .unwrap();
        let back = KeyFile::open(&sealed, "x").unwrap();
        assert!(matches!(back, KeyFile::Seed(_)));
        assert_eq!(
            back.seed().account_key().address(),
            phrase().seed().account_key().address()
        );
    }

    #[test]
    fn the_recommended_cost_works() {
        let sealed = KeyFile::Phrase(phrase())
            .seal("x", KeyFileCost::RECOMMENDED, &mut SeededEntropy::new(1))
            .unwrap();
        assert!(KeyFile::open(&sealed, "x").is_ok());
    }

    #[test]
    fn a_passphrase_typed_on_another_system_opens_it() {
        let composed = "비밀번호 é";
        let decomposed = normalised(composed);
        assert_ne!(composed, decomposed.as_str());
        let sealed = KeyFile::Phrase(phrase())
            .seal(composed, LEAST, &mut SeededEntropy::new(1))
            .unwrap();
        assert!(KeyFile::open(&sealed, &decomposed).is_ok());
    }

    #[test]
    fn every_damage_has_its_own_error_and_nothing_else_opens() {
        let good = file();
        let error = |bytes: &[u8]| KeyFile::open(bytes, "correct horse").unwrap_err();
        assert_eq!(
            KeyFile::open(&good, "wrong").unwrap_err(),
            KeyFileError::WrongPassphrase
        );
        for nothing in ["", "\u{feff}", " \t", "\u{200b}"] {
            assert_eq!(
                KeyFile::open(&good, nothing).unwrap_err(),
                KeyFileError::EmptyPassphrase
            );
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let expected = match at {
                0..8 => KeyFileError::Foreign,
                8 => KeyFileError::Version { version: 0 },
                9 => KeyFileError::Method { method: 0 },
                _ => KeyFileError::Damaged,
            };
            assert_eq!(error(&bad), expected, "byte {at}");
            let cut = if at < 10 {
                KeyFileError::Foreign
            } else {
                KeyFileError::Length { got: at }
            };
            assert_eq!(error(&good[..at]), cut);
        }
        assert_eq!(
            error(&[&good[..], &[0]].concat()),
            KeyFileError::Length { got: LENGTH + 1 }
        );
        for wrong in [KeyFileError::Damaged, KeyFileError::Length { got: 1 }] {
            let told = wrong.to_string();
            assert!(told.contains("put a backup in its place"), "{told}");
        }
    }

    /// Somebody who changes the file can make its check fit, but not open it or make it costly.
    #[test]
    fn a_changed_byte_under_a_new_check_opens_nothing_and_costs_are_bounded() {
        let good = file();
        let patched = |at: usize, bytes: &[u8]| {
            let mut bad = good[..HEAD + SEALED].to_vec();
            bad[at..at + bytes.len()].copy_from_slice(bytes);
            let check = Sha256::digest(&bad);
            bad.extend_from_slice(&check[..CHECK]);
            KeyFile::open(&bad, "correct horse").unwrap_err()
        };
        for (at, byte) in good.iter().enumerate().take(HEAD + SEALED).skip(22) {
            let error = patched(at, &[byte ^ 1]);
            assert_eq!(error, KeyFileError::WrongPassphrase, "byte {at}");
        }
        for (at, number) in [
            (10, 7),
            (10, (1 << 20) + 1),
            (10, u32::MAX),
            (14, 0),
            (14, 65),
            (18, 0),
            (18, 17),
            (18, 2),
        ] {
            let error = patched(at, &u32::to_be_bytes(number));
            assert!(matches!(error, KeyFileError::Cost { .. }), "{at}: {number}");
        }
        assert!(KeyFileCost::new(64 << 10, 3, 4) == Ok(KeyFileCost::RECOMMENDED));
    }

    #[test]
    fn two_files_of_one_phrase_differ_and_none_prints() {
        let (one, two) = (file(), {
            KeyFile::Phrase(phrase())
                .seal("correct horse", LEAST, &mut SeededEntropy::new(2))
                .unwrap()
        });
        assert_eq!(one.len(), LENGTH);
        assert_ne!(one[22..], two[22..]);
        assert_eq!(
            format!("{:?}", KeyFile::Phrase(phrase())),
            "Phrase(Phrase(…))"
        );
    }
}
