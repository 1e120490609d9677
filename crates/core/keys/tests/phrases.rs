//! Phrases as people type them and as they are shown.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use medibloc_keys::{Language, Phrase, SeededEntropy};

const LANGUAGES: [Language; 3] = [
    Language::English,
    Language::SimplifiedChinese,
    Language::Korean,
];

/// Korean syllables taken apart to letters, as some systems type them (Unicode 16.0, section 3.12.2).
fn letters(text: &str) -> String {
    let letter = |base: u32, at: u32| char::from_u32(base + at).unwrap();
    let mut out = String::new();
    for c in text.chars() {
        match u32::from(c).checked_sub(0xac00).filter(|at| *at < 11172) {
            Some(at) => {
                out.push(letter(0x1100, at / 588));
                out.push(letter(0x1161, at % 588 / 28));
                if at % 28 > 0 {
                    out.push(letter(0x11a7, at % 28));
                }
            }
            None => out.push(c),
        }
    }
    out
}

#[test]
fn a_phrase_is_taken_as_people_type_it() {
    for language in LANGUAGES {
        let phrase = Phrase::generate(&mut SeededEntropy::new(11), language);
        let shown = phrase.words();
        let words: Vec<&str> = shown.split(' ').collect();
        let numbered = |point: &str| -> String {
            let lines = words.iter().zip(1..);
            lines
                .map(|(word, number)| format!("{number}{point}{word}\n"))
                .collect()
        };
        for typed in [
            format!("\u{feff}{}", *shown),
            shown.to_uppercase(),
            words.join("\u{3000}"),
            words.join(" \u{a0}\r\n  "),
            words.join(", "),
            words.join("、"),
            numbered(". "),
            numbered("."),
            numbered(") "),
            numbered("\t"),
            format!("\u{200e}[{}]", *shown),
            letters(&shown),
        ] {
            assert_eq!(Phrase::parse(&typed), Ok(phrase.clone()), "{language:?}");
        }
    }
    let phrase = Phrase::generate(&mut SeededEntropy::new(12), Language::SimplifiedChinese);
    assert_eq!(Phrase::parse(&phrase.words().replace(' ', "")), Ok(phrase));
}

#[test]
fn korean_is_shown_in_syllables() {
    let phrase = Phrase::generate(&mut SeededEntropy::new(13), Language::Korean);
    let shown = phrase.words();
    let is_syllable = |c: char| ('\u{ac00}'..='\u{d7a3}').contains(&c);
    assert!(shown.chars().all(|c| c == ' ' || is_syllable(c)));
    assert_eq!(Phrase::parse(&letters(&shown)), Ok(phrase));
}
