//! What the execution API's published tests say of questions that do not depend on their chain: which answer, or which
//! error code. Facts of `ethereum/execution-apis`, folder `tests/` (CC0 1.0), each row named by its file there. The
//! others need the blocks of its `chain.rlp`, which has forks that this chain has not.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use medibloc_devchain::{Chain, Config, Place};
use serde_json::{Value, json};

#[path = "support/peer.rs"]
#[allow(dead_code, reason = "other tests ask more of a peer")]
mod peer;

use peer::Peer;

/// The head of the published chain.
const HEAD: u64 = 54;

const ACCOUNT: &str = "0xaa00000000000000000000000000000000000000";
const NOBODY: &str = "0xc1cadaffffffffffffffffffffffffffffffffff";
const NO_HASH: &str = "0x00000000000000000000000000000000000000000000000000000000deadbeef";
const ZERO: &str = "0x0000000000000000000000000000000000000000000000000000000000000000";

/// What the published test answers.
enum Told {
    Result(Value),
    Code(i64),
    /// It refuses with another code; here parameters that are none are always -32602.
    Refused(i64),
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_as_the_published_tests_say() {
    use Told::{Code, Refused, Result};
    let chain = Chain::open(Place::Memory, Config::default()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(medibloc_devchain::serve(chain.clone(), listener));
    for _ in chain.number().unwrap()..HEAD {
        chain.mine().unwrap();
    }
    let peer = Peer::new("ours", url);
    let long = format!("{ZERO}0");
    let other = json!({"blockHash": NO_HASH, "fromBlock": "0x3", "toBlock": "0x4"});
    let reversed = json!({"address": null, "fromBlock": "0x29", "toBlock": "0x26", "topics": null});
    let unknown = json!({
        "from": "0x0c2c51a0990aee1d73c1228de158688341557508",
        "to": "0x0100000000000000000000000000000000000000", "type": "0x7f",
    });
    for (file, parameters, told) in [
        (
            "eth_getLogs/filter-error-future-block-range",
            json!([{"fromBlock": "0x32", "toBlock": "0x38"}]),
            Code(-32602),
        ),
        (
            "eth_getLogs/filter-error-fully-future-block-range",
            json!([{"fromBlock": "0x38", "toBlock": "0x3a"}]),
            Code(-32602),
        ),
        (
            "eth_getLogs/filter-error-future-block-to-latest",
            json!([{"fromBlock": "0x38", "toBlock": "latest"}]),
            Code(-32602),
        ),
        (
            "eth_getLogs/filter-error-reversed-block-range",
            json!([reversed]),
            Code(-32602),
        ),
        (
            "eth_getLogs/filter-error-invalid-blockHash-and-range",
            json!([other]),
            Code(-32602),
        ),
        (
            "eth_getStorageAt/get-storage-invalid-key-too-large",
            json!([ACCOUNT, long, "latest"]),
            Refused(-32000),
        ),
        // The same kind in the other method that takes slots; no file there asks for it.
        (
            "eth_getProof/-",
            json!([ACCOUNT, [long], "latest"]),
            Refused(-32000),
        ),
        (
            "eth_getStorageAt/get-storage-invalid-key",
            json!([ACCOUNT, "0xasdf", "latest"]),
            Refused(-32000),
        ),
        (
            "eth_getStorageAt/get-storage-unknown-account",
            json!([
                NOBODY,
                "0x0100000000000000000000000000000000000000000000000000000000000000",
                "latest"
            ]),
            Result(json!(ZERO)),
        ),
        (
            "eth_getBalance/get-balance-unknown-account",
            json!([NOBODY, "latest"]),
            Result(json!("0x0")),
        ),
        (
            "eth_getBalance/get-balance-default-block",
            json!([NOBODY]),
            Result(json!("0x0")),
        ),
        (
            "eth_getBlockByNumber/get-block-notfound",
            json!(["0x3e8", true]),
            Result(Value::Null),
        ),
        (
            "eth_getBlockReceipts/get-block-receipts-future",
            json!(["0x37"]),
            Result(Value::Null),
        ),
        (
            "eth_getBlockReceipts/get-block-receipts-not-found",
            json!([NO_HASH]),
            Result(Value::Null),
        ),
        (
            "eth_getTransactionReceipt/get-notfound-tx",
            json!([NO_HASH]),
            Result(Value::Null),
        ),
        (
            "eth_call/call-type-unknown",
            json!([unknown, "latest"]),
            Result(json!("0x")),
        ),
    ] {
        let method = file.split('/').next().unwrap();
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
        let answer = peer.post(&question).await;
        assert_eq!(
            (&answer["jsonrpc"], &answer["id"]),
            (&json!("2.0"), &json!(1)),
            "{file}"
        );
        match told {
            Result(result) => {
                assert_eq!(answer.get("result"), Some(&result), "{file}: {answer}");
                assert_eq!(answer.get("error"), None, "{file}");
            }
            Code(code) => assert_eq!(answer["error"]["code"], code, "{file}: {answer}"),
            Refused(code) => {
                assert_ne!(code, -32602, "{file}");
                assert_eq!(answer["error"]["code"], -32602, "{file}: {answer}");
            }
        }
        if answer.get("error").is_some() {
            assert!(
                !answer["error"]["message"].as_str().unwrap().is_empty(),
                "{file}"
            );
        }
    }
}
