//! A person's keys, from one phrase: signatures (EIP-712 digests on secp256k1), sealing (HPKE over X25519) and the
//! dealing of a record's keeper half (Shamir with Feldman commitments).
//!
//! Pure: randomness comes in as [`Entropy`]. It knows nothing of records beyond their ids, and every secret type
//! wipes itself on drop and prints as `…`.
//!
//! ```
//! use medibloc_keys::{KeyFile, KeyFileCost, Language, Phrase, SeededEntropy};
//! # let mut entropy = SeededEntropy::new(1);
//! let phrase = Phrase::generate(&mut entropy, Language::English);
//! let file = KeyFile::Phrase(phrase).seal("a passphrase", KeyFileCost::RECOMMENDED, &mut entropy)?;
//! let seed = KeyFile::open(&file, "a passphrase")?.seed();
//! let vault_key = seed.local_key("vault");
//! # assert_eq!(vault_key.len(), 32);
//! # Ok::<(), medibloc_keys::KeyFileError>(())
//! ```

mod derive;
mod entropy;
mod error;
mod hpke;
pub mod info;
mod key_file;
mod note;
mod pairing;
mod phrase;
mod shares;
mod sign;
mod stack;

pub use derive::{SealingSecret, Seed, Slot};
pub use entropy::{Entropy, SeededEntropy};
pub use error::KeysError;
pub use hpke::{OneTimeKey, hpke_open, hpke_seal};
pub use key_file::{KeyFile, KeyFileCost, KeyFileError};
pub use note::NoteKey;
pub use pairing::PairingKey;
pub use phrase::{Language, Phrase};
pub use shares::{DealerSeed, Dealing, KeeperHalf, Share, check_share, combine};
pub use sign::{SigningKey, recover, verify_attestation};
pub use stack::{wipe_stack, wipe_stack_of};
