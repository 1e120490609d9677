//! Guessing: one feature alone, or a score trained on lives whose truth is known.

use super::pairs::Pairs;

/// Cuts of each feature.
const BINS: usize = 24;
const ROUNDS: usize = 60;
const RATE: f64 = 0.3;
/// A cut must leave so many pairs on each side: fewer are chance.
const LEAST: f64 = 20.0;

/// One feature's values as scores.
pub fn alone(pairs: &Pairs, feature: usize) -> Vec<f64> {
    let value = |row: &Vec<f32>| row.get(feature).copied().map_or(0.0, f64::from);
    pairs.rows.iter().map(value).collect()
}

/// A sum of steps, one for each round: gradient boosting with stumps under the logistic loss.
#[derive(Clone, Debug, Default)]
pub struct Trained {
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    feature: usize,
    cut: f32,
    below: f64,
    above: f64,
}

impl Trained {
    /// Learns from pairs with their truth.
    pub fn on(pairs: &Pairs) -> Self {
        let width = pairs.rows.first().map_or(0, Vec::len);
        let cuts: Vec<Vec<f32>> = (0..width).map(|feature| cuts(pairs, feature)).collect();
        let bins: Vec<Vec<u8>> = pairs
            .rows
            .iter()
            .map(|row| {
                let bin = |(x, cuts): (&f32, &Vec<f32>)| {
                    u8::try_from(cuts.partition_point(|cut| cut < x)).unwrap_or(u8::MAX)
                };
                row.iter().zip(&cuts).map(bin).collect()
            })
            .collect();
        let mut score = vec![log_odds(pairs.chance()); pairs.rows.len()];
        let mut steps = Vec::new();
        for _ in 0..ROUNDS {
            let mut sums = vec![[[0.0_f64; 3]; BINS + 1]; width];
            for ((bins, score), same) in bins.iter().zip(&score).zip(&pairs.truth) {
                let p = 1.0 / (1.0 + (-score).exp());
                let pull = f64::from(u8::from(*same)) - p;
                for (sums, bin) in sums.iter_mut().zip(bins) {
                    let cell = &mut sums[usize::from(*bin)];
                    cell[0] += pull;
                    cell[1] += p * (1.0 - p);
                    cell[2] += 1.0;
                }
            }
            let Some((step, bin)) = best(&sums, &cuts) else {
                break;
            };
            for (bins, score) in bins.iter().zip(&mut score) {
                let is_below = usize::from(bins[step.feature]) <= bin;
                *score += if is_below { step.below } else { step.above };
            }
            steps.push(step);
        }
        Self { steps }
    }

    /// The scores of pairs.
    pub fn scores(&self, pairs: &Pairs) -> Vec<f64> {
        let score = |row: &Vec<f32>| {
            let steps = self.steps.iter().map(|step| match row.get(step.feature) {
                Some(x) if *x > step.cut => step.above,
                _ => step.below,
            });
            steps.sum()
        };
        pairs.rows.iter().map(score).collect()
    }
}

fn log_odds(share: f64) -> f64 {
    let share = share.clamp(1e-6, 1.0 - 1e-6);
    (share / (1.0 - share)).ln()
}

fn cuts(pairs: &Pairs, feature: usize) -> Vec<f32> {
    let mut values: Vec<f32> = pairs
        .rows
        .iter()
        .filter_map(|row| row.get(feature).copied())
        .collect();
    values.sort_by(f32::total_cmp);
    let last = values.len().saturating_sub(1);
    // Most of what tells lies at the upper end.
    let even = (1..BINS / 2).map(|k| k * last / (BINS / 2));
    let upper = (2..14_u32).map(|k| last - last / 2_usize.pow(k));
    let mut cuts: Vec<f32> = even
        .chain(upper)
        .filter_map(|at| values.get(at).copied())
        .collect();
    cuts.sort_by(f32::total_cmp);
    cuts.dedup();
    cuts.truncate(BINS);
    cuts
}

fn best(sums: &[[[f64; 3]; BINS + 1]], cuts: &[Vec<f32>]) -> Option<(Step, usize)> {
    let mut found: Option<(f64, Step, usize)> = None;
    for (feature, (sums, cuts)) in sums.iter().zip(cuts).enumerate() {
        let all = sums.iter().fold([0.0; 3], add);
        let mut low = [0.0; 3];
        for (bin, (cell, cut)) in sums.iter().zip(cuts).enumerate() {
            low = add(low, cell);
            let high = [all[0] - low[0], all[1] - low[1], all[2] - low[2]];
            if low[2] < LEAST || high[2] < LEAST {
                continue;
            }
            let gain = |side: [f64; 3]| side[0] * side[0] / (side[1] + 1.0);
            let total = gain(low) + gain(high);
            if found.as_ref().is_none_or(|(best, ..)| total > *best) {
                let value = |side: [f64; 3]| RATE * side[0] / (side[1] + 1.0);
                let step = Step {
                    feature,
                    cut: *cut,
                    below: value(low),
                    above: value(high),
                };
                found = Some((total, step, bin));
            }
        }
    }
    found.map(|(_, step, bin)| (step, bin))
}

fn add(a: [f64; 3], b: &[f64; 3]) -> [f64; 3] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

#[cfg(test)]
mod tests {
    use super::super::figures::Curve;
    use super::super::life::Chance;
    use super::*;

    fn world(seed: u64, tells: u64) -> Pairs {
        let (mut pairs, mut chance) = (Pairs::default(), Chance::new(seed));
        for _ in 0..4_000 {
            let same = chance.percent(5);
            let noise =
                |chance: &mut Chance| f32::from(u16::try_from(chance.below(1_000)).unwrap());
            let told = noise(&mut chance)
                + if same && chance.percent(tells) {
                    800.0
                } else {
                    0.0
                };
            pairs.rows.push(vec![noise(&mut chance), told]);
            pairs.truth.push(same);
        }
        pairs
    }

    #[test]
    fn what_tells_is_learned_and_what_does_not_is_not() {
        let test = world(2, 90);
        let scores = Trained::on(&world(1, 90)).scores(&test);
        let told = Curve::of(&scores, &test.truth).at(0.5);
        assert!(told > 0.8, "a telling feature reached {told}");
        let test = world(4, 0);
        let scores = Trained::on(&world(3, 0)).scores(&test);
        let blind = Curve::of(&scores, &test.truth).at(0.5);
        assert!(blind < 0.09, "noise reached {blind}");
    }
}
