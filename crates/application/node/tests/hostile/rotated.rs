//! Accounts that are handed on from address to address: a day and a place in a mailbox are an account's.

use medibloc_api::{Code, paths};
use medibloc_dag::cbor;
use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, Submit as _};
use medibloc_node::DailyLimits;
use medibloc_record::{AccountId, Digest, Role};

use crate::attacks::{id, leaf, let_write};
use crate::http::{Draft, Ground, NOW, code, letter, node, serve};
use crate::put;

/// Hands an account on, to a key of a number.
async fn hand_on(ground: &Ground, account: AccountId, from: &SigningKey, number: u8) -> SigningKey {
    let next = SigningKey::from_bytes(&Digest::of(&[number]).to_bytes()).unwrap();
    let deadline = NOW.plus(1_000);
    let digest = ground
        .ledger
        .rotation_digest(account, next.address(), deadline);
    let call = Call::RotateAddress {
        next: next.address(),
        deadline,
        consent: next.sign_digest(&digest.await.unwrap()),
    };
    ground.call(from, &call).await;
    next
}

/// How many of some letters are taken before one is refused for a limit.
async fn send(url: &str, from: &SigningKey, to: &SigningKey, count: u16, bytes: usize) -> u16 {
    for number in 0..count {
        let mut letter = letter(from, to, 0, bytes);
        letter.id[..2].copy_from_slice(&number.to_be_bytes());
        letter.id[2..22].copy_from_slice(from.address().as_bytes());
        let sent = Draft::post(paths::MAILBOX, cbor::to_vec(&letter));
        let refused = code(sent.by(url, from).await);
        if refused.is_some() {
            assert_eq!(refused, Some(Code::Limit));
            return number;
        }
    }
    count
}

#[tokio::test]
async fn a_contact_that_hands_its_account_on_has_one_contacts_room_in_a_mailbox() {
    let ground = Ground::new();
    let victim = ground.registered(1).await;
    let contact = ground.registered_as(2, Role::Provider).await;
    let honest = ground.registered_as(3, Role::Provider).await;
    let url = node(&ground).await;
    let_write(&ground, &victim, &contact, Digest::of(b"object")).await;
    let_write(&ground, &victim, &honest, Digest::of(b"other")).await;
    let account = id(&contact);
    let mut key = contact;
    let mut taken = Vec::new();
    for number in 0..6 {
        taken.push(send(&url, &key, &victim, 60, 250_000).await);
        key = hand_on(&ground, account, &key, number).await;
    }
    let honest = send(&url, &honest, &victim, 20, 250_000).await;
    println!(
        "ATTACK fresh-6: {} letters of one contact under six keys, {honest} of 20 of another contact's",
        taken.iter().sum::<u16>()
    );
    assert!((40..60).contains(&taken[0]), "12 MiB: {taken:?}");
    assert_eq!(taken[1..], [0; 5]);
    assert_eq!(honest, 20);
}

#[tokio::test]
async fn an_account_that_is_handed_on_has_no_second_day() {
    let ground = Ground::new();
    let (greedy, victim) = (ground.registered(2).await, ground.registered(1).await);
    let limits = DailyLimits {
        requests: 20,
        letters: 5,
        ..DailyLimits::default()
    };
    let url = serve(|url| ground.gateway(url, limits)).await;
    let account = id(&greedy);
    let mut key = greedy;
    let (mut blocks, mut letters) = (0, 0);
    for number in 0..5 {
        letters += send(&url, &key, &victim, 10, 10).await;
        for nonce in 0..25u8 {
            let stored = put(&[leaf(&[number, nonce])]).by(&url, &key).await;
            match code(stored) {
                None => blocks += 1,
                refused => {
                    assert_eq!(refused, Some(Code::Limit));
                    break;
                }
            }
        }
        key = hand_on(&ground, account, &key, number).await;
    }
    println!(
        "ATTACK fresh-6: {letters} letters of 5 and {blocks} other requests of a day of 20, under five keys"
    );
    assert_eq!((letters, blocks), (5, 15));
}
