//! The listener's TLS: served from files, read again when they change, kept when what they change to is bad; and refused where
//! plain HTTP would leave the machine.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]
#![allow(dead_code, reason = "one of three tests that start an institution")]

#[path = "program/start.rs"]
mod start;

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use medibloc_evil::impostor::{Authority, Pair};
use medibloc_node::{Listening, Tls, serve};
use medibloc_transport::{Outgoing, Policy, Waits};
use start::{Institution, Running, refused};

const WAITS: Waits = Waits {
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(10),
};

/// What a new connection is told, or why there is none.
async fn ask(url: &str, authority: &Authority) -> Result<String, String> {
    let outgoing = Outgoing::new(Policy::LOCAL)
        .trusting("test", authority.pem().as_bytes())
        .unwrap();
    let client = outgoing.client(WAITS).unwrap();
    match client.get(url).send().await {
        Ok(answer) => Ok(answer.text().await.unwrap()),
        Err(error) => Err(outgoing.words(url, &error)),
    }
}

#[tokio::test]
async fn a_changed_certificate_is_read_again_and_a_bad_one_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        folder.path().join("node.crt"),
        folder.path().join("node.key"),
    );
    let write = |pair: &Pair| {
        std::fs::write(&certificate, &pair.certificate).unwrap();
        std::fs::write(&key, &pair.key).unwrap();
    };
    let (first, second) = (Authority::new(), Authority::new());
    write(&first.pair("127.0.0.1"));
    let how = Listening {
        tls: Some(Tls::open(&certificate, &key).unwrap()),
        ..Listening::default()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", get(|| async { "here" }));
    tokio::spawn(serve(listener, router, how, std::future::pending()));
    assert_eq!(ask(&url, &first).await, Ok("here".into()));
    let foreign = ask(&url, &second).await.unwrap_err();
    assert!(foreign.contains("does not trust"), "{foreign}");

    write(&second.pair("127.0.0.1"));
    let begun = Instant::now();
    while ask(&url, &second).await.is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it is not read again"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // A key of another certificate, then nothing at all: the one before stays.
    std::fs::write(&key, first.pair("127.0.0.1").key).unwrap();
    let why = Tls::open(&certificate, &key).unwrap_err().to_string();
    assert!(why.contains("not the certificate's key"), "{why}");
    std::fs::remove_file(&certificate).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(ask(&url, &second).await, Ok("here".into()));
    // Whole again, it goes on.
    write(&first.pair("127.0.0.1"));
    let begun = Instant::now();
    while ask(&url, &first).await.is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it is not read again"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for a line of a program's log.
fn logged(log: &mut impl BufRead, part: &str) -> String {
    let mut all = String::new();
    loop {
        let from = all.len();
        assert!(log.read_line(&mut all).unwrap() > 0, "{part}: {all}");
        if all[from..].contains(part) {
            return all.split_off(from);
        }
    }
}

/// A renewal that went wrong: what no client takes replaces nothing that is good, and both are told.
#[tokio::test]
async fn a_certificate_that_no_client_takes_replaces_no_good_one() {
    let world = Institution::new();
    let at = world.folder.path();
    let authority = Authority::new();
    let write = |pair: &Pair| {
        std::fs::write(at.join("node.crt"), &pair.certificate).unwrap();
        std::fs::write(at.join("node.key"), &pair.key).unwrap();
    };
    let listen = world.node.strip_prefix("http://").unwrap();
    let url = format!("https://{listen}");
    let words = [
        "gateway",
        "--config",
        "node.toml",
        "--url",
        &url,
        "--set",
        "tls.certificate=node.crt",
        "--set",
        "tls.key=node.key",
    ];
    let start = || {
        let mut running = Running::start(at, &words);
        let log = BufReader::new(running.0.stderr.take().unwrap());
        (running, log)
    };
    for (bad, why) in [
        (authority.expired("127.0.0.1"), "it has expired"),
        (
            authority.pair("elsewhere.example"),
            "it is not for 127.0.0.1",
        ),
    ] {
        write(&authority.pair("127.0.0.1"));
        let (running, mut log) = start();
        logged(&mut log, "the chain answers");
        let health = format!("{url}/healthz");
        assert!(ask(&health, &authority).await.is_ok());
        // Between the two files, they do not belong together: that is told, too.
        write(&bad);
        let told = logged(&mut log, "the one before it stays");
        assert!(told.contains(why) && told.contains("ERROR"), "{told}");
        assert!(ask(&health, &authority).await.is_ok());
        // The operator is told so, too, for as long as it is so.
        let told = logged(&mut log, "files of the TLS certificate");
        assert!(
            told.contains("\"degraded\"") && told.contains(why),
            "{told}"
        );
        write(&authority.pair("127.0.0.1"));
        logged(&mut log, "was read again");
        let told = logged(&mut log, "well again");
        assert!(told.contains("Certificate"), "{told}");
        write(&bad);
        logged(&mut log, "the one before it stays");
        running.kill();
        let (running, mut log) = start();
        let told = logged(&mut log, "no client takes");
        assert!(told.contains(why) && told.contains("WARN"), "{told}");
        // Nothing good is lost by what comes next.
        write(&authority.pair("127.0.0.1"));
        logged(&mut log, "was read again");
        assert!(ask(&health, &authority).await.is_ok());
        running.kill();
    }
}

#[test]
fn plain_http_beyond_this_machine_needs_to_be_asked_for() {
    let world = Institution::new();
    let at = world.folder.path();
    let listen = ["gateway", "--config", "node.toml", "--listen", "0.0.0.0:0"];
    let told = refused(at, &listen);
    assert!(
        told.contains("not a loopback address") && told.contains("behind_proxy"),
        "{told}"
    );
    let bad = [
        "gateway",
        "--config",
        "node.toml",
        "--set",
        "tls.certificate=none.crt",
        "--set",
        "tls.key=none.key",
    ];
    let told = refused(at, &bad);
    assert!(told.contains("none.crt"), "{told}");
    let deploy = [
        "chain",
        "deploy",
        "--rpc",
        "http://chain.example.org",
        "--out",
        "another.json",
        "--deployer",
        "deployer.json",
        "--authority",
        &world.authority,
        "--keeper",
        "keepers/keeper-1.public.json=https://keeper.example.org",
        "--node",
        "https://node.example.org",
        "--threshold",
        "1",
    ];
    let told = refused(at, &deploy);
    assert!(
        told.contains("plain HTTP") && told.contains("--insecure-http"),
        "{told}"
    );
    let chain = [
        "chain",
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--fund",
        &world.relay,
    ];
    let told = refused(at, &chain);
    assert!(told.contains("not a loopback address"), "{told}");
}
