//! Chains with the contracts on them.

use core::time::Duration;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use alloy::providers::{Provider, RootProvider};
use alloy::rpc::client::RpcClient;
use async_trait::async_trait;
use medibloc_devchain::{Chain, Config, Place, test_accounts};
use medibloc_keys::SigningKey;
use medibloc_ledger::contract::Stage;
use medibloc_ledger::{Events, Facts, LedgerError, Outcome, Relay, Submit};
use medibloc_ledger_evm::{
    Accreditation, AuthorityWallet, DeployPlan, EvmLedger, KeeperPlan, RelayOptions, RelayWallet,
    Rpc, deploy, rotate_address,
};
use medibloc_record::{AccountId, Digest, Threshold, Timestamp};
use serde_json::{Value, json};

/// The first account of "test test … junk", which every development chain gives coins to.
pub(crate) const DEPLOYER: [u8; 32] = [
    0xac, 0x09, 0x74, 0xbe, 0xc3, 0x9a, 0x17, 0xe3, 0x6b, 0xa4, 0xa6, 0xb4, 0xd2, 0x38, 0xff, 0x94,
    0x4b, 0xac, 0xb4, 0x78, 0xcb, 0xed, 0x5e, 0xfc, 0xae, 0x78, 0x4d, 0x7b, 0xf4, 0xf2, 0xff, 0x80,
];

/// A chain that runs as long as this lives.
pub(crate) struct Running {
    pub(crate) name: &'static str,
    pub(crate) client: RpcClient,
    process: Option<Child>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

pub(crate) fn devchain() -> Running {
    let mut config = Config::default();
    config.test_methods = true;
    config.accounts = test_accounts();
    let chain = Chain::open(Place::Memory, config).unwrap();
    Running {
        name: "devchain",
        client: chain.client(),
        process: None,
    }
}

/// The embedded chain behind its HTTP server, as other programs see it.
pub(crate) async fn served(place: Place) -> Running {
    let mut config = Config::default();
    config.test_methods = true;
    config.accounts = test_accounts();
    let chain = Chain::open(place, config).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    medibloc_transport::install_provider();
    tokio::spawn(medibloc_devchain::serve(chain, listener));
    Running {
        name: "devchain over HTTP",
        client: RpcClient::new_http(url.parse().unwrap()),
        process: None,
    }
}

/// Anvil on a port of its own choice, or nothing and a line that says so.
pub(crate) fn anvil(test: &str, arguments: &[&str]) -> Option<Running> {
    let place = "../../../contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
    if !program.exists() {
        println!("SKIPPED anvil/{test}: no Foundry; run `npm ci` in contracts");
        return None;
    }
    let mut process = Command::new(program)
        .args(["--port", "0", "--hardfork", "cancun"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = lines
        .find_map(|line| Some(line.ok()?.strip_prefix("Listening on ")?.to_owned()))
        .expect("anvil says where it listens");
    // it must not block on a full pipe
    std::thread::spawn(move || lines.for_each(drop));
    let url = format!("http://{address}").parse().unwrap();
    medibloc_transport::install_provider();
    Some(Running {
        name: "anvil",
        client: RpcClient::new_http(url),
        process: Some(process),
    })
}

pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32]).unwrap()
}

/// The wallet that has a few transactions' worth of coins.
pub(crate) const POOR: u8 = 75;

/// The contracts on a chain, with the authority's and the relay's wallets.
pub(crate) struct Scene {
    pub(crate) ledger: EvmLedger,
    pub(crate) relay: RelayWallet,
    pub(crate) authority: AuthorityWallet,
    registrar: AuthorityWallet,
    pub(crate) raw: RootProvider,
    // dropped last: the others talk to it
    chain: Running,
}

impl Scene {
    pub(crate) async fn set(chain: Running, finality_depth: u64) -> Self {
        let rpc = Rpc::over(vec![(chain.name.into(), chain.client.clone())])
            .unwrap()
            .polling(Duration::from_millis(5));
        let deployer = SigningKey::from_bytes(&DEPLOYER).unwrap();
        let (relay, accreditor, registrar) = (key(70), key(71), key(73));
        let coin = 10_u128.pow(18);
        let plan = DeployPlan {
            authority: key(72).address(),
            accreditor: accreditor.address(),
            registrar: registrar.address(),
            threshold: Threshold::new(7, 4).unwrap(),
            keepers: (1..=7)
                .map(|index| KeeperPlan {
                    index,
                    signer: key(80 + index).address(),
                    wrap_key: [index; 32],
                    endpoint: format!("http://keeper-{index}.example"),
                })
                .collect(),
            funds: vec![
                (relay.address(), 100 * coin),
                (accreditor.address(), 100 * coin),
                (registrar.address(), 100 * coin),
                (key(POOR).address(), coin / 800),
            ],
        };
        let deployed = deploy(&rpc, &deployer, &plan).await.unwrap();
        let ledger = EvmLedger::connect(rpc, deployed, finality_depth)
            .await
            .unwrap();
        Self {
            relay: RelayWallet::start(&ledger, &relay, RelayOptions::default()),
            authority: AuthorityWallet::new(&ledger, &accreditor),
            registrar: AuthorityWallet::new(&ledger, &registrar),
            raw: RootProvider::new(chain.client.clone()),
            ledger,
            chain,
        }
    }

    pub(crate) fn client(&self) -> &RpcClient {
        &self.chain.client
    }

    /// Asks the node a plain question.
    pub(crate) async fn ask(&self, method: &'static str, arguments: Value) -> Value {
        self.raw
            .raw_request(method.into(), arguments)
            .await
            .unwrap()
    }

    pub(crate) async fn mine(&self) {
        self.ask("evm_mine", json!([])).await;
    }
}

#[async_trait]
impl Stage for Scene {
    fn submit(&self) -> &dyn Submit {
        &self.ledger
    }
    fn relay(&self) -> &dyn Relay {
        &self.relay
    }
    fn facts(&self) -> &dyn Facts {
        &self.ledger
    }
    fn events(&self) -> &dyn Events {
        &self.ledger
    }

    async fn accredit(
        &self,
        account: AccountId,
        from: Timestamp,
        until: Timestamp,
        evidence: Digest,
    ) -> Result<(), LedgerError> {
        let what = Accreditation {
            account,
            profession: [0; 32],
            jurisdiction: *b"KR",
            from,
            until,
            evidence,
        };
        self.authority.accredit(&what).await.map(|_| ())
    }

    async fn suspend(&self, account: AccountId) -> Result<(), LedgerError> {
        self.authority.suspend(account).await.map(|_| ())
    }

    async fn reinstate(&self, account: AccountId) -> Result<(), LedgerError> {
        self.authority.reinstate(account).await.map(|_| ())
    }

    async fn rotate_address(
        &self,
        who: &SigningKey,
        next: &SigningKey,
    ) -> Result<Outcome, LedgerError> {
        rotate_address(&self.ledger, &self.relay, who, next).await
    }

    async fn form_committee(&self, threshold: Threshold) -> Result<(), LedgerError> {
        self.registrar.form_committee(threshold).await.map(|_| ())
    }

    async fn wait(&self, seconds: u64) -> Result<(), LedgerError> {
        self.ask("evm_increaseTime", json!([seconds])).await;
        self.mine().await;
        Ok(())
    }
}
