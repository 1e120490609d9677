//! Answers with an end.

use reqwest::Response;

/// Why an answer's body is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// More than is taken.
    #[error("an answer of over {limit} bytes")]
    TooLarge {
        /// What is taken.
        limit: usize,
    },
    /// It broke off.
    #[error("the answer broke off")]
    Broken(#[source] reqwest::Error),
}

/// The body of an answer, of at most `limit` bytes; nothing is reserved for what the peer only announces.
///
/// # Errors
/// If it is larger, or breaks off.
pub async fn take(mut response: Response, limit: usize) -> Result<Vec<u8>, BodyError> {
    let announced = response.content_length();
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(BodyError::TooLarge { limit });
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        if chunk.len() > limit - bytes.len() {
            return Err(BodyError::TooLarge { limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
