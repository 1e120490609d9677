//! Which waiting requests may share the next transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use alloy::primitives::{Address, U256};
use medibloc_ledger::{LedgerError, Outcome, Withdrawal};
use tokio::sync::oneshot;

use super::gas::Load;
use super::place::Place;
use super::{RelayOptions, Source};
use crate::bindings::forwarder::ERC2771Forwarder::ForwardRequestData;
use crate::encode::ForwardRequest;

/// Whom to tell, with the place that it takes among those who wait.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) to: oneshot::Sender<Result<Outcome, LedgerError>>,
    pub(super) place: Place,
}

/// One request that was admitted.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) digest: [u8; 32],
    pub(super) source: Source,
    pub(super) gas: u64,
    /// It takes something back: it goes before what gives.
    pub(super) is_withdrawal: bool,
    /// What it takes back of what was given.
    pub(super) withdraws: Option<Withdrawal>,
    pub(super) request: ForwardRequest,
    pub(super) signed: ForwardRequestData,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) answer: Answer,
}

impl Ticket {
    /// Bytes of its call.
    pub(super) fn bytes(&self) -> usize {
        self.request.data.len()
    }

    /// What a transaction with it alone costs, with so much gas for the forwarder.
    pub(super) fn load(&self, forwarder: u64) -> Load {
        Load::none(forwarder).with(self.gas, self.bytes())
    }
}

/// Batches for which it is remembered whose withdrawals were in them.
const REMEMBERED: u64 = 64;

/// Requests in the order they came, each with its number.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<(u64, Ticket)>,
    came: u64,
    turns: Turns,
}

/// Who took something back in which batch: whoever did so longest ago goes first, and of those whoever came first.
#[derive(Debug, Default)]
struct Turns {
    batch: u64,
    sources: HashMap<Source, u64>,
    signers: HashMap<Address, u64>,
}

impl Turns {
    fn next(&mut self) {
        self.batch += 1;
        let oldest = self.batch.saturating_sub(REMEMBERED);
        self.sources.retain(|_, batch| *batch >= oldest);
        self.signers.retain(|_, batch| *batch >= oldest);
    }

    fn count(&mut self, ticket: &Ticket) {
        self.sources.insert(ticket.source, self.batch);
        self.signers.insert(ticket.request.from, self.batch);
    }

    /// What takes back goes before what its nonce waits for, which others may have made large.
    fn place(&self, ticket: &Ticket) -> (bool, u64, u64) {
        let source = self.sources.get(&ticket.source).copied();
        let signer = self.signers.get(&ticket.request.from).copied();
        (
            !ticket.is_withdrawal,
            source.unwrap_or_default(),
            signer.unwrap_or_default(),
        )
    }
}

impl Queue {
    pub(super) fn push(&mut self, ticket: Ticket) {
        self.came += 1;
        self.waiting.push((self.came, ticket));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the next batch: of each signer the lowest nonce, of each source one, within gas and bytes; nothing of signers that
    /// are held, whose earlier requests are on their way. What takes something back goes first, by source and signer in turn,
    /// then what its nonce waits for, then the rest; a quarter of a batch is the rest's, so that who takes back much stops
    /// nobody. The first of all always goes, so none waits for ever.
    pub(super) fn batch(
        &mut self,
        options: &RelayOptions,
        held: &BTreeSet<Address>,
    ) -> Vec<Ticket> {
        let mut lowest: BTreeMap<Address, U256> = BTreeMap::new();
        for (_, ticket) in &self.waiting {
            let nonce = lowest
                .entry(ticket.request.from)
                .or_insert(ticket.request.nonce);
            *nonce = (*nonce).min(ticket.request.nonce);
        }
        let withdrawing: BTreeSet<Address> = self
            .waiting
            .iter()
            .filter(|(_, ticket)| ticket.is_withdrawal)
            .map(|(_, ticket)| ticket.request.from)
            .collect();
        let (mut batch, mut rest) = (Vec::new(), Vec::new());
        let (mut signers, mut sources) = (held.clone(), HashSet::new());
        let mut load = Load::none(options.forwarder_gas);
        let (mut first, others): (Vec<_>, Vec<_>) = self
            .waiting
            .drain(..)
            .partition(|(_, ticket)| withdrawing.contains(&ticket.request.from));
        first.sort_by_cached_key(|(came, ticket)| (self.turns.place(ticket), *came));
        self.turns.next();
        let share = match others.is_empty() {
            true => (options.most_requests, options.most_gas),
            false => (
                (options.most_requests - options.most_requests / 4).max(1),
                options.most_gas - options.most_gas / 4,
            ),
        };
        let all = (options.most_requests, options.most_gas);
        let in_turn = first.into_iter().map(|ticket| (ticket, share, true));
        for ((came, ticket), (most_requests, most_gas), is_first) in
            in_turn.chain(others.into_iter().map(|ticket| (ticket, all, false)))
        {
            let more = load.with(ticket.gas, ticket.bytes());
            let fits = batch.is_empty() || (batch.len() < most_requests && more.fits(most_gas));
            let next = lowest.get(&ticket.request.from) == Some(&ticket.request.nonce);
            if fits
                && next
                && !signers.contains(&ticket.request.from)
                && !sources.contains(&ticket.source)
            {
                signers.insert(ticket.request.from);
                sources.insert(ticket.source);
                load = more;
                if is_first {
                    self.turns.count(&ticket);
                }
                batch.push(ticket);
            } else {
                rest.push((came, ticket));
            }
        }
        rest.sort_unstable_by_key(|(came, _)| *came);
        self.waiting = rest;
        batch
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use medibloc_record::{Signature, Timestamp};

    pub(in super::super) fn ticket(signer: u8, nonce: u64, source: u64, gas: u64) -> Ticket {
        let from = Address::repeat_byte(signer);
        let target = (Address::ZERO, vec![0; 4], gas);
        let request = ForwardRequest::new(from, target, U256::from(nonce), Timestamp(9));
        Ticket {
            digest: [signer; 32],
            source: Source(source),
            gas,
            is_withdrawal: false,
            withdraws: None,
            signed: request.with(&Signature::new([0; 65])),
            request,
        }
    }

    fn batches(tickets: Vec<Ticket>) -> Vec<Vec<(u8, u64)>> {
        let options = RelayOptions {
            most_requests: 3,
            most_gas: 1_000_000,
            ..RelayOptions::default()
        };
        let mut queue = Queue::default();
        tickets.into_iter().for_each(|ticket| queue.push(ticket));
        let mut all = Vec::new();
        while !queue.is_empty() {
            let batch = queue.batch(&options, &BTreeSet::new());
            let names = batch
                .iter()
                .map(|ticket| (ticket.request.from.0[0], ticket.request.nonce.to::<u64>()));
            all.push(names.collect());
        }
        all
    }

    #[test]
    fn addresses_of_one_connection_never_share_a_batch() {
        let tickets = vec![ticket(1, 0, 7, 1), ticket(2, 0, 7, 1), ticket(3, 0, 8, 1)];
        assert_eq!(batches(tickets), [vec![(1, 0), (3, 0)], vec![(2, 0)]]);
    }

    #[test]
    fn what_takes_back_goes_first_with_what_it_waits_for_and_leaves_the_rest_a_quarter() {
        let options = RelayOptions {
            most_requests: 4,
            ..RelayOptions::default()
        };
        let names = |queue: &mut Queue| -> Vec<(u8, u64)> {
            let batch = queue.batch(&options, &BTreeSet::new());
            let name = |it: &Ticket| (it.request.from.0[0], it.request.nonce.to::<u64>());
            batch.iter().map(name).collect()
        };
        let mut queue = Queue::default();
        for n in 1..=9 {
            queue.push(ticket(n, 0, n.into(), 1));
        }
        let back = |signer, nonce| Ticket {
            is_withdrawal: true,
            ..ticket(signer, nonce, signer.into(), 1)
        };
        // One whose nonce waits for what came before it, one that came last, and more than fit.
        queue.push(back(9, 1));
        for signer in 20..24 {
            queue.push(back(signer, 0));
        }
        assert_eq!(names(&mut queue), [(20, 0), (21, 0), (22, 0), (1, 0)]);
        assert_eq!(names(&mut queue), [(23, 0), (9, 0), (2, 0), (3, 0)]);
        assert_eq!(names(&mut queue), [(9, 1), (4, 0), (5, 0), (6, 0)]);
    }

    #[test]
    fn requests_of_one_signer_go_in_nonce_order() {
        let tickets = vec![ticket(1, 2, 7, 1), ticket(1, 1, 7, 1), ticket(2, 0, 8, 1)];
        assert_eq!(batches(tickets), [vec![(1, 1), (2, 0)], vec![(1, 2)]]);
    }

    #[test]
    fn a_batch_ends_at_its_limits() {
        let many: Vec<_> = (1..=4).map(|n| ticket(n, 0, n.into(), 1)).collect();
        assert_eq!(
            batches(many).iter().map(Vec::len).collect::<Vec<_>>(),
            [3, 1]
        );
        let heavy: Vec<_> = (1..=3).map(|n| ticket(n, 0, n.into(), 400_000)).collect();
        assert_eq!(
            batches(heavy).iter().map(Vec::len).collect::<Vec<_>>(),
            [1, 1, 1]
        );
    }

    pub(in super::super) fn back(signer: u8, nonce: u64, source: u64) -> Ticket {
        Ticket {
            is_withdrawal: true,
            ..ticket(signer, nonce, source, 1)
        }
    }

    /// The first batches of a queue, by signer.
    fn rounds(queue: &mut Queue, held: &[u8], count: usize) -> Vec<Vec<u8>> {
        let options = RelayOptions {
            most_requests: 4,
            ..RelayOptions::default()
        };
        let held = held.iter().map(|it| Address::repeat_byte(*it)).collect();
        let mut round = || queue.batch(&options, &held);
        let rounds = (0..count).map(|_| round());
        rounds
            .map(|batch| batch.iter().map(|it| it.request.from.0[0]).collect())
            .collect()
    }

    #[test]
    fn among_those_who_take_back_whoever_did_so_longest_ago_goes_first() {
        let mut queue = Queue::default();
        // Six sources with many withdrawals each, then one with one.
        for nonce in 0..40 {
            for signer in 1..=6 {
                queue.push(back(signer, nonce, signer.into()));
            }
        }
        assert_eq!(rounds(&mut queue, &[], 1), [[1, 2, 3, 4]]);
        queue.push(back(9, 0, 9));
        assert_eq!(rounds(&mut queue, &[], 2), [[5, 6, 9, 1], [2, 3, 4, 5]]);
        // A hundred addresses of one source stand behind another's first.
        for signer in 100..200 {
            queue.push(back(signer, 0, 7));
        }
        queue.push(back(10, 0, 10));
        assert_eq!(rounds(&mut queue, &[], 1), [[100, 10, 6, 1]]);
        println!(
            "ATTACK fresh-3: a victim's revocation behind 240 of six sources and beside 100 of one: in the next batch of four, and in the next"
        );
    }

    #[test]
    fn what_a_withdrawal_waits_for_stands_behind_those_that_wait_for_nothing() {
        let mut queue = Queue::default();
        for signer in 1..=8 {
            queue.push(ticket(signer, 0, signer.into(), 1));
            queue.push(back(signer, 1, signer.into()));
        }
        queue.push(back(9, 0, 9));
        assert_eq!(rounds(&mut queue, &[], 1), [[9, 1, 2, 3]]);
    }

    #[test]
    fn nothing_of_a_signer_leaves_before_its_part_of_a_failed_batch() {
        let mut queue = Queue::default();
        queue.push(ticket(1, 1, 1, 1));
        queue.push(ticket(2, 0, 2, 1));
        assert_eq!(rounds(&mut queue, &[1], 2), [vec![2], vec![]]);
        assert_eq!(rounds(&mut queue, &[], 1), [[1]]);
    }

    #[test]
    fn a_batch_ends_at_the_bytes_of_a_transaction() {
        let large = |n: u8| {
            let mut large = ticket(n, 0, n.into(), 1);
            large.request.data = vec![0xff; 50_000].into();
            large
        };
        let rows = batches((1..=3).map(large).collect());
        let most = RelayOptions {
            most_gas: 100_000_000,
            ..RelayOptions::default()
        };
        assert_eq!(rows.len(), 3, "a million gas does not pay for two");
        let mut queue = Queue::default();
        (1..=3).for_each(|n| queue.push(large(n)));
        assert_eq!(queue.batch(&most, &BTreeSet::new()).len(), 2);
    }
}
