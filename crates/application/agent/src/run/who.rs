//! `medibloc audit` and `medibloc status`.

use medibloc_consent::FeedFact;
use medibloc_journey::{Party, Standing};
use serde_json::json;

use super::find;
use crate::command::Audit;
use crate::{Answer, Problem};

pub(super) async fn audit(party: &Party, command: &Audit) -> Result<Answer, Problem> {
    let trail = party.audit().await?;
    let feeds = party.feeds().await?;
    let mut lines: Vec<String> = trail
        .iter()
        .map(|line| {
            format!(
                "{}  {} was given the key of {}  receipt {} in block {}",
                find::moment(line.line.at),
                line.name,
                &line.line.record.to_string()[..12],
                &line.line.receipt.to_string()[..12],
                line.line.block
            )
        })
        .collect();
    let mut refused = Vec::new();
    for feed in &feeds {
        for line in &feed.lines {
            if let FeedFact::Released { .. } = line.fact {
                continue;
            }
            lines.push(format!(
                "{}  keeper {} refused {}: {} ({} times)",
                find::moment(line.last),
                feed.index,
                &line.record.to_string()[..12],
                serde_json::to_string(&line.fact).unwrap_or_default(),
                line.count
            ));
            refused.push(json!({
                "keeper": feed.index, "record": line.record.to_string(), "fact": line.fact,
                "count": line.count, "last": find::moment(line.last),
            }));
        }
    }
    if let Some(folder) = &command.proofs {
        std::fs::create_dir_all(folder)?;
    }
    let value = json!({
        "reads": trail.iter().map(|line| json!({
            "name": line.name, "record": line.line.record.to_string(), "reader": line.line.reader.to_string(),
            "grant": line.line.grant.to_string(), "receipt": line.line.receipt.to_string(),
            "at": find::moment(line.line.at), "block": line.line.block,
            "blockHash": hex::encode(line.line.block_hash),
        })).collect::<Vec<_>>(),
        "refused": refused,
    });
    Ok(Answer::list(
        value,
        &lines,
        "nobody was given a key to any of your records",
    ))
}

pub(super) async fn status(party: &Party) -> Result<Answer, Problem> {
    let head = party.ports().facts.head().await?;
    let records = party.records()?;
    let accepted = records.iter().filter(|kept| kept.is_accepted()).count();
    let waiting = records
        .iter()
        .filter(|kept| kept.standing == Standing::Checked)
        .count();
    let contacts = party.contacts()?;
    let unconfirmed = contacts.iter().filter(|contact| !contact.confirmed).count();
    let requests = party.requests()?.len();
    let value = json!({
        "account": party.account().id().to_string(),
        "chain": {"block": head.number, "time": find::moment(head.time), "id": party.ports().domain.chain_id},
        "records": {"accepted": accepted, "waiting": waiting, "all": records.len()},
        "contacts": {"confirmed": contacts.len() - unconfirmed, "waiting": unconfirmed},
        "requests": requests, "node": party.ports().network.own_node(),
    });
    let text = format!(
        "account {}\nchain {} at block {} ({})\n{accepted} records, {waiting} wait for keepers\n{} contacts, {unconfirmed} wait for you\n{requests} requests wait for you",
        party.account().id(),
        party.ports().domain.chain_id,
        head.number,
        find::moment(head.time),
        contacts.len() - unconfirmed,
    );
    Ok(Answer::new(value, text))
}
