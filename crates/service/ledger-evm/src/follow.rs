//! Drives a follower with a node's answers, to the newest block.

use std::collections::BTreeSet;

use alloy::eips::BlockId;
use medibloc_ledger::{Answer, Ask, BlockEvents, Follow, LedgerError, Step, Which};

use crate::EvmLedger;
use crate::look::Wanted;

/// A follower asks for the part that differs, then for what is beyond it; more is a chain that changes faster than it
/// can be read.
const ROUNDS: usize = 8;

impl EvmLedger {
    /// One round: what a follower must do to come nearer to the node's newest block, and its state after that. Nothing
    /// is changed by a failure. Store state and effect together; go on until there are no more steps.
    ///
    /// # Errors
    /// If the node is silent or the chain changes while it is read (retryable), or more was replaced than can be undone.
    pub async fn follow(&self, from: &Follow) -> Result<(Follow, Vec<Step>), LedgerError> {
        let mut state = from.clone();
        let newest = self.known_header(BlockId::latest()).await?;
        let mut answer = Answer::Head {
            number: newest.number,
            hash: newest.hash.0,
        };
        let mut all = Vec::new();
        for _ in 0..ROUNDS {
            let mut steps = state.step(answer)?;
            let question = match steps.last() {
                Some(Step::Ask(ask)) => Some(*ask),
                _ => None,
            };
            if question.is_some() {
                steps.pop();
            }
            all.extend(steps);
            let Some(ask) = question else {
                return Ok((state, all));
            };
            let blocks = self.blocks(ask, newest.number).await?;
            answer = Answer::Blocks { ask, blocks };
        }
        Err(LedgerError::Unreachable {
            from: "the chain".into(),
            why: "it changes while it is read".into(),
        })
    }

    async fn blocks(&self, ask: Ask, newest: u64) -> Result<Vec<BlockEvents>, LedgerError> {
        let always = match ask.which {
            Which::Every => (ask.from..=ask.to).collect(),
            Which::WithEvents => BTreeSet::from([ask.from, ask.to]),
        };
        self.look(&Wanted {
            from: ask.from,
            to: ask.to,
            always,
            newest,
            limit: usize::MAX,
        })
        .await
    }
}
