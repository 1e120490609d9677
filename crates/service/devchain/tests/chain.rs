//! The chain in process: blocks, time, waiting transactions, folders.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/programs.rs"]
#[allow(dead_code)]
mod programs;
#[path = "support/wallet.rs"]
mod wallet;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use alloy::{
    consensus::TrieAccount,
    eips::{BlockId, BlockNumberOrTag},
    primitives::{Address, Bytes, U256, keccak256},
    rlp,
    rpc::types::{Filter, TransactionRequest},
};
use medibloc_devchain::{
    Chain, ChainError, Config, DiskError, Mining, OpenError, Place, Transactions,
};

use programs::{creating, join, word};
use wallet::{Draft, account};

/// Logs nothing, word 0 times.
const LOGS: &[u8] = &alloy::primitives::hex!("5f35 5b5f5fa0 6001900380600257 00");
const BEGIN: u64 = 1_800_000_000;

/// A chain in memory whose clock the test holds.
fn chain(mining: Mining) -> (Chain, Arc<AtomicU64>) {
    let clock = Arc::new(AtomicU64::new(BEGIN));
    (
        Chain::open(Place::Memory, config(&clock, mining)).unwrap(),
        clock,
    )
}

fn config(clock: &Arc<AtomicU64>, mining: Mining) -> Config {
    let now = Arc::clone(clock);
    let mut config = Config::default();
    config.clock = Arc::new(move || now.load(Ordering::Relaxed));
    config.mining = mining;
    config.test_methods = true;
    config
}

fn time(chain: &Chain) -> u64 {
    chain
        .block(BlockId::latest(), Transactions::Hashes)
        .unwrap()
        .unwrap()
        .header
        .timestamp
}

fn pay(nonce: u64) -> Bytes {
    Draft::new(2, nonce, Some(Address::repeat_byte(9)), Bytes::new()).sign(&account(0))
}

#[test]
fn time_follows_the_clock_and_never_runs_back() {
    let (chain, clock) = chain(Mining::Instant);
    let mine = || {
        chain.mine().unwrap();
        time(&chain)
    };
    assert_eq!(time(&chain), BEGIN);
    assert_eq!(mine(), BEGIN, "equal is allowed");
    clock.store(BEGIN + 5, Ordering::Relaxed);
    assert_eq!(mine(), BEGIN + 5);
    clock.store(BEGIN, Ordering::Relaxed);
    assert_eq!(mine(), BEGIN + 5, "the clock was set back");

    chain.set_time(BEGIN + 1_000).unwrap();
    assert_eq!(mine(), BEGIN + 1_000);
    clock.store(BEGIN + 7, Ordering::Relaxed);
    assert_eq!(mine(), BEGIN + 1_007, "it runs on from there");
    assert_eq!(chain.increase_time(60).unwrap(), 1_060);
    assert_eq!(mine(), BEGIN + 1_067);
    let error = chain.set_time(BEGIN).unwrap_err();
    assert!(matches!(error, ChainError::Past { asked: BEGIN, head } if head == BEGIN + 1_067));
}

#[test]
fn a_waiting_transaction_is_replaced_by_one_that_pays_a_tenth_more() {
    let (chain, _) = chain(Mining::EveryMillis(1_000));
    let priced = |gwei: u128| {
        let mut draft = Draft::new(0, 0, Some(account(1).address()), Default::default());
        draft.price = gwei * 1_000_000_000;
        draft.sign(&account(0))
    };
    let first = chain.send_raw(&priced(20)).unwrap();
    let again = chain.send_raw(&priced(20)).unwrap();
    assert_eq!(first, again, "the same again changes nothing");
    for gwei in [10, 19, 21] {
        let error = chain.send_raw(&priced(gwei)).unwrap_err();
        assert!(
            matches!(error, ChainError::Underpriced { nonce: 0, .. }),
            "{error}"
        );
    }
    let second = chain.send_raw(&priced(22)).unwrap();
    chain.mine().unwrap();
    assert!(
        chain.receipt(second).unwrap().is_some(),
        "the one that pays more"
    );
    assert!(chain.receipt(first).unwrap().is_none(), "and not the first");
    println!("ATTACK field-17: a fee a tenth higher replaces, less is refused by name");
    let error = chain.send_raw(&priced(40)).unwrap_err();
    assert!(
        matches!(error, ChainError::NonceTooLow { next: 1, .. }),
        "{error}"
    );
}

#[test]
fn a_call_sees_the_newest_block_or_the_next() {
    let (chain, clock) = chain(Mining::Instant);
    let raw = Draft::new(2, 0, None, creating(programs::SEE)).sign(&account(0));
    chain.send_raw(&raw).unwrap();
    clock.store(BEGIN + 50, Ordering::Relaxed);
    let see = |at: BlockId| {
        let to = account(0).address().create(0);
        let answer = chain
            .call(&TransactionRequest::default().to(to), at)
            .unwrap();
        let words = answer.as_chunks::<32>().0;
        (U256::from_be_bytes(words[0]), U256::from_be_bytes(words[8]))
    };
    assert_eq!(see(BlockId::latest()), (U256::from(1), U256::from(BEGIN)));
    assert_eq!(
        see(BlockId::pending()),
        (U256::from(2), U256::from(BEGIN + 50))
    );
}

#[test]
fn transactions_wait_for_their_block() {
    let (chain, _) = chain(Mining::EveryMillis(10));
    let heads = chain.heads();
    let first = chain.send_raw(&pay(0)).unwrap();
    let second = chain.send_raw(&pay(1)).unwrap();
    assert_eq!(chain.send_raw(&pay(1)).unwrap(), second, "it waits already");
    assert!(matches!(
        chain.send_raw(&pay(3)),
        Err(ChainError::NonceTooHigh { next: 2, .. })
    ));
    let from = account(0).address();
    assert_eq!(chain.nonce(from, BlockId::latest()).unwrap(), 0);
    assert_eq!(chain.nonce(from, BlockId::pending()).unwrap(), 2);
    assert_eq!(
        chain.transaction(first).unwrap().unwrap().block_number,
        None
    );
    assert!(chain.receipt(first).unwrap().is_none());
    assert!(!heads.has_changed().unwrap());

    assert_eq!(chain.mine().unwrap(), 1);
    assert_eq!(*heads.borrow(), 1);
    let receipts = chain.receipts(BlockId::number(1)).unwrap().unwrap();
    assert_eq!(
        receipts
            .iter()
            .map(|one| one.transaction_hash)
            .collect::<Vec<_>>(),
        [first, second]
    );
    assert_eq!(receipts[1].inner.cumulative_gas_used(), 54_400);
    assert_eq!(receipts[1].gas_used, 27_200);
    assert_eq!(
        chain.receipt(second).unwrap().unwrap().transaction_index,
        Some(1)
    );
    assert_eq!(chain.mine().unwrap(), 2, "an empty block");
}

#[test]
fn blocks_do_not_exceed_their_gas() {
    let (chain, _) = chain(Mining::EveryMillis(10));
    for nonce in 0..3 {
        let mut draft = Draft::new(2, nonce, Some(Address::ZERO), Bytes::new());
        draft.gas = 14_990_000;
        chain.send_raw(&draft.sign(&account(0))).unwrap();
    }
    chain.mine().unwrap();
    let count = |number| {
        chain
            .receipts(BlockId::number(number))
            .unwrap()
            .unwrap()
            .len()
    };
    // Two use 27,200 each and leave too little for what the third may use.
    assert_eq!(
        count(1) + {
            chain.mine().unwrap();
            count(2)
        },
        3
    );
}

#[test]
fn what_comes_after_a_waiting_one_waits_too() {
    let (chain, _) = chain(Mining::EveryMillis(10));
    let send = |who: usize, nonce: u64, gas: u64, price: u128| {
        let mut draft = Draft::new(2, nonce, Some(Address::ZERO), Bytes::new());
        (draft.gas, draft.price) = (gas, price);
        chain.send_raw(&draft.sign(&account(who)))
    };
    send(0, 0, 20_000_000, 3_000_000_000).unwrap();
    send(0, 1, 29_990_000, 3_000_000_000).unwrap();
    send(0, 2, 100_000, 3_000_000_000).unwrap();
    send(1, 0, 100_000, 875_000_000).unwrap();
    let error = send(1, 1, 100_000, 874_999_999).unwrap_err();
    assert!(
        matches!(
            error,
            ChainError::FeeTooLow {
                base_fee: 875_000_000
            }
        ),
        "{error}"
    );
    let nonces = || {
        let nonce = |who: usize| {
            chain
                .nonce(account(who).address(), BlockId::latest())
                .unwrap()
        };
        (nonce(0), nonce(1))
    };
    chain.mine().unwrap();
    assert_eq!(nonces(), (1, 1), "the second does not fit any more");
    chain.mine().unwrap();
    assert_eq!(nonces(), (3, 1));
}

#[test]
fn logs_are_found_across_transactions_of_a_block() {
    let (chain, _) = chain(Mining::EveryMillis(10));
    let contract = account(0).address().create(0);
    let create = Draft::new(2, 0, None, creating(&programs::log(1)));
    chain.send_raw(&create.sign(&account(0))).unwrap();
    for nonce in 1..4 {
        let draft = Draft::new(2, nonce, Some(contract), join(&[&word(nonce % 2)]));
        chain.send_raw(&draft.sign(&account(0))).unwrap();
    }
    chain.mine().unwrap();
    let filter = || Filter::new().from_block(BlockNumberOrTag::Earliest);
    let indices = |filter: &Filter| -> Vec<_> {
        chain
            .logs(filter)
            .unwrap()
            .iter()
            .map(|log| log.log_index.unwrap())
            .collect()
    };
    assert_eq!(indices(&filter()), [0, 1, 2]);
    assert_eq!(indices(&filter().address(contract)), [0, 1, 2]);
    let odd = alloy::primitives::B256::from(word(1));
    assert_eq!(indices(&filter().event_signature(odd)), [0, 2]);
    assert_eq!(indices(&filter().address(Address::ZERO)), [0; 0]);
    let ahead = chain.logs(&Filter::new().from_block(7));
    assert!(matches!(
        ahead,
        Err(ChainError::PastHead { asked: 7, head: 1 })
    ));
    let swapped = chain.logs(&Filter::new().from_block(1).to_block(0));
    assert!(matches!(swapped, Err(ChainError::Range)));
}

#[test]
fn only_the_newest_state_is_kept() {
    let (chain, _) = chain(Mining::Instant);
    chain.send_raw(&pay(0)).unwrap();
    let from = account(0).address();
    for id in [
        BlockId::latest(),
        BlockId::finalized(),
        BlockId::safe(),
        BlockId::number(1),
    ] {
        assert_eq!(chain.nonce(from, id).unwrap(), 1);
    }
    let old = chain.nonce(from, BlockId::number(0)).unwrap_err();
    assert!(
        matches!(old, ChainError::OldState { asked: 0, head: 1 }),
        "{old}"
    );
    let none = chain.nonce(from, BlockId::number(2)).unwrap_err();
    assert!(matches!(none, ChainError::UnknownBlock), "{none}");
}

#[test]
fn a_proof_holds_under_the_state_root() {
    let (chain, _) = chain(Mining::Instant);
    let contract = account(0).address().create(0);
    let create = Draft::new(2, 0, None, creating(programs::STORE));
    chain.send_raw(&create.sign(&account(0))).unwrap();
    for slot in 0..20 {
        let draft = Draft::new(
            2,
            slot + 1,
            Some(contract),
            join(&[&word(slot), &word(slot + 7)]),
        );
        chain.send_raw(&draft.sign(&account(0))).unwrap();
    }
    let keys = [U256::from(3), U256::from(99)];
    let slots = keys.iter().map(|key| (*key).into()).collect();
    let proof = chain.proof(contract, slots, BlockId::latest()).unwrap();
    let block = chain
        .block(BlockId::latest(), Transactions::Hashes)
        .unwrap()
        .unwrap();
    let held = TrieAccount {
        nonce: proof.nonce,
        balance: proof.balance,
        storage_root: proof.storage_hash,
        code_hash: proof.code_hash,
    };
    let value = verified(
        block.header.state_root,
        keccak256(contract),
        &proof.account_proof,
    );
    assert_eq!(value, Some(rlp::encode(held)));
    for (key, (slot, expected)) in keys
        .iter()
        .zip(proof.storage_proof.iter().zip([Some(10u64), None]))
    {
        let path = keccak256(key.to_be_bytes::<32>());
        let value = verified(proof.storage_hash, path, &slot.proof);
        assert_eq!(value, expected.map(rlp::encode));
        assert_eq!(slot.value, U256::from(expected.unwrap_or_default()));
    }
    let absent = chain
        .proof(Address::repeat_byte(0xee), vec![], BlockId::latest())
        .unwrap();
    let path = keccak256(Address::repeat_byte(0xee));
    assert_eq!(
        verified(block.header.state_root, path, &absent.account_proof),
        None
    );
}

fn verified(
    root: alloy::primitives::B256,
    key: alloy::primitives::B256,
    proof: &[Bytes],
) -> Option<Vec<u8>> {
    use eth_trie::{EthTrie, MemoryDB, Trie as _};
    let trie = EthTrie::new(Arc::new(MemoryDB::new(true)));
    let proof = proof.iter().map(|node| node.to_vec()).collect();
    trie.verify_proof(root, key.as_slice(), proof).unwrap()
}

#[test]
fn a_folder_keeps_its_chain() {
    let folder = tempfile::tempdir().unwrap();
    let place = || Place::Dir(folder.path().join("new/chain"));
    let clock = Arc::new(AtomicU64::new(BEGIN));
    let chain = Chain::open(place(), config(&clock, Mining::Instant)).unwrap();
    let hash = chain.send_raw(&pay(0)).unwrap();
    chain.increase_time(500).unwrap();
    chain.mine().unwrap();
    let held = Chain::open(place(), Config::default()).unwrap_err();
    assert!(matches!(held, OpenError::Disk(DiskError::Held)), "{held}");
    drop(chain);

    let mut other = config(&clock, Mining::Instant);
    other.chain_id = 7;
    let error = Chain::open(place(), other).unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::ChainId {
                found: 31_337,
                wanted: 7
            }
        ),
        "{error}"
    );
    let mut other = config(&clock, Mining::Instant);
    other.accounts.pop();
    let error = Chain::open(place(), other).unwrap_err();
    assert!(matches!(error, OpenError::Genesis), "{error}");

    let chain = Chain::open(place(), config(&clock, Mining::Instant)).unwrap();
    assert_eq!(chain.number().unwrap(), 2);
    assert_eq!(*chain.heads().borrow(), 2);
    assert!(chain.receipt(hash).unwrap().unwrap().status());
    clock.store(BEGIN + 1, Ordering::Relaxed);
    chain.mine().unwrap();
    assert_eq!(
        time(&chain),
        BEGIN + 501,
        "what it was ahead of the clock is kept"
    );
    assert!(matches!(
        chain.send_raw(&pay(0)),
        Err(ChainError::Known { block: 1, .. })
    ));
}

#[test]
fn gas_can_be_free() {
    let mut config = Config::default();
    config.base_fee = 0;
    config.accounts.clear();
    let chain = Chain::open(Place::Memory, config).unwrap();
    let mut draft = Draft::new(2, 0, Some(Address::ZERO), Bytes::new());
    draft.price = 0;
    let hash = chain.send_raw(&draft.sign(&account(0))).unwrap();
    assert_eq!(chain.receipt(hash).unwrap().unwrap().effective_gas_price, 0);
    assert_eq!(chain.gas_price().unwrap(), 0);
}

#[test]
fn a_question_gives_ten_thousand_logs_at_most() {
    let (chain, _) = chain(Mining::Instant);
    let contract = account(0).address().create(0);
    let create = Draft::new(2, 0, None, creating(LOGS));
    chain.send_raw(&create.sign(&account(0))).unwrap();
    let log = |nonce: u64, count: u64| {
        let mut draft = Draft::new(2, nonce, Some(contract), join(&[&word(count)]));
        draft.gas = 3_000_000;
        chain.send_raw(&draft.sign(&account(0))).unwrap();
    };
    for nonce in 1..=5 {
        log(nonce, 2_000);
    }
    let all = Filter::new().from_block(0).address(contract);
    assert_eq!(chain.logs(&all).unwrap().len(), 10_000);
    log(6, 1);
    let refusal = chain.logs(&all).unwrap_err();
    assert!(
        matches!(refusal, ChainError::TooManyLogs(10_000)),
        "{refusal}"
    );
    assert_eq!(chain.logs(&all.to_block(5)).unwrap().len(), 8_000);
}

#[test]
fn many_may_ask_while_many_send() {
    let (chain, _) = chain(Mining::Instant);
    std::thread::scope(|threads| {
        for who in 0..3 {
            let chain = chain.clone();
            threads.spawn(move || {
                for nonce in 0..20 {
                    let to = Some(Address::repeat_byte(9));
                    let mut draft = Draft::new(2, nonce, to, Bytes::new());
                    draft.value = U256::from(1);
                    let hash = chain.send_raw(&draft.sign(&account(who))).unwrap();
                    assert!(chain.receipt(hash).unwrap().unwrap().status());
                    let from = account(who).address();
                    assert_eq!(chain.nonce(from, BlockId::pending()).unwrap(), nonce + 1);
                    let head = chain.number().unwrap();
                    assert!(
                        chain
                            .block(BlockId::number(head), Transactions::Full)
                            .unwrap()
                            .is_some()
                    );
                }
            });
        }
    });
    assert_eq!(chain.number().unwrap(), 60);
    let coins = chain
        .balance(Address::repeat_byte(9), BlockId::latest())
        .unwrap();
    assert_eq!(coins, U256::from(60));
}
