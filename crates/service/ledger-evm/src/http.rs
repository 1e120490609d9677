//! JSON-RPC over HTTP with bounded answers.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use alloy::rpc::json_rpc::{RequestPacket, ResponsePacket};
use alloy::transports::http::reqwest;
use alloy::transports::http::reqwest::header::DATE;
use alloy::transports::{TransportError, TransportErrorKind, TransportFut, TransportResult};
use medibloc_ledger::LedgerError;
use medibloc_transport::{BodyError, Outgoing, Waits, take};

use crate::weight;

const WAITS: Waits = Waits {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(20),
};

/// Bytes of an answer: the largest pages of events and receipts have a tenth of it. JSON deeper than 128 levels is refused by
/// its parser.
const ANSWER: usize = 32 << 20;

/// Why a node of the chain gave no answer that is taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpFault {
    /// No connection, no TLS, or it broke off.
    #[error("{0}")]
    Silent(String),
    /// A longer answer than any question has.
    #[error("{0}, which no question has; it lies, or it is no node of a chain")]
    TooLarge(String),
    /// It points elsewhere.
    #[error("it points elsewhere (status {0}), which is not followed")]
    Redirects(u16),
}

/// One node of the chain.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    client: reqwest::Client,
    outgoing: Outgoing,
    url: String,
    ahead: Ahead,
}

impl Endpoint {
    /// The nodes at these URLs, which tell their clock there.
    pub(crate) fn all(
        urls: &[String],
        outgoing: &Outgoing,
        ahead: &Ahead,
    ) -> Result<Vec<Self>, LedgerError> {
        let bad = |what: String| LedgerError::BadRequest { what };
        let client = outgoing
            .client(WAITS)
            .map_err(|error| bad(error.to_string()))?;
        let endpoint = |url: &String| {
            let url = outgoing
                .reach(url)
                .map_err(|error| bad(format!("a node of the chain: {error}")))?;
            Ok(Self {
                client: client.clone(),
                outgoing: outgoing.clone(),
                url: url.as_str().to_owned(),
                ahead: ahead.clone(),
            })
        };
        urls.iter().map(endpoint).collect()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    async fn ask(self, question: RequestPacket) -> TransportResult<ResponsePacket> {
        let silent = |error: &reqwest::Error| {
            TransportErrorKind::custom(HttpFault::Silent(self.outgoing.words(&self.url, error)))
        };
        let response = self
            .client
            .post(&self.url)
            .headers(question.headers())
            .json(&question)
            .send()
            .await
            .map_err(|error| silent(&error))?;
        let status = response.status();
        if let Some(date) = response.headers().get(DATE) {
            self.ahead.compare(date.to_str().unwrap_or_default());
        }
        if status.is_redirection() {
            return Err(TransportErrorKind::custom(HttpFault::Redirects(
                status.as_u16(),
            )));
        }
        let body = take(response, ANSWER).await.map_err(|error| match error {
            BodyError::Broken(error) => silent(&error),
            other => TransportErrorKind::custom(HttpFault::TooLarge(other.to_string())),
        })?;
        if !status.is_success() {
            // Its text is the other side's: it is not repeated.
            return Err(TransportErrorKind::http_error(
                status.as_u16(),
                String::new(),
            ));
        }
        if let Some(takes) = weight::over(&body) {
            return Err(TransportErrorKind::custom(HttpFault::TooLarge(format!(
                "an answer of {} bytes that takes {takes} of memory",
                body.len()
            ))));
        }
        serde_json::from_slice(&body)
            .map_err(|error| TransportError::deser_err(error, String::new()))
    }
}

/// Seconds by which this machine's clock is ahead of that of the node of one chain which answered last; `i64::MIN` if none said its
/// time.
#[derive(Clone, Debug)]
pub(crate) struct Ahead(Arc<AtomicI64>);

impl Default for Ahead {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(i64::MIN)))
    }
}

impl Ahead {
    pub(crate) fn seconds(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|it| *it != i64::MIN)
    }

    fn compare(&self, date: &str) {
        let seconds = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(since.as_secs()).ok()
        };
        let theirs = httpdate::parse_http_date(date).ok().and_then(seconds);
        if let (Some(theirs), Some(ours)) = (theirs, seconds(SystemTime::now())) {
            self.0.store(ours - theirs, Ordering::Relaxed);
        }
    }
}

impl tower::Service<RequestPacket> for Endpoint {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, question: RequestPacket) -> Self::Future {
        Box::pin(self.clone().ask(question))
    }
}
