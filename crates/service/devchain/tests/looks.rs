//! What whoever reaches the chain's JSON-RPC can have looked up, and that its answers have an end.

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

use alloy::primitives::{Address, B256, Bytes, hex};
use medibloc_devchain::{Chain, Config, Limits, Place, serve_with};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use peer::Peer;
use wallet::{Draft, account};

/// Bytes of answers of one request in these tests.
const MOST: usize = 300_000;

/// As many bytes of memory as the call says: PUSH0 CALLDATALOAD PUSH0 RETURN, and REVERT.
const GIVES: &[u8] = &hex!("5f355ff3");
const REFUSES: &[u8] = &hex!("5f355ffd");

/// A call of the program that was made with a nonce.
fn call(nonce: u64, bytes: u64) -> Value {
    let to = account(0).address().create(nonce);
    json!([{"to": to, "data": Bytes::from(programs::word(bytes)), "gas": "0x30d40"}])
}

/// Serves a chain of a block of `count` logs, and two programs; gives the transaction's hash, too.
async fn served(count: u16, limits: Limits) -> (Peer, B256) {
    let chain = Chain::open(Place::Memory, Config::default()).unwrap();
    // PUSH2 count, JUMPDEST, LOG4 of 320 bytes, count down, JUMPI.
    let mut code = vec![0x61];
    code.extend(count.to_be_bytes());
    code.extend(hex!("5b60006000600060006101406000a4600190038060035700"));
    let mut draft = Draft::new(2, 0, None, Bytes::from(code));
    draft.gas = 11_000_000;
    let hash = chain.send_raw(&draft.sign(&account(0))).unwrap();
    for (nonce, program) in (1..).zip([GIVES, REFUSES]) {
        let draft = Draft::new(2, nonce, None, programs::creating(program));
        chain.send_raw(&draft.sign(&account(0))).unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve_with(chain, listener, limits));
    (Peer::new("ours", url), hash)
}

fn short() -> Limits {
    let mut limits = Limits::default();
    limits.answer = MOST;
    limits
}

fn question(id: usize, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_a_batch_have_a_bound_together_and_the_rest_of_it_is_refused() {
    let (peer, hash) = served(50, short()).await;
    let rows = [
        ("eth_getLogs", json!([{"fromBlock": "0x0"}])),
        ("eth_getBlockReceipts", json!(["0x1"])),
        ("eth_getTransactionReceipt", json!([hash])),
        ("eth_call", call(1, 50_000)),
        ("eth_call", call(2, 20_000)),
    ];
    for (method, params) in rows {
        let all = |id| question(id, method, &params);
        let batch: Vec<Value> = (0..1_000).map(all).collect();
        let answers = peer.post(&json!(batch)).await;
        let answers = answers.as_array().unwrap();
        assert_eq!(answers.len(), 1_000, "{method}");
        let refused = |answer: &&Value| {
            let says = answer["error"]["message"].as_str().unwrap_or_default();
            answer["error"]["code"] == -32005 && says.contains("the rest in another one")
        };
        let (given, rest): (Vec<_>, Vec<_>) = answers.iter().partition(|one| !refused(one));
        assert!((1..20).contains(&given.len()), "{method}: {}", given.len());
        let bytes = given.iter().map(|one| one.to_string().len()).sum::<usize>();
        assert!(bytes <= MOST + 1_000, "{method}: {bytes}");
        // What is there comes first, and each is told by its id.
        let ids = given.iter().chain(&rest).map(|one| one["id"].as_u64());
        assert!(ids.eq((0..1_000).map(Some)), "{method}");
        println!("ATTACK fifth-2: {} of 1,000 {method} answered", given.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_that_is_too_long_is_refused_and_says_what_to_do() {
    let (peer, hash) = served(1_000, short()).await;
    let rows = [
        ("eth_getLogs", json!([{"fromBlock": "0x0"}])),
        ("eth_getBlockReceipts", json!(["0x1"])),
        ("eth_getTransactionReceipt", json!([hash])),
        ("eth_call", call(1, 200_000)),
        ("eth_call", call(2, 200_000)),
    ];
    for (method, params) in rows {
        let refusal = peer.ask(method, params.clone()).await.unwrap_err();
        assert_eq!(refusal.code, -32005, "{method}: {refusal:?}");
        let says = format!("longer than the {MOST} bytes");
        assert!(refusal.message.contains(&says), "{method}: {refusal:?}");
        assert!(refusal.message.contains("ask for less"), "{refusal:?}");
    }
    // A block with whole transactions: one whose code is long.
    let mut draft = Draft::new(2, 3, Some(Address::repeat_byte(7)), vec![0; 200_000].into());
    draft.gas = 5_000_000;
    peer.get("eth_sendRawTransaction", json!([draft.sign(&account(0))]))
        .await;
    let refusal = peer.ask("eth_getBlockByNumber", json!(["0x4", true])).await;
    assert_eq!(refusal.unwrap_err().code, -32005);
    let block = peer
        .get("eth_getBlockByNumber", json!(["0x4", false]))
        .await;
    assert_eq!(block["transactions"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_within_the_bound_arrive_whole() {
    let (peer, _) = served(2_000, Limits::default()).await;
    let logs = peer.get("eth_getLogs", json!([{"fromBlock": "0x0"}])).await;
    let logs = logs.as_array().unwrap();
    assert_eq!(logs.len(), 2_000);
    assert!(json!(logs).to_string().len() > 2_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_has_as_many_values_as_are_looked_for_at_once() {
    let (peer, _) = served(1, Limits::default()).await;
    let topics = |count: u64| -> Vec<B256> {
        (0..count)
            .map(|one| B256::from(alloy::primitives::U256::from(one)))
            .collect()
    };
    let found = peer
        .get(
            "eth_getLogs",
            json!([{"fromBlock": "0x0", "topics": [topics(1_000)]}]),
        )
        .await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    let refusal = peer
        .ask("eth_getLogs", json!([{"topics": [topics(1_001)]}]))
        .await
        .unwrap_err();
    assert_eq!(refusal.code, -32602);
    assert_eq!(
        refusal.message,
        "parameter 0: 1001 addresses and topics; 1000 at most, split it"
    );
}
