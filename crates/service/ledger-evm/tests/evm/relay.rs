//! What the relay promises beyond the contract of its port.

use std::collections::BTreeSet;

use alloy::providers::Provider as _;
use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, Events, Facts, LedgerError, Outcome, Relay, SignedCall, Submit};
use medibloc_ledger_evm::{RelayOptions, RelayWallet, Source};
use medibloc_record::{Address, Role, SealingKey, Threshold};

use crate::chains::{Scene, anvil, devchain, key};

pub(crate) fn register() -> Call {
    Call::Register {
        role: Role::Person,
        sealing_key: [7; 32],
    }
}

pub(crate) async fn sign(scene: &Scene, who: &SigningKey, call: &Call) -> SignedCall {
    let deadline = scene.ledger.head().await.unwrap().time.plus(3_600);
    let unsigned = scene
        .ledger
        .prepare(who.address(), call, deadline)
        .await
        .unwrap();
    let signature = who.sign_digest(&unsigned.digest);
    unsigned.sign(signature)
}

async fn together(scene: &Scene, calls: &[(Source, SignedCall)]) -> Vec<Outcome> {
    let all = calls
        .iter()
        .map(|(source, call)| scene.relay.relay_from(*source, call));
    let mut outcomes = Vec::new();
    for outcome in futures_of(all).await {
        outcomes.push(outcome.unwrap());
    }
    outcomes
}

/// Polls all at once, so that they wait in the queue together.
pub(crate) async fn futures_of<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    core::future::poll_fn(|context| {
        let mut ready = true;
        for (future, result) in &mut all {
            if result.is_none() {
                match future.as_mut().poll(context) {
                    core::task::Poll::Ready(value) => *result = Some(value),
                    core::task::Poll::Pending => ready = false,
                }
            }
        }
        if ready {
            core::task::Poll::Ready(())
        } else {
            core::task::Poll::Pending
        }
    })
    .await;
    all.into_iter().filter_map(|(_, result)| result).collect()
}

fn transactions(outcomes: &[Outcome]) -> usize {
    let all: BTreeSet<_> = outcomes.iter().map(|one| one.transaction).collect();
    all.len()
}

#[tokio::test]
async fn what_waits_together_goes_in_one_transaction() {
    let scene = Scene::set(devchain(), 0).await;
    let mut calls = Vec::new();
    for number in 1..=15 {
        let call = sign(&scene, &key(number), &register()).await;
        calls.push((Source(number.into()), call));
    }
    let outcomes = together(&scene, &calls).await;
    // the first may leave alone: a relay that has nothing to do does not wait
    assert!(transactions(&outcomes) <= 2, "{outcomes:?}");
    for number in 1..=15 {
        let account = scene.ledger.account_of(key(number).address()).await;
        assert!(account.unwrap().is_some());
    }
}

#[tokio::test]
async fn addresses_of_one_connection_never_share_a_transaction() {
    let scene = Scene::set(devchain(), 0).await;
    let mut calls = Vec::new();
    for number in 1..=6 {
        let call = sign(&scene, &key(number), &register()).await;
        calls.push((Source(u64::from(number) % 2), call));
    }
    let outcomes = together(&scene, &calls).await;
    for source in 0..2 {
        let of_one: Vec<_> = outcomes
            .iter()
            .zip(&calls)
            .filter(|(_, (from, _))| from.0 == source)
            .map(|(outcome, _)| *outcome)
            .collect();
        assert_eq!(
            transactions(&of_one),
            3,
            "three addresses, three transactions"
        );
    }
}

#[tokio::test]
async fn the_same_request_twice_at_once_is_executed_once() {
    let scene = Scene::set(devchain(), 0).await;
    let call = sign(&scene, &key(1), &register()).await;
    let calls = [(Source(1), call.clone()), (Source(2), call.clone())];
    let outcomes = together(&scene, &calls).await;
    assert_eq!(outcomes[0], outcomes[1]);
    // another relay, which has never seen it, finds it on chain
    let other = RelayWallet::start(&scene.ledger, &key(71), RelayOptions::default());
    assert_eq!(other.relay(&call).await.unwrap(), outcomes[0]);
}

#[tokio::test]
async fn an_outcome_waits_for_finality_and_facts_are_final() {
    // the embedded chain keeps the newest state alone, and needs no more: its blocks are final
    let Some(chain) = anvil("finality", &[]) else {
        return;
    };
    let scene = std::sync::Arc::new(Scene::set(chain, 3).await);
    for _ in 0..3 {
        scene.mine().await;
    }
    let call = sign(&scene, &key(1), &register()).await;
    let task = tokio::spawn({
        let scene = scene.clone();
        async move { scene.relay.relay(&call).await }
    });
    let address = key(1).address();
    let sent = loop {
        let nonce = scene
            .ledger
            .prepare(address, &Call::RevokeAll, Default::default());
        let before = nonce.await.unwrap();
        tokio::task::yield_now().await;
        if before.bytes != unused(&scene, address).await {
            break scene.ledger.head().await.unwrap().number;
        }
    };
    assert_eq!(scene.ledger.account_of(address).await.unwrap(), None);
    assert!(!task.is_finished(), "it is mined, not final");
    for _ in 0..3 {
        scene.mine().await;
    }
    let outcome = task.await.unwrap().unwrap();
    assert!(outcome.block > sent);
    assert!(scene.ledger.account_of(address).await.unwrap().is_some());
    let blocks = scene.ledger.events(outcome.block, 10).await.unwrap();
    assert_eq!(blocks[0].events.len(), 1);
}

/// On a chain that settles slowly, what is in a block takes no place, and one address does not take all.
#[tokio::test]
async fn places_are_free_before_requests_are_final_and_no_address_takes_all() {
    let Some(chain) = anvil("places", &[]) else {
        return;
    };
    let scene = std::sync::Arc::new(Scene::set(chain, 3).await);
    for _ in 0..3 {
        scene.mine().await;
    }
    let mut options = RelayOptions::default();
    (options.most_waiting, options.most_of_one) = (1, 1);
    let relay = std::sync::Arc::new(RelayWallet::start(&scene.ledger, &key(70), options));
    let start = |call: SignedCall| {
        let relay = relay.clone();
        tokio::spawn(async move { relay.relay(&call).await })
    };
    let mut tasks = Vec::new();
    for number in 1..=3 {
        let call = sign(&scene, &key(number), &register()).await;
        let before = scene.raw.get_block_number().await.unwrap();
        // The worker notes a block a moment after the chain has it: the place may be taken until then.
        let task = loop {
            let task = start(call.clone());
            while scene.raw.get_block_number().await.unwrap() == before && !task.is_finished() {
                tokio::task::yield_now().await;
            }
            if !task.is_finished() {
                break task;
            }
            let error = task.await.unwrap().unwrap_err();
            assert!(
                matches!(&error, LedgerError::Limit { limit } if limit == "1 requests wait"),
                "{error:?}"
            );
        };
        tasks.push(task);
        // The same address again, before its first request is final; what takes something back is counted apart.
        let again = sign(&scene, &key(number), &register()).await;
        let error = relay.relay(&again).await.unwrap_err();
        assert!(
            matches!(&error, LedgerError::Limit { limit } if limit.contains("of this address")),
            "{error:?}"
        );
    }
    for _ in 0..3 {
        scene.mine().await;
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

/// What a request of an address that never sent one looks like.
async fn unused(scene: &Scene, like: Address) -> Vec<u8> {
    let fresh = key(60).address();
    let unsigned = scene
        .ledger
        .prepare(fresh, &Call::RevokeAll, Default::default())
        .await
        .unwrap();
    let mut bytes = unsigned.bytes;
    let at = bytes
        .windows(20)
        .position(|window| window == fresh.as_bytes())
        .unwrap();
    bytes[at..at + 20].copy_from_slice(like.as_bytes());
    bytes
}

#[tokio::test]
async fn the_deployment_is_as_planned() {
    let scene = Scene::set(devchain(), 0).await;
    let committee = scene.ledger.committee().await.unwrap();
    assert_eq!(committee.committee.id, 1);
    assert_eq!(committee.committee.threshold, Threshold::new(7, 4).unwrap());
    for (keeper, index) in committee.keepers.iter().zip(1..) {
        assert_eq!(
            (keeper.index, keeper.signer),
            (index, key(80 + index).address())
        );
        let key = [index; 32];
        assert_eq!(keeper.wrap_key, SealingKey { version: 1, key });
        assert_eq!(keeper.endpoint, format!("http://keeper-{index}.example"));
    }
    assert_eq!(committee.keepers.len(), 7);
    // it can be written down and read again
    let deployed = *scene.ledger.deployed();
    let json = serde_json::to_string(&deployed).unwrap();
    assert!(json.contains(&deployed.contracts.records.to_string()));
    let again: medibloc_ledger_evm::Deployed = serde_json::from_str(&json).unwrap();
    assert_eq!(again, deployed);
    // and nobody but the accreditor has its role
    let stranger = medibloc_ledger_evm::AuthorityWallet::new(&scene.ledger, &key(70));
    let error = stranger
        .suspend(medibloc_record::AccountId::new([1; 20]))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, LedgerError::Refused(refusal) if refusal.to_string().contains("AccessManagedUnauthorized")),
        "{error:?}"
    );
}
