//! The port of a web face, there only when it is asked for: HTTP on loopback. No token travels: who asks proves that it
//! knows it over the bytes of its command, and every answer is proven, too (docs/format/door.md).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::proof::{Claim, Nonce, Token, nonce};
use super::{Shared, talk};
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
    if is_own(web.port, request.headers()) {
        return next.run(request).await;
    }
    refused(StatusCode::UNAUTHORIZED)
}

fn is_own(port: u16, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = format!("127.0.0.1:{port}");
    let own = format!("http://{host}");
    text(header::HOST) == Some(&host) && text(header::ORIGIN).is_none_or(|origin| origin == own)
}

async fn hello(State(web): State<Web>, Json(hello): Json<Hello>) -> Response {
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

async fn command(State(web): State<Web>, headers: HeaderMap, body: Bytes) -> Response {
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
