//! How a process that holds the home gives way to another one that takes something back.

use std::time::Duration;

use medibloc_journey::Urgency;
use medibloc_vault::VaultCall;

use crate::answer::code;
use crate::command::Record;
use crate::home::Home;
use crate::{Command, Problem};

/// How often it is looked whether somebody calls.
const GLANCE: Duration = Duration::from_millis(100);
/// What is called has so long to end by itself, and to say what it did.
const GRACE: Duration = Duration::from_secs(3);

/// Whether a command loses nothing when it ends at any instant: it goes on where it was, or asked only. An import keeps its job
/// before anything of it leaves, and a read the receipt that it signed; an audit only asks, and keeps what it heard; files are written whole after the last answer.
pub(super) const fn can_end(command: &Command) -> bool {
    matches!(
        command,
        Command::Sync
            | Command::Audit(_)
            | Command::Doctor
            | Command::Read(_)
            | Command::Record(Record::Import { .. })
    )
}

/// Does work that makes way: a sync ends with what it has, and what `can_end` at any instant is broken off if it does not.
///
/// # Errors
/// [`code::PARTIAL`] if it was broken off: what it began is kept.
pub(super) async fn giving<T>(
    home: &Home,
    urgency: Option<Urgency>,
    can_end: bool,
    work: impl Future<Output = T>,
) -> Result<T, Problem> {
    let called = async {
        while !VaultCall::is_raised(home.path()) {
            tokio::time::sleep(GLANCE).await;
        }
        let _urgent = urgency.as_ref().map(Urgency::wait);
        if can_end {
            tokio::time::sleep(GRACE).await;
        } else {
            std::future::pending().await
        }
    };
    tokio::select! {
        biased;
        done = work => Ok(done),
        () = called => Err(Problem::new(
            code::PARTIAL,
            "it gave way to a command that takes something back; what it began is kept, say the same again to go on",
        )),
    }
}
