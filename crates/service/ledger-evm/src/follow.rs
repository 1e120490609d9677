//! Drives a follower with a node's answers, to the newest block.

use std::collections::BTreeMap;

use alloy::eips::BlockId;
use alloy::rpc::types::Log;
use medibloc_ledger::{Answer, Ask, BlockEvents, Follow, LedgerError, Step, Which};
use tokio::task::JoinSet;

use crate::EvmLedger;

/// How many blocks are asked for at the same time.
const TOGETHER: usize = 16;
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
            let blocks = self.blocks(ask).await?;
            answer = Answer::Blocks { ask, blocks };
        }
        Err(LedgerError::Unreachable {
            from: "the chain".into(),
            why: "it changes while it is read".into(),
        })
    }

    async fn blocks(&self, ask: Ask) -> Result<Vec<BlockEvents>, LedgerError> {
        let mut by_block: BTreeMap<u64, Vec<Log>> = BTreeMap::new();
        for log in self.logs(ask.from, ask.to).await? {
            let number = log.block_number.unwrap_or(0);
            by_block.entry(number).or_default().push(log);
        }
        let wanted = match ask.which {
            Which::Every => (ask.from..=ask.to).collect::<Vec<_>>(),
            Which::WithEvents => vec![ask.from, ask.to],
        };
        for number in wanted {
            by_block.entry(number).or_default();
        }
        let mut reads = JoinSet::new();
        let mut blocks = Vec::with_capacity(by_block.len());
        for (number, logs) in by_block {
            if reads.len() >= TOGETHER {
                blocks.extend(reads.join_next().await.map(joined).transpose()?);
            }
            let ledger = self.clone();
            reads.spawn(async move { ledger.block(number, &logs).await });
        }
        while let Some(read) = reads.join_next().await {
            blocks.push(joined(read)?);
        }
        blocks.sort_by_key(|block| block.number);
        Ok(blocks)
    }
}

fn joined(
    read: Result<Result<BlockEvents, LedgerError>, tokio::task::JoinError>,
) -> Result<BlockEvents, LedgerError> {
    read.unwrap_or_else(|error| {
        Err(LedgerError::Unreachable {
            from: "the chain".into(),
            why: error.to_string(),
        })
    })
}
