//! `medibloc grant …`

use medibloc_consent::ClassSet;
use medibloc_journey::{
    AccessRequest, AllGranted, Extent, GrantView, Party, PendingRequest, medical_only,
};
use medibloc_record::{ClassId, Sensitivity, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::find;
use crate::answer::code;
use crate::command::{CreateGrant, Grant, Scope, UpTo};
use crate::{Answer, Problem};

impl From<UpTo> for Sensitivity {
    fn from(up_to: UpTo) -> Self {
        match up_to {
            UpTo::Normal => Self::Normal,
            UpTo::Restricted => Self::Restricted,
            UpTo::VeryRestricted => Self::VeryRestricted,
        }
    }
}

pub(super) async fn run(party: &Party, command: &Grant) -> Result<Answer, Problem> {
    match command {
        Grant::Create(create) => give(party, create).await,
        Grant::List => list(party).await,
        Grant::Revoke {
            everything: true, ..
        } => {
            party.revoke_everything().await?;
            Ok(Answer::new(
                json!({"revoked": "everything"}),
                "every consent is taken back",
            ))
        }
        Grant::Revoke {
            contact: Some(contact),
            ..
        } => {
            let contact = find::contact(party, contact)?;
            party.revoke_contact(contact.own).await?;
            Ok(Answer::new(
                json!({"revoked": contact.name}),
                format!("everything that {} was given is taken back", contact.name),
            ))
        }
        Grant::Revoke { grant, .. } => {
            match find::grant(party, grant.as_deref().unwrap_or_default())? {
                find::Given::Read(id) => {
                    party.revoke(id).await?;
                    Ok(Answer::new(
                        json!({"revoked": id.to_string()}),
                        "taken back; no keeper releases a share from now on",
                    ))
                }
                find::Given::Write(id) => {
                    party.revoke_write(id).await?;
                    Ok(Answer::new(
                        json!({"revoked": id.to_string()}),
                        "taken back; nothing that is written from now on stands",
                    ))
                }
            }
        }
    }
}

async fn give(party: &Party, create: &CreateGrant) -> Result<Answer, Problem> {
    let contact = find::contact(party, &create.to)?;
    let until = find::in_days(party, create.days).await?;
    let Some(scope) = create.scope.as_ref().filter(|_| !create.write) else {
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
    if contact.unused.is_empty() {
        return Err(Problem::new(
            code::FAILED,
            format!(
                "{} has no unused reader address left; ask it to send a request",
                contact.name
            ),
        ));
    }
    // The same offer until the same second is the same; what was taken back can be offered again.
    let mut id = Sha256::new();
    id.update(b"offer");
    id.update(contact.own.as_bytes());
    id.update(until.0.to_be_bytes());
    id.update(
        serde_json::to_vec(scope).map_err(|error| Problem::new(code::FAILED, error.to_string()))?,
    );
    let offer = PendingRequest {
        own: contact.own,
        id: id.finalize().into(),
        name: contact.name.clone(),
        request: AccessRequest {
            purpose: create.purpose.into(),
            reason: String::new(),
            categories: Vec::new(),
            dates: None,
            until,
            readers: contact.unused.clone(),
        },
    };
    approve(party, &offer, scope, until).await
}

/// Gives what a request asks for, or what is offered.
pub(super) async fn approve(
    party: &Party,
    request: &PendingRequest,
    scope: &Scope,
    until: Timestamp,
) -> Result<Answer, Problem> {
    let name = &request.name;
    let at = find::moment(until);
    let extent = match (&scope.record, scope.classes.as_slice(), scope.all) {
        (Some(record), ..) => {
            let record = find::record(party, record)?;
            let grant = party.approve(request, record, until).await?;
            return Ok(Answer::new(
                json!({"grant": grant.to_string(), "record": record.to_string(), "to": name, "until": at}),
                format!(
                    "{name} may read {record} until {at}; take it back with `medibloc grant revoke {grant}`"
                ),
            ));
        }
        (None, [], false) => {
            return Err(Problem::new(
                code::USAGE,
                "say what may be read: --record ID, --class NUMBER or --all",
            ));
        }
        (None, [], true) => Extent::All,
        (None, classes, _) => {
            let classes: Vec<ClassId> = classes.iter().copied().map(ClassId).collect();
            Extent::Classes(ClassSet::of(&classes))
        }
    };
    let AllGranted { grants, waiting } = party
        .approve_all(request, extent, scope.up_to.into(), until)
        .await?;
    let more = match waiting.len() {
        0 => String::new(),
        many => {
            format!("; {many} of your addresses wait until {name} sends another reader address")
        }
    };
    Ok(Answer::new(
        json!({
            "grants": grants.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "waiting": waiting.len(), "to": name, "until": at,
        }),
        format!(
            "{name} may read {} until {at}, those that come later too; {} consents{more}",
            match extent {
                Extent::All => "all your records",
                Extent::Classes(_) => "your records of these classes",
            },
            grants.len(),
        ),
    ))
}

async fn list(party: &Party) -> Result<Answer, Problem> {
    let (given, held) = (party.given_views().await?, party.held_views().await?);
    let lines: Vec<String> = given
        .iter()
        .map(|view| line(view, &format!("to {}", view.name)))
        .chain(held.iter().map(|view| line(view, "held")))
        .collect();
    let held = party
        .held()?
        .iter()
        .zip(held)
        .map(|(grant, view)| json!({"owner": grant.owner.to_string(), "consent": view, "records": view.records}))
        .collect::<Vec<_>>();
    Ok(Answer::list(
        json!({"given": given, "held": held}),
        &lines,
        "no consents yet; `medibloc request list` shows who asks",
    ))
}

fn line(view: &GrantView, whom: &str) -> String {
    let what = match view.scope.as_str() {
        "write" => "may write".to_owned(),
        "one" => format!("may read {}", view.records.join(", ")),
        scope => format!("may read {scope}: {} records now", view.records.len()),
    };
    let state = format!("{:?}", view.state).to_lowercase();
    format!(
        "{}  {whom}  {what}  {}  until {}  {state}{}",
        view.id.get(..12).unwrap_or(&view.id),
        view.purpose,
        find::moment(Timestamp(view.until)),
        if view.purged { ", copies purged" } else { "" }
    )
}
