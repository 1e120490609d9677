//! A seeded mutator over the golden documents: no input may panic.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "tests"
)]

use std::fs;

use medibloc_format_cda::Cda;
use medibloc_record::Format;

fn target(data: &[u8]) {
    let _sniffed = Cda.sniff(data);
    if let Ok(draft) = Cda.read(data) {
        assert_eq!(draft.original, data);
    }
}

#[test]
fn mutated_documents_never_panic() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../testdata/cda");
    let bytes = fs::read(format!("{folder}/operative_note.xml")).unwrap();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    for _ in 0..300 {
        let mut data = bytes.clone();
        for _ in 0..=next(8) {
            let at = next(data.len());
            match next(4) {
                0 => data[at] = next(256) as u8,
                1 => data.truncate(at.max(1)),
                2 => {
                    data.remove(at);
                    data.push(b' ');
                }
                _ => {
                    let digit = b'0' + next(10) as u8;
                    if data[at].is_ascii_digit() || data[at].is_ascii_alphabetic() {
                        data[at] = digit;
                    }
                }
            }
        }
        target(&data);
    }
}
