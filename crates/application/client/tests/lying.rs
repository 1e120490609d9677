//! Peers that lie, stall or are of another kind: the client takes nothing for good that it cannot check.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use medibloc_api::{Code, Note, NotePage, Problem, limits};
use medibloc_client::{HttpNetwork, HttpRelay, NetworkConfig, SystemClock, Timing};
use medibloc_consent::{Acknowledgement, Reason, ShareDeposit, SignedAcknowledgement};
use medibloc_dag::{Block, Cid, Codec, cbor};
use medibloc_journey::{Network as _, PortError};
use medibloc_keys::SigningKey;
use medibloc_ledger::{LedgerError, Refusal, Relay as _, SignedCall};
use medibloc_record::{Address, Digest, RecordId, Signature, TypedDomain, Wrapped};
use medibloc_store::StoreError;
use medibloc_transport::{Outgoing, Policy};

const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 1,
    records: Address::new([1; 20]),
};

type Answer = fn(u32) -> Response;

/// A peer that gives this answer to everything; counts how often it was asked.
async fn peer(answer: Answer) -> (String, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    let router = Router::new().fallback(move |State(()): State<()>| async move {
        answer(counted.fetch_add(1, Ordering::SeqCst))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, asked)
}

fn timing() -> Timing {
    let mut timing = Timing::default();
    timing.answer = Duration::from_millis(300);
    timing.pause = Duration::from_millis(1);
    timing
}

fn network(url: &str) -> HttpNetwork {
    let config = NetworkConfig {
        node: url.to_owned(),
        nodes: vec![url.to_owned()],
        keepers: vec![(1, url.to_owned())],
        domain: DOMAIN,
        timing: timing(),
        outgoing: Outgoing::new(Policy::LOCAL),
    };
    HttpNetwork::new(config, Arc::new(SystemClock)).unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32]).unwrap()
}

async fn get(answer: Answer) -> (Result<Option<Vec<u8>>, StoreError>, u32) {
    let (url, asked) = peer(answer).await;
    let got = network(&url).store(&key()).get(&Cid::of_raw(b"good")).await;
    (got, asked.load(Ordering::SeqCst))
}

/// Whatever a node gives as notes, none of no place or size reaches the vault, and no list has no end.
#[tokio::test]
async fn notes_of_no_place_or_size_are_corrupt_and_pages_have_an_end() {
    fn page(place: u8, bytes: usize, next: Option<u8>) -> Response {
        let note = Note {
            place,
            sealed: vec![7; bytes],
        };
        let page = NotePage {
            version: 1,
            notes: vec![note],
            next,
        };
        cbor::to_vec(&page).into_response()
    }
    let answers: [Answer; 3] = [
        |_| page(limits::PLACES, 4 << 10, None),
        |_| page(0, 5 << 10, None),
        |_| b"no page".as_slice().into_response(),
    ];
    for answer in answers {
        let (url, _) = peer(answer).await;
        let got = network(&url).mailbox(&key(), &url).notes().await;
        assert!(matches!(got, Err(PortError::Corrupt { .. })), "{got:?}");
    }
    let endless: [Answer; 2] = [
        |_| page(3, 4 << 10, Some(3)),
        |asked| page(3, 4 << 10, Some(u8::try_from(asked % 255).unwrap() + 1)),
    ];
    for answer in endless {
        let (url, asked) = peer(answer).await;
        network(&url).mailbox(&key(), &url).notes().await.unwrap();
        let asked = asked.load(Ordering::SeqCst);
        assert!(asked <= limits::PLACES.into(), "{asked}");
    }
}

#[tokio::test]
async fn a_block_is_taken_only_if_its_bytes_are_the_right_ones() {
    let (got, _) = get(|_| b"good".as_slice().into_response()).await;
    assert_eq!(got.unwrap().unwrap(), b"good");
    let (got, asked) = get(|_| b"evil".as_slice().into_response()).await;
    assert!(matches!(got, Err(StoreError::Corrupt { .. })));
    assert_eq!(asked, 1, "a lie is not asked for again");
    let (got, _) = get(|_| vec![0; limits::ANSWER + 1].into_response()).await;
    assert!(matches!(got, Err(StoreError::Refused { .. })), "too large");
    let (got, _) = get(|_| Redirect::temporary("/elsewhere").into_response()).await;
    assert!(got.is_err(), "a redirection is not followed");
    let (got, _) = get(|_| (StatusCode::FORBIDDEN, "<html>").into_response()).await;
    assert!(matches!(got, Err(StoreError::Refused { .. })), "no problem");
}

#[tokio::test]
async fn who_does_not_answer_is_asked_again_and_then_named() {
    fn unavailable() -> Response {
        let problem = Problem::new(Code::Unavailable, "the chain is away");
        (StatusCode::SERVICE_UNAVAILABLE, problem.to_json()).into_response()
    }
    let (got, asked) = get(|count| {
        if count < 2 {
            unavailable()
        } else {
            b"good".as_slice().into_response()
        }
    })
    .await;
    assert_eq!(
        (got.unwrap().unwrap().as_slice(), asked),
        (b"good".as_slice(), 3)
    );
    let (got, asked) = get(|_| unavailable()).await;
    assert_eq!(asked, 3, "never for ever");
    assert!(got.unwrap_err().is_retryable());
    // Nobody listens there.
    let store = network("http://127.0.0.1:9").store(&key());
    let error = store.get(&Cid::of_raw(b"good")).await.unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().contains("no connection"),
        "{error}"
    );
}

fn deposit() -> ShareDeposit {
    ShareDeposit {
        record: RecordId::new([1; 32]),
        key_set: vec![1],
        index: 1,
        wrapped: Wrapped {
            key_version: 1,
            enc: [0; 32],
            ciphertext: vec![1],
        },
    }
}

#[tokio::test]
async fn an_acknowledgement_of_another_share_is_corrupt_and_a_release_is_not_sent_twice() {
    let (url, _) = peer(|_| {
        let acknowledgement = Acknowledgement {
            keeper: Address::new([1; 20]),
            record: RecordId::new([2; 32]),
            key_set: Digest::new([3; 32]),
            index: 1,
        };
        let signature = Signature::new([0; 65]);
        let reply = SignedAcknowledgement {
            acknowledgement,
            signature,
        };
        cbor::to_vec(&reply).into_response()
    })
    .await;
    let keepers = network(&url).keepers(&key());
    let answer = keepers.deposit(1, &deposit()).await;
    assert!(matches!(answer, Err(PortError::Corrupt { .. })));
    let answer = keepers.acknowledgement(1, RecordId::new([1; 32])).await;
    assert!(matches!(answer, Err(PortError::Corrupt { .. })));
    let answer = keepers.deposit(2, &deposit()).await;
    assert!(
        matches!(answer, Err(PortError::Refused { .. })),
        "no such keeper"
    );
    // The answer was lost: the request may have been answered, so it is not sent again as it is.
    let (url, asked) = peer(|_| StatusCode::BAD_GATEWAY.into_response()).await;
    let request = medibloc_consent::KeeperRequest {
        version: 1,
        keeper: Address::new([1; 20]),
        record: RecordId::new([1; 32]),
        grant: medibloc_record::GrantId::new([1; 32]),
        receipt: medibloc_record::ReceiptId::new([1; 32]),
        one_time_key: [1; 32],
        binding: None,
        expiry: medibloc_record::Timestamp(1),
    };
    let signature = Signature::new([0; 65]);
    let request = medibloc_consent::SignedRequest { request, signature };
    let answer = network(&url).keepers(&key()).release(1, &request).await;
    assert!(matches!(answer, Err(PortError::Unreachable { .. })));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn every_refusal_of_the_relay_comes_back_as_what_it_was() {
    async fn relay(answer: Answer) -> LedgerError {
        let (url, _) = peer(answer).await;
        let relay = HttpRelay::new(
            &url,
            Outgoing::new(Policy::LOCAL),
            DOMAIN,
            Arc::new(SystemClock),
            timing(),
        )
        .unwrap();
        let call = SignedCall {
            bytes: vec![1],
            signature: Signature::new([0; 65]),
        };
        relay.relay(&call).await.unwrap_err()
    }
    fn problem(problem: Problem) -> Response {
        let status = StatusCode::from_u16(problem.status).unwrap();
        (status, problem.to_json()).into_response()
    }
    let error = relay(|_| problem(Problem::refused(Reason::Revoked))).await;
    assert!(matches!(
        error,
        LedgerError::Refused(Refusal::Consent(Reason::Revoked))
    ));
    let error = relay(|_| problem(Problem::new(Code::Exists, "").about("the grant"))).await;
    assert!(matches!(error, LedgerError::Refused(Refusal::Exists { what }) if what == "the grant"));
    let error = relay(|_| problem(Problem::new(Code::NotRegistered, ""))).await;
    assert!(matches!(
        error,
        LedgerError::Refused(Refusal::NotRegistered)
    ));
    let error = relay(|_| problem(Problem::new(Code::Contract, "").about("Paused()"))).await;
    assert!(
        matches!(error, LedgerError::Refused(Refusal::Contract { name }) if name == "Paused()")
    );
    let error = relay(|_| problem(Problem::new(Code::Limit, "").about("5 requests"))).await;
    assert!(matches!(&error, LedgerError::Limit { limit } if limit == "5 requests"));
    assert!(error.is_retryable());
    let error = relay(|_| problem(Problem::new(Code::BadCall, "").about("nonce"))).await;
    assert!(matches!(error, LedgerError::BadRequest { what } if what == "nonce"));
    let error = relay(|_| StatusCode::BAD_GATEWAY.into_response()).await;
    assert!(error.is_retryable());
    let error = relay(|_| "junk".into_response()).await;
    assert!(matches!(error, LedgerError::Corrupt { .. }));
    // Problems of a peer name what they want; a code that nobody knows is no success.
    let error = relay(|_| (StatusCode::CONFLICT, r#"{"code":"new"}"#).into_response()).await;
    assert!(matches!(error, LedgerError::Corrupt { .. }));
}

#[tokio::test]
async fn large_puts_leave_in_bounded_batches() {
    let (url, asked) = peer(|_| StatusCode::NO_CONTENT.into_response()).await;
    let leaf = |byte| Block::of(Codec::Raw, vec![byte; 1 << 20]).unwrap();
    let blocks = (0..17).map(leaf).collect();
    network(&url).store(&key()).put(blocks).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 3, "8 and 8 and 1");
}

/// The words of a peer are a line when they come: no error that is made of them can be more.
#[tokio::test]
async fn the_words_of_a_peer_are_one_short_line() {
    fn told(code: Code) -> Response {
        let hostile = format!("busy\nALARM: forged\u{1b}[2J\u{202e}{}", "x".repeat(20_000));
        let mut problem = serde_json::to_value(Problem::new(code, "")).unwrap();
        for field in ["detail", "next", "what"] {
            problem[field] = hostile.clone().into();
        }
        let status = StatusCode::from_u16(code.status()).unwrap();
        (status, problem.to_string()).into_response()
    }
    for answer in [
        (|_| told(Code::Unavailable)) as Answer,
        |_| told(Code::Limit),
        |_| told(Code::Full),
        |_| told(Code::NotYours),
        |_| told(Code::Contract),
        |_| told(Code::BadCall),
        |_| told(Code::Internal),
    ] {
        let (url, _) = peer(answer).await;
        let network = network(&url);
        let call = SignedCall {
            bytes: vec![1],
            signature: Signature::new([0; 65]),
        };
        let outgoing = Outgoing::new(Policy::LOCAL);
        let relay = HttpRelay::new(&url, outgoing, DOMAIN, Arc::new(SystemClock), timing());
        for told in [
            network
                .keepers(&key())
                .feed(1)
                .await
                .unwrap_err()
                .to_string(),
            network
                .mailbox(&key(), &url)
                .fetch()
                .await
                .unwrap_err()
                .to_string(),
            get(answer).await.0.unwrap_err().to_string(),
            relay.unwrap().relay(&call).await.unwrap_err().to_string(),
        ] {
            assert!(told.contains("busy ALARM: forged [2Jxxx"), "{told}");
            assert!(!told.contains(['\n', '\u{1b}', '\u{202e}']), "{told:?}");
            assert!(told.chars().count() < 1_500, "{told}");
        }
    }
}

/// Whoever has a proxy before a node is told which of them refuses.
#[tokio::test]
async fn a_proxy_that_refuses_long_bodies_is_named() {
    fn answer(_: u32) -> Response {
        (StatusCode::PAYLOAD_TOO_LARGE, "<html>413</html>").into_response()
    }
    let told = get(answer).await.0.unwrap_err().to_string();
    assert!(
        told.contains("proxy") && told.contains("client_max_body_size"),
        "{told}"
    );
}

/// A keeper that gives its feed can be one that gives and takes no share; it says so to whoever asks.
#[tokio::test]
async fn a_keeper_that_is_not_ready_is_told_with_its_reason() {
    fn not_ready(_: u32) -> Response {
        let problem = Problem::new(Code::Unavailable, "not ready; its operator is told why");
        (StatusCode::SERVICE_UNAVAILABLE, problem.to_json()).into_response()
    }
    let (url, _) = peer(not_ready).await;
    let told = network(&url).ready(1).await.unwrap_err();
    assert!(matches!(told, PortError::Unreachable { .. }), "{told:?}");
    assert!(told.to_string().contains("keeper 1"), "{told}");
    assert!(told.to_string().contains("not ready"), "{told}");
    let (url, _) = peer(|_| StatusCode::NO_CONTENT.into_response()).await;
    network(&url).ready(1).await.unwrap();
}
