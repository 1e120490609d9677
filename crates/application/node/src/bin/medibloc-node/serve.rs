//! Serving: connect, open, listen, and end in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use medibloc_api::Deployment;
use medibloc_ledger::LedgerError;
use medibloc_ledger_evm::EvmLedger;
use medibloc_node::{
    Front, Gateway, GatewayConfig, Keeper, KeeperConfig, KeeperKeys, Listening, Starting, Tls,
    Upkeep, WalletRelay, gateway_with_upkeep, keeper_with_upkeep, named, read_wallet, serve,
    system_clock,
};
use medibloc_store::{MemoryStore, OwnStore};
use medibloc_store_ipfs::{IpfsStore, Options};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

use crate::Settings;
use crate::config::{Config, StoreKind};
use crate::folder::{Role, hold};
use crate::reaching::Reaching;

/// Between two looks at the chain while nobody asks.
const LOOK: Duration = Duration::from_secs(2);

fn start_log(config: &Config) -> anyhow::Result<()> {
    let level: tracing::Level = config
        .log
        .level
        .parse()
        .with_context(|| format!("log.level = {:?} is none", config.log.level))?;
    log_from(level);
    Ok(())
}

/// Lines of JSON on standard error, of this level and above.
pub(crate) fn log_from(level: tracing::Level) {
    // Own lines alone: those of libraries may hold targets and addresses.
    let filter = tracing_subscriber::EnvFilter::new(format!(
        "off,medibloc_node={level},medibloc_ledger_evm={level},medibloc_devchain={level}"
    ));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

pub(crate) async fn gateway(settings: Settings, reaching: Reaching) -> anyhow::Result<()> {
    let config = Config::load(&settings)?;
    start_log(&config)?;
    let section = config
        .gateway
        .clone()
        .context("the configuration has no section [gateway]")?;
    let deployment = config.deployment()?;
    let reaching = reaching.with(&config);
    let held = hold(&config.data_dir, Role::Gateway, &deployment)?;
    let listening = listening(&config, &reaching).await?;
    let wallet = read_wallet(&section.relay_key)?;
    let store = open_store(section.store, &config)?;
    let told = GatewayConfig {
        url: config.url.clone(),
        known_as: deployment.node_urls.clone(),
        folder: Some(config.data_dir.clone()),
        domain: deployment.domain(),
        first_block: deployment.deployment_block,
        limits: config.limits.clone(),
        proxies: config.proxies()?,
    };
    let marked = &held;
    let begin = async move {
        let ledger = connect_patiently(&deployment, &reaching).await?;
        marked.mark()?;
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
    listen(("gateway", &config.url), listening, begin).await
}

/// Connects as soon as the chain answers. One that answers wrongly is an error: waiting would not help.
async fn connect_patiently(
    deployment: &Deployment,
    reaching: &Reaching,
) -> anyhow::Result<EvmLedger> {
    let mut pause = Duration::from_millis(500);
    let mut told = None;
    loop {
        let connected = match reaching.connect(deployment).await? {
            Ok(ledger) => ledger.check_contracts().await.map(|()| ledger),
            error => error,
        };
        match connected {
            Ok(ledger) => return Ok(ledger),
            Err(LedgerError::Unreachable { from, why }) => {
                let why = named(&from, &why);
                if told.as_ref() != Some(&why) {
                    tracing::warn!(
                        why,
                        "the chain does not answer; it is asked again, and nothing is served before it does"
                    );
                    told = Some(why);
                }
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
            let again = store.erased_again();
            if again > 0 {
                tracing::warn!(
                    blocks = again,
                    "erased blocks were back, since an older copy of a part of `blocks` was put in its place; they are destroyed again"
                );
            }
            Ok(Arc::new(store))
        }
    }
}

pub(crate) async fn keeper(settings: Settings, reaching: Reaching) -> anyhow::Result<()> {
    let config = Config::load(&settings)?;
    start_log(&config)?;
    let section = config
        .keeper
        .clone()
        .context("the configuration has no section [keeper]")?;
    let deployment = config.deployment()?;
    let keys = KeeperKeys::read(&section.keys)?;
    let reaching = reaching.with(&config);
    let held = hold(&config.data_dir, Role::Keeper, &deployment)?;
    let listening = listening(&config, &reaching).await?;
    let url = config.url.clone();
    let told = KeeperConfig {
        url: config.url,
        folder: Some(config.data_dir.clone()),
        keys: Some(section.keys),
        domain: deployment.domain(),
        first_block: deployment.deployment_block,
        finality_lag: section.finality_lag,
        limits: config.limits,
    };
    let marked = &held;
    let begin = async move {
        let ledger = Arc::new(connect_patiently(&deployment, &reaching).await?);
        marked.mark()?;
        let on = Keeper {
            keys,
            facts: ledger.clone(),
            events: ledger,
            clock: system_clock(),
        };
        Ok(keeper_with_upkeep(on, told)?)
    };
    listen(("keeper", &url), listening, begin).await
}

/// Opens the listener before anything else is done: a wrong address or certificate is told at once.
async fn listening(config: &Config, reaching: &Reaching) -> anyhow::Result<Listeners> {
    raise_open_files();
    let tls = config.tls.as_ref();
    let tls = tls
        .map(|files| Tls::open(&files.certificate, &files.key))
        .transpose()?
        .map(|tls| tls.known_by(&config.url));
    let listener = bind(&config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    if tls.is_none() && !address.ip().to_canonical().is_loopback() {
        ensure!(
            config.behind_proxy || reaching.insecure_http,
            "{address} is not a loopback address, and what is served there would be plain HTTP: name a certificate in [tls], set \
             behind_proxy = true if a proxy ends TLS, or allow it with --insecure-http"
        );
        if !config.behind_proxy {
            tracing::warn!(
                "plain HTTP is served to other machines: whoever is on the way sees which addresses ask for which records, and \
                 when, and can change answers"
            );
        }
    }
    let how = Listening {
        bounds: config.connections.bounds(),
        tls,
        front: front(config)?,
    };
    let operator = operators(config).await?;
    Ok(Listeners {
        public: (listener, how),
        operator,
    })
}

/// What is listened on.
struct Listeners {
    public: (TcpListener, Listening),
    /// For the operator alone, if at all.
    operator: Option<TcpListener>,
}

/// The operator's own listener.
async fn operators(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let Some(metrics) = &config.metrics else {
        return Ok(None);
    };
    let at = &metrics.listen;
    let listener = bind(at)
        .await
        .with_context(|| format!("cannot listen on {at} for metrics"))?;
    let address = listener.local_addr()?;
    ensure!(
        address.ip().to_canonical().is_loopback() || metrics.beyond_loopback,
        "metrics.listen = {at:?} is not a loopback address, and whoever reaches it sees what the wallet has and how much is sent: \
         listen on 127.0.0.1, or say metrics.beyond_loopback = true if only machines of your own reach it"
    );
    Ok(Some(listener))
}

/// The proxies that are believed, as the listener knows them.
fn front(config: &Config) -> anyhow::Result<Option<Front>> {
    let believed = config.proxies()?;
    Ok(believed.header.map(|header| Front {
        proxies: believed.trusted,
        header,
    }))
}

/// Connections that the system holds until they are accepted: beyond it, it drops them, and a peer tries again a second later.
const WAITING: u32 = 4_096;

async fn bind(at: &str) -> std::io::Result<TcpListener> {
    let mut failed = None;
    for address in tokio::net::lookup_host(at).await? {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(WAITING)) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into()))
}

/// Each connection is an open file; the usual limit of 1,024 is for programs with few.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if setrlimit(Resource::Nofile, limit).is_err() {
            tracing::warn!("the limit of open files stays as it was");
        }
    }
}

async fn listen(
    (part, url): (&'static str, &str),
    listeners: Listeners,
    begin: impl Future<Output = anyhow::Result<(Router, Upkeep)>>,
) -> anyhow::Result<()> {
    let (listener, how) = listeners.public;
    tracing::info!(
        part,
        version = env!("CARGO_PKG_VERSION"),
        url,
        listen = %listener.local_addr()?,
        "serving"
    );
    if let Some(operator) = &listeners.operator {
        tracing::info!(part, listen = %operator.local_addr()?, "metrics");
    }
    tracing::info!(
        part,
        "waiting for the chain; nothing is served before it answers"
    );
    let (starting, operators) = (Starting::default(), Starting::for_operator());
    let server = serve(listener, starting.router(), how, wait_for_end());
    let told = operators.router();
    let told = async move {
        match listeners.operator {
            Some(listener) => serve(listener, told, Listening::default(), wait_for_end()).await,
            None => std::future::pending().await,
        }
    };
    let told = tokio::spawn(told);
    let mut server = std::pin::pin!(server);
    let upkeep = tokio::select! {
        begun = begin => {
            let (router, upkeep) = begun?;
            operators.open(upkeep.operator());
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
    told.abort();
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
