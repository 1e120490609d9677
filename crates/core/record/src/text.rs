//! Words that others wrote, as they are shown and as they are compared: names, titles, labels, reasons.
//!
//! What is not seen must neither change what a person reads nor make two persons of one. What writing needs stays: joiners of
//! Persian and Indic words and of emoji, selectors of emoji and of Han variants, marks as far as any language stacks them.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// Marks that one letter carries: Burmese has five, Hebrew with vowels and accents four.
const MOST_MARKS: usize = 6;
/// Of them, those that stand above or below each other.
const MOST_STACKED: usize = 4;
/// The combining class of a virama: what follows it is joined.
const VIRAMA: u8 = 9;
const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';

/// A name or a sentence of somebody else on one line: without what moves a cursor, ends a line, turns its direction, is not seen,
/// or covers the lines above and below.
pub fn on_one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let (mut marks, mut stacked) = (0, 0);
    let mut all = text.chars().peekable();
    while let Some(c) = all.next() {
        let before = shown.chars().next_back();
        let c = if c.is_control() || c == '\u{2800}' {
            ' '
        } else {
            c
        };
        if is_invisible(c) {
            if is_needed(c, before, all.peek().copied()) {
                shown.push(c);
            }
            continue;
        }
        if !is_combining_mark(c) {
            (marks, stacked) = (0, 0);
            shown.push(c);
            continue;
        }
        marks += 1;
        stacked += usize::from(canonical_combining_class(c) != 0);
        let has_base = before.is_some_and(|before| !before.is_whitespace());
        // The same mark twice on a letter is nothing that is written.
        if has_base && before != Some(c) && marks <= MOST_MARKS && stacked <= MOST_STACKED {
            shown.push(c);
        }
    }
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every line of a text that was put together here, each without what moves a cursor, turns its direction or is not seen; blanks
/// that put words below each other stay.
pub fn on_its_lines(text: &str) -> String {
    let line = |line: &str| -> String {
        let shown = line.chars().filter(|c| !c.is_control());
        let shown: Vec<char> = shown.collect();
        let around = |at: usize| (at.checked_sub(1).map(|at| shown[at]), shown.get(at + 1));
        let needed = |(at, c): &(usize, &char)| {
            let (before, after) = around(*at);
            !is_invisible(**c) || is_needed(**c, before, after.copied())
        };
        shown
            .iter()
            .enumerate()
            .filter(needed)
            .map(|(_, c)| *c)
            .collect()
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A text without what differs by the hand that wrote it: case (ß is ss, and the i of every language is one letter), how letters
/// are composed (UAX 15, NFKC), and what is not seen. What only looks alike stays different.
pub fn compared(text: &str) -> String {
    let seen = text.chars().filter(|c| !is_invisible(*c));
    let lower = |c: char| match c {
        // In lower case it is an i with a dot more.
        '\u{130}' => 'i'.to_lowercase(),
        c => c.to_lowercase(),
    };
    // By the upper case, since ß and ẞ, σ and ς have one; letter by letter, since the end of a word changes none then.
    let folded = seen.nfkc().flat_map(lower).flat_map(char::to_uppercase);
    let folded: String = folded.flat_map(char::to_lowercase).nfkc().collect();
    folded.chars().filter(|c| !is_invisible(*c)).collect()
}

/// What nobody sees (Unicode's Default_Ignorable_Code_Point), and what ends or turns a line.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether what is not seen itself changes how its neighbours are written.
fn is_needed(c: char, before: Option<char>, after: Option<char>) -> bool {
    let Some(before) = before else {
        return false;
    };
    let after_virama = canonical_combining_class(before) == VIRAMA;
    match c {
        NON_JOINER => after_virama || is_arabic(before) && after.is_some_and(is_arabic),
        JOINER => after_virama || is_pictured(before) && after.is_some_and(is_pictured),
        '\u{fe0e}'..='\u{fe0f}' => is_pictured(before) || matches!(before, '0'..='9' | '#' | '*'),
        '\u{fe00}'..='\u{fe02}' | '\u{e0100}'..='\u{e01ef}' => is_han(before),
        _ => false,
    }
}

const fn is_arabic(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{8a0}'..='\u{8ff}')
}

const fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// An emoji or a sign of which there is one, with the selector after it.
const fn is_pictured(c: char) -> bool {
    matches!(c, '\u{203c}'..='\u{27bf}' | '\u{2900}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_write_stays_on_its_line_and_hides_nothing() {
        for (name, shown) in [
            ("Hana\nALARM: pay", "Hana ALARM: pay"),
            ("\u{202e}cinilC\u{202c} A", "cinilC A"),
            ("a\u{1b}[2Jb", "a [2Jb"),
            ("\u{feff}한국 병원\u{2028}x", "한국 병원x"),
            ("  two   words ", "two words"),
            ("Cli\u{ad}nic\u{200b}\u{2060}\u{3164}\u{34f}", "Clinic"),
            ("Clinic\u{fe0f}\u{fe00}\u{e0100}\u{e0041}", "Clinic"),
            ("Cli\u{200d}n\u{200c}ic", "Clinic"),
            ("\u{301}Ana\u{2800}\u{301}B", "Ana B"),
            ("\u{200b}\u{ad}", ""),
        ] {
            assert_eq!(on_one_line(name), shown, "{}", name.escape_unicode());
        }
        let marks: Vec<char> = ('\u{300}'..='\u{36f}').collect();
        let zalgo: String = "Clinic"
            .chars()
            .flat_map(|c| core::iter::once(c).chain(marks.iter().copied().cycle().take(300)))
            .collect();
        assert!(on_one_line(&zalgo).chars().count() <= 6 * (1 + MOST_STACKED));
        let thai = format!("ก{}", "\u{e47}".repeat(80));
        assert_eq!(on_one_line(&thai), "ก\u{e47}");
        let turns = format!("ก{}", "\u{e47}\u{e4d}".repeat(80));
        assert!(on_one_line(&turns).chars().count() <= 1 + MOST_MARKS);
    }

    #[test]
    fn what_is_written_in_the_world_stays_as_it_is() {
        for name in [
            "김민준",
            "\u{1100}\u{1175}\u{11b7}",
            "王小明",
            "葛\u{e0100}城",
            "โรงพยาบาลเด็ก น้ำ",
            "क्षत्रिय श्री राष्ट्रीय",
            "क्\u{200d}ष",
            "محمد بن عبد الله",
            "مُحَمَّدٌ",
            "می\u{200c}خواهم",
            "שָׁלוֹם",
            "Nguyễn Thị Hương",
            "Nguye\u{302}\u{303}n",
            "မြွှေး ကျွန်ုပ်",
            "ស្ត្រី",
            "👩\u{200d}⚕\u{fe0f} Dr. Ayşe",
            "👨\u{200d}👩\u{200d}👧",
            "❤\u{fe0f} 1\u{fe0f}\u{20e3}",
            "👋🏽",
            "Zoë Müller-Strauß",
        ] {
            assert_eq!(on_one_line(name), name);
        }
    }

    #[test]
    fn one_name_is_one_however_it_is_typed() {
        for (one, two) in [
            ("Strauß", "STRAUSS"),
            ("STRAU\u{1e9e}", "Strauß"),
            ("Ο∆ΥΣΣΕΥΣ", "ο∆υσσευς"),
            ("ΝΙΚΟΣ", "νικος"),
            ("İbrahim", "ibrahim"),
            ("IRMAK", "ırmak"),
            ("Jo\u{301}se", "Jóse"),
            (
                "Cho\u{200b}Kim\u{feff}\u{ad}\u{2060}\u{200d}\u{200c}",
                "chokim",
            ),
            ("ＣＨＯ", "Cho"),
            ("葛\u{e0100}城", "葛城"),
            ("ﬁn", "FIN"),
        ] {
            assert_eq!(compared(one), compared(two), "{one} {two}");
        }
        for (one, two) in [
            ("José", "Jose"),
            ("Strauß", "Straub"),
            ("Anna", "Аnna"),
            ("Il", "ll"),
            ("김민준", "김민수"),
            ("Rose 0", "Rose O"),
            ("راشد", "رشد"),
        ] {
            assert_ne!(compared(one), compared(two), "{one} {two}");
        }
    }
}
