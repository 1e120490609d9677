//! `medibloc contact …`

use medibloc_journey::{Invitation, Party};
use qrcode::QrCode;
use qrcode::render::unicode;
use serde_json::json;

use super::{account, find, name};
use crate::answer::code;
use crate::command::{Contact, is_standard_output};
use crate::{Answer, Problem};

pub(super) async fn run(party: &Party, command: &Contact) -> Result<Answer, Problem> {
    match command {
        Contact::Invite { out } => {
            let invitation = party.invite().await?;
            let text = invitation.to_text();
            let piped = out.as_deref().is_some_and(is_standard_output);
            if let Some(out) = out.as_deref().filter(|_| !piped) {
                find::write_new(out, text.as_bytes())?;
            }
            let picture = QrCode::new(text.as_bytes())
                .map(|code| code.render::<unicode::Dense1x2>().quiet_zone(true).build())
                .unwrap_or_default();
            let value = json!({
                "invitation": text, "owner": invitation.owner.to_string(),
                "expiry": find::moment(invitation.expiry),
            });
            let rule = format!(
                "Give it to one provider only; it is valid once, until {}.",
                find::moment(invitation.expiry)
            );
            if piped {
                let line = format!("{text}\n");
                return Ok(Answer::new(value, rule).with_output(line.into_bytes()));
            }
            Ok(Answer::new(value, format!("{picture}\n{text}\n\n{rule}")))
        }
        Contact::Accept { invitation } => {
            let path = std::path::Path::new(invitation);
            let text = if path.exists() {
                find::text(path)?
            } else {
                invitation.clone()
            };
            let invitation = Invitation::parse(text.trim())
                .map_err(|error| Problem::new(code::INPUT, error.to_string()))?;
            let credential = account::credential(party)?;
            let patron = party.answer(&invitation, credential.as_deref()).await?;
            let owner = patron.owner.to_string();
            Ok(Answer::new(
                json!({"owner": owner}),
                format!(
                    "sent to {owner}; it stands once the person's agent has taken it and the person has confirmed the name. \
                     If somebody else used the invitation before, the next syncs say so"
                ),
            ))
        }
        Contact::List => list(party),
        Contact::Confirm { contact } => {
            let contact = name::contact(party, contact)?;
            let confirmed = party.confirm(contact.own)?;
            Ok(Answer::new(
                json!({"name": confirmed.name, "own": confirmed.own.to_string()}),
                format!("{} is confirmed", find::told(&confirmed.name)),
            ))
        }
    }
}

fn list(party: &Party) -> Result<Answer, Problem> {
    let (contacts, patrons) = (party.contacts()?, party.patrons()?);
    let mut lines = Vec::new();
    for contact in &contacts {
        let state = if contact.confirmed {
            "confirmed"
        } else {
            "waits: read the name, then `medibloc contact confirm`"
        };
        lines.push(format!(
            "{}  knows you as {}  {state}",
            find::told(&contact.name),
            contact.own
        ));
    }
    lines.extend(
        patrons
            .iter()
            .map(|patron| format!("owner {}", patron.owner)),
    );
    let value = json!({
        "contacts": contacts.iter().map(|contact| json!({
            "name": contact.name, "own": contact.own.to_string(), "confirmed": contact.confirmed,
            "account": contact.card.account.map(|account| account.to_string()),
        })).collect::<Vec<_>>(),
        "owners": patrons.iter().map(|patron| json!({
            "owner": patron.owner.to_string(), "node": patron.node,
        })).collect::<Vec<_>>(),
    });
    Ok(Answer::list(
        value,
        &lines,
        "no contacts yet; `medibloc contact invite` makes an invitation",
    ))
}
