//! Around every answer: a time limit, figures, one log line without target, address or body.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use medibloc_api::{Code, paths};
use tokio::sync::Semaphore;

use crate::fault::Fault;

/// Time for one whole request, body included: a slow sender is cut off.
const TIME: Duration = Duration::from_secs(60);

/// Requests at a time: with bodies of at most 9 MiB that is what memory must hold.
const AT_ONCE: usize = 128;

/// Method, route and status.
type Kind = (String, String, u16);

/// Figures by route and status: how many, how many seconds.
#[derive(Debug)]
pub(crate) struct Figures {
    answers: Mutex<BTreeMap<Kind, (u64, f64)>>,
    room: Semaphore,
}

impl Figures {
    fn add(&self, method: &str, route: &str, status: u16, took: Duration) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (method.to_owned(), route.to_owned(), status);
        let (count, seconds) = answers.entry(key).or_default();
        *count += 1;
        *seconds += took.as_secs_f64();
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
        text
    }
}

/// The router with time limit, figures, `/healthz` and `/metrics`.
pub(crate) fn watched(router: Router) -> Router {
    let figures = Arc::new(Figures {
        answers: Mutex::default(),
        room: Semaphore::new(AT_ONCE),
    });
    let shown = figures.clone();
    router
        .fallback(|| async { Fault::not_found("path") })
        .method_not_allowed_fallback(|| async { Fault::not_found("method on this path") })
        .route(paths::HEALTHZ, get(|| async { "ok\n" }))
        .route(
            paths::METRICS,
            get(move || async move {
                (
                    [(CONTENT_TYPE, "text/plain; version=0.0.4")],
                    shown.text(),
                )
            }),
        )
        .layer(from_fn_with_state(figures, watch))
}

async fn watch(State(figures): State<Arc<Figures>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().as_str().to_owned();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("other", MatchedPath::as_str)
        .to_owned();
    let response = match figures.room.try_acquire() {
        Ok(_room) => match tokio::time::timeout(TIME, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Fault::new(Code::Unavailable, "the answer took too long").into_response(),
        },
        Err(_) => Fault::new(Code::Unavailable, "the node is busy").into_response(),
    };
    let (status, took) = (response.status().as_u16(), start.elapsed());
    figures.add(&method, &route, status, took);
    tracing::debug!(%method, %route, status, ms = took.as_millis(), "answered");
    response
}
