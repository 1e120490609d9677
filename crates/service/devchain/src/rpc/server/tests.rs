use serde_json::Value;

use super::super::INTERNAL;
use super::*;
use crate::chain::{Config, Place};

mod heavy;

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
        let Some(text) = chain.answer(&body) else {
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

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_has_nothing_more_begun_of_what_it_asked() {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    };

    let (came, mut comes) = tokio::sync::mpsc::unbounded_channel();
    let (go, goes) = std::sync::mpsc::channel::<()>();
    let (calls, goes) = (Arc::new(AtomicUsize::new(0)), Mutex::new(goes));
    let counted = calls.clone();
    // A call of the next block asks for the time: the first one there is held until its asker is gone.
    let clock = move || {
        if counted.fetch_add(1, Ordering::SeqCst) == 1 {
            came.send(()).unwrap();
            goes.lock().unwrap().recv().unwrap();
        }
        1_700_000_000
    };
    let config = Config {
        clock: Arc::new(clock),
        ..Config::default()
    };
    let chain = Chain::open(Place::Memory, config).unwrap();
    let service = Service::with(chain, Limits::default(), 1);
    let source = Source::Connection(([127, 0, 0, 1], 1).into());
    for method in ["eth_call", "eth_estimateGas"] {
        calls.store(1, Ordering::SeqCst);
        let one = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[{{"data":"0x00"}},"pending"]}}"#
        );
        let batch = format!("[{}]", vec![one; 100].join(","));
        let asker = {
            let (service, batch) = (service.clone(), batch.clone());
            tokio::spawn(async move { service.reply(source, batch.as_bytes()).await })
        };
        comes.recv().await.unwrap();
        asker.abort();
        assert!(asker.await.unwrap_err().is_cancelled());
        go.send(()).unwrap();
        // The only place is free again, so what was begun is done.
        let turn = service.calls.take(source, 1).await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 2, "{method}");
        drop(turn);
        let reply = service.reply(source, batch.as_bytes()).await.unwrap();
        let replies: Vec<Value> = serde_json::from_str(&reply.text).unwrap();
        assert_eq!(replies.len(), 100);
        assert_eq!(calls.load(Ordering::SeqCst), 102);
    }
}

#[test]
fn whom_a_proxy_speaks_for_is_told_apart_only_where_it_is_named() {
    let chain = Chain::open(Place::Memory, Config::default()).unwrap();
    let plain = Service::new(chain.clone(), Limits::default());
    let limits = Limits {
        proxy_header: Some(HeaderName::from_static("x-forwarded-for")),
        ..Limits::default()
    };
    let proxied = Service::new(chain, limits);
    let peer: SocketAddr = ([127, 0, 0, 1], 4).into();
    let mut extensions = Extensions::new();
    extensions.insert(ConnectInfo(peer));
    let named = |text: &str| Source::named(text.parse().unwrap());
    let rows = [
        (&[][..], Source::Connection(peer)),
        (&["192.0.2.1"], named("192.0.2.1")),
        (&["6.6.6.6, 192.0.2.1"], named("192.0.2.1")),
        (&["6.6.6.6", "192.0.2.1"], named("192.0.2.1")),
        (&["192.0.2.1, somebody"], Source::Connection(peer)),
        (&["2001:db8:1:2::3"], named("2001:db8:1::")),
    ];
    for (said, expected) in rows {
        let mut headers = HeaderMap::new();
        for line in said {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        assert_eq!(proxied.source(&headers, &extensions), expected, "{said:?}");
        let own = plain.source(&headers, &extensions);
        assert_eq!(own, Source::Connection(peer), "{said:?}");
    }
}

/// Each body was bounded, and all that wait together were not.
#[tokio::test]
async fn bodies_that_wait_have_a_bound_together_and_the_flood_is_refused() {
    const FLOOD: usize = 60;
    let chain = Chain::open(Place::Memory, Config::default()).unwrap();
    let limits = Limits {
        bodies: 1 << 20,
        ..Limits::default()
    };
    let service = Service::with(chain, limits, 1);
    let source = |n: u8| Source::named([192, 0, 2, n].into());
    let turn = service.calls.take(source(9), 1).await.unwrap();
    let data = "00".repeat(50_000);
    let long = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{{"data":"0x{data}"}}]}}"#
    );
    let ask = |from: Source, body: String| {
        let service = service.clone();
        tokio::spawn(async move {
            match service.take(from, Body::from(body)).await {
                Taken::Answered(Some(answered)) => answered.text,
                other => panic!("{other:?}"),
            }
        })
    };
    let flood: Vec<_> = (0..FLOOD).map(|_| ask(source(1), long.clone())).collect();
    let fit = (1 << 20) / long.len();
    while flood.iter().filter(|asked| asked.is_finished()).count() < FLOOD - fit {
        assert!(service.bodies.bytes() <= 1 << 20);
        tokio::task::yield_now().await;
    }
    let light = r#"{"jsonrpc":"2.0","id":2,"method":"eth_blockNumber"}"#;
    let victim = ask(source(2), light.to_owned()).await.unwrap();
    assert!(victim.contains(r#""result":"0x0""#), "{victim}");
    // Its long one has room, too: the flood makes it.
    let waits = ask(source(2), long.clone());
    while service.calls.waiting() < 2 || !service.bodies.has(source(2)) {
        tokio::task::yield_now().await;
    }
    drop(turn);
    let victim = waits.await.unwrap();
    let busy = ChainError::Busy.to_string();
    assert!(!victim.contains(&busy), "{victim}");
    let mut refused = 0;
    for asked in flood {
        refused += usize::from(asked.await.unwrap().contains(&busy));
    }
    assert!(
        (FLOOD - fit..FLOOD).contains(&refused),
        "{refused} of {FLOOD}"
    );
    assert_eq!(service.bodies.bytes(), 0);
}
