//! Commands over an open party: one file a noun.

mod account;
pub(crate) mod acts;
mod answered;
mod audited;
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

use medibloc_journey::{Corrections, JourneyError, Party, SyncReport, counted};
use medibloc_ledger_evm::Contracts;
use medibloc_record::on_its_lines;
use serde_json::json;

use crate::answer::{code, rows};
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
            let mut answer = told(party, &Box::pin(party.sync()).await?)?;
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

/// A sync's report.
///
/// # Errors
/// If the vault fails.
pub fn told(party: &Party, report: &SyncReport) -> Result<Answer, Problem> {
    let accepted: Vec<String> = report.accepted.iter().map(ToString::to_string).collect();
    let refused: Vec<_> = report
        .not_accepted
        .iter()
        .map(|(record, because)| json!({"record": record.to_string(), "because": because}))
        .collect();
    let reads: Vec<_> = report
        .reads
        .iter()
        .map(|(record, name)| json!({"record": record.to_string(), "name": name}))
        .collect();
    let ended: Vec<String> = report.ended.iter().map(ToString::to_string).collect();
    let purged: Vec<String> = report.purged.iter().map(ToString::to_string).collect();
    let checked: Vec<_> = report
        .checked
        .iter()
        .map(
            |(record, due)| json!({"record": record.to_string(), "acceptedBy": find::moment(*due)}),
        )
        .collect();
    let last = report.checked.iter().map(|(_, due)| *due).max();
    let new = last.map_or_else(String::new, |last| {
        format!(
            "{} new, accepted at random times until {}; ",
            checked.len(),
            find::moment(last)
        )
    });
    let corrections = match report.purged.is_empty() {
        true => Corrections::default(),
        false => party.corrections_of(&report.purged.iter().copied().collect())?,
    };
    let mut lines = vec![format!(
        "{new}{} accepted, {} not accepted, {} received, {}",
        accepted.len(),
        refused.len(),
        counted(report.grants, "consent"),
        counted(report.letters, "letter"),
    )];
    let mut tell = |begin: &str, told: &mut dyn Iterator<Item = String>| {
        lines.extend(told.map(|text| format!("{begin}: {text}")));
    };
    tell("done", &mut report.done.iter().cloned());
    tell("ALARM", &mut report.alarms.iter().cloned());
    tell("ALARM", &mut acts::told(party, &report.acts)?.into_iter());
    tell(
        "read",
        &mut report
            .reads
            .iter()
            .map(|(record, name)| format!("{name} was cleared to read {record}")),
    );
    tell(
        "refused by keepers, as they say",
        &mut report
            .refused
            .iter()
            .map(|(record, told)| format!("{record} to {told}")),
    );
    tell(
        "not accepted",
        &mut report
            .not_accepted
            .iter()
            .map(|(record, because)| format!("{record}: {because}")),
    );
    let retracted: Vec<String> = report.retracted.iter().map(ToString::to_string).collect();
    tell(
        "taken back by its author",
        &mut said::taken_back(&report.taken_back).into_iter(),
    );
    tell(
        "corrected by its author",
        &mut said::corrected(&report.corrected).into_iter(),
    );
    tell(
        "held back",
        &mut retracted::held_back(&report.held_back).into_iter(),
    );
    tell("consent ended", &mut ended.iter().cloned());
    let gone = report.purged.iter();
    let gone: Result<Vec<String>, Problem> = gone
        .map(|record| said::purged(party, &corrections, *record))
        .collect();
    tell("copy purged", &mut gone?.into_iter());
    tell("not paired", &mut report.declined.iter().cloned());
    let erased: Vec<String> = report.erased.iter().map(ToString::to_string).collect();
    tell("erased by its owner", &mut erased.iter().cloned());
    tell(
        "erased by its owner",
        &mut written::erased(party, &report.erased_written)?.into_iter(),
    );
    tell(
        "consent that followed by itself",
        &mut report.standing.iter().cloned(),
    );
    tell("told", &mut report.told.iter().cloned());
    let removed = report.files_removed.iter().map(|(_, file)| file.clone());
    let removed: Vec<String> = removed.collect();
    tell("exported file removed", &mut removed.iter().cloned());
    let files: Vec<String> = report
        .files_left
        .iter()
        .map(|(_, file)| file.clone())
        .collect();
    tell("exported file stays", &mut files.iter().cloned());
    tell("not taken yet", &mut grouped(&report.missed).into_iter());
    if report.unexplained > 0 {
        let count = report.unexplained;
        let told = format!(
            "{} that no pairing explains; looked at in turn",
            counted(count, "grant")
        );
        tell("of strangers", &mut std::iter::once(told));
    }
    if report.unopened > 1 {
        let told = format!(
            "{} grants to addresses that you offered, of the contacts' own or of who saw their calls; looked at in turn",
            report.unopened
        );
        tell("not taken yet", &mut std::iter::once(told));
    }
    tell(
        "waits for a newer deployment.json",
        &mut report.waiting.iter().cloned(),
    );
    tell("given up", &mut grouped(&report.given_up).into_iter());
    tell("later", &mut grouped(&report.later).into_iter());
    let value = json!({
        "accepted": accepted, "new": checked, "notAccepted": refused, "grants": report.grants, "letters": report.letters,
        "delivered": report.delivered, "keys": report.keys, "ended": ended, "purged": purged, "reads": reads,
        "refused": report.refused.iter().map(|(record, told)| json!({"record": record.to_string(), "told": told})).collect::<Vec<_>>(),
        "retracted": retracted, "takenBack": said::taken_back_values(&report.taken_back),
        "corrected": said::corrected_values(&report.corrected), "alarms": report.alarms, "acts": acts::values(&report.acts), "later": report.later,
        "heldBack": retracted::held_back_values(&report.held_back),
        "waiting": report.waiting, "declined": report.declined, "done": report.done, "strangers": report.strangers,
        "erased": erased, "erasedWritten": written::erased_values(party, &report.erased_written)?, "told": report.told, "standing": report.standing, "filesRemoved": removed, "filesLeft": files, "gaveWay": report.gave_way, "missed": report.missed, "unexplained": report.unexplained, "unopened": report.unopened, "givenUp": report.given_up,
    });
    let open = report.later.len() + report.missed.len() + report.unopened + report.waiting.len();
    let code = if open > 0 { code::PARTIAL } else { 0 };
    Ok(Answer::new(value, rows(&lines)).with_code(code))
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
