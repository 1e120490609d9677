//! The relay's wallet: signed requests in, batches out, outcomes when final.

use core::time::Duration;
use std::sync::Arc;

use alloy::consensus::Transaction as _;
use alloy::eips::BlockId;
use alloy::primitives::U256;
use alloy::providers::Provider as _;
use alloy::sol_types::SolCall as _;
use async_trait::async_trait;
use medibloc_keys::{SigningKey, recover};
use medibloc_ledger::{LedgerError, Outcome, Relay, SignedCall, Withdrawal};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::EvmLedger;
use crate::bindings::accounts::Accounts::registerCall;
use crate::bindings::forwarder::Forwarder;
use crate::encode::{ForwardRequest, chain};
use crate::refusal::bad;
use crate::wallet::{Funds, Wallet};

mod check;
mod form;
mod gas;
mod parts;
mod past;
mod place;
mod queue;
mod worker;

use check::Checker;
use form::Form;
use gas::Load;
use place::Places;
use queue::{Answer, Job, Ticket};
use worker::Worker;

pub use worker::burnt;

/// What the relay allows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayOptions {
    /// Requests in one transaction, at most.
    pub most_requests: usize,
    /// Gas of one transaction, at most: well below any chain's block.
    pub most_gas: u64,
    /// Gas for what the forwarder does around each request, and for the transaction around all.
    pub forwarder_gas: u64,
    /// Requests that wait for a block, at most; more are answered with a limit.
    pub most_waiting: usize,
    /// Requests of one address that are not final, at most; more are answered with a limit.
    pub most_of_one: usize,
    /// How long it waits for a transaction to be final before it says that it does not know.
    pub patience: Duration,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            most_requests: 20,
            most_gas: 12_000_000,
            forwarder_gas: gas::FORWARDER,
            most_waiting: 1_000,
            most_of_one: 64,
            patience: Duration::from_secs(600),
        }
    }
}

/// Which connection a request came from, opaque. Two addresses that came over one connection never share a
/// transaction: whoever watches the chain would see them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source(pub u64);

/// The wallet that pays for people's requests, with its queue. Dropping it stops its work; whatever was sent is found
/// on chain when the same request comes again.
#[derive(Debug)]
pub struct RelayWallet {
    ledger: EvmLedger,
    options: RelayOptions,
    inbox: mpsc::UnboundedSender<Job>,
    places: Places,
    worker: JoinHandle<()>,
    wallet: Arc<Wallet>,
}

impl RelayWallet {
    /// Starts the queue of a wallet; call it inside a tokio runtime.
    pub fn start(ledger: &EvmLedger, key: &SigningKey, options: RelayOptions) -> Self {
        let wallet = Wallet::new(ledger.rpc().clone(), ledger.deployed().chain_id, key);
        let wallet = Arc::new(wallet);
        let (inbox, jobs) = mpsc::unbounded_channel();
        let checker = Checker::new(ledger.clone());
        let worker = Worker::new(wallet.clone(), Arc::new(checker), options, jobs);
        Self {
            ledger: ledger.clone(),
            options,
            inbox,
            places: Places::new(options.most_waiting, options.most_of_one),
            worker: tokio::spawn(worker.run()),
            wallet,
        }
    }

    /// The wallet's address, which needs coins.
    pub fn address(&self) -> medibloc_record::Address {
        medibloc_record::Address::new(self.wallet.address().0.0)
    }

    /// What the wallet has at the last block; what is on its way is not paid for yet.
    ///
    /// # Errors
    /// If the chain is silent.
    pub async fn funds(&self) -> Result<Funds, LedgerError> {
        Ok(self.wallet.funds().await?)
    }

    /// Whose a request is, by its checked signature, and whether it registers this address: what limits are counted by.
    ///
    /// # Errors
    /// [`LedgerError::BadRequest`] if it is no request for this deployment or its signature another's.
    pub fn caller(
        &self,
        call: &SignedCall,
    ) -> Result<(medibloc_record::Address, bool), LedgerError> {
        let request = self.admit(Source::default(), call)?.request;
        let address = medibloc_record::Address::new(request.from.0.0);
        Ok((address, request.data.starts_with(&registerCall::SELECTOR)))
    }

    /// Gas that a request may use, with that of its bytes and of the forwarder, and what it takes back, if that is what it does.
    ///
    /// # Errors
    /// As [`RelayWallet::caller`].
    pub fn weight(&self, call: &SignedCall) -> Result<(u64, Option<Withdrawal>), LedgerError> {
        let ticket = self.admit(Source::default(), call)?;
        Ok((ticket.load(gas::FORWARDER).gas(), ticket.withdraws))
    }

    /// Whether a request takes something back, and so goes before what gives: it revokes, erases, retracts, or hands on an
    /// account.
    ///
    /// # Errors
    /// As [`RelayWallet::caller`].
    pub fn goes_first(&self, call: &SignedCall) -> Result<bool, LedgerError> {
        Ok(self.admit(Source::default(), call)?.is_withdrawal)
    }

    /// The part of a transaction's gas that a request in it used, by what each asked for; none if the chain cannot
    /// tell.
    pub async fn gas_used(&self, call: &SignedCall, outcome: &Outcome) -> Option<u64> {
        let own = self.weight(call).ok()?.0;
        let hash = alloy::primitives::B256::new(outcome.transaction);
        let rpc = self.ledger.rpc();
        let receipt = rpc.ask(|node| async move { node.get_transaction_receipt(hash).await });
        let sent = rpc.ask(|node| async move { node.get_transaction_by_hash(hash).await });
        let used = receipt.await.ok()??.gas_used;
        let sent = sent.await.ok()??;
        let batch = Forwarder::executeBatchCall::abi_decode(sent.input()).ok()?;
        let each = batch.requests.iter().map(|request| {
            let gas = u64::try_from(request.gas).unwrap_or(u64::MAX);
            let load = Load::none(gas::FORWARDER).with(gas, request.data.len());
            u128::from(load.gas())
        });
        let all = each.fold(0_u128, u128::saturating_add).max(1);
        u64::try_from(u128::from(used) * u128::from(own) / all).ok()
    }

    /// Whether a request's nonce is used: by itself, or by another.
    ///
    /// # Errors
    /// As [`RelayWallet::caller`], and if the chain is silent.
    pub async fn is_spent(&self, call: &SignedCall) -> Result<bool, LedgerError> {
        let request = self.admit(Source::default(), call)?.request;
        let question = Forwarder::noncesCall {
            owner: request.from,
        };
        let forwarder = chain(self.ledger.deployed().contracts.forwarder.to_bytes());
        let rpc = self.ledger.rpc();
        let next = rpc.call(forwarder, &question, BlockId::latest()).await?;
        Ok(request.nonce < next)
    }

    /// Takes a request that came over a connection. Cancel-safe: a request once taken is carried out.
    ///
    /// # Errors
    /// As [`Relay::relay`].
    pub async fn relay_from(
        &self,
        source: Source,
        call: &SignedCall,
    ) -> Result<Outcome, LedgerError> {
        let ticket = self.admit(source, call)?;
        let place = self
            .places
            .take(ticket.request.from, ticket.is_withdrawal)?;
        let (to, outcome) = oneshot::channel();
        let answer = Answer { to, place };
        self.inbox
            .send(Job { ticket, answer })
            .map_err(|_| stopped())?;
        outcome.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// What can be said of a request without asking the chain: form, function, gas, signature.
    fn admit(&self, source: Source, call: &SignedCall) -> Result<Ticket, LedgerError> {
        let request = ForwardRequest::parse(&call.bytes)?;
        let deployed = self.ledger.deployed();
        let at = &deployed.contracts;
        let targets = [at.accounts, at.records, at.consent, at.receipts];
        if !targets.iter().any(|to| chain(to.to_bytes()) == request.to) {
            return Err(bad("it calls none of the contracts that take requests"));
        }
        if request.value != U256::ZERO {
            return Err(bad("it pays coins"));
        }
        let form = Form::of(at, request.to, &request.data)?;
        let gas = u64::try_from(request.gas).unwrap_or(u64::MAX);
        form.check_gas(gas)?;
        if gas > self.options.most_gas {
            return Err(bad("it asks for more gas than the relay gives"));
        }
        let digest = request.signing_digest(deployed);
        let signer = recover(&digest, &call.signature)
            .map_err(|error| bad(&format!("its signature is not valid: {error}")))?;
        if chain(signer.to_bytes()) != request.from {
            return Err(bad("the signature is another's"));
        }
        Ok(Ticket {
            digest,
            source,
            gas,
            is_withdrawal: form.is_withdrawal,
            withdraws: form.withdraws,
            signed: request.with(&call.signature),
            request,
        })
    }
}

impl Drop for RelayWallet {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

fn stopped() -> LedgerError {
    LedgerError::Unreachable {
        from: "the relay".into(),
        why: "it is shutting down".into(),
    }
}

/// Requests of an unknown connection count as of one: no two of them share a transaction.
#[async_trait]
impl Relay for RelayWallet {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        self.relay_from(Source::default(), call).await
    }
}
