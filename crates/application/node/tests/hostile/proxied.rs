//! Many sources behind one trusted proxy: none shuts another out, as if each came by itself.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderName;
use medibloc_api::paths;
use medibloc_node::{Bounds, ConnectionLimits, DailyLimits, Front, Listening};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::http::{Ground, METRICS};
use crate::watching::figure;

/// Nothing here waits for so long: it ends a test that would never end.
const NEVER: Duration = Duration::from_secs(40);
const A_SOURCE: usize = 8;
const ALL: usize = 64;

fn bounds() -> Bounds {
    let limits = ConnectionLimits {
        connections: Some(ALL),
        a_source: Some(A_SOURCE),
    };
    let mut bounds = limits.bounds();
    // On a busy machine no body here is too slow.
    bounds.span = NEVER;
    bounds
}

/// Behind a proxy on loopback, which says whom it speaks for.
async fn behind_a_proxy(router: Router, bounds: Bounds) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let how = Listening {
        bounds,
        tls: None,
        front: Some(Front {
            proxies: vec!["127.0.0.0/8".parse().unwrap()],
            header: HeaderName::from_static("x-forwarded-for"),
        }),
    };
    let serving = medibloc_node::serve(listener, router, how, std::future::pending());
    tokio::spawn(serving);
    address
}

fn head(line: &str, of: &str, rest: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {of}\r\n{rest}\r\n")
}

/// A connection on which the proxy has sent this.
async fn sent(to: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// A body that has begun, and never ends.
async fn slow(to: SocketAddr, of: &str) -> TcpStream {
    let line = format!("POST {}", paths::BLOCKS);
    sent(to, &head(&line, of, "content-length: 800000\r\n")).await
}

/// All that comes until the connection ends.
async fn answer(stream: &mut TcpStream) -> String {
    let mut told = Vec::new();
    let whole = tokio::time::timeout(NEVER, stream.read_to_end(&mut told));
    // A reset is an end, too.
    let _ = whole.await.expect("an end");
    String::from_utf8_lossy(&told).into_owned()
}

async fn gets(to: SocketAddr, of: &str, target: &str) -> String {
    let line = format!("GET {target}");
    let mut stream = sent(to, &head(&line, of, "connection: close\r\n")).await;
    answer(&mut stream).await
}

/// The first line of the answer.
async fn asks(to: SocketAddr, of: &str) -> String {
    let told = gets(to, of, paths::READYZ).await;
    told.lines().next().unwrap_or_default().to_owned()
}

/// As many as fill the listener, and one source more.
async fn fill(to: SocketAddr) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for source in 0..=ALL / A_SOURCE {
        for _ in 0..A_SOURCE {
            crowd.push(slow(to, &format!("203.0.113.{source}")).await);
        }
    }
    crowd
}

#[tokio::test]
async fn slow_bodies_of_many_sources_shut_nobody_out_behind_a_proxy() {
    let ground = Ground::new();
    let node = ground.gateway("http://127.0.0.1:1", DailyLimits::default());
    let keeper = ground.keeper("http://127.0.0.1:2", ground.folder.path());
    let mut answered = 0;
    for router in [node, keeper] {
        let to = behind_a_proxy(router, bounds()).await;
        let crowd = fill(to).await;
        for round in 0..15 {
            let told = asks(to, "198.51.100.7").await;
            assert_eq!(told, "HTTP/1.1 200 OK", "round {round}");
            answered += 1;
        }
        // The operator sees it, of whichever source.
        let figures = gets(to, "198.51.100.8", METRICS).await;
        let evicted = figure(&figures, "medibloc_connections_evicted_total{why=\"full\"}");
        assert!(evicted >= 1.0, "{figures}");
        let open = figure(&figures, "medibloc_connections_open");
        assert!(open >= 60.0, "{figures}");
        drop(crowd);
    }
    println!(
        "ATTACK tenth-7: {answered} of 30 newcomers answered beside more slow bodies behind a proxy than places"
    );
}

/// Reads one answer of a connection that stays open.
async fn next_answer(stream: &mut TcpStream) -> String {
    let mut told = Vec::new();
    // Every answer here ends with its one line of text.
    while !told.ends_with(b"ok\n") {
        let mut part = [0; 1024];
        let read = tokio::time::timeout(NEVER, stream.read(&mut part));
        let count = read.await.expect("an answer").unwrap_or(0);
        if count == 0 {
            break;
        }
        told.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&told).into_owned()
}

#[tokio::test]
async fn one_connection_of_a_proxy_carries_many_sources_to_a_full_listener() {
    let ground = Ground::new();
    let node = ground.gateway("http://127.0.0.1:1", DailyLimits::default());
    let to = behind_a_proxy(node, bounds()).await;
    let kept = head(&format!("GET {}", paths::READYZ), "198.51.100.1", "");
    let mut kept = sent(to, &kept).await;
    assert!(next_answer(&mut kept).await.starts_with("HTTP/1.1 200"));
    let crowd = fill(to).await;
    for source in 1..5 {
        let next = head(
            &format!("GET {}", paths::READYZ),
            &format!("198.51.100.{source}"),
            "",
        );
        kept.write_all(next.as_bytes()).await.unwrap();
        let told = next_answer(&mut kept).await;
        assert!(told.starts_with("HTTP/1.1 200"), "{source}: {told}");
    }
    drop(crowd);
}

#[tokio::test]
async fn what_one_source_sends_through_a_proxy_leaves_others_their_memory() {
    let ground = Ground::new();
    let node = ground.gateway("http://127.0.0.1:1", DailyLimits::default());
    let mut bounds = bounds();
    bounds.memory_a_source = 128 << 10;
    let to = behind_a_proxy(node, bounds).await;
    let line = format!("POST {}", paths::BLOCKS);
    let large = |of: &str| head(&line, of, "content-length: 120000\r\nconnection: close\r\n");
    let body = "x".repeat(119_999);
    let mut held = sent(to, &large("203.0.113.1")).await;
    held.write_all(body.as_bytes()).await.unwrap();
    // As soon as that has come, another of this source is told so.
    let begun = std::time::Instant::now();
    loop {
        let mut other = sent(to, &large("203.0.113.1")).await;
        let _ = other.write_all(format!("{body}x").as_bytes()).await;
        if answer(&mut other)
            .await
            .contains("of this source are on their way")
        {
            break;
        }
        assert!(begun.elapsed() < NEVER, "never full");
    }
    let mut other = sent(to, &large("198.51.100.7")).await;
    other
        .write_all(format!("{body}x").as_bytes())
        .await
        .unwrap();
    let told = answer(&mut other).await;
    assert!(told.contains("401"), "taken, and not signed: {told}");
    drop(held);
}

#[tokio::test]
async fn a_proxy_that_names_nobody_is_told_to_its_operator() {
    let ground = Ground::new();
    let node = ground.gateway("http://127.0.0.1:1", DailyLimits::default());
    let to = behind_a_proxy(node, bounds()).await;
    let mut before = None;
    for of in ["198.51.100.7", "unknown0", "", "127.0.0.9"] {
        let told = gets(to, of, METRICS).await;
        let count = figure(&told, "medibloc_proxy_unnamed_total");
        if let Some(before) = before.replace(count) {
            assert!(count > before, "{of:?}");
        }
    }
}
