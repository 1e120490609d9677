//! JSON-RPC over HTTP, on loopback only.
//!
//! A page in a browser can reach loopback too, so a request must say `application/json` (which a
//! browser asks leave for, and gets none) and must name a loopback host (against DNS rebinding).

use std::{borrow::Cow, net::IpAddr, time::Duration};

use alloy::rpc::json_rpc::ErrorPayload;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::net::TcpListener;

use super::{INTERNAL, INVALID_REQUEST, PARSE, failure, methods};
use crate::chain::{Chain, Mining};

/// How much one request may ask.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Questions of a batch.
    pub batch: usize,
}

impl Default for Limits {
    /// 2 MiB, which is ten of the longest contracts, and 1,000 questions.
    fn default() -> Self {
        Self {
            body: 2 << 20,
            batch: 1_000,
        }
    }
}

/// Why a chain is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// It has neither TLS nor a limit for strangers.
    #[error("{0} is not a loopback address; listen on 127.0.0.1 or ::1")]
    NotLoopback(IpAddr),
    /// The socket failed.
    #[error("the chain's socket failed; restart it")]
    Socket(#[from] std::io::Error),
}

/// Answers JSON-RPC on `listener` until the future is dropped, and makes the blocks of
/// [`Mining::EveryMillis`].
///
/// # Errors
/// When the listener is not on loopback or breaks.
pub async fn serve(chain: Chain, listener: TcpListener) -> Result<(), ServeError> {
    serve_with(chain, listener, Limits::default()).await
}

/// As [`serve`], with other limits.
///
/// # Errors
/// When the listener is not on loopback or breaks.
pub async fn serve_with(
    chain: Chain,
    listener: TcpListener,
    limits: Limits,
) -> Result<(), ServeError> {
    let address = listener.local_addr()?.ip();
    if !address.is_loopback() {
        return Err(ServeError::NotLoopback(address));
    }
    let (router, mining) = router_with(chain, limits);
    let server = async { axum::serve(listener, router).await };
    tokio::select! {
        done = server => done?,
        () = mining => {}
    }
    Ok(())
}

/// The answers of [`serve`] for another listener on loopback (one that speaks TLS), and what makes the blocks of
/// [`Mining::EveryMillis`] while it is polled; it never ends.
pub fn router(chain: Chain) -> (Router, impl Future<Output = ()> + Send) {
    router_with(chain, Limits::default())
}

fn router_with(chain: Chain, limits: Limits) -> (Router, impl Future<Output = ()> + Send) {
    let router = Router::new()
        .route("/", post(handle))
        .layer(DefaultBodyLimit::max(limits.body))
        .with_state((chain.clone(), limits));
    let mining = async move {
        match chain.mining() {
            Mining::Instant => std::future::pending().await,
            Mining::EveryMillis(every) => tick(chain, every).await,
        }
    };
    (router, mining)
}

async fn tick(chain: Chain, every: u64) {
    let mut ticks = tokio::time::interval(Duration::from_millis(every.max(1)));
    loop {
        ticks.tick().await;
        let chain = chain.clone();
        let mined = tokio::task::spawn_blocking(move || chain.waits().then(|| chain.mine())).await;
        if let Ok(Some(Err(error))) = mined {
            tracing::error!(%error, "no block");
        }
    }
}

#[derive(Deserialize)]
struct Question<'a> {
    jsonrpc: Cow<'a, str>,
    /// None: a notification, which gets no answer (JSON-RPC 2.0, section 4.1). Null is an id like others.
    #[serde(borrow, default, deserialize_with = "given")]
    id: Option<&'a RawValue>,
    method: String,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Reply<'a> {
    jsonrpc: &'static str,
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorPayload>,
}

impl<'a> Reply<'a> {
    fn new(id: Option<&'a RawValue>, answer: super::Answer) -> Self {
        let (result, error) = match answer {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            jsonrpc: "2.0",
            id,
            result,
            error,
        }
    }
}

fn given<'a, D: serde::Deserializer<'a>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl Question<'_> {
    /// Why it is no request (section 4).
    fn fault(&self) -> Option<&'static str> {
        if self.jsonrpc != "2.0" {
            return Some("jsonrpc must be \"2.0\"");
        }
        let id = self.id.map_or("null", RawValue::get);
        let fits = id == "null"
            || id.starts_with(['"', '-'])
            || id.starts_with(|c: char| c.is_ascii_digit());
        (!fits).then_some("id must be a string, a number or null")
    }
}

async fn handle(
    State((chain, limits)): State<(Chain, Limits)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !host_is_loopback(&headers) {
        return (StatusCode::FORBIDDEN, "name a loopback host").into_response();
    }
    if !is_json(&headers) {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json").into_response();
    }
    let reply = tokio::task::spawn_blocking(move || reply(&chain, limits, &body)).await;
    let reply = reply
        .unwrap_or_else(|_| Some(text(&Reply::new(None, Err(ErrorPayload::internal_error())))));
    match reply {
        Some(reply) => ([(header::CONTENT_TYPE, "application/json")], reply).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

impl Chain {
    /// What [`serve`] answers to the body of a request: JSON, whatever the body is, or nothing to notifications.
    pub fn answer(&self, body: &[u8]) -> Option<String> {
        reply(self, Limits::default(), body)
    }
}

fn reply(chain: &Chain, limits: Limits, body: &[u8]) -> Option<String> {
    let refuse = |code, message| Some(text(&Reply::new(None, Err(failure(code, message)))));
    if body.trim_ascii_start().first() != Some(&b'[') {
        return match serde_json::from_slice::<&RawValue>(body) {
            Ok(raw) => one(chain, raw).map(|reply| text(&reply)),
            Err(error) => refuse(PARSE, error.to_string()),
        };
    }
    match serde_json::from_slice::<Vec<&RawValue>>(body) {
        Ok(all) if all.is_empty() => refuse(INVALID_REQUEST, "an empty batch asks nothing".into()),
        Ok(all) if all.len() > limits.batch => {
            let message = format!(
                "a batch of {}; {} at most, split it",
                all.len(),
                limits.batch
            );
            refuse(INVALID_REQUEST, message)
        }
        Ok(all) => {
            let replies: Vec<_> = all.into_iter().filter_map(|raw| one(chain, raw)).collect();
            (!replies.is_empty()).then(|| text(&replies))
        }
        Err(error) => refuse(PARSE, error.to_string()),
    }
}

fn one<'a>(chain: &Chain, raw: &'a RawValue) -> Option<Reply<'a>> {
    let refuse = |why: String| Some(Reply::new(None, Err(failure(INVALID_REQUEST, why))));
    match serde_json::from_str::<Question<'a>>(raw.get()) {
        Ok(question) => match question.fault() {
            Some(why) => refuse(why.into()),
            None => {
                let answer = methods::ask(chain, &question.method, question.params);
                question.id.map(|id| Reply::new(Some(id), answer))
            }
        },
        Err(error) => refuse(error.to_string()),
    }
}

fn text(reply: &impl Serialize) -> String {
    serde_json::to_string(reply).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer is no JSON");
        format!(r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{INTERNAL},"message":"bug"}}}}"#)
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|value| value.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn host_is_loopback(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let Some(Ok(host)) = host.map(str::parse::<Authority>) else {
        return false;
    };
    let host = host.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
