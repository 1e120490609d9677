//! `medibloc grant …`

use medibloc_journey::{AccessRequest, Party, PendingRequest, medical_only};
use serde_json::json;

use super::find;
use crate::answer::code;
use crate::command::{CreateGrant, Grant};
use crate::{Answer, Problem};

pub(super) async fn run(party: &Party, command: &Grant) -> Result<Answer, Problem> {
    match command {
        Grant::Create(create) => give(party, create).await,
        Grant::List => list(party),
        Grant::Revoke {
            everything: true, ..
        } => {
            party.revoke_everything().await?;
            Ok(Answer::new(
                json!({"revoked": "everything"}),
                "every consent is taken back",
            ))
        }
        Grant::Revoke { grant, .. } => {
            let id = find::grant(party, grant.as_deref().unwrap_or_default())?;
            party.revoke(id).await?;
            Ok(Answer::new(
                json!({"revoked": id.to_string()}),
                "taken back; no keeper releases a share from now on",
            ))
        }
    }
}

async fn give(party: &Party, create: &CreateGrant) -> Result<Answer, Problem> {
    let contact = find::contact(party, &create.to)?;
    let until = find::in_days(party, create.days).await?;
    let Some(record) = &create.record else {
        party
            .grant_write(contact.own, medical_only(), until)
            .await?;
        return Ok(Answer::new(
            json!({"write": true, "to": contact.name, "until": find::moment(until)}),
            format!(
                "{} may write medical records for you until {}",
                contact.name,
                find::moment(until)
            ),
        ));
    };
    let record = find::record(party, record)?;
    if contact.unused.is_empty() {
        return Err(Problem::new(
            code::FAILED,
            format!(
                "{} has no unused reader address left; ask it to send a request",
                contact.name
            ),
        ));
    }
    let offer = PendingRequest {
        own: contact.own,
        id: [0; 32],
        name: contact.name.clone(),
        request: AccessRequest {
            purpose: create.purpose.into(),
            reason: String::new(),
            categories: Vec::new(),
            until,
            readers: contact.unused.clone(),
        },
    };
    let grant = party.approve(&offer, record, until).await?;
    Ok(Answer::new(
        json!({"grant": grant.to_string(), "record": record.to_string(), "to": contact.name}),
        format!(
            "{} may read {record} until {}",
            contact.name,
            find::moment(until)
        ),
    ))
}

fn list(party: &Party) -> Result<Answer, Problem> {
    let (given, held) = (party.grants()?, party.held()?);
    let mut lines = Vec::new();
    for (id, given) in &given {
        let until = given
            .artefact
            .grant
            .as_ref()
            .map(|grant| find::moment(grant.terms.until));
        lines.push(format!(
            "{}  to {}  {} until {}{}",
            &id.to_string()[..12],
            given.artefact.name,
            given.artefact.purpose.code(),
            until.unwrap_or_default(),
            if given.revoked { "  taken back" } else { "" }
        ));
    }
    for held in &held {
        for record in held.records() {
            lines.push(format!("may read {record} of {}", held.owner));
        }
    }
    let value = json!({
        "given": given.iter().map(|(id, given)| json!({
            "grant": id.to_string(), "to": given.artefact.name, "purpose": given.artefact.purpose.code(),
            "reason": given.artefact.reason, "revoked": given.revoked, "own": given.own.to_string(),
            "until": given.artefact.grant.as_ref().map(|grant| find::moment(grant.terms.until)),
        })).collect::<Vec<_>>(),
        "held": held.iter().map(|held| json!({
            "owner": held.owner.to_string(),
            "records": held.records().map(|record| record.to_string()).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    });
    Ok(Answer::list(
        value,
        &lines,
        "no consents yet; `medibloc request list` shows who asks",
    ))
}
