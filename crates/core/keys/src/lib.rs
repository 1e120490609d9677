//! A person's keys, from one phrase: signatures (EIP-712 digests on secp256k1), sealing (HPKE over X25519) and the
//! dealing of a record's keeper half (Shamir with Feldman commitments).
//!
//! Pure: randomness comes in as [`Entropy`]. It knows nothing of records beyond their ids, and every secret type
//! wipes itself on drop and prints as `…`.

mod derive;
mod entropy;
mod error;
mod hpke;
pub mod info;
mod key_file;
mod phrase;
mod shares;
mod sign;

pub use derive::{SealingSecret, Seed, Slot};
pub use entropy::{Entropy, SeededEntropy};
pub use error::KeysError;
pub use hpke::{OneTimeKey, hpke_open, hpke_seal};
pub use key_file::{KeyFile, KeyFileCost, KeyFileError};
pub use phrase::{Language, Phrase};
pub use shares::{DealerSeed, Dealing, KeeperHalf, Share, check_share, combine};
pub use sign::{SigningKey, recover, verify_attestation};
