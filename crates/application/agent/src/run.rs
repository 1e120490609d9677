//! Commands over an open party: one file a noun.

mod account;
pub(crate) mod acts;
mod answered;
mod audited;
mod besides;
mod chain;
mod chosen;
mod contact;
mod doctor;
mod dropped;
mod elsewhere;
mod erased;
mod find;
mod given;
mod grant;
mod import;
mod kept;
mod known;
mod limits;
mod name;
pub(crate) mod noted;
pub(crate) mod notices;
mod permitted;
mod read;
mod readers;
mod record;
mod request;
mod researcher;
mod retracted;
mod revoke;
mod said;
mod store;
mod unread;
pub(crate) mod verify;
mod who;
mod wider;
mod written;

use core::pin::Pin;

use medibloc_journey::{JourneyError, Party, SyncReport};
use medibloc_ledger_evm::Contracts;
use medibloc_record::on_its_lines;
use serde_json::json;

use crate::answer::code;
pub use notices::told;

use crate::wiped::wiped;
use crate::{Answer, Command, Problem, command, convert};

/// Does one command. `contracts` are those that a proof file's receipt must come from; without them (over a ledger in
/// memory) that one check is left out.
///
/// # Errors
/// With the exit code and what to do.
pub async fn run(
    party: &Party,
    contracts: Option<&Contracts>,
    command: &Command,
) -> Result<Answer, Problem> {
    wiped(run_and_tell(party, contracts, command)).await
}

async fn run_and_tell(
    party: &Party,
    contracts: Option<&Contracts>,
    command: &Command,
) -> Result<Answer, Problem> {
    let before = kept::Before::of(party, command);
    // What stands beside a command is nothing that it fails by: what the vault cannot give is told by who asks for it.
    let was_untold = party.untold_devices().is_ok_and(|told| told.is_some());
    let done = run_apart(party, contracts, command).await;
    let is_sync = matches!(command, Command::Sync);
    if was_untold && !is_sync {
        // What stays untold is listed by `status`, and each sync goes on with it.
        let _ = tell_devices(party).await;
    }
    let heard = match is_sync {
        true => Vec::new(),
        false => party.take_untold().unwrap_or_default(),
    };
    let done = with_heard(done, &heard);
    // An answer that has no place for them leaves them to the next.
    let done = done.map(|answer| match answer.value.is_object() {
        true => notices::with_unseen(party, answer),
        false => answer,
    });
    let untold = match command {
        Command::Grant(command::Grant::Revoke { .. }) => party.untold_devices()?,
        _ => None,
    };
    let done = done.map(|answer| unfinished(answer, untold));
    // What took something back may have used the room that is kept aside: whoever runs no other command has it again, too.
    party.ports().vault.keep_reserve();
    let done = done.and_then(|answer| match is_list(command) {
        true => not_all(party, answer),
        false => Ok(answer),
    });
    done.map_err(|problem| kept::told(party, command, &before, problem))
}

/// A step whose state is not its caller's: that of every command stands on one stack.
type Apart<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

fn tell_devices(party: &Party) -> Apart<'_, Result<(), JourneyError>> {
    Box::pin(party.tell_taken_back())
}

fn run_apart<'a>(
    party: &'a Party,
    contracts: Option<&'a Contracts>,
    command: &'a Command,
) -> Apart<'a, Result<Answer, Problem>> {
    Box::pin(run_now(party, contracts, command))
}

/// An answer with what the command heard beside what it was asked: no other one tells it.
fn with_heard(done: Result<Answer, Problem>, heard: &[String]) -> Result<Answer, Problem> {
    if heard.is_empty() {
        return done;
    }
    match done {
        Ok(mut answer) => {
            for told in heard {
                answer.text.push_str(&format!("\ntold: {told}"));
            }
            if let Some(value) = answer.value.as_object_mut() {
                value.insert("told".into(), json!(heard));
            }
            Ok(answer)
        }
        Err(problem) => Err(Problem::new(
            problem.code,
            format!("{}; {}", problem.message, heard.join("; ")),
        )),
    }
}

/// What was taken back here alone is not finished.
fn unfinished(mut answer: Answer, untold: Option<String>) -> Answer {
    let Some(untold) = untold else {
        return answer;
    };
    answer.text.push_str(&format!("\nnot finished: {untold}"));
    answer.value["devicesUntold"] = json!(untold);
    match answer.code {
        0 => answer.with_code(code::PARTIAL),
        _ => answer,
    }
}

/// Whether a command shows what is here, so that what is not shown seems not to be.
const fn is_list(command: &Command) -> bool {
    use command::{Account, Contact, Grant, Record, Request};
    matches!(
        command,
        Command::Status
            | Command::Account(
                Account::Show
                    | Account::Person {
                        name: None,
                        born: None
                    }
            )
            | Command::Audit(_)
            | Command::Record(Record::List { .. })
            | Command::Grant(Grant::List)
            | Command::Contact(Contact::List)
            | Command::Request(Request::List)
    )
}

/// A list of a home whose restore did not bring back everything is not all.
fn not_all(party: &Party, mut answer: Answer) -> Result<Answer, Problem> {
    let Some(told) = party.broken_restore()? else {
        return Ok(answer);
    };
    answer.text.push('\n');
    answer.text.push_str(&on_its_lines(&told));
    if let Some(value) = answer.value.as_object_mut() {
        value.insert("restoreUnfinished".into(), json!(told));
    }
    if answer.code == 0 {
        answer.code = code::PARTIAL;
    }
    Ok(answer)
}

async fn run_now(
    party: &Party,
    contracts: Option<&Contracts>,
    command: &Command,
) -> Result<Answer, Problem> {
    match command {
        Command::Account(command) => account::run(party, command).await,
        Command::Contact(command) => contact::run(party, command).await,
        Command::Request(command) => request::run(party, command).await,
        // The longest of all: its state lies elsewhere than its caller's.
        Command::Record(command) => Box::pin(record::run(party, command)).await,
        Command::Grant(command) => Box::pin(grant::run(party, command)).await,
        Command::Read(command) => read::run(party, command).await,
        Command::Sync => {
            let mut report = SyncReport::default();
            if let Err(error) = Box::pin(party.sync_into(&mut report)).await {
                // What it found before it failed is found once.
                let _ = notices::keep(party, &report, "a sync that failed");
                return Err(error.into());
            }
            let mut answer = told(party, &report)?;
            let ask = retracted::is_this_you(party)?;
            answer.value["isThisYou"] = json!(ask);
            if let Some(ask) = ask {
                answer.text.push('\n');
                answer.text.push_str(&ask);
            }
            Ok(answer)
        }
        Command::Audit(command) => who::audit(party, command).await,
        Command::Verify(command) => verify::run(party, contracts, command).await,
        Command::Status => who::status(party).await,
        Command::Doctor => doctor::doctor(party).await,
        Command::Chain(command) => chain::run(party, command).await,
    }
}

/// Refuses what shows something to whoever watches the chain, unless its user says that it is meant. Nothing has been
/// signed by then.
fn must_be_meant(
    shown: &[medibloc_journey::Haste],
    haste: command::Haste,
    otherwise: &str,
) -> Result<(), Problem> {
    if shown.is_empty() || haste.now && haste.yes {
        return Ok(());
    }
    let shown: Vec<String> = shown.iter().map(ToString::to_string).collect();
    Err(Problem::new(
        code::USAGE,
        format!(
            "{}; say `--now --yes` if it is meant; {otherwise}",
            shown.join("; ")
        ),
    ))
}

/// The same reason once, with how often: ids and numbers in it do not make it another.
pub fn grouped(told: &[String]) -> Vec<String> {
    let mut groups: Vec<(String, &String, usize)> = Vec::new();
    for line in told {
        let shape = shape(line);
        match groups.iter_mut().find(|(known, _, _)| *known == shape) {
            Some((_, _, count)) => *count += 1,
            None => groups.push((shape, line, 1)),
        }
    }
    groups
        .into_iter()
        .map(|(_, line, count)| match count {
            1 => line.clone(),
            _ => format!("{line} (and {} more like this)", count - 1),
        })
        .collect()
}

/// A line without its ids: words of 16 or more letters and digits.
fn shape(line: &str) -> String {
    let is_id = |word: &&str| word.len() >= 16 && word.chars().all(|c| c.is_ascii_alphanumeric());
    let words = line.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| !is_id(word))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thousand_lines_of_one_reason_are_one() {
        let mut told: Vec<String> = (0..1_000)
            .map(|n| format!("record 0x{n:064x}: no node has it"))
            .collect();
        told.push("another reason".into());
        let lines = super::grouped(&told);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines[0].ends_with("no node has it (and 999 more like this)"),
            "{lines:?}"
        );
        assert_eq!(lines[1], "another reason");
    }
}
