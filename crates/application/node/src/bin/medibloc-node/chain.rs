//! The embedded chain, and the contracts on any chain.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::http::HeaderName;
use clap::{Args, Subcommand};
use medibloc_api::Deployment;
use medibloc_devchain::{Chain, Config, Limits, Mining, OpenError, Place, serve_with};
use medibloc_ledger::{Facts as _, Mark};
use medibloc_ledger_evm::{DeployPlan, KeeperPlan, Rpc, deploy, fund};
use medibloc_node::{
    Bounds, KeeperPublicKeys, Listening, Tls, accept_chain, contracts, last_block, private_folder,
    read_wallet, serve,
};
use medibloc_record::{Address, Threshold};
use tokio::net::TcpListener;

use crate::out::{must_be_new, new_file, write_new};
use crate::reaching::Reaching;
use crate::say;
use crate::serve::{log_from, wait_for_end};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the embedded chain as JSON-RPC on loopback
    Serve(Serve),
    /// Deploy the contracts, and write deployment.json and the keepers' configurations
    Deploy(Deploy),
    /// Say the last final block, and whether it is or follows the last one that a data folder's program took
    Head(Head),
    /// Let a stopped gateway or keeper that says the right chain was set back go on with the chain as it stands
    Accept(Accept),
    /// Pay coins from one wallet to others: relays, keepers' signers, the authority
    Fund(Fund),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// Where the chain is kept; in memory if not given
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, default_value = "127.0.0.1:8545")]
    listen: String,
    /// The chain's id
    #[arg(long, default_value_t = 31_337)]
    chain_id: u64,
    /// A wallet that has 10,000 coins in the first block; again for more of them. Nobody else has any
    #[arg(long)]
    fund: Vec<Address>,
    /// Milliseconds between blocks; a block for each transaction if not given
    #[arg(long)]
    interval: Option<u64>,
    /// Gas of one call that is only asked (eth_call, each try of eth_estimateGas), at most
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(100_000..))]
    call_gas: u64,
    /// The header in which a proxy before the chain names whom it speaks for, as X-Forwarded-For. Those take turns; without it
    /// every connection does
    #[arg(long)]
    proxy_header: Option<HeaderName>,
    /// Let whoever reaches the chain move its time and make blocks, and give coins to the ten accounts whose keys are public: for
    /// tests alone. A data folder keeps what it was made with
    #[arg(long)]
    test_methods: bool,
    /// Serve over TLS with this certificate (PEM)
    #[arg(long, requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Deploy {
    /// JSON-RPC of the chain
    #[arg(long, required = true)]
    rpc: Vec<String>,
    /// Key file of the wallet that deploys
    #[arg(long)]
    deployer: PathBuf,
    /// The authority that accredits and whose credentials count
    #[arg(long)]
    authority: Address,
    /// Administers the contracts; the authority if not given
    #[arg(long)]
    admin: Option<Address>,
    /// A keeper: file of its public keys (`keys public`) and URL, as keeper-1.public.json=http://127.0.0.1:8101
    #[arg(long = "keeper", required = true, value_name = "PUBLIC=URL")]
    keepers: Vec<String>,
    /// Keepers that a read needs
    #[arg(long, default_value_t = 4)]
    threshold: u8,
    /// A gateway's URL
    #[arg(long = "node", required = true)]
    nodes: Vec<String>,
    /// Wallets that get 1,000 coins: relays. The authority gets as many
    #[arg(long)]
    fund: Vec<Address>,
    /// Coins for each keeper's signer, which pays when its wrap key is rotated
    #[arg(long, default_value_t = 1)]
    keeper_coins: u32,
    /// Blocks above one until it is final
    #[arg(long, default_value_t = 0)]
    finality_depth: u64,
    /// The deployment is of this machine or of an institution's own network: loopback and private addresses may be called.
    /// So is one whose chain is reached on loopback
    #[arg(long)]
    local: bool,
    /// For keepers whose URL is https, a certificate (PEM) that is written into their configurations
    #[arg(long, requires_all = ["tls_key", "keeper_configs"])]
    tls_certificate: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The new deployment.json
    #[arg(long, default_value = "deployment.json", value_parser = new_file)]
    out: PathBuf,
    /// Where the keepers' configurations are written. Each looks for its keeper's key file beside itself: keeper-1.json
    #[arg(long)]
    keeper_configs: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Fund {
    /// The deployment whose chain it is
    #[arg(long, default_value = "deployment.json")]
    deployment: PathBuf,
    /// Key file of the wallet that pays
    #[arg(long)]
    from: PathBuf,
    /// Who gets coins
    #[arg(long, required = true)]
    to: Vec<Address>,
    /// How many whole coins each gets
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    coins: u64,
}

#[derive(Args)]
pub(crate) struct Head {
    /// The deployment whose chain it is
    #[arg(long, default_value = "deployment.json")]
    deployment: PathBuf,
    /// Data folder of a gateway or a keeper
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Accept {
    /// The deployment whose chain it is
    #[arg(long, default_value = "deployment.json")]
    deployment: PathBuf,
    /// Data folder of the gateway or the keeper, which is stopped
    #[arg(long)]
    data_dir: PathBuf,
    /// The chain's last final block as the other parties have it (`chain head`): number and hash, as 120:0x12…. Nothing is
    /// changed if this chain has another one there
    #[arg(long, value_name = "NUMBER:HASH", value_parser = mark)]
    block: Mark,
}

/// Number and hash.
fn mark(given: &str) -> Result<Mark, String> {
    let (number, hash) = given
        .split_once(':')
        .ok_or("write number and hash with a colon between them, as 120:0x12…")?;
    let number = number.parse();
    let number = number.map_err(|_| format!("{given}: the part before the colon is no number"))?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(hash.strip_prefix("0x").unwrap_or(hash), &mut bytes)
        .map_err(|_| format!("{given}: the part after the colon is no hash of 64 hex digits"))?;
    Ok(Mark {
        number,
        hash: bytes,
    })
}

/// 10^18 of the smallest unit.
const COIN: u128 = 1_000_000_000_000_000_000;

pub(crate) async fn run(command: Command, reaching: Reaching) -> anyhow::Result<()> {
    match command {
        Command::Serve(serve) => run_serve(serve).await,
        Command::Deploy(deploy) => run_deploy(deploy, &reaching).await,
        Command::Head(args) => run_head(args, &reaching).await,
        Command::Accept(args) => run_accept(args, &reaching).await,
        Command::Fund(args) => run_fund(args, &reaching).await,
    }
}

async fn run_serve(args: Serve) -> anyhow::Result<()> {
    log_from(tracing::Level::INFO);
    let mut config = Config::default();
    config.chain_id = args.chain_id;
    config.test_methods = args.test_methods;
    config.call_gas = args.call_gas;
    let mut limits = Limits::default();
    limits.proxy_header = args.proxy_header;
    if let Some(milliseconds) = args.interval {
        config.mining = Mining::EveryMillis(milliseconds);
    }
    let folder = args.data_dir;
    if let Some(folder) = &folder {
        private_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let fund = args.fund;
    let chain = tokio::task::spawn_blocking(move || open(folder, config, &fund)).await??;
    let listener = TcpListener::bind(&args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(medibloc_devchain::ServeError::NotLoopback(address.ip()).into());
    }
    let files = args.tls_certificate.as_deref().zip(args.tls_key.as_deref());
    let Some((certificate, key)) = files else {
        say(&serde_json::json!({"serving": format!("http://{address}")}));
        tracing::info!(part = "chain", listen = %address, "serving");
        tokio::select! {
            result = serve_with(chain, listener, limits) => result?,
            () = wait_for_end() => {}
        }
        tracing::info!(part = "chain", "ended");
        return Ok(());
    };
    let mut bounds = Bounds::default();
    // Answers are short, and who waits for its turn asks again.
    bounds.farewell = Duration::from_millis(500);
    let how = Listening {
        tls: Some(Tls::open(certificate, key)?),
        bounds,
        ..Listening::default()
    };
    let (router, mining) = medibloc_devchain::router(chain, limits);
    say(&serde_json::json!({"serving": format!("https://{address}")}));
    tracing::info!(part = "chain", listen = %address, "serving");
    tokio::select! {
        () = serve(listener, router, how, wait_for_end()) => {}
        () = mining => {}
    }
    tracing::info!(part = "chain", "ended");
    Ok(())
}

/// The chain in a folder, or in memory. Coins for whoever has public keys are coins for everybody: only a chain for tests has them,
/// and one that began with them before this was so.
fn open(folder: Option<PathBuf>, mut config: Config, fund: &[Address]) -> anyhow::Result<Chain> {
    let public = std::mem::take(&mut config.accounts);
    let (_, coins) = *public.first().context("chains for tests have none")?;
    if config.test_methods {
        config.accounts.clone_from(&public);
    }
    let funded = fund.iter().map(|wallet| (wallet.to_bytes().into(), coins));
    config.accounts.extend(funded);
    let is_new = folder
        .as_ref()
        .is_none_or(|folder| !folder.join("chain.redb").exists());
    ensure!(
        !is_new || !config.accounts.is_empty(),
        "nobody would have coins on this chain, for good: name the deployer's wallet with --fund ADDRESS (`keys wallet` makes one)"
    );
    let place = || folder.clone().map_or(Place::Memory, Place::Dir);
    match Chain::open(place(), config.clone()) {
        Err(OpenError::Genesis) if !config.test_methods => {}
        opened => return Ok(opened?),
    }
    config.accounts.splice(0..0, public);
    let chain = Chain::open(place(), config)?;
    tracing::warn!(
        part = "chain",
        "this chain began with coins for ten accounts whose keys are public: whoever reaches it can fill its blocks. A new chain has \
         none of them"
    );
    Ok(chain)
}

async fn run_deploy(args: Deploy, reaching: &Reaching) -> anyhow::Result<()> {
    let mut keepers = Vec::new();
    for pair in &args.keepers {
        keepers.push(public_keys(pair)?);
    }
    keepers.sort_by_key(|(keys, _)| keys.index());
    check_first(&keepers)?;
    // What is deployed costs, and the files of an earlier deployment are worth more than this one.
    must_be_new(&args.out)?;
    for (keys, _) in &keepers {
        let config = args.keeper_configs.as_deref();
        config.map_or(Ok(()), |folder| {
            must_be_new(&keeper_config(folder, keys.index()))
        })?;
    }
    let n = u8::try_from(keepers.len()).context("there are too many keepers")?;
    let admin = args.admin.unwrap_or(args.authority);
    // The embedded chain has enough of them.
    let each = u128::from(args.keeper_coins) * COIN;
    let signers = keepers.iter().map(|(keys, _)| (keys.signer(), each));
    let wallets = args.fund.iter().chain([&args.authority]);
    let mut funds: BTreeMap<Address, u128> = signers.collect();
    funds.extend(wallets.map(|wallet| (*wallet, 1_000 * COIN)));
    let plan = DeployPlan {
        authority: admin,
        accreditor: args.authority,
        registrar: admin,
        threshold: Threshold::new(n, args.threshold)?,
        keepers: keepers
            .iter()
            .map(|(keys, url)| keeper_plan(keys, url))
            .collect(),
        funds: funds.into_iter().filter(|(_, coins)| *coins > 0).collect(),
    };
    let deployer = read_wallet(&args.deployer)?;
    let local = args.local || args.rpc.iter().all(|url| is_loopback(url));
    let outgoing = reaching.outgoing(local)?;
    // What nobody could call must not get into the file, or onto the chain.
    for url in args.nodes.iter().chain(keepers.iter().map(|(_, url)| url)) {
        outgoing.reach(url)?;
    }
    let deployed = deploy(&Rpc::http(&args.rpc, &outgoing)?, &deployer, &plan).await?;
    let deployment = Deployment {
        version: 1,
        chain_id: deployed.chain_id,
        rpc_urls: args.rpc,
        node_urls: args.nodes,
        contracts: contracts(&deployed),
        deployment_block: deployed.block,
        finality_depth: args.finality_depth,
        authority: args.authority,
        authorities: Vec::new(),
        local,
        ca: reaching.pem()?,
    };
    let json = deployment.to_json();
    Deployment::parse(&json).context("a URL is not valid")?;
    write_new(&args.out, &json)?;
    if let Some(folder) = &args.keeper_configs {
        for (keys, url) in &keepers {
            let tls = args.tls_certificate.as_deref().zip(args.tls_key.as_deref());
            write_keeper(folder, &args.out, keys.index(), url, tls)?;
        }
    }
    say(&serde_json::json!({
        "deployment": args.out,
        "block": deployed.block,
        "keepers": n,
        "threshold": args.threshold,
    }));
    Ok(())
}

async fn run_head(args: Head, reaching: &Reaching) -> anyhow::Result<()> {
    let deployment = crate::config::deployment(&args.deployment)?;
    let ledger = reaching.connect(&deployment).await??;
    let head = ledger.head().await?;
    let mut told = serde_json::json!({
        "chain": deployment.chain_id,
        "block": head.number,
        "hash": format!("0x{}", hex::encode(head.hash)),
        "time": head.time.0,
    });
    let last = match &args.data_dir {
        Some(folder) => last_block(folder)
            .with_context(|| format!("cannot read chain.sqlite in {}", folder.display()))?,
        None => None,
    };
    if let Some(last) = last {
        told["taken"] = serde_json::json!({
            "block": last.number,
            "hash": format!("0x{}", hex::encode(last.hash)),
        });
    }
    say(&told);
    match last {
        Some(last) => Ok(last.check(&head, &ledger).await?),
        None => Ok(()),
    }
}

async fn run_accept(args: Accept, reaching: &Reaching) -> anyhow::Result<()> {
    let deployment = crate::config::deployment(&args.deployment)?;
    let ledger = reaching.connect(&deployment).await??;
    args.block.check_now(&ledger).await.context(
        "the chain does not have the block that was given with --block: it is not the one that the other parties have",
    )?;
    let folder = args.data_dir.display();
    let accepted = accept_chain(&args.data_dir, &ledger)
        .await
        .with_context(|| format!("{folder} stays as it is"))?;
    let block = |mark: Mark| serde_json::json!({"block": mark.number, "hash": format!("0x{}", hex::encode(mark.hash))});
    say(&serde_json::json!({
        "shared": block(accepted.shared),
        "left": block(accepted.left),
        "events": accepted.events,
        "withdrawals": accepted.withdrawals,
        "next": "start it; it reads the chain from the shared block on",
    }));
    Ok(())
}

async fn run_fund(args: Fund, reaching: &Reaching) -> anyhow::Result<()> {
    let name = args.deployment.display();
    let json = std::fs::read(&args.deployment).with_context(|| format!("cannot read {name}"))?;
    let deployment = Deployment::parse(&json).with_context(|| format!("{name} is not valid"))?;
    let from = read_wallet(&args.from)?;
    let rpc = Rpc::http(&deployment.rpc_urls, &reaching.of(&deployment)?)?;
    let amount = u128::from(args.coins) * COIN;
    let funds: Vec<_> = args.to.iter().map(|to| (*to, amount)).collect();
    fund(&rpc, &from, &funds)
        .await
        .with_context(|| format!("{} did not pay; see that it has the coins", from.address()))?;
    let paid: Vec<_> = args.to.iter().map(ToString::to_string).collect();
    say(&serde_json::json!({"paid": paid, "coins": args.coins}));
    Ok(())
}

/// Whether a chain's URL is on this machine.
fn is_loopback(url: &str) -> bool {
    // Nothing private may be called by a public deployment: what it refuses and a local one takes is on this machine or near it.
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or(host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let address: Option<std::net::IpAddr> = name.parse().ok();
    name == "localhost" || address.is_some_and(|address| address.is_loopback())
}

/// The keys and the URL of PUBLIC=URL.
pub(crate) fn public_keys(pair: &str) -> anyhow::Result<(KeeperPublicKeys, String)> {
    let (file, url) = pair.split_once('=').with_context(|| {
        format!(
            "--keeper {pair} is not PUBLIC=URL, as keeper-1.public.json=https://keeper.example.org"
        )
    })?;
    Ok((KeeperPublicKeys::read(Path::new(file))?, url.to_owned()))
}

/// What the chain is told of a keeper.
pub(crate) fn keeper_plan(keys: &KeeperPublicKeys, url: &str) -> KeeperPlan {
    KeeperPlan {
        index: keys.index(),
        signer: keys.signer(),
        wrap_key: keys.wrap_key().key,
        endpoint: url.to_owned(),
    }
}

/// That keepers, sorted by their places, can be a chain's first: before anything is paid for.
fn check_first(keepers: &[(KeeperPublicKeys, String)]) -> anyhow::Result<()> {
    for (place, (keys, url)) in (1_usize..).zip(keepers) {
        let index = keys.index();
        ensure!(
            usize::from(index) == place,
            "the keepers are not those of the places 1 to {}: there is one of place {index} and none, or another, of place {place}; \
             each needs a place of its own (`keys keeper --index`)",
            keepers.len()
        );
        let version = keys.wrap_key().version;
        ensure!(
            version == 1,
            "the wrap key of keeper {index} has version {version}, and a new chain counts from 1; its operator makes new keys with \
             `keys keeper --index {index}`"
        );
        let same = |(other, _): &&(KeeperPublicKeys, String)| other.signer() == keys.signer();
        ensure!(
            keepers.iter().filter(same).count() == 1,
            "keeper {index} at {url} has the signer of another one, {}; each keeper needs keys of its own",
            keys.signer()
        );
    }
    Ok(())
}

/// keeper-N.toml, with paths from its own folder: it is handed on, and says nothing of the deployer's machine.
fn write_keeper(
    folder: &Path,
    deployment: &Path,
    index: u8,
    url: &str,
    tls: Option<(&Path, &Path)>,
) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let quoted = |path: &Path| -> anyhow::Result<String> {
        let path = from_folder(folder, path)?;
        Ok(toml::Value::String(path.display().to_string()).to_string())
    };
    let listen = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest)
        .to_owned();
    let mut text = String::new();
    writeln!(text, "deployment = {}", quoted(deployment)?)?;
    writeln!(text, "data_dir = \"keeper-{index}\"")?;
    writeln!(text, "listen = {}", toml::Value::String(listen))?;
    writeln!(text, "url = {}", toml::Value::String(url.to_owned()))?;
    if let Some((certificate, key)) = tls.filter(|_| url.starts_with("https://")) {
        let (certificate, key) = (quoted(certificate)?, quoted(key)?);
        writeln!(text, "\n[tls]\ncertificate = {certificate}\nkey = {key}")?;
    }
    // Whoever deploys has not the key file, and knows no path of it.
    writeln!(text, "\n[keeper]\nkeys = \"keeper-{index}.json\"")?;
    write_new(&keeper_config(folder, index), text.as_bytes())
}

/// The path of a file as it is from a folder.
fn from_folder(folder: &Path, file: &Path) -> anyhow::Result<PathBuf> {
    let file = std::path::absolute(file)?;
    let (Some(parent), Some(name)) = (file.parent(), file.file_name()) else {
        anyhow::bail!("{} is no file", file.display());
    };
    let folder = folder.canonicalize()?;
    let parent = parent
        .canonicalize()
        .with_context(|| format!("cannot find {}", parent.display()))?;
    let shared = folder
        .components()
        .zip(parent.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = folder.components().skip(shared).map(|_| "..".as_ref());
    let down = parent.components().skip(shared).map(|it| it.as_os_str());
    let path = up.chain(down).chain([name]);
    Ok(path.collect())
}

fn keeper_config(folder: &Path, index: u8) -> PathBuf {
    folder.join(format!("keeper-{index}.toml"))
}
