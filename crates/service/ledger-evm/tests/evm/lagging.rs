//! One address of a chain behind which several nodes answer in turn, and one of them is some blocks behind.

use core::task::{Context, Poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use alloy::rpc::client::RpcClient;
use alloy::rpc::json_rpc::{RequestPacket, Response, ResponsePacket, ResponsePayload};
use alloy::transports::{BoxTransport, TransportError, TransportFut};
use medibloc_keys::SigningKey;
use medibloc_ledger::{BlockEvents, Call, Event, Events, Facts, Follow, Relay, Step, Submit};
use medibloc_ledger_evm::{EvmLedger, Rpc};
use medibloc_record::{AccountId, Role, Timestamp};
use serde_json::Value;

use crate::chains::{Scene, anvil, devchain, key};

/// Which questions the node that is behind answers.
#[derive(Clone)]
enum Behind {
    /// These, always.
    Of(Vec<&'static str>),
    /// Every so many of all.
    Every(usize),
}

/// A balancer before a node that is at the chain's head and one that has no later block than this. Like anvil, Besu and older geths
/// it answers a question for logs of later blocks with what it has, without a word.
#[derive(Clone)]
struct Balanced {
    inner: BoxTransport,
    behind: Behind,
    head: Arc<AtomicU64>,
    asked: Arc<AtomicUsize>,
}

impl Balanced {
    fn answer(&self, method: &str, asked: &Value) -> Option<Value> {
        let is_behind = match &self.behind {
            Behind::Of(methods) => methods.contains(&method),
            Behind::Every(nth) => self
                .asked
                .fetch_add(1, Ordering::SeqCst)
                .is_multiple_of(*nth),
        };
        if !is_behind {
            return None;
        }
        let head = self.head.load(Ordering::SeqCst);
        let number = |value: &Value| {
            let digits = value.as_str()?.strip_prefix("0x")?;
            u64::from_str_radix(digits, 16).ok()
        };
        match method {
            "eth_blockNumber" => Some(Value::from(format!("0x{head:x}"))),
            "eth_getLogs" => {
                let to = asked.pointer("/0/toBlock").and_then(number)?;
                (to > head).then(|| Value::Array(Vec::new()))
            }
            "eth_getBlockByNumber" => {
                let of = asked.get(0).and_then(number)?;
                (of > head).then_some(Value::Null)
            }
            // It has none of the blocks that it was not told of: they are asked for by hash.
            "eth_getBlockReceipts" | "eth_getBlockByHash" => Some(Value::Null),
            _ => None,
        }
    }
}

impl tower::Service<RequestPacket> for Balanced {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        // One request goes to one node, a batch with all its questions, too.
        let mut node = self.clone();
        Box::pin(async move {
            let mut answers = Vec::new();
            let is_batch = matches!(packet, RequestPacket::Batch(_));
            let all = match packet {
                RequestPacket::Single(one) => vec![one],
                RequestPacket::Batch(all) => all,
            };
            for one in all {
                let asked = one.params().map_or(Value::Null, |params| {
                    serde_json::from_str(params.get()).unwrap()
                });
                if let Some(said) = node.answer(one.method(), &asked) {
                    let raw = serde_json::value::to_raw_value(&said).unwrap();
                    answers.push(Response {
                        id: one.id().clone(),
                        payload: ResponsePayload::Success(raw),
                    });
                    continue;
                }
                match node.inner.call(RequestPacket::Single(one)).await? {
                    ResponsePacket::Single(one) => answers.push(one),
                    ResponsePacket::Batch(all) => answers.extend(all),
                }
            }
            Ok(match is_batch {
                true => ResponsePacket::Batch(answers),
                false => ResponsePacket::Single(answers.remove(0)),
            })
        })
    }
}

async fn register(scene: &Scene, who: &SigningKey) -> AccountId {
    let call = Call::Register {
        role: Role::Person,
        sealing_key: [7; 32],
    };
    let deadline = Timestamp(u64::MAX);
    let unsigned = scene.ledger.prepare(who.address(), &call, deadline);
    let unsigned = unsigned.await.unwrap();
    let signature = who.sign_digest(&unsigned.digest);
    scene.relay.relay(&unsigned.sign(signature)).await.unwrap();
    AccountId::from_first_address(who.address())
}

fn registered(blocks: &[BlockEvents]) -> Vec<AccountId> {
    let events = blocks.iter().flat_map(|block| &block.events);
    events
        .filter_map(|event| match event {
            Event::Registered { account, .. } => Some(*account),
            _ => None,
        })
        .collect()
}

/// Reads on as every follower does: what was not answered is asked again, until the head was read.
async fn read_to(ledger: &EvmLedger, next: &mut u64, head: u64, blocks: &mut Vec<BlockEvents>) {
    for _ in 0..400 {
        if *next > head {
            return;
        }
        match ledger.events(*next, 500).await {
            Ok(read) => {
                *next = read.last().map_or(*next, |last| last.number + 1);
                blocks.extend(read);
            }
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

async fn follow_to(
    ledger: &EvmLedger,
    from: &mut Follow,
    head: u64,
    blocks: &mut Vec<BlockEvents>,
) {
    for _ in 0..400 {
        if from.next() > head {
            return;
        }
        match ledger.follow(from).await {
            Ok((state, steps)) => {
                *from = state;
                blocks.extend(steps.into_iter().filter_map(|step| match step {
                    Step::Apply(block) => Some(block),
                    _ => None,
                }));
            }
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

fn behind(scene: &Scene, behind: Behind, head: u64) -> (Rpc, Arc<AtomicU64>) {
    let head = Arc::new(AtomicU64::new(head));
    let node = Balanced {
        inner: scene.client().transport().clone(),
        behind,
        head: head.clone(),
        asked: Arc::default(),
    };
    let client = RpcClient::new(node, true);
    (Rpc::over(vec![("balanced".into(), client)]).unwrap(), head)
}

async fn story(scene: Scene) {
    let first = register(&scene, &key(1)).await;
    let before = scene.ledger.head().await.unwrap().number;
    let second = register(&scene, &key(2)).await;
    let third = register(&scene, &key(3)).await;
    scene.mine().await;
    let head = scene.ledger.head().await.unwrap().number;
    let fourth = register(&scene, &key(4)).await;
    let end = scene.ledger.head().await.unwrap().number;
    let all = [first, second, third, fourth];
    let methods = [
        "eth_getLogs",
        "eth_getBlockByNumber",
        "eth_blockNumber",
        "eth_getBlockReceipts",
    ];
    let mut cases: Vec<Behind> = (1..16)
        .map(|set: u32| {
            let chosen = methods.iter().enumerate();
            let chosen = chosen.filter(|(place, _)| set & (1 << place) != 0);
            Behind::Of(chosen.map(|(_, method)| *method).collect())
        })
        .collect();
    cases.extend((2..=7).map(Behind::Every));
    let mut lost = 0;
    for case in cases {
        for is_follower in [false, true] {
            let (rpc, node) = behind(&scene, case.clone(), before);
            let ledger = EvmLedger::connect(rpc, *scene.ledger.deployed(), 0).await;
            let ledger = ledger.unwrap();
            let mut blocks = Vec::new();
            let mut next = ledger.deployed().block;
            let mut follow = Follow::from(next);
            // Behind, then at the head that was, then at the one that is.
            for (at, to) in [(before, head), (head, end), (end, end)] {
                node.store(at, Ordering::SeqCst);
                match is_follower {
                    true => follow_to(&ledger, &mut follow, to, &mut blocks).await,
                    false => read_to(&ledger, &mut next, to, &mut blocks).await,
                }
            }
            let read = registered(&blocks);
            lost += all.iter().filter(|id| !read.contains(id)).count();
        }
    }
    assert_eq!(lost, 0, "events that no follower ever reads");
    println!("ATTACK eleventh-q1: {lost} events lost in 42 ways to be behind");
}

#[tokio::test]
async fn no_node_that_is_behind_makes_a_block_empty() {
    story(Scene::set(devchain(), 0).await).await;
}

#[tokio::test]
async fn nor_does_one_of_anvil() {
    let Some(chain) = anvil("lagging", &[]) else {
        return;
    };
    story(Scene::set(chain, 0).await).await;
}
