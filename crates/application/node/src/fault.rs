//! What is answered when something is not done: a problem.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::{
    StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use axum::response::{IntoResponse, Response};
use medibloc_api::{CBOR, Code, PROBLEM, Problem};
use medibloc_dag::cbor;
use medibloc_ledger::{LedgerError, Refusal};
use medibloc_record::Line;
use medibloc_store::StoreError;
use serde::Serialize;

use crate::chain::Look;
use crate::db::DbError;
use crate::figures;
use crate::refusing::{Refusing, repeated};

/// Answers in which a block was not what was written.
static DAMAGED: AtomicU64 = AtomicU64::new(0);

/// A block on the node's disk is damaged: somebody must look.
pub(crate) fn damaged() {
    DAMAGED.fetch_add(1, Ordering::Relaxed);
    tracing::error!(
        "a stored block is damaged: the disk may be failing; its owner gives it again with `medibloc record store`"
    );
}

/// Its line among the figures.
pub(crate) fn damage_text(to: &mut String) {
    let count = DAMAGED.load(Ordering::Relaxed);
    to.push_str("# HELP medibloc_damaged_blocks_total Answers in which a stored block was damaged.\n# TYPE medibloc_damaged_blocks_total counter\n");
    let _ = writeln!(to, "medibloc_damaged_blocks_total {count}");
}

/// A problem on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Fault(pub(crate) Box<Problem>);

impl Fault {
    pub(crate) fn new(code: Code, detail: impl Into<Line>) -> Self {
        Self(Box::new(Problem::new(code, detail)))
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            Code::NotFound,
            format!("there is no such {what}, or not for this address"),
        )
    }

    /// The path is there, and not for this method; the router adds which ones it is for.
    pub(crate) fn wrong_method() -> Self {
        Self::new(Code::WrongMethod, "this path is not for this method")
    }

    pub(crate) fn other_query(what: &str) -> Self {
        Self::new(Code::Malformed, format!("the query is not {what}, once"))
    }

    pub(crate) fn malformed(what: &str) -> Self {
        Self::new(Code::Malformed, format!("the body is not {what}"))
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        if self.0.code == Code::Limit {
            figures::limit_reached(self.0.what.as_deref().unwrap_or_default());
        }
        let status = StatusCode::from_u16(self.0.status);
        let mut response = (
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            [(CONTENT_TYPE, PROBLEM)],
            self.0.to_json(),
        )
            .into_response();
        if let Some(seconds) = self.0.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        if error.is_full() {
            return Self::new(Code::Full, "the node's disk is full");
        }
        tracing::error!(%error, "database");
        Self::new(Code::Internal, error.to_string())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::Erased { cid } => Problem::new(Code::Erased, detail)
                .about(cid.to_string())
                .into(),
            StoreError::Corrupt { .. } => {
                damaged();
                Self::new(Code::Corrupt, detail)
            }
            StoreError::Limit { .. } => Self::new(Code::Limit, detail),
            StoreError::Full { .. } => Self::new(Code::Full, detail),
            StoreError::Unreachable { .. } => Self::new(Code::Unavailable, detail),
            StoreError::Missing { .. } => Self::new(Code::NotFound, detail),
            StoreError::Dag(_) => Self::new(Code::Malformed, detail),
            _ => Self::new(Code::Internal, detail),
        }
    }
}

impl From<Look> for Fault {
    fn from(look: Look) -> Self {
        match look {
            Look::Chain(error) => error.into(),
            Look::Disk(error) => error.into(),
        }
    }
}

impl From<LedgerError> for Fault {
    fn from(error: LedgerError) -> Self {
        if let Some(refusing) = Refusing::of(&error) {
            return Self::new(Code::Unavailable, refusing.to_caller());
        }
        let detail = error.to_string();
        match error {
            LedgerError::Refused(Refusal::Consent(reason)) => Problem::refused(reason).into(),
            LedgerError::Refused(Refusal::Exists { what }) => {
                Problem::new(Code::Exists, detail).about(what).into()
            }
            LedgerError::Refused(Refusal::NotRegistered) => Self::new(Code::NotRegistered, detail),
            LedgerError::Refused(Refusal::Contract { name }) => {
                Problem::new(Code::Contract, detail).about(name).into()
            }
            LedgerError::Limit { limit } => Problem::new(Code::Limit, detail).about(limit).into(),
            LedgerError::Burnt { .. } => Self::new(Code::Contract, detail),
            LedgerError::BadRequest { what } => {
                Problem::new(Code::BadCall, detail).about(what).into()
            }
            LedgerError::SetBack { .. } => Self::new(Code::Unavailable, detail),
            LedgerError::Corrupt { why, .. } => Self::new(
                Code::Unavailable,
                format!("the node's chain does not answer well: {}", repeated(&why)),
            ),
            // The chain's URL is the operator's: the follower tells it to the log.
            _ => Self::new(Code::Unavailable, "the node's chain does not answer well"),
        }
    }
}

/// An object as answer.
pub(crate) fn object<T: Serialize>(value: &T) -> Response {
    ([(CONTENT_TYPE, CBOR)], cbor::to_vec(value)).into_response()
}

/// Done, nothing to tell.
pub(crate) fn done() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
