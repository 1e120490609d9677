//! Measures: lives to learn from, other lives to guess about, and the tables of docs/unlinkability.md.

use std::fmt::Write as _;
use std::ops::Range;

use medibloc_journey::JourneyError;
use serde_json::{Value, json};

use super::figures::Curve;
use super::guess::{Trained, alone};
use super::life::{Life, Lived, Mix, live};
use super::pairs::{Pairs, Target, ratio};

/// The least recall that counts: finding fewer pairs than that is luck.
pub const RECALL: f64 = 0.2;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Persons.
    pub people: usize,
    /// Hospitals.
    pub hospitals: usize,
    /// Days.
    pub days: u64,
    /// What persons do.
    pub mix: Mix,
    /// The delay in seconds; none is the agent as it was before it had a pace.
    pub delay: Option<u64>,
    /// Seconds that a device's clock is off at most.
    pub clocks: u64,
    /// Seeds of the lives that the attacker learns from.
    pub train: Vec<u64>,
    /// Seeds of the lives that it guesses about.
    pub test: Vec<u64>,
}

/// One figure of an attack: means over the lives that were guessed about.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Which pairs.
    pub target: Target,
    /// How many pairs were to be found in a life.
    pub pairs: usize,
    /// What blind guessing reaches.
    pub chance: f64,
    /// Precision when a fifth is found.
    pub at_20: f64,
    /// Precision when half is found.
    pub at_50: f64,
    /// The highest precision at any recall from a fifth on.
    pub worst: f64,
    /// The same in the life where it was highest.
    pub highest: f64,
    /// The strategy.
    pub by: String,
    /// The worst of the best strategy that looks for clocks alone.
    pub by_clocks: f64,
}

impl Figure {
    /// The most that the default may reach (issue's bounds): 0.1 above chance, or twice chance for a reader's hospital.
    pub const fn bound(&self) -> f64 {
        match self.target {
            Target::Hospital => 2.0 * self.chance,
            // Public by design.
            Target::Patients => 1.0,
            _ => self.chance + 0.1,
        }
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({
            "target": self.target.name(), "pairs": self.pairs, "chance": self.chance, "at20": self.at_20,
            "at50": self.at_50, "worst": self.worst, "highest": self.highest, "bound": self.bound(), "by": self.by,
            "byClocks": self.by_clocks,
        })
    }
}

/// Lives one life on a runtime of its own.
///
/// # Errors
/// If no agent can work, or if more than one in twenty persons' acts failed.
pub fn lived(life: Life) -> Result<Lived, JourneyError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| JourneyError::Untrusted {
        what: "machine",
        why: error.to_string(),
    })?;
    let lived = runtime.block_on(live(life))?;
    if lived.failed.len() > 1 + life.people / 20 {
        return Err(JourneyError::Untrusted {
            what: "life",
            why: format!(
                "{} acts failed: {:?}",
                lived.failed.len(),
                lived.failed.first()
            ),
        });
    }
    Ok(lived)
}

/// Measures every target in one setting.
///
/// # Errors
/// As [`lived`].
pub fn measure(setting: &Setting) -> Result<Vec<Figure>, JourneyError> {
    let life = |seed: &u64| {
        lived(Life {
            people: setting.people,
            hospitals: setting.hospitals,
            days: setting.days,
            seed: *seed,
            mix: setting.mix,
            delay: setting.delay,
            clocks: setting.clocks,
        })
    };
    // Two at a time: lives share nothing.
    let all =
        |seeds: &[u64]| -> Result<Vec<Lived>, JourneyError> { seeds.iter().map(life).collect() };
    let (train, test) = std::thread::scope(|scope| {
        let train = scope.spawn(|| all(&setting.train));
        let test = all(&setting.test);
        let train = train
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (train, test)
    });
    let (train, test) = (train?, test?);
    let figures = Target::ALL.into_iter().map(|target| {
        let mut learned = Pairs::default();
        for lived in &train {
            learned.extend(Pairs::of(lived, target));
        }
        let guessed: Vec<Pairs> = test.iter().map(|lived| Pairs::of(lived, target)).collect();
        figure(target, &learned, &guessed)
    });
    Ok(figures.collect())
}

/// The better of two attackers: the single strategy that was best in training, and the trained score.
fn figure(target: Target, train: &Pairs, test: &[Pairs]) -> Figure {
    let single = |feature: usize| Curve::of(&alone(train, feature), &train.truth).worst(RECALL);
    let features = target.features();
    let best_of = |some: Range<usize>| some.max_by(|a, b| single(*a).total_cmp(&single(*b)));
    let best = best_of(0..features.len());
    let of_clocks = best_of(features.len() - target.of_clocks()..features.len());
    let trained = Trained::on(train);
    let curves_of = |scores: &dyn Fn(&Pairs) -> Vec<f64>| -> Vec<Curve> {
        let of = |pairs: &Pairs| Curve::of(&scores(pairs), &pairs.truth);
        test.iter().map(of).collect()
    };
    let mean = |each: &dyn Fn(usize) -> f64| {
        (0..test.len()).map(each).sum::<f64>() / ratio(test.len().max(1), 1)
    };
    let worst = |curves: &[Curve]| mean(&|life| curves[life].worst(RECALL));
    let mut found = (
        curves_of(&|pairs| trained.scores(pairs)),
        "trained score".to_owned(),
    );
    if let Some(feature) = best {
        let one = curves_of(&|pairs| alone(pairs, feature));
        if worst(&one) > worst(&found.0) {
            found = (one, features[feature].to_owned());
        }
    }
    let (curves, by) = found;
    let pairs = test
        .iter()
        .map(|pairs| pairs.truth.iter().filter(|same| **same).count());
    Figure {
        target,
        pairs: pairs.sum::<usize>() / test.len().max(1),
        chance: mean(&|life| test[life].chance()),
        at_20: mean(&|life| curves[life].at(0.2)),
        at_50: mean(&|life| curves[life].at(0.5)),
        worst: worst(&curves),
        highest: curves
            .iter()
            .map(|curve| curve.worst(RECALL))
            .fold(0.0, f64::max),
        by,
        by_clocks: of_clocks.map_or(0.0, |feature| {
            worst(&curves_of(&|pairs| alone(pairs, feature)))
        }),
    }
}

/// A delay in words.
pub fn delay_word(delay: Option<u64>) -> String {
    match delay {
        None => "before".into(),
        Some(0) => "0".into(),
        Some(seconds) if seconds < 3_600 => format!("{} min", seconds / 60),
        Some(seconds) => format!("{} h", seconds / 3_600),
    }
}

/// The header of [`line`]s.
pub const HEADER: &str = "\
| acts | people | delay | attack | pairs | chance | at recall 0.2 | at recall 0.5 | worst from 0.2 | highest life | bound | best strategy | clocks alone |
|---|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|---|--:|";

/// One line of a table.
pub fn line(setting: &Setting, figure: &Figure) -> String {
    let mut line = String::new();
    let _ = write!(
        line,
        "| {} | {} | {} | {} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3} | {:.3}{} | {} | {:.3} |",
        setting.mix.name(),
        setting.people,
        delay_word(setting.delay),
        figure.target.name(),
        figure.pairs,
        figure.chance,
        figure.at_20,
        figure.at_50,
        figure.worst,
        figure.highest,
        figure.bound(),
        if figure.worst > figure.bound() {
            " ✗"
        } else {
            ""
        },
        figure.by,
        figure.by_clocks
    );
    line
}
