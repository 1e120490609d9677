//! Whom an agent calls: listed nodes and keepers, whose certificates hold, and nobody inside a private network.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]
#![allow(clippy::print_stdout, reason = "an attack tells its figure")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use medibloc_api::{Code, Problem};
use medibloc_client::{HttpNetwork, NetworkConfig, SystemClock, Timing};
use medibloc_dag::Cid;
use medibloc_evil::impostor::{self, Authority};
use medibloc_journey::{Letter, Network as _, PortError};
use medibloc_keys::SigningKey;
use medibloc_record::{Address, TypedDomain, Wrapped};
use medibloc_transport::{Outgoing, Policy, Proxies};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 1,
    records: Address::new([1; 20]),
};

fn network(node: &str, nodes: &[&str], outgoing: Outgoing) -> HttpNetwork {
    let mut timing = Timing::default();
    timing.answer = Duration::from_secs(10);
    timing.pause = Duration::from_millis(1);
    let config = NetworkConfig {
        node: node.to_owned(),
        nodes: nodes.iter().map(|&url| url.to_owned()).collect(),
        keepers: vec![(1, "http://127.0.0.1:9".to_owned())],
        domain: DOMAIN,
        timing,
        outgoing,
    };
    HttpNetwork::new(config, Arc::new(SystemClock)).unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32]).unwrap()
}

fn letter() -> Letter {
    Letter {
        version: 1,
        sender: key().address(),
        recipient: key().address(),
        id: [1; 32],
        wrapped: Wrapped {
            key_version: 1,
            enc: [0; 32],
            ciphertext: vec![1],
        },
        tag: None,
    }
}

/// A server that answers everything with this head; counts connections.
async fn listener(answer: String) -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let reached = Arc::new(AtomicUsize::new(0));
    let counted = reached.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (port, reached)
}

#[tokio::test]
async fn an_unlisted_or_inner_url_receives_no_request() {
    let (port, reached) = listener("HTTP/1.1 204 No Content\r\n\r\n".into()).await;
    let inner = format!("http://127.0.0.1:{port}");
    let by_name = format!("https://localhost:{port}");
    let tries = [
        // Listed by nobody, in a local deployment too.
        (
            network("http://127.0.0.1:9", &[], Outgoing::new(Policy::LOCAL)),
            inner.clone(),
            "neither a node",
        ),
        // Listed, but inside; as an address, and as a name that leads there.
        (
            network(
                "https://node.invalid",
                &[&inner],
                Outgoing::new(Policy::PUBLIC),
            ),
            inner.clone(),
            "loopback",
        ),
        (
            network(
                "https://node.invalid",
                &[&by_name],
                Outgoing::new(Policy::PUBLIC),
            ),
            by_name.clone(),
            "loopback",
        ),
        (
            network("https://node.invalid", &[], Outgoing::new(Policy::PUBLIC)),
            "https://169.254.169.254".into(),
            "neither a node",
        ),
    ];
    for (network, url, expected) in &tries {
        let mailbox = network.mailbox(&key(), url);
        for refused in [
            mailbox.send(&letter()).await.unwrap_err(),
            mailbox.fetch().await.unwrap_err(),
            mailbox.done([1; 32]).await.unwrap_err(),
        ] {
            let PortError::Refused { why, .. } = &refused else {
                panic!("{url}: {refused}");
            };
            assert!(why.contains(expected), "{url}: {why}");
        }
    }
    let keepers = tries[1].0.keepers(&key());
    let refused = keepers.feed(1).await.unwrap_err().to_string();
    assert!(refused.contains("loopback"), "{refused}");
    // A listed node that points inside is not followed.
    let location = format!(
        "HTTP/1.1 307 x\r\nlocation: {inner}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let (outer, asked) = listener(location).await;
    let outer = format!("http://127.0.0.1:{outer}");
    let mailbox = network(&outer, &[], Outgoing::new(Policy::LOCAL)).mailbox(&key(), &outer);
    let refused = mailbox.fetch().await.unwrap_err().to_string();
    assert!(refused.contains("not followed"), "{refused}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(
        reached.load(Ordering::SeqCst),
        0,
        "the inner server was reached"
    );
    println!(
        "ATTACK security-4: 0 of {} tries reached the inner server",
        tries.len() * 3 + 2
    );
}

#[tokio::test]
async fn certificates_that_do_not_hold_are_refused_with_the_reason() {
    let (own, foreign) = (Authority::new(), Authority::new());
    let trusting = || {
        Outgoing::new(Policy::LOCAL)
            .trusting("test", own.pem().as_bytes())
            .unwrap()
    };
    let cid = Cid::of_raw(b"x");
    for (what, pair, expected) in [
        ("good", own.pair("127.0.0.1"), ""),
        ("expired", own.expired("127.0.0.1"), "expired"),
        ("foreign", foreign.pair("127.0.0.1"), "does not trust"),
        (
            "wrong name",
            own.pair("other.example.org"),
            "for other.example.org, not for 127.0.0.1",
        ),
    ] {
        let (address, asked) = impostor::serve(&pair, "x").await;
        let url = format!("https://{address}");
        let answer = network(&url, &[], trusting()).store(&key()).get(&cid).await;
        let reached = asked.load(Ordering::SeqCst);
        match answer {
            Ok(bytes) => assert!(
                bytes == Some(b"x".to_vec()) && expected.is_empty(),
                "{what}"
            ),
            Err(error) => {
                assert!(!expected.is_empty(), "{what}: {error}");
                assert!(error.to_string().contains(expected), "{what}: {error}");
                assert!(error.is_retryable(), "{what}: what waits for it is kept");
                assert_eq!(reached, 0, "{what}: nothing was said");
            }
        }
    }
    let (port, _) = listener("HTTP/1.1 400 x\r\n\r\n".into()).await;
    let url = format!("https://127.0.0.1:{port}");
    let error = network(&url, &[], trusting())
        .store(&key())
        .get(&cid)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

/// `doctor` compares clocks by it.
#[tokio::test]
async fn a_nodes_clock_is_read_from_its_date() {
    for (date, told) in [
        ("date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Some(784_111_777)),
        ("date: yesterday\r\n", None),
        ("date: Thu, 01 Jan 1900 00:00:00 GMT\r\n", None),
        ("", None),
    ] {
        let head = format!("HTTP/1.1 200 x\r\n{date}content-length: 0\r\n\r\n");
        let (port, _) = listener(head).await;
        let node = network(
            &format!("http://127.0.0.1:{port}"),
            &[],
            Outgoing::new(Policy::LOCAL),
        );
        assert_eq!(node.time().await.unwrap().map(|at| at.0), told, "{date}");
    }
    let gone = network("http://127.0.0.1:9", &[], Outgoing::new(Policy::LOCAL));
    let error = gone.time().await.unwrap_err();
    assert!(matches!(error, PortError::Unreachable { .. }), "{error}");
}

/// Before, it was told as "does not answer".
#[tokio::test]
async fn a_wrong_clock_is_told_as_one_and_not_as_silence() {
    let problem = Problem::new(
        Code::Expired,
        "the request has expired; set the clock and sign it anew",
    );
    let body = String::from_utf8(problem.to_json()).unwrap();
    for (date, told) in [
        (
            "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
            "days ahead of it; set this machine's clock",
        ),
        (
            "date: Fri, 31 Dec 2100 08:49:37 GMT\r\n",
            "days behind it; set this machine's clock",
        ),
        ("", "the request has expired; set the clock"),
    ] {
        let head = format!(
            "HTTP/1.1 401 x\r\n{date}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (port, _) = listener(head).await;
        let url = format!("http://127.0.0.1:{port}");
        let node = network(&url, &[], Outgoing::new(Policy::LOCAL));
        let error = node.mailbox(&key(), &url).fetch().await.unwrap_err();
        assert!(matches!(error, PortError::Clock { .. }), "{error}");
        let stored = node
            .store(&key())
            .has(&[Cid::of_raw(b"x")])
            .await
            .unwrap_err();
        assert!(stored.is_retryable(), "what waits for it is kept: {stored}");
        for said in [error.to_string(), stored.to_string()] {
            assert!(said.contains("answers, but the clocks differ"), "{said}");
            assert!(said.contains(told), "{said}");
            assert!(!said.contains("does not answer"), "{said}");
        }
    }
}

#[tokio::test]
async fn this_machine_is_reached_directly_and_errors_name_the_proxy_of_others() {
    let (node, _) =
        listener("HTTP/1.1 200 x\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx".into()).await;
    let (proxy, through) =
        listener("HTTP/1.1 502 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".into()).await;
    let proxies = Proxies::of(|name| {
        ["http_proxy", "https_proxy"]
            .contains(&name)
            .then(|| format!("http://127.0.0.1:{proxy}"))
    });
    let cid = Cid::of_raw(b"x");
    let url = format!("http://127.0.0.1:{node}");
    let near = network(
        &url,
        &[],
        Outgoing::new(Policy::LOCAL).through(proxies.clone()),
    );
    assert_eq!(
        near.store(&key()).get(&cid).await.unwrap(),
        Some(b"x".to_vec())
    );
    assert_eq!(through.load(Ordering::SeqCst), 0, "not through the proxy");
    let far = network(
        "https://node.invalid",
        &[],
        Outgoing::new(Policy::PUBLIC).through(proxies),
    );
    let error = far.store(&key()).get(&cid).await.unwrap_err().to_string();
    assert!(
        error.contains(&format!("proxy http://127.0.0.1:{proxy}")),
        "{error}"
    );
    assert!(through.load(Ordering::SeqCst) > 0);
}
