//! Serving: connect, open, listen, and end in order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use medibloc_ledger_evm::EvmLedger;
use medibloc_node::{
    Bounds, Gateway, GatewayConfig, Keeper, KeeperConfig, KeeperKeys, Upkeep, WalletRelay, connect,
    gateway_with_upkeep, keeper_with_upkeep, read_wallet, serve, system_clock,
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
    let ledger = connect(&deployment).await?;
    let wallet = read_wallet(&section.relay_key)?;
    let store = open_store(section.store, &config)?;
    let ports: Arc<EvmLedger> = Arc::new(ledger.clone());
    let on = Gateway {
        store,
        facts: ports.clone(),
        events: ports,
        relay: Arc::new(WalletRelay::start(&ledger, &wallet)),
        clock: system_clock(),
    };
    let told = GatewayConfig {
        url: config.url.clone(),
        folder: Some(config.data_dir.clone()),
        domain: deployment.domain(),
        first_block: deployment.deployment_block,
        limits: config.limits,
    };
    let (router, upkeep) = gateway_with_upkeep(on, told)?;
    listen("gateway", &config, router, upkeep).await
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
    let ledger: Arc<EvmLedger> = Arc::new(connect(&deployment).await?);
    let on = Keeper {
        keys,
        facts: ledger.clone(),
        events: ledger,
        clock: system_clock(),
    };
    let told = KeeperConfig {
        url: config.url.clone(),
        folder: Some(config.data_dir.clone()),
        keys: Some(section.keys),
        domain: deployment.domain(),
        first_block: deployment.deployment_block,
        finality_lag: section.finality_lag,
        limits: config.limits,
    };
    let (router, upkeep) = keeper_with_upkeep(on, told)?;
    listen("keeper", &config, router, upkeep).await
}

async fn listen(
    part: &'static str,
    config: &Config,
    router: Router,
    upkeep: Upkeep,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(&config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    tracing::info!(part, listen = %listener.local_addr()?, "serving");
    let upkeep = tokio::spawn(upkeep.run(LOOK));
    serve(listener, router, Bounds::default(), wait_for_end()).await;
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
