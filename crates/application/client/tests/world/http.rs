//! One chain in memory, one node and seven keepers over HTTP on loopback, any number of parties.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use medibloc_client::{HttpNetwork, HttpRelay, NetworkConfig, Timing};
use medibloc_journey::memory::MemoryVault;
use medibloc_journey::{Clock, Credential, Ports, VaultPort};
use medibloc_keys::{SeededEntropy, SigningKey, recover};
use medibloc_ledger::{KeeperFacts, LedgerError, MemoryLedger, Outcome, Relay, SignedCall};
use medibloc_node::{
    Caller, DailyLimits, Forward, Gateway, GatewayConfig, Keeper, KeeperConfig, KeeperKeys, Upkeep,
    gateway_with_upkeep, keeper_with_upkeep,
};
use medibloc_record::{AccountId, Address, Digest, Threshold, Timestamp, TypedDomain};
use medibloc_store::MemoryStore;
use medibloc_transport::{Outgoing, Policy};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 31_337,
    records: Address::new([0x52; 20]),
};

#[derive(Debug)]
pub(crate) struct SetClock(AtomicU64);

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    async fn wait(&self, time: std::time::Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The memory ledger's calls are their digests.
struct ByDigest(Arc<MemoryLedger>);

#[async_trait]
impl Forward for ByDigest {
    async fn caller(&self, call: &SignedCall) -> Result<Caller, LedgerError> {
        let bad = |what: &str| LedgerError::BadRequest { what: what.into() };
        let digest = call.bytes.as_slice().try_into();
        let digest: [u8; 32] = digest.map_err(|_| bad("it has not 32 bytes"))?;
        let address = recover(&digest, &call.signature).map_err(|_| bad("the signature"))?;
        Ok(Caller {
            address,
            registers: true,
            spent: self.0.is_spent(call),
        })
    }

    async fn forward(&self, _source: u64, call: &SignedCall) -> Result<Outcome, LedgerError> {
        self.0.relay(call).await
    }
}

pub(crate) struct World {
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) node: String,
    pub(crate) keepers: Vec<(u8, String)>,
    folder: Option<tempfile::TempDir>,
    keys: Vec<KeeperKeys>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    upkeeps: Mutex<Vec<Upkeep>>,
    authority: SigningKey,
    seeds: AtomicU64,
}

async fn bind() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn serve(listener: TcpListener, router: Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.unwrap();
    })
}

impl World {
    /// Nothing on disk: what is stopped has forgotten everything.
    pub(crate) async fn new(seed: u64) -> Arc<Self> {
        Self::make(seed, None).await
    }

    /// Keepers that can be stopped and started again.
    #[allow(dead_code, reason = "each test file uses what it needs")]
    pub(crate) async fn on_disk(seed: u64) -> Arc<Self> {
        Self::make(seed, Some(tempfile::tempdir().unwrap())).await
    }

    async fn make(seed: u64, folder: Option<tempfile::TempDir>) -> Arc<Self> {
        let mut entropy = SeededEntropy::new(seed);
        let now = Timestamp(1_800_000_000);
        let clock = Arc::new(SetClock(AtomicU64::new(now.0)));
        let keys: Vec<KeeperKeys> = (1..=7)
            .map(|index| KeeperKeys::generate(index, &mut entropy))
            .collect();
        let (mut listeners, mut urls) = (Vec::new(), Vec::new());
        for _ in 0..7 {
            let (listener, url) = bind().await;
            listeners.push(listener);
            urls.push(url);
        }
        let facts = keys.iter().zip(&urls).map(|(keys, url)| KeeperFacts {
            index: keys.index(),
            signer: keys.signer(),
            wrap_key: keys.wrap_key(),
            endpoint: url.clone(),
        });
        let threshold = Threshold::new(7, 4).unwrap();
        let keepers = facts.collect();
        let (listener, node) = bind().await;
        let world = Arc::new(Self {
            ledger: Arc::new(MemoryLedger::new(threshold, keepers, now)),
            store: Arc::new(MemoryStore::new()),
            clock,
            node,
            keepers: (1..=7).zip(urls).collect(),
            folder,
            keys,
            tasks: Mutex::default(),
            upkeeps: Mutex::default(),
            authority: SigningKey::from_bytes(&[0xa1; 32]).unwrap(),
            seeds: AtomicU64::new(seed << 16),
        });
        let config = GatewayConfig {
            url: world.node.clone(),
            known_as: Vec::new(),
            folder: world.folder.as_ref().map(|it| it.path().to_owned()),
            domain: DOMAIN,
            first_block: 0,
            limits: DailyLimits::default(),
            proxies: medibloc_node::Proxies::default(),
        };
        let clock = world.clock.clone();
        let on = Gateway {
            store: world.store.clone(),
            facts: world.ledger.clone(),
            events: world.ledger.clone(),
            relay: Arc::new(ByDigest(world.ledger.clone())),
            clock: Arc::new(move || clock.now()),
        };
        // The first task is the node's, then one a keeper.
        let (router, upkeep) = gateway_with_upkeep(on, config).unwrap();
        world.upkeeps.lock().unwrap().push(upkeep);
        world.run(serve(listener, router));
        for (index, listener) in (1..).zip(listeners) {
            world.run(serve(listener, world.keeper(index)));
        }
        world
    }

    fn run(&self, task: JoinHandle<()>) {
        self.tasks.lock().unwrap().push(task);
    }

    fn keeper(&self, index: u8) -> Router {
        let at = usize::from(index) - 1;
        let folder = self.folder.as_ref().map(|folder| {
            let folder = folder.path().join(format!("keeper-{index}"));
            std::fs::create_dir_all(&folder).unwrap();
            folder
        });
        let clock = self.clock.clone();
        let on = Keeper {
            keys: self.keys[at].clone(),
            facts: self.ledger.clone(),
            events: self.ledger.clone(),
            clock: Arc::new(move || clock.now()),
        };
        let config = KeeperConfig {
            url: self.keepers[at].1.clone(),
            folder,
            keys: None,
            domain: DOMAIN,
            first_block: 0,
            finality_lag: 0,
            limits: DailyLimits::default(),
        };
        let (router, upkeep) = keeper_with_upkeep(on, config).unwrap();
        self.upkeeps.lock().unwrap().push(upkeep);
        router
    }

    /// Node and keepers look at the chain, as their programs do every second though nobody asks.
    #[allow(dead_code, reason = "only where the chain is long")]
    pub(crate) async fn follow(&self) {
        let upkeeps = std::mem::take(&mut *self.upkeeps.lock().unwrap());
        for upkeep in &upkeeps {
            assert!(upkeep.once().await);
        }
        self.upkeeps.lock().unwrap().extend(upkeeps);
    }

    /// Ends a keeper's server; its disk stays.
    #[allow(dead_code, reason = "each test file uses what it needs")]
    pub(crate) async fn stop(&self, index: u8) {
        let task = {
            let mut tasks = self.tasks.lock().unwrap();
            std::mem::replace(&mut tasks[usize::from(index)], tokio::spawn(async {}))
        };
        task.abort();
        let _ = task.await;
    }

    /// Starts a keeper again on its disk, at its old port.
    #[allow(dead_code, reason = "each test file uses what it needs")]
    pub(crate) async fn start(&self, index: u8) {
        let url = &self.keepers[usize::from(index) - 1].1;
        let address = url.strip_prefix("http://").unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        let task = serve(listener, self.keeper(index));
        self.tasks.lock().unwrap()[usize::from(index)] = task;
    }

    /// Moves the clock of everybody and the chain's.
    #[allow(dead_code, reason = "each test file uses what it needs")]
    pub(crate) fn pass(&self, seconds: u64) {
        let now = self.clock.0.fetch_add(seconds, Ordering::SeqCst) + seconds;
        self.ledger.set_time(Timestamp(now));
    }

    pub(crate) fn ports(&self) -> Ports {
        self.ports_with(Arc::new(MemoryVault::default()))
    }

    pub(crate) fn ports_with(&self, vault: Arc<dyn VaultPort>) -> Ports {
        self.ports_at(&self.node, vec![self.node.clone()], vault)
    }

    /// Another node of the same chain, with storage, mailboxes and notes of its own; until its task is aborted.
    #[allow(dead_code, reason = "each test file uses what it needs")]
    pub(crate) async fn another_node(&self) -> (String, JoinHandle<()>) {
        let (url, router) = self.stopped_node().await;
        let task = Self::start_node(&url, router).await;
        (url, task)
    }

    /// Starts a node that [`Self::stopped_node`] made: what it kept before is there again.
    pub(crate) async fn start_node(url: &str, router: Router) -> JoinHandle<()> {
        let address = url.strip_prefix("http://").unwrap();
        serve(TcpListener::bind(address).await.unwrap(), router)
    }

    /// Another node that nobody reaches yet.
    pub(crate) async fn stopped_node(&self) -> (String, Router) {
        let (listener, url) = bind().await;
        drop(listener);
        let config = GatewayConfig {
            url: url.clone(),
            known_as: Vec::new(),
            folder: None,
            domain: DOMAIN,
            first_block: 0,
            limits: DailyLimits::default(),
            proxies: medibloc_node::Proxies::default(),
        };
        let clock = self.clock.clone();
        let on = Gateway {
            store: Arc::new(MemoryStore::new()),
            facts: self.ledger.clone(),
            events: self.ledger.clone(),
            relay: Arc::new(ByDigest(self.ledger.clone())),
            clock: Arc::new(move || clock.now()),
        };
        let (router, upkeep) = gateway_with_upkeep(on, config).unwrap();
        self.upkeeps.lock().unwrap().push(upkeep);
        (url, router)
    }

    /// The ports of a home at this node, in a deployment that lists these.
    pub(crate) fn ports_at(
        &self,
        node: &str,
        nodes: Vec<String>,
        vault: Arc<dyn VaultPort>,
    ) -> Ports {
        let timing = Timing::default();
        let config = NetworkConfig {
            node: node.to_owned(),
            nodes,
            keepers: self.keepers.clone(),
            outgoing: Outgoing::new(Policy::LOCAL),
            domain: DOMAIN,
            timing,
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        let relay = HttpRelay::new(
            node,
            Outgoing::new(Policy::LOCAL),
            DOMAIN,
            clock.clone(),
            timing,
        )
        .unwrap();
        let seed = self.seeds.fetch_add(1, Ordering::SeqCst);
        Ports {
            submit: self.ledger.clone(),
            relay: Arc::new(relay),
            facts: self.ledger.clone(),
            events: self.ledger.clone(),
            network: Arc::new(HttpNetwork::new(config, clock.clone()).unwrap()),
            vault,
            clock,
            entropy: Arc::new(Mutex::new(SeededEntropy::new(seed))),
            pace: medibloc_journey::Pace::NOW,
            domain: DOMAIN,
            authority: self.authority.address().into(),
        }
    }

    pub(crate) fn accredit(&self, account: AccountId, name: &str) -> String {
        let from = self.clock.now();
        let credential = Credential {
            account,
            name: name.to_owned(),
            profession: "hospital".into(),
            jurisdiction: "KR".into(),
            from,
            until: from.plus(10 * 365 * 86_400),
        };
        let jwt = credential.issue(&self.authority);
        let evidence = Digest::of(jwt.as_bytes());
        self.ledger
            .accredit(account, from, credential.until, evidence);
        jwt
    }
}
