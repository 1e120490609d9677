//! How this program reaches others: flags that every command knows, the configuration, the environment's proxies.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use medibloc_api::Deployment;
use medibloc_ledger::LedgerError;
use medibloc_ledger_evm::EvmLedger;
use medibloc_node::connect_through;
use medibloc_transport::{Outgoing, Policy, Proxies};

use crate::config::Config;

/// What is trusted and allowed beside what the deployment says.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Reaching {
    /// Trusts the authorities in this file (PEM) for TLS, beside the platform's and the deployment's own
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Allows plain HTTP to and from other machines: whoever is on the way sees who asks for what and when, and can change
    /// answers
    #[arg(long, global = true)]
    pub(crate) insecure_http: bool,
}

impl Reaching {
    /// With what a configuration says.
    pub(crate) fn with(mut self, config: &Config) -> Self {
        self.ca = self.ca.or_else(|| config.ca.clone());
        self.insecure_http |= config.insecure_http;
        self
    }

    /// The authorities of `--ca`.
    pub(crate) fn pem(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.ca else {
            return Ok(None);
        };
        let pem = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Some(pem))
    }

    /// For a deployment that is not there yet.
    pub(crate) fn outgoing(&self, local: bool) -> anyhow::Result<Outgoing> {
        let outgoing = Outgoing::new(Policy {
            local,
            insecure_http: self.insecure_http,
        });
        self.complete(outgoing)
    }

    /// The chain of a deployment: what is wrong with the settings, and what the chain says.
    pub(crate) async fn connect(
        &self,
        deployment: &Deployment,
    ) -> anyhow::Result<Result<EvmLedger, LedgerError>> {
        Ok(connect_through(deployment, &self.of(deployment)?).await)
    }

    /// What a deployment allows and trusts, and these flags.
    pub(crate) fn of(&self, deployment: &Deployment) -> anyhow::Result<Outgoing> {
        self.complete(medibloc_node::outgoing(deployment, self.insecure_http)?)
    }

    fn complete(&self, outgoing: Outgoing) -> anyhow::Result<Outgoing> {
        let proxies = Proxies::of(|name| std::env::var(name).ok());
        let outgoing = outgoing.through(proxies);
        match (&self.ca, self.pem()?) {
            (Some(path), Some(pem)) => {
                Ok(outgoing.trusting(&path.display().to_string(), pem.as_bytes())?)
            }
            _ => Ok(outgoing),
        }
    }
}
