//! The adapter on real EVMs: the embedded chain in this process, and anvil where Foundry is installed.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops at what it does not expect"
)]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod batch;
mod chains;
mod faults;
mod follow;
mod lagging;
mod proof;
mod relay;

use chains::{Scene, anvil, devchain, served};
use medibloc_devchain::Place;
use medibloc_ledger::contract::run;

#[tokio::test]
async fn the_embedded_chain_keeps_the_contract() {
    run(&Scene::set(devchain(), 0).await).await.unwrap();
    // `contract/{records,reads}.rs` refuse each, by the contracts' own reason.
    println!(
        "ATTACK security-s1: another owner's, an altered and an unknown preimage: 3 of 3 refused"
    );
    println!("ATTACK security-s5: a record of class 64: refused as UnknownClass");
    println!(
        "ATTACK security-s6: the nonce of one read, for another grant and record: refused as NonceUsed"
    );
}

#[tokio::test]
async fn the_embedded_chain_keeps_the_contract_over_http() {
    let chain = served(Place::Memory).await;
    run(&Scene::set(chain, 0).await).await.unwrap();
}

#[tokio::test]
async fn anvil_keeps_the_contract() {
    let Some(chain) = anvil("contract", &[]) else {
        return;
    };
    run(&Scene::set(chain, 0).await).await.unwrap();
}
