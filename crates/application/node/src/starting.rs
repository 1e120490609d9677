//! Before the chain answers: the process lives, says that it is not ready, and answers nothing else. So the order in
//! which an institution's programs start does not matter.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use medibloc_api::{Code, Problem, paths};
use tower::Service as _;

use crate::fault::Fault;

/// A router that begins without one.
#[derive(Clone, Debug, Default)]
pub struct Starting(Arc<OnceLock<Router>>);

impl Starting {
    /// What is served from the beginning.
    pub fn router(&self) -> Router {
        let inner = self.0.clone();
        Router::new().fallback(move |request: Request| {
            let inner = inner.clone();
            async move {
                match inner.get() {
                    Some(router) => match router.clone().call(request).await {
                        Ok(response) => response,
                        Err(never) => match never {},
                    },
                    None => waiting(request.uri().path()),
                }
            }
        })
    }

    /// From now on this router answers.
    pub fn open(&self, router: Router) {
        // It is opened once; a second one would change nothing.
        let _ = self.0.set(router);
    }
}

fn waiting(path: &str) -> Response {
    if path == paths::HEALTHZ {
        return "ok\n".into_response();
    }
    let problem = Problem::new(
        Code::Unavailable,
        "the chain does not answer yet; this begins when it does",
    );
    Fault::from(problem.until(2)).into_response()
}
