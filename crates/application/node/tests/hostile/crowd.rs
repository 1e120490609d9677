//! Many requests that wait: for a block, for their turn, for a chain that is silent. They keep nobody else waiting.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderName, HeaderValue, Request};
use medibloc_api::{CBOR, RelayCall, paths};
use medibloc_dag::{Block, Codec, cbor};
use medibloc_keys::{SigningKey, recover};
use medibloc_ledger::{BlockEvents, Call, Events, LedgerError, Outcome, SignedCall};
use medibloc_node::{Caller, DailyLimits, Forward, Gateway, Proxies, Weight};
use medibloc_record::{Address, Digest, Role};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::http::{ByDigest, Draft, Ground};
use crate::{ids, put};

const URL: &str = "http://node.example";
/// Nothing here waits for so long, and a request is cut off after a minute: it ends a test that would never end.
const NEVER: Duration = Duration::from_secs(40);

/// A chain whose next block comes when it is told, for the calls of some addresses.
struct Slow {
    chain: ByDigest,
    held: HashSet<Address>,
    /// Whose calls take something back.
    back: Option<Address>,
    came: watch::Sender<usize>,
    block: watch::Receiver<bool>,
}

#[async_trait]
impl Forward for Slow {
    async fn caller(&self, call: &SignedCall) -> Result<Caller, LedgerError> {
        self.chain.caller(call).await
    }

    async fn forward(&self, source: u64, call: &SignedCall) -> Result<Outcome, LedgerError> {
        let by = self.chain.caller(call).await?.address;
        if self.held.contains(&by) {
            self.came.send_modify(|count| *count += 1);
            let _ = self.block.clone().wait_for(|came| *came).await;
        }
        self.chain.forward(source, call).await
    }

    fn weight(&self, call: &SignedCall) -> Result<Weight, LedgerError> {
        let digest = call.bytes.as_slice().try_into().unwrap();
        let by = recover(&digest, &call.signature).ok();
        Ok(Weight {
            goes_first: by.is_some() && by == self.back,
            ..Weight::default()
        })
    }
}

/// A gateway over such a chain.
struct Node {
    router: Router,
    came: watch::Receiver<usize>,
    block: watch::Sender<bool>,
}

impl Node {
    fn new(ground: &Ground, limits: DailyLimits, held: &[&SigningKey]) -> Self {
        Self::with(ground, limits, held, None)
    }

    fn with(
        ground: &Ground,
        limits: DailyLimits,
        held: &[&SigningKey],
        back: Option<&SigningKey>,
    ) -> Self {
        let (came, has_come) = watch::channel(0);
        let (tell, block) = watch::channel(false);
        let relay = Slow {
            chain: ByDigest(ground.ledger.clone()),
            held: held.iter().map(|key| key.address()).collect(),
            back: back.map(SigningKey::address),
            came,
            block,
        };
        let on = Gateway {
            relay: Arc::new(relay),
            ..ground.parts()
        };
        let (router, _) = ground.gateway_on(on, URL, limits, Proxies::default());
        Self {
            router,
            came: has_come,
            block: tell,
        }
    }

    async fn called(&self, count: usize) {
        let mut came = self.came.clone();
        came.wait_for(|it| *it == count).await.unwrap();
    }
}

fn request(draft: &Draft, from: [u8; 4]) -> Request<Body> {
    let mut request = Request::new(Body::from(draft.body.clone()));
    *request.method_mut() = draft.method.clone();
    *request.uri_mut() = draft.target.parse().unwrap();
    let peer = SocketAddr::new(IpAddr::from(from), 9);
    request.extensions_mut().insert(ConnectInfo(peer));
    let cbor = HeaderValue::from_static(CBOR);
    request.headers_mut().insert("content-type", cbor);
    request
}

/// As the request's peer sends it, unsigned or signed by a key.
async fn status(router: Router, request: Request<Body>) -> u16 {
    let answer = tokio::time::timeout(NEVER, router.oneshot(request));
    let answer = answer.await.expect("an answer").unwrap();
    let status = answer.status().as_u16();
    to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    status
}

async fn signed(router: &Router, draft: &Draft, by: &SigningKey, from: [u8; 4]) -> u16 {
    let mut request = request(draft, from);
    let header = draft.sign(URL, by).to_string();
    let header = HeaderValue::from_str(&header).unwrap();
    request.headers_mut().insert("authorization", header);
    status(router.clone(), request).await
}

fn relay(call: &SignedCall) -> Draft {
    let call = RelayCall {
        bytes: call.bytes.clone(),
        signature: call.signature,
        work: None,
    };
    Draft::post(paths::RELAY, cbor::to_vec(&call))
}

async fn rotation(ground: &Ground, key: &SigningKey, seed: u8) -> Draft {
    let sealing_key = [seed; 32];
    let call = Call::RotateSealingKey { sealing_key };
    relay(&ground.signed(key, &call).await)
}

fn store(text: &str) -> Draft {
    put(&[Block::of(Codec::Raw, text.as_bytes().to_vec()).unwrap()])
}

fn fetch(text: &str) -> Draft {
    let block = Block::of(Codec::Raw, text.as_bytes().to_vec()).unwrap();
    ids(paths::GET, &[*block.cid()])
}

/// Lets every task go as far as it comes.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn requests_that_wait_for_a_block_leave_every_place_to_others() {
    let ground = Ground::new();
    let victim = ground.registered(1).await;
    let mut evils = Vec::new();
    for seed in 101..104 {
        evils.push(ground.registered(seed).await);
    }
    let held: Vec<&SigningKey> = evils.iter().collect();
    let node = Node::new(&ground, DailyLimits::default(), &held);
    let mut calls = Vec::new();
    for evil in &evils {
        calls.push(rotation(&ground, evil, 5).await);
    }
    let mut crowd = JoinSet::new();
    for number in 0..567 {
        let source = [127, 0, 1, u8::try_from(number % 9).unwrap()];
        let request = request(&calls[number % calls.len()], source);
        crowd.spawn(status(node.router.clone(), request));
    }
    node.called(3).await;
    // Four copies of each wait; the others are told to ask later.
    for _ in 15..567 {
        assert_eq!(crowd.join_next().await.unwrap().unwrap(), 503);
    }
    let here = [192, 0, 2, 1];
    let revocation = relay(&ground.signed(&victim, &Call::RevokeAll).await);
    let revoked = status(node.router.clone(), request(&revocation, here)).await;
    assert_eq!(revoked, 200, "a revocation waits for nobody's block");
    let letters = Draft::get(paths::letters(0));
    assert_eq!(signed(&node.router, &letters, &victim, here).await, 200);
    assert_eq!(
        signed(&node.router, &store("one"), &victim, here).await,
        204
    );
    assert_eq!(*node.came.borrow(), 3, "copies join the first");
    node.block.send_replace(true);
    assert_eq!(crowd.join_all().await, [200; 15]);
    println!(
        "ATTACK crowd-1: 567 copies of 3 waiting calls from 9 sources: 3 of them at the chain, 12 copies wait, a revocation, a mailbox and storage answered"
    );
}

#[tokio::test]
async fn copies_of_one_call_from_six_hundred_sources_leave_every_place_to_others() {
    let ground = Ground::new();
    let (victim, evil) = (ground.registered(1).await, ground.registered(2).await);
    let node = Node::new(&ground, DailyLimits::default(), &[&evil]);
    let call = rotation(&ground, &evil, 5).await;
    let far = |number: usize| {
        let [low, high] = [number % 200, number / 200].map(|it| u8::try_from(it).unwrap());
        [127, 1, high, low + 1]
    };
    let mut crowd = JoinSet::new();
    for number in 0..600 {
        crowd.spawn(status(node.router.clone(), request(&call, far(number))));
    }
    node.called(1).await;
    for _ in 5..600 {
        assert_eq!(crowd.join_next().await.unwrap().unwrap(), 503);
    }
    let copy = request(&call, far(0));
    let told = node.router.clone().oneshot(copy).await.unwrap();
    assert_eq!(told.headers()["retry-after"], "2");
    let revocation = relay(&ground.signed(&victim, &Call::RevokeAll).await);
    let revoked = status(node.router.clone(), request(&revocation, [192, 0, 2, 1])).await;
    assert_eq!(revoked, 200);
    let other = rotation(&ground, &victim, 7).await;
    let rotated = status(node.router.clone(), request(&other, [192, 0, 2, 1])).await;
    assert_eq!(
        rotated, 200,
        "a call that takes nothing back finds a place, too"
    );
    node.block.send_replace(true);
    assert_eq!(crowd.join_all().await, [200; 5]);
    let later = status(node.router.clone(), request(&call, far(599))).await;
    assert_eq!(later, 200, "whoever was told to ask later learns of it");
    println!(
        "ATTACK fresh-2: 600 copies of one waiting call from 600 sources: 5 wait, 595 were told to ask later; a revocation and another call passed"
    );
}

#[tokio::test]
async fn other_calls_that_wait_leave_withdrawals_their_places() {
    let ground = Ground::new();
    let victim = ground.registered(1).await;
    let mut evils = Vec::new();
    for seed in 101..104 {
        evils.push(ground.registered(seed).await);
    }
    let held: Vec<&SigningKey> = evils.iter().collect();
    let node = Node::with(&ground, DailyLimits::default(), &held, Some(&victim));
    let mut crowd = JoinSet::new();
    for (number, evil) in evils.iter().cycle().take(540).enumerate() {
        let sealing_key = Digest::of(&number.to_be_bytes()).to_bytes();
        let call = Call::RotateSealingKey { sealing_key };
        let call = ground.signed(evil, &call).await;
        let [low, high] = [number % 200, number / 200].map(|it| u8::try_from(it).unwrap());
        let request = request(&relay(&call), [127, 1, high, low + 1]);
        crowd.spawn(status(node.router.clone(), request));
    }
    for _ in 512..540 {
        assert_eq!(crowd.join_next().await.unwrap().unwrap(), 503);
    }
    let here = [192, 0, 2, 1];
    let revocation = relay(&ground.signed(&victim, &Call::RevokeAll).await);
    // Those of the crowd that are still looked at have places for work, until they step aside to wait.
    let passed = async {
        loop {
            match status(node.router.clone(), request(&revocation, here)).await {
                503 => tokio::task::yield_now().await,
                other => break other,
            }
        }
    };
    let revoked = tokio::time::timeout(NEVER, passed).await;
    assert_eq!(revoked.ok(), Some(200), "every other place is taken");
}

#[tokio::test]
async fn copies_of_a_call_on_its_way_cost_its_signer_nothing() {
    let ground = Ground::new();
    let victim = ground.registered(1).await;
    let limits = DailyLimits {
        requests: 3,
        ..DailyLimits::default()
    };
    let node = Node::new(&ground, limits, &[&victim]);
    let (here, there) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    let call = rotation(&ground, &victim, 5).await;
    let own = tokio::spawn(status(node.router.clone(), request(&call, here)));
    node.called(1).await;
    let mut copies = JoinSet::new();
    for _ in 0..40 {
        copies.spawn(status(node.router.clone(), request(&call, there)));
    }
    for _ in 4..40 {
        assert_eq!(copies.join_next().await.unwrap().unwrap(), 503);
    }
    let stored = signed(&node.router, &store("one"), &victim, here).await;
    assert_eq!(stored, 204, "beside them");
    assert_eq!(*node.came.borrow(), 1);
    node.block.send_replace(true);
    assert_eq!(own.await.unwrap(), 200);
    assert_eq!(copies.join_all().await, [200; 4]);
    for _ in 4..40 {
        let again = status(node.router.clone(), request(&call, there)).await;
        assert_eq!(again, 200, "asked for later");
    }
    // The third of three, and there is no fourth.
    let stored = signed(&node.router, &store("two"), &victim, here).await;
    assert_eq!(stored, 204, "her day is her own");
    let stored = signed(&node.router, &store("three"), &victim, here).await;
    assert_eq!(stored, 429);
    println!(
        "ATTACK crowd-2: 40 copies of a waiting call by somebody without an account: 4 answered with it, 36 told to ask later and answered then, 0 counted for its signer, her storage not held up"
    );
}

#[tokio::test]
async fn who_brings_a_call_and_goes_neither_stops_it_nor_makes_its_signer_pay_twice() {
    let ground = Ground::new();
    let victim = ground.registered(1).await;
    let limits = DailyLimits {
        requests: 2,
        ..DailyLimits::default()
    };
    let node = Node::new(&ground, limits, &[&victim]);
    let call = rotation(&ground, &victim, 5).await;
    for number in 1..6 {
        let gone = tokio::spawn(status(
            node.router.clone(),
            request(&call, [192, 0, 2, number]),
        ));
        node.called(1).await;
        settle().await;
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
    }
    node.block.send_replace(true);
    let here = [192, 0, 2, 9];
    assert_eq!(status(node.router.clone(), request(&call, here)).await, 200);
    assert_eq!(*node.came.borrow(), 1);
    assert_eq!(
        signed(&node.router, &store("one"), &victim, here).await,
        204
    );
}

#[tokio::test]
async fn one_strangers_waiting_calls_stop_neither_storing_nor_fetching() {
    let ground = Ground::new();
    let (victim, evil) = (ground.registered(1).await, ground.registered(2).await);
    let node = Node::new(&ground, DailyLimits::default(), &[&evil]);
    let (here, there) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    let call = rotation(&ground, &evil, 5).await;
    let mut waiting = JoinSet::new();
    for _ in 0..8 {
        waiting.spawn(status(node.router.clone(), request(&call, there)));
    }
    node.called(1).await;
    for number in 0..6 {
        let (router, evil) = (node.router.clone(), evil.clone());
        let junk = store(&format!("junk {number}"));
        waiting.spawn(async move { signed(&router, &junk, &evil, there).await });
    }
    settle().await;
    assert_eq!(
        signed(&node.router, &store("one"), &victim, here).await,
        204
    );
    assert_eq!(
        signed(&node.router, &fetch("one"), &victim, here).await,
        200
    );
    node.block.send_replace(true);
    let answers = waiting.join_all().await;
    assert!(
        answers.iter().all(|it| [200, 204, 503].contains(it)),
        "{answers:?}"
    );
    let told_later = answers.iter().filter(|it| **it == 503).count();
    assert_eq!(told_later, 3, "four copies wait: {answers:?}");
    println!(
        "ATTACK crowd-3: 8 waiting calls and 6 small puts of one stranger: another's block stored and fetched before the next block"
    );
}

/// A chain that takes a question and gives no answer.
struct Silent;

#[async_trait]
impl Events for Silent {
    async fn events(&self, _from: u64, _most: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        std::future::pending().await
    }

    async fn hash_of(&self, _number: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_silent_chain_is_told_as_not_ready() {
    let ground = Ground::new();
    let (gateway, _) = ground.gateway_over(
        URL,
        DailyLimits::default(),
        ground.store.clone(),
        Arc::new(Silent),
    );
    let keeper = ground.keeper_over(URL, ground.folder.path(), Arc::new(Silent));
    for router in [gateway, keeper] {
        let ask = request(&Draft::get(paths::READYZ), [192, 0, 2, 1]);
        assert_eq!(status(router, ask).await, 503);
    }
    println!("ATTACK crowd-7: node and keeper say not ready while their chain is silent");
}

/// Registers new addresses behind a proxy that adds a line.
struct Proxied {
    ground: Ground,
    router: Router,
}

impl Proxied {
    fn new(registrations_a_source: u64, registrations: u64) -> Self {
        Self::naming(&[], registrations_a_source, registrations)
    }

    /// The same with sources that the operator named.
    fn naming(of: &[(&str, u64)], registrations_a_source: u64, registrations: u64) -> Self {
        let ground = Ground::new();
        let of = of.iter().map(|(at, most)| (at.parse().unwrap(), *most));
        let limits = DailyLimits {
            registrations_a_source,
            registrations_of: of.collect(),
            registrations,
            registration_work: 0,
            ..DailyLimits::default()
        };
        let proxies = Proxies {
            trusted: vec![IpAddr::from([127, 0, 0, 1]).into()],
            header: Some(HeaderName::from_static("x-forwarded-for")),
        };
        let (router, _) = ground.gateway_on(ground.parts(), URL, limits, proxies);
        Self { ground, router }
    }

    async fn register(&self, seed: u8, lines: &[&[u8]]) -> u16 {
        let key = SigningKey::from_bytes(&[seed; 32]).unwrap();
        let call = Call::Register {
            role: Role::Person,
            sealing_key: [seed; 32],
        };
        let call = relay(&self.ground.signed(&key, &call).await);
        let mut request = request(&call, [127, 0, 0, 1]);
        for line in lines {
            let line = HeaderValue::from_bytes(line).unwrap();
            request.headers_mut().append("x-forwarded-for", line);
        }
        status(self.router.clone(), request).await
    }
}

#[tokio::test]
async fn a_byte_over_127_hides_nothing_that_a_proxy_says() {
    let world = Proxied::new(2, 100);
    let client = b"198.51.100.1".as_slice();
    for (seed, expected) in [(1, 200), (2, 200), (3, 429)] {
        assert_eq!(world.register(seed, &[client]).await, expected);
    }
    for seed in 10..20u8 {
        let said = format!("203.0.113.{seed}");
        let added = b"\xff, 198.51.100.1".as_slice();
        let appended = world.register(seed, &[said.as_bytes(), added]).await;
        assert_eq!(appended, 429, "behind a proxy that adds to a line");
        let joined = world.register(seed, &[added]).await;
        assert_eq!(joined, 429, "behind one that joins them");
    }
    println!(
        "ATTACK crowd-4: 0 of 20 registrations over a source's limit by a byte over 127 in X-Forwarded-For"
    );
}

#[tokio::test]
async fn networks_of_one_ipv6_line_leave_most_of_a_day_to_others() {
    let world = Proxied::new(2, 20);
    let mut taken = 0;
    for number in 0..20u8 {
        let from = format!("2001:db8:1:{:x}::1", number / 2);
        taken += u32::from(world.register(1 + number, &[from.as_bytes()]).await == 200);
    }
    assert_eq!(taken, 5, "a quarter of the day");
    for number in 0..20u8 {
        let from = format!("2001:db8:1:{:x}00::1", number + 1);
        taken += u32::from(world.register(30 + number, &[from.as_bytes()]).await == 200);
    }
    assert_eq!(taken, 5, "its site has no more");
    assert_eq!(world.register(60, &[b"198.51.100.77"]).await, 200);
    assert_eq!(world.register(61, &[b"2001:db8:2::1"]).await, 200);
    println!(
        "ATTACK crowd-5: {taken} of a node's 20 registrations a day by 30 networks of one IPv6 line and site; others register"
    );
}

/// A hospital behind one address raised every source's limit for its own.
#[tokio::test]
async fn a_source_that_is_named_has_its_own_registrations_and_takes_nobodys() {
    let named = [("198.51.100.1", 5), ("2001:db8:1:1::7", 6)];
    let world = Proxied::naming(&named, 2, 40);
    let mut seed = 0;
    let mut register = async |lines: &[&[u8]]| {
        seed += 1;
        world.register(seed, lines).await
    };
    let hospital = b"198.51.100.1".as_slice();
    // A stranger does not come to its place by saying that it is there, and has no more than before.
    let said: [&[&[u8]]; 3] = [
        &[b"198.51.100.1, 203.0.113.9"],
        &[hospital, b"203.0.113.9"],
        &[b"198.51.100.1:1, 203.0.113.9"],
    ];
    for (said, expected) in said.into_iter().zip([200, 200, 429]) {
        assert_eq!(register(said).await, expected);
    }
    // It has so many and no more.
    for number in 0..7 {
        let expected = if number < 5 { 200 } else { 429 };
        assert_eq!(register(&[hospital]).await, expected, "{number}");
    }
    // By any address of the 64 bits, whichever was named; its line and its site keep what they have.
    for number in 0..8u8 {
        let from = format!("2001:db8:1:1::{number}");
        let expected = if number < 6 { 200 } else { 429 };
        assert_eq!(register(&[from.as_bytes()]).await, expected, "{number}");
    }
    for number in 0..3u8 {
        let expected = if number < 2 { 200 } else { 429 };
        let beside = register(&[b"2001:db8:1:2::1"]).await;
        assert_eq!(beside, expected, "{number}");
    }
    let other = register(&[b"198.51.100.2"]).await;
    assert_eq!(other, 200, "its neighbour is another source");
    // In all there are as many as ever.
    let world = Proxied::naming(&[("198.51.100.1", 50)], 2, 4);
    for seed in 0..6 {
        let expected = if seed < 4 { 200 } else { 429 };
        assert_eq!(
            world.register(1 + seed, &[hospital]).await,
            expected,
            "{seed}"
        );
    }
}
