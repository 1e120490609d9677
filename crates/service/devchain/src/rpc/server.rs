//! JSON-RPC over HTTP, on loopback only.
//!
//! A page in a browser can reach loopback too, so a request must say `application/json` (which a
//! browser asks leave for, and gets none) and must name a loopback host (against DNS rebinding).

mod questions;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use alloy::rpc::json_rpc::ErrorPayload;
use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{Extensions, HeaderMap, HeaderName, StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::value::RawValue;
use tokio::net::TcpListener;

use super::{
    methods::{self, Work},
    turns::{Source, Turns},
};
use questions::{Asked, Question, Reply, text};

use crate::{
    chain::{Chain, Meter, Mining},
    error::ChainError,
};

/// Questions that are looked up at once, and changes that are at once on their way to the one that makes blocks.
const LOOKS: usize = 8;
const CHANGES: usize = 4;

/// Gas of a call beyond what it asks for: reading it, and opening the state.
const BEGIN: u64 = 50_000;

/// How much one request may ask.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Questions of a batch.
    pub batch: usize,
    /// Gas that the calls of a batch use together, as a multiple of [`Config::call_gas`](crate::Config::call_gas); those after
    /// them are refused.
    pub calls: u64,
    /// The header in which a proxy on this machine names whom it speaks for, as `X-Forwarded-For`: addresses, the nearest last.
    /// Without it each connection is counted as somebody.
    pub proxy_header: Option<HeaderName>,
}

impl Default for Limits {
    /// 2 MiB, which is ten of the longest contracts, 1,000 questions, the gas of four calls, no proxy.
    fn default() -> Self {
        Self {
            body: 2 << 20,
            batch: 1_000,
            calls: 4,
            proxy_header: None,
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
    let (router, mining) = router(chain, limits);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = async { axum::serve(listener, service).await };
    tokio::select! {
        done = server => done?,
        () = mining => {}
    }
    Ok(())
}

/// The answers of [`serve`] for another listener on loopback (one that speaks TLS), and what makes the blocks of
/// [`Mining::EveryMillis`] while it is polled; it never ends.
///
/// Connections are told apart by axum's `ConnectInfo<SocketAddr>`, which the other listener has to give.
pub fn router(chain: Chain, limits: Limits) -> (Router, impl Future<Output = ()> + Send) {
    let body = limits.body;
    let router = Router::new()
        .route("/", post(handle))
        .layer(DefaultBodyLimit::max(body))
        .with_state(Service::new(chain.clone(), limits));
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

/// A chain that is served.
#[derive(Debug, Clone)]
struct Service {
    chain: Chain,
    limits: Limits,
    calls: Arc<Turns>,
    looks: Arc<Turns>,
    changes: Arc<Turns>,
}

impl Service {
    fn new(chain: Chain, limits: Limits) -> Self {
        // Half of the processor is for everything else: blocks, and what is only looked up.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with(chain, limits, cores / 2)
    }

    fn with(chain: Chain, limits: Limits, calls: usize) -> Self {
        Self {
            chain,
            limits,
            calls: Turns::new(calls),
            looks: Turns::new(LOOKS),
            changes: Turns::new(CHANGES),
        }
    }

    /// Whom a request is from.
    fn source(&self, headers: &HeaderMap, extensions: &Extensions) -> Source {
        let named = self.limits.proxy_header.as_ref().and_then(|name| {
            let last = headers.get_all(name).iter().next_back()?.to_str().ok()?;
            let nearest = last.rsplit(',').next()?.trim();
            nearest.parse::<IpAddr>().ok()
        });
        let peer = || {
            let peer = extensions.get::<ConnectInfo<SocketAddr>>();
            peer.map_or_else(|| ([0; 4], 0).into(), |ConnectInfo(peer)| *peer)
        };
        named.map_or_else(|| Source::Connection(peer()), Source::named)
    }

    /// Answers one question after another, each at its turn. Who drops this has none of the others begun.
    async fn reply(&self, source: Source, body: &[u8]) -> Option<String> {
        let meter = self.meter();
        let _abandoned = Abandoned(&meter);
        match Asked::read(body, &self.limits) {
            Asked::Nothing(refusal) => Some(refusal),
            Asked::One(raw) => {
                let reply = self.one(source, raw, &meter).await;
                reply.map(|reply| text(&reply))
            }
            Asked::Batch(all) => {
                let mut replies = Vec::new();
                for raw in all {
                    replies.extend(self.one(source, raw, &meter).await);
                }
                (!replies.is_empty()).then(|| text(&replies))
            }
        }
    }

    async fn one<'a>(&self, source: Source, raw: &'a RawValue, meter: &Meter) -> Option<Reply<'a>> {
        match Question::read(raw) {
            Ok(question) => {
                let id = question.id;
                let answer = self.answer(source, question, meter).await;
                id.map(|id| Reply::new(Some(id), answer))
            }
            Err(refusal) => Some(refusal),
        }
    }

    async fn answer(&self, source: Source, question: Question<'_>, meter: &Meter) -> super::Answer {
        let refuse = |error| super::answer::<()>(Err(error));
        let (turns, cost) = match methods::work(&question.method) {
            Work::Call { times } => {
                if let Err(error) = meter.check() {
                    return refuse(error);
                }
                let most = self.chain.call_gas();
                let gas = question.gas().map_or(most, |gas| gas.min(most));
                (&self.calls, gas.saturating_mul(times).saturating_add(BEGIN))
            }
            Work::Look => (&self.looks, 1),
            Work::Change => (&self.changes, 1),
        };
        let Some(turn) = turns.take(source, cost).await else {
            return refuse(ChainError::Busy);
        };
        let (chain, meter) = (self.chain.clone(), meter.clone());
        let params = question.params.map(ToOwned::to_owned);
        let done = tokio::task::spawn_blocking(move || {
            // Until it is done, whether or not anybody still waits.
            let _turn = turn;
            methods::ask(&chain, &question.method, params.as_deref(), &meter)
        });
        let done = done.await;
        done.unwrap_or_else(|_| Err(ErrorPayload::internal_error()))
    }

    fn meter(&self) -> Meter {
        meter(&self.chain, &self.limits)
    }
}

fn meter(chain: &Chain, limits: &Limits) -> Meter {
    Meter::of(chain.call_gas().saturating_mul(limits.calls))
}

/// Whoever waits for an answer, until it is dropped.
struct Abandoned<'a>(&'a Meter);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

async fn handle(
    State(service): State<Service>,
    headers: HeaderMap,
    extensions: Extensions,
    body: Bytes,
) -> Response {
    if !host_is_loopback(&headers) {
        return (StatusCode::FORBIDDEN, "name a loopback host").into_response();
    }
    if !is_json(&headers) {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json").into_response();
    }
    let source = service.source(&headers, &extensions);
    match service.reply(source, &body).await {
        Some(reply) => ([(header::CONTENT_TYPE, "application/json")], reply).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

impl Chain {
    /// What [`serve`] answers to the body of a request: JSON, whatever the body is, or nothing to notifications.
    pub fn answer(&self, body: &[u8]) -> Option<String> {
        let limits = Limits::default();
        let meter = meter(self, &limits);
        let one = |raw| match Question::read(raw) {
            Ok(Question {
                id, method, params, ..
            }) => {
                let answer = methods::ask(self, &method, params, &meter);
                id.map(|id| Reply::new(Some(id), answer))
            }
            Err(refusal) => Some(refusal),
        };
        match Asked::read(body, &limits) {
            Asked::Nothing(refusal) => Some(refusal),
            Asked::One(raw) => one(raw).map(|reply| text(&reply)),
            Asked::Batch(all) => {
                let replies: Vec<_> = all.into_iter().filter_map(one).collect();
                (!replies.is_empty()).then(|| text(&replies))
            }
        }
    }
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
