//! What one address may use of a node: mailboxes, a day's limits, the relay.

use std::sync::atomic::Ordering;

use crate::http::{Draft, Ground, NOW, code, letter, node, serve};
use crate::{flags, get, ids, put};
use medibloc_api::{Code, Letter, LetterPage, LettersDone, RelayCall, paths};
use medibloc_dag::cbor;
use medibloc_dag::{Block, Cid, Codec};
use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, SignedCall};
use medibloc_node::DailyLimits;
use medibloc_record::{AccountId, Nonce, Role, Signature};

#[tokio::test]
async fn a_mailbox_is_its_owners_alone_and_nobody_fills_it() {
    let ground = Ground::new();
    let (anna, ben, eve) = (
        ground.registered(1).await,
        ground.registered(2).await,
        ground.registered(3).await,
    );
    let stranger = SigningKey::from_bytes(&[9; 32]).unwrap();
    let url = node(&ground).await;
    let send = |letter: &Letter| Draft::post(paths::MAILBOX, cbor::to_vec(letter));
    let read = async |key: &SigningKey| -> LetterPage {
        let page = Draft::get(paths::letters(0)).by(&url, key).await.unwrap();
        cbor::from_slice(&page).unwrap()
    };
    let mine = letter(&anna, &ben, 1, 100);
    send(&mine).by(&url, &anna).await.unwrap();
    send(&mine).by(&url, &anna).await.unwrap();
    assert_eq!(
        read(&ben).await.letters,
        std::slice::from_ref(&mine),
        "the same id is one letter"
    );
    assert!(read(&eve).await.letters.is_empty());
    let answer = send(&mine).by(&url, &eve).await;
    assert_eq!(code(answer), Some(Code::NotYours), "another's name");
    let answer = send(&letter(&anna, &stranger, 2, 10)).by(&url, &anna).await;
    assert_eq!(
        code(answer),
        Some(Code::NotFound),
        "an unregistered recipient"
    );
    let future = Letter {
        version: 2,
        ..mine.clone()
    };
    let answer = send(&future).by(&url, &anna).await;
    assert_eq!(code(answer), Some(Code::Malformed), "another version");
    let remove = Draft::delete(paths::letter(&mine.id));
    let answer = remove.by(&url, &eve).await;
    assert_eq!(code(answer), Some(Code::NotFound), "another's letter");
    assert_eq!(read(&ben).await.letters.len(), 1);
    remove.by(&url, &ben).await.unwrap();
    assert!(read(&ben).await.letters.is_empty());
    for number in 0..50u8 {
        send(&letter(&eve, &ben, number, 10))
            .by(&url, &eve)
            .await
            .unwrap();
    }
    let answer = send(&letter(&eve, &ben, 201, 10)).by(&url, &eve).await;
    assert_eq!(code(answer), Some(Code::Limit), "one sender's letters");
    send(&letter(&anna, &ben, 202, 10))
        .by(&url, &anna)
        .await
        .unwrap();
    let (mut all, mut after) = (0, 0);
    loop {
        let page = Draft::get(paths::letters(after))
            .by(&url, &ben)
            .await
            .unwrap();
        let page: LetterPage = cbor::from_slice(&page).unwrap();
        all += page.letters.len();
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(all, 51);
}

#[tokio::test]
async fn daily_limits_refuse_by_name_and_end_with_the_day() {
    let ground = Ground::new();
    let (key, other) = (ground.registered(1).await, ground.registered(2).await);
    let most = DailyLimits {
        requests: 5,
        bytes: 2_000,
        registrations_a_source: 2,
        registrations: 3,
        registration_work: 0,
        ..DailyLimits::default()
    };
    let url = serve(|url| ground.gateway(url, most)).await;
    // What is not one's own.
    let draft = ids(paths::HAS, &[Cid::of_raw(b"another's")]);
    for _ in 0..5 {
        draft.by(&url, &key).await.unwrap();
    }
    let refused = draft.by(&url, &key).await.unwrap_err();
    assert_eq!(refused.code, Code::Limit);
    assert!(
        refused.detail.contains("5 requests of this account"),
        "{}",
        refused.detail
    );
    assert_eq!(refused.retry_after, Some(86_400 - NOW.0 % 86_400));
    // What is one's own is neither counted nor refused.
    for _ in 0..20 {
        let own = Draft::get(paths::letters(0));
        own.by(&url, &key).await.unwrap();
        let done = LettersDone::of_ids(&[[9; 32]]);
        let done = Draft::post(paths::LETTERS_DONE, cbor::to_vec(&done));
        done.by(&url, &key).await.unwrap();
    }
    draft.by(&url, &other).await.unwrap();
    let large = letter(&other, &key, 1, 2_000);
    let refused = Draft::post(paths::MAILBOX, cbor::to_vec(&large))
        .by(&url, &other)
        .await;
    let refused = refused.unwrap_err();
    assert!(
        refused.detail.contains("2000 bytes of this account"),
        "{}",
        refused.detail
    );
    // Registrations of one source, though each address is new.
    let register = async |seed: u8| {
        let new = SigningKey::from_bytes(&[seed; 32]).unwrap();
        let call = Call::Register {
            role: Role::Person,
            sealing_key: [seed; 32],
        };
        relay(&ground.signed(&new, &call).await)
            .send(&url, None)
            .await
    };
    register(21).await.unwrap();
    register(22).await.unwrap();
    let refused = register(23).await.unwrap_err();
    assert_eq!(refused.code, Code::Limit);
    assert!(
        refused.detail.contains("2 registrations of this source"),
        "{}",
        refused.detail
    );
    ground.now.fetch_add(86_400, Ordering::SeqCst);
    register(23).await.unwrap();
    let expiry = NOW.plus(86_400 + 60);
    let header = draft.sign_with(&url, &key, Nonce::new([0xdd; 32]), expiry);
    draft.send(&url, Some(&header)).await.unwrap();
}

#[tokio::test]
async fn another_cannot_use_up_a_signers_day_with_her_own_old_calls() {
    let ground = Ground::new();
    let key = ground.registered(1).await;
    let most = DailyLimits {
        requests: 4,
        registration_work: 0,
        ..DailyLimits::default()
    };
    let url = serve(|url| ground.gateway(url, most)).await;
    let rotate = async |seed: u8| {
        let sealing_key = [seed; 32];
        ground
            .signed(&key, &Call::RotateSealingKey { sealing_key })
            .await
    };
    let old = rotate(2).await;
    let first = relay(&old).send(&url, None).await.unwrap();
    for _ in 0..40 {
        let again = relay(&old).send(&url, None).await.unwrap();
        assert_eq!(again, first, "the same answer, as often as it is asked for");
    }
    println!(
        "ATTACK security-15: 40 of 40 repetitions answered as the first time, none of them counted"
    );
    // Three of the signer's own four are left.
    for seed in 3..6 {
        let call = rotate(seed).await;
        relay(&call).send(&url, None).await.unwrap();
    }
    let refused = relay(&rotate(6).await).send(&url, None).await.unwrap_err();
    assert!(
        refused.detail.contains("4 requests of this account"),
        "{}",
        refused.detail
    );
}

fn relay(call: &SignedCall) -> Draft {
    let call = RelayCall {
        bytes: call.bytes.clone(),
        signature: call.signature,
        work: None,
    };
    Draft::post(paths::RELAY, cbor::to_vec(&call))
}

#[tokio::test]
async fn the_relay_answers_with_the_contracts_own_error_and_takes_no_foreign_signature() {
    let ground = Ground::new();
    let (key, other) = (ground.registered(1).await, ground.registered(2).await);
    let url = node(&ground).await;
    let again = Call::Register {
        role: Role::Person,
        sealing_key: [1; 32],
    };
    let refused = relay(&ground.signed(&key, &again).await)
        .send(&url, None)
        .await;
    assert_eq!(code(refused), Some(Code::Exists));
    let author = AccountId::new([7; 20]);
    let call = ground.signed(&key, &Call::RevokeWrite { author }).await;
    let refused = relay(&call).send(&url, None).await.unwrap_err();
    assert_eq!(refused.code, Code::Refused);
    assert_eq!(refused.reason, Some(medibloc_consent::Reason::NoWriteGrant));
    let digest: [u8; 32] = call.bytes.as_slice().try_into().unwrap();
    let forged = SignedCall {
        signature: other.sign_digest(&digest),
        ..call.clone()
    };
    assert_eq!(
        code(relay(&forged).send(&url, None).await),
        Some(Code::BadCall)
    );
    let unsigned = SignedCall {
        signature: Signature::new([0; 65]),
        ..call
    };
    assert_eq!(
        code(relay(&unsigned).send(&url, None).await),
        Some(Code::BadCall)
    );
}

/// A free address does not fill a node for ever: what it keeps has an end, and what goes makes room.
#[tokio::test]
async fn an_account_holds_so_much_in_all_and_what_is_erased_or_collected_makes_room() {
    let ground = Ground::new();
    let (key, other) = (ground.registered(1).await, ground.registered(2).await);
    let most = DailyLimits {
        held: 3_000,
        ..DailyLimits::default()
    };
    let (said, upkeep) = std::sync::mpsc::channel();
    let url = serve(|url| {
        let (router, upkeep) = ground.gateway_with_upkeep(url, most);
        said.send(upkeep).unwrap();
        router
    })
    .await;
    let upkeep = upkeep.recv().unwrap();
    let leaf = |n: u8| Block::of(Codec::Raw, vec![n; 1_000]).unwrap();
    let all = [leaf(1), leaf(2), leaf(3)];
    put(&all).by(&url, &key).await.unwrap();
    let over = put(&[leaf(4)]).by(&url, &key).await.unwrap_err();
    assert_eq!(over.code, Code::Limit);
    assert!(over.detail.contains("3000 bytes kept"), "{}", over.detail);
    assert!(over.next.contains("erase records"), "{}", over.next);
    assert_eq!(over.retry_after, None, "no day ends it");
    // None of a batch that does not fit is kept or counted, and what is there costs nothing.
    let half = put(&[leaf(1), leaf(4), leaf(5)]).by(&url, &key).await;
    assert_eq!(code(half), Some(Code::Limit));
    for _ in 0..3 {
        put(&all).by(&url, &key).await.unwrap();
    }
    let has = ids(paths::HAS, &[*leaf(1).cid(), *leaf(4).cid()]);
    assert_eq!(flags(&has.by(&url, &key).await.unwrap()), [true, false]);
    // Others have room of their own, for the same block too.
    put(&[leaf(1), leaf(4)]).by(&url, &other).await.unwrap();
    // At the limit everything of one's own is read and erased, and its room is free.
    get(leaf(2).cid()).by(&url, &key).await.unwrap();
    ids(paths::ERASE, &[*leaf(2).cid()])
        .by(&url, &key)
        .await
        .unwrap();
    put(&[leaf(5)]).by(&url, &key).await.unwrap();
    let over = put(&[leaf(6)]).by(&url, &key).await;
    assert_eq!(code(over), Some(Code::Limit));
    // What no record names is collected after a day, which frees it.
    ground.now.store(NOW.0 + 2 * 86_400, Ordering::SeqCst);
    assert!(upkeep.once().await);
    let now = NOW.plus(2 * 86_400 + 60);
    let draft = put(&[leaf(6), leaf(7), leaf(8)]);
    let header = draft.sign_with(&url, &key, Nonce::new([7; 32]), now);
    draft.send(&url, Some(&header)).await.unwrap();
    println!(
        "ATTACK security-s8: 3000 of 3000 bytes kept of one account, the next block refused, 0 bytes of others' room used"
    );
}
