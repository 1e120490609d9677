//! `medibloc serve`: syncs in a loop, delivers and accepts by itself, holds the vault, and answers other commands at its
//! door: a Unix socket that the owner's processes alone reach, where both sides prove that they can read the token file
//! before anything is said. A port is there only when a web face asks for it.

mod ask;
mod door;
mod proof;
mod talk;
mod web;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use medibloc_journey::{Party, SyncReport, Urgency, counted};
use medibloc_ledger_evm::Contracts;
use tokio::sync::Mutex;

pub use ask::{Asked, ask};
use door::Door;
use proof::Token;

use crate::answer::code;
use crate::home::Home;
use crate::run::notices::{self, Notice};
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

/// What stands in every report until something is done about it: the log has it once for as long as it stands. By digest: a
/// title would outlive its record here.
#[derive(Default)]
struct Owed(BTreeSet<[u8; 32]>);

impl Owed {
    /// Lines for the log that it does not have yet. A look at the chain alone does not say that one is over.
    fn new_lines(&mut self, notices: &[Notice], is_whole: bool) -> Vec<String> {
        let owed = notices.iter().filter(|notice| notice.is_owed());
        let owed: BTreeSet<[u8; 32]> = owed.map(Notice::digest).collect();
        let is_known = |notice: &Notice| notice.is_owed() && self.0.contains(&notice.digest());
        let new = notices.iter().filter(|notice| !is_known(notice));
        let new = new.map(Notice::logged).collect();
        match is_whole {
            true => self.0 = owed,
            false => self.0.extend(owed),
        }
        new
    }
}

/// The figures of a sync.
fn figures(report: &SyncReport) -> String {
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

async fn sync_loop(party: Arc<Mutex<Party>>, every: Duration, tell: impl Fn(&str)) {
    let mut last = String::new();
    let mut synced: Option<Instant> = None;
    let mut owed = Owed::default();
    loop {
        let is_due = synced.is_none_or(|at| at.elapsed() >= every);
        let party = party.clone();
        // A task of its own: what panics there ends there, and is told.
        let step = tokio::spawn(async move {
            let party = party.lock().await;
            let mut report = SyncReport::default();
            let done = match is_due {
                true => wiped(party.sync_into(&mut report)).await,
                false => wiped(party.catch_up_into(&mut report)).await,
            };
            // Whatever became of it: what it found is found once, and no person looks at this log.
            let notices = wiped(async { notices::keep(&party, &report, "`serve`") }).await;
            (done, report, notices)
        });
        if is_due {
            synced = Some(Instant::now());
        }
        let told = match step.await {
            Err(_) => "sync: it stopped by a fault of this program; please report it".into(),
            Ok((done, report, notices)) => {
                if is_due && report.gave_way {
                    synced = None;
                }
                match notices {
                    Ok(notices) => {
                        for line in owed.new_lines(&notices, is_due && done.is_ok()) {
                            tell(&line);
                        }
                    }
                    Err(problem) => tell(&format!("sync: {problem}")),
                }
                match done {
                    Err(error) => format!("sync: {error}"),
                    Ok(()) if !is_due && report == SyncReport::default() => last.clone(),
                    Ok(()) => figures(&report),
                }
            }
        };
        if told != last {
            tell(&told);
            last = told;
        }
        tokio::time::sleep(every.min(GLANCE)).await;
    }
}
