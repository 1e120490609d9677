//! An answer of the chain that is almost all empty members is refused before it takes memory. What else runs in this process takes
//! little.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

use std::sync::Arc;

use medibloc_ledger::{Facts as _, LedgerError};
use medibloc_ledger_evm::{Contracts, Deployed, EvmLedger, Rpc};
use medibloc_record::Address;
use medibloc_transport::{Outgoing, Policy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LONG: usize = 24 << 20;

/// From here on the most memory is counted anew (proc(5), `clear_refs`).
fn count_anew() -> Option<u64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    most()
}

/// The most memory that this process had, in bytes.
fn most() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

/// A node that answers as a chain does, and with this where it is asked for a block.
async fn node(block: Arc<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, block.clone()));
        }
    });
    url
}

async fn answer(mut stream: TcpStream, block: Arc<String>) -> Option<()> {
    let mut asked = Vec::new();
    // Questions are small: the body follows its head at once.
    while !asked.ends_with(b"}") {
        stream
            .read_buf(&mut asked)
            .await
            .ok()
            .filter(|read| *read > 0)?;
    }
    let asked = String::from_utf8(asked).ok()?;
    let said = [
        ("eth_chainId", "0x1"),
        ("eth_getCode", "0x60"),
        ("eth_blockNumber", "0x1"),
    ];
    let said = said.iter().find(|(method, _)| asked.contains(method));
    let small =
        said.map(|(_, result)| format!(r#"{{"jsonrpc":"2.0","id":0,"result":"{result}"}}"#));
    let body = small.as_ref().unwrap_or(&block);
    let head = format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(body.as_bytes()).await.ok()
}

async fn head_of(block: String) -> (LedgerError, u64) {
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
    let url = node(Arc::new(block)).await;
    let rpc = Rpc::http(&[url], &Outgoing::new(Policy::LOCAL)).unwrap();
    let ledger = EvmLedger::connect(rpc, deployed, 0).await.unwrap();
    let before = count_anew().unwrap();
    let error = ledger.head().await.unwrap_err();
    (error, most().unwrap() - before)
}

#[tokio::test]
async fn an_answer_of_the_chain_takes_no_more_memory_than_a_bound() {
    if count_anew().is_none() {
        println!("SKIPPED memory: no /proc/self/clear_refs");
        return;
    }
    medibloc_transport::install_provider();
    let list = |unit: &str| format!("[{}]", vec![unit; LONG / (unit.len() + 1)].join(","));
    let keys: Vec<String> = (0..LONG / 12)
        .map(|key| format!(r#""{key:x}":0"#))
        .collect();
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    let mut worst = 0;
    for block in [
        format!(r#"{{"x":{}}}"#, list("[1]")),
        format!(r#"{{"x":{}}}"#, list(r#"{"":0}"#)),
        format!(r#"{{"x":{}}}"#, list(&deep)),
        format!("{{{}}}", keys.join(",")),
        list("[1]"),
    ] {
        for answer in [
            format!(r#"{{"jsonrpc":"2.0","id":0,"result":{block}}}"#),
            block.clone(),
        ] {
            let (error, took) = head_of(answer).await;
            let what = &block[..24];
            assert!(
                matches!(error, LedgerError::Corrupt { .. }),
                "{what}: {error}"
            );
            worst = worst.max(took);
        }
    }
    println!(
        "ATTACK sixth-8: {} MiB beside an answer of {} MiB",
        worst >> 20,
        LONG >> 20
    );
    // The bytes themselves, in a buffer that grew.
    assert!(
        worst < 3 * LONG as u64,
        "{worst} bytes beside an answer of {LONG}"
    );
}
