//! How good guesses are: precision at a recall, against chance.

use super::pairs::ratio;

/// Precision by recall, for pairs in the order of their scores.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    /// After each group of equal scores: pairs that are right, pairs in all.
    groups: Vec<(usize, usize)>,
    good: usize,
}

impl Curve {
    /// Of scores and the truth. Pairs of one score are taken in any order: what is expected of that is counted.
    pub fn of(scores: &[f64], truth: &[bool]) -> Self {
        let mut ranked: Vec<(f64, bool)> =
            scores.iter().copied().zip(truth.iter().copied()).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut curve = Self::default();
        let (mut right, mut last) = (0, None);
        for (place, (score, same)) in ranked.into_iter().enumerate() {
            if last != Some(score) && place > 0 {
                curve.groups.push((right, place));
            }
            last = Some(score);
            right += usize::from(same);
        }
        curve.groups.push((right, truth.len()));
        curve.good = right;
        curve
    }

    /// Precision when this share of what is to be found is found.
    pub fn at(&self, recall: f64) -> f64 {
        let wanted = recall * ratio(self.good, 1);
        let mut before = (0, 0);
        for group in &self.groups {
            if ratio(group.0, 1) >= wanted && group.0 > before.0 {
                let share = (wanted - ratio(before.0, 1)) / ratio(group.0 - before.0, 1);
                let all = ratio(before.1, 1) + share * ratio(group.1 - before.1, 1);
                return if all > 0.0 { wanted / all } else { 1.0 };
            }
            before = *group;
        }
        0.0
    }

    /// The highest precision at any recall of at least this: what the bounds are about.
    pub fn worst(&self, recall: f64) -> f64 {
        let wanted = recall * ratio(self.good, 1);
        let beyond = self
            .groups
            .iter()
            .filter(|group| ratio(group.0, 1) >= wanted);
        let highest = beyond
            .map(|group| ratio(group.0, group.1))
            .fold(0.0, f64::max);
        highest.max(self.at(recall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_counted_by_hand() {
        let curve = Curve::of(&[4.0, 3.0, 2.0, 1.0], &[true, false, true, false]);
        assert!((curve.at(0.5) - 1.0).abs() < 1e-9);
        assert!((curve.at(1.0) - 2.0 / 3.0).abs() < 1e-9);
        assert!((curve.worst(0.6) - 2.0 / 3.0).abs() < 1e-9);
        // All alike: chance at every recall.
        let blind = Curve::of(
            &[1.0; 10],
            &[
                true, false, false, false, false, false, false, false, false, false,
            ],
        );
        for recall in [0.2, 0.5, 1.0] {
            assert!((blind.at(recall) - 0.1).abs() < 1e-9);
        }
        assert!((blind.worst(0.2) - 0.1).abs() < 1e-9);
    }
}
