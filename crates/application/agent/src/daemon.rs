//! `medibloc serve`: syncs in a loop, delivers and accepts by itself, holds the vault, and answers other commands on a
//! loopback socket. Who may ask is who can read the token file (mode 0600).

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use medibloc_journey::{Party, SyncReport};
use medibloc_ledger_evm::Contracts;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;

use crate::answer::code;
use crate::home::Home;
use crate::{Answer, Command, Problem, run};

/// Largest command.
const LIMIT: usize = 64 * 1024;

/// What `daemon.json` says.
#[derive(Clone, Serialize, Deserialize)]
struct Door {
    version: u32,
    port: u16,
    token: String,
    process: u32,
}

#[derive(Clone)]
struct Shared {
    /// One command at a time: each is a step of the same journey.
    party: Arc<Mutex<Party>>,
    contracts: Option<Contracts>,
    token: Arc<str>,
    port: u16,
}

/// Runs until `stop` resolves.
///
/// # Errors
/// If the loopback socket cannot be opened or the door file not be written.
pub async fn serve(
    home: &Home,
    party: Party,
    contracts: Option<Contracts>,
    every: Duration,
    stop: impl Future<Output = ()> + Send + 'static,
    tell: impl Fn(&str) + Send + 'static,
) -> Result<(), Problem> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let mut token = [0; 32];
    getrandom::fill(&mut token).map_err(|error| {
        Problem::new(code::FAILED, format!("no chance from the system: {error}"))
    })?;
    let token: Arc<str> = hex::encode(token).into();
    let door = Door {
        version: 1,
        port,
        token: token.to_string(),
        process: std::process::id(),
    };
    let text =
        serde_json::to_vec(&door).map_err(|error| Problem::new(code::FAILED, error.to_string()))?;
    home.write("daemon.json", &text)?;
    let shared = Shared {
        party: Arc::new(Mutex::new(party)),
        contracts,
        token,
        port,
    };
    tell(&format!(
        "listening on 127.0.0.1:{port}; home {}",
        home.path().display()
    ));
    let syncing = tokio::spawn(sync_loop(shared.party.clone(), every, tell));
    let served = axum::serve(listener, router(shared))
        .with_graceful_shutdown(stop)
        .await;
    syncing.abort();
    // A door that leads nowhere is harmless: the next command finds nobody and opens the vault itself.
    let _ = std::fs::remove_file(home.daemon());
    Ok(served?)
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/v1/run", post(command))
        .layer(DefaultBodyLimit::max(LIMIT))
        // Before anything of a request is looked at.
        .layer(from_fn_with_state(shared.clone(), door))
        .with_state(shared)
}

/// How often the chain is looked at between two syncs: a new record is given to who may have it within a minute.
const GLANCE: Duration = Duration::from_secs(30);

async fn sync_loop(party: Arc<Mutex<Party>>, every: Duration, tell: impl Fn(&str)) {
    let mut last = String::new();
    let mut synced: Option<Instant> = None;
    loop {
        let is_due = synced.is_none_or(|at| at.elapsed() >= every);
        let done = if is_due {
            synced = Some(Instant::now());
            party.lock().await.sync().await
        } else {
            party.lock().await.catch_up().await
        };
        let told = match done {
            Ok(report) if !is_due && report == SyncReport::default() => last.clone(),
            Ok(report) => {
                // What a person must see comes each time, not only when the figures change.
                for alarm in &report.alarms {
                    tell(&format!("ALARM: {alarm}; `medibloc audit` shows it again"));
                }
                for (record, told) in &report.refused {
                    tell(&format!("keepers refused {record} to {told}"));
                }
                for (record, because) in &report.not_accepted {
                    tell(&format!("not accepted: {record}: {because}"));
                }
                format!(
                    "sync: {} accepted, {} not accepted, {} consents, {} letters, {} later",
                    report.accepted.len(),
                    report.not_accepted.len(),
                    report.grants,
                    report.letters,
                    report.later.len()
                )
            }
            Err(error) => format!("sync: {error}"),
        };
        if told != last {
            tell(&told);
            last = told;
        }
        tokio::time::sleep(every.min(GLANCE)).await;
    }
}

/// Only a program that could read the token, and no page of a browser: those send an origin or another host.
fn may_ask(shared: &Shared, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = format!("127.0.0.1:{}", shared.port);
    let token = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    text(header::HOST) == Some(&host)
        && !headers.contains_key(header::ORIGIN)
        && token.is_some_and(|token| token.as_bytes().ct_eq(shared.token.as_bytes()).into())
}

async fn door(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if may_ask(&shared, request.headers()) {
        return next.run(request).await;
    }
    let problem = Problem::new(code::REFUSED, "this socket is for the owner of the home");
    let answer: Result<Answer, Problem> = Err(problem);
    (StatusCode::UNAUTHORIZED, Json(answer)).into_response()
}

async fn command(
    State(shared): State<Shared>,
    Json(command): Json<Command>,
) -> Json<Result<Answer, Problem>> {
    let party = shared.party.lock().await;
    Json(run::run(&party, shared.contracts.as_ref(), &command).await)
}

/// Sends a command to a running `serve`; none if there is none.
///
/// # Errors
/// What the command gives.
pub async fn ask(home: &Home, command: &Command) -> Option<Result<Answer, Problem>> {
    let door: Door = serde_json::from_slice(&std::fs::read(home.daemon()).ok()?).ok()?;
    let client = reqwest::Client::builder().no_proxy().build().ok()?;
    let answer = client
        .post(format!("http://127.0.0.1:{}/v1/run", door.port))
        .bearer_auth(&door.token)
        .json(command)
        .send()
        .await;
    match answer {
        // Nobody listens there: `serve` was killed, and the lock of the vault is free.
        Err(error) if error.is_connect() => None,
        Err(error) => Some(Err(Problem::new(
            code::FAILED,
            format!(
                "`medibloc serve` did not answer: {error}; the command may have been done, see `medibloc status`"
            ),
        ))),
        Ok(answer) => Some(answer.json().await.unwrap_or_else(|error| {
            Err(Problem::new(
                code::FAILED,
                format!("`medibloc serve` gave no valid answer: {error}"),
            ))
        })),
    }
}
