//! Serving: connect, open, listen, and end in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use medibloc_api::Deployment;
use medibloc_ledger::LedgerError;
use medibloc_ledger_evm::EvmLedger;
use medibloc_node::{
    Bounds, Gateway, GatewayConfig, Keeper, KeeperConfig, KeeperKeys, Starting, Upkeep,
    WalletRelay, connect, gateway_with_upkeep, keeper_with_upkeep, read_wallet, serve,
    system_clock,
};
use medibloc_store::{MemoryStore, OwnStore};
use medibloc_store_ipfs::{IpfsStore, Options};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::Settings;
use crate::config::{Config, StoreKind};

/// Between two looks at the chain while nobody asks.
const LOOK: Duration = Duration::from_secs(2);

fn start_log(config: &Config) -> anyhow::Result<()> {
    let level: tracing::Level = config
        .log
        .level
        .parse()
        .with_context(|| format!("log.level = {:?} is none", config.log.level))?;
    // Own lines alone: those of libraries may hold targets and addresses.
    let filter = tracing_subscriber::EnvFilter::new(format!(
        "off,medibloc_node={level},medibloc_ledger_evm={level}"
    ));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    Ok(())
}

pub(crate) async fn gateway(settings: Settings) -> anyhow::Result<()> {
    let config = Config::load(&settings)?;
    start_log(&config)?;
    let section = config
        .gateway
        .clone()
        .context("the configuration has no section [gateway]")?;
    let deployment = config.deployment()?;
    let wallet = read_wallet(&section.relay_key)?;
    let store = open_store(section.store, &config)?;
    let told = GatewayConfig {
        url: config.url.clone(),
        folder: Some(config.data_dir.clone()),
        domain: deployment.domain(),
        first_block: deployment.deployment_block,
        limits: config.limits,
        proxies: config.proxies()?,
    };
    let begin = async move {
        let ledger = connect_patiently(&deployment).await?;
        let ports: Arc<EvmLedger> = Arc::new(ledger.clone());
        let on = Gateway {
            store,
            facts: ports.clone(),
            events: ports,
            relay: Arc::new(WalletRelay::start(&ledger, &wallet)),
            clock: system_clock(),
        };
        Ok(gateway_with_upkeep(on, told)?)
    };
    listen("gateway", &config, begin).await
}

/// Connects as soon as the chain answers. One that answers wrongly is an error: waiting would not help.
async fn connect_patiently(deployment: &Deployment) -> anyhow::Result<EvmLedger> {
    let mut pause = Duration::from_millis(500);
    loop {
        match connect(deployment).await {
            Ok(ledger) => return Ok(ledger),
            Err(error @ LedgerError::Unreachable { .. }) => {
                tracing::warn!(
                    seconds = pause.as_secs_f32(),
                    "the chain does not answer; it is asked again, and nothing is served before it does"
                );
                drop(error);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn open_store(kind: StoreKind, config: &Config) -> anyhow::Result<Arc<dyn OwnStore>> {
    match kind {
        StoreKind::Memory => {
            tracing::warn!("blocks are kept in memory and end with the process");
            Ok(Arc::new(MemoryStore::new()))
        }
        StoreKind::Ipfs => {
            let folder = config.data_dir.join("blocks");
            let store = IpfsStore::open(&folder, Options::default())
                .with_context(|| format!("cannot open the store in {}", folder.display()))?;
            Ok(Arc::new(store))
        }
    }
}

pub(crate) async fn keeper(settings: Settings) -> anyhow::Result<()> {
    let config = Config::load(&settings)?;
    start_log(&config)?;
    let section = config
        .keeper
        .clone()
        .context("the configuration has no section [keeper]")?;
    let deployment = config.deployment()?;
    let keys = KeeperKeys::read(&section.keys)?;
    let told = KeeperConfig {
        url: config.url.clone(),
        folder: Some(config.data_dir.clone()),
        keys: Some(section.keys),
        domain: deployment.domain(),
        first_block: deployment.deployment_block,
        finality_lag: section.finality_lag,
        limits: config.limits,
    };
    let begin = async move {
        let ledger = Arc::new(connect_patiently(&deployment).await?);
        let on = Keeper {
            keys,
            facts: ledger.clone(),
            events: ledger,
            clock: system_clock(),
        };
        Ok(keeper_with_upkeep(on, told)?)
    };
    listen("keeper", &config, begin).await
}

async fn listen(
    part: &'static str,
    config: &Config,
    begin: impl Future<Output = anyhow::Result<(Router, Upkeep)>>,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(&config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    tracing::info!(part, listen = %listener.local_addr()?, "serving");
    let starting = Starting::default();
    let server = serve(
        listener,
        starting.router(),
        Bounds::default(),
        wait_for_end(),
    );
    let mut server = std::pin::pin!(server);
    let upkeep = tokio::select! {
        begun = begin => {
            let (router, upkeep) = begun?;
            starting.open(router);
            tokio::spawn(upkeep.run(LOOK))
        }
        () = &mut server => {
            tracing::info!(part, "ended");
            return Ok(());
        }
    };
    tracing::info!(part, "the chain answers");
    server.await;
    upkeep.abort();
    tracing::info!(part, "ended");
    Ok(())
}

/// Until the program is told to end.
pub(crate) async fn wait_for_end() {
    let term = signal(SignalKind::terminate());
    let Ok(mut term) = term else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
