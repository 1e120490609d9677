//! Figures of this process beside its answers: refused signatures, the disk, the certificate, the chain. Every label is from
//! a fixed list, and none says who.

use core::fmt::{Display, Write as _};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use medibloc_api::Code;

use crate::chain::Follower;
use crate::clock::Clock;

/// Why a request's signature was not taken, as the label says it.
const WHY: [(Code, &str); 5] = [
    (Code::Unsigned, "unsigned"),
    (Code::BadSignature, "bad-signature"),
    (Code::Expired, "expired"),
    (Code::Replayed, "replayed"),
    (Code::NotRegistered, "not-registered"),
];

/// Between two lines of the log about refused signatures: strangers do not fill it.
const QUIET: Duration = Duration::from_secs(60);

static REFUSED: [AtomicU64; WHY.len()] = [const { AtomicU64::new(0) }; WHY.len()];
static TOLD: Mutex<Option<Instant>> = Mutex::new(None);
/// When the certificate that is shown ends, in seconds since 1970; 0 if none is.
static CERTIFICATE: AtomicU64 = AtomicU64::new(0);

/// Why the files of the certificate are not what clients need.
static FLAW: Mutex<Option<String>> = Mutex::new(None);

/// Writes one gauge in the text form of Prometheus.
pub(crate) fn gauge(to: &mut String, name: &str, help: &str, value: impl Display) {
    let _ = write!(
        to,
        "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"
    );
}

/// Writes one counter.
pub(crate) fn counter(to: &mut String, name: &str, help: &str, value: u64) {
    let _ = write!(
        to,
        "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n"
    );
}

/// A request was not let in; counted if it is for its signature.
pub(crate) fn refused(code: Code) {
    let Some(at) = WHY.iter().position(|(it, _)| *it == code) else {
        return;
    };
    REFUSED[at].fetch_add(1, Ordering::Relaxed);
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    if told.is_none_or(|at| at.elapsed() >= QUIET) {
        *told = Some(Instant::now());
        let why = WHY[at].1;
        tracing::warn!(
            why,
            "a request's signature was refused; how many are is in medibloc_refused_signatures_total"
        );
    }
}

/// Limits whose last line of the log is remembered.
const MOST_LIMITS: usize = 64;
/// Between two lines of the log about one limit.
const QUIET_LIMIT: Duration = Duration::from_secs(600);

static LIMITS: Mutex<BTreeMap<String, Instant>> = Mutex::new(BTreeMap::new());

/// A limit was reached, whoever reached it.
pub(crate) fn limit_reached(name: &str) {
    if is_news(name) {
        tracing::warn!(
            limit = name,
            "a limit is reached, and what goes beyond it is refused"
        );
    }
}

/// Whether the log was told nothing of a limit for a while; from now on it was.
fn is_news(name: &str) -> bool {
    let mut told = LIMITS.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    if told
        .get(name)
        .is_some_and(|at| now.duration_since(*at) < QUIET_LIMIT)
    {
        return false;
    }
    if told.len() >= MOST_LIMITS {
        told.clear();
    }
    told.insert(name.to_owned(), now);
    true
}

/// Why a connection was ended for another's sake, or a newcomer had no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// Somebody came to a full listener.
    Full,
    /// Its source had as many as one may have, and another of it came.
    OfSource,
    /// Another's body or answer needed the memory.
    Memory,
    /// A newcomer, for nobody had to go.
    RefusedFull,
    /// A newcomer of a source that has as many as one may have.
    RefusedOfSource,
}

const EVICTED: [(Gone, &str); 3] = [
    (Gone::Full, "full"),
    (Gone::OfSource, "source"),
    (Gone::Memory, "memory"),
];
const TURNED_AWAY: [(Gone, &str); 2] = [
    (Gone::RefusedFull, "full"),
    (Gone::RefusedOfSource, "source"),
];

static OPEN: AtomicU64 = AtomicU64::new(0);
static GONE: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];

/// A listener has one connection more.
pub(crate) fn connection_opened() {
    OPEN.fetch_add(1, Ordering::Relaxed);
}

/// A listener has one connection less.
pub(crate) fn connection_closed() {
    OPEN.fetch_sub(1, Ordering::Relaxed);
}

/// A connection was ended for another's sake, or a newcomer had no place. The log hears of it once in a while: strangers do not
/// fill it.
pub(crate) fn connection_gone(why: Gone) {
    GONE[why as usize].fetch_add(1, Ordering::Relaxed);
    let (name, told) = match why {
        Gone::Full | Gone::RefusedFull => (
            "connections",
            "the listener is full: who keeps it waiting longest, of the source with most connections, goes for who comes; how many \
             are in medibloc_connections_evicted_total, who had no place in medibloc_connections_refused_total",
        ),
        Gone::OfSource | Gone::RefusedOfSource => (
            "connections.a_source",
            "a source has as many connections as one may have; if it is many people behind one router or proxy, raise \
             connections.a_source or name the proxy in trusted_proxies",
        ),
        Gone::Memory => (
            "memory",
            "bodies and answers on their way hold all memory that they may have: who holds most goes for others",
        ),
    };
    if is_news(name) {
        tracing::warn!(limit = name, "{told}");
    }
}

static UNNAMED: AtomicU64 = AtomicU64::new(0);

/// A trusted proxy sent a request and named nobody.
pub(crate) fn unnamed() {
    UNNAMED.fetch_add(1, Ordering::Relaxed);
    if is_news("proxy_header") {
        tracing::warn!(
            "a trusted proxy sent a request that has no usable address in proxy_header: all such requests count as of the proxy itself, as one \
             source; let it set that header, or name in proxy_header the one that it sets. How many there are is in medibloc_proxy_unnamed_total"
        );
    }
}

fn of_connections(to: &mut String) {
    gauge(
        to,
        "medibloc_connections_open",
        "Connections of this program's listeners.",
        OPEN.load(Ordering::Relaxed),
    );
    counter(
        to,
        "medibloc_proxy_unnamed_total",
        "Requests by which a trusted proxy named nobody: they count as of the proxy.",
        UNNAMED.load(Ordering::Relaxed),
    );
    let evicted: &[(Gone, &str)] = &EVICTED;
    for (name, help, labels) in [
        (
            "medibloc_connections_evicted_total",
            "Connections that were ended for another's sake.",
            evicted,
        ),
        (
            "medibloc_connections_refused_total",
            "Newcomers that had no place.",
            &TURNED_AWAY,
        ),
    ] {
        let _ = write!(to, "# HELP {name} {help}\n# TYPE {name} counter\n");
        for (why, label) in labels {
            let count = GONE[*why as usize].load(Ordering::Relaxed);
            let _ = writeln!(to, "{name}{{why=\"{label}\"}} {count}");
        }
    }
}

/// The certificate that is shown from now on ends then, in seconds since 1970.
pub(crate) fn certificate_ends(at: u64) {
    CERTIFICATE.store(at, Ordering::Relaxed);
}

/// Why the files of the certificate are not what clients need; none once good ones were read.
pub(crate) fn certificate_is(flaw: Option<String>) {
    *FLAW.lock().unwrap_or_else(PoisonError::into_inner) = flaw;
}

/// What was said of the certificate's files last.
pub(crate) fn certificate_flaw() -> Option<String> {
    let flaw = FLAW.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let ends = CERTIFICATE.load(Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let is_over = ends > 0 && now.is_ok_and(|now| now.as_secs() >= ends);
    flaw.or_else(|| is_over.then(|| "the one that is shown has ended".into()))
}

/// What every part of the program has.
pub(crate) fn of_process(to: &mut String) {
    let version = env!("CARGO_PKG_VERSION");
    to.push_str("# HELP medibloc_build_info Always 1; the label says which version this is.\n# TYPE medibloc_build_info gauge\n");
    let _ = writeln!(to, "medibloc_build_info{{version=\"{version}\"}} 1");
    to.push_str("# HELP medibloc_refused_signatures_total Requests whose signature was not taken.\n# TYPE medibloc_refused_signatures_total counter\n");
    for ((_, why), count) in WHY.iter().zip(&REFUSED) {
        let count = count.load(Ordering::Relaxed);
        let _ = writeln!(
            to,
            "medibloc_refused_signatures_total{{why=\"{why}\"}} {count}"
        );
    }
    of_connections(to);
    let ends = CERTIFICATE.load(Ordering::Relaxed);
    if ends > 0 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let left = i128::from(ends) - i128::from(now.unwrap_or_default().as_secs());
        gauge(
            to,
            "medibloc_tls_certificate_seconds",
            "Seconds until the TLS certificate ends.",
            left,
        );
    }
}

/// How far a read model is behind its chain.
pub(crate) fn of_chain(to: &mut String, follower: &Follower, clock: &Clock) {
    if let Some(mark) = follower.mark() {
        gauge(
            to,
            "medibloc_final_block_number",
            "The last final block that was taken.",
            mark.number,
        );
    }
    gauge(
        to,
        "medibloc_blocks_behind",
        "Final blocks that were not read yet when the chain was looked at last.",
        follower.blocks_behind(),
    );
    gauge(
        to,
        "medibloc_chain_set_back",
        "1 while the chain does not have the last final block that was taken: nothing is taken, sent or released.",
        u8::from(follower.is_set_back()),
    );
    let seen = follower.read(|model| model.time());
    gauge(
        to,
        "medibloc_final_block_age_seconds",
        "Seconds since the last final block that was seen.",
        (**clock)().since(seen),
    );
    if let Some(ahead) = follower.clock_ahead() {
        gauge(
            to,
            "medibloc_clock_ahead_seconds",
            "Seconds that this machine's clock is ahead of that of the chain's node, by its last answer; negative if it is behind.",
            ahead,
        );
    }
    gauge(
        to,
        "medibloc_chain_ahead_seconds",
        "Seconds that the last final block is ahead of this machine's clock.",
        seen.since((**clock)()),
    );
}

/// Bytes of a disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Those that this program may still write.
    pub(crate) free: u128,
    /// All.
    pub(crate) all: u128,
}

/// The room of the disk that a folder is on.
pub(crate) fn room(folder: &Path) -> Option<Room> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let of = |blocks: u64| u128::from(blocks) * u128::from(disk.f_frsize);
    Some(Room {
        free: of(disk.f_bavail),
        all: of(disk.f_blocks),
    })
}

/// The same as figures.
pub(crate) fn of_disk(to: &mut String, folder: Option<&Path>) {
    let Some(room) = folder.and_then(room) else {
        return;
    };
    gauge(
        to,
        "medibloc_disk_free_bytes",
        "Bytes that this program may still write on the disk of its data folder.",
        room.free,
    );
    gauge(
        to,
        "medibloc_disk_bytes",
        "Bytes of that disk in all.",
        room.all,
    );
}
