//! Which node of a deployment was a phrase's own: the one that keeps its notes, or its credential. A paper with the phrase does
//! not say it, and letters, notes and credentials are at that node alone.

use std::sync::Arc;

use medibloc_journey::{KeptAtNode, Party};
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
    /// Nodes that did not say: while there are any, it is not decided.
    pub(crate) away: Vec<String>,
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
    let (mut said, mut away) = (Vec::new(), Vec::new());
    for node in nodes.into_iter().take(MOST) {
        let config = Config {
            node: Some(node.clone()),
            ..config.clone()
        };
        let (ports, _) = connect::ports(home, &config, vault.clone(), reaching).await?;
        let party = Party::new(seed.clone(), config.role.into(), ports);
        match party.kept_at_node().await {
            Ok(kept) => said.push((node, kept)),
            Err(error) => away.push((node, error.to_string())),
        }
    }
    Ok(judge(said, away))
}

/// The node with the newest notes, of equal ones the one with the most, once every node has said what it keeps.
fn judge(mut said: Vec<(String, KeptAtNode)>, away: Vec<(String, String)>) -> Found {
    // Stable: of nodes that keep the same the first that is listed.
    said.sort_by(|(_, one), (_, other)| other.cmp(one));
    let (keeping, without): (Vec<_>, Vec<_>) = said
        .into_iter()
        .partition(|(_, kept)| *kept != KeptAtNode::default());
    let urls = |nodes: Vec<(String, KeptAtNode)>| nodes.into_iter().map(|(url, _)| url).collect();
    let (keeping, without): (Vec<String>, Vec<String>) = (urls(keeping), urls(without));
    if !away.is_empty() {
        let told: String = away
            .iter()
            .map(|(node, why)| format!("{node} did not say: {why}; "))
            .collect();
        let kept = match keeping.as_slice() {
            [] => String::new(),
            keeping => format!("{} keeps what this phrase left; ", keeping.join(" and ")),
        };
        return Found {
            node: None,
            told: Some(format!(
                "{kept}{told}which node is this home's own is not decided, and no node is given notes until then: give the same \
                 command again when it answers, or with `--node URL`"
            )),
            away: away.into_iter().map(|(node, _)| node).collect(),
        };
    }
    let told = match keeping.split_first() {
        None => format!(
            "no notes of this phrase are at {}; this home takes the deployment's first node for its own",
            without.join(" or ")
        ),
        Some((node, [])) => {
            format!("{node} keeps what this phrase left at its node: it is the node of this home")
        }
        Some((node, others)) => format!(
            "{node} keeps the newest notes of this phrase: it is the node of this home. {} keeps some, too, which were taken as well; \
             if another device of this phrase is there, give it the same node: letters are at one node alone",
            others.join(" and ")
        ),
    };
    Found {
        node: keeping.into_iter().next(),
        told: Some(told),
        away: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use medibloc_record::Timestamp;

    use super::*;

    const NONE: KeptAtNode = KeptAtNode {
        newest: None,
        entries: 0,
        credential: false,
    };

    fn kept(newest: u64, entries: usize) -> KeptAtNode {
        KeptAtNode {
            newest: Some(Timestamp(newest)),
            entries,
            ..NONE
        }
    }

    #[test]
    fn the_own_node_is_the_one_with_the_newest_notes_once_all_have_said() {
        let with_credential = KeptAtNode {
            credential: true,
            ..NONE
        };
        for (one, two, own, tells) in [
            (
                Some(NONE),
                Some(NONE),
                None,
                "no notes of this phrase are at one or two; this home takes the",
            ),
            (
                Some(NONE),
                Some(kept(5, 1)),
                Some("two"),
                "two keeps what this phrase left",
            ),
            (
                Some(NONE),
                Some(with_credential),
                Some("two"),
                "two keeps what this phrase left",
            ),
            (
                Some(kept(5, 9)),
                Some(kept(6, 1)),
                Some("two"),
                "one keeps some, too",
            ),
            (
                Some(kept(5, 1)),
                Some(kept(5, 2)),
                Some("two"),
                "one keeps some, too",
            ),
            (
                Some(kept(5, 2)),
                Some(kept(5, 2)),
                Some("one"),
                "two keeps some, too",
            ),
            (
                Some(kept(5, 2)),
                None,
                None,
                "one keeps what this phrase left; two did not say: no answer",
            ),
            (
                None,
                Some(NONE),
                None,
                "one did not say: no answer; which node",
            ),
            (
                None,
                None,
                None,
                "one did not say: no answer; two did not say",
            ),
        ] {
            let (mut said, mut away) = (Vec::new(), Vec::new());
            for (node, kept) in [("one", one), ("two", two)] {
                match kept {
                    Some(kept) => said.push((node.to_owned(), kept)),
                    None => away.push((node.to_owned(), "no answer".to_owned())),
                }
            }
            let silent: Vec<String> = away.iter().map(|(node, _)| node.clone()).collect();
            let found = judge(said, away);
            assert_eq!(found.node.as_deref(), own, "{found:?}");
            let told = found.told.unwrap();
            assert!(told.contains(tells), "{told}");
            assert_eq!(told.contains("or with `--node URL`"), !silent.is_empty());
            assert_eq!(found.away, silent);
        }
    }
}
