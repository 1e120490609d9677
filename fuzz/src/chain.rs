//! The embedded chain's JSON-RPC, from the bytes of a request to blocks.

use std::cell::RefCell;

use medibloc_devchain::{Chain, Config, Place};
use serde_json::Value;

/// Requests that one chain gets, so that what grows stays small and an input's effect depends on few others.
const MOST: u32 = 256;
/// "Internal error": the chain's own fault.
const INTERNAL: i64 = -32_603;

thread_local! {
    static CHAIN: RefCell<Option<(Chain, u32)>> = const { RefCell::new(None) };
}

/// The body of a request: the answer is JSON, and no error is the chain's own.
///
/// # Panics
/// If a promise breaks.
pub fn jsonrpc(data: &[u8]) {
    CHAIN.with_borrow_mut(|place| {
        let (chain, asked) = place.get_or_insert_with(|| {
            let mut config = Config::default();
            config.test_methods = true;
            let chain = Chain::open(Place::Memory, config).expect("a chain in memory");
            (chain, 0)
        });
        // Notifications get no answer.
        let text = chain.answer(data).unwrap_or_else(|| "[]".into());
        let answer: Value = serde_json::from_str(&text).expect("an answer is JSON");
        let single = std::slice::from_ref(&answer);
        for one in answer.as_array().map_or(single, Vec::as_slice) {
            match one.get("error") {
                Some(error) => assert_ne!(error["code"], INTERNAL, "{text}"),
                None => assert!(one.get("result").is_some(), "{text}"),
            }
        }
        *asked += 1;
        if *asked == MOST {
            *place = None;
        }
    });
}

/// A transfer of the first test account, signed.
const RAW: &str = "0x02f873827a69808459682f0084b2d05e00825208943c44cdddb6a900fa2b585dd299e03d12fa4293bc\
    865af3107a400080c080a0c3000cd391f991169ebfd5d3b9e93c89d31a61c998a21b07a11dc6b9d66f8a8ea022\
    cfe8424b2fbd78b16c9911da1be2349027b0a3c40adf4b6459222323773f74";

/// One request of every method with parameters, and a batch.
pub(crate) fn bodies() -> Vec<Vec<u8>> {
    let address = "\"0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266\"";
    let call = format!(r#"{{"to":{address},"data":"0x1234","gas":"0x5208","value":"0x1"}}"#);
    let rows = [
        ("eth_sendRawTransaction", format!("\"{RAW}\"")),
        ("eth_call", format!(r#"{call},"latest""#)),
        ("eth_estimateGas", call),
        (
            "eth_getLogs",
            format!(r#"{{"fromBlock":"0x0","address":[{address}],"topics":[[],null]}}"#),
        ),
        ("eth_getProof", format!(r#"{address},["0x0"],"latest""#)),
        ("eth_getBlockByNumber", r#""0x0",true"#.to_owned()),
        ("eth_feeHistory", r#""0x5","latest",[10,50.5]"#.to_owned()),
        ("evm_setNextBlockTimestamp", "4000000000".to_owned()),
        ("evm_increaseTime", "\"0x10\"".to_owned()),
        ("evm_mine", String::new()),
    ];
    let one = |(method, params): &(&str, String)| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[{params}]}}"#)
    };
    let mut bodies: Vec<String> = rows.iter().map(one).collect();
    bodies.push(format!("[{},{}]", bodies[1], bodies[9]));
    bodies.into_iter().map(String::into_bytes).collect()
}
