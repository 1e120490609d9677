//! The same transactions and calls on this chain and on another: anvil, and geth in `ci`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/pair.rs"]
mod pair;
#[path = "support/peer.rs"]
mod peer;
#[path = "support/programs.rs"]
mod programs;
#[path = "support/wallet.rs"]
mod wallet;

use alloy::primitives::{Address, Bytes, U256, address};
use medibloc_devchain::test_accounts;
use serde_json::{Value, json};

use pair::{Pair, logs_of};
use programs::Dice;
use wallet::{CHAIN_ID, Draft, account};

const BEGIN: u64 = 1_800_000_000;
/// Contracts filled with random code, and calls to each.
const RANDOM: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn it_does_as_anvil() {
    let Some((_process, anvil)) = peer::anvil(BEGIN).await else {
        println!("SKIPPED anvil/differential: no Foundry; run `npm ci` in contracts");
        return;
    };
    let mut pair = Pair::new(anvil).await;
    pair.times = true;
    story(&mut pair).await;
    println!(
        "{} transactions and {} calls, as anvil",
        pair.transactions, pair.calls
    );
    assert!(pair.transactions >= 200 && pair.transactions + pair.calls >= 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_as_geth() {
    let Some((_process, geth)) = peer::geth(&genesis()).await else {
        println!("SKIPPED geth/differential: MEDIBLOC_GETH names no geth");
        return;
    };
    let mut pair = Pair::new(geth).await;
    story(&mut pair).await;
    println!(
        "{} transactions and {} calls, as geth",
        pair.transactions, pair.calls
    );
    assert!(pair.transactions >= 200 && pair.transactions + pair.calls >= 400);
}

/// Our first block in geth's words.
fn genesis() -> Value {
    let coins = |(address, balance): (Address, U256)| {
        (address.to_string(), json!({"balance": balance.to_string()}))
    };
    let alloc: serde_json::Map<_, _> = test_accounts().into_iter().map(coins).collect();
    json!({
        "config": {
            "chainId": CHAIN_ID, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0,
            "eip158Block": 0, "byzantiumBlock": 0, "constantinopleBlock": 0, "petersburgBlock": 0,
            "istanbulBlock": 0, "berlinBlock": 0, "londonBlock": 0, "terminalTotalDifficulty": 0,
            "shanghaiTime": 0, "cancunTime": 0,
            "blobSchedule": {
                "cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477}
            }
        },
        "alloc": alloc, "gasLimit": "0x1c9c380", "baseFeePerGas": "0x3b9aca00",
        "difficulty": "0x0", "timestamp": "0x0", "extraData": "0x", "nonce": "0x0"
    })
}

async fn story(pair: &mut Pair) {
    let mut dice = Dice(0x6d65_6469);
    payments(pair, &mut dice).await;
    contracts(pair, &mut dice).await;
    random_programs(pair, &mut dice).await;
    refusals(pair).await;
}

async fn payments(pair: &mut Pair, dice: &mut Dice) {
    for round in 0..12 {
        let to = Address::from_slice(&dice.bytes(20));
        let mut draft = pair.draft(round % 3, Some(to), Bytes::new());
        draft.value = U256::from(dice.below(1_000_000));
        pair.act(round % 3, draft).await;
        pair.same_answer("eth_getBalance", json!([to, "latest"]))
            .await;
    }
    for who in 0..3 {
        let address = account(who).address();
        pair.same_answer("eth_getTransactionCount", json!([address, "latest"]))
            .await;
        pair.same_answer("eth_getTransactionCount", json!([address, "pending"]))
            .await;
    }
}

async fn create(pair: &mut Pair, runtime: &[u8]) -> Address {
    let mut draft = pair.draft(0, None, programs::creating(runtime));
    draft.value = U256::from(0);
    let done = pair.act(0, draft).await;
    assert!(done.succeeded);
    let code = pair
        .same_answer("eth_getCode", json!([done.contract, "latest"]))
        .await;
    assert_eq!(code, json!(Bytes::copy_from_slice(runtime)));
    done.contract
}

async fn contracts(pair: &mut Pair, dice: &mut Dice) {
    use programs::{address_word, creating, join, word};

    let store = create(pair, programs::STORE).await;
    for round in 0..24 {
        let slot = word(dice.below(4));
        let value = if round < 8 {
            word(1 + dice.below(9))
        } else {
            word(dice.below(3))
        };
        if round == 8 && pair.theirs.name == "anvil" {
            // It keeps slots of zero in its trie, which the Yellow Paper does not.
            pair.roots = false;
        }
        let draft = pair.draft(round % 3, Some(store), join(&[&slot, &value]));
        pair.act(round % 3, draft).await;
        let slot = U256::from_be_bytes(slot);
        pair.same_answer("eth_getStorageAt", json!([store, slot, "latest"]))
            .await;
    }
    for topics in 0..=4 {
        let contract = create(pair, &programs::log(topics)).await;
        for length in [0, 31, 32, 100, 160] {
            let draft = pair.draft(1, Some(contract), dice.bytes(length).into());
            pair.act(1, draft).await;
        }
        filters(pair, contract).await;
    }
    let revert = create(pair, programs::REVERT).await;
    let reason = Bytes::from(alloy::primitives::hex!(
        "08c379a00000000000000000000000000000000000000000000000000000000000000020"
        "0000000000000000000000000000000000000000000000000000000000000005"
        "68656c6c6f000000000000000000000000000000000000000000000000000000"
    ));
    for data in [
        Bytes::new(),
        reason.clone(),
        dice.bytes(4).into(),
        dice.bytes(77).into(),
    ] {
        let draft = pair.draft(2, Some(revert), data);
        assert!(!pair.act(2, draft).await.succeeded);
    }
    let request = json!([{"to": revert, "data": reason}, "latest"]);
    let refusal = pair.ours.ask("eth_call", request).await.unwrap_err();
    assert_eq!(refusal.message, "execution reverted: hello");

    for breaking in [programs::INVALID, programs::LOOP] {
        let contract = create(pair, breaking).await;
        let mut draft = pair.draft(0, Some(contract), Bytes::new());
        draft.gas = 60_000;
        assert!(!pair.act(0, draft).await.succeeded);
    }
    let mut short = pair.draft(0, Some(store), join(&[&word(9), &word(9)]));
    short.gas = 30_000;
    assert!(!pair.send(0, short).await.succeeded, "out of gas");

    let two = create(pair, programs::CREATE2).await;
    let one = create(pair, programs::CREATE).await;
    let child = creating(programs::ECHO);
    for salt in [1, 1, 2] {
        // The second time the address is taken.
        let draft = pair.draft(1, Some(two), join(&[&word(salt), &child]));
        assert!(pair.act(1, draft).await.succeeded);
        pair.same_answer("eth_getStorageAt", json!([two, "0x0", "latest"]))
            .await;
        let draft = pair.draft(1, Some(one), child.clone());
        assert!(pair.act(1, draft).await.succeeded);
    }
    let broken = pair.draft(1, None, Bytes::from_static(programs::INVALID));
    assert!(!pair.act(1, broken).await.succeeded);
    let reverted = pair.draft(
        1,
        None,
        Bytes::from_static(&alloy::primitives::hex!("5f5ffd")),
    );
    assert!(!pair.act(1, reverted).await.succeeded);

    let caller = create(pair, programs::CALL).await;
    for (number, input) in programs::precompiles() {
        let contract = Address::left_padding_from(&number.to_be_bytes());
        let mut direct = pair.draft(2, Some(contract), input.clone());
        direct.gas = 300_000;
        if input.is_empty() {
            // Anvil takes a call without input for a payment, and estimates 21,000.
            pair.send(2, direct).await;
        } else {
            pair.act(2, direct).await;
        }
        let draft = pair.draft(2, Some(caller), join(&[&address_word(contract), &input]));
        pair.act(2, draft).await;
        pair.same_answer("eth_getStorageAt", json!([caller, "0x1", "latest"]))
            .await;
    }
    for callee in [store, revert, one, caller] {
        let input = join(&[&address_word(callee), &dice.bytes(64)]);
        let draft = pair.draft(2, Some(caller), input);
        pair.act(2, draft).await;
    }
    let transient = create(pair, programs::TRANSIENT).await;
    let draft = pair.draft(0, Some(transient), join(&[&word(5)]));
    pair.act(0, draft).await;
    destroy(pair).await;
    if pair.times {
        see(pair).await;
    }
}

/// Contracts that destroy themselves: later, which keeps them (EIP-6780), and while they are
/// made, which does not.
async fn destroy(pair: &mut Pair) {
    let heir = address!("00000000000000000000000000000000000000aa");
    let contract = create(pair, programs::DESTROY).await;
    let mut draft = pair.draft(0, Some(contract), programs::address_word(heir).into());
    draft.value = U256::from(7);
    assert!(pair.act(0, draft).await.succeeded);
    let code = pair
        .same_answer("eth_getCode", json!([contract, "latest"]))
        .await;
    assert_eq!(code, json!(Bytes::from_static(programs::DESTROY)));
    // PUSH1 7 DUP1 SSTORE PUSH1 0xbb SELFDESTRUCT
    let brief = Bytes::from_static(&alloy::primitives::hex!("600780 55 60bbff"));
    let mut draft = pair.draft(0, None, brief);
    draft.value = U256::from(5);
    let done = pair.act(0, draft).await;
    assert!(done.succeeded);
    pair.same_answer("eth_getCode", json!([done.contract, "latest"]))
        .await;
    pair.same_answer("eth_getBalance", json!([heir, "latest"]))
        .await;
}

/// What a contract sees of its block.
async fn see(pair: &mut Pair) {
    let contract = create(pair, programs::SEE).await;
    let draft = pair.draft(0, Some(contract), Bytes::new());
    pair.act(0, draft).await;
}

async fn filters(pair: &mut Pair, contract: Address) {
    let all = json!([{"fromBlock": "0x0", "toBlock": "latest", "address": contract}]);
    let ours = pair.ours.get("eth_getLogs", all.clone()).await;
    let logs = ours.as_array().unwrap().clone();
    assert!(!logs.is_empty());
    let topics = |at: usize, topic: usize| logs.get(at).map(|log| log["topics"][topic].clone());
    let first = topics(0, 0).unwrap_or_default();
    let other = topics(logs.len() - 1, 0).unwrap_or_default();
    let second = topics(logs.len() - 1, 1).unwrap_or_default();
    let block = &logs[0]["blockHash"];
    let range = |fields: Value| {
        let mut filter = json!({"fromBlock": "earliest", "toBlock": "latest"});
        filter
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        filter
    };
    let mut rows = vec![
        range(json!({"address": contract})),
        range(json!({"address": [contract, Address::ZERO]})),
        range(json!({"address": Address::ZERO})),
        json!({"fromBlock": logs[0]["blockNumber"], "toBlock": logs[0]["blockNumber"]}),
    ];
    if first.is_string() {
        rows.push(range(json!({"topics": [first]})));
        rows.push(range(json!({"topics": [[first, other]]})));
        rows.push(range(json!({"topics": [first, other]})));
    }
    if second.is_string() {
        rows.push(range(json!({"topics": [null, second]})));
        rows.push(range(
            json!({"address": contract, "topics": [[], [second]]}),
        ));
    }
    for row in rows {
        pair.calls += 1;
        let ours = pair.ours.get("eth_getLogs", json!([row])).await;
        let theirs = pair.theirs.get("eth_getLogs", json!([row])).await;
        let wrap = |logs: &Value| logs_of(&json!({"logs": logs}));
        assert_eq!(wrap(&ours), wrap(&theirs), "{row}");
    }
    let found = pair
        .ours
        .get("eth_getLogs", json!([{"blockHash": block}]))
        .await;
    assert_eq!(found.as_array().unwrap().len(), 1);
}

async fn random_programs(pair: &mut Pair, dice: &mut Dice) {
    for _ in 0..RANDOM {
        let contract = create(pair, &programs::random(dice)).await;
        for _ in 0..2 {
            let mut draft = pair.draft(0, Some(contract), dice.bytes(96).into());
            draft.value = U256::from(dice.below(3));
            draft.gas = 300_000;
            pair.act(0, draft).await;
        }
    }
}

async fn refusals(pair: &mut Pair) {
    let signer = account(0);
    let to = Some(account(1).address());
    let draft = |pair: &Pair| Draft::new(2, pair.nonces[0], to, Bytes::new());

    let mut low = draft(pair);
    low.nonce -= 1;
    low.value = U256::from(1);
    pair.refuse(low.sign(&signer), "nonce too low").await;
    // The others keep it for later; here nothing waits.
    let mut high = draft(pair);
    high.nonce += 1;
    let next = format!("send {} first", pair.nonces[0]);
    pair.refuse_ours(high.sign(&signer), &next).await;

    let mut rich = draft(pair);
    rich.value = U256::from(10).pow(U256::from(30));
    pair.refuse(rich.sign(&signer), "insufficient funds").await;
    let mut large = draft(pair);
    large.gas = 30_000_001;
    pair.refuse(large.sign(&signer), "exceeds block gas limit")
        .await;
    let mut little = draft(pair);
    little.gas = 20_999;
    pair.refuse(little.sign(&signer), "intrinsic gas too low")
        .await;
    let mut elsewhere = draft(pair);
    elsewhere.chain_id = 1;
    pair.refuse(elsewhere.sign(&signer), "invalid chain id")
        .await;
    let long = Draft {
        to: alloy::primitives::TxKind::Create,
        ..draft(pair)
    };
    let long = Draft {
        input: vec![0; 49_153].into(),
        gas: 5_000_000,
        ..long
    };
    pair.refuse(long.sign(&signer), "max initcode size exceeded")
        .await;
    for bytes in [
        Bytes::new(),
        Bytes::from_static(b"\xc0"),
        Bytes::from_static(b"\x02\xc0"),
    ] {
        pair.refuse(bytes, "").await;
    }
    // Blobs and set-code: refused by their first byte.
    for kind in [3, 4, 5, 0x7f] {
        let words = format!("type {kind} is not supported; send type 0, 1 or 2");
        pair.refuse(vec![kind, 0xc0].into(), &words).await;
    }
    let sent = draft(pair).sign(&signer);
    let after = draft(pair);
    pair.send(0, after).await;
    pair.refuse(sent, "already known").await;
}
