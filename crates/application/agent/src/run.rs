//! Commands over an open party: one file a noun.

mod account;
mod contact;
mod doctor;
mod find;
mod grant;
mod record;
mod request;
mod who;

use medibloc_journey::{Party, SyncReport};
use serde_json::json;

use crate::{Answer, Command, Problem};

/// Does one command.
///
/// # Errors
/// With the exit code and what to do.
pub async fn run(party: &Party, command: &Command) -> Result<Answer, Problem> {
    match command {
        Command::Account(command) => account::run(party, command).await,
        Command::Contact(command) => contact::run(party, command).await,
        Command::Request(command) => request::run(party, command).await,
        Command::Record(command) => record::run(party, command).await,
        Command::Grant(command) => grant::run(party, command).await,
        Command::Read(command) => record::read(party, command).await,
        Command::Sync => Ok(told(&party.sync().await?)),
        Command::Audit(command) => who::audit(party, command).await,
        Command::Status => who::status(party).await,
        Command::Doctor => doctor::doctor(party).await,
    }
}

/// A sync's report.
pub fn told(report: &SyncReport) -> Answer {
    let accepted: Vec<String> = report.accepted.iter().map(ToString::to_string).collect();
    let refused: Vec<_> = report
        .not_accepted
        .iter()
        .map(|(record, because)| json!({"record": record.to_string(), "because": because}))
        .collect();
    let mut lines = vec![format!(
        "{} accepted, {} not accepted, {} consents received, {} letters",
        accepted.len(),
        refused.len(),
        report.grants,
        report.letters
    )];
    for (record, because) in &report.not_accepted {
        lines.push(format!("not accepted: {record}: {because}"));
    }
    lines.extend(report.later.iter().map(|why| format!("later: {why}")));
    let value = json!({
        "accepted": accepted, "notAccepted": refused, "grants": report.grants, "letters": report.letters,
        "later": report.later,
    });
    Answer::new(value, lines.join("\n"))
}
