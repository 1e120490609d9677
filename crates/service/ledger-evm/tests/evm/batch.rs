//! Batches: what a full one costs, and what becomes of one that fails as a whole.

use std::collections::BTreeSet;

use alloy::consensus::Transaction as _;
use alloy::primitives::B256;
use alloy::providers::Provider as _;
use medibloc_consent::AnchorFields;
use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, Facts, LedgerError, Outcome, SignedCall, Submit};
use medibloc_ledger_evm::{RelayOptions, RelayWallet, Source, burnt};
use medibloc_record::{
    Abi, AccountId, Address, ClassId, Digest, Kind, Nonce, domain_separator, keccak256,
    typed_digest,
};

use crate::chains::{Scene, devchain, key};
use crate::relay::{futures_of, register, sign};

/// A call that asks for so much gas, and with bytes behind its arguments: of an attacker who signs what no program does.
pub(crate) async fn odd(
    scene: &Scene,
    who: &SigningKey,
    call: &Call,
    gas: u64,
    behind: &[u8],
) -> SignedCall {
    let deadline = scene.ledger.head().await.unwrap().time.plus(3_600);
    let unsigned = scene.ledger.prepare(who.address(), call, deadline);
    let bytes = unsigned.await.unwrap().bytes;
    let word = |at: usize| -> [u8; 32] { bytes[at * 32..][..32].try_into().unwrap() };
    let number = |at: usize| u64::from_be_bytes(word(at)[24..].try_into().unwrap());
    let to = Address::new(word(2)[12..].try_into().unwrap());
    let length = usize::try_from(number(8)).unwrap();
    let data = [&bytes[288..288 + length], behind].concat();
    let mut all = bytes[..288].to_vec();
    all[4 * 32 + 24..5 * 32].copy_from_slice(&gas.to_be_bytes());
    all[8 * 32 + 24..9 * 32].copy_from_slice(&(data.len() as u64).to_be_bytes());
    all.extend(&data);
    all.resize(288 + data.len().next_multiple_of(32), 0);
    let kind = b"ForwardRequest(address from,address to,uint256 value,uint256 gas,uint256 nonce,uint48 deadline,bytes data)";
    let hash = Abi::new()
        .word(keccak256(kind))
        .address(who.address())
        .address(to)
        .uint(0)
        .uint(gas)
        .uint(number(5))
        .uint(number(6))
        .word(keccak256(&data))
        .keccak256();
    let deployed = scene.ledger.deployed();
    let forwarder = deployed.contracts.forwarder;
    let domain = domain_separator("MediBloc", "1", deployed.chain_id, forwarder);
    SignedCall {
        bytes: all,
        signature: who.sign_digest(&typed_digest(domain, hash)),
    }
}

/// Everybody's call at once, each over a connection of its own.
async fn at_once(relay: &RelayWallet, calls: &[SignedCall]) -> Vec<Result<Outcome, LedgerError>> {
    let all = (0..).zip(calls);
    futures_of(all.map(|(source, call)| relay.relay_from(Source(source), call))).await
}

async fn people(scene: &Scene, numbers: impl Iterator<Item = u8>) -> Vec<SigningKey> {
    let people: Vec<SigningKey> = numbers.map(key).collect();
    let mut calls = Vec::new();
    for who in &people {
        calls.push(sign(scene, who, &register()).await);
    }
    for answer in at_once(&scene.relay, &calls).await {
        answer.unwrap();
    }
    people
}

/// A relay that gives the forwarder nothing: a call that asks for what it uses and no more fails, beside others and alone.
#[tokio::test]
async fn what_fails_alone_is_told_so_with_what_it_cost_and_uses_nothing_up() {
    let scene = Scene::set(devchain(), 0).await;
    let people = people(&scene, 1..=2).await;
    let mut options = RelayOptions::default();
    options.forwarder_gas = 0;
    let relay = RelayWallet::start(&scene.ledger, &key(70), options);
    let rotate = Call::RotateSealingKey {
        sealing_key: [1; 32],
    };
    let mut calls = Vec::new();
    for who in &people {
        calls.push(odd(&scene, who, &rotate, 32_000, &[]).await);
    }
    let (before, alone) = (burnt(), 32_000);
    let told = at_once(&relay, &calls).await;
    for answer in &told {
        // Its own transaction, and its part in the batch.
        assert!(
            matches!(answer, Err(LedgerError::Burnt { gas }) if *gas > 3 * alone),
            "{told:?}"
        );
    }
    assert!(burnt() - before > 4 * alone);
    // With the gas that a program asks for they pass.
    for (who, source) in people.iter().zip(1..) {
        let again = sign(&scene, who, &rotate).await;
        scene
            .relay
            .relay_from(Source(source), &again)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_batch_full_of_bytes_has_gas_for_all_that_the_forwarder_does() {
    let scene = Scene::set(devchain(), 0).await;
    let people = people(&scene, 1..=6).await;
    let mut calls = Vec::new();
    for (who, number) in people.iter().zip(1..) {
        let id = AccountId::from_first_address(who.address());
        let one = |index: u8| AnchorFields {
            nonce: Nonce::new([[number, index]; 16].concat().try_into().unwrap()),
            author: id,
            owner: id,
            package: Digest::new([0xff; 32]),
            key_set: Digest::new([0xff; 32]),
            capsule: Digest::new([0xff; 32]),
            attestation: Digest::new([0xff; 32]),
            kind: Kind::Own,
            class: ClassId(0),
            amends: None,
        };
        // 51 kB of one, and 10 kB of each of the others.
        let count = if number == 1 { 160 } else { 32 };
        let batch = Call::AnchorBatch {
            batch: (0..count).map(one).collect(),
            amended: Vec::new(),
        };
        calls.push(sign(&scene, who, &batch).await);
    }
    for junk in [&[0xff; 60_000][..], &[0; 1]] {
        let fat = odd(&scene, &people[0], &Call::RevokeAll, 100_000, junk).await;
        let refused = scene.relay.relay_from(Source(9), &fat).await.unwrap_err();
        assert!(
            matches!(&refused, LedgerError::BadRequest { what } if what.contains("one form")),
            "{refused:?}"
        );
    }
    let wallet = alloy::primitives::Address::new(scene.relay.address().to_bytes());
    let count = async || scene.raw.get_transaction_count(wallet).await.unwrap();
    let before = count().await;
    let mut transactions = BTreeSet::new();
    for answer in at_once(&scene.relay, &calls).await {
        transactions.insert(answer.unwrap().transaction);
    }
    let sent = count().await - before;
    assert_eq!(sent, transactions.len() as u64, "none failed");
    for hash in transactions.into_iter().map(B256::new) {
        let sent = scene.raw.get_transaction_by_hash(hash).await.unwrap();
        let sent = sent.unwrap();
        assert!(sent.input().len() < 128 << 10 && sent.gas_limit() <= 12_000_000);
    }
}
