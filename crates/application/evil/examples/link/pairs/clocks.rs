//! Features that look for how far a device's clock is off: what stands on the chain to the second, beside the block's own time.

use super::super::view::Seen;
use super::{HALF, HOUR_SECONDS, float, ratio};

/// Two addresses: deadlines, beginnings, ends, and the time of the day at which they act.
pub(super) fn of_two(a: &Seen, b: &Seen, (acts, others): (&[u64], &[u64])) -> Vec<f64> {
    let begun = |seen: &Seen| -> Vec<u64> {
        let both = seen.granted.iter().zip(&seen.begins);
        // None tells a beginning now; one that does is compared.
        both.filter(|(_, begin)| **begin > 0)
            .map(|(at, begin)| begin.wrapping_sub(*at).wrapping_add(FAR))
            .collect()
    };
    vec![
        ahead(&a.holds, &b.holds),
        ahead(&begun(a), &begun(b)),
        on_circle(&a.ends, &b.ends, HOUR_SECONDS, 10),
        one_minute(acts, others),
    ]
}

/// Keeps what is before its block a number above zero.
const FAR: u64 = 1 << 40;

/// How alike two devices say how far ahead something is: by their middle one, to the second.
pub(super) fn ahead(a: &[u64], b: &[u64]) -> f64 {
    match (middle(a), middle(b)) {
        (Some(a), Some(b)) => -(float(a.abs_diff(b)) + 1.0).ln(),
        _ => -30.0,
    }
}

/// Share of the acts of the shorter list that have one of the other at the same minute of the half day.
pub(super) fn one_minute(a: &[u64], b: &[u64]) -> f64 {
    on_circle(a, b, HALF, 60)
}

fn on_circle(a: &[u64], b: &[u64], round: u64, seconds: u64) -> f64 {
    let (a, b) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let is_near = |x: u64, y: u64| {
        let apart = (x % round).abs_diff(y % round);
        apart.min(round - apart) <= seconds
    };
    let hits = a.iter().filter(|x| b.iter().any(|y| is_near(**x, *y)));
    ratio(hits.count(), a.len())
}

fn middle(all: &[u64]) -> Option<u64> {
    let mut all = all.to_vec();
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As deadlines were before they were full hours: the later of both clocks, and ten minutes.
    #[test]
    fn a_clock_that_stands_in_calldata_is_found() {
        let device = |off: u64, delays: [u64; 3]| Seen {
            holds: delays.map(|late| 600 + off - late).to_vec(),
            ..Seen::default()
        };
        let (a, b) = (device(43, [0, 4, 1]), device(43, [2, 0, 30]));
        let other = device(71, [0, 1, 2]);
        let score = |a: &Seen, b: &Seen| of_two(a, b, (&[], &[]))[0];
        assert!(score(&a, &b) > score(&a, &other));
        assert!(score(&a, &b) > score(&b, &other));
        assert!(score(&a, &other) > score(&a, &Seen::default()));
    }

    #[test]
    fn a_habit_of_one_minute_is_found_on_both_sides_of_noon() {
        let half = one_minute(&[HALF - 10, 5_000], &[20, 9_000, 13_000]);
        assert!((half - 0.5).abs() < 1e-9, "{half}");
        assert!(on_circle(&[HOUR_SECONDS + 5], &[1], HOUR_SECONDS, 10) > 0.9);
        assert!(one_minute(&[], &[1]) < 1e-9);
    }
}
