//! Strangers with valid keys against the real programs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use medibloc_api::{Code, Deployment, LetterPage, LettersDone, Problem, paths};
use medibloc_consent::{
    AnchorFields, BindingTag, Grant, KindSet, Purpose, Scope, Terms, WriteGrant,
};
use medibloc_dag::{Block, Cid, Codec, cbor};
use medibloc_evil::stranger::{Answer, Stranger, junk, put};
use medibloc_ledger::Call;
use medibloc_ledger_evm::EvmLedger;
use medibloc_node::{connect, system_clock};
use medibloc_record::{AccountId, ClassId, Digest, Kind, Nonce, Package, PackagePart, RecordId};
use reqwest::Method;
use tokio::net::{TcpListener, TcpStream};

use crate::start::{Institution, Running, done, ready};

/// Programs with a chain, and the limits that the gateway is told.
pub(crate) struct World {
    pub(crate) institution: Institution,
    pub(crate) deployment: Deployment,
    pub(crate) ledger: EvmLedger,
    gateway: Running,
    nonce: AtomicU64,
}

impl World {
    pub(crate) async fn new(limits: &str) -> Self {
        let institution = Institution::new();
        let at = institution.folder.path();
        let config = std::fs::read_to_string(at.join("node.toml")).unwrap();
        let config = config.replace("requests = 1000000\n", limits);
        std::fs::write(at.join("node.toml"), config).unwrap();
        let file = std::fs::read(at.join("deployment.json")).unwrap();
        let deployment = Deployment::parse(&file).unwrap();
        let ledger = connect(&deployment).await.unwrap();
        let gateway = institution.start_gateway();
        ready(&institution.node).await;
        Self {
            institution,
            deployment,
            ledger,
            gateway,
            nonce: AtomicU64::new(1),
        }
    }

    /// Where the chain listens.
    pub(crate) fn chain(&self) -> String {
        let url = &self.deployment.rpc_urls[0];
        url.strip_prefix("http://").unwrap().to_owned()
    }

    pub(crate) fn stranger(&self, number: u64) -> Stranger {
        Stranger::new(number, &self.institution.node, self.deployment.domain())
    }

    pub(crate) async fn registered(&self, number: u64) -> Stranger {
        let stranger = self.stranger(number);
        let answer = stranger
            .register(&self.ledger, system_clock()())
            .await
            .unwrap();
        assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
        stranger
    }

    async fn send(&self, by: &Stranger, method: Method, target: &str, body: Vec<u8>) -> Answer {
        let number = self.nonce.fetch_add(1, Ordering::SeqCst);
        let nonce = Digest::of(&number.to_be_bytes()).to_bytes();
        by.send(method, target, body, (system_clock()(), nonce))
            .await
    }

    pub(crate) async fn call(&self, by: &Stranger, call: &Call) -> Answer {
        let signed = by.sign(&self.ledger, call, system_clock()()).await.unwrap();
        by.relay(&signed, None).await
    }

    /// A write grant, so that there is something to take back.
    pub(crate) async fn permit(&self, owner: &Stranger, author: &Stranger) {
        let grant = WriteGrant {
            nonce: Nonce::new([7; 32]),
            owner: id(owner),
            author: id(author),
            kinds: KindSet::of(&[Kind::Family]),
            until: system_clock()().plus(90_000),
            digest: Digest::of(b"object"),
        };
        let answer = self.call(owner, &Call::GrantWrite(grant)).await;
        assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
    }

    /// What the relay's wallet has now: `/metrics` alone tells what the last look saw, and `/readyz` looks.
    pub(crate) async fn coins(&self) -> String {
        let ask = async |path| {
            let answer = reqwest::get(format!("{}{path}", self.institution.operator)).await;
            answer.unwrap().text().await.unwrap()
        };
        ask(paths::READYZ).await;
        let text = ask(paths::METRICS).await;
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with("medibloc_wallet_balance "));
        line.unwrap().to_owned()
    }

    /// The gateway's resident memory in KiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.gateway.0.id()));
        let status = status.unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.unwrap().split_whitespace().nth(1);
        number.unwrap().parse().unwrap()
    }
}

fn id(of: &Stranger) -> AccountId {
    AccountId::from_first_address(of.key.address())
}

fn problem(answer: &Answer) -> Problem {
    Problem::parse(&answer.1).unwrap_or_else(|| panic!("{} is no problem", answer.0))
}

#[tokio::test]
async fn junk_letters_neither_use_up_the_victims_day_nor_stop_its_revocation() {
    let world = World::new("requests = 60\n").await;
    let (victim, author) = (world.registered(1).await, world.registered(2).await);
    world.permit(&victim, &author).await;
    let mut kept = 0;
    for number in 0..10 {
        let stranger = world.registered(100 + number).await;
        for letter in 0..55u64 {
            let letter_id = Digest::of(&[number.to_be_bytes(), letter.to_be_bytes()].concat());
            let body = junk(&stranger, &victim.key, letter_id.to_bytes(), 100);
            let answer = world
                .send(&stranger, Method::POST, paths::MAILBOX, body)
                .await;
            kept += u32::from(answer.0 == 204);
        }
    }
    let began = Instant::now();
    let mut removed = 0;
    loop {
        let (status, page) = world
            .send(&victim, Method::GET, &paths::letters(0), Vec::new())
            .await;
        assert_eq!(status, 200);
        let page: LetterPage = cbor::from_slice(&page).unwrap();
        if page.letters.is_empty() {
            break;
        }
        let ids: Vec<[u8; 32]> = page.letters.iter().map(|letter| letter.id).collect();
        removed += ids.len();
        // One by one, as the findings' victim did, and the rest at once.
        for one in &ids[..10] {
            let answer = world
                .send(&victim, Method::DELETE, &paths::letter(one), Vec::new())
                .await;
            assert_eq!(answer.0, 204);
        }
        let body = cbor::to_vec(&LettersDone::of_ids(&ids));
        let answer = world
            .send(&victim, Method::POST, paths::LETTERS_DONE, body)
            .await;
        assert_eq!(answer.0, 204);
    }
    let emptied = began.elapsed().as_secs_f32();
    let began = Instant::now();
    let answer = world.call(&victim, &Call::RevokeAll).await;
    assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
    let revoked = began.elapsed().as_secs_f32();
    assert!(removed <= 400, "{removed}");
    println!(
        "ATTACK security-5: 550 junk letters sent, {kept} taken, {removed} left waiting, removed in {emptied:.2} s, revoked in {revoked:.2} s, 0 refusals"
    );
}

#[tokio::test]
async fn registrations_that_fail_use_up_nobodys_day() {
    let world = World::new("registrations = 4\nregistrations_a_source = 4\n").await;
    let now = system_clock()();
    let mut tried = 0;
    for number in 0..60 {
        let stranger = world.stranger(1_000 + number);
        let call = Call::Register {
            role: medibloc_record::Role::Person,
            sealing_key: [1; 32],
        };
        let free = stranger.sign(&world.ledger, &call, now).await.unwrap();
        let answer = stranger.relay(&free, None).await;
        assert_eq!(problem(&answer).code, Code::WorkNeeded);
        // With work, and over since long: the chain refuses it.
        let past = medibloc_record::Timestamp(now.0 - 100_000);
        let late = stranger.sign(&world.ledger, &call, past).await.unwrap();
        let work = if number < 10 {
            stranger.work(&late).await
        } else {
            None
        };
        let answer = stranger.relay(&late, work).await;
        assert_ne!(answer.0, 200);
        assert_ne!(problem(&answer).code, Code::Limit);
        tried += 2;
    }
    for number in 0..4 {
        world.registered(number).await;
    }
    let answer = world
        .stranger(9)
        .register(&world.ledger, now)
        .await
        .unwrap();
    let refused = problem(&answer);
    assert_eq!(refused.code, Code::Limit);
    assert!(
        refused
            .detail
            .contains("4 registrations of this source a day"),
        "{}",
        refused.detail
    );
    assert!(refused.retry_after.is_some());
    let began = Instant::now();
    let stranger = world.stranger(10);
    let call = Call::RevokeAll;
    let call = stranger.sign(&world.ledger, &call, now).await.unwrap();
    assert!(stranger.work(&call).await.is_some());
    let work = began.elapsed().as_secs_f32();
    println!(
        "ATTACK security-11: 4 of 4 honest registrations after {tried} that failed; the work of one takes {work:.2} s here"
    );
}

#[tokio::test]
async fn a_call_and_an_address_have_so_much_gas_and_taking_back_is_never_refused() {
    let world = World::new("gas = 4000000\n").await;
    let (owner, author) = (world.registered(1).await, world.registered(2).await);
    world.permit(&owner, &author).await;
    let batch = |number: u8, count: u8| {
        let one = |index: u8| AnchorFields {
            nonce: Nonce::new([[number, index]; 16].concat().try_into().unwrap()),
            author: id(&owner),
            owner: id(&owner),
            package: Digest::of(&[number, index]),
            key_set: Digest::of(b"key set"),
            capsule: Digest::of(b"capsule"),
            attestation: Digest::of(b"attestation"),
            kind: Kind::Own,
            class: ClassId(0),
            amends: None,
        };
        Call::AnchorBatch {
            batch: (0..count).map(one).collect(),
            amended: Vec::new(),
        }
    };
    let huge = world.call(&owner, &batch(1, 180)).await;
    let refused = problem(&huge);
    assert_eq!(refused.code, Code::Limit);
    assert!(
        refused.detail.contains("3000000 gas of one call"),
        "{}",
        refused.detail
    );
    let mut executed = 0;
    let refused = loop {
        let answer = world.call(&owner, &batch(10 + executed, 20)).await;
        if answer.0 != 200 {
            break problem(&answer);
        }
        executed += 1;
        assert!(executed < 40, "nothing ends it");
    };
    assert!(
        refused.detail.contains("4000000 gas of this account a day"),
        "{}",
        refused.detail
    );
    let answer = world.call(&owner, &Call::RevokeAll).await;
    assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
    println!(
        "ATTACK security-18: a call of 8.2 M gas refused, {executed} of 20 entries each within 4 M a day, then refused; the revocation passed"
    );
}

#[tokio::test]
async fn what_is_on_disk_is_nobody_elses() {
    let world = World::new("requests = 1000\n").await;
    let keeper = world.institution.start_keeper();
    ready(&world.institution.keeper).await;
    let stranger = world.registered(1).await;
    let block = Block::of(Codec::Raw, b"sealed".to_vec()).unwrap();
    let answer = world
        .send(&stranger, Method::POST, paths::BLOCKS, put(&[block]))
        .await;
    assert_eq!(answer.0, 204);
    let (mut files, mut open) = (0, Vec::new());
    let at = world.institution.folder.path();
    for folder in ["node", "keepers/keeper-1"] {
        look(&at.join(folder), &mut files, &mut open);
    }
    println!(
        "ATTACK security-19: {} of {files} files and folders of node and keeper open to others",
        open.len()
    );
    assert!(files > 8 && open.is_empty(), "{open:?}");
    keeper.end();
}

fn look(path: &Path, files: &mut u32, open: &mut Vec<String>) {
    let about = std::fs::metadata(path).unwrap();
    *files += 1;
    if about.permissions().mode() & 0o077 != 0 {
        open.push(path.display().to_string());
    }
    if about.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            look(&entry.unwrap().path(), files, open);
        }
    }
}

#[tokio::test]
async fn a_wallet_without_coins_is_told_once_and_by_readiness_and_figures() {
    let institution = Institution::new();
    let at = institution.folder.path();
    done(at, &["keys", "wallet", "--out", "poor.json"]);
    let config = std::fs::read_to_string(at.join("node.toml")).unwrap();
    let config = config.replace("relay.json", "poor.json");
    std::fs::write(at.join("node.toml"), config).unwrap();
    let gateway = institution.start_gateway();
    let url = &institution.operator;
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(60), "never told");
        let Ok(response) = reqwest::get(format!("{url}/readyz")).await else {
            tokio::task::yield_now().await;
            continue;
        };
        assert_eq!(response.status().as_u16(), 503);
        let problem = Problem::parse(&response.bytes().await.unwrap()).unwrap();
        if problem.detail.contains("cannot pay for a revocation") {
            break;
        }
    }
    for _ in 0..20 {
        let figures = reqwest::get(format!("{url}/metrics")).await.unwrap();
        let figures = figures.text().await.unwrap();
        assert!(
            figures.contains("\nmedibloc_wallet_balance 0\n"),
            "{figures}"
        );
        reqwest::get(format!("{url}/readyz")).await.unwrap();
    }
    let file = std::fs::read(at.join("deployment.json")).unwrap();
    let deployment = Deployment::parse(&file).unwrap();
    let ledger = connect(&deployment).await.unwrap();
    let stranger = Stranger::new(1, &institution.node, deployment.domain());
    let answer = stranger.register(&ledger, system_clock()()).await.unwrap();
    let refused = problem(&answer);
    assert_eq!(refused.code, Code::Limit);
    assert!(refused.detail.contains("keeps what it has"), "{refused:?}");
    let log = gateway.end();
    assert_eq!(
        log.matches("cannot pay for a revocation").count(),
        1,
        "{log}"
    );
}

#[tokio::test]
async fn the_order_of_starting_does_not_matter() {
    let institution = Institution::new();
    let at = institution.folder.path();
    let text = std::fs::read_to_string(at.join("deployment.json")).unwrap();
    let deployment = Deployment::parse(text.as_bytes()).unwrap();
    let chain = deployment.rpc_urls[0]
        .strip_prefix("http://")
        .unwrap()
        .to_owned();
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let early = place.local_addr().unwrap();
    drop(place);
    std::fs::write(
        at.join("deployment.json"),
        text.replace(&chain, &early.to_string()),
    )
    .unwrap();
    let (gateway, keeper) = (institution.start_gateway(), institution.start_keeper());
    for url in [&institution.node, &institution.keeper] {
        let began = Instant::now();
        loop {
            match reqwest::get(format!("{url}/readyz")).await {
                Ok(response) => {
                    assert_eq!(response.status().as_u16(), 503);
                    let problem = Problem::parse(&response.bytes().await.unwrap()).unwrap();
                    assert!(!problem.detail.contains("chain"), "{}", problem.detail);
                    break;
                }
                Err(_) => tokio::task::yield_now().await,
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "it ended, or never listened"
            );
        }
    }
    // The chain comes up.
    let listener = TcpListener::bind(early).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (mut here, _) = listener.accept().await.unwrap();
            let chain = chain.clone();
            tokio::spawn(async move {
                let mut there = TcpStream::connect(chain).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
            });
        }
    });
    ready(&institution.node).await;
    ready(&institution.keeper).await;
    for log in [gateway.end(), keeper.end()] {
        assert!(log.contains("waiting for the chain"), "{log}");
    }
    println!(
        "ATTACK newcomer-13: gateway and keeper waited for the chain and were ready when it came"
    );
}

/// A package of many leaves that never come.
fn hollow(record: RecordId) -> Block {
    let leaves = (0..2_000u32).map(|number| PackagePart {
        cid: Cid::of_raw(&[record.as_bytes().as_slice(), &number.to_be_bytes()].concat()),
        size: 8_192,
    });
    let package = Package {
        version: 1,
        suite: 1,
        record,
        manifest_nonce: [2; 24],
        manifest: vec![3; 16],
        manifest_cid: None,
        key_commitment: [4; 32],
        parts: leaves.collect(),
    };
    Block::of(Codec::DagCbor, cbor::to_vec(&package)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_keep_neither_readiness_nor_a_revocation_waiting() {
    let world = Arc::new(World::new("requests = 100000\n").await);
    let (victim, author) = (world.registered(1).await, world.registered(2).await);
    let attacker = world.registered(3).await;
    world.permit(&victim, &author).await;
    let idle = world.memory();
    for number in 0..20u8 {
        let nonce = Nonce::new([number; 32]);
        let package = hollow(RecordId::derive(id(&attacker), id(&attacker), nonce));
        let digest = Digest::new(package.cid().digest());
        let body = put(&[package]);
        let answer = world
            .send(&attacker, Method::POST, paths::BLOCKS, body)
            .await;
        assert_eq!(answer.0, 204);
        let anchor = Call::Anchor(AnchorFields {
            nonce,
            author: id(&attacker),
            owner: id(&attacker),
            package: digest,
            key_set: digest,
            capsule: digest,
            attestation: digest,
            kind: Kind::Own,
            class: ClassId(0),
            amends: None,
        });
        assert_eq!(world.call(&attacker, &anchor).await.0, 200);
    }
    let (end, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut floods = Vec::new();
    for lane in 0..4u64 {
        let (world, end, asked, attacker) =
            (world.clone(), end.clone(), asked.clone(), attacker.clone());
        floods.push(tokio::spawn(async move {
            let mut number = 0u64;
            while !end.load(Ordering::SeqCst) || number < 500 {
                number += 1;
                let odd = Method::from_bytes(format!("ODD{lane}X{number}").as_bytes()).unwrap();
                let _ = attacker.ask(odd, paths::METRICS, Vec::new()).await;
                let junk = format!("/v1/{number}");
                let _ = attacker.ask(Method::GET, &junk, Vec::new()).await;
                let _ = attacker
                    .ask(Method::POST, paths::RELAY, vec![0xa0; 1_000])
                    .await;
                let cid = Cid::of_raw(&number.to_be_bytes());
                let target = paths::block(&cid.to_string());
                let _ = world
                    .send(&attacker, Method::GET, &target, Vec::new())
                    .await;
                asked.fetch_add(4, Ordering::SeqCst);
            }
        }));
    }
    let (mut slowest, mut peak) = (Duration::ZERO, idle);
    while asked.load(Ordering::SeqCst) < 3_000 {
        let began = Instant::now();
        let answer = victim.ask(Method::GET, paths::READYZ, Vec::new()).await;
        assert_eq!(answer.0, 200);
        slowest = slowest.max(began.elapsed());
        peak = peak.max(world.memory());
    }
    let began = Instant::now();
    let answer = world.call(&victim, &Call::RevokeAll).await;
    let revoked = began.elapsed();
    assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
    end.store(true, Ordering::SeqCst);
    for flood in floods {
        flood.await.unwrap();
    }
    peak = peak.max(world.memory());
    let figures = format!("{}{}", world.institution.operator, paths::METRICS);
    let figures = reqwest::get(figures).await.unwrap().text().await.unwrap();
    let lines = figures.lines().count();
    let grown = peak.saturating_sub(idle) >> 10;
    println!(
        "ATTACK security-7: {} requests of odd methods, paths, calls and blocks: readyz at most {:.2} s, a revocation {:.2} s, {grown} MiB above idle, {lines} lines of figures",
        asked.load(Ordering::SeqCst),
        slowest.as_secs_f32(),
        revoked.as_secs_f32(),
    );
    // A busy machine says nothing about a second: the bound is that of `cargo xtask attack`.
    if std::env::var_os("MEDIBLOC_ATTACK").is_some() {
        assert!(slowest < Duration::from_secs(1) && revoked < Duration::from_secs(1));
    }
    assert!(grown <= 256, "{grown} MiB");
    // Thousands of names were sent: the figures have those that the node knows, and no others.
    assert!(lines < 200 && !figures.contains("ODD"), "{figures}");
}

#[tokio::test]
async fn taking_back_is_free_only_for_what_was_given() {
    let world = World::new("requests = 20\n").await;
    let (evil, author) = (world.registered(1).await, world.registered(2).await);
    world.permit(&evil, &author).await;
    let now = system_clock()();
    let terms = Terms {
        scope: Scope::All,
        purpose_tag: Purpose::Treatment.tag([1; 32]),
        from: now,
        until: now.plus(90_000),
        reads: None,
        binding: BindingTag::default(),
        digest: Digest::of(b"object"),
    };
    let given = [1, 2].map(|number| {
        let nonce = Nonce::new([number; 32]);
        Grant::new(id(&evil), id(&author), nonce, terms.clone())
    });
    let record = AnchorFields {
        nonce: Nonce::new([3; 32]),
        author: id(&evil),
        owner: id(&evil),
        package: Digest::of(b"package"),
        key_set: Digest::of(b"key set"),
        capsule: Digest::of(b"capsule"),
        attestation: Digest::of(b"attestation"),
        kind: Kind::Own,
        class: ClassId(0),
        amends: None,
    };
    let grants = given.clone().map(|grant| Call::Grant {
        grant,
        anchor: None,
    });
    for call in grants.iter().chain([&Call::Anchor(record)]) {
        let answer = world.call(&evil, call).await;
        assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
    }
    let mut paid = 0;
    let refused = loop {
        let mut reader = [0; 20];
        reader[0] = paid;
        let reader = AccountId::new(reader);
        let answer = world.call(&evil, &Call::RevokeReader { reader }).await;
        if answer.0 != 200 {
            break problem(&answer);
        }
        paid += 1;
        assert!(paid < 40, "nothing ends it");
    };
    assert_eq!(refused.code, Code::Limit);
    // What was given is taken back all the same, once.
    let (author, [grant, _]) = (id(&author), given);
    for call in [
        Call::Revoke(grant),
        Call::RevokeReader { reader: author },
        Call::RevokeWrite { author },
        Call::Erase(record),
    ] {
        let answer = world.call(&evil, &call).await;
        assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
    }
    let answer = world.call(&evil, &Call::RevokeAll).await;
    assert_eq!(problem(&answer).code, Code::Limit, "nothing is left of it");
    println!(
        "ATTACK crowd-6: {paid} calls that take nothing back within a limit of 20 requests, then refused; three real revocations and an erasure passed"
    );
}
