//! A receipt's proof, made by a node and checked without one.

use medibloc_consent::{AnchorFields, BindingTag, Grant, Purpose, Scope, Terms};
use medibloc_ledger::{Call, Event, Events, Facts, Outcome, Submit};
use medibloc_ledger_evm::{ProofError, Source, verify_receipt};
use medibloc_record::{
    AccountId, ClassId, Digest, Kind, Nonce, ReceiptId, RecordId, Role, Timestamp,
};

use crate::chains::{Running, Scene, anvil, devchain, key};

async fn act(scene: &Scene, who: u8, call: Call) -> Outcome {
    let deadline = Timestamp(u64::MAX);
    let unsigned = scene
        .ledger
        .prepare(key(who).address(), &call, deadline)
        .await
        .unwrap();
    let signature = key(who).sign_digest(&unsigned.digest);
    let signed = unsigned.sign(signature);
    let source = Source(who.into());
    scene.relay.relay_from(source, &signed).await.unwrap()
}

/// A read that happened: its block and its id.
async fn read(scene: &Scene) -> (u64, ReceiptId) {
    let (owner, reader) = (
        AccountId::from_first_address(key(1).address()),
        AccountId::from_first_address(key(2).address()),
    );
    for who in [1, 2] {
        let call = Call::Register {
            role: Role::Person,
            sealing_key: [7; 32],
        };
        act(scene, who, call).await;
    }
    let anchor = AnchorFields {
        nonce: Nonce::new([1; 32]),
        author: owner,
        owner,
        package: Digest::new([2; 32]),
        key_set: Digest::new([3; 32]),
        capsule: Digest::new([4; 32]),
        attestation: Digest::new([5; 32]),
        kind: Kind::Own,
        class: ClassId(1),
        amends: None,
    };
    act(scene, 1, Call::Anchor(anchor)).await;
    act(scene, 1, Call::Accept(anchor)).await;
    let now = scene.ledger.head().await.unwrap().time;
    let terms = Terms {
        scope: Scope::All,
        purpose_tag: Purpose::Treatment.tag([9; 32]),
        from: now,
        until: now.plus(1_000),
        reads: None,
        binding: BindingTag::default(),
        digest: Digest::new([6; 32]),
    };
    let grant = Grant::new(owner, reader, Nonce::new([8; 32]), terms);
    let given = Call::Grant {
        grant: grant.clone(),
        anchor: None,
    };
    act(scene, 1, given).await;
    let nonce = Nonce::new([10; 32]);
    let record: RecordId = anchor.record_id();
    let opened = Call::OpenRead {
        record,
        purpose_tag: grant.terms.purpose_tag,
        nonce,
        anchor,
        grant: grant.clone(),
        proof: None,
    };
    let outcome = act(scene, 2, opened).await;
    (
        outcome.block,
        ReceiptId::derive(record, reader, grant.id, nonce),
    )
}

async fn check(chain: Running) {
    let scene = Scene::set(chain, 0).await;
    let contracts = scene.ledger.deployed().contracts;
    let (block, receipt) = read(&scene).await;
    let proof = scene.ledger.proof(block, receipt).await.unwrap().unwrap();
    // as it goes into a file and comes back
    let json = serde_json::to_string(&proof).unwrap();
    let proof: medibloc_ledger::ReceiptProof = serde_json::from_str(&json).unwrap();

    let proven = verify_receipt(&proof, &contracts).unwrap();
    let known = &scene.ledger.events(block, 1).await.unwrap()[0];
    assert_eq!((proven.block, proven.block_hash), (block, known.hash));
    assert_eq!(proven.time, known.time);
    assert!(matches!(proven.event, Event::ReadOpened { receipt: id, .. } if id == receipt));

    let mut other_block = proof.clone();
    let last = other_block.header.0.len() - 1;
    other_block.header.0[last] ^= 1;
    let changed = verify_receipt(&other_block, &contracts);
    assert!(changed.is_err() || changed.unwrap().block_hash != known.hash);
    let mut other_receipt = proof.clone();
    let last = other_receipt.receipt.0.len() - 1;
    other_receipt.receipt.0[last] ^= 1;
    assert_eq!(
        verify_receipt(&other_receipt, &contracts),
        Err(ProofError::NotInBlock)
    );
    let mut other_place = proof.clone();
    other_place.index += 1;
    assert_eq!(
        verify_receipt(&other_place, &contracts),
        Err(ProofError::NotInBlock)
    );
    let mut cut = proof.clone();
    cut.nodes.pop();
    assert_eq!(
        verify_receipt(&cut, &contracts),
        Err(ProofError::NotInBlock)
    );
    let mut other_log = proof.clone();
    other_log.log = 9;
    assert_eq!(
        verify_receipt(&other_log, &contracts),
        Err(ProofError::NoEvent { log: 9 })
    );
    let mut other_chain = contracts;
    other_chain.receipts = contracts.forwarder;
    assert!(verify_receipt(&proof, &other_chain).is_err());
    let wrong = scene.ledger.proof(block - 1, receipt).await;
    assert!(wrong.is_err(), "it is not in the block before");
}

#[tokio::test]
async fn the_embedded_chain_proves_receipts() {
    check(devchain()).await;
}

#[tokio::test]
async fn anvil_proves_receipts() {
    if let Some(chain) = anvil("proof", &[]) {
        check(chain).await;
    }
}
