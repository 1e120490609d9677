//! Strangers who keep the embedded chain busy, and whoever takes something back through a node meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use medibloc_ledger::Call;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::attacks::World;

/// In a build for debugging an endless call takes so long that the figure is that of the build: only `MEDIBLOC_ATTACK=full`, which
/// compiles as for release, has 400 connections and a bound of time.
fn connections() -> u32 {
    match std::env::var("MEDIBLOC_ATTACK").as_deref() {
        Ok("full") => 400,
        _ => 4,
    }
}

/// JUMPDEST PUSH1 0 JUMP: it runs until its gas is gone.
const ENDLESS: &str = "0x5b600056";

/// Calls without an end, and look-ups through all blocks.
fn heavy(number: u32) -> Value {
    let call = json!([{"data": ENDLESS}, "latest"]);
    let all = json!([{"fromBlock": "0x0", "toBlock": "latest"}]);
    let (method, params) = match number % 4 {
        0 => ("eth_call", call),
        1 => ("eth_estimateGas", call),
        2 => ("eth_getLogs", all),
        _ => ("eth_getBlockReceipts", json!(["0x1"])),
    };
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// Asks on a connection of its own, which ends with the answer.
async fn ask(to: &str, question: &Value, asked: &Semaphore) -> std::io::Result<()> {
    let body = question.to_string();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(to).await?;
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    asked.add_permits(1);
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_waits_behind_no_heavy_questions_to_the_chain() {
    let world = World::new("requests = 1000\n").await;
    let (victim, author) = (world.registered(1).await, world.registered(2).await);
    world.permit(&victim, &author).await;
    let (to, connections) = (world.chain(), connections());
    let (asked, end) = (
        Arc::new(Semaphore::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let revoke = async || {
        let began = Instant::now();
        let answer = world.call(&victim, &Call::RevokeAll).await;
        assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
        began.elapsed()
    };
    let alone = revoke().await;
    let mut floods = JoinSet::new();
    for number in 0..connections {
        let (to, asked, end) = (to.clone(), asked.clone(), end.clone());
        floods.spawn(async move {
            let question = heavy(number);
            while !end.load(Ordering::Relaxed) {
                // Whoever is refused comes again.
                let _ = ask(&to, &question, &asked).await;
            }
        });
    }
    let (mut slowest, mut all) = (Duration::ZERO, 0);
    for _ in 0..5 {
        // As many as there are connections came anew since the last one.
        asked.acquire_many(connections).await.unwrap().forget();
        slowest = slowest.max(revoke().await);
        all += 1;
    }
    end.store(true, Ordering::Relaxed);
    floods.shutdown().await;
    println!(
        "ATTACK fifth-3: {all} of {all} revocations passed beside {connections} connections of endless calls and heavy look-ups, the slowest after {:.2} s, alone {:.2} s",
        slowest.as_secs_f32(),
        alone.as_secs_f32()
    );
    // A build for debugging says nothing about a second.
    if connections == 400 {
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    }
}
