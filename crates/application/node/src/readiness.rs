//! Whether a part can do its work, and what is not well whether it does or not. Strangers are told the first alone; the operator is told why,
//! on an address of its own and in the log.

use core::fmt::Write as _;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use medibloc_api::Code;

use crate::chain::Follower;
use crate::clock::Clock;
use crate::fault::Fault;
use crate::figures::{self, Room};

/// Seconds that the chain may be ahead of the own clock: beyond it, consents end early.
const AHEAD: u64 = 60;

/// Texts that are told until it is well again.
const MOST_TOLD: usize = 16;

/// What may be not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Wallet,
    Blocks,
    ChainTime,
    Clock,
    Url,
    Disk,
    Chain,
    Certificate,
}

impl Part {
    const ALL: [(Self, &str); 8] = [
        (Self::Wallet, "wallet"),
        (Self::Blocks, "blocks"),
        (Self::ChainTime, "chain-time"),
        (Self::Clock, "clock"),
        (Self::Url, "url"),
        (Self::Disk, "disk"),
        (Self::Chain, "chain"),
        (Self::Certificate, "certificate"),
    ];

    fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(part, _)| *part == self);
        found.map_or("", |(_, name)| name)
    }
}

/// What is not well, and what to do.
#[derive(Clone, Debug)]
pub(crate) struct Degraded {
    pub(crate) part: Part,
    pub(crate) why: String,
}

/// What was found: each part is judged by itself, whether the others let it serve or not.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    /// Why it does not serve.
    pub(crate) faults: Vec<Fault>,
    /// What is not well, whether it serves or not.
    pub(crate) degraded: Vec<Degraded>,
    /// What could not be looked at now: it counts as it was found last.
    pub(crate) unseen: Vec<Part>,
}

/// All that strangers are told of what is not ready.
pub(crate) const NOT_READY: &str = "not ready; its operator is told why";

/// What strangers are told.
pub(crate) fn public(readiness: &Readiness) -> Result<&'static str, Fault> {
    if readiness.faults.is_empty() {
        return Ok("ok\n");
    }
    Err(Fault::new(Code::Unavailable, NOT_READY))
}

/// What the operator is told: one line for each thing. The one line of a problem names all of it before it says more, for it is cut
/// where it is long.
pub(crate) fn told(readiness: &Readiness, follower: &Follower) -> Result<String, Fault> {
    let (faults, degraded) = (&readiness.faults, &readiness.degraded);
    if !faults.is_empty() {
        let mut all: Vec<String> = faults.iter().map(|fault| why(fault, follower)).collect();
        if !degraded.is_empty() {
            let names: Vec<&str> = degraded.iter().map(|one| one.part.name()).collect();
            all.push(format!("degraded, too: {}", names.join(", ")));
            all.extend(degraded.iter().map(|one| one.why.clone()));
        }
        let mut told = Fault::new(Code::Unavailable, all.join("; "));
        // Whoever reads this is who mends it.
        told.0.next =
            "mend what the detail and the log say; the log tells when it is ready again".into();
        return Err(told);
    }
    let mut text = String::new();
    for one in degraded {
        let _ = writeln!(text, "degraded: {}", one.why);
    }
    if text.is_empty() {
        text.push_str("ok\n");
    }
    Ok(text)
}

/// The reason, with what the chain's node said.
fn why(fault: &Fault, follower: &Follower) -> String {
    match follower.trouble() {
        Some(trouble) => format!("{}: {trouble}", fault.0.detail),
        None => fault.0.detail.to_string(),
    }
}

/// What gateways and keepers may lack alike.
pub(crate) fn of_both(
    follower: &Follower,
    clock: &Clock,
    folder: Option<&Path>,
    little_room: u64,
) -> Vec<Degraded> {
    let ahead = follower.read(|model| model.time()).since((**clock)());
    let room = folder.and_then(figures::room);
    [
        chain_time(ahead),
        follower.clock_ahead().and_then(clocks),
        room.and_then(|it| disk(it, little_room)),
        figures::certificate_flaw().map(certificate),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Its own URL is not the one that others sign requests for, if they know any.
pub(crate) fn url(own: &str, known: &[String]) -> Option<Degraded> {
    let is_known = known.is_empty() || known.iter().any(|it| it.trim_end_matches('/') == own);
    (!is_known).then(|| Degraded {
        part: Part::Url,
        why: format!(
            "it is started as {own}, and others know it as {}: requests to it are signed for that, and all are refused; correct `url` \
             (--url), or what names it",
            known.join(", ")
        ),
    })
}

fn certificate(why: String) -> Degraded {
    Degraded {
        part: Part::Certificate,
        why: format!(
            "the files of the TLS certificate are not what clients need: {why}; renew them in place, they are read again"
        ),
    }
}

fn chain_time(ahead: u64) -> Option<Degraded> {
    (ahead > AHEAD).then(|| Degraded {
        part: Part::ChainTime,
        why: format!(
            "the last final block is {ahead} s ahead of this machine's clock, by which consents end early; correct the clock, or tell \
             whoever makes the blocks"
        ),
    })
}

fn clocks(ahead: i64) -> Option<Degraded> {
    let by = ahead.unsigned_abs();
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    (by > AHEAD).then(|| Degraded {
        part: Part::Clock,
        why: format!(
            "this machine's clock is {by} s {way} that of the chain's node; look which of them is wrong, and correct it: requests are \
             refused as expired, consents end early or late"
        ),
    })
}

fn disk(room: Room, little: u64) -> Option<Degraded> {
    (room.free < u128::from(little)).then(|| Degraded {
        part: Part::Disk,
        why: format!(
            "{} MiB are free on the disk of the data folder, fewer than {}: what comes next may not be kept; free space",
            room.free >> 20,
            little >> 20
        ),
    })
}

/// What was found last, for figures, and what the log was told.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    is_ready: bool,
    degraded: BTreeSet<Part>,
    /// Why it was not ready, since it was last.
    told: BTreeSet<String>,
}

impl Board {
    /// Takes in what was found; what is new of it goes to the log.
    pub(crate) fn note(&self, readiness: &Readiness, follower: &Follower) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ready = readiness.faults.is_empty();
        for fault in &readiness.faults {
            let why = why(fault, follower);
            if found.told.len() < MOST_TOLD && found.told.insert(why.clone()) {
                tracing::warn!(why, "not ready");
            }
        }
        if is_ready {
            if !found.is_ready && !found.told.is_empty() {
                tracing::info!("ready again");
            }
            found.told.clear();
        }
        found.is_ready = is_ready;
        let unseen = readiness.unseen.iter();
        let mut now: BTreeSet<Part> = unseen
            .filter(|part| found.degraded.contains(part))
            .copied()
            .collect();
        now.extend(readiness.degraded.iter().map(|one| one.part));
        for one in &readiness.degraded {
            if !found.degraded.contains(&one.part) {
                tracing::warn!(why = one.why, "degraded");
            }
        }
        for gone in found.degraded.difference(&now) {
            tracing::info!(part = ?gone, "well again");
        }
        found.degraded = now;
    }

    /// Its figures in the text form of Prometheus.
    pub(crate) fn figures(&self, to: &mut String) {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        figures::gauge(
            to,
            "medibloc_ready",
            "1 if it can do its work, as it was found last.",
            u8::from(found.is_ready),
        );
        to.push_str("# HELP medibloc_degraded 1 if this is not well, whether it serves or not.\n# TYPE medibloc_degraded gauge\n");
        for (part, name) in Part::ALL {
            let is = u8::from(found.degraded.contains(&part));
            let _ = writeln!(to, "medibloc_degraded{{part=\"{name}\"}} {is}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_chain_ahead_of_the_clock_are_told_before_they_harm() {
        let room = |free| Room { free, all: 1 << 40 };
        let little = 512 << 20;
        let told = disk(room(u128::from(little) - 1), little).unwrap();
        assert_eq!(told.part, Part::Disk);
        assert!(told.why.starts_with("511 MiB are free"), "{}", told.why);
        assert!(disk(room(u128::from(little)), little).is_none());
        let told = chain_time(AHEAD + 1).unwrap();
        assert_eq!(told.part, Part::ChainTime);
        assert!(
            told.why.contains("61 s ahead of this machine"),
            "{}",
            told.why
        );
        assert!(chain_time(AHEAD).is_none());
        for (ahead, expected) in [(61, "61 s ahead of"), (-3_600, "3600 s behind")] {
            let told = clocks(ahead).unwrap();
            assert_eq!(told.part, Part::Clock);
            assert!(told.why.contains(expected), "{}", told.why);
        }
        assert!(clocks(60).is_none() && clocks(-60).is_none());
    }
}
