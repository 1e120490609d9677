//! Every target over its seeds, over inputs that once failed, and over a few thousand mutations of both, on stable.
//!
//! `MEDIBLOC_FUZZ_ROUNDS` says how many mutations a target gets; the seed of the dice is fixed, so a failure comes back.

use std::fs;
use std::path::Path;

use medibloc_fuzz::{TARGETS, seeds};

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("sides are a usize")
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.roll(256)).expect("256 sides")
    }

    fn mutate(&mut self, data: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.roll(6) {
            let at = self.roll(data.len() + 1);
            let until = (at + self.roll(17)).min(data.len());
            match self.roll(8) {
                0 if at < data.len() => data[at] = self.byte(),
                1 if at < data.len() => data[at] ^= 1 << self.roll(8),
                2 => data.truncate(at),
                3 => drop(data.drain(at..until)),
                4 => data.insert(at, self.byte()),
                5 => {
                    let piece = data[at..until].to_vec();
                    data.splice(at..at, piece);
                }
                6 if !other.is_empty() => {
                    let from = self.roll(other.len());
                    let to = (from + self.roll(33)).min(other.len());
                    data.splice(at..until, other[from..to].iter().copied());
                }
                _ => {
                    let extreme = [0u8, 0x17, 0x18, 0x1b, 0x7f, 0x80, 0xf6, 0xff];
                    data.splice(at..until, [extreme[self.roll(8)]; 3]);
                }
            }
        }
    }
}

fn regressions(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("regressions")
        .join(target);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    let read = |path| fs::read(path).expect("a readable file");
    paths.into_iter().map(read).collect()
}

#[test]
fn no_target_breaks_on_seeds_regressions_and_mutations_of_them() {
    let rounds = std::env::var("MEDIBLOC_FUZZ_ROUNDS").map_or(400, |text| {
        text.parse().expect("MEDIBLOC_FUZZ_ROUNDS is a number")
    });
    for (name, target) in TARGETS {
        let mut inputs = seeds(name);
        assert!(!inputs.is_empty());
        inputs.extend(regressions(name));
        inputs.iter().for_each(|input| target(input));
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        for round in 0..rounds {
            let mut data = inputs[dice.roll(inputs.len())].clone();
            let other = dice.roll(inputs.len());
            dice.mutate(&mut data, &inputs[other]);
            let broken = std::panic::catch_unwind(|| target(&data)).is_err();
            assert!(!broken, "{name}, round {round}: {}", data.escape_ascii());
        }
    }
}
