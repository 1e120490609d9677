//! Before the chain answers: the process lives, says that it is not ready, and answers nothing else. So the order in
//! which an institution's programs start does not matter.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use medibloc_api::{Code, Problem, paths};
use tower::Service as _;

use crate::fault::Fault;
use crate::readiness::NOT_READY;

/// A router that begins without one. Strangers are told that it is not ready, never why.
#[derive(Clone, Debug, Default)]
pub struct Starting {
    inner: Arc<OnceLock<Router>>,
    tells_why: bool,
}

impl Starting {
    /// One that its operator alone asks, who is told why.
    #[must_use]
    pub fn for_operator() -> Self {
        Self {
            tells_why: true,
            ..Self::default()
        }
    }

    /// What is served from the beginning.
    pub fn router(&self) -> Router {
        let (inner, tells_why) = (self.inner.clone(), self.tells_why);
        Router::new().fallback(move |request: Request| {
            let inner = inner.clone();
            async move {
                match inner.get() {
                    Some(router) => match router.clone().call(request).await {
                        Ok(response) => response,
                        Err(never) => match never {},
                    },
                    None => waiting(request.uri().path(), tells_why),
                }
            }
        })
    }

    /// From now on this router answers.
    pub fn open(&self, router: Router) {
        // It is opened once; a second one would change nothing.
        let _ = self.inner.set(router);
    }
}

fn waiting(path: &str, tells_why: bool) -> Response {
    if path == paths::HEALTHZ {
        return "ok\n".into_response();
    }
    let why = if tells_why {
        "the chain does not answer yet; this begins when it does"
    } else {
        NOT_READY
    };
    let problem = Problem::new(Code::Unavailable, why);
    Fault::from(problem.until(2)).into_response()
}
