//! Whether the chain would do what a request asks, and if not, why: in the contracts' own words.

use alloy::eips::BlockId;
use alloy::primitives::{B256, Bytes, U256};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall;
use medibloc_consent::Reason;
use medibloc_ledger::{LedgerError, Refusal};
use medibloc_record::Kind;

use super::queue::Ticket;
use crate::EvmLedger;
use crate::bindings::accounts::Accounts;
use crate::bindings::consent::Consent;
use crate::bindings::forwarder::Forwarder;
use crate::bindings::records::Records;
use crate::encode::chain;
use crate::refusal::{as_error, bad, decode};
use crate::rpc::{Fault, Rpc};

/// What is known of a request before it is sent.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It would be done now.
    Go,
    /// Its nonce is used: by itself, or by another.
    Used,
    /// Requests before it are missing.
    Early(U256),
}

#[derive(Debug)]
pub(super) struct Checker {
    pub(super) ledger: EvmLedger,
}

impl Checker {
    pub(super) const fn new(ledger: EvmLedger) -> Self {
        Self { ledger }
    }

    pub(super) const fn rpc(&self) -> &Rpc {
        self.ledger.rpc()
    }

    pub(super) fn forwarder(&self) -> alloy::primitives::Address {
        chain(self.ledger.deployed().contracts.forwarder.to_bytes())
    }

    /// Asks the newest block what would come of it.
    pub(super) async fn check(&self, ticket: &Ticket) -> Result<Verdict, LedgerError> {
        let request = &ticket.request;
        let question = Forwarder::noncesCall {
            owner: request.from,
        };
        let next = self
            .rpc()
            .call(self.forwarder(), &question, BlockId::latest())
            .await?;
        if request.nonce < next {
            return Ok(Verdict::Used);
        }
        if request.nonce > next {
            return Ok(Verdict::Early(next));
        }
        let question = Forwarder::verifyCall {
            request: ticket.signed.clone(),
        };
        let valid = self
            .rpc()
            .call(self.forwarder(), &question, BlockId::latest())
            .await?;
        if !valid {
            return Err(bad("its deadline has passed"));
        }
        match self.simulate(ticket, BlockId::latest()).await {
            Ok(()) => Ok(Verdict::Go),
            Err(Fault::Reverted(data)) => Err(self.explain(ticket, &data).await),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Why a request failed in a block, though it would have been done before.
    pub(super) async fn why_failed(&self, ticket: &Ticket, block: u64) -> LedgerError {
        let at = if self.ledger.finality_depth() == 0 {
            BlockId::latest()
        } else {
            BlockId::number(block)
        };
        match self.simulate(ticket, at).await {
            Err(Fault::Reverted(data)) => self.explain(ticket, &data).await,
            _ => Refusal::Contract {
                name: "it failed when it was executed".into(),
            }
            .into(),
        }
    }

    /// Calls the contract as the forwarder does, which itself would swallow the reason.
    async fn simulate(&self, ticket: &Ticket, at: BlockId) -> Result<(), Fault> {
        let request = &ticket.request;
        let mut data = request.data.to_vec();
        data.extend_from_slice(request.from.as_slice());
        let intrinsic = 21_000 + 16 * data.len() as u64;
        let call = TransactionRequest::default()
            .from(self.forwarder())
            .to(request.to)
            .gas_limit(ticket.gas + intrinsic)
            .input(Bytes::from(data).into());
        self.rpc().call_raw(call, at).await.map(|_| ())
    }

    /// The contracts say less than the rules do; their state tells the rest.
    async fn explain(&self, ticket: &Ticket, data: &Bytes) -> LedgerError {
        let plain = decode(data);
        let better = if let Some(error) = as_error::<Records::NotAccredited>(data) {
            self.is_suspended(error.author)
                .await
                .map(|yes| yes.then_some(Reason::Suspended))
        } else if let Some(error) = as_error::<Records::NoWriteGrant>(data) {
            self.may_write_others(error.owner, error.author)
                .await
                .map(|yes| yes.then_some(Reason::KindNotGranted))
        } else if let Some(error) = as_error::<Records::WrongPreimage>(data) {
            self.is_grant(error.recordId)
                .await
                .map(|yes| yes.then_some(Reason::UnknownGrant))
        } else if as_error::<Records::NotAuthor>(data).is_some() {
            Ok(names_another_owner(ticket).then_some(Reason::OwnerOnly))
        } else {
            Ok(None)
        };
        match better {
            Ok(Some(reason)) => reason.into(),
            _ => plain,
        }
    }

    async fn is_suspended(&self, account: alloy::primitives::Address) -> Result<bool, Fault> {
        let to = chain(self.ledger.deployed().contracts.accounts.to_bytes());
        let question = Accounts::statusAtCall {
            account_: account,
            at: u64::MAX,
        };
        let status = self.rpc().call(to, &question, BlockId::latest()).await?;
        Ok(status.suspended)
    }

    async fn may_write_others(
        &self,
        owner: alloy::primitives::Address,
        author: alloy::primitives::Address,
    ) -> Result<bool, Fault> {
        let to = chain(self.ledger.deployed().contracts.consent.to_bytes());
        let question = Consent::writeGrantCall { owner, author };
        let grant = self.rpc().call(to, &question, BlockId::latest()).await?;
        Ok(grant.live)
    }

    async fn is_grant(&self, id: B256) -> Result<bool, Fault> {
        let to = chain(self.ledger.deployed().contracts.consent.to_bytes());
        let question = Consent::grantStateCall { grantId: id };
        let state = self.rpc().call(to, &question, BlockId::latest()).await?;
        Ok(state.grantedAt != 0)
    }
}

/// Whether the author signed an entry of his own for somebody else.
fn names_another_owner(ticket: &Ticket) -> bool {
    let own = Kind::Own.code();
    let data = &ticket.request.data;
    let anchors = if let Ok(call) = Records::anchorCall::abi_decode(data) {
        vec![call.fields]
    } else if let Ok(call) = Records::amendCall::abi_decode(data) {
        vec![call.fields]
    } else if let Ok(call) = Records::anchorBatchCall::abi_decode(data) {
        call.batch
    } else {
        Vec::new()
    };
    anchors
        .iter()
        .any(|fields| fields.kind == own && fields.owner != fields.author)
}
