//! The relay's one task: it sends a batch at a time and answers each request when its transaction is final.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy::eips::BlockId;
use alloy::rpc::types::TransactionReceipt;
use alloy::sol_types::SolCall;
use medibloc_ledger::{LedgerError, Outcome};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::RelayOptions;
use super::check::{Checker, Verdict};
use super::gas::Load;
use super::parts::Parts;
use super::past::success;
use super::queue::{Answer, Job, Queue, Ticket};
use crate::bindings::forwarder::Forwarder;
use crate::refusal::bad;
use crate::rpc::Fault;
use crate::wallet::{Payload, Sent, Wallet};

/// Letters of what a node of the chain said that the log is told.
const MOST_TOLD: usize = 200;

/// Gas of transactions of this process that failed as a whole.
static BURNT: AtomicU64 = AtomicU64::new(0);

/// Gas that this process's relays paid for transactions that failed as a whole.
pub fn burnt() -> u64 {
    BURNT.load(Ordering::Relaxed)
}

/// How requests fared; one that is to be tried again comes back.
type Results = Vec<(Ticket, Option<Result<Outcome, LedgerError>>)>;

#[derive(Debug)]
pub(super) struct Worker {
    wallet: Arc<Wallet>,
    checker: Arc<Checker>,
    options: RelayOptions,
    inbox: mpsc::UnboundedReceiver<Job>,
    queue: Queue,
    /// What failed together and is tried in parts.
    parts: Parts,
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
            parts: Parts::default(),
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
            while !self.queue.is_empty() || !self.parts.is_empty() {
                // In turn: however many parts there are, what comes meanwhile does not wait for them.
                if !self.queue.is_empty() {
                    self.round().await;
                }
                if let Some(part) = self.parts.next() {
                    self.send(part.tickets, part.burnt).await;
                }
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
        for (ticket, result) in results {
            match result {
                Some(result) => self.answer(ticket.digest, &result),
                None => self.queue.push(ticket),
            }
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
        let options = RelayOptions {
            most_gas: self.most_gas().await,
            ..self.options
        };
        let batch = self.queue.batch(&options, &self.parts.signers());
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
            self.send(good, 0).await;
        }
    }

    /// Gas of one transaction: as the relay allows itself, and three quarters of the chain's block.
    async fn most_gas(&self) -> u64 {
        let head = self.checker.rpc().header(BlockId::latest()).await;
        let of_block = head.ok().flatten().map(|head| head.gas_limit);
        let most = of_block.map_or(u64::MAX, |gas| gas - gas / 4);
        self.options.most_gas.min(most)
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
                    let receipt = receipt(&wallet, &checker, options, sent).await;
                    outcome(&checker, &ticket, &receipt).await
                }
                Err(error) => Err(error),
            };
            vec![(ticket, Some(result))]
        });
    }

    /// Sends one transaction; the next batch is checked on top of it. Gas was burnt for these requests before, if they are a part.
    async fn send(&mut self, tickets: Vec<Ticket>, burnt: u64) {
        let call = Forwarder::executeBatchCall {
            requests: tickets.iter().map(|ticket| ticket.signed.clone()).collect(),
            // not zero: a request that has gone stale is then left out instead of failing all
            refundReceiver: self.wallet.address(),
        };
        let load = Load::none(self.options.forwarder_gas);
        let load = tickets
            .iter()
            .fold(load, |load, ticket| load.with(ticket.gas, ticket.bytes()));
        let payload = Payload {
            gas: Some(load.limit()),
            ..Payload::call(self.checker.forwarder(), call.abi_encode())
        };
        tracing::debug!(requests = tickets.len(), "sending a batch");
        let mined = match self.wallet.send(payload).await {
            Ok(mut sent) => {
                let settled = self.wallet.settled(&mut sent, 0, self.options.patience);
                settled.await.map(|receipt| (sent, receipt))
            }
            // What the node does not take of all of them, as coins that do not pay for it, it may take of some.
            Err(Fault::Said { .. }) if tickets.len() > 1 => return self.split(tickets, burnt),
            Err(fault) => Err(unsent(fault)),
        };
        let (sent, receipt) = match mined {
            Ok(mined) => mined,
            Err(error) => {
                let is_poor = matches!(error, LedgerError::Limit { .. });
                tracing::warn!(
                    requests = tickets.len(),
                    is_poor,
                    why = why(&error),
                    "a batch could not be sent"
                );
                for ticket in tickets {
                    self.answer(ticket.digest, &Err(error.clone()));
                }
                return;
            }
        };
        if !receipt.status() {
            BURNT.fetch_add(receipt.gas_used, Ordering::Relaxed);
            tracing::warn!(
                requests = tickets.len(),
                gas = receipt.gas_used,
                "a transaction failed as a whole"
            );
            return self.split(tickets, burnt.saturating_add(receipt.gas_used));
        }
        for ticket in &tickets {
            self.sent(ticket.digest);
        }
        let (wallet, checker, options) = (self.wallet.clone(), self.checker.clone(), self.options);
        self.settling
            .spawn(async move { settle(&wallet, &checker, options, sent, tickets).await });
    }

    /// Tries in parts what failed together; one that failed alone is told, with the gas of every transaction that it was in.
    fn split(&mut self, tickets: Vec<Ticket>, burnt: u64) {
        if let Some(alone) = self.parts.split(tickets, burnt) {
            self.answer(alone.digest, &Err(LedgerError::Burnt { gas: burnt }));
        }
    }
}

fn is_unpaid(fault: &Fault) -> bool {
    matches!(fault, Fault::Said { message, .. } if message.contains("insufficient funds"))
}

/// What the log is told, on one line: not which node of the chain, for its URL may hold a key.
fn why(error: &LedgerError) -> String {
    let why = match error {
        LedgerError::Unreachable { why, .. } | LedgerError::Corrupt { why, .. } => why.clone(),
        other => other.to_string(),
    };
    let line = why.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MOST_TOLD).collect()
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

/// Waits until a transaction is final.
async fn receipt(
    wallet: &Wallet,
    checker: &Checker,
    options: RelayOptions,
    mut sent: Sent,
) -> Result<TransactionReceipt, LedgerError> {
    let depth = checker.ledger.finality_depth();
    wallet.settled(&mut sent, depth, options.patience).await
}

/// Waits until a transaction is final, then says how each request in it fared.
async fn settle(
    wallet: &Wallet,
    checker: &Checker,
    options: RelayOptions,
    sent: Sent,
    tickets: Vec<Ticket>,
) -> Results {
    let receipt = receipt(wallet, checker, options, sent).await;
    // Blocks were replaced, and in the new ones it failed as a whole: all are looked at again.
    let again = receipt.as_ref().is_ok_and(|it| !it.status());
    let mut results = Vec::with_capacity(tickets.len());
    for ticket in tickets {
        let result = match again {
            true => None,
            false => Some(outcome(checker, &ticket, &receipt).await),
        };
        results.push((ticket, result));
    }
    results
}

async fn outcome(
    checker: &Checker,
    ticket: &Ticket,
    receipt: &Result<TransactionReceipt, LedgerError>,
) -> Result<Outcome, LedgerError> {
    let receipt = receipt.as_ref().map_err(Clone::clone)?;
    let block = receipt.block_number.unwrap_or(0);
    let request = &ticket.request;
    match success(checker.forwarder(), receipt, request.from, request.nonce) {
        Some(true) => Ok(Outcome {
            block,
            transaction: receipt.transaction_hash.0,
        }),
        Some(false) => Err(checker.why_failed(ticket, block).await),
        None => Err(LedgerError::Unreachable {
            from: "the chain".into(),
            why: "the request was overtaken by another transaction".into(),
        }),
    }
}
