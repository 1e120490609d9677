//! A batch that failed as a whole is tried in parts, until what fails stands alone: nobody is told of another's failure.

use std::collections::{BTreeSet, VecDeque};

use alloy::primitives::Address;

use super::queue::Ticket;

/// Requests that failed together, with the gas that was paid for that until now.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) tickets: Vec<Ticket>,
    pub(super) burnt: u64,
}

/// The parts that are to be tried, in their order.
#[derive(Debug, Default)]
pub(super) struct Parts(VecDeque<Part>);

impl Parts {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<Part> {
        self.0.pop_front()
    }

    /// Whose requests are in them: what these signed later waits.
    pub(super) fn signers(&self) -> BTreeSet<Address> {
        let tickets = self.0.iter().flat_map(|part| &part.tickets);
        tickets.map(|ticket| ticket.request.from).collect()
    }

    /// Parts what failed together: what takes back from the rest, else in halves. What takes back stands before all else. Gives
    /// back a request that failed alone.
    pub(super) fn split(&mut self, mut tickets: Vec<Ticket>, burnt: u64) -> Option<Ticket> {
        if tickets.len() < 2 {
            return tickets.pop();
        }
        let half = tickets.len() / 2;
        let (back, rest): (Vec<_>, Vec<_>) = tickets.into_iter().partition(|it| it.is_withdrawal);
        let halves = |mut all: Vec<Ticket>| {
            let second = all.split_off(half);
            [all, second].map(|tickets| Part { tickets, burnt })
        };
        if rest.is_empty() {
            let [first, second] = halves(back);
            self.0.push_front(second);
            self.0.push_front(first);
        } else if back.is_empty() {
            self.0.extend(halves(rest));
        } else {
            self.0.push_front(Part {
                tickets: back,
                burnt,
            });
            self.0.push_back(Part {
                tickets: rest,
                burnt,
            });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::tests::{back, ticket};
    use super::*;

    /// Sends parts until there are none; those with somebody guilty fail. Gives who passed, in order, and who was told, with
    /// the transactions that it was in.
    fn tried(tickets: Vec<Ticket>, guilty: &[u8]) -> (Vec<u8>, Vec<(u8, u64)>) {
        let (mut parts, mut passed, mut told) = (Parts::default(), Vec::new(), Vec::new());
        let mut next = Some(Part { tickets, burnt: 0 });
        while let Some(Part { tickets, burnt }) = next {
            let names = tickets.iter().map(|it| it.request.from.0[0]);
            let names: Vec<u8> = names.collect();
            if names.iter().any(|it| guilty.contains(it)) {
                let alone = parts.split(tickets, burnt + 1);
                told.extend(alone.map(|it| (it.request.from.0[0], burnt + 1)));
            } else {
                passed.extend(names);
            }
            next = parts.next();
        }
        assert!(parts.is_empty() && parts.signers().is_empty());
        (passed, told)
    }

    #[test]
    fn only_what_fails_alone_is_told_and_what_takes_back_passes_first() {
        let all = || -> Vec<Ticket> {
            let others = (1..=16).map(|n| ticket(n, 0, n.into(), 1));
            others
                .chain((17..=20).map(|n| back(n, 0, n.into())))
                .collect()
        };
        let (passed, told) = tried(all(), &[3]);
        assert_eq!(passed[..4], [17, 18, 19, 20]);
        assert_eq!(passed.len(), 19);
        // All, the sixteen, eight, four, two, one.
        assert_eq!(told, [(3, 6)]);
        let (passed, told) = tried(all(), &[18, 5, 6]);
        assert_eq!(passed[..3], [17, 19, 20]);
        let mut told: Vec<u8> = told.into_iter().map(|(who, _)| who).collect();
        told.sort_unstable();
        assert_eq!((passed.len(), told), (17, vec![5, 6, 18]));
        let everybody: Vec<u8> = (1..=20).collect();
        let (passed, told) = tried(all(), &everybody);
        assert_eq!((passed.len(), told.len()), (0, 20));
        println!(
            "ATTACK fresh-1: of a batch of 20 with 1, 3 and 20 that cannot pass, 19, 17 and 0 others passed, what takes back first; 1, 3 and 20 were told, each alone"
        );
    }
}
