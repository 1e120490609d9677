//! What an operator sees of a node and of a keeper.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_api::{Code, RelayCall, paths};
use medibloc_dag::{Cid, cbor};
use medibloc_devchain::ChainError;
use medibloc_keys::SigningKey;
use medibloc_ledger::{
    BlockEvents, Call, Events, Facts as _, LedgerError, Mark, Outcome, SignedCall,
};
use medibloc_node::{
    Caller, DailyLimits, Forward, Gateway, GatewayConfig, Proxies, gateway_with_upkeep,
};
use medibloc_record::Role;

use crate::http::{ByDigest, Draft, Ground, METRICS, NOW, REASONS, code, serve};
use crate::ids;

/// A chain that gives no block.
struct Behind;

#[async_trait]
impl Events for Behind {
    async fn events(&self, _from: u64, _most: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        Ok(Vec::new())
    }

    async fn hash_of(&self, _number: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        Ok(None)
    }
}

/// Number and hash of the last final block that a gateway or keeper says that it took.
async fn mark(url: &str) -> Option<Mark> {
    let bytes = Draft::get(paths::MARK).send(url, None).await.unwrap();
    cbor::from_slice(&bytes).unwrap()
}

pub(crate) async fn figures(url: &str) -> String {
    let text = Draft::get(METRICS).send(url, None).await.unwrap();
    String::from_utf8(text).unwrap()
}

pub(crate) fn figure(text: &str, name: &str) -> f64 {
    let prefix = format!("{name} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&prefix));
    let value = value.unwrap_or_else(|| panic!("{name} is not told: {text}"));
    value.parse().unwrap()
}

#[tokio::test]
async fn limits_refused_signatures_disk_and_lag_are_told_without_saying_whose() {
    let ground = Ground::new();
    let (key, other) = (ground.registered(1).await, ground.registered(2).await);
    let most = DailyLimits {
        requests: 8,
        ..DailyLimits::default()
    };
    let url = serve(|url| ground.gateway(url, most)).await;
    let ask = ids(paths::HAS, &[Cid::of_raw(b"another's")]);
    let bad = "medibloc_refused_signatures_total{why=\"bad-signature\"}";
    let before = figure(&figures(&url).await, bad);
    let requests = "medibloc_limit_used_ratio{limit=\"requests\"}";
    assert!(figure(&figures(&url).await, requests) < 0.1);
    for _ in 0..4 {
        ask.by(&url, &key).await.unwrap();
    }
    ask.by(&url, &other).await.unwrap();
    let mut forged = ask.sign(&url, &other);
    forged.address = key.address();
    let answer = ask.send(&url, Some(&forged)).await;
    assert_eq!(code(answer), Some(Code::BadSignature));
    let text = figures(&url).await;
    // Half of what one may have, by whom is not said.
    assert!((figure(&text, requests) - 0.5).abs() < 1e-9, "{text}");
    assert!(figure(&text, bad) >= before + 1.0, "{text}");
    assert!(figure(&text, "medibloc_disk_free_bytes") > 0.0);
    assert!(figure(&text, "medibloc_disk_bytes") > 0.0);
    assert!(figure(&text, "medibloc_blocks_behind") < 1.0);
    assert!(figure(&text, "medibloc_final_block_age_seconds") >= 0.0);
    assert!(!text.contains(&hex::encode(key.address().as_bytes())));
    for _ in 0..4 {
        ask.by(&url, &key).await.unwrap();
    }
    let refused = ask.by(&url, &key).await;
    assert_eq!(code(refused), Some(Code::Limit));
    assert!(figure(&figures(&url).await, requests) >= 1.0);
}

#[tokio::test]
async fn a_node_and_a_keeper_that_are_behind_their_chain_say_by_how_much() {
    let ground = Ground::new();
    let key = ground.registered(1).await;
    let (gateway, keeper) = (
        serve(|url| {
            let limits = DailyLimits::default();
            let events = Arc::new(Behind);
            ground
                .gateway_over(url, limits, ground.store.clone(), events)
                .0
        })
        .await,
        serve(|url| ground.keeper_over(url, ground.folder.path(), Arc::new(Behind))).await,
    );
    for url in [gateway, keeper] {
        // Whoever asks makes it look.
        let _ = ids(paths::HAS, &[]).by(&url, &key).await;
        let _ = Draft::get(paths::READYZ).send(&url, None).await;
        let text = figures(&url).await;
        assert!(figure(&text, "medibloc_blocks_behind") >= 1.0, "{text}");
        assert!(figure(&text, "medibloc_disk_free_bytes") > 0.0);
    }
}

pub(crate) async fn reason(url: &str) -> String {
    match Draft::get(REASONS).send(url, None).await {
        Ok(text) => String::from_utf8(text).unwrap(),
        Err(problem) => problem.detail.into(),
    }
}

#[tokio::test]
async fn strangers_are_told_whether_it_is_ready_and_nothing_else() {
    let ground = Ground::new();
    let gateway = serve(|url| ground.gateway(url, DailyLimits::default())).await;
    let keeper = serve(|url| ground.keeper(url, ground.folder.path())).await;
    for url in [&gateway, &keeper] {
        let answer = Draft::get(paths::METRICS).send(url, None).await;
        assert_eq!(code(answer), Some(Code::NotFound));
        let ready = Draft::get(paths::READYZ).send(url, None).await.unwrap();
        assert_eq!(ready, b"ok\n");
        assert_eq!(reason(url).await, "ok\n");
        assert!(figure(&figures(url).await, "medibloc_ready") > 0.0);
    }
    // Whoever makes the blocks has a wrong clock.
    ground.ledger.set_time(NOW.plus(3_600));
    ground.registered(1).await;
    for url in [&gateway, &keeper] {
        let key = SigningKey::from_bytes(&[1; 32]).unwrap();
        // Whoever asks makes it look.
        let _ = ids(paths::HAS, &[]).by(url, &key).await;
        let _ = Draft::get(paths::FEED).by(url, &key).await;
        let told = reason(url).await;
        assert!(
            told.starts_with("degraded: the last final block is 3600 s ahead"),
            "{told}"
        );
        let ready = Draft::get(paths::READYZ).send(url, None).await.unwrap();
        assert_eq!(ready, b"ok\n");
        let text = figures(url).await;
        assert!((figure(&text, "medibloc_chain_ahead_seconds") - 3_600.0).abs() < 0.5);
        assert!(figure(&text, "medibloc_degraded{part=\"chain-time\"}") > 0.0);
        assert!(figure(&text, "medibloc_ready") > 0.0);
    }
}

#[tokio::test]
async fn an_operator_is_told_of_a_disk_with_little_room() {
    let ground = Ground::new();
    let limits = DailyLimits {
        little_room: u64::MAX,
        ..DailyLimits::default()
    };
    let gateway = serve(|url| ground.gateway(url, limits.clone())).await;
    let events = ground.ledger.clone();
    let keeper =
        serve(|url| ground.keeper_with(url, ground.folder.path(), events, limits.clone())).await;
    for url in [&gateway, &keeper] {
        let ready = Draft::get(paths::READYZ).send(url, None).await.unwrap();
        assert_eq!(ready, b"ok\n");
        let told = reason(url).await;
        assert!(
            told.contains(" MiB are free on the disk of the data folder, fewer than "),
            "{told}"
        );
        assert!(figure(&figures(url).await, "medibloc_degraded{part=\"disk\"}") > 0.0);
    }
}

#[tokio::test]
async fn on_a_chain_that_was_set_back_nothing_is_sent_or_released_until_it_is_there_again() {
    let ground = Ground::new();
    let key = ground.registered(1).await;
    let older = ground.ledger.copy();
    let other = ground.registered(2).await;
    let most = DailyLimits {
        registration_work: 0,
        ..DailyLimits::default()
    };
    let gateway = serve(|url| ground.gateway(url, most)).await;
    let keeper = serve(|url| ground.keeper(url, ground.folder.path())).await;
    let has = ids(paths::HAS, &[]);
    has.by(&gateway, &other).await.unwrap();
    Draft::get(paths::FEED).by(&keeper, &other).await.unwrap();
    let newest = ground.ledger.copy();
    let head = ground.ledger.head().await.unwrap();
    let taken = Some(Mark {
        number: head.number,
        hash: head.hash,
    });
    let sealing_key = [7; 32];
    // An older copy, and another way on from it until it is longer.
    ground.ledger.replace_by(&older);
    for more in 0..4 {
        let head = ground.ledger.head().await.unwrap();
        let new = SigningKey::from_bytes(&[90; 32]).unwrap();
        let role = Role::Person;
        for (signer, call) in [
            (&key, Call::RotateSealingKey { sealing_key }),
            (&new, Call::Register { role, sealing_key }),
        ] {
            let signed = ground.signed(signer, &call).await;
            let call = RelayCall {
                bytes: signed.bytes.clone(),
                signature: signed.signature,
                work: None,
            };
            let call = Draft::post(paths::RELAY, cbor::to_vec(&call));
            let sent = call.send(&gateway, None).await.unwrap_err();
            assert_eq!(sent.code, Code::Unavailable, "{}", sent.detail);
            let why = "the chain was set back: block 2 was 0x";
            assert!(sent.detail.contains(why), "{}", sent.detail);
        }
        for answer in [
            has.by(&gateway, &key).await,
            Draft::get(paths::FEED).by(&keeper, &key).await,
        ] {
            assert_eq!(code(answer), Some(Code::Unavailable));
        }
        assert_eq!(
            ground.ledger.head().await.unwrap(),
            head,
            "nothing was sent"
        );
        for url in [&gateway, &keeper] {
            let ready = Draft::get(paths::READYZ).send(url, None).await.unwrap_err();
            assert_eq!((ready.status, ready.code), (503, Code::Unavailable));
            assert_eq!(ready.detail.as_str(), "not ready; its operator is told why");
            // By this others see that it read more than the chain has.
            assert_eq!(mark(url).await, taken);
            let told = reason(url).await;
            assert!(
                told.starts_with("the chain was set back: block 2 was 0x"),
                "{told}"
            );
            assert_eq!(told.contains("is gone"), more == 0, "{told}");
            assert!(told.contains("newest copy"), "{told}");
            // Who reads it there is not sent to another node.
            let advice = Draft::get(REASONS).send(url, None).await.unwrap_err().next;
            assert!(advice.starts_with("mend what"), "{advice}");
            let text = figures(url).await;
            assert!(figure(&text, "medibloc_chain_set_back") > 0.0);
            assert!(figure(&text, "medibloc_ready") < 1.0);
        }
        ground.registered(50 + more).await;
    }
    // The right one, which went on meanwhile.
    ground.ledger.replace_by(&newest);
    let third = ground.registered(3).await;
    for signer in [&key, &other, &third] {
        has.by(&gateway, signer).await.unwrap();
        Draft::get(paths::FEED).by(&keeper, signer).await.unwrap();
    }
    for url in [&gateway, &keeper] {
        assert_eq!(reason(url).await, "ok\n");
        assert!(figure(&figures(url).await, "medibloc_chain_set_back") < 1.0);
    }
    println!(
        "ATTACK operator-2: on a chain that lacks, or has other, final blocks: 0 calls sent, 0 shares released, told; on with the right one"
    );
}

/// A chain that says this to every call until it is told otherwise.
struct FullChain(ByDigest, Mutex<Option<String>>);

#[async_trait]
impl Forward for FullChain {
    async fn caller(&self, call: &SignedCall) -> Result<Caller, LedgerError> {
        self.0.caller(call).await
    }

    async fn forward(&self, source: u64, call: &SignedCall) -> Result<Outcome, LedgerError> {
        if let Some(why) = self.1.lock().unwrap().clone() {
            let from = "https://rpc.example.org/v3/secret".into();
            return Err(LedgerError::Corrupt { from, why });
        }
        self.0.forward(source, call).await
    }
}

#[tokio::test]
async fn a_chain_that_takes_no_transactions_is_told_to_callers_and_operator_until_it_does() {
    let ground = Ground::new();
    let chain = Arc::new(FullChain(ByDigest(ground.ledger.clone()), Mutex::default()));
    let relay = chain.clone();
    let most = DailyLimits {
        registration_work: 0,
        ..DailyLimits::default()
    };
    let url = serve(|url| {
        let on = Gateway {
            relay,
            ..ground.parts()
        };
        ground.gateway_on(on, url, most, Proxies::default()).0
    })
    .await;
    let key = SigningKey::from_bytes(&[91; 32]).unwrap();
    let call = Call::Register {
        role: Role::Person,
        sealing_key: [7; 32],
    };
    let signed = ground.signed(&key, &call).await;
    let call = RelayCall {
        bytes: signed.bytes.clone(),
        signature: signed.signature,
        work: None,
    };
    let call = Draft::post(paths::RELAY, cbor::to_vec(&call));
    let part = "medibloc_degraded{part=\"chain\"}";
    let full = medibloc_devchain::DiskError::Resting.to_string();
    let ahead = ChainError::AheadOfClock {
        by: 90_000,
        most: 86_400,
    };
    for (said, to_caller, to_operator) in [
        (
            "rate limit of https://rpc.example.org/v3/secret\nreached".into(),
            "the node's chain does not answer well: rate limit of … reached",
            "ok",
        ),
        (
            full,
            "operator must free its disk",
            "degraded: the chain takes no transactions",
        ),
        (
            ahead.to_string(),
            "operator must correct the clock",
            "degraded: the chain makes no block",
        ),
    ] {
        *chain.1.lock().unwrap() = Some(said);
        let told = call.send(&url, None).await.unwrap_err();
        assert_eq!(told.code, Code::Unavailable);
        assert!(told.detail.contains(to_caller), "{}", told.detail);
        assert!(!told.detail.contains("secret"), "{}", told.detail);
        let told = reason(&url).await;
        assert!(told.starts_with(to_operator), "{told}");
        let is_degraded = figure(&figures(&url).await, part) > 0.0;
        assert_eq!(is_degraded, to_operator != "ok");
    }
    *chain.1.lock().unwrap() = None;
    call.send(&url, None).await.unwrap();
    assert_eq!(reason(&url).await, "ok\n");
    assert!(figure(&figures(&url).await, part) < 1.0);
}

#[tokio::test]
async fn who_is_started_under_another_url_than_others_know_says_both() {
    let wrong = "https://other.example.org/";
    let ground = Ground::with_keeper_at(wrong);
    ground.registered(1).await;
    let gateway = async |known_as: &[&str]| {
        serve(|url| {
            let config = GatewayConfig {
                known_as: known_as.iter().map(|it| (*it).to_owned()).collect(),
                ..ground.gateway_config(url, DailyLimits::default())
            };
            let (router, upkeep) = gateway_with_upkeep(ground.parts(), config).unwrap();
            router.nest("/operator", upkeep.operator())
        })
        .await
    };
    let keeper = serve(|url| ground.keeper(url, ground.folder.path())).await;
    for url in [gateway(&[wrong]).await, keeper] {
        let told = reason(&url).await;
        let both = format!("degraded: it is started as {url}, and others know it as {wrong}");
        assert!(told.starts_with(&both), "{told}");
        assert!(figure(&figures(&url).await, "medibloc_degraded{part=\"url\"}") > 0.0);
    }
    assert_eq!(reason(&gateway(&[]).await).await, "ok\n");
}

#[tokio::test]
async fn which_sources_an_institution_has_is_told_to_nobody() {
    let ground = Ground::new();
    let limits = DailyLimits {
        registrations_of: [("203.0.113.7".parse().unwrap(), 600)].into(),
        ..DailyLimits::default()
    };
    let url = serve(|url| ground.gateway(url, limits)).await;
    for path in [paths::NODE, METRICS, REASONS] {
        let told = Draft::get(path).send(&url, None).await.unwrap();
        let told = String::from_utf8(told).unwrap();
        assert!(!told.contains("203.0.113.7"), "{path}: {told}");
        assert!(!told.contains("registrations_of"), "{path}: {told}");
    }
}

#[tokio::test]
async fn programs_can_be_compared_by_block_and_version() {
    let ground = Ground::new();
    ground.registered(1).await;
    let gateway = serve(|url| ground.gateway(url, DailyLimits::default())).await;
    let keeper = serve(|url| ground.keeper(url, ground.folder.path())).await;
    let version = env!("CARGO_PKG_VERSION");
    for url in [&gateway, &keeper] {
        Draft::get(paths::READYZ).send(url, None).await.unwrap();
        let text = figures(url).await;
        let block = figure(&text, "medibloc_final_block_number");
        let taken = mark(url).await.expect("it has read").number;
        assert!((block - f64::from(u32::try_from(taken).unwrap())).abs() < 0.5);
        let build = format!("medibloc_build_info{{version=\"{version}\"}}");
        assert!((figure(&text, &build) - 1.0).abs() < 1e-9);
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_with_those_that_are_right() {
    let ground = Ground::new();
    let gateway = serve(|url| ground.gateway(url, DailyLimits::default())).await;
    let keeper = serve(|url| ground.keeper(url, ground.folder.path())).await;
    let http = reqwest::Client::new();
    for (url, method, path, allowed) in [
        (&gateway, "DELETE", paths::RELAY, "POST"),
        (&gateway, "POST", paths::HEALTHZ, "GET,HEAD"),
        (&gateway, "POST", paths::READYZ, "GET,HEAD"),
        (&gateway, "PUT", paths::MAILBOX, "GET,HEAD,POST"),
        (&gateway, "POST", METRICS, "GET,HEAD"),
        (&gateway, "POST", REASONS, "GET,HEAD"),
        (&keeper, "GET", paths::RELEASE, "POST"),
        (&keeper, "POST", paths::HEALTHZ, "GET,HEAD"),
    ] {
        let method = method.parse().unwrap();
        let sent = http.request(method, format!("{url}{path}")).send();
        let answer = sent.await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        let mut told: Vec<_> = answer.headers()["allow"]
            .to_str()
            .unwrap()
            .split(',')
            .map(|one| one.trim().to_owned())
            .collect();
        told.sort();
        assert_eq!(told.join(","), allowed, "{path}");
        assert_eq!(answer.headers()["content-type"], medibloc_api::PROBLEM);
        let problem = medibloc_api::Problem::parse(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(problem.code, Code::WrongMethod, "{path}");
    }
}
