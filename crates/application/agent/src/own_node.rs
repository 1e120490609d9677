//! Which node of a deployment was a phrase's own: the one that keeps its notes, or its credential. A paper with the phrase does
//! not say it, and letters, notes and credentials are at that node alone.

use std::sync::Arc;

use medibloc_journey::Party;
use medibloc_keys::Seed;
use medibloc_vault::Vault;

use crate::Problem;
use crate::connect::{self, Reaching};
use crate::home::{Config, Home};

/// Nodes that are asked, at most.
const MOST: usize = 8;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The own node; none if it is the one that is configured, or none was found.
    pub(crate) node: Option<String>,
    /// What to tell: which one it is, or which were asked for nothing.
    pub(crate) told: Option<String>,
}

/// Asks the listed nodes, unless the home says which is its own or there is one alone.
///
/// # Errors
/// If the deployment file is not valid. A node that does not answer is told.
pub(crate) async fn find(
    home: &Home,
    config: &Config,
    vault: &Arc<Vault>,
    reaching: &Reaching,
    seed: Seed,
) -> Result<Found, Problem> {
    let nodes = connect::nodes(home)?;
    if config.node.is_some() || nodes.len() < 2 {
        return Ok(Found::default());
    }
    let (mut asked, mut away) = (Vec::new(), Vec::new());
    for node in nodes.into_iter().take(MOST) {
        let config = Config {
            node: Some(node.clone()),
            ..config.clone()
        };
        let (ports, _) = connect::ports(home, &config, vault.clone(), reaching).await?;
        let party = Party::new(seed.clone(), config.role.into(), ports);
        match party.is_known_at_node().await {
            Ok(true) => {
                let told = format!(
                    "{node} keeps what this phrase left at its node: it is the node of this home"
                );
                return Ok(Found {
                    node: Some(node),
                    told: Some(told),
                });
            }
            Ok(false) => asked.push(node),
            Err(error) => away.push(format!("{node} did not say: {error}")),
        }
    }
    Ok(Found {
        node: None,
        told: Some(none(&asked, &away)),
    })
}

/// What to say if none keeps anything.
fn none(asked: &[String], away: &[String]) -> String {
    let asked = match asked {
        [] => String::new(),
        asked => format!("no notes of this phrase are at {}; ", asked.join(" or ")),
    };
    let away: String = away.iter().map(|why| format!("{why}; ")).collect();
    format!(
        "{asked}{away}this home takes the deployment's first node for its own. If another was, letters and notes are there: remove \
         this home and restore with `--node URL`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_asked_for_nothing_is_told_with_what_to_do() {
        let (one, two) = ("http://one".to_owned(), "http://two".to_owned());
        let away = format!("{two} did not say: no answer");
        for (asked, away, begins) in [
            (
                vec![one.clone(), two.clone()],
                vec![],
                "no notes of this phrase are at http://one or http://two; this home",
            ),
            (
                vec![one],
                vec![away.clone()],
                "no notes of this phrase are at http://one; http://two did not say: no answer; this home",
            ),
            (
                vec![],
                vec![away],
                "http://two did not say: no answer; this home",
            ),
        ] {
            let told = none(&asked, &away);
            assert!(told.starts_with(begins), "{told}");
            assert!(told.ends_with("restore with `--node URL`"), "{told}");
        }
    }
}
