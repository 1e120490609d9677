//! How long a first read takes: receipt through the relay on the embedded chain, shares of four of seven keepers, blocks from
//! the node, all over HTTP on loopback, then unsealing. Every read has a receipt of its own.
//!
//! `cargo run --release -p medibloc-client --example read_latency [READS]`; one row a line: name, figure.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measuring tool prints and stops at the first surprise"
)]

#[allow(dead_code, reason = "shared with the tests")]
#[path = "../tests/world/evm.rs"]
mod world;

use std::time::{Duration, Instant};

use medibloc_client::SystemClock;
use medibloc_consent::Purpose;
use medibloc_journey::{Clock as _, medical_only};
use medibloc_record::{Draft, LossReport, PartRole, Role};
use world::World;

/// Reads that warm connections and code up.
const WARM: usize = 5;

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted[at].as_secs_f64() * 1000.0
}

#[tokio::main]
async fn main() {
    let asked = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let reads: usize = asked.unwrap_or(100);
    let world = World::new().await;
    let patient = world.party(1, Role::Person);
    let hospital = world.party(2, Role::Provider);
    let clinic = world.party(3, Role::Provider);
    let mut owners = Vec::new();
    for (party, name) in [(&hospital, "Hana Hospital"), (&clinic, "Bit Clinic")] {
        let jwt = world.accredited(party, name).await;
        let invitation = patient.invite().await.unwrap();
        owners.push(party.answer(&invitation, Some(&jwt)).await.unwrap().owner);
        patient.sync().await.unwrap();
        patient.confirm(owners[owners.len() - 1]).unwrap();
    }
    let until = SystemClock.now().plus(86_400);
    let kinds = medical_only();
    patient.grant_write(owners[0], kinds, until).await.unwrap();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda");
    let original = std::fs::read(folder.join("consultation_note.xml")).unwrap();
    let bundle = std::fs::read(folder.join("consultation_note.bundle.json")).unwrap();
    let bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
    let size = original.len();
    let draft = Draft::new(
        "application/cda+xml",
        original.clone(),
        bundle,
        LossReport::default(),
    );
    let record = hospital.write_for(owners[0], draft).await.unwrap().record;
    patient.sync().await.unwrap();
    let purpose = Purpose::Treatment;
    clinic
        .ask(owners[1], purpose, "to measure", until)
        .await
        .unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().remove(0);
    patient.approve(&request, record, until).await.unwrap();
    clinic.sync().await.unwrap();

    let mut times = Vec::with_capacity(reads);
    for number in 0..WARM + reads {
        let begin = Instant::now();
        let read = clinic.read(record).await.unwrap();
        let mut plain = Vec::new();
        clinic
            .open_read_part(&read, PartRole::Original, &mut plain)
            .unwrap();
        if number >= WARM {
            times.push(begin.elapsed());
        }
        assert_eq!(plain, original);
    }
    let receipts = patient.audit().await.unwrap().len();
    times.sort_unstable();
    let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
    println!("read with receipt and 4 of 7 keepers, {size} bytes, p50, ms\t{p50:.1}\t");
    println!("read with receipt and 4 of 7 keepers, {size} bytes, p99, ms\t{p99:.1}\t");
    println!("receipts on chain for {} reads\t{receipts}\t", WARM + reads);
}
