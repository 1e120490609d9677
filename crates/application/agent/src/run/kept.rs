//! What a command that could not reach somebody left behind. "Nobody answers" has two meanings that a script must tell
//! apart: nothing was kept, do it again; or it is kept, and `sync` goes on with it.

use medibloc_journey::Party;
use medibloc_record::Digest;

use super::convert;
use crate::answer::code;
use crate::command::{Account, Contact, Grant, Record, Request};
use crate::{Command, Problem};

/// What is unfinished or put off, with the reason.
type Job = (String, Option<String>);

/// Unfinished work and its reasons before a command.
pub(super) struct Before(Vec<Job>);

impl Before {
    pub(super) fn of(party: &Party, command: &Command) -> Self {
        match marks(command) {
            [] => Self(Vec::new()),
            _ => Self(jobs(party)),
        }
    }
}

/// How the work that the command itself is about begins in `status`; what only prepares it, like registering an address,
/// is not what was asked for.
const fn marks(command: &Command) -> &'static [&'static str] {
    match command {
        Command::Account(Account::Rotate { .. }) => {
            &["sealing key", "signing key", "newer capsule"]
        }
        Command::Contact(Contact::Accept { .. }) | Command::Request(Request::Create { .. }) => {
            &["send a letter to"]
        }
        Command::Request(Request::Approve { .. }) | Command::Grant(Grant::Create(_)) => {
            &["grant to", "permission to write for"]
        }
        Command::Grant(Grant::Revoke { .. }) => {
            &["revocation of", "end of permission to write for"]
        }
        Command::Record(Record::Erase { .. }) => &["erasure of record"],
        Command::Record(Record::Retract { .. }) => &["taking back record"],
        Command::Record(Record::Import { .. }) => &["write "],
        Command::Read(_) => &["receipt for record"],
        _ => &[],
    }
}

fn jobs(party: &Party) -> Vec<Job> {
    let jobs = party.job_views().unwrap_or_default();
    let jobs = jobs.into_iter().map(|job| (job.what, job.reason));
    // A consent that was put off is kept as well as one that nobody took.
    let planned = party.planned().unwrap_or_default().into_iter();
    let jobs = jobs.chain(planned.map(|it| (it.what, None)));
    // So is one that is on the chain already, of several that one decision gives.
    let given = party.grants().unwrap_or_default().into_iter();
    jobs.chain(given.map(|(id, _)| (format!("grant to {id}"), None)))
        .collect()
}

/// The same problem, told as begun and kept if it is.
pub(super) fn told(party: &Party, command: &Command, before: &Before, problem: Problem) -> Problem {
    // A peer that answers nonsense is no reason to lose it either.
    let may_pass = matches!(problem.code, code::UNREACHABLE | code::FAILED);
    if !may_pass || !is_kept(party, command, before, &problem) {
        return problem;
    }
    let what_now = match command {
        // A read that nobody waits for is none: it is not sent again by itself.
        Command::Read(_) => {
            "nothing was opened, but the call for its receipt had left and may count: `medibloc sync` says whether it does, and \
             the same command goes on with it"
        }
        Command::Grant(Grant::Revoke { .. }) => {
            "it is kept, and `medibloc sync` goes on with it. THIS HOME HAS NOT SEEN IT ON THE CHAIN: until it is there, what was given can be \
             used; `medibloc grant list` says of each consent how it stands"
        }
        Command::Record(Record::Erase { .. }) => {
            "it is kept, and `medibloc sync` goes on with it. THIS HOME HAS NOT SEEN IT ON THE CHAIN: until it is there, consents for the record \
             can be used"
        }
        _ => "it is kept, and `medibloc sync` goes on with it",
    };
    Problem::new(code::PARTIAL, format!("{}; {what_now}", problem.message))
}

fn is_kept(party: &Party, command: &Command, before: &Before, problem: &Problem) -> bool {
    // The same document is one job, however often it is tried.
    if let Command::Record(Record::Import { file, .. }) = command {
        let original = convert::read(file).map(|draft| Digest::of(&draft.original));
        return original.is_ok_and(|digest| party.is_being_written(&digest).unwrap_or(false));
    }
    let marks = marks(command);
    let now = jobs(party);
    now.iter().any(|job| {
        let (what, reason) = job;
        let told = |reason: &String| problem.message.contains(reason.as_str());
        // Two consents for one contact are called alike.
        let count = |jobs: &[Job]| jobs.iter().filter(|other| *other == job).count();
        let is_new = count(&now) > count(&before.0);
        marks.iter().any(|mark| what.starts_with(mark))
            && (is_new || reason.as_ref().is_some_and(told))
    })
}
