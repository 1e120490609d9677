//! What whoever reaches the chain's JSON-RPC can ask it to run, and that nobody else waits behind it.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/peer.rs"]
#[allow(dead_code, reason = "each test takes of it what it needs")]
mod peer;
#[path = "support/programs.rs"]
#[allow(dead_code, reason = "each test takes of it what it needs")]
mod programs;
#[path = "support/wallet.rs"]
#[allow(dead_code, reason = "each test takes of it what it needs")]
mod wallet;

use std::sync::{
    Arc, Condvar, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use alloy::primitives::{Address, Bytes};
use medibloc_devchain::{Chain, Config, Limits, Mining, Place, serve_with};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use peer::Peer;
use wallet::{Draft, account};

const GAS: u64 = 200_000;

/// JUMPDEST PUSH1 0 JUMP: it runs until its gas is gone.
const ENDLESS: &str = "0x5b600056";

async fn served(config: Config, limits: Limits) -> (Chain, Peer) {
    let chain = Chain::open(Place::Memory, config).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve_with(chain.clone(), listener, limits));
    (chain, Peer::new("ours", url))
}

fn with_gas(call_gas: u64) -> Config {
    let mut config = Config::default();
    config.call_gas = call_gas;
    config
}

fn question(id: usize, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_has_a_bound_of_its_own_far_below_a_blocks() {
    let (_, peer) = served(with_gas(GAS), Limits::default()).await;
    let says = format!("one call has {GAS} gas on this chain");
    for gas in [json!(null), json!("0x1c9c380"), json!("0xffffffffffffffff")] {
        let call = json!([{"data": ENDLESS, "gas": gas}, "latest"]);
        let refusal = peer.ask("eth_call", call.clone()).await.unwrap_err();
        assert_eq!(refusal.code, -32000, "{refusal:?}");
        assert!(refusal.message.contains(&says), "{refusal:?}");
        let refusal = peer.ask("eth_estimateGas", call).await.unwrap_err();
        let says = format!("gas required exceeds allowance ({GAS})");
        assert!(refusal.message.contains(&says), "{refusal:?}");
    }
    // What it asks for itself is its own affair.
    let call = json!([{"data": ENDLESS, "gas": "0x186a0"}, "latest"]);
    let refusal = peer.ask("eth_call", call).await.unwrap_err();
    assert!(refusal.message.contains("execution halted"), "{refusal:?}");
    // GAS PUSH0 MSTORE PUSH1 32 PUSH0 RETURN: what is left of it.
    let call = json!([{"data": "0x5a5f5260205ff3"}, "latest"]);
    let left = peer.get("eth_call", call).await;
    let left = u64::from_str_radix(&left.as_str().unwrap()[50..], 16).unwrap();
    assert!(left < GAS && left > GAS - 60_000, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_a_batch_have_a_bound_together_and_the_rest_of_it_is_answered() {
    let (_, peer) = served(with_gas(GAS), Limits::default()).await;
    let endless = |method: &str| {
        let method = method.to_owned();
        move |id| question(id, &method, json!([{"data": ENDLESS}, "latest"]))
    };
    let mut batch: Vec<Value> = (0..500).map(endless("eth_call")).collect();
    batch.extend((500..999).map(endless("eth_estimateGas")));
    batch.push(question(999, "eth_blockNumber", json!([])));
    let answers = peer.post(&json!(batch)).await;
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 1_000);
    let ran = |answer: &&Value| answer["error"]["code"] == -32000;
    let refused = |answer: &&Value| {
        let says = answer["error"]["message"].as_str().unwrap_or_default();
        answer["error"]["code"] == -32005 && says.contains("ask the rest in another one")
    };
    let called = answers.iter().filter(ran).count();
    assert_eq!(called, 4);
    assert_eq!(answers.iter().take(4).filter(ran).count(), 4);
    assert_eq!(answers.iter().skip(4).filter(refused).count(), 995);
    assert_eq!(answers[999]["result"], "0x0");
    // Many small ones are what a batch is for.
    let small = |id| question(id, "eth_call", json!([{"data": "0x00"}, "latest"]));
    let answers = peer
        .post(&json!((0..14).map(small).collect::<Vec<_>>()))
        .await;
    let answers = answers.as_array().unwrap();
    assert_eq!(
        answers.iter().filter(|one| one["result"] == "0x").count(),
        14
    );
    println!("ATTACK fourth-5: {called} of 999 calls ran, the rest of the batch was answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_estimate_never_uses_up_what_its_request_has() {
    const MOST: u64 = 1_000_000;
    let (_, peer) = served(with_gas(MOST), Limits::default()).await;
    // With more than 900,000 it is done at once, with less it burns them all: GAS PUSH4 900000 LT PUSH1 14 JUMPI, the endless
    // loop, JUMPDEST STOP. The search for the least gas would burn more than five calls have.
    let code = "0x5a63000dbba010600e575b600a565b00";
    let enough = peer.get("eth_estimateGas", json!([{"data": code}])).await;
    let enough = u64::from_str_radix(&enough.as_str().unwrap()[2..], 16).unwrap();
    assert!((950_000..=MOST).contains(&enough), "{enough}");
}

/// A clock at which the first calls are held until they are let go.
struct Gate {
    held: AtomicUsize,
    open: Mutex<bool>,
    opened: Condvar,
    came: mpsc::UnboundedSender<()>,
}

impl Gate {
    fn pass(&self) -> u64 {
        let held = self
            .held
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |held| {
                held.checked_sub(1)
            });
        if held.is_ok() {
            self.came.send(()).unwrap();
            let open = self.open.lock().unwrap();
            drop(self.opened.wait_while(open, |open| !*open).unwrap());
        }
        1_700_000_000
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

#[test]
fn nothing_but_calls_waits_behind_calls_and_blocks_are_made() {
    // Half of the processor, as the chain takes it, and few more threads than those and everything else together need.
    let places = std::thread::available_parallelism().map_or(1, usize::from) / 2;
    let places = places.max(1);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(places + 16)
        .enable_all()
        .build()
        .unwrap();
    for mining in [Mining::Instant, Mining::EveryMillis(1)] {
        runtime.block_on(not_behind_calls(mining, places));
    }
    println!(
        "ATTACK fourth-5: small calls, balances, logs, transactions and blocks wait behind none of them"
    );
}

async fn not_behind_calls(mining: Mining, places: usize) {
    let (came, mut comes) = mpsc::unbounded_channel();
    let gate = Arc::new(Gate {
        held: AtomicUsize::new(0),
        open: Mutex::new(false),
        opened: Condvar::new(),
        came,
    });
    let mut config = Config::default();
    config.mining = mining;
    let clock = gate.clone();
    config.clock = Arc::new(move || clock.pass());
    let (chain, peer) = served(config, Limits::default()).await;
    gate.held.store(places, Ordering::SeqCst);
    let asked: Vec<_> = (0..places + 40)
        .map(|_| {
            let peer = Peer::new("ours", peer.url.clone());
            let call = json!([{"data": "0x00"}, "pending"]);
            tokio::spawn(async move { peer.ask("eth_call", call).await })
        })
        .collect();
    // Every place is one of a call that does not end; the others wait.
    for _ in 0..places {
        comes.recv().await.unwrap();
    }
    let from = account(0).address();
    // What a node asks before a revocation is small, and says so.
    let small = json!([{"data": "0x00", "gas": "0x1e8480"}, "latest"]);
    assert_eq!(peer.get("eth_call", small).await, "0x");
    assert_eq!(peer.get("eth_blockNumber", json!([])).await, "0x0");
    peer.get("eth_getBalance", json!([from, "latest"])).await;
    assert_eq!(peer.get("eth_getLogs", json!([{}])).await, json!([]));
    let mut heads = chain.heads();
    let raw = Draft::new(2, 0, Some(Address::repeat_byte(7)), Bytes::new()).sign(&account(0));
    peer.get("eth_sendRawTransaction", json!([raw])).await;
    heads.wait_for(|number| *number == 1).await.unwrap();
    assert!(asked.iter().all(|one| !one.is_finished()), "{mining:?}");
    gate.open();
    for one in asked {
        assert_eq!(one.await.unwrap().unwrap(), "0x");
    }
}
