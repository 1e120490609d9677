//! The keeper's paths.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use medibloc_api::{Code, Problem, limits, paths};
use medibloc_consent::{ShareDeposit, SignedRequest};
use medibloc_dag::cbor;
use medibloc_keeper::{Event, Reply};
use medibloc_record::RecordId;

use crate::fault::{Fault, object};
use crate::guard::Admitted;
use crate::keeper::Shell;
use crate::readiness::public;
use crate::watch::watched;

/// The public one, and the operator's.
pub(super) fn routers(shell: Arc<Shell>) -> (Router, Router) {
    let router = Router::new()
        .route(paths::SHARES, post(deposit))
        .route(paths::SHARE, get(acknowledgement))
        .route(paths::RELEASE, post(release))
        .route(paths::FEED, get(feed))
        .route(paths::DELETION, get(deletion))
        .route(paths::MARK, get(mark))
        .route(paths::READYZ, get(ready))
        .with_state(shell.clone());
    let asked = shell.clone();
    let ready = move || {
        let on = asked.clone();
        async move { on.told_ready().await }
    };
    watched(router, move |text: &mut String| shell.figures(text), ready)
}

/// Lets in who signs for an account now: an address that another took the place of is a stranger's from that block on.
async fn admit(on: &Shell, request: Request, limit: usize) -> Result<Admitted, Fault> {
    current(on, on.guard.admit(request, limit).await?).await
}

async fn current(on: &Shell, admitted: Admitted) -> Result<Admitted, Fault> {
    if on.acts_for(admitted.address, admitted.account).await? {
        return Ok(admitted);
    }
    Err(Fault::new(
        Code::NotRegistered,
        "another address signs for this account now; sign with the new one",
    ))
}

fn refused(reply: Reply) -> Fault {
    match reply {
        Reply::Refused(reason) => Problem::keeper_refused(reason).into(),
        Reply::NotAcknowledged => Fault::not_found("share"),
        _ => Fault::new(Code::Internal, "an answer to another question"),
    }
}

async fn deposit(State(on): State<Arc<Shell>>, request: Request) -> Result<Response, Fault> {
    let admitted = admit(&on, request, limits::DEPOSIT).await?;
    let deposit: ShareDeposit =
        cbor::from_slice(&admitted.body).map_err(|_| Fault::malformed("a share's deposit"))?;
    let sender = admitted.account;
    match on.ask(Event::Deposit { sender, deposit }).await? {
        Reply::Acknowledged(acknowledgement) => Ok(object(&acknowledgement)),
        reply => Err(refused(reply)),
    }
}

async fn acknowledgement(
    State(on): State<Arc<Shell>>,
    Path(record): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let record = party(&on, &record, request, "share").await?;
    match on.ask(Event::Acknowledgement { record }).await? {
        Reply::Acknowledged(acknowledgement) => Ok(object(&acknowledgement)),
        reply => Err(refused(reply)),
    }
}

async fn release(State(on): State<Arc<Shell>>, request: Request) -> Result<Response, Fault> {
    let admitted = admit(&on, request, limits::RELEASE).await?;
    let request: SignedRequest =
        cbor::from_slice(&admitted.body).map_err(|_| Fault::malformed("a reader's request"))?;
    match on.ask(Event::Release(Box::new(request))).await? {
        Reply::Released(reply) => Ok(object(&reply)),
        reply => Err(refused(reply)),
    }
}

async fn feed(State(on): State<Arc<Shell>>, request: Request) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, 0).await?;
    let admitted = current(&on, admitted).await?;
    Ok(object(&on.feed(admitted.account).await?))
}

async fn deletion(
    State(on): State<Arc<Shell>>,
    Path(record): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let record = party(&on, &record, request, "statement").await?;
    match on.ask(Event::Erased { record }).await? {
        Reply::Deleted(statement) => Ok(object(&statement)),
        reply => Err(refused(reply)),
    }
}

/// The record of a request by its owner or author; to all others it is not there.
async fn party(on: &Shell, record: &str, request: Request, what: &str) -> Result<RecordId, Fault> {
    let admitted = on.guard.admit_free(request, 0).await?;
    let admitted = current(on, admitted).await?;
    let record: RecordId = record.parse().map_err(|_| Fault::not_found(what))?;
    if on.is_party(admitted.account, record) {
        Ok(record)
    } else {
        Err(Fault::not_found(what))
    }
}

/// The last final block that was taken; unsigned, for whoever compares what the parties read.
async fn mark(State(on): State<Arc<Shell>>) -> Response {
    object(&on.mark())
}

/// Whether it can do its work; unsigned.
async fn ready(State(on): State<Arc<Shell>>) -> Result<&'static str, Fault> {
    public(&on.readiness().await)
}
