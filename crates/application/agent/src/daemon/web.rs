//! The port of a web face, there only when it is asked for: HTTP on loopback. No token travels: who asks proves that it
//! knows it over the bytes of its command, and every answer is proven, too (docs/format/door.md).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tower::Service as _;

use super::proof::{Claim, Nonce, Token, nonce};
use super::{CALLERS, Shared, talk};
use crate::answer::code;
use crate::{Answer, Problem};

/// How long a greeting can be answered, and how many wait for that.
const LIFE: Duration = Duration::from_secs(60);
const WAITING: usize = 64;

const NONCE: &str = "medibloc-nonce";
const PROOF: &str = "medibloc-proof";

#[derive(Clone)]
struct Web {
    shared: Shared,
    token: Token,
    port: u16,
    greeted: Arc<Mutex<VecDeque<Greeted>>>,
}

struct Greeted {
    client: Nonce,
    server: Nonce,
    at: Instant,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    nonce: String,
}

#[derive(Serialize)]
struct Proven {
    nonce: String,
    proof: String,
}

pub(super) fn router(shared: Shared, token: Token, port: u16) -> Router {
    let web = Web {
        shared,
        token,
        port,
        greeted: Arc::default(),
    };
    Router::new()
        .route("/v1/hello", post(hello))
        .route("/v1/run", post(command))
        .layer(DefaultBodyLimit::max(talk::LIMIT))
        // Before anything of a request is looked at.
        .layer(from_fn_with_state(web.clone(), door))
        .with_state(web)
}

/// No page of another origin, and no name that somebody else lets point here.
async fn door(State(web): State<Web>, request: Request, next: Next) -> Response {
    if !is_own(web.port, request.headers()) {
        return refused(StatusCode::UNAUTHORIZED);
    }
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, talk::LIMIT);
    match tokio::time::timeout(talk::GREETING, body).await {
        Ok(Ok(body)) => next.run(Request::from_parts(head, body.into())).await,
        Ok(Err(_)) => refused(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => refused(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Answers who comes, a bounded number at a time. Each has its time for head, body and taking the answer; a command's own
/// work has as long as it takes.
pub(super) async fn serve(listener: TcpListener, router: Router) {
    let room = Arc::new(Semaphore::new(CALLERS));
    let mut callers = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files: those that are there must end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while callers.try_join_next().is_some() {}
        let Ok(place) = room.clone().try_acquire_owned() else {
            continue;
        };
        let router = router.clone();
        callers.spawn(async move {
            attend(stream, router).await;
            drop(place);
        });
    }
}

/// One connection, one request.
async fn attend(stream: TcpStream, router: Router) {
    let answered = Arc::new(Notify::new());
    let is_answered = answered.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let answer = router.clone().call(request.map(Body::new));
        let answered = answered.clone();
        async move {
            let answer = answer.await;
            answered.notify_one();
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(talk::GREETING)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let late = async {
        is_answered.notified().await;
        tokio::time::sleep(talk::PATIENCE).await;
    };
    tokio::select! {
        // Who goes away, or is too slow, is not worth a word.
        _ = connection => {}
        () = late => {}
    }
}

fn is_own(port: u16, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = format!("127.0.0.1:{port}");
    let own = format!("http://{host}");
    text(header::HOST) == Some(&host) && text(header::ORIGIN).is_none_or(|origin| origin == own)
}

async fn hello(State(web): State<Web>, hello: Result<Json<Hello>, JsonRejection>) -> Response {
    let Json(hello) = match hello {
        Ok(hello) => hello,
        Err(rejection) => return refused(rejection.status()),
    };
    let Some(client) = number(&hello.nonce) else {
        return refused(StatusCode::BAD_REQUEST);
    };
    let Ok(server) = nonce() else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let proof = web.token.prove(Claim::Server, &client, &server, b"");
    let mut greeted = web.greeted.lock().unwrap_or_else(PoisonError::into_inner);
    if greeted.len() >= WAITING {
        greeted.pop_front();
    }
    greeted.push_back(Greeted {
        client,
        server,
        at: Instant::now(),
    });
    Json(Proven {
        nonce: hex::encode(server),
        proof: hex::encode(proof),
    })
    .into_response()
}

async fn command(
    State(web): State<Web>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return refused(rejection.status()),
    };
    let Some(greeted) = known(&web, &headers, &body) else {
        return refused(StatusCode::UNAUTHORIZED);
    };
    let answer = web.shared.run(body.to_vec()).await;
    let proof = web
        .token
        .prove(Claim::Answer, &greeted.client, &greeted.server, &answer);
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/json".into()),
        (PROOF, hex::encode(proof)),
    ];
    (headers, answer).into_response()
}

/// The greeting that this command goes on from, if its proof holds; each is good for one.
fn known(web: &Web, headers: &HeaderMap, body: &[u8]) -> Option<Greeted> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let (server, proof) = (number(text(NONCE)?)?, number(text(PROOF)?)?);
    let mut waiting = web.greeted.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.retain(|greeted| greeted.at.elapsed() < LIFE);
    let at = waiting
        .iter()
        .position(|greeted| greeted.server == server)?;
    let client = waiting[at].client;
    if !web
        .token
        .holds(Claim::Command, &client, &server, body, &proof)
    {
        return None;
    }
    waiting.remove(at)
}

fn number(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

fn refused(status: StatusCode) -> Response {
    let problem = Problem::new(code::REFUSED, "this socket is for the owner of the home");
    let answer: Result<Answer, Problem> = Err(problem);
    (status, Json(answer)).into_response()
}
