//! The relay: within limits, the call goes to the chain and the contract's own error comes back.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use medibloc_api::{RelayCall, RelayOutcome, limits};
use medibloc_dag::cbor;
use medibloc_ledger::{LedgerError, Outcome, Refusal, SignedCall};
use medibloc_record::Address;

use crate::fault::{Fault, object};
use crate::gateway::Parts;
use crate::guard::read;

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
}

pub(super) async fn relay(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let source = source_of(&request);
    let body = read(request.into_body(), limits::CALL).await?;
    let call: RelayCall =
        cbor::from_slice(&body).map_err(|_| Fault::malformed("a call for the relay"))?;
    let call = SignedCall {
        bytes: call.bytes,
        signature: call.signature,
    };
    let caller = on.relay.caller(&call).await?;
    let known = on.follower.account_of(caller.address).await?;
    match (known, caller.registers) {
        _ if caller.spent => on.guard.count_replay(&source).await?,
        (Some(_), _) => on.guard.count(caller.address, 1, body.len()).await?,
        (None, true) => on.guard.count_registration(&source).await?,
        (None, false) => {
            return Err(LedgerError::from(Refusal::NotRegistered).into());
        }
    }
    let outcome = on.relay.forward(number_of(&source), &call).await?;
    Ok(object(&RelayOutcome {
        block: outcome.block,
        transaction: outcome.transaction,
    }))
}

/// Where a connection comes from: an IPv4 address, or the 64 bits that one IPv6 customer has.
fn source_of(request: &Request) -> String {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    match peer.map(|ConnectInfo(address)| address.ip().to_canonical()) {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => hex::encode(&address.octets()[..8]),
        None => "unknown".into(),
    }
}

/// Two sources with one number would only not share a transaction.
fn number_of(source: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    hasher.finish()
}
