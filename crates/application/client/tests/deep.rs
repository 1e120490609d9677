//! What goes beyond the walk, over HTTP on the embedded chain: all-record grants and deliveries, key rotation, own
//! records, purges, proof files, revocations and restore, with the contracts' own words.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use medibloc_client::{HttpNetwork, HttpRelay, NetworkConfig, SystemClock, Timing};
use medibloc_consent::Purpose;
use medibloc_devchain::{Chain, Config, Place};
use medibloc_journey::memory::MemoryVault;
use medibloc_journey::{
    Clock as _, Extent, Party, Ports, ProvenEvent, medical_only, verify_proof, verify_proof_with,
};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger_evm::{
    Accreditation, AuthorityWallet, DeployPlan, EvmLedger, KeeperPlan, Rpc, deploy, verify_receipt,
};
use medibloc_node::{
    DailyLimits, Gateway, GatewayConfig, Keeper, KeeperConfig, KeeperKeys, OsEntropy,
    ProviderCredential, WalletRelay, gateway, keeper, system_clock,
};
use medibloc_record::{
    AccountId, Digest, Draft, LossReport, RecordId, Role, Sensitivity, Threshold, keccak256,
};
use medibloc_store::MemoryStore;
use tokio::net::TcpListener;

const WEEK: u64 = 7 * 86_400;

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

struct World {
    ledger: EvmLedger,
    node: String,
    keepers: Vec<(u8, String)>,
    authority: SigningKey,
    wallet: AuthorityWallet,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
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
            folder: Some(folder.path().to_owned()),
            domain: deployed.domain(),
            first_block: deployed.block,
            limits: DailyLimits::default(),
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
            _folder: folder,
        }
    }

    fn party(&self, seed: u64, role: Role) -> Party {
        Party::new(phrase(seed).seed(), role, self.ports())
    }

    fn ports(&self) -> Ports {
        let domain = self.ledger.deployed().domain();
        let (clock, timing) = (Arc::new(SystemClock), Timing::default());
        let ledger = Arc::new(self.ledger.clone());
        let config = NetworkConfig {
            node: self.node.clone(),
            keepers: self.keepers.clone(),
            domain,
            timing,
        };
        let relay = HttpRelay::new(&self.node, domain, clock.clone(), timing).unwrap();
        Ports {
            submit: ledger.clone(),
            relay: Arc::new(relay),
            facts: ledger.clone(),
            events: ledger,
            network: Arc::new(HttpNetwork::new(config, clock.clone()).unwrap()),
            vault: Arc::new(MemoryVault::default()),
            clock,
            entropy: Arc::new(Mutex::new(OsEntropy)),
            domain,
            authority: self.authority.address(),
        }
    }

    async fn accredited(&self, party: &Party, name: &str) -> String {
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
        self.wallet.accredit(&what).await.unwrap();
        jwt
    }
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

async fn pair(world: &World, patient: &Party, seed: u64, name: &str) -> (Party, AccountId) {
    let party = world.party(seed, Role::Provider);
    let jwt = world.accredited(&party, name).await;
    let invitation = patient.invite().await.unwrap();
    let owner = party.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    (party, owner)
}

/// A sync after which nothing is left to do.
async fn synced(party: &Party) -> medibloc_journey::SyncReport {
    let report = party.sync().await.unwrap();
    assert!(
        report.later.is_empty() && report.alarms.is_empty(),
        "{report:?}"
    );
    report
}

async fn opens(party: &Party, record: RecordId) -> bool {
    party.read(record).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_beyond_the_walk_holds_over_http_on_the_embedded_chain() {
    let world = World::new().await;
    let patient = world.party(1, Role::Person);
    let (hospital, owner) = pair(&world, &patient, 2, "Hana Hospital").await;
    let (clinic, clinic_owner) = pair(&world, &patient, 3, "Bit Clinic").await;
    let until = SystemClock.now().plus(WEEK);
    let kinds = medical_only();
    patient.grant_write(owner, kinds, until).await.unwrap();
    let first = hospital
        .write_for(owner, draft("first"))
        .await
        .unwrap()
        .record;
    let diary = patient.write_own(draft("diary")).await.unwrap().record;
    assert_eq!(synced(&patient).await.accepted.len(), 2);

    // All records, then one that comes later.
    let purpose = Purpose::Treatment;
    clinic
        .ask(clinic_owner, purpose, "care", until)
        .await
        .unwrap();
    synced(&patient).await;
    let request = patient.requests().unwrap().pop().unwrap();
    let given = patient
        .approve_all(&request, Extent::All, Sensitivity::Normal, until)
        .await
        .unwrap();
    assert_eq!((given.grants.len(), given.waiting.len()), (3, 0));
    synced(&clinic).await;
    assert!(opens(&clinic, first).await && opens(&clinic, diary).await);
    let second = hospital
        .write_for(owner, draft("second"))
        .await
        .unwrap()
        .record;
    assert_eq!(synced(&patient).await.delivered, 1);
    assert_eq!(synced(&clinic).await.keys, 1);
    assert!(opens(&clinic, second).await);

    // The next sealing key; newer capsules.
    assert_eq!(patient.rotate_sealing_key(owner).await.unwrap(), 2);
    let third = hospital
        .write_for(owner, draft("third"))
        .await
        .unwrap()
        .record;
    synced(&patient).await;
    for record in [first, second, third, diary] {
        let report = patient.verify_record(record).await.unwrap();
        assert!(report.holds(), "{report:#?}");
    }

    // Who read what, for others to check.
    let files = patient.audit_proofs().await.unwrap();
    assert_eq!(files.len(), 3);
    for file in &files {
        assert!(
            verify_proof(file, world.authority.address()).holds(),
            "{file:#?}"
        );
        let contracts = &world.ledger.deployed().contracts;
        let report = verify_proof_with(file, world.authority.address(), |proof| {
            let proven = verify_receipt(proof, contracts).map_err(|error| error.to_string())?;
            Ok(ProvenEvent {
                block: proven.block,
                block_hash: proven.block_hash,
                time: proven.time,
                event: proven.event,
            })
        });
        assert!(report.holds(), "{report:#?}");
        let report = hospital.confirm_proof(file).await.unwrap();
        assert!(report.holds() && report.chain_agrees, "{report:#?}");
    }

    // One contact ends; it purges and says so.
    patient.revoke_contact(request.own).await.unwrap();
    assert!(!opens(&clinic, first).await);
    let report = synced(&clinic).await;
    assert_eq!((report.ended.len(), report.purged.len()), (3, 3));
    synced(&patient).await;
    assert!(
        patient
            .grants()
            .unwrap()
            .iter()
            .all(|(_, given)| given.purged)
    );

    // The permission to write ends, then everything.
    let (id, _) = patient.write_grants().unwrap().remove(0);
    patient.revoke_write(id).await.unwrap();
    let refused = hospital.write_for(owner, draft("late")).await.unwrap_err();
    assert!(refused.to_string().contains("permitted"), "{refused}");
    let later = until.plus(60);
    patient.grant_write(owner, kinds, later).await.unwrap();
    patient.revoke_everything().await.unwrap();
    let refused = hospital.resume_writes().await.unwrap_err();
    assert!(refused.to_string().contains("permitted"), "{refused}");
    assert_eq!(patient.erase(second).await.unwrap(), 7);
    synced(&patient).await;

    let (restored, report) = Party::restore(&phrase(1), Role::Person, world.ports())
        .await
        .unwrap();
    assert_eq!(report.advice(), None, "{report:?}");
    assert_eq!(report.sync.accepted.len(), 3, "{report:?}");
    let text = restored.export_record(first).unwrap();
    assert_eq!(text.parts[0].bytes.as_slice(), b"first");
    let names = |party: &Party| {
        let mut names: Vec<_> = party
            .contact_views()
            .unwrap()
            .into_iter()
            .map(|view| view.name)
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&restored), names(&patient));
    let (ours, theirs) = (restored.given_views().await, patient.given_views().await);
    let states = |views: Vec<medibloc_journey::GrantView>| {
        let mut states: Vec<_> = views
            .into_iter()
            .map(|view| (view.id, view.state, view.records))
            .collect();
        states.sort_by(|one, other| one.0.cmp(&other.0));
        states
    };
    assert_eq!(states(ours.unwrap()), states(theirs.unwrap()));
}
