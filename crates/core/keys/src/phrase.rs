//! The phrase: 24 words that are all it takes (BIP-39).

use bip39::Mnemonic;
use zeroize::Zeroizing;

use crate::{Entropy, KeysError, Seed};

/// Word lists that are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// 简体中文.
    SimplifiedChinese,
    /// 한국어.
    Korean,
}

const LANGUAGES: [Language; 3] = [
    Language::English,
    Language::SimplifiedChinese,
    Language::Korean,
];

impl Language {
    const fn list(self) -> bip39::Language {
        match self {
            Self::English => bip39::Language::English,
            Self::SimplifiedChinese => bip39::Language::SimplifiedChinese,
            Self::Korean => bip39::Language::Korean,
        }
    }

    /// Its number in a key file.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::English => 0,
            Self::SimplifiedChinese => 1,
            Self::Korean => 2,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        LANGUAGES
            .into_iter()
            .find(|language| language.code() == code)
    }
}

/// 24 words. Wiped on drop, never printed by Debug.
#[derive(Clone, PartialEq, Eq)]
pub struct Phrase(Mnemonic);

impl Phrase {
    /// A new phrase.
    pub fn generate(entropy: &mut dyn Entropy, language: Language) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        Self::from_entropy(&bytes, language)
    }

    /// The phrase of 32 bytes.
    pub fn from_entropy(bytes: &[u8; 32], language: Language) -> Self {
        let mnemonic =
            Mnemonic::from_entropy_in(language.list(), bytes).expect("32 bytes make 24 words");
        Self(mnemonic)
    }

    /// The phrase in a text, in any of the three languages.
    ///
    /// # Errors
    /// Names the position of a word that is in no list, or says that the checksum fails.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() != 24 {
            return Err(KeysError::WordCount { got: words.len() });
        }
        let mut furthest = 0;
        for language in LANGUAGES {
            match Mnemonic::parse_in(language.list(), words.join(" ")) {
                Ok(mnemonic) => return Ok(Self(mnemonic)),
                Err(bip39::Error::UnknownWord(position)) => furthest = furthest.max(position),
                Err(_) => return Err(KeysError::Checksum),
            }
        }
        Err(KeysError::UnknownWord {
            position: furthest + 1,
        })
    }

    /// The words, to be shown once.
    pub fn words(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.words().collect::<Vec<_>>().join(" "))
    }

    /// The language of its words and the 32 bytes that they stand for.
    pub(crate) fn to_entropy(&self) -> (Language, Zeroizing<[u8; 32]>) {
        let language = LANGUAGES
            .into_iter()
            .find(|language| language.list() == self.0.language())
            .expect("a phrase is made in one of the three languages");
        let mut entropy = Zeroizing::new([0; 32]);
        let (bytes, length) = self.0.to_entropy_array();
        let bytes = Zeroizing::new(bytes);
        debug_assert_eq!(length, 32, "24 words stand for 32 bytes");
        entropy.copy_from_slice(&bytes[..32]);
        (language, entropy)
    }

    /// The seed, without a passphrase (BIP-39, section "From mnemonic to seed").
    pub fn seed(&self) -> Seed {
        self.seed_with("")
    }

    fn seed_with(&self, passphrase: &str) -> Seed {
        Seed::new(self.0.to_seed(passphrase))
    }
}

impl core::fmt::Debug for Phrase {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Phrase(…)")
    }
}

/// Text in the one form that BIP-39 demands (NFKD): systems type one passphrase in different bytes.
pub(crate) fn normalised(text: &str) -> Zeroizing<String> {
    let mut text = std::borrow::Cow::Borrowed(text);
    Mnemonic::normalize_utf8_cow(&mut text);
    Zeroizing::new(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn the_vectors_of_bip_39_give_their_words_and_seeds() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../../../testdata/vectors/bip39.json")).unwrap();
        let passphrase = file["passphrase"].as_str().unwrap();
        let (mut whole, mut short) = (0, 0);
        for vector in file["vectors"].as_array().unwrap() {
            let get = |name: &str| vector[name].as_str().unwrap();
            let words = get("words");
            let Ok(entropy) = <[u8; 32]>::try_from(hex::decode(get("entropy")).unwrap()) else {
                let got = words.split(' ').count();
                assert_eq!(Phrase::parse(words), Err(KeysError::WordCount { got }));
                short += 1;
                continue;
            };
            let language = match get("language") {
                "english" => Language::English,
                "chinese-simplified" => Language::SimplifiedChinese,
                "korean" => Language::Korean,
                other => panic!("{other}"),
            };
            let phrase = Phrase::from_entropy(&entropy, language);
            assert_eq!(*phrase.words(), *normalised(words));
            assert_eq!(Phrase::parse(words).unwrap(), phrase);
            assert_eq!(*phrase.to_entropy().1, entropy);
            let seed = phrase.seed_with(passphrase);
            assert_eq!(hex::encode(seed.expose()), get("seed"));
            whole += 1;
        }
        assert_eq!((whole, short), (10, 18));
    }

    /// The all-abandon phrase, whose account 0 every wallet agrees on.
    #[test]
    fn the_well_known_phrase_gives_the_well_known_account() {
        let phrase = Phrase::parse(&("abandon ".repeat(23) + "art")).unwrap();
        assert_eq!(
            phrase.seed().account_key().address().to_string(),
            "0xf278cf59f82edcf871d630f28ecc8056f25c1cdb"
        );
    }

    #[test]
    fn each_language_round_trips() {
        for language in LANGUAGES {
            let phrase = Phrase::generate(&mut SeededEntropy::new(7), language);
            assert_eq!(Phrase::parse(&phrase.words()).unwrap(), phrase);
        }
    }

    #[test]
    fn a_wrong_phrase_says_what_is_wrong() {
        assert_eq!(
            Phrase::parse("abandon"),
            Err(KeysError::WordCount { got: 1 })
        );
        let misspelt = "abandon ".repeat(6) + "abandno " + &"abandon ".repeat(16) + "art";
        assert_eq!(
            Phrase::parse(&misspelt),
            Err(KeysError::UnknownWord { position: 7 })
        );
        assert_eq!(
            Phrase::parse(&"abandon ".repeat(24)),
            Err(KeysError::Checksum)
        );
    }
}
