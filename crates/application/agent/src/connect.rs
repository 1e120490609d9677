//! From a deployment file to the journey's ports: the chain, the node and the keepers, each reached when it is needed,
//! so that what is in the vault can be read without any of them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_api::Deployment;
use medibloc_client::{HttpNetwork, HttpRelay, NetworkConfig, SystemClock, Timing};
use medibloc_consent::{AnchorFields, Grant};
use medibloc_journey::{Authorities, Change, EarlierAuthority, Ports, VaultPort as _};
use medibloc_ledger::{
    AccountFacts, BlockEvents, Call, CommitteeFacts, Event, Events, Facts, GrantFacts, Head,
    LedgerError, ReceiptProof, RecordFacts, Standing, Submit, UnsignedCall,
};
use medibloc_ledger_evm::{Contracts, Deployed, EvmLedger, Rpc};
use medibloc_record::{AccountId, Address, ReceiptId, RecordId, Timestamp, TypedDomain};
use medibloc_transport::{Outgoing, Policy, Proxies};
use medibloc_vault::Vault;
use tokio::sync::OnceCell;

use crate::Problem;
use crate::answer::code;
use crate::home::{Config, Home};
use crate::ports::{SystemEntropy, VaultAdapter};
use crate::run::verify::Trusted;

/// Row of the keepers' addresses, as the chain named them last.
const KEEPERS: (&str, &[u8]) = ("agent", b"keepers");

fn parse(deployment: &[u8]) -> Result<Deployment, Problem> {
    Deployment::parse(deployment).map_err(|error| Problem::new(code::INPUT, error.to_string()))
}

/// What is trusted and allowed beside what the deployment says.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Reaching {
    /// Trusts the authorities in this file (PEM) for TLS, beside the platform's and the deployment's own.
    #[arg(long, global = true, value_name = "FILE", env = "MEDIBLOC_CA")]
    pub ca: Option<PathBuf>,
    /// Allows plain HTTP to other machines: whoever is on the way sees which of your addresses ask for which records, and
    /// when, and can change answers.
    #[arg(long, global = true)]
    pub insecure_http: bool,
}

impl Reaching {
    /// Checks that these bytes are a deployment file, all of whose chain nodes and nodes may be called, and the own node.
    ///
    /// # Errors
    /// [`code::INPUT`] with what is wrong in it.
    pub fn check(&self, deployment: &[u8], node: Option<&str>) -> Result<(), Problem> {
        let deployment = parse(deployment)?;
        let outgoing = self.outgoing(&deployment, None)?;
        let listed = deployment.rpc_urls.iter().chain(&deployment.node_urls);
        for url in listed.map(String::as_str).chain(node) {
            outgoing
                .reach(url)
                .map_err(|error| Problem::new(code::INPUT, error.to_string()))?;
        }
        Ok(())
    }

    /// Keeps the authorities of `--ca` in a new home, for the commands after this one.
    ///
    /// # Errors
    /// If the file cannot be read, or the home not be written.
    pub fn keep(&self, home: &Home) -> Result<(), Problem> {
        match self.pem()? {
            Some((_, pem)) => home.write("ca.pem", &pem),
            None => Ok(()),
        }
    }

    fn pem(&self) -> Result<Option<(String, Vec<u8>)>, Problem> {
        let Some(path) = &self.ca else {
            return Ok(None);
        };
        let name = path.display().to_string();
        let pem = std::fs::read(path)
            .map_err(|error| Problem::new(code::INPUT, format!("cannot read {name}: {error}")))?;
        Ok(Some((name, pem)))
    }

    fn outgoing(
        &self,
        deployment: &Deployment,
        of: Option<(&Home, &Config)>,
    ) -> Result<Outgoing, Problem> {
        let wrong = |error: medibloc_transport::TransportError| {
            Problem::new(code::INPUT, error.to_string())
        };
        let mut outgoing = Outgoing::new(Policy {
            local: deployment.local,
            insecure_http: self.insecure_http || of.is_some_and(|(_, it)| it.insecure_http),
        })
        .through(Proxies::of(|name| std::env::var(name).ok()));
        if let Some(pem) = &deployment.ca {
            outgoing = outgoing
                .trusting("deployment.json (ca)", pem.as_bytes())
                .map_err(wrong)?;
        }
        let kept = of.map(|(home, _)| home.authorities());
        let kept =
            kept.and_then(|path| Some((path.display().to_string(), std::fs::read(path).ok()?)));
        for (name, pem) in kept.into_iter().chain(self.pem()?) {
            outgoing = outgoing.trusting(&name, &pem).map_err(wrong)?;
        }
        Ok(outgoing)
    }
}

/// A chain as a deployment file describes it, for whoever only checks what it says.
pub struct Chain {
    ledger: Ledger,
    domain: TypedDomain,
    authority: Authorities,
}

impl core::fmt::Debug for Chain {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Chain")
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

impl Chain {
    /// The chain of this deployment. Nobody has to answer.
    ///
    /// # Errors
    /// If the file or a URL in it is not valid.
    pub fn of(
        deployment: &[u8],
        reaching: &Reaching,
        of: Option<(&Home, &Config)>,
    ) -> Result<Self, Problem> {
        let deployment = parse(deployment)?;
        let outgoing = reaching.outgoing(&deployment, of)?;
        Ok(Self {
            ledger: Ledger::new(&deployment, &outgoing)?,
            domain: deployment.domain(),
            authority: authorities(&deployment),
        })
    }

    /// What a proof file is checked by.
    pub(crate) fn trusted(&self) -> Trusted<'_> {
        Trusted {
            facts: &self.ledger,
            events: &self.ledger,
            domain: &self.domain,
            authority: &self.authority,
            contracts: Some(&self.ledger.deployed.contracts),
        }
    }
}

/// Whose credentials a deployment says that count.
fn authorities(deployment: &Deployment) -> Authorities {
    let earlier = deployment.authorities.iter();
    Authorities {
        now: deployment.authority,
        earlier: earlier
            .map(|it| EarlierAuthority {
                address: it.address,
                until: Timestamp(it.until),
            })
            .collect(),
    }
}

/// URLs of the nodes that a home's deployment lists.
///
/// # Errors
/// If the deployment file is not there or not valid.
pub(crate) fn nodes(home: &Home) -> Result<Vec<String>, Problem> {
    Ok(listed(home)?.node_urls)
}

fn listed(home: &Home) -> Result<Deployment, Problem> {
    let path = home.deployment();
    let bytes = std::fs::read(&path).map_err(|error| {
        Problem::new(
            code::FAILED,
            format!(
                "cannot read {}: {error}; get it again from the operator, and `medibloc restore --deployment FILE` puts it here",
                path.display()
            ),
        )
    })?;
    parse(&bytes)
}

/// The ports of a home, and the contracts that it trusts.
///
/// # Errors
/// If the deployment file or a URL in it is not valid. Nobody has to answer.
pub async fn ports(
    home: &Home,
    config: &Config,
    vault: Arc<Vault>,
    reaching: &Reaching,
) -> Result<(Ports, Contracts), Problem> {
    let deployment = listed(home)?;
    let outgoing = reaching.outgoing(&deployment, Some((home, config)))?;
    let node = config
        .node
        .clone()
        .or_else(|| deployment.node_urls.first().cloned())
        .ok_or_else(|| {
            Problem::new(
                code::FAILED,
                "no node is known; set `node` in config.toml, or get a deployment file that names one",
            )
        })?;
    let ledger = Arc::new(Ledger::new(&deployment, &outgoing)?);
    let vault = VaultAdapter(vault);
    vault.keep_reserve();
    let keepers = keepers(&ledger, &vault).await?;
    let wrong = |error: medibloc_client::ClientError| Problem::new(code::FAILED, error.to_string());
    let (domain, clock) = (deployment.domain(), Arc::new(SystemClock));
    let timing = Timing::default();
    let relay =
        HttpRelay::new(&node, outgoing.clone(), domain, clock.clone(), timing).map_err(wrong)?;
    let settings = NetworkConfig {
        node,
        nodes: deployment.node_urls.clone(),
        keepers,
        domain,
        timing,
        outgoing,
    };
    let network = HttpNetwork::new(settings, clock.clone()).map_err(wrong)?;
    let contracts = ledger.deployed.contracts;
    let ports = Ports {
        submit: ledger.clone(),
        relay: Arc::new(relay),
        facts: ledger.clone(),
        events: ledger,
        network: Arc::new(network),
        vault: Arc::new(vault),
        clock,
        entropy: Arc::new(Mutex::new(SystemEntropy)),
        pace: config.pace.policy(config.role),
        domain,
        authority: authorities(&deployment),
    };
    Ok((ports, contracts))
}

/// Index and URL of each keeper as the chain says, or as it said last if it does not answer.
async fn keepers(ledger: &Ledger, vault: &VaultAdapter) -> Result<Vec<(u8, String)>, Problem> {
    let failed = medibloc_journey::JourneyError::from;
    let kept = vault.get(KEEPERS.0, KEEPERS.1).map_err(failed)?;
    let Ok(committee) = ledger.committee().await else {
        return Ok(kept
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default());
    };
    let named: Vec<(u8, String)> = committee
        .keepers
        .into_iter()
        .map(|keeper| (keeper.index, keeper.endpoint))
        .collect();
    let value = serde_json::to_vec(&named)
        .map_err(|error| Problem::new(code::FAILED, error.to_string()))?;
    if kept.as_ref() != Some(&value) {
        let (table, key) = KEEPERS;
        // For when the chain does not answer; a full disk must not keep a command from what the chain just named.
        let _unless_full = vault.apply(vec![Change::Put {
            table,
            key: key.to_vec(),
            value,
        }]);
    }
    Ok(named)
}

/// The chain, connected and checked when it is first asked.
struct Ledger {
    rpc: Rpc,
    deployed: Deployed,
    finality_depth: u64,
    connected: OnceCell<EvmLedger>,
}

impl Ledger {
    fn new(deployment: &Deployment, outgoing: &Outgoing) -> Result<Self, Problem> {
        let at = &deployment.contracts;
        Ok(Self {
            rpc: Rpc::http(&deployment.rpc_urls, outgoing)?,
            deployed: Deployed {
                chain_id: deployment.chain_id,
                block: deployment.deployment_block,
                contracts: Contracts {
                    authority: at.authority,
                    forwarder: at.forwarder,
                    accounts: at.accounts,
                    records: at.records,
                    consent: at.consent,
                    receipts: at.receipts,
                    keepers: at.keepers,
                },
            },
            finality_depth: deployment.finality_depth,
            connected: OnceCell::new(),
        })
    }

    async fn chain(&self) -> Result<&EvmLedger, LedgerError> {
        self.connected
            .get_or_try_init(|| {
                EvmLedger::connect(self.rpc.clone(), self.deployed, self.finality_depth)
            })
            .await
    }
}

#[async_trait]
impl Submit for Ledger {
    async fn prepare(
        &self,
        from: Address,
        call: &Call,
        deadline: Timestamp,
    ) -> Result<UnsignedCall, LedgerError> {
        self.chain().await?.prepare(from, call, deadline).await
    }

    async fn rotation_digest(
        &self,
        account: AccountId,
        next: Address,
        deadline: Timestamp,
    ) -> Result<[u8; 32], LedgerError> {
        let chain = self.chain().await?;
        chain.rotation_digest(account, next, deadline).await
    }
}

#[async_trait]
impl Facts for Ledger {
    async fn head(&self) -> Result<Head, LedgerError> {
        self.chain().await?.head().await
    }

    async fn account_of(&self, address: Address) -> Result<Option<AccountId>, LedgerError> {
        self.chain().await?.account_of(address).await
    }

    async fn account_at(
        &self,
        address: Address,
        block: u64,
    ) -> Result<Option<AccountId>, LedgerError> {
        self.chain().await?.account_at(address, block).await
    }

    async fn account(&self, id: AccountId) -> Result<Option<AccountFacts>, LedgerError> {
        self.chain().await?.account(id).await
    }

    async fn standing(&self, id: AccountId, at: Timestamp) -> Result<Standing, LedgerError> {
        self.chain().await?.standing(id, at).await
    }

    async fn record(&self, id: RecordId) -> Result<Option<RecordFacts>, LedgerError> {
        self.chain().await?.record(id).await
    }

    async fn is_anchored(&self, anchor: &AnchorFields) -> Result<bool, LedgerError> {
        self.chain().await?.is_anchored(anchor).await
    }

    async fn grant(&self, grant: &Grant) -> Result<GrantFacts, LedgerError> {
        self.chain().await?.grant(grant).await
    }

    async fn committee(&self) -> Result<CommitteeFacts, LedgerError> {
        self.chain().await?.committee().await
    }

    async fn committee_of(&self, id: u32) -> Result<Option<CommitteeFacts>, LedgerError> {
        self.chain().await?.committee_of(id).await
    }
}

#[async_trait]
impl Events for Ledger {
    async fn events(&self, from: u64, limit: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        self.chain().await?.events(from, limit).await
    }

    async fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        self.chain().await?.hash_of(number).await
    }

    async fn proof(
        &self,
        block: u64,
        receipt: ReceiptId,
    ) -> Result<Option<ReceiptProof>, LedgerError> {
        self.chain().await?.proof(block, receipt).await
    }

    async fn proof_of(
        &self,
        block: u64,
        event: &Event,
    ) -> Result<Option<ReceiptProof>, LedgerError> {
        self.chain().await?.proof_of(block, event).await
    }
}
