//! JSON-RPC over HTTP, on loopback only.
//!
//! A page in a browser can reach loopback too, so a request must say `application/json` (which a
//! browser asks leave for, and gets none) and must name a loopback host (against DNS rebinding).

mod questions;
mod taken;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use alloy::rpc::json_rpc::ErrorPayload;
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{Extensions, HeaderMap, HeaderName, StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::value::RawValue;
use tokio::net::TcpListener;

use super::{
    bodies::Bodies,
    health,
    methods::{self, Work},
    outgoing::Outgoing,
    parameters, refusal,
    turns::{Source, Turn, Turns},
};
use questions::{Asked, Question, Replies, Reply, text};
use taken::Taken;

use crate::{
    chain::{Chain, Meter},
    error::ChainError,
};

/// Light questions that are looked up at once, and changes that are at once on their way to the one that makes blocks.
const LOOKS: usize = 8;
const CHANGES: usize = 4;

/// Bytes of an answer that needs no place among the long ones.
const SHORT: usize = 256 << 10;

/// Answers above that which are made or sent at once: with [`Limits::answer`] each, that bounds the memory of all of them.
const LONG: usize = 8;

/// What a place among the long ones costs who has come to need it by short answers, as [`Weight::cost`](crate::chain::Weight::cost).
const COLLECTED: u64 = 1_024;

/// Time to read a long answer in: 16 MiB over a home's line.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// Gas of a call beyond what it asks for: reading it, and opening the state.
const BEGIN: u64 = 50_000;

/// Gas up to which a call is small: what a node asks before it sends what takes something back. It says so itself, by its `gas`.
const SMALL: u64 = 2_500_000;

/// How much one request may ask.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a body.
    pub body: usize,
    /// Bytes of the bodies of all requests together, from when they are read until they are answered; where that does not
    /// suffice, the source that holds the most is refused its longest.
    pub bodies: usize,
    /// Questions of a batch.
    pub batch: usize,
    /// Gas that the calls of a batch use together, as a multiple of [`Config::call_gas`](crate::Config::call_gas); those after
    /// them are refused.
    pub calls: u64,
    /// Bytes of the answers to one request together; those after them are refused, and one that is longer alone.
    pub answer: usize,
    /// The header in which a proxy on this machine names whom it speaks for, as `X-Forwarded-For`: addresses, the nearest last.
    /// Without it each connection is counted as somebody.
    pub proxy_header: Option<HeaderName>,
}

impl Default for Limits {
    /// 2 MiB, which is ten of the longest contracts, 32 MiB of all bodies, 1,000 questions, the gas of four calls, 16 MiB of answers, no proxy.
    fn default() -> Self {
        Self {
            body: 2 << 20,
            bodies: 32 << 20,
            batch: 1_000,
            calls: 4,
            answer: 16 << 20,
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
/// [`Mining::EveryMillis`](crate::Mining::EveryMillis).
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
/// [`Mining::EveryMillis`](crate::Mining::EveryMillis), and goes on after a full disk, while it is polled; it never ends. `GET /healthz` and `/readyz` say
/// whether the chain lives and takes transactions, without a reason.
///
/// Connections are told apart by axum's `ConnectInfo<SocketAddr>`, which the other listener has to give.
pub fn router(chain: Chain, limits: Limits) -> (Router, impl Future<Output = ()> + Send) {
    let router = Router::new()
        .route("/", post(handle))
        .with_state(Service::new(chain.clone(), limits))
        .merge(health::routes(chain.clone()));
    (router, health::upkeep(chain))
}

/// A chain that is served.
#[derive(Debug, Clone)]
struct Service {
    chain: Chain,
    limits: Limits,
    calls: Arc<Turns>,
    /// Calls that are small: none waits for one that runs as long as it may.
    small: Arc<Turns>,
    looks: Arc<Turns>,
    /// What is looked up and is not light.
    scans: Arc<Turns>,
    /// Answers that may be long, from before they are made until they are sent.
    long: Arc<Turns>,
    changes: Arc<Turns>,
    bodies: Arc<Bodies>,
}

impl Service {
    fn new(chain: Chain, limits: Limits) -> Self {
        // Neither calls of either size nor heavy questions have more than half of the processor: blocks and light questions go on.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with(chain, limits, cores / 2)
    }

    fn with(chain: Chain, limits: Limits, heavy: usize) -> Self {
        let bodies = Bodies::new(limits.bodies);
        Self {
            chain,
            limits,
            bodies,
            calls: Turns::new(heavy),
            small: Turns::new(heavy),
            scans: Turns::new(heavy),
            long: Turns::new(LONG),
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
    async fn reply(&self, source: Source, body: &[u8]) -> Option<Answered> {
        let mut asker = Asker {
            service: self,
            source,
            meter: meter(&self.chain, &self.limits),
            place: None,
        };
        let meter = asker.meter.clone();
        let _abandoned = Abandoned(&meter);
        let text = match Asked::read(body, &self.limits) {
            Asked::Nothing(refusal) => refusal,
            Asked::One(raw) => text(&asker.one(raw).await?),
            Asked::Batch(all) => {
                let mut replies = Replies::default();
                for raw in all {
                    if let Some(reply) = asker.one(raw).await {
                        replies.push(&reply);
                    }
                    meter.answered(replies.bytes());
                    if replies.bytes() > SHORT
                        && let Err(error) = asker.place(COLLECTED).await
                    {
                        return Some(Answered::refused(&error));
                    }
                }
                replies.end()?
            }
        };
        if text.len() > SHORT
            && let Err(error) = asker.place(COLLECTED).await
        {
            return Some(Answered::refused(&error));
        }
        let place = asker.place.filter(|_| text.len() > SHORT);
        Some(Answered { text, place })
    }
}

/// What is sent, with its place among the long ones if it is one.
#[derive(Debug)]
struct Answered {
    text: String,
    place: Option<Turn>,
}

impl Answered {
    fn refused(error: &ChainError) -> Self {
        Self {
            text: text(&Reply::new(None, Err(refusal(error)))),
            place: None,
        }
    }
}

/// A request that is answered.
#[derive(Debug)]
struct Asker<'s> {
    service: &'s Service,
    source: Source,
    meter: Meter,
    /// Its place among those whose answers may be long.
    place: Option<Turn>,
}

impl Asker<'_> {
    async fn one<'a>(&mut self, raw: &'a RawValue) -> Option<Reply<'a>> {
        match Question::read(raw) {
            Ok(question) => {
                let id = question.id;
                let answer = self.answer(question).await;
                id.map(|id| Reply::new(Some(id), answer))
            }
            Err(refusal) => Some(refusal),
        }
    }

    async fn answer(&mut self, question: Question<'_>) -> super::Answer {
        if self.meter.room() == 0 {
            return Err(refusal(&self.meter.too_long()));
        }
        // Before it takes a place, and before anything is made of them.
        parameters::bound(&question.method, question.params)?;
        let service = self.service;
        let size = 1 + question.params.map_or(0, |all| all.get().len() as u64) / 1_024;
        let (turns, cost) = match methods::work(&question.method) {
            Work::Call { times } => {
                self.meter.check().map_err(|error| refusal(&error))?;
                let most = service.chain.call_gas();
                let gas = question.gas().map_or(most, |gas| gas.min(most));
                let cost = gas.saturating_mul(times).saturating_add(BEGIN);
                match cost <= SMALL {
                    true => (&service.small, cost),
                    false => (&service.calls, cost),
                }
            }
            Work::Look { cost } => return self.look(question, cost + size).await,
            Work::Change => (&service.changes, 1),
        };
        let turn = self.turn(turns, cost).await?;
        let (chain, meter) = (service.chain.clone(), self.meter.clone());
        let params = question.params.map(ToOwned::to_owned);
        blocking(move || {
            // Until it is done, whether or not anybody still waits.
            let _turn = turn;
            methods::ask(&chain, &question.method, params.as_deref(), &meter)
        })
        .await
    }

    /// What is light is answered at once; what is not waits among its own kind, where there are few places.
    async fn look(&mut self, question: Question<'_>, cost: u64) -> super::Answer {
        let service = self.service;
        let params = question.params.map(ToOwned::to_owned);
        let asked = Arc::new((question.method, params));
        let turn = self.turn(&service.looks, cost).await?;
        let (chain, meter, question) = (service.chain.clone(), self.meter.clone(), asked.clone());
        let weighed = blocking(move || {
            let (method, params) = &*question;
            let weight = methods::weigh(&chain, method, params.as_deref())?;
            if !weight.is_light() {
                return Ok(Err(weight));
            }
            ask(turn, &chain, method, params.as_deref(), &meter).map(Ok)
        });
        let weight = match weighed.await? {
            Ok(answer) => return Ok(answer),
            Err(weight) => weight,
        };
        // First the place, then the turn: who has a turn waits for nothing.
        let placed = self.place(weight.cost()).await;
        placed.map_err(|error| refusal(&error))?;
        let turn = self.turn(&service.scans, weight.cost()).await?;
        let (chain, meter) = (service.chain.clone(), self.meter.clone());
        blocking(move || {
            let (method, params) = &*asked;
            ask(turn, &chain, method, params.as_deref(), &meter)
        })
        .await
    }

    async fn turn(&self, turns: &Arc<Turns>, cost: u64) -> Result<Turn, ErrorPayload> {
        let turn = turns.take(self.source, cost).await;
        turn.ok_or_else(|| refusal(&ChainError::Busy))
    }

    /// Waits for a place for a long answer, unless it has one.
    async fn place(&mut self, cost: u64) -> Result<(), ChainError> {
        if self.place.is_none() {
            let place = self.service.long.take(self.source, cost).await;
            self.place = Some(place.ok_or(ChainError::Busy)?);
        }
        Ok(())
    }
}

/// Looks something up, and counts it as what it took.
fn ask(
    mut turn: Turn,
    chain: &Chain,
    method: &str,
    params: Option<&RawValue>,
    meter: &Meter,
) -> super::Answer {
    let before = meter.looked();
    let answer = methods::ask(chain, method, params, meter);
    let answered = answer.as_ref().map_or(0, |answer| answer.get().len());
    let looked = meter.looked() - before;
    turn.settle(1 + (looked + answered as u64) / 1_024);
    answer
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ErrorPayload> + Send + 'static,
) -> Result<T, ErrorPayload> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(ErrorPayload::internal_error()))
}

fn meter(chain: &Chain, limits: &Limits) -> Meter {
    Meter::of(chain.call_gas().saturating_mul(limits.calls), limits.answer)
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
    request: Request,
) -> Response {
    if !host_is_loopback(&headers) {
        return (StatusCode::FORBIDDEN, "name a loopback host").into_response();
    }
    if !is_json(&headers) {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json").into_response();
    }
    let source = service.source(&headers, &extensions);
    let answered = match service.take(source, request.into_body()).await {
        Taken::Answered(answered) => answered,
        Taken::TooLong => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Taken::Broken => return StatusCode::BAD_REQUEST.into_response(),
    };
    match answered {
        Some(Answered { text, place }) => {
            let body = match place {
                None => Body::from(text),
                Some(place) => {
                    let until = tokio::time::sleep(READ_WITHIN);
                    Body::new(Outgoing::new(text, place, until))
                }
            };
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
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
                let answer = match meter.room() {
                    0 => Err(refusal(&meter.too_long())),
                    _ => methods::ask(self, &method, params, &meter),
                };
                id.map(|id| Reply::new(Some(id), answer))
            }
            Err(refusal) => Some(refusal),
        };
        match Asked::read(body, &limits) {
            Asked::Nothing(refusal) => Some(refusal),
            Asked::One(raw) => one(raw).map(|reply| text(&reply)),
            Asked::Batch(all) => {
                let mut replies = Replies::default();
                for reply in all.into_iter().filter_map(one) {
                    replies.push(&reply);
                    meter.answered(replies.bytes());
                }
                replies.end()
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

pub(super) fn host_is_loopback(headers: &HeaderMap) -> bool {
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
