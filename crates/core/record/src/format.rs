//! The port that every `format-*` crate implements.

use crate::Draft;

/// Why bytes are not a document of a format. Never carries content of the document.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{format}: {problem} at {at}; {hint}")]
pub struct FormatError {
    /// The format that was tried.
    pub format: &'static str,
    /// What is wrong.
    pub problem: FormatProblem,
    /// Where: `byte 120`, `line 3, column 9`, or a path.
    pub at: String,
    /// What to do next.
    pub hint: &'static str,
}

/// What is wrong with a document.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatProblem {
    /// Another format.
    #[error("not a document of this format")]
    Foreign,
    /// Ends too early.
    #[error("the document is cut off")]
    Truncated,
    /// Not well formed.
    #[error("malformed: {0}")]
    Malformed(String),
    /// Over a limit.
    #[error("too large: {0}")]
    TooLarge(String),
    /// Uses something that is off for safety (DTDs, external entities).
    #[error("forbidden: {0}")]
    Forbidden(&'static str),
    /// Bytes are not text of the declared encoding.
    #[error("not text in the declared encoding")]
    Encoding,
}

/// A family of documents that can become a [`Draft`].
pub trait Format: Send + Sync {
    /// Its name, for messages.
    fn name(&self) -> &'static str;

    /// Whether the bytes look like this format; cheap, and may be wrong.
    fn sniff(&self, bytes: &[u8]) -> bool;

    /// The draft of a document.
    ///
    /// # Errors
    /// Only for bytes that are not a well-formed document of the format; what is not understood is kept as
    /// narrative and told in the loss report.
    fn read(&self, bytes: &[u8]) -> Result<Draft, FormatError>;
}
