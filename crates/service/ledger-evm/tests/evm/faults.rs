//! Nodes that fall silent: before they heard a question, or after they did what it asked.

use core::task::{Context, Poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alloy::rpc::client::RpcClient;
use alloy::rpc::json_rpc::{RequestPacket, ResponsePacket};
use alloy::transports::{BoxTransport, TransportError, TransportErrorKind, TransportFut};
use medibloc_keys::SigningKey;
use medibloc_ledger::{
    BlockEvents, Call, Event, Events, Facts, Follow, LedgerError, Outcome, Relay, SignedCall, Step,
    Submit,
};
use medibloc_ledger_evm::{EvmLedger, RelayOptions, RelayWallet, Rpc, Source};
use medibloc_record::{AccountId, Role, Timestamp};

use crate::chains::{POOR, Scene, devchain, key};

/// A node that every so often gives no answer.
#[derive(Clone)]
struct Flaky {
    inner: BoxTransport,
    asked: Arc<AtomicUsize>,
    every: usize,
}

impl tower::Service<RequestPacket> for Flaky {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let silent = asked.is_multiple_of(self.every);
        let unheard = silent && (asked / self.every).is_multiple_of(2);
        let answer = (!unheard).then(|| self.inner.call(packet));
        Box::pin(async move {
            let answer = match answer {
                Some(answer) => Some(answer.await?),
                None => None,
            };
            match answer.filter(|_| !silent) {
                Some(answer) => Ok(answer),
                None => Err(TransportErrorKind::custom_str("the line is cut")),
            }
        })
    }
}

fn flaky(client: &RpcClient, every: usize) -> (String, RpcClient) {
    let transport = Flaky {
        inner: client.transport().clone(),
        asked: Arc::default(),
        every,
    };
    (format!("silent-{every}"), RpcClient::new(transport, true))
}

/// Asks again until there is an answer, as every job does.
macro_rules! insist {
    ($question:expr) => {{
        let mut tries = 0;
        loop {
            match $question.await {
                Ok(answer) => break answer,
                Err(error) => assert!(error.is_retryable() && tries < 200, "{error}"),
            }
            tries += 1;
        }
    }};
}

async fn connect(rpc: &Rpc, scene: &Scene) -> EvmLedger {
    insist!(EvmLedger::connect(rpc.clone(), *scene.ledger.deployed(), 0))
}

async fn sign(ledger: &EvmLedger, who: &SigningKey, call: &Call) -> SignedCall {
    let deadline = Timestamp(u64::MAX);
    let unsigned = insist!(ledger.prepare(who.address(), call, deadline));
    let signature = who.sign_digest(&unsigned.digest);
    unsigned.sign(signature)
}

#[tokio::test]
async fn whatever_is_lost_each_request_is_executed_once() {
    const PEOPLE: u8 = 10;
    let scene = Scene::set(devchain(), 0).await;
    for every in [2, 3, 7, 11] {
        let rpc = Rpc::over(vec![flaky(scene.client(), every)])
            .unwrap()
            .polling(Duration::from_millis(5));
        let ledger = Arc::new(connect(&rpc, &scene).await);
        let relay = RelayWallet::start(&ledger, &key(70), RelayOptions::default());
        let relay = Arc::new(relay);
        let from = scene.ledger.head().await.unwrap().number + 1;
        let mut people = tokio::task::JoinSet::new();
        for number in 0..PEOPLE {
            let (ledger, relay) = (ledger.clone(), relay.clone());
            let who = key(u8::try_from(every).unwrap() * 20 + number + 1);
            people.spawn(async move {
                let source = Source(number.into());
                let mut outcomes: Vec<Outcome> = Vec::new();
                let role = Role::Person;
                let sealing_key = [7; 32];
                let first = Call::Register { role, sealing_key };
                let next = Call::RotateSealingKey { sealing_key };
                for call in [first, next.clone(), next] {
                    let signed = sign(&ledger, &who, &call).await;
                    outcomes.push(insist!(relay.relay_from(source, &signed)));
                }
                assert!(
                    outcomes
                        .windows(2)
                        .all(|pair| pair[0].block < pair[1].block)
                );
                AccountId::from_first_address(who.address())
            });
        }
        let accounts = people.join_all().await;
        let blocks = scene.ledger.events(from, u32::MAX).await.unwrap();
        let events: Vec<&Event> = blocks.iter().flat_map(|block| &block.events).collect();
        assert_eq!(
            events.len(),
            usize::from(PEOPLE) * 3,
            "silent every {every}"
        );
        for account in accounts {
            let facts = scene.ledger.account(account).await.unwrap().unwrap();
            assert_eq!(facts.sealing_key.version, 3);
        }
    }
}

#[tokio::test]
async fn a_silent_node_is_left_for_the_next() {
    let scene = Scene::set(devchain(), 0).await;
    let dead = flaky(scene.client(), 1);
    let good = ("good".to_owned(), scene.client().clone());
    let rpc = Rpc::over(vec![dead.clone(), good]).unwrap();
    let ledger = EvmLedger::connect(rpc, *scene.ledger.deployed(), 0)
        .await
        .unwrap();
    let head = scene.ledger.head().await.unwrap();
    assert_eq!(ledger.head().await.unwrap(), head);
    let alone = Rpc::over(vec![dead]).unwrap();
    let error = EvmLedger::connect(alone, *scene.ledger.deployed(), 0)
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn a_follower_of_a_silent_node_misses_nothing() {
    let scene = Scene::set(devchain(), 0).await;
    let rpc = Rpc::over(vec![flaky(scene.client(), 5)]).unwrap();
    let ledger = connect(&rpc, &scene).await;
    for _ in 0..100 {
        scene.mine().await;
    }
    let mut follow = Follow::from(scene.ledger.deployed().block);
    let mut blocks: Vec<BlockEvents> = Vec::new();
    let mut lost = 0;
    loop {
        match ledger.follow(&follow).await {
            Ok((_, steps)) if steps.is_empty() => break,
            Ok((state, steps)) => {
                for step in steps {
                    match step {
                        Step::Apply(block) => blocks.push(block),
                        other => panic!("nothing was replaced: {other:?}"),
                    }
                }
                follow = state;
            }
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                lost += 1;
                assert!(lost < 100, "it comes to an end");
            }
        }
    }
    let events = |blocks: &[BlockEvents]| -> Vec<Event> {
        blocks
            .iter()
            .flat_map(|block| block.events.clone())
            .collect()
    };
    let all = scene.ledger.events(0, u32::MAX).await.unwrap();
    assert_eq!(events(&blocks), events(&all));
}

#[tokio::test]
async fn coins_that_do_not_pay_for_a_batch_pay_for_some_of_it() {
    let scene = Scene::set(devchain(), 0).await;
    let poor = RelayWallet::start(&scene.ledger, &key(POOR), RelayOptions::default());
    let mut calls = Vec::new();
    for number in 1..=20 {
        let call = Call::Register {
            role: Role::Person,
            sealing_key: [number; 32],
        };
        calls.push(sign(&scene.ledger, &key(number), &call).await);
    }
    let (each, _) = poor.weight(&calls[0]).unwrap();
    let gas = poor.funds().await.unwrap().gas();
    assert!(2 * each < gas && gas < 10 * each, "{gas} gas, {each} each");
    let (poor, mut all) = (Arc::new(poor), tokio::task::JoinSet::new());
    for (source, call) in (0..).zip(calls) {
        let poor = poor.clone();
        all.spawn(async move { poor.relay_from(Source(source), &call).await });
    }
    let answers = all.join_all().await;
    let gone = answers.iter().filter(|it| it.is_ok()).count();
    assert!((2..20).contains(&gone), "{gone}");
    for error in answers.into_iter().filter_map(Result::err) {
        assert!(
            matches!(&error, LedgerError::Limit { limit } if limit.contains("no coins left")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_relay_without_coins_and_a_full_one_say_so() {
    let scene = Scene::set(devchain(), 0).await;
    let poor = RelayWallet::start(&scene.ledger, &key(99), RelayOptions::default());
    let call = Call::Register {
        role: Role::Person,
        sealing_key: [7; 32],
    };
    let signed = sign(&scene.ledger, &key(1), &call).await;
    let error = poor.relay(&signed).await.unwrap_err();
    assert!(matches!(error, LedgerError::Limit { .. }), "{error:?}");
    let mut none = RelayOptions::default();
    none.most_waiting = 0;
    let full = RelayWallet::start(&scene.ledger, &key(70), none);
    let error = full.relay(&signed).await.unwrap_err();
    assert!(matches!(error, LedgerError::Limit { .. }), "{error:?}");
    // neither used the request up
    scene.relay.relay(&signed).await.unwrap();
}
