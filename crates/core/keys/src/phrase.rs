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

    /// The phrase in a text as people type it, in any of the three languages: capitals, numbers before the words, commas,
    /// wide spaces, a byte order mark, Chinese without spaces and Korean in letters or syllables are all taken.
    ///
    /// # Errors
    /// Names the position of a word that is in no list, or says that the checksum fails.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        let text = spaced(&normalised(text));
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() != 24 {
            return Err(KeysError::WordCount { got: words.len() });
        }
        let mut furthest = 0;
        for language in LANGUAGES {
            let joined = Zeroizing::new(words.join(" "));
            match Mnemonic::parse_in(language.list(), joined.as_str()) {
                Ok(mnemonic) => return Ok(Self(mnemonic)),
                Err(bip39::Error::UnknownWord(position)) => furthest = furthest.max(position),
                Err(_) => return Err(KeysError::Checksum),
            }
        }
        Err(KeysError::UnknownWord {
            position: furthest + 1,
        })
    }

    /// The words, to be shown once; Korean in syllables, as people read it.
    pub fn words(&self) -> Zeroizing<String> {
        let words = Zeroizing::new(self.0.words().collect::<Vec<_>>().join(" "));
        Zeroizing::new(syllables(&words))
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

/// Words with one space between them. Only what can be no part of a word is taken away.
fn spaced(text: &str) -> Zeroizing<String> {
    let mut spaced = Zeroizing::new(String::with_capacity(text.len() * 2));
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            // Byte order mark, joiners, marks of direction.
            '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' => {}
            // Each is a word of its own.
            '\u{3400}'..='\u{9fff}' => {
                spaced.push(' ');
                spaced.push(c);
                spaced.push(' ');
            }
            c if c.is_alphabetic() || is_mark(c) => spaced.push(c),
            // Numbers, points, commas, brackets, spaces of any width.
            c if c.is_whitespace() || c.is_numeric() || is_beside(c) => spaced.push(' '),
            c => spaced.push(c),
        }
    }
    spaced
}

/// Marks that belong to the letter before (Hangul jamo are letters; this is for what another system adds).
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// What people write beside words.
const fn is_beside(c: char) -> bool {
    c.is_ascii_punctuation()
        || matches!(
            c,
            '\u{3001}' | '\u{3002}' | '\u{2013}' | '\u{2014}' | '\u{2022}' | '\u{b7}'
        )
}

/// Hangul letters put together to syllables (Unicode 16.0, section 3.12.3).
fn syllables(text: &str) -> String {
    let (first, vowel, last) = (0x1100, 0x1161, 0x11a7);
    let within = |c: char, base: u32, count: u32| {
        let at = u32::from(c).checked_sub(base)?;
        (at < count).then_some(at)
    };
    let mut out: Vec<char> = Vec::new();
    for c in text.chars() {
        let before = out.last().copied();
        let joined = before.and_then(|before| {
            let code = match (within(before, first, 19), within(c, vowel, 21)) {
                (Some(l), Some(v)) => 0xac00 + (l * 21 + v) * 28,
                _ => {
                    let open = within(before, 0xac00, 11172).filter(|at| at % 28 == 0)?;
                    0xac00 + open + within(c, last, 28).filter(|at| *at > 0)?
                }
            };
            char::from_u32(code)
        });
        match joined {
            Some(joined) => {
                out.pop();
                out.push(joined);
            }
            None => out.push(c),
        }
    }
    out.into_iter().collect()
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
            assert_eq!(*normalised(&phrase.words()), *normalised(words));
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
