//! The relay's one task: it sends a batch at a time and answers each request when its transaction is final.

use std::collections::HashMap;
use std::sync::Arc;

use alloy::sol_types::SolCall;
use medibloc_ledger::{LedgerError, Outcome};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::RelayOptions;
use super::check::{Checker, Verdict};
use super::past::success;
use super::queue::{Answer, Job, Queue, Ticket};
use crate::bindings::forwarder::Forwarder;
use crate::refusal::bad;
use crate::rpc::Fault;
use crate::wallet::{Payload, Sent, Wallet};

/// For the transaction itself, and for each request around its own call.
const GAS_BASE: u64 = 60_000;
const GAS_EACH: u64 = 60_000;

type Results = Vec<([u8; 32], Result<Outcome, LedgerError>)>;

#[derive(Debug)]
pub(super) struct Worker {
    wallet: Arc<Wallet>,
    checker: Arc<Checker>,
    options: RelayOptions,
    inbox: mpsc::UnboundedReceiver<Job>,
    queue: Queue,
    /// Who waits for which request; the same one may be asked for twice.
    answers: HashMap<[u8; 32], Vec<Answer>>,
    settling: JoinSet<Results>,
}

impl Worker {
    pub(super) fn new(
        wallet: Arc<Wallet>,
        checker: Arc<Checker>,
        options: RelayOptions,
        inbox: mpsc::UnboundedReceiver<Job>,
    ) -> Self {
        Self {
            wallet,
            checker,
            options,
            inbox,
            queue: Queue::default(),
            answers: HashMap::new(),
            settling: JoinSet::new(),
        }
    }

    /// Runs until the inbox is closed.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                job = self.inbox.recv() => match job {
                    Some(job) => self.take(job),
                    None => return,
                },
                Some(done) = self.settling.join_next() => self.finish(done.unwrap_or_default()),
            }
            self.drain();
            while !self.queue.is_empty() {
                self.round().await;
                self.drain();
            }
        }
    }

    /// Takes in what came meanwhile, without waiting.
    fn drain(&mut self) {
        while let Ok(job) = self.inbox.try_recv() {
            self.take(job);
        }
        while let Some(done) = self.settling.try_join_next() {
            self.finish(done.unwrap_or_default());
        }
    }

    fn take(&mut self, job: Job) {
        let waiting = self.answers.entry(job.ticket.digest).or_default();
        let first = waiting.is_empty();
        waiting.push(job.answer);
        if first {
            self.queue.push(job.ticket);
        }
    }

    fn finish(&mut self, results: Results) {
        for (digest, result) in results {
            self.answer(digest, &result);
        }
    }

    fn answer(&mut self, digest: [u8; 32], result: &Result<Outcome, LedgerError>) {
        for answer in self.answers.remove(&digest).into_iter().flatten() {
            // whoever asked may have gone
            let _ = answer.to.send(result.clone());
        }
    }

    /// A request is in a block: it waits for finality, and takes nobody's place.
    fn sent(&mut self, digest: [u8; 32]) {
        for answer in self.answers.get_mut(&digest).into_iter().flatten() {
            answer.place.sent();
        }
    }

    /// Checks the next batch and sends those of it that would be done.
    async fn round(&mut self) {
        let batch = self.queue.batch(&self.options);
        let mut checks = JoinSet::new();
        for (place, ticket) in batch.into_iter().enumerate() {
            let checker = self.checker.clone();
            checks.spawn(async move { (place, checker.check(&ticket).await, ticket) });
        }
        let mut checked = checks.join_all().await;
        checked.sort_by_key(|(place, _, _)| *place);
        let mut good = Vec::new();
        for (_, verdict, ticket) in checked {
            match verdict {
                Ok(Verdict::Go) => good.push(ticket),
                Ok(Verdict::Used) => self.find(ticket),
                Ok(Verdict::Early(next)) => self.early(&ticket, next),
                Err(error) => self.answer(ticket.digest, &Err(error)),
            }
        }
        if !good.is_empty() {
            self.send(good).await;
        }
    }

    fn early(&mut self, ticket: &Ticket, next: alloy::primitives::U256) {
        let error = bad(&format!(
            "its nonce is {} and the chain expects {next}",
            ticket.request.nonce
        ));
        self.answer(ticket.digest, &Err(error));
    }

    /// A request whose nonce is used: its outcome is on chain.
    fn find(&mut self, ticket: Ticket) {
        self.sent(ticket.digest);
        let (wallet, checker, options) = (self.wallet.clone(), self.checker.clone(), self.options);
        self.settling.spawn(async move {
            let result = match checker.past(&ticket).await {
                Ok(hash) => {
                    let sent = Sent::elsewhere(hash);
                    settle(
                        &wallet,
                        &checker,
                        options,
                        sent,
                        std::slice::from_ref(&ticket),
                    )
                    .await
                    .remove(0)
                    .1
                }
                Err(error) => Err(error),
            };
            vec![(ticket.digest, result)]
        });
    }

    /// Sends one transaction; the next batch is checked on top of it.
    async fn send(&mut self, tickets: Vec<Ticket>) {
        let call = Forwarder::executeBatchCall {
            requests: tickets.iter().map(|ticket| ticket.signed.clone()).collect(),
            // not zero: a request that has gone stale is then left out instead of failing all
            refundReceiver: self.wallet.address(),
        };
        let payload = Payload {
            gas: Some(gas_limit(&tickets)),
            ..Payload::call(self.checker.forwarder(), call.abi_encode())
        };
        tracing::debug!(requests = tickets.len(), "sending a batch");
        let mined = match self.wallet.send(payload).await {
            Ok(mut sent) => self
                .wallet
                .settled(&mut sent, 0, self.options.patience)
                .await
                .map(|_| sent),
            // What does not pay for all of them may pay for one.
            Err(fault) if is_unpaid(&fault) && tickets.len() > 1 => {
                for ticket in tickets {
                    Box::pin(self.send(vec![ticket])).await;
                }
                return;
            }
            Err(fault) => Err(unsent(fault)),
        };
        let sent = match mined {
            Ok(sent) => sent,
            Err(error) => {
                let is_poor = matches!(error, LedgerError::Limit { .. });
                tracing::warn!(
                    requests = tickets.len(),
                    is_poor,
                    "a batch could not be sent"
                );
                for ticket in tickets {
                    self.answer(ticket.digest, &Err(error.clone()));
                }
                return;
            }
        };
        for ticket in &tickets {
            self.sent(ticket.digest);
        }
        let (wallet, checker, options) = (self.wallet.clone(), self.checker.clone(), self.options);
        self.settling
            .spawn(async move { settle(&wallet, &checker, options, sent, &tickets).await });
    }
}

fn is_unpaid(fault: &Fault) -> bool {
    matches!(fault, Fault::Said { message, .. } if message.contains("insufficient funds"))
}

/// Why a batch did not leave.
fn unsent(fault: Fault) -> LedgerError {
    if is_unpaid(&fault) {
        return LedgerError::Limit {
            limit: "its wallet has no coins left; its operator must add some".into(),
        };
    }
    fault.into()
}

fn gas_limit(tickets: &[Ticket]) -> u64 {
    let own: u64 = tickets
        .iter()
        .map(|ticket| ticket.gas + GAS_EACH + 16 * ticket.request.data.len() as u64)
        .sum();
    // a call is given at most 63 of 64 parts of what is left
    (GAS_BASE + own) * 65 / 63
}

/// Waits until a transaction is final, then says how each request in it fared.
async fn settle(
    wallet: &Wallet,
    checker: &Checker,
    options: RelayOptions,
    mut sent: Sent,
    tickets: &[Ticket],
) -> Results {
    let depth = checker.ledger.finality_depth();
    let receipt = wallet.settled(&mut sent, depth, options.patience).await;
    let mut results = Vec::with_capacity(tickets.len());
    for ticket in tickets {
        let result = match &receipt {
            Ok(receipt) => outcome(checker, ticket, receipt).await,
            Err(error) => Err(error.clone()),
        };
        results.push((ticket.digest, result));
    }
    results
}

async fn outcome(
    checker: &Checker,
    ticket: &Ticket,
    receipt: &alloy::rpc::types::TransactionReceipt,
) -> Result<Outcome, LedgerError> {
    let block = receipt.block_number.unwrap_or(0);
    let request = &ticket.request;
    match success(checker.forwarder(), receipt, request.from, request.nonce) {
        Some(true) => Ok(Outcome {
            block,
            transaction: receipt.transaction_hash.0,
        }),
        Some(false) => Err(checker.why_failed(ticket, block).await),
        None if receipt.status() => Err(LedgerError::Unreachable {
            from: "the chain".into(),
            why: "the request was overtaken by another transaction".into(),
        }),
        None => Err(LedgerError::Unreachable {
            from: "the chain".into(),
            why: "the batch failed as a whole".into(),
        }),
    }
}
