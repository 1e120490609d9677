//! A deployment in this process: the embedded chain with the contracts, a gateway and seven keepers over HTTP on loopback.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use medibloc_client::{HttpNetwork, HttpRelay, NetworkConfig, SystemClock, Timing};
use medibloc_devchain::{Chain, Config, Place};
use medibloc_journey::memory::MemoryVault;
use medibloc_journey::{Clock as _, Party, Ports};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger_evm::{
    Accreditation, AuthorityWallet, DeployPlan, EvmLedger, KeeperPlan, Rpc, deploy,
};
use medibloc_node::{
    DailyLimits, Gateway, GatewayConfig, Keeper, KeeperConfig, KeeperKeys, OsEntropy,
    ProviderCredential, WalletRelay, gateway, keep_credential, keeper, system_clock,
};
use medibloc_record::{Digest, Role, Threshold, keccak256};
use medibloc_store::MemoryStore;
use medibloc_transport::{Outgoing, Policy};
use tokio::net::TcpListener;

async fn bind() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.unwrap();
    });
}

pub(crate) struct World {
    pub(crate) ledger: EvmLedger,
    node: String,
    keepers: Vec<(u8, String)>,
    pub(crate) authority: SigningKey,
    wallet: AuthorityWallet,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let key = |byte| SigningKey::from_bytes(&[byte; 32]).unwrap();
        let (deployer, authority, relay) = (key(1), key(2), key(3));
        let mut config = Config::default();
        let coins = config.accounts[0].1;
        let funded = deployer.address().to_bytes();
        config.accounts.push((funded.into(), coins));
        let chain = Chain::open(Place::Memory, config).unwrap();
        let rpc = Rpc::over(vec![("the chain".into(), chain.client())])
            .unwrap()
            .polling(std::time::Duration::from_millis(10));
        let mut keepers = Vec::new();
        for index in 1..=7 {
            let (listener, url) = bind().await;
            keepers.push((KeeperKeys::generate(index, &mut OsEntropy), listener, url));
        }
        let plan = DeployPlan {
            authority: authority.address(),
            accreditor: authority.address(),
            registrar: authority.address(),
            threshold: Threshold::new(7, 4).unwrap(),
            keepers: keepers
                .iter()
                .map(|(keys, _, url)| KeeperPlan {
                    index: keys.index(),
                    signer: keys.signer(),
                    wrap_key: keys.wrap_key().key,
                    endpoint: url.clone(),
                })
                .collect(),
            funds: [&authority, &relay]
                .map(|key| (key.address(), 10_u128.pow(20)))
                .to_vec(),
        };
        let deployed = deploy(&rpc, &deployer, &plan).await.unwrap();
        let ledger = EvmLedger::connect(rpc, deployed, 0).await.unwrap();
        let ports = Arc::new(ledger.clone());
        let folder = tempfile::tempdir().unwrap();
        let (listener, node) = bind().await;
        let on = Gateway {
            store: Arc::new(MemoryStore::new()),
            facts: ports.clone(),
            events: ports.clone(),
            relay: Arc::new(WalletRelay::start(&ledger, &relay)),
            clock: system_clock(),
        };
        let told = GatewayConfig {
            url: node.clone(),
            known_as: Vec::new(),
            folder: Some(folder.path().to_owned()),
            domain: deployed.domain(),
            first_block: deployed.block,
            limits: DailyLimits::default(),
            proxies: medibloc_node::Proxies::default(),
        };
        serve(listener, gateway(on, told).unwrap());
        let mut urls = Vec::new();
        for (keys, listener, url) in keepers {
            urls.push((keys.index(), url.clone()));
            let on = Keeper {
                keys,
                facts: ports.clone(),
                events: ports.clone(),
                clock: system_clock(),
            };
            let told = KeeperConfig {
                url,
                folder: None,
                keys: None,
                domain: deployed.domain(),
                first_block: deployed.block,
                finality_lag: 0,
                limits: DailyLimits::default(),
            };
            serve(listener, keeper(on, told).unwrap());
        }
        Self {
            wallet: AuthorityWallet::new(&ledger, &authority),
            ledger,
            node,
            keepers: urls,
            authority,
            folder,
        }
    }

    pub(crate) fn party(&self, seed: u64, role: Role) -> Party {
        Party::new(phrase(seed).seed(), role, self.ports())
    }

    pub(crate) fn ports(&self) -> Ports {
        let domain = self.ledger.deployed().domain();
        let (clock, timing) = (Arc::new(SystemClock), Timing::default());
        let ledger = Arc::new(self.ledger.clone());
        let config = NetworkConfig {
            node: self.node.clone(),
            nodes: vec![self.node.clone()],
            keepers: self.keepers.clone(),
            outgoing: Outgoing::new(Policy::LOCAL),
            domain,
            timing,
        };
        let relay = HttpRelay::new(
            &self.node,
            Outgoing::new(Policy::LOCAL),
            domain,
            clock.clone(),
            timing,
        )
        .unwrap();
        Ports {
            submit: ledger.clone(),
            relay: Arc::new(relay),
            facts: ledger.clone(),
            events: ledger,
            network: Arc::new(HttpNetwork::new(config, clock.clone()).unwrap()),
            vault: Arc::new(MemoryVault::default()),
            clock,
            entropy: Arc::new(Mutex::new(OsEntropy)),
            pace: medibloc_journey::Pace::NOW,
            domain,
            authority: self.authority.address().into(),
        }
    }

    /// The gateway's data folder.
    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn accredited(&self, party: &Party, name: &str) -> String {
        party.register_account().await.unwrap();
        let from = SystemClock.now();
        let credential = ProviderCredential {
            account: party.account().id(),
            name: name.to_owned(),
            profession: "hospital".into(),
            jurisdiction: "KR".into(),
            from,
            until: from.plus(365 * 86_400),
        };
        let jwt = credential.issue(&self.authority, 31_337);
        let what = Accreditation {
            account: credential.account,
            profession: keccak256(b"hospital"),
            jurisdiction: *b"KR",
            from,
            until: credential.until,
            evidence: Digest::of(jwt.as_bytes()),
        };
        keep_credential(self.data(), credential.account, &jwt).unwrap();
        self.wallet.accredit(&what).await.unwrap();
        jwt
    }
}

pub(crate) fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}
