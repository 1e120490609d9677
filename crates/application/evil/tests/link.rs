//! Whoever reads the chain cannot tell which addresses belong together, as far as docs/unlinkability.md says: a fast
//! version of `cargo xtask attack link`.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "the table of attacks reads it")]

#[allow(
    unreachable_pub,
    reason = "the modules are those of the test and of the program"
)]
#[allow(dead_code, reason = "the tables need more of it than the test")]
#[path = "../examples/link/attack.rs"]
mod attack;

use attack::life::Mix;
use attack::pairs::Target;
use attack::tables::{Figure, HEADER, Setting, line, measure};

fn figures(mix: Mix, delay: Option<u64>) -> Vec<Figure> {
    let setting = Setting {
        people: 20,
        hospitals: 6,
        days: 24,
        mix,
        delay,
        // Clocks that nobody sets are off by minutes.
        clocks: 300,
        train: vec![1, 2],
        test: vec![11, 12],
    };
    let figures = measure(&setting).unwrap();
    println!("{HEADER}");
    for figure in &figures {
        println!("{}", line(&setting, figure));
    }
    figures
}

#[test]
fn acts_that_nobody_waits_for_link_no_addresses() {
    for figure in figures(Mix::Quiet, Some(86_400)) {
        println!(
            "ATTACK security-link: {}: precision {:.2} of chance {:.2}",
            figure.target.name(),
            figure.worst,
            figure.chance
        );
        println!(
            "ATTACK sixth-9: {}: by clocks alone {:.2} of chance {:.2}",
            figure.target.name(),
            figure.by_clocks,
            figure.chance
        );
        // A precision of so few pairs is luck; the full run has enough of each kind.
        if figure.pairs < 20 {
            continue;
        }
        // The slack of a small crowd: the bounds of docs/unlinkability.md are for forty persons.
        let slack = match figure.target {
            Target::Pseudonyms => 0.05,
            _ => 0.1,
        };
        assert!(
            figure.worst <= figure.bound() + slack,
            "{} reached {:.3} by {}; the bound is {:.3}",
            figure.target.name(),
            figure.worst,
            figure.by,
            figure.bound()
        );
    }
}

#[test]
fn without_a_pace_the_same_attack_links_them() {
    let figures = figures(Mix::Several, None);
    let worst = |at: usize| figures[at].worst - figures[at].chance;
    assert!(worst(0) > 0.5, "pseudonyms: {:.3} above chance", worst(0));
    assert!(worst(1) > 0.3, "readers: {:.3} above chance", worst(1));
}
