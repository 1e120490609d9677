//! Anchors per second, one a transaction and a hundred a transaction, on the embedded chain beside anvil: the same signed
//! transactions, one HTTP request at a time, a block for each.
//!
//! `cargo run --release -p medibloc-ledger-evm --example anchors [TRANSACTIONS]`; one row a line: name, figure.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a measuring tool prints and stops at the first surprise"
)]

#[allow(dead_code, reason = "shared with the tests")]
#[path = "../tests/evm/chains.rs"]
mod chains;

use std::time::Instant;

use alloy::consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::network::TxSignerSync as _;
use alloy::primitives::{Address, Bytes, FixedBytes, TxKind};
use alloy::providers::Provider as _;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolCall as _;
use chains::{DEPLOYER, Running, Scene, anvil, served};
use medibloc_devchain::Place;

#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    missing_docs,
    unreachable_pub,
    reason = "generated"
)]
mod records {
    alloy::sol!(Records, "../../../contracts/abi/Records.json");
}
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    missing_docs,
    unreachable_pub,
    reason = "generated"
)]
mod accounts {
    alloy::sol!(Accounts, "../../../contracts/abi/Accounts.json");
}
use records::Records;

/// Anchors of one batch.
const BATCH: u64 = 100;
/// An owner's own record.
const OWN: u8 = 2;
/// A person.
const PERSON: u8 = 1;

struct Sender<'a> {
    scene: &'a Scene,
    signer: PrivateKeySigner,
    nonce: u64,
}

impl Sender<'_> {
    fn signed(&mut self, to: medibloc_record::Address, data: Vec<u8>, gas: u64) -> Bytes {
        let mut transaction = TxEip1559 {
            chain_id: 31_337,
            nonce: self.nonce,
            gas_limit: gas,
            max_fee_per_gas: 20_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(Address::from(to.to_bytes())),
            input: data.into(),
            ..TxEip1559::default()
        };
        self.nonce += 1;
        let signature = self.signer.sign_transaction_sync(&mut transaction).unwrap();
        let signed: TxEnvelope = transaction.into_signed(signature).into();
        signed.encoded_2718().into()
    }

    /// Seconds until all are in blocks.
    async fn send(&self, all: &[Bytes]) -> f64 {
        let raw = &self.scene.raw;
        let begin = Instant::now();
        let mut last = FixedBytes::<32>::ZERO;
        for one in all {
            last = *raw.send_raw_transaction(one).await.unwrap().tx_hash();
        }
        let receipt = loop {
            if let Some(receipt) = raw.get_transaction_receipt(last).await.unwrap() {
                break receipt;
            }
        };
        let seconds = begin.elapsed().as_secs_f64();
        assert!(receipt.status(), "the chain refused an anchor");
        let sent = raw
            .get_transaction_count(self.signer.address())
            .await
            .unwrap();
        assert_eq!(sent, self.nonce, "not every anchor is in a block");
        seconds
    }
}

fn anchor(account: Address, number: u64) -> Records::AnchorFields {
    let word = |tag: u8| {
        let mut bytes = [tag; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        FixedBytes(bytes)
    };
    Records::AnchorFields {
        nonce: word(1),
        author: account,
        owner: account,
        packageDigest: word(2),
        keySetDigest: word(3),
        capsuleDigest: word(4),
        attestationDigest: word(5),
        kind: OWN,
        class: 0,
        amends: FixedBytes::ZERO,
    }
}

/// Anchors per second: single, in batches.
async fn measure(chain: Running, transactions: u64) -> (f64, f64) {
    let scene = Scene::set(chain, 0).await;
    let contracts = scene.ledger.deployed().contracts;
    let signer = PrivateKeySigner::from_bytes(&FixedBytes(DEPLOYER)).unwrap();
    let account = signer.address();
    let nonce = scene.raw.get_transaction_count(account).await.unwrap();
    let mut sender = Sender {
        scene: &scene,
        signer,
        nonce,
    };
    let register = accounts::Accounts::registerCall {
        role: PERSON,
        sealingKey_: FixedBytes([9; 32]),
    };
    let register = sender.signed(contracts.accounts, register.abi_encode(), 1_000_000);
    sender.send(&[register]).await;
    let single: Vec<Bytes> = (0..transactions)
        .map(|number| {
            let fields = anchor(account, number);
            let call = Records::anchorCall { fields };
            sender.signed(contracts.records, call.abi_encode(), 200_000)
        })
        .collect();
    let one = transactions as f64 / sender.send(&single).await;
    let batches: Vec<Bytes> = (0..transactions.div_ceil(10))
        .map(|number| {
            let first = transactions + number * BATCH;
            let batch = (first..first + BATCH).map(|number| anchor(account, number));
            let call = Records::anchorBatchCall {
                amended: Vec::new(),
                batch: batch.collect(),
            };
            sender.signed(contracts.records, call.abi_encode(), 8_000_000)
        })
        .collect();
    let many = (batches.len() as u64 * BATCH) as f64 / sender.send(&batches).await;
    (one, many)
}

#[tokio::main]
async fn main() {
    let asked = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let transactions = asked.unwrap_or(500_u64);
    let folder = std::env::temp_dir().join(format!("medibloc-anchors-{}", std::process::id()));
    let disk = measure(served(Place::Dir(folder.clone())).await, transactions).await;
    std::fs::remove_dir_all(folder).unwrap();
    let memory = measure(served(Place::Memory).await, transactions).await;
    let row = |name: &str, (one, many): (f64, f64)| {
        println!("anchors per second, one a transaction, {name}\t{one:.0}\t");
        println!("anchors per second, {BATCH} a transaction, {name}\t{many:.0}\t");
    };
    row("devchain on disk, each block synced", disk);
    row("devchain in memory", memory);
    if let Some(chain) = anvil("anchors", &[]) {
        let peer = measure(chain, transactions).await;
        row("anvil, in memory", peer);
        println!(
            "devchain / anvil, in memory, one a transaction\t{:.2}\t",
            memory.0 / peer.0
        );
        println!(
            "devchain / anvil, in memory, {BATCH} a transaction\t{:.2}\t",
            memory.1 / peer.1
        );
    }
}
