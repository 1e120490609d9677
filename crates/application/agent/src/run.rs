//! Commands over an open party: one file a noun.

mod account;
mod contact;
mod doctor;
mod find;
mod grant;
mod record;
mod request;
mod verify;
mod who;

use medibloc_journey::{Party, SyncReport};
use medibloc_ledger_evm::Contracts;
use serde_json::json;

use crate::{Answer, Command, Problem};

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
    match command {
        Command::Account(command) => account::run(party, command).await,
        Command::Contact(command) => contact::run(party, command).await,
        Command::Request(command) => request::run(party, command).await,
        Command::Record(command) => record::run(party, command).await,
        Command::Grant(command) => grant::run(party, command).await,
        Command::Read(command) => record::read(party, command).await,
        Command::Sync => Ok(told(&party.sync().await?)),
        Command::Audit(command) => who::audit(party, command).await,
        Command::Verify(command) => verify::run(party, contracts, command).await,
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
    let reads: Vec<_> = report
        .reads
        .iter()
        .map(|(record, name)| json!({"record": record.to_string(), "name": name}))
        .collect();
    let ended: Vec<String> = report.ended.iter().map(ToString::to_string).collect();
    let purged: Vec<String> = report.purged.iter().map(ToString::to_string).collect();
    let mut lines = vec![format!(
        "{} accepted, {} not accepted, {} consents received, {} letters",
        accepted.len(),
        refused.len(),
        report.grants,
        report.letters
    )];
    let mut tell = |begin: &str, told: &mut dyn Iterator<Item = String>| {
        lines.extend(told.map(|text| format!("{begin}: {text}")));
    };
    tell("ALARM", &mut report.alarms.iter().cloned());
    tell(
        "read",
        &mut report
            .reads
            .iter()
            .map(|(record, name)| format!("{name} was cleared to read {record}")),
    );
    tell(
        "refused by keepers",
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
    tell("taken back by its author", &mut retracted.iter().cloned());
    tell("consent ended", &mut ended.iter().cloned());
    tell("copy purged", &mut purged.iter().cloned());
    tell("not paired", &mut report.declined.iter().cloned());
    tell("later", &mut report.later.iter().cloned());
    let value = json!({
        "accepted": accepted, "notAccepted": refused, "grants": report.grants, "letters": report.letters,
        "delivered": report.delivered, "keys": report.keys, "ended": ended, "purged": purged, "reads": reads,
        "refused": report.refused.iter().map(|(record, told)| json!({"record": record.to_string(), "told": told})).collect::<Vec<_>>(),
        "retracted": retracted, "alarms": report.alarms, "later": report.later,
        "declined": report.declined, "strangers": report.strangers,
    });
    Answer::new(value, lines.join("\n"))
}
