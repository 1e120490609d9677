//! Following a chain to its newest block, as a pure machine: it is told what a node answers and says what to do.
//!
//! It survives what happens between a node and a chain: answers that never come, come twice or late, nodes that lag
//! behind, restarts, and blocks that are replaced, up to [`DEPTH`] of them. Whoever applies its steps keeps what is
//! needed to undo so many blocks, and stores [`Follow`] in one transaction with what it applied.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{BlockEvents, LedgerError, Mark};

/// How many of the newest blocks may be replaced.
pub const DEPTH: u64 = 64;
/// How many blocks are asked for at once, where each one is looked at.
const STRIDE: u64 = 128;
/// And where only those with events are.
const LEAP: u64 = 2_000;

/// Where a follower is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follow {
    start: u64,
    /// The newest blocks that were applied, without gaps, the newest last.
    marks: VecDeque<Mark>,
    question: u64,
    /// What an answer is waited for: none that was under way outlives a restart.
    #[serde(skip)]
    asked: Option<Ask>,
    /// The newest block that a node last told of, and the highest that any ever did.
    head: u64,
    highest: u64,
}

/// A question for blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which question: an answer to an older one is not listened to.
    pub question: u64,
    /// First block; it is always in the answer.
    pub from: u64,
    /// Last block; so is it.
    pub to: u64,
    /// Which of them.
    pub which: Which,
}

/// Which blocks of a range are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Every one, with or without events.
    Every,
    /// The first, those with events, and the last: so far down that they are not replaced any more.
    WithEvents,
}

/// What a node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its newest block.
    Head {
        /// Its number.
        number: u64,
        /// Its hash.
        hash: [u8; 32],
    },
    /// What was asked for.
    Blocks {
        /// The question.
        ask: Ask,
        /// The blocks, ascending.
        blocks: Vec<BlockEvents>,
    },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This block is the next of the chain.
    Apply(BlockEvents),
    /// Undo every block from this number on, the newest first.
    UndoFrom(u64),
    /// Ask the node for blocks. It is the last step, if at all; without it, ask for the head again some time.
    Ask(Ask),
}

impl Follow {
    /// A follower that begins with this block: the one of the first contract.
    pub const fn from(start: u64) -> Self {
        Self {
            start,
            marks: VecDeque::new(),
            question: 0,
            asked: None,
            head: 0,
            highest: 0,
        }
    }

    /// The number of the block that comes next.
    pub fn next(&self) -> u64 {
        self.marks.back().map_or(self.start, |mark| mark.number + 1)
    }

    /// The newest block that was applied, and its hash.
    pub fn newest(&self) -> Option<(u64, [u8; 32])> {
        self.marks.back().map(|mark| (mark.number, mark.hash))
    }

    /// Takes an answer in.
    ///
    /// # Errors
    /// [`LedgerError::Replaced`] if more blocks than [`DEPTH`] were replaced: what was read must be read anew.
    /// Until the new blocks outnumber the old ones this is not told from a node that is behind, and nothing happens.
    pub fn step(&mut self, answer: Answer) -> Result<Vec<Step>, LedgerError> {
        match answer {
            Answer::Head { number, hash } => Ok(self.head(number, hash)),
            Answer::Blocks { ask, .. } if self.asked.take_if(|asked| *asked == ask).is_none() => {
                Ok(Vec::new())
            }
            Answer::Blocks { ask, blocks } if fits(&ask, &blocks) => self.blocks(&ask, blocks),
            // torn: the chain changed while it was read
            Answer::Blocks { ask, .. } => Ok(vec![self.ask(ask.from, ask.to, ask.which)]),
        }
    }

    fn head(&mut self, number: u64, hash: [u8; 32]) -> Vec<Step> {
        self.head = number;
        self.highest = self.highest.max(number);
        if number >= self.next() {
            return vec![self.onwards(number)];
        }
        match self.hash_at(number) {
            Some(known) if known != hash => vec![self.look_back(number)],
            // a node that lags behind, or an older block than is remembered
            _ => Vec::new(),
        }
    }

    fn onwards(&mut self, head: u64) -> Step {
        let next = self.next();
        let settled = head.saturating_sub(DEPTH);
        if settled >= next {
            // the newest known block is looked at again: all rests on it
            let from = self.newest().map_or(next, |(number, _)| number);
            return self.ask(from, settled.min(next + LEAP - 1), Which::WithEvents);
        }
        self.ask(next, head.min(next + STRIDE - 1), Which::Every)
    }

    /// Asks for all that is remembered, to see where the chain went another way.
    fn look_back(&mut self, to: u64) -> Step {
        let from = self.marks.front().map_or(self.start, |mark| mark.number);
        self.ask(from, to.max(from), Which::Every)
    }

    const fn ask(&mut self, from: u64, to: u64, which: Which) -> Step {
        self.question += 1;
        let ask = Ask {
            question: self.question,
            from,
            to,
            which,
        };
        self.asked = Some(ask);
        Step::Ask(ask)
    }

    fn hash_at(&self, number: u64) -> Option<[u8; 32]> {
        let first = self.marks.front()?.number;
        let place = usize::try_from(number.checked_sub(first)?).ok()?;
        self.marks.get(place).map(|mark| mark.hash)
    }

    fn blocks(&mut self, ask: &Ask, blocks: Vec<BlockEvents>) -> Result<Vec<Step>, LedgerError> {
        let next = self.next();
        if ask.from > next {
            return Ok(vec![self.onwards(ask.to)]);
        }
        if ask.which == Which::WithEvents {
            return Ok(self.leap(blocks));
        }
        let Some(keep) = self.common(&blocks) else {
            return self.unrelated(&blocks);
        };
        let mut steps = Vec::new();
        let fresh: Vec<_> = blocks
            .into_iter()
            .skip_while(|block| block.number < keep)
            .collect();
        if keep < next && !fresh.is_empty() {
            self.marks.retain(|mark| mark.number < keep);
            steps.push(Step::UndoFrom(keep));
        }
        steps.extend(fresh.into_iter().map(|block| self.apply(block)));
        Ok(steps)
    }

    /// The number after the newest block that these and the remembered ones share, if there is one.
    fn common(&self, blocks: &[BlockEvents]) -> Option<u64> {
        let shared = blocks
            .iter()
            .rev()
            .find(|block| self.hash_at(block.number) == Some(block.hash));
        if let Some(block) = shared {
            return Some(block.number + 1);
        }
        let first = blocks.first()?;
        let before = first.number.checked_sub(1);
        let linked = before.is_some_and(|before| self.hash_at(before) == Some(first.parent));
        // nothing comes before the first block of all
        let begins = first.number == self.start
            && self.next() - self.start <= DEPTH
            && self
                .marks
                .front()
                .is_none_or(|mark| mark.number == self.start);
        (linked || begins).then_some(first.number)
    }

    fn unrelated(&mut self, blocks: &[BlockEvents]) -> Result<Vec<Step>, LedgerError> {
        let oldest = self.marks.front().map_or(self.start, |mark| mark.number);
        let newest = self.next().saturating_sub(1);
        let (first, last) = (blocks.first(), blocks.last());
        let covered = first.is_some_and(|block| block.number <= oldest)
            && last.is_some_and(|block| block.number >= newest);
        if covered && self.head >= self.highest {
            return Err(LedgerError::Replaced { oldest });
        }
        if covered {
            // a node that is behind tells of a branch which the chain has left
            return Ok(Vec::new());
        }
        let to = last.map_or(newest, |block| block.number).max(newest);
        Ok(vec![self.look_back(to)])
    }

    /// Blocks that are not replaced any more: only the last is remembered.
    fn leap(&mut self, blocks: Vec<BlockEvents>) -> Vec<Step> {
        if let Some((newest, hash)) = self.newest()
            && blocks.first().map(|block| (block.number, block.hash)) != Some((newest, hash))
        {
            return vec![self.look_back(newest)];
        }
        let next = self.next();
        let fresh: Vec<_> = blocks
            .into_iter()
            .filter(|block| block.number >= next)
            .collect();
        let steps = fresh.into_iter().map(|block| self.apply(block)).collect();
        let gone = self.marks.len().saturating_sub(1);
        self.marks.drain(..gone);
        steps
    }

    fn apply(&mut self, block: BlockEvents) -> Step {
        self.marks.push_back(Mark::of(&block));
        // the one below the deepest that may be replaced is kept, to know it again
        while self.marks.len() as u64 > DEPTH + 1 {
            self.marks.pop_front();
        }
        Step::Apply(block)
    }
}

/// Whether blocks answer a question: from its first to its last, ascending, each the parent of the next.
fn fits(ask: &Ask, blocks: &[BlockEvents]) -> bool {
    let ends = blocks.last().is_some_and(|block| block.number == ask.to)
        && blocks.first().is_some_and(|block| block.number == ask.from);
    let hang_together = blocks.windows(2).all(|pair| {
        pair[0].number < pair[1].number
            && (pair[0].number + 1 != pair[1].number || pair[0].hash == pair[1].parent)
    });
    let count = (ask.to.saturating_sub(ask.from)).saturating_add(1);
    let complete = ask.which == Which::WithEvents || blocks.len() as u64 == count;
    ends && hang_together && complete
}

#[cfg(test)]
mod tests;
