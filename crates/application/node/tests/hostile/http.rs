//! A node on loopback over memory ports, and a client that can do everything wrong.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use axum::Router;
use medibloc_api::{Authorization, CBOR, Code, Letter, Problem, RequestText};
use medibloc_keys::{SeededEntropy, SigningKey, recover};
use medibloc_ledger::{
    Call, Events, KeeperFacts, LedgerError, MemoryLedger, Outcome, Relay as _, SignedCall,
    Submit as _,
};
use medibloc_node::{
    Caller, Clock, DailyLimits, Forward, Gateway, GatewayConfig, Keeper, KeeperConfig, KeeperKeys,
    Proxies, Upkeep, gateway_with_upkeep, keeper_with_upkeep,
};
use medibloc_record::{Address, Digest, Nonce, Role, Threshold, Timestamp, TypedDomain, Wrapped};
use medibloc_store::{MemoryStore, OwnStore};
use reqwest::Method;
use tokio::net::TcpListener;

pub(crate) const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 31_337,
    records: Address::new([0x52; 20]),
};
pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000);

/// The memory ledger's calls are their digests; only the first of an address is taken for a registration.
pub(crate) struct ByDigest(pub(crate) Arc<MemoryLedger>);

#[async_trait]
impl Forward for ByDigest {
    async fn caller(&self, call: &SignedCall) -> Result<Caller, LedgerError> {
        let bad = || LedgerError::BadRequest {
            what: "the signature".into(),
        };
        let digest: [u8; 32] = call.bytes.as_slice().try_into().map_err(|_| bad())?;
        let address = recover(&digest, &call.signature).map_err(|_| bad())?;
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

pub(crate) struct Ground {
    pub(crate) ledger: Arc<MemoryLedger>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) now: Arc<AtomicU64>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) keys: KeeperKeys,
}

/// The figures on the operator's own listener, which a test's server has beside it.
pub(crate) const METRICS: &str = "/operator/metrics";
/// Why it is not ready, there.
pub(crate) const REASONS: &str = "/operator/readyz";

pub(crate) async fn serve(router: impl FnOnce(&str) -> Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = router(&url).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    url
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self::with_keeper_at("")
    }

    /// The chain has this URL for the keeper.
    pub(crate) fn with_keeper_at(endpoint: &str) -> Self {
        let keys = KeeperKeys::generate(1, &mut SeededEntropy::new(1));
        let threshold = Threshold::new(1, 1).unwrap();
        let keepers = vec![KeeperFacts {
            index: 1,
            signer: keys.signer(),
            wrap_key: keys.wrap_key(),
            endpoint: endpoint.to_owned(),
        }];
        Self {
            ledger: Arc::new(MemoryLedger::new(threshold, keepers, NOW)),
            store: Arc::new(MemoryStore::new()),
            now: Arc::new(AtomicU64::new(NOW.0)),
            folder: tempfile::tempdir().unwrap(),
            keys,
        }
    }

    pub(crate) fn clock(&self) -> Clock {
        let now = self.now.clone();
        Arc::new(move || Timestamp(now.load(Ordering::SeqCst)))
    }

    pub(crate) fn gateway(&self, url: &str, limits: DailyLimits) -> Router {
        self.gateway_with_upkeep(url, limits).0
    }

    pub(crate) fn gateway_with_upkeep(&self, url: &str, limits: DailyLimits) -> (Router, Upkeep) {
        self.gateway_over(url, limits, self.store.clone(), self.ledger.clone())
    }

    pub(crate) fn gateway_over(
        &self,
        url: &str,
        limits: DailyLimits,
        store: Arc<dyn OwnStore>,
        events: Arc<dyn Events>,
    ) -> (Router, Upkeep) {
        let on = Gateway {
            store,
            events,
            ..self.parts()
        };
        self.gateway_on(on, url, limits, Proxies::default())
    }

    /// What a gateway stands on here.
    pub(crate) fn parts(&self) -> Gateway {
        Gateway {
            store: self.store.clone(),
            facts: self.ledger.clone(),
            events: self.ledger.clone(),
            relay: Arc::new(ByDigest(self.ledger.clone())),
            clock: self.clock(),
        }
    }

    pub(crate) fn gateway_on(
        &self,
        on: Gateway,
        url: &str,
        limits: DailyLimits,
        proxies: Proxies,
    ) -> (Router, Upkeep) {
        let config = GatewayConfig {
            proxies,
            ..self.gateway_config(url, limits)
        };
        let (router, upkeep) = gateway_with_upkeep(on, config).unwrap();
        (router.nest("/operator", upkeep.operator()), upkeep)
    }

    pub(crate) fn gateway_config(&self, url: &str, limits: DailyLimits) -> GatewayConfig {
        GatewayConfig {
            url: url.to_owned(),
            known_as: Vec::new(),
            folder: Some(self.folder.path().to_owned()),
            domain: DOMAIN,
            first_block: 0,
            limits: on_any_disk(limits),
            proxies: Proxies::default(),
        }
    }

    pub(crate) fn keeper(&self, url: &str, folder: &Path) -> Router {
        self.keeper_over(url, folder, self.ledger.clone())
    }

    pub(crate) fn keeper_over(&self, url: &str, folder: &Path, events: Arc<dyn Events>) -> Router {
        self.keeper_with(url, folder, events, DailyLimits::default())
    }

    pub(crate) fn keeper_with(
        &self,
        url: &str,
        folder: &Path,
        events: Arc<dyn Events>,
        limits: DailyLimits,
    ) -> Router {
        let on = Keeper {
            keys: self.keys.clone(),
            facts: self.ledger.clone(),
            events,
            clock: self.clock(),
        };
        let config = KeeperConfig {
            url: url.to_owned(),
            folder: Some(folder.to_owned()),
            keys: None,
            domain: DOMAIN,
            first_block: 0,
            finality_lag: 0,
            limits: on_any_disk(limits),
        };
        let (router, upkeep) = keeper_with_upkeep(on, config).unwrap();
        router.nest("/operator", upkeep.operator())
    }

    /// A registered address.
    pub(crate) async fn registered(&self, seed: u8) -> SigningKey {
        self.registered_as(seed, Role::Person).await
    }

    /// A registered address of a role.
    pub(crate) async fn registered_as(&self, seed: u8, role: Role) -> SigningKey {
        let key = SigningKey::from_bytes(&[seed; 32]).unwrap();
        let call = Call::Register {
            role,
            sealing_key: [seed; 32],
        };
        self.call(&key, &call).await;
        key
    }

    pub(crate) async fn signed(&self, key: &SigningKey, call: &Call) -> SignedCall {
        let deadline = NOW.plus(1_000_000);
        let unsigned = self.ledger.prepare(key.address(), call, deadline);
        let unsigned = unsigned.await.unwrap();
        let signature = key.sign_digest(&unsigned.digest);
        unsigned.sign(signature)
    }

    pub(crate) async fn call(&self, key: &SigningKey, call: &Call) {
        let signed = self.signed(key, call).await;
        self.ledger.relay(&signed).await.unwrap();
    }
}

/// A request that is right until it is made wrong.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

impl Draft {
    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            target: target.into(),
            body: Vec::new(),
        }
    }

    pub(crate) fn delete(target: impl Into<String>) -> Self {
        Self {
            method: Method::DELETE,
            ..Self::get(target)
        }
    }

    pub(crate) fn post(target: impl Into<String>, body: Vec<u8>) -> Self {
        Self {
            method: Method::POST,
            body,
            ..Self::get(target)
        }
    }

    /// Signed as it should be, with a fresh nonce.
    pub(crate) fn sign(&self, url: &str, key: &SigningKey) -> Authorization {
        static NONCE: AtomicU64 = AtomicU64::new(1);
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&NONCE.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        let nonce = Nonce::new(nonce);
        self.sign_with(url, key, nonce, NOW.plus(60))
    }

    pub(crate) fn sign_with(
        &self,
        url: &str,
        key: &SigningKey,
        nonce: Nonce,
        expiry: Timestamp,
    ) -> Authorization {
        let text = RequestText {
            node: url,
            method: self.method.as_str(),
            target: &self.target,
            body: Digest::of(&self.body),
            nonce,
            expiry,
        };
        Authorization {
            address: key.address(),
            nonce,
            expiry,
            signature: key.sign_digest(&text.digest(&DOMAIN)),
        }
    }

    pub(crate) async fn send(
        &self,
        url: &str,
        authorization: Option<&Authorization>,
    ) -> Result<Vec<u8>, Problem> {
        medibloc_transport::install_provider();
        let client = reqwest::Client::new();
        let mut request = client
            .request(self.method.clone(), format!("{url}{}", self.target))
            .header("content-type", CBOR)
            .body(self.body.clone());
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let bytes = response.bytes().await.unwrap().to_vec();
        if status.is_success() {
            return Ok(bytes);
        }
        let problem = Problem::parse(&bytes).expect("every failure is a problem");
        assert_eq!(problem.status, status.as_u16());
        assert!(!problem.next.is_empty(), "it says what to do");
        Err(problem)
    }

    /// Signed by a key and sent.
    pub(crate) async fn by(&self, url: &str, key: &SigningKey) -> Result<Vec<u8>, Problem> {
        self.send(url, Some(&self.sign(url, key))).await
    }
}

pub(crate) fn code<T>(result: Result<T, Problem>) -> Option<Code> {
    result.err().map(|problem| problem.code)
}

pub(crate) fn wrapped(length: usize) -> Wrapped {
    Wrapped {
        key_version: 1,
        enc: [1; 32],
        ciphertext: vec![7; length],
    }
}

pub(crate) fn letter(from: &SigningKey, to: &SigningKey, id: u8, length: usize) -> Letter {
    Letter {
        version: 1,
        sender: from.address(),
        recipient: to.address(),
        id: [id; 32],
        wrapped: wrapped(length),
        tag: None,
    }
}

/// A gateway with the usual limits.
pub(crate) async fn node(ground: &Ground) -> String {
    serve(|url| ground.gateway(url, DailyLimits::default())).await
}

/// The limits, with nothing said of a disk that others fill; a test that gives its own room keeps it.
fn on_any_disk(limits: DailyLimits) -> DailyLimits {
    if limits.little_room == DailyLimits::default().little_room {
        return DailyLimits {
            little_room: 0,
            ..limits
        };
    }
    limits
}
