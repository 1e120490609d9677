use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

struct Served {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

async fn start(how: Listening) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/large", get(|| async { vec![b'x'; 8 << 20] }))
        .route(
            "/take",
            post(|body: axum::body::Bytes| async move { body.len().to_string() }),
        )
        .route("/wait", post(wait))
        .layer(axum::extract::DefaultBodyLimit::disable());
    let (end, ended) = oneshot::channel();
    let end_of = async {
        let _ = ended.await;
    };
    let task = tokio::spawn(serve(listener, router, how, end_of));
    Served { address, end, task }
}

/// Requests that wait for their turn, and what lets them go on.
static WAITING: AtomicUsize = AtomicUsize::new(0);
static TURN: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(0);

/// As a request stands in its signer's line: with its body.
async fn wait(body: axum::body::Bytes) -> String {
    WAITING.fetch_add(1, Ordering::SeqCst);
    let _turn = TURN.acquire().await;
    body.len().to_string()
}

fn bounded(bounds: Bounds) -> Listening {
    Listening {
        bounds,
        ..Listening::default()
    }
}

/// Sends this and gives everything until the other side closes.
async fn say(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A reset is a close too, also of one that has heard enough.
    let _ = stream.write_all(text.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

const WHOLE: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let on = start(bounded(Bounds {
        head: Duration::from_millis(200),
        ..Bounds::default()
    }))
    .await;
    let (slow, whole) = tokio::join!(say(on.address, &WHOLE[..20]), say(on.address, WHOLE));
    assert!(!slow.contains("here"), "{slow}");
    assert!(whole.ends_with("here"), "{whole}");
}

#[tokio::test]
async fn slow_heads_of_a_full_source_give_their_places_to_the_next() {
    let on = start(bounded(Bounds {
        a_source: 4,
        patience: Duration::from_millis(250),
        ..Bounds::default()
    }))
    .await;
    let slow: Vec<_> = (0..4)
        .map(|_| tokio::spawn(say(on.address, &WHOLE[..20])))
        .collect();
    // As soon as one of them has kept the listener waiting for a moment.
    let begun = std::time::Instant::now();
    loop {
        if say(on.address, WHOLE).await.ends_with("here") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "shut out");
        tokio::task::yield_now().await;
    }
    drop(slow);
}

#[tokio::test]
async fn a_body_below_the_least_pace_is_cut_off_and_one_above_the_bound_is_not_read() {
    let on = start(bounded(Bounds {
        span: Duration::from_millis(200),
        body: 1_000,
        ..Bounds::default()
    }))
    .await;
    let head = |length: usize| {
        format!(
            "POST /take HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let told = say(on.address, &format!("{}abc", head(3))).await;
    assert!(told.ends_with('3'), "{told}");
    let told = say(on.address, &format!("{}a", head(3))).await;
    assert!(
        told.contains("413") && told.contains("too slowly"),
        "{told}"
    );
    let told = say(on.address, &head(1_001)).await;
    assert!(
        told.contains("413") && told.contains("over what one request"),
        "{told}"
    );
    let endless = "POST /take HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n400\r\n";
    let told = say(on.address, &format!("{endless}{}", "x".repeat(0x400))).await;
    assert!(
        told.contains("413") && told.contains("over what one request"),
        "{told}"
    );
}

#[tokio::test]
async fn a_reader_below_the_least_pace_is_dropped_and_a_whole_answer_is_not() {
    let on = start(bounded(Bounds {
        span: Duration::from_millis(300),
        ..Bounds::default()
    }))
    .await;
    let large = "GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert!(say(on.address, large).await.len() > 8 << 20);
    let mut slow = TcpStream::connect(on.address).await.unwrap();
    slow.write_all(large.as_bytes()).await.unwrap();
    let begun = std::time::Instant::now();
    // It takes a byte now and then; what the kernels hold is far less than the answer.
    let mut taken = 0;
    let mut rest = Vec::new();
    for _ in 0..40 {
        let mut one = [0; 1];
        taken += slow.read(&mut one).await.unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let _ = slow.read_to_end(&mut rest).await;
    assert!(taken + rest.len() < 8 << 20, "{} bytes", taken + rest.len());
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn answers_on_their_way_hold_bounded_memory() {
    let on = start(bounded(Bounds {
        memory_a_source: 10 << 20,
        ..Bounds::default()
    }))
    .await;
    let large = "GET /large HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut slow = TcpStream::connect(on.address).await.unwrap();
    slow.write_all(large.as_bytes()).await.unwrap();
    slow.read_exact(&mut [0; 100]).await.unwrap();
    let second = "GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let told = say(on.address, second).await;
    assert!(
        told.contains("503") && told.contains("on their way"),
        "{}",
        &told[..told.len().min(200)]
    );
    assert!(
        say(on.address, WHOLE).await.ends_with("here"),
        "small ones are not counted"
    );
    // It takes what is on its way, and the next is let through: on this connection, and on others.
    let mut left: usize = 8 << 20;
    let mut part = vec![0; 1 << 20];
    while left > 200 {
        left = left.saturating_sub(slow.read(&mut part).await.unwrap());
    }
    let begun = std::time::Instant::now();
    while say(on.address, second).await.len() < 8 << 20 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "never given back"
        );
    }
}

#[tokio::test]
async fn bodies_that_wait_for_their_turn_hold_bounded_memory() {
    let on = start(bounded(Bounds {
        memory_a_source: 5 << 20,
        ..Bounds::default()
    }))
    .await;
    let request = |target: &str, length: usize| {
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        head + &"x".repeat(length)
    };
    let large = request("/wait", 2 << 20);
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let large = large.clone();
            tokio::spawn(async move { say(on.address, &large).await })
        })
        .collect();
    while WAITING.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    // Their whole bodies count until they were answered, and no further one is taken.
    for target in ["/wait", "/take"] {
        let told = say(on.address, &request(target, 2 << 20)).await;
        assert!(
            told.is_empty() || told.contains("503") && told.contains("on their way"),
            "{told}"
        );
    }
    assert_eq!(
        WAITING.load(Ordering::SeqCst),
        2,
        "nothing more came to wait"
    );
    let small = request("/take", 10 << 10);
    assert!(
        say(on.address, &small).await.ends_with("10240"),
        "small ones are not counted"
    );
    TURN.add_permits(2);
    for one in waiting {
        let told = one.await.unwrap();
        assert!(told.ends_with(&(2 << 20).to_string()), "{told}");
    }
    // Their answer is made after what they held was given back.
    let told = say(on.address, &request("/take", 4 << 20)).await;
    assert!(told.ends_with(&(4 << 20).to_string()), "given back: {told}");
}

#[tokio::test]
async fn it_ends_when_it_is_told_though_a_connection_is_open() {
    let on = start(bounded(Bounds {
        farewell: Duration::from_millis(100),
        ..Bounds::default()
    }))
    .await;
    assert!(say(on.address, WHOLE).await.ends_with("here"));
    let _open = TcpStream::connect(on.address).await.unwrap();
    on.end.send(()).unwrap();
    on.task.await.unwrap();
    let refused = TcpStream::connect(on.address).await.unwrap_err();
    assert_eq!(
        refused.kind(),
        std::io::ErrorKind::ConnectionRefused,
        "nobody listens"
    );
}
