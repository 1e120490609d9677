//! What whoever reaches the chain's JSON-RPC cannot do: anything to the chain without a signed transaction.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/wallet.rs"]
#[allow(dead_code)]
mod wallet;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy::primitives::{Address, Bytes};
use axum::body::Body;
use axum::http::Request;
use medibloc_devchain::{Chain, ChainError, Config, Limits, OpenError, Place};
use serde_json::{Value, json};
use tower::Service as _;

use wallet::{Draft, account};

const BEGIN: u64 = 1_700_000_000;

fn open(place: Place, clock: &Arc<AtomicU64>, test_methods: bool) -> Result<Chain, OpenError> {
    let now = clock.clone();
    let mut config = Config::default();
    config.clock = Arc::new(move || now.load(Ordering::Relaxed));
    config.test_methods = test_methods;
    Chain::open(place, config)
}

fn dir(folder: &Path) -> Place {
    Place::Dir(folder.to_owned())
}

fn pay(nonce: u64) -> Vec<u8> {
    let draft = Draft::new(2, nonce, Some(Address::repeat_byte(7)), Bytes::new());
    draft.sign(&account(0)).to_vec()
}

/// Number, hash, time and state of the newest block, and its next one's time as a call sees it.
fn state(chain: &Chain) -> Value {
    let questions = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["latest", true]},
        {"jsonrpc": "2.0", "id": 2, "method": "eth_getBalance", "params": [account(0).address(), "latest"]},
        {"jsonrpc": "2.0", "id": 3, "method": "eth_call", "params": [{"input": "0x4260005260206000f3"}, "latest"]},
    ]);
    let answer = chain.answer(questions.to_string().as_bytes()).unwrap();
    serde_json::from_str(&answer).unwrap()
}

/// What chains for tests answer, by any name that one of them has.
const FOR_TESTS: [&str; 31] = [
    "evm_increaseTime",
    "evm_setNextBlockTimestamp",
    "evm_setTime",
    "evm_mine",
    "evm_snapshot",
    "evm_revert",
    "evm_setAutomine",
    "evm_setIntervalMining",
    "evm_setBlockGasLimit",
    "evm_addAccount",
    "anvil_mine",
    "anvil_setBalance",
    "anvil_setCode",
    "anvil_setNonce",
    "anvil_setStorageAt",
    "anvil_setTime",
    "anvil_increaseTime",
    "anvil_impersonateAccount",
    "anvil_reset",
    "anvil_reorg",
    "anvil_rollback",
    "anvil_loadState",
    "anvil_setCoinbase",
    "hardhat_mine",
    "hardhat_setBalance",
    "hardhat_impersonateAccount",
    "debug_setHead",
    "miner_start",
    "personal_sendTransaction",
    "eth_sendTransaction",
    "eth_sendUnsignedTransaction",
];

#[test]
fn nothing_but_a_signed_transaction_changes_a_chain_that_is_not_for_tests() {
    let clock = Arc::new(AtomicU64::new(BEGIN));
    let chain = open(Place::Memory, &clock, false).unwrap();
    chain.send_raw(&pay(0)).unwrap();
    let before = state(&chain);
    for method in FOR_TESTS {
        for params in [json!([]), json!([1_000_000]), json!({"a": 1})] {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            let answer = chain.answer(body.to_string().as_bytes()).unwrap();
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(
                answer["error"]["code"], -32601,
                "{method} {params}: {answer}"
            );
        }
    }
    assert_eq!(state(&chain), before);
    for moved in [
        chain.set_time(BEGIN + 99),
        chain.increase_time(99).map(drop),
    ] {
        assert!(matches!(moved, Err(ChainError::NotForTests)), "{moved:?}");
    }
    chain.send_raw(&pay(1)).unwrap();
    assert_eq!(
        state(&chain)[0]["result"]["timestamp"],
        format!("{BEGIN:#x}")
    );
    println!(
        "ATTACK operator-1: {} methods for tests, each with three kinds of parameters: not found, nothing changed",
        FOR_TESTS.len()
    );
}

fn time(chain: &Chain) -> String {
    let state = state(chain);
    state[0]["result"]["timestamp"].as_str().unwrap().to_owned()
}

/// What a monitor on the chain's machine reads.
async fn ready(chain: &Chain) -> (u16, String) {
    let (mut router, _) = medibloc_devchain::router(chain.clone(), Limits::default());
    let request = Request::get("/readyz").header("host", "localhost");
    let answer = router.call(request.body(Body::empty()).unwrap()).await;
    let answer = answer.unwrap();
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 4_096).await;
    (status, String::from_utf8(body.unwrap().to_vec()).unwrap())
}

/// A clock that was wrong, or is: what was made stays, what takes back is not kept waiting, and no block is further ahead than that.
#[tokio::test]
async fn a_block_is_never_far_ahead_of_the_clock() {
    const DAY: u64 = 86_400;
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicU64::new(BEGIN));
    let chain = open(dir(folder.path()), &clock, false).unwrap();
    chain.send_raw(&pay(0)).unwrap();
    assert_eq!(ready(&chain).await, (200, "ok\n".into()));
    let begin = format!("{BEGIN:#x}");
    for (nonce, by, told) in [
        (1, 15, "ok\n"),
        (2, 16, "degraded: the newest block is 16 s ahead of this"),
        (3, 7_170, "degraded: the newest block is 7170 s ahead"),
        (4, DAY, "degraded: the newest block is 86400 s ahead"),
    ] {
        clock.store(BEGIN - by, Ordering::Relaxed);
        chain.send_raw(&pay(nonce)).unwrap();
        assert_eq!(time(&chain), begin, "its time waits for the clock");
        let (status, text) = ready(&chain).await;
        assert!(status == 200 && text.starts_with(told), "{status} {text}");
    }
    clock.store(BEGIN - DAY - 1, Ordering::Relaxed);
    let refused = chain.send_raw(&pay(5)).unwrap_err();
    assert!(
        matches!(refused, ChainError::AheadOfClock { by: 86_401, most } if most == DAY),
        "{refused}"
    );
    let (status, text) = ready(&chain).await;
    assert_eq!(status, 503);
    assert!(text.starts_with("not ready; no block is made"), "{text}");
    assert_eq!(chain.number().unwrap(), 5);
    drop(chain);
    let chain = open(dir(folder.path()), &clock, false).unwrap();
    clock.store(BEGIN + 3, Ordering::Relaxed);
    chain.send_raw(&pay(5)).unwrap();
    assert_eq!(time(&chain), format!("{:#x}", BEGIN + 3));
    assert_eq!(ready(&chain).await, (200, "ok\n".into()));
}

#[test]
fn a_folder_keeps_whether_its_chain_is_for_tests() {
    let clock = Arc::new(AtomicU64::new(BEGIN));
    for made in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        drop(open(dir(folder.path()), &clock, made).unwrap());
        let refused = open(dir(folder.path()), &clock, !made).unwrap_err();
        assert!(
            matches!(refused, OpenError::TestMethods { made: found } if found == made),
            "{refused}"
        );
        open(dir(folder.path()), &clock, made).unwrap();
    }
}
