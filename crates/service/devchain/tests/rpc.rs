//! JSON-RPC as clients use it: alloy's provider, Foundry's cast, batches, limits, refusals.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/peer.rs"]
#[allow(dead_code)]
mod peer;
#[path = "support/programs.rs"]
#[allow(dead_code)]
mod programs;
#[path = "support/wallet.rs"]
mod wallet;

use alloy::{
    network::{EthereumWallet, TransactionBuilder as _},
    primitives::{Address, B256},
    providers::{Provider, ProviderBuilder},
    rpc::types::{Filter, TransactionRequest},
};
use medibloc_devchain::{Chain, ChainError, Config, Mining, Place, ServeError, serve};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use peer::Peer;
use wallet::{Draft, account};

async fn served(config: Config) -> (Chain, Peer) {
    let chain = Chain::open(Place::Memory, config).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(chain.clone(), listener));
    (chain, Peer::new("ours", url))
}

fn for_tests() -> Config {
    let mut config = Config::default();
    config.test_methods = true;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn alloy_deploys_sends_and_reads() {
    let (chain, peer) = served(Config::default()).await;
    let wallet = EthereumWallet::from(account(0));
    let http = ProviderBuilder::new()
        .wallet(wallet.clone())
        .connect_http(peer.url.parse().unwrap());
    walk(&http).await;
    let in_process = ProviderBuilder::new()
        .wallet(wallet)
        .connect_client(chain.client());
    walk(&in_process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alloy_waits_for_blocks_that_come_by_themselves() {
    let mut config = Config::default();
    config.mining = Mining::EveryMillis(20);
    let (chain, _) = served(config).await;
    let wallet = EthereumWallet::from(account(0));
    walk(
        &ProviderBuilder::new()
            .wallet(wallet)
            .connect_client(chain.client()),
    )
    .await;
}

async fn walk(provider: &impl Provider) {
    let begin = provider.get_block_number().await.unwrap();
    let code = programs::creating(&programs::log(1));
    let create = TransactionRequest::default()
        .into_create()
        .input(code.into());
    let receipt = provider
        .send_transaction(create)
        .await
        .unwrap()
        .get_receipt()
        .await
        .unwrap();
    let contract = receipt.contract_address.unwrap();
    assert!(!provider.get_code_at(contract).await.unwrap().is_empty());
    let input = programs::join(&[&programs::word(7)]);
    let call = TransactionRequest::default()
        .to(contract)
        .input(input.into());
    let receipt = provider
        .send_transaction(call)
        .await
        .unwrap()
        .get_receipt()
        .await
        .unwrap();
    assert!(receipt.status());
    assert_eq!(receipt.inner.logs().len(), 1);
    let logs = provider
        .get_logs(&Filter::new().address(contract).from_block(begin))
        .await
        .unwrap();
    assert_eq!(logs, receipt.inner.logs());
    let block = provider
        .get_block_by_hash(receipt.block_hash.unwrap())
        .full()
        .await
        .unwrap();
    let block = block.unwrap();
    assert_eq!(block.header.hash_slow(), block.header.hash);
    assert_eq!(block.transactions.len(), 1);
    let sent = provider
        .get_transaction_by_hash(receipt.transaction_hash)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(sent.block_number, receipt.block_number);
    let receipts = provider
        .get_block_receipts(receipt.block_number.unwrap().into())
        .await
        .unwrap();
    assert_eq!(receipts.unwrap(), [receipt]);
    let history = provider
        .get_fee_history(5, Default::default(), &[10.0, 50.0])
        .await
        .unwrap();
    assert_eq!(
        history.base_fee_per_gas.len(),
        history.gas_used_ratio.len() + 1
    );
    let tip = provider.get_max_priority_fee_per_gas().await.unwrap();
    assert_eq!(tip, 1_000_000_000);
    assert!(provider.get_gas_price().await.unwrap() > tip);
}

#[tokio::test(flavor = "multi_thread")]
async fn cast_sends_and_calls() {
    let Some(cast) = peer::foundry("cast") else {
        println!("SKIPPED cast/rpc: no Foundry; run `npm ci` in contracts");
        return;
    };
    let (_, peer) = served(Config::default()).await;
    let run = |arguments: &[&str]| {
        let run = std::process::Command::new(&cast)
            .args(arguments)
            .env("ETH_RPC_URL", &peer.url)
            .output()
            .unwrap();
        let (out, error) = (
            run.stdout,
            String::from_utf8_lossy(&run.stderr).into_owned(),
        );
        assert!(run.status.success(), "{arguments:?}: {error}");
        String::from_utf8(out).unwrap().trim().to_owned()
    };
    let key = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    let code = programs::creating(programs::ECHO).to_string();
    let send = ["send", "--private-key", key, "--json"];
    let made: Value =
        serde_json::from_str(&run(&[&send[..], &["--create", &code]].concat())).unwrap();
    assert_eq!(made["status"], "0x1");
    let contract = made["contractAddress"].as_str().unwrap();
    assert_eq!(run(&["call", contract, "0x1234"]), "0x1234");
    let heir = Address::repeat_byte(0xdd).to_string();
    run(&[&send[..], &[&heir, "--value", "5"]].concat());
    assert_eq!(run(&["balance", &heir]), "5");
    assert_eq!(run(&["chain-id"]), "31337");
    assert_eq!(run(&["block-number"]), "2");
    assert_eq!(run(&["estimate", &heir]), "21000");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_answers() {
    let (_, peer) = served(for_tests()).await;
    let from = account(0).address();
    let raw = Draft::new(2, 0, Some(from), Default::default()).sign(&account(0));
    let hash = peer.get("eth_sendRawTransaction", json!([raw])).await;
    let block = peer
        .get("eth_getBlockByNumber", json!(["latest", false]))
        .await;
    assert_eq!(block["transactions"], json!([hash]));
    let by_hash = peer
        .get("eth_getBlockByHash", json!([block["hash"], false]))
        .await;
    assert_eq!(by_hash, block);
    for tag in ["finalized", "safe", "pending", "0x1"] {
        assert_eq!(
            peer.get("eth_getBlockByNumber", json!([tag, false])).await,
            block,
            "{tag}"
        );
    }
    let earliest = peer
        .get("eth_getBlockByNumber", json!(["earliest", true]))
        .await;
    assert_eq!(block["parentHash"], earliest["hash"]);
    let none = json!(null);
    let ghost = json!(["0x1111111111111111111111111111111111111111111111111111111111111111"]);
    let rows = [
        (
            "web3_clientVersion",
            json!([]),
            json!("medibloc-devchain/0.1.0"),
        ),
        ("net_version", json!([]), json!("31337")),
        ("eth_chainId", json!([]), json!("0x7a69")),
        ("eth_chainId", none.clone(), json!("0x7a69")),
        ("eth_accounts", json!([]), json!([])),
        ("eth_blockNumber", json!([]), json!("0x1")),
        (
            "eth_getTransactionCount",
            json!([from, "latest"]),
            json!("0x1"),
        ),
        ("eth_getTransactionCount", json!([from]), json!("0x1")),
        ("eth_getBlockByNumber", json!(["0x2", false]), none.clone()),
        ("eth_getBlockByHash", ghost.clone(), none.clone()),
        ("eth_getTransactionByHash", ghost.clone(), none.clone()),
        ("eth_getTransactionReceipt", ghost.clone(), none.clone()),
        ("eth_getBlockReceipts", json!(["0x2"]), none.clone()),
        ("eth_getLogs", json!([{}]), json!([])),
        ("eth_getCode", json!([from, "latest"]), json!("0x")),
        ("eth_getStorageAt", json!([from, "0x0"]), json!(B256::ZERO)),
        ("eth_estimateGas", json!([{"to": from}]), json!("0x5208")),
        ("eth_call", json!([{"to": from}, "latest"]), json!("0x")),
        ("evm_increaseTime", json!([3]), json!(3)),
        ("evm_mine", json!([]), json!("0x0")),
        (
            "evm_setNextBlockTimestamp",
            json!([9_000_000_000u64]),
            none.clone(),
        ),
        ("evm_mine", json!(["0x2540be400"]), json!("0x0")),
    ];
    for (method, params, expected) in rows {
        assert_eq!(
            peer.get(method, params.clone()).await,
            expected,
            "{method} {params}"
        );
    }
    let head = peer
        .get("eth_getBlockByNumber", json!(["latest", false]))
        .await;
    assert_eq!(head["timestamp"], "0x2540be400");
    assert_eq!(head["number"], "0x3");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_codes() {
    let (_, peer) = served(for_tests()).await;
    let contract = account(0).address().create(0);
    let create = Draft::new(2, 0, None, programs::creating(programs::REVERT));
    peer.get("eth_sendRawTransaction", json!([create.sign(&account(0))]))
        .await;
    let call = json!([{"to": contract, "data": "0xdeadbeef"}, "latest"]);
    let rows = [
        ("eth_call", call.clone(), 3, "execution reverted"),
        ("eth_estimateGas", call, 3, "execution reverted"),
        (
            "eth_nothing",
            json!([]),
            -32601,
            "method eth_nothing is not supported",
        ),
        (
            "eth_getBalance",
            json!([]),
            -32602,
            "parameter 0 is missing",
        ),
        ("eth_getBalance", json!(["0x12"]), -32602, "parameter 0: "),
        (
            "eth_getBalance",
            json!({"a": 1}),
            -32602,
            "params must be an array",
        ),
        (
            "eth_getBalance",
            json!([contract, "0x0"]),
            -32001,
            "ask for latest",
        ),
        (
            "eth_getBalance",
            json!([contract, "0x9"]),
            -32001,
            "unknown block",
        ),
        (
            "eth_sendRawTransaction",
            json!(["0x03"]),
            -32003,
            "type 3 is not supported",
        ),
        (
            "evm_setNextBlockTimestamp",
            json!([5]),
            -32602,
            "is before that of the newest block",
        ),
        (
            "evm_setNextBlockTimestamp",
            json!(["x"]),
            -32602,
            "is no number",
        ),
    ];
    for (method, params, code, words) in rows {
        let refusal = peer.ask(method, params.clone()).await.unwrap_err();
        assert_eq!(refusal.code, code, "{method} {params} {refusal:?}");
        assert!(
            refusal.message.contains(words),
            "{method} {params} {refusal:?}"
        );
        if code == 3 {
            assert_eq!(refusal.data, json!("0xdeadbeef"));
        }
    }
}

/// The rows of `testdata/chain/rpc.json`: what the methods of the execution API's specification refuse, in our own words.
#[tokio::test(flavor = "multi_thread")]
async fn every_parameter_is_checked() {
    let rows = include_str!("../../../../testdata/chain/rpc.json");
    let rows: Vec<Value> = serde_json::from_str(rows).unwrap();
    let (_, peer) = served(for_tests()).await;
    let mut refused = 0;
    for row in &rows {
        let (method, params) = (row["method"].as_str().unwrap(), row["params"].clone());
        let answer = peer.ask(method, params.clone()).await;
        match row["code"].as_i64() {
            Some(code) => {
                let refusal = answer.expect_err(&format!("{method} {params} is refused"));
                assert_eq!(refusal.code, code, "{method} {params} {refusal:?}");
                let says = row["says"].as_str().unwrap();
                assert!(
                    refusal.message.contains(says),
                    "{method} {params} {refusal:?}"
                );
                refused += 1;
            }
            None => assert_eq!(answer.unwrap(), row["result"], "{method} {params}"),
        }
    }
    println!("ATTACK field-12: {refused} hostile questions refused by name");
}

#[tokio::test(flavor = "multi_thread")]
async fn time_beyond_its_range_is_refused_and_a_restart_is_not_stuck() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Chain::open(Place::Dir(folder.path().into()), for_tests()).unwrap();
    let chain = open();
    for time in [u64::MAX, u64::MAX - 1, 1 << 40] {
        let error = chain.set_time(time).unwrap_err();
        assert!(
            matches!(error, ChainError::Future { asked, .. } if asked == time),
            "{error}"
        );
        let error = chain.increase_time(time).unwrap_err();
        assert!(matches!(error, ChainError::Future { .. }), "{error}");
    }
    chain.increase_time(1 << 33).unwrap();
    chain.mine().unwrap();
    drop(chain);
    let chain = open();
    let head = chain.number().unwrap();
    assert_eq!(chain.mine().unwrap(), head + 1, "it goes on");
    chain.increase_time(1).unwrap();
    println!("ATTACK field-15: a time of 2^64-1 is refused, the chain goes on after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_gets_no_answer() {
    let (chain, peer) = served(for_tests()).await;
    let quiet = json!({"jsonrpc": "2.0", "method": "evm_mine"});
    let loud = json!({"jsonrpc": "2.0", "id": null, "method": "eth_chainId"});
    let send = |body: Value| {
        let request = reqwest::Client::new().post(&peer.url).json(&body);
        async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    assert_eq!(send(quiet.clone()).await, (204, String::new()));
    assert_eq!(send(json!([quiet, quiet])).await, (204, String::new()));
    assert_eq!(chain.number().unwrap(), 3, "they were carried out");
    let (status, text) = send(json!([quiet, loud])).await;
    let answers: Value = serde_json::from_str(&text).unwrap();
    let expected = json!([{"jsonrpc": "2.0", "id": null, "result": "0x7a69"}]);
    assert_eq!((status, answers), (200, expected));
    println!("ATTACK field-16: 3 notifications, 0 bytes of answer");
    let rows = [
        json!({"id": 1, "method": "eth_chainId"}),
        json!({"jsonrpc": "1.0", "id": 1, "method": "eth_chainId"}),
        json!({"jsonrpc": "2.0", "id": {}, "method": "eth_chainId"}),
    ];
    for row in rows {
        assert_eq!(peer.post(&row).await["error"]["code"], -32600, "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_answered_up_to_a_limit() {
    let (_, peer) = served(Config::default()).await;
    let one = |id: Value| json!({"jsonrpc": "2.0", "id": id, "method": "eth_chainId"});
    let answers = peer
        .post(&json!([one(json!(1)), one(json!("b")), {"id": 3}, 4]))
        .await;
    assert_eq!(
        answers[0],
        json!({"jsonrpc": "2.0", "id": 1, "result": "0x7a69"})
    );
    assert_eq!(answers[1]["id"], "b");
    assert_eq!(answers[2]["error"]["code"], -32600);
    assert_eq!(answers[3]["error"]["code"], -32600);
    assert_eq!(peer.post(&json!([])).await["error"]["code"], -32600);
    let long = vec![one(json!(1)); 1_001];
    let refusal = peer.post(&json!(long)).await;
    assert_eq!(
        refusal["error"]["message"],
        "a batch of 1001; 1000 at most, split it"
    );
    assert_eq!(
        peer.post(&json!(long[1..])).await.as_array().unwrap().len(),
        1_000
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_client_sends_is_refused() {
    let (_, peer) = served(for_tests()).await;
    medibloc_transport::install_provider();
    let client = reqwest::Client::new();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"evm_mine"}"#;
    let ask = |kind: &str, host: Option<&str>, body: String| {
        let mut request = client
            .post(&peer.url)
            .header("content-type", kind)
            .body(body);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        async { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(
        ask("application/json; charset=utf-8", None, body.into()).await,
        200
    );
    assert_eq!(
        ask("text/plain", None, body.into()).await,
        415,
        "a page in a browser"
    );
    assert_eq!(
        ask("application/json", Some("evil.example"), body.into()).await,
        403,
        "rebinding"
    );
    assert_eq!(
        ask("application/json", None, " ".repeat((2 << 20) + 1)).await,
        413
    );
    let broken = client
        .post(&peer.url)
        .header("content-type", "application/json")
        .body("{");
    let answer: Value =
        serde_json::from_slice(&broken.send().await.unwrap().bytes().await.unwrap()).unwrap();
    assert_eq!(answer["error"]["code"], -32700);
    assert_eq!(answer["id"], Value::Null);
    assert_eq!(
        peer.get("eth_blockNumber", json!([])).await,
        "0x1",
        "only the first was asked"
    );
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let chain = Chain::open(Place::Memory, for_tests()).unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = serve(chain, listener).await.unwrap_err();
    assert!(matches!(error, ServeError::NotLoopback(_)), "{error}");
}
