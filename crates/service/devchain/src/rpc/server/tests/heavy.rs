//! That what is light waits behind nothing that is heavy, and that memory for answers has an end.

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559, TxEnvelope},
    eips::eip2718::Encodable2718 as _,
    network::TxSignerSync as _,
    primitives::{B256, Bytes, TxKind, address, b256},
    signers::local::PrivateKeySigner,
};
use serde_json::{Value, json};

use super::*;

/// The first test account's key, which is public.
const KEY: B256 = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

fn signed(nonce: u64, input: &[u8]) -> Bytes {
    let mut transaction = TxEip1559 {
        chain_id: 31_337,
        nonce,
        gas_limit: 11_000_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Create,
        input: input.to_vec().into(),
        ..TxEip1559::default()
    };
    let signer = PrivateKeySigner::from_bytes(&KEY).unwrap();
    let signature = signer.sign_transaction_sync(&mut transaction).unwrap();
    let signed: TxEnvelope = transaction.into_signed(signature).into();
    signed.encoded_2718().into()
}

/// Makes so many logs of 320 bytes and of four topics: PUSH2 count, JUMPDEST, LOG4, count down, JUMPI.
fn logs(count: u16) -> Vec<u8> {
    let mut code = vec![0x61];
    code.extend(count.to_be_bytes());
    code.extend(alloy::primitives::hex!(
        "5b60006000600060006101406000a4600190038060035700"
    ));
    code
}

/// A chain of a block of 2,000 logs and one of two, the hashes of their transactions, and how it is served.
fn served(limits: Limits) -> (Service, [B256; 2]) {
    let chain = Chain::open(Place::Memory, Config::default()).unwrap();
    let hashes = [(0, 2_000), (1, 2)].map(|(nonce, count)| {
        let raw = signed(nonce, &logs(count));
        chain.send_raw(&raw).unwrap()
    });
    (Service::with(chain, limits, 1), hashes)
}

fn of(port: u16) -> Source {
    Source::Connection(([127, 0, 0, 1], port).into())
}

fn question(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

async fn ask(service: &Service, port: u16, method: &str, params: Value) -> Value {
    let body = question(method, &params);
    let reply = service.reply(of(port), body.as_bytes()).await.unwrap();
    serde_json::from_str(&reply.text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_light_waits_behind_heavy_questions_however_many_connections_ask_them() {
    let (service, [many, two]) = served(Limits::default());
    let all = json!([{"fromBlock": "0x0", "toBlock": "latest"}]);
    let heavy = [
        ("eth_getLogs", all.clone()),
        (
            "eth_getLogs",
            json!([{"blockHash": service.chain.block(1.into(), crate::Transactions::Hashes).unwrap().unwrap().header.hash}]),
        ),
        ("eth_getBlockReceipts", json!(["0x1"])),
        ("eth_getTransactionReceipt", json!([many])),
        (
            "eth_getProof",
            json!([
                address!("f39fd6e51aad88f6f4ce6ab8827279cfffb92266"),
                (0..1_000)
                    .map(|slot| format!("{slot:#x}"))
                    .collect::<Vec<_>>(),
                "latest"
            ]),
        ),
    ];
    // The only place is taken for as long as this test likes.
    let turn = service.scans.take(of(1), 1).await.unwrap();
    let asked: Vec<_> = (100..500)
        .map(|port| {
            let service = service.clone();
            let (method, params) = heavy[usize::from(port) % heavy.len()].clone();
            tokio::spawn(async move { ask(&service, port, method, params).await })
        })
        .collect();
    let light = [
        ("eth_blockNumber", json!([])),
        ("eth_getBlockByNumber", json!(["0x1", false])),
        ("eth_getBlockByNumber", json!(["latest", false])),
        ("eth_getTransactionReceipt", json!([two])),
        ("eth_getTransactionByHash", json!([many])),
        (
            "eth_getLogs",
            json!([{"fromBlock": "0x2", "toBlock": "latest"}]),
        ),
        // All blocks, and the index or the bloom says where nothing is.
        (
            "eth_getLogs",
            json!([{"fromBlock": "0x0", "address": address!("f39fd6e51aad88f6f4ce6ab8827279cfffb92266")}]),
        ),
        (
            "eth_getLogs",
            json!([{"fromBlock": "0x0", "topics": [B256::repeat_byte(7)]}]),
        ),
        ("eth_feeHistory", json!(["0xa", "latest", [20.0]])),
        ("eth_sendRawTransaction", json!([signed(2, &[])])),
    ];
    let answered = light.len();
    for (method, params) in light {
        let answer = ask(&service, 2, method, params.clone()).await;
        assert!(answer.get("result").is_some(), "{method} {params} {answer}");
    }
    assert!(asked.iter().all(|one| !one.is_finished()));
    // Whoever goes away leaves its place to the others.
    let mut asked = asked;
    for one in asked.split_off(2 * heavy.len()) {
        one.abort();
        assert!(one.await.unwrap_err().is_cancelled());
    }
    drop(turn);
    for one in asked {
        let answer = one.await.unwrap();
        assert!(answer.get("result").is_some(), "{}", answer["error"]);
    }
    assert_eq!((service.scans.working(), service.long.working()), (0, 0));
    println!("ATTACK fifth-1: {answered} light questions are answered before 400 heavy ones");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_costs_what_it_took() {
    let (service, _) = served(Limits::default());
    // With nobody else there, time moves on by what was done.
    let (looks, scans) = (&service.looks, &service.scans);
    let answer = ask(
        &service,
        2,
        "eth_getLogs",
        json!([{"fromBlock": "0x2", "toBlock": "latest"}]),
    )
    .await;
    assert_eq!(answer["result"].as_array().unwrap().len(), 2, "{answer}");
    assert!(looks.now() < 10, "{} KiB for two logs", looks.now());
    ask(
        &service,
        2,
        "eth_getLogs",
        json!([{"fromBlock": "0x0", "toBlock": "latest"}]),
    )
    .await;
    assert!(scans.now() > 2_000, "{} KiB for 2,002 logs", scans.now());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_all_long_answers_have_together_has_an_end() {
    let (service, [many, _]) = served(Limits::default());
    let mut sent = Vec::new();
    for port in 0..u16::try_from(LONG).unwrap() {
        let body = question("eth_getTransactionReceipt", &json!([many]));
        let answered = service.reply(of(port), body.as_bytes()).await.unwrap();
        assert!(answered.text.len() > SHORT && answered.place.is_some());
        sent.push(answered);
    }
    // As long as none of them is sent, no other is made: neither one at once nor one that grows from short ones.
    let short = question(
        "eth_getProof",
        &json!([
            address!("f39fd6e51aad88f6f4ce6ab8827279cfffb92266"),
            ["0x0", "0x1", "0x2"],
            "latest"
        ]),
    );
    let grows = format!("[{}]", vec![short; 1_000].join(","));
    let waits: Vec<_> = [question("eth_getTransactionReceipt", &json!([many])), grows]
        .into_iter()
        .zip(100..)
        .map(|(body, port)| {
            let service = service.clone();
            tokio::spawn(async move { service.reply(of(port), body.as_bytes()).await.unwrap() })
        })
        .collect();
    while service.long.waiting() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(waits.iter().all(|one| !one.is_finished()));
    let answer = ask(&service, 50, "eth_blockNumber", json!([])).await;
    assert_eq!(answer["result"], "0x2");
    drop(sent);
    for one in waits {
        let answered = one.await.unwrap();
        assert!(answered.text.len() > SHORT && answered.place.is_some());
    }
}

/// What a light method has no use for was made into values twice, at most eight at once: that took gigabytes, and nothing else was
/// looked up.
#[tokio::test]
async fn parameters_that_a_method_has_no_use_for_take_no_place_and_are_not_read() {
    let (service, _) = served(Limits::default());
    let mut turns = Vec::new();
    // Every place is taken: whatever is answered meanwhile was not looked up.
    for port in 0..LOOKS {
        let port = 100 + u16::try_from(port).unwrap();
        turns.push(service.looks.take(of(port), 1).await.unwrap());
    }
    let calls = service.calls.take(of(200), 1).await.unwrap();
    let long = Value::Array(vec![json!([1]); 400_000]);
    let mut refused = 0;
    let methods = [
        "eth_chainId",
        "eth_blockNumber",
        "eth_getLogs",
        "eth_getProof",
        "eth_call",
        "eth_estimateGas",
        "eth_sendRawTransaction",
        "eth_getBalance",
        "nothing",
    ];
    for method in methods {
        let answer = ask(&service, 1, method, long.clone()).await;
        assert_eq!(answer["error"]["code"], -32602, "{method}: {answer}");
        refused += 1;
    }
    println!(
        "ATTACK sixth-3: {refused} of {} long questions refused unread",
        methods.len()
    );
    drop((turns, calls));
    let answer = ask(&service, 1, "eth_chainId", json!([])).await;
    assert_eq!(answer["result"], "0x7a69", "{answer}");
}
