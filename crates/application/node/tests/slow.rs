//! 4,096 slow connections to a real node: readiness and a revocation are answered within a second, in bounded memory.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]
#![allow(clippy::print_stdout, reason = "an attack tells its figures")]
#![allow(dead_code, reason = "one of two tests that start an institution")]

#[path = "program/start.rs"]
mod start;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use medibloc_api::{Challenge, Deployment, RelayCall, paths};
use medibloc_dag::cbor;
use medibloc_evil::slow::Slow;
use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, Submit as _};
use medibloc_ledger_evm::EvmLedger;
use medibloc_node::{connect, system_clock};
use medibloc_record::Role;
use start::{Institution, ready};

const CONNECTIONS: usize = 4_096;
const WITHIN: Duration = Duration::from_secs(1);
const MEMORY: u64 = 256 << 20;

/// Bytes of a process in memory (proc(5), VmRSS).
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes << 10
}

struct Victim {
    key: SigningKey,
    ledger: EvmLedger,
    node: String,
    http: reqwest::Client,
}

impl Victim {
    async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/readyz", self.node)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// What a registration costs now.
    async fn challenge(&self) -> Challenge {
        let asked = self
            .http
            .get(format!("{}{}", self.node, paths::REGISTRATION));
        let answer = asked.send().await.unwrap().bytes().await.unwrap();
        cbor::from_slice(&answer).unwrap()
    }

    /// A signed call, and the same through the relay.
    async fn call(&self, call: &Call) -> (bool, Duration) {
        let deadline = system_clock()().plus(600);
        let unsigned = self
            .ledger
            .prepare(self.key.address(), call, deadline)
            .await
            .unwrap();
        let signature = self.key.sign_digest(&unsigned.digest);
        let signed = unsigned.sign(signature);
        let work = match call {
            Call::Register { .. } => self.challenge().await.solve(&signed.bytes),
            _ => None,
        };
        let body = cbor::to_vec(&RelayCall {
            work,
            bytes: signed.bytes,
            signature: signed.signature,
        });
        let begun = Instant::now();
        let answer = self
            .http
            .post(format!("{}{}", self.node, paths::RELAY))
            .header("content-type", medibloc_api::CBOR)
            .body(body)
            .send()
            .await;
        (
            answer.is_ok_and(|answer| answer.status().is_success()),
            begun.elapsed(),
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_under_4096_slow_connections_answers_within_a_second() {
    medibloc_transport::install_provider();
    let world = Institution::new();
    let gateway = world.start_gateway();
    ready(&world.node).await;
    let file = std::fs::read(world.folder.path().join("deployment.json")).unwrap();
    let deployment = Deployment::parse(&file).unwrap();
    let victim = Victim {
        key: SigningKey::from_bytes(&[7; 32]).unwrap(),
        ledger: connect(&deployment).await.unwrap(),
        node: world.node.clone(),
        // On a connection of its own each time, as a command line makes.
        http: reqwest::Client::builder()
            .no_proxy()
            .local_address(IpAddr::from([127, 7, 7, 7]))
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap(),
    };
    let register = Call::Register {
        role: Role::Person,
        sealing_key: [7; 32],
    };
    assert!(
        victim.call(&register).await.0,
        "the relay registers the victim"
    );
    let process = gateway.0.id();
    let idle = resident(process);
    let to: SocketAddr = world.node.strip_prefix("http://").unwrap().parse().unwrap();
    // From many sources, each far above what one may have; and from so many that each has few.
    let sources = |count: u16| -> Vec<IpAddr> {
        (0..count)
            .map(|number| {
                let [high, low] = number.to_be_bytes();
                [127, 66, high, low].into()
            })
            .collect()
    };
    for (what, sources) in [
        ("16 sources", sources(16)),
        ("1,024 sources", sources(1_024)),
    ] {
        let slow = Slow::start(to, &sources, CONNECTIONS, paths::NODE);
        while slow.made() < CONNECTIONS {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The system's queue is full of those that came at once; when one more got through, it is empty.
        assert!(victim.is_ready().await, "not ready beside {what}");
        let (mut worst_ready, mut worst_revocation, mut most) = (Duration::ZERO, Duration::ZERO, 0);
        for _ in 0..5 {
            let begun = Instant::now();
            assert!(victim.is_ready().await, "not ready beside {what}");
            worst_ready = worst_ready.max(begun.elapsed());
            let (done, took) = victim.call(&Call::RevokeAll).await;
            assert!(done, "a revocation is not answered beside {what}");
            worst_revocation = worst_revocation.max(took);
            most = most.max(resident(process));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let above = most.saturating_sub(idle);
        println!(
            "ATTACK security-8: {} slow connections made from {what}: readyz {:.2} s, revocation {:.2} s, {} MiB above idle",
            slow.made(),
            worst_ready.as_secs_f64(),
            worst_revocation.as_secs_f64(),
            above >> 20
        );
        // A busy machine says nothing about a second: the bound is that of `cargo xtask attack`.
        if std::env::var_os("MEDIBLOC_ATTACK").is_some() {
            assert!(
                worst_ready < WITHIN,
                "readyz took {worst_ready:?} beside {what}"
            );
            assert!(
                worst_revocation < WITHIN,
                "a revocation took {worst_revocation:?} beside {what}"
            );
        }
        assert!(above < MEMORY, "{above} bytes above idle beside {what}");
        drop(slow);
    }
    gateway.end();
}
