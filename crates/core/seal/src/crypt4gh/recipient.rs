//! A reader of a `.c4gh` file, by its public key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use medibloc_record::SealingKey;

use super::Crypt4ghError;

const BEGIN: &str = "-----BEGIN CRYPT4GH PUBLIC KEY-----";
const END: &str = "-----END CRYPT4GH PUBLIC KEY-----";

/// An X25519 public key that a `.c4gh` file is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recipient([u8; 32]);

impl Recipient {
    /// The recipient with this public key.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The recipient in a public key file, as `crypt4gh-keygen` writes it.
    ///
    /// # Errors
    /// If the text is not of that form or has not 32 bytes.
    pub fn parse(text: &str) -> Result<Self, Crypt4ghError> {
        let bad = |why| Crypt4ghError::KeyText { why };
        let lines: Vec<&str> = text
            .trim_start_matches('\u{feff}')
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let [BEGIN, middle @ .., END] = lines.as_slice() else {
            return Err(bad("its first or last line is another"));
        };
        let bytes = STANDARD
            .decode(middle.concat())
            .map_err(|_| bad("its middle is not base64"))?;
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| bad("it has not 32 bytes"))
    }

    /// The key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<SealingKey> for Recipient {
    fn from(key: SealingKey) -> Self {
        Self(key.key)
    }
}

/// The public key file, as `crypt4gh-keygen` writes it.
impl core::fmt::Display for Recipient {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        writeln!(f, "{BEGIN}\n{}\n{END}", STANDARD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_round_trips_and_another_text_says_what_is_wrong() {
        let key = Recipient::new([7; 32]);
        assert_eq!(Recipient::parse(&key.to_string()).unwrap(), key);
        let check = |text: String, why: &str| {
            let error = Recipient::parse(&text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        check(String::new(), "first or last line");
        check(
            key.to_string().replace("PUBLIC", "PRIVATE"),
            "first or last line",
        );
        check(format!("{BEGIN}\n*\n{END}"), "not base64");
        check(format!("{BEGIN}\nAAAA\n{END}"), "not 32 bytes");
    }
}
