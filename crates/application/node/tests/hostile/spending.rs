//! Strangers who use up what the relay may spend, and what its wallet has: taking back still goes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_api::{Code, Problem, RelayCall, paths};
use medibloc_dag::cbor;
use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, LedgerError, Outcome, SignedCall, Withdrawal};
use medibloc_ledger_evm::Funds;
use medibloc_node::{Caller, DailyLimits, Forward, Gateway, Proxies, Upkeep, Weight};
use medibloc_record::{Digest, Role};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::attacks::{id, leaf, let_write, record_of};
use crate::http::{ByDigest, Draft, Ground, METRICS, NOW, REASONS, serve};

/// Gas of each call here.
const EACH: u64 = 100_000;
/// What the reserve counts for one withdrawal.
const WITHDRAWAL: u64 = 250_000;

/// A relay whose calls cost gas, at one coin each.
struct Paying {
    chain: ByDigest,
    coins: Mutex<u64>,
    /// What calls take back.
    withdraw: Mutex<HashMap<Vec<u8>, Withdrawal>>,
    /// Other calls fail in a transaction of their own, at the cost of so much gas.
    burns: AtomicU64,
    /// Other calls never come to their end.
    is_stuck: AtomicBool,
    /// How many of those there are.
    entered: Semaphore,
}

#[async_trait]
impl Forward for Paying {
    async fn caller(&self, call: &SignedCall) -> Result<Caller, LedgerError> {
        self.chain.caller(call).await
    }

    async fn forward(&self, source: u64, call: &SignedCall) -> Result<Outcome, LedgerError> {
        let is_back = self.withdraw.lock().unwrap().contains_key(&call.bytes);
        if self.is_stuck.load(Ordering::Relaxed) && !is_back {
            self.entered.add_permits(1);
            return core::future::pending().await;
        }
        let gas = self.burns.load(Ordering::Relaxed);
        if gas > 0 && !is_back {
            self.entered.add_permits(1);
            return Err(LedgerError::Burnt { gas });
        }
        // Others come meanwhile.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        {
            let mut coins = self.coins.lock().unwrap();
            let left = coins.checked_sub(EACH).ok_or_else(|| LedgerError::Limit {
                limit: "its wallet has no coins left".into(),
            });
            *coins = left?;
        }
        self.chain.forward(source, call).await
    }

    fn weight(&self, call: &SignedCall) -> Result<Weight, LedgerError> {
        let withdraws = self.withdraw.lock().unwrap().get(&call.bytes).copied();
        Ok(Weight {
            gas: EACH,
            withdraws,
            goes_first: withdraws.is_some(),
        })
    }

    async fn funds(&self) -> Result<Option<Funds>, LedgerError> {
        let coins = u128::from(*self.coins.lock().unwrap());
        Ok(Some(Funds {
            coins,
            gas_price: 1,
        }))
    }
}

struct World {
    ground: Ground,
    relay: Arc<Paying>,
    owner: SigningKey,
    /// What the owner takes back: a permission to write, a record.
    back: [(Call, Withdrawal); 2],
    hospital: SigningKey,
}

impl World {
    async fn new(coins: u64) -> Self {
        let ground = Ground::new();
        let owner = ground.registered(1).await;
        let hospital = ground.registered_as(2, Role::Provider).await;
        let_write(&ground, &owner, &hospital, Digest::of(b"object")).await;
        let (_, record) = record_of(&owner, &owner, 1, &[leaf(b"one")]);
        ground.call(&owner, &Call::Anchor(record)).await;
        let author = id(&hospital);
        let back = [
            (Call::RevokeWrite { author }, Withdrawal::Author(author)),
            (Call::Erase(record), Withdrawal::Record(record.record_id())),
        ];
        let relay = Arc::new(Paying {
            chain: ByDigest(ground.ledger.clone()),
            coins: Mutex::new(coins),
            withdraw: Mutex::default(),
            burns: AtomicU64::new(0),
            is_stuck: AtomicBool::new(false),
            entered: Semaphore::new(0),
        });
        Self {
            ground,
            relay,
            owner,
            back,
            hospital,
        }
    }

    async fn gateway(&self, limits: DailyLimits) -> (String, Upkeep) {
        let on = Gateway {
            relay: self.relay.clone(),
            ..self.ground.parts()
        };
        let (said, upkeep) = std::sync::mpsc::channel();
        let url = serve(|url| {
            let (router, upkeep) = self.ground.gateway_on(on, url, limits, Proxies::default());
            said.send(upkeep).unwrap();
            router
        })
        .await;
        (url, upkeep.recv().unwrap())
    }

    async fn send(&self, url: &str, by: &SigningKey, call: &Call) -> Result<Vec<u8>, Problem> {
        let call = self.ground.signed(by, call).await;
        relay(&call).send(url, None).await
    }

    async fn ordinary(&self, url: &str, by: &SigningKey, seed: u8) -> Result<Vec<u8>, Problem> {
        let sealing_key = [seed; 32];
        self.send(url, by, &Call::RotateSealingKey { sealing_key })
            .await
    }

    async fn take_back(&self, url: &str, which: usize) -> Result<Vec<u8>, Problem> {
        let (call, what) = &self.back[which];
        let call = self.ground.signed(&self.owner, call).await;
        let known = (call.bytes.clone(), *what);
        self.relay.withdraw.lock().unwrap().extend([known]);
        relay(&call).send(url, None).await
    }
}

fn relay(call: &SignedCall) -> Draft {
    let call = RelayCall {
        bytes: call.bytes.clone(),
        signature: call.signature,
        work: None,
    };
    Draft::post(paths::RELAY, cbor::to_vec(&call))
}

fn limits() -> DailyLimits {
    DailyLimits {
        registration_work: 0,
        reserve: 0,
        ..DailyLimits::default()
    }
}

async fn text(url: &str, path: &str) -> String {
    let answer = Draft::get(path).send(url, None).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn strangers_use_up_a_nodes_gas_and_taking_back_still_goes() {
    let world = World::new(u64::MAX).await;
    let (url, upkeep) = world
        .gateway(DailyLimits {
            gas_of_node: 20 * EACH,
            ..limits()
        })
        .await;
    let (mut gone, mut refused) = (0, Vec::new());
    for seed in 10..40 {
        let stranger = world.ground.registered(seed).await;
        match world.ordinary(&url, &stranger, seed).await {
            Ok(_) => gone += 1,
            Err(problem) => refused.push(problem),
        }
    }
    assert_eq!(gone, 15, "three quarters");
    for problem in &refused {
        assert_eq!(problem.code, Code::Limit);
        let why = "1500000 gas of this node for calls that take nothing back a day";
        assert!(problem.detail.contains(why), "{}", problem.detail);
        assert_eq!(problem.retry_after, Some(86_400 - NOW.0 % 86_400));
    }
    let new = SigningKey::from_bytes(&[50; 32]).unwrap();
    let register = Call::Register {
        role: Role::Person,
        sealing_key: [50; 32],
    };
    let told = world.send(&url, &new, &register).await.unwrap_err();
    assert!(
        told.detail.contains("gas of this node"),
        "a registration costs gas, too: {}",
        told.detail
    );
    world.take_back(&url, 0).await.unwrap();
    world.take_back(&url, 1).await.unwrap();
    assert!(upkeep.once().await);
    let figures = text(&url, METRICS).await;
    assert!(
        figures.contains("\nmedibloc_gas_today 1500000\n"),
        "{figures}"
    );
    world.ordinary(&url, &world.hospital, 3).await.unwrap();
    println!(
        "ATTACK gas-1: {gone} calls of 30 strangers within a node's 20 a day, then refused; a revocation, an erasure and an accredited hospital's call passed"
    );
}

/// A thief has the owner's key, or a chain is slow: as many calls of one address as may be on their way are, and more wait.
#[tokio::test]
async fn what_an_address_takes_back_waits_for_none_of_its_other_calls() {
    let world = World::new(u64::MAX).await;
    let (url, _upkeep) = world.gateway(limits()).await;
    world.relay.is_stuck.store(true, Ordering::Relaxed);
    let mut calls = JoinSet::new();
    for seed in 0..20 {
        let sealing_key = [seed + 1; 32];
        let call = Call::RotateSealingKey { sealing_key };
        let call = relay(&world.ground.signed(&world.owner, &call).await);
        let url = url.clone();
        calls.spawn(async move { call.send(&url, None).await });
    }
    world.relay.entered.acquire_many(8).await.unwrap().forget();
    world.take_back(&url, 0).await.unwrap();
    world.take_back(&url, 1).await.unwrap();
}

#[tokio::test]
async fn what_the_wallet_keeps_pays_for_taking_back_alone() {
    let reserve = 4 * WITHDRAWAL;
    let world = World::new(reserve + 3 * EACH - 1).await;
    let told = DailyLimits {
        reserve: 4,
        ..limits()
    };
    let (url, upkeep) = world.gateway(told.clone()).await;
    assert_eq!(text(&url, paths::READYZ).await, "ok\n");
    // At once: what is on its way counts before it is paid.
    let mut calls = JoinSet::new();
    for seed in 10..30 {
        let stranger = world.ground.registered(seed).await;
        let sealing_key = [seed; 32];
        let call = Call::RotateSealingKey { sealing_key };
        let call = relay(&world.ground.signed(&stranger, &call).await);
        let url = url.clone();
        calls.spawn(async move { call.send(&url, None).await });
    }
    let answers = calls.join_all().await;
    let gone = answers.iter().filter(|it| it.is_ok()).count();
    assert_eq!(gone, 2);
    for problem in answers.into_iter().filter_map(Result::err) {
        assert_eq!(problem.code, Code::Limit);
        let why =
            "the relay keeps what it has for revocations and erasures; its operator must add coins";
        assert_eq!(problem.detail.as_str(), why);
        assert_eq!(problem.retry_after, Some(600));
    }
    let held = *world.relay.coins.lock().unwrap();
    assert_eq!(held, reserve + EACH - 1);
    world.take_back(&url, 0).await.unwrap();

    let (url, again) = world.gateway(told.clone()).await;
    assert!(again.once().await);
    let ready = text(&url, REASONS).await;
    assert!(ready.starts_with("degraded: the relay's wallet"), "{ready}");
    let figures = text(&url, METRICS).await;
    for line in [
        format!("medibloc_wallet_balance {}", reserve - 1),
        "medibloc_wallet_withdrawals 3".into(),
    ] {
        assert!(figures.contains(&format!("\n{line}\n")), "{figures}");
    }
    world.take_back(&url, 1).await.unwrap();

    *world.relay.coins.lock().unwrap() = 1;
    let (url, _again) = world.gateway(told).await;
    let ready = Draft::get(REASONS).send(&url, None).await;
    let ready = ready.unwrap_err();
    assert_eq!(ready.code, Code::Unavailable);
    assert!(ready.detail.contains("must add coins"), "{}", ready.detail);
    drop(upkeep);
    println!(
        "ATTACK gas-2: {gone} of 20 calls at once of strangers until the reserve of 4 withdrawals; a revocation and an erasure passed below it"
    );
}

/// However short ago the wallet was looked at: a call that ended since, of whatever kind, shows.
#[tokio::test]
async fn the_wallets_figure_is_never_older_than_the_last_call() {
    let world = World::new(10 * EACH).await;
    let (url, _upkeep) = world.gateway(limits()).await;
    let coins = async || {
        assert_eq!(text(&url, REASONS).await, "ok\n");
        let figures = text(&url, METRICS).await;
        let line = figures
            .lines()
            .find_map(|line| line.strip_prefix("medibloc_wallet_balance "));
        line.unwrap().parse::<u64>().unwrap() / EACH
    };
    assert_eq!(coins().await, 10);
    world.ordinary(&url, &world.hospital, 3).await.unwrap();
    assert_eq!(coins().await, 9);
    world.take_back(&url, 0).await.unwrap();
    assert_eq!(coins().await, 8, "taking back costs the wallet, too");
}

/// Calls that fail alone cost the relay gas that nobody asked for.
#[tokio::test]
async fn who_burns_the_wallets_gas_is_charged_for_it_and_its_day_ends() {
    const BURNT: u64 = 5_000_000;
    let world = World::new(u64::MAX).await;
    let (url, upkeep) = world.gateway(limits()).await;
    let mut thieves = Vec::new();
    for seed in 10..15 {
        thieves.push(world.ground.registered(seed).await);
    }
    world.relay.burns.store(BURNT, Ordering::Relaxed);
    let mut told = Vec::new();
    for (thief, seed) in thieves.iter().zip(1..) {
        for again in 0..4 {
            let sent = world.ordinary(&url, thief, seed * 10 + again).await;
            told.push(sent.unwrap_err());
        }
    }
    let failed = told.iter().filter(|it| it.code == Code::Contract);
    assert_eq!(failed.count(), 12, "{told:?}");
    assert!(told[0].detail.contains("5000000 gas"), "{}", told[0].detail);
    let reached = world.relay.entered.available_permits();
    assert_eq!(reached, 12, "the others never left the node");
    for (at, why) in [
        (3, "3 calls of this address whose transactions failed a day"),
        (
            16,
            "12 calls from this source whose transactions failed a day",
        ),
    ] {
        assert_eq!(told[at].code, Code::Limit);
        assert!(told[at].detail.contains(why), "{}", told[at].detail);
        assert_eq!(told[at].retry_after, Some(86_400 - NOW.0 % 86_400));
    }
    assert!(upkeep.once().await);
    let figures = text(&url, METRICS).await;
    assert!(
        figures.contains("\nmedibloc_gas_today 60000000\n"),
        "{figures}"
    );
    assert!(figures.contains("\nmedibloc_burnt_gas_total "), "{figures}");
    // From the same source.
    world.take_back(&url, 0).await.unwrap();
    world.take_back(&url, 1).await.unwrap();
    println!(
        "ATTACK fresh-1: 20 calls that fail alone of 5 addresses of one source: 12 reached the chain and were charged with their 60 M gas, then the source's day was over; a revocation and an erasure from it passed"
    );
}
