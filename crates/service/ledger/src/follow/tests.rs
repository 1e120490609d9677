//! A chain that is cut back and grown, a node that drops, repeats and lags, a follower that dies.

#![allow(
    clippy::cast_possible_truncation,
    reason = "the chains of these tests are short"
)]

use medibloc_record::{AccountId, Timestamp, keccak256};
use proptest::prelude::*;

use super::*;
use crate::Event;

/// The chain, every form it ever had, and the follower with its read model.
struct World {
    chain: Vec<BlockEvents>,
    past: Vec<Vec<BlockEvents>>,
    highest: usize,
    blocks_ever: u64,
    follow: Follow,
    applied: Vec<BlockEvents>,
    saved: (String, Vec<BlockEvents>),
    late: Option<Answer>,
}

const START: u64 = 3;

impl World {
    fn new() -> Self {
        let follow = Follow::from(START);
        let mut world = Self {
            chain: Vec::new(),
            past: Vec::new(),
            highest: 0,
            blocks_ever: 0,
            saved: (serde_json::to_string(&follow).unwrap(), Vec::new()),
            follow,
            applied: Vec::new(),
            late: None,
        };
        world.grow(START as usize + 1);
        world
    }

    fn grow(&mut self, blocks: usize) {
        for _ in 0..blocks {
            self.blocks_ever += 1;
            let number = self.chain.len() as u64;
            let parent = self.chain.last().map_or([0; 32], |block| block.hash);
            let hash = keccak256(&self.blocks_ever.to_be_bytes());
            let account = AccountId::new(hash[..20].try_into().unwrap());
            let events = vec![Event::Suspended { account }; usize::from(hash[31] % 3)];
            self.chain.push(BlockEvents {
                number,
                hash,
                parent,
                time: Timestamp(number),
                events,
            });
        }
        self.highest = self.highest.max(self.chain.len());
        self.past.push(self.chain.clone());
    }

    /// Replaces blocks, never one with [`DEPTH`] or more above it when the chain was highest.
    fn reorganise(&mut self, depth: usize, grow: usize) {
        let least = (self.highest.saturating_sub(DEPTH as usize)).max(START as usize);
        let keep = self.chain.len().saturating_sub(depth).max(least);
        self.chain.truncate(keep.min(self.chain.len()));
        self.grow(grow);
    }

    fn head_of(chain: &[BlockEvents]) -> Answer {
        let newest = chain.last().unwrap();
        Answer::Head {
            number: newest.number,
            hash: newest.hash,
        }
    }

    /// What a node with this chain answers; none if it does not have the last block.
    fn answer(chain: &[BlockEvents], ask: Ask) -> Option<Answer> {
        let range = chain.get(ask.from as usize..=ask.to as usize)?;
        let wanted = |block: &&BlockEvents| {
            ask.which == Which::Every
                || [ask.from, ask.to].contains(&block.number)
                || !block.events.is_empty()
        };
        let blocks = range.iter().filter(wanted).cloned().collect();
        Some(Answer::Blocks { ask, blocks })
    }

    /// Takes an answer in and does what the follower says; gives its question.
    fn take(&mut self, answer: Answer) -> Option<Ask> {
        let steps = self.follow.step(answer).unwrap();
        let mut question = None;
        for step in steps {
            assert_eq!(question, None, "a question is the last step");
            match step {
                Step::Apply(block) => {
                    let newest = self.applied.last();
                    assert!(newest.is_none_or(|newest| newest.number < block.number));
                    self.applied.push(block);
                }
                Step::UndoFrom(number) => {
                    let newest = self.applied.last().unwrap().number;
                    assert!(
                        (number..=newest).count() <= DEPTH as usize,
                        "undo is bounded"
                    );
                    self.applied.retain(|block| block.number < number);
                }
                Step::Ask(ask) => question = Some(ask),
            }
        }
        question
    }

    /// One round with a node that has this chain.
    fn round(&mut self, chain: &[BlockEvents]) {
        let mut question = self.take(Self::head_of(chain));
        for _ in 0..8 {
            let Some(answer) = question.and_then(|ask| Self::answer(chain, ask)) else {
                return;
            };
            question = self.take(answer);
        }
    }

    fn heal(&mut self) {
        for _ in 0..40 {
            let chain = self.chain.clone();
            self.round(&chain);
        }
    }

    fn check(&self) {
        let events = |blocks: &[BlockEvents]| -> Vec<(u64, Event)> {
            blocks
                .iter()
                .filter(|block| block.number >= START)
                .flat_map(|block| {
                    block
                        .events
                        .iter()
                        .map(|event| (block.number, event.clone()))
                })
                .collect()
        };
        assert_eq!(events(&self.applied), events(&self.chain));
        let newest = self.chain.last().unwrap();
        assert_eq!(self.follow.newest(), Some((newest.number, newest.hash)));
    }
}

#[derive(Clone, Debug)]
enum Fault {
    Grow(usize),
    Reorganise(usize, usize),
    /// A round that nothing disturbs.
    Round,
    /// The head comes, the blocks do not.
    Drop,
    /// The head comes and an answer is kept back.
    Delay,
    /// What was kept back comes now.
    Late,
    /// Every answer comes twice.
    Twice,
    /// The chain changes between head and blocks.
    Between(usize, usize),
    /// Another node, which is so many changes behind.
    Lag(usize),
    /// State and read model are stored together.
    Save,
    /// The program dies and begins with what was stored.
    Restart,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (1..200_usize).prop_map(Fault::Grow),
        (1..=64_usize, 1..80_usize).prop_map(|(depth, grow)| Fault::Reorganise(depth, grow)),
        Just(Fault::Round),
        Just(Fault::Drop),
        Just(Fault::Delay),
        Just(Fault::Late),
        Just(Fault::Twice),
        (1..=64_usize, 1..80_usize).prop_map(|(depth, grow)| Fault::Between(depth, grow)),
        (1..4_usize).prop_map(Fault::Lag),
        Just(Fault::Save),
        Just(Fault::Restart),
    ]
}

impl World {
    fn suffer(&mut self, fault: &Fault) {
        let chain = self.chain.clone();
        match fault {
            Fault::Grow(blocks) => self.grow(*blocks),
            Fault::Reorganise(depth, grow) => self.reorganise(*depth, *grow),
            Fault::Round => self.round(&chain),
            Fault::Drop => {
                self.take(Self::head_of(&chain));
            }
            Fault::Delay => {
                let question = self.take(Self::head_of(&chain));
                self.late = question.and_then(|ask| Self::answer(&chain, ask));
            }
            Fault::Late => {
                if let Some(answer) = self.late.take() {
                    self.take(answer);
                }
            }
            Fault::Twice => {
                let question = self.take(Self::head_of(&chain));
                if let Some(answer) = question.and_then(|ask| Self::answer(&chain, ask)) {
                    self.take(answer.clone());
                    self.take(answer);
                }
                self.take(Self::head_of(&chain));
            }
            Fault::Between(depth, grow) => {
                let question = self.take(Self::head_of(&chain));
                self.reorganise(*depth, *grow);
                let chain = self.chain.clone();
                if let Some(answer) = question.and_then(|ask| Self::answer(&chain, ask)) {
                    self.take(answer);
                }
            }
            Fault::Lag(behind) => {
                let at = self.past.len().saturating_sub(1 + behind);
                let old = self.past[at].clone();
                self.round(&old);
            }
            Fault::Save => {
                let state = serde_json::to_string(&self.follow).unwrap();
                self.saved = (state, self.applied.clone());
            }
            Fault::Restart => {
                self.follow = serde_json::from_str(&self.saved.0).unwrap();
                self.applied = self.saved.1.clone();
            }
        }
    }
}

fn check(faults: &[Fault]) {
    let mut world = World::new();
    for fault in faults {
        world.suffer(fault);
    }
    world.heal();
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_the_events_are_those_of_the_chain(
        faults in prop::collection::vec(fault(), 1..40),
    ) {
        check(&faults);
    }
}

#[test]
fn each_fault_alone_changes_nothing() {
    use Fault::*;
    let rows: [&[Fault]; 12] = [
        &[],
        &[Grow(500), Round],
        &[Grow(10), Round, Reorganise(1, 1), Round],
        &[Grow(100), Round, Round, Round, Reorganise(64, 64), Round],
        &[Grow(100), Round, Round, Round, Reorganise(64, 1), Round],
        &[Grow(2), Round, Reorganise(9, 1), Round],
        &[Grow(10), Drop, Round],
        &[Grow(10), Delay, Reorganise(5, 9), Round, Late],
        &[Grow(10), Twice, Twice],
        &[Grow(10), Round, Grow(1), Between(8, 20)],
        &[Grow(10), Round, Reorganise(5, 9), Round, Lag(1)],
        &[
            Grow(10),
            Round,
            Save,
            Grow(9),
            Round,
            Reorganise(15, 20),
            Round,
            Restart,
        ],
    ];
    for faults in rows {
        check(faults);
    }
}

#[test]
fn a_chain_replaced_too_deep_is_an_error_not_a_wrong_answer() {
    let mut world = World::new();
    world.grow(200);
    world.heal();
    world.chain.truncate(200 - DEPTH as usize - 2);
    world.grow(100);
    let mut question = world.take(World::head_of(&world.chain));
    for _ in 0..4 {
        let answer = World::answer(&world.chain, question.unwrap()).unwrap();
        match world.follow.clone().step(answer.clone()) {
            Err(error) => {
                assert!(matches!(error, LedgerError::Replaced { .. }), "{error}");
                return;
            }
            Ok(_) => question = world.take(answer),
        }
    }
    panic!("the follower went on");
}

#[test]
fn a_torn_answer_is_asked_for_again() {
    let mut world = World::new();
    world.grow(10);
    let ask = world.take(World::head_of(&world.chain)).unwrap();
    let Some(Answer::Blocks { mut blocks, .. }) = World::answer(&world.chain, ask) else {
        panic!("the chain has them");
    };
    blocks[2].parent = [9; 32];
    let again = world.take(Answer::Blocks { ask, blocks }).unwrap();
    assert_eq!((again.from, again.to), (ask.from, ask.to));
    assert_eq!(world.applied, []);
}
