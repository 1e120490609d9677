//! `medibloc serve`: syncs in a loop, delivers and accepts by itself, holds the vault, and answers other commands at its
//! door: a Unix socket that the owner's processes alone reach, where both sides prove that they can read the token file
//! before anything is said. A port is there only when a web face asks for it.

mod ask;
mod door;
mod proof;
mod talk;
mod web;

use std::sync::Arc;
use std::time::{Duration, Instant};

use medibloc_journey::{JourneyError, Party, SyncReport, Urgency, counted};
use medibloc_ledger_evm::Contracts;
use tokio::sync::Mutex;

pub use ask::{Asked, ask};
use door::Door;
use proof::Token;

use crate::answer::code;
use crate::home::Home;
use crate::wiped::wiped;
use crate::{Command, Problem, run};

/// Who may be at the door at once; more are sent away.
const CALLERS: usize = 64;

/// How `serve` runs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Serving {
    /// Between two syncs.
    pub every: Duration,
    /// The port for a web face on loopback; 0 takes a free one; none opens none.
    pub port: Option<u16>,
}

impl Serving {
    /// Syncs this often and opens no port.
    pub const fn every(every: Duration) -> Self {
        Self { every, port: None }
    }

    /// With a port for a web face.
    #[must_use]
    pub const fn with_port(mut self, port: Option<u16>) -> Self {
        self.port = port;
        self
    }
}

#[derive(Clone)]
struct Shared {
    /// One command at a time: each is a step of the same journey.
    party: Arc<Mutex<Party>>,
    /// The way past a sync that waits for others.
    urgency: Urgency,
    contracts: Option<Contracts>,
}

impl Shared {
    /// A command and its answer as JSON.
    async fn run(&self, command: Vec<u8>) -> Vec<u8> {
        let answer = match serde_json::from_slice::<Command>(&command) {
            Ok(command) => {
                let shared = self.clone();
                // It goes on when who asked has gone, and a panic ends it alone.
                let step = tokio::spawn(async move {
                    let urgent = command.takes_back().then(|| shared.urgency.wait());
                    let party = shared.party.lock().await;
                    drop(urgent);
                    run::run(&party, shared.contracts.as_ref(), &command).await
                });
                step.await.unwrap_or_else(|_| {
                    Err(Problem::new(
                        code::FAILED,
                        "the command stopped by a fault of this program; please report it",
                    ))
                })
            }
            Err(error) => Err(Problem::new(
                code::USAGE,
                format!(
                    "not a command that `medibloc serve` knows: {error}; use one version of the program"
                ),
            )),
        };
        serde_json::to_vec(&answer).unwrap_or_default()
    }
}

/// Runs until `stop` resolves. The party's vault is locked by then, so that whatever is at the door is a dead one's.
///
/// # Errors
/// If the socket or the port cannot be opened or the door file not be written.
pub async fn serve(
    home: &Home,
    party: Party,
    contracts: Option<Contracts>,
    serving: Serving,
    stop: impl Future<Output = ()> + Send + 'static,
    tell: impl Fn(&str) + Send + 'static,
) -> Result<(), Problem> {
    let token = Token::new()?;
    let shared = Shared {
        urgency: party.urgency(),
        party: Arc::new(Mutex::new(party)),
        contracts,
    };
    let web = match serving.port {
        Some(port) => {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
                .await
                .map_err(|error| {
                    Problem::new(
                        code::FAILED,
                        format!(
                            "cannot listen on 127.0.0.1:{port}: {error}; choose another --port"
                        ),
                    )
                })?;
            let port = listener.local_addr()?.port();
            Some((listener, port))
        }
        None => None,
    };
    let port = web.as_ref().map(|(_, port)| *port);
    #[cfg(unix)]
    let bound = door::Bound::new(home.path())?;
    #[cfg(unix)]
    let socket = Some(bound.path.clone());
    #[cfg(not(unix))]
    let socket = None;
    Door::write(home, &token, socket, port)?;
    let at = port
        .map(|port| format!(" and on 127.0.0.1:{port}"))
        .unwrap_or_default();
    tell(&format!(
        "listening at the door of {}{at}",
        home.path().display()
    ));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(sync_loop(shared.party.clone(), serving.every, tell));
    if let Some((listener, port)) = web {
        let router = web::router(shared.clone(), token.clone(), port);
        tasks.spawn(web::serve(listener, router));
    }
    #[cfg(unix)]
    tasks.spawn(answer_all(bound, home.path().to_owned(), shared, token));
    stop.await;
    // A door that leads nowhere is harmless: the next command finds the vault free and opens it itself.
    tasks.shutdown().await;
    let _ = std::fs::remove_file(home.daemon());
    Ok(())
}

/// Answers who comes to the socket, each in a task of its own.
#[cfg(unix)]
async fn answer_all(bound: door::Bound, home: std::path::PathBuf, shared: Shared, token: Token) {
    let room = Arc::new(tokio::sync::Semaphore::new(CALLERS));
    let mut callers = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = bound.listener.accept().await else {
            // Too many open files: those that are there must end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while callers.try_join_next().is_some() {}
        if !door::is_owner(&stream, &home) {
            continue;
        }
        let Ok(place) = room.clone().try_acquire_owned() else {
            continue;
        };
        let (shared, token) = (shared.clone(), token.clone());
        callers.spawn(async move {
            let work = move |command| async move { shared.run(command).await };
            // Who does not prove itself, or goes away, is not worth a word.
            let _ = talk::answer(stream, &token, work).await;
            drop(place);
        });
    }
}

/// How often the chain is looked at between two syncs: a new record is given to who may have it within a minute.
const GLANCE: Duration = Duration::from_secs(30);

async fn sync_loop(party: Arc<Mutex<Party>>, every: Duration, tell: impl Fn(&str)) {
    let mut last = String::new();
    let mut synced: Option<Instant> = None;
    let mut acts = Vec::new();
    loop {
        let is_due = synced.is_none_or(|at| at.elapsed() >= every);
        let party = party.clone();
        // A task of its own: what panics there ends there, and is told.
        let step = tokio::spawn(async move {
            let party = party.lock().await;
            let report = match is_due {
                true => wiped(party.sync()).await,
                false => wiped(party.catch_up()).await,
            }?;
            let told = run::acts::told(&party, &report.acts);
            let told = told.unwrap_or_else(|problem| vec![problem.message]);
            Ok::<_, JourneyError>((report, told))
        });
        if is_due {
            synced = Some(Instant::now());
        }
        let done = match step.await {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(_) => Err("it stopped by a fault of this program; please report it".into()),
        };
        let done = done.map(|(mut report, told)| {
            if is_due && report.gave_way {
                synced = None;
            }
            // They stand in every report until the person has looked; here each list is told once.
            let unknown = core::mem::take(&mut report.acts);
            if unknown != acts {
                for line in told {
                    tell(&format!("ALARM: {line}"));
                }
                acts = unknown;
            }
            report
        });
        let told = match done {
            Ok(report) if !is_due && report == SyncReport::default() => last.clone(),
            Ok(report) => {
                // What a person must see comes each time, not only when the figures change.
                for alarm in &report.alarms {
                    tell(&format!("ALARM: {alarm}; `medibloc audit` shows it again"));
                }
                for (record, told) in &report.refused {
                    tell(&format!(
                        "refused by keepers, as they say: {record} to {told}"
                    ));
                }
                for told in &report.told {
                    tell(told);
                }
                for record in &report.erased {
                    tell(&format!("erased by its owner, and here: {record}"));
                }
                for (_, file) in &report.files_removed {
                    tell(&format!("exported file removed: {file}"));
                }
                for (_, file) in &report.files_left {
                    tell(&format!("exported file stays: {file}"));
                }
                for told in &report.given_up {
                    tell(&format!("given up: {told}"));
                }
                for (record, because) in &report.not_accepted {
                    tell(&format!("not accepted: {record}: {because}"));
                }
                format!(
                    "sync: {} new, {} accepted, {} not accepted, {}, {}, {} later",
                    report.checked.len(),
                    report.accepted.len(),
                    report.not_accepted.len(),
                    counted(report.grants, "consent"),
                    counted(report.letters, "letter"),
                    report.later.len() + report.missed.len()
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
