//! Times, small files and words as people give and read them.

use std::io::Read as _;
use std::path::Path;

use medibloc_consent::Purpose;
pub(super) use medibloc_journey::on_one_line as told;
use medibloc_journey::{AsOf, ConsentTimes, InBlock, Outputs, Party};
use medibloc_record::{AccountId, RecordId, Timestamp};
use serde_json::{Value, json};

use crate::Problem;
use crate::answer::code;

/// Seconds of a day.
pub(super) const DAY: u64 = 86_400;

/// The longest that a consent is given for: nobody who forgets one leaves it for ever.
const MOST_DAYS: u32 = 3_650;

/// A moment as people and programs read it (RFC 3339, UTC).
pub(super) fn moment(at: Timestamp) -> String {
    i64::try_from(at.0)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| at.to_string(), |moment| moment.to_string())
}

/// What is to be said before what a home knows, while the chain does not say more.
pub(super) fn only_known(as_of: &AsOf) -> Option<String> {
    let why = as_of.silent.as_ref()?;
    let known = match self::as_of(as_of) {
        Some(known) => format!("{known}, the last that it took"),
        None => "before it took any block".to_owned(),
    };
    Some(format!(
        "WARNING: {why}; this is what the home knows {known}"
    ))
}

/// As of which block something is said; none if of none.
pub(super) fn as_of(as_of: &AsOf) -> Option<String> {
    let block = as_of.block?;
    Some(match as_of.time {
        Some(time) => format!("as of block {block} ({})", moment(time)),
        None => format!("as of block {block}"),
    })
}

/// The same for programs, beside what they are given.
pub(super) fn as_of_value(as_of: &AsOf) -> Value {
    json!({
        "block": as_of.block, "hash": as_of.hash.map(|hash| hash.to_string()), "time": as_of.time.map(moment),
        "silent": as_of.silent,
    })
}

/// The last time of the chain that this home knows; its own clock's if it knows none.
pub(super) async fn known_now(party: &Party) -> Result<Timestamp, Problem> {
    let known = party.as_of().await?.time;
    Ok(known.unwrap_or_else(|| party.ports().clock.now()))
}

/// A record by the begin of its id, with its title if that is here.
pub(super) fn titled(record: RecordId, title: Option<&String>) -> String {
    let id = &record.to_string()[..12];
    title.map_or_else(|| id.to_owned(), |title| format!("{id} «{title}»"))
}

/// An owner as `contact list` shows it: by the address that it was paired with, and what it is called here. A consent may be
/// of another address of the same owner.
pub(super) fn owner(party: &Party, owner: AccountId) -> Result<String, Problem> {
    let paired = paired(party, owner)?;
    let label = party.label(paired)?;
    let label = label.map_or_else(String::new, |label| format!(" «{}»", told(&label)));
    Ok(format!("{paired}{label}"))
}

/// The address that an owner was paired with; the same one if nothing here says of which owner it is.
pub(super) fn paired(party: &Party, owner: AccountId) -> Result<AccountId, Problem> {
    if party.patrons()?.iter().any(|patron| patron.owner == owner) {
        return Ok(owner);
    }
    let held = party.held()?;
    let of = held.iter().find(|held| held.owner == owner);
    Ok(of.map_or(owner, |held| held.artefact.paired))
}

/// What a consent is for, in words.
pub(super) const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Treatment => "treatment",
        Purpose::Payment => "payment",
        Purpose::Research => "research",
        Purpose::FamilyRequest => "a request of the family",
        Purpose::PatientRequest => "a request of the patient",
        Purpose::Emergency => "emergency treatment",
        Purpose::PublicHealth => "public health",
        _ => "a purpose that this version has no word for",
    }
}

/// A block with its time.
pub(super) fn in_block(at: InBlock) -> String {
    match at.time {
        Some(time) => format!("{} (block {})", moment(time), at.block),
        None => format!("in block {}", at.block),
    }
}

/// When an end was ordered and since when it is in force; nothing if neither is known.
pub(super) fn since(times: &ConsentTimes) -> String {
    let ordered = times.ordered_words().map(|words| format!(", {words}"));
    let ended = times.ended.map(|at| match at.time {
        Some(time) => format!(", in force since block {} ({})", at.block, moment(time)),
        None => format!(", in force since block {}", at.block),
    });
    let open = match (&ordered, &ended) {
        (Some(_), None) => ", not in force yet",
        _ => "",
    };
    format!(
        "{}{}{open}",
        ordered.unwrap_or_default(),
        ended.unwrap_or_default()
    )
}

/// How many files whoever purged keeps; null where that is not known.
pub(super) fn files_kept(purged: bool, files: u32, unknown: bool) -> Value {
    match purged && !unknown {
        true => json!(files),
        false => Value::Null,
    }
}

/// What went to standard output, for programs.
pub(super) fn outputs_value(outputs: Option<Outputs>) -> Value {
    outputs.map_or(
        Value::Null,
        |outputs| json!({"times": outputs.times, "last": moment(outputs.last)}),
    )
}

/// `days` from now on the chain.
pub(super) async fn in_days(party: &Party, days: u32) -> Result<Timestamp, Problem> {
    if days == 0 {
        return Err(Problem::new(
            code::USAGE,
            "--days 0 is no time at all; give at least 1",
        ));
    }
    if days > MOST_DAYS {
        return Err(Problem::new(
            code::USAGE,
            format!(
                "--days {days} is longer than a consent lasts here; give at most {MOST_DAYS} (ten years), and renew it then"
            ),
        ));
    }
    let head = party.ports().facts.head().await?;
    Ok(head.time.plus(u64::from(days) * DAY))
}

/// An end that somebody else asked for.
pub(super) async fn until_then(party: &Party, end: Timestamp) -> Result<Timestamp, Problem> {
    let now = party.ports().facts.head().await?.time;
    let why = if end <= now {
        "is over already"
    } else if end > now.plus(u64::from(MOST_DAYS) * DAY) {
        "is later than a consent lasts here"
    } else {
        return Ok(end);
    };
    Err(Problem::new(
        code::USAGE,
        format!(
            "the end that was asked for, {}, {why}; nothing was given: say for how many days (`--days`)",
            moment(end)
        ),
    ))
}

/// Seconds that this machine's clock may be off: nodes and keepers refuse what is signed further from their own time.
const CLOCK: u64 = 120;

/// How far this machine's clock is from its node's, or from the last block's, and what to do about it; none if it is right.
/// Nobody's answer is waited for again.
async fn wrong_clock(party: &Party) -> Result<Option<String>, Problem> {
    let now = party.ports().clock.now();
    let (whose, right) = match party.ports().network.time().await {
        Ok(Some(time)) => ("its node's", time),
        // The last block is never ahead of the time.
        _ => (
            "the last block's",
            party.ports().facts.head().await?.time.max(now),
        ),
    };
    let apart = now.since(right).max(right.since(now));
    Ok((apart > CLOCK).then(|| {
        format!(
            "this machine's clock ({}) is {apart} s away from {whose} ({})",
            moment(now),
            moment(right)
        )
    }))
}

/// Refuses what would be kept under a wrong clock and go later, when nobody thinks of it.
pub(super) async fn clock_must_be_right(party: &Party) -> Result<(), Problem> {
    match wrong_clock(party).await? {
        None => Ok(()),
        Some(told) => Err(Problem::new(
            code::UNREACHABLE,
            format!(
                "{told}; nothing was given and nothing is kept: set the clock, then say this again"
            ),
        )),
    }
}

/// What is to be said of this machine's clock after an end was ordered by it, as far as somebody tells the time; nothing if it
/// is right.
pub(super) async fn clock_warning(party: &Party) -> Option<String> {
    let told = wrong_clock(party).await.ok().flatten()?;
    Some(format!(
        "WARNING: {told}: what this home says of when you ordered it is by that clock; set it, as `medibloc doctor` says"
    ))
}

/// Largest text file that is read: keys, invitations, credentials and proofs are far smaller.
const MOST_TEXT: u64 = 4 << 20;

/// A small text file as editors write it: a byte order mark before it is no part of it.
pub(super) fn text(path: &Path) -> Result<String, Problem> {
    let unreadable = |why: String| {
        let path = path.display();
        Problem::new(code::INPUT, format!("cannot read {path}: {why}"))
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_TEXT + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(format!("{error}; check the path")))?;
    if bytes.len() as u64 > MOST_TEXT {
        return Err(unreadable(format!(
            "it has more than {} MiB; it is another kind of file",
            MOST_TEXT >> 20
        )));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| unreadable("it is no UTF-8 text; save it as such".into()))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}
