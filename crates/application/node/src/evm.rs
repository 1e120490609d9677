//! The chain as a deployment file names it.

use async_trait::async_trait;
use medibloc_api::{Contracts, Deployment};
use medibloc_keys::SigningKey;
use medibloc_ledger::{LedgerError, Outcome, SignedCall};
use medibloc_ledger_evm::{Deployed, EvmLedger, Funds, RelayOptions, RelayWallet, Rpc, Source};
use medibloc_transport::{Outgoing, Policy, TransportError};

use crate::gateway::{Caller, Forward, Weight};

/// How a program of this deployment reaches others: private addresses only if it is local, and its own authorities for TLS
/// beside the platform's.
///
/// # Errors
/// If the deployment's authorities are none.
pub fn outgoing(deployment: &Deployment, insecure_http: bool) -> Result<Outgoing, TransportError> {
    let outgoing = Outgoing::new(Policy {
        local: deployment.local,
        insecure_http,
    });
    match &deployment.ca {
        Some(pem) => outgoing.trusting("deployment.json (ca)", pem.as_bytes()),
        None => Ok(outgoing),
    }
}

/// As [`connect_through`], over TLS or on this machine alone, without a proxy.
///
/// # Errors
/// If the chain's nodes are silent, may not be called, or are of another chain.
pub async fn connect(deployment: &Deployment) -> Result<EvmLedger, LedgerError> {
    let outgoing = outgoing(deployment, false).map_err(|error| LedgerError::BadRequest {
        what: error.to_string(),
    })?;
    connect_through(deployment, &outgoing).await
}

/// Connects to a deployment's chain and checks that its contracts are there.
///
/// # Errors
/// If the chain's nodes are silent, may not be called, or are of another chain.
pub async fn connect_through(
    deployment: &Deployment,
    outgoing: &Outgoing,
) -> Result<EvmLedger, LedgerError> {
    let rpc = Rpc::http(&deployment.rpc_urls, outgoing)?;
    let at = &deployment.contracts;
    let deployed = Deployed {
        chain_id: deployment.chain_id,
        block: deployment.deployment_block,
        contracts: medibloc_ledger_evm::Contracts {
            authority: at.authority,
            forwarder: at.forwarder,
            accounts: at.accounts,
            records: at.records,
            consent: at.consent,
            receipts: at.receipts,
            keepers: at.keepers,
        },
    };
    EvmLedger::connect(rpc, deployed, deployment.finality_depth).await
}

/// The addresses of what was deployed, as a deployment file has them.
pub const fn contracts(deployed: &Deployed) -> Contracts {
    let at = &deployed.contracts;
    Contracts {
        authority: at.authority,
        forwarder: at.forwarder,
        accounts: at.accounts,
        records: at.records,
        consent: at.consent,
        receipts: at.receipts,
        keepers: at.keepers,
    }
}

/// The relay's wallet as a gateway uses it.
#[derive(Debug)]
pub struct WalletRelay(RelayWallet);

impl WalletRelay {
    /// Starts the wallet's queue; call it inside a tokio runtime.
    pub fn start(ledger: &EvmLedger, key: &SigningKey) -> Self {
        Self(RelayWallet::start(ledger, key, RelayOptions::default()))
    }
}

#[async_trait]
impl Forward for WalletRelay {
    async fn caller(&self, call: &SignedCall) -> Result<Caller, LedgerError> {
        let (address, registers) = self.0.caller(call)?;
        let spent = self.0.is_spent(call).await?;
        Ok(Caller {
            address,
            registers,
            spent,
        })
    }

    async fn forward(&self, source: u64, call: &SignedCall) -> Result<Outcome, LedgerError> {
        self.0.relay_from(Source(source), call).await
    }

    fn weight(&self, call: &SignedCall) -> Result<Weight, LedgerError> {
        let (gas, withdraws) = self.0.weight(call)?;
        Ok(Weight {
            gas,
            withdraws,
            goes_first: self.0.goes_first(call)?,
        })
    }

    async fn funds(&self) -> Result<Option<Funds>, LedgerError> {
        self.0.funds().await.map(Some)
    }

    async fn gas_used(&self, call: &SignedCall, outcome: &Outcome, asked: u64) -> u64 {
        self.0.gas_used(call, outcome).await.unwrap_or(asked)
    }
}
