//! The relay: within limits, the call goes to the chain and the contract's own error comes back.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::response::Response;
use medibloc_api::{Code, Problem, RelayCall, RelayOutcome, limits};
use medibloc_dag::cbor;
use medibloc_ledger::{LedgerError, Outcome, Refusal, SignedCall, Withdrawal};
use medibloc_ledger_evm::Funds;
use medibloc_record::{AccountId, Address, Digest};

use crate::fault::{Fault, object};
use crate::gateway::Parts;
use crate::guard::{Line, read};
use crate::limits::Taken;
use crate::refusing::Refusing;
use crate::room::{For, Stay};
use crate::source::Origin;

/// Gas that taking something back may ask for without being counted: twice what any of those calls needs.
pub(super) const WITHDRAWAL: u64 = 250_000;

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
    /// What it takes back: it revokes a grant, or erases a record.
    pub withdraws: Option<Withdrawal>,
    /// It takes something back, or hands an account on: nothing else of its account keeps it waiting.
    pub goes_first: bool,
}

impl Weight {
    const fn line(&self) -> Line {
        match self.goes_first {
            true => Line::Withdrawals,
            false => Line::Calls,
        }
    }
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

    /// What the wallet that pays has; none if nothing pays.
    ///
    /// # Errors
    /// Of the connection.
    async fn funds(&self) -> Result<Option<Funds>, LedgerError> {
        Ok(None)
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
    let stay = request.extensions().get::<Stay>().cloned();
    let step_aside = |what| stay.as_ref().map(|it| it.step_aside(what)).transpose();
    // A few copies of each call wait, without a place.
    let wait_without = || stay.as_ref().map(Stay::leave);
    let body = read(request.into_body(), limits::CALL).await?;
    let sent: RelayCall =
        cbor::from_slice(&body).map_err(|_| Fault::malformed("a call for the relay"))?;
    let call = SignedCall {
        bytes: sent.bytes.clone(),
        signature: sent.signature,
    };
    let digest = Digest::of(&[&call.bytes, call.signature.as_bytes().as_slice()].concat());
    if let Some(flight) = on.flights.join(digest)? {
        wait_without();
        return Ok(told(&flight.arrival().await?));
    }
    // Whoever lost the first answer gets it again, however often others ask, and the chain is not asked for it.
    if let Some(outcome) = on.guard.outcome(digest).await? {
        return Ok(told(&outcome));
    }
    let caller = on.relay.caller(&call).await?;
    let by = (source, caller.address);
    let fare = if caller.spent {
        on.guard.count_replay(source, caller.address).await?;
        Fare::Replay
    } else {
        let weight = on.relay.weight(&call)?;
        check_gas(weight, on.guard.limits().gas_a_call)?;
        let line = weight.line();
        on.guard.check_burnt(source, caller.address, line).await?;
        if let Some(account) = on.follower.account_of(caller.address).await? {
            Fare::OfSigner {
                account,
                bytes: body.len(),
                weight,
            }
        } else if caller.registers {
            on.guard.toll.check(&sent, on.guard.now())?;
            let gas = weight.gas;
            let taken = on.guard.take_registration(source, gas).await?;
            Fare::Registration { taken, gas }
        } else {
            return Err(LedgerError::from(Refusal::NotRegistered).into());
        }
    };
    let aside = match step_aside(fare.waits_for()) {
        Ok(aside) => aside,
        Err(fault) => {
            on.guard.give_back(fare.taken()).await;
            return Err(fault);
        }
    };
    let carried = {
        let (on, fare) = (on.clone(), fare.clone());
        async move {
            let _aside = aside;
            carry(&on, by, (&call, digest), fare).await
        }
    };
    let flight = match on.flights.begin(digest, carried) {
        Some(flight) => flight,
        None => {
            // Another brought it meanwhile, and pays.
            on.guard.give_back(fare.taken()).await;
            let again = || {
                Fault::new(
                    Code::Unavailable,
                    "this call was answered just now; ask again",
                )
            };
            let flight = on.flights.join(digest)?.ok_or_else(again)?;
            wait_without();
            flight
        }
    };
    Ok(told(&flight.arrival().await?))
}

/// Who pays for a call.
#[derive(Clone)]
enum Fare {
    /// It was executed before.
    Replay,
    /// Its signer, out of its day, when its turn has come.
    OfSigner {
        account: AccountId,
        bytes: usize,
        weight: Weight,
    },
    /// The source that it came from, which has paid.
    Registration { taken: Taken, gas: u64 },
}

impl Fare {
    fn waits_for(&self) -> For {
        match self {
            Self::OfSigner { weight, .. } if weight.goes_first => For::Withdrawal,
            _ => For::Other,
        }
    }

    fn taken(&self) -> Taken {
        match self {
            Self::Registration { taken, .. } => taken.clone(),
            _ => Taken::default(),
        }
    }
}

fn check_gas(weight: Weight, most: u64) -> Result<(), Fault> {
    if weight.gas <= most {
        return Ok(());
    }
    let name = format!("{most} gas of one call");
    let detail = format!(
        "the node's limit of {name} is reached: this one may use {}; split it",
        weight.gas
    );
    Err(Problem::new(Code::Limit, detail).about(name).into())
}

/// Carries a call to its end; what was not used is given back.
async fn carry(
    on: &Parts,
    (source, address): (Origin, Address),
    (call, digest): (&SignedCall, Digest),
    fare: Fare,
) -> Result<Outcome, Fault> {
    let number = number_of(source.site());
    match fare {
        Fare::Replay => {
            let outcome = forward(on, number, call).await?;
            on.guard.remember(digest, outcome).await;
            Ok(outcome)
        }
        Fare::Registration { taken, gas } => {
            // Others are looked up on the last final block below.
            if let Err(look) = on.follower.not_set_back().await {
                on.guard.give_back(taken).await;
                return Err(look.into());
            }
            let _paid = match on.purse.pay(gas).await {
                Ok(paid) => paid,
                Err(fault) => {
                    on.guard.give_back(taken).await;
                    return Err(fault);
                }
            };
            let sent = forward(on, number, call).await;
            if let Err(LedgerError::Burnt { gas: burnt }) = &sent {
                let more = burnt.saturating_sub(gas);
                on.guard.charge_burnt(source, (address, None), more).await;
            }
            if let Ok(outcome) = &sent {
                let rest = unused(on, call, outcome, gas).await;
                let rest = taken.instead([on.guard.gas_of_node(None, rest)]);
                on.guard.give_back(rest).await;
            }
            settle(on, (call, digest), sent, taken).await
        }
        Fare::OfSigner {
            account,
            bytes,
            weight,
        } => {
            let line = weight.line();
            let _turn = on.guard.line_up(account, line).await?;
            // Others of its address or source may have failed while it waited.
            on.guard.check_burnt(source, address, line).await?;
            // Its key may have been rotated away, and what it takes back be gone, while it waited.
            let account = on.guard.account_now(address).await?;
            let account = account.ok_or_else(|| LedgerError::from(Refusal::NotRegistered))?;
            let taking_back = match weight.withdraws {
                Some(what) if is_free(on, account, what, weight.gas) => {
                    on.flights.take_back(account, what)
                }
                _ => None,
            };
            let is_free = taking_back.is_some();
            let (taken, _paid) = if is_free {
                (Taken::default(), on.purse.pay_back())
            } else {
                let paid = on.purse.pay(weight.gas).await?;
                let taken = on.guard.take_call(account, bytes, weight.gas).await?;
                (taken, paid)
            };
            let sent = forward(on, number, call).await;
            if let Err(LedgerError::Burnt { gas: burnt }) = &sent {
                let paid = if is_free { 0 } else { weight.gas };
                let by = (address, Some(account));
                let more = burnt.saturating_sub(paid);
                on.guard.charge_burnt(source, by, more).await;
            }
            if let (Ok(outcome), false) = (&sent, is_free) {
                let rest = unused(on, call, outcome, weight.gas).await;
                let rest = taken.instead(on.guard.gas(account, rest));
                on.guard.give_back(rest).await;
            }
            settle(on, (call, digest), sent, taken).await
        }
    }
}

/// Sends a call, and remembers whether the chain takes any.
async fn forward(on: &Parts, number: u64, call: &SignedCall) -> Result<Outcome, LedgerError> {
    let sent = on.relay.forward(number, call).await;
    let found = match &sent {
        Ok(_) => Some(None),
        Err(error) => Refusing::of(error).map(Some),
    };
    if let Some(found) = found {
        *on.refusing.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }
    sent
}

/// Gas that a call asked for and did not use.
async fn unused(on: &Parts, call: &SignedCall, outcome: &Outcome, asked: u64) -> u64 {
    let used = on.relay.gas_used(call, outcome, asked).await;
    asked.saturating_sub(used)
}

/// Whether a call takes something back of what its account has given: that costs it nothing.
fn is_free(on: &Parts, account: AccountId, what: Withdrawal, gas: u64) -> bool {
    gas <= WITHDRAWAL && on.follower.read(|model| model.has_given(account, what))
}

async fn settle(
    on: &Parts,
    (call, digest): (&SignedCall, Digest),
    sent: Result<Outcome, LedgerError>,
    mut taken: Taken,
) -> Result<Outcome, Fault> {
    match sent {
        Ok(outcome) => {
            on.guard.remember(digest, outcome).await;
            Ok(outcome)
        }
        // Paid for by whoever signed it: nothing is given back.
        Err(error @ LedgerError::Burnt { .. }) => Err(error.into()),
        Err(error) => {
            // What failed on chain was paid for all the same.
            let executed = on.relay.caller(call).await.is_ok_and(|it| it.spent);
            taken.uses.retain(|one| !executed || !one.what.is_gas());
            on.guard.give_back(taken).await;
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

/// The number of a site: what of one site shares no transaction, and takes its turns together. Two sites with one number
/// would only do so, too.
fn number_of(source: Origin) -> u64 {
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    hasher.finish()
}
