//! Features of pairs of addresses: the more a feature is, the more the pair seems to be one hand.

use std::collections::BTreeSet;

use medibloc_record::AccountId;

use super::life::Lived;
use super::view::{Seen, View};

mod clocks;

const HOUR: f64 = 3_600.0;
const DAY: u64 = 86_400;
const HALF: u64 = DAY / 2;
const HOUR_SECONDS: u64 = 3_600;
/// Seconds between two blocks of a public chain. A transaction of the relay is in one block, so this is a batch, too.
const BLOCK: u64 = 12;

/// Which pairs are guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Two pseudonyms of one person.
    Pseudonyms,
    /// Two reader addresses of one hospital.
    Readers,
    /// A reader address and its hospital's public account.
    Hospital,
    /// A pseudonym and the hospital that its person is a patient of: not hidden.
    Patients,
}

impl Target {
    /// All.
    pub const ALL: [Self; 4] = [
        Self::Pseudonyms,
        Self::Readers,
        Self::Hospital,
        Self::Patients,
    ];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pseudonyms => "pseudonym–pseudonym",
            Self::Readers => "reader–reader",
            Self::Hospital => "reader–hospital",
            Self::Patients => "pseudonym–hospital",
        }
    }

    /// Names of its features.
    pub const fn features(self) -> &'static [&'static str] {
        match self {
            Self::Pseudonyms => &[
                "registered close in time",
                "registered one after the other",
                "accepted close in time",
                "granted close in time",
                "delivered close in time",
                "any act close in time",
                "acts within a minute",
                "acts within 10 minutes",
                "acts within an hour",
                "acts within 6 hours",
                "acts within a day",
                "equal ends",
                "ends on one day",
                "revoked close in time",
                "read close in time",
                "granted while the other is written for",
                "granted while the other lets write",
                "not the same author",
                "same hours of the day",
                "read while the other is written for",
                "visits apart",
                "acts in one block",
                "registered in one block",
                "equal beginnings",
                "beginnings within an hour",
                "grants close in time, equal ends",
                "erased close in time",
                "erasures within an hour",
                "rotated close in time",
                "rotations within an hour",
                "deadlines as far ahead",
                "beginnings as far ahead",
                "ends at one second of the hour",
                "acts at one minute of the half day",
            ],
            Self::Readers => &[
                "registered close in time",
                "registered one after the other",
                "granted close in time",
                "read close in time",
                "reads within 10 minutes",
                "reads within an hour",
                "reads within 6 hours",
                "reads within a day",
                "equal ends",
                "ends on one day",
                "not the same owner",
                "owners of one author",
                "same hours of the day",
                "registered while the other reads",
                "acts in one block",
                "registered in one block",
                "equal beginnings",
                "beginnings within an hour",
                "rotated close in time",
                "deadlines as far ahead",
                "beginnings as far ahead",
                "ends at one second of the hour",
                "acts at one minute of the half day",
            ],
            Self::Hospital => &[
                "read while it anchors",
                "reads within 10 minutes of anchors",
                "reads within an hour of anchors",
                "reads within 6 hours of anchors",
                "reads within a day of anchors",
                "registered while it anchors",
                "granted while it anchors",
                "granted while it is let write",
                "does not write for the owner",
                "same hours of the day",
                "it anchors much",
                "an anchor soon after the read",
                "reads in the block of an anchor",
                "registered in the block of an anchor",
                "deadlines as far ahead",
                "acts at one minute of the half day",
            ],
            Self::Patients => &["is let write, or writes"],
        }
    }

    /// How many of them, the last, look for how far a clock is off.
    pub const fn of_clocks(self) -> usize {
        match self {
            Self::Pseudonyms | Self::Readers => 4,
            Self::Hospital => 2,
            Self::Patients => 0,
        }
    }
}

/// Pairs with their features and the truth.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    /// One row of features a pair.
    pub rows: Vec<Vec<f32>>,
    /// Whether the pair is one hand.
    pub truth: Vec<bool>,
}

impl Pairs {
    /// All pairs of a life.
    pub fn of(lived: &Lived, target: Target) -> Self {
        let view = View::of(&lived.blocks, &lived.calldata);
        let mut pairs = Self::default();
        match target {
            Target::Pseudonyms => {
                let owners: Vec<_> = view.owners.iter().collect();
                for (place, (a, seen_a)) in owners.iter().enumerate() {
                    for (b, seen_b) in owners.iter().skip(place + 1) {
                        let same = same(lived.person_of.get(a), lived.person_of.get(b));
                        pairs.add(pseudonyms(seen_a, seen_b), same);
                    }
                }
            }
            Target::Readers => {
                let readers: Vec<_> = view.readers.iter().collect();
                for (place, (a, seen_a)) in readers.iter().enumerate() {
                    for (b, seen_b) in readers.iter().skip(place + 1) {
                        let same = same(lived.hospital_of.get(a), lived.hospital_of.get(b));
                        pairs.add(of_readers(&view, seen_a, seen_b), same);
                    }
                }
            }
            Target::Hospital => {
                for (reader, seen) in &view.readers {
                    for (number, account) in lived.accounts.iter().enumerate() {
                        let same = lived.hospital_of.get(reader) == Some(&number);
                        pairs.add(of_hospital(&view, seen, *account), same);
                    }
                }
            }
            Target::Patients => {
                for (owner, seen) in &view.owners {
                    for (number, account) in lived.accounts.iter().enumerate() {
                        let same = lived.paired.get(owner) == Some(&number);
                        let writes = f64::from(u8::from(seen.authors.contains(account)));
                        pairs.add(vec![writes], same);
                    }
                }
            }
        }
        pairs
    }

    fn add(&mut self, row: Vec<f64>, same: bool) {
        #[expect(clippy::cast_possible_truncation, reason = "a feature is only ranked")]
        self.rows.push(row.into_iter().map(|x| x as f32).collect());
        self.truth.push(same);
    }

    /// Adds the pairs of another life; no pair spans two.
    pub fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.truth.extend(other.truth);
    }

    /// Share of pairs that are one hand: what guessing blindly reaches.
    pub fn chance(&self) -> f64 {
        let good = self.truth.iter().filter(|same| **same).count();
        ratio(good, self.truth.len())
    }
}

/// A part of a whole; nothing of nothing is nothing.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of pairs are far below 2^52"
)]
pub fn ratio(part: usize, whole: usize) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}

fn same(a: Option<&usize>, b: Option<&usize>) -> bool {
    a.is_some() && a == b
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds and places are far below 2^52"
)]
const fn float(x: u64) -> f64 {
    x as f64
}

/// Smallest distance of two sorted lists of times, in seconds.
fn nearest(a: &[u64], b: &[u64]) -> Option<u64> {
    a.iter()
        .flat_map(|x| {
            let place = b.partition_point(|y| y < x);
            let before = place.checked_sub(1).and_then(|before| b.get(before));
            [before, b.get(place)]
                .into_iter()
                .flatten()
                .map(move |y| y.abs_diff(*x))
        })
        .min()
}

/// Closer is more; never together is least.
fn near(distance: Option<u64>) -> f64 {
    -distance.map_or(20.0, |seconds| (float(seconds) / HOUR + 1.0 / 60.0).ln())
}

fn close(a: &[u64], b: &[u64]) -> f64 {
    near(nearest(a, b))
}

/// How many of `a` have one of `b` within so many seconds, for the shorter list.
fn within(a: &[u64], b: &[u64], seconds: u64) -> f64 {
    let (a, b) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let hits = a.iter().filter(|x| {
        let place = b.partition_point(|y| y.saturating_add(seconds) < **x);
        b.get(place).is_some_and(|y| y.abs_diff(**x) <= seconds)
    });
    let hits = hits.count();
    float(hits as u64) + ratio(hits, a.len().max(1))
}

fn equal(a: &[u64], b: &[u64], grain: u64) -> f64 {
    let days = |list: &[u64]| list.iter().map(|end| end / grain).collect::<BTreeSet<_>>();
    float(days(a).intersection(&days(b)).count() as u64)
}

fn in_one_block(a: Option<u64>, b: Option<u64>) -> f64 {
    let block = |at: Option<u64>| at.map(|at| at / BLOCK);
    f64::from(u8::from(a.is_some() && block(a) == block(b)))
}

/// Consents that went within some days of each other and end within some days of each other, the closer the more.
fn together(a: &Seen, b: &Seen) -> f64 {
    let consents = |seen: &Seen| -> Vec<(u64, u64)> {
        let both = seen.granted.iter().zip(&seen.ends);
        both.map(|(at, end)| (*at, *end)).collect()
    };
    let days = |x: u64, y: u64| float(x.abs_diff(y)) / float(DAY);
    let (a, b) = (consents(a), consents(b));
    let best = a.iter().map(|x| {
        let alike = b.iter().map(|y| (-days(x.0, y.0) - days(x.1, y.1)).exp());
        alike.fold(0.0, f64::max)
    });
    best.sum()
}

/// Likeness of the hours of the day at which two act.
fn hours(a: &[u64], b: &[u64]) -> f64 {
    let profile = |list: &[u64]| {
        let mut hours = [0.1_f64; 24];
        for at in list {
            let hour = usize::try_from(at % DAY / 3_600).unwrap_or(0);
            for (offset, weight) in [(0, 1.0), (1, 0.5), (23, 0.5)] {
                hours[(hour + offset) % 24] += weight;
            }
        }
        hours
    };
    let (a, b) = (profile(a), profile(b));
    let dot = |x: &[f64; 24], y: &[f64; 24]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

fn both(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    Some(a?.abs_diff(b?))
}

fn pseudonyms(a: &Seen, b: &Seen) -> Vec<f64> {
    let (acts, others) = (a.acts(), b.acts());
    let cross = |x: fn(&Seen) -> &Vec<u64>, y: fn(&Seen) -> &Vec<u64>| {
        close(x(a), y(b)).max(close(x(b), y(a)))
    };
    let row = vec![
        near(both(a.registered, b.registered)),
        near(both(a.place, b.place).map(|gap| gap * 60)),
        close(&a.accepted, &b.accepted),
        close(&a.granted, &b.granted),
        close(&a.delivered, &b.delivered),
        close(&acts, &others),
        within(&acts, &others, 60),
        within(&acts, &others, 600),
        within(&acts, &others, 3_600),
        within(&acts, &others, 6 * 3_600),
        within(&acts, &others, DAY),
        equal(&a.ends, &b.ends, 1),
        equal(&a.ends, &b.ends, DAY),
        close(&a.revoked, &b.revoked),
        close(&a.read, &b.read),
        cross(|seen| &seen.granted, |seen| &seen.anchored),
        cross(|seen| &seen.granted, |seen| &seen.writes),
        -float(a.authors.intersection(&b.authors).count() as u64),
        hours(&acts, &others),
        cross(|seen| &seen.read, |seen| &seen.anchored),
        -close(&a.anchored, &b.anchored),
        equal(&acts, &others, BLOCK),
        in_one_block(a.registered, b.registered),
        equal(&a.begins, &b.begins, 1),
        within(&a.begins, &b.begins, 3_600),
        together(a, b),
        close(&a.erased, &b.erased),
        within(&a.erased, &b.erased, 3_600),
        close(&a.rotated, &b.rotated),
        within(&a.rotated, &b.rotated, 3_600),
    ];
    [row, clocks::of_two(a, b, (&acts, &others))].concat()
}

fn of_readers(view: &View, a: &Seen, b: &Seen) -> Vec<f64> {
    let authors = |seen: &Seen| {
        let owners = seen
            .owners
            .iter()
            .filter_map(|owner| view.owners.get(owner));
        owners
            .flat_map(|owner| owner.authors.iter().copied())
            .collect::<BTreeSet<AccountId>>()
    };
    let one = |at: Option<u64>| at.into_iter().collect::<Vec<_>>();
    let row = vec![
        near(both(a.registered, b.registered)),
        near(both(a.place, b.place).map(|gap| gap * 60)),
        close(&a.granted, &b.granted),
        close(&a.read, &b.read),
        within(&a.read, &b.read, 600),
        within(&a.read, &b.read, 3_600),
        within(&a.read, &b.read, 6 * 3_600),
        within(&a.read, &b.read, DAY),
        equal(&a.ends, &b.ends, 1),
        equal(&a.ends, &b.ends, DAY),
        -float(a.owners.intersection(&b.owners).count() as u64),
        float(authors(a).intersection(&authors(b)).count() as u64),
        hours(&a.read, &b.read),
        close(&one(a.registered), &b.read).max(close(&one(b.registered), &a.read)),
        equal(&a.granted, &b.granted, BLOCK) + equal(&a.read, &b.read, BLOCK),
        in_one_block(a.registered, b.registered),
        equal(&a.begins, &b.begins, 1),
        within(&a.begins, &b.begins, 3_600),
        close(&a.rotated, &b.rotated),
    ];
    [row, clocks::of_two(a, b, (&a.read, &b.read))].concat()
}

fn of_hospital(view: &View, reader: &Seen, account: AccountId) -> Vec<f64> {
    let none = Vec::new();
    let anchors = view.authors.get(&account).unwrap_or(&none);
    let allowed = view.allowed.get(&account).unwrap_or(&none);
    let owners = reader
        .owners
        .iter()
        .filter_map(|owner| view.owners.get(owner));
    let writes = owners
        .filter(|owner| owner.authors.contains(&account))
        .count();
    let one: Vec<u64> = reader.registered.into_iter().collect();
    let after = reader.read.iter().filter_map(|read| {
        let place = anchors.partition_point(|at| at < read);
        anchors.get(place).map(|at| at - read)
    });
    vec![
        close(&reader.read, anchors),
        within(&reader.read, anchors, 600),
        within(&reader.read, anchors, 3_600),
        within(&reader.read, anchors, 6 * 3_600),
        within(&reader.read, anchors, DAY),
        close(&one, anchors),
        close(&reader.granted, anchors),
        close(&reader.granted, allowed),
        -float(writes as u64),
        hours(&reader.read, anchors),
        float(anchors.len() as u64),
        near(after.min()),
        equal(&reader.read, anchors, BLOCK),
        equal(&one, anchors, BLOCK),
        clocks::ahead(&reader.holds, view.holds.get(&account).unwrap_or(&none)),
        clocks::one_minute(&reader.read, anchors),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_found_on_both_sides() {
        assert_eq!(nearest(&[100, 500], &[90, 700]), Some(10));
        assert!(nearest(&[100], &[300, 130]).is_some());
        assert_eq!(nearest(&[], &[1]), None);
        assert!(close(&[100], &[101]) > close(&[100], &[5_000]));
        assert!(close(&[100], &[5_000]) > close(&[], &[5_000]));
        assert!((within(&[100, 900], &[105, 2_000], 10) - 1.5).abs() < 1e-9);
        assert!(hours(&[3_600 * 9], &[3_600 * 9 + DAY]) > hours(&[3_600 * 9], &[3_600 * 20]));
    }
}
