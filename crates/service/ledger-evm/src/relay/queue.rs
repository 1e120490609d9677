//! Which waiting requests may share the next transaction.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use alloy::primitives::{Address, U256};
use medibloc_ledger::{LedgerError, Outcome};
use tokio::sync::oneshot;

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
    pub(super) request: ForwardRequest,
    pub(super) signed: ForwardRequestData,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) answer: Answer,
}

/// Requests in the order they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Vec<Ticket>,
}

impl Queue {
    pub(super) fn push(&mut self, ticket: Ticket) {
        self.waiting.push(ticket);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the next batch: of each signer the lowest nonce, of each source one, within the gas. What takes something back, and
    /// what its nonce waits for, goes before the rest; a quarter of a batch is the rest's, so that who takes back much stops
    /// nobody. The first of all always goes, so none waits for ever.
    pub(super) fn batch(&mut self, options: &RelayOptions) -> Vec<Ticket> {
        let mut lowest: BTreeMap<Address, U256> = BTreeMap::new();
        for ticket in &self.waiting {
            let nonce = lowest
                .entry(ticket.request.from)
                .or_insert(ticket.request.nonce);
            *nonce = (*nonce).min(ticket.request.nonce);
        }
        let withdrawing: BTreeSet<Address> = self
            .waiting
            .iter()
            .filter(|ticket| ticket.is_withdrawal)
            .map(|ticket| ticket.request.from)
            .collect();
        let (mut batch, mut rest) = (Vec::new(), Vec::new());
        let (mut signers, mut sources) = (BTreeSet::new(), HashSet::new());
        let mut gas = 0_u64;
        let is_first = |ticket: &Ticket| withdrawing.contains(&ticket.request.from);
        let (first, others): (Vec<Ticket>, Vec<Ticket>) =
            self.waiting.drain(..).partition(is_first);
        let share = match others.is_empty() {
            true => (options.most_requests, options.most_gas),
            false => (
                (options.most_requests - options.most_requests / 4).max(1),
                options.most_gas - options.most_gas / 4,
            ),
        };
        let all = (options.most_requests, options.most_gas);
        let in_turn = first.into_iter().map(|ticket| (ticket, share));
        for (ticket, (most_requests, most_gas)) in
            in_turn.chain(others.into_iter().map(|ticket| (ticket, all)))
        {
            let fits =
                batch.is_empty() || (batch.len() < most_requests && gas + ticket.gas <= most_gas);
            let next = lowest.get(&ticket.request.from) == Some(&ticket.request.nonce);
            if fits
                && next
                && !signers.contains(&ticket.request.from)
                && !sources.contains(&ticket.source)
            {
                signers.insert(ticket.request.from);
                sources.insert(ticket.source);
                gas += ticket.gas;
                batch.push(ticket);
            } else {
                rest.push(ticket);
            }
        }
        self.waiting = rest;
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medibloc_record::{Signature, Timestamp};

    fn ticket(signer: u8, nonce: u64, source: u64, gas: u64) -> Ticket {
        let from = Address::repeat_byte(signer);
        let target = (Address::ZERO, vec![0; 4], gas);
        let request = ForwardRequest::new(from, target, U256::from(nonce), Timestamp(9));
        Ticket {
            digest: [signer; 32],
            source: Source(source),
            gas,
            is_withdrawal: false,
            signed: request.with(&Signature::new([0; 65])),
            request,
        }
    }

    fn batches(tickets: Vec<Ticket>) -> Vec<Vec<(u8, u64)>> {
        let options = RelayOptions {
            most_requests: 3,
            most_gas: 1_000,
            ..RelayOptions::default()
        };
        let mut queue = Queue::default();
        tickets.into_iter().for_each(|ticket| queue.push(ticket));
        let mut all = Vec::new();
        while !queue.is_empty() {
            let batch = queue.batch(&options);
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
            most_gas: 1_000,
            ..RelayOptions::default()
        };
        let names = |queue: &mut Queue| -> Vec<(u8, u64)> {
            let batch = queue.batch(&options);
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
        assert_eq!(names(&mut queue), [(9, 0), (20, 0), (21, 0), (1, 0)]);
        assert_eq!(names(&mut queue), [(9, 1), (22, 0), (23, 0), (2, 0)]);
        assert_eq!(names(&mut queue), [(3, 0), (4, 0), (5, 0), (6, 0)]);
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
        let heavy: Vec<_> = (1..=3).map(|n| ticket(n, 0, n.into(), 600)).collect();
        assert_eq!(
            batches(heavy).iter().map(Vec::len).collect::<Vec<_>>(),
            [1, 1, 1]
        );
    }
}
