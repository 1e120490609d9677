//! Seeded mutations of the pairs of `testdata`: nothing panics, and what XML reads whole it writes whole.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;

use medibloc_format_fhir::{FhirJson, FhirXml, to_xml};
use medibloc_record::{EntryOutcome, Format as _};

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// Pieces that change what the text around them is.
const PIECES: [&str; 18] = [
    "<",
    ">",
    "/>",
    "\"",
    "=\"",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "&#x1;",
    "&lt;",
    " value=\"1\"",
    " id=\"a\"",
    "<extension url=\"u\"/>",
    "xmlns=\"\"",
    "xmlns:h=\"http://www.w3.org/1999/xhtml\"",
    "h:",
    "\r\n",
];

fn check(data: &[u8]) {
    if let Ok(draft) = FhirJson.read(data) {
        let _xml = to_xml(&(&draft.fhir).into());
    }
    let Ok(draft) = FhirXml.read(data) else {
        return;
    };
    if draft.loss.count(EntryOutcome::Lost) == 0 {
        let xml = to_xml(&(&draft.fhir).into()).unwrap();
        let again = FhirXml.read(xml.as_bytes()).unwrap();
        assert_eq!(again.fhir, draft.fhir);
    }
}

#[test]
fn mutations_of_the_pairs_break_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/fhir");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let rounds = std::env::var("MEDIBLOC_FUZZ_ROUNDS").map_or(2_000, |text| text.parse().unwrap());
    for round in 0..rounds {
        let mut data = seeds[dice.roll(seeds.len())].clone();
        for _ in 0..=dice.roll(4) {
            let from = dice.roll(data.len());
            let to = (from + dice.roll(40)).min(data.len());
            match dice.roll(5) {
                0 => data[from] ^= 1 << dice.roll(8),
                1 => drop(data.drain(from..to)),
                2 => {
                    let piece = data[from..to].to_vec();
                    let at = dice.roll(data.len());
                    data.splice(at..at, piece);
                }
                3 => {
                    let piece = PIECES[dice.roll(PIECES.len())].bytes();
                    data.splice(from..from, piece);
                }
                _ => data.truncate(data.len() - dice.roll(20).min(data.len() - 1)),
            }
            if data.is_empty() {
                break;
            }
        }
        let broken = std::panic::catch_unwind(|| check(&data)).is_err();
        assert!(!broken, "round {round}: {}", data.escape_ascii());
    }
}
