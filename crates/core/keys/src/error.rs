//! What can be wrong with keys, phrases, signatures, wraps and shares.

/// Why a key operation failed. Never carries secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// Not 24 words.
    #[error("the phrase has {got} words, it must have 24; check that none is missing")]
    WordCount {
        /// Words given.
        got: usize,
    },
    /// A word of no list.
    #[error(
        "word {position} of the phrase is in none of the word lists (English, Chinese, Korean); check its spelling"
    )]
    UnknownWord {
        /// Counts from 1.
        position: usize,
    },
    /// The checksum fails.
    #[error(
        "the phrase's words are valid but do not belong together; check their order and that none is another word of the list"
    )]
    Checksum,
    /// A signature that is none.
    #[error("the signature is not valid: {why}; ask the signer to sign again")]
    Signature {
        /// What is wrong.
        why: &'static str,
    },
    /// A key that is none.
    #[error("the key is not valid; ask its owner to register it again")]
    Key,
    /// A wrap that does not open.
    #[error(
        "the wrap does not open with key version {version}: it was made for another key, another purpose, or was changed"
    )]
    Open {
        /// Version of the key in the wrap.
        version: u32,
    },
    /// A note that does not open.
    #[error(
        "the note does not open: it was made with another phrase, for another address or place, or was changed"
    )]
    Note,
    /// A share that does not fit.
    #[error("share {index} does not fit its commitment; ask another keeper")]
    Share {
        /// Which.
        index: u8,
    },
    /// Not enough shares.
    #[error("{got} shares are not enough, {needed} are needed")]
    TooFewShares {
        /// Distinct shares given.
        got: usize,
        /// Needed.
        needed: u8,
    },
}
