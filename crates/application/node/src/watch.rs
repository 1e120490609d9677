//! Around every answer: a time limit, figures, one log line without target, address or body.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use medibloc_api::{Code, paths};

use crate::fault::{Fault, damage_text};
use crate::figures;
use crate::panics::{self, Task, caught};
use crate::room::{Room, Stay, Waiting, busy};

/// Time for one whole request, body included: a slow sender is cut off.
const TIME: Duration = Duration::from_secs(60);

/// Requests at a time whose bodies or answers may be large.
const AT_ONCE: usize = 128;

/// Requests at a time that nobody else's load may keep waiting: calls for the chain, erasures, one's own letters. Their
/// bodies are small.
const URGENT: usize = 512;

/// Requests at a time that wait, for their turn or for a block: half of a listener's connections. As many withdrawals again.
const WAITING: usize = 512;

/// Method, route and status, each from a fixed list: nobody makes the table longer.
type Kind = (&'static str, String, &'static str);

/// Figures by route and status: how many, how many seconds.
#[derive(Debug)]
pub(crate) struct Figures {
    answers: Mutex<BTreeMap<Kind, (u64, f64)>>,
    room: Arc<Room>,
    urgent: Arc<Room>,
    waiting: Waiting,
}

impl Figures {
    fn add(&self, method: &'static str, route: &str, status: &'static str, took: Duration) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (method, route.to_owned(), status);
        let (count, seconds) = answers.entry(key).or_default();
        *count += 1;
        *seconds += took.as_secs_f64();
    }

    /// The places that a route's requests take; none for the operator's own questions.
    fn room_of(&self, route: &str) -> Option<&Arc<Room>> {
        match route {
            paths::HEALTHZ | paths::READYZ => None,
            paths::RELAY
            | paths::ERASE
            | paths::MAILBOX
            | paths::LETTER
            | paths::LETTERS_DONE
            | paths::DELETION => Some(&self.urgent),
            _ => Some(&self.room),
        }
    }

    /// The text form of Prometheus (exposition format 0.0.4).
    fn text(&self) -> String {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from(
            "# HELP medibloc_answers_total Answers by route and status.\n# TYPE medibloc_answers_total counter\n",
        );
        for ((method, route, status), (count, _)) in answers.iter() {
            let _ = writeln!(
                text,
                "medibloc_answers_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}"
            );
        }
        text.push_str("# HELP medibloc_answer_seconds_total Time spent on answers.\n# TYPE medibloc_answer_seconds_total counter\n");
        for ((method, route, status), (_, seconds)) in answers.iter() {
            let _ = writeln!(
                text,
                "medibloc_answer_seconds_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {seconds:.6}"
            );
        }
        panics::text(&mut text);
        damage_text(&mut text);
        figures::of_process(&mut text);
        text.push_str("# HELP medibloc_events_passed_over_total Logs of the contracts that could not be read as events.\n# TYPE medibloc_events_passed_over_total counter\n");
        let _ = writeln!(
            text,
            "medibloc_events_passed_over_total {}",
            medibloc_ledger_evm::passed_over()
        );
        text.push_str("# HELP medibloc_burnt_gas_total Gas of the relay's transactions that failed as a whole.\n# TYPE medibloc_burnt_gas_total counter\n");
        let _ = writeln!(
            text,
            "medibloc_burnt_gas_total {}",
            medibloc_ledger_evm::burnt()
        );
        text
    }
}

/// The router with time limit, figures and `/healthz`; and the operator's own, whose `/metrics` has them and what a part of the
/// program has more, and whose `/readyz` says why.
pub(crate) fn watched<Told>(
    router: Router,
    more: impl Fn(&mut String) + Clone + Send + Sync + 'static,
    ready: impl Fn() -> Told + Clone + Send + Sync + 'static,
) -> (Router, Router)
where
    Told: Future<Output = Result<String, Fault>> + Send,
{
    let figures = Arc::new(Figures {
        answers: Mutex::default(),
        room: Room::new(AT_ONCE),
        urgent: Room::new(URGENT),
        waiting: Waiting {
            withdrawals: Room::new(WAITING),
            others: Room::new(WAITING),
        },
    });
    let shown = figures.clone();
    let operator = Router::new()
        .fallback(|| async { Fault::not_found("path") })
        .route(paths::HEALTHZ, get(|| async { "ok\n" }))
        .route(paths::READYZ, get(move || async move { ready().await }))
        .route(
            paths::METRICS,
            get(move || async move {
                let mut text = shown.text();
                more(&mut text);
                ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
            }),
        )
        .method_not_allowed_fallback(|| async { Fault::wrong_method() });
    // It is for the routes that are there by then.
    let router = router
        .route(paths::HEALTHZ, get(|| async { "ok\n" }))
        .fallback(|| async { Fault::not_found("path") })
        .method_not_allowed_fallback(|| async { Fault::wrong_method() })
        .layer(from_fn_with_state(figures, watch));
    (router, operator)
}

/// The verbs of HTTP (RFC 9110, section 9; RFC 5789); a peer may send any other word.
fn verb(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "other",
    }
}

const fn class(status: u16) -> &'static str {
    match status {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

async fn watch(State(figures): State<Arc<Figures>>, mut request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = verb(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("other", MatchedPath::as_str)
        .to_owned();
    let room = figures.room_of(&route);
    let stay = room.map(|room| Stay::begin(room, &figures.waiting, &request));
    let response = if let Some(None) = stay {
        busy().into_response()
    } else {
        if let Some(Some(stay)) = &stay {
            request.extensions_mut().insert(stay.clone());
        }
        let answer = caught(Task::Answer, next.run(request));
        match tokio::time::timeout(TIME, answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => Fault::new(
                Code::Internal,
                "the node has a fault in answering this; nothing else ended with it",
            )
            .into_response(),
            Err(_) => Fault::new(Code::Unavailable, "the answer took too long").into_response(),
        }
    };
    let (status, took) = (response.status().as_u16(), start.elapsed());
    figures.add(method, &route, class(status), took);
    tracing::debug!(%method, %route, status, ms = took.as_millis(), "answered");
    response
}
