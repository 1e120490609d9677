//! Nodes of the chain that lie about who they are, or never end.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

use std::sync::atomic::Ordering;

use medibloc_evil::impostor::{self, Authority, Pair};
use medibloc_ledger::LedgerError;
use medibloc_ledger_evm::{Contracts, Deployed, EvmLedger, Rpc};
use medibloc_record::Address;
use medibloc_transport::{Outgoing, Policy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Asks the chain at a URL who it is.
async fn ask(url: &str, outgoing: &Outgoing) -> LedgerError {
    match Rpc::http(&[url.to_owned()], outgoing) {
        Ok(rpc) => ask_by(rpc).await,
        Err(error) => error,
    }
}

async fn ask_by(rpc: Rpc) -> LedgerError {
    let at = Address::new([1; 20]);
    let deployed = Deployed {
        chain_id: 1,
        block: 1,
        contracts: Contracts {
            authority: at,
            forwarder: at,
            accounts: at,
            records: at,
            consent: at,
            receipts: at,
            keepers: at,
        },
    };
    EvmLedger::connect(rpc, deployed, 0).await.unwrap_err()
}

fn trusting(authority: &Authority) -> Outgoing {
    Outgoing::new(Policy::LOCAL)
        .trusting("test", authority.pem().as_bytes())
        .unwrap()
}

#[tokio::test]
async fn certificates_that_do_not_hold_are_refused_with_the_reason() {
    let (own, foreign) = (Authority::new(), Authority::new());
    let answer = r#"{"jsonrpc":"2.0","id":0,"result":"0x2"}"#;
    let check = async |what: &str, pair: Pair, expected: &str| {
        let (address, asked) = impostor::serve(&pair, answer).await;
        let error = ask(&format!("https://{address}"), &trusting(&own))
            .await
            .to_string();
        assert!(error.contains(expected), "{what}: {error}");
        asked.load(Ordering::SeqCst)
    };
    assert!(check("good", own.pair("127.0.0.1"), "chain").await > 0);
    assert_eq!(
        check("expired", own.expired("127.0.0.1"), "expired").await,
        0
    );
    assert_eq!(
        check("foreign", foreign.pair("127.0.0.1"), "does not trust").await,
        0
    );
    let wrong = "for other.example.org, not for 127.0.0.1";
    assert_eq!(
        check("wrong name", own.pair("other.example.org"), wrong).await,
        0
    );
}

/// A plain server that answers this, again and again if it is to be endless.
async fn plain(head: &'static str, body: &'static str, is_endless: bool) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(body.as_bytes()).await.is_ok() && is_endless {}
            });
        }
    });
    url
}

#[tokio::test]
async fn endless_deep_and_pointing_answers_are_errors_that_name_the_node() {
    let local = Outgoing::new(Policy::LOCAL);
    let deep: &'static str = Box::leak("[".repeat(100_000).into_boxed_str());
    let long: &'static str = Box::leak(" ".repeat(64 << 10).into_boxed_str());
    let close = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    for (head, body, is_endless, expected) in [
        (close, long, true, "over 33554432 bytes"),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
            "",
            false,
            "over 33554432 bytes",
        ),
        (close, deep, false, "not valid"),
        (close, "<html>", false, "not valid"),
        (
            "HTTP/1.1 302 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            "",
            false,
            "not followed",
        ),
    ] {
        let url = plain(head, body, is_endless).await;
        let error = ask(&url, &local).await;
        let told = error.to_string();
        assert!(matches!(error, LedgerError::Corrupt { .. }), "{told}");
        assert!(told.contains(&url) && told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn chain_nodes_inside_a_private_network_are_not_called_by_a_public_deployment() {
    for (url, expected) in [
        ("http://127.0.0.1:8545", "loopback"),
        ("https://10.0.0.1", "private"),
        ("http://rpc.example.org", "plain HTTP"),
    ] {
        let told = ask(url, &Outgoing::new(Policy::PUBLIC)).await.to_string();
        assert!(told.contains(expected), "{told}");
    }
    let by_name = ask("https://localhost:1", &Outgoing::new(Policy::PUBLIC))
        .await
        .to_string();
    assert!(by_name.contains("loopback"), "{by_name}");
}

#[tokio::test]
async fn a_clock_that_differs_from_the_chains_node_is_seen_in_both_directions() {
    const HOUR: u64 = 3_600;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let now = std::time::SystemTime::now();
    let hour = std::time::Duration::from_secs(HOUR);
    let mut chains = Vec::new();
    for (theirs, expected) in [(now - hour, 3_600), (now + hour, -3_600)] {
        let date = httpdate::fmt_http_date(theirs);
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let body = r#"{"jsonrpc":"2.0","id":0,"result":"0x2"}"#;
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await.unwrap();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ndate: {date}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let outgoing = Outgoing::new(Policy::LOCAL);
        let rpc = Rpc::http(std::slice::from_ref(&url), &outgoing).unwrap();
        assert_eq!(rpc.clock_ahead(), None);
        let (error, ()) = tokio::join!(ask_by(rpc.clone()), serve);
        assert!(error.to_string().contains("chain"), "{error}");
        chains.push((rpc, expected));
    }
    // Each chain's own, whichever answered last. A busy machine takes its time; no test's machine takes half an hour.
    for (rpc, expected) in chains {
        let ahead = rpc.clock_ahead().unwrap();
        assert!((ahead - expected).abs() < 1_800, "{ahead}");
    }
}
