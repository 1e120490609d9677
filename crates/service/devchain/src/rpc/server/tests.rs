use serde_json::Value;

use super::*;
use crate::chain::{Config, Place};

#[test]
fn only_loopback_hosts_are_answered() {
    let rows = [
        ("localhost:8545", true),
        ("LOCALHOST", true),
        ("127.0.0.1:1", true),
        ("127.8.8.8", true),
        ("[::1]:8545", true),
        ("example.org", false),
        ("127.0.0.1.example.org", false),
        ("10.0.0.1:8545", false),
        ("", false),
    ];
    for (host, expected) in rows {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        assert_eq!(host_is_loopback(&headers), expected, "{host}");
    }
    assert!(!host_is_loopback(&HeaderMap::new()));
}

/// A transfer of the first test account, signed.
const RAW: &str = "0x02f873827a69808459682f0084b2d05e00825208943c44cdddb6a900fa2b585dd299e03d12fa4293bc\
    865af3107a400080c080a0c3000cd391f991169ebfd5d3b9e93c89d31a61c998a21b07a11dc6b9d66f8a8ea022\
    cfe8424b2fbd78b16c9911da1be2349027b0a3c40adf4b6459222323773f74";

/// Bodies that mutations start from: one of every method with parameters.
fn seeds() -> Vec<String> {
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
        (
            "eth_getProof",
            format!(r#"{address},["0x0","0x{}"],"latest""#, "1".repeat(64)),
        ),
        ("eth_getStorageAt", format!(r#"{address},"0x1","pending""#)),
        ("eth_getBlockByNumber", r#""0x0",true"#.to_owned()),
        ("eth_feeHistory", r#""0x5","latest",[10,50.5]"#.to_owned()),
        ("evm_setNextBlockTimestamp", "4000000000".to_owned()),
        ("evm_increaseTime", "\"0x10\"".to_owned()),
        ("evm_mine", String::new()),
    ];
    let one = |(method, params): &(&str, String)| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[{params}]}}"#)
    };
    let mut seeds: Vec<_> = rows.iter().map(one).collect();
    seeds.push(format!("[{},{}]", seeds[1], seeds[10]));
    seeds
}

#[test]
fn no_body_breaks_it() {
    let config = Config {
        test_methods: true,
        ..Config::default()
    };
    let chain = Chain::open(Place::Memory, config).unwrap();
    let seeds = seeds();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut roll = move |sides: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % sides as u64).unwrap()
    };
    let (mut answered, mut refused, mut silent) = (0, 0, 0);
    for round in 0..20_000 {
        let mut body = seeds[round % seeds.len()].clone().into_bytes();
        for _ in 0..roll(4) {
            let at = roll(body.len());
            match roll(5) {
                0 => body[at] = u8::try_from(roll(256)).unwrap(),
                1 => body[at] = b"0123456789abcdefx\"[]{},:-"[roll(25)],
                2 if body.len() > 1 => drop(body.remove(at)),
                3 => body.truncate(at + 1),
                _ => {
                    let end = (at + roll(24)).min(body.len());
                    let piece = body[at..end].to_vec();
                    body.splice(at..at, piece);
                }
            }
        }
        let Some(text) = reply(&chain, Limits::default(), &body) else {
            silent += 1;
            continue;
        };
        let answer: Value = serde_json::from_str(&text).unwrap();
        let one = if answer.is_array() {
            &answer[0]
        } else {
            &answer
        };
        if let Some(error) = one.get("error") {
            let code = error["code"].as_i64().unwrap();
            assert_ne!(
                code,
                INTERNAL,
                "{text} to {}",
                String::from_utf8_lossy(&body)
            );
            refused += 1;
        } else {
            assert!(one.get("result").is_some(), "{text}");
            answered += 1;
        }
    }
    assert!(silent < 2_000, "{silent} were taken for notifications");
    assert!(
        answered > 3_000 && refused > 3_000,
        "{answered} answered, {refused} refused"
    );
    assert!(chain.number().unwrap() > 500, "blocks were made meanwhile");
}
