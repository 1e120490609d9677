//! The relay: within limits, the call goes to the chain and the contract's own error comes back.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::response::Response;
use medibloc_api::{Code, Problem, RelayCall, RelayOutcome, limits};
use medibloc_dag::cbor;
use medibloc_ledger::{LedgerError, Outcome, Refusal, SignedCall};
use medibloc_record::{Address, Digest};

use crate::fault::{Fault, object};
use crate::gateway::Parts;
use crate::guard::read;
use crate::limits::{Use, What};

/// Gas that taking something back may ask for without being counted: twice what any of those calls needs.
const WITHDRAWAL: u64 = 250_000;

/// Whose a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who signed it.
    pub address: Address,
    /// It registers this address.
    pub registers: bool,
    /// Its nonce is used: it was executed, or never can be. Whoever brings it need not be who signed it, for what was
    /// executed is public.
    pub spent: bool,
}

/// What a call weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Gas that it may use at most, with that of its bytes.
    pub gas: u64,
    /// It takes something back: revokes a grant, erases a record.
    pub withdraws: bool,
}

/// The relay that a gateway stands on: the ledger's adapter knows its own encoding and how to batch.
#[async_trait]
pub trait Forward: Send + Sync {
    /// The caller, by its checked signature.
    ///
    /// # Errors
    /// [`LedgerError::BadRequest`] if the call is malformed or its signature another's; else of the connection.
    async fn caller(&self, call: &SignedCall) -> Result<Caller, LedgerError>;

    /// Simulates, sends, and returns when the call is final. Calls of one source never share a transaction.
    ///
    /// # Errors
    /// As `Relay::relay` of the ledger.
    async fn forward(&self, source: u64, call: &SignedCall) -> Result<Outcome, LedgerError>;

    /// What a call weighs before it is sent.
    ///
    /// # Errors
    /// As [`Forward::caller`], without the connection's.
    fn weight(&self, _call: &SignedCall) -> Result<Weight, LedgerError> {
        Ok(Weight::default())
    }

    /// Gas that a call used where it was executed; what it asked for if that cannot be told.
    async fn gas_used(&self, _call: &SignedCall, _outcome: &Outcome, asked: u64) -> u64 {
        asked
    }
}

pub(super) async fn relay(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let source = on.config.proxies.source_of(&request);
    let body = read(request.into_body(), limits::CALL).await?;
    let sent: RelayCall =
        cbor::from_slice(&body).map_err(|_| Fault::malformed("a call for the relay"))?;
    let call = SignedCall {
        bytes: sent.bytes.clone(),
        signature: sent.signature,
    };
    let caller = on.relay.caller(&call).await?;
    let digest = Digest::of(&[&call.bytes, call.signature.as_bytes().as_slice()].concat());
    if caller.spent {
        // Whoever lost the first answer gets it again, however often others ask.
        if let Some(outcome) = on.guard.outcome(digest).await? {
            return Ok(told(&outcome));
        }
        on.guard.count_replay(&source, caller.address).await?;
        let outcome = on.relay.forward(number_of(&source), &call).await?;
        return Ok(told(&outcome));
    }
    let weight = on.relay.weight(&call)?;
    let most = on.guard.limits().gas_a_call;
    if weight.gas > most {
        let name = format!("{most} gas of one call");
        let detail = format!(
            "the node's limit of {name} is reached: this one may use {}; split it",
            weight.gas
        );
        return Err(Problem::new(Code::Limit, detail).about(name).into());
    }
    let _lane = on.guard.line_up(caller.address).await?;
    let known = on.guard.account_now(caller.address).await?;
    let (taken, gas) = match known {
        Some(account) => {
            let is_free = weight.withdraws
                && weight.gas <= WITHDRAWAL
                && on.follower.read(|model| model.can_withdraw(account));
            if is_free {
                (Vec::new(), None)
            } else {
                let by = (caller.address, account);
                let taken = on.guard.take_call(by, body.len(), weight.gas).await?;
                (taken, Some(account))
            }
        }
        None if caller.registers => {
            on.guard.toll.check(&sent, on.guard.now())?;
            (on.guard.take_registration(&source).await?, None)
        }
        None => return Err(LedgerError::from(Refusal::NotRegistered).into()),
    };
    match on.relay.forward(number_of(&source), &call).await {
        Ok(outcome) => {
            if let Some(account) = gas {
                let used = on.relay.gas_used(&call, &outcome, weight.gas).await;
                let rest = weight.gas.saturating_sub(used);
                let rest = on.guard.gas(caller.address, account, rest);
                on.guard.give_back(vec![rest]).await;
            }
            on.guard.remember(digest, outcome).await;
            Ok(told(&outcome))
        }
        Err(error) => {
            // What failed on chain was paid for all the same.
            let executed = on.relay.caller(&call).await.is_ok_and(|it| it.spent);
            let is_gas = |one: &Use| one.what == What::Gas;
            let back = taken.into_iter().filter(|one| !executed || !is_gas(one));
            on.guard.give_back(back.collect()).await;
            Err(error.into())
        }
    }
}

/// What a registration costs now; unsigned.
pub(super) async fn registration(State(on): State<Arc<Parts>>) -> Response {
    object(&on.guard.toll.challenge(on.guard.now()))
}

fn told(outcome: &Outcome) -> Response {
    object(&RelayOutcome {
        block: outcome.block,
        transaction: outcome.transaction,
    })
}

/// Two sources with one number would only not share a transaction.
fn number_of(source: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    hasher.finish()
}
